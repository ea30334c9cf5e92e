/*
 * group - see group.h.
 *
 * Names and touched slots are searched linearly: an object has few.  An object with very many hard
 * links (GB_LINKS_MAX) is rare enough to pay for itself.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "group.h"

void gb_group_fini(struct gb_group *g)
{
        gb_vec_free(&g->touched);
        gb_vec_free(&g->names);
        gb_vec_free(&g->answered);
        gb_vec_free(&g->partial_at);
        gb_vec_free(&g->told);
}

void gb_group_reset(struct gb_group *g)
{
        g->flags = 0;
        g->type = 0;
        g->found = g->partial = g->confused = g->unsure = g->walked = false;
        g->touched.n = g->names.n = g->answered.n = g->partial_at.n = g->told.n = 0;
}

struct gb_touched *gb_group_find(const struct gb_group *g, const struct gb_slot *slot)
{
        for (size_t i = 0; i < g->touched.n; i++)
                if (gb_slot_eq(&g->touched.v[i].slot, slot))
                        return &g->touched.v[i];
        return NULL;
}

static int copy_slot(struct gb_arena *arena, struct gb_slot *slot)
{
        if (!arena)
                return 0;
        slot->name = gb_arena_dup(arena, slot->name, slot->len);
        return slot->name ? 0 : -1;
}

struct gb_touched *gb_group_touch(struct gb_group *g, const struct gb_slot *slot, struct gb_arena *arena)
{
        struct gb_touched fresh = {.slot = *slot};
        struct gb_touched *t = gb_group_find(g, slot);

        if (t)
                return t;
        if (copy_slot(arena, &fresh.slot) < 0 || gb_vec_push(&g->touched, fresh) < 0)
                return NULL;
        return &g->touched.v[g->touched.n - 1];
}

bool gb_group_has_name(const struct gb_group *g, const struct gb_slot *slot)
{
        for (size_t i = 0; i < g->names.n; i++)
                if (gb_slot_eq(&g->names.v[i], slot))
                        return true;
        return false;
}

int gb_group_name(struct gb_group *g, const struct gb_slot *slot, struct gb_arena *arena)
{
        struct gb_slot name = *slot;

        if (gb_group_has_name(g, slot))
                return 0;
        return copy_slot(arena, &name) < 0 || gb_vec_push(&g->names, name) < 0 ? -1 : 0;
}

static bool listed(const unsigned *v, size_t n, unsigned set)
{
        for (size_t i = 0; i < n; i++)
                if (v[i] == set)
                        return true;
        return false;
}

bool gb_group_answered(const struct gb_group *g, unsigned set)
{
        return listed(g->answered.v, g->answered.n, set);
}

bool gb_group_partial_at(const struct gb_group *g, unsigned set)
{
        return listed(g->partial_at.v, g->partial_at.n, set);
}

int gb_group_look(struct gb_group *g, const struct gb_fact *f, unsigned set, struct gb_arena *arena)
{
        if (f->look == GB_LOOK_NONE)
                return 0;
        if (!gb_group_answered(g, set) && gb_vec_push(&g->answered, set) < 0)
                return -1;
        if (f->look == GB_LOOK_ABSENT)
                return 0;
        g->found = true;
        g->type = f->type;
        g->flags |= f->flags & GB_FACT_DIR;
        if (f->look == GB_LOOK_PARTIAL) {
                g->partial = true;
                if (!gb_group_partial_at(g, set) && gb_vec_push(&g->partial_at, set) < 0)
                        return -1;
        }
        for (size_t i = 0; i < f->names.n; i++)
                if (gb_group_name(g, &f->names.v[i], arena) < 0)
                        return -1;
        return 0;
}

int gb_group_told(struct gb_group *g, const struct gb_fact *f, unsigned set)
{
        return f->claims.n ? gb_vec_push(&g->told, set) : 0;
}

int gb_group_unite(struct gb_group *g, const struct gb_fact *f, unsigned set)
{
        g->flags |= f->flags;
        if (gb_group_told(g, f, set) < 0)
                return -1;
        for (size_t i = 0; i < f->claims.n; i++) {
                struct gb_touched *t = gb_group_touch(g, &f->claims.v[i].slot, NULL);

                if (!t)
                        return -1;
                t->kinds |= (uint8_t)(1u << f->claims.v[i].kind);
                t->born += f->claims.v[i].kind == GB_CLAIM_BORN;
        }
        return gb_group_look(g, f, set, NULL);
}

static int copy_into(struct gb_group *to, const struct gb_group *from, struct gb_arena *arena)
{
        for (size_t i = 0; i < from->touched.n; i++) {
                struct gb_touched t = from->touched.v[i];

                if (copy_slot(arena, &t.slot) < 0 || gb_vec_push(&to->touched, t) < 0)
                        return -1;
        }
        for (size_t i = 0; i < from->names.n; i++) {
                struct gb_slot name = from->names.v[i];

                if (copy_slot(arena, &name) < 0 || gb_vec_push(&to->names, name) < 0)
                        return -1;
        }
        for (size_t i = 0; i < from->answered.n; i++)
                if (gb_vec_push(&to->answered, from->answered.v[i]) < 0)
                        return -1;
        for (size_t i = 0; i < from->partial_at.n; i++)
                if (gb_vec_push(&to->partial_at, from->partial_at.v[i]) < 0)
                        return -1;
        for (size_t i = 0; i < from->told.n; i++)
                if (gb_vec_push(&to->told, from->told.v[i]) < 0)
                        return -1;
        return 0;
}

int gb_group_merge(struct gb_group *g, const struct gb_group *more, struct gb_arena *arena)
{
        g->flags |= more->flags;
        g->type = g->type ? g->type : more->type;
        g->found = g->found || more->found;
        g->partial = g->partial || more->partial;
        g->confused = g->confused || more->confused;
        g->unsure = g->unsure || more->unsure;
        for (size_t i = 0; i < more->touched.n; i++) {
                struct gb_touched *t = gb_group_touch(g, &more->touched.v[i].slot, arena);

                if (!t)
                        return -1;
                t->kinds |= more->touched.v[i].kinds;
        }
        for (size_t i = 0; i < more->names.n; i++)
                if (gb_group_name(g, &more->names.v[i], arena) < 0)
                        return -1;
        for (size_t i = 0; i < more->told.n; i++)
                if (gb_vec_push(&g->told, more->told.v[i]) < 0)
                        return -1;
        return 0;
}

void gb_group_unname(struct gb_group *g, const struct gb_slot *slot)
{
        for (size_t i = 0; i < g->names.n; i++)
                if (gb_slot_eq(&g->names.v[i], slot)) {
                        g->names.v[i] = g->names.v[--g->names.n];
                        return;
                }
}

static int put_slot(struct gb_buf *out, const struct gb_slot *slot)
{
        return gb_buf_put_gfid(out, &slot->parent) < 0 || gb_buf_put_bytes(out, slot->name, slot->len) < 0
                       ? -1
                       : 0;
}

static bool get_slot(struct gb_reader *in, struct gb_slot *slot)
{
        const uint8_t *name;

        if (!gb_get_gfid(in, &slot->parent) || !gb_get_bytes(in, GB_NAME_MAX, &name, &slot->len))
                return false;
        slot->name = (const char *)name;
        return true;
}

/* What is true of a group, in one byte. */
enum { IS_FOUND = 1, IS_PARTIAL = 2, IS_CONFUSED = 4, IS_WALKED = 8, IS_UNSURE = 16 };

static uint8_t truths(const struct gb_group *g)
{
        return (uint8_t)((g->found ? IS_FOUND : 0) | (g->partial ? IS_PARTIAL : 0) |
                         (g->confused ? IS_CONFUSED : 0) | (g->walked ? IS_WALKED : 0) |
                         (g->unsure ? IS_UNSURE : 0));
}

int gb_group_encode(struct gb_buf *out, const struct gb_group *g)
{
        if (gb_buf_put_gfid(out, &g->gfid) < 0 || gb_buf_put_varint(out, g->flags) < 0 ||
            gb_buf_put_u8(out, (uint8_t)g->type) < 0 || gb_buf_put_u8(out, truths(g)) < 0 ||
            gb_buf_put_varint(out, g->touched.n) < 0)
                return -1;
        for (size_t i = 0; i < g->touched.n; i++)
                if (gb_buf_put_u8(out, g->touched.v[i].kinds) < 0 ||
                    gb_buf_put_varint(out, g->touched.v[i].born) < 0 ||
                    put_slot(out, &g->touched.v[i].slot) < 0)
                        return -1;
        if (gb_buf_put_varint(out, g->names.n) < 0)
                return -1;
        for (size_t i = 0; i < g->names.n; i++)
                if (put_slot(out, &g->names.v[i]) < 0)
                        return -1;
        if (gb_buf_put_varint(out, g->told.n) < 0)
                return -1;
        for (size_t i = 0; i < g->told.n; i++)
                if (gb_buf_put_varint(out, g->told.v[i]) < 0)
                        return -1;
        return 0;
}

bool gb_group_decode(const uint8_t *rec, size_t len, struct gb_group *g)
{
        struct gb_reader in = {.p = rec, .end = rec + len};
        uint64_t flags, n, set, born;
        uint8_t type, true_of;

        gb_group_reset(g);
        if (!gb_get_gfid(&in, &g->gfid) || !gb_get_varint(&in, &flags) || !gb_get_u8(&in, &type) ||
            !gb_get_u8(&in, &true_of) || !gb_get_varint(&in, &n))
                return false;
        g->found = true_of & IS_FOUND;
        g->partial = true_of & IS_PARTIAL;
        g->confused = true_of & IS_CONFUSED;
        g->walked = true_of & IS_WALKED;
        g->unsure = true_of & IS_UNSURE;
        g->flags = (uint32_t)flags;
        g->type = (char)type;
        for (; n; n--) {
                struct gb_touched t = {.kinds = 0};

                if (!gb_get_u8(&in, &t.kinds) || !gb_get_varint(&in, &born) || !get_slot(&in, &t.slot))
                        return false;
                t.born = (unsigned)born;
                if (gb_vec_push(&g->touched, t) < 0)
                        return false;
        }
        if (!gb_get_varint(&in, &n))
                return false;
        for (; n; n--) {
                struct gb_slot slot;

                if (!get_slot(&in, &slot) || gb_vec_push(&g->names, slot) < 0)
                        return false;
        }
        if (!gb_get_varint(&in, &n))
                return false;
        for (; n; n--)
                if (!gb_get_varint(&in, &set) || gb_vec_push(&g->told, (unsigned)set) < 0)
                        return false;
        return true;
}

struct gb_group *gb_groups_add(struct gb_groups *gs, const struct gb_group *g, struct gb_arena *arena)
{
        struct gb_group *copy = calloc(1, sizeof(*copy));

        if (!copy)
                return NULL;
        copy->gfid = g->gfid;
        copy->flags = g->flags;
        copy->type = g->type;
        copy->found = g->found;
        copy->partial = g->partial;
        copy->confused = g->confused;
        copy->unsure = g->unsure;
        if (copy_into(copy, g, arena) < 0 || gb_vec_push(gs, copy) < 0) {
                gb_group_fini(copy);
                free(copy);
                return NULL;
        }
        return copy;
}

void gb_groups_fini(struct gb_groups *gs)
{
        for (size_t i = 0; i < gs->n; i++) {
                gb_group_fini(gs->v[i]);
                free(gs->v[i]);
        }
        free(gs->v);
        gs->v = NULL;
        gs->n = gs->cap = 0;
}
