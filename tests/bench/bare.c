/*
 * bare - the least that a sorted list of bricks can cost.
 *
 *   bare [-s] [-p] BRICK...       paths to stdout
 *
 * Reads each directory with getdents64, sorts its names, goes depth first and writes paths; nothing else: no
 * merge, no protocol, no resumption.  -s: a statx for every regular file, as is needed where a file may be a
 * linkto (facts: more than one subvolume).  -p: a process for every brick, at once; else one brick after
 * another. Relative opens and O_NOATIME, so that nothing here is slower than it must be.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct dirent64_raw {
        unsigned long long ino;
        long long off;
        unsigned short len;
        unsigned char type;
        char name[];
};

struct name {
        unsigned char type;
        char text[];
};

enum { DENTS = 256 * 1024 };

static bool with_statx;
static char path[4096];
static _Alignas(8) char dents[DENTS];

static int compare(const void *a, const void *b)
{
        const struct name *const *x = a, *const *y = b;

        return strcmp((*x)->text, (*y)->text);
}

static size_t read_names(int fd, struct name ***names)
{
        size_t n = 0, cap = 0;
        long got;

        while ((got = syscall(SYS_getdents64, fd, dents, sizeof(dents))) > 0) {
                for (long at = 0; at < got;) {
                        const struct dirent64_raw *d = (const void *)(dents + at);
                        size_t len = strlen(d->name) + 1;

                        at += d->len;
                        if (strcmp(d->name, ".") == 0 || strcmp(d->name, "..") == 0)
                                continue;
                        if (n == cap &&
                            !(*names = realloc(*names, (cap = cap ? 2 * cap : 128) * sizeof(**names))))
                                err(1, "names");
                        if (!((*names)[n] = malloc(sizeof(struct name) + len)))
                                err(1, "names");
                        (*names)[n]->type = d->type;
                        memcpy((*names)[n++]->text, d->name, len);
                }
        }
        if (got < 0)
                err(1, "%s", path);
        qsort(*names, n, sizeof(**names), compare);
        return n;
}

static void list(int at, const char *name, size_t len)
{
        int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME);
        struct name **names = NULL;
        size_t n;

        if (fd < 0)
                err(1, "%s", path);
        n = read_names(fd, &names);
        for (size_t i = 0; i < n; i++) {
                size_t more = strlen(names[i]->text);
                struct statx st;

                if (len == 0 && strcmp(names[i]->text, ".glusterfs") == 0)
                        continue;
                if (with_statx && names[i]->type == DT_REG &&
                    (statx(fd, names[i]->text, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) < 0 ||
                     (st.stx_mode & 07777) == 01000))
                        continue;
                memcpy(path + len, names[i]->text, more);
                path[len + more] = '\n';
                fwrite(path, 1, len + more + 1, stdout);
                if (names[i]->type == DT_DIR) {
                        path[len + more] = '/';
                        list(fd, names[i]->text, len + more + 1);
                }
                free(names[i]);
        }
        free(names);
        close(fd);
}

int main(int argc, char **argv)
{
        bool parallel = false;
        int c, status, worst = 0;

        while ((c = getopt(argc, argv, "sp")) != -1) {
                with_statx |= c == 's';
                parallel |= c == 'p';
        }
        for (int i = optind; i < argc; i++) {
                if (parallel && fork() != 0)
                        continue;
                list(AT_FDCWD, argv[i], 0);
                if (parallel)
                        return fflush(stdout) != 0;
        }
        while (wait(&status) > 0)
                worst |= status;
        return worst != 0 || fflush(stdout) != 0;
}
