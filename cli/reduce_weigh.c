/*
 * reduce_weigh - which sources are believed: see "Whom to believe" in reduce.h.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "reduce_core.h"

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
                r->unsure[s->in->set] |= !enough && s->restarted;
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

/* It was cut off from a client, and a sibling knows, or may know, of something that it missed.  A client that
 * had lost its own network alone, or did not write, is none.  Where nothing tells whether it was, a sibling
 * must know. */
static bool was_cut_off(const struct gb_reduce *r, unsigned source, const bool *told)
{
        const struct source *s = &r->sources[source];
        bool known = s->item.brick_flags & GB_BRICK_RECONNECTED;
        bool accused = known && s->in->unwatched;

        if (!(s->item.brick_flags & (GB_BRICK_RECONNECTED | GB_BRICK_UNTOLD)))
                return false;
        for (unsigned i = 0; i < r->n_sources; i++)
                if (i != source && r->sources[i].in->set == s->in->set)
                        accused |= told[i] ? (r->sources[i].item.brick_flags & GB_BRICK_ACCUSES) != 0 : known;
        return accused;
}

/* Each source begins with what is to be known of its brick; one that fails at once has no beginning. */
int gb_reduce_weigh(struct gb_reduce *r, struct gb_error *err)
{
        bool *told = calloc(r->n_sources + 1, sizeof(*told));
        int rc = told ? 0 : gb_reduce_no_memory(err);

        for (unsigned i = 0; rc >= 0 && i < r->n_sources; i++) {
                struct source *s = &r->sources[i];

                rc = s->in->next(s->in->arg, &s->item, err);
                if (rc == 1 && s->item.kind != GB_ITEM_BRICK)
                        rc = gb_error_set(err, GB_ERR_PROTOCOL,
                                          "%s: history begins without a word on the brick", s->in->name);
                told[i] = rc == 1;
        }
        for (unsigned i = 0; rc >= 0 && i < r->n_sources; i++)
                r->sources[i].restarted = told[i] && ((r->sources[i].item.brick_flags & GB_BRICK_RESTARTED) ||
                                                      was_cut_off(r, i, told));
        if (rc >= 0)
                weigh(r, told);
        free(told);
        return rc < 0 ? -1 : 0;
}
