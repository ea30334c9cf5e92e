/*
 * heal - which siblings of this brick wait for a heal, as far as this brick knows.
 *
 * GlusterFS keeps an entry, named by gfid, in .glusterfs/indices/xattrop for every object that some
 * brick of its set missed a change of; the object's own xattr trusted.afr.<volume>-client-<N> then says
 * which: three big-endian counters (data, metadata, entries), non-zero blames brick N.  Disperse keeps
 * the same entries, but its trusted.ec.dirty names nobody: any sibling may be the stale one.
 *
 * indices/dirty is different: an entry stands there during each write transaction and outlives it only
 * if the client died in the middle.  Nobody is to blame then, so such an object is counted and no more.
 *
 * An entry may outlive its object, until the self-heal daemon comes by.  What is not here blames nobody: who
 * still has it missed a change of its directory, and that is another entry.
 *
 * Doubt costs a reader time (it reads all siblings instead of one), trust in the wrong brick costs
 * files: whatever cannot be read blames everybody.
 */
#include <config.h>

#include "brick.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/gfidmap.h"
#include "base/limits.h"
#include "xattr.h"

struct heal {
        const struct gb_brick *brick;
        struct gb_heal_status *out;
        struct gb_gfidmap seen; /* what xattrop lists, up to GB_HEAL_LOOK_MAX */
        char *names;            /* xattr list, GB_XATTR_LIST_MAX bytes */
        unsigned waits;         /* for handles */
};

static void blame(struct gb_heal_status *s, int index)
{
        for (int i = 0; i < s->n_blamed; i++)
                if (s->blamed[i] == index)
                        return;
        if (s->n_blamed == GB_BLAMED_MAX)
                s->blames_all = true;
        else
                s->blamed[s->n_blamed++] = index;
}

/* N of "trusted.afr.<volume>-client-<N>", or -1 for any other xattr. */
static int blamed_index(const struct gb_brick *b, const char *xattr)
{
        size_t n = strlen(b->afr);
        char *end;
        long v;

        if (strncmp(xattr, b->afr, n) != 0 || xattr[n] < '0' || xattr[n] > '9')
                return -1;
        errno = 0;
        v = strtol(xattr + n, &end, 10);
        return errno || *end || v > INT_MAX ? -1 : (int)v;
}

/* One blaming xattr of an object.  -1: it cannot be read for what it is. */
static int weigh(struct heal *h, int dirfd, const char *object, const char *xattr, int index)
{
        uint32_t counts[3];
        ssize_t n = gb_xattr_at(dirfd, object, xattr, counts, sizeof(counts));

        if (n < 0 && errno == ENODATA) /* healed this very moment */
                return 0;
        if (n != sizeof(counts))
                return -1;
        if (counts[0] || counts[1] || counts[2])
                blame(h->out, index);
        return 0;
}

/* All xattrs of one object.  -1: unreadable, or nobody can be singled out. */
static int weigh_all(struct heal *h, int dirfd, const char *object)
{
        ssize_t len = gb_xattrs_at(dirfd, object, h->names, GB_XATTR_LIST_MAX);

        if (len < 0)
                return -1;
        for (const char *name = h->names; name < h->names + len; name += strlen(name) + 1) {
                int index = blamed_index(h->brick, name);

                if (strncmp(name, "trusted.ec.", strlen("trusted.ec.")) == 0)
                        return -1;
                if (index >= 0 && weigh(h, dirfd, object, name, index) < 0)
                        return -1;
        }
        return 0;
}

/* The handle of a directory is away for a moment while it is renamed (facts 5.1); so many are waited for. */
#define RENAME_US 20000
#define WAITS_MAX 16

/* 1 the object is here, 0 it is not, -1. */
static int stat_handle(struct heal *h, const char *handle, struct stat *st)
{
        for (int i = 0; i < 2; i++) {
                if (fstatat(h->brick->handles_fd, handle, st, AT_SYMLINK_NOFOLLOW) == 0)
                        return 1;
                if (errno != ENOENT || h->waits == WAITS_MAX)
                        return -1;
                if (i == 0) {
                        h->waits++;
                        usleep(RENAME_US);
                }
        }
        return 0;
}

/*
 * The handle of a directory is a symlink to it, that of a user's symlink is a second name of the
 * symlink (its nlink is 2 or more): following that one would lead out of the brick.
 */
static int look(struct heal *h, const gb_gfid *gfid)
{
        char handle[GB_HANDLE_TEXT];
        const char *object = handle;
        GB_CLEANUP_CLOSE
        int fd = -1;
        int at = h->brick->handles_fd;
        struct stat st;
        gb_gfid found;
        int here;

        gb_handle_path(gfid, handle);
        here = stat_handle(h, handle, &st);
        if (here <= 0)
                return here;
        if (S_ISLNK(st.st_mode) && st.st_nlink == 1) {
                fd = openat(h->brick->handles_fd, handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd < 0)
                        return -1;
                at = fd;
                object = ".";
        }
        if (gb_get_gfid_at(at, object, &found) < 0)
                return -1;
        return gb_gfid_eq(&found, gfid) ? weigh_all(h, at, object) : -1;
}

/* An entry may go while we look, with the object healed or deleted: then it is no entry any more. */
static bool still_listed(int index_fd, const char *name)
{
        return faccessat(index_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* One entry of indices/xattrop. */
static int take_xattrop(struct heal *h, int index_fd, const char *name, const gb_gfid *gfid)
{
        h->out->pending++;
        if (h->seen.n >= GB_HEAL_LOOK_MAX) {
                h->out->blames_all = true;
                return 0;
        }
        if (!gb_gfidmap_put(&h->seen, gfid, NULL))
                return -1;
        if (!h->out->blames_all && look(h, gfid) < 0 && still_listed(index_fd, name))
                h->out->blames_all = true;
        return 0;
}

/* One entry of indices/dirty. */
static int take_dirty(struct heal *h, int index_fd, const char *name, const gb_gfid *gfid)
{
        (void)index_fd;
        (void)name;
        if (!gb_gfidmap_get(&h->seen, gfid))
                h->out->pending++;
        return 0;
}

/* Everything in an index but its base file ("xattrop-<uuid>") is named by a gfid.  An index that does
 * not exist is empty: it is made with the brick's first start. */
static int each_entry(struct heal *h, const char *index,
                      int (*take)(struct heal *h, int index_fd, const char *name, const gb_gfid *gfid),
                      struct gb_error *err)
{
        const char *brick = h->brick->path;
        GB_CLEANUP_CLOSEDIR DIR *dir = NULL;
        struct dirent *e;
        gb_gfid gfid;
        int fd;

        fd = openat(h->brick->handles_fd, index, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return 0;
        if (fd < 0)
                return gb_error_sys(err, GB_ERR_BRICK_DOWN, "brick %s: open .glusterfs/%s", brick, index);
        dir = fdopendir(fd);
        if (!dir) {
                close(fd);
                return gb_error_sys(err, GB_ERR_SYSTEM, "brick %s: open .glusterfs/%s", brick, index);
        }
        while (errno = 0, (e = readdir(dir))) {
                if (!gb_gfid_parse(e->d_name, strlen(e->d_name), &gfid))
                        continue;
                if (take(h, fd, e->d_name, &gfid) < 0)
                        return gb_error_set(err, GB_ERR_MEMORY, "brick %s: out of memory", brick);
        }
        if (errno)
                return gb_error_sys(err, GB_ERR_BRICK_DOWN, "brick %s: read .glusterfs/%s", brick, index);
        return 0;
}

int gb_brick_heal_status(const struct gb_brick *b, struct gb_heal_status *out, struct gb_error *err)
{
        struct heal h = {.brick = b, .out = out};
        int rc = -1;

        *out = (struct gb_heal_status){.pending = 0};
        gb_gfidmap_init(&h.seen, 0);
        h.names = malloc(GB_XATTR_LIST_MAX);
        if (!h.names)
                gb_error_set(err, GB_ERR_MEMORY, "brick %s: out of memory", b->path);
        else if (each_entry(&h, "indices/xattrop", take_xattrop, err) == 0)
                rc = each_entry(&h, "indices/dirty", take_dirty, err);
        free(h.names);
        gb_gfidmap_fini(&h.seen);
        return rc;
}
