/*
 * client_core - what client.c, client_calls.c and client_stream.c share; nobody else includes it.
 *
 * One agent, one connection, replies in the order of the calls.  So all there is to know of calls in
 * flight is the xid of the next call and the xid of the next reply.
 */
#ifndef GB_CLIENT_CORE_H
#define GB_CLIENT_CORE_H

#include "base/buf.h"
#include "client.h"

enum gb_stream_state {
        GB_STREAM_NONE,   /* no OPEN, or the stream came to its end */
        GB_STREAM_OPEN,   /* OPEN was answered */
        GB_STREAM_FAILED, /* the agent answered NEXT with an error; CLOSE is due */
};

struct gb_stream {
        enum gb_stream_state state;
        unsigned max_bytes;
        unsigned asked;    /* seq of the last NEXT sent */
        unsigned got;      /* seq of the last chunk decoded */
        unsigned inflight; /* NEXT calls whose reply was not read */
        bool eof;
        uint64_t entries; /* as the last chunk counted them */
        /* Replies read ahead by gb_stream_park(), oldest first from `head`. */
        struct gb_buf rec[GB_WINDOW];
        unsigned head, parked;
        /* Where chunks are decoded to, so that no MiB is allocated and zeroed per call. */
        char *data;
        size_t data_cap;
        char cursor[GB_CURSOR_MAX];
};

struct gb_client {
        struct gb_transport *transport; /* NULL once the connection failed: `why` tells */
        struct gb_error why;
        int abort_fd; /* a duplicate of the transport's descriptor, for gb_client_abort(); -1: none */
        char peer[128];
        struct gb_buf out, in;
        uint32_t call_xid;  /* of the next call */
        uint32_t reply_xid; /* of the next reply */
        gbx_hello_ok hello;
        struct gb_stream stream;
};

/* Name and type of a procedure's result: the TRUE arm of its union, or all of the union. */
struct gb_result {
        xdrproc_t proc;
        bool whole;
};

/* The connection is of no more use: close it, remember *err for later calls.  -1. */
int gb_client_fail(struct gb_client *c, struct gb_error *err);

/* Encode and send one call. */
int gb_client_send(struct gb_client *c, rpcproc_t proc, xdrproc_t xdr_arg, const void *arg,
                   struct gb_error *err);
/* Read the record of a reply. */
int gb_client_recv(struct gb_client *c, struct gb_buf *rec, size_t max, int wait_ms, struct gb_error *err);
/* Decode a reply: 0 and *out; 1 and *err when the agent answered with an error; -1 when the
 * connection failed.  *out is left as far as it was decoded on -1, untouched on 1. */
int gb_client_decode(struct gb_client *c, struct gb_buf *rec, struct gb_result result, void *out,
                     struct gb_error *err);
/* A whole call.  `out` (size bytes) is zeroed first and holds nothing on failure. */
int gb_client_call(struct gb_client *c, rpcproc_t proc, int wait_ms, xdrproc_t xdr_arg, const void *arg,
                   struct gb_result result, void *out, size_t size, struct gb_error *err);

/* No bytes: procedures without argument, the TRUE arm of gbx_void_res. */
bool_t gb_xdr_nothing(XDR *x, ...);

void gb_stream_init(struct gb_stream *s);
void gb_stream_fini(struct gb_stream *s);

#endif
