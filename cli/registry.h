/*
 * registry - what the CLI host remembers of a session: its name, HOST and VOLUME, the other nodes' names in
 * case HOST is down, and which generation was committed last.  The positions live on the agents.
 *
 * `last` is written before any agent is told to commit: it is the decision.  After a crash in between, and
 * when the agents that had heard of it are away, it tells what the others must not forget.
 *
 * One JSON file per session in the state directory (GBACKUP_CLI_STATE, else /var/lib/gbackup/cli).
 */
#ifndef GB_REGISTRY_H
#define GB_REGISTRY_H

#include <stdint.h>

#include "base/error.h"
#include "base/select.h"

struct gb_registered {
        char *session, *host, *volume; /* owned */
        char **hosts;                  /* owned, with its strings: nodes of the volume; NULL: not known yet */
        unsigned n_hosts;
        struct gb_select select; /* what its lists are of, */
        char *types;             /* and of that only these types; owned; NULL: all */
        char *last;              /* owned; NULL: nothing was committed yet, as far as is known here */
        int64_t last_when;       /* gbx_generation.when of it */
};

/* 1..GB_SESSION_MAX of [A-Za-z0-9._-], not starting with '-' or '.'; not a command's name is not asked
 * (`run SESSION` reaches such a one). */
int gb_session_name_check(const char *name, struct gb_error *err);

int gb_registry_get(const char *session, struct gb_registered *out, struct gb_error *err);
/* GB_ERR_SESSION_EXISTS if there is one of that name. */
int gb_registry_check_new(const char *session, struct gb_error *err);
int gb_registry_put(const struct gb_registered *r, struct gb_error *err);
/* Write an existing one anew, durably. */
int gb_registry_update(const struct gb_registered *r, struct gb_error *err);
int gb_registry_remove(const char *session, struct gb_error *err);
/* All names, sorted: malloc'd array of malloc'd strings. */
int gb_registry_list(char ***names, unsigned *n, struct gb_error *err);
/* The file of that suffix of a session, malloc'd; NULL: out of memory. */
char *gb_registry_file(const char *session, const char *suffix);
void gb_registered_fini(struct gb_registered *r);

#endif
