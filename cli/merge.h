/*
 * merge - entries of several sorted lanes of blocks in path order, each path once.
 */
#ifndef GB_MERGE_H
#define GB_MERGE_H

#include "base/block.h"
#include "base/error.h"

struct gb_merge_source {
        /* The next block of a lane, valid until the next call for it: 1, 0 at its end, -1. */
        int (*more)(void *arg, unsigned lane, const void **data, size_t *len, struct gb_error *err);
        /* Its block is malformed: say whose it is. */
        void (*blame)(void *arg, unsigned lane, struct gb_error *err);
};

struct gb_merge;

/* Lanes are 0..n-1.  NULL: out of memory.  Nothing is read yet. */
struct gb_merge *gb_merge_new(unsigned n, const struct gb_merge_source *from, void *arg,
                              struct gb_error *err);
void gb_merge_free(struct gb_merge *m);

/* Before the first entry is taken: every lane is moved to its first entry.  0, -1. */
int gb_merge_start(struct gb_merge *m, struct gb_error *err);
/* 1 and *e (borrowed until the next call; of equal paths that of the first lane), 0 at the end of all, -1. */
int gb_merge_take(struct gb_merge *m, struct gb_entry *e, struct gb_error *err);

/* Paths in bulk, each between the same bytes. */
struct gb_merge_lines {
        const char *lead; /* in front of each path */
        size_t lead_len;
        char end;     /* behind it: '\n' or NUL */
        uint8_t *to;  /* where to write them, and how many bytes there are */
        size_t room;  /* at least GB_MERGE_LINE_MAX(lead_len) for one line */
        size_t used;  /* out */
        uint64_t n;   /* out */
        bool unusual; /* out: the next path holds the byte `end`, gb_merge_take() gives it */
};
#define GB_MERGE_LINE_MAX(lead_len) ((lead_len) + GB_PATH_MAX + 1 + GB_PATH_SLACK)

/* As many as there is room for.  1, 0 at the end of all (there may be lines), -1. */
int gb_merge_lines(struct gb_merge *m, struct gb_merge_lines *l, struct gb_error *err);

/* Where a lane is: the last path that it gave or is about to give, and how many entries it had. */
const struct gb_block_reader *gb_merge_reader(const struct gb_merge *m, unsigned lane);

#endif
