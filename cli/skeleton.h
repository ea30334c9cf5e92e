/*
 * skeleton - the directories involved in a window, as they stand now and as they stood at T0.
 *
 * Only what is needed to spell paths is here: the directories that hold a changed name, and their
 * ancestors.  A directory without events stood at T0 where it stands now.
 */
#ifndef GB_SKELETON_H
#define GB_SKELETON_H

#include "base/arena.h"
#include "base/facts.h"
#include "base/gfidmap.h"
#include "base/limits.h"

struct gb_skeleton {
        struct gb_gfidmap now, then; /* of struct skeleton_slot, private; not in `then`: the same as now */
        struct gb_arena arena;
};

void gb_skeleton_init(struct gb_skeleton *s);
void gb_skeleton_fini(struct gb_skeleton *s);

/* Where a directory stands now; the later word wins.  0, -1 out of memory. */
int gb_skeleton_now(struct gb_skeleton *s, const gb_gfid *dir, const struct gb_slot *slot);
/* It stands nowhere now. */
int gb_skeleton_gone(struct gb_skeleton *s, const gb_gfid *dir);
/* Where it stood at T0; `slot` NULL: it did not exist then. */
int gb_skeleton_then(struct gb_skeleton *s, const gb_gfid *dir, const struct gb_slot *slot);

/* Forget gb_skeleton_then(). */
void gb_skeleton_unplace(struct gb_skeleton *s, const gb_gfid *dir);

/* The directory, or one above it, stood elsewhere at T0. */
bool gb_skeleton_moved(const struct gb_skeleton *s, const gb_gfid *dir);
bool gb_skeleton_knows(const struct gb_skeleton *s, const gb_gfid *dir);

enum gb_tree { GB_TREE_NOW, GB_TREE_THEN };
enum gb_spelled {
        GB_SPELLED = 1,
        GB_UNBORN = 0,   /* THEN: a directory on the way did not exist at T0 */
        GB_UNKNOWN = -1, /* a directory on the way is not known in that tree; *missing names it */
        GB_TOO_LONG = -2 /* longer than GB_PATH_MAX, or a loop */
};

/* The path of a slot in one of the two trees into out[GB_PATH_MAX]; *at is the offset it begins at
 * (it is built from its end), GB_PATH_MAX - *at its length. */
enum gb_spelled gb_skeleton_spell(const struct gb_skeleton *s, enum gb_tree tree, const struct gb_slot *slot,
                                  char out[GB_PATH_MAX], size_t *at, gb_gfid *missing);
/* Go from *dir to the directory that holds it: GB_SPELLED, GB_UNBORN or GB_UNKNOWN. */
enum gb_spelled gb_skeleton_up(const struct gb_skeleton *s, enum gb_tree tree, gb_gfid *dir);

#endif
