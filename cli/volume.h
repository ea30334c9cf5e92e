/*
 * volume - a volume as the CLI sees it: replica sets of bricks, each with the agent that serves it.
 */
#ifndef GB_VOLUME_H
#define GB_VOLUME_H

#include "cli.h"
#include "client.h"

struct gb_node {
        gb_gfid uuid;
        const char *host;          /* how we reach it; borrowed from the topology or HOST */
        struct gb_client *control; /* NULL: unreachable, see error */
        struct gb_error error;
};

struct gb_vbrick {
        char *path; /* owned */
        char *host; /* owned */
        char *name; /* "host:/path", owned */
        struct gb_node *node;
        unsigned set;
        int index;
        bool arbiter;
        bool usable;           /* agent reachable and brick process running */
        bool blamed;           /* a sibling's pending heals blame it, or it is in doubt */
        bool behind;           /* at any time since the volume was opened */
        bool shunned;          /* others of its set know better: not to be looked at */
        bool scanned;          /* a scan read its names */
        struct gb_error error; /* why it is not usable */
        gbx_brick_status status;
        int64_t ahead; /* seconds by which its node's clock is ahead of ours, when it answered */
};

struct gb_volume {
        char *name;
        char *host; /* as the user said it */
        gb_gfid id;
        bool started, changelog, sharded, rebalancing, disperse;
        unsigned set_size, n_sets;
        unsigned redundancy; /* bricks of a set that may be away */
        struct gb_node *nodes;
        unsigned n_nodes;
        struct gb_vbrick *bricks; /* set s: bricks[s * set_size ...] */
        unsigned n_bricks;
};

/* Ask HOST for the topology and every brick's node for its health.  -1: HOST unreachable, volume
 * unknown or not started.  Unreachable other nodes are recorded, not an error here.  `live`: know also
 * what only a transaction over all nodes tells (rebalancing). */
int gb_volume_open(const struct gb_cli *c, const char *host, const char *name, bool live, struct gb_volume *v,
                   struct gb_error *err);
void gb_volume_close(struct gb_volume *v);

/* Does this failure concern one agent or one brick, so that a sibling may do its work?  (Damage that only a
 * change of the list can heal, such as a gap, is the caller's to know.) */
bool gb_volume_spares(enum gb_code code);

/* The agents of a node and its bricks are of no use for the rest of this run. */
void gb_volume_lose(struct gb_volume *v, struct gb_node *n, const struct gb_error *why);

/* A new control connection to a node whose old one failed. */
int gb_volume_reconnect(const struct gb_cli *c, struct gb_node *n, struct gb_error *err);

/* Say that a set is missing: *err becomes GB_ERR_INCOMPLETE and names its bricks, each with why it is of no
 * use.  Returns -1. */
int gb_volume_missing(const struct gb_volume *v, unsigned set, struct gb_error *err);

/* Ask the bricks once more whom heals wait for. */
void gb_volume_behind(struct gb_volume *v);
/* Was anything waiting for a heal in this set, whenever its bricks were asked? */
bool gb_volume_heals(const struct gb_volume *v, unsigned set);

/* Another connection to a brick's agent, for a stream. */
struct gb_client *gb_volume_connect(const struct gb_cli *c, const struct gb_volume *v,
                                    const struct gb_vbrick *b, struct gb_error *err);

/* Milliseconds in which a brick closes a slice for sure: before its first one it gives no position. */
unsigned gb_volume_rollover_wait(const struct gb_vbrick *b);

/* The bricks to read names from, for one set: fills pick[set_size], returns how many.  A clean brick
 * stands alone, data before arbiter; if none is clean all usable ones are to be united.  0: the set is
 * missing, and *err (GB_ERR_INCOMPLETE) names its bricks and why. */
unsigned gb_volume_pick(const struct gb_volume *v, unsigned set, struct gb_vbrick **pick,
                        struct gb_error *err);

/* Ask the bricks of a set that gb_volume_pick() tells, one after another: one that fails is left to its
 * siblings, which are asked anew.  0, -1: an answer that none can spare, or the set is missing. */
typedef int gb_volume_ask_fn(void *arg, struct gb_vbrick *b, struct gb_error *err);
int gb_volume_ask(const struct gb_volume *v, unsigned set, gb_volume_ask_fn *ask, void *arg,
                  struct gb_error *err);

#endif
