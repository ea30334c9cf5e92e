/*
 * server - serve one connection with an unmodified rpcgen dispatcher.
 *
 * An SVCXPRT of our own: no svc_register, no svc_run, no globals.  Arguments are decoded from one
 * complete, bounded record; the reply is encoded into one buffer and sent once.  A failed decode
 * frees what it had allocated.
 */
#ifndef GB_SERVER_H
#define GB_SERVER_H

#include <rpc/rpc.h>

#include "transport.h"

struct gb_server {
        struct gb_transport *transport; /* borrowed */
        void (*dispatch)(struct svc_req *, SVCXPRT *); /* gbackup_program_1 */
        rpcprog_t program;
        rpcvers_t version;
        size_t request_max;  /* bytes of a request record; may be changed by a handler (after HELLO) */
        size_t reply_max;
        int idle_ms;         /* wait for the next request; may be changed by a handler */
        void *context;       /* for the handlers: gb_server_context() */
        /* When a peer that has not said HELLO is sent away, however busy it looks; 0: never.  The
         * handler of HELLO clears it. */
        gb_deadline login_until;
};

/* Requests until the peer leaves (0) or something breaks (-1). */
int gb_server_run(struct gb_server *s, struct gb_error *err);

/* Inside a handler. */
struct gb_server *gb_server_of(const struct svc_req *req);
static inline void *gb_server_context(const struct svc_req *req)
{
        return gb_server_of(req)->context;
}

#endif
