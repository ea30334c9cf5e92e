/*
 * window - everything that changed on a volume between two positions, as folded-ready ops.
 *
 * Streams the histories of all usable bricks, reduces them (reduce.h), asks and walks where facts alone
 * do not tell, and adds the ops to a sorter.  A brick whose history has a gap, or that has no position,
 * is left out as long as a sibling of its replica set tells the whole story.
 */
#ifndef GB_WINDOW_H
#define GB_WINDOW_H

#include "base/buf.h"
#include "base/sorter.h"
#include "list.h"
#include "reduce.h"
#include "volume.h"

/* One per brick of the volume, same index. */
struct gb_brick_window {
        char *from;   /* cursor to start at, owned; NULL: see by_time */
        bool by_time; /* use start and end; else a brick without `from` has no position */
        int64_t start, end;
        bool whole;                     /* out: its history covered the window */
        bool away;                      /* out: it may have missed something, and been healed in the window */
        int64_t window_from, window_to; /* out, if whole: unix seconds of its node */
        int64_t before_from;            /* out: when the window before began, or earlier; 0: unknown */
        char *cursor;                   /* out, owned: where the next window begins; NULL: no position */
        struct gb_error error;          /* out: why it is not whole */
};

struct gb_window {
        struct gb_brick_window *bricks; /* n_bricks of the volume */
        bool expand;                    /* what lies below renamed directories: as expanded ops */
        bool first; /* expand only where the directory still is: for a list that later renames build on */
        bool sweep; /* add what only ctimes tell: see sweep.h */
        bool full_on_gap;       /* a replica set with a gap is listed in full instead of failing */
        char stuck[600];        /* why it does not help to try again, see reduce.h; empty: it may */
        bool *full_sets;        /* out: which ones were, by set */
        unsigned n_full_sets;   /* out */
        struct gb_buf boundary; /* in: the session's boundary set; out: the next one.  Facts with names */
        struct gb_reduce_stats stats; /* out */
};

int gb_window_init(struct gb_window *w, const struct gb_volume *v, struct gb_error *err);
void gb_window_fini(struct gb_window *w, const struct gb_volume *v);

/* Forget what a failed collect left, keep what it starts from. */
void gb_window_again(struct gb_window *w, const struct gb_volume *v);

/* GB_ERR_GAP or GB_ERR_CHANGELOG_OFF: a replica set without whole history; GB_ERR_INCOMPLETE: one
 * without a usable brick. */
int gb_window_collect(const struct gb_cli *c, struct gb_volume *v, struct gb_window *w, struct gb_sorter *ops,
                      struct gb_error *err);

/* A sorter for ops: bounded memory, spilling to $TMPDIR or /var/tmp. */
struct gb_sorter *gb_ops_sorter(struct gb_error *err);

#endif
