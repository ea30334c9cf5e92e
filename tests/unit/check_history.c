/* links: base agent xxhash */
/*
 * check_history - windows over a brick that the test plays: it writes the slices and HTIME the way the
 * changelog translator does, on a clock of its own that starts an hour or more ago.
 *
 * Every record's gfid is a running number, so "each once and in order" can be checked by counting.  What is
 * replayed is compared, record by record, with what the test knows of slices and windows.
 */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "history.h"
#include "htime.h"
#include "random.h"

#define ROLLOVER   15
#define ASCII      "GlusterFS Changelog | version: v1.2 | encoding : 2\n"
#define BINARY     "GlusterFS Changelog | version: v1.2 | encoding : 1\n"
#define PARENT     "2b4b52aa-849a-454a-b55c-ae97daaa428c"
#define STREAM_MAX 4096

struct world {
        struct gb_brick b;
        char *dir;
        char htime[64];
        int64_t now; /* the brick's clock */
        bool binary;
        int live; /* fd */
        off_t live_size;
        uint32_t n; /* records so far; record i has type types[i] */
        char types[STREAM_MAX];
        uint32_t slice[STREAM_MAX]; /* and lies in the slice with this number, */
        int64_t ended[STREAM_MAX];  /* which ended then */
        uint32_t slices;            /* number of the live slice, or of the last one */
        int64_t closed;             /* end of the last slice */
        struct gb_cursor cursor;
        uint32_t cursor_n;     /* records before the cursor */
        uint32_t cursor_slice; /* the slice that the cursor stands in */
        bool stepped;          /* the clock was set */
        bool has_last;         /* a window ended at the cursor; it began */
        uint32_t last_n;       /* ... with this record */
        uint32_t last_slice;   /* ... in this slice */
};

static void put(int fd, const void *bytes, size_t n)
{
        EXPECT(write(fd, bytes, n) == (ssize_t)n);
}

static void open_live(struct world *w)
{
        char *path = fixture_join(w->dir, "CHANGELOG");

        w->live = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
        EXPECT(w->live >= 0);
        put(w->live, w->binary ? BINARY : ASCII, GB_CHANGELOG_HEADER);
        w->live_size = GB_CHANGELOG_HEADER;
        w->slices++;
        free(path);
}

static char *dated(const struct world *w, const char *word, int64_t ts)
{
        time_t t = (time_t)ts;
        struct tm tm;
        char *path;

        gmtime_r(&t, &tm);
        EXPECT(asprintf(&path, "%s/%04d/%02d/%02d/%s.%lld", w->dir, tm.tm_year + 1900, tm.tm_mon + 1,
                        tm.tm_mday, word, (long long)ts) > 0);
        return path;
}

static void append_htime(const struct world *w, const void *bytes, size_t n)
{
        char *dir = fixture_join(w->dir, "htime"), *path = fixture_join(dir, w->htime);
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

        EXPECT(fd >= 0);
        put(fd, bytes, n);
        close(fd);
        free(path);
        free(dir);
}

static void htime_entry(const struct world *w, const char *word, int64_t ts)
{
        char *path = dated(w, word, ts);

        append_htime(w, path, strlen(path) + 1);
        free(path);
}

/* Switch changelog on. */
static void begin_htime(struct world *w)
{
        char *dir = fixture_join(w->dir, "htime");

        snprintf(w->htime, sizeof(w->htime), "HTIME.%lld", (long long)w->now);
        append_htime(w, "", 0);
        EXPECT(setxattr(dir, "trusted.glusterfs.current_htime", w->htime, strlen(w->htime), 0) == 0 ||
               errno == EPERM || errno == ENOTSUP);
        free(dir);
}

static void close_live(struct world *w, bool restart)
{
        char *live = fixture_join(w->dir, "CHANGELOG"), *closed = dated(w, "CHANGELOG", w->now);
        bool empty = w->live_size == GB_CHANGELOG_HEADER;

        close(w->live);
        w->live = -1;
        w->ended[w->slices] = w->closed = w->now;
        if (empty && !restart) {
                EXPECT(unlink(live) == 0);
        } else {
                char *day = strdup(closed + strlen(w->dir) + 1);

                *strrchr(day, '/') = '\0';
                fixture_mkdir(w->dir, day);
                EXPECT(rename(live, closed) == 0);
                free(day);
        }
        if (!restart)
                htime_entry(w, empty ? "changelog" : "CHANGELOG", w->now);
        free(live);
        free(closed);
}

static void rollover_at(struct world *w, int64_t ts)
{
        w->now = ts;
        close_live(w, false);
        open_live(w);
}

static void rollover(struct world *w)
{
        rollover_at(w, w->now + ROLLOVER);
}

static void restart(struct world *w)
{
        w->now += 7;
        close_live(w, true);
        open_live(w);
}

static struct world *new_world(void)
{
        struct world *w = calloc(1, sizeof(*w));

        EXPECT(w);
        w->b.path = fixture_folder();
        w->b.volume = strdup("v");
        w->b.volume_version = 5;
        w->b.node.b[0] = 7;
        fixture_mkdir(w->b.path, ".glusterfs/changelogs/htime");
        w->dir = fixture_join(w->b.path, ".glusterfs/changelogs");
        w->now = (int64_t)time(NULL) - 100000;
        begin_htime(w);
        open_live(w);
        rollover(w);
        return w;
}

static void end_world(struct world *w)
{
        if (w->live >= 0)
                close(w->live);
        fixture_remove(w->b.path);
        free(w->b.volume);
        free(w->dir);
        free(w);
}

static gb_gfid gfid_of(uint32_t n)
{
        gb_gfid g = {{0xab}};

        memcpy(g.b + 12, &n, sizeof(n));
        return g;
}

static uint32_t number_of(const gb_gfid *g)
{
        uint32_t n;

        memcpy(&n, g->b + 12, sizeof(n));
        return n;
}

/* The bytes of a record as the brick writes them. */
static size_t encode(const struct world *w, char type, uint32_t n, char out[256])
{
        gb_gfid g = gfid_of(n), parent;
        uint32_t fop = type == 'E' ? GB_FOP_LINK : GB_FOP_SETATTR;
        char text[GB_GFID_TEXT];
        size_t len = 1;

        out[0] = type;
        if (!w->binary) {
                len += (size_t)sprintf(out + len, "%s", gb_gfid_format(&g, text)) + 1;
                if (type != 'D')
                        len += (size_t)sprintf(out + len, "%u", fop) + 1;
                if (type == 'E')
                        len += (size_t)sprintf(out + len, PARENT "/n%u", n) + 1;
                return len;
        }
        memcpy(out + len, g.b, 16);
        len += 16;
        out[len++] = 0;
        if (type == 'D')
                return len;
        memcpy(out + len, &fop, 4);
        len += 4;
        out[len++] = 0;
        if (type == 'M')
                return len;
        EXPECT(gb_gfid_parse(PARENT, 36, &parent));
        memcpy(out + len, parent.b, 16);
        len += 16;
        return len + (size_t)sprintf(out + len, "/n%u", n) + 1;
}

static void count(struct world *w, char type)
{
        w->slice[w->n] = w->slices;
        w->types[w->n++] = type;
}

static void record(struct world *w, char type)
{
        char bytes[256];
        size_t len = encode(w, type, w->n, bytes);

        EXPECT(w->n < STREAM_MAX);
        put(w->live, bytes, len);
        w->live_size += (off_t)len;
        count(w, type);
}

static void records(struct world *w, const char *types)
{
        for (; *types; types++)
                record(w, *types);
}

static void take_cursor(struct world *w)
{
        struct gb_error err;

        if (gb_cursor_now(&w->b, NULL, gb_deadline_in(0), &w->cursor, &err) < 0)
                ck_abort_msg("%s", err.text);
        w->cursor_n = w->n;
        w->cursor_slice = w->slices + (w->live < 0);
        w->has_last = false;
}

/* How a record came. */
enum seen { NOT = 0, FRESH, AGAIN, BEFORE };

/* What a window brought. */
struct window {
        uint32_t fresh;    /* records after the cursor, all of them in order */
        uint32_t replayed; /* those from before it, */
        uint32_t before;   /* and of these, those that do not count */
        uint32_t recent;
        uint8_t seen[STREAM_MAX]; /* enum seen */
};

static void take(const struct world *w, const struct gb_history_options *o, const struct gb_history_record *r,
                 struct window *out)
{
        uint32_t n = number_of(&r->record.gfid);

        EXPECT(n < w->n && r->record.type == w->types[n]);
        EXPECT(!out->seen[n] && r->replay >= r->before);
        if (r->replay) {
                EXPECT(n < w->cursor_n && !out->fresh && !r->recent);
                EXPECT(r->before || r->record.type != 'E');
                out->replayed++;
                out->before += r->before;
                out->seen[n] = r->before ? BEFORE : AGAIN;
        } else {
                EXPECT(!o->from || n == w->cursor_n + out->fresh);
                out->fresh++;
                out->recent += r->recent;
                out->seen[n] = FRESH;
                if (o->from) {
                        bool live = w->slice[n] == w->slices && w->live >= 0;

                        bool recent = live || w->ended[w->slice[n]] == w->closed;

                        /* Orphans have no place among empty slices. */
                        EXPECT(w->stepped ? r->recent >= recent : r->recent == recent);
                }
        }
}

static int read_history(struct world *w, const struct gb_history_options *o, struct window *out,
                        struct gb_error *err)
{
        struct gb_history *h = gb_history_open(&w->b, NULL, o, err);
        struct gb_history_record r;
        int rc;

        memset(out, 0, sizeof(*out));
        if (!h)
                return -1;
        while ((rc = gb_history_next(h, &r, err)) == 1)
                take(w, o, &r, out);
        if (rc == 0) {
                EXPECT(gb_history_records(h) == out->fresh + out->replayed);
                w->cursor = *gb_history_cursor(h);
        }
        gb_history_close(h);
        return rc;
}

/* How record n, of before the cursor, has to come. */
static enum seen expected(const struct world *w, const struct gb_cursor *from, bool reread, uint32_t n)
{
        bool event = w->types[n] == 'E', in_live = w->slice[n] == w->cursor_slice;
        bool in_last = w->has_last && w->slice[n] >= w->last_slice;

        if (!event && (in_live || (reread && w->ended[w->slice[n]] == from->last_ts)))
                return AGAIN;
        return reread && in_last ? BEFORE : NOT;
}

static void check_replayed(const struct world *w, const struct gb_cursor *from, bool reread,
                           const struct window *win)
{
        for (uint32_t n = 0; n < w->cursor_n; n++) {
                EXPECT(win->seen[n] == expected(w, from, reread, n));
                EXPECT(win->seen[n] || !reread || !w->has_last || n < w->last_n);
        }
}

/* The window from the cursor; afterwards the cursor stands at its end.  The cursor goes through its text. */
static struct window next_window(struct world *w, bool reread)
{
        struct gb_history_options o = {.reread = reread};
        struct gb_error err;
        struct gb_cursor from;
        struct window win;
        char text[GB_CURSOR_MAX];

        EXPECT(gb_cursor_format(&w->cursor, text, sizeof(text), &err) == 0);
        EXPECT(gb_cursor_parse(text, strlen(text), &from, &err) == 0);
        o.from = &from;
        if (read_history(w, &o, &win, &err) < 0)
                ck_abort_msg("%s", err.text);
        EXPECT(win.fresh == w->n - w->cursor_n);
        check_replayed(w, &from, reread, &win);
        w->has_last = true;
        w->last_n = w->cursor_n;
        w->last_slice = w->cursor_slice;
        w->cursor_n = w->n;
        w->cursor_slice = w->slices + (w->live < 0);
        return win;
}

/* A file that is damaged in the tick in which the next one is born is not told by its times. */
#define CHANGED "was changed after it had been closed"

/* The window from the cursor is a gap for this reason, or because the file was CHANGED. */
static void expect_gap(struct world *w, const char *reason)
{
        struct gb_cursor from = w->cursor;
        struct gb_history_options o = {.from = &from};
        struct gb_error err;
        struct window win;

        ck_assert_int_eq(read_history(w, &o, &win, &err), -1);
        ck_assert_msg(err.code == GB_ERR_GAP, "code %d: %s", err.code, err.text);
        ck_assert_msg(strstr(err.text, reason) || strstr(err.text, CHANGED), "%s", err.text);
        ck_assert_msg(strstr(err.text, "; run a full list") != NULL, "%s", err.text);
        ck_assert_ptr_eq(strstr(err.text, w->b.path), err.text);
}

START_TEST(live_records_come_at_once_and_only_once)
{
        struct world *w = new_world();

        take_cursor(w);
        ck_assert_uint_eq(next_window(w, false).fresh, 0);
        records(w, "EDM");
        ck_assert_uint_eq(next_window(w, false).fresh, 3);
        ck_assert_uint_eq(next_window(w, false).replayed, 2);
        end_world(w);
}
END_TEST

START_TEST(a_cursor_in_the_live_file_goes_on_in_the_closed_slice)
{
        struct world *w = new_world();
        struct window win;

        records(w, "EDM");
        take_cursor(w);
        records(w, "ED");
        rollover(w);
        records(w, "M");
        rollover(w);
        rollover(w);
        records(w, "E");
        win = next_window(w, false);
        ck_assert_uint_eq(win.fresh, 4);
        ck_assert_uint_eq(win.replayed, 2);
        ck_assert(win.seen[1] && win.seen[2] && !win.seen[0]);
        end_world(w);
}
END_TEST

START_TEST(reread_brings_d_and_m_of_the_slice_that_ended_at_the_cursor)
{
        struct world *w = new_world();
        struct window win;

        records(w, "D");
        rollover(w);
        records(w, "EDM");
        rollover(w);
        take_cursor(w);
        records(w, "E");
        win = next_window(w, true);
        ck_assert_uint_eq(win.replayed, 2);
        ck_assert(!win.seen[0] && !win.seen[1] && win.seen[2] && win.seen[3]);
        end_world(w);
}
END_TEST

START_TEST(reread_brings_the_last_window_too_which_does_not_count)
{
        struct world *w = new_world();
        struct window win;

        records(w, "ED");
        rollover(w);
        records(w, "EM");
        take_cursor(w);
        records(w, "EDM");
        rollover(w);
        records(w, "EDM");
        rollover(w);
        records(w, "EDM");
        rollover(w);
        records(w, "EDM");
        ck_assert_uint_eq(next_window(w, true).before, 0); /* the cursor was taken, no window ended there */
        records(w, "E");
        win = next_window(w, true);
        ck_assert_uint_eq(win.fresh, 1);
        ck_assert_uint_eq(win.replayed, 14);
        ck_assert_uint_eq(win.before, 10);
        ck_assert(!win.seen[0] && !win.seen[1] && win.seen[2] == BEFORE && win.seen[3] == BEFORE);
        for (uint32_t n = 4; n < 10; n++)
                ck_assert(win.seen[n] == BEFORE);
        for (uint32_t n = 10; n < 16; n++)
                ck_assert(win.seen[n] == (w->types[n] == 'E' ? BEFORE : AGAIN));
        win = next_window(w, true); /* that window, in turn, lay in the live slice alone */
        ck_assert_uint_eq(win.before, 2);
        ck_assert(win.seen[13] == BEFORE && win.seen[16] == BEFORE);
        end_world(w);
}
END_TEST

START_TEST(without_reread_the_last_window_does_not_come)
{
        struct world *w = new_world();

        take_cursor(w);
        records(w, "EDM");
        rollover(w);
        records(w, "EDM");
        next_window(w, false);
        ck_assert_int_gt(w->cursor.prev_ts, 0);
        ck_assert_uint_eq(next_window(w, false).before, 0);
        end_world(w);
}
END_TEST

START_TEST(a_position_and_a_window_by_time_are_no_last_window)
{
        struct world *w = new_world();
        struct gb_history_options o = {.start = w->now};
        struct gb_error err;
        struct window win;

        records(w, "EDM");
        rollover(w);
        take_cursor(w);
        ck_assert_int_eq(w->cursor.prev_ts, 0);
        win = next_window(w, true);
        ck_assert(win.replayed == 2 && !win.before);
        ck_assert_int_gt(w->cursor.prev_ts, 0);
        ck_assert_int_eq(read_history(w, &o, &win, &err), 0);
        ck_assert_int_eq(w->cursor.prev_ts, 0);
        end_world(w);
}
END_TEST

START_TEST(a_slice_closed_in_the_second_of_the_cursor_belongs_to_the_last_window)
{
        struct world *w = new_world();
        struct window win;

        rollover(w); /* empty */
        take_cursor(w);
        records(w, "EDM");
        rollover_at(w, w->now);
        rollover(w);
        rollover(w);
        ck_assert_uint_eq(next_window(w, true).fresh, 3);
        rollover(w);
        win = next_window(w, true);
        ck_assert(win.before == 3 && win.replayed == 3);
        end_world(w);
}
END_TEST

START_TEST(events_of_the_newest_slice_and_the_live_one_are_recent)
{
        struct world *w = new_world();

        take_cursor(w);
        records(w, "E");
        rollover(w);
        records(w, "E");
        rollover(w);
        records(w, "EE");
        ck_assert_uint_eq(next_window(w, true).recent, 3);
        records(w, "E");
        rollover(w);
        rollover(w); /* empty, but the newest */
        ck_assert_uint_eq(next_window(w, true).recent, 0);
        records(w, "E");
        restart(w);
        ck_assert_uint_eq(next_window(w, true).recent, 1);
        end_world(w);
}
END_TEST

START_TEST(an_idle_brick_repeats_nothing)
{
        struct world *w = new_world();

        records(w, "EDM");
        rollover(w);
        rollover(w);
        take_cursor(w);
        rollover(w);
        ck_assert_uint_eq(next_window(w, true).replayed, 0);
        end_world(w);
}
END_TEST

START_TEST(the_slice_before_a_restart_is_read)
{
        struct world *w = new_world();

        take_cursor(w);
        records(w, "ED");
        restart(w);
        records(w, "EM");
        rollover(w);
        restart(w); /* header only */
        ck_assert_uint_eq(next_window(w, true).fresh, 4);
        records(w, "E");
        restart(w);
        ck_assert_uint_eq(next_window(w, true).fresh, 1);
        end_world(w);
}
END_TEST

START_TEST(a_torn_live_tail_is_read_when_it_is_whole)
{
        struct world *w = new_world();
        char bytes[256];
        size_t len;

        take_cursor(w);
        records(w, "EE");
        len = encode(w, 'E', w->n, bytes);
        put(w->live, bytes, len - 5);
        ck_assert_uint_eq(next_window(w, false).fresh, 2);
        put(w->live, bytes + len - 5, 5);
        count(w, 'E');
        ck_assert_uint_eq(next_window(w, false).fresh, 1);
        end_world(w);
}
END_TEST

START_TEST(a_live_file_without_its_whole_header_is_empty)
{
        struct world *w = new_world();

        ck_assert_int_eq(ftruncate(w->live, 20), 0);
        take_cursor(w);
        ck_assert_uint_eq(w->cursor.live_len, 0);
        ck_assert_uint_eq(next_window(w, false).fresh, 0);
        put(w->live, ASCII + 20, GB_CHANGELOG_HEADER - 20);
        records(w, "E");
        ck_assert_uint_eq(next_window(w, false).fresh, 1);
        end_world(w);
}
END_TEST

START_TEST(a_missing_live_file_is_no_gap_if_nothing_was_read_of_it)
{
        struct world *w = new_world();

        records(w, "E");
        rollover(w);
        take_cursor(w);
        records(w, "E");
        w->now += ROLLOVER;
        close_live(w, false);
        ck_assert_uint_eq(next_window(w, false).fresh, 1);
        open_live(w);
        records(w, "E");
        ck_assert_uint_eq(next_window(w, false).fresh, 1);
        end_world(w);
}
END_TEST

/* In the middle of a rollover the file has its name and HTIME not yet its entry. */
START_TEST(an_entry_that_comes_late_is_not_a_second_slice)
{
        struct world *w = new_world();

        take_cursor(w);
        records(w, "ED");
        w->now += ROLLOVER;
        close_live(w, true);
        ck_assert_uint_eq(next_window(w, false).fresh, 2);
        htime_entry(w, "CHANGELOG", w->now);
        open_live(w);
        records(w, "E");
        rollover(w);
        ck_assert_uint_eq(next_window(w, true).fresh, 1);
        end_world(w);
}
END_TEST

START_TEST(a_slice_closed_in_the_second_of_the_cursor_is_read)
{
        struct world *w = new_world();

        rollover(w); /* empty */
        take_cursor(w);
        records(w, "ED");
        rollover_at(w, w->now);
        records(w, "E");
        ck_assert_uint_eq(next_window(w, false).fresh, 3);
        end_world(w);
}
END_TEST

START_TEST(a_restart_in_the_second_of_the_cursor_is_read)
{
        struct world *w = new_world();

        rollover(w); /* empty */
        records(w, "E");
        take_cursor(w);
        records(w, "ED");
        close_live(w, true);
        open_live(w);
        records(w, "E");
        ck_assert_uint_eq(next_window(w, false).fresh, 3);
        end_world(w);
}
END_TEST

START_TEST(the_slice_of_the_cursor_overwritten_is_a_gap)
{
        struct world *w = new_world();

        records(w, "E");
        rollover(w);
        take_cursor(w);
        records(w, "E");
        rollover_at(w, w->now);
        expect_gap(w, "overwritten");
        end_world(w);
}
END_TEST

START_TEST(a_restart_that_overwrites_the_slice_of_the_cursor_is_a_gap)
{
        struct world *w = new_world();

        records(w, "E");
        rollover(w);
        take_cursor(w);
        close_live(w, true);
        open_live(w);
        expect_gap(w, "overwritten");
        end_world(w);
}
END_TEST

START_TEST(slices_overwritten_before_the_cursor_are_none_of_our_business)
{
        struct world *w = new_world();

        records(w, "E");
        rollover(w);
        records(w, "E");
        rollover_at(w, w->now);
        take_cursor(w);
        records(w, "E");
        ck_assert_uint_eq(next_window(w, false).fresh, 1);
        rollover(w);
        ck_assert_uint_eq(next_window(w, true).fresh, 0);
        end_world(w);
}
END_TEST

START_TEST(a_late_entry_and_another_slice_of_its_name_are_a_gap)
{
        struct world *w = new_world();

        take_cursor(w);
        records(w, "E");
        w->now += ROLLOVER;
        close_live(w, true);
        next_window(w, false);
        htime_entry(w, "CHANGELOG", w->now);
        open_live(w);
        records(w, "E");
        rollover_at(w, w->now);
        expect_gap(w, "overwritten");
        end_world(w);
}
END_TEST

START_TEST(two_slices_of_one_name_in_the_window_are_a_gap)
{
        struct world *w = new_world();

        take_cursor(w);
        records(w, "E");
        rollover(w);
        records(w, "E");
        rollover_at(w, w->now);
        expect_gap(w, "overwritten");
        end_world(w);
}
END_TEST

START_TEST(an_empty_and_a_full_slice_of_one_name_are_no_gap)
{
        struct world *w = new_world();

        take_cursor(w);
        rollover(w);
        records(w, "E");
        rollover_at(w, w->now);
        rollover_at(w, w->now);
        ck_assert_uint_eq(next_window(w, false).fresh, 1);
        end_world(w);
}
END_TEST

static void in_slice(struct world *w, int64_t ts, void (*act)(const char *path))
{
        char *path = dated(w, "CHANGELOG", ts);

        act(path);
        free(path);
}

static void remove_file(const char *path)
{
        EXPECT(unlink(path) == 0);
}

static void cut_file(const char *path)
{
        EXPECT(truncate(path, GB_CHANGELOG_HEADER + 30) == 0);
}

static void empty_file(const char *path)
{
        EXPECT(truncate(path, 0) == 0);
}

static void spoil_file(const char *path)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        EXPECT(fd >= 0 && pwrite(fd, "?", 1, GB_CHANGELOG_HEADER) == 1);
        close(fd);
}

START_TEST(a_slice_that_is_gone_or_damaged_is_a_gap)
{
        static const struct {
                void (*act)(const char *path);
                const char *reason;
        } cases[] = {{remove_file, "is missing"},
                     {cut_file, "ends inside a record, at offset 51"},
                     {empty_file, "does not begin like a changelog"},
                     {spoil_file, "is corrupt at offset 51"}};
        struct world *w = new_world();

        take_cursor(w);
        records(w, "ED");
        rollover(w);
        in_slice(w, w->now, cases[_i].act);
        expect_gap(w, cases[_i].reason);
        end_world(w);
}
END_TEST

static void shorten_file(const char *path)
{
        struct stat st;

        EXPECT(stat(path, &st) == 0 && truncate(path, st.st_size - 3) == 0);
}

static void replace_file(const char *path)
{
        EXPECT(unlink(path) == 0 && mkdir(path, 0755) == 0);
}

/* The slice that ended at the cursor, and the one before it. */
START_TEST(a_slice_of_the_last_window_that_is_gone_or_damaged_is_no_gap)
{
        static const struct {
                void (*act)(const char *path);
                uint32_t left;
        } cases[] = {{remove_file, 0}, {cut_file, 0},     {empty_file, 0},
                     {spoil_file, 0},  {replace_file, 0}, {shorten_file, 2}};
        struct gb_cursor from;
        struct gb_history_options o = {.from = &from, .reread = true};
        struct world *w = new_world();
        struct window win;
        struct gb_error err;
        int64_t ended[2];

        take_cursor(w);
        for (int i = 0; i < 2; i++) {
                records(w, "EDM");
                rollover(w);
                ended[i] = w->now;
        }
        next_window(w, true);
        records(w, "ED");
        in_slice(w, ended[_i % 2], cases[_i / 2].act);
        from = w->cursor;
        if (read_history(w, &o, &win, &err) < 0)
                ck_abort_msg("%s", err.text);
        ck_assert_uint_eq(win.fresh, 2);
        ck_assert_uint_eq(win.replayed, 3 + cases[_i / 2].left);
        w->cursor = from;
        from.prev_ts = 0; /* nobody has read it before: only the slice that ended at the cursor matters */
        if (_i % 2 == 0 || cases[_i / 2].act == remove_file)
                ck_assert_int_eq(read_history(w, &o, &win, NULL), 0);
        else
                ck_assert_int_eq(read_history(w, &o, &win, NULL), -1);
        end_world(w);
}
END_TEST

START_TEST(bytes_already_read_that_changed_or_went_are_a_gap)
{
        struct world *w = new_world();

        records(w, "EDE");
        take_cursor(w);
        rollover(w);
        in_slice(w, w->now, _i == 0 ? remove_file : _i == 1 ? cut_file : spoil_file);
        expect_gap(w, _i == 0 ? "is missing" : "is not the one read before: overwritten or removed");
        end_world(w);
}
END_TEST

START_TEST(another_live_file_than_the_one_read_is_a_gap)
{
        struct world *w = new_world();
        char *path = fixture_join(w->dir, "CHANGELOG");

        records(w, "EDE");
        take_cursor(w);
        remove_file(path);
        if (_i) {
                close(w->live);
                open_live(w);
                expect_gap(w, "read before");
        } else {
                expect_gap(w, "is gone");
        }
        free(path);
        end_world(w);
}
END_TEST

START_TEST(switching_off_and_on_is_a_gap)
{
        struct world *w = new_world();
        char was[64];

        memcpy(was, w->htime, sizeof(was));
        take_cursor(w);
        w->now += ROLLOVER;
        close_live(w, false);
        begin_htime(w);
        open_live(w);
        rollover(w);
        expect_gap(w, "changelog was switched off and on");
        expect_gap(w, was);
        expect_gap(w, w->htime);
        end_world(w);
}
END_TEST

START_TEST(htime_that_is_damaged_is_a_gap)
{
        static const struct {
                const char *bytes;
                size_t len;
                const char *reason;
        } cases[] = {{"/a/CHANGE", 9, "is damaged"},
                     {"/a/nonsense", 12, "is damaged"},
                     {"/a/2026/11/23/CHANGELOG.1", 26, "names slices of another directory"},
                     {"/a/CHANGELOG.4000000000", 24, "names slices of another directory"},
                     {"/a/changelog.2000000000", 0, "names slices of another directory"}};
        struct world *w = new_world();
        char entry[64];

        rollover(w);
        take_cursor(w);
        if (cases[_i].len) {
                append_htime(w, cases[_i].bytes, cases[_i].len);
        } else {
                int n = snprintf(entry, sizeof(entry), "/a/changelog.%lld", (long long)w->now + 5);

                append_htime(w, entry, (size_t)n + 1);
        }
        expect_gap(w, cases[_i].reason);
        end_world(w);
}
END_TEST

START_TEST(damage_in_htime_before_the_cursor_is_none_of_our_business)
{
        struct world *w = new_world();

        append_htime(w, "/a/nonsense", 12);
        rollover(w);
        take_cursor(w);
        records(w, "E");
        rollover(w);
        ck_assert_uint_eq(next_window(w, false).fresh, 1);
        end_world(w);
}
END_TEST

START_TEST(htime_that_shrank_or_is_missing_is_a_gap)
{
        struct world *w = new_world();
        char *dir = fixture_join(w->dir, "htime"), *path = fixture_join(dir, w->htime);

        rollover(w);
        take_cursor(w);
        ck_assert_int_eq(truncate(path, (off_t)w->cursor.htime_len / 2), 0);
        expect_gap(w, "rewritten or shortened");
        remove_file(path);
        expect_gap(w, "HTIME");
        free(path);
        free(dir);
        end_world(w);
}
END_TEST

/* Births are told apart by the tick. */
static void tick(void)
{
        const struct timespec ts = {0, 12 * 1000000};

        nanosleep(&ts, NULL);
}

/* Names go back and forth, with restarts in between; what the brick wrote comes in its order. */
START_TEST(a_clock_that_steps_loses_nothing)
{
        static const int64_t steps[] = {-40, 100000, -7000, -3, 15, -50000, 15, 33000, 15, -17};
        struct world *w = new_world();

        w->stepped = true;
        records(w, "E");
        take_cursor(w);
        if (!w->cursor.live_born) {
                rollover_at(w, w->now - 40);
                expect_gap(w, "the clock was set back");
                end_world(w);
                return;
        }
        for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
                for (int j = 0; j < 3; j++) {
                        records(w, j == _i % 3 ? "EDM" : "");
                        tick();
                        w->now += j ? ROLLOVER : steps[i];
                        close_live(w, (i + (size_t)j) % (size_t)(_i + 1) != 0);
                        open_live(w);
                }
                records(w, _i & 1 ? "E" : "");
                if (i % (size_t)(_i / 3 + 1) == 0)
                        next_window(w, false);
        }
        tick();
        rollover(w);
        next_window(w, false);
        ck_assert_uint_eq(next_window(w, false).fresh, 0);
        end_world(w);
}
END_TEST

/* A node that boots with a wrong clock: what it leaves is named long before the cursor. */
START_TEST(the_slice_before_a_restart_is_read_whatever_its_name)
{
        struct world *w = new_world();
        int64_t now;

        w->stepped = true;
        records(w, "E");
        rollover(w);
        take_cursor(w);
        tick();
        records(w, "ED");
        rollover(w);
        records(w, "EM");
        tick();
        now = w->now;
        w->now -= 3000000;
        restart(w);
        w->now = now;
        tick();
        rollover(w);
        ck_assert_uint_eq(next_window(w, false).fresh, 4);
        end_world(w);
}
END_TEST

static void touch_all_slices(struct world *w)
{
        fixture_mkdir(w->dir, "unused");
        for (uint32_t i = 0; i < w->slices; i++)
                if (w->ended[i]) {
                        char *path = dated(w, "CHANGELOG", w->ended[i]);

                        (void)!chmod(path, 0600);
                        free(path);
                }
}

/* An administrator may change modes, owners and labels, or put old slices back from a copy. */
START_TEST(old_slices_that_were_touched_or_put_back_are_none_of_our_business)
{
        struct world *w = new_world();
        char *old, *copy, *command;

        records(w, "EDM");
        rollover(w);
        old = dated(w, "CHANGELOG", w->now);
        copy = fixture_join(w->dir, "copy");
        records(w, "E");
        rollover(w);
        rollover(w);
        take_cursor(w);
        tick();
        records(w, "E");
        rollover(w);
        touch_all_slices(w);
        ck_assert_int_gt(asprintf(&command, "cp -p %s %s && mv %s %s", old, copy, copy, old), 0);
        ck_assert_int_eq(system(command), 0);
        records(w, "E");
        ck_assert_uint_eq(next_window(w, false).fresh, 2);
        free(old);
        free(copy);
        free(command);
        end_world(w);
}
END_TEST

static void spoil_gfid(const char *path)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        EXPECT(fd >= 0 && pwrite(fd, "7", 1, GB_CHANGELOG_HEADER + 30) == 1);
        close(fd);
}

static void keep_header(const char *path)
{
        EXPECT(truncate(path, GB_CHANGELOG_HEADER) == 0);
}

static void copy_in_place(const char *path)
{
        char *command;

        EXPECT(asprintf(&command, "cp -p %s %s.x && mv %s.x %s", path, path, path, path) > 0);
        EXPECT(system(command) == 0);
        free(command);
}

/* What parses well may still be wrong. */
START_TEST(a_slice_that_is_not_as_the_brick_left_it_is_a_gap)
{
        static const struct {
                void (*act)(const char *path);
                const char *reason;
        } cases[] = {{spoil_gfid, CHANGED},
                     {keep_header, CHANGED},
                     {copy_in_place, "is not the file that the brick wrote"}};
        struct world *w = new_world();

        take_cursor(w);
        records(w, "ED");
        rollover(w);
        if (!w->cursor.live_born) {
                end_world(w);
                return;
        }
        records(w, "E");
        rollover(w);
        tick();
        in_slice(w, w->now, cases[_i].act);
        expect_gap(w, cases[_i].reason);
        end_world(w);
}
END_TEST

/* The file that the brick writes to has no name any more. */
START_TEST(a_live_file_that_was_removed_is_a_gap)
{
        struct world *w = new_world();
        char *path = fixture_join(w->dir, "CHANGELOG");

        rollover(w);
        take_cursor(w);
        tick();
        remove_file(path);
        records(w, "E");
        close(w->live);
        open_live(w);
        if (w->cursor.live_born)
                expect_gap(w, "the CHANGELOG read before is gone");
        free(path);
        end_world(w);
}
END_TEST

START_TEST(a_cursor_of_another_place_is_a_gap)
{
        struct world *w = new_world();

        take_cursor(w);
        w->cursor.node.b[3] ^= 1;
        expect_gap(w, "another node");
        take_cursor(w);
        strcpy(w->cursor.brick, "/somewhere");
        expect_gap(w, "/somewhere");
        end_world(w);
}
END_TEST

START_TEST(no_first_entry_in_time_is_a_timeout)
{
        struct world *w = new_world();
        struct gb_cursor c;
        struct gb_error err;
        int64_t began = gb_now_ms();

        w->now += ROLLOVER;
        begin_htime(w);
        ck_assert_int_eq(gb_cursor_now(&w->b, NULL, gb_deadline_in(250), &c, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_TIMEOUT);
        ck_assert_int_ge(gb_now_ms() - began, 250);
        end_world(w);
}
END_TEST

static struct window by_time(struct world *w, int64_t start, int64_t end)
{
        struct gb_history_options o = {.start = start, .end = end};
        struct gb_error err;
        struct window win;

        if (read_history(w, &o, &win, &err) < 0)
                ck_abort_msg("%s", err.text);
        ck_assert_uint_eq(win.replayed, 0);
        return win;
}

START_TEST(a_window_by_time_takes_the_slices_around_it)
{
        struct world *w = new_world();
        struct window win;
        int64_t t[4];

        for (int i = 0; i < 4; i++) { /* record i lies in the slice that ends at t[i] */
                record(w, 'E');
                rollover(w);
                t[i] = w->now;
        }
        record(w, 'E');
        ck_assert_uint_eq(by_time(w, t[0] - 5, 0).fresh, 5);
        ck_assert_uint_eq(by_time(w, t[0] + 2, 0).fresh, 5); /* a name may be early */
        win = by_time(w, t[0] + 3, t[2] - 2);
        ck_assert(win.fresh == 2 && win.seen[1] && win.seen[2]);
        w->cursor_n = 3;
        ck_assert_uint_eq(next_window(w, false).fresh, 2); /* its cursor goes on behind it */
        win = by_time(w, t[1] - 5, t[1]);
        ck_assert(win.fresh == 2 && win.seen[1] && win.seen[2]);
        ck_assert_uint_eq(by_time(w, t[3] + 3, (int64_t)time(NULL) + 1000).fresh, 1);
        end_world(w);
}
END_TEST

static void expect_time_error(struct world *w, int64_t start, int64_t end, enum gb_code code,
                              const char *reason)
{
        struct gb_history_options o = {.start = start, .end = end};
        struct gb_error err;
        struct window win;

        ck_assert_int_eq(read_history(w, &o, &win, &err), -1);
        ck_assert_msg(err.code == code, "%s", err.text);
        ck_assert_msg(strstr(err.text, reason) != NULL, "%s", err.text);
}

START_TEST(a_window_by_time_needs_history_that_covers_it)
{
        struct world *w = new_world();
        int64_t first = w->now - ROLLOVER, off, on;

        record(w, 'E');
        rollover(w);
        rollover(w);
        close_live(w, false);
        off = w->now;
        w->now += 100;
        on = w->now;
        begin_htime(w);
        open_live(w);
        rollover(w);
        record(w, 'E');
        ck_assert_uint_eq(by_time(w, on, 0).fresh, 1);
        ck_assert_uint_eq(by_time(w, first, off).fresh, 1); /* wholly in the old HTIME */
        expect_time_error(w, on - 1, 0, GB_ERR_GAP, "switched off and on");
        expect_time_error(w, first, on + 1, GB_ERR_GAP, "switched off and on");
        expect_time_error(w, first, off + 50, GB_ERR_GAP, "switched off at");
        expect_time_error(w, first - 1, 0, GB_ERR_GAP, "no history before");
        expect_time_error(w, (int64_t)time(NULL) + 100, 0, GB_ERR_USAGE, "future");
        expect_time_error(w, on + 20, on, GB_ERR_USAGE, "ends before it begins");
        end_world(w);
}
END_TEST

/* glusterd's working directory, for the rules that need it. */
static void glusterd_files(struct world *w, struct gb_glusterd *gd, uint64_t version, bool active,
                           unsigned rollover_time, const char *changelog_dir)
{
        char text[8192], name[512], node[GB_GFID_TEXT], *slash = name;
        int n;

        fixture_mkdir(w->b.path, "glusterd/vols/v/bricks");
        gb_gfid_format(&w->b.node, node);
        snprintf(text, sizeof(text), "UUID=%s\noperating-version=100000\n", node);
        fixture_write(w->b.path, "glusterd/glusterd.info", text);
        snprintf(text, sizeof(text), "type=0\nstatus=1\nversion=%llu\nvolume-id=" PARENT "\nbrick-0=h:-b\n",
                 (unsigned long long)version);
        fixture_write(w->b.path, "glusterd/vols/v/info", text);
        snprintf(text, sizeof(text), "uuid=%s\nhostname=h\npath=%s\nbrick-id=v-client-0\n", node, w->b.path);
        fixture_write(w->b.path, "glusterd/vols/v/bricks/h:-b", text);
        n = snprintf(name, sizeof(name), "glusterd/vols/v/v.h.%s.vol", w->b.path + 1);
        ck_assert_int_gt(n, 0);
        while ((slash = strchr(slash, '/'))) {
                if (slash >= name + strlen("glusterd/vols/v/v"))
                        *slash = '-';
                slash++;
        }
        snprintf(text, sizeof(text),
                 "volume v-changelog\n    type features/changelog\n    option changelog-brick %s\n"
                 "    option changelog-dir %s\n    option changelog %s\n    option rollover-time %u\n"
                 "    subvolumes v-posix\nend-volume\n",
                 w->b.path, changelog_dir, active ? "on" : "off", rollover_time);
        fixture_write(w->b.path, name, text);
        if (!gd->workdir) {
                char *dir = fixture_join(w->b.path, "glusterd");

                ck_assert_int_eq(gb_glusterd_init(gd, dir, "/run/gluster", NULL), 0);
                free(dir);
        }
}

/* Opens the window from the cursor; the code of the error, or GB_OK. */
static enum gb_code try_open(struct world *w, const struct gb_glusterd *gd, struct gb_error *err)
{
        struct gb_history_options o = {.from = &w->cursor};
        struct gb_history *h = gb_history_open(&w->b, gd, &o, err);
        enum gb_code code = h ? GB_OK : err->code;

        gb_history_close(h);
        return code;
}

START_TEST(options_of_the_volume_are_checked)
{
        struct world *w = new_world();
        struct gb_glusterd gd = {0};
        struct gb_cursor c;
        struct gb_error err;

        glusterd_files(w, &gd, 9, true, 15, w->dir);
        ck_assert_int_eq(gb_cursor_now(&w->b, &gd, gb_deadline_in(0), &w->cursor, &err), 0);
        ck_assert_uint_eq(w->cursor.volume_version, 9);
        ck_assert_int_eq(try_open(w, &gd, &err), GB_OK);
        glusterd_files(w, &gd, 9, false, 15, w->dir);
        ck_assert_int_eq(try_open(w, &gd, &err), GB_ERR_CHANGELOG_OFF);
        ck_assert_int_eq(gb_cursor_now(&w->b, &gd, gb_deadline_in(0), &c, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_CHANGELOG_OFF);
        glusterd_files(w, &gd, 9, true, 1, w->dir);
        ck_assert_int_eq(try_open(w, &gd, &err), GB_ERR_GAP);
        ck_assert_ptr_nonnull(strstr(err.text, "rollover-time"));
        glusterd_files(w, &gd, 9, true, 15, "/elsewhere");
        ck_assert_int_eq(try_open(w, &gd, &err), GB_ERR_GAP);
        ck_assert_ptr_nonnull(strstr(err.text, "/elsewhere"));
        glusterd_files(w, &gd, 8, true, 15, w->dir);
        ck_assert_int_eq(try_open(w, &gd, &err), GB_ERR_GAP);
        gb_glusterd_fini(&gd);
        end_world(w);
}
END_TEST

/* Until now in one step, so that the brick is not silent between the last rollover and the present. */
static void catch_up(struct world *w, int64_t before_now)
{
        while (w->now + ROLLOVER <= (int64_t)time(NULL) - before_now)
                rollover(w);
}

START_TEST(a_silence_is_a_gap_only_together_with_volume_changes)
{
        struct world *w = new_world();
        struct gb_glusterd gd = {0};
        struct gb_error err;

        w->now = (int64_t)time(NULL) - 3000;
        rollover(w);
        glusterd_files(w, &gd, 10, true, 15, w->dir);
        ck_assert_int_eq(gb_cursor_now(&w->b, &gd, gb_deadline_in(0), &w->cursor, &err), 0);
        catch_up(w, 600);
        glusterd_files(w, &gd, 17, true, 15, w->dir);
        if (_i == 1) {
                w->now += 200;
                restart(w);
        }
        catch_up(w, 0);
        ck_assert_int_eq(try_open(w, &gd, &err), _i == 0 ? GB_OK : GB_ERR_GAP);
        if (_i == 1) {
                ck_assert_ptr_nonnull(strstr(err.text, "no sign of the brick for 207 s"));
                glusterd_files(w, &gd, 13, true, 15, w->dir);
                ck_assert_int_eq(try_open(w, &gd, &err), GB_OK);
        }
        gb_glusterd_fini(&gd);
        end_world(w);
}
END_TEST

START_TEST(a_quick_restart_with_all_changes_of_an_off_period_is_a_gap)
{
        struct world *w = new_world();
        struct gb_glusterd gd = {0};
        struct gb_error err;

        w->now = (int64_t)time(NULL) - 600;
        rollover(w);
        glusterd_files(w, &gd, 10, true, 15, w->dir);
        ck_assert_int_eq(gb_cursor_now(&w->b, &gd, gb_deadline_in(0), &w->cursor, &err), 0);
        restart(w);
        catch_up(w, 0);
        glusterd_files(w, &gd, 15, true, 15, w->dir);
        ck_assert_int_eq(try_open(w, &gd, &err), GB_OK);
        glusterd_files(w, &gd, 16, true, 15, w->dir);
        ck_assert_int_eq(try_open(w, &gd, &err), GB_ERR_GAP);
        gb_glusterd_fini(&gd);
        end_world(w);
}
END_TEST

START_TEST(a_silence_in_a_window_by_time_is_a_gap)
{
        struct world *w = new_world();
        struct gb_glusterd gd = {0};
        struct gb_history_options o = {0};
        struct gb_history *h;
        struct gb_error err;

        w->now = (int64_t)time(NULL) - 3000;
        rollover(w);
        catch_up(w, 1000);
        w->now += 100;
        catch_up(w, 0);
        glusterd_files(w, &gd, 10, true, 15, w->dir);
        o.start = (int64_t)time(NULL) - 2000;
        h = gb_history_open(&w->b, &gd, &o, &err);
        ck_assert_ptr_null(h);
        ck_assert_int_eq(err.code, GB_ERR_GAP);
        o.start = (int64_t)time(NULL) - 500;
        h = gb_history_open(&w->b, &gd, &o, &err);
        ck_assert_ptr_nonnull(h);
        gb_history_close(h);
        gb_glusterd_fini(&gd);
        end_world(w);
}
END_TEST

static int64_t begins(const struct world *w)
{
        struct gb_history_options o = {.from = &w->cursor};
        struct gb_error err;
        struct gb_history *h = gb_history_open(&w->b, NULL, &o, &err);
        int64_t from, to;

        if (!h)
                ck_abort_msg("%s", err.text);
        gb_history_window(h, &from, &to);
        gb_history_close(h);
        return from;
}

START_TEST(the_window_of_ctimes_goes_back_with_the_clock)
{
        struct world *w = new_world();
        int64_t now;

        w->now = (int64_t)time(NULL);
        rollover_at(w, w->now - 1);
        take_cursor(w);
        records(w, "E");
        now = w->cursor.when;
        ck_assert_int_ge(now, w->now);
        ck_assert_int_eq(begins(w), now);
        rollover_at(w, w->now + 15);
        ck_assert_int_eq(begins(w), now);
        w->cursor.when = now + 3600;
        ck_assert_int_le(begins(w), now);
        ck_assert_int_gt(begins(w), now - 60);
        w->cursor.when = now;
        records(w, "E");
        rollover_at(w, w->now - 500);
        ck_assert_int_le(begins(w), now - 500);
        ck_assert_int_gt(begins(w), now - 560);
        end_world(w);
}
END_TEST

/* Parse the text with one piece of it replaced. */
static int parse_changed(const char *text, const char *was, const char *is, struct gb_cursor *c)
{
        const char *at = strstr(text, was);
        char changed[2 * GB_CURSOR_MAX];
        int n;

        EXPECT(at != NULL);
        n = snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, is, at + strlen(was));
        return gb_cursor_parse(changed, (size_t)n, c, NULL);
}

START_TEST(cursor_text_is_exact_and_damage_is_refused)
{
        struct gb_cursor c = {.htime = "HTIME.1795395196",
                              .htime_len = UINT64_MAX,
                              .last_ts = 1795395196,
                              .prev_ts = 1795395181,
                              .live_ino = 12,
                              .live_len = 345,
                              .live_hash = 0x00ab,
                              .volume_version = 6,
                              .when = 1795395200,
                              .brick = "/a b\n%\xff/c"};
        struct gb_cursor back;
        char text[GB_CURSOR_MAX];
        size_t len;

        ck_assert_int_eq(gb_cursor_format(&c, text, sizeof(text), NULL), 0);
        len = strlen(text);
        for (size_t i = 0; i < len; i++)
                ck_assert(text[i] >= ' ' && text[i] < 0x7f);
        ck_assert_int_eq(gb_cursor_parse(text, len, &back, NULL), 0);
        ck_assert_mem_eq(&c, &back, sizeof(c));
        for (size_t cut = 0; cut < len - strlen("/a%20b%0A%25%FF/c"); cut++)
                EXPECT(gb_cursor_parse(text, cut, &back, NULL) == -1);
        ck_assert_int_eq(parse_changed(text, " prev=1795395181", "", &back), 0);
        ck_assert_int_eq(back.prev_ts, 0);
        ck_assert_int_eq(back.last_ts, c.last_ts);
        ck_assert_uint_eq(back.live_len, c.live_len);
        ck_assert_int_eq(parse_changed(text, " prev=1795395181", " prev=", &back), -1);
        ck_assert_int_eq(parse_changed(text, " prev=1795395181", " prev=-1", &back), -1);
        ck_assert_int_eq(parse_changed(text, " prev=1795395181", " prev=99999999999999999999", &back), -1);
        ck_assert_int_eq(parse_changed(text, " prev=1795395181", " prev=253402300799", &back), 0);
        ck_assert_int_eq(parse_changed(text, " prev=1795395181", " prev=253402300800", &back), -1);
        ck_assert_int_eq(parse_changed(text, " last=1795395196", " last=4000000000000000000", &back), -1);
        ck_assert_int_eq(gb_cursor_parse("gb1 htime=HTIME.1 hlen=99999999999999999999", 43, &back, NULL), -1);
        ck_assert_int_eq(gb_cursor_format(&c, text, 100, NULL), -1);
        memset(c.brick, '\n', GB_BRICK_PATH_MAX);
        ck_assert_int_eq(gb_cursor_format(&c, text, sizeof(text), NULL), -1);
}
END_TEST

/* One random thing happens to the brick. */
static void something(struct world *w, struct random *r)
{
        switch (random_below(r, 12)) {
        case 0:
        case 1:
                w->binary = random_below(r, 2);
                rollover_at(w, w->now + 1 + (int64_t)random_below(r, ROLLOVER));
                break;
        case 2:
                restart(w);
                break;
        default:
                record(w, "EDM"[random_below(r, 3)]);
        }
}

/* A record of which only a part is there when the window is read. */
static struct window window_while_writing(struct world *w, struct random *r)
{
        char bytes[256], type = "EDM"[random_below(r, 3)];
        size_t len = encode(w, type, w->n, bytes), part = 1 + random_below(r, len - 1);
        struct window win;

        put(w->live, bytes, part);
        win = next_window(w, random_below(r, 2));
        put(w->live, bytes + part, len - part);
        w->live_size += (off_t)len;
        count(w, type);
        return win;
}

/* next_window() checks that what comes is exactly what was written since, in order. */
START_TEST(random_windows_over_a_random_stream_lose_and_repeat_nothing)
{
        struct random r = {(uint64_t)_i * 7919 + 1};
        struct world *w = new_world();

        for (size_t i = random_below(&r, 20); i > 0; i--)
                something(w, &r);
        take_cursor(w);
        for (int round = 0; round < 120; round++) {
                for (size_t i = random_below(&r, 12); i > 0; i--)
                        something(w, &r);
                if (random_below(&r, 4) == 0)
                        window_while_writing(w, &r);
                else
                        next_window(w, random_below(&r, 2));
                if (random_below(&r, 20) == 0)
                        take_cursor(w);
        }
        end_world(w);
}
END_TEST

static void add_windows(Suite *s)
{
        TCase *t = tcase_create("windows");

        tcase_set_timeout(t, 120);
        tcase_add_test(t, live_records_come_at_once_and_only_once);
        tcase_add_test(t, a_cursor_in_the_live_file_goes_on_in_the_closed_slice);
        tcase_add_test(t, reread_brings_d_and_m_of_the_slice_that_ended_at_the_cursor);
        tcase_add_test(t, reread_brings_the_last_window_too_which_does_not_count);
        tcase_add_test(t, without_reread_the_last_window_does_not_come);
        tcase_add_test(t, a_position_and_a_window_by_time_are_no_last_window);
        tcase_add_test(t, a_slice_closed_in_the_second_of_the_cursor_belongs_to_the_last_window);
        tcase_add_test(t, events_of_the_newest_slice_and_the_live_one_are_recent);
        tcase_add_loop_test(t, a_slice_of_the_last_window_that_is_gone_or_damaged_is_no_gap, 0, 12);
        tcase_add_test(t, an_idle_brick_repeats_nothing);
        tcase_add_test(t, the_slice_before_a_restart_is_read);
        tcase_add_test(t, a_torn_live_tail_is_read_when_it_is_whole);
        tcase_add_test(t, a_live_file_without_its_whole_header_is_empty);
        tcase_add_test(t, a_missing_live_file_is_no_gap_if_nothing_was_read_of_it);
        tcase_add_test(t, an_entry_that_comes_late_is_not_a_second_slice);
        tcase_add_test(t, a_slice_closed_in_the_second_of_the_cursor_is_read);
        tcase_add_test(t, a_restart_in_the_second_of_the_cursor_is_read);
        tcase_add_test(t, an_empty_and_a_full_slice_of_one_name_are_no_gap);
        tcase_add_test(t, damage_in_htime_before_the_cursor_is_none_of_our_business);
        tcase_add_test(t, slices_overwritten_before_the_cursor_are_none_of_our_business);
        tcase_add_test(t, a_window_by_time_takes_the_slices_around_it);
        tcase_add_test(t, cursor_text_is_exact_and_damage_is_refused);
        tcase_add_loop_test(t, random_windows_over_a_random_stream_lose_and_repeat_nothing, 0, 20);
        suite_add_tcase(s, t);
}

static void add_gaps(Suite *s)
{
        TCase *t = tcase_create("gaps");

        tcase_set_timeout(t, 120);
        tcase_add_test(t, the_slice_of_the_cursor_overwritten_is_a_gap);
        tcase_add_test(t, a_restart_that_overwrites_the_slice_of_the_cursor_is_a_gap);
        tcase_add_test(t, a_late_entry_and_another_slice_of_its_name_are_a_gap);
        tcase_add_test(t, two_slices_of_one_name_in_the_window_are_a_gap);
        tcase_add_loop_test(t, a_slice_that_is_gone_or_damaged_is_a_gap, 0, 4);
        tcase_add_loop_test(t, bytes_already_read_that_changed_or_went_are_a_gap, 0, 3);
        tcase_add_loop_test(t, another_live_file_than_the_one_read_is_a_gap, 0, 2);
        tcase_add_test(t, switching_off_and_on_is_a_gap);
        tcase_add_loop_test(t, htime_that_is_damaged_is_a_gap, 0, 5);
        tcase_add_test(t, htime_that_shrank_or_is_missing_is_a_gap);
        tcase_add_loop_test(t, a_clock_that_steps_loses_nothing, 0, 12);
        tcase_add_test(t, the_slice_before_a_restart_is_read_whatever_its_name);
        tcase_add_test(t, old_slices_that_were_touched_or_put_back_are_none_of_our_business);
        tcase_add_loop_test(t, a_slice_that_is_not_as_the_brick_left_it_is_a_gap, 0, 3);
        tcase_add_test(t, a_live_file_that_was_removed_is_a_gap);
        tcase_add_test(t, a_cursor_of_another_place_is_a_gap);
        tcase_add_test(t, no_first_entry_in_time_is_a_timeout);
        tcase_add_test(t, a_window_by_time_needs_history_that_covers_it);
        tcase_add_test(t, options_of_the_volume_are_checked);
        tcase_add_loop_test(t, a_silence_is_a_gap_only_together_with_volume_changes, 0, 2);
        tcase_add_test(t, a_quick_restart_with_all_changes_of_an_off_period_is_a_gap);
        tcase_add_test(t, a_silence_in_a_window_by_time_is_a_gap);
        tcase_add_test(t, the_window_of_ctimes_goes_back_with_the_clock);
        suite_add_tcase(s, t);
}

int main(void)
{
        Suite *s = suite_create("history");
        SRunner *r;
        int failed;

        add_windows(s);
        add_gaps(s);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
