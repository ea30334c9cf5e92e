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

struct skeleton_dir {
        struct skeleton_slot now, then; /* then UNKNOWN: the same as now */
};

void gb_skeleton_init(struct gb_skeleton *s)
{
        gb_gfidmap_init(&s->dirs, sizeof(struct skeleton_dir));
        gb_arena_init(&s->arena);
}

void gb_skeleton_fini(struct gb_skeleton *s)
{
        gb_gfidmap_fini(&s->dirs);
        gb_arena_fini(&s->arena);
}

static int store(struct gb_skeleton *s, struct skeleton_slot *to, const struct gb_slot *slot)
{
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
        struct skeleton_dir *d = gb_gfidmap_put(&s->dirs, dir, NULL);

        return d ? store(s, &d->now, slot) : -1;
}

int gb_skeleton_gone(struct gb_skeleton *s, const gb_gfid *dir)
{
        struct skeleton_dir *d = gb_gfidmap_put(&s->dirs, dir, NULL);

        return d ? store(s, &d->now, NULL) : -1;
}

int gb_skeleton_then(struct gb_skeleton *s, const gb_gfid *dir, const struct gb_slot *slot)
{
        struct skeleton_dir *d = gb_gfidmap_put(&s->dirs, dir, NULL);

        return d ? store(s, &d->then, slot) : -1;
}

void gb_skeleton_unplace(struct gb_skeleton *s, const gb_gfid *dir)
{
        struct skeleton_dir *d = gb_gfidmap_get(&s->dirs, dir);

        if (d)
                d->then.place = PLACE_UNKNOWN;
}

static const struct skeleton_slot *place_of(const struct gb_skeleton *s, enum gb_tree tree,
                                            const gb_gfid *dir)
{
        const struct skeleton_dir *d = gb_gfidmap_get(&s->dirs, dir);

        if (!d)
                return NULL;
        if (tree == GB_TREE_THEN && d->then.place != PLACE_UNKNOWN)
                return &d->then;
        if (tree == GB_TREE_THEN && d->now.place == PLACE_NOWHERE) /* gone without a word: overwritten */
                return NULL;
        return d->now.place == PLACE_UNKNOWN ? NULL : &d->now;
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
        return gb_gfidmap_get(&s->dirs, dir) != NULL;
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
                const struct skeleton_dir *d = gb_gfidmap_get(&s->dirs, &at);

                if (!d || d->now.place != PLACE_SLOT)
                        return false;
                if (d->then.place == PLACE_SLOT && !same_place(&d->now, &d->then))
                        return true;
                at = d->now.parent;
        }
        return false;
}
