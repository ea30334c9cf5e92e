/*
 * moved - where names below renamed directories were at T0.
 *
 * For whoever passes over folded ops in path order: a directory's RENAME comes before what is below it.
 */
#ifndef GB_MOVED_H
#define GB_MOVED_H

#include "base/vec.h"
#include "op.h"

struct gb_moved_dir {
        char *path, *old; /* owned */
        size_t len, old_len;
        bool kept; /* the caller's: its RENAME is a line of the list */
};

struct gb_moved {
        GB_VEC(struct gb_moved_dir) dirs; /* each below the one before */
        struct gb_buf path;               /* what gb_moved_old() gave */
};

void gb_moved_init(struct gb_moved *m);
void gb_moved_fini(struct gb_moved *m);
/* The nearest renamed directory strictly above this path; NULL: none.  Paths must come in path order. */
const struct gb_moved_dir *gb_moved_over(struct gb_moved *m, const char *path, size_t len);
/* A directory's RENAME, after gb_moved_over() of its path.  -1: out of memory. */
int gb_moved_add(struct gb_moved *m, const struct gb_op *rename, bool kept);
/* The name that what is now `path`, below `dir`, had if it stood at the same place in it: in m->path.
 * -1: out of memory. */
int gb_moved_old(struct gb_moved *m, const struct gb_moved_dir *dir, const char *path, size_t len);

#endif
