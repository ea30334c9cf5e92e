/*
 * history_position - where a brick's records end now.
 */
#include <config.h>

#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "history_core.h"

#define POLL_MS 100

void gb_history_fill_next(struct gb_history *h, const struct gb_volume_now *now, bool with_live)
{
        struct gb_cursor *n = &h->next;
        const struct gb_slices *s = &h->chain.slices;

        memcpy(n->htime, s->htime.name, sizeof(n->htime));
        memcpy(n->brick, h->b->path, strlen(h->b->path) + 1);
        n->node = h->b->node;
        n->volume_version = now->version;
        n->when = gb_kernel_seconds();
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
        GB_CLEANUP_FREE
        char *log = gb_history_log(gd, b);
        struct gb_volume_now now;
        int rc;

        h.next.log = gb_bricklog_now(log);
        if (gb_changelogs_dir(b, h.dir, sizeof(h.dir), err) < 0 || gb_volume_now(b, gd, h.dir, &now, err) < 0)
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
                gb_history_fill_next(&h, &now, true);
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
