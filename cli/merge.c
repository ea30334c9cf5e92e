/*
 * merge - see merge.h.
 *
 * A tree of losers: each inner node holds the lane that lost there, the winner of all has been given.
 * Neighbours in a merged list share most of their bytes, so with each lane goes a number: how many bytes its
 * path shares with the last one given.  Of two lanes the one that shares more comes first, without a look at
 * the paths; only equal numbers make us compare, and only from there on.  The numbers cost nothing: the loser
 * of a comparison learns what it shares with the winner, which is what it needs to know when that is given;
 * and the lane that moves on is told by its reader. A path that is shared whole is the one that was given: it
 * is passed over.
 *
 * The lane that won moves on only when the next entry is asked for, so that what was given stays where it is.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/order.h"
#include "merge.h"

struct lane {
        struct gb_entry head;
        size_t same; /* bytes shared with the path given last */
        bool ended;
};

struct gb_merge {
        gb_merge_next next;
        void *arg;
        struct lane *lanes;
        unsigned *losers; /* of nodes 1..n-1; [0] is the winner; lane i is below node (i + n) / 2 */
        unsigned n;
        size_t last_len; /* of the path given last; 0: none */
};

struct gb_merge *gb_merge_new(unsigned n, gb_merge_next next, void *arg, struct gb_error *err)
{
        struct gb_merge *m = calloc(1, sizeof(*m));

        if (m) {
                m->next = next;
                m->arg = arg;
                m->n = n;
                m->lanes = calloc(n + 1, sizeof(*m->lanes));
                m->losers = calloc(n + 1, sizeof(*m->losers));
        }
        if (m && m->lanes && m->losers)
                return m;
        gb_merge_free(m);
        gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        return NULL;
}

void gb_merge_free(struct gb_merge *m)
{
        if (!m)
                return;
        free(m->lanes);
        free(m->losers);
        free(m);
}

/* Does lane a come before lane b?  The loser's number becomes what it shares with the winner. */
static inline bool beats(struct gb_merge *m, unsigned a, unsigned b)
{
        struct lane *x = &m->lanes[a], *y = &m->lanes[b];
        size_t from = x->same, more;
        int c;

        if (x->ended || y->ended)
                return y->ended;
        if (x->same != y->same)
                return x->same > y->same;
        c = gb_path_cmp_same(x->head.path + from, x->head.len - from, y->head.path + from, y->head.len - from,
                             &more);
        if (c == 0)
                c = a < b ? -1 : 1;
        (c < 0 ? y : x)->same = from + more;
        return c < 0;
}

/* 0, -1. */
static int advance(struct gb_merge *m, unsigned i, struct gb_error *err)
{
        struct lane *l = &m->lanes[i];
        int rc = m->next(m->arg, i, &l->head, &l->same, err);

        l->ended = rc == 0;
        return rc < 0 ? -1 : 0;
}

/* Play all games below a node: the winner. */
static unsigned play(struct gb_merge *m, unsigned node)
{
        unsigned a, b;

        if (node >= m->n)
                return node - m->n;
        a = play(m, 2 * node);
        b = play(m, 2 * node + 1);
        if (beats(m, a, b)) {
                m->losers[node] = b;
                return a;
        }
        m->losers[node] = a;
        return b;
}

int gb_merge_start(struct gb_merge *m, struct gb_error *err)
{
        for (unsigned i = 0; i < m->n; i++)
                if (advance(m, i, err) < 0)
                        return -1;
        m->losers[0] = m->n > 1 ? play(m, 1) : 0;
        return 0;
}

/* The winner moves on, and plays again all games on its way up. */
static int step(struct gb_merge *m, struct gb_error *err)
{
        unsigned winner = m->losers[0];

        if (advance(m, winner, err) < 0)
                return -1;
        for (unsigned node = (winner + m->n) / 2; node > 0; node /= 2)
                if (!beats(m, winner, m->losers[node])) {
                        unsigned loser = winner;

                        winner = m->losers[node];
                        m->losers[node] = loser;
                }
        m->losers[0] = winner;
        return 0;
}

int gb_merge_take(struct gb_merge *m, struct gb_entry *e, struct gb_error *err)
{
        const struct lane *l;

        if (!m->n)
                return 0;
        do {
                if (m->last_len && step(m, err) < 0)
                        return -1;
                l = &m->lanes[m->losers[0]];
                if (l->ended)
                        return 0;
                if (!m->last_len)
                        break;
        } while (l->same == m->last_len && l->head.len == m->last_len);
        m->last_len = l->head.len;
        *e = l->head;
        return 1;
}
