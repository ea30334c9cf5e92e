/*
 * reduce - see reduce.h for the idea.
 *
 * Order of work.  Sources are merged by (section, gfid).  A group of facts whose object was not found
 * where the facts came from waits in a batch, and the batch asks the other replica sets; what is found but
 * has names no xattr tells is looked for by a walk.  Everything that has been looked up is kept, directories
 * on a shelf, because they are gone through more than once, objects in a sorter; both spill.  When nothing is
 * left to be looked at, the records written since the cut are read, and names go back to what they were at
 * the cut.  Then directories are placed, at T0 and at the cut, and every group is concluded.
 */
#include <config.h>

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "reduce_core.h"

/* Bytes of objects kept in memory until the cut has settled; more go to disk. */
#define OBJECTS_MEMORY (8u * 1024 * 1024)

int gb_reduce_no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory while reducing changes");
}

bool gb_reduce_dup_slot(struct gb_arena *arena, const struct gb_slot *from, struct gb_slot *to)
{
        *to = *from;
        to->name = gb_arena_dup(arena, from->name, from->len);
        return to->name != NULL;
}

struct gb_reduce *gb_reduce_new(const struct gb_fact_source *sources, unsigned n_sources, unsigned n_sets,
                                unsigned needed, const gb_gfid *volume_id, const struct gb_reduce_ops *ops,
                                struct gb_error *err)
{
        struct gb_reduce *r = calloc(1, sizeof(*r));

        if (!r)
                goto fail;
        r->sources = calloc(n_sources + 1, sizeof(*r->sources));
        r->heap = calloc(n_sources + 1, sizeof(*r->heap));
        r->same = calloc(n_sources + 1, sizeof(*r->same));
        r->set_sources = calloc(n_sets + 1, sizeof(*r->set_sources));
        r->confused = calloc(n_sets + 1, sizeof(*r->confused));
        r->unsure = calloc(n_sets + 1, sizeof(*r->unsure));
        r->to_walk = calloc(n_sets + 1, sizeof(*r->to_walk));
        if (!r->sources || !r->heap || !r->same || !r->set_sources || !r->confused || !r->unsure ||
            !r->to_walk)
                goto fail;
        for (unsigned i = 0; i < n_sources; i++)
                r->sources[i].in = &sources[i];
        r->n_sources = n_sources;
        r->n_sets = n_sets;
        r->needed = needed;
        r->volume_id = *volume_id;
        r->ops = ops;
        gb_skeleton_init(&r->skeleton);
        gb_gfidmap_init(&r->boundary, sizeof(struct boundary));
        gb_gfidmap_init(&r->carried, sizeof(struct carried));
        gb_gfidmap_init(&r->settled, sizeof(struct settled_list));
        gb_buf_init(&r->record, 64 * 1024 * 1024);
        gb_arena_init(&r->keep);
        gb_arena_init(&r->batch.arena);
        gb_arena_init(&r->dir_batch.arena);
        gb_arena_init(&r->object_arena);
        gb_shelf_init(&r->dirs, NULL);
        return r;
fail:
        gb_reduce_no_memory(err);
        if (r) {
                free(r->sources);
                free(r->heap);
                free(r->same);
                free(r->set_sources);
                free(r->confused);
                free(r->unsure);
                free(r->to_walk);
                free(r);
        }
        return NULL;
}

void gb_reduce_free(struct gb_reduce *r)
{
        if (!r)
                return;
        for (unsigned i = 0; i < r->n_sources; i++)
                gb_fact_fini(&r->sources[i].item.fact);
        gb_shelf_fini(&r->dirs);
        gb_groups_fini(&r->batch.groups);
        gb_groups_fini(&r->dir_batch.groups);
        gb_group_fini(&r->current);
        gb_group_fini(&r->more);
        gb_skeleton_fini(&r->skeleton);
        gb_gfidmap_fini(&r->boundary);
        gb_gfidmap_fini(&r->carried);
        gb_gfidmap_fini(&r->settled);
        gb_sorter_free(r->objects);
        gb_buf_fini(&r->record);
        gb_arena_fini(&r->keep);
        gb_arena_fini(&r->batch.arena);
        gb_arena_fini(&r->dir_batch.arena);
        gb_arena_fini(&r->object_arena);
        gb_vec_free(&r->victims);
        gb_vec_free(&r->places);
        free(r->sources);
        free(r->heap);
        free(r->same);
        free(r->set_sources);
        free(r->confused);
        free(r->unsure);
        free(r->to_walk);
        free(r->sieve);
        free(r);
}

int gb_reduce_boundary(struct gb_reduce *r, const gb_gfid *gfid, const struct gb_slot *slots, unsigned n,
                       bool dir, bool revisit, struct gb_error *err)
{
        struct boundary *b = gb_gfidmap_put(&r->boundary, gfid, NULL);

        if (!b)
                return gb_reduce_no_memory(err);
        b->n = n;
        b->dir = dir;
        b->revisit = revisit;
        b->slots = gb_arena_alloc(&r->keep, (n ? n : 1) * sizeof(*b->slots));
        if (!b->slots)
                return gb_reduce_no_memory(err);
        for (unsigned i = 0; i < n; i++)
                if (!gb_reduce_dup_slot(&r->keep, &slots[i], &b->slots[i]))
                        return gb_reduce_no_memory(err);
        return 0;
}

int gb_reduce_carried(struct gb_reduce *r, const gb_gfid *gfid, bool dir_moved, struct gb_error *err)
{
        struct carried *c = gb_gfidmap_put(&r->carried, gfid, NULL);

        if (!c)
                return gb_reduce_no_memory(err);
        if (gb_gfid_eq(gfid, &GB_GFID_ROOT))
                r->all_listed = true;
        if (dir_moved)
                c->dir_moved = true;
        else
                c->listed = true;
        return 0;
}

/* ---- the sources, merged ---- */

static int source_cmp(const struct source *a, const struct source *b)
{
        if (a->section != b->section)
                return a->section < b->section ? -1 : 1;
        return gb_gfid_cmp(&a->item.fact.gfid, &b->item.fact.gfid);
}

static void sift_down(struct gb_reduce *r, unsigned i)
{
        for (;;) {
                unsigned least = i;

                for (unsigned c = 2 * i + 1; c <= 2 * i + 2 && c < r->n_heap; c++)
                        if (source_cmp(&r->sources[r->heap[c]], &r->sources[r->heap[least]]) < 0)
                                least = c;
                if (least == i)
                        return;
                unsigned swap = r->heap[i];

                r->heap[i] = r->heap[least];
                r->heap[least] = swap;
                i = least;
        }
}

/* Move a source to its next fact; directories on the way go to the skeleton, unless they may be where the
 * brick alone still has them.  1, 0 at its end, -1. */
static int advance(struct gb_reduce *r, struct source *s, struct gb_error *err)
{
        int rc;

        while ((rc = s->in->next(s->in->arg, &s->item, err)) == 1) {
                if (s->item.kind == GB_ITEM_DIR) {
                        if (!s->muted && !s->junior &&
                            gb_skeleton_now(&r->skeleton, &s->item.gfid, &s->item.slot) < 0)
                                return gb_reduce_no_memory(err);
                } else if (s->item.kind == GB_ITEM_SECTION) {
                        s->section = s->item.section;
                } else {
                        r->stats.facts++;
                        return 1;
                }
        }
        return rc;
}

static int start_sources(struct gb_reduce *r, struct gb_error *err)
{
        if (gb_reduce_weigh(r, err) < 0)
                return -1;
        for (unsigned i = 0; i < r->n_sources; i++) {
                int rc = advance(r, &r->sources[i], err);

                if (rc < 0)
                        return -1;
                if (rc)
                        r->heap[r->n_heap++] = i;
        }
        for (unsigned i = r->n_heap; i-- > 0;)
                sift_down(r, i);
        return 0;
}

static int pop_source(struct gb_reduce *r, struct gb_error *err)
{
        int rc = advance(r, &r->sources[r->heap[0]], err);

        if (rc < 0)
                return -1;
        if (!rc)
                r->heap[0] = r->heap[--r->n_heap];
        sift_down(r, 0);
        return 0;
}

static int encode(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err)
{
        gb_buf_reset(&r->record);
        return gb_group_encode(&r->record, g) < 0 ? gb_reduce_no_memory(err) : 0;
}

int gb_reduce_keep(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err)
{
        return encode(r, g, err) < 0 ? -1 : gb_sorter_add(r->objects, r->record.data, r->record.len, err);
}

static int keep_object(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err)
{
        if (g->partial ? gb_reduce_want_walk(r, g, err) < 0 : gb_reduce_place_suspect(r, g, err) < 0)
                return -1;
        return gb_reduce_keep(r, g, err);
}

static int keep_dir(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err)
{
        return encode(r, g, err) < 0 ? -1 : gb_shelf_add(&r->dirs, r->record.data, r->record.len, err);
}

/* ---- asking other replica sets ---- */

int gb_reduce_dir(struct gb_reduce *r, const gb_gfid *gfid, const struct gb_slot *slot, struct gb_error *err)
{
        if (r->settling && gb_skeleton_knows(&r->skeleton, gfid))
                return 0; /* it is asked where it stood at the cut, not where it stands by now */
        return gb_skeleton_now(&r->skeleton, gfid, slot) < 0 ? gb_reduce_no_memory(err) : 0;
}

int gb_reduce_found(struct gb_reduce *r, const struct gb_fact *fact, struct gb_error *err)
{
        struct gb_group *g;

        if (r->next_answer >= r->n_asking)
                return gb_error_set(err, GB_ERR_PROTOCOL,
                                    "an agent answered for more objects than it was asked");
        g = r->asking[r->next_answer++];
        if (!gb_gfid_eq(&g->gfid, &fact->gfid))
                return gb_error_set(err, GB_ERR_PROTOCOL,
                                    "an agent answered for an object it was not asked for");
        if (gb_group_look(g, fact, r->asking_set, r->asking_arena) < 0)
                return gb_reduce_no_memory(err);
        return 0;
}

/* A directory that a heal has put aside, below the anonymous-inode directory, until the other heals of its
 * brick are done: it is not gone, and other replica sets tell where it stands. */
static bool put_aside(const struct gb_group *g)
{
        return g->found && g->type == 'd' && !g->names.n && !g->partial &&
               !gb_gfid_eq(&g->gfid, &GB_GFID_ROOT);
}

static int ask_set(struct gb_reduce *r, struct gb_groups *groups, unsigned set, struct gb_error *err)
{
        struct gb_group *asked[GB_LOOK_MAX];
        gb_gfid gfids[GB_LOOK_MAX];
        size_t i = 0;

        while (i < groups->n) {
                unsigned n = 0;

                for (; i < groups->n && n < GB_LOOK_MAX; i++) {
                        struct gb_group *g = groups->v[i];

                        if ((g->found && !put_aside(g)) || gb_group_answered(g, set))
                                continue;
                        asked[n] = g;
                        gfids[n++] = g->gfid;
                }
                if (!n)
                        return 0;
                r->asking = asked;
                r->n_asking = n;
                r->next_answer = 0;
                r->asking_set = set;
                r->stats.asked_again += n;
                if (r->ops->look(r->ops->arg, r, set, gfids, n, err) < 0)
                        return -1;
                if (r->next_answer != n)
                        return gb_error_set(err, GB_ERR_PROTOCOL, "an agent answered for %u of %u objects",
                                            r->next_answer, n);
        }
        return 0;
}

static int ask_all(struct gb_reduce *r, struct gb_groups *groups, struct gb_arena *arena,
                   struct gb_error *err)
{
        r->asking_arena = arena;
        for (unsigned set = 0; set < r->n_sets; set++)
                if (ask_set(r, groups, set, err) < 0)
                        return -1;
        return 0;
}

static int broken(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_CORRUPT, "a kept object came back broken");
}

/* Look for a batch on all replica sets, and keep it. */
static int flush_batch(struct gb_reduce *r, struct batch *batch,
                       int (*keep)(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err),
                       struct gb_error *err)
{
        if (ask_all(r, &batch->groups, &batch->arena, err) < 0)
                return -1;
        for (size_t i = 0; i < batch->groups.n; i++)
                if (keep(r, batch->groups.v[i], err) < 0)
                        return -1;
        gb_groups_fini(&batch->groups);
        gb_arena_reset(&batch->arena);
        return 0;
}

static int flush_batches(struct gb_reduce *r, struct gb_error *err)
{
        return flush_batch(r, &r->dir_batch, keep_dir, err) < 0 ? -1
                                                                : flush_batch(r, &r->batch, keep_object, err);
}

/* Call `each` for every directory, as it was at the cut. */
static int each_dir(struct gb_reduce *r,
                    int (*each)(struct gb_reduce *r, struct gb_group *g, struct gb_error *err),
                    struct gb_error *err)
{
        struct gb_shelf_reader in;
        const uint8_t *rec;
        size_t len;
        int rc;

        gb_shelf_read(&in, &r->dirs);
        while ((rc = gb_shelf_next(&in, &rec, &len, err)) == 1) {
                if (!gb_group_decode(rec, len, &r->current))
                        rc = broken(err);
                else if (gb_reduce_back_to_cut(r, &r->current, err) < 0 || each(r, &r->current, err) < 0)
                        rc = -1;
                if (rc < 0)
                        break;
        }
        gb_shelf_close(&in);
        return rc;
}

static int place_dir(struct gb_reduce *r, struct gb_group *g, struct gb_error *err)
{
        return gb_reduce_place_now(r, g, err) < 0 ? -1 : gb_reduce_place_then(r, g, err);
}

static int finish_dirs(struct gb_reduce *r, struct gb_error *err)
{
        if (gb_reduce_place_settled_dirs(r, err) < 0 || each_dir(r, place_dir, err) < 0)
                return -1;
        return each_dir(r, gb_reduce_conclude, err);
}

/* ---- the main loop ---- */

static bool tells_of(const struct source *s, enum gb_section section, const gb_gfid *gfid)
{
        return s->section == section && gb_gfid_eq(&s->item.fact.gfid, gfid);
}

/* Add all that a source says to the current group.  1, -1 out of memory. */
static int believe(struct gb_reduce *r, const struct source *s)
{
        struct gb_group *g = &r->current;

        g->confused = g->confused || r->confused[s->in->set];
        g->unsure = g->unsure || r->unsure[s->in->set];
        return gb_group_unite(g, &s->item.fact, s->in->set) < 0 ? -1 : 1;
}

/* The same of a source that is not believed: while it is healed an object may show attributes of the heal, so
 * what it says of content counts.  1, 0 nothing of it counts, -1 out of memory. */
static int hear(struct gb_reduce *r, const struct source *s)
{
        struct gb_group *g = &r->current;
        const struct gb_fact *f = &s->item.fact;

        if (s->counted && gb_group_told(g, f, s->in->set) < 0)
                return -1;
        g->flags |= f->flags & CHANGE_FLAGS;
        return (f->flags & CHANGE_FLAGS) != 0;
}

/* Which sources are at this gfid, the least there is: r->same, of the given number.  In the heap they stand
 * only below others that are at it, so the rest, hundreds on a large volume, is not looked at. */
static unsigned find_same(struct gb_reduce *r, enum gb_section section, const gb_gfid *gfid)
{
        unsigned n = 0;

        r->same[n++] = 0;
        for (unsigned k = 0; k < n; k++)
                for (unsigned child = 2 * r->same[k] + 1; child <= 2 * r->same[k] + 2 && child < r->n_heap;
                     child++)
                        if (tells_of(&r->sources[r->heap[child]], section, gfid))
                                r->same[n++] = child;
        for (unsigned k = 0; k < n; k++)
                r->same[k] = r->heap[r->same[k]];
        return n;
}

/* Does a believed source of this replica set speak of the gfid that the first n of r->same stand at? */
static bool spoken_of(const struct gb_reduce *r, unsigned n, unsigned set)
{
        for (unsigned i = 0; i < n; i++) {
                const struct source *s = &r->sources[r->same[i]];

                if (s->in->set == set && !s->muted && !s->junior)
                        return true;
        }
        return false;
}

/* Take everything the sources say about the least gfid of the least section.  1, 0 nobody is believed, -1. */
static int take_group(struct gb_reduce *r, enum gb_section *section, struct gb_error *err)
{
        struct gb_group *g = &r->current;
        unsigned taken = 0, n;

        gb_group_reset(g);
        *section = r->sources[r->heap[0]].section;
        g->gfid = r->sources[r->heap[0]].item.fact.gfid;
        /* Slots borrow from the items, so no source may move before the group is done with: look at
         * all of them, and let take_group's caller move them by drop_group(). */
        n = find_same(r, *section, &g->gfid);
        for (unsigned i = 0; i < n; i++) {
                struct source *s = &r->sources[r->same[i]];
                int rc = !s->muted && !s->junior ? believe(r, s) : 0;

                if (rc < 0)
                        return gb_reduce_no_memory(err);
                taken += (unsigned)rc;
        }
        for (unsigned i = 0; i < n; i++) {
                struct source *s = &r->sources[r->same[i]];
                int rc = 0;

                if (s->muted || s->junior)
                        rc = s->junior && !spoken_of(r, n, s->in->set) ? believe(r, s) : hear(r, s);
                if (rc < 0)
                        return gb_reduce_no_memory(err);
                taken += (unsigned)rc;
        }
        if (!taken)
                return 0;
        struct carried *c = gb_gfidmap_get(&r->carried, &g->gfid);
        struct boundary *b = gb_gfidmap_get(&r->boundary, &g->gfid);

        if (c)
                c->seen = true;
        if (b)
                b->seen = true;
        if (b && b->revisit) /* it may have names that no event tells of */
                g->flags |= GB_FACT_STRAY;
        if (r->all_listed || (c && c->listed))
                g->flags |= GB_FACT_BEFORE;
        return 1;
}

static int drop_group(struct gb_reduce *r, enum gb_section section, const gb_gfid *gfid, struct gb_error *err)
{
        while (r->n_heap) {
                const struct source *s = &r->sources[r->heap[0]];

                if (s->section != section || !gb_gfid_eq(&s->item.fact.gfid, gfid))
                        return 0;
                if (pop_source(r, err) < 0)
                        return -1;
        }
        return 0;
}

static void note_dir(struct gb_reduce *r, const struct gb_group *g)
{
        for (size_t i = 0; i < g->touched.n; i++)
                r->dir_moved = r->dir_moved || kind_of(&g->touched.v[i], GB_CLAIM_LOSS);
}

static int place_group(struct gb_reduce *r, enum gb_section section, struct gb_error *err)
{
        struct gb_group *g = &r->current;
        bool dir = section == GB_SECTION_DIRS;
        struct batch *batch = dir ? &r->dir_batch : &r->batch;

        if (dir)
                note_dir(r, g);
        if (g->found && !put_aside(g))
                return dir ? keep_dir(r, g, err) : keep_object(r, g, err);
        if (!gb_groups_add(&batch->groups, g, &batch->arena))
                return gb_reduce_no_memory(err);
        return batch->groups.n < GB_LOOK_MAX ? 0 : flush_batch(r, batch, dir ? keep_dir : keep_object, err);
}

/* Kept objects by gfid, with which their records begin. */
static int object_cmp(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen, void *arg)
{
        (void)alen, (void)blen, (void)arg;
        return memcmp(a, b, sizeof(gb_gfid));
}

static uint64_t object_prefix(const uint8_t *rec, size_t len, void *arg)
{
        uint64_t v;

        (void)len, (void)arg;
        memcpy(&v, rec, sizeof(v));
        return be64toh(v);
}

/* Take the object read ahead, and what else was kept about it: one whose shards changed is in two sections,
 * and a walk may have found names.  1; 0 at the end; -1.  r->current.walked: nobody asked for it.
 */
static int take_object(struct gb_reduce *r, const uint8_t **rec, size_t *len, struct gb_error *err)
{
        int rc;

        gb_buf_reset(&r->record); /* the sorter's copy goes with the next one */
        gb_arena_reset(&r->object_arena);
        if (gb_buf_put(&r->record, *rec, *len) < 0)
                return gb_reduce_no_memory(err);
        if (!gb_group_decode(r->record.data, r->record.len, &r->current))
                return broken(err);
        while ((rc = gb_sorter_next(r->objects, rec, len, err)) == 1 &&
               object_cmp(r->record.data, r->record.len, *rec, *len, NULL) == 0) {
                if (!gb_group_decode(*rec, *len, &r->more))
                        return broken(err);
                if ((!r->more.walked || r->current.partial) &&
                    gb_group_merge(&r->current, &r->more, &r->object_arena) < 0)
                        return gb_reduce_no_memory(err);
        }
        return rc;
}

static int finish_objects(struct gb_reduce *r, struct gb_error *err)
{
        const uint8_t *rec;
        size_t len;
        int rc;

        if (gb_sorter_finish(r->objects, err) < 0)
                return -1;
        rc = gb_sorter_next(r->objects, &rec, &len, err);
        while (rc == 1) {
                rc = take_object(r, &rec, &len, err);
                if (rc < 0)
                        return -1;
                if (!r->current.walked && (gb_reduce_back_to_cut(r, &r->current, err) < 0 ||
                                           gb_reduce_conclude(r, &r->current, err) < 0))
                        return -1;
        }
        return rc;
}

static int take_all(struct gb_reduce *r, struct gb_error *err)
{
        if (start_sources(r, err) < 0)
                return -1;
        while (r->n_heap) {
                enum gb_section section;
                gb_gfid gfid;

                int taken = take_group(r, &section, err);

                if (taken < 0)
                        return -1;
                gfid = r->current.gfid;
                if ((taken && place_group(r, section, err) < 0) || drop_group(r, section, &gfid, err) < 0)
                        return -1;
        }
        return 0;
}

/* Objects that nothing happened to; a directory above them may have moved. */
static int take_carried(struct gb_reduce *r, struct gb_error *err)
{
        size_t pos = 0;
        gb_gfid gfid;
        void *value;

        if (!r->dir_moved)
                return 0;
        while (gb_gfidmap_next(&r->carried, &pos, &gfid, &value)) {
                const struct carried *c = value;

                if (!c->listed || c->seen)
                        continue;
                gb_group_reset(&r->current);
                r->current.gfid = gfid;
                r->current.flags = GB_FACT_BEFORE;
                if (place_group(r, GB_SECTION_OBJECTS, err) < 0)
                        return -1;
        }
        return 0;
}

/* Objects that nothing is told of, and that are to be looked at all the same. */
static int take_revisited(struct gb_reduce *r, struct gb_error *err)
{
        size_t pos = 0;
        gb_gfid gfid;
        void *value;

        while (gb_gfidmap_next(&r->boundary, &pos, &gfid, &value)) {
                const struct boundary *b = value;

                if (!b->revisit || b->seen)
                        continue;
                gb_group_reset(&r->current);
                r->current.gfid = gfid;
                r->current.flags = GB_FACT_STRAY | (b->dir ? GB_FACT_DIR : 0);
                if (place_group(r, b->dir ? GB_SECTION_DIRS : GB_SECTION_OBJECTS, err) < 0)
                        return -1;
        }
        return 0;
}

int gb_reduce_run(struct gb_reduce *r, const char *tmpdir, struct gb_reduce_stats *stats,
                  struct gb_error *err)
{
        r->dirs.dir = tmpdir;
        r->objects = gb_sorter_new(OBJECTS_MEMORY, tmpdir, object_cmp, NULL, object_prefix, err);
        if (!r->objects || take_all(r, err) < 0 || take_carried(r, err) < 0 || take_revisited(r, err) < 0)
                return -1;
        if (flush_batches(r, err) < 0 || gb_reduce_walk_sets(r, err) < 0)
                return -1;
        r->settling = true;
        if (r->ops->settle && r->ops->settle(r->ops->arg, r, err) < 0)
                return -1;
        if (finish_dirs(r, err) < 0 || finish_objects(r, err) < 0)
                return -1;
        if (stats)
                *stats = r->stats;
        return 0;
}
