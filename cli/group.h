/*
 * group - all facts about one gfid, united over bricks.
 */
#ifndef GB_GROUP_H
#define GB_GROUP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/facts.h"
#include "base/vec.h"

/* Did the object have this name at T0?  MAYBE: bricks contradict each other, or the previous list was
 * made while events about the object were under way. */
enum gb_t0 { GB_T0_NO, GB_T0_YES, GB_T0_MAYBE };

struct gb_touched {
        struct gb_slot slot;
        uint8_t kinds; /* 1 << enum gb_claim_kind, of every brick */
        uint8_t t0;    /* enum gb_t0, when judged */
        bool held;     /* it is a T1 name */
        bool said;     /* an op already tells of it */
        unsigned born; /* bricks that say BORN */
};

struct gb_group {
        gb_gfid gfid;
        uint32_t flags; /* GB_FACT_* */
        char type;      /* T1, 0: not found */
        bool found;     /* some replica set has it */
        bool partial;   /* and some of its names are unknown there */
        bool confused;  /* told of where no brick is to be trusted alone, */
        bool unsure;    /* or where each was away for a while, and none is known to be behind */
        bool walked;    /* only names, as a walk found them */
        GB_VEC(struct gb_touched) touched;
        GB_VEC(struct gb_slot) names;
        GB_VEC(unsigned) answered; /* replica sets that were looked at */
        GB_VEC(unsigned) partial_at;
        GB_VEC(unsigned) told; /* replica set of each brick that made claims, one entry a brick */
};

void gb_group_fini(struct gb_group *g);
/* Empty it, keep the allocations. */
void gb_group_reset(struct gb_group *g);

/* Add a brick's fact; slots are borrowed from it.  0, -1 out of memory. */
int gb_group_unite(struct gb_group *g, const struct gb_fact *f, unsigned set);
/* A brick that is not believed made claims about it. */
int gb_group_told(struct gb_group *g, const struct gb_fact *f, unsigned set);
/* Add a look's answer; names are copied to the arena. */
int gb_group_look(struct gb_group *g, const struct gb_fact *f, unsigned set, struct gb_arena *arena);
/* Add one T1 name, copied to the arena. */
int gb_group_name(struct gb_group *g, const struct gb_slot *slot, struct gb_arena *arena);

bool gb_group_answered(const struct gb_group *g, unsigned set);
bool gb_group_partial_at(const struct gb_group *g, unsigned set);
bool gb_group_has_name(const struct gb_group *g, const struct gb_slot *slot);
struct gb_touched *gb_group_find(const struct gb_group *g, const struct gb_slot *slot);
/* Find or add; the slot is copied to `arena`, or borrowed if that is NULL. */
struct gb_touched *gb_group_touch(struct gb_group *g, const struct gb_slot *slot, struct gb_arena *arena);

/* Take a T1 name away. */
void gb_group_unname(struct gb_group *g, const struct gb_slot *slot);

/* Add another group of the same gfid; what is new is copied to the arena. */
int gb_group_merge(struct gb_group *g, const struct gb_group *more, struct gb_arena *arena);

/* As bytes, and back (slots borrow from the bytes): what concluding needs, not where it was looked for.  The
 * gfid comes first. */
int gb_group_encode(struct gb_buf *out, const struct gb_group *g);
bool gb_group_decode(const uint8_t *rec, size_t len, struct gb_group *g);

/* Groups that are kept: deep copies with slots in an arena. */
struct gb_groups {
        struct gb_group **v;
        size_t n, cap;
};
struct gb_group *gb_groups_add(struct gb_groups *gs, const struct gb_group *g, struct gb_arena *arena);
void gb_groups_fini(struct gb_groups *gs);

#endif
