/*
 * reduce_core - what the parts of the reducer share; nobody else includes it.
 *
 *   reduce.c           the sources, merged; asking and walking; the order of work
 *   reduce_weigh.c     which sources are believed
 *   reduce_place.c     where directories stood and stand, and spelling by that
 *   reduce_cut.c       back from what was looked at to the volume at the cut
 *   reduce_walk.c      names that only a walk finds
 *   reduce_conclude.c  what an object's united facts mean: ops
 */
#ifndef GB_REDUCE_CORE_H
#define GB_REDUCE_CORE_H

#include "base/arena.h"
#include "base/gfidmap.h"
#include "base/limits.h"
#include "base/vec.h"
#include "group.h"
#include "reduce.h"
#include "shelf.h"
#include "skeleton.h"

#define CHANGE_FLAGS (GB_FACT_DATA | GB_FACT_META | GB_FACT_XATTR)

struct source {
        const struct gb_fact_source *in;
        struct gb_item item;
        enum gb_section section;
        bool restarted;
        bool muted;   /* not believed */
        bool junior;  /* heard only about what no other speaks of */
        bool counted; /* what happens is soon told by it, believed or not */
};

struct boundary {
        struct gb_slot *slots; /* arena */
        unsigned n;
        bool dir;
        bool revisit; /* look at it even if nothing is told */
        bool seen;    /* has facts in this window */
};

/* What the last list leaves for this one. */
struct carried {
        bool listed;    /* to be taken as BEFORE */
        bool dir_moved; /* a renamed directory */
        bool seen;      /* has facts in this window */
};

/* First events of one slot behind the cut, of every brick. */
struct settled {
        struct settled *next;
        struct gb_slot slot; /* arena */
        unsigned kinds;
        bool confused; /* told where all bricks are suspect */
};

struct settled_list { /* of one gfid */
        struct settled *first;
        bool dir;
};

/* Groups to be asked for on other replica sets, at most GB_LOOK_MAX. */
struct batch {
        struct gb_groups groups;
        struct gb_arena arena;
};

struct gb_reduce {
        struct source *sources;
        unsigned n_sources, n_sets, needed;
        unsigned *heap; /* indices of sources that have an item, least first */
        unsigned *same; /* scratch of find_same() */
        unsigned n_heap;
        gb_gfid volume_id;
        const struct gb_reduce_ops *ops;
        struct gb_reduce_stats stats;

        struct gb_skeleton skeleton;
        struct gb_gfidmap boundary;
        struct gb_gfidmap carried; /* of struct carried */
        bool all_listed;           /* they were too many: take everything as BEFORE */
        struct gb_gfidmap settled; /* of struct settled_list */
        struct gb_arena keep;      /* boundary, victims, settled: until the end */
        struct gb_shelf dirs;      /* encoded groups, looked up */
        bool dir_moved;            /* one of them, as some brick tells */
        bool settling;
        struct gb_sorter *objects; /* encoded groups, looked up, until the cut has settled */
        struct gb_buf record;
        unsigned *set_sources;          /* counted sources of each replica set */
        unsigned n_counted;             /* of all */
        bool *confused;                 /* replica sets in which all are suspect */
        bool *unsure;                   /* or each was away for a while */
        GB_VEC(struct gb_slot) victims; /* slots a directory was renamed onto: see spell_then() */
        bool more_victims;              /* it may have been others, too */
        GB_VEC(struct gb_slot) places;  /* victims of which nothing says that no directory was there */
        bool places_known;

        struct gb_group current, more;
        struct gb_arena object_arena; /* of `current`, when it comes from `objects` */
        struct batch batch, dir_batch;
        uint8_t *sieve; /* see reduce_walk.c; NULL: no object has unknown names */
        bool *to_walk;  /* replica sets that have such objects */

        struct gb_group **asking; /* the groups of the look() in progress */
        unsigned n_asking, next_answer, asking_set;
        struct gb_arena *asking_arena;
};

/* First events that prove that the object had not this name before. */
#define CAME_KINDS (1u << GB_CLAIM_BORN | 1u << GB_CLAIM_LINK | 1u << GB_CLAIM_ARRIVE)

static inline bool is_dir(const struct gb_group *g)
{
        return (g->flags & GB_FACT_DIR) || g->type == 'd';
}

static inline bool kind_of(const struct gb_touched *t, enum gb_claim_kind kind)
{
        return t->kinds & (1u << kind);
}

int gb_reduce_no_memory(struct gb_error *err);
/* A copy whose name is the arena's; false: out of memory. */
bool gb_reduce_dup_slot(struct gb_arena *arena, const struct gb_slot *from, struct gb_slot *to);

/* Keep what is known of an object until the cut has settled. */
int gb_reduce_keep(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err);
/* Some names of this one are to be found by a walk; and the walks, of all of them. */
int gb_reduce_want_walk(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err);
int gb_reduce_walk_sets(struct gb_reduce *r, struct gb_error *err);

/* Read how each source begins, and decide whom to believe. */
int gb_reduce_weigh(struct gb_reduce *r, struct gb_error *err);

/* A slot that a directory, or what may have been one, was renamed onto. */
int gb_reduce_add_victim(struct gb_reduce *r, const struct gb_slot *slot, struct gb_error *err);
/* Where a directory with events stood at T0; where it stands; what is gone without a word and may have been
 * one. */
int gb_reduce_place_then(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err);
int gb_reduce_place_now(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err);
int gb_reduce_place_suspect(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err);
/* As gb_skeleton_spell(); GB_UNKNOWN fills *err, with GB_ERR_GAP if a directory's place at T0 is not known.
 */
enum gb_spelled gb_reduce_spell_then(struct gb_reduce *r, const struct gb_slot *slot, char out[GB_PATH_MAX],
                                     size_t *at, struct gb_error *err);
enum gb_spelled gb_reduce_spell_now(struct gb_reduce *r, const struct gb_slot *slot, char out[GB_PATH_MAX],
                                    size_t *at, struct gb_error *err);
/* Emit `op` at each path that a lost name may have had: `depth` 0, *left how many there may be. */
int gb_reduce_each_guess(struct gb_reduce *r, const struct gb_slot *slot, unsigned depth, unsigned *left,
                         struct gb_op *op, struct gb_error *err);

/* A group's names go back to what they were at the cut. */
int gb_reduce_back_to_cut(struct gb_reduce *r, struct gb_group *g, struct gb_error *err);
/* Directories that have events behind the cut stood where these found them. */
int gb_reduce_place_settled_dirs(struct gb_reduce *r, struct gb_error *err);

/* Emit the ops of a group that was looked at. */
int gb_reduce_conclude(struct gb_reduce *r, struct gb_group *g, struct gb_error *err);

#endif
