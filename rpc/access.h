/*
 * access - clients.conf: who besides the nodes may ask an agent, and for what.
 *
 * One line for each:
 *
 *     # NAME   RIGHT    VOLUMES      CERTIFICATE
 *     backup1  session  home,photos  sha256:4f1e...64 hexadecimal digits
 *     viewer   list     *            cn:viewer.example.com
 *
 * RIGHT is `list` (make lists), `session` (also keep sessions, and switch changelog on for them) or
 * `node` (everything; of a pool whose certificates bear no uuid).  CERTIFICATE is the fingerprint of
 * one, or the common name of one that an authority in peers.pem or clients.pem has issued.  A line
 * `serial N` counts the changes that gbackup-cli(1) made.
 */
#ifndef GB_ACCESS_H
#define GB_ACCESS_H

#include "certs.h"

enum gb_right { GB_RIGHT_NONE, GB_RIGHT_LIST, GB_RIGHT_SESSION, GB_RIGHT_NODE };

struct gb_grant {
        char name[GB_HOST_MAX + 1];
        enum gb_right right;
        char *volumes;                    /* owned; "*", or names with a comma between them */
        char fingerprint[GB_FINGERPRINT]; /* "" when it goes by cn */
        char cn[GB_HOST_MAX + 1];
};

struct gb_access {
        uint64_t serial;
        GB_VEC(struct gb_grant) grants;
};

/* Read the file; one that is missing grants nothing.  -1: "FILE:LINE: ..." */
int gb_access_load(struct gb_access *a, const char *path, struct gb_error *err);
int gb_access_parse(struct gb_access *a, const char *text, size_t len, const char *what,
                    struct gb_error *err);
int gb_access_format(const struct gb_access *a, struct gb_buf *out, struct gb_error *err);
void gb_access_fini(struct gb_access *a);

/* The grant of a certificate, or NULL.  `issued`: an authority vouches for it, so its name counts. */
const struct gb_grant *gb_access_find(const struct gb_access *a, const struct gb_cert *cert, bool issued);
/* By NAME; NULL. */
struct gb_grant *gb_access_named(const struct gb_access *a, const char *name);
/* Add, or replace the one of that name.  GB_ERR_USAGE: an argument is not what may stand there. */
int gb_access_put(struct gb_access *a, const char *name, const char *right, const char *volumes,
                  const char *certificate, struct gb_error *err);
/* false: there is none of that name. */
bool gb_access_remove(struct gb_access *a, const char *name);

/* Does a list as in gb_grant.volumes include this volume? */
bool gb_access_includes(const char *volumes, const char *volume);
const char *gb_right_name(enum gb_right r);

#endif
