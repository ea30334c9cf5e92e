/*
 * names - the names of directories, read whole and sorted as bytes.
 *
 * The sort never compares strings.  Eight bytes of each name, big-endian and padded with zeros, are a
 * number whose order is the order of those bytes (no name contains a NUL, so a shorter name sorts
 * first).  Names are sorted by that number; a run of equal numbers whose last byte is not padding goes
 * on eight bytes further.  What all names of a directory have in common in front is left out first:
 * "IMG_20240501_" then costs nothing.
 *
 * The sort of numbers is a quicksort that falls back to heapsort, because users choose the names and
 * nobody shall choose n^2.
 */
#include <config.h>

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"
#include "names.h"

enum { KEY_BYTES = 8, INSERTION_MAX = 16 };

/* What the kernel writes (linux/dirent.h is not for user space). */
struct dent {
        uint64_t ino;
        int64_t off;
        uint16_t reclen;
        uint8_t type;
        char name[];
};

int gb_names_init(struct gb_names *s)
{
        memset(s, 0, sizeof(*s));
        s->dents = malloc(GB_DENTS_SIZE);
        return s->dents ? 0 : -1;
}

void gb_names_fini(struct gb_names *s)
{
        gb_vec_free(&s->v);
        free(s->bytes);
        free(s->dents);
        memset(s, 0, sizeof(*s));
}

/* Keys are loaded eight bytes at a time, so there is always that much room behind the last name. */
static int reserve(struct gb_names *s, size_t names, size_t bytes)
{
        if (gb_vec_reserve(&s->v, s->v.n + names) < 0 ||
            gb_vec_grow((void **)&s->bytes, &s->cap, s->used + bytes + KEY_BYTES, 1) < 0) {
                errno = ENOMEM;
                return -1;
        }
        return 0;
}

/* Room is there. */
static inline void push(struct gb_names *s, const char *name, size_t len, uint8_t dtype)
{
        s->v.v[s->v.n].key = 0;
        s->v.v[s->v.n++].where = (uint64_t)s->used << 16 | (uint64_t)len << 8 | dtype;
        memcpy(s->bytes + s->used, name, len);
        s->used += len;
}

int gb_names_push(struct gb_names *s, const char *name, size_t len, uint8_t dtype)
{
        if (len > GB_NAME_MAX) {
                errno = ENAMETOOLONG;
                return -1;
        }
        if (reserve(s, 1, len) < 0)
                return -1;
        push(s, name, len, dtype);
        return 0;
}

int gb_names_append(struct gb_names *s, const struct gb_names *from, size_t first, size_t n)
{
        size_t bytes = 0;

        for (size_t i = first; i < first + n; i++)
                bytes += gb_name_len(&from->v.v[i]);
        if (reserve(s, n, bytes) < 0)
                return -1;
        for (size_t i = first; i < first + n; i++) {
                const struct gb_name *name = &from->v.v[i];

                push(s, gb_name_text(from, name), gb_name_len(name), gb_name_dtype(name));
                s->v.v[s->v.n - 1].key = name->key;
        }
        return 0;
}

static bool is_dots(const char *name)
{
        return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

int gb_names_read(struct gb_names *s, int fd)
{
        long got;

        do {
                got = syscall(SYS_getdents64, fd, s->dents, GB_DENTS_SIZE);
        } while (got < 0 && errno == EINTR);
        if (got <= 0)
                return (int)got;
        /* The shortest record is 24 bytes, and no name is longer than its record. */
        if (reserve(s, (size_t)got / 24 + 1, (size_t)got) < 0)
                return -1;

        for (const char *p = s->dents, *end = p + got; p < end;) {
                const struct dent *d = (const struct dent *)(const void *)p;
                size_t len = strlen(d->name);

                p += d->reclen;
                if (is_dots(d->name))
                        continue;
                if (len > GB_NAME_MAX) {
                        errno = ENAMETOOLONG;
                        return -1;
                }
                push(s, d->name, len, d->type);
        }
        return 1;
}

void gb_names_cut(struct gb_names *s, size_t first, size_t used)
{
        s->v.n = first;
        s->used = used;
}

/* -- sorting by number */

static inline void swap(struct gb_name *a, struct gb_name *b)
{
        struct gb_name t = *a;

        *a = *b;
        *b = t;
}

static void insertion_sort(struct gb_name *v, size_t n)
{
        for (size_t i = 1; i < n; i++) {
                struct gb_name t = v[i];
                size_t k = i;

                for (; k > 0 && v[k - 1].key > t.key; k--)
                        v[k] = v[k - 1];
                v[k] = t;
        }
}

static void sift_down(struct gb_name *v, size_t i, size_t n)
{
        for (;;) {
                size_t child = 2 * i + 1;

                if (child >= n)
                        return;
                if (child + 1 < n && v[child + 1].key > v[child].key)
                        child++;
                if (v[i].key >= v[child].key)
                        return;
                swap(&v[i], &v[child]);
                i = child;
        }
}

static void heap_sort(struct gb_name *v, size_t n)
{
        for (size_t i = n / 2; i-- > 0;)
                sift_down(v, i, n);
        for (size_t end = n; end-- > 1;) {
                swap(&v[0], &v[end]);
                sift_down(v, 0, end);
        }
}

static uint64_t median(uint64_t a, uint64_t b, uint64_t c)
{
        if (a < b)
                return b < c ? b : a < c ? c : a;
        return a < c ? a : b < c ? c : b;
}

/* Hoare's.  Two of the three candidates are not below their median, one of them not the last element:
 * so both sides are left with something. */
static size_t partition(struct gb_name *v, size_t n)
{
        uint64_t pivot = median(v[0].key, v[n / 2].key, v[n - 1].key);
        size_t i = 0, j = n - 1;

        for (;; i++, j--) {
                while (v[i].key < pivot)
                        i++;
                while (v[j].key > pivot)
                        j--;
                if (i >= j)
                        return j + 1;
                swap(&v[i], &v[j]);
        }
}

static void sort_keys(struct gb_name *v, size_t n, unsigned budget)
{
        while (n > INSERTION_MAX) {
                size_t cut;

                if (budget-- == 0) {
                        heap_sort(v, n);
                        return;
                }
                cut = partition(v, n);
                if (cut < n - cut) {
                        sort_keys(v, cut, budget);
                        v += cut;
                        n -= cut;
                } else {
                        sort_keys(v + cut, n - cut, budget);
                        n = cut;
                }
        }
        insertion_sort(v, n);
}

/* -- sorting names */

/* Eight bytes of a name from `depth` on; `depth` is at most its length. */
static inline uint64_t key_at(const struct gb_names *s, const struct gb_name *n, size_t depth)
{
        size_t left = gb_name_len(n) - depth;
        uint64_t key;

        memcpy(&key, gb_name_text(s, n) + depth, sizeof(key));
        key = be64toh(key);
        if (left >= KEY_BYTES)
                return key;
        return left ? key & ~0ull << 8 * (KEY_BYTES - left) : 0;
}

static size_t common_prefix(const struct gb_names *s, const struct gb_name *v, size_t n)
{
        const char *first = gb_name_text(s, &v[0]);
        size_t common = gb_name_len(&v[0]);

        for (size_t i = 1; i < n && common > 0; i++) {
                const char *name = gb_name_text(s, &v[i]);
                size_t k = 0, max = gb_name_len(&v[i]);

                if (max > common)
                        max = common;
                while (k < max && name[k] == first[k])
                        k++;
                common = k;
        }
        return common;
}

static unsigned budget_for(size_t n)
{
        unsigned bits = 0;

        for (; n; n >>= 1)
                bits++;
        return 2 * bits;
}

/* Sort names equal in their first `depth` bytes; true if a name occurs twice.  Recursion goes no deeper
 * than a name has keys. */
static bool sort_from(const struct gb_names *s, struct gb_name *v, size_t n, size_t depth)
{
        bool twice = false;

        for (size_t i = 0; i < n; i++)
                v[i].key = key_at(s, &v[i], depth);
        sort_keys(v, n, budget_for(n));
        for (size_t i = 0, end; i < n; i = end) {
                for (end = i + 1; end < n && v[end].key == v[i].key; end++)
                        ;
                if (end - i == 1)
                        continue;
                if ((v[i].key & 0xff) == 0)
                        twice = true;
                else if (sort_from(s, v + i, end - i, depth + KEY_BYTES))
                        twice = true;
        }
        return twice;
}

/* A directory that changes while it is read may give a name twice.  Equal names are neighbours now. */
static size_t drop_doubles(const struct gb_names *s, struct gb_name *v, size_t n)
{
        size_t kept = 1;

        for (size_t i = 1; i < n; i++) {
                const struct gb_name *last = &v[kept - 1];

                if (gb_name_len(last) != gb_name_len(&v[i]) ||
                    memcmp(gb_name_text(s, last), gb_name_text(s, &v[i]), gb_name_len(last)) != 0)
                        v[kept++] = v[i];
        }
        return kept;
}

void gb_names_sort(struct gb_names *s, size_t first)
{
        struct gb_name *v = s->v.v + first;
        size_t n = s->v.n - first;

        if (n > 1 && sort_from(s, v, n, common_prefix(s, v, n)))
                s->v.n = first + drop_doubles(s, v, n);
        for (size_t i = first; i < s->v.n; i++)
                s->v.v[i].key = 0;
}

static int compare(const struct gb_names *s, const struct gb_name *n, const char *name, size_t len)
{
        size_t nlen = gb_name_len(n);
        int c = memcmp(gb_name_text(s, n), name, nlen < len ? nlen : len);

        if (c)
                return c;
        return nlen < len ? -1 : nlen > len;
}

size_t gb_names_find(const struct gb_names *s, size_t first, const char *name, size_t len, bool *exact)
{
        size_t low = first, high = s->v.n;

        while (low < high) {
                size_t mid = low + (high - low) / 2;

                if (compare(s, &s->v.v[mid], name, len) < 0)
                        low = mid + 1;
                else
                        high = mid;
        }
        *exact = low < s->v.n && compare(s, &s->v.v[low], name, len) == 0;
        return low;
}
