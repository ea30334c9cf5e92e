/*
 * arena - bytes that live and die together.
 */
#ifndef GB_ARENA_H
#define GB_ARENA_H

#include <stddef.h>

struct gb_arena_chunk;
struct gb_arena {
        struct gb_arena_chunk *head;
        size_t used;  /* bytes handed out */
        size_t total; /* bytes held from malloc */
};

void gb_arena_init(struct gb_arena *a);
void gb_arena_fini(struct gb_arena *a);
/* Forget all, keep one chunk. */
void gb_arena_reset(struct gb_arena *a);
/* n bytes, 8-byte aligned; NULL: out of memory. */
void *gb_arena_alloc(struct gb_arena *a, size_t n);
/* A copy of n bytes (no alignment, NUL added behind); NULL: out of memory. */
char *gb_arena_dup(struct gb_arena *a, const void *bytes, size_t n);

#endif
