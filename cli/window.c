/*
 * window - see window.h.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/scratch.h"
#include "window_core.h"

#define OPS_MEMORY (16u * 1024 * 1024)

struct gb_sorter *gb_ops_sorter(struct gb_error *err)
{
        return gb_sorter_new(OPS_MEMORY, gb_scratch_dir(), gb_op_cmp, NULL, gb_op_prefix, err);
}

int gb_window_init(struct gb_window *w, const struct gb_volume *v, struct gb_error *err)
{
        memset(w, 0, sizeof(*w));
        gb_buf_init(&w->boundary, GB_BOUNDARY_MAX);
        w->bricks = calloc(v->n_bricks + 1, sizeof(*w->bricks));
        w->full_sets = calloc(v->n_sets + 1, sizeof(*w->full_sets));
        return w->bricks && w->full_sets ? 0 : gb_error_set(err, GB_ERR_MEMORY, "out of memory");
}

void gb_window_again(struct gb_window *w, const struct gb_volume *v)
{
        for (unsigned i = 0; i < v->n_bricks; i++) {
                struct gb_brick_window *b = &w->bricks[i];

                free(b->cursor);
                b->cursor = NULL;
                b->whole = false;
                b->error.code = GB_OK;
                b->error.text[0] = '\0';
        }
        memset(w->full_sets, 0, v->n_sets * sizeof(*w->full_sets));
        w->n_full_sets = 0;
}

void gb_window_fini(struct gb_window *w, const struct gb_volume *v)
{
        for (unsigned i = 0; w->bricks && i < v->n_bricks; i++) {
                free(w->bricks[i].from);
                free(w->bricks[i].cursor);
        }
        free(w->bricks);
        free(w->full_sets);
        w->bricks = NULL;
        w->full_sets = NULL;
        gb_buf_fini(&w->boundary);
}

/* ---- streams ---- */

bool gb_window_spares(enum gb_code code)
{
        return code == GB_ERR_GAP || code == GB_ERR_CHANGELOG_OFF || gb_volume_spares(code);
}

/* The agent's next item: as gb_fact_source.next. */
static int next_item(void *arg, struct gb_item *item, struct gb_error *err)
{
        struct stream *s = arg;
        const void *data;
        size_t len;
        int rc;

        while (!s->ended) {
                rc = gb_facts_next(&s->reader, item, err);
                if (rc < 0)
                        return gb_error_prefix(err, "%s", s->brick->name);
                if (rc)
                        return 1;
                rc = gb_feed_next(s->feed, &data, &len, &s->window->error);
                if (rc == 1) {
                        gb_facts_feed(&s->reader, data, len);
                        continue;
                }
                s->ended = true;
                if (rc == 0) {
                        if (gb_feed_check(s->feed, s->reader.count, err) < 0)
                                return -1;
                        s->window->whole = true;
                        gb_feed_window(s->feed, &s->window->window_from, &s->window->window_to);
                        s->window->before_from = gb_feed_before(s->feed);
                        s->window->cursor = strdup(gb_feed_cursor(s->feed));
                        if (!s->window->cursor)
                                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                        gb_feed_close(s->feed); /* its memory is needed by what comes next */
                        s->feed = NULL;
                } else if (!gb_window_spares(s->window->error.code)) {
                        *err = s->window->error;
                        return -1;
                }
        }
        return 0;
}

static int open_stream(struct collect *k, struct stream *s, bool look, struct gb_error *err)
{
        gbx_query q = {.kind = GBX_HISTORY};
        gbx_history *h = &q.gbx_query_u.history;
        struct gb_client *client = gb_volume_connect(k->cli, k->volume, s->brick, err);

        if (!client)
                return -1;
        if (s->window->from)
                GB_WIRE_SET(h->from, gbx_cursor, s->window->from);
        h->start = s->window->start;
        h->end = s->window->end;
        h->now = s->window->from ? 0 : (int64_t)time(NULL);
        h->look = look;
        h->reread = s->window->from != NULL;
        s->feed = gb_feed_open(client, k->volume->name, s->brick->path, s->brick->name, &q,
                               gb_feed_chunk(k->volume->n_bricks), err);
        return s->feed ? 0 : -1;
}

static bool picked(struct gb_vbrick *const *pick, unsigned n, const struct gb_vbrick *b)
{
        for (unsigned i = 0; i < n; i++)
                if (pick[i] == b)
                        return true;
        return false;
}

/* Open the streams of one replica set. */
static int open_set(struct collect *k, unsigned set, struct gb_error *err)
{
        struct gb_vbrick *pick[GB_BRICKS_MAX];
        unsigned n = gb_volume_pick(k->volume, set, pick, err);

        if (!n)
                return -1;
        for (unsigned i = set * k->volume->set_size; i < (set + 1) * k->volume->set_size; i++) {
                struct gb_vbrick *b = &k->volume->bricks[i];
                struct gb_brick_window *w = &k->window->bricks[i];
                struct stream *s = &k->streams[k->n_streams];

                if (!b->usable) {
                        w->error = b->error;
                        continue;
                }
                if (!w->from && !w->by_time) {
                        gb_error_set(&w->error, GB_ERR_GAP,
                                     "%s: the session has no position on this brick (new, replaced, or "
                                     "absent from the last run); a full list is needed",
                                     b->name);
                        continue;
                }
                s->brick = b;
                s->window = w;
                gb_facts_reader_init(&s->reader);
                if (open_stream(k, s, picked(pick, n, b), &w->error) == 0)
                        k->n_streams++;
                else if (!gb_window_spares(w->error.code))
                        return *err = w->error, -1;
        }
        return 0;
}

const struct stream *gb_window_stream(const struct collect *k, const struct gb_vbrick *b)
{
        for (unsigned i = 0; i < k->n_streams; i++)
                if (k->streams[i].brick == b)
                        return &k->streams[i];
        return NULL;
}

/* ---- the cut ---- */

/* What one brick recorded since its cut. */
static int settle_brick(struct collect *k, struct gb_reduce *r, const struct stream *s, struct gb_error *err)
{
        unsigned source = (unsigned)(s - k->streams);
        gbx_query q = {.kind = GBX_HISTORY};
        struct gb_client *client = gb_volume_connect(k->cli, k->volume, s->brick, err);
        struct gb_facts_reader reader;
        struct gb_item item = {0};
        struct gb_feed *feed;
        const void *data;
        size_t len;
        int rc = -1;

        if (!client)
                return -1;
        GB_WIRE_SET(q.gbx_query_u.history.from, gbx_cursor, s->window->cursor);
        gb_facts_reader_init(&reader);
        feed = gb_feed_open(client, k->volume->name, s->brick->path, s->brick->name, &q, GB_CHUNK_DEFAULT,
                            err);
        while (feed && (rc = gb_feed_next(feed, &data, &len, err)) == 1) {
                gb_facts_feed(&reader, data, len);
                while ((rc = gb_facts_next(&reader, &item, err)) == 1) {
                        if (item.kind == GB_ITEM_DIR)
                                rc = gb_reduce_dir(r, &item.gfid, &item.slot, err);
                        else if (item.kind == GB_ITEM_FACT && item.fact.claims.n)
                                rc = gb_reduce_settle(r, source, &item.fact, err);
                        if (rc < 0)
                                break;
                }
                if (rc < 0)
                        break;
        }
        if (rc == 0)
                rc = gb_feed_check(feed, reader.count, err);
        gb_fact_fini(&item.fact);
        gb_feed_close(feed);
        return rc;
}

/* A brick that fails now is spared if a sibling tells what happened since. */
static int settle(void *arg, struct gb_reduce *r, struct gb_error *err)
{
        struct collect *k = arg;
        bool *told = calloc(k->volume->n_sets + 1, sizeof(*told));
        struct gb_error why = {0};
        int rc = told ? 0 : gb_error_set(err, GB_ERR_MEMORY, "out of memory");

        for (unsigned i = 0; rc == 0 && i < k->n_streams; i++) {
                const struct stream *s = &k->streams[i];

                if (!s->window->whole || s->window->by_time || s->muted)
                        continue;
                if (settle_brick(k, r, s, &why) == 0)
                        told[s->brick->set] = true;
                else if (gb_error_prefix(&why, "%s", s->brick->name), !gb_window_spares(why.code))
                        rc = -1;
        }
        if (rc < 0 && why.code)
                *err = why;
        for (unsigned i = 0; rc == 0 && why.code && i < k->volume->n_sets; i++)
                if (!told[i])
                        rc = gb_error_set(err, GB_ERR_INCOMPLETE,
                                          "replica set %u: none of its bricks told what happened meanwhile: "
                                          "%.700s",
                                          i, why.text);
        free(told);
        return rc;
}

/* ---- all together ---- */

int gb_window_add(struct collect *k, const struct gb_op *op, struct gb_error *err)
{
        gb_buf_reset(&k->record);
        if (gb_op_encode(&k->record, op) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        return gb_sorter_add(k->ops, k->record.data, k->record.len, err);
}

static int emit(void *arg, const struct gb_op *op, struct gb_error *err)
{
        struct collect *k = arg;

        if ((k->window->expand || k->window->sweep || k->relist) && op->kind == GB_OP_RENAME &&
            op->type == 'd') {
                struct root root = {malloc(op->len), op->len, op->gfid};

                if (!root.path || gb_vec_push(&k->roots, root) < 0) {
                        free(root.path);
                        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                }
                memcpy(root.path, op->path, op->len);
        }
        return gb_window_add(k, op, err);
}

/* A brick that did not tell gets a position now, so that it takes part again next time.  What it recorded
 * between its siblings' cut and this moment, they tell: next time it counts as behind.  In a replica set that
 * is listed in full nobody does, so there a position is worth a rollover's time: changelog may just have been
 * switched on again. */
static void tell_spared(const struct collect *k)
{
        for (unsigned i = 0; i < k->volume->n_bricks; i++) {
                struct gb_brick_window *w = &k->window->bricks[i];
                const struct gb_vbrick *b = &k->volume->bricks[i];
                bool full = k->window->full_sets[b->set];
                struct gb_error why;

                if (!w->whole && !w->by_time && b->usable &&
                    gb_call_cursor(b->node->control, k->volume->name, b->path,
                                   full ? gb_volume_rollover_wait(b) : 0, &w->cursor, &why) < 0) {
                        w->cursor = NULL;
                        if (full)
                                gb_say("%s: no position for the next list: %s", b->name, why.text);
                }
                if (!w->whole && w->error.code && !full)
                        gb_note(k->cli, "%s: its siblings tell its part (%s)", k->volume->bricks[i].name,
                                w->error.text);
        }
}

/* As if a replica set had left: what is there is listed, whatever it was before. */
static void unplaced(void *arg, const struct gb_error *why)
{
        struct collect *k = arg;

        if (!k->former.code)
                k->former = *why;
}

static int reduce(struct collect *k, struct gb_error *err)
{
        const struct gb_reduce_ops ops = {.arg = k,
                                          .weighed = gb_window_weighed,
                                          .look = gb_window_look,
                                          .walk = gb_window_walk,
                                          .occupied = gb_window_occupied,
                                          .emit = emit,
                                          .settle = settle,
                                          .doubt = gb_window_doubt,
                                          .carry = gb_window_carry,
                                          .unplaced = k->window->full_on_gap || k->window->first ? unplaced
                                                                                                 : NULL,
                                          .stuck = *k->window->stuck ? k->window->stuck : NULL};
        struct gb_reduce *r;
        int rc;

        k->sources = calloc(k->n_streams + 1, sizeof(*k->sources));
        if (!k->sources)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        for (unsigned i = 0; i < k->n_streams; i++)
                k->sources[i] = (struct gb_fact_source){.next = next_item,
                                                        .arg = &k->streams[i],
                                                        .set = k->streams[i].brick->set,
                                                        .name = k->streams[i].brick->name};
        r = gb_reduce_new(k->sources, k->n_streams, k->volume->n_sets, gb_window_needed(k->volume),
                          &k->volume->id, &ops, err);
        rc = r ? gb_window_load_boundary(k, r, err) : -1;
        gb_window_suspect(k);
        if (rc == 0)
                rc = gb_reduce_run(r, gb_scratch_dir(), &k->window->stats, err);
        gb_reduce_free(r);
        return rc;
}

int gb_window_collect(const struct gb_cli *c, struct gb_volume *v, struct gb_window *w, struct gb_sorter *ops,
                      struct gb_error *err)
{
        struct collect k = {.cli = c, .volume = v, .window = w, .ops = ops};
        struct gb_error truth = {0};
        int rc = 0;

        gb_buf_init(&k.record, 1024 * 1024);
        gb_buf_init(&k.boundary, GB_BOUNDARY_MAX);
        gb_buf_init(&k.carried, GB_BOUNDARY_MAX / 2);
        k.streams = calloc(v->n_bricks + 1, sizeof(*k.streams));
        k.was_behind = calloc(v->n_bricks + 1, sizeof(*k.was_behind));
        if (!k.streams || !k.was_behind)
                rc = gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        for (unsigned set = 0; rc == 0 && set < v->n_sets; set++)
                rc = open_set(&k, set, err);
        if (rc == 0)
                rc = reduce(&k, err);
        /* A reduction over history with a gap, or cut short, may fail in ways that only confuse. */
        if ((rc == 0 || err->code != GB_ERR_CANCELLED) && k.n_streams <= v->n_bricks && k.streams &&
            gb_window_check_sets(&k, &truth) < 0) {
                *err = truth;
                rc = -1;
        }
        if (rc == 0) {
                tell_spared(&k);
                gb_volume_behind(v);
                rc = gb_window_put_bricks(&k, err);
        }
        if (rc == 0)
                rc = gb_window_list_full_sets(&k, err);
        if (rc == 0 && (w->expand || k.relist))
                rc = gb_window_expand(&k, err);
        if (rc == 0 && w->sweep)
                rc = gb_window_sweep(&k, err);
        k.carry_all = k.carry_all || (k.relist && k.roots.n);
        if (rc == 0)
                rc = gb_window_finish_boundary(&k, err);
        gb_buf_fini(&k.carried);
        if (rc == 0) {
                gb_buf_fini(&w->boundary);
                w->boundary = k.boundary;
        } else { /* the old one serves another try */
                gb_buf_fini(&k.boundary);
        }
        for (unsigned i = 0; i < k.n_streams; i++)
                gb_feed_close(k.streams[i].feed);
        for (size_t i = 0; i < k.roots.n; i++)
                free(k.roots.v[i].path);
        gb_vec_free(&k.roots);
        free(k.streams);
        free(k.sources);
        free(k.was_behind);
        gb_buf_fini(&k.record);
        return rc;
}
