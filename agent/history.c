/*
 * history - a brick's change records from a cursor to now.
 *
 * When a window is opened its parts are fixed: the closed slices, in order, and last the live file through
 * a descriptor that was opened before the slices were listed.  A rollover afterwards renames that file but
 * changes nothing for us: the window ends in the bytes it has when its turn comes.
 *
 * The first part of a window is the file that was live when the cursor was taken (if it held records
 * then), so it must begin with the bytes that were read; it is there that records begin as replayed ones.
 *
 * Parts that lie before the cursor whole come first.  What the last window read of them it checked then,
 * so their faults of today are passed over.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "chain.h"
#include "history.h"
#include "slicefile.h"

/* Slice names run up to a second early, and the clock that names them is coarse (facts 3.3). */
#define TIME_SLACK 2
/* Seconds by which clocks differ at least, if they do. */
#define AHEAD_MIN 5
/* rollover-time when glusterd cannot be asked. */
#define ROLLOVER_DEFAULT 15
/* Shortest silence that is a hole. */
#define HOLE_MIN 60
/* Volume changes that stop, off, start, stop, on, start take at least; with only a restart to show for it,
 * and no hole, all six of them are wanted. */
#define CHANGES_WITH_HOLE    4
#define CHANGES_WITH_RESTART 6

#define POLL_MS 100
#define SECOND  INT64_C(1000000000)

enum role {
        ROLE_WINDOW,
        ROLE_ENDED, /* ended at the cursor: its D and M records count */
        ROLE_OLD    /* older: read by the last window, nothing of it counts */
};

struct part {
        struct gb_slice slice;
        bool live;
        bool newest; /* no other of the window was closed later */
        enum role role;
};

struct gb_history {
        const struct gb_brick *b;
        char dir[GB_BRICK_PATH_MAX + 32];
        struct gb_cursor from; /* by_time: only `when` and `last_ts` */
        struct gb_cursor next;
        bool by_time;
        bool replay_all; /* the last window is delivered again */
        int64_t start, end;
        int64_t first, last; /* the same by the clock of names */
        int64_t asked;
        int64_t opened;       /* what was recorded until then is told of, by the kernel's clock */
        int64_t since;        /* what changed after the cursor has a ctime from here on */
        uint32_t brick_flags; /* enum gb_brick_flags */
        struct gb_chain chain;
        GB_VEC(struct part) parts;
        size_t at;
        bool reading;    /* parts[at] is open */
        uint64_t replay; /* bytes of it from before the cursor */
        struct gb_slicefile file;
        uint64_t records;
};

/* What glusterd says of the volume now. */
struct volume_now {
        bool known;
        uint64_t version;
        unsigned rollover;
};

static int64_t kernel_now(void)
{
        return gb_birth_now() / SECOND;
}

static void iso_time(int64_t seconds, char out[32])
{
        time_t t = (time_t)seconds;
        struct tm tm;

        if (!gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
                snprintf(out, 32, "%" PRId64, seconds);
}

/* Bring a bare reason into the form that a user reads; other errors only get the brick. */
static int explain(const struct gb_history *h, struct gb_error *err)
{
        char reason[GB_TEXT_MAX], from[32], to[32];

        if (!err)
                return -1;
        if (err->code != GB_ERR_GAP)
                return gb_error_prefix(err, "%.512s", h->b->path);
        memcpy(reason, err->text, sizeof(reason));
        iso_time(h->by_time ? h->start : h->from.when, from);
        iso_time(h->by_time && h->end ? h->end : (int64_t)time(NULL), to);
        return gb_error_set(err, GB_ERR_GAP, "%.512s: history from %s to %s: %.400s; run a full list",
                            h->b->path, from, to, reason);
}

static int set_dir(const struct gb_brick *b, char *dir, size_t size, struct gb_error *err)
{
        int n = snprintf(dir, size, "%s/.glusterfs/changelogs", b->path);

        if (n < 0 || (size_t)n >= size)
                return gb_error_set(err, GB_ERR_LIMIT, "brick path is longer than %d bytes",
                                    GB_BRICK_PATH_MAX);
        return 0;
}

static int check_options(const struct gb_changelog_options *o, const char *dir, struct gb_error *err)
{
        if (!o->active)
                return gb_error_set(err, GB_ERR_CHANGELOG_OFF, "changelog is off");
        if (o->rollover < 2)
                return gb_error_set(err, GB_ERR_GAP,
                                    "changelog.rollover-time is %u: below 2 slices overwrite each other",
                                    o->rollover);
        if (!o->dir || strcmp(o->dir, dir) != 0)
                return gb_error_set(err, GB_ERR_GAP, "changelog.changelog-dir is %.256s, not the default",
                                    o->dir ? o->dir : "unknown");
        return 0;
}

/* The options and the version; without glusterd nothing is checked. */
static int ask_glusterd(const struct gb_brick *b, const struct gb_glusterd *gd, const char *dir,
                        struct volume_now *now, struct gb_error *err)
{
        struct gb_changelog_options o = {0};
        struct gb_brick_file file = {0};
        struct gb_volume_file volume;
        int rc;

        *now = (struct volume_now){false, b->volume_version, ROLLOVER_DEFAULT};
        if (!gd)
                return 0;
        if (gb_glusterd_volume(gd, b->volume, &volume, err) < 0)
                return -1;
        rc = gb_glusterd_brick(gd, b->volume, b->path, &file, err);
        if (rc < 0)
                return -1;
        if (rc == 0)
                return gb_error_set(err, GB_ERR_NO_BRICK, "not a brick of volume %.256s here", b->volume);
        rc = gb_glusterd_changelog_options(gd, b->volume, &file, &o, err);
        gb_brick_file_fini(&file);
        if (rc < 0)
                return -1;
        rc = check_options(&o, dir, err);
        *now = (struct volume_now){true, volume.version, o.rollover};
        gb_changelog_options_fini(&o);
        return rc;
}

static int add_part(struct gb_history *h, const struct gb_slice *s, enum role role, struct gb_error *err)
{
        struct part p = {.live = !s, .role = role};

        if (s)
                p.slice = *s;
        if (gb_vec_push(&h->parts, p) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "no memory for the list of slices");
        return 0;
}

/*
 * A hole in the heartbeat is a brick that was down, which loses nothing; unless changelog was switched off,
 * the brick started, stopped, changelog switched on.  The brick's log tells, or else the number of volume
 * changes.
 */
static int check_holes(const struct gb_history *h, const struct volume_now *now, int64_t to,
                       struct gb_error *err)
{
        int64_t limit = 3 * (int64_t)now->rollover > HOLE_MIN ? 3 * (int64_t)now->rollover : HOLE_MIN;
        uint64_t changes = now->version - h->from.volume_version;
        int64_t since, hole;
        unsigned restarts, on, off;
        char at[32];
        bool log;

        if (!now->known)
                return 0;
        hole = gb_chain_longest_hole(&h->chain, h->from.last_ts, to, &since);
        restarts = gb_chain_restarts(&h->chain);
        iso_time(since, at);
        if (h->by_time && hole > limit)
                return gb_error_set(err, GB_ERR_GAP,
                                    "no sign of the brick for %" PRId64 " s from %s, and no way to know that "
                                    "changelog stayed on",
                                    hole, at);
        if (h->by_time)
                return 0;
        if (now->version < h->from.volume_version)
                return gb_error_set(err, GB_ERR_GAP,
                                    "the volume's version went back from %" PRIu64 " to %" PRIu64,
                                    h->from.volume_version, now->version);
        log = gb_bricklog_starts(h->b->path, &h->from.log, &on, &off);
        if (log && off)
                return gb_error_set(err, GB_ERR_GAP,
                                    "the brick was started with changelog off, as its log says");
        if (log && on >= restarts)
                return 0;
        if (restarts && changes >= (hole > limit ? CHANGES_WITH_HOLE : CHANGES_WITH_RESTART))
                return gb_error_set(err, GB_ERR_GAP,
                                    "no sign of the brick for %" PRId64 " s from %s while the volume was "
                                    "changed %" PRIu64 " times: changelog may have been off",
                                    hole, at, changes);
        return 0;
}

static int add_window(struct gb_history *h, struct gb_error *err)
{
        const struct gb_chain *c = &h->chain;

        for (size_t i = 0; i < c->window.n; i++)
                if (c->window.v[i]->file && add_part(h, c->window.v[i], ROLE_WINDOW, err) < 0)
                        return -1;
        if (c->window.n && c->window.v[c->window.n - 1]->file)
                h->parts.v[h->parts.n - 1].newest = true;
        return 0;
}

static bool in_window(const struct gb_chain *c, const struct gb_slice *s)
{
        for (size_t i = 0; i < c->window.n; i++)
                if (c->window.v[i] == s)
                        return true;
        return false;
}

static int open_from_cursor(struct gb_history *h, const struct gb_history_options *o, struct gb_error *err)
{
        const struct gb_cursor *from = &h->from;
        struct gb_chain *c = &h->chain;
        int64_t since = from->last_ts - 1, born = from->live_born;

        if (!gb_gfid_eq(&from->node, &h->b->node))
                return gb_error_set(err, GB_ERR_GAP, "the brick was on another node");
        if (strcmp(from->brick, h->b->path) != 0)
                return gb_error_set(err, GB_ERR_GAP, "the cursor is of brick %.256s", from->brick);
        if (from->last_ts < 1 || from->htime_len < 1)
                return gb_error_set(err, GB_ERR_USAGE, "the cursor has no place in HTIME");
        h->replay_all = o->reread && from->prev_ts > 0;
        if (h->replay_all && from->prev_ts < since)
                since = from->prev_ts;
        if (h->replay_all && from->prev_born && from->prev_born < born)
                born = from->prev_born;
        if (gb_chain_open(h->dir, since, born, NULL, from->htime_len, c, err) < 0 ||
            gb_chain_follow(c, from, err) < 0 || gb_chain_check_htime(c, err) < 0)
                return -1;
        for (size_t i = 0; o->reread && i < c->slices.slices.n; i++) {
                const struct gb_slice *s = &c->slices.slices.v[i];

                enum role role = s->ts == from->last_ts ? ROLE_ENDED : ROLE_OLD;

                if (!s->file || in_window(c, s))
                        continue;
                if ((role == ROLE_ENDED || (h->replay_all && gb_chain_was_read(s, from))) &&
                    add_part(h, s, role, err) < 0)
                        return -1;
        }
        if (!c->slices.last_ts)
                c->newest = from->last_ts;
        return add_window(h, err);
}

/* Which HTIME file covers the window: the one in use, or an older one that ended after it. */
static int choose_htime(struct gb_history *h, bool *current, struct gb_error *err)
{
        struct gb_slices *s = &h->chain.slices;
        char name[GB_HTIME_NAME];
        int64_t next;
        int rc;

        *current = true;
        if (!s->htime.name[0])
                return gb_error_set(err, GB_ERR_GAP, "there is no HTIME file");
        if (s->htime.started <= h->first)
                return 0;
        rc = gb_slices_htime_of(s, h->first, name, &next, err);
        if (rc < 0)
                return -1;
        if (rc == 0)
                return gb_error_set(err, GB_ERR_GAP, "there is no history before %" PRId64, next);
        if (!h->last || h->last >= next)
                return gb_error_set(err, GB_ERR_GAP, "changelog was switched off and on at %" PRId64, next);
        gb_chain_close(&h->chain);
        *current = false;
        if (gb_chain_open(h->dir, h->first - TIME_SLACK - 1, 0, name, 0, &h->chain, err) < 0)
                return -1;
        if (h->chain.slices.last_ts < h->last)
                return gb_error_set(err, GB_ERR_GAP, "changelog was switched off at %" PRId64,
                                    h->chain.slices.last_ts);
        return 0;
}

/* The slice that ends the window by time was taken: the cursor stands behind it. */
static void stop_at(struct gb_history *h, int64_t ts)
{
        const struct gb_htime *t = &h->chain.slices.htime;

        h->next.last_ts = ts;
        for (size_t i = 0; i < t->entries.n && t->entries.v[i].ts <= ts; i++)
                h->next.htime_len = t->entries.v[i].end;
}

/* How far the clock that names slices is ahead of the asking one: the last rollover tells. */
static int64_t names_ahead(const struct gb_history *h)
{
        const struct gb_slices *s = &h->chain.slices;
        int64_t now = gb_birth_now(), ahead;

        if (!h->asked || !s->last_ts || !s->htime_changed || now < s->htime_changed)
                return 0;
        ahead = s->last_ts - (h->asked - (now - s->htime_changed) / 1000000000);
        return ahead > AHEAD_MIN || ahead < -AHEAD_MIN ? ahead : 0;
}

/*
 * The window by the clock of names, if that is another.  It must have run evenly since then: had it been set
 * meanwhile, it would have been another clock at the beginning.
 */
static int map_times(struct gb_history *h, struct gb_error *err)
{
        int64_t ahead = names_ahead(h), since, hole;
        struct gb_chain *c = &h->chain;

        if (!ahead)
                return 0;
        h->first += ahead - AHEAD_MIN;
        h->last += h->last ? ahead + AHEAD_MIN : 0;
        since = h->first < h->start ? h->first : h->start;
        if (since < 1 || h->first < 1)
                return gb_error_set(err, GB_ERR_GAP, "the clock of the brick is %" PRId64 " s off", ahead);
        gb_chain_close(c);
        if (gb_chain_open(h->dir, since - TIME_SLACK - 1, 0, NULL, 0, c, err) < 0 ||
            gb_chain_from(c, since - TIME_SLACK, 0, err) < 0)
                return -1;
        hole = c->window.n ? gb_chain_longest_hole(c, c->window.v[0]->ts, c->slices.last_ts, &since) : 0;
        c->window.n = 0;
        if (hole > HOLE_MIN)
                return gb_error_set(err, GB_ERR_GAP,
                                    "the clock of the brick is %" PRId64 " s off, and may have been another "
                                    "before",
                                    ahead);
        return 0;
}

static int open_by_time(struct gb_history *h, bool *with_live, struct gb_error *err)
{
        struct gb_chain *c = &h->chain;
        bool current;

        if (gb_chain_open(h->dir, h->first - TIME_SLACK - 1, 0, NULL, 0, c, err) < 0 ||
            map_times(h, err) < 0 || choose_htime(h, &current, err) < 0)
                return -1;
        if (gb_chain_check_htime(c, err) < 0 ||
            gb_chain_from(c, h->first - TIME_SLACK, h->last ? h->last + TIME_SLACK : 0, err) < 0)
                return -1;
        h->from.last_ts = c->first ? c->slices.htime.entries.v[c->first - 1].ts : c->slices.htime.started;
        while (!current && c->window.n && c->window.v[c->window.n - 1]->ts > c->slices.last_ts)
                c->window.n--;
        if (c->window.n)
                stop_at(h, c->window.v[c->window.n - 1]->ts);
        *with_live = current &&
                     !(h->last && c->window.n && c->window.v[c->window.n - 1]->ts >= h->last + TIME_SLACK);
        return add_window(h, err);
}

static void fill_next(struct gb_history *h, const struct volume_now *now, bool with_live)
{
        struct gb_cursor *n = &h->next;
        const struct gb_slices *s = &h->chain.slices;

        memcpy(n->htime, s->htime.name, sizeof(n->htime));
        memcpy(n->brick, h->b->path, strlen(h->b->path) + 1);
        n->node = h->b->node;
        n->volume_version = now->version;
        n->when = kernel_now();
        if (!h->by_time) { /* a slice closed in the second of the cursor is part of this window */
                n->prev_ts = h->from.last_ts - h->chain.take_since;
                n->prev_born = h->from.live_born;
        }
        if (with_live) {
                n->htime_len = s->htime.size;
                n->htime_ts = s->last_ts;
                n->last_ts = h->chain.newest;
                n->live_ino = h->chain.live.ino;
                n->live_born = h->chain.live.born;
        }
}

/*
 * A brick that was cut off from clients, and not restarted, has no mark of it in its changelog.  But its log
 * says that clients came back, and the index of heals of its siblings changed when they noted what it missed.
 * The clock of the kernel is compared with that of the kernel: live_born is from before the cursor.
 */
static uint32_t watch_brick(const struct gb_history *h)
{
        uint32_t flags = gb_chain_restarts(&h->chain) > 0 ? GB_BRICK_RESTARTED : 0;
        struct stat st;

        if (!h->by_time && gb_bricklog_reconnected(h->b->path, &h->from.log))
                flags |= GB_BRICK_RECONNECTED;
        if (fstatat(h->b->handles_fd, "indices/xattrop", &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? flags : flags | GB_BRICK_ACCUSES;
        if (h->by_time || st.st_ctim.tv_sec * SECOND + st.st_ctim.tv_nsec >= h->from.live_born)
                flags |= GB_BRICK_ACCUSES;
        return flags;
}

/*
 * ctimes are of the kernel's clock, and so is `when`.  If that clock was set back since, files may have
 * changed "before" the window: then it goes back to the earliest time that the window has seen, and a
 * rollover more, since nothing is seen more often.
 */
static int64_t first_ctime(const struct gb_history *h, unsigned rollover)
{
        const struct gb_chain *c = &h->chain;
        int64_t least = h->opened;

        if (h->by_time)
                return 0;
        for (size_t i = c->first; i < c->slices.htime.entries.n; i++)
                if (c->slices.htime.entries.v[i].ts < least)
                        least = c->slices.htime.entries.v[i].ts;
        for (size_t i = 0; i < c->window.n; i++)
                if (c->window.v[i]->ts < least)
                        least = c->window.v[i]->ts;
        if (least + AHEAD_MIN > h->from.when)
                return h->from.when;
        least -= rollover + TIME_SLACK;
        return least > 1 ? least : 1;
}

static int open_window(struct gb_history *h, const struct gb_glusterd *gd, const struct gb_history_options *o,
                       struct gb_error *err)
{
        struct volume_now before, after;
        bool with_live = true;
        int64_t to;
        int rc;

        h->opened = kernel_now();
        h->next.log = gb_bricklog_now(h->b->path);
        /* The version that the next cursor keeps is from before the snapshot, the one compared with this
         * cursor from after it: a change in between counts in both windows rather than in none. */
        if (ask_glusterd(h->b, gd, h->dir, &before, err) < 0)
                return -1;
        rc = h->by_time ? open_by_time(h, &with_live, err) : open_from_cursor(h, o, err);
        if (rc < 0 || ask_glusterd(h->b, gd, h->dir, &after, err) < 0)
                return -1;
        to = with_live ? (int64_t)time(NULL) : h->next.last_ts;
        if (gb_chain_check_slices(&h->chain, h->by_time ? NULL : &h->from, with_live, after.rollover, err) <
                    0 ||
            check_holes(h, &after, to, err) < 0)
                return -1;
        h->brick_flags = watch_brick(h);
        h->since = first_ctime(h, after.rollover);
        fill_next(h, &before, with_live);
        if (with_live && h->chain.live_fd >= 0 && add_part(h, NULL, ROLE_WINDOW, err) < 0)
                return -1;
        if (!h->by_time && h->from.live_len &&
            (h->parts.n == 0 || h->parts.v[h->parts.n - 1].role != ROLE_WINDOW))
                return gb_error_set(err, GB_ERR_GAP, "the CHANGELOG read before is gone");
        return 0;
}

static int check_request(const struct gb_history_options *o, struct gb_error *err)
{
        if (o->from)
                return 0;
        if (o->start < 1 || o->start > (o->asked ? o->asked : (int64_t)time(NULL)))
                return gb_error_set(err, GB_ERR_USAGE,
                                    "the window begins in the future or before 1970: %" PRId64, o->start);
        if (o->end && o->end < o->start)
                return gb_error_set(err, GB_ERR_USAGE,
                                    "the window ends before it begins: %" PRId64 " < %" PRId64, o->end,
                                    o->start);
        return 0;
}

struct gb_history *gb_history_open(const struct gb_brick *b, const struct gb_glusterd *gd,
                                   const struct gb_history_options *o, struct gb_error *err)
{
        struct gb_history *h;

        if (check_request(o, err) < 0)
                return NULL;
        h = calloc(1, sizeof(*h));
        if (!h) {
                gb_error_set(err, GB_ERR_MEMORY, "no memory to read history");
                return NULL;
        }
        h->b = b;
        h->by_time = !o->from;
        h->start = o->start;
        h->end = o->end;
        h->first = h->start;
        h->last = h->end;
        h->asked = o->asked;
        h->chain.live_fd = h->chain.slices.dir_fd = h->file.fd = -1;
        if (o->from)
                h->from = *o->from;
        if (set_dir(b, h->dir, sizeof(h->dir), err) < 0 || gb_slicefile_init(&h->file, err) < 0)
                goto fail;
        if (open_window(h, gd, o, err) < 0) {
                explain(h, err);
                goto fail;
        }
        return h;
fail:
        gb_history_close(h);
        return NULL;
}

uint32_t gb_history_brick_flags(const struct gb_history *h)
{
        return h->brick_flags;
}

void gb_history_close(struct gb_history *h)
{
        if (!h)
                return;
        gb_slicefile_fini(&h->file);
        gb_chain_close(&h->chain);
        gb_vec_free(&h->parts);
        free(h);
}

static int open_part_fd(struct gb_history *h, const struct part *p, const char *name, struct gb_error *err)
{
        int fd;

        if (p->live) {
                fd = fcntl(h->chain.live_fd, F_DUPFD_CLOEXEC, 0);
                return fd >= 0 ? fd : gb_error_sys(err, GB_ERR_SYSTEM, "cannot use the live CHANGELOG");
        }
        fd = openat(h->chain.slices.dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return gb_error_set(err, GB_ERR_GAP, "slice %s is missing", name);
        return fd >= 0 ? fd : gb_error_sys(err, GB_ERR_SYSTEM, "cannot open slice %s", name);
}

/* The file that was live at the cursor begins with the bytes that were read then. */
static int check_prefix(struct gb_history *h, const char *name, struct gb_error *err)
{
        uint64_t hash;

        if (h->file.size >= h->from.live_len) {
                if (gb_slicefile_prefix(&h->file, h->from.live_len, &hash, err) < 0)
                        return -1;
                if (hash == h->from.live_hash)
                        return 0;
        }
        return gb_error_set(err, GB_ERR_GAP, "slice %s is not the one read before: overwritten or removed",
                            name);
}

static bool is_first(const struct gb_history *h)
{
        return !h->by_time && h->parts.v[h->at].role == ROLE_WINDOW &&
               (h->at == 0 || h->parts.v[h->at - 1].role != ROLE_WINDOW);
}

/* Did the last window read the part in hand whole? */
static bool was_read(const struct gb_history *h)
{
        const struct part *p = &h->parts.v[h->at];

        return p->role != ROLE_WINDOW && h->replay_all && gb_chain_was_read(&p->slice, &h->from);
}

/* 1 open, 0 a live file without a record yet. */
static int begin_part(struct gb_history *h, struct gb_error *err)
{
        const struct part *p = &h->parts.v[h->at];
        char name[GB_SLICE_NAME] = "CHANGELOG (live)";
        int fd;

        if (!p->live)
                gb_slice_name(&p->slice, name);
        else
                h->next.when = kernel_now();
        fd = open_part_fd(h, p, name, err);
        if (fd < 0 || gb_slicefile_open(&h->file, fd, name, err) < 0)
                return -1;
        h->replay = 0;
        if (is_first(h) && h->from.live_len) {
                if (check_prefix(h, name, err) < 0)
                        return -1;
                h->replay = h->from.live_len;
        }
        if (p->live && h->file.size < GB_CHANGELOG_HEADER)
                return 0; /* created, its header not yet written */
        h->reading = true;
        return 1;
}

static int end_part(struct gb_history *h, bool torn, struct gb_error *err)
{
        const struct part *p = &h->parts.v[h->at];
        uint64_t offset = gb_slicefile_offset(&h->file);

        if (torn && !p->live)
                return gb_error_set(err, GB_ERR_GAP, "%s ends inside a record, at offset %" PRIu64,
                                    h->file.what, offset);
        if (offset < h->replay)
                return gb_error_set(err, GB_ERR_GAP, "%s is not the one read before", h->file.what);
        if (p->live && offset > h->file.parser.header_len) {
                h->next.live_len = offset;
                h->next.live_hash = gb_slicefile_hash(&h->file);
        }
        h->reading = false;
        h->at++;
        return 0;
}

/* The record in hand begins at `offset`.  False: it is not to be delivered. */
static bool classify(const struct gb_history *h, uint64_t offset, struct gb_history_record *r)
{
        const struct part *p = &h->parts.v[h->at];
        bool event = r->record.type == 'E';

        r->ts = p->live ? 0 : p->slice.ts;
        r->replay = p->role != ROLE_WINDOW || offset < h->replay;
        r->before = r->replay && (event || p->role == ROLE_OLD);
        r->recent = !r->replay && (p->live || p->newest);
        if (!r->replay || !event)
                return true;
        return p->role == ROLE_WINDOW ? h->replay_all : was_read(h);
}

/* 1 a record, 0 the part is done, -1. */
static int next_of_part(struct gb_history *h, struct gb_history_record *r, struct gb_error *err)
{
        for (;;) {
                uint64_t offset = gb_slicefile_offset(&h->file);
                int rc = gb_slicefile_next(&h->file, &r->record, err);

                if (rc < 0)
                        return -1;
                if (rc != 1)
                        return end_part(h, rc == 2, err);
                if (classify(h, offset, r))
                        return 1;
        }
}

int gb_history_next(struct gb_history *h, struct gb_history_record *r, struct gb_error *err)
{
        struct gb_error own;

        if (!err)
                err = &own;
        while (h->at < h->parts.n) {
                int rc = h->reading ? 1 : begin_part(h, err);

                if (rc > 0)
                        rc = next_of_part(h, r, err);
                else if (rc == 0)
                        h->at++;
                if (rc < 0 && err->code == GB_ERR_GAP && was_read(h)) {
                        h->reading = false;
                        h->at++;
                        continue;
                }
                if (rc < 0)
                        return explain(h, err);
                if (rc > 0) {
                        h->records++;
                        return 1;
                }
        }
        gb_slicefile_close(&h->file);
        return 0;
}

const struct gb_cursor *gb_history_cursor(const struct gb_history *h)
{
        return &h->next;
}

void gb_history_window(const struct gb_history *h, int64_t *from, int64_t *to)
{
        *from = h->by_time ? h->start : h->since;
        *to = h->by_time && h->end && h->end < h->opened ? h->end : h->opened;
}

/* prev_ts may be of another clock, or of one that was set back since. */
int64_t gb_history_before(const struct gb_history *h)
{
        int64_t at = h->from.prev_ts - TIME_SLACK;

        if (h->by_time || at <= 0)
                return 0;
        if (h->from.prev_born && h->from.prev_born / SECOND < at)
                at = h->from.prev_born / SECOND;
        return h->since < at ? h->since : at;
}

uint64_t gb_history_records(const struct gb_history *h)
{
        return h->records;
}

/* The whole records of the live file, into the cursor. */
static int pass_live(struct gb_chain *c, struct gb_cursor *out, struct gb_error *err)
{
        struct gb_slicefile f;
        struct gb_record r;
        int rc, fd;

        if (c->live_fd < 0)
                return 0;
        if (gb_slicefile_init(&f, err) < 0)
                return -1;
        fd = gb_steal_fd(&c->live_fd);
        rc = gb_slicefile_open(&f, fd, "CHANGELOG (live)", err);
        if (rc == 0 && f.size >= GB_CHANGELOG_HEADER) {
                while ((rc = gb_slicefile_next(&f, &r, err)) == 1)
                        ;
                if (rc >= 0 && gb_slicefile_offset(&f) > f.parser.header_len) {
                        out->live_len = gb_slicefile_offset(&f);
                        out->live_hash = gb_slicefile_hash(&f);
                }
        }
        gb_slicefile_fini(&f);
        return rc < 0 ? -1 : 0;
}

/* 1 done, 0 not recording yet, or HTIME has no entry yet, or (in *err) the live file is damaged: the next one
 * will not be. */
static int try_cursor(const struct gb_brick *b, const struct gb_glusterd *gd, struct gb_cursor *out,
                      struct gb_error *err)
{
        struct gb_history h = {.b = b, .chain = {.live_fd = -1, .slices.dir_fd = -1}};
        struct volume_now now;
        int rc;

        h.next.log = gb_bricklog_now(b->path);
        if (set_dir(b, h.dir, sizeof(h.dir), err) < 0 || ask_glusterd(b, gd, h.dir, &now, err) < 0)
                return -1;
        if (gb_chain_open(h.dir, (int64_t)time(NULL), 0, NULL, GB_HTIME_TAIL, &h.chain, err) < 0)
                return -1;
        rc = h.chain.slices.last_ts > 0;
        if (rc) { /* once more, now that it is known from when on files matter */
                int64_t since = h.chain.slices.last_ts - 1;

                gb_chain_close(&h.chain);
                if (gb_chain_open(h.dir, since, 0, NULL, GB_HTIME_TAIL, &h.chain, err) < 0)
                        return -1;
                /* Without a live file nothing is recorded: just switched on, the brick not yet told. */
                rc = h.chain.slices.last_ts > 0 && h.chain.live_fd >= 0;
        }
        if (rc) {
                fill_next(&h, &now, true);
                if (pass_live(&h.chain, &h.next, err) == 0)
                        *out = h.next;
                else
                        rc = err->code == GB_ERR_GAP ? 0 : -1;
        }
        gb_chain_close(&h.chain);
        return rc;
}

int gb_cursor_now(const struct gb_brick *b, const struct gb_glusterd *gd, gb_deadline until,
                  struct gb_cursor *out, struct gb_error *err)
{
        struct gb_error own;

        if (!err)
                err = &own;
        for (;;) {
                int rc;
                struct timespec pause = {0, POLL_MS * 1000000L};

                err->code = GB_OK;
                rc = try_cursor(b, gd, out, err);
                if (rc > 0)
                        return 0;
                if (rc < 0 || (err->code && gb_deadline_left(until) == 0))
                        return gb_error_prefix(err, "%.512s", b->path);
                if (gb_deadline_left(until) == 0)
                        return gb_error_set(err, GB_ERR_TIMEOUT,
                                            "%.512s: changelog has not closed its first slice yet", b->path);
                nanosleep(&pause, NULL);
        }
}
