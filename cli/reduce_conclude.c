/*
 * reduce_conclude - what the united facts of one object mean: names lost and gained become ops.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "reduce_core.h"

/* Paths that are guessed for one lost name. */
#define GUESSES_MAX 256

/* ---- ops ---- */

static struct gb_op op_of(const struct gb_group *g, enum gb_op_kind kind, const struct gb_slot *slot)
{
        struct gb_op op = {.kind = kind, .type = g->type, .has_gfid = true, .gfid = g->gfid};

        op.parent = slot->parent;
        if (kind != GB_OP_DELETE)
                op.flags = g->flags & CHANGE_FLAGS;
        return op;
}

/* A name cannot be spelled: 0 if that is all right. */
static int leave_out(const struct gb_reduce *r, const struct gb_error *why)
{
        if (why->code != GB_ERR_GAP || !r->ops->unplaced)
                return -1;
        r->ops->unplaced(r->ops->arg, why);
        return 0;
}

static int emit_now(struct gb_reduce *r, const struct gb_group *g, enum gb_op_kind kind,
                    const struct gb_slot *slot, struct gb_error *err)
{
        char path[GB_PATH_MAX];
        size_t at;
        struct gb_op op = op_of(g, kind, slot);
        enum gb_spelled s = gb_reduce_spell_now(r, slot, path, &at, err);

        if (s == GB_UNKNOWN)
                return leave_out(r, err);
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
        enum gb_spelled s = gb_reduce_spell_then(r, slot, path, &at, err);
        unsigned guesses = GUESSES_MAX;

        if (s == GB_UNKNOWN && err->code != GB_ERR_GAP)
                return -1;
        if (s == GB_UNKNOWN) {
                op.type = dir ? 'd' : 'f';
                op.has_gfid = false;
                return gb_reduce_each_guess(r, slot, 0, &guesses, &op, err) < 0 ? leave_out(r, err) : 0;
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
        enum gb_spelled s = gb_reduce_spell_then(r, slot, path, &at, err);

        if (s != GB_SPELLED)
                return s == GB_UNKNOWN ? leave_out(r, err) : 0;
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
        enum gb_spelled before = gb_reduce_spell_then(r, lost, old, &old_at, err);
        bool guess = before == GB_UNKNOWN && err->code == GB_ERR_GAP && (!dir || r->ops->unplaced);
        enum gb_spelled after =
                before == GB_UNKNOWN && !guess ? GB_UNKNOWN : gb_reduce_spell_now(r, gained, path, &at, err);

        if (after == GB_UNKNOWN)
                return leave_out(r, err) < 0 ? -1 : emit_delete(r, g, lost, dir, false, err);
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
                        return gb_reduce_no_memory(err);
                t->t0 = GB_T0_YES;
                t->held = gb_group_has_name(g, &t->slot);
        }
        return 0;
}

/* A RENAME did not say where to: every name that no event tells of may be the one, and a lost name may go
 * to any of them, because it is the same object. */
static int take_strays(struct gb_group *g, struct gb_error *err)
{
        for (size_t i = 0; (g->flags & GB_FACT_STRAY) && i < g->names.n; i++) {
                struct gb_touched *t = gb_group_touch(g, &g->names.v[i], NULL);

                if (!t)
                        return gb_reduce_no_memory(err);
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

/* A brick told of an event about it before its cut, another one after, and it was taken back: the other one
 * is to tell of it next time, but that one may be away then. */
static bool taken_back(const struct gb_reduce *r, const struct gb_group *g)
{
        const struct settled_list *list = gb_gfidmap_get(&r->settled, &g->gfid);

        for (const struct settled *s = list ? list->first : NULL; s; s = s->next) {
                const struct gb_touched *t = gb_group_find(g, &s->slot);

                if (t && t->kinds)
                        return true;
        }
        return false;
}

/* What the next window is to be told of it. */
static int pass_on(struct gb_reduce *r, const struct gb_group *g, bool dir, struct gb_error *err)
{
        bool doubt = in_doubt(r, g);
        enum gb_revisit revisit = GB_REVISIT_NO;

        if (g->confused || taken_back(r, g) || (doubt && g->unsure))
                revisit = GB_REVISIT_YES;
        else if (g->unsure)
                revisit = GB_REVISIT_IF_ROOM;
        if (!r->ops->doubt || (!doubt && revisit == GB_REVISIT_NO))
                return 0;
        return r->ops->doubt(r->ops->arg, &g->gfid, g->names.v, (unsigned)g->names.n, dir, revisit, err);
}

int gb_reduce_conclude(struct gb_reduce *r, struct gb_group *g, struct gb_error *err)
{
        bool dir = is_dir(g);

        r->stats.gfids++;
        if (gb_gfid_eq(&g->gfid, &GB_GFID_ROOT))
                return 0;
        if (pass_on(r, g, dir, err) < 0 || judge_t0(r, g, err) < 0)
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
