/*
 * merge - see merge.h.
 *
 * A tree of losers: each inner node holds the lane that lost there, the winner of all is `top`.
 * Neighbours in a merged list share most of their bytes, so a lane does not play with its path but with a
 * code, relative to the last path given: how many units of five bytes it shares with that, and the unit
 * behind them. Of two codes the smaller one comes first, without a look at the paths; only where they are
 * equal paths are compared, and only from there on.
 *
 *      63            52 51                    12 11            0
 *      819 + 1 - units   the unit that differs    lane           0, 0, lane: the path given last, once more
 *                                                                all ones, lane: the lane has ended
 *
 * Codes cost nothing: the loser of a game has the code it needs when the winner is given, because it shares
 * with the winner the units that it shared with the path before; and the lane that moves on is told by its
 * block.
 *
 * While a lane stays below all codes on its way up it need not play: `rival` is the least of them.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "base/block_step.h"
#include "base/limits.h"
#include "base/order.h"
#include "merge.h"

#define LANE_BITS  12
#define UNITS      (GB_PATH_MAX / GB_STEP_UNIT)
#define LANE(code) ((unsigned)(code) & ((1u << LANE_BITS) - 1))
#define CODE(code) ((code) >> LANE_BITS)
#define GIVEN      0
#define ENDED      CODE(UINT64_MAX)
#define UNITS_AT   (8 * GB_STEP_UNIT + LANE_BITS)

_Static_assert(GB_BRICKS_MAX <= 1 << LANE_BITS, "a lane fits into a code");
_Static_assert(UNITS + 1 < 1 << (64 - UNITS_AT), "so do units, beside GIVEN and ENDED");

struct gb_merge {
        struct gb_merge_source from;
        void *arg;
        struct gb_block_reader *lanes;
        uint64_t *losers; /* codes of nodes 1..n-1; lane i is below node (i + n) / 2 */
        uint64_t top;
        uint64_t rival; /* top moves on to a code that is less: it stays on top */
        unsigned n;
        bool held; /* top was not given yet */
};

struct gb_merge *gb_merge_new(unsigned n, const struct gb_merge_source *from, void *arg, struct gb_error *err)
{
        struct gb_merge *m = calloc(1, sizeof(*m));

        if (m) {
                m->from = *from;
                m->arg = arg;
                m->n = n;
                m->top = UINT64_MAX;
                m->lanes = calloc(n + 1, sizeof(*m->lanes));
                m->losers = calloc(n + 1, sizeof(*m->losers));
        }
        if (!m || !m->lanes || !m->losers) {
                gb_merge_free(m);
                gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                return NULL;
        }
        for (unsigned i = 0; i < n; i++)
                gb_block_reader_init(&m->lanes[i]);
        return m;
}

void gb_merge_free(struct gb_merge *m)
{
        if (!m)
                return;
        free(m->lanes);
        free(m->losers);
        free(m);
}

const struct gb_block_reader *gb_merge_reader(const struct gb_merge *m, unsigned lane)
{
        return &m->lanes[lane];
}

static inline uint64_t code_of(unsigned lane, size_t same, uint64_t unit)
{
        return (uint64_t)(UNITS + 1 - same / GB_STEP_UNIT) << UNITS_AT | unit << LANE_BITS | lane;
}

/* Where two paths begin to differ that do not before `at`.  *order: which comes first, as gb_path_cmp(). */
static inline size_t differ(const struct gb_block_reader *x, const struct gb_block_reader *y, size_t at,
                            int *order)
{
        size_t end = x->len < y->len ? x->len : y->len;
        int a, b;

        /* Behind each path is a NUL, so that unlike paths differ not later than at the end of one. */
        for (; at <= end; at += 8) {
                uint64_t diff = gb_load_first_low(x->path + at) ^ gb_load_first_low(y->path + at);

                if (diff) {
                        at += (size_t)__builtin_ctzll(diff) / 8;
                        break;
                }
        }
        *order = 0;
        if (at > end)
                return end;
        a = (uint8_t)x->path[at];
        b = (uint8_t)y->path[at];
        *order = (a == '/' ? 0 : a ? a : -1) - (b == '/' ? 0 : b ? b : -1);
        return at;
}

/* A game between equal codes: *a becomes the winner's.  The loser's, relative to the winner. */
static inline uint64_t play_out(struct gb_merge *m, uint64_t *a, uint64_t b)
{
        uint64_t winner = *a < b ? *a : b, loser = *a < b ? b : *a; /* the lane decides about equal paths */
        const struct gb_block_reader *first = &m->lanes[LANE(winner)], *second = &m->lanes[LANE(loser)];
        size_t at = GB_STEP_UNIT * (UNITS + 1 - (size_t)(b >> UNITS_AT));
        int order;

        *a = winner;
        if (CODE(b) == GIVEN || CODE(b) == ENDED)
                return loser;
        at = differ(first, second, at, &order);
        if (order == 0)
                return LANE(loser);
        if (order < 0)
                return code_of(LANE(loser), at, gb_block_unit(second, at));
        *a = loser;
        return code_of(LANE(winner), at, gb_block_unit(first, at));
}

/* The lane on top has another code: it plays all games on its way up. */
static inline void replay(struct gb_merge *m, uint64_t code)
{
        unsigned lane = LANE(code);
        uint64_t now = code, rival = UINT64_MAX;

        for (unsigned at = (lane + m->n) / 2; at > 0; at /= 2) {
                uint64_t other = m->losers[at], more;

                if (__builtin_expect(CODE(other) == CODE(now), 0)) {
                        more = play_out(m, &now, other);
                } else {
                        more = other < now ? now : other;
                        now = other < now ? other : now;
                }
                m->losers[at] = more;
                rival = more < rival ? more : rival;
        }
        /* Of another lane the games on its way were not looked at: it plays once to know. */
        m->rival = LANE(now) == lane ? rival : 0;
        m->top = now;
}

/* A lane's next entry, whatever it is: 0 and its code, -1. */
static __attribute__((noinline)) int move_slowly(struct gb_merge *m, unsigned lane, uint64_t *code,
                                                 struct gb_error *err)
{
        struct gb_block_reader *r = &m->lanes[lane];

        for (;;) {
                const void *data;
                size_t len;
                int rc = gb_block_move(r, err);

                if (rc == 1) {
                        *code = code_of(lane, r->same, gb_block_unit(r, r->same));
                        return 0;
                }
                if (rc < 0) {
                        m->from.blame(m->arg, lane, err);
                        return -1;
                }
                rc = m->from.more(m->arg, lane, &data, &len, err);
                if (rc < 0)
                        return -1;
                if (rc == 0) {
                        *code = ENDED << LANE_BITS | lane;
                        return 0;
                }
                gb_block_feed(r, data, len);
        }
}

/* To the next path that was not given: 1, 0 at the end, -1. */
static inline int next(struct gb_merge *m, struct gb_error *err)
{
        if (CODE(m->top) == ENDED)
                return 0;
        do {
                unsigned lane = LANE(m->top);
                struct gb_block_reader *r = &m->lanes[lane];
                uint64_t unit, code;

                if (__builtin_expect(gb_block_step(r, &unit), 1))
                        code = code_of(lane, r->same, unit);
                else if (move_slowly(m, lane, &code, err) < 0)
                        return -1;
                if (CODE(code) < CODE(m->rival))
                        return 1;
                replay(m, code);
        } while (CODE(m->top) == GIVEN);
        return CODE(m->top) != ENDED;
}

/* Play all games below a node: the winner. */
static uint64_t play(struct gb_merge *m, unsigned at, const uint64_t *codes)
{
        uint64_t a, b;

        if (at >= m->n)
                return codes[at - m->n];
        a = play(m, 2 * at, codes);
        b = play(m, 2 * at + 1, codes);
        if (CODE(a) == CODE(b)) {
                m->losers[at] = play_out(m, &a, b);
                return a;
        }
        m->losers[at] = a < b ? b : a;
        return a < b ? a : b;
}

int gb_merge_start(struct gb_merge *m, struct gb_error *err)
{
        uint64_t *codes = calloc(m->n + 1, sizeof(*codes));
        int rc = codes ? 0 : gb_error_set(err, GB_ERR_MEMORY, "out of memory");

        for (unsigned i = 0; rc == 0 && i < m->n; i++)
                rc = move_slowly(m, i, &codes[i], err);
        if (rc == 0 && m->n)
                m->top = play(m, 1, codes);
        free(codes);
        m->held = CODE(m->top) != ENDED;
        return rc;
}

int gb_merge_take(struct gb_merge *m, struct gb_entry *e, struct gb_error *err)
{
        if (!m->held) {
                int rc = next(m, err);

                if (rc <= 0)
                        return rc;
        }
        m->held = false;
        gb_block_entry(&m->lanes[LANE(m->top)], e);
        return 1;
}

/* Some bytes more than n are read and written. */
static inline void copy(uint8_t *to, const char *from, size_t n)
{
        size_t i = 0;

        do {
                memcpy(to + i, from + i, 16);
                i += 16;
        } while (i < n);
}

int gb_merge_lines(struct gb_merge *m, struct gb_merge_lines *l, struct gb_error *err)
{
        uint8_t *to = l->to, *const full = l->to + l->room - GB_MERGE_LINE_MAX(l->lead_len);
        int rc = 1;

        l->n = 0;
        l->unusual = false;
        while (m->held || (rc = next(m, err)) == 1) {
                const struct gb_block_reader *r = &m->lanes[LANE(m->top)];

                l->unusual = l->end && r->newline;
                m->held = l->unusual || to > full;
                if (m->held)
                        break;
                if (l->lead_len)
                        memcpy(to, l->lead, l->lead_len);
                to += l->lead_len;
                copy(to, r->path, r->len);
                to += r->len;
                *to++ = (uint8_t)l->end;
                l->n++;
        }
        l->used = (size_t)(to - l->to);
        return rc;
}
