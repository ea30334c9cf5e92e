/*
 * needs - see needs.h.
 *
 * A run delivers again what the window before its cursor told of, so it needs slices from the beginning of
 * that window on (cursor.prev_ts), not only from the cursor.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "history.h"
#include "needs.h"

/* Slices are named up to a second early, and clocks are adjusted. */
#define SLACK 60

struct asked {
        struct gb_need *need;
        bool cumulative;
};

static int add_cursor(void *arg, const char *session, const char *volume, const char *state,
                      const char *cursor, size_t len, struct gb_error *err)
{
        struct asked *a = arg;
        struct gb_error ignored;
        struct gb_cursor c;
        int64_t from = 0;

        (void)volume;
        if (!a->cumulative && strcmp(state, "last_full") == 0)
                return 0;
        (void)err;
        if (gb_cursor_parse(cursor, len, &c, &ignored) == 0)
                from = (c.prev_ts > 0 && c.prev_ts < c.last_ts ? c.prev_ts : c.last_ts) - SLACK;
        gb_need_add(a->need, from, "session %.150s (%.30s)", session, state);
        return 0;
}

int gb_needs_of(struct gb_worker *w, const struct gb_brick *b, bool cumulative, struct gb_need *out,
                struct gb_error *err)
{
        struct asked asked = {out, cumulative};
        struct gb_store *store = gb_worker_store(w, err);

        gb_need_init(out);
        if (!store || gb_store_cursors(store, b->path, add_cursor, &asked, err) < 0)
                return -1;
        return gb_readers_need(b, &w->gd, out, err);
}
