/*
 * session_core - what the parts of a session share; nobody else includes it.
 *
 *   session.c       registering, opening and settling, positions
 *   session_move.c  preparing the next generation, deciding, committing
 *   session_look.c  where it stands, without the lock
 */
#ifndef GB_CLI_SESSION_CORE_H
#define GB_CLI_SESSION_CORE_H

#include "session.h"

/* A generation's name as text; empty: there is none. */
const char *gb_gen_name(const gbx_generation *g, char out[GB_HOST_MAX + 1]);
bool gb_gen_none(const gbx_generation *g);
bool gb_gen_same(const gbx_generation *a, const gbx_generation *b); /* and there is one */
bool gb_gen_is(const gbx_generation *g, const char *name);          /* NULL and empty are none's */

bool gb_session_owns_bricks(const struct gb_volume *v, const struct gb_node *n);
/* What was opened of a node; NULL: it takes no part. */
const struct gb_session_node *gb_session_node_of(const struct gb_session *s, const struct gb_node *n);
/* Take the lock on a node; *state, to be released by the caller, is what it holds. */
int gb_session_lock(const struct gb_session *s, const struct gb_node *n, gbx_session *state,
                    struct gb_error *err);
/* A node that cannot tell the session's state, or store it, takes no part in this run. */
void gb_session_leave_out(struct gb_session *s, struct gb_node *n, const struct gb_error *why);

#endif
