/*
 * order - see order.h.
 *
 * Comparing is hot: merges and sorts do little else.  Neighbouring paths share long prefixes, so the
 * first difference is looked for eight bytes at a time; only the one byte that differs is ranked.
 */
#include <config.h>

#include "order.h"

#include <stdint.h>
#include <string.h>

#include "limits.h"

static inline uint64_t load(const char *p)
{
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        return word;
}

/* Index of the first byte, in memory order, that is not zero in `diff`. */
static inline size_t first_byte(uint64_t diff)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        return (size_t)__builtin_ctzll(diff) / 8;
#else
        return (size_t)__builtin_clzll(diff) / 8;
#endif
}

static inline size_t common_prefix(const char *a, const char *b, size_t n)
{
        size_t i = 0;
        uint64_t diff;

        for (; i + 8 <= n; i += 8) {
                diff = load(a + i) ^ load(b + i);
                if (diff)
                        return i + first_byte(diff);
        }
        /* The last word may overlap bytes already found equal. */
        if (n >= 8) {
                diff = load(a + n - 8) ^ load(b + n - 8);
                return diff ? n - 8 + first_byte(diff) : n;
        }
        while (i < n && a[i] == b[i])
                i++;
        return i;
}

static inline int rank(char c)
{
        int byte = (unsigned char)c;

        return byte == '/' ? 0 : byte + (byte < '/');
}

static inline int compare(const char *a, size_t alen, const char *b, size_t blen, size_t *same)
{
        size_t n = alen < blen ? alen : blen;

        *same = common_prefix(a, b, n);
        if (*same < n)
                return rank(a[*same]) - rank(b[*same]);
        return (alen > blen) - (alen < blen);
}

int gb_path_cmp(const char *a, size_t alen, const char *b, size_t blen)
{
        size_t same;

        return compare(a, alen, b, blen, &same);
}

int gb_path_cmp_same(const char *a, size_t alen, const char *b, size_t blen, size_t *same)
{
        return compare(a, alen, b, blen, same);
}

size_t gb_common_prefix(const char *a, size_t alen, const char *b, size_t blen)
{
        return common_prefix(a, b, alen < blen ? alen : blen);
}

static bool component_valid(const char *p, size_t len)
{
        if (len == 0 || len > GB_NAME_MAX)
                return false;
        return p[0] != '.' || (len != 1 && (len != 2 || p[1] != '.'));
}

bool gb_name_valid(const char *name, size_t len)
{
        return component_valid(name, len) && !memchr(name, '/', len) && !memchr(name, '\0', len);
}

bool gb_path_valid(const char *p, size_t len)
{
        const char *end = p + len;
        const char *name = p;

        if (len == 0 || len > GB_PATH_MAX)
                return false;
        for (; p < end; p++) {
                if (*p == '\0')
                        return false;
                if (*p != '/')
                        continue;
                if (!component_valid(name, (size_t)(p - name)))
                        return false;
                name = p + 1;
        }
        return component_valid(name, (size_t)(end - name));
}

bool gb_path_within(const char *path, size_t plen, const char *dir, size_t dlen)
{
        if (dlen == 0)
                return true;
        if (plen < dlen || memcmp(path, dir, dlen) != 0)
                return false;
        return plen == dlen || path[dlen] == '/';
}
