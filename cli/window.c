/*
 * window - see window.h.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/order.h"
#include "feed.h"
#include "progress.h"
#include "scan.h"
#include "sweep.h"
#include "window.h"
#include "wire_error.h"

#define OPS_MEMORY (24u * 1024 * 1024)
/* Seconds that records and ctimes of one change may lie apart. */
#define SWEEP_SLACK 2

struct stream {
        struct gb_vbrick *brick;
        struct gb_brick_window *window;
        struct gb_feed *feed;
        struct gb_facts_reader reader;
        bool ended;
        bool muted;     /* its siblings are believed, it is not: see reduce.h */
        bool restarted; /* the brick, in the window */
};

struct root {
        char *path; /* owned */
        size_t len;
};

struct collect {
        const struct gb_cli *cli;
        struct gb_volume *volume;
        struct gb_window *window;
        struct gb_sorter *ops;
        struct stream *streams;
        unsigned n_streams;
        struct gb_buf record;
        struct gb_buf boundary;         /* of the next window: what is in doubt */
        struct gb_buf carried;          /* of the next window: what gb_reduce_carried() wants */
        bool carry_all;                 /* there was too much of it: next time everything is */
        bool *was_behind;               /* by brick: it missed the last list, or heals waited for it then */
        struct gb_fact_source *sources; /* of the streams */
        struct gb_error former;         /* GB_ERR_GAP: a replica set of the last run has left the volume */
        bool relist; /* last time there was: what lies below renamed directories is listed again */
        GB_VEC(struct root) roots;  /* directories that were renamed: their T1 paths */
        struct gb_scan_time *times; /* while sweeping */
};

static const char *tmpdir(void)
{
        const char *dir = getenv("TMPDIR");

        return dir && *dir ? dir : "/var/tmp";
}

struct gb_sorter *gb_ops_sorter(struct gb_error *err)
{
        return gb_sorter_new(OPS_MEMORY, tmpdir(), gb_op_cmp, NULL, gb_op_prefix, err);
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

/* What ends a brick's contribution without ending the list, as long as a sibling is whole. */
static bool spares(enum gb_code code)
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
                        s->window->whole = true;
                        gb_feed_window(s->feed, &s->window->window_from, &s->window->window_to);
                        s->window->before_from = gb_feed_before(s->feed);
                        s->window->cursor = strdup(gb_feed_cursor(s->feed));
                        if (!s->window->cursor)
                                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                } else if (!spares(s->window->error.code)) {
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
                else if (!spares(w->error.code))
                        return *err = w->error, -1;
        }
        return 0;
}

/* ---- answers for the reducer ---- */

/* The LOOK answer of one brick: directories first into the skeleton, then facts into `facts`, uniting
 * with what another brick of the set said. */
static int take_look(struct gb_reduce *r, const struct gb_vbrick *b, const gbx_look_ok *look,
                     struct gb_fact *facts, unsigned n, struct gb_arena *arena, struct gb_error *err)
{
        struct gb_reader in = {.p = (const uint8_t *)look->data.data_val,
                               .end = (const uint8_t *)look->data.data_val + look->data.data_len};
        struct gb_fact one = {0};
        uint64_t count = 0;
        int rc = 0;

        if (!gb_get_varint(&in, &count) || count != look->done || count > n)
                rc = -1;
        for (unsigned i = 0; rc == 0 && i < count; i++) {
                gb_fact_reset(&one);
                if (!gb_fact_decode(&in, &one) || !gb_gfid_eq(&one.gfid, &facts[i].gfid)) {
                        rc = -1;
                        break;
                }
                if (one.look > facts[i].look) {
                        facts[i].look = one.look;
                        facts[i].type = one.type;
                }
                facts[i].flags |= one.flags;
                for (size_t j = 0; j < one.names.n; j++) {
                        struct gb_slot slot = one.names.v[j];

                        slot.name = gb_arena_dup(arena, slot.name, slot.len);
                        if (!slot.name || gb_vec_push(&facts[i].names, slot) < 0)
                                rc = -1;
                }
        }
        gb_fact_fini(&one);
        if (rc < 0 || !gb_get_varint(&in, &count))
                return gb_error_set(err, GB_ERR_PROTOCOL, "%s: malformed LOOK answer", b->name);
        for (; count; count--) {
                gb_gfid gfid;
                struct gb_slot slot;
                const uint8_t *name;

                if (!gb_get_gfid(&in, &gfid) || !gb_get_gfid(&in, &slot.parent) ||
                    !gb_get_bytes(&in, GB_NAME_MAX, &name, &slot.len) || !slot.len)
                        return gb_error_set(err, GB_ERR_PROTOCOL, "%s: malformed LOOK answer", b->name);
                slot.name = (const char *)name;
                if (gb_reduce_dir(r, &gfid, &slot, err) < 0)
                        return -1;
        }
        return 0;
}

static int look_on_brick(struct collect *k, struct gb_reduce *r, const struct gb_vbrick *b,
                         struct gb_fact *facts, unsigned n, struct gb_arena *arena, struct gb_error *err)
{
        gb_gfid gfids[GB_LOOK_MAX];

        for (unsigned i = 0; i < n; i++)
                gfids[i] = facts[i].gfid;
        for (unsigned done = 0; done < n;) {
                gbx_look_ok look = {0};
                int rc = gb_call_look(b->node->control, k->volume->name, b->path, gfids + done, n - done,
                                      &look, err);

                if (rc == 0 && (!look.done || look.done > n - done))
                        rc = gb_error_set(err, GB_ERR_PROTOCOL, "%s: LOOK answered for %u of %u objects",
                                          b->name, look.done, n - done);
                if (rc == 0)
                        rc = take_look(r, b, &look, facts + done, n - done, arena, err);
                done += look.done;
                gb_xdr_release((xdrproc_t)xdr_gbx_look_ok, &look);
                if (rc < 0)
                        return -1;
        }
        return 0;
}

/* It did not answer: a sibling is asked from here on. */
static void lose_brick(const struct collect *k, struct gb_vbrick *b, const struct gb_error *why)
{
        gb_note(k->cli, "%s: %s", b->name, why->text);
        b->usable = false;
        b->error = *why;
}

/* Try the bricks of a set until those that must answer have. */
static int look_on_set(struct collect *k, struct gb_reduce *r, unsigned set, struct gb_fact *facts,
                       unsigned n, struct gb_arena *arena, struct gb_error *err)
{
        struct gb_vbrick *pick[GB_BRICKS_MAX];

        for (;;) {
                unsigned np = gb_volume_pick(k->volume, set, pick, err), done = 0;

                if (!np)
                        return -1;
                for (; done < np; done++) {
                        if (look_on_brick(k, r, pick[done], facts, n, arena, err) == 0)
                                continue;
                        if (!spares(err->code))
                                return -1;
                        lose_brick(k, pick[done], err);
                        break;
                }
                if (done == np)
                        return 0;
        }
}

static int look(void *arg, struct gb_reduce *r, unsigned set, const gb_gfid *gfids, unsigned n,
                struct gb_error *err)
{
        struct collect *k = arg;
        struct gb_fact *facts = calloc(n, sizeof(*facts));
        struct gb_arena arena;
        int rc;

        if (!facts)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        gb_arena_init(&arena);
        for (unsigned i = 0; i < n; i++) {
                facts[i].gfid = gfids[i];
                facts[i].look = GB_LOOK_ABSENT;
        }
        rc = look_on_set(k, r, set, facts, n, &arena, err);
        for (unsigned i = 0; i < n; i++) {
                if (rc == 0)
                        rc = gb_reduce_found(r, &facts[i], err);
                gb_fact_fini(&facts[i]);
        }
        free(facts);
        gb_arena_fini(&arena);
        return rc;
}

/* Does something stand at a path on this replica set?  As occupied(). */
static int occupied_on(struct collect *k, unsigned set, gbx_path *path, struct gb_error *err)
{
        struct gb_vbrick *pick[GB_BRICKS_MAX];
        gbx_exists_arg ask = {.paths = {.paths_len = 1, .paths_val = path}};
        gbx_exists_res res = {0};
        int found;

        GB_WIRE_SET(ask.volume, gbx_volname, k->volume->name);
        for (;;) {
                if (!gb_volume_pick(k->volume, set, pick, err))
                        return -1;
                GB_WIRE_SET(ask.brick, gbx_brick, pick[0]->path);
                if (gb_call_exists(pick[0]->node->control, &ask, &res, err) == 0)
                        break;
                if (!spares(err->code))
                        return -1;
                lose_brick(k, pick[0], err);
        }
        found = res.gbx_exists_res_u.found.found_val[0].type != 0;
        gb_xdr_release((xdrproc_t)xdr_gbx_exists_res, &res);
        return found;
}

/* Does something stand at a path, on any replica set?  As gb_reduce_ops.occupied. */
static int occupied(void *arg, const char *path, size_t len, struct gb_error *err)
{
        struct collect *k = arg;
        gbx_path one = {.gbx_path_len = (unsigned)len, .gbx_path_val = (char *)(uintptr_t)path};
        int found = 0;

        for (unsigned set = 0; !found && set < k->volume->n_sets; set++)
                found = occupied_on(k, set, &one, err);
        return found;
}

/* Parents of a walk in path order: the directories on the way to the current entry. */
struct parents {
        GB_VEC(struct level) levels;
};

struct level {
        size_t len; /* of the directory's path */
        gb_gfid gfid;
};

/* gfid of the directory that holds `e`; false if the walk did not bring it. */
static bool parent_of(struct parents *p, const struct gb_entry *e, size_t *name_at, gb_gfid *out)
{
        const char *slash = memrchr(e->path, '/', e->len);
        size_t dir_len = slash ? (size_t)(slash - e->path) : 0;

        *name_at = slash ? dir_len + 1 : 0;
        while (p->levels.n && p->levels.v[p->levels.n - 1].len > dir_len)
                p->levels.n--;
        if (!dir_len) {
                *out = GB_GFID_ROOT;
                return true;
        }
        if (!p->levels.n || p->levels.v[p->levels.n - 1].len != dir_len)
                return false;
        *out = p->levels.v[p->levels.n - 1].gfid;
        return true;
}

static int walk_entry(struct gb_reduce *r, struct parents *p, const struct gb_entry *e, struct gb_error *err)
{
        struct gb_slot slot;
        size_t at;

        if (!e->has_gfid || !parent_of(p, e, &at, &slot.parent))
                return 0;
        slot.name = e->path + at;
        slot.len = e->len - at;
        if (e->type == 'd') {
                struct level l = {e->len, e->gfid};

                if (gb_vec_push(&p->levels, l) < 0)
                        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                return gb_reduce_dir(r, &e->gfid, &slot, err);
        }
        return gb_reduce_walked(r, &e->gfid, &slot, err);
}

static int walk(void *arg, struct gb_reduce *r, unsigned set, struct gb_error *err)
{
        struct collect *k = arg;
        struct gb_scan_options o = {.gfids = true, .only_set = (int)set};
        struct gb_scan *s;
        struct parents p = {GB_VEC_INIT};
        struct gb_entry e;
        int rc;

        gb_note(k->cli,
                "replica set %u: some objects have names that no xattr tells; looking for them by a walk",
                set);
        s = gb_scan_open(k->cli, k->volume, &o, NULL, err);
        if (!s)
                return -1;
        while ((rc = gb_scan_next(s, &e, err)) == 1)
                if (walk_entry(r, &p, &e, err) < 0) {
                        rc = -1;
                        break;
                }
        gb_vec_free(&p.levels);
        gb_scan_close(s);
        return rc;
}

static int add_op(struct collect *k, const struct gb_op *op, struct gb_error *err)
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
                struct root root = {malloc(op->len), op->len};

                if (!root.path || gb_vec_push(&k->roots, root) < 0) {
                        free(root.path);
                        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                }
                memcpy(root.path, op->path, op->len);
        }
        return add_op(k, op, err);
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
                else if (gb_error_prefix(&why, "%s", s->brick->name), !spares(why.code))
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

static int too_much_moved(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_AGAIN,
                            "too many objects were being changed while the list was made; try again");
}

/* In a boundary fact: to be looked at again. */
#define FLAG_REVISIT GB_FACT_RECENT

static int doubt(void *arg, const gb_gfid *gfid, const struct gb_slot *names, unsigned n, bool dir,
                 bool revisit, struct gb_error *err)
{
        struct collect *k = arg;
        struct gb_fact f = {.gfid = *gfid,
                            .look = n ? GB_LOOK_PRESENT : GB_LOOK_ABSENT,
                            .type = n ? 'f' : 0,
                            .flags = (dir ? GB_FACT_DIR : 0) | (revisit ? FLAG_REVISIT : 0)};

        for (unsigned i = 0; i < n; i++)
                if (gb_vec_push(&f.names, names[i]) < 0) {
                        gb_fact_fini(&f);
                        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                }
        if (gb_fact_encode(&k->boundary, &f) < 0) {
                gb_fact_fini(&f);
                return too_much_moved(err);
        }
        gb_fact_fini(&f);
        return 0;
}

static int carry(void *arg, const gb_gfid *gfid, bool dir_moved, struct gb_error *err)
{
        struct collect *k = arg;
        const struct gb_fact f = {.gfid = *gfid, .flags = GB_FACT_BEFORE | (dir_moved ? GB_FACT_DIR : 0)};

        (void)err;
        if (gb_fact_encode(&k->carried, &f) < 0)
                k->carry_all = true;
        return 0;
}

/* What is carried follows what is in doubt; too much of it is said by the root. */
static int finish_boundary(struct collect *k, struct gb_error *err)
{
        const struct gb_fact all = {.gfid = GB_GFID_ROOT, .flags = GB_FACT_BEFORE | GB_FACT_DIR};

        if (k->carry_all || gb_buf_put(&k->boundary, k->carried.data, k->carried.len) < 0) {
                if (gb_fact_encode(&k->boundary, &all) < 0)
                        return too_much_moved(err);
        }
        return 0;
}

/*
 * The boundary set holds the bricks of the run, as one fact with the null gfid: a name is a hash of the
 * brick's, followed by a `-` if it was behind its siblings; the parent's first bytes are the number of its
 * replica set.
 */
#define BRICK_HASH 16
#define BRICK_NAME (BRICK_HASH + 2)

static void brick_slot(const struct gb_vbrick *b, char name[BRICK_NAME], struct gb_slot *out)
{
        uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

        for (const char *p = b->name; *p; p++)
                hash = (hash ^ (uint8_t)*p) * 0x100000001b3u;
        snprintf(name, BRICK_NAME, "%016" PRIx64, hash);
        memset(&out->parent, 0, sizeof(out->parent));
        memcpy(out->parent.b, &b->set, sizeof(b->set));
        out->name = name;
        out->len = BRICK_HASH;
}

static const struct stream *stream_of(const struct collect *k, const struct gb_vbrick *b)
{
        for (unsigned i = 0; i < k->n_streams; i++)
                if (k->streams[i].brick == b)
                        return &k->streams[i];
        return NULL;
}

/* Does the state of the other bricks of its set leave it open whom heals wait for? */
static bool sibling_unknown(const struct gb_volume *v, const struct gb_vbrick *b)
{
        for (unsigned i = b->set * v->set_size; i < (b->set + 1) * v->set_size; i++)
                if (!v->bricks[i].usable)
                        return true;
        return false;
}

/* Will what this brick records in the next window be late copies of what its siblings have told by now? */
static bool is_behind(const struct collect *k, const struct gb_vbrick *b)
{
        const struct stream *s = stream_of(k, b);
        bool was = !s || s->restarted || k->was_behind[b->index];

        if (!b->usable)
                return true;
        if (k->volume->set_size == 1)
                return false;
        if (k->volume->disperse) /* its heals do not say for whom they wait */
                return was && (gb_volume_heals(k->volume, b->set) || sibling_unknown(k->volume, b));
        return b->behind || (was && sibling_unknown(k->volume, b));
}

static int put_bricks(struct collect *k, struct gb_error *err)
{
        struct gb_fact f = {.look = GB_LOOK_PRESENT, .type = 'f'};
        char(*names)[BRICK_NAME] = calloc(k->volume->n_bricks, sizeof(*names));
        int rc = names ? 0 : -1;

        for (unsigned i = 0; rc == 0 && i < k->volume->n_bricks; i++) {
                struct gb_slot slot;

                brick_slot(&k->volume->bricks[i], names[i], &slot);
                if (is_behind(k, &k->volume->bricks[i]))
                        names[i][slot.len++] = '-';
                rc = gb_vec_push(&f.names, slot);
        }
        if (rc == 0)
                rc = gb_fact_encode(&k->boundary, &f);
        gb_fact_fini(&f);
        free(names);
        return rc < 0 ? gb_error_set(err, GB_ERR_MEMORY, "out of memory") : 0;
}

/* The brick of the last run that is still here under this name, or NULL. */
static struct gb_vbrick *same_brick(const struct collect *k, const struct gb_slot *former)
{
        for (unsigned i = 0; i < k->volume->n_bricks; i++) {
                struct gb_slot slot;
                char name[BRICK_NAME];

                brick_slot(&k->volume->bricks[i], name, &slot);
                if (former->len >= BRICK_HASH && memcmp(name, former->name, BRICK_HASH) == 0)
                        return &k->volume->bricks[i];
        }
        return NULL;
}

/* Is a brick of the last run still here, with a position? */
static bool still_here(const struct collect *k, const struct gb_slot *former)
{
        const struct gb_vbrick *b = same_brick(k, former);

        return b && k->window->bricks[b->index].from;
}

static void check_bricks(struct collect *k, const struct gb_fact *f)
{
        for (size_t i = 0; i < f->names.n; i++) {
                const struct gb_vbrick *b = same_brick(k, &f->names.v[i]);

                if (b)
                        k->was_behind[b->index] = f->names.v[i].len > BRICK_HASH;
        }
        for (size_t i = 0; i < f->names.n; i++) {
                bool here = false;

                for (size_t j = 0; j < f->names.n && !here; j++)
                        here = gb_gfid_eq(&f->names.v[i].parent, &f->names.v[j].parent) &&
                               still_here(k, &f->names.v[j]);
                if (!here) {
                        gb_error_set(
                                &k->former, GB_ERR_GAP,
                                "volume %s: a replica set of the last run has no brick with a position any "
                                "more (removed, new, or its history could not be read); a full list "
                                "is needed",
                                k->volume->name);
                        return;
                }
        }
}

static int load_boundary(struct collect *k, struct gb_reduce *r, struct gb_error *err)
{
        struct gb_reader in = {.p = k->window->boundary.data,
                               .end = k->window->boundary.data + k->window->boundary.len};
        struct gb_fact f = {0};
        int rc = 0;

        while (rc == 0 && k->window->boundary.len && gb_reader_left(&in)) {
                gb_fact_reset(&f);
                if (!gb_fact_decode(&in, &f)) {
                        rc = gb_error_set(err, GB_ERR_CORRUPT,
                                          "the session's boundary set is damaged; register it again");
                } else if (gb_gfid_eq(&f.gfid, &GB_GFID_NULL)) {
                        check_bricks(k, &f);
                } else if (f.flags & GB_FACT_BEFORE) {
                        k->relist = k->relist || gb_gfid_eq(&f.gfid, &GB_GFID_ROOT);
                        rc = gb_reduce_carried(r, &f.gfid, f.flags & GB_FACT_DIR, err);
                } else {
                        rc = gb_reduce_boundary(r, &f.gfid, f.names.v, (unsigned)f.names.n,
                                                f.flags & GB_FACT_DIR, f.flags & FLAG_REVISIT, err);
                }
        }
        gb_fact_fini(&f);
        return rc;
}

/* ---- what lies below renamed directories ---- */

static int root_cmp(const void *a, const void *b)
{
        const struct root *x = a, *y = b;

        return gb_path_cmp(x->path, x->len, y->path, y->len);
}

static int expand_some(struct collect *k, const struct gb_slice_of_path *roots, unsigned n,
                       struct gb_error *err)
{
        struct gb_scan_options o = {.roots = roots, .n_roots = n, .only_set = -1};
        struct gb_scan *s = gb_scan_open(k->cli, k->volume, &o, NULL, err);
        struct gb_entry e;
        int rc = -1;

        while (s && (rc = gb_scan_next(s, &e, err)) == 1) {
                struct gb_op op = {
                        .kind = GB_OP_NEW, .path = e.path, .len = e.len, .type = e.type, .expanded = true};

                if (!k->window->expand) {
                        op.kind = GB_OP_MODIFY;
                        op.flags = GB_FACT_DATA | GB_FACT_META;
                        op.expanded = false;
                }
                if (add_op(k, &op, err) < 0) {
                        rc = -1;
                        break;
                }
        }
        gb_scan_close(s);
        return rc;
}

/* Call `some` for the renamed directories that lie in no other, as many at a time as a scan takes. */
static int each_root(struct collect *k,
                     int (*some)(struct collect *k, const struct gb_slice_of_path *roots, unsigned n,
                                 struct gb_error *err),
                     struct gb_error *err)
{
        struct gb_slice_of_path roots[GB_ROOTS_MAX];
        const struct root *outer = NULL;
        unsigned n = 0;

        if (k->roots.n)
                qsort(k->roots.v, k->roots.n, sizeof(*k->roots.v), root_cmp);
        for (size_t i = 0; i < k->roots.n; i++) {
                const struct root *root = &k->roots.v[i];

                if (outer && gb_path_within(root->path, root->len, outer->path, outer->len))
                        continue;
                outer = root;
                roots[n].path = root->path;
                roots[n++].len = root->len;
                if (n == GB_ROOTS_MAX) {
                        if (some(k, roots, n, err) < 0)
                                return -1;
                        n = 0;
                }
        }
        return n ? some(k, roots, n, err) : 0;
}

/* ---- what has no record ---- */

/* Directories are left out: each new name changes their ctime, and nothing of theirs goes unrecorded. */
static int add_swept(void *arg, const struct gb_entry *e, struct gb_error *err)
{
        struct collect *k = arg;
        struct gb_op op = {.kind = GB_OP_MODIFY,
                           .path = e->path,
                           .len = e->len,
                           .type = e->type,
                           .has_gfid = e->has_gfid,
                           .gfid = e->gfid,
                           .flags = GB_FACT_DATA | GB_FACT_META};

        return e->type == 'd' ? 0 : add_op(k, &op, err);
}

/* From when on ctimes matter on a brick; one that told no window has its siblings'. */
static int64_t since(const struct gb_brick_window *w, bool before)
{
        int64_t from = w->by_time ? w->start : before && w->before_from ? w->before_from : w->window_from;

        return from > SWEEP_SLACK ? from - SWEEP_SLACK : 1;
}

static void widen(struct gb_scan_time *t, int64_t ahead)
{
        if (ahead < 0 && t->since > 1)
                t->since = t->since + ahead > 1 ? t->since + ahead : 1;
        if (ahead > 0 && t->until)
                t->until += ahead;
}

static void fill_times(const struct collect *k, struct gb_scan_time *times, bool before)
{
        const struct gb_volume *v = k->volume;

        for (unsigned i = 0; i < v->n_bricks; i++) {
                const struct gb_brick_window *w = &k->window->bricks[i];
                unsigned set = v->bricks[i].set;
                int64_t least = INT64_MAX; /* of a set that is listed in full: nothing is left to be added */

                for (unsigned n = 0; n < v->set_size; n++) {
                        const struct gb_brick_window *other = &k->window->bricks[set * v->set_size + n];

                        if (other->whole && since(other, before) < least)
                                least = since(other, before);
                }
                times[i].since = w->whole ? since(w, before) : least;
                times[i].until = w->by_time && w->end ? w->end + SWEEP_SLACK : 0;
                if (w->by_time) /* whose clock ctimes are of is not known: both */
                        widen(&times[i], v->bricks[i].ahead);
                if (times[i].until && times[i].until < times[i].since)
                        times[i].until = times[i].since;
        }
}

static int sweep_all(struct collect *k, const struct gb_scan_time *times, struct gb_error *err)
{
        const struct gb_sweep s = {.cli = k->cli,
                                   .volume = k->volume,
                                   .times = times,
                                   .gfids = true,
                                   .found = add_swept,
                                   .arg = k};

        return gb_sweep(&s, err);
}

/*
 * What changed without a record in the window before may have been renamed, with a directory, before it was
 * read: below renamed directories the sweep goes back that far.  (A renamed file has a new ctime itself.)
 */
static int sweep_some(struct collect *k, const struct gb_slice_of_path *roots, unsigned n,
                      struct gb_error *err)
{
        struct gb_scan_options o = {
                .roots = roots, .n_roots = n, .gfids = true, .times = k->times, .only_set = -1};
        struct gb_scan *s = gb_scan_open(k->cli, k->volume, &o, NULL, err);
        struct gb_entry e;
        int rc = -1;

        while (s && (rc = gb_scan_next(s, &e, err)) == 1)
                if (add_swept(k, &e, err) < 0) {
                        rc = -1;
                        break;
                }
        gb_scan_close(s);
        return rc;
}

static int sweep(struct collect *k, struct gb_error *err)
{
        int rc;

        gb_progress_say(k->cli, "sweeping");
        k->times = calloc(k->volume->n_bricks + 1, sizeof(*k->times));
        if (!k->times)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        fill_times(k, k->times, false);
        rc = sweep_all(k, k->times, err);
        fill_times(k, k->times, true);
        if (rc == 0)
                rc = each_root(k, sweep_some, err);
        free(k->times);
        return rc;
}

/* ---- all together ---- */

/* A replica set of the last run has left the volume with what it recorded since: remove-brick.  Its files
 * are somewhere else now, and nobody recorded that. */
static int check_former(struct collect *k, struct gb_error *err)
{
        if (!k->former.code)
                return 0;
        if (!k->window->full_on_gap) {
                *err = k->former;
                return -1;
        }
        gb_say("%s; everything is listed in full", k->former.text);
        for (unsigned set = 0; set < k->volume->n_sets; set++)
                k->window->full_sets[set] = true;
        k->window->n_full_sets = k->volume->n_sets;
        return 0;
}

/* Every brick of a set failed before it had told everything. */
static int missing_history(struct collect *k, unsigned set, struct gb_error *err)
{
        for (unsigned i = set * k->volume->set_size; i < (set + 1) * k->volume->set_size; i++)
                if (k->window->bricks[i].error.code)
                        k->volume->bricks[i].error = k->window->bricks[i].error;
        return gb_volume_missing(k->volume, set, err);
}

/* Which bricks of a set miss nothing between them, if they were never away: one replica; of disperse as many
 * as can be away while it is written to, and one. */
static unsigned needed(const struct gb_volume *v)
{
        return v->disperse ? v->redundancy + 1 : 1;
}

/* And if each was away for a while: a write was seen by a majority of three replicas and more, by one of two.
 */
static unsigned needed_in_turn(const struct gb_volume *v)
{
        unsigned majority = v->set_size / 2 + 1;

        return v->disperse ? v->redundancy + 1 : v->set_size < 3 ? v->set_size : v->set_size - majority + 1;
}

static bool is_gap(enum gb_code code)
{
        return code == GB_ERR_GAP || code == GB_ERR_CHANGELOG_OFF;
}

/* What the bricks of a set have told. */
struct told {
        unsigned whole;                      /* all of the window */
        unsigned trusted;                    /* of these, never away nor behind */
        unsigned believed;                   /* of these, listened to */
        bool muted;                          /* somebody was not */
        struct gb_vbrick *away;              /* one that could not be read, though it may come back */
        const struct gb_brick_window *worst; /* one that says why it is not whole */
        const struct gb_vbrick *behind;      /* one that is whole, though it may lack what another knows */
};

static bool is_trusted(const struct collect *k, const struct stream *s)
{
        const struct gb_fact_source *in = k->sources ? &k->sources[s - k->streams] : NULL;

        return s->window->whole && !s->muted && !s->restarted && in && !in->behind && !in->blamed;
}

static struct told told_by(struct collect *k, unsigned set)
{
        struct gb_volume *v = k->volume;
        struct told t = {0};

        for (unsigned i = set * v->set_size; i < (set + 1) * v->set_size; i++) {
                const struct gb_brick_window *w = &k->window->bricks[i];
                const struct stream *s = stream_of(k, &v->bricks[i]);

                t.whole += w->whole;
                t.trusted += s && is_trusted(k, s);
                t.believed += s && w->whole && !s->muted;
                t.muted = t.muted || (s && s->muted);
                if (w->whole)
                        t.behind = &v->bricks[i];
                if (!w->whole && w->error.code && !is_gap(w->error.code) && (w->from || w->by_time))
                        t.away = &v->bricks[i];
                if (w->error.code && (!t.worst || is_gap(w->error.code)))
                        t.worst = w;
        }
        return t;
}

/* A sibling was not listened to because of one that failed then: without that one, once more. */
static int again_without(const struct collect *k, struct told *t, struct gb_error *err)
{
        const struct gb_error *why;

        if (!t->away)
                return gb_error_set(err, GB_ERR_AGAIN,
                                    "a brick failed while its history was read; try again");
        why = &k->window->bricks[t->away->index].error;
        t->away->usable = false;
        t->away->error = *why;
        return gb_error_set(err, GB_ERR_AGAIN, "%s failed while its history was read: %.512s", t->away->name,
                            why->text);
}

/* Bricks have told all they know, but each was away for a while, or is behind, or has no position. */
static int not_enough(const struct collect *k, unsigned set, const struct told *t, struct gb_error *err)
{
        return gb_error_set(
                err, GB_ERR_INCOMPLETE,
                "replica set %u: %.300s cannot be read (%.200s), and %s may lack changes that it knows of, "
                "because it was restarted, is behind, or missed the last run; run again when the "
                "brick is back",
                set, t->away->name, k->window->bricks[t->away->index].error.text,
                t->behind ? t->behind->name : "what is left of the set");
}

/* Has a replica set told the whole window? */
static int check_set(struct collect *k, unsigned set, struct gb_error *err)
{
        const struct gb_volume *v = k->volume;
        struct told t = told_by(k, set);

        if (t.trusted >= needed(v) || (t.muted && t.believed >= needed(v) && t.whole >= needed_in_turn(v)) ||
            (!t.muted && t.whole >= needed_in_turn(v)))
                return 0;
        if (!t.worst) /* its streams had not come to their end when another one failed */
                return 0;
        if (t.muted)
                return again_without(k, &t, err);
        if (t.away && (t.whole || is_gap(t.worst->error.code)))
                return not_enough(k, set, &t, err);
        if (k->window->full_on_gap && t.worst->error.code == GB_ERR_GAP) {
                gb_say("replica set %u: %s; it is listed in full", set, t.worst->error.text);
                k->window->full_sets[set] = true;
                k->window->n_full_sets++;
                return 0;
        }
        *err = t.worst->error;
        if (gb_volume_spares(err->code))
                return missing_history(k, set, err);
        return gb_error_prefix(err, "replica set %u", set);
}

/* Each replica set needs bricks that told the whole window. */
static int check_sets(struct collect *k, struct gb_error *err)
{
        if (check_former(k, err) < 0)
                return -1;
        for (unsigned set = 0; set < k->volume->n_sets; set++)
                if (check_set(k, set, err) < 0)
                        return -1;
        return 0;
}

/* A brick that did not tell gets a position now, so that it takes part again next time.  What it recorded
 * between its siblings' cut and this moment, they tell.  In a replica set that is listed in full nobody does,
 * so there a position is worth a rollover's time: changelog may just have been switched on again. */
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

static int add_full_entry(struct collect *k, struct parents *p, const struct gb_entry *e,
                          struct gb_error *err)
{
        struct gb_op op = {.kind = GB_OP_NEW,
                           .path = e->path,
                           .len = e->len,
                           .type = e->type,
                           .has_gfid = e->has_gfid,
                           .gfid = e->gfid,
                           .flags = GB_FACT_DATA | GB_FACT_META};
        struct level l = {e->len, e->gfid};
        size_t at;

        if (!parent_of(p, e, &at, &op.parent))
                return gb_error_set(err, GB_ERR_AGAIN,
                                    "directories moved while a replica set was listed; try again");
        if (e->type == 'd' && gb_vec_push(&p->levels, l) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        return add_op(k, &op, err);
}

/* The names of the replica sets whose history has a gap.  Their positions were taken just before. */
static int list_full_sets(struct collect *k, struct gb_error *err)
{
        for (unsigned set = 0; set < k->volume->n_sets; set++) {
                struct gb_scan_options o = {.gfids = true, .only_set = (int)set};
                struct parents p = {GB_VEC_INIT};
                struct gb_scan *s;
                struct gb_entry e;
                int rc = -1;

                if (!k->window->full_sets[set])
                        continue;
                s = gb_scan_open(k->cli, k->volume, &o, NULL, err);
                while (s && (rc = gb_scan_next(s, &e, err)) == 1)
                        if (add_full_entry(k, &p, &e, err) < 0) {
                                rc = -1;
                                break;
                        }
                gb_vec_free(&p.levels);
                gb_scan_close(s);
                if (rc < 0)
                        return -1;
        }
        return 0;
}

static void suspect(struct collect *k)
{
        for (unsigned i = 0; i < k->n_streams; i++) {
                const struct gb_vbrick *b = k->streams[i].brick;
                bool alone = k->volume->set_size == 1;

                k->sources[i].behind = !alone && k->was_behind[b->index];
                k->sources[i].blamed = !alone && !k->volume->disperse && b->blamed;
                k->sources[i].stale =
                        !alone && (k->volume->disperse ? gb_volume_heals(k->volume, b->set) : b->blamed);
        }
}

/* Who is not believed, or told nothing, is no brick to look names up on either, if others can be. */
static void weighed(void *arg, const struct gb_reduce *r)
{
        struct collect *k = arg;
        const struct gb_volume *v = k->volume;

        for (unsigned i = 0; i < k->n_streams; i++) {
                k->streams[i].muted = gb_reduce_muted(r, i);
                k->streams[i].restarted = gb_reduce_restarted(r, i);
        }
        for (unsigned set = 0; set < v->n_sets; set++) {
                unsigned believed = 0;

                for (unsigned i = 0; i < k->n_streams; i++)
                        believed += k->streams[i].brick->set == set && !k->streams[i].muted;
                for (unsigned i = set * v->set_size; i < (set + 1) * v->set_size; i++) {
                        const struct stream *s = stream_of(k, &v->bricks[i]);

                        v->bricks[i].shunned = believed >= needed(v) && (!s || s->muted);
                }
        }
}

static int reduce(struct collect *k, struct gb_error *err)
{
        const struct gb_reduce_ops ops = {.arg = k,
                                          .weighed = weighed,
                                          .look = look,
                                          .walk = walk,
                                          .occupied = occupied,
                                          .emit = emit,
                                          .settle = settle,
                                          .doubt = doubt,
                                          .carry = carry};
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
        r = gb_reduce_new(k->sources, k->n_streams, k->volume->n_sets, needed(k->volume), &k->volume->id,
                          &ops, err);
        rc = r ? load_boundary(k, r, err) : -1;
        suspect(k);
        if (rc == 0)
                rc = gb_reduce_run(r, tmpdir(), &k->window->stats, err);
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
            check_sets(&k, &truth) < 0) {
                *err = truth;
                rc = -1;
        }
        if (rc == 0) {
                tell_spared(&k);
                gb_volume_behind(v);
                rc = put_bricks(&k, err);
        }
        if (rc == 0)
                rc = list_full_sets(&k, err);
        if (rc == 0 && (w->expand || k.relist))
                rc = each_root(&k, expand_some, err);
        if (rc == 0 && w->sweep)
                rc = sweep(&k, err);
        k.carry_all = k.carry_all || (k.relist && k.roots.n);
        if (rc == 0)
                rc = finish_boundary(&k, err);
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
