/*
 * window_ask - the reducer's questions to the bricks of a replica set.
 */
#include <config.h>

#include <stdlib.h>

#include "base/arena.h"
#include "window_core.h"

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
                        if (!gb_window_spares(err->code))
                                return -1;
                        lose_brick(k, pick[done], err);
                        break;
                }
                if (done == np)
                        return 0;
        }
}

int gb_window_look(void *arg, struct gb_reduce *r, unsigned set, const gb_gfid *gfids, unsigned n,
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

/* Does something stand at a path on this replica set?  As gb_window_occupied(). */
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
                if (!gb_window_spares(err->code))
                        return -1;
                lose_brick(k, pick[0], err);
        }
        found = res.gbx_exists_res_u.found.found_val[0].type != 0;
        gb_xdr_release((xdrproc_t)xdr_gbx_exists_res, &res);
        return found;
}

/* Does something stand at a path, on any replica set?  As gb_reduce_ops.occupied. */
int gb_window_occupied(void *arg, const char *path, size_t len, struct gb_error *err)
{
        struct collect *k = arg;
        gbx_path one = {.gbx_path_len = (unsigned)len, .gbx_path_val = (char *)(uintptr_t)path};
        int found = 0;

        for (unsigned set = 0; !found && set < k->volume->n_sets; set++)
                found = occupied_on(k, set, &one, err);
        return found;
}
