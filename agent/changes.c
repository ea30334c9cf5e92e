/*
 * changes - see changes.h.
 *
 * READ takes records into the grouping (events.h).  LOOK goes through the groups once: each object is
 * looked at and waits, complete, in one sorter for directories or another for all else.  Those which
 * only had records before the window wait in a third, not looked at: whether they matter at all is known
 * when all directories are, and most often they do not.  If they do, BEFORE looks at them and they join the
 * others.  DIRS, OBJECTS and SHARDS send the sections; the last are the base files of changed shards.  An
 * object is thus looked at at most once, and only after that look it is known whether it is a directory.
 *
 * Any step may stop because the buffer is full or time is up; then the fact in hand stays in `fact`
 * with `ready` set, and the next call begins with it.
 */
#include <config.h>

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/gfidmap.h"
#include "base/limits.h"
#include "base/sorter.h"
#include "base/vec.h"
#include "changes.h"
#include "events.h"

/* Shares of the memory: one part in this many.  Grouping gets the rest. */
#define OBJECTS_SHARE 4
#define DIRS_SHARE    16
#define BEFORE_SHARE  16
#define SHARDS_SHARE  16
#define SENT_SHARE    16
/* Bytes a member of `sent` takes, at worst, and how many there may always be. */
#define SENT_MEMBER 128
#define SENT_LEAST  64
/* Bytes of a fact that can wait for its section: what the sorter takes. */
#define STORED_MAX ((size_t)1024 * 1024)
/* Records between two looks at the clock. */
#define READ_BATCH 256

enum phase { PHASE_READ, PHASE_LOOK, PHASE_BEFORE, PHASE_DIRS, PHASE_OBJECTS, PHASE_SHARDS, PHASE_END };

/* What is known of a directory that a slot needs; values of `sent`. */
enum place { PLACE_NEW = 0, PLACE_SENT, PLACE_ABSENT, PLACE_INTERNAL };

struct gb_changes {
        const struct gb_brick *brick;
        bool look;
        enum phase phase;
        bool begun;  /* the phase's section item is out */
        bool told;   /* the brick's item is out */
        bool search; /* for directories without handles: before anything else */
        int in_hand; /* what was taken and has to be looked at again after that: as it was called, or 0 */

        struct gb_history *history;
        struct gb_events *events;
        struct gb_resolver *resolver;
        struct gb_sorter *dirs, *objects; /* facts */
        struct gb_sorter *before;         /* facts not looked at */
        bool dir_renamed;                 /* in the window */
        struct gb_sorter *shards;         /* 16 bytes each */
        gb_gfid last_shard;               /* the one added or sent last: most duplicates are neighbours */

        struct gb_fact fact;
        bool ready; /* `fact` waits to be sent */
        struct gb_buf scratch;
        struct gb_gfidmap sent; /* gfid -> enum place (uint64_t) */
        size_t sent_max;
        GB_VEC(gb_gfid) chain; /* directories to be sent, the lowest first */
        uint64_t looked, emitted;
};

static int gfid_cmp(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen, void *arg)
{
        (void)alen;
        (void)blen;
        (void)arg;
        return memcmp(a, b, sizeof(gb_gfid));
}

static uint64_t gfid_prefix(const uint8_t *rec, size_t len, void *arg)
{
        uint64_t v;

        (void)len;
        (void)arg;
        memcpy(&v, rec, sizeof(v));
        return be64toh(v);
}

static bool new_sorter(struct gb_sorter **s, size_t memory, const char *tmpdir, struct gb_error *err)
{
        *s = gb_sorter_new(memory, tmpdir, gfid_cmp, NULL, gfid_prefix, err);
        return *s != NULL;
}

static void free_sorter(struct gb_sorter **s)
{
        if (*s)
                gb_sorter_free(*s);
        *s = NULL;
}

struct gb_changes *gb_changes_open(const struct gb_brick *b, const struct gb_glusterd *gd,
                                   const struct gb_changes_options *o, struct gb_error *err)
{
        struct gb_changes *c = calloc(1, sizeof(*c));
        size_t objects = o->memory / OBJECTS_SHARE, shards = o->memory / SHARDS_SHARE;
        size_t dirs = o->memory / DIRS_SHARE, before = o->memory / BEFORE_SHARE;
        size_t sent = o->memory / SENT_SHARE;

        if (!c) {
                gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", b->path);
                return NULL;
        }
        c->brick = b;
        c->look = o->look;
        gb_buf_init(&c->scratch, STORED_MAX);
        gb_gfidmap_init(&c->sent, sizeof(uint64_t));
        c->sent_max = sent / SENT_MEMBER > SENT_LEAST ? sent / SENT_MEMBER : SENT_LEAST;
        c->history = gb_history_open(b, gd, &o->history, err);
        if (!c->history)
                goto fail;
        c->resolver = gb_resolver_new(b, err);
        if (!c->resolver)
                goto fail;
        gb_resolver_may_search(c->resolver);
        c->events = gb_events_new(&b->volume_id, o->memory - objects - dirs - before - shards - sent,
                                  o->tmpdir, err);
        if (!c->events)
                goto fail;
        if (!new_sorter(&c->objects, objects, o->tmpdir, err) ||
            !new_sorter(&c->dirs, dirs, o->tmpdir, err) || !new_sorter(&c->before, before, o->tmpdir, err) ||
            !new_sorter(&c->shards, shards, o->tmpdir, err))
                goto fail;
        return c;
fail:
        gb_changes_close(c);
        return NULL;
}

void gb_changes_close(struct gb_changes *c)
{
        if (!c)
                return;
        if (c->history)
                gb_history_close(c->history);
        gb_resolver_free(c->resolver);
        gb_events_free(c->events);
        free_sorter(&c->objects);
        free_sorter(&c->dirs);
        free_sorter(&c->before);
        free_sorter(&c->shards);
        gb_fact_fini(&c->fact);
        gb_buf_fini(&c->scratch);
        gb_gfidmap_fini(&c->sent);
        gb_vec_free(&c->chain);
        free(c);
}

uint64_t gb_changes_progress(const struct gb_changes *c)
{
        return gb_history_records(c->history) + c->looked + c->emitted;
}

uint64_t gb_changes_count(const struct gb_changes *c)
{
        return c->emitted;
}

const struct gb_cursor *gb_changes_cursor(const struct gb_changes *c)
{
        return gb_history_cursor(c->history);
}

int64_t gb_changes_before(const struct gb_changes *c)
{
        return gb_history_before(c->history);
}

void gb_changes_window(const struct gb_changes *c, int64_t *from, int64_t *to)
{
        gb_history_window(c->history, from, to);
}

static int no_memory(const struct gb_changes *c, struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory for changes", c->brick->path);
}

static bool passed(gb_deadline until)
{
        return gb_now_ms() >= until;
}

/* ---- reading ---- */

static int add_shard(struct gb_changes *c, const gb_gfid *base, struct gb_error *err)
{
        if (gb_gfid_eq(base, &GB_GFID_NULL) || gb_gfid_eq(base, &c->last_shard))
                return 0;
        c->last_shard = *base;
        return gb_sorter_add(c->shards, base->b, sizeof(base->b), err);
}

static int read_records(struct gb_changes *c, gb_deadline until, struct gb_error *err)
{
        for (;;) {
                for (unsigned i = 0; i < READ_BATCH; i++) {
                        struct gb_history_record r;
                        gb_gfid base;
                        int rc = gb_history_next(c->history, &r, err);

                        if (rc <= 0)
                                return rc < 0 ? -1 : gb_events_finish(c->events, err);
                        if (gb_events_add(c->events, &r, &base, err) < 0 || add_shard(c, &base, err) < 0)
                                return -1;
                }
                if (passed(until))
                        return 1;
        }
}

/* ---- looking ---- */

static int too_many_names(const struct gb_changes *c, struct gb_error *err)
{
        char text[GB_GFID_TEXT];

        return gb_error_set(err, GB_ERR_GAP, "%s: object %s has too many names to tell its changes",
                            c->brick->path, gb_gfid_format(&c->fact.gfid, text));
}

/* Tell a directory from the rest without the whole look. */
static int look_for_dir(struct gb_changes *c, struct gb_error *err)
{
        struct gb_fact *f = &c->fact;
        int rc = gb_resolver_may_be_dir(f) ? gb_resolver_is_dir(c->resolver, &f->gfid, err) : 0;

        if (rc == 1 || gb_gfid_eq(&f->gfid, &GB_GFID_ROOT))
                f->flags |= GB_FACT_DIR;
        return rc < 0 ? -1 : 1;
}

/* Look at the fact in hand.  1 it counts, 0 it was a shard's, 2 it has to be looked at again, -1. */
static int look(struct gb_changes *c, struct gb_error *err)
{
        gb_gfid base;
        int rc;

        c->looked++;
        if (!c->look)
                return look_for_dir(c, err);
        rc = gb_resolver_look(c->resolver, &c->fact, &base, err);
        if (rc) {
                c->search = rc == 1;
                return rc < 0 ? -1 : 2;
        }
        if (gb_gfid_eq(&base, &GB_GFID_NULL))
                return 1;
        return add_shard(c, &base, err);
}

/* Put the fact in hand aside. */
static int store(struct gb_changes *c, struct gb_sorter *to, struct gb_error *err)
{
        gb_buf_reset(&c->scratch);
        if (gb_fact_encode(&c->scratch, &c->fact) < 0)
                return too_many_names(c, err);
        return gb_sorter_add(to, c->scratch.data, c->scratch.len, err);
}

/* The next fact that was put aside into c->fact: 1, 0 at the end, -1. */
static int next_stored(struct gb_changes *c, struct gb_sorter *from, struct gb_error *err)
{
        const uint8_t *rec;
        size_t len;
        int rc = gb_sorter_next(from, &rec, &len, err);

        if (rc != 1)
                return rc;
        if (!gb_fact_decode(&(struct gb_reader){.p = rec, .end = rec + len}, &c->fact))
                return gb_error_set(err, GB_ERR_CORRUPT, "%s: a stored change came back broken",
                                    c->brick->path);
        return 1;
}

static bool is_renamed_dir(const struct gb_fact *f)
{
        bool loss = false, arrive = f->flags & GB_FACT_STRAY;

        for (size_t i = 0; i < f->claims.n; i++) {
                loss |= f->claims.v[i].kind == GB_CLAIM_LOSS;
                arrive |= f->claims.v[i].kind == GB_CLAIM_ARRIVE;
        }
        return loss && arrive && (f->flags & GB_FACT_DIR);
}

static int store_for_section(struct gb_changes *c, struct gb_error *err)
{
        return store(c, c->fact.flags & GB_FACT_DIR ? c->dirs : c->objects, err);
}

/* One group: 1, 0 at the end, 2 it has to be looked at again, -1. */
static int look_at_group(struct gb_changes *c, struct gb_error *err)
{
        int kind = c->in_hand ? 1 : gb_events_next(c->events, &c->fact, err), rc;

        if (kind <= 0)
                return kind;
        if (kind == 2)
                return c->look && store(c, c->before, err) < 0 ? -1 : 1;
        rc = look(c, err);
        c->in_hand = rc == 2;
        if (rc == 2)
                return 2;
        if (rc <= 0)
                return rc < 0 ? -1 : 1;
        c->dir_renamed |= is_renamed_dir(&c->fact);
        return store_for_section(c, err) < 0 ? -1 : 1;
}

/* One object that only had records before: the same. */
static int look_at_before(struct gb_changes *c, struct gb_error *err)
{
        int rc = c->in_hand ? 1 : c->dir_renamed ? next_stored(c, c->before, err) : 0;

        if (rc <= 0)
                return rc;
        rc = look(c, err);
        c->in_hand = rc == 2;
        if (rc == 2)
                return 2;
        if (rc <= 0 || c->fact.look == GB_LOOK_ABSENT)
                return rc < 0 ? -1 : 1;
        return store_for_section(c, err) < 0 ? -1 : 1;
}

/* 0 all done, 1 to be continued, -1. */
static int look_at_all(struct gb_changes *c, gb_deadline until, struct gb_error *err)
{
        for (;;) {
                int rc = c->phase == PHASE_LOOK ? look_at_group(c, err) : look_at_before(c, err);

                if (rc <= 0)
                        return rc;
                if (rc == 2 || passed(until))
                        return 1;
        }
}

/* ---- directories that slots need ---- */

static uint64_t *place_of(struct gb_changes *c, const gb_gfid *dir)
{
        return gb_gfidmap_put(&c->sent, dir, NULL);
}

/* No handle, and no record says that it was removed. */
static bool may_be_lost(const struct gb_changes *c, const gb_gfid *dir)
{
        return !gb_events_removed(c->events, dir) && gb_resolver_could_search(c->resolver);
}

/* Find the directories from `dir` upwards that were not sent yet, into c->chain.  The verdict on `dir`
 * itself; -2 a search is needed first (c->search); -1. */
static int find_chain(struct gb_changes *c, const gb_gfid *dir, struct gb_error *err)
{
        gb_gfid g = *dir;

        c->chain.n = 0;
        while (!gb_gfid_eq(&g, &GB_GFID_ROOT)) {
                uint64_t *place = place_of(c, &g);
                struct gb_slot slot;
                bool internal;
                int rc;

                if (!place)
                        return no_memory(c, err);
                if (*place)
                        return c->chain.n ? PLACE_NEW : (int)*place;
                rc = gb_resolver_place(c->resolver, &g, gb_events_removed(c->events, &g), &slot, &internal,
                                       err);
                if (rc < 0)
                        return -1;
                if (rc == 0 && may_be_lost(c, &g)) {
                        c->search = true;
                        return -2;
                }
                if (rc == 0 || internal)
                        *place = rc == 0 ? PLACE_ABSENT : PLACE_INTERNAL;
                if (*place)
                        return c->chain.n ? PLACE_NEW : (int)*place;
                if (c->chain.n >= GB_DEPTH_MAX || gb_vec_push(&c->chain, g) < 0)
                        return no_memory(c, err);
                g = slot.parent;
        }
        return c->chain.n ? PLACE_NEW : PLACE_SENT;
}

/* Send a directory and all above it, as far as they exist here; from the top, so that whatever was
 * sent has all above it sent.  1: no room, or a search comes first; else its place; -1. */
static int send_dir(struct gb_changes *c, const gb_gfid *dir, struct gb_buf *out, enum place *place,
                    struct gb_error *err)
{
        int found = find_chain(c, dir, err);

        if (found < 0)
                return found == -2 ? 1 : -1;
        *place = found == PLACE_NEW ? PLACE_SENT : (enum place)found;
        while (found == PLACE_NEW && c->chain.n) {
                const gb_gfid *g = &c->chain.v[c->chain.n - 1];
                uint64_t *sent = place_of(c, g);
                struct gb_slot slot;
                bool internal;
                int rc;

                if (!sent)
                        return no_memory(c, err);
                rc = gb_resolver_place(c->resolver, g, false, &slot, &internal, err);
                if (rc == 1)
                        rc = gb_facts_put_dir(out, g, &slot);
                if (rc)
                        return rc;
                *sent = PLACE_SENT;
                c->chain.n--;
        }
        return 0;
}

/* Send what is needed to spell the fact's slots.  A claim in a directory that is internal although it
 * did not look so (below the trash) goes.  0, 1 no room, -1. */
static int send_dirs(struct gb_changes *c, struct gb_buf *out, struct gb_error *err)
{
        struct gb_fact *f = &c->fact;
        enum place place;
        size_t kept = 0;
        int rc = 0;

        for (size_t i = 0; i < f->names.n && !rc; i++)
                rc = send_dir(c, &f->names.v[i].parent, out, &place, err);
        for (size_t i = 0; i < f->claims.n; i++) {
                if (!rc)
                        rc = send_dir(c, &f->claims.v[i].slot.parent, out, &place, err);
                if (rc || place != PLACE_INTERNAL)
                        f->claims.v[kept++] = f->claims.v[i];
        }
        f->claims.n = kept;
        return rc;
}

/* Send the fact in hand: 0, 1 no room, -1. */
static int send_fact(struct gb_changes *c, struct gb_buf *out, struct gb_error *err)
{
        int rc = send_dirs(c, out, err);

        if (rc)
                return rc;
        rc = gb_facts_put_fact(out, &c->fact);
        if (rc < 0)
                return too_many_names(c, err);
        if (rc == 0) {
                c->ready = false;
                c->emitted++;
        }
        return rc;
}

/* ---- sections ---- */

/* The next fact of each section into c->fact: 1, 0 at the end, -1.  c->ready: it is to be sent. */

static int next_dir(struct gb_changes *c, struct gb_error *err)
{
        int rc = next_stored(c, c->dirs, err);

        c->ready = rc == 1;
        return rc;
}

static int next_object(struct gb_changes *c, struct gb_error *err)
{
        int rc = next_stored(c, c->objects, err);

        c->ready = rc == 1;
        return rc;
}

static int next_shard(struct gb_changes *c, struct gb_error *err)
{
        const uint8_t *rec;
        size_t len;
        gb_gfid ignored;
        int rc = c->in_hand ? 1 : gb_sorter_next(c->shards, &rec, &len, err);

        if (rc != 1)
                return rc;
        if (!c->in_hand) {
                if (memcmp(rec, c->last_shard.b, sizeof(c->last_shard.b)) == 0)
                        return 1;
                gb_fact_reset(&c->fact);
                memcpy(c->fact.gfid.b, rec, sizeof(c->fact.gfid.b));
                c->last_shard = c->fact.gfid;
        }
        rc = c->look ? gb_resolver_look(c->resolver, &c->fact, &ignored, err) : 0;
        c->in_hand = rc == 1;
        c->search = rc == 1;
        if (rc)
                return rc;
        c->fact.flags = GB_FACT_DATA;
        c->ready = true;
        return 1;
}

static const struct {
        enum gb_section section;
        int (*next)(struct gb_changes *c, struct gb_error *err);
} sections[] = {
        [PHASE_DIRS] = {GB_SECTION_DIRS, next_dir},
        [PHASE_OBJECTS] = {GB_SECTION_OBJECTS, next_object},
        [PHASE_SHARDS] = {GB_SECTION_SHARDS, next_shard},
};

/* 0 the section is complete, 1 to be continued, -1. */
static int send_section(struct gb_changes *c, struct gb_buf *out, gb_deadline until, struct gb_error *err)
{
        int rc;

        if (!c->told) {
                rc = gb_facts_put_brick(out, gb_history_brick_flags(c->history));
                if (rc)
                        return rc < 0 ? no_memory(c, err) : 1;
                c->told = true;
        }
        if (!c->begun) {
                rc = gb_facts_put_section(out, sections[c->phase].section);
                if (rc)
                        return rc < 0 ? no_memory(c, err) : 1;
                c->begun = true;
        }
        for (;;) {
                if (c->ready) {
                        rc = send_fact(c, out, err);
                        if (rc)
                                return rc;
                }
                if (c->sent.n >= c->sent_max) /* between facts: a fact is resumed, never sent anew */
                        gb_gfidmap_fini(&c->sent);
                rc = sections[c->phase].next(c, err);
                if (rc <= 0)
                        return rc;
                if (c->search || passed(until))
                        return 1;
        }
}

/* What the next phase needs of the one that ended. */
static int finish_phase(struct gb_changes *c, struct gb_error *err)
{
        int rc = 0;

        if (c->phase == PHASE_LOOK && c->dir_renamed) {
                rc = gb_sorter_finish(c->before, err);
        } else if (c->phase == PHASE_BEFORE) {
                free_sorter(&c->before);
                rc = gb_sorter_finish(c->dirs, err);
        } else if (c->phase == PHASE_DIRS) {
                rc = gb_sorter_finish(c->objects, err);
        } else if (c->phase == PHASE_OBJECTS) {
                rc = gb_sorter_finish(c->shards, err);
                c->last_shard = GB_GFID_NULL;
        }
        c->phase++;
        c->begun = false;
        return rc < 0 ? -1 : 0;
}

int gb_changes_fill(struct gb_changes *c, struct gb_buf *out, gb_deadline until, struct gb_error *err)
{
        while (c->phase != PHASE_END) {
                int rc = c->search ? gb_resolver_search(c->resolver, until, err) : 0;

                if (rc)
                        return rc;
                c->search = false;
                if (c->phase == PHASE_READ)
                        rc = read_records(c, until, err);
                else if (c->phase == PHASE_LOOK || c->phase == PHASE_BEFORE)
                        rc = look_at_all(c, until, err);
                else
                        rc = send_section(c, out, until, err);
                if (rc == 1 && c->search)
                        continue;
                if (rc)
                        return rc;
                if (finish_phase(c, err) < 0)
                        return -1;
        }
        return 0;
}
