/*
 * history_open - a window from a cursor to now, its parts fixed.
 */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "history_core.h"

int64_t gb_kernel_seconds(void)
{
        return gb_birth_now() / SECOND;
}

/* Bring a bare reason into the form that a user reads; other errors only get the brick. */
int gb_history_explain(const struct gb_history *h, struct gb_error *err)
{
        char reason[GB_TEXT_MAX], from[32], to[32];

        if (!err)
                return -1;
        if (err->code != GB_ERR_GAP)
                return gb_error_prefix(err, "%.512s", h->b->path);
        memcpy(reason, err->text, sizeof(reason));
        gb_iso_time(h->by_time ? h->start : h->from.when, from);
        gb_iso_time(h->by_time && h->end ? h->end : (int64_t)time(NULL), to);
        return gb_error_set(err, GB_ERR_GAP, "%.512s: history from %s to %s: %.400s; run a full list",
                            h->b->path, from, to, reason);
}

int gb_history_add_part(struct gb_history *h, const struct gb_slice *s, enum gb_role role,
                        struct gb_error *err)
{
        struct gb_part p = {.live = !s, .role = role};

        if (s)
                p.slice = *s;
        if (gb_vec_push(&h->parts, p) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "no memory for the list of slices");
        return 0;
}

int gb_history_add_window(struct gb_history *h, struct gb_error *err)
{
        const struct gb_chain *c = &h->chain;

        for (size_t i = 0; i < c->window.n; i++)
                if (c->window.v[i]->file && gb_history_add_part(h, c->window.v[i], ROLE_WINDOW, err) < 0)
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

                enum gb_role role = s->ts == from->last_ts ? ROLE_ENDED : ROLE_OLD;

                if (!s->file || in_window(c, s))
                        continue;
                if ((role == ROLE_ENDED || (h->replay_all && gb_chain_was_read(s, from))) &&
                    gb_history_add_part(h, s, role, err) < 0)
                        return -1;
        }
        if (!c->slices.last_ts)
                c->newest = from->last_ts;
        return gb_history_add_window(h, err);
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
        struct gb_volume_now before, after;
        bool with_live = true;
        int64_t to;
        int rc;

        h->opened = gb_kernel_seconds();
        h->log = gb_history_log(gd, h->b);
        h->next.log = gb_bricklog_now(h->log);
        /* The version that the next cursor keeps is from before the snapshot, the one compared with this
         * cursor from after it: a change in between counts in both windows rather than in none. */
        if (gb_volume_now(h->b, gd, h->dir, &before, err) < 0)
                return -1;
        rc = h->by_time ? gb_history_open_by_time(h, &with_live, err) : open_from_cursor(h, o, err);
        if (rc < 0 || gb_volume_now(h->b, gd, h->dir, &after, err) < 0)
                return -1;
        to = with_live ? (int64_t)time(NULL) : h->next.last_ts;
        if (gb_chain_check_slices(&h->chain, h->by_time ? NULL : &h->from, with_live, after.rollover, err) <
                    0 ||
            gb_history_check_holes(h, &after, to, err) < 0)
                return -1;
        h->brick_flags = gb_history_watch_brick(h, &after);
        h->since = first_ctime(h, after.rollover);
        gb_history_fill_next(h, &before, with_live);
        if (with_live && h->chain.live_fd >= 0 && gb_history_add_part(h, NULL, ROLE_WINDOW, err) < 0)
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
        if (gb_changelogs_dir(b, h->dir, sizeof(h->dir), err) < 0 || gb_slicefile_init(&h->file, err) < 0)
                goto fail;
        if (open_window(h, gd, o, err) < 0) {
                gb_history_explain(h, err);
                goto fail;
        }
        return h;
fail:
        gb_history_close(h);
        return NULL;
}
