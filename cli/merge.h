/*
 * merge - entries of several sorted lanes in path order, each path once.
 */
#ifndef GB_MERGE_H
#define GB_MERGE_H

#include "base/block.h"
#include "base/error.h"

/* Move a lane to its next entry, which stays valid until the lane moves on: 1, 0 at its end, -1.  *same: how
 * many bytes its path shares with that of the lane's entry before, exactly; 0 if it is the first. */
typedef int (*gb_merge_next)(void *arg, unsigned lane, struct gb_entry *e, size_t *same,
                             struct gb_error *err);

struct gb_merge;

/* Lanes are 0..n-1.  NULL: out of memory.  Nothing is read yet. */
struct gb_merge *gb_merge_new(unsigned n, gb_merge_next next, void *arg, struct gb_error *err);
void gb_merge_free(struct gb_merge *m);

/* Before the first gb_merge_next: every lane is moved to its first entry.  0, -1. */
int gb_merge_start(struct gb_merge *m, struct gb_error *err);
/* 1 and *e (borrowed until the next call; of equal paths that of the first lane), 0 at the end of all, -1. */
int gb_merge_take(struct gb_merge *m, struct gb_entry *e, struct gb_error *err);

#endif
