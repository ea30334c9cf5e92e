/*
 * stream - the three producers.
 *
 * One fill makes one chunk.  For scan and resolve that is one front-coded block: it stands alone, so
 * the entry that did not fit any more simply opens the next one.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/block.h"
#include "base/order.h"
#include "base/sorter.h"
#include "resolve.h"
#include "stream.h"

int gb_stream_fill(struct gb_stream *s, struct gb_buf *out, gb_deadline until, struct gb_error *err)
{
        return s->ops->fill(s, out, until, err);
}

void gb_stream_close(struct gb_stream *s)
{
        struct gb_brick *brick;

        if (!s)
                return;
        brick = s->brick; /* the parts borrow it: it goes last */
        s->ops->close(s);
        gb_brick_close(brick);
}

static void *stream_new(size_t size, const struct gb_stream_ops *ops, struct gb_brick *b,
                        struct gb_error *err)
{
        struct gb_stream *s = calloc(1, size);

        if (!s) {
                gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory to open a stream", b->path);
                gb_brick_close(b);
                return NULL;
        }
        s->ops = ops;
        s->brick = b;
        return s;
}

/* 0 added, 1 the block is full, -1. */
static int add_entry(struct gb_stream *s, struct gb_block_writer *w, const struct gb_entry *e,
                     struct gb_error *err)
{
        int rc = gb_block_add(w, e);

        if (rc < 0)
                return gb_error_set(err, GB_ERR_LIMIT, "%s: an entry of %zu bytes cannot be sent",
                                    s->brick->path, e->len);
        if (rc == 0)
                s->entries++;
        return rc;
}

/* ---- scan ---- */

struct scan {
        struct gb_stream s;
        struct gb_walk *walk;
        struct gb_arena arena;   /* paths of the options */
        struct gb_select select; /* of the options */
        struct gb_block_writer writer;
        struct gb_entry held; /* did not fit the last block; borrowed from the walk until it moves on */
        bool has_held;
        unsigned rate; /* entries a second, 0: no bound */
        int64_t begin; /* ms */
};

/* Not faster than the rate; false: the time is up. */
static bool in_time(const struct scan *c, gb_deadline until)
{
        int64_t due = c->begin + (int64_t)(gb_walk_passed(c->walk) * 1000 / c->rate), now = gb_now_ms();
        struct timespec pause;

        if (due <= now)
                return true;
        if (due > until)
                due = until > now ? until : now;
        pause.tv_sec = (due - now) / 1000;
        pause.tv_nsec = (due - now) % 1000 * 1000000;
        nanosleep(&pause, NULL);
        return gb_now_ms() < until;
}

static int scan_fill(struct gb_stream *s, struct gb_buf *out, gb_deadline until, struct gb_error *err)
{
        struct scan *c = (struct scan *)s;
        int rc = 1;

        gb_block_begin(&c->writer, out);
        while (rc == 1) {
                if (c->rate && !in_time(c, until))
                        return 1;
                if (!c->has_held)
                        rc = gb_walk_next(c->walk, until, &c->held, err);
                s->progress = gb_walk_passed(c->walk);
                if (rc != 1)
                        break;
                rc = add_entry(s, &c->writer, &c->held, err);
                c->has_held = rc == 1;
                if (rc != 0)
                        return rc;
                rc = 1;
        }
        return rc == 2 ? 1 : rc;
}

static void scan_close(struct gb_stream *s)
{
        struct scan *c = (struct scan *)s;

        if (c->walk)
                gb_walk_close(c->walk);
        gb_arena_fini(&c->arena);
        gb_select_fini(&c->select);
        free(c);
}

static const struct gb_stream_ops scan_ops = {scan_fill, scan_close};

static int copy_options(struct gb_arena *a, struct gb_walk_options *o)
{
        struct gb_entry *roots = NULL;

        if (o->after_len && !(o->after = gb_arena_dup(a, o->after, o->after_len)))
                return -1;
        if (o->n_roots) {
                roots = gb_arena_alloc(a, o->n_roots * sizeof(*roots));
                if (!roots)
                        return -1;
                memcpy(roots, o->roots, o->n_roots * sizeof(*roots));
        }
        for (size_t i = 0; i < o->n_roots; i++)
                if (!(roots[i].path = gb_arena_dup(a, roots[i].path, roots[i].len)))
                        return -1;
        o->roots = roots;
        return 0;
}

struct gb_stream *gb_stream_scan(struct gb_brick *b, const struct gb_walk_options *o, unsigned rate,
                                 struct gb_error *err)
{
        struct scan *c = stream_new(sizeof(*c), &scan_ops, b, err);
        struct gb_walk_options own = *o;

        if (!c)
                return NULL;
        c->rate = rate;
        c->begin = gb_now_ms();
        gb_arena_init(&c->arena);
        if (copy_options(&c->arena, &own) < 0) {
                gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory to open a scan", b->path);
                goto fail;
        }
        if (o->select && gb_select_copy(&c->select, o->select, err) < 0)
                goto fail;
        own.select = &c->select;
        c->walk = gb_walk_open(b, &own, err);
        if (!c->walk)
                goto fail;
        return &c->s;
fail:
        gb_stream_close(&c->s);
        return NULL;
}

/* ---- history ---- */

struct history {
        struct gb_stream s;
        struct gb_changes *changes;
};

static int history_fill(struct gb_stream *s, struct gb_buf *out, gb_deadline until, struct gb_error *err)
{
        struct history *h = (struct history *)s;
        int rc = gb_changes_fill(h->changes, out, until, err);

        s->progress = gb_changes_progress(h->changes);
        s->entries = gb_changes_count(h->changes);
        if (rc == 0) {
                s->cursor = gb_changes_cursor(h->changes);
                gb_changes_window(h->changes, &s->window_from, &s->window_to);
                s->before_from = gb_changes_before(h->changes);
        }
        return rc;
}

static void history_close(struct gb_stream *s)
{
        struct history *h = (struct history *)s;

        if (h->changes)
                gb_changes_close(h->changes);
        free(h);
}

static const struct gb_stream_ops history_ops = {history_fill, history_close};

struct gb_stream *gb_stream_history(struct gb_brick *b, const struct gb_glusterd *gd,
                                    const struct gb_changes_options *o, struct gb_error *err)
{
        struct history *h = stream_new(sizeof(*h), &history_ops, b, err);

        if (!h)
                return NULL;
        h->changes = gb_changes_open(b, gd, o, err);
        if (h->changes)
                return &h->s;
        gb_stream_close(&h->s);
        return NULL;
}

/* ---- resolve ---- */

/* A record of the sorter: type, gfid, path. */
#define RECORD_HEAD (1 + sizeof(gb_gfid))

struct resolve {
        struct gb_stream s;
        struct gb_resolver *resolver;
        struct gb_sorter *sorter;
        gb_gfid *gfids; /* owned */
        size_t n, done;
        bool sorted;
        struct gb_fact fact;
        struct gb_block_writer writer;
        struct gb_buf record;
        const uint8_t *held; /* borrowed from the sorter until it moves on; NULL: none */
        size_t held_len;
        struct gb_buf last; /* path sent last */
};

static int compare(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen, void *arg)
{
        (void)arg;
        return gb_path_cmp((const char *)a + RECORD_HEAD, alen - RECORD_HEAD, (const char *)b + RECORD_HEAD,
                           blen - RECORD_HEAD);
}

/* One name of the fact: its path goes to the sorter.  A directory that has gone meanwhile takes the
 * name with it. */
static int add_name(struct resolve *r, const struct gb_slot *slot, struct gb_error *err)
{
        char dir[GB_PATH_MAX + 1];
        size_t len;
        int rc = gb_resolver_dir_path(r->resolver, &slot->parent, dir, &len, err);

        if (rc <= 0)
                return rc;
        gb_buf_reset(&r->record);
        if (gb_buf_put_u8(&r->record, (uint8_t)r->fact.type) < 0 ||
            gb_buf_put_gfid(&r->record, &r->fact.gfid) < 0 ||
            (len && (gb_buf_put(&r->record, dir, len) < 0 || gb_buf_put_u8(&r->record, '/') < 0)) ||
            gb_buf_put(&r->record, slot->name, slot->len) < 0)
                return gb_error_set(err, GB_ERR_LIMIT, "%s: a path below %.*s is longer than %d bytes",
                                    r->s.brick->path, (int)len, dir, GB_PATH_MAX);
        return gb_sorter_add(r->sorter, r->record.data, r->record.len, err);
}

/* 0; 1 a search has to go on before, as time was up; -1. */
static int look_next(struct resolve *r, gb_deadline until, struct gb_error *err)
{
        gb_gfid shard_base;
        int rc;

        gb_fact_reset(&r->fact);
        r->fact.gfid = r->gfids[r->done];
        while ((rc = gb_resolver_look(r->resolver, &r->fact, &shard_base, err)) == 1) {
                rc = gb_resolver_search(r->resolver, until, err);
                if (rc)
                        return rc;
        }
        if (rc < 0)
                return -1;
        r->done++;
        r->s.progress++;
        for (size_t i = 0; i < r->fact.names.n; i++)
                if (add_name(r, &r->fact.names.v[i], err) < 0)
                        return -1;
        return 0;
}

/* 1 and r->held, 0 at the end, -1. */
static int take_record(struct resolve *r, struct gb_entry *e, struct gb_error *err)
{
        int rc = r->held ? 1 : gb_sorter_next(r->sorter, &r->held, &r->held_len, err);

        if (rc != 1)
                return rc;
        *e = (struct gb_entry){.path = (const char *)r->held + RECORD_HEAD,
                               .len = r->held_len - RECORD_HEAD,
                               .type = (char)r->held[0],
                               .has_gfid = true};
        memcpy(e->gfid.b, r->held + 1, sizeof(e->gfid.b));
        return 1;
}

/* The same path twice: the object was replaced while we looked.  A reader accepts only ascending ones. */
static bool same_as_last(const struct resolve *r, const struct gb_entry *e)
{
        return r->last.len == e->len && !memcmp(r->last.data, e->path, e->len);
}

static int emit_one(struct resolve *r, const struct gb_entry *e, struct gb_error *err)
{
        int rc = add_entry(&r->s, &r->writer, e, err);

        gb_buf_reset(&r->last);
        if (rc == 0 && gb_buf_put(&r->last, e->path, e->len) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory to send paths", r->s.brick->path);
        return rc;
}

static int emit(struct resolve *r, struct gb_buf *out, struct gb_error *err)
{
        struct gb_entry e;
        int rc;

        gb_block_begin(&r->writer, out);
        while ((rc = take_record(r, &e, err)) == 1) {
                if (!same_as_last(r, &e) && (rc = emit_one(r, &e, err)) != 0)
                        return rc;
                r->held = NULL;
        }
        return rc;
}

static int resolve_fill(struct gb_stream *s, struct gb_buf *out, gb_deadline until, struct gb_error *err)
{
        struct resolve *r = (struct resolve *)s;

        while (r->done < r->n) {
                int rc = look_next(r, until, err);

                if (rc)
                        return rc;
                if (gb_deadline_left(until) == 0)
                        return 1;
        }
        if (!r->sorted && gb_sorter_finish(r->sorter, err) < 0)
                return -1;
        r->sorted = true;
        return emit(r, out, err);
}

static void resolve_close(struct gb_stream *s)
{
        struct resolve *r = (struct resolve *)s;

        if (r->resolver)
                gb_resolver_free(r->resolver);
        if (r->sorter)
                gb_sorter_free(r->sorter);
        gb_fact_fini(&r->fact);
        gb_buf_fini(&r->record);
        gb_buf_fini(&r->last);
        free(r->gfids);
        free(r);
}

static const struct gb_stream_ops resolve_ops = {resolve_fill, resolve_close};

struct gb_stream *gb_stream_resolve(struct gb_brick *b, const gb_gfid *gfids, size_t n, size_t memory,
                                    const char *tmpdir, struct gb_error *err)
{
        struct resolve *r = stream_new(sizeof(*r), &resolve_ops, b, err);

        if (!r)
                return NULL;
        gb_buf_init(&r->record, RECORD_HEAD + GB_PATH_MAX);
        gb_buf_init(&r->last, GB_PATH_MAX);
        r->gfids = malloc(n * sizeof(*gfids) + 1);
        if (!r->gfids) {
                gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory to resolve gfids", b->path);
                goto fail;
        }
        if (n)
                memcpy(r->gfids, gfids, n * sizeof(*gfids));
        r->n = n;
        r->resolver = gb_resolver_new(b, err);
        r->sorter = r->resolver ? gb_sorter_new(memory, tmpdir, compare, NULL, NULL, err) : NULL;
        if (!r->sorter)
                goto fail;
        gb_resolver_may_search(r->resolver);
        return &r->s;
fail:
        gb_stream_close(&r->s);
        return NULL;
}
