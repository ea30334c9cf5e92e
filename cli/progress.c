/*
 * progress - see progress.h.
 *
 * Drawing is left to a thread of its own, because the main thread may wait long for one brick, and that is
 * just when somebody wants to see which.  The main thread only leaves two values.  Without a terminal and
 * without --progress=json there is no thread.
 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "lanes.h"
#include "progress.h"

#define DRAW_MS 250
#define JSON_MS 1000
/* Lanes that are drawn; the others are counted. */
#define LANES_MAX 12

static _Atomic(const char *) doing; /* NULL: nothing to show */
static _Atomic uint64_t listed;
/* Guards stderr and all below. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned lines; /* that stand on the terminal */
static int64_t started, drawn;
static uint64_t listed_before;

/* ---- what to show ---- */

struct lane {
        char name[200];
        uint64_t passed, rate;
        bool ended, awaited;
};

struct picture {
        const char *what;
        uint64_t entries, rate;
        int64_t elapsed_ms;
        struct lane lanes[LANES_MAX];
        unsigned n, more; /* lanes in the array, and others that are open */
        unsigned gone;
        uint64_t passed;  /* by all lanes, closed ones too */
        int64_t since_ms; /* the rates are over so long */
};

static uint64_t per_second(uint64_t n, int64_t ms)
{
        return ms > 0 ? n * 1000 / (uint64_t)ms : 0;
}

static void add_lane(struct gb_lane *l, void *arg)
{
        struct picture *p = arg;
        uint64_t passed = l->passed, before = l->shown;
        struct lane *to;

        p->passed += passed;
        l->shown = passed;
        if (p->n == LANES_MAX) {
                p->more++;
                return;
        }
        to = &p->lanes[p->n++];
        snprintf(to->name, sizeof(to->name), "%s", l->name);
        to->passed = passed;
        to->rate = per_second(passed - before, p->since_ms);
        to->ended = l->ended;
        to->awaited = l->awaited && !to->ended;
}

static void look(struct picture *p)
{
        int64_t now = gb_now_ms();
        uint64_t gone_passed;

        *p = (struct picture){.what = doing, .entries = listed, .elapsed_ms = now - started};
        p->since_ms = now - drawn;
        gb_lanes_look(add_lane, p, &p->gone, &gone_passed);
        p->passed += gone_passed;
        p->rate = p->entries > listed_before ? per_second(p->entries - listed_before, p->since_ms) : 0;
        listed_before = p->entries;
        drawn = now;
}

/* ---- JSON ---- */

static json_t *lanes_json(const struct picture *p)
{
        json_t *all = json_array();

        for (unsigned i = 0; i < p->n; i++) {
                const struct lane *l = &p->lanes[i];

                /* A brick path that is not UTF-8 makes no object, and is left out. */
                json_array_append_new(all, json_pack("{s:s,s:I,s:I,s:s}", "brick", l->name, "passed",
                                                     (json_int_t)l->passed, "per_second", (json_int_t)l->rate,
                                                     "state",
                                                     l->ended     ? "read"
                                                     : l->awaited ? "awaited"
                                                                  : "reading"));
        }
        return all;
}

static void show_json(const struct picture *p)
{
        json_t *j =
                json_pack("{s:s,s:I,s:I,s:I,s:I,s:o}", "progress", p->what, "entries", (json_int_t)p->entries,
                          "per_second", (json_int_t)p->rate, "elapsed_ms", (json_int_t)p->elapsed_ms,
                          "passed", (json_int_t)p->passed, "bricks", lanes_json(p));
        char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

        if (text)
                fprintf(stderr, "%s\n", text);
        free(text);
        json_decref(j);
}

/* ---- the terminal ---- */

static void wipe(void)
{
        if (lines > 1)
                fprintf(stderr, "\033[%uA", lines - 1);
        if (lines)
                fputs("\r\033[J", stderr);
        lines = 0;
}

/* One line, cut at the edge of the terminal; a wrapped line could not be wiped. */
static void put_line(const char *text, unsigned width)
{
        if (lines++)
                fputc('\n', stderr);
        for (unsigned i = 0; text[i] && i + 1 < width; i++) {
                unsigned char ch = (unsigned char)text[i];

                fputc(ch < 0x20 || ch == 0x7f ? '?' : ch, stderr);
        }
}

static void time_text(int64_t ms, char out[32])
{
        int64_t s = ms / 1000;

        if (s >= 3600)
                snprintf(out, 32, "%" PRId64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60), (int)(s % 60));
        else
                snprintf(out, 32, "%d:%02d", (int)(s / 60), (int)(s % 60));
}

static void lane_text(const struct lane *l, char *out, size_t size)
{
        if (l->ended)
                snprintf(out, size, "  %-40s %12" PRIu64 " read", l->name, l->passed);
        else
                snprintf(out, size, "  %-40s %12" PRIu64 " %9" PRIu64 "/s%s", l->name, l->passed, l->rate,
                         l->awaited ? "  waited for" : "");
}

static void show_lanes(const struct picture *p, unsigned room, unsigned width)
{
        char text[300];
        unsigned n = p->n < room ? p->n : room;

        for (unsigned i = 0; i < n; i++) {
                lane_text(&p->lanes[i], text, sizeof(text));
                put_line(text, width);
        }
        if (p->more + (p->n - n)) {
                snprintf(text, sizeof(text), "  and %u more", p->more + (p->n - n));
                put_line(text, width);
        }
}

static void show_terminal(const struct picture *p)
{
        struct winsize size = {.ws_row = 24, .ws_col = 80};
        const char *term = getenv("TERM");
        char text[300], elapsed[32], rate[64] = "";
        bool dumb = !term || strcmp(term, "dumb") == 0;

        if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col || !size.ws_row)
                size = (struct winsize){.ws_row = 24, .ws_col = 80};
        time_text(p->elapsed_ms, elapsed);
        if (p->rate)
                snprintf(rate, sizeof(rate), " (%" PRIu64 "/s)", p->rate);
        if (p->entries || p->passed)
                snprintf(text, sizeof(text), "%s: %" PRIu64 " entries%s, %" PRIu64 " read on the bricks, %s",
                         p->what, p->entries, rate, p->passed, elapsed);
        else
                snprintf(text, sizeof(text), "%s, %s", p->what, elapsed);
        wipe();
        put_line(text, size.ws_col);
        if (!dumb && p->elapsed_ms > 2 * DRAW_MS && size.ws_row > 4)
                show_lanes(p, size.ws_row - 3u, size.ws_col);
        fflush(stderr);
}

/* ---- the thread ---- */

static void *draw(void *arg)
{
        bool json = arg == &lines;
        struct picture p;

        for (;;) {
                const struct timespec pause = {json ? JSON_MS / 1000 : 0, json ? 0 : DRAW_MS * 1000000L};

                nanosleep(&pause, NULL);
                pthread_mutex_lock(&lock);
                if (doing) {
                        look(&p);
                        if (json)
                                show_json(&p);
                        else
                                show_terminal(&p);
                }
                pthread_mutex_unlock(&lock);
        }
        return NULL;
}

/* Signals are for the main thread: the mask is inherited. */
static void begin(bool json)
{
        sigset_t all, old;
        pthread_attr_t attr;
        pthread_t thread;

        started = drawn = gb_now_ms();
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attr, 256 * 1024);
        /* Without it there is no progress to be seen, and nothing else is amiss. */
        (void)pthread_create(&thread, &attr, draw, json ? &lines : NULL);
        pthread_attr_destroy(&attr);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static bool wanted(const struct gb_cli *c)
{
        static int known = -1;

        if (known < 0) {
                bool json = c->o.progress == GB_PROGRESS_JSON;

                known = json || (c->o.progress == GB_PROGRESS_AUTO && !c->o.quiet && isatty(STDERR_FILENO));
                if (known)
                        begin(json);
        }
        return known;
}

void gb_progress_tick(const struct gb_cli *c, const char *what, uint64_t entries)
{
        if (!wanted(c))
                return;
        listed = entries;
        doing = what;
}

void gb_progress_say(const struct gb_cli *c, const char *what)
{
        struct picture p;

        if (!wanted(c))
                return;
        listed = 0;
        doing = what;
        pthread_mutex_lock(&lock);
        look(&p);
        if (c->o.progress == GB_PROGRESS_JSON)
                show_json(&p);
        else
                show_terminal(&p);
        pthread_mutex_unlock(&lock);
}

void gb_progress_end(void)
{
        doing = NULL;
        gb_progress_hold();
        gb_progress_release();
}

void gb_progress_sum(const struct gb_cli *c, const char *what, uint64_t entries, const char *file)
{
        char elapsed[32];

        if (!wanted(c) || c->o.progress == GB_PROGRESS_JSON)
                return;
        time_text(gb_now_ms() - started, elapsed);
        gb_say("%s list: %" PRIu64 " %s%s%s, %s", what, entries, entries == 1 ? "entry" : "entries",
               *file ? " in " : "", file, elapsed);
}

void gb_progress_hold(void)
{
        pthread_mutex_lock(&lock);
        wipe();
}

void gb_progress_release(void)
{
        pthread_mutex_unlock(&lock);
}
