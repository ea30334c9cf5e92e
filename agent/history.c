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
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "history_core.h"

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
        free(h->log);
        free(h);
}

static int open_part_fd(struct gb_history *h, const struct gb_part *p, const char *name, struct gb_error *err)
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
        const struct gb_part *p = &h->parts.v[h->at];

        return p->role != ROLE_WINDOW && h->replay_all && gb_chain_was_read(&p->slice, &h->from);
}

/* 1 open, 0 a live file without a record yet. */
static int begin_part(struct gb_history *h, struct gb_error *err)
{
        const struct gb_part *p = &h->parts.v[h->at];
        char name[GB_SLICE_NAME] = "CHANGELOG (live)";
        int fd;

        if (!p->live)
                gb_slice_name(&p->slice, name);
        else
                h->next.when = gb_kernel_seconds();
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
        const struct gb_part *p = &h->parts.v[h->at];
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
        const struct gb_part *p = &h->parts.v[h->at];
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
                        return gb_history_explain(h, err);
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
