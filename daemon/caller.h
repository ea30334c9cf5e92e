/*
 * caller - who is at the other end of a connection, and what he may do.
 */
#ifndef GB_CALLER_H
#define GB_CALLER_H

#include "access.h"
#include "glusterd.h"
#include "tls.h"

struct gb_caller {
        enum gb_right right;
        char name[2 * GB_HOST_MAX + 1]; /* for the log */
        char *volumes;                  /* owned; as gb_grant.volumes; NULL: all */
};

/* A local caller, who is root: everything. */
void gb_caller_local(struct gb_caller *c);
/* By certificate.  A listed one with a uuid is a node's, if that node belongs to the pool now; any other
 * needs a line in clients.conf.  GB_ERR_DENIED says what is missing. */
int gb_caller_judge(struct gb_caller *c, const struct gb_tls_peer *peer, const struct gb_access *access,
                    const struct gb_glusterd *gd, struct gb_error *err);
/* May he do what needs `right`, on this volume (NULL: no volume in particular)? */
int gb_caller_may(const struct gb_caller *c, enum gb_right right, const char *what, const char *volume,
                  struct gb_error *err);
void gb_caller_fini(struct gb_caller *c);

#endif
