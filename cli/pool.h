/*
 * pool - the trusted pool, as `gbackup-cli tls` sees it: through gluster(8) of this node.
 *
 * `gluster system:: execute gbackup_tls ...` has every connected node run its peer_gbackup_tls, whose
 * first lines say what it can do and how it answers.  glusterd leaves out nodes that are down without a
 * word; they are found by comparing with `gluster pool list`.
 */
#ifndef GB_POOL_H
#define GB_POOL_H

#include "access.h"
#include "certs.h"
#include "cli.h"

struct gb_pool_node {
        gb_gfid uuid;
        char host[GB_HOST_MAX + 1];
        bool self, connected;
        /* Of the last gb_pool_do(). */
        bool done;               /* it has told everything */
        char error[GB_TEXT_MAX]; /* or why not */
        struct gb_certs now;     /* its certificate: one, or none */
        struct gb_certs next;    /* the one after renew */
        GB_VEC(char *) trusts;   /* fingerprints, owned */
        uint64_t serial;         /* of its clients.conf */
        char clients[GB_FINGERPRINT];
};

struct gb_pool {
        int cancel_fd;
        GB_VEC(struct gb_pool_node) nodes; /* this one first */
        char workdir[GB_BRICK_PATH_MAX + 1];
        bool secure; /* glusterd's channel is encrypted and authenticated */
};

/* Who belongs to it.  GB_ERR_GLUSTER: glusterd does not answer here. */
int gb_pool_open(const struct gb_cli *c, struct gb_pool *p, struct gb_error *err);
void gb_pool_close(struct gb_pool *p);

/* Have it done on all connected nodes; `words` ends in NULL.  Every connected node must answer, and
 * without an error, else -1. */
int gb_pool_do(struct gb_pool *p, const char *const words[], struct gb_error *err);
/* Put bytes into <workdir>/gbackup/NAME of every connected node; *digest is for `install`. */
int gb_pool_copy(struct gb_pool *p, const char *name, const struct gb_buf *bytes, char digest[GB_FINGERPRINT],
                 struct gb_error *err);

unsigned gb_pool_down(const struct gb_pool *p);
const struct gb_pool_node *gb_pool_find(const struct gb_pool *p, const gb_gfid *uuid);
const struct gb_pool_node *gb_pool_self(const struct gb_pool *p);

#endif
