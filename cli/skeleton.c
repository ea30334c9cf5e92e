/*
 * skeleton - see skeleton.h.
 */
#include <config.h>

#include <string.h>

#include "skeleton.h"

enum place { PLACE_UNKNOWN = 0, PLACE_SLOT, PLACE_NOWHERE };

struct skeleton_slot {
        gb_gfid parent;
        const char *name; /* arena */
        uint8_t len;
        uint8_t place; /* enum place */
};

void gb_skeleton_init(struct gb_skeleton *s)
{
        gb_gfidmap_init(&s->now, sizeof(struct skeleton_slot));
        gb_gfidmap_init(&s->then, sizeof(struct skeleton_slot));
        gb_arena_init(&s->arena);
}

void gb_skeleton_fini(struct gb_skeleton *s)
{
        gb_gfidmap_fini(&s->now);
        gb_gfidmap_fini(&s->then);
        gb_arena_fini(&s->arena);
}

static int store(struct gb_skeleton *s, struct gb_gfidmap *tree, const gb_gfid *dir,
                 const struct gb_slot *slot)
{
        struct skeleton_slot *to = gb_gfidmap_put(tree, dir, NULL);

        if (!to)
                return -1;
        if (!slot) {
                to->place = PLACE_NOWHERE;
                return 0;
        }
        if (to->place == PLACE_SLOT && to->len == slot->len && memcmp(to->name, slot->name, slot->len) == 0) {
                to->parent = slot->parent;
                return 0;
        }
        to->name = gb_arena_dup(&s->arena, slot->name, slot->len);
        if (!to->name)
                return -1;
        to->len = (uint8_t)slot->len;
        to->parent = slot->parent;
        to->place = PLACE_SLOT;
        return 0;
}

int gb_skeleton_now(struct gb_skeleton *s, const gb_gfid *dir, const struct gb_slot *slot)
{
        return store(s, &s->now, dir, slot);
}

int gb_skeleton_gone(struct gb_skeleton *s, const gb_gfid *dir)
{
        return store(s, &s->now, dir, NULL);
}

int gb_skeleton_then(struct gb_skeleton *s, const gb_gfid *dir, const struct gb_slot *slot)
{
        return store(s, &s->then, dir, slot);
}

void gb_skeleton_unplace(struct gb_skeleton *s, const gb_gfid *dir)
{
        struct skeleton_slot *then = gb_gfidmap_get(&s->then, dir);

        if (then)
                then->place = PLACE_UNKNOWN;
}

/* NULL: not known. */
static const struct skeleton_slot *known(const struct gb_gfidmap *tree, const gb_gfid *dir)
{
        const struct skeleton_slot *at = gb_gfidmap_get(tree, dir);

        return at && at->place != PLACE_UNKNOWN ? at : NULL;
}

static const struct skeleton_slot *place_of(const struct gb_skeleton *s, enum gb_tree tree,
                                            const gb_gfid *dir)
{
        const struct skeleton_slot *then = tree == GB_TREE_THEN ? known(&s->then, dir) : NULL;
        const struct skeleton_slot *now = then ? NULL : known(&s->now, dir);

        if (then)
                return then;
        if (tree == GB_TREE_THEN && now && now->place == PLACE_NOWHERE) /* gone without a word: overwritten */
                return NULL;
        return now;
}

/* Put "name" in front of what stands at out + *at, with a slash between. */
static bool prepend(char *out, size_t *at, const char *name, size_t len)
{
        size_t slash = *at < GB_PATH_MAX;

        if (len + slash > *at)
                return false;
        if (slash)
                out[--*at] = '/';
        *at -= len;
        memcpy(out + *at, name, len);
        return true;
}

enum gb_spelled gb_skeleton_spell(const struct gb_skeleton *s, enum gb_tree tree, const struct gb_slot *slot,
                                  char out[GB_PATH_MAX], size_t *at, gb_gfid *missing)
{
        gb_gfid dir = slot->parent;

        *at = GB_PATH_MAX;
        if (!prepend(out, at, slot->name, slot->len))
                return GB_TOO_LONG;
        for (unsigned depth = 0; !gb_gfid_eq(&dir, &GB_GFID_ROOT); depth++) {
                const struct skeleton_slot *up = place_of(s, tree, &dir);

                *missing = dir;
                if (!up)
                        return GB_UNKNOWN;
                if (up->place == PLACE_NOWHERE)
                        return tree == GB_TREE_THEN ? GB_UNBORN : GB_UNKNOWN;
                if (depth >= GB_DEPTH_MAX || !prepend(out, at, up->name, up->len))
                        return GB_TOO_LONG;
                dir = up->parent;
        }
        return GB_SPELLED;
}

enum gb_spelled gb_skeleton_up(const struct gb_skeleton *s, enum gb_tree tree, gb_gfid *dir)
{
        const struct skeleton_slot *up = place_of(s, tree, dir);

        if (!up)
                return GB_UNKNOWN;
        if (up->place == PLACE_NOWHERE)
                return tree == GB_TREE_THEN ? GB_UNBORN : GB_UNKNOWN;
        *dir = up->parent;
        return GB_SPELLED;
}

bool gb_skeleton_knows(const struct gb_skeleton *s, const gb_gfid *dir)
{
        return gb_gfidmap_get(&s->now, dir) || gb_gfidmap_get(&s->then, dir);
}

static bool same_place(const struct skeleton_slot *a, const struct skeleton_slot *b)
{
        return a->place == b->place && a->len == b->len && gb_gfid_eq(&a->parent, &b->parent) &&
               (!a->len || memcmp(a->name, b->name, a->len) == 0);
}

bool gb_skeleton_moved(const struct gb_skeleton *s, const gb_gfid *dir)
{
        gb_gfid at = *dir;

        for (unsigned depth = 0; depth < GB_DEPTH_MAX && !gb_gfid_eq(&at, &GB_GFID_ROOT); depth++) {
                const struct skeleton_slot *now = known(&s->now, &at), *then = known(&s->then, &at);

                if (!now || now->place != PLACE_SLOT)
                        return false;
                if (then && then->place == PLACE_SLOT && !same_place(now, then))
                        return true;
                at = now->parent;
        }
        return false;
}
