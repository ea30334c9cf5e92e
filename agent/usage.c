/*
 * usage - see usage.h.
 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "htime.h"
#include "usage.h"

#define CHANGELOGS ".glusterfs/changelogs"
#define DAY        86400
/* Days for which an empty directory is kept: the clock may have been set back a little. */
#define DAYS_KEPT 7

/* A slice that has a file. */
struct file {
        int64_t ts;
        int64_t age;     /* time stamp of its name or of its last record, whichever is later */
        uint32_t day;    /* YYYYMMDD of its directory, 0: the changelog directory itself */
        uint32_t blocks; /* of 512 bytes */
};

struct files {
        int dir_fd; /* changelog directory */
        GB_VEC(struct file) v;
};

static void files_fini(struct files *f)
{
        if (f->dir_fd >= 0)
                close(f->dir_fd);
        gb_vec_free(&f->v);
}
#define CLEANUP_FILES __attribute__((cleanup(files_fini)))

static DIR *open_dir(int above, const char *name)
{
        int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (!d && fd >= 0)
                close(fd);
        return d;
}

/* Exactly `n` digits. */
static bool digits(const char *s, size_t n, int64_t *out)
{
        *out = 0;
        if (strlen(s) != n)
                return false;
        for (; *s; s++) {
                if (*s < '0' || *s > '9')
                        return false;
                *out = *out * 10 + (*s - '0');
        }
        return true;
}

static bool slice_name(const char *name, int64_t *ts)
{
        return strncmp(name, "CHANGELOG.", 10) == 0 && digits(name + 10, 10, ts);
}

static int64_t number_of_day(uint32_t day)
{
        struct tm tm = {.tm_year = (int)(day / 10000) - 1900,
                        .tm_mon = (int)(day / 100 % 100) - 1,
                        .tm_mday = (int)(day % 100)};

        return timegm(&tm) / DAY;
}

static bool belongs(int64_t ts, uint32_t day)
{
        int64_t apart = day ? ts / DAY - number_of_day(day) : 0;

        return apart >= -1 && apart <= 1;
}

/* The slices of one directory. */
static int take_files(struct files *f, DIR *d, uint32_t day, struct gb_error *err)
{
        struct dirent *de;

        while ((errno = 0, de = readdir(d))) {
                struct file one = {.day = day};
                struct stat st;

                if (!slice_name(de->d_name, &one.ts) || !belongs(one.ts, day))
                        continue;
                if (fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                        if (errno == ENOENT)
                                continue;
                        return gb_error_sys(err, GB_ERR_SYSTEM, "slice %s", de->d_name);
                }
                if (!S_ISREG(st.st_mode))
                        continue;
                one.age = st.st_mtime > one.ts ? st.st_mtime : one.ts;
                one.blocks = st.st_blocks > UINT32_MAX ? UINT32_MAX : (uint32_t)st.st_blocks;
                if (gb_vec_push(&f->v, one) < 0)
                        return gb_error_set(err, GB_ERR_MEMORY, "out of memory for the list of slices");
        }
        return errno ? gb_error_sys(err, GB_ERR_SYSTEM, "list the changelog directory") : 0;
}

/* Years, months, days: `level` of them are passed. */
static int take_dated(struct files *f, int above, const char *name, int level, uint32_t prefix,
                      struct gb_error *err)
{
        GB_CLEANUP_CLOSEDIR DIR *d = open_dir(above, name);
        struct dirent *de;
        int64_t v;

        if (!d)
                return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
                               ? 0
                               : gb_error_sys(err, GB_ERR_SYSTEM, "open changelog directory %s", name);
        if (level == 3)
                return take_files(f, d, prefix, err);
        while ((errno = 0, de = readdir(d)))
                if (digits(de->d_name, level ? 2 : 4, &v) &&
                    take_dated(f, dirfd(d), de->d_name, level + 1, prefix * 100 + (uint32_t)v, err) < 0)
                        return -1;
        return errno ? gb_error_sys(err, GB_ERR_SYSTEM, "list changelog directory %s", name) : 0;
}

static int by_age(const void *a, const void *b)
{
        const struct file *x = a, *y = b;

        return (x->age > y->age) - (x->age < y->age);
}

static int find_files(const struct gb_brick *b, struct files *f, struct gb_error *err)
{
        GB_CLEANUP_CLOSEDIR DIR *d = NULL;

        f->dir_fd = openat(b->root_fd, CHANGELOGS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (f->dir_fd < 0)
                return errno == ENOENT ? 0 : gb_error_sys(err, GB_ERR_SYSTEM, "open " CHANGELOGS);
        d = open_dir(f->dir_fd, ".");
        if (!d)
                return gb_error_sys(err, GB_ERR_SYSTEM, "open " CHANGELOGS);
        if (take_files(f, d, 0, err) < 0 || take_dated(f, f->dir_fd, ".", 0, 0, err) < 0)
                return -1;
        if (f->v.n)
                qsort(f->v.v, f->v.n, sizeof(*f->v.v), by_age);
        return 0;
}

static int count_htime(const struct files *f, uint64_t *bytes, struct gb_error *err)
{
        GB_CLEANUP_CLOSEDIR DIR *d = f->dir_fd < 0 ? NULL : open_dir(f->dir_fd, "htime");
        struct dirent *de;
        struct stat st;
        int64_t n;

        if (!d)
                return f->dir_fd < 0 || errno == ENOENT ? 0 : gb_error_sys(err, GB_ERR_SYSTEM, "open htime");
        while ((de = readdir(d)))
                if (gb_htime_name_parse(de->d_name, &n) &&
                    fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                        *bytes += (uint64_t)st.st_blocks * 512;
        return 0;
}

/* How many of the oldest files may go. */
static size_t removable(const struct files *f, int64_t below)
{
        int64_t old = (int64_t)time(NULL) - GB_USAGE_YOUNG;
        size_t n = 0;

        if (below > old)
                below = old;
        while (n < f->v.n && f->v.v[n].age < below)
                n++;
        return n > GB_USAGE_MARGIN ? n - GB_USAGE_MARGIN : 0;
}

static int read_usage(const struct gb_brick *b, struct files *f, struct gb_usage *out, struct gb_error *err)
{
        *out = (struct gb_usage){.slices = 0};
        if (find_files(b, f, err) < 0 || count_htime(f, &out->htime_bytes, err) < 0)
                return gb_error_prefix(err, "%.512s", b->path);
        out->slices = f->v.n;
        for (size_t i = 0; i < f->v.n; i++) {
                int64_t ts = f->v.v[i].ts;

                out->bytes += (uint64_t)f->v.v[i].blocks * 512;
                if (!out->oldest || ts < out->oldest)
                        out->oldest = ts;
                if (ts > out->newest)
                        out->newest = ts;
        }
        return 0;
}

int gb_usage_count(const struct gb_brick *b, int64_t below, struct gb_usage *out, struct gb_error *err)
{
        CLEANUP_FILES struct files f = {.dir_fd = -1};

        if (read_usage(b, &f, out, err) < 0)
                return -1;
        out->removable = removable(&f, below);
        for (size_t i = 0; i < out->removable; i++)
                out->removable_bytes += (uint64_t)f.v.v[i].blocks * 512;
        return 0;
}

/* ---- removing ---- */

/* The day directory that is open; files come sorted, so it changes rarely. */
struct day {
        int fd;
        uint32_t number;
};

/* The directory of a day's year (depth 1), month (2) or slices (3); depth 0: another descriptor of dir_fd.
 * -1 and errno. */
static int open_day(int dir_fd, uint32_t number, int depth)
{
        const uint32_t part[3] = {number / 10000, number / 100 % 100, number % 100};
        int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);

        for (int i = 0; i < depth && fd >= 0; i++) {
                int above = fd;
                char name[16];

                snprintf(name, sizeof(name), i ? "%02u" : "%04u", part[i]);
                fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                close(above);
        }
        return fd;
}

static int read_only(const struct gb_brick *b, struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_DENIED,
                            "gbackupd may only read %.400s: allow it with `systemctl edit gbackupd`, "
                            "[Service], ReadWritePaths=%.400s, and restart gbackupd",
                            b->path, b->path);
}

static int remove_one(const struct gb_brick *b, const struct files *f, const struct file *one,
                      struct day *day, struct gb_error *err)
{
        char name[32];
        int fd = f->dir_fd;

        if (one->day && day->number != one->day) {
                if (day->fd >= 0)
                        close(day->fd);
                day->number = one->day;
                day->fd = open_day(f->dir_fd, one->day, 3);
        }
        if (one->day)
                fd = day->fd;
        if (fd < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "open changelog directory %u", one->day);
        snprintf(name, sizeof(name), "CHANGELOG.%lld", (long long)one->ts);
        if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno == EROFS || errno == EACCES || errno == EPERM)
                return read_only(b, err);
        return gb_error_sys(err, GB_ERR_SYSTEM, "remove slice %s", name);
}

/* Directories of days long past go when they are empty, and the months and years above them. */
static void remove_empty(int dir_fd, uint32_t day)
{
        const uint32_t part[3] = {day / 10000, day / 100 % 100, day % 100};

        if (!day || number_of_day(day) > (int64_t)time(NULL) / DAY - DAYS_KEPT)
                return;
        for (int depth = 2; depth >= 0; depth--) {
                GB_CLEANUP_CLOSE
                int fd = open_day(dir_fd, day, depth);
                char name[16];

                snprintf(name, sizeof(name), depth ? "%02u" : "%04u", part[depth]);
                if (fd < 0 || unlinkat(fd, name, AT_REMOVEDIR) < 0)
                        return;
        }
}

int gb_usage_purge(const struct gb_brick *b, int64_t below, gb_deadline until, struct gb_usage *out,
                   struct gb_error *err)
{
        CLEANUP_FILES struct files f = {.dir_fd = -1};
        struct day day = {-1, 0};
        size_t n;
        int rc = 0;

        if (read_usage(b, &f, out, err) < 0)
                return -1;
        n = removable(&f, below);
        for (size_t i = 0; i < n && rc == 0; i++) {
                const struct file *one = &f.v.v[i];

                if (gb_deadline_left(until) == 0) {
                        out->more = true;
                        break;
                }
                rc = remove_one(b, &f, one, &day, err);
                if (rc == 0) {
                        out->removable++;
                        out->removable_bytes += (uint64_t)one->blocks * 512;
                }
                if (rc == 0 && (i + 1 == f.v.n || f.v.v[i + 1].day != one->day))
                        remove_empty(f.dir_fd, one->day);
        }
        if (day.fd >= 0)
                close(day.fd);
        return rc < 0 ? gb_error_prefix(err, "%.512s", b->path) : 0;
}
