/*
 * brick - open a brick root and make sure that it is what it is said to be.
 *
 * The name of a brick comes from outside.  What it may open is decided by glusterd's files on this
 * node (facts 8.2), and the directory has to agree: volume-id and root gfid.  Neither is enough alone:
 * a brick taken out by replace-brick keeps its volume-id, and a path that glusterd lists may be an
 * empty mount point today.
 */
#include <config.h>

#include "brick.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "xattr.h"

#define XATTR_LINKTO    "trusted.glusterfs.dht.linkto"
#define XATTR_GFID      "trusted.gfid"
#define XATTR_VOLUME_ID "trusted.glusterfs.volume-id"

/* ---- names and xattrs ---- */

char *gb_handle_path(const gb_gfid *g, char out[GB_HANDLE_TEXT])
{
        gb_gfid_format(g, out + 6);
        memcpy(out, out + 6, 2);
        out[2] = '/';
        memcpy(out + 3, out + 8, 2);
        out[5] = '/';
        return out;
}

/* Sixteen bytes and nothing else make a uuid. */
static int as_gfid(ssize_t n, const uint8_t *value, gb_gfid *out)
{
        if (n < 0)
                return -1;
        if (n != sizeof(out->b)) {
                errno = EIO;
                return -1;
        }
        memcpy(out->b, value, sizeof(out->b));
        return 0;
}

int gb_get_gfid_at(int dirfd, const char *name, gb_gfid *out)
{
        uint8_t value[sizeof(out->b)];

        return as_gfid(gb_xattr_at(dirfd, name, XATTR_GFID, value, sizeof(value)), value, out);
}

int gb_linkto_at(int dirfd, const char *name, uint32_t mode)
{
        char value[1];

        if (!S_ISREG(mode) || (mode & 07777) != S_ISVTX)
                return 0;
        if (gb_xattr_at(dirfd, name, XATTR_LINKTO, value, 0) >= 0)
                return 1;
        return errno == ENODATA ? 0 : -1;
}

static int get_uuid(int fd, const char *xattr, gb_gfid *out)
{
        uint8_t value[sizeof(out->b)];

        return as_gfid(fgetxattr(fd, xattr, value, sizeof(value)), value, out);
}

/* ---- opening ---- */

static struct gb_brick *brick_new(const char *path, const char *volume, const char *afr, struct gb_error *err)
{
        struct gb_brick *b = calloc(1, sizeof(*b));

        if (!b)
                goto fail;
        b->root_fd = -1;
        b->handles_fd = -1;
        b->path = strdup(path);
        b->volume = strdup(volume);
        if (asprintf(&b->afr, "trusted.afr.%s", afr) < 0)
                b->afr = NULL;
        if (b->path && b->volume && b->afr)
                return b;
fail:
        gb_brick_close(b);
        gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", path);
        return NULL;
}

int gb_brick_keep_notes(struct gb_brick *b, const char *folder, struct gb_error *err)
{
        unsigned long long hash = XXH64(b->path, strlen(b->path), 0);

        if (asprintf(&b->notes, "%s/notes-%016llx", folder, hash) >= 0)
                return 0;
        b->notes = NULL;
        return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", b->path);
}

void gb_brick_close(struct gb_brick *b)
{
        if (!b)
                return;
        if (b->root_fd >= 0)
                close(b->root_fd);
        if (b->handles_fd >= 0)
                close(b->handles_fd);
        free(b->path);
        free(b->volume);
        free(b->afr);
        free(b->notes);
        free(b);
}

static int open_directories(struct gb_brick *b, struct gb_error *err)
{
        b->root_fd = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (b->root_fd < 0)
                return gb_error_sys(err, GB_ERR_BRICK_DOWN, "brick %s: open", b->path);
        b->handles_fd = openat(b->root_fd, ".glusterfs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (b->handles_fd < 0)
                return gb_error_sys(err, GB_ERR_BRICK_DOWN, "brick %s: open .glusterfs", b->path);
        return 0;
}

static int check_root_gfid(const struct gb_brick *b, struct gb_error *err)
{
        gb_gfid gfid;

        if (get_uuid(b->root_fd, XATTR_GFID, &gfid) < 0)
                return gb_error_sys(err, GB_ERR_BRICK_DOWN, "brick %s: %s of its root", b->path, XATTR_GFID);
        if (!gb_gfid_eq(&gfid, &GB_GFID_ROOT))
                return gb_error_set(err, GB_ERR_DENIED, "brick %s: its root has a foreign gfid", b->path);
        return 0;
}

/* A user may own a directory of this name on a volume without sharding: the gfid tells. */
static int look_for_shards(struct gb_brick *b, struct gb_error *err)
{
        gb_gfid gfid;

        if (gb_get_gfid_at(b->root_fd, ".shard", &gfid) == 0)
                b->sharded = gb_gfid_eq(&gfid, &GB_GFID_SHARD);
        else if (errno != ENOENT && errno != ENODATA)
                return gb_error_sys(err, GB_ERR_BRICK_DOWN, "brick %s: %s of .shard", b->path, XATTR_GFID);
        return 0;
}

static int check_volume_id(const struct gb_brick *b, struct gb_error *err)
{
        gb_gfid id;

        if (get_uuid(b->root_fd, XATTR_VOLUME_ID, &id) < 0)
                return gb_error_sys(err, GB_ERR_BRICK_DOWN,
                                    "brick %s: no volume-id on its root (is its file system mounted?)",
                                    b->path);
        if (!gb_gfid_eq(&id, &b->volume_id))
                return gb_error_set(err, GB_ERR_DENIED, "brick %s: carries the id of another volume than %s",
                                    b->path, b->volume);
        return 0;
}

static int open_verified(struct gb_brick *b, struct gb_error *err)
{
        if (open_directories(b, err) < 0 || check_volume_id(b, err) < 0 || check_root_gfid(b, err) < 0)
                return -1;
        return look_for_shards(b, err);
}

struct gb_brick *gb_brick_open(const struct gb_glusterd *gd, const char *volume, const char *path,
                               struct gb_error *err)
{
        struct gb_volume_file vol;
        struct gb_brick_file file;
        struct gb_brick *b;
        int found;

        if (strlen(path) > GB_BRICK_PATH_MAX) {
                gb_error_set(err, GB_ERR_NO_BRICK, "brick path longer than %d bytes", GB_BRICK_PATH_MAX);
                return NULL;
        }
        if (gb_glusterd_volume(gd, volume, &vol, err) < 0)
                return NULL;
        found = gb_glusterd_brick(gd, volume, path, &file, err);
        if (found < 0)
                return NULL;
        if (!found) {
                gb_error_set(err, GB_ERR_NO_BRICK, "%s is not a brick of volume %s on this node", path,
                             volume);
                return NULL;
        }
        b = brick_new(path, volume, file.afr, err);
        if (b) {
                b->volume_id = vol.id;
                b->volume_version = vol.version;
                b->alone = vol.n_sets == 1;
                b->node = file.node;
                b->index = file.id;
        }
        gb_brick_file_fini(&file);
        if (b && open_verified(b, err) == 0)
                return b;
        gb_brick_close(b);
        return NULL;
}

struct gb_brick *gb_brick_open_bare(const char *path, const char *volume, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *afr = NULL;
        struct gb_brick *b;

        if (asprintf(&afr, "%s-client-", volume) < 0) {
                afr = NULL;
                gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", path);
                return NULL;
        }
        b = brick_new(path, volume, afr, err);
        if (!b)
                return NULL;
        if (open_directories(b, err) < 0 || check_root_gfid(b, err) < 0 || look_for_shards(b, err) < 0)
                goto fail;
        if (get_uuid(b->root_fd, XATTR_VOLUME_ID, &b->volume_id) < 0 && errno != ENODATA) {
                gb_error_sys(err, GB_ERR_BRICK_DOWN, "brick %s: %s", path, XATTR_VOLUME_ID);
                goto fail;
        }
        return b;
fail:
        gb_brick_close(b);
        return NULL;
}

/* ---- the brick process ---- */

/* Up to size-1 bytes of a small file, with a NUL behind; -1 if it cannot be read. */
static ssize_t read_text(const char *path, char *text, size_t size)
{
        GB_CLEANUP_CLOSE
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        ssize_t n;

        if (fd < 0)
                return -1;
        n = read(fd, text, size - 1);
        text[n > 0 ? n : 0] = '\0';
        return n;
}

/* <rundir>/vols/<volume>/<host>-<path without its first slash, - for />.pid; 0 if there is none. */
static pid_t read_pid(const struct gb_glusterd *gd, const struct gb_brick *b, const struct gb_brick_file *f)
{
        GB_CLEANUP_FREE
        char *path = NULL;
        char text[32];
        char *end;
        long pid;
        int n;

        n = asprintf(&path, "%s/vols/%s/%s-%s.pid", gd->rundir, b->volume, f->host, f->path + 1);
        if (n < 0) {
                path = NULL;
                return 0;
        }
        for (char *p = path + n - strlen(f->path + 1) - strlen(".pid"); *p; p++)
                if (*p == '/')
                        *p = '-';
        if (read_text(path, text, sizeof(text)) <= 0)
                return 0;
        errno = 0;
        pid = strtol(text, &end, 10);
        if (errno || end == text || (*end && *end != '\n') || pid <= 0 || pid > INT_MAX)
                return 0;
        return (pid_t)pid;
}

/* The command line of the brick's process, which exists, is no zombie, and is a GlusterFS one: its length, 0
 * if there is none.  A brick killed hard leaves its pid file, and the number is given out again one day. With
 * brick multiplexing many bricks name one process, whose command line tells of the first only: so the program
 * is all there is to compare. */
static size_t brick_process(const struct gb_glusterd *gd, const struct gb_brick *b, char *cmdline,
                            size_t size)
{
        struct gb_brick_file file;
        const char *program;
        char path[64];
        ssize_t n;
        pid_t pid;

        if (gb_glusterd_brick(gd, b->volume, b->path, &file, NULL) <= 0)
                return 0;
        pid = read_pid(gd, b, &file);
        gb_brick_file_fini(&file);
        snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
        n = pid ? read_text(path, cmdline, size) : 0;
        if (n <= 0)
                return 0;
        program = strrchr(cmdline, '/');
        program = program ? program + 1 : cmdline;
        return strncmp(program, "glusterfs", strlen("glusterfs")) == 0 ? (size_t)n : 0;
}

bool gb_brick_running(const struct gb_glusterd *gd, const struct gb_brick *b)
{
        char cmdline[PATH_MAX];

        return brick_process(gd, b, cmdline, sizeof(cmdline)) > 0;
}

char *gb_brick_log(const struct gb_glusterd *gd, const struct gb_brick *b)
{
        char cmdline[2 * PATH_MAX];
        size_t n = brick_process(gd, b, cmdline, sizeof(cmdline));

        for (const char *p = cmdline; p < cmdline + n; p += strlen(p) + 1) {
                const char *next = p + strlen(p) + 1;

                if (strcmp(p, "-l") == 0 && next < cmdline + n)
                        return strdup(next);
        }
        return NULL;
}
