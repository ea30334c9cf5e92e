/*
 * handle_stream - OPEN, NEXT and CLOSE.
 *
 * The client keeps several NEXT in flight, so one or two arrive after the end or after an error.  The
 * state table answers those: the stream is over, and they change nothing.
 */
#include <config.h>

#include <string.h>

#include "base/cleanup.h"
#include "base/order.h"
#include "handlers.h"

static int check_scan(const gbx_scan *q, struct gb_error *err)
{
        const gbx_path *r = q->roots.roots_val;

        if (q->after.gbx_path_len && !gb_path_valid(q->after.gbx_path_val, q->after.gbx_path_len))
                return gb_error_set(err, GB_ERR_USAGE, "scan: `after` is not a valid relative path");
        if (q->changed_since < 0 || q->changed_until < 0 ||
            (q->changed_until && q->changed_until < q->changed_since))
                return gb_error_set(err, GB_ERR_USAGE, "scan: %lld to %lld is no time of change",
                                    (long long)q->changed_since, (long long)q->changed_until);
        if (q->shards && q->roots.roots_len)
                return gb_error_set(err, GB_ERR_USAGE, "scan: shards have no roots");
        for (u_int i = 0; i < q->roots.roots_len; i++) {
                if (!gb_path_valid(r[i].gbx_path_val, r[i].gbx_path_len))
                        return gb_error_set(err, GB_ERR_USAGE, "scan: root %u is not a valid relative path",
                                            i);
                if (i && gb_path_cmp(r[i - 1].gbx_path_val, r[i - 1].gbx_path_len, r[i].gbx_path_val,
                                     r[i].gbx_path_len) >= 0)
                        return gb_error_set(err, GB_ERR_USAGE, "scan: root %u is not in path order", i);
                if (i && gb_path_within(r[i].gbx_path_val, r[i].gbx_path_len, r[i - 1].gbx_path_val,
                                        r[i - 1].gbx_path_len))
                        return gb_error_set(err, GB_ERR_USAGE, "scan: root %u lies within another", i);
        }
        return 0;
}

/* `s` is initialised, and the caller's to free. */
static int take_selection(const gbx_scan *q, struct gb_select *s, struct gb_error *err)
{
        if (q->scope.gbx_path_len &&
            gb_select_scope(s, q->scope.gbx_path_val, q->scope.gbx_path_len, err) < 0)
                return -1;
        for (u_int i = 0; i < q->rules.rules_len; i++) {
                const gbx_rule *r = &q->rules.rules_val[i];

                if (gb_select_glob(s, r->exclude, r->glob.glob_val, r->glob.glob_len, err) < 0)
                        return -1;
        }
        return 0;
}

/* `fit`: what is measured; NULL: nothing. */
static struct gb_stream *open_scan(const struct gb_worker *w, struct gb_brick *b, const gbx_scan *q,
                                   const gbx_scan_fit *fit, struct gb_error *err)
{
        GB_CLEANUP_FREE
        struct gb_entry *roots = calloc(q->roots.roots_len + 1, sizeof(*roots));
        struct gb_select select;
        struct gb_stream *stream;
        struct gb_walk_options o = {
                .after = q->after.gbx_path_val,
                .after_len = q->after.gbx_path_len,
                .linkto = q->linkto,
                .gfids = q->gfids,
                .roots = q->roots.roots_len ? roots : NULL,
                .n_roots = q->roots.roots_len,
                .changed_since = q->changed_since,
                .changed_until = q->changed_until,
                .shards = q->shards,
                .select = &select,
                .unfit = fit && fit->unfit,
                .threads = w->settings->scan_threads,
                .tmpdir = w->settings->state_dir,
        };

        if (!roots) {
                gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory to open a scan", b->path);
                gb_brick_close(b);
                return NULL;
        }
        for (u_int i = 0; i < q->roots.roots_len; i++) {
                roots[i].path = q->roots.roots_val[i].gbx_path_val;
                roots[i].len = q->roots.roots_val[i].gbx_path_len;
        }
        gb_select_init(&select);
        if (fit)
                select.measure = (struct gb_measure){fit->size_from, fit->size_below, fit->newer};
        if (take_selection(q, &select, err) < 0) {
                gb_select_fini(&select);
                gb_brick_close(b);
                return NULL;
        }
        stream = gb_stream_scan(b, &o, w->settings->scan_rate, err);
        gb_select_fini(&select);
        return stream;
}

static int check_history(struct gb_worker *w, const gbx_history *q, struct gb_error *err)
{
        if (q->from.gbx_cursor_len)
                return gb_cursor_parse(q->from.gbx_cursor_val, q->from.gbx_cursor_len, &w->from, err);
        if (q->start < 0 || q->start > GB_SECONDS_MAX || q->end < 0 || q->end > GB_SECONDS_MAX ||
            q->now < 0 || q->now > GB_SECONDS_MAX || (q->end && q->end < q->start))
                return gb_error_set(err, GB_ERR_USAGE, "history: %lld to %lld is no window",
                                    (long long)q->start, (long long)q->end);
        return 0;
}

static struct gb_stream *open_history(struct gb_worker *w, struct gb_brick *b, const gbx_history *q,
                                      struct gb_error *err)
{
        struct gb_changes_options o = {
                .history =
                        {
                                .from = q->from.gbx_cursor_len ? &w->from : NULL,
                                .start = q->start,
                                .end = q->end,
                                .asked = q->now,
                                .reread = q->reread,
                        },
                .look = q->look,
                .memory = w->settings->memory_limit,
                .tmpdir = w->settings->state_dir,
        };

        return gb_stream_history(b, &w->gd, &o, err);
}

static int check_query(struct gb_worker *w, const gbx_query *q, struct gb_error *err)
{
        switch (q->kind) {
        case GBX_SCAN:
                return check_scan(&q->gbx_query_u.scan, err);
        case GBX_SCAN_FIT:
                return check_scan(&q->gbx_query_u.fit.scan, err);
        case GBX_HISTORY:
                if (!(w->features & GBX_FEATURE_FACTS))
                        return gb_error_set(err, GB_ERR_VERSION,
                                            "%s reads changes in another form than gbackupd " PACKAGE_VERSION
                                            " tells them; install the same version of gbackup on both sides",
                                            *w->client ? w->client : "the client");
                return check_history(w, &q->gbx_query_u.history, err);
        case GBX_RESOLVE:
                return 0;
        }
        return gb_error_set(err, GB_ERR_USAGE, "open: unknown kind of stream %d", (int)q->kind);
}

_Static_assert(sizeof(gbx_gfid) == sizeof(gb_gfid), "an array of one is an array of the other");

static int open_stream(struct gb_worker *w, const gbx_open_arg *arg, struct gb_error *err)
{
        const gbx_query *q = &arg->query;
        struct gb_brick *b;

        if (check_query(w, q, err) < 0)
                return -1;
        b = gb_handler_brick(w, &arg->volume, &arg->brick, true, err);
        if (!b)
                return -1;
        if (q->kind == GBX_SCAN)
                w->stream = open_scan(w, b, &q->gbx_query_u.scan, NULL, err);
        else if (q->kind == GBX_SCAN_FIT)
                w->stream = open_scan(w, b, &q->gbx_query_u.fit.scan, &q->gbx_query_u.fit, err);
        else if (q->kind == GBX_HISTORY)
                w->stream = open_history(w, b, &q->gbx_query_u.history, err);
        else
                w->stream = gb_stream_resolve(
                        b, (const gb_gfid *)(const void *)q->gbx_query_u.resolve.gfids.gfids_val,
                        q->gbx_query_u.resolve.gfids.gfids_len, w->settings->memory_limit,
                        w->settings->state_dir, err);
        if (!w->stream)
                return -1;
        w->state = GB_WORKER_STREAMING;
        w->seq = 0;
        return 0;
}

bool_t gbx_open_1_svc(gbx_open_arg *arg, gbx_void_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_void_res, w && open_stream(w, arg, &err) == 0, &err);
}

static int check_next(const struct gb_worker *w, const gbx_next_arg *arg, struct gb_error *err)
{
        if (arg->seq != w->seq + 1)
                return gb_error_set(err, GB_ERR_USAGE, "next: %u follows %u", arg->seq, w->seq);
        if (arg->max_bytes < GB_CHUNK_MIN || arg->max_bytes > GB_CHUNK_MAX)
                return gb_error_set(err, GB_ERR_USAGE, "next: max_bytes %u is not from %d to %d",
                                    arg->max_bytes, GB_CHUNK_MIN, GB_CHUNK_MAX);
        if (arg->wait_ms > GB_WAIT_MS_MAX)
                return gb_error_set(err, GB_ERR_USAGE, "next: wait_ms %u is above %d", arg->wait_ms,
                                    GB_WAIT_MS_MAX);
        return 0;
}

/* What only the end knows. */
static int put_end(const struct gb_stream *s, gbx_chunk *out, struct gb_error *err)
{
        char text[GB_CURSOR_MAX];

        out->eof = TRUE;
        if (!s->cursor)
                return 0;
        if (gb_cursor_format(s->cursor, text, sizeof(text), err) < 0)
                return -1;
        out->cursor.gbx_cursor_val = strdup(text);
        if (!out->cursor.gbx_cursor_val)
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory for a cursor", s->brick->path);
        out->cursor.gbx_cursor_len = (u_int)strlen(text);
        out->window_from = s->window_from;
        out->window_to = s->window_to;
        out->before_from = s->before_from;
        return 0;
}

static int next(struct gb_worker *w, const gbx_next_arg *arg, gbx_chunk *out, struct gb_error *err)
{
        int rc;

        if (check_next(w, arg, err) < 0)
                return -1;
        gb_buf_reset(&w->chunk);
        w->chunk.max = arg->max_bytes;
        rc = gb_stream_fill(w->stream, &w->chunk, gb_deadline_in(arg->wait_ms), err);
        if (rc == 0 && put_end(w->stream, out, err) < 0)
                rc = -1;
        if (rc >= 0) {
                w->seq = arg->seq;
                out->seq = arg->seq;
                out->progress = w->stream->progress;
                out->entries = w->stream->entries;
                out->data.data_val = (char *)w->chunk.data;
                out->data.data_len = (u_int)w->chunk.len;
        }
        if (rc <= 0)
                gb_worker_end_stream(w);
        return rc < 0 ? -1 : 0;
}

bool_t gbx_next_1_svc(gbx_next_arg *arg, gbx_next_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_next_res, w && next(w, arg, &res->gbx_next_res_u.chunk, &err) == 0, &err);
}

bool_t gbx_close_1_svc(void *arg, gbx_void_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        (void)arg;
        if (w)
                gb_worker_end_stream(w);
        GB_ANSWER(req, res, gbx_void_res, w != NULL, &err);
}
