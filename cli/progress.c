/*
 * progress - see progress.h.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "progress.h"

static bool shown; /* a line stands on the terminal */

static bool on_terminal(const struct gb_cli *c)
{
        return c->o.progress == GB_PROGRESS_AUTO && !c->o.quiet && isatty(STDERR_FILENO);
}

static void show(const struct gb_cli *c, const char *what, uint64_t entries, int64_t elapsed_ms)
{
        if (c->o.progress == GB_PROGRESS_JSON) {
                fprintf(stderr, "{\"progress\":\"%s\",\"entries\":%" PRIu64 ",\"elapsed_ms\":%" PRId64 "}\n",
                        what, entries, elapsed_ms);
        } else if (on_terminal(c)) {
                fprintf(stderr, "\r\033[K%s: %" PRIu64 " entries, %" PRId64 ".%01" PRId64 " s", what, entries,
                        elapsed_ms / 1000, elapsed_ms % 1000 / 100);
                fflush(stderr);
                shown = true;
        }
}

static int64_t started(void)
{
        static int64_t at;

        if (!at)
                at = gb_now_ms();
        return at;
}

void gb_progress_tick(const struct gb_cli *c, const char *what, uint64_t entries)
{
        static int64_t last;
        int64_t start = started(), now;

        if (entries % 1024 != 0)
                return;
        now = gb_now_ms();
        if (now - last < 200)
                return;
        last = now;
        show(c, what, entries, now - start);
}

void gb_progress_say(const struct gb_cli *c, const char *what)
{
        int64_t start = started();

        show(c, what, 0, gb_now_ms() - start);
}

void gb_progress_end(void)
{
        if (shown)
                fputs("\r\033[K", stderr);
        shown = false;
}
