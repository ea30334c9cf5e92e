/*
 * chain - the slices of a brick at one instant, and whether nothing is missing between them.
 *
 * The hard part is that names are times of a clock that may step, and that two things can happen in one
 * second.  So three witnesses are heard:
 *
 *   place   HTIME only grows: an entry behind the cursor's offset came after the cursor.
 *   birth   a file that was born after the slice that was live at the cursor came after the cursor, one born
 *           before it was closed before it; and slices are born in the order in which they are written.  This
 *           tells of orphans, which have no place.
 *   name    tells when birth does not: in the same tick, or on a file system without births.
 *
 * Births are of the kernel's clock, names are of the brick process's, so a step of one leaves the other; if
 * births contradict places, the kernel's clock was set back, and that is a gap.
 *
 * Births tell more: the brick writes a slice, closes it, and then creates the next one.  A slice that was
 * written to after the next one was born, or was born after it, is not as the brick left it; and time between
 * the end of one and the birth of the next is a slice that is gone.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
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

#define SECOND INT64_C(1000000000)
/* Seconds that a slice may be written to for longer than its name and the one before it say: names run early,
 * and their clock is coarse. */
#define SEAL_SLACK 3
/* Between a rollover's renaming and the next live file HTIME is synced. */
#define SYNC_SLACK 4
/* Between the birth of a live file and the writing of its header. */
#define EMPTY_SLACK 1

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

        if (dir_fd < 0)
                return gb_error_sys(err, errno == ENOENT ? GB_ERR_GAP : GB_ERR_SYSTEM, "cannot open %s", dir);
        c->live_fd = openat(dir_fd, LIVE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (c->live_fd < 0 && errno == ENOENT)
                return 0;
        if (c->live_fd < 0 || gb_birth_of(c->live_fd, "", &c->live) < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "cannot open the live " LIVE);
        return 1;
}

/* The live file is still the one that was opened.  Its inode cannot have been used again: we hold it. */
static bool undisturbed(const struct gb_chain *c)
{
        struct stat st;

        return c->live_fd >= 0 && fstatat(c->slices.dir_fd, LIVE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               st.st_ino == c->live.ino && !c->slices.htime.partial;
}

/* Without births a slice from the future hides what the clock does afterwards. */
static int find_newest(struct gb_chain *c, struct gb_error *err)
{
        int64_t limit = (int64_t)time(NULL) + FUTURE;

        c->newest = c->slices.last_ts;
        for (size_t i = 0; i < c->slices.slices.n; i++) {
                const struct gb_slice *s = &c->slices.slices.v[i];

                if (s->ts > limit && !c->live.born)
                        return gb_error_set(err, GB_ERR_GAP,
                                            "slice CHANGELOG.%" PRId64 " lies in the future: the clock was "
                                            "set back",
                                            s->ts);
                if (s->file && s->ts > c->newest &&
                    (!s->birth.born || s->birth.changed >= c->slices.htime_changed))
                        c->newest = s->ts;
        }
        return 0;
}

int gb_chain_open(const char *dir, int64_t since, int64_t born, const char *htime, uint64_t offset,
                  struct gb_chain *c, struct gb_error *err)
{
        for (int i = 0, away = 0; i < TRIES; i++) {
                *c = (struct gb_chain){.dir = dir, .live_fd = -1, .slices.dir_fd = -1};
                if (open_live(dir, c, err) < 0 ||
                    gb_slices_open_at(dir, since, born, htime, offset, &c->slices, err) < 0)
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
        gb_vec_free(&c->window);
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

/* 1 born after the slice that was live at the cursor, or is that slice; -1 born before it; 0 births do not
 * tell. */
static int age(const struct gb_slice *s, const struct gb_cursor *from)
{
        if (!s->file || !s->birth.born || !from->live_born)
                return 0;
        if (s->birth.born != from->live_born)
                return s->birth.born > from->live_born ? 1 : -1;
        return s->birth.ino == from->live_ino;
}

static bool is_old_live(const struct gb_chain *c, const struct gb_cursor *from)
{
        const struct gb_slice *s = find_slice(c, from->last_ts);
        int young = s ? age(s, from) : -1;

        return young ? young > 0 : s->file && from->live_ino && s->birth.ino == from->live_ino;
}

/*
 * A slice with the cursor's own ts: either it was closed when the cursor was taken, or it was closed since,
 * in the same second.  The latter is known by its birth, or by an entry behind the cursor's place, except
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

/* HTIME names it somewhere: then a young file of that name is a copy that was put back. */
static int named_before(const struct gb_chain *c, const struct gb_slice *s, struct gb_error *err)
{
        struct gb_slices all;
        int rc = 0;

        if (gb_slices_open_at(c->dir, s->ts - 1, 0, c->slices.htime.name, 0, &all, err) < 0)
                return -1;
        for (size_t i = 0; i < all.slices.n && all.slices.v[i].ts <= s->ts; i++)
                rc |= all.slices.v[i].ts == s->ts && all.slices.v[i].in_htime;
        gb_slices_close(&all);
        return rc;
}

/* 1 the slice belongs to the window, 0 it was closed before, -1. */
static int is_new(const struct gb_chain *c, const struct gb_cursor *from, const struct gb_slice *s,
                  struct gb_error *err)
{
        int young = age(s, from), named;

        if (s->ts == from->last_ts)
                return c->take_since;
        if (s->behind) {
                if (young < 0)
                        return gb_error_set(err, GB_ERR_GAP,
                                            "slice CHANGELOG.%" PRId64
                                            " is older than the last list: the clock "
                                            "was set back, or the file is another",
                                            s->ts);
                return 1;
        }
        if (!s->file)
                return s->ts > from->last_ts;
        if (young <= 0 || s->ts > from->last_ts)
                return young ? young > 0 : s->ts > from->last_ts;
        named = named_before(c, s, err);
        return named < 0 ? -1 : !named;
}

static int push(struct gb_chain *c, const struct gb_slice *s, struct gb_error *err)
{
        if (gb_vec_push(&c->window, s) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "no memory for the list of slices");
        return 0;
}

static bool is_orphan(const struct gb_slice *s)
{
        return s->file && !s->behind;
}

static int by_place(const void *a, const void *b)
{
        const struct gb_slice *x = *(const struct gb_slice *const *)a;
        const struct gb_slice *y = *(const struct gb_slice *const *)b;

        return (x->place > y->place) - (x->place < y->place);
}

/* Do places, names and births of the window, which is in the order of names, all agree? */
static bool is_in_order(const struct gb_chain *c, const struct gb_cursor *from)
{
        int64_t last = from->last_ts, born = 0;
        size_t place = c->first;

        for (size_t i = 0; i < c->window.n; i++) {
                const struct gb_slice *s = c->window.v[i];

                if (s->ts < last || (s->file && s->birth.born < born) || (!is_orphan(s) && s->place < place))
                        return false;
                last = s->ts;
                born = s->file ? s->birth.born : born;
                place = is_orphan(s) ? place : s->place;
        }
        return true;
}

/* The clock of names has been set back: in the order of places, orphans where their birth puts them. */
static int put_in_order(struct gb_chain *c, struct gb_error *err)
{
        size_t n = c->window.n, named = 0, at = 0;
        const struct gb_slice **v = c->window.v, **orphans = calloc(n + 1, sizeof(*orphans));
        bool unknown = false;
        int64_t born = 0;

        if (!orphans)
                return gb_error_set(err, GB_ERR_MEMORY, "no memory for the list of slices");
        for (size_t i = 0; i < n; i++)
                if (is_orphan(v[i]))
                        orphans[at++] = v[i];
                else
                        v[named++] = v[i];
        qsort(v, named, sizeof(*v), by_place);
        for (size_t i = 0; i < named; i++) {
                unknown |= v[i]->file && (!v[i]->birth.born || v[i]->birth.born < born);
                born = v[i]->file ? v[i]->birth.born : born;
        }
        for (size_t o = 0; o < at; o++) {
                size_t i = 0;

                unknown |= !orphans[o]->birth.born;
                while (i < named && (!v[i]->file || v[i]->birth.born <= orphans[o]->birth.born))
                        i++;
                memmove(v + i + 1, v + i, (named++ - i) * sizeof(*v));
                v[i] = orphans[o];
        }
        free(orphans);
        if (at && unknown)
                return gb_error_set(err, GB_ERR_GAP, "the clock was set back while the brick was restarted");
        return 0;
}

static int fill_window(struct gb_chain *c, const struct gb_cursor *from, struct gb_error *err)
{
        for (size_t i = 0; i < c->slices.slices.n; i++) {
                const struct gb_slice *s = &c->slices.slices.v[i];
                int rc = is_new(c, from, s, err);

                if (rc < 0 || (rc && push(c, s, err) < 0))
                        return -1;
        }
        return is_in_order(c, from) ? 0 : put_in_order(c, err);
}

static int set_back(const struct gb_htime *h, int64_t from, int64_t to, struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_GAP, "the clock was set back: %s goes from %" PRId64 " to %" PRId64,
                            h->name, from, to);
}

int gb_chain_follow(struct gb_chain *c, const struct gb_cursor *from, struct gb_error *err)
{
        const struct gb_htime *h = &c->slices.htime;
        bool births = from->live_born && c->live.born;
        int64_t last;

        if (!h->name[0])
                return gb_error_set(err, GB_ERR_GAP, "there is no HTIME file");
        if (strcmp(h->name, from->htime) != 0)
                return gb_error_set(err, GB_ERR_GAP, "changelog was switched off and on (%s -> %s)",
                                    from->htime, h->name);
        c->first = 0;
        while (c->first < h->entries.n && h->entries.v[c->first].end <= from->htime_len)
                c->first++;
        last = c->first ? h->entries.v[c->first - 1].ts : 0;
        if (c->first == 0 || h->entries.v[c->first - 1].end != from->htime_len ||
            (from->htime_ts ? last != from->htime_ts : last > from->last_ts))
                return gb_error_set(err, GB_ERR_GAP, "%s is not the one read before: rewritten or shortened",
                                    h->name);
        if (births && c->live.born < from->live_born)
                return gb_error_set(err, GB_ERR_GAP,
                                    "the clock was set back: CHANGELOG is older than at the last list");
        for (size_t i = c->first; !births && i < h->entries.n; i++)
                if (h->entries.v[i].ts < (i == c->first ? from->last_ts : h->entries.v[i - 1].ts))
                        return set_back(h, i == c->first ? from->last_ts : h->entries.v[i - 1].ts,
                                        h->entries.v[i].ts, err);
        return same_second(c, from, err) < 0 ? -1 : fill_window(c, from, err);
}

/* An orphan with a name later than that of the last rollover, which came after it. */
static bool of_another_clock(const struct gb_chain *c, const struct gb_slice *s)
{
        return !s->in_htime && s->birth.born && s->ts > c->slices.last_ts &&
               s->birth.changed < c->slices.htime_changed;
}

int gb_chain_from(struct gb_chain *c, int64_t ts, int64_t until, struct gb_error *err)
{
        const struct gb_htime *h = &c->slices.htime;
        size_t back = 0; /* where the clock was set back last */

        for (size_t i = 1; i < h->entries.n; i++)
                if (h->entries.v[i].ts < h->entries.v[i - 1].ts)
                        back = i;
        if (back && h->entries.v[back].ts > ts && h->entries.v[back - 1].ts >= ts)
                return set_back(h, h->entries.v[back - 1].ts, h->entries.v[back].ts, err);
        c->first = back;
        while (c->first < h->entries.n && h->entries.v[c->first].ts < ts)
                c->first++;
        for (size_t i = 0; i < c->slices.slices.n; i++) {
                const struct gb_slice *s = &c->slices.slices.v[i];

                if (s->ts < ts || (back && s->in_htime && s->place < back) || of_another_clock(c, s))
                        continue;
                if (push(c, s, err) < 0)
                        return -1;
                if (until && s->ts >= until)
                        break;
        }
        return 0;
}

bool gb_chain_was_read(const struct gb_slice *s, const struct gb_cursor *from)
{
        if (from->prev_born && s->birth.born && s->birth.born != from->prev_born)
                return s->birth.born > from->prev_born;
        return s->ts > from->prev_ts;
}

int gb_chain_check_htime(const struct gb_chain *c, struct gb_error *err)
{
        const struct gb_htime *h = &c->slices.htime;

        if (h->torn)
                return gb_error_set(err, GB_ERR_GAP, "%s is damaged", h->name);
        if (h->foreign)
                return gb_error_set(err, GB_ERR_GAP, "%s names slices of another directory", h->name);
        return 0;
}

/* Exists once, and has not replaced another. */
static int check_slice(const struct gb_slice *s, struct gb_error *err)
{
        if (s->behind > 1)
                return gb_error_set(err, GB_ERR_GAP,
                                    "slice CHANGELOG.%" PRId64 " was overwritten: %u rollovers of that name",
                                    s->ts, s->behind);
        if (s->behind && !s->file)
                return gb_error_set(err, GB_ERR_GAP, "slice CHANGELOG.%" PRId64 " is missing", s->ts);
        if (s->files > 1)
                return gb_error_set(err, GB_ERR_GAP, "slice CHANGELOG.%" PRId64 " exists %u times", s->ts,
                                    s->files);
        return 0;
}

/* A slice's file against the one that was born next. */
static int check_seal(const struct gb_chain *c, const struct gb_slice *s, const struct gb_birth *next,
                      struct gb_error *err)
{
        const struct gb_htime *h = &c->slices.htime;
        const struct gb_birth *b = &s->birth;
        int64_t lasted = s->in_htime && s->place ? s->ts - h->entries.v[s->place - 1].ts : 0;

        if (!b->born)
                return 0;
        if (next->born && b->born > next->born)
                return gb_error_set(err, GB_ERR_GAP,
                                    "slice CHANGELOG.%" PRId64 " is not the file that the brick wrote",
                                    s->ts);
        if ((next->born && b->written > next->born) ||
            (lasted > 0 && (b->written - b->born - 1) / SECOND >= lasted + SEAL_SLACK))
                return gb_error_set(err, GB_ERR_GAP,
                                    "slice CHANGELOG.%" PRId64 " was changed after it had been closed",
                                    s->ts);
        /* Nothing but a header, and not written with it: a restart may leave one, and HTIME call it not
         * empty. */
        if (s->behind && b->size == GB_CHANGELOG_HEADER && b->written - b->born > EMPTY_SLACK * SECOND)
                return gb_error_set(err, GB_ERR_GAP, "slice CHANGELOG.%" PRId64 " held records and has none",
                                    s->ts);
        return 0;
}

/*
 * Nothing between `end` of one slice and the birth of the next.  A slice lasts for rollover-time or a second
 * less; `least` seconds are what the disk may take in between.
 */
static int check_join(int64_t end, const struct gb_birth *next, unsigned rollover, unsigned least,
                      struct gb_error *err)
{
        int64_t limit = (int64_t)rollover * SECOND - 3 * SECOND / 2;

        if (!next->born || next->born - end < limit || next->born - end < least * SECOND)
                return 0;
        return gb_error_set(err, GB_ERR_GAP, "a CHANGELOG that was written until %" PRId64 " is gone",
                            next->born / SECOND);
}

/* The slice that was live at the cursor is the window's first, or was empty. */
static int check_first(const struct gb_chain *c, const struct gb_cursor *from, struct gb_error *err)
{
        const struct gb_htime *h = &c->slices.htime;
        const struct gb_birth *first = &c->live;

        for (size_t i = c->window.n; i > 0; i--)
                if (c->window.v[i - 1]->file)
                        first = &c->window.v[i - 1]->birth;
        if (!from->live_born || !first->born || gb_birth_same(first, from->live_ino, from->live_born))
                return 0;
        if (c->first < h->entries.n && h->entries.v[c->first].empty && !from->live_len)
                return 0;
        return gb_error_set(err, GB_ERR_GAP, "the CHANGELOG read before is gone");
}

static int check_live(const struct gb_chain *c, unsigned rollover, struct gb_error *err)
{
        const struct gb_slice *last = c->window.n ? c->window.v[c->window.n - 1] : NULL;
        const struct gb_birth *b = &c->live;

        if (b->born && b->size == GB_CHANGELOG_HEADER && b->written - b->born > EMPTY_SLACK * SECOND)
                return gb_error_set(err, GB_ERR_GAP, "CHANGELOG held records and has none");
        /* A restart is no rollover; without a slice in the window there was neither, or the restart was
         * before. */
        if (!last || is_orphan(last))
                return 0;
        return check_join(c->slices.htime_changed, b, rollover, 1, err);
}

int gb_chain_check_slices(const struct gb_chain *c, const struct gb_cursor *from, bool with_live,
                          unsigned rollover, struct gb_error *err)
{
        const struct gb_slice *before = NULL;

        for (size_t i = 0; i < c->window.n; i++)
                if (check_slice(c->window.v[i], err) < 0)
                        return -1;
        if (from && check_first(c, from, err) < 0)
                return -1;
        for (size_t i = 0; i < c->window.n; i++) {
                const struct gb_slice *s = c->window.v[i];

                if (s->file && before && !is_orphan(s) && !is_orphan(before) &&
                    s->place == before->place + 1 &&
                    check_join(before->birth.changed, &s->birth, rollover, SYNC_SLACK, err) < 0)
                        return -1;
                if (s->file && before && check_seal(c, before, &s->birth, err) < 0)
                        return -1;
                before = s->file ? s : before;
        }
        if (before && check_seal(c, before, &c->live, err) < 0)
                return -1;
        return with_live ? check_live(c, rollover, err) : 0;
}

int64_t gb_chain_longest_hole(const struct gb_chain *c, int64_t from, int64_t to, int64_t *since)
{
        int64_t last = from, longest = 0;

        *since = from;
        for (size_t i = 0; i <= c->window.n; i++) {
                int64_t ts = i < c->window.n ? c->window.v[i]->ts : to;

                if (ts > to)
                        ts = to;
                if (ts - last > longest) {
                        longest = ts - last;
                        *since = last;
                }
                last = ts;
        }
        return longest;
}

unsigned gb_chain_restarts(const struct gb_chain *c)
{
        unsigned n = 0;

        for (size_t i = 0; i < c->window.n; i++)
                n += is_orphan(c->window.v[i]);
        return n;
}
