/*
 * walk - all user-visible names of a brick, in path order.
 *
 * A stack of levels, one per directory between the root and where we are.  A level is a run of sorted
 * names (see names.h) and a place in it; the step of the machine is: finish reading the top directory,
 * or enter the directory just returned, or take the next name of the top level.  Each step may stop for
 * the caller's deadline and is taken up again by the next call.
 *
 * Resuming after a path A needs nothing of A to exist.  Only directories that A names are on the way:
 * in each, the names below A's component are skipped by binary search, the component itself is entered
 * without being returned, and what comes behind it is new.  Where A leaves the tree, the search already
 * stands on the first name behind it.
 *
 * A directory is opened relative to its parent's descriptor, so the length of absolute paths does not
 * matter.  Only the lowest OPEN_MAX levels keep a descriptor.  When the walk comes back to a level
 * above those, it goes down from the root again and looks whether it stands in the same directory; if
 * somebody moved that away meanwhile, what is left of it has vanished.
 *
 * With several threads, what comes next is announced to ahead.[ch] whenever there is room: directories among
 * the names of the top level and, for what is left, of the levels above it; and in a directory that was not
 * read ahead itself, names that need a look.
 *
 * A directory whose names do not fit into memory goes through a sorter, and its level then holds one piece of
 * the sorted names after the other.
 *
 * What is missing when we look for it was deleted: weather, counted.  Everything else that keeps us
 * from reading a directory is an error, because a list that misses names in silence is no list.
 */
#include <config.h>

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ahead.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/order.h"
#include "base/sorter.h"
#include "base/vec.h"
#include "names.h"
#include "walk.h"

enum {
        OPEN_MAX = 64,    /* levels with a descriptor */
        REOPEN_KEEP = 32, /* of these, levels opened on the way when one must be opened again */
        LEVELS_AHEAD = 4, /* levels whose directories are read ahead: the top one and those above it */
        LOOKS_MIN = 64,   /* names that are worth being looked at by others */
        PIECE = 4096,     /* names of a sorted directory that are in memory at once */
        PIECE_MEMORY = 8 * 1024 * 1024, /* of a sorter */
        TICKS = 256                     /* entries between two looks at the clock */
};

#define DIR_FLAGS      (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define ANONYMOUS_NAME ".glusterfs-anonymous-inode-"

/* The names of a directory that do not fit into memory. */
struct large {
        struct gb_sorter *sorter;
        bool sorted;
        size_t last_len; /* of the name given last: a name that was read twice is given once */
        char last[GB_NAME_MAX];
};

struct level {
        int fd;     /* -1: closed, see level_fd() */
        bool known; /* dev and ino are those of the directory */
        bool lost;  /* it was not there when its descriptor was needed again */
        dev_t dev;
        ino_t ino;
        size_t path_len; /* of the directory; 0: the brick root */
        size_t first;    /* its names: index and bytes of the first, index of the next to visit */
        size_t used;
        size_t pos;
        size_t ahead;        /* index of the first name that was not announced */
        bool looked;         /* read ahead: its names have verdicts */
        struct large *large; /* NULL: all names are in memory */
};

enum state {
        STATE_VISIT, /* take the next name of the top level */
        STATE_ENTER, /* w->path is a directory to go down into */
        STATE_READ   /* the top level's names are not all read yet */
};

struct gb_walk {
        const struct gb_brick *b;
        struct gb_look_rule rule;
        bool gfids;
        bool dirs;
        bool shards;
        const struct gb_select *select; /* borrowed */
        const char *tmpdir;
        size_t names_max;       /* bytes of names in memory */
        struct gb_ahead *ahead; /* NULL: one thread */
        unsigned n_large;
        struct gb_arena memory; /* of the copied options */
        struct gb_entry *roots; /* NULL: the whole brick */
        size_t n_roots;
        size_t next_root;
        const char *after;
        size_t after_len;

        const char *skip; /* components of `after` still to follow downwards */
        size_t skip_len;
        bool on_skip; /* the next name to visit is such a component */

        enum state state;
        struct gb_names names;
        GB_VEC(struct level) levels;
        size_t open_from; /* levels below this index have no descriptor */
        int noatime;      /* O_NOATIME while the kernel allows it */
        unsigned ticks;
        uint64_t passed;
        uint64_t vanished;
        struct gb_error error; /* the first one; the walk is over then */
        size_t path_len;
        char path[GB_PATH_MAX + 1];
};

/* -- errors */

static bool is_weather(int e)
{
        return e == ENOENT || e == ESTALE || e == ENOTDIR || e == ELOOP;
}

/* A path for people: printable ASCII, the rest as \xNN; cut short when long. */
static const char *shown(const char *path, size_t len, char out[600])
{
        size_t n = 0;

        for (size_t i = 0; i < len; i++) {
                unsigned char c = (unsigned char)path[i];

                if (n > 600 - 8) {
                        memcpy(out + n, "...", 3);
                        n += 3;
                        break;
                }
                if (c >= 0x20 && c < 0x7f && c != '\\')
                        out[n++] = (char)c;
                else
                        n += (size_t)snprintf(out + n, 5, "\\x%02x", c);
        }
        out[n] = '\0';
        return out;
}

static int fail_sys(struct gb_walk *w, const char *what, size_t len)
{
        char text[600];

        return gb_error_sys(&w->error, GB_ERR_SYSTEM, "brick %s: cannot %s '%s'", w->b->path, what,
                            shown(w->path, len, text));
}

static int fail_memory(struct gb_walk *w)
{
        return gb_error_set(&w->error, GB_ERR_MEMORY, "brick %s: out of memory for names", w->b->path);
}

static int fail_path_limit(struct gb_walk *w, size_t dir_len)
{
        char text[600];

        return gb_error_set(&w->error, GB_ERR_LIMIT,
                            "brick %s: directory '%s' has a name that makes a path of "
                            "more than %d bytes",
                            w->b->path, shown(w->path, dir_len, text), GB_PATH_MAX);
}

/* -- directories and descriptors */

static int open_dir_at(struct gb_walk *w, int at, const char *name)
{
        int fd = openat(at, name, DIR_FLAGS | w->noatime);

        if (fd < 0 && errno == EPERM && w->noatime) {
                w->noatime = 0;
                fd = openat(at, name, DIR_FLAGS);
        }
        return fd;
}

/* Length of the first component of a path. */
static size_t component(const char *path, size_t len)
{
        const char *slash = memchr(path, '/', len);

        return slash ? (size_t)(slash - path) : len;
}

/* One step down from *fd (closed then; -1: from the root) to a component: 0, or -1 with errno. */
static int step_down(struct gb_walk *w, int *fd, const char *name, size_t len)
{
        char text[GB_NAME_MAX + 1];
        int next;

        memcpy(text, name, len);
        text[len] = '\0';
        next = open_dir_at(w, *fd < 0 ? w->b->root_fd : *fd, text);
        if (next < 0)
                return -1;
        if (*fd >= 0)
                close(*fd);
        *fd = next;
        return 0;
}

/* The directory at path[0..len), component by component. */
static int open_dir(struct gb_walk *w, const char *path, size_t len)
{
        GB_CLEANUP_CLOSE
        int fd = -1;

        if (len == 0)
                return open_dir_at(w, w->b->root_fd, ".");
        for (size_t at = 0, n; at < len; at += n + 1) {
                n = component(path + at, len - at);
                if (step_down(w, &fd, path + at, n) < 0)
                        return -1;
        }
        return gb_steal_fd(&fd);
}

static void close_fd(int *fd)
{
        int saved = errno;

        if (*fd >= 0)
                close(*fd);
        *fd = -1;
        errno = saved;
}

/* Close a level's descriptor, but remember which directory it was. */
static void level_close(struct gb_walk *w, size_t i)
{
        struct level *l = &w->levels.v[i];
        struct stat st;

        if (w->ahead)
                gb_ahead_drop(w->ahead, i);

        l->known = fstat(l->fd, &st) == 0;
        if (l->known) {
                l->dev = st.st_dev;
                l->ino = st.st_ino;
        }
        close_fd(&l->fd);
}

static bool level_is(const struct level *l, int fd)
{
        struct stat st;

        return l->known && fstat(fd, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino;
}

/* Open path[0..path_len) of level i below the open level i - 1, or from the root: 0, or -1 with errno. */
static int level_open(struct gb_walk *w, size_t i, bool from_root)
{
        struct level *l = &w->levels.v[i];
        GB_CLEANUP_CLOSE
        int fd = -1;

        if (from_root) {
                fd = open_dir(w, w->path, l->path_len);
        } else {
                const struct level *up = &w->levels.v[i - 1];
                size_t from = up->path_len + (up->path_len > 0);
                char name[GB_NAME_MAX + 1];

                memcpy(name, w->path + from, l->path_len - from);
                name[l->path_len - from] = '\0';
                fd = open_dir_at(w, up->fd, name);
        }
        if (fd < 0)
                return -1;
        if (!level_is(l, fd)) {
                errno = ENOENT;
                return -1;
        }
        l->fd = gb_steal_fd(&fd);
        return 0;
}

/* The top level has no descriptor, so none of them has: open it again, and those of some levels above
 * it, which will be needed next.  0, or -1 with errno; ENOENT: it is another directory now. */
static int reopen(struct gb_walk *w)
{
        size_t from = w->levels.n > REOPEN_KEEP ? w->levels.n - REOPEN_KEEP : 0;

        for (w->open_from = from; from < w->levels.n; from++) {
                if (level_open(w, from, from == w->open_from) == 0)
                        continue;
                w->levels.v[w->levels.n - 1].lost = is_weather(errno);
                while (from > w->open_from)
                        close_fd(&w->levels.v[--from].fd);
                w->open_from = w->levels.n;
                return -1;
        }
        return 0;
}

/* The top level's descriptor, or -1 with errno.  w->path begins with the path of that directory. */
static int level_fd(struct gb_walk *w)
{
        const struct level *l = &w->levels.v[w->levels.n - 1];

        if (l->lost) {
                errno = ENOENT;
                return -1;
        }
        if (l->fd < 0 && reopen(w) < 0)
                return -1;
        return l->fd;
}

/* Push a level for the directory path[0..path_len), taking over `fd`.  GB_PATH_MAX bounds their number. */
static int level_push(struct gb_walk *w, int fd, size_t path_len)
{
        struct level l = {.fd = fd, .path_len = path_len, .first = w->names.v.n, .used = w->names.used};

        l.pos = l.ahead = l.first;
        if (gb_vec_push(&w->levels, l) < 0) {
                close(fd);
                return fail_memory(w);
        }
        if (w->levels.n - w->open_from > OPEN_MAX)
                level_close(w, w->open_from++);
        if (path_len > 0 && path_len < GB_PATH_MAX)
                w->path[path_len] = '/';
        return 0;
}

static void level_pop(struct gb_walk *w)
{
        struct level *l = &w->levels.v[--w->levels.n];

        if (w->ahead)
                gb_ahead_drop(w->ahead, w->levels.n);
        if (l->large) {
                gb_sorter_free(l->large->sorter);
                free(l->large);
                w->n_large--;
        }
        close_fd(&l->fd);
        gb_names_cut(&w->names, l->first, l->used);
        if (w->open_from > w->levels.n)
                w->open_from = w->levels.n;
}

/* -- what is listed */

/* Names at the brick root that are GlusterFS's own (facts 7): 1 internal, 0 the users', -1 with errno.
 * Internal directories have fixed gfids, and a user may have a directory with one of their names where
 * the feature is off; so the gfid decides, and only for directories of the root it is worth reading.
 * One without gfid (lost+found) came there behind Gluster's back. */
static int is_internal(struct gb_walk *w, const char *name, char type)
{
        gb_gfid gfid, owner;
        size_t prefix = strlen(ANONYMOUS_NAME);

        if (strcmp(name, ".glusterfs") == 0)
                return 1;
        if (type != 'd')
                return 0;
        if (strcmp(name, ".landfill") == 0)
                return 1;
        if (gb_get_gfid_at(w->b->root_fd, name, &gfid) < 0)
                return errno == ENODATA ? 1 : -1;
        if (gb_gfid_is_internal_dir(&gfid, &w->b->volume_id))
                return 1;
        /* A clone keeps the directory of the volume that it was taken from. */
        if (strncmp(name, ANONYMOUS_NAME, prefix) == 0 &&
            gb_gfid_parse(name + prefix, strlen(name + prefix), &owner)) {
                owner = gb_gfid_anonymous_dir(&owner);
                return gb_gfid_eq(&owner, &gfid);
        }
        return 0;
}

/* An entry of the brick's root: 1 belongs to what is walked, 0 does not, -1 with errno. */
static int belongs(struct gb_walk *w, const char *name, char type)
{
        gb_gfid gfid;
        int r;

        if (!w->shards) {
                r = is_internal(w, name, type);
                return r < 0 ? -1 : !r;
        }
        if (gb_get_gfid_at(w->b->root_fd, name, &gfid) < 0)
                return errno == ENODATA ? 0 : -1;
        return type == 'd' && gb_gfid_eq(&gfid, &GB_GFID_SHARD);
}

/* Look closer at an entry as far as its kind and the options ask for it: 1 listed, 2 only gone into, 0
 * neither, -1 with errno.  Most entries of most walks need no system call here. */
static int judge(struct gb_walk *w, size_t dir_len, const char *name, uint64_t verdict, struct gb_entry *e)
{
        bool look = !verdict && gb_look_needed(&w->rule, e->type);
        int fd = -1, r;

        if ((look || w->gfids) && (fd = level_fd(w)) < 0)
                return -1;
        if (look && !(verdict = gb_look_at(&w->rule, fd, name)))
                return -1;
        if (verdict) {
                e->type = (char)(verdict >> 8);
                if (!e->type || (verdict & GB_SEEN_LINKTO))
                        return 0;
        }
        if (dir_len == 0) {
                r = belongs(w, name, e->type);
                if (r != 1)
                        return r;
        }
        if (gb_look_refuses(&w->rule, verdict))
                return e->type == 'd' ? 2 : 0;
        if (w->gfids) {
                if (gb_get_gfid_at(fd, name, &e->gfid) < 0)
                        return errno == ENODATA ? 0 : -1;
                e->has_gfid = true;
        }
        return 1;
}

/* -- reading ahead */

/* Where the names of a level end. */
static size_t level_end(const struct gb_walk *w, size_t level)
{
        return level + 1 < w->levels.n ? w->levels.v[level + 1].first : w->names.v.n;
}

/* Names from `index` on begin a group that is looked at together. */
static bool begins_looks(const struct gb_walk *w, const struct level *l, size_t index)
{
        return w->ahead && !l->looked && gb_look_asks(&w->rule) && (index - l->first) % GB_AHEAD_LOOKS == 0;
}

/* Announce what there is at the name l->ahead.  -1: no more for now. */
static int announce(struct gb_walk *w, size_t level, size_t end)
{
        struct level *l = &w->levels.v[level];
        const struct gb_name *name = &w->names.v.v[l->ahead];
        const char *text = gb_name_text(&w->names, name);
        bool dir = gb_name_dtype(name) == DT_DIR && !(l->path_len == 0 && text[0] == '.');
        size_t n = end - l->ahead < GB_AHEAD_LOOKS ? end - l->ahead : GB_AHEAD_LOOKS;
        bool looks = begins_looks(w, l, l->ahead) && n >= LOOKS_MIN;

        if ((dir || looks) && !gb_ahead_room(w->ahead, level))
                return -1;
        if (looks && gb_ahead_looks(w->ahead, level, l->ahead, l->fd, &w->names, n) < 0)
                return -1;
        if (dir && gb_ahead_dir(w->ahead, level, l->ahead, l->fd, text, gb_name_len(name),
                                DIR_FLAGS | w->noatime) < 0)
                return -1;
        l->ahead++;
        return 0;
}

/* Announce what comes next: in the top level, then in those above it. */
static void look_ahead(struct gb_walk *w)
{
        for (size_t i = w->levels.n; i-- > w->open_from && i + LEVELS_AHEAD >= w->levels.n;) {
                struct level *l = &w->levels.v[i];
                size_t end = level_end(w, i);

                if (l->ahead < l->pos)
                        l->ahead = l->pos;
                while (l->fd >= 0 && l->ahead < end && announce(w, i, end) == 0)
                        ;
        }
}

/* Verdicts on a group of names that begins at the next name to visit. */
static void take_looks(struct gb_walk *w, const struct level *l)
{
        const struct gb_ahead_result *r = gb_ahead_take(w->ahead, w->levels.n - 1, l->pos, false);

        for (size_t i = 0; r && i < r->names->v.n; i++)
                w->names.v.v[l->pos + i].key = r->names->v.v[i].key;
        look_ahead(w);
}

/* -- directories that do not fit into memory: a record is a name and its DT_* */

static int large_cmp(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen, void *arg)
{
        int c = memcmp(a, b, (alen < blen ? alen : blen) - 1);

        (void)arg;
        if (c)
                return c;
        return alen < blen ? -1 : alen > blen;
}

static uint64_t large_prefix(const uint8_t *rec, size_t len, void *arg)
{
        uint64_t v = 0;

        (void)arg;
        memcpy(&v, rec, len - 1 < sizeof(v) ? len - 1 : sizeof(v));
        return be64toh(v);
}

static int large_new(struct gb_walk *w, struct level *l)
{
        size_t memory = PIECE_MEMORY >> (w->n_large < 8 ? w->n_large : 8);

        l->large = calloc(1, sizeof(*l->large));
        if (!l->large)
                return fail_memory(w);
        w->n_large++;
        l->large->sorter = gb_sorter_new(memory, w->tmpdir, large_cmp, NULL, large_prefix, &w->error);
        return l->large->sorter ? 0 : -1;
}

/* Move the names of the top level, unsorted, to its sorter. */
static int large_push(struct gb_walk *w, struct level *l)
{
        uint8_t rec[GB_NAME_MAX + 1];

        if (!l->large && large_new(w, l) < 0)
                return -1;
        for (size_t i = l->first; i < w->names.v.n; i++) {
                const struct gb_name *name = &w->names.v.v[i];
                size_t len = gb_name_len(name);

                memcpy(rec, gb_name_text(&w->names, name), len);
                rec[len] = gb_name_dtype(name);
                if (gb_sorter_add(l->large->sorter, rec, len + 1, &w->error) < 0)
                        return -1;
        }
        gb_names_cut(&w->names, l->first, l->used);
        return 0;
}

/* The next piece of the top level's names: 1, 0 there is none, -1. */
static int large_piece(struct gb_walk *w, struct level *l)
{
        struct large *g = l->large;
        const uint8_t *rec;
        size_t len;
        int rc = 1;

        gb_names_cut(&w->names, l->first, l->used);
        l->pos = l->ahead = l->first;
        while (w->names.v.n - l->first < PIECE &&
               (rc = gb_sorter_next(g->sorter, &rec, &len, &w->error)) == 1) {
                if (len - 1 == g->last_len && memcmp(rec, g->last, g->last_len) == 0)
                        continue;
                g->last_len = len - 1;
                memcpy(g->last, rec, g->last_len);
                if (gb_names_push(&w->names, g->last, g->last_len, rec[len - 1]) < 0)
                        return fail_memory(w);
        }
        return rc < 0 ? -1 : w->names.v.n > l->first;
}

static int large_sort(struct gb_walk *w, struct level *l)
{
        if (large_push(w, l) < 0 || gb_sorter_finish(l->large->sorter, &w->error) < 0)
                return -1;
        return large_piece(w, l) < 0 ? -1 : 0;
}

static bool too_large(const struct gb_walk *w)
{
        return w->tmpdir && w->names.v.n * sizeof(struct gb_name) + w->names.used > w->names_max;
}

/* -- the steps: 1 go on, 0 nothing left, 2 the deadline passed, -1 error (in w->error) */

/* What was to be resumed below here is gone. */
static void lose_track(struct gb_walk *w)
{
        w->skip_len = 0;
        w->on_skip = false;
}

/* Skip what lies before `after` in the sorted top level. */
static int follow_skip(struct gb_walk *w, struct level *l)
{
        size_t n = component(w->skip, w->skip_len);
        bool exact;
        int rc = 1;

        do
                l->pos = gb_names_find(&w->names, l->first, w->skip, n, &exact);
        while (l->pos == w->names.v.n && l->large && (rc = large_piece(w, l)) == 1);
        if (rc < 0)
                return -1;
        w->on_skip = exact;
        if (!exact || n == w->skip_len) {
                w->skip_len = 0;
        } else {
                w->skip += n + 1;
                w->skip_len -= n + 1;
        }
        return 0;
}

/* The names of the top level are there and sorted. */
static int begin_visit(struct gb_walk *w, struct level *l)
{
        w->state = STATE_VISIT;
        if (w->skip_len > 0 && follow_skip(w, l) < 0)
                return -1;
        if (w->ahead)
                look_ahead(w);
        return 1;
}

static int read_step(struct gb_walk *w, gb_deadline until)
{
        struct level *l = &w->levels.v[w->levels.n - 1];
        int r;

        while ((r = gb_names_read(&w->names, l->fd)) > 0) {
                if (too_large(w) && large_push(w, l) < 0)
                        return -1;
                if (until != GB_NEVER && gb_now_ms() >= until)
                        return 2;
        }
        w->state = STATE_VISIT;
        if (r < 0 && is_weather(errno)) {
                w->vanished++;
                lose_track(w);
                level_pop(w);
                return 1;
        }
        if (r < 0)
                return fail_sys(w, "read directory", l->path_len);
        if (!l->large)
                gb_names_sort(&w->names, l->first);
        else if (large_sort(w, l) < 0)
                return -1;
        return begin_visit(w, l);
}

/* Go into the directory w->path, which others have read: 1, 0 they have not, -1. */
static int enter_ahead(struct gb_walk *w)
{
        size_t top = w->levels.n - 1;
        struct gb_ahead_result *r;
        struct level *l;
        int fd;

        r = w->ahead ? gb_ahead_take(w->ahead, top, w->levels.v[top].pos - 1, true) : NULL;
        if (!r)
                return 0;
        fd = r->fd;
        r->fd = -1;
        if (level_push(w, fd, w->path_len) < 0)
                return -1;
        l = &w->levels.v[w->levels.n - 1];
        l->looked = true;
        if (gb_names_append(&w->names, r->names, 0, r->names->v.n) < 0)
                return fail_memory(w);
        return begin_visit(w, l);
}

static int enter_step(struct gb_walk *w)
{
        const struct level *l = &w->levels.v[w->levels.n - 1];
        size_t base = l->path_len + (l->path_len > 0);
        int at, fd = -1, rc;

        w->state = STATE_VISIT;
        rc = enter_ahead(w);
        if (rc != 0)
                return rc;
        at = level_fd(w);
        if (at >= 0)
                fd = open_dir_at(w, at, w->path + base);
        if (fd < 0) {
                if (!is_weather(errno))
                        return fail_sys(w, "open directory", w->path_len);
                w->vanished++;
                lose_track(w);
                return 1;
        }
        if (level_push(w, fd, w->path_len) < 0)
                return -1;
        w->state = STATE_READ;
        return 1;
}

/* Is there anything to find out about the entry at w->path, or below it? */
static bool wanted(const struct gb_walk *w, const struct gb_entry *e)
{
        if (w->dirs && e->type && e->type != 'd')
                return false;
        if (gb_select_every_path(w->select) || gb_select_has(w->select, w->path, w->path_len))
                return true;
        return (e->type == 'd' || !e->type) && gb_select_below(w->select, w->path, w->path_len);
}

/* Take the next name of the top level; *listed tells whether *e is for the caller. */
static int visit_step(struct gb_walk *w, struct gb_entry *e, bool *listed)
{
        struct level *l = &w->levels.v[w->levels.n - 1];
        const struct gb_name *name = &w->names.v.v[l->pos];
        size_t base = l->path_len + (l->path_len > 0);
        size_t len = gb_name_len(name);
        bool silent = w->on_skip;
        uint64_t verdict;
        int r;

        *listed = false;
        if (begins_looks(w, l, l->pos))
                take_looks(w, l);
        verdict = name->key;
        if (base + len > GB_PATH_MAX)
                return fail_path_limit(w, l->path_len);
        memcpy(w->path + base, gb_name_text(&w->names, name), len);
        w->path_len = base + len;
        w->path[w->path_len] = '\0';
        l->pos++;
        w->passed++;
        w->on_skip = false;

        e->path = w->path;
        e->len = w->path_len;
        e->type = gb_type_of_dtype(gb_name_dtype(name));
        e->has_gfid = false;
        r = wanted(w, e) ? judge(w, l->path_len, w->path + base, verdict, e) : 0;
        if (r == 1 && !gb_select_has(w->select, w->path, w->path_len))
                r = e->type == 'd' ? 2 : 0;
        if (r < 0 && !is_weather(errno))
                return fail_sys(w, "look at", w->path_len);
        if (r < 0)
                w->vanished++;
        if (r > 0 && e->type == 'd')
                w->state = STATE_ENTER;
        else if (silent)
                lose_track(w);
        *listed = r == 1 && !silent;
        return 1;
}

/* `after` tells where in this root to begin: false if nowhere, because it lies before. */
static bool root_wanted(struct gb_walk *w, const struct gb_entry *root, size_t parent_len)
{
        if (w->after_len == 0)
                return true;
        if (gb_path_within(w->after, w->after_len, root->path, root->len)) {
                w->skip = w->after + parent_len + (parent_len > 0);
                w->skip_len = w->after_len - parent_len - (parent_len > 0);
                return true;
        }
        return gb_path_cmp(root->path, root->len, w->after, w->after_len) > 0;
}

/* A root is a level with a single name, in the directory that holds it. */
static int push_root(struct gb_walk *w, const struct gb_entry *root, size_t parent_len)
{
        const char *name = root->path + parent_len + (parent_len > 0);
        size_t len = root->len - (size_t)(name - root->path);
        struct stat st;
        int fd;

        memcpy(w->path, root->path, root->len);
        w->path[root->len] = '\0';
        fd = open_dir(w, root->path, parent_len);
        if (fd < 0 || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                close_fd(&fd);
                return is_weather(errno) ? 1 : fail_sys(w, "look at", root->len);
        }
        if (level_push(w, fd, parent_len) < 0)
                return -1;
        if (gb_names_push(&w->names, name, len, DT_UNKNOWN) < 0)
                return fail_memory(w);
        if (w->skip_len > 0 && follow_skip(w, &w->levels.v[w->levels.n - 1]) < 0)
                return -1;
        return 1;
}

/* The next subtree that was asked for: like a step. */
static int root_step(struct gb_walk *w)
{
        const struct gb_entry *root;
        const char *slash;
        size_t parent_len, n;
        char top[GB_NAME_MAX + 1];
        int r;

        lose_track(w);
        if (w->next_root == w->n_roots)
                return 0;
        root = &w->roots[w->next_root++];
        slash = memrchr(root->path, '/', root->len);
        parent_len = slash ? (size_t)(slash - root->path) : 0;
        if (!root_wanted(w, root, parent_len))
                return 1;
        if (parent_len > 0) {
                n = component(root->path, root->len);
                memcpy(top, root->path, n);
                top[n] = '\0';
                r = is_internal(w, top, 'd');
                if (r < 0 && !is_weather(errno)) {
                        memcpy(w->path, top, n);
                        return fail_sys(w, "look at", n);
                }
                if (r != 0)
                        return 1;
        }
        return push_root(w, root, parent_len);
}

/* The whole brick, once. */
static int brick_step(struct gb_walk *w)
{
        int fd;

        if (w->next_root++ > 0)
                return 0;
        fd = open_dir(w, "", 0);
        if (fd < 0)
                return fail_sys(w, "open directory", 0);
        if (level_push(w, fd, 0) < 0)
                return -1;
        w->skip = w->after;
        w->skip_len = w->after_len;
        w->state = STATE_READ;
        return 1;
}

/* The names of the top level are at their end, or a piece of them is. */
static int leave_step(struct gb_walk *w)
{
        struct level *l = &w->levels.v[w->levels.n - 1];
        int rc = l->large ? large_piece(w, l) : 0;

        if (rc < 0)
                return -1;
        if (rc == 0)
                level_pop(w);
        else if (w->ahead)
                look_ahead(w);
        return 1;
}

/* One step of the machine. */
static int step(struct gb_walk *w, gb_deadline until, struct gb_entry *e, bool *listed)
{
        const struct level *l;

        if (w->levels.n == 0)
                return w->roots ? root_step(w) : brick_step(w);
        if (w->state == STATE_READ)
                return read_step(w, until);
        if (w->state == STATE_ENTER)
                return enter_step(w);
        l = &w->levels.v[w->levels.n - 1];
        if (l->pos == w->names.v.n)
                return leave_step(w);
        if (++w->ticks % TICKS == 0 && until != GB_NEVER && gb_now_ms() >= until)
                return 2;
        return visit_step(w, e, listed);
}

int gb_walk_next(struct gb_walk *w, gb_deadline until, struct gb_entry *e, struct gb_error *err)
{
        bool listed = false;
        int r = 1;

        if (w->error.code != GB_OK)
                r = -1;
        while (r == 1 && !listed)
                r = step(w, until, e, &listed);
        if (r < 0 && err)
                *err = w->error;
        return r;
}

/* -- opening and closing */

static int copy_roots(struct gb_walk *w, const struct gb_walk_options *o, struct gb_error *err)
{
        if (!o->roots)
                return 0;
        w->n_roots = o->n_roots;
        w->roots = gb_arena_alloc(&w->memory, (o->n_roots + 1) * sizeof(*w->roots));
        if (!w->roots)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory for %zu subtrees", o->n_roots);
        for (size_t i = 0; i < o->n_roots; i++) {
                struct gb_entry *to = &w->roots[i];
                char text[600];

                *to = o->roots[i];
                if (!gb_path_valid(to->path, to->len))
                        return gb_error_set(err, GB_ERR_USAGE, "'%s' is no path of a subtree",
                                            shown(to->path, to->len, text));
                if (i > 0 && (gb_path_cmp(to[-1].path, to[-1].len, to->path, to->len) >= 0 ||
                              gb_path_within(to->path, to->len, to[-1].path, to[-1].len)))
                        return gb_error_set(err, GB_ERR_USAGE,
                                            "subtree '%s' is out of order, or inside another",
                                            shown(to->path, to->len, text));
                to->path = gb_arena_dup(&w->memory, to->path, to->len);
                if (!to->path)
                        return gb_error_set(err, GB_ERR_MEMORY, "out of memory for %zu subtrees", o->n_roots);
        }
        return 0;
}

static int copy_after(struct gb_walk *w, const struct gb_walk_options *o, struct gb_error *err)
{
        char text[600];

        if (!o->after || o->after_len == 0)
                return 0;
        if (!gb_path_valid(o->after, o->after_len))
                return gb_error_set(err, GB_ERR_USAGE, "'%s' is no path to go on after",
                                    shown(o->after, o->after_len, text));
        w->after = gb_arena_dup(&w->memory, o->after, o->after_len);
        w->after_len = o->after_len;
        return w->after ? 0 : gb_error_set(err, GB_ERR_MEMORY, "out of memory for a path");
}

/* Without CAP_SYS_ADMIN or /proc every gfid would look absent, every directory vanished. */
static int check_sight(const struct gb_brick *b, struct gb_error *err)
{
        gb_gfid gfid;

        if (gb_get_gfid_at(b->root_fd, ".", &gfid) < 0)
                return gb_error_sys(err, GB_ERR_BRICK_DOWN, "brick %s: cannot read trusted.gfid of its root",
                                    b->path);
        return 0;
}

struct gb_walk *gb_walk_open(const struct gb_brick *b, const struct gb_walk_options *o, struct gb_error *err)
{
        static const struct gb_entry shard_root = {.path = ".shard", .len = 6};
        struct gb_walk_options own = *o;
        struct gb_walk *w = calloc(1, sizeof(*w));

        if (!w) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory for a walk");
                return NULL;
        }
        w->b = b;
        w->rule = (struct gb_look_rule){.linkto = o->linkto,
                                        .since = o->changed_since,
                                        .until = o->changed_until,
                                        .unfit = o->unfit};
        if (o->select)
                w->rule.measure = o->select->measure;
        w->tmpdir = o->tmpdir;
        w->names_max = o->memory ? o->memory : GB_WALK_MEMORY;
        w->gfids = o->gfids;
        w->dirs = o->dirs;
        w->shards = o->shards;
        w->select = o->select;
        if (o->shards) {
                own.roots = &shard_root;
                own.n_roots = 1;
        }
        w->noatime = O_NOATIME;
        gb_arena_init(&w->memory);
        if (gb_names_init(&w->names) < 0) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory for a walk");
                goto fail;
        }
        if (o->threads > 1 && !(w->ahead = gb_ahead_new(&w->rule, o->threads - 1, err)))
                goto fail;
        if (check_sight(b, err) < 0 || copy_roots(w, &own, err) < 0 || copy_after(w, o, err) < 0)
                goto fail;
        return w;
fail:
        gb_walk_close(w);
        return NULL;
}

uint64_t gb_walk_passed(const struct gb_walk *w)
{
        return w->passed;
}

uint64_t gb_walk_vanished(const struct gb_walk *w)
{
        return w->vanished;
}

void gb_walk_close(struct gb_walk *w)
{
        if (!w)
                return;
        while (w->levels.n > 0)
                level_pop(w);
        gb_ahead_free(w->ahead);
        gb_vec_free(&w->levels);
        gb_names_fini(&w->names);
        gb_arena_fini(&w->memory);
        free(w);
}
