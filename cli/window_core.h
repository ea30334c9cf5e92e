/*
 * window_core - what the parts of gb_window_collect() share; nobody else includes it.
 *
 *   window.c           the streams, the cut, the order of work
 *   window_ask.c       the reducer's questions to the bricks
 *   window_boundary.c  what a list leaves for the next one
 *   window_scan.c      what walks add
 *   window_sets.c      which bricks are believed, and whether they told everything
 */
#ifndef GB_WINDOW_CORE_H
#define GB_WINDOW_CORE_H

#include "base/vec.h"
#include "feed.h"
#include "scan.h"
#include "window.h"
#include "wire_error.h"

struct stream {
        struct gb_vbrick *brick;
        struct gb_brick_window *window;
        struct gb_feed *feed;
        struct gb_facts_reader reader;
        bool ended;
        bool muted;     /* its siblings are believed, it is not: see reduce.h */
        bool restarted; /* the brick, in the window */
};

struct root {
        char *path; /* owned */
        size_t len;
        gb_gfid gfid;
};

struct collect {
        const struct gb_cli *cli;
        struct gb_volume *volume;
        struct gb_window *window;
        struct gb_sorter *ops;
        struct stream *streams;
        unsigned n_streams;
        struct gb_buf record;
        struct gb_buf boundary;         /* of the next window: what is in doubt */
        struct gb_buf carried;          /* of the next window: what gb_reduce_carried() wants */
        bool carry_all;                 /* there was too much of it: next time everything is */
        bool *was_behind;               /* by brick: it missed the last list, or heals waited for it then */
        struct gb_fact_source *sources; /* of the streams */
        /* GB_ERR_GAP of all sets: one of the last run has left the volume, or a place is unknown. */
        struct gb_error former;
        bool relist; /* last time there was: what lies below renamed directories is listed again */
        GB_VEC(struct root) roots;  /* directories that were renamed: their T1 paths */
        struct gb_scan_time *times; /* while sweeping */
};

/* Does an error end a brick's contribution without ending the list, as long as a sibling is whole? */
bool gb_window_spares(enum gb_code code);
/* The brick's stream, or NULL. */
const struct stream *gb_window_stream(const struct collect *k, const struct gb_vbrick *b);
int gb_window_add(struct collect *k, const struct gb_op *op, struct gb_error *err);

/* Of struct gb_reduce_ops, with a struct collect. */
int gb_window_look(void *arg, struct gb_reduce *r, unsigned set, const gb_gfid *gfids, unsigned n,
                   struct gb_error *err);
int gb_window_occupied(void *arg, const char *path, size_t len, struct gb_error *err);
int gb_window_walk(void *arg, struct gb_reduce *r, unsigned set, struct gb_error *err);
int gb_window_doubt(void *arg, const gb_gfid *gfid, const struct gb_slot *names, unsigned n, bool dir,
                    enum gb_revisit revisit, struct gb_error *err);
int gb_window_carry(void *arg, const gb_gfid *gfid, bool dir_moved, struct gb_error *err);
void gb_window_weighed(void *arg, const struct gb_reduce *r);

/* The session's boundary set, to the reducer, was_behind, relist and former. */
int gb_window_load_boundary(struct collect *k, struct gb_reduce *r, struct gb_error *err);
/* Note the bricks of this run in the next boundary set; once it is known who is behind. */
int gb_window_put_bricks(struct collect *k, struct gb_error *err);
/* Complete the next boundary set. */
int gb_window_finish_boundary(struct collect *k, struct gb_error *err);

/* How many bricks of a set miss nothing between them, if they were never away. */
unsigned gb_window_needed(const struct gb_volume *v);
/* Which sources have reason not to be believed, to `sources`. */
void gb_window_suspect(struct collect *k);
/* Will what this brick records in the next window be late copies of what its siblings have told by now? */
bool gb_window_is_behind(const struct collect *k, const struct gb_vbrick *b);
/* Each replica set needs bricks that told the whole window, or is marked to be listed in full. */
int gb_window_check_sets(struct collect *k, struct gb_error *err);

/* The names of the replica sets whose history has a gap.  Their positions were taken just before. */
int gb_window_list_full_sets(struct collect *k, struct gb_error *err);
/* What lies below renamed directories: expanded, or as changed if it is only to be looked at again. */
int gb_window_expand(struct collect *k, struct gb_error *err);
/* What only ctimes tell. */
int gb_window_sweep(struct collect *k, struct gb_error *err);

#endif
