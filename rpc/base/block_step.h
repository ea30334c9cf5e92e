/*
 * block_step - the step that nearly all entries of a block are: another name in the same directory.
 *
 * Its `rest` goes on where the last name began or later, and holds neither `/` nor NUL nor newline.  Then
 * what is to be judged is the rest alone: one byte decides the order, and eight bytes are looked at at a
 * time. Whatever is not plainly good is left to gb_block_move(), which judges any entry and says what is
 * wrong.
 *
 * Inline, for merges.
 */
#ifndef GB_BLOCK_STEP_H
#define GB_BLOCK_STEP_H

#include <string.h>

#include "block.h"

/* Bytes of an entry whose rest is shorter than 128, and those behind it that are read too. */
#define GB_STEP_BYTES (2 + 1 + 127 + 1 + 16 + 8)

/* Paths are compared in units of so many bytes, the first one highest; `/` is NUL in them, and so is what is
 * behind the end.  Then units have the order of paths, which hold no NUL. */
#define GB_STEP_UNIT 5

/* Eight bytes as a number whose lowest byte is the first. */
static inline uint64_t gb_load_first_low(const void *p)
{
        uint64_t word;

        memcpy(&word, p, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        return word;
}

/* The lowest n < 8 bytes. */
static inline uint64_t gb_low_bytes(size_t n)
{
        return (1ull << 8 * n) - 1;
}

/* 0xff for each byte that is NUL, newline or `/`. */
static inline uint64_t gb_special(uint64_t word)
{
        typedef uint8_t bytes __attribute__((vector_size(8)));
        bytes b = (bytes)word;

        return (uint64_t)((b == 0) | (b == '/') | (b == '\n'));
}

/* Not 0: one of n > 8 bytes is.  Seven more may be read. */
static inline uint64_t gb_special_long(const uint8_t *p, size_t n)
{
        uint64_t found = gb_special(gb_load_first_low(p + n - 8));

        for (size_t i = 0; i < n - 8; i += 8)
                found |= gb_special(gb_load_first_low(p + i));
        return found;
}

static inline bool gb_step_type_valid(uint8_t type)
{
        const uint32_t types = 1u << ('b' - 'b') | 1u << ('c' - 'b') | 1u << ('d' - 'b') | 1u << ('f' - 'b') |
                               1u << ('l' - 'b') | 1u << ('p' - 'b') | 1u << ('s' - 'b');
        uint32_t at = (uint32_t)type - 'b';

        return at < 32 && (types >> at & 1);
}

/* Of eight bytes, the lowest one first. */
static inline uint64_t gb_unit_of(uint64_t word)
{
        return __builtin_bswap64(word) >> (64 - 8 * GB_STEP_UNIT);
}

static inline uint64_t gb_without_slash(uint64_t word)
{
        typedef uint8_t bytes __attribute__((vector_size(8)));
        bytes b = (bytes)word;

        return word & ~(uint64_t)(b == '/');
}

/* The unit of a path that has its byte number `at`. */
static inline uint64_t gb_block_unit(const struct gb_block_reader *r, size_t at)
{
        size_t begin = at - at % GB_STEP_UNIT, left = r->len - begin;
        uint64_t word = gb_load_first_low(r->path + begin);

        return gb_unit_of(gb_without_slash(left < 8 ? word & gb_low_bytes(left) : word));
}

/* true: the reader stands at its next entry, and *unit is that unit of its path in which it begins to differ
 * from the one before: number `same` / GB_STEP_UNIT.  false: nothing has changed. */
static inline __attribute__((always_inline)) bool gb_block_step(struct gb_block_reader *r, uint64_t *unit)
{
        const uint8_t *p = r->in.p;
        char *path = r->path;
        uint64_t word, own, kept;
        uint32_t shared, n, in_unit;
        uint8_t type;

        if (p >= r->step_until)
                return false;
        shared = *p++;
        if (shared & 0x80) {
                if (!*p || *p & 0x80)
                        return false;
                shared = (shared & 0x7f) | (uint32_t)*p++ << 7;
        }
        n = *p++;
        if (n - 1 >= 0x7f || shared > r->len || shared < r->step_from || shared + n < r->step_least ||
            shared + n > r->step_most)
                return false;
        word = gb_load_first_low(p);
        own = n < 8 ? gb_low_bytes(n) : UINT64_MAX;
        type = p[n];
        if ((gb_special(word) & own) || (n > 8 && gb_special_long(p, n)) ||
            (uint8_t)path[shared] >= (uint8_t)word || !gb_step_type_valid(type & 0x7f))
                return false;
        in_unit = shared % GB_STEP_UNIT;
        kept = gb_load_first_low(path + shared - in_unit) & gb_low_bytes(in_unit);
        if (shared - in_unit < r->name)
                kept = gb_without_slash(kept);
        *unit = gb_unit_of(kept | (word & own) << 8 * in_unit);
        memcpy(path + shared, p, 8);
        for (uint32_t i = 8; i < n; i += 8)
                memcpy(path + shared + i, p + i, 8);
        r->len = shared + n;
        path[r->len] = '\0';
        r->same = shared;
        r->count++;
        r->type = (char)(type & 0x7f);
        p += n + 1;
        r->gfid = type & 0x80 ? p : NULL;
        r->in.p = type & 0x80 ? p + sizeof(gb_gfid) : p;
        return true;
}

#endif
