/*
 * arena - see arena.h.
 *
 * Chunks double in size up to a limit, so a small arena stays small.  A large piece gets a chunk of
 * its own behind the head, so that the room left in the head is not lost.
 */
#include <config.h>

#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_FIRST ((size_t)4096)
#define CHUNK_LAST  ((size_t)1024 * 1024)

struct gb_arena_chunk {
        struct gb_arena_chunk *next;
        size_t used;
        size_t size; /* of data */
        _Alignas(8) uint8_t data[];
};

void gb_arena_init(struct gb_arena *a)
{
        *a = (struct gb_arena){0};
}

static void free_chunks(struct gb_arena *a, struct gb_arena_chunk *c)
{
        while (c) {
                struct gb_arena_chunk *next = c->next;

                a->total -= sizeof(*c) + c->size;
                free(c);
                c = next;
        }
}

void gb_arena_fini(struct gb_arena *a)
{
        free_chunks(a, a->head);
        a->head = NULL;
        a->used = 0;
}

void gb_arena_reset(struct gb_arena *a)
{
        if (!a->head)
                return;
        free_chunks(a, a->head->next);
        a->head->next = NULL;
        a->head->used = 0;
        a->used = 0;
}

static struct gb_arena_chunk *new_chunk(struct gb_arena *a, size_t size)
{
        struct gb_arena_chunk *c;

        if (size > SIZE_MAX - sizeof(*c))
                return NULL;
        c = malloc(sizeof(*c) + size);
        if (!c)
                return NULL;
        c->next = NULL;
        c->used = 0;
        c->size = size;
        a->total += sizeof(*c) + size;
        return c;
}

/* A chunk with room for n bytes. */
static struct gb_arena_chunk *chunk_for(struct gb_arena *a, size_t n)
{
        struct gb_arena_chunk *head = a->head;
        struct gb_arena_chunk *c;
        size_t size = CHUNK_FIRST;

        if (head)
                size = head->size < CHUNK_LAST / 2 ? head->size * 2 : CHUNK_LAST;
        if (head && n > size / 4) {
                c = new_chunk(a, n);
                if (c) {
                        c->next = head->next;
                        head->next = c;
                }
                return c;
        }
        c = new_chunk(a, n > size ? n : size);
        if (c) {
                c->next = head;
                a->head = c;
        }
        return c;
}

static void *take(struct gb_arena *a, size_t n, size_t align)
{
        struct gb_arena_chunk *c = a->head;
        size_t at = c ? (c->used + align - 1) & ~(align - 1) : 0;

        if (!c || at > c->size || n > c->size - at) {
                c = chunk_for(a, n);
                if (!c)
                        return NULL;
                at = 0;
        }
        c->used = at + n;
        a->used += n;
        return c->data + at;
}

void *gb_arena_alloc(struct gb_arena *a, size_t n)
{
        return take(a, n, 8);
}

char *gb_arena_dup(struct gb_arena *a, const void *bytes, size_t n)
{
        char *p = n < SIZE_MAX ? take(a, n + 1, 1) : NULL;

        if (!p)
                return NULL;
        if (n)
                memcpy(p, bytes, n);
        p[n] = '\0';
        return p;
}
