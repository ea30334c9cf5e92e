/*
 * readers - who else reads a brick's change records.
 *
 * Geo-replication keeps its progress in an xattr of the brick's root,
 * trusted.glusterfs.<volume>.<slave>.stime (two 32-bit numbers, big-endian: seconds, nanoseconds), one for
 * each slave.  A slave that has none yet has not read anything.  glusterfind keeps text files:
 * <workdir>/glusterfind/<session>/<volume>/[<brick>.]status, decimal seconds.
 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "readers.h"

/* Both may ask once more for what they read last. */
#define BEHIND 3600

void gb_need_init(struct gb_need *n)
{
        n->from = INT64_MAX;
        n->who[0] = '\0';
}

void gb_need_add(struct gb_need *n, int64_t from, const char *fmt, ...)
{
        va_list ap;

        if (from < 0)
                from = 0;
        if (from > n->from || (from == n->from && n->who[0]))
                return;
        n->from = from;
        va_start(ap, fmt);
        if (vsnprintf(n->who, sizeof(n->who), fmt, ap) < 0)
                n->who[0] = '\0';
        va_end(ap);
}

static int64_t behind(int64_t when)
{
        return when > BEHIND ? when - BEHIND : 0;
}

/* ---- geo-replication ---- */

static bool is_stime(const struct gb_brick *b, const char *name)
{
        static const char prefix[] = "trusted.glusterfs.";
        char volume[GB_GFID_TEXT];
        size_t n = sizeof(prefix) - 1;
        gb_gfid slave;

        gb_gfid_format(&b->volume_id, volume);
        return strncmp(name, prefix, n) == 0 && strncmp(name + n, volume, GB_GFID_TEXT - 1) == 0 &&
               name[n + GB_GFID_TEXT - 1] == '.' && strlen(name) == n + 2 * (GB_GFID_TEXT - 1) + 1 + 6 &&
               gb_gfid_parse(name + n + GB_GFID_TEXT, GB_GFID_TEXT - 1, &slave) &&
               strcmp(name + strlen(name) - 6, ".stime") == 0;
}

/* Seconds of a stime; 0: unreadable. */
static int64_t read_stime(const struct gb_brick *b, const char *name)
{
        uint8_t v[8];

        if (fgetxattr(b->root_fd, name, v, sizeof(v)) != sizeof(v))
                return 0;
        return (int64_t)v[0] << 24 | (int64_t)v[1] << 16 | (int64_t)v[2] << 8 | v[3];
}

static int georep_need(const struct gb_brick *b, const struct gb_glusterd *gd, struct gb_need *need,
                       struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *names = malloc(GB_XATTR_LIST_MAX);
        unsigned slaves, found = 0;
        ssize_t n;

        if (!names)
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", b->path);
        if (gb_glusterd_slaves(gd, b->volume, &slaves, err) < 0)
                return -1;
        if (!slaves)
                return 0;
        n = flistxattr(b->root_fd, names, GB_XATTR_LIST_MAX);
        if (n < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: list the attributes of the root", b->path);
        for (const char *p = names; p < names + n; p += strlen(p) + 1)
                if (is_stime(b, p)) {
                        gb_need_add(need, behind(read_stime(b, p)), "geo-replication");
                        found++;
                }
        if (found < slaves)
                gb_need_add(need, 0, "geo-replication, which has not begun to read");
        return 0;
}

/* ---- glusterfind ---- */

static DIR *open_below(int dirfd, const char *name)
{
        int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (!d && fd >= 0)
                close(fd);
        return d;
}

/* The seconds in a status file; 0: not to be read as that. */
static int64_t read_status(int dirfd, const char *name)
{
        GB_CLEANUP_CLOSE
        int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        char text[32];
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        int64_t v = 0;

        if (n <= 0)
                return 0;
        text[n] = '\0';
        for (const char *p = text; *p >= '0' && *p <= '9' && v < INT64_MAX / 100; p++)
                v = v * 10 + (*p - '0');
        return v;
}

static void session_need(const struct gb_brick *b, int above, const char *session, struct gb_need *need)
{
        GB_CLEANUP_CLOSEDIR DIR *s = open_below(above, session);
        GB_CLEANUP_CLOSEDIR DIR *v = s ? open_below(dirfd(s), b->volume) : NULL;
        struct dirent *de;

        if (!v)
                return;
        while ((de = readdir(v))) {
                size_t len = strlen(de->d_name);

                if (len >= 6 && strcmp(de->d_name + len - 6, "status") == 0)
                        gb_need_add(need, behind(read_status(dirfd(v), de->d_name)),
                                    "glusterfind session %.100s", session);
        }
}

static int glusterfind_need(const struct gb_brick *b, const struct gb_glusterd *gd, struct gb_need *need,
                            struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *path = NULL;
        GB_CLEANUP_CLOSEDIR DIR *d = NULL;
        struct dirent *de;

        if (asprintf(&path, "%s/glusterfind", gd->workdir) < 0) {
                path = NULL;
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", b->path);
        }
        d = open_below(AT_FDCWD, path);
        if (!d)
                return errno == ENOENT || errno == ENOTDIR
                               ? 0
                               : gb_error_sys(err, GB_ERR_SYSTEM, "%s: open directory", path);
        while ((de = readdir(d)))
                if (de->d_name[0] != '.')
                        session_need(b, dirfd(d), de->d_name, need);
        return 0;
}

int gb_readers_need(const struct gb_brick *b, const struct gb_glusterd *gd, struct gb_need *n,
                    struct gb_error *err)
{
        return georep_need(b, gd, n, err) < 0 || glusterfind_need(b, gd, n, err) < 0 ? -1 : 0;
}
