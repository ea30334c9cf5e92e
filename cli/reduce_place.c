/*
 * reduce_place - where directories stood at T0 and stand at T1, and paths by that.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "reduce_core.h"

/* More slots than this are not looked through for the one. */
#define VICTIMS_MAX 256

/* What directories tell of a slot that one was renamed onto. */
struct onto {
        bool left; /* another one, as its first event there */
        unsigned arrived, made;
};

static int ask_dirs(struct gb_reduce *r, struct onto *onto, struct gb_error *err)
{
        struct gb_group *g = &r->more;
        struct gb_shelf_reader in;
        const uint8_t *rec;
        size_t len;
        int rc;

        gb_shelf_read(&in, &r->dirs);
        while ((rc = gb_shelf_next(&in, &rec, &len, err)) == 1 && gb_group_decode(rec, len, g))
                for (size_t i = 0; g->touched.n && i < r->victims.n; i++) {
                        const struct gb_touched *t = gb_group_find(g, &r->victims.v[i]);

                        if (!t)
                                continue;
                        onto[i].left |= t->kinds == (1u << GB_CLAIM_LOSS);
                        onto[i].arrived += (t->kinds & (1u << GB_CLAIM_ARRIVE)) != 0;
                        onto[i].made +=
                                t->kinds == (1u << GB_CLAIM_BORN) && !g->found && !(g->flags & GB_FACT_GONE);
                }
        gb_shelf_close(&in);
        return rc == 1 ? gb_error_set(err, GB_ERR_CORRUPT, "a kept object came back broken") : rc;
}

/*
 * Was a directory without any event at this slot at T0?  Not if another one was, as its first event there,
 * a loss, tells.  Nor if one that was made there is gone without a word, and one was renamed there: the one
 * overwrote the other, and before that the slot was free.
 */
static bool may_be_victim(const struct gb_reduce *r, const struct gb_slot *slot, const struct onto *onto)
{
        char path[GB_PATH_MAX];
        gb_gfid missing;
        size_t at;

        return !onto->left && !(onto->made && onto->arrived == 1) &&
               gb_skeleton_spell(&r->skeleton, GB_TREE_THEN, slot, path, &at, &missing) != GB_UNBORN;
}

/* The slots at which a directory may have been overwritten. */
static int find_places(struct gb_reduce *r, struct gb_error *err)
{
        struct onto onto[VICTIMS_MAX] = {{.left = false}};

        if (r->places_known)
                return 0;
        r->places_known = true;
        if (r->victims.n && ask_dirs(r, onto, err) < 0)
                return -1;
        for (size_t i = 0; i < r->victims.n; i++) {
                bool known = false;

                for (size_t k = 0; k < r->places.n && !known; k++)
                        known = gb_slot_eq(&r->places.v[k], &r->victims.v[i]);
                if (!known && may_be_victim(r, &r->victims.v[i], &onto[i]) &&
                    gb_vec_push(&r->places, r->victims.v[i]) < 0)
                        return gb_reduce_no_memory(err);
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
enum gb_spelled gb_reduce_spell_then(struct gb_reduce *r, const struct gb_slot *slot, char out[GB_PATH_MAX],
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

/* Directories on the way to a lost name whose place is guessed. */
#define GUESSED_DEPTH_MAX 8

/*
 * With several such slots the lost name is said to be gone from each of them.  It was in one; in the others
 * was nothing, or another directory that was overwritten, and so was empty: nothing of what it held at T0 is
 * still there.
 */
int gb_reduce_each_guess(struct gb_reduce *r, const struct gb_slot *slot, unsigned depth, unsigned *left,
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
                        return gb_reduce_no_memory(err);
                rc = gb_reduce_each_guess(r, slot, depth + 1, left, op, err);
        }
        gb_skeleton_unplace(&r->skeleton, &missing);
        return rc;
}

enum gb_spelled gb_reduce_spell_now(struct gb_reduce *r, const struct gb_slot *slot, char out[GB_PATH_MAX],
                                    size_t *at, struct gb_error *err)
{
        gb_gfid missing;
        char text[GB_GFID_TEXT];
        enum gb_spelled s = gb_skeleton_spell(&r->skeleton, GB_TREE_NOW, slot, out, at, &missing);

        if (s == GB_UNKNOWN && r->ops->stuck)
                gb_error_set(err, GB_ERR_GAP, "directory %s, which holds \"%.*s\", stands nowhere: %.600s",
                             gb_gfid_format(&missing, text), (int)slot->len, slot->name, r->ops->stuck);
        else if (s == GB_UNKNOWN)
                gb_error_set(err, GB_ERR_AGAIN,
                             "directory %s, which holds \"%.*s\", moved while the list was made; try again",
                             gb_gfid_format(&missing, text), (int)slot->len, slot->name);
        return s;
}

/* A slot that a directory, or what may have been one, was renamed onto. */
int gb_reduce_add_victim(struct gb_reduce *r, const struct gb_slot *slot, struct gb_error *err)
{
        struct gb_slot copy;

        r->more_victims = r->more_victims || r->victims.n >= VICTIMS_MAX;
        if (r->more_victims)
                return 0;
        if (!gb_reduce_dup_slot(&r->keep, slot, &copy) || gb_vec_push(&r->victims, copy) < 0)
                return gb_reduce_no_memory(err);
        return 0;
}

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
int gb_reduce_place_then(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err)
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
                else if (t->kinds == (1u << GB_CLAIM_ARRIVE) && gb_reduce_add_victim(r, &t->slot, err) < 0)
                        return -1;
        }
        if (b && b->n)
                rc = gb_skeleton_then(&r->skeleton, &g->gfid, &b->slots[0]);
        else if (left)
                rc = gb_skeleton_then(&r->skeleton, &g->gfid, &left->slot);
        else if (born)
                rc = gb_skeleton_then(&r->skeleton, &g->gfid,
                                      made_in_window(r, g, born) ? NULL : &born->slot);
        return rc < 0 ? gb_reduce_no_memory(err) : 0;
}

int gb_reduce_place_now(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err)
{
        int rc = g->names.n ? gb_skeleton_now(&r->skeleton, &g->gfid, &g->names.v[0])
                            : gb_skeleton_gone(&r->skeleton, &g->gfid);

        return rc < 0 ? gb_reduce_no_memory(err) : 0;
}

/* What was renamed and then is gone without a word was overwritten, or removed since the cut; nothing tells
 * whether it was a directory.  It does no harm to place a file. */
int gb_reduce_place_suspect(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err)
{
        uint8_t kinds = 0;

        for (size_t i = 0; i < g->touched.n; i++)
                kinds |= g->touched.v[i].kinds;
        if (g->found || (g->flags & GB_FACT_GONE) || !(kinds & 1u << GB_CLAIM_ARRIVE) ||
            (kinds & ~(1u << GB_CLAIM_LOSS | 1u << GB_CLAIM_ARRIVE)))
                return 0;
        return gb_reduce_place_then(r, g, err);
}
