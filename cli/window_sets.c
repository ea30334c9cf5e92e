/*
 * window_sets - which bricks of a replica set are believed, and whether they told the whole window.
 */
#include <config.h>

#include "window_core.h"

/* One replica; of disperse as many as can be away while it is written to, and one. */
unsigned gb_window_needed(const struct gb_volume *v)
{
        return v->disperse ? v->redundancy + 1 : 1;
}

static bool unwatched(const struct collect *k, const struct gb_vbrick *b)
{
        for (unsigned i = b->set * k->volume->set_size; i < (b->set + 1) * k->volume->set_size; i++)
                if (!gb_window_stream(k, &k->volume->bricks[i]))
                        return true;
        return false;
}

void gb_window_suspect(struct collect *k)
{
        for (unsigned i = 0; i < k->n_streams; i++) {
                const struct gb_vbrick *b = k->streams[i].brick;
                bool alone = k->volume->set_size == 1;

                k->sources[i].behind = !alone && k->was_behind[b->index];
                k->sources[i].blamed = !alone && !k->volume->disperse && b->blamed;
                k->sources[i].unwatched = unwatched(k, b);
                k->sources[i].stale =
                        !alone && (k->volume->disperse ? gb_volume_heals(k->volume, b->set) : b->blamed);
        }
}

/* Was there anything that a heal had to bring it? */
static bool may_have_missed(const struct collect *k, const struct gb_vbrick *b)
{
        const struct stream *s = gb_window_stream(k, b);
        const struct gb_fact_source *in = s ? &k->sources[s - k->streams] : NULL;

        return k->volume->set_size > 1 &&
               (!s || s->muted || s->restarted || in->behind || in->blamed || in->stale);
}

/* Who is not believed, or told nothing, is no brick to look names up on either, if others can be. */
void gb_window_weighed(void *arg, const struct gb_reduce *r)
{
        struct collect *k = arg;
        const struct gb_volume *v = k->volume;

        for (unsigned i = 0; i < k->n_streams; i++) {
                k->streams[i].muted = gb_reduce_muted(r, i);
                k->streams[i].restarted = gb_reduce_restarted(r, i);
        }
        for (unsigned i = 0; i < v->n_bricks; i++)
                k->window->bricks[i].away = may_have_missed(k, &v->bricks[i]);
        for (unsigned set = 0; set < v->n_sets; set++) {
                unsigned believed = 0;

                for (unsigned i = 0; i < k->n_streams; i++)
                        believed += k->streams[i].brick->set == set && !k->streams[i].muted;
                for (unsigned i = set * v->set_size; i < (set + 1) * v->set_size; i++) {
                        const struct stream *s = gb_window_stream(k, &v->bricks[i]);

                        v->bricks[i].shunned = believed >= gb_window_needed(v) && (!s || s->muted);
                }
        }
}

/* Does the state of the other bricks of its set leave it open whom heals wait for? */
static bool sibling_unknown(const struct gb_volume *v, const struct gb_vbrick *b)
{
        for (unsigned i = b->set * v->set_size; i < (b->set + 1) * v->set_size; i++)
                if (!v->bricks[i].usable)
                        return true;
        return false;
}

bool gb_window_is_behind(const struct collect *k, const struct gb_vbrick *b)
{
        const struct stream *s = gb_window_stream(k, b);
        const struct gb_brick_window *w = &k->window->bricks[b->index];
        bool was = !s || s->restarted || k->was_behind[b->index];

        if (!b->usable)
                return true;
        if (k->volume->set_size == 1)
                return false;
        if (!w->whole && !w->by_time && !k->window->full_sets[b->set])
                return true;     /* its position is younger than its siblings' cut */
        if (k->volume->disperse) /* its heals do not say for whom they wait */
                return was && (gb_volume_heals(k->volume, b->set) || sibling_unknown(k->volume, b));
        return b->behind || (was && sibling_unknown(k->volume, b));
}

/* ---- has everything been told ---- */

/* A replica set of the last run has left the volume with what it recorded since: remove-brick.  Its files
 * are somewhere else now, and nobody recorded that.  Or nobody recorded where a directory was. */
static int check_former(struct collect *k, struct gb_error *err)
{
        if (!k->former.code)
                return 0;
        if (!k->window->full_on_gap && !k->window->first) {
                *err = k->former;
                return -1;
        }
        if (k->window->first)
                gb_note(k->cli, "directories moved while the volume was scanned; scanning it once more");
        else
                gb_say("%s; everything is listed in full", k->former.text);
        for (unsigned set = 0; set < k->volume->n_sets; set++)
                k->window->full_sets[set] = true;
        k->window->n_full_sets = k->volume->n_sets;
        return 0;
}

/* Every brick of a set failed before it had told everything. */
static int missing_history(struct collect *k, unsigned set, struct gb_error *err)
{
        for (unsigned i = set * k->volume->set_size; i < (set + 1) * k->volume->set_size; i++)
                if (k->window->bricks[i].error.code)
                        k->volume->bricks[i].error = k->window->bricks[i].error;
        return gb_volume_missing(k->volume, set, err);
}

/* And how many, if each was away for a while: a write was seen by a majority of three replicas and more, by
 * one of two.
 */
static unsigned needed_in_turn(const struct gb_volume *v)
{
        unsigned majority = v->set_size / 2 + 1;

        return v->disperse ? v->redundancy + 1 : v->set_size < 3 ? v->set_size : v->set_size - majority + 1;
}
static bool is_gap(enum gb_code code)
{
        return code == GB_ERR_GAP || code == GB_ERR_CHANGELOG_OFF;
}

/* What the bricks of a set have told. */
struct told {
        unsigned whole;            /* all of the window */
        unsigned trusted;          /* of these, never away nor behind */
        unsigned believed;         /* of these, listened to */
        bool muted;                /* somebody was not */
        struct gb_vbrick *away;    /* one that could not be read, though it may come back */
        struct gb_vbrick *unknown; /* the same, and its position is not known: its node takes no part */
        const struct gb_brick_window *worst; /* one that says why it is not whole */
        const struct gb_vbrick *behind;      /* one that is whole, though it may lack what another knows */
};

static bool is_trusted(const struct collect *k, const struct stream *s)
{
        const struct gb_fact_source *in = k->sources ? &k->sources[s - k->streams] : NULL;

        return s->window->whole && !s->muted && !s->restarted && in && !in->behind && !in->blamed;
}

static struct told told_by(struct collect *k, unsigned set)
{
        struct gb_volume *v = k->volume;
        struct told t = {0};

        for (unsigned i = set * v->set_size; i < (set + 1) * v->set_size; i++) {
                const struct gb_brick_window *w = &k->window->bricks[i];
                const struct stream *s = gb_window_stream(k, &v->bricks[i]);

                t.whole += w->whole;
                t.trusted += s && is_trusted(k, s);
                t.believed += s && w->whole && !s->muted;
                t.muted = t.muted || (s && s->muted);
                if (w->whole)
                        t.behind = &v->bricks[i];
                if (!w->whole && w->error.code && !is_gap(w->error.code))
                        *(w->from || w->by_time ? &t.away : &t.unknown) = &v->bricks[i];
                if (w->error.code && (!t.worst || is_gap(w->error.code)))
                        t.worst = w;
        }
        return t;
}

/* A sibling was not listened to because of one that failed then: without that one, once more. */
static int again_without(const struct collect *k, struct told *t, struct gb_error *err)
{
        const struct gb_error *why;

        if (!t->away)
                return gb_error_set(err, GB_ERR_AGAIN,
                                    "a brick failed while its history was read; try again");
        why = &k->window->bricks[t->away->index].error;
        t->away->usable = false;
        t->away->error = *why;
        return gb_error_set(err, GB_ERR_AGAIN, "%s failed while its history was read: %.512s", t->away->name,
                            why->text);
}

/* Bricks have told all they know, but each was away for a while, or is behind, or has no position. */
static int not_enough(const struct collect *k, unsigned set, const struct told *t, struct gb_error *err)
{
        return gb_error_set(
                err, GB_ERR_INCOMPLETE,
                "replica set %u: %.300s cannot be read (%.200s), and %s may lack changes that it knows of, "
                "because it was restarted or cut off, is behind, or missed the last run; run again when the "
                "brick is back",
                set, t->away->name, k->window->bricks[t->away->index].error.text,
                t->behind ? t->behind->name : "what is left of the set");
}

/* Has a replica set told the whole window? */
static int check_set(struct collect *k, unsigned set, struct gb_error *err)
{
        const struct gb_volume *v = k->volume;
        struct told t = told_by(k, set);

        if (t.trusted >= gb_window_needed(v) ||
            (t.muted && t.believed >= gb_window_needed(v) && t.whole >= needed_in_turn(v)) ||
            (!t.muted && t.whole >= needed_in_turn(v)))
                return 0;
        if (!t.worst) /* its streams had not come to their end when another one failed */
                return 0;
        if (t.muted)
                return again_without(k, &t, err);
        if (!t.away && t.whole && !is_gap(t.worst->error.code))
                t.away = t.unknown;
        if (t.away && (t.whole || is_gap(t.worst->error.code)))
                return not_enough(k, set, &t, err);
        if (k->window->full_on_gap && t.worst->error.code == GB_ERR_GAP) {
                gb_say("replica set %u: %s; it is listed in full", set, t.worst->error.text);
                k->window->full_sets[set] = true;
                k->window->n_full_sets++;
                return 0;
        }
        *err = t.worst->error;
        if (gb_volume_spares(err->code))
                return missing_history(k, set, err);
        return gb_error_prefix(err, "replica set %u", set);
}

int gb_window_check_sets(struct collect *k, struct gb_error *err)
{
        if (check_former(k, err) < 0)
                return -1;
        for (unsigned set = 0; set < k->volume->n_sets; set++)
                if (check_set(k, set, err) < 0)
                        return -1;
        return 0;
}
