/*
 * worker - one connection, from its first byte to its last.
 *
 * A worker is a process: whatever a peer does to it ends with it, and exit is its cleanup.  It serves
 * with the settings it was born with.
 */
#ifndef GB_WORKER_H
#define GB_WORKER_H

#include "base/buf.h"
#include "caller.h"
#include "gluster.h"
#include "glusterd.h"
#include "lock.h"
#include "server.h"
#include "session.h"
#include "settings.h"
#include "stream.h"

/* States of a connection; see the picture in rpc/gbackup.x. */
enum gb_worker_state { GB_WORKER_NEW = 1 << 0, GB_WORKER_READY = 1 << 1, GB_WORKER_STREAMING = 1 << 2 };

struct gb_worker {
        const struct gb_settings *settings; /* borrowed */
        enum gb_worker_state state;
        struct gb_server server;
        struct gb_glusterd gd;
        struct gb_gluster gluster;
        struct gb_tls *tls;           /* over TCP, once he has asked for it */
        struct gb_tls_peer peer;      /* over TCP: whose certificate it has shown */
        struct gb_caller caller;      /* since HELLO */
        unsigned char *mark;          /* over TCP: set when he is let in; borrowed */
        uint64_t features;            /* that the peer announced in HELLO */
        char client[GB_HOST_MAX + 1]; /* what the peer called itself in HELLO */
        struct gb_store *store;       /* opened by the first session call */
        struct gb_lock lock;          /* of the session this connection has locked */
        struct gb_stream *stream;     /* while streaming */
        struct gb_cursor from;        /* cursor a history stream began at */
        unsigned seq;                 /* of the last NEXT answered */
        struct gb_buf chunk;          /* data of the last NEXT, reused */
};

/* Serve rfd/wfd (taken over) until the peer leaves; with `mark` he comes by TCP and has to show a
 * certificate inside TLS, and the byte is set once he is let in; else he is root or has our descriptors and
 * may do everything.  Returns an exit status: 0 the peer left in order,
 * 1 the connection broke or could not be served. */
int gb_worker_run(const struct gb_settings *settings, int rfd, int wfd, unsigned char *mark,
                  const char *peer);

/* The one table: may `proc` be called now, and by this caller?  0, -1: GB_ERR_USAGE, GB_ERR_DENIED. */
int gb_worker_allows(const struct gb_worker *w, rpcproc_t proc, struct gb_error *err);
/* "HELLO" and the like; "?" for a number without a name. */
const char *gb_worker_proc_name(rpcproc_t proc);

/* The session store; NULL: error. */
struct gb_store *gb_worker_store(struct gb_worker *w, struct gb_error *err);
/* End the stream, if there is one. */
void gb_worker_end_stream(struct gb_worker *w);

#endif
