/*
 * dirs - see dirs.h.
 *
 * Finding is climbing and descending: up from the wanted directory by readlink until one is met that
 * has an open descriptor (the root always has), then down again, opening and verifying each level.
 * So every remembered node was verified at the time, and every open descriptor has its node.
 *
 * A descriptor outlives renames: it stays with the directory, and a slot is (directory, name), so an
 * open descriptor answers rightly even while directories above it move.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/gfidmap.h"
#include "base/limits.h"
#include "base/order.h"
#include "base/vec.h"
#include "dirs.h"
#include "lost.h"

/* Open descriptors: a quarter of what the process may have, within these. */
#define OPEN_LEAST 32u
#define OPEN_MOST  4096u
/* Directories remembered (about 100 bytes each) and the bytes of their names. */
#define NODES_MAX ((size_t)1 << 17)
#define NAMES_MAX ((size_t)16 << 20)
/* Pauses of PAUSE_NS a process of ours spends on missing handles in all: a second or two. */
#define PAUSES_MAX 1000u
#define PAUSE_NS   1000000L
/* Bytes of a handle's target that can be a directory's, "../../hh/hh/<uuid>/<name>", and the parts. */
#define TARGET_FIXED (6 + 6 + (GB_GFID_TEXT - 1) + 1)
#define TARGET_MAX   (TARGET_FIXED + GB_NAME_MAX)

struct node {
        gb_gfid parent;
        const char *name; /* arena */
        uint16_t open_at; /* index into `open`, meant only if the gfid there agrees */
        uint8_t len;      /* 0: forgotten */
        bool internal;
};

struct open_dir {
        gb_gfid gfid;
        int fd;    /* -1: free */
        bool used; /* since the clock's hand passed */
};

/* One level of a climb. */
struct step {
        gb_gfid gfid;
        gb_gfid parent;
        uint8_t len;
        char name[GB_NAME_MAX + 1];
};

struct gb_dirs {
        const struct gb_brick *brick;
        struct gb_gfidmap nodes; /* of struct node */
        struct gb_arena names;
        GB_VEC(struct step) steps; /* the climb in progress, the wanted directory first */
        struct open_dir *open;
        unsigned n_open, hand;
        unsigned pauses;
        struct gb_lost *lost;
        bool missed; /* a handle */
};

static unsigned open_limit(void)
{
        struct rlimit rl;
        rlim_t quarter;

        if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
                return OPEN_LEAST;
        quarter = rl.rlim_cur / 4;
        return quarter < OPEN_LEAST ? OPEN_LEAST : quarter > OPEN_MOST ? OPEN_MOST : (unsigned)quarter;
}

struct gb_dirs *gb_dirs_new(const struct gb_brick *b, struct gb_error *err)
{
        struct gb_dirs *d = calloc(1, sizeof(*d));

        if (!d)
                goto fail;
        d->brick = b;
        gb_gfidmap_init(&d->nodes, sizeof(struct node));
        gb_arena_init(&d->names);
        d->n_open = open_limit();
        d->open = calloc(d->n_open, sizeof(*d->open));
        if (!d->open)
                goto fail;
        for (unsigned i = 0; i < d->n_open; i++)
                d->open[i].fd = -1;
        d->lost = gb_lost_new(b, err);
        if (d->lost)
                return d;
fail:
        gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory for directories", b->path);
        if (d)
                free(d->open);
        free(d);
        return NULL;
}

static void close_all(struct gb_dirs *d)
{
        for (unsigned i = 0; i < d->n_open; i++) {
                if (d->open[i].fd >= 0)
                        close(d->open[i].fd);
                d->open[i].fd = -1;
        }
}

void gb_dirs_free(struct gb_dirs *d)
{
        if (!d)
                return;
        close_all(d);
        free(d->open);
        gb_gfidmap_fini(&d->nodes);
        gb_arena_fini(&d->names);
        gb_vec_free(&d->steps);
        gb_lost_free(d->lost);
        free(d);
}

void gb_dirs_trim(struct gb_dirs *d)
{
        if (d->nodes.n < NODES_MAX && d->names.total < NAMES_MAX)
                return;
        close_all(d);
        gb_gfidmap_fini(&d->nodes);
        gb_arena_reset(&d->names);
}

bool gb_dirs_pause(struct gb_dirs *d)
{
        const struct timespec pause = {.tv_nsec = PAUSE_NS};

        if (d->pauses >= PAUSES_MAX)
                return false;
        d->pauses++;
        nanosleep(&pause, NULL);
        return true;
}

bool gb_dirs_may_be_lost(struct gb_dirs *d)
{
        bool missed = d->missed && !gb_lost_searched(d->lost);

        d->missed = false;
        return missed;
}

int gb_dirs_search(struct gb_dirs *d, gb_deadline until, struct gb_error *err)
{
        return gb_lost_search(d->lost, until, err);
}

bool gb_dirs_searched(const struct gb_dirs *d)
{
        return gb_lost_searched(d->lost);
}

int gb_dirs_seen(struct gb_dirs *d, const gb_gfid *dir, const struct gb_slot *slot, struct gb_error *err)
{
        return gb_lost_note(d->lost, dir, slot, err);
}

/* ---- what is remembered ---- */

static struct node *node_of(const struct gb_dirs *d, const gb_gfid *dir)
{
        struct node *n = gb_gfidmap_get(&d->nodes, dir);

        return n && n->len ? n : NULL;
}

static struct open_dir *open_of(const struct gb_dirs *d, const gb_gfid *dir, const struct node *n)
{
        struct open_dir *o = &d->open[n->open_at];

        return o->fd >= 0 && gb_gfid_eq(&o->gfid, dir) ? o : NULL;
}

static void forget_one(struct gb_dirs *d, const gb_gfid *dir)
{
        struct node *n = node_of(d, dir);
        struct open_dir *o = n ? open_of(d, dir, n) : NULL;

        if (o) {
                close(o->fd);
                o->fd = -1;
        }
        if (n)
                n->len = 0;
}

void gb_dirs_forget(struct gb_dirs *d, const gb_gfid *dir)
{
        gb_gfid g = *dir;
        const struct node *n;

        while ((n = node_of(d, &g))) {
                gb_gfid parent = n->parent;

                forget_one(d, &g);
                g = parent;
        }
}

/* Give a descriptor a place, closing one that was not used lately. */
static uint16_t keep_open(struct gb_dirs *d, const gb_gfid *dir, int fd)
{
        struct open_dir *o = &d->open[d->hand];

        while (o->fd >= 0 && o->used) {
                o->used = false;
                d->hand = (d->hand + 1) % d->n_open;
                o = &d->open[d->hand];
        }
        if (o->fd >= 0)
                close(o->fd);
        *o = (struct open_dir){.gfid = *dir, .fd = fd, .used = true};
        uint16_t at = (uint16_t)d->hand;

        d->hand = (d->hand + 1) % d->n_open;
        return at;
}

/* ---- handles ---- */

/* "../../hh/hh/<uuid>/<name>" with hh hh the first bytes of the uuid. */
static bool parse_target(const char *t, size_t len, struct step *s)
{
        const char *uuid = t + 12;

        if (len <= TARGET_FIXED || len > TARGET_MAX || memcmp(t, "../../", 6) != 0 || t[8] != '/' ||
            t[11] != '/')
                return false;
        if (memcmp(t + 6, uuid, 2) != 0 || memcmp(t + 9, uuid + 2, 2) != 0 || t[TARGET_FIXED - 1] != '/')
                return false;
        if (!gb_gfid_parse(uuid, GB_GFID_TEXT - 1, &s->parent) ||
            !gb_name_valid(t + TARGET_FIXED, len - TARGET_FIXED))
                return false;
        s->len = (uint8_t)(len - TARGET_FIXED);
        memcpy(s->name, t + TARGET_FIXED, s->len);
        s->name[s->len] = '\0';
        return true;
}

/* Where a directory without a handle was seen: 1, 0. */
static int read_note(const struct gb_dirs *d, struct step *s)
{
        struct gb_slot slot;

        if (!gb_lost_find(d->lost, &s->gfid, &slot))
                return 0;
        s->parent = slot.parent;
        s->len = (uint8_t)slot.len;
        memcpy(s->name, slot.name, slot.len);
        s->name[slot.len] = '\0';
        return 1;
}

/* What the handle of s->gfid says: 1, 0 no handle or not a directory's, -1. */
static int read_handle(const struct gb_dirs *d, struct step *s, struct gb_error *err)
{
        char path[GB_HANDLE_TEXT], target[TARGET_MAX + 1];
        ssize_t n = readlinkat(d->brick->handles_fd, gb_handle_path(&s->gfid, path), target, sizeof(target));

        if (n >= 0)
                return parse_target(target, (size_t)n, s);
        if (errno == ENOENT)
                return read_note(d, s);
        if (errno == EINVAL || errno == ENOTDIR || errno == ESTALE)
                return 0;
        return gb_error_sys(err, GB_ERR_SYSTEM, "%s: read handle %s", d->brick->path, path);
}

int gb_dirs_claimed(const struct gb_dirs *d, const gb_gfid *gfid, struct gb_error *err)
{
        struct step s = {.gfid = *gfid};

        return read_handle(d, &s, err);
}

int gb_dirs_refresh(struct gb_dirs *d, const gb_gfid *dir, struct gb_error *err)
{
        const struct node *n = node_of(d, dir);
        struct step s = {.gfid = *dir};
        int rc = n ? read_handle(d, &s, err) : 0;

        if (rc < 0)
                return -1;
        if (n && !(rc == 1 && gb_gfid_eq(&s.parent, &n->parent) && s.len == n->len &&
                   memcmp(s.name, n->name, n->len) == 0))
                forget_one(d, dir);
        return 0;
}

/* ---- climbing and descending ---- */

/* Where a descent begins. */
struct foothold {
        int fd;
        bool internal;
};

/* True if `dir` can be descended from without more climbing. */
static bool foothold_at(const struct gb_dirs *d, const gb_gfid *dir, struct foothold *f)
{
        const struct node *n;
        struct open_dir *o;

        if (gb_gfid_eq(dir, &GB_GFID_ROOT)) {
                *f = (struct foothold){.fd = d->brick->root_fd};
                return true;
        }
        n = node_of(d, dir);
        o = n ? open_of(d, dir, n) : NULL;
        if (!o)
                return false;
        o->used = true;
        *f = (struct foothold){.fd = o->fd, .internal = n->internal};
        return true;
}

static int take_step(struct gb_dirs *d, struct step *s, struct gb_error *err)
{
        const struct node *n = node_of(d, &s->gfid);

        if (!n)
                return read_handle(d, s, err);
        s->parent = n->parent;
        s->len = n->len;
        memcpy(s->name, n->name, n->len);
        s->name[n->len] = '\0';
        return 1;
}

/* Fill d->steps from `dir` up to a foothold.  1, 0 a handle is missing, -1. */
static int climb(struct gb_dirs *d, const gb_gfid *dir, struct foothold *f, struct gb_error *err)
{
        gb_gfid at = *dir;

        d->steps.n = 0;
        while (!foothold_at(d, &at, f)) {
                struct step *s;
                int rc;

                if (d->steps.n >= GB_DEPTH_MAX)
                        return 0; /* a loop: handles read before and after renames */
                if (gb_vec_reserve(&d->steps, d->steps.n + 1) < 0)
                        return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory for directories",
                                            d->brick->path);
                s = &d->steps.v[d->steps.n];
                s->gfid = at;
                rc = take_step(d, s, err);
                if (rc <= 0)
                        return rc;
                d->steps.n++;
                at = s->parent;
        }
        return 1;
}

/* Open one level and make sure that it is the one: 1, 0, -1. */
static int open_step(const struct gb_dirs *d, int parent, const struct step *s, int *out,
                     struct gb_error *err)
{
        char text[GB_GFID_TEXT];
        gb_gfid found;
        ssize_t n;
        GB_CLEANUP_CLOSE
        int fd = openat(parent, s->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0) {
                if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ESTALE)
                        return 0;
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: open directory %s", d->brick->path,
                                    gb_gfid_format(&s->gfid, text));
        }
        n = fgetxattr(fd, "trusted.gfid", found.b, sizeof(found.b));
        if (n < 0 && errno != ENODATA && errno != ERANGE && errno != ENOENT && errno != ESTALE)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: read gfid of directory %s", d->brick->path,
                                    gb_gfid_format(&s->gfid, text));
        if (n != (ssize_t)sizeof(found.b) || !gb_gfid_eq(&found, &s->gfid))
                return 0;
        *out = gb_steal_fd(&fd);
        return 1;
}

static int remember(struct gb_dirs *d, const struct step *s, int fd, bool internal, struct gb_error *err)
{
        struct node *n = gb_gfidmap_put(&d->nodes, &s->gfid, NULL);
        uint16_t at = keep_open(d, &s->gfid, fd);
        const char *name;

        if (!n)
                goto fail;
        n->open_at = at;
        n->internal = internal;
        n->parent = s->parent;
        if (n->len == s->len && memcmp(n->name, s->name, s->len) == 0)
                return 0;
        name = gb_arena_dup(&d->names, s->name, s->len);
        if (!name)
                goto fail;
        n->name = name;
        n->len = s->len;
        return 0;
fail:
        return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory for directories", d->brick->path);
}

static int descend(struct gb_dirs *d, struct foothold f, struct gb_error *err)
{
        for (size_t i = d->steps.n; i-- > 0;) {
                const struct step *s = &d->steps.v[i];
                int fd = -1;
                int rc = open_step(d, f.fd, s, &fd, err);

                if (rc <= 0)
                        return rc;
                f.internal = f.internal || gb_gfid_is_internal_dir(&s->gfid, &d->brick->volume_id);
                if (remember(d, s, fd, f.internal, err) < 0)
                        return -1;
                f.fd = fd;
        }
        return 1;
}

/* Climb and descend; what leads nowhere is forgotten and tried once more from fresh handles. */
static int discover(struct gb_dirs *d, const gb_gfid *dir, bool maybe_gone, struct gb_error *err)
{
        for (unsigned attempt = 0;; attempt++) {
                struct foothold f;
                int rc = climb(d, dir, &f, err);
                bool missing = rc == 0 && d->steps.n == 0; /* its own handle, not one on the way */

                if (rc == 1)
                        rc = descend(d, f, err);
                d->missed |= rc == 0;
                if (rc != 0 || attempt > 0 || (missing && maybe_gone))
                        return rc;
                for (size_t i = 0; i < d->steps.n; i++)
                        gb_dirs_forget(d, &d->steps.v[i].gfid);
                if (d->steps.n)
                        gb_dirs_forget(d, &d->steps.v[d->steps.n - 1].parent);
                if (!gb_dirs_pause(d) && missing)
                        return 0;
        }
}

static void fill(const struct node *n, struct gb_dir *out)
{
        out->slot.parent = n->parent;
        out->slot.name = n->name;
        out->slot.len = n->len;
        out->internal = n->internal;
}

int gb_dirs_find(struct gb_dirs *d, const gb_gfid *dir, bool maybe_gone, struct gb_dir *out,
                 struct gb_error *err)
{
        const struct node *n;

        *out = (struct gb_dir){.fd = -1};
        if (gb_gfid_eq(dir, &GB_GFID_ROOT))
                return 1;
        n = node_of(d, dir);
        if (!n) {
                int rc = discover(d, dir, maybe_gone, err);

                if (rc <= 0)
                        return rc;
                n = node_of(d, dir);
        }
        fill(n, out);
        return 1;
}

int gb_dirs_open(struct gb_dirs *d, const gb_gfid *dir, bool maybe_gone, struct gb_dir *out,
                 struct gb_error *err)
{
        struct foothold f;

        *out = (struct gb_dir){.fd = -1};
        if (!foothold_at(d, dir, &f)) {
                int rc = discover(d, dir, maybe_gone, err);

                if (rc <= 0)
                        return rc;
                out->fresh = true;
                foothold_at(d, dir, &f);
        }
        if (!gb_gfid_eq(dir, &GB_GFID_ROOT))
                fill(node_of(d, dir), out);
        out->fd = f.fd;
        return 1;
}

bool gb_dirs_glance(struct gb_dirs *d, const struct gb_slot *slot, struct stat *st)
{
        char path[PATH_MAX];
        size_t at = sizeof(path) - 1 - slot->len;
        gb_gfid g = slot->parent;
        struct foothold f;

        if (foothold_at(d, &g, &f))
                return false; /* open: the sure way costs no more */
        memcpy(path + at, slot->name, slot->len);
        path[sizeof(path) - 1] = '\0';
        while (!foothold_at(d, &g, &f)) {
                const struct node *n = node_of(d, &g);

                if (!n || (size_t)n->len + 1 > at)
                        return false;
                path[--at] = '/';
                at -= n->len;
                memcpy(path + at, n->name, n->len);
                g = n->parent;
        }
        return fstatat(f.fd, path + at, st, AT_SYMLINK_NOFOLLOW) == 0;
}
