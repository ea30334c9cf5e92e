/*
 * reduce - see reduce.h for the idea.
 *
 * Order of work.  Sources are merged by (section, gfid).  A group of facts whose object was not found
 * where the facts came from waits in a batch, and the batch asks the other replica sets; what is found but
 * has names no xattr tells waits for a walk.  Everything that has been looked up is kept, directories in
 * memory, objects in a spilling store.  When nothing is left to be looked at, the records written since
 * the cut are read, and names go back to what they were at the cut.  Then directories are placed, at T0
 * and at the cut, and every group is concluded.
 */
#include <config.h>

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/gfidmap.h"
#include "base/limits.h"
#include "base/vec.h"
#include "group.h"
#include "reduce.h"
#include "skeleton.h"

#define CHANGE_FLAGS (GB_FACT_DATA | GB_FACT_META | GB_FACT_XATTR)

/* Bytes of objects kept in memory until the cut has settled; more go to disk. */
#define OBJECTS_MEMORY (16u * 1024 * 1024)

struct source {
        const struct gb_fact_source *in;
        struct gb_item item;
        enum gb_section section;
        bool restarted;
        bool muted;   /* not believed */
        bool junior;  /* heard only about what no other speaks of */
        bool counted; /* what happens is soon told by it, believed or not */
};

struct boundary {
        struct gb_slot *slots; /* arena */
        unsigned n;
        bool dir;
        bool revisit; /* look at it even if nothing is told */
        bool seen;    /* has facts in this window */
};

/* What the last list leaves for this one. */
struct carried {
        bool listed;    /* to be taken as BEFORE */
        bool dir_moved; /* a renamed directory */
        bool seen;      /* has facts in this window */
};

/* First events of one slot behind the cut, of every brick. */
struct settled {
        struct settled *next;
        struct gb_slot slot; /* arena */
        unsigned kinds;
        bool confused; /* told where all bricks are suspect */
};

struct settled_list { /* of one gfid */
        struct settled *first;
        bool dir;
};

struct gb_reduce {
        struct source *sources;
        unsigned n_sources, n_sets, needed;
        unsigned *heap; /* indices of sources that have an item, least first */
        unsigned *same; /* scratch of find_same() */
        unsigned n_heap;
        gb_gfid volume_id;
        const struct gb_reduce_ops *ops;
        struct gb_reduce_stats stats;

        struct gb_skeleton skeleton;
        struct gb_gfidmap boundary;
        struct gb_gfidmap carried; /* of struct carried */
        bool all_listed;           /* they were too many: take everything as BEFORE */
        struct gb_gfidmap settled; /* of struct settled_list */
        struct gb_arena keep;      /* directories, boundary, victims, settled: until the end */
        struct gb_groups dirs;
        bool settling;
        struct gb_sorter *objects; /* encoded groups, looked up, until the cut has settled */
        struct gb_buf record;
        unsigned *set_sources;          /* counted sources of each replica set */
        unsigned n_counted;             /* of all */
        bool *confused;                 /* replica sets in which all are suspect */
        GB_VEC(struct gb_slot) victims; /* slots a directory was renamed onto: see spell_then() */
        bool more_victims;              /* it may have been others, too */
        GB_VEC(struct gb_slot) places;  /* victims of which nothing says that no directory was there */
        bool places_known;

        struct gb_group current, more;
        struct gb_arena batch_arena;
        struct gb_groups batch; /* to be asked for on other sets */
        struct gb_arena walk_arena;
        struct gb_groups to_walk; /* found, but with names unknown */
        struct gb_gfidmap walk_index;

        struct gb_group **asking; /* the groups of the look() in progress */
        unsigned n_asking, next_answer, asking_set;
        struct gb_arena *asking_arena;
};

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory while reducing changes");
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
        if (!r->sources || !r->heap || !r->same || !r->set_sources || !r->confused)
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
        gb_gfidmap_init(&r->walk_index, sizeof(size_t));
        gb_arena_init(&r->keep);
        gb_arena_init(&r->batch_arena);
        gb_arena_init(&r->walk_arena);
        return r;
fail:
        no_memory(err);
        if (r) {
                free(r->sources);
                free(r->heap);
                free(r->same);
                free(r->set_sources);
                free(r->confused);
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
        gb_groups_fini(&r->dirs);
        gb_groups_fini(&r->batch);
        gb_groups_fini(&r->to_walk);
        gb_group_fini(&r->current);
        gb_group_fini(&r->more);
        gb_skeleton_fini(&r->skeleton);
        gb_gfidmap_fini(&r->boundary);
        gb_gfidmap_fini(&r->carried);
        gb_gfidmap_fini(&r->settled);
        gb_sorter_free(r->objects);
        gb_buf_fini(&r->record);
        gb_gfidmap_fini(&r->walk_index);
        gb_arena_fini(&r->keep);
        gb_arena_fini(&r->batch_arena);
        gb_arena_fini(&r->walk_arena);
        gb_vec_free(&r->victims);
        gb_vec_free(&r->places);
        free(r->sources);
        free(r->heap);
        free(r->same);
        free(r->set_sources);
        free(r->confused);
        free(r);
}

static bool dup_slot(struct gb_arena *arena, const struct gb_slot *from, struct gb_slot *to)
{
        *to = *from;
        to->name = gb_arena_dup(arena, from->name, from->len);
        return to->name != NULL;
}

int gb_reduce_boundary(struct gb_reduce *r, const gb_gfid *gfid, const struct gb_slot *slots, unsigned n,
                       bool dir, bool revisit, struct gb_error *err)
{
        struct boundary *b = gb_gfidmap_put(&r->boundary, gfid, NULL);

        if (!b)
                return no_memory(err);
        b->n = n;
        b->dir = dir;
        b->revisit = revisit;
        b->slots = gb_arena_alloc(&r->keep, (n ? n : 1) * sizeof(*b->slots));
        if (!b->slots)
                return no_memory(err);
        for (unsigned i = 0; i < n; i++)
                if (!dup_slot(&r->keep, &slots[i], &b->slots[i]))
                        return no_memory(err);
        return 0;
}

int gb_reduce_carried(struct gb_reduce *r, const gb_gfid *gfid, bool dir_moved, struct gb_error *err)
{
        struct carried *c = gb_gfidmap_put(&r->carried, gfid, NULL);

        if (!c)
                return no_memory(err);
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

bool gb_reduce_muted(const struct gb_reduce *r, unsigned source)
{
        return r->sources[source].muted || r->sources[source].junior;
}

bool gb_reduce_restarted(const struct gb_reduce *r, unsigned source)
{
        return r->sources[source].restarted;
}

static bool stayed(const struct source *s)
{
        return !s->in->behind && !s->restarted;
}

static bool trusted(const struct source *s)
{
        return stayed(s) && !s->in->blamed;
}

/* Of each replica set, the sources that have a beginning and are `so`. */
static void count_sources(struct gb_reduce *r, const bool *told, bool (*so)(const struct source *s))
{
        memset(r->set_sources, 0, r->n_sets * sizeof(*r->set_sources));
        for (unsigned i = 0; i < r->n_sources; i++)
                r->set_sources[r->sources[i].in->set] += told[i] && so(&r->sources[i]);
}

static bool is_counted(const struct source *s)
{
        return s->counted;
}

/* Whom to believe, as reduce.h says. */
static void weigh(struct gb_reduce *r, const bool *told)
{
        count_sources(r, told, trusted);
        for (unsigned i = 0; i < r->n_sources; i++) {
                struct source *s = &r->sources[i];
                bool enough = r->set_sources[s->in->set] >= r->needed;

                s->muted = enough && !trusted(s);
                s->counted = !s->muted || !s->in->stale;
                r->confused[s->in->set] |= !enough && (s->in->behind || s->in->blamed || s->in->stale);
        }
        count_sources(r, told, stayed);
        for (unsigned i = 0; i < r->n_sources; i++) {
                struct source *s = &r->sources[i];

                s->junior = !s->muted && !stayed(s) && r->set_sources[s->in->set] >= r->needed;
                s->counted = s->counted && !(s->junior && s->in->stale);
        }
        count_sources(r, told, is_counted);
        for (unsigned set = 0; set < r->n_sets; set++)
                r->n_counted += r->set_sources[set];
        if (r->ops->weighed)
                r->ops->weighed(r->ops->arg, r);
}

/* Each source begins with what is to be known of its brick; one that fails at once has no beginning. */
static int weigh_sources(struct gb_reduce *r, struct gb_error *err)
{
        bool *told = calloc(r->n_sources + 1, sizeof(*told));
        int rc = told ? 0 : no_memory(err);

        for (unsigned i = 0; rc >= 0 && i < r->n_sources; i++) {
                struct source *s = &r->sources[i];

                rc = s->in->next(s->in->arg, &s->item, err);
                if (rc == 1 && s->item.kind != GB_ITEM_BRICK)
                        rc = gb_error_set(err, GB_ERR_PROTOCOL,
                                          "%s: history begins without a word on the brick", s->in->name);
                told[i] = rc == 1;
                s->restarted = rc == 1 && (s->item.brick_flags & GB_BRICK_RESTARTED);
        }
        if (rc >= 0)
                weigh(r, told);
        free(told);
        return rc < 0 ? -1 : 0;
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
                                return no_memory(err);
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
        if (weigh_sources(r, err) < 0)
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

/* ---- spelling ---- */

/* More slots than this are not looked through for the one. */
#define VICTIMS_MAX 256

/*
 * Was a directory without any event at this slot at T0?  Not if another one was, as its first event there,
 * a loss, tells.  Nor if one that was made there is gone without a word, and one was renamed there: the one
 * overwrote the other, and before that the slot was free.
 */
static bool may_be_victim(const struct gb_reduce *r, const struct gb_slot *slot)
{
        unsigned arrived = 0, made = 0;
        char path[GB_PATH_MAX];
        gb_gfid missing;
        size_t at;

        for (size_t i = 0; i < r->dirs.n; i++) {
                const struct gb_group *g = r->dirs.v[i];
                const struct gb_touched *t = gb_group_find(g, slot);

                if (!t)
                        continue;
                if (t->kinds == (1u << GB_CLAIM_LOSS))
                        return false;
                arrived += (t->kinds & (1u << GB_CLAIM_ARRIVE)) != 0;
                made += t->kinds == (1u << GB_CLAIM_BORN) && !g->found && !(g->flags & GB_FACT_GONE);
        }
        return !(made && arrived == 1) &&
               gb_skeleton_spell(&r->skeleton, GB_TREE_THEN, slot, path, &at, &missing) != GB_UNBORN;
}

/* The slots at which a directory may have been overwritten. */
static int find_places(struct gb_reduce *r, struct gb_error *err)
{
        if (r->places_known)
                return 0;
        r->places_known = true;
        for (size_t i = 0; i < r->victims.n; i++) {
                bool known = false;

                for (size_t k = 0; k < r->places.n && !known; k++)
                        known = gb_slot_eq(&r->places.v[k], &r->victims.v[i]);
                if (!known && may_be_victim(r, &r->victims.v[i]) &&
                    gb_vec_push(&r->places, r->victims.v[i]) < 0)
                        return no_memory(err);
        }
        return 0;
}

static int place_unknown(const struct gb_slot *slot, const gb_gfid *dir, struct gb_error *err)
{
        char text[GB_GFID_TEXT];

        return gb_error_set(err, GB_ERR_GAP,
                            "history does not tell where directory %s was, in which \"%.*s\" is gone; "
                            "run a full list",
                            gb_gfid_format(dir, text), (int)slot->len, slot->name);
}

/*
 * A directory that was empty can be overwritten by renaming another directory onto it, and that
 * leaves no record of it.  If names were lost in it before, its T0 place is wanted: it is one of the
 * slots that a directory was renamed onto.  With one such slot there is no doubt.
 */
static enum gb_spelled spell_then(struct gb_reduce *r, const struct gb_slot *slot, char out[GB_PATH_MAX],
                                  size_t *at, struct gb_error *err)
{
        gb_gfid missing;
        enum gb_spelled s = gb_skeleton_spell(&r->skeleton, GB_TREE_THEN, slot, out, at, &missing);

        if (s != GB_UNKNOWN)
                return s;
        if (find_places(r, err) < 0)
                return GB_UNKNOWN;
        if (!r->more_victims && r->places.n == 1 &&
            gb_skeleton_then(&r->skeleton, &missing, &r->places.v[0]) == 0)
                s = gb_skeleton_spell(&r->skeleton, GB_TREE_THEN, slot, out, at, &missing);
        if (s == GB_UNKNOWN)
                place_unknown(slot, &missing, err);
        return s;
}

/* Paths that are guessed for one lost name, and directories on the way to it whose place is guessed. */
#define GUESSES_MAX       256
#define GUESSED_DEPTH_MAX 8

/*
 * With several such slots the lost name is said to be gone from each of them.  It was in one; in the others
 * was nothing, or another directory that was overwritten, and so was empty: nothing of what it held at T0 is
 * still there.
 */
static int each_guess(struct gb_reduce *r, const struct gb_slot *slot, unsigned depth, unsigned *left,
                      struct gb_op *op, struct gb_error *err)
{
        char path[GB_PATH_MAX];
        size_t at;
        gb_gfid missing;
        enum gb_spelled s = gb_skeleton_spell(&r->skeleton, GB_TREE_THEN, slot, path, &at, &missing);
        int rc = 0;

        if (s == GB_SPELLED) {
                op->path = path + at;
                op->len = GB_PATH_MAX - at;
                if (!*left)
                        return place_unknown(slot, &missing, err);
                --*left;
                return r->ops->emit(r->ops->arg, op, err);
        }
        if (s != GB_UNKNOWN) /* it cannot have been there */
                return 0;
        if (r->more_victims || !r->places.n || depth == GUESSED_DEPTH_MAX)
                return place_unknown(slot, &missing, err);
        for (size_t i = 0; rc == 0 && i < r->places.n; i++) {
                if (gb_skeleton_then(&r->skeleton, &missing, &r->places.v[i]) < 0)
                        return no_memory(err);
                rc = each_guess(r, slot, depth + 1, left, op, err);
        }
        gb_skeleton_unplace(&r->skeleton, &missing);
        return rc;
}

static enum gb_spelled spell_now(struct gb_reduce *r, const struct gb_slot *slot, char out[GB_PATH_MAX],
                                 size_t *at, struct gb_error *err)
{
        gb_gfid missing;
        char text[GB_GFID_TEXT];
        enum gb_spelled s = gb_skeleton_spell(&r->skeleton, GB_TREE_NOW, slot, out, at, &missing);

        if (s == GB_UNKNOWN)
                gb_error_set(err, GB_ERR_AGAIN,
                             "directory %s, which holds \"%.*s\", moved while the list was made; try again",
                             gb_gfid_format(&missing, text), (int)slot->len, slot->name);
        return s;
}

/* ---- ops ---- */

static struct gb_op op_of(const struct gb_group *g, enum gb_op_kind kind, const struct gb_slot *slot)
{
        struct gb_op op = {.kind = kind, .type = g->type, .has_gfid = true, .gfid = g->gfid};

        op.parent = slot->parent;
        if (kind != GB_OP_DELETE)
                op.flags = g->flags & CHANGE_FLAGS;
        return op;
}

static int emit_now(struct gb_reduce *r, const struct gb_group *g, enum gb_op_kind kind,
                    const struct gb_slot *slot, struct gb_error *err)
{
        char path[GB_PATH_MAX];
        size_t at;
        struct gb_op op = op_of(g, kind, slot);
        enum gb_spelled s = spell_now(r, slot, path, &at, err);

        if (s == GB_UNKNOWN)
                return -1;
        if (s != GB_SPELLED) {
                r->stats.too_long++;
                return 0;
        }
        op.path = path + at;
        op.len = GB_PATH_MAX - at;
        return r->ops->emit(r->ops->arg, &op, err);
}

/* What was lost is `g` or, a suspect, what it may have overwritten: of the same sort, rename(2) demands. */
static int emit_delete(struct gb_reduce *r, const struct gb_group *g, const struct gb_slot *slot, bool dir,
                       bool suspect, struct gb_error *err)
{
        char path[GB_PATH_MAX];
        size_t at;
        struct gb_op op = op_of(g, GB_OP_DELETE, slot);
        enum gb_spelled s = spell_then(r, slot, path, &at, err);
        unsigned guesses = GUESSES_MAX;

        if (s == GB_UNKNOWN && err->code != GB_ERR_GAP)
                return -1;
        if (s == GB_UNKNOWN) {
                op.type = dir ? 'd' : 'f';
                op.has_gfid = false;
                return each_guess(r, slot, 0, &guesses, &op, err);
        }
        if (s == GB_UNBORN)
                return 0;
        if (s == GB_TOO_LONG) {
                r->stats.too_long++;
                return 0;
        }
        op.type = dir ? 'd' : 'f';
        op.has_gfid = !suspect;
        op.path = path + at;
        op.len = GB_PATH_MAX - at;
        return r->ops->emit(r->ops->arg, &op, err);
}

/* The occupant of this slot at T0 is known: it is no slot to suspect a victim at. */
static int emit_left(struct gb_reduce *r, const struct gb_slot *slot, struct gb_error *err)
{
        char path[GB_PATH_MAX];
        size_t at;
        struct gb_op op = {.kind = GB_OP_LEFT, .parent = slot->parent};
        enum gb_spelled s = spell_then(r, slot, path, &at, err);

        if (s != GB_SPELLED)
                return s == GB_UNKNOWN ? -1 : 0;
        op.path = path + at;
        op.len = GB_PATH_MAX - at;
        return r->ops->emit(r->ops->arg, &op, err);
}

/* The object may be older than the window: it was linked, or lost a name, and no name shows that it was
 * made in it.  A heal makes new names of an old object as if they were its first: BORN proves something
 * only where no brick saw how the name came in another way, MKNOD of a regular file proves nothing. */
static bool is_old(const struct gb_group *g)
{
        uint8_t kinds = 0;

        for (size_t i = 0; i < g->touched.n; i++) {
                if (g->touched.v[i].kinds == (1u << GB_CLAIM_BORN))
                        return false;
                kinds |= g->touched.v[i].kinds;
        }
        return kinds & (1u << GB_CLAIM_LINK | 1u << GB_CLAIM_LOSS);
}

/* A new name of an old object.  A mirror that knows the object links it, so a change of its content is
 * a line of its own. */
static int emit_new_name(struct gb_reduce *r, const struct gb_group *g, const struct gb_slot *slot,
                         struct gb_error *err)
{
        bool changed = g->flags & CHANGE_FLAGS;

        if (emit_now(r, g, GB_OP_NEW, slot, err) < 0)
                return -1;
        return changed && is_old(g) ? emit_now(r, g, GB_OP_MODIFY_TOO, slot, err) : 0;
}

/* The same bytes at T0 and T1 in different directories (the old one moved away, a new one took its
 * place) cannot be said as a rename that a path-based consumer understands: drop and copy. */
static int emit_rename(struct gb_reduce *r, const struct gb_group *g, const struct gb_slot *lost,
                       const struct gb_slot *gained, bool dir, struct gb_error *err)
{
        char old[GB_PATH_MAX], path[GB_PATH_MAX];
        size_t old_at, at;
        struct gb_op op = op_of(g, GB_OP_RENAME, gained);
        enum gb_spelled before = spell_then(r, lost, old, &old_at, err);
        bool guess = before == GB_UNKNOWN && !dir && err->code == GB_ERR_GAP;
        enum gb_spelled after =
                before == GB_UNKNOWN && !guess ? GB_UNKNOWN : spell_now(r, gained, path, &at, err);

        if (after == GB_UNKNOWN)
                return -1;
        if (before != GB_SPELLED || after != GB_SPELLED ||
            (!dir && old_at == at && memcmp(old + at, path + at, GB_PATH_MAX - at) == 0)) {
                if (emit_delete(r, g, lost, dir, false, err) < 0)
                        return -1;
                return emit_new_name(r, g, gained, err);
        }
        op.old = old + old_at;
        op.old_len = GB_PATH_MAX - old_at;
        op.path = path + at;
        op.len = GB_PATH_MAX - at;
        if (r->ops->emit(r->ops->arg, &op, err) < 0)
                return -1;
        if (dir && r->ops->carry && r->ops->carry(r->ops->arg, &g->gfid, true, err) < 0)
                return -1;
        return emit_left(r, lost, err);
}

/* ---- concluding a group ---- */

/* The last list named the object while some bricks had not delivered their copy of an event about it:
 * it is in the mirror under the names it was listed with, whatever first events say. */
static int apply_boundary(struct gb_reduce *r, struct gb_group *g, struct gb_error *err)
{
        const struct boundary *b = gb_gfidmap_get(&r->boundary, &g->gfid);

        if (!b)
                return 0;
        for (size_t i = 0; i < g->touched.n; i++)
                g->touched.v[i].t0 = GB_T0_NO;
        for (unsigned i = 0; i < b->n; i++) {
                struct gb_touched *t = gb_group_touch(g, &b->slots[i], NULL);

                if (!t)
                        return no_memory(err);
                t->t0 = GB_T0_YES;
                t->held = gb_group_has_name(g, &t->slot);
        }
        return 0;
}

static bool is_dir(const struct gb_group *g)
{
        return (g->flags & GB_FACT_DIR) || g->type == 'd';
}

/* First events that prove that the object had not this name before. */
#define CAME_KINDS (1u << GB_CLAIM_BORN | 1u << GB_CLAIM_LINK | 1u << GB_CLAIM_ARRIVE)

static bool kind_of(const struct gb_touched *t, enum gb_claim_kind kind)
{
        return t->kinds & (1u << kind);
}

/* A RENAME did not say where to: every name that no event tells of may be the one, and a lost name may go
 * to any of them, because it is the same object. */
static int take_strays(struct gb_group *g, struct gb_error *err)
{
        for (size_t i = 0; (g->flags & GB_FACT_STRAY) && i < g->names.n; i++) {
                struct gb_touched *t = gb_group_touch(g, &g->names.v[i], NULL);

                if (!t)
                        return no_memory(err);
                if (!t->kinds)
                        t->kinds = 1u << GB_CLAIM_ARRIVE;
        }
        return 0;
}

static int judge_t0(struct gb_reduce *r, struct gb_group *g, struct gb_error *err)
{
        bool dir = is_dir(g);

        if (take_strays(g, err) < 0)
                return -1;
        for (size_t i = 0; i < g->touched.n; i++) {
                struct gb_touched *t = &g->touched.v[i];

                t->t0 = GB_T0_NO;
                /* A brick tells one first event of a slot.  LOSS beside another one is the UNLINK of a
                 * linkto file, or the file came to another set or back from a heal in between. */
                if (kind_of(t, GB_CLAIM_LOSS))
                        t->t0 = dir || t->kinds == (1u << GB_CLAIM_LOSS) ? GB_T0_YES : GB_T0_MAYBE;
                t->held = gb_group_has_name(g, &t->slot);
        }
        return apply_boundary(r, g, err);
}

/* A name that appeared by an event that proves it; HEAL alone does not. */
static bool gained(const struct gb_touched *t)
{
        return t->held && t->t0 == GB_T0_NO;
}

static bool lost(const struct gb_touched *t)
{
        return !t->held && t->t0 != GB_T0_NO;
}

static bool may_pair(const struct gb_group *g, bool dir)
{
        for (size_t i = 0; !dir && i < g->touched.n; i++)
                if (g->touched.v[i].t0 == GB_T0_MAYBE)
                        return false;
        return true;
}

/* Pair lost names with gained ones, in the order they were touched. */
static int emit_renames(struct gb_reduce *r, struct gb_group *g, bool dir, struct gb_error *err)
{
        size_t to = 0;

        for (size_t from = 0; from < g->touched.n; from++) {
                if (!lost(&g->touched.v[from]))
                        continue;
                while (to < g->touched.n &&
                       !(gained(&g->touched.v[to]) && (g->touched.v[to].kinds & CAME_KINDS)))
                        to++;
                if (to == g->touched.n)
                        return 0;
                if (emit_rename(r, g, &g->touched.v[from].slot, &g->touched.v[to].slot, dir, err) < 0)
                        return -1;
                g->touched.v[from].said = g->touched.v[to].said = true;
                to++;
        }
        return 0;
}

/* Is the slot below a directory that the last list renamed?  Whoever lacked that directory copied what was
 * below it a moment later, and that may be a name that came and went. */
static bool may_be_copied(const struct gb_reduce *r, const struct gb_slot *slot)
{
        gb_gfid dir = slot->parent;
        bool found = false;

        for (unsigned depth = 0; r->carried.n && depth < GB_DEPTH_MAX; depth++) {
                const struct carried *c = gb_gfidmap_get(&r->carried, &dir);

                if (gb_gfid_eq(&dir, &GB_GFID_ROOT))
                        return found || (c && c->dir_moved);
                found = found || (c && c->dir_moved);
                if (gb_skeleton_up(&r->skeleton, GB_TREE_THEN, &dir) != GB_SPELLED)
                        return false;
        }
        return false;
}

/* Every brick that should have seen events of this object did. */
static bool told_by_all(const struct gb_reduce *r, const struct gb_group *g)
{
        if (is_dir(g))
                return g->told.n >= r->n_counted;
        for (size_t i = 0; i < g->told.n; i++) {
                unsigned told = 0;

                for (size_t k = 0; k < g->told.n; k++)
                        told += g->told.v[k] == g->told.v[i];
                if (told < r->set_sources[g->told.v[i]])
                        return false;
        }
        return true;
}

/* A loss that only some bricks of a replica set tell of may be a heal of theirs: it removes a stale name in
 * its own time, when another object may have had the name for long.  1: something stands there. */
static int healed_away(struct gb_reduce *r, const struct gb_group *g, const struct gb_slot *slot,
                       struct gb_error *err)
{
        char path[GB_PATH_MAX];
        size_t at;
        gb_gfid missing;

        if (!r->ops->occupied || told_by_all(r, g) ||
            gb_skeleton_spell(&r->skeleton, GB_TREE_NOW, slot, path, &at, &missing) != GB_SPELLED)
                return 0;
        return r->ops->occupied(r->ops->arg, path + at, GB_PATH_MAX - at, err);
}

static int emit_touched(struct gb_reduce *r, const struct gb_group *g, struct gb_touched *t, bool dir,
                        struct gb_error *err)
{
        if (t->said)
                return 0;
        if (lost(t)) {
                int occupied = healed_away(r, g, &t->slot, err);

                return occupied ? (occupied < 0 ? -1 : 0) : emit_delete(r, g, &t->slot, dir, false, err);
        }
        if (gained(t) || (t->held && t->t0 == GB_T0_MAYBE)) {
                t->said = true;
                return emit_new_name(r, g, &t->slot, err);
        }
        if (t->held) /* two paths if a directory above was renamed */
                return emit_left(r, &t->slot, err) < 0 ? -1 : emit_now(r, g, GB_OP_PRESENT, &t->slot, err);
        if (kind_of(t, GB_CLAIM_ARRIVE) ||
            may_be_copied(r, &t->slot)) /* whatever a heal elsewhere makes of it */
                return emit_delete(r, g, &t->slot, dir, true, err);
        return 0;
}

/*
 * An object that was listed last time may have moved before it was read: its new content is then under a
 * name that nobody looked at.  So what changed in the window before is listed again if it, or a directory
 * above it, was renamed since.
 */
static bool list_again(const struct gb_reduce *r, const struct gb_group *g, const struct gb_slot *name)
{
        return (g->flags & GB_FACT_BEFORE) && gb_skeleton_moved(&r->skeleton, &name->parent);
}

static int emit_modified(struct gb_reduce *r, struct gb_group *g, struct gb_error *err)
{
        const uint32_t flags = g->flags;
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < g->names.n; i++) {
                const struct gb_touched *t = gb_group_find(g, &g->names.v[i]);
                bool again = list_again(r, g, &g->names.v[i]);

                if ((t && t->said) || (!(flags & CHANGE_FLAGS) && !again))
                        continue;
                if (again) { /* what it was that changed, the last list told */
                        g->flags |= GB_FACT_DATA | GB_FACT_META;
                        if (r->ops->carry && !g->touched.n)
                                rc = r->ops->carry(r->ops->arg, &g->gfid, false, err);
                }
                if (rc == 0)
                        rc = emit_now(r, g, GB_OP_MODIFY, &g->names.v[i], err);
                g->flags = flags;
        }
        return rc;
}

/* An event about it was near the cut, and a brick that should have told of it did not. */
static bool in_doubt(const struct gb_reduce *r, const struct gb_group *g)
{
        return (g->flags & GB_FACT_RECENT) && !gb_gfidmap_get(&r->settled, &g->gfid) && !told_by_all(r, g);
}

static int conclude(struct gb_reduce *r, struct gb_group *g, struct gb_error *err)
{
        bool dir = is_dir(g);

        r->stats.gfids++;
        if (gb_gfid_eq(&g->gfid, &GB_GFID_ROOT))
                return 0;
        if (r->ops->doubt && (g->confused || in_doubt(r, g)) &&
            r->ops->doubt(r->ops->arg, &g->gfid, g->names.v, (unsigned)g->names.n, dir, g->confused, err) < 0)
                return -1;
        if (judge_t0(r, g, err) < 0)
                return -1;
        if (!g->type && g->names.n) /* gone since the cut: no look tells more */
                g->type = dir ? 'd' : 'f';
        for (size_t i = 0; (g->flags & GB_FACT_BEFORE) && i < g->touched.n; i++)
                if (lost(&g->touched.v[i]) || kind_of(&g->touched.v[i], GB_CLAIM_LINK))
                        g->flags |= GB_FACT_DATA | GB_FACT_META;
        if (may_pair(g, dir) && emit_renames(r, g, dir, err) < 0)
                return -1;
        for (size_t i = 0; i < g->touched.n; i++)
                if (emit_touched(r, g, &g->touched.v[i], dir, err) < 0)
                        return -1;
        return emit_modified(r, g, err);
}

/* ---- the cut ---- */

/*
 * The look came after the cut.  What happened in between is not in this window's records, but it is in
 * what was looked at.  The records behind the cut tell it apart, by the same rule that tells T0: the
 * first event of a slot behind the cut says what the slot held at the cut.
 */
int gb_reduce_settle(struct gb_reduce *r, unsigned source, const struct gb_fact *fact, struct gb_error *err)
{
        struct settled_list *list = gb_gfidmap_put(&r->settled, &fact->gfid, NULL);

        if (!list)
                return no_memory(err);
        if ((fact->flags & GB_FACT_DIR) && !gb_skeleton_knows(&r->skeleton, &fact->gfid) &&
            gb_skeleton_gone(&r->skeleton, &fact->gfid) < 0)
                return no_memory(err);
        list->dir = list->dir || (fact->flags & GB_FACT_DIR);
        for (size_t i = 0; i < fact->claims.n; i++) {
                const struct gb_claim *c = &fact->claims.v[i];
                struct settled *s = list->first;

                if (c->kind == GB_CLAIM_HEAL) /* proves nothing */
                        continue;

                while (s && !gb_slot_eq(&s->slot, &c->slot))
                        s = s->next;
                if (!s) {
                        s = gb_arena_alloc(&r->keep, sizeof(*s));
                        if (!s || !dup_slot(&r->keep, &c->slot, &s->slot))
                                return no_memory(err);
                        s->kinds = 0;
                        s->confused = false;
                        s->next = list->first;
                        list->first = s;
                }
                s->kinds |= 1u << c->kind;
                s->confused = s->confused || r->confused[r->sources[source].in->set];
        }
        return 0;
}

/* Behind the cut it came, but that may be a heal's late word for what the window told already. */
static bool came_before(const struct gb_group *g, const struct settled *s)
{
        const struct gb_touched *t = s->confused ? gb_group_find(g, &s->slot) : NULL;

        return t && (t->kinds & (CAME_KINDS | 1u << GB_CLAIM_HEAL));
}

/* Likewise, a name that went behind the cut. */
static bool went_before(const struct gb_group *g, const struct settled *s)
{
        const struct gb_touched *t = s->confused ? gb_group_find(g, &s->slot) : NULL;

        return t && kind_of(t, GB_CLAIM_LOSS);
}

static int back_to_cut(struct gb_reduce *r, struct gb_group *g, struct gb_error *err)
{
        const struct settled_list *list = gb_gfidmap_get(&r->settled, &g->gfid);

        if (list && list->dir)
                g->flags |= GB_FACT_DIR;
        for (const struct settled *s = list ? list->first : NULL; s; s = s->next) {
                if (s->kinds == (1u << GB_CLAIM_LOSS)) {
                        if (!went_before(g, s) && gb_group_name(g, &s->slot, NULL) < 0)
                                return no_memory(err);
                } else if (!(s->kinds & (1u << GB_CLAIM_LOSS)) && !came_before(g, s)) {
                        gb_group_unname(g, &s->slot);
                }
        }
        return 0;
}

/* A slot that a directory, or what may have been one, was renamed onto. */
static int add_victim(struct gb_reduce *r, const struct gb_slot *slot, struct gb_error *err)
{
        struct gb_slot copy;

        r->more_victims = r->more_victims || r->victims.n >= VICTIMS_MAX;
        if (r->more_victims)
                return 0;
        if (!dup_slot(&r->keep, slot, &copy) || gb_vec_push(&r->victims, copy) < 0)
                return no_memory(err);
        return 0;
}

/* Directories that have events behind the cut stood where these found them.  Whether it is a directory is not
 * known of what is gone by now; it does no harm to place a file. */
static int place_settled_dirs(struct gb_reduce *r, struct gb_error *err)
{
        size_t pos = 0;
        gb_gfid gfid;
        void *value;

        while (gb_gfidmap_next(&r->settled, &pos, &gfid, &value)) {
                for (const struct settled *s = ((struct settled_list *)value)->first; s; s = s->next) {
                        if (s->kinds == (1u << GB_CLAIM_ARRIVE) && add_victim(r, &s->slot, err) < 0)
                                return -1;
                        if (s->kinds == (1u << GB_CLAIM_LOSS) &&
                            gb_skeleton_now(&r->skeleton, &gfid, &s->slot) < 0)
                                return no_memory(err);
                }
        }
        return 0;
}

static int place_then(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err);

/* What was renamed and then is gone without a word was overwritten, or removed since the cut; nothing tells
 * whether it was a directory.  It does no harm to place a file. */
static int place_suspect(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err)
{
        uint8_t kinds = 0;

        for (size_t i = 0; i < g->touched.n; i++)
                kinds |= g->touched.v[i].kinds;
        if (g->found || (g->flags & GB_FACT_GONE) || !(kinds & 1u << GB_CLAIM_ARRIVE) ||
            (kinds & ~(1u << GB_CLAIM_LOSS | 1u << GB_CLAIM_ARRIVE)))
                return 0;
        return place_then(r, g, err);
}

/* Keep a group that was looked up until the cut has settled. */
static int keep_object(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err)
{
        if (place_suspect(r, g, err) < 0)
                return -1;
        gb_buf_reset(&r->record);
        if (gb_group_encode(&r->record, g) < 0)
                return no_memory(err);
        return gb_sorter_add(r->objects, r->record.data, r->record.len, err);
}

/* ---- asking other replica sets ---- */

int gb_reduce_dir(struct gb_reduce *r, const gb_gfid *gfid, const struct gb_slot *slot, struct gb_error *err)
{
        if (r->settling && gb_skeleton_knows(&r->skeleton, gfid))
                return 0; /* it is asked where it stood at the cut, not where it stands by now */
        return gb_skeleton_now(&r->skeleton, gfid, slot) < 0 ? no_memory(err) : 0;
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
                return no_memory(err);
        return 0;
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

                        if (g->found || gb_group_answered(g, set))
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

/* ---- objects whose names no xattr tells ---- */

static int put_off(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err)
{
        size_t *index = gb_gfidmap_put(&r->walk_index, &g->gfid, NULL);
        struct gb_group *copy = gb_groups_add(&r->to_walk, g, &r->walk_arena);

        if (!index || !copy)
                return no_memory(err);
        *index = r->to_walk.n - 1;
        return 0;
}

int gb_reduce_walked(struct gb_reduce *r, const gb_gfid *gfid, const struct gb_slot *slot,
                     struct gb_error *err)
{
        const size_t *index = gb_gfidmap_get(&r->walk_index, gfid);

        if (!index)
                return 0;
        return gb_group_name(r->to_walk.v[*index], slot, &r->walk_arena) < 0 ? no_memory(err) : 0;
}

static int walk_sets(struct gb_reduce *r, struct gb_error *err)
{
        for (unsigned set = 0; set < r->n_sets; set++) {
                bool wanted = false;

                for (size_t i = 0; i < r->to_walk.n; i++)
                        wanted = wanted || gb_group_partial_at(r->to_walk.v[i], set);
                if (wanted && r->ops->walk(r->ops->arg, r, set, err) < 0)
                        return -1;
        }
        r->stats.walked = r->to_walk.n;
        for (size_t i = 0; i < r->to_walk.n; i++)
                if (keep_object(r, r->to_walk.v[i], err) < 0)
                        return -1;
        return 0;
}

static int keep_or_put_off(struct gb_reduce *r, struct gb_group *g, struct gb_error *err)
{
        return g->partial ? put_off(r, g, err) : keep_object(r, g, err);
}

static int flush_batch(struct gb_reduce *r, struct gb_error *err)
{
        if (ask_all(r, &r->batch, &r->batch_arena, err) < 0)
                return -1;
        for (size_t i = 0; i < r->batch.n; i++)
                if (keep_or_put_off(r, r->batch.v[i], err) < 0)
                        return -1;
        gb_groups_fini(&r->batch);
        gb_arena_reset(&r->batch_arena);
        return 0;
}

/* ---- directories ---- */

/*
 * A directory that some bricks saw born, and none saw lose a name: was it made in the window, or did those
 * bricks only heal it?  Who saw it renamed or removed had seen it born, so it was made.  Else it is where
 * it was, unless all saw it born.
 */
static bool made_in_window(const struct gb_reduce *r, const struct gb_group *g, const struct gb_touched *born)
{
        if (born->born == r->n_counted || ((g->flags & GB_FACT_GONE) && !g->names.n))
                return true;
        for (size_t i = 0; i < g->touched.n; i++)
                if (kind_of(&g->touched.v[i], GB_CLAIM_ARRIVE))
                        return true;
        return false;
}

/* Where a directory with events stood at T0. */
static int place_then(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err)
{
        const struct boundary *b = gb_gfidmap_get(&r->boundary, &g->gfid);
        const struct gb_touched *born = NULL, *left = NULL;
        int rc = 0;

        for (size_t i = 0; i < g->touched.n; i++) {
                const struct gb_touched *t = &g->touched.v[i];

                if (kind_of(t, GB_CLAIM_LOSS) && (!left || t->kinds == (1u << GB_CLAIM_LOSS)))
                        left = t;
                else if (kind_of(t, GB_CLAIM_BORN))
                        born = t;
                else if (t->kinds == (1u << GB_CLAIM_ARRIVE) && add_victim(r, &t->slot, err) < 0)
                        return -1;
        }
        if (b && b->n)
                rc = gb_skeleton_then(&r->skeleton, &g->gfid, &b->slots[0]);
        else if (left)
                rc = gb_skeleton_then(&r->skeleton, &g->gfid, &left->slot);
        else if (born)
                rc = gb_skeleton_then(&r->skeleton, &g->gfid,
                                      made_in_window(r, g, born) ? NULL : &born->slot);
        return rc < 0 ? no_memory(err) : 0;
}

static int place_now(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err)
{
        int rc = g->names.n ? gb_skeleton_now(&r->skeleton, &g->gfid, &g->names.v[0])
                            : gb_skeleton_gone(&r->skeleton, &g->gfid);

        return rc < 0 ? no_memory(err) : 0;
}

static int finish_dirs(struct gb_reduce *r, struct gb_error *err)
{
        for (size_t i = 0; i < r->dirs.n; i++)
                if (back_to_cut(r, r->dirs.v[i], err) < 0)
                        return -1;
        if (place_settled_dirs(r, err) < 0)
                return -1;
        for (size_t i = 0; i < r->dirs.n; i++)
                if (place_now(r, r->dirs.v[i], err) < 0 || place_then(r, r->dirs.v[i], err) < 0)
                        return -1;
        for (size_t i = 0; i < r->dirs.n; i++)
                if (conclude(r, r->dirs.v[i], err) < 0)
                        return -1;
        return 0;
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
                        return no_memory(err);
                taken += (unsigned)rc;
        }
        for (unsigned i = 0; i < n; i++) {
                struct source *s = &r->sources[r->same[i]];
                int rc = 0;

                if (s->muted || s->junior)
                        rc = s->junior && !spoken_of(r, n, s->in->set) ? believe(r, s) : hear(r, s);
                if (rc < 0)
                        return no_memory(err);
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

static int place_group(struct gb_reduce *r, enum gb_section section, struct gb_error *err)
{
        struct gb_group *g = &r->current;

        if (section == GB_SECTION_DIRS)
                return gb_groups_add(&r->dirs, g, &r->keep) ? 0 : no_memory(err);
        if (g->found)
                return keep_or_put_off(r, g, err);
        if (!gb_groups_add(&r->batch, g, &r->batch_arena))
                return no_memory(err);
        return r->batch.n >= GB_LOOK_MAX ? flush_batch(r, err) : 0;
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

static int broken(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_CORRUPT, "a kept object came back broken");
}

/* Take the object read ahead, and what else was kept about it: one whose shards changed is in two sections.
 */
static int take_object(struct gb_reduce *r, const uint8_t **rec, size_t *len, struct gb_error *err)
{
        int rc;

        gb_buf_reset(&r->record); /* the sorter's copy goes with the next one */
        gb_arena_reset(&r->batch_arena);
        if (gb_buf_put(&r->record, *rec, *len) < 0)
                return no_memory(err);
        if (!gb_group_decode(r->record.data, r->record.len, &r->current))
                return broken(err);
        while ((rc = gb_sorter_next(r->objects, rec, len, err)) == 1 &&
               object_cmp(r->record.data, r->record.len, *rec, *len, NULL) == 0) {
                if (!gb_group_decode(*rec, *len, &r->more))
                        return broken(err);
                if (gb_group_merge(&r->current, &r->more, &r->batch_arena) < 0)
                        return no_memory(err);
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
                if (rc < 0 || back_to_cut(r, &r->current, err) < 0 || conclude(r, &r->current, err) < 0)
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

static bool a_dir_moved(const struct gb_reduce *r)
{
        for (size_t i = 0; i < r->dirs.n; i++)
                for (size_t k = 0; k < r->dirs.v[i]->touched.n; k++)
                        if (kind_of(&r->dirs.v[i]->touched.v[k], GB_CLAIM_LOSS))
                                return true;
        return false;
}

/* Objects that nothing happened to; a directory above them may have moved. */
static int take_carried(struct gb_reduce *r, struct gb_error *err)
{
        size_t pos = 0;
        gb_gfid gfid;
        void *value;

        if (!a_dir_moved(r))
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
        r->objects = gb_sorter_new(OBJECTS_MEMORY, tmpdir, object_cmp, NULL, object_prefix, err);
        if (!r->objects || take_all(r, err) < 0 || take_carried(r, err) < 0 || take_revisited(r, err) < 0)
                return -1;
        if (ask_all(r, &r->dirs, &r->keep, err) < 0 || flush_batch(r, err) < 0 || walk_sets(r, err) < 0)
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
