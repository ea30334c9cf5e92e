/*
 * reduce_cut - what was looked at is taken back to the cut: see "The cut" in reduce.h.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "reduce_core.h"

/*
 * The look came after the cut.  What happened in between is not in this window's records, but it is in
 * what was looked at.  The records behind the cut tell it apart, by the same rule that tells T0: the
 * first event of a slot behind the cut says what the slot held at the cut.
 */
int gb_reduce_settle(struct gb_reduce *r, unsigned source, const struct gb_fact *fact, struct gb_error *err)
{
        struct settled_list *list = gb_gfidmap_put(&r->settled, &fact->gfid, NULL);

        if (!list)
                return gb_reduce_no_memory(err);
        if ((fact->flags & GB_FACT_DIR) && !gb_skeleton_knows(&r->skeleton, &fact->gfid) &&
            gb_skeleton_gone(&r->skeleton, &fact->gfid) < 0)
                return gb_reduce_no_memory(err);
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
                        if (!s || !gb_reduce_dup_slot(&r->keep, &c->slot, &s->slot))
                                return gb_reduce_no_memory(err);
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

int gb_reduce_back_to_cut(struct gb_reduce *r, struct gb_group *g, struct gb_error *err)
{
        const struct settled_list *list = gb_gfidmap_get(&r->settled, &g->gfid);

        if (list && list->dir)
                g->flags |= GB_FACT_DIR;
        for (const struct settled *s = list ? list->first : NULL; s; s = s->next) {
                if (s->kinds == (1u << GB_CLAIM_LOSS)) {
                        if (!went_before(g, s) && gb_group_name(g, &s->slot, NULL) < 0)
                                return gb_reduce_no_memory(err);
                } else if (!(s->kinds & (1u << GB_CLAIM_LOSS)) && !came_before(g, s)) {
                        gb_group_unname(g, &s->slot);
                }
        }
        return 0;
}

/* Directories that have events behind the cut stood where these found them.  Whether it is a directory is not
 * known of what is gone by now; it does no harm to place a file. */
int gb_reduce_place_settled_dirs(struct gb_reduce *r, struct gb_error *err)
{
        size_t pos = 0;
        gb_gfid gfid;
        void *value;

        while (gb_gfidmap_next(&r->settled, &pos, &gfid, &value)) {
                for (const struct settled *s = ((struct settled_list *)value)->first; s; s = s->next) {
                        if (s->kinds == (1u << GB_CLAIM_ARRIVE) && gb_reduce_add_victim(r, &s->slot, err) < 0)
                                return -1;
                        if (s->kinds == (1u << GB_CLAIM_LOSS) &&
                            gb_skeleton_now(&r->skeleton, &gfid, &s->slot) < 0)
                                return gb_reduce_no_memory(err);
                }
        }
        return 0;
}
