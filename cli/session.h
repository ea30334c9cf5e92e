/*
 * session - a session's state on all agents of its volume, taken and moved on as one.
 *
 * Every agent keeps its own bricks' positions.  A generation is prepared on all; then the decision is
 * written down here (registry.h), and it is committed on all.  The decision, or one agent having committed,
 * is what counts: whoever still holds that generation as pending is rolled forward when the session is
 * opened next.  So a crash at any instant leaves the session at the old generation or at the new one, on
 * all agents the same.
 *
 * An agent that was absent from the last committed run has an older generation: its bricks then have
 * no position (their history would begin before the others'), and their siblings tell their part.  So it is
 * with an agent that fails in the middle, or whose store is full or damaged.  When only agents that are
 * absent now have the last generation, nothing is done: an older one must not pass for the last.
 */
#ifndef GB_CLI_SESSION_H
#define GB_CLI_SESSION_H

#include "registry.h"
#include "volume.h"
#include "window.h"

struct gb_session_node {
        struct gb_node *node;
        gbx_session state;
        gbx_generation last_full; /* once gb_session_last_full() was called */
        bool locked;
        bool prepared; /* this run's generation is pending there */
};

struct gb_session {
        const struct gb_cli *cli;
        struct gb_registered *reg; /* borrowed, as the volume */
        const char *name;          /* reg->session */
        struct gb_volume *volume;
        struct gb_session_node *nodes;
        unsigned n_nodes;           /* that own bricks, were reached, and can tell the session's state */
        const gbx_generation *base; /* the committed generation all builds on; NULL: never run */
        const gbx_generation *full; /* the last full, see gb_session_last_full(); NULL: none */
        char generation[40];        /* of the prepare in progress */
        int64_t when;               /* of it */
        char *previous;             /* owned: reg->last before the decision; NULL: none */
        int64_t previous_when;
};

/* Where a session stands, by all its agents that answer; texts are empty for none. */
struct gb_standing {
        char volume[GB_VOLUME_MAX + 1];
        char committed[GB_HOST_MAX + 1], pending[GB_HOST_MAX + 1],
                last_full[GB_HOST_MAX + 1]; /* generations */
};
/* A look without the lock: while a run is under way it tells of what was before. */
int gb_session_standing(const struct gb_registered *reg, struct gb_volume *v, struct gb_standing *out,
                        struct gb_error *err);

/* Create it on every node that owns a brick; all must be reachable. */
int gb_session_register(const char *name, struct gb_volume *v, struct gb_error *err);

/* Open its volume: by HOST, or when that fails by another node known from the last run. */
int gb_session_volume(const struct gb_cli *c, const struct gb_registered *reg, struct gb_volume *v,
                      struct gb_error *err);

/* Lock on every reachable node and settle: GB_ERR_BUSY if somebody else holds it.  A node that does not
 * know the session (it joined later) is registered.  GB_ERR_GAP: it is of an earlier volume of that name;
 * with --on-gap=full it is forgotten, and the session has no base. */
int gb_session_open(const struct gb_cli *c, struct gb_session *s, struct gb_registered *reg,
                    struct gb_volume *v, struct gb_error *err);
void gb_session_close(struct gb_session *s);

/* Fetch the last full with its positions from all agents: s->full, or NULL if none was committed. */
int gb_session_last_full(struct gb_session *s, struct gb_error *err);

/* Fill the windows' `from` with the positions of the base generation, or (`cumulative`) of the last full, and
 * take over its boundary set. */
int gb_session_positions(const struct gb_session *s, bool cumulative, struct gb_window *w,
                         struct gb_error *err);

/* Name the generation that is about to be made: a new uuid in s->generation. */
void gb_session_new_generation(struct gb_session *s);
/* Store it as pending, the windows' cursors, on every node; on as many as each replica set needs one of, if
 * some have failed meanwhile. */
int gb_session_prepare(struct gb_session *s, const struct gb_window *w, gbx_session_kind kind,
                       struct gb_error *err);
/* The generation that is pending, into s->generation (empty: none).  GB_ERR_BUSY: they differ. */
int gb_session_pending(struct gb_session *s, struct gb_error *err);
/* Commit what was just prepared, or (generation empty) what is pending: only if that is `wanted`, when it is
 * not NULL.  *nothing: there was nothing to commit, or `wanted` is committed already.  Once the decision is
 * written, nodes that cannot be told are named, and follow when they can. */
int gb_session_commit(struct gb_session *s, const char *wanted, bool *nothing, struct gb_error *err);
int gb_session_abort(struct gb_session *s, bool *nothing, struct gb_error *err);
int gb_session_unregister(const char *name, struct gb_volume *v, struct gb_error *err);

#endif
