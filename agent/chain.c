/*
 * chain - the slices of a brick at one instant, and whether nothing is missing between them.
 *
 * The hard part is the second: slices are named by it, and two things can happen in one.  Order is therefore
 * taken from the place in HTIME, names are only compared for equality, and the live file's
 * inode tells whether a file that bears the cursor's own ts is the live file of then.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "chain.h"

#define LIVE "CHANGELOG"

/* How often a snapshot is tried, and for how long a live file may be away: during a rollover it is. */
#define TRIES    60
#define AWAY_MAX 10
#define PAUSE_MS 50

/* A slice from further in the future than this was named by a clock that has been set back. */
#define FUTURE 60

static void pause_ms(long ms)
{
        struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

        nanosleep(&ts, NULL);
}

/* 1 opened, 0 there is none. */
static int open_live(const char *dir, struct gb_chain *c, struct gb_error *err)
{
        GB_CLEANUP_CLOSE
        int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat st;

        if (dir_fd < 0)
                return gb_error_sys(err, errno == ENOENT ? GB_ERR_GAP : GB_ERR_SYSTEM, "cannot open %s", dir);
        c->live_fd = openat(dir_fd, LIVE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (c->live_fd < 0 && errno == ENOENT)
                return 0;
        if (c->live_fd < 0 || fstat(c->live_fd, &st) < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "cannot open the live " LIVE);
        c->live_ino = st.st_ino;
        return 1;
}

/* The live file is still the one that was opened.  Its inode cannot have been used again: we hold it. */
static bool undisturbed(const struct gb_chain *c)
{
        struct stat st;

        return c->live_fd >= 0 && fstatat(c->slices.dir_fd, LIVE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               st.st_ino == c->live_ino && !c->slices.htime.partial;
}

static int find_newest(struct gb_chain *c, struct gb_error *err)
{
        int64_t limit = (int64_t)time(NULL) + FUTURE;

        c->newest = c->slices.last_ts;
        for (size_t i = 0; i < c->slices.slices.n; i++) {
                const struct gb_slice *s = &c->slices.slices.v[i];

                if (s->ts > limit)
                        return gb_error_set(err, GB_ERR_GAP,
                                            "slice CHANGELOG.%" PRId64 " lies in the future: the clock was "
                                            "set back",
                                            s->ts);
                if (s->file && s->ts > c->newest)
                        c->newest = s->ts;
        }
        return 0;
}

int gb_chain_open(const char *dir, int64_t since, const char *htime, uint64_t offset, struct gb_chain *c,
                  struct gb_error *err)
{
        for (int i = 0, away = 0; i < TRIES; i++) {
                *c = (struct gb_chain){.live_fd = -1, .slices.dir_fd = -1};
                if (open_live(dir, c, err) < 0 ||
                    gb_slices_open_at(dir, since, htime, offset, &c->slices, err) < 0)
                        goto fail;
                away += c->live_fd < 0;
                if (undisturbed(c) || away > AWAY_MAX || (i >= AWAY_MAX && c->slices.htime.partial)) {
                        if (find_newest(c, err) < 0)
                                goto fail;
                        return 0;
                }
                gb_chain_close(c);
                pause_ms(PAUSE_MS);
        }
        return gb_error_set(err, GB_ERR_SYSTEM, "%s does not come to rest between rollovers", dir);
fail:
        gb_chain_close(c);
        return -1;
}

void gb_chain_close(struct gb_chain *c)
{
        if (c->live_fd >= 0)
                close(c->live_fd);
        c->live_fd = -1;
        gb_slices_close(&c->slices);
}

/* Upper-case entries with this ts among [lo, hi). */
static unsigned count_upper(const struct gb_htime *h, size_t lo, size_t hi, int64_t ts)
{
        unsigned n = 0;

        for (size_t i = lo; i < hi; i++)
                n += !h->entries.v[i].empty && h->entries.v[i].ts == ts;
        return n;
}

static const struct gb_slice *find_slice(const struct gb_chain *c, int64_t ts)
{
        size_t i = 0;

        while (i < c->slices.slices.n && c->slices.slices.v[i].ts < ts)
                i++;
        return i < c->slices.slices.n && c->slices.slices.v[i].ts == ts ? &c->slices.slices.v[i] : NULL;
}

static bool is_old_live(const struct gb_chain *c, const struct gb_cursor *from)
{
        const struct gb_slice *s = find_slice(c, from->last_ts);
        char name[GB_SLICE_NAME];
        struct stat st;

        return s && s->file && from->live_ino &&
               fstatat(c->slices.dir_fd, gb_slice_name(s, name), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               st.st_ino == from->live_ino;
}

/*
 * A slice with the cursor's own ts: either it was closed when the cursor was taken, or it was closed since,
 * in the same second.  The latter is known by its inode, or by an entry behind the cursor's place, except
 * that a cursor taken in mid-rollover (file renamed, HTIME not yet written) gets that entry late.
 */
static int same_second(struct gb_chain *c, const struct gb_cursor *from, struct gb_error *err)
{
        const struct gb_htime *h = &c->slices.htime;
        unsigned before = count_upper(h, 0, c->first, from->last_ts);
        unsigned since = count_upper(h, c->first, h->entries.n, from->last_ts);
        bool htime_was_newest = h->entries.v[c->first - 1].ts == from->last_ts;

        c->take_since = is_old_live(c, from) || (since > 0 && htime_was_newest);
        if (since > 1 || (before && c->take_since))
                return gb_error_set(err, GB_ERR_GAP, "slice CHANGELOG.%" PRId64 " was overwritten",
                                    from->last_ts);
        return 0;
}

int gb_chain_follow(struct gb_chain *c, const struct gb_cursor *from, struct gb_error *err)
{
        const struct gb_htime *h = &c->slices.htime;

        if (!h->name[0])
                return gb_error_set(err, GB_ERR_GAP, "there is no HTIME file");
        if (strcmp(h->name, from->htime) != 0)
                return gb_error_set(err, GB_ERR_GAP, "changelog was switched off and on (%s -> %s)",
                                    from->htime, h->name);
        c->first = 0;
        while (c->first < h->entries.n && h->entries.v[c->first].end <= from->htime_len)
                c->first++;
        if (c->first == 0 || h->entries.v[c->first - 1].end != from->htime_len ||
            h->entries.v[c->first - 1].ts > from->last_ts)
                return gb_error_set(err, GB_ERR_GAP, "%s is not the one read before: rewritten or shortened",
                                    h->name);
        if (c->first < h->entries.n && h->entries.v[c->first].ts < from->last_ts)
                return gb_error_set(err, GB_ERR_GAP,
                                    "the clock was set back: %s goes from %" PRId64 " to %" PRId64, h->name,
                                    from->last_ts, h->entries.v[c->first].ts);
        return same_second(c, from, err);
}

void gb_chain_from(struct gb_chain *c, int64_t ts)
{
        const struct gb_htime *h = &c->slices.htime;

        c->first = 0;
        while (c->first < h->entries.n && h->entries.v[c->first].ts < ts)
                c->first++;
}

int gb_chain_check_htime(const struct gb_chain *c, struct gb_error *err)
{
        const struct gb_htime *h = &c->slices.htime;

        if (h->torn)
                return gb_error_set(err, GB_ERR_GAP, "%s is damaged", h->name);
        if (h->foreign)
                return gb_error_set(err, GB_ERR_GAP, "%s names slices of another directory", h->name);
        for (size_t i = c->first ? c->first : 1; i < h->entries.n; i++)
                if (h->entries.v[i].ts < h->entries.v[i - 1].ts)
                        return gb_error_set(err, GB_ERR_GAP,
                                            "the clock was set back: %s goes from %" PRId64 " to %" PRId64,
                                            h->name, h->entries.v[i - 1].ts, h->entries.v[i].ts);
        return 0;
}

int gb_chain_check_slice(const struct gb_slice *s, struct gb_error *err)
{
        if (s->copies > 1)
                return gb_error_set(err, GB_ERR_GAP,
                                    "slice CHANGELOG.%" PRId64 " was overwritten: %u rollovers in one second",
                                    s->ts, s->copies);
        if (s->copies && !s->file)
                return gb_error_set(err, GB_ERR_GAP, "slice CHANGELOG.%" PRId64 " is missing", s->ts);
        if (s->files > 1)
                return gb_error_set(err, GB_ERR_GAP, "slice CHANGELOG.%" PRId64 " exists %u times", s->ts,
                                    s->files);
        return 0;
}

static bool is_orphan(const struct gb_slice *s)
{
        return s->file && !s->copies;
}

int64_t gb_chain_longest_hole(const struct gb_chain *c, int64_t from, int64_t to, int64_t *since)
{
        int64_t last = from, longest = 0;

        *since = from;
        /* The slices are HTIME's entries and the orphans, merged and in order. */
        for (size_t i = 0; i <= c->slices.slices.n; i++) {
                int64_t ts = i < c->slices.slices.n ? c->slices.slices.v[i].ts : to;

                if (ts > to)
                        ts = to;
                if (ts - last > longest) {
                        longest = ts - last;
                        *since = last;
                }
                if (ts > last)
                        last = ts;
        }
        return longest;
}

unsigned gb_chain_restarts(const struct gb_chain *c, int64_t from, int64_t to)
{
        unsigned n = 0;

        for (size_t i = 0; i < c->slices.slices.n; i++) {
                const struct gb_slice *s = &c->slices.slices.v[i];

                n += is_orphan(s) && s->ts > from && s->ts <= to;
        }
        return n;
}
