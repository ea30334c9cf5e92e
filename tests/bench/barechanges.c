/*
 * barechanges - the least that an incremental can cost.
 *
 *   barechanges SINCE BRICK...
 *
 * Reads the closed ascii slices of each brick whose time is above SINCE, collects the distinct gfids of their
 * records, and does one lgetxattr on the handle of each; nothing else: no gap is noticed, no name found,
 * nothing sent or united. One brick after the other.  Prints records, gfids, and how many of these exist.
 */
#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { GFID = 36, HEADER = 51, HANDLE = 4096 };

static long since;
static unsigned long records, distinct, present;
static char (*set)[GFID]; /* open addressing; a free place begins with NUL */
static size_t cap, used;

static size_t place_of(const char *gfid)
{
        uint64_t h = 0;

        memcpy(&h, gfid + 28, 8);
        h = (h ^ h >> 29) * 0x9e3779b97f4a7c15u;
        for (size_t i = h >> 20 & (cap - 1);; i = (i + 1) & (cap - 1))
                if (!set[i][0] || memcmp(set[i], gfid, GFID) == 0)
                        return i;
}

static void add(const char *gfid)
{
        size_t at;

        if (2 * used >= cap) {
                char(*old)[GFID] = set;
                size_t n = cap;

                cap = cap ? 2 * cap : 1 << 16;
                set = calloc(cap, GFID);
                if (!set)
                        err(1, "gfids");
                for (size_t i = 0; i < n; i++)
                        if (old[i][0])
                                memcpy(set[place_of(old[i])], old[i], GFID);
                free(old);
        }
        at = place_of(gfid);
        used += !set[at][0];
        memcpy(set[at], gfid, GFID);
}

static const char *skip(const char *p, const char *end, unsigned fields)
{
        while (fields--)
                if (!(p = memchr(p, 0, (size_t)(end - p))) || ++p > end)
                        errx(1, "a slice ends within a record");
        return p;
}

/* Fields of a record, by its type and operation. */
static unsigned fields_of(const char *p)
{
        if (*p == 'D')
                return 1;
        if (*p == 'M')
                return 2;
        switch (atoi(p + 1 + GFID + 1)) {
        case 23:
        case 3:
        case 4:
                return 6;
        case 8:
                return 4;
        case 5:
        case 6:
                return 0; /* by hand */
        default:
                return 3;
        }
}

static int read_slice(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        const char *name = path + ftw->base;
        char *text;
        int fd;

        if (type != FTW_F || strncmp(name, "CHANGELOG.", 10) != 0 || atol(name + 10) <= since)
                return 0;
        text = malloc((size_t)st->st_size + 1);
        fd = open(path, O_RDONLY);
        if (!text || fd < 0 || read(fd, text, (size_t)st->st_size) != st->st_size)
                err(1, "%s", path);
        close(fd);
        for (const char *p = text + HEADER, *end = text + st->st_size; p < end; records++) {
                unsigned n = fields_of(p);

                add(p + 1);
                p = skip(p, end, n ? n : 3);
                if (n == 0) /* a path, or two more NULs */
                        p = *p ? skip(p, end, 1) : p + 2;
        }
        free(text);
        return 0;
}

static void look(const char *root)
{
        char path[HANDLE], value[64];

        for (size_t i = 0; i < cap; i++)
                if (set[i][0]) {
                        snprintf(path, sizeof(path), "%s/.glusterfs/%.2s/%.2s/%.36s", root, set[i],
                                 set[i] + 2, set[i]);
                        present += lgetxattr(path, "trusted.gfid", value, sizeof(value)) >= 0;
                }
}

int main(int argc, char **argv)
{
        if (argc < 3)
                errx(64, "usage: barechanges SINCE BRICK...");
        since = atol(argv[1]);
        for (int i = 2; i < argc; i++) {
                char path[HANDLE];

                snprintf(path, sizeof(path), "%s/.glusterfs/changelogs", argv[i]);
                if (nftw(path, read_slice, 16, FTW_PHYS) < 0)
                        err(1, "%s", path);
                look(argv[i]);
                distinct += used;
                free(set);
                set = NULL;
                cap = used = 0;
        }
        printf("%lu records, %lu gfids, %lu exist\n", records, distinct, present);
        return 0;
}
