/*
 * history_by_time - the slices of a window from one time to another.
 */
#include <config.h>

#include <inttypes.h>

#include "history_core.h"

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
        ahead = s->last_ts - (h->asked - (now - s->htime_changed) / SECOND);
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

int gb_history_open_by_time(struct gb_history *h, bool *with_live, struct gb_error *err)
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
        return gb_history_add_window(h, err);
}
