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
 * With several threads, what comes next is announced to ahead.[ch] whenever there is room: directories among
 * the names of the top level and, for what is left, of the levels above it; and in a directory that was not
 * read ahead itself, names that need a look.
 *
 * What is missing when we look for it was deleted: weather, counted.  Everything else that keeps us
 * from reading a directory is an error, because a list that misses names in silence is no list.
 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/order.h"
#include "walk_core.h"

enum {
        LEVELS_AHEAD = 4, /* levels whose directories are read ahead: the top one and those above it */
        LOOKS_MIN = 64,   /* names that are worth being looked at by others */
        TICKS = 256       /* entries between two looks at the clock */
};

#define ANONYMOUS_NAME ".glusterfs-anonymous-inode-"

static int fail_path_limit(struct gb_walk *w, size_t dir_len)
{
        char text[600];

        return gb_error_set(&w->error, GB_ERR_LIMIT,
                            "brick %s: directory '%s' has a name that makes a path of "
                            "more than %d bytes",
                            w->b->path, gb_walk_shown(w->path, dir_len, text), GB_PATH_MAX);
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

        if ((look || w->gfids) && (fd = gb_walk_fd(w)) < 0)
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
static bool begins_looks(const struct gb_walk *w, const struct gb_walk_level *l, size_t index)
{
        return w->ahead && !l->looked && gb_look_asks(&w->rule) && (index - l->first) % GB_AHEAD_LOOKS == 0;
}

/* Announce what there is at the name l->ahead.  -1: no more for now. */
static int announce(struct gb_walk *w, size_t level, size_t end)
{
        struct gb_walk_level *l = &w->levels.v[level];
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
                                GB_WALK_DIR_FLAGS | w->noatime) < 0)
                return -1;
        l->ahead++;
        return 0;
}

/* Announce what comes next: in the top level, then in those above it. */
static void look_ahead(struct gb_walk *w)
{
        for (size_t i = w->levels.n; i-- > w->open_from && i + LEVELS_AHEAD >= w->levels.n;) {
                struct gb_walk_level *l = &w->levels.v[i];
                size_t end = level_end(w, i);

                if (l->ahead < l->pos)
                        l->ahead = l->pos;
                while (l->fd >= 0 && l->ahead < end && announce(w, i, end) == 0)
                        ;
        }
}

/* Verdicts on a group of names that begins at the next name to visit. */
static void take_looks(struct gb_walk *w, const struct gb_walk_level *l)
{
        const struct gb_ahead_result *r = gb_ahead_take(w->ahead, w->levels.n - 1, l->pos, false);

        for (size_t i = 0; r && i < r->names->v.n; i++)
                w->names.v.v[l->pos + i].key = r->names->v.v[i].key;
        look_ahead(w);
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
static int follow_skip(struct gb_walk *w, struct gb_walk_level *l)
{
        size_t n = gb_walk_component(w->skip, w->skip_len);
        bool exact;
        int rc = 1;

        do
                l->pos = gb_names_find(&w->names, l->first, w->skip, n, &exact);
        while (l->pos == w->names.v.n && l->large && (rc = gb_walk_large_piece(w, l)) == 1);
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
static int begin_visit(struct gb_walk *w, struct gb_walk_level *l)
{
        w->state = GB_WALK_VISIT;
        if (w->skip_len > 0 && follow_skip(w, l) < 0)
                return -1;
        if (w->ahead)
                look_ahead(w);
        return 1;
}

static int read_step(struct gb_walk *w, gb_deadline until)
{
        struct gb_walk_level *l = &w->levels.v[w->levels.n - 1];
        int r;

        while ((r = gb_names_read(&w->names, l->fd)) > 0) {
                if (too_large(w) && gb_walk_large_push(w, l) < 0)
                        return -1;
                if (until != GB_NEVER && gb_now_ms() >= until)
                        return 2;
        }
        w->state = GB_WALK_VISIT;
        if (r < 0 && gb_walk_is_weather(errno)) {
                w->vanished++;
                lose_track(w);
                gb_walk_pop(w);
                return 1;
        }
        if (r < 0)
                return gb_walk_fail_sys(w, "read directory", l->path_len);
        if (!l->large)
                gb_names_sort(&w->names, l->first);
        else if (gb_walk_large_sort(w, l) < 0)
                return -1;
        return begin_visit(w, l);
}

/* Go into the directory w->path, which others have read: 1, 0 they have not, -1. */
static int enter_ahead(struct gb_walk *w)
{
        size_t top = w->levels.n - 1;
        struct gb_ahead_result *r;
        struct gb_walk_level *l;
        int fd;

        r = w->ahead ? gb_ahead_take(w->ahead, top, w->levels.v[top].pos - 1, true) : NULL;
        if (!r)
                return 0;
        fd = r->fd;
        r->fd = -1;
        if (gb_walk_push(w, fd, w->path_len) < 0)
                return -1;
        l = &w->levels.v[w->levels.n - 1];
        l->looked = true;
        if (gb_names_append(&w->names, r->names, 0, r->names->v.n) < 0)
                return gb_walk_fail_memory(w);
        return begin_visit(w, l);
}

static int enter_step(struct gb_walk *w)
{
        const struct gb_walk_level *l = &w->levels.v[w->levels.n - 1];
        size_t base = l->path_len + (l->path_len > 0);
        int at, fd = -1, rc;

        w->state = GB_WALK_VISIT;
        rc = enter_ahead(w);
        if (rc != 0)
                return rc;
        at = gb_walk_fd(w);
        if (at >= 0)
                fd = gb_walk_open_at(w, at, w->path + base);
        if (fd < 0) {
                if (!gb_walk_is_weather(errno))
                        return gb_walk_fail_sys(w, "open directory", w->path_len);
                w->vanished++;
                lose_track(w);
                return 1;
        }
        if (gb_walk_push(w, fd, w->path_len) < 0)
                return -1;
        w->state = GB_WALK_READ;
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
        struct gb_walk_level *l = &w->levels.v[w->levels.n - 1];
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
        if (r < 0 && !gb_walk_is_weather(errno))
                return gb_walk_fail_sys(w, "look at", w->path_len);
        if (r < 0)
                w->vanished++;
        if (r > 0 && e->type == 'd')
                w->state = GB_WALK_ENTER;
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
        fd = gb_walk_open_dir(w, root->path, parent_len);
        if (fd < 0 || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                gb_walk_close_fd(&fd);
                return gb_walk_is_weather(errno) ? 1 : gb_walk_fail_sys(w, "look at", root->len);
        }
        if (gb_walk_push(w, fd, parent_len) < 0)
                return -1;
        if (gb_names_push(&w->names, name, len, DT_UNKNOWN) < 0)
                return gb_walk_fail_memory(w);
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
                n = gb_walk_component(root->path, root->len);
                memcpy(top, root->path, n);
                top[n] = '\0';
                r = is_internal(w, top, 'd');
                if (r < 0 && !gb_walk_is_weather(errno)) {
                        memcpy(w->path, top, n);
                        return gb_walk_fail_sys(w, "look at", n);
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
        fd = gb_walk_open_dir(w, "", 0);
        if (fd < 0)
                return gb_walk_fail_sys(w, "open directory", 0);
        if (gb_walk_push(w, fd, 0) < 0)
                return -1;
        w->skip = w->after;
        w->skip_len = w->after_len;
        w->state = GB_WALK_READ;
        return 1;
}

/* The names of the top level are at their end, or a piece of them is. */
static int leave_step(struct gb_walk *w)
{
        struct gb_walk_level *l = &w->levels.v[w->levels.n - 1];
        int rc = l->large ? gb_walk_large_piece(w, l) : 0;

        if (rc < 0)
                return -1;
        if (rc == 0)
                gb_walk_pop(w);
        else if (w->ahead)
                look_ahead(w);
        return 1;
}

/* One step of the machine. */
static int step(struct gb_walk *w, gb_deadline until, struct gb_entry *e, bool *listed)
{
        const struct gb_walk_level *l;

        if (w->levels.n == 0)
                return w->roots ? root_step(w) : brick_step(w);
        if (w->state == GB_WALK_READ)
                return read_step(w, until);
        if (w->state == GB_WALK_ENTER)
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

uint64_t gb_walk_passed(const struct gb_walk *w)
{
        return w->passed;
}

uint64_t gb_walk_vanished(const struct gb_walk *w)
{
        return w->vanished;
}
