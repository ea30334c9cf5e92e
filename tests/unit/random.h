/*
 * random - a seeded generator for property tests, so that every failure can be repeated.
 *
 * EXPECT is ck_assert for inner loops: libcheck writes a message at each ck_assert, also at those
 * that hold.
 */
#ifndef GB_TEST_RANDOM_H
#define GB_TEST_RANDOM_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/gfid.h"

#define EXPECT(condition)                                                                                    \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        ck_abort_msg("expected %s", #condition);                                             \
        } while (0)

struct random {
        uint64_t state;
};

/* splitmix64 */
static inline uint64_t random_next(struct random *r)
{
        uint64_t z = r->state += 0x9e3779b97f4a7c15u;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
}

/* 0..n-1 */
static inline size_t random_below(struct random *r, size_t n)
{
        return (size_t)(random_next(r) % n);
}

static inline gb_gfid random_gfid(struct random *r)
{
        gb_gfid g;
        uint64_t words[2] = {random_next(r), random_next(r)};

        memcpy(g.b, words, sizeof(g.b));
        return g;
}

/* A name of 1..max bytes out of a small alphabet on both sides of '/', so that names collide, share
 * prefixes and try the order; never "." or "..". */
static inline size_t random_name(struct random *r, char *out, size_t max)
{
        static const char alphabet[] = "ab-.0\x01\x7f\xff";
        size_t len;

        do {
                len = 1 + random_below(r, max);
                for (size_t i = 0; i < len; i++)
                        out[i] = alphabet[random_below(r, sizeof(alphabet) - 1)];
        } while (out[0] == '.' && (len == 1 || (len == 2 && out[1] == '.')));
        return len;
}

/* A valid path of 1..levels short names; `out` has room for levels * 6 bytes. */
static inline size_t random_path(struct random *r, char *out, size_t levels)
{
        size_t n = 1 + random_below(r, levels);
        size_t len = 0;

        for (size_t i = 0; i < n; i++) {
                if (i)
                        out[len++] = '/';
                len += random_name(r, out + len, 5);
        }
        return len;
}

#endif
