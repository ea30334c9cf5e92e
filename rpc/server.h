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

/* RFC 9289: the credential of a NULL call that asks for TLS, and the word for yes in the verifier of
 * its reply. */
#define GB_AUTH_TLS     7
#define GB_STARTTLS     "STARTTLS"
#define GB_STARTTLS_LEN 8

struct gb_server {
        struct gb_transport *transport;                /* borrowed */
        void (*dispatch)(struct svc_req *, SVCXPRT *); /* gbackup_program_1 */
        rpcprog_t program;
        rpcvers_t version;
        size_t request_max; /* bytes of a request record; may be changed by a handler (after HELLO) */
        size_t reply_max;
        int idle_ms;   /* wait for the next request; may be changed by a handler */
        void *context; /* for the handlers: gb_server_context() */
        /* When a peer that has not said HELLO is sent away, however busy it looks; 0: never.  The
         * handler of HELLO clears it. */
        gb_deadline login_until;
        /* Nothing but NULL is answered until the connection is encrypted. */
        bool need_tls;
        bool encrypted;
        /* A peer asks for TLS: can he have it?  NULL: no. */
        bool (*offer_tls)(struct gb_server *s);
        /* Make it so, after STARTTLS was answered: replaces `transport`. */
        int (*start_tls)(struct gb_server *s, struct gb_error *err);
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
