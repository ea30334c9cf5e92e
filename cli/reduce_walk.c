/*
 * reduce_walk - objects whose names no xattr tells: a walk of their replica sets finds them.
 *
 * They may be as many as there are changes.  So they are kept like all others, and of their gfids only a
 * sieve is in memory: what a walk comes by and the sieve holds back is kept as well, names alone, and both
 * meet when objects come back sorted by gfid.  The sieve lets some gfids through that nobody asked for; there
 * they are recognised (take_object() in reduce.c).
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "reduce_core.h"

/* 2^26 bits: of 10 million gfids 2 in 100 others pass. */
#define SIEVE_BITS (1u << 26)
#define SIEVE_KEYS 4

/* gfids are random: their bytes are hash values. */
static uint32_t sieve_key(const gb_gfid *gfid, unsigned i)
{
        uint32_t key;

        memcpy(&key, gfid->b + sizeof(key) * i, sizeof(key));
        return (key ^ key >> 7) % SIEVE_BITS;
}

static void sieve_add(uint8_t *sieve, const gb_gfid *gfid)
{
        for (unsigned i = 0; i < SIEVE_KEYS; i++) {
                uint32_t key = sieve_key(gfid, i);

                sieve[key / 8] |= (uint8_t)(1u << key % 8);
        }
}

static bool sieve_has(const uint8_t *sieve, const gb_gfid *gfid)
{
        for (unsigned i = 0; i < SIEVE_KEYS; i++) {
                uint32_t key = sieve_key(gfid, i);

                if (!(sieve[key / 8] & 1u << key % 8))
                        return false;
        }
        return true;
}

int gb_reduce_want_walk(struct gb_reduce *r, const struct gb_group *g, struct gb_error *err)
{
        if (!r->sieve)
                r->sieve = calloc(1, SIEVE_BITS / 8);
        if (!r->sieve)
                return gb_reduce_no_memory(err);
        sieve_add(r->sieve, &g->gfid);
        for (size_t i = 0; i < g->partial_at.n; i++)
                if (g->partial_at.v[i] < r->n_sets)
                        r->to_walk[g->partial_at.v[i]] = true;
        r->stats.walked++;
        return 0;
}

int gb_reduce_walked(struct gb_reduce *r, const gb_gfid *gfid, const struct gb_slot *slot,
                     struct gb_error *err)
{
        if (!r->sieve || !sieve_has(r->sieve, gfid))
                return 0;
        gb_group_reset(&r->current);
        r->current.gfid = *gfid;
        r->current.walked = true;
        if (gb_group_name(&r->current, slot, NULL) < 0)
                return gb_reduce_no_memory(err);
        return gb_reduce_keep(r, &r->current, err);
}

int gb_reduce_walk_sets(struct gb_reduce *r, struct gb_error *err)
{
        for (unsigned set = 0; set < r->n_sets; set++)
                if (r->to_walk[set] && r->ops->walk(r->ops->arg, r, set, err) < 0)
                        return -1;
        free(r->sieve);
        r->sieve = NULL;
        return 0;
}
