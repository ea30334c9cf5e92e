/*
 * names - the names of directories, read whole and sorted as bytes.
 *
 * A stack: a depth-first walk reads a directory on top of its parent's names and cuts them off again
 * when it leaves, so a whole walk costs two growing arrays and no allocation per entry or directory.
 * A name takes its bytes and 16 more.
 */
#ifndef GB_NAMES_H
#define GB_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct gb_name {
        uint64_t key;   /* 0 once sorted: the caller's */
        uint64_t where; /* offset in bytes << 16 | length << 8 | DT_* */
};

struct gb_names {
        GB_VEC(struct gb_name) v;
        char *bytes; /* names, one behind the other, without NULs */
        size_t used;
        size_t cap;
        char *dents; /* what getdents64 fills, GB_DENTS_SIZE bytes */
};

#define GB_DENTS_SIZE (256 * 1024)

/* 0, or -1: out of memory. */
int gb_names_init(struct gb_names *s);
void gb_names_fini(struct gb_names *s);

/* Push what one getdents64 call gives, without "." and "..": 1, go on; 0 end of the directory;
 * -1 with errno. */
int gb_names_read(struct gb_names *s, int fd);
/* Push one name (at most GB_NAME_MAX bytes): 0, or -1 with errno. */
int gb_names_push(struct gb_names *s, const char *name, size_t len, uint8_t dtype);
/* Push `n` names of another stack from index `first` on, with their keys. */
int gb_names_append(struct gb_names *s, const struct gb_names *from, size_t first, size_t n);
/* Sort the names from index `first` on, as unsigned bytes; a name read twice stays once. */
void gb_names_sort(struct gb_names *s, size_t first);
/* Among the sorted names from `first` on: index of the first that is not below `name`. */
size_t gb_names_find(const struct gb_names *s, size_t first, const char *name, size_t len, bool *exact);
/* Drop names from index `first` on, whose bytes begin at `used`. */
void gb_names_cut(struct gb_names *s, size_t first, size_t used);

static inline const char *gb_name_text(const struct gb_names *s, const struct gb_name *n)
{
        return s->bytes + (n->where >> 16);
}

static inline size_t gb_name_len(const struct gb_name *n)
{
        return n->where >> 8 & 0xff;
}

static inline uint8_t gb_name_dtype(const struct gb_name *n)
{
        return (uint8_t)(n->where & 0xff);
}

#endif
