/* links: base cli */
/*
 * reduce - lists of a model volume, obeyed by a model mirror.
 *
 * A case is a seed: a random user works on a model of a GlusterFS volume (lib/modelfs.h), its bricks'
 * records become fact streams, gb_reduce and gb_fold make a list of them, a mirror obeys it and must then
 * be the volume.  A failing case is shortened step by step and printed with what its user did.
 * GB_SEED=N GB_SECONDS=S in the environment: begin at another seed, look longer.
 */
#include <config.h>

#include <check.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/order.h"
#include "modelfacts.h"
#include "modelmirror.h"
#include "op.h"
#include "random.h"
#include "reduce.h"

#define STEPS_MAX   256
#define WINDOWS_MAX 8
#define SECONDS     1.5

struct plan {
        struct model_options o;
        uint64_t seed;
        unsigned before, windows, steps; /* steps before T0, windows, steps in each */
        unsigned tail;                   /* of these, steps between the cut and the look */
        bool strict;                     /* every DELETE and old_path must have existed at T0 */
        bool orders;                     /* the order of the sources must not matter */
        bool expand;                     /* below renamed directories all is listed, as for `paths` */
        bool skip[STEPS_MAX];
        struct sums *sums;
};

struct sums {
        unsigned long cases, windows, lines, renames, deletes, suspects, gaps, again, asked, walked;
        unsigned long needless_copies, needless_deletes, needless_renames;
};

static bool wrong(char *why, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static bool wrong(char *why, size_t size, const char *fmt, ...)
{
        va_list args;

        va_start(args, fmt);
        vsnprintf(why, size, fmt, args);
        va_end(args);
        return false;
}

#define WHY 512

/* ---- a list of a model's window ---- */

struct collect {
        const struct model *m;
        const struct model *expand; /* or NULL */
        const unsigned *bricks;     /* of each source */
        unsigned n_bricks;
        struct model_list roots; /* renamed directories */
        struct gb_sorter *sorter;
        struct gb_buf record;
};

static int on_look(void *arg, struct gb_reduce *r, unsigned set, const gb_gfid *gfids, unsigned n,
                   struct gb_error *err)
{
        return model_look(((struct collect *)arg)->m, r, set, gfids, n, err);
}

static int on_walk(void *arg, struct gb_reduce *r, unsigned set, struct gb_error *err)
{
        return model_walk(((struct collect *)arg)->m, r, set, err);
}

static int on_settle(void *arg, struct gb_reduce *r, struct gb_error *err)
{
        const struct collect *c = arg;

        return model_settle(c->m, c->bricks, c->n_bricks, r, err);
}

static int add_op(struct collect *c, const struct gb_op *op, struct gb_error *err)
{
        gb_buf_reset(&c->record);
        if (gb_op_encode(&c->record, op) < 0)
                abort();
        return gb_sorter_add(c->sorter, c->record.data, c->record.len, err);
}

/* What a scan of a renamed directory would add. */
static int expand(struct collect *c, const struct gb_op *op, struct gb_error *err)
{
        const struct model *m = c->expand;
        char path[MODEL_PATH_MAX];

        for (size_t i = 0; i < m->names.n; i++) {
                size_t len = model_path(&m->names, &m->names.v[i], path);
                struct gb_op below = {.kind = GB_OP_NEW, .path = path, .len = len, .expanded = true};

                below.type = m->objects.v[m->names.v[i].object].type;
                if (gb_path_within(path, len, op->path, op->len) && add_op(c, &below, err) < 0)
                        return -1;
        }
        return 0;
}

static int on_emit(void *arg, const struct gb_op *op, struct gb_error *err)
{
        struct collect *c = arg;

        if (c->expand && op->kind == GB_OP_RENAME && op->type == 'd')
                model_list_add(&c->roots, op);
        return add_op(c, op, err);
}

static int fold(struct gb_sorter *sorter, struct model_list *list, struct gb_error *err)
{
        struct gb_fold *f = gb_fold_new(sorter, err);
        struct gb_op op;
        int rc = -1;

        while (f && (rc = gb_fold_next(f, &op, err)) == 1)
                model_list_add(list, &op);
        gb_fold_free(f);
        return rc;
}

/* Sources in the order `order`. */
static int reduce(const struct model *m, const struct model *expanded, struct model_stream *streams,
                  const unsigned *order, unsigned n, struct model_list *list, struct gb_reduce_stats *stats,
                  struct gb_error *err)
{
        struct gb_fact_source sources[MODEL_BRICKS_MAX];
        struct collect c = {.m = m, .expand = expanded, .bricks = order, .n_bricks = n};
        const struct gb_reduce_ops ops = {
                .arg = &c, .look = on_look, .walk = on_walk, .emit = on_emit, .settle = on_settle};
        struct gb_reduce *r;
        int rc;

        gb_buf_init(&c.record, 1024 * 1024);
        c.sorter = gb_sorter_new(1024 * 1024, "/tmp", gb_op_cmp, NULL, gb_op_prefix, err);
        for (unsigned i = 0; i < n; i++) {
                gb_facts_reader_init(&streams[order[i]].reader);
                gb_facts_feed(&streams[order[i]].reader, streams[order[i]].bytes.data,
                              streams[order[i]].bytes.len);
                const struct model_brick *b = &m->bricks[order[i]];

                sources[i] = (struct gb_fact_source){.next = model_stream_next,
                                                     .arg = &streams[order[i]],
                                                     .set = model_set_of(m, order[i]),
                                                     .name = "brick",
                                                     .behind = b->behind,
                                                     .blamed = b->behind_at_cut,
                                                     .stale = b->behind_at_cut};
        }
        r = gb_reduce_new(sources, n, m->o.sets, 1, &m->volume_id, &ops, err);
        rc = r ? gb_reduce_run(r, "/tmp", stats, err) : -1;
        gb_reduce_free(r);
        for (size_t i = 0; rc == 0 && i < c.roots.n; i++)
                rc = expand(&c, &c.roots.v[i].op, err);
        model_list_clear(&c.roots);
        if (rc == 0 && gb_sorter_finish(c.sorter, err) < 0)
                rc = -1;
        if (rc == 0)
                rc = fold(c.sorter, list, err);
        gb_sorter_free(c.sorter);
        gb_buf_fini(&c.record);
        return rc;
}

static bool same_op(const struct gb_op *a, const struct gb_op *b)
{
        return a->kind == b->kind && a->len == b->len && memcmp(a->path, b->path, a->len) == 0 &&
               a->old_len == b->old_len && (!a->old_len || memcmp(a->old, b->old, a->old_len) == 0) &&
               a->flags == b->flags && a->type == b->type && a->has_gfid == b->has_gfid &&
               (!a->has_gfid || gb_gfid_eq(&a->gfid, &b->gfid));
}

static bool same_list(const struct model_list *a, const struct model_list *b)
{
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (!same_op(&a->v[i].op, &b->v[i].op))
                        return false;
        return true;
}

static void print_path(FILE *out, const char *path)
{
        for (; *path; path++)
                fprintf(out, *path > 0x20 && *path < 0x7f ? "%c" : "%%%02x", (unsigned char)*path);
}

static void print_list(FILE *out, const struct model_list *l)
{
        static const char *const names[] = {"PRESENT", "DELETE", "RENAME", "NEW", "MODIFY", "MODIFY_TOO"};

        for (size_t i = 0; i < l->n; i++) {
                fprintf(out, "    %s %c ", names[l->v[i].op.kind], l->v[i].op.type ? l->v[i].op.type : '?');
                if (l->v[i].old) {
                        print_path(out, l->v[i].old);
                        fputc(' ', out);
                }
                print_path(out, l->v[i].path);
                fputc('\n', out);
        }
}

/* ---- what every list must be ---- */

/* DELETE and old_path: a name of T0, unless something was renamed onto it. */
static bool check_before(const struct model *m, const struct gb_op *op, const char *path, size_t len,
                         bool strict, char *why)
{
        int was = model_lookup(m, &m->before, path, len), dir;
        const char *slash = memrchr(path, '/', len);
        struct gb_slot slot;

        if (!strict || (was >= 0 && (!op->has_gfid || gb_gfid_eq(&m->objects.v[was].gfid, &op->gfid))))
                return true;
        if (!op->has_gfid && op->kind == GB_OP_DELETE && m->dir_victims + m->tail_victims)
                return true; /* a guess: see each_guess() */
        if (was >= 0)
                return wrong(why, WHY, "%s was another object at T0", path);
        if (op->kind == GB_OP_RENAME)
                return wrong(why, WHY, "old_path %s was not there at T0", path);
        dir = model_lookup(m, &m->before, path, slash ? (size_t)(slash - path) : 0);
        if (dir < 0)
                return wrong(why, WHY, "DELETE %s, but not even its directory was there", path);
        slot.parent = m->objects.v[dir].gfid;
        slot.name = slash ? slash + 1 : path;
        slot.len = len - (size_t)(slot.name - path);
        return model_renamed_onto(m, &slot) ? true : wrong(why, WHY, "DELETE %s was not there at T0", path);
}

static bool check_now(const struct model *m, const struct model *cut, const struct gb_op *op, char *why)
{
        int is = model_lookup(m, &cut->names, op->path, op->len);

        if (is < 0)
                return wrong(why, WHY, "%s is not there at T1", op->path);
        if (op->expanded)
                return true;
        if (!op->has_gfid || !gb_gfid_eq(&m->objects.v[is].gfid, &op->gfid))
                return wrong(why, WHY, "%s is listed with a wrong gfid", op->path);
        if (op->type != m->objects.v[is].type && (op->type != 'f' || model_links(&m->names, (unsigned)is)))
                return wrong(why, WHY, "%s is listed with a wrong type", op->path);
        if (!model_touched(m, &op->gfid))
                return wrong(why, WHY, "%s was not touched", op->path);
        return true;
}

/* Names at T0 and T1 of the op's object; none of both: it came and went. */
static bool check_line(const struct model *m, const struct model *cut, const struct gb_op *op, bool strict,
                       char *why)
{
        int object = op->has_gfid ? model_find(m, &op->gfid) : -1;

        if (op->kind == GB_OP_PRESENT || op->kind == GB_OP_MODIFY_TOO)
                return wrong(why, WHY, "%s: a line that must not leave", op->path);
        if (strict && object > 0 && !model_links(&cut->names, (unsigned)object) &&
            !model_links(&m->before, (unsigned)object))
                return wrong(why, WHY, "%s: its object came and went", op->path);
        if (op->kind == GB_OP_DELETE)
                return check_before(m, op, op->path, op->len, strict, why);
        if (op->kind == GB_OP_RENAME && !check_before(m, op, op->old, op->old_len, strict, why))
                return false;
        return check_now(m, cut, op, why);
}

static bool check_list(const struct model *m, const struct model *cut, const struct model_list *l,
                       bool strict, char *why)
{
        for (size_t i = 0; i < l->n; i++) {
                const struct gb_op *op = &l->v[i].op, *last = i ? &l->v[i - 1].op : NULL;
                int c = last ? gb_path_cmp(last->path, last->len, op->path, op->len) : -1;

                if (c > 0 || (c == 0 && last->kind >= op->kind))
                        return wrong(why, WHY, "%s: out of order or twice", op->path);
                if (!check_line(m, cut, op, strict, why))
                        return false;
        }
        return true;
}

static bool is_listed(const struct model_list *l, const char *path, size_t len)
{
        for (size_t i = 0; i < l->n; i++)
                if (l->v[i].op.kind != GB_OP_DELETE && l->v[i].op.len == len &&
                    memcmp(l->v[i].path, path, len) == 0)
                        return true;
        return false;
}

/* Whoever knows nothing but paths must be told of every path that is not what it was. */
static bool check_paths(const struct model *m, const struct model *cut, const struct model_list *l, char *why)
{
        char path[MODEL_PATH_MAX];

        for (size_t i = 0; i < cut->names.n; i++) {
                size_t len = model_path(&cut->names, &cut->names.v[i], path);
                unsigned object = cut->names.v[i].object;
                const struct model_object *o = &cut->objects.v[object];
                bool same = model_lookup(m, &m->before, path, len) == (int)object &&
                            o->meta <= m->before_clock && (o->type == 'd' || o->data <= m->before_clock);

                if (!same && !is_listed(l, path, len))
                        return wrong(why, WHY, "%s is not in the list of paths", path);
        }
        return true;
}

/* ---- one case ---- */

static void shuffle(struct random *r, unsigned *v, unsigned n)
{
        for (unsigned i = n; i > 1; i--) {
                unsigned k = (unsigned)random_below(r, i), swap = v[i - 1];

                v[i - 1] = v[k];
                v[k] = swap;
        }
}

static void copy_mirror(struct mirror *to, const struct mirror *from)
{
        mirror_init(to);
        if (gb_vec_reserve(&to->inodes, from->inodes.n) < 0 ||
            gb_vec_reserve(&to->nodes, from->nodes.n) < 0 ||
            gb_vec_reserve(&to->known, from->known.n + 1) < 0)
                abort();
        memcpy(to->inodes.v, from->inodes.v, from->inodes.n * sizeof(*to->inodes.v));
        memcpy(to->nodes.v, from->nodes.v, from->nodes.n * sizeof(*to->nodes.v));
        if (from->known.n)
                memcpy(to->known.v, from->known.v, from->known.n * sizeof(*to->known.v));
        to->inodes.n = from->inodes.n;
        to->nodes.n = from->nodes.n;
        to->known.n = from->known.n;
}

static bool leads_there(const struct mirror *x, const struct model *m, const struct model_list *list,
                        char *why)
{
        struct mirror copy;
        bool ok;

        copy_mirror(&copy, x);
        ok = mirror_apply(&copy, m, list) && mirror_same(&copy, m);
        if (!ok)
                wrong(why, WHY, "another order of sources: %s", copy.fault);
        mirror_fini(&copy);
        return ok;
}

/* Sources in another order, and one replica of each set alone, say the same.  After a heal or a
 * migration they may pair other names of an object to a RENAME, but must lead to the same tree. */
static bool check_orders(const struct plan *p, const struct model *m, const struct mirror *x,
                         struct model_stream *streams, const unsigned *order, unsigned n,
                         const struct model_list *list, FILE *log, char *why)
{
        struct random r = {p->seed};
        unsigned other[MODEL_BRICKS_MAX];
        bool ok = true;

        for (unsigned round = 0; ok && round < 3; round++) {
                struct model_list again = {0};
                struct gb_error err;
                unsigned k = 0;

                for (unsigned i = 0; i < n; i++)
                        if (round < 2 || order[i] % m->o.replicas == 0 || p->o.heal)
                                other[k++] = order[i];
                shuffle(&r, other, k);
                if (reduce(m, p->expand ? m : NULL, streams, other, k, &again, NULL, &err) < 0)
                        ok = wrong(why, WHY, "in another order of sources: %s", err.text);
                else if (p->o.heal || p->o.migrate)
                        ok = leads_there(x, m, &again, why);
                else if (!same_list(list, &again))
                        ok = wrong(why, WHY,
                                   round < 2 ? "another order of sources, another list"
                                             : "one replica alone tells another list");
                if (!ok && log) {
                        fprintf(log, "   in another order:\n");
                        print_list(log, &again);
                }
                model_list_clear(&again);
        }
        return ok;
}

/* `cut` is what m was at the cut. */
static bool judge(const struct plan *p, const struct model *m, const struct model *cut, struct mirror *x,
                  struct model_stream *streams, FILE *log, char *why)
{
        unsigned order[MODEL_BRICKS_MAX], n = 0;
        struct model_list list = {0};
        struct gb_reduce_stats stats = {0};
        struct gb_error err = {0};
        bool ok;

        for (unsigned b = 0; b < model_bricks(m); b++)
                if (!m->bricks[b].away && !m->bricks[b].away_at_cut) {
                        model_stream_fill(&streams[b], m, b);
                        order[n++] = b;
                }
        if (reduce(m, p->expand ? cut : NULL, streams, order, n, &list, &stats, &err) < 0) {
                model_list_clear(&list);
                if ((err.code != GB_ERR_GAP || !(m->dir_victims + m->tail_victims)) &&
                    (err.code != GB_ERR_AGAIN || !p->tail))
                        return wrong(why, WHY, "%s", err.text);
                *(err.code == GB_ERR_GAP ? &p->sums->gaps : &p->sums->again) += 1;
                mirror_copy_all(x, cut);
                return true;
        }
        if (log)
                print_list(log, &list);
        ok = check_list(m, cut, &list, p->strict, why) && (!p->expand || check_paths(m, cut, &list, why));
        ok = ok && (!p->orders || check_orders(p, m, x, streams, order, n, &list, log, why));
        /* What was overwritten since the cut left no word of having been there: it goes a window early, and
         * what a directory lost before that is not said. */
        if (ok && (!mirror_apply(x, cut, &list) || (!m->overwritten && !mirror_same(x, cut)))) {
                ok = m->tail_victims || wrong(why, WHY, "%s", x->fault);
                mirror_copy_all(x, cut);
        }
        p->sums->windows++;
        p->sums->lines += list.n;
        p->sums->asked += stats.asked_again;
        p->sums->walked += stats.walked;
        for (size_t i = 0; i < list.n; i++) {
                p->sums->renames += list.v[i].op.kind == GB_OP_RENAME;
                p->sums->deletes += list.v[i].op.kind == GB_OP_DELETE;
                p->sums->suspects += list.v[i].op.kind == GB_OP_DELETE && !list.v[i].op.has_gfid;
        }
        model_list_clear(&list);
        return ok;
}

static void do_steps(const struct plan *p, struct model *m, unsigned *step, unsigned n)
{
        for (; n; n--, ++*step)
                if (!p->skip[*step])
                        model_step(m, *step);
}

/* A window: steps, the cut, what goes on until all is looked at, and the list. */
static bool run_window(const struct plan *p, struct model *m, unsigned w, unsigned *step, struct mirror *x,
                       struct model_stream *streams, char *why)
{
        unsigned tail = w + 1 == p->windows ? 0 : p->tail < p->steps ? p->tail : p->steps;
        struct model cut;
        bool ok;

        if (m->log)
                fprintf(m->log, "  --- window %u\n", w + 1);
        m->tail = false;
        do_steps(p, m, step, p->steps - tail);
        model_rest(m, STEPS_MAX + w + 1);
        model_cut(m);
        model_snapshot(&cut, m);
        m->tail = true;
        if (m->log && tail)
                fprintf(m->log, "  --- cut\n");
        do_steps(p, m, step, tail);
        ok = judge(p, m, &cut, x, streams, m->log, why);
        model_open_window(m, &cut);
        model_fini(&cut);
        return ok;
}

static bool run(const struct plan *p, FILE *log, char *why)
{
        struct model_stream streams[MODEL_BRICKS_MAX] = {0};
        struct model m;
        struct mirror x;
        unsigned step = 0;
        bool ok = true;

        model_init(&m, &p->o, p->seed);
        mirror_init(&x);
        m.log = log;
        do_steps(p, &m, &step, p->before);
        model_rest(&m, STEPS_MAX);
        mirror_copy_all(&x, &m);
        model_cut(&m);
        m.dir_victims = 0;
        model_open_window(&m, &m);
        for (unsigned w = 0; ok && w < p->windows; w++)
                ok = run_window(p, &m, w, &step, &x, streams, why);
        p->sums->needless_copies += x.noise_copy;
        p->sums->needless_deletes += x.noise_delete;
        p->sums->needless_renames += x.noise_rename;
        p->sums->cases++;
        for (unsigned b = 0; b < MODEL_BRICKS_MAX; b++)
                model_stream_fini(&streams[b]);
        mirror_fini(&x);
        model_fini(&m);
        return ok;
}

/* Leave out whatever step is not needed to fail. */
static void shorten(struct plan *p)
{
        char why[WHY];
        bool better = true;

        while (better) {
                better = false;
                for (unsigned i = 0; i < p->before + p->windows * p->steps; i++) {
                        if (p->skip[i])
                                continue;
                        p->skip[i] = true;
                        if (run(p, NULL, why))
                                p->skip[i] = false;
                        else
                                better = true;
                }
        }
}

static void report(struct plan *p)
{
        char why[WHY] = "";
        uint64_t seed = p->seed;

        shorten(p);
        fprintf(stderr, "seed %llu, shortened:\n", (unsigned long long)seed);
        run(p, stderr, why);
        ck_abort_msg("seed %llu: %s", (unsigned long long)seed, why);
}

static double now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double from_env(const char *name, double otherwise)
{
        const char *text = getenv(name);

        return text ? strtod(text, NULL) : otherwise;
}

/* A plan's size varies with its seed, so that short cases are tried as well as long ones. */
static struct plan sized(const struct plan *base, uint64_t seed)
{
        struct random r = {seed ^ 0xabcdef};
        struct plan p = *base;

        p.seed = seed;
        p.before = 2 + (unsigned)random_below(&r, 24);
        p.steps = 1 + (unsigned)random_below(&r, base->windows > 1 ? 10 : 24);
        return p;
}

/* `kept`: seeds that failed once, the last is 0. */
static struct sums explore(const char *what, struct plan base, const uint64_t *kept)
{
        double end = now() + from_env("GB_SECONDS", SECONDS);
        uint64_t seed = (uint64_t)from_env("GB_SEED", 1);
        struct sums sums = {0};
        char why[WHY];

        base.sums = &sums;
        do {
                for (unsigned i = 0; i < 50; i++) {
                        struct plan p = sized(&base, *kept ? *kept++ : seed++);

                        if (!run(&p, NULL, why))
                                report(&p);
                }
        } while (*kept || now() < end);
        fprintf(stderr,
                "%s: %lu cases, %lu windows, %lu lines (%lu deletes, %lu of them suspicions, %lu renames), "
                "needless "
                "%lu copies %lu deletes %lu renames, %lu gaps, %lu to be tried again, %lu asked again, %lu "
                "walked\n",
                what, sums.cases, sums.windows, sums.lines, sums.deletes, sums.suspects, sums.renames,
                sums.needless_copies, sums.needless_deletes, sums.needless_renames, sums.gaps, sums.again,
                sums.asked, sums.walked);
        ck_assert_uint_gt(sums.lines, 0);
        return sums;
}

/* Suspicions (a slot that something was renamed onto) are needless where it was free before; of all else
 * at most one line in thirty may be. */
static void check_needless(const struct sums *s)
{
        ck_assert_uint_le(s->needless_deletes, s->suspects); /* guesses are among them */
        ck_assert_uint_lt(s->needless_copies * 30, s->lines);
        ck_assert_uint_eq(s->needless_renames, 0);
        ck_assert_uint_lt(s->gaps * 100, s->windows);
}

START_TEST(one_window_of_one_brick)
{
        struct sums s = explore("one brick",
                                (struct plan){.o = {.sets = 1, .replicas = 1}, .windows = 1, .strict = true},
                                (const uint64_t[]){135, 760, 767, 23682, 0});

        check_needless(&s);
}
END_TEST

START_TEST(several_windows_in_a_row)
{
        explore("windows", (struct plan){.o = {.sets = 1, .replicas = 1}, .windows = 5, .strict = true},
                (const uint64_t[]){135, 847, 1078, 26820, 0});
}
END_TEST

START_TEST(replicas_and_any_order_of_sources)
{
        explore("replicas",
                (struct plan){.o = {.sets = 2, .replicas = 2}, .windows = 2, .strict = true, .orders = true},
                (const uint64_t[]){135, 2728, 0});
}
END_TEST

START_TEST(a_replica_was_down_and_is_healed)
{
        explore("heal", (struct plan){.o = {.sets = 1, .replicas = 2, .heal = true}, .windows = 2},
                (const uint64_t[]){135, 1422, 0});
}
END_TEST

START_TEST(a_replica_was_down_in_any_order_of_sources)
{
        explore("heal, orders",
                (struct plan){.o = {.sets = 2, .replicas = 3, .heal = true}, .windows = 1, .orders = true},
                (const uint64_t[]){79, 767, 1422, 23682, 1013010, 0});
}
END_TEST

START_TEST(a_replica_is_healed_when_it_suits_it)
{
        explore("late heal",
                (struct plan){.o = {.sets = 2, .replicas = 2, .heal = true, .late = true, .before = true},
                              .windows = 4,
                              .tail = 4},
                (const uint64_t[]){0});
}
END_TEST

START_TEST(linkto_files_and_late_directories)
{
        explore("linkto", (struct plan){.o = {.sets = 3, .replicas = 1, .linkto = true}, .windows = 2},
                (const uint64_t[]){24, 460, 4790, 0});
}
END_TEST

START_TEST(files_migrate_silently)
{
        explore("migrate",
                (struct plan){.o = {.sets = 3, .replicas = 1, .linkto = true, .migrate = true},
                              .windows = 2,
                              .orders = true},
                (const uint64_t[]){24, 460, 0});
}
END_TEST

START_TEST(writes_in_shards)
{
        explore("shards", (struct plan){.o = {.sets = 2, .replicas = 1, .shards = true}, .windows = 2},
                (const uint64_t[]){135, 6357, 1012917, 0});
}
END_TEST

START_TEST(names_that_no_xattr_tells_come_from_a_walk)
{
        struct sums s = explore(
                "partial",
                (struct plan){.o = {.sets = 2, .replicas = 1, .partial = true}, .windows = 2, .strict = true},
                (const uint64_t[]){135, 6357, 0});

        ck_assert_uint_gt(s.walked, 0);
}
END_TEST

START_TEST(time_goes_on_between_the_cut_and_the_look)
{
        struct sums s = explore("cut",
                                (struct plan){.o = {.sets = 2, .replicas = 2, .before = true},
                                              .windows = 3,
                                              .tail = 4,
                                              .strict = true},
                                (const uint64_t[]){1, 7, 356, 927, 20748, 21490, 31865, 46377, 0});

        ck_assert_uint_lt(s.again * 20, s.windows);
}
END_TEST

START_TEST(paths_below_renamed_directories)
{
        explore("paths",
                (struct plan){.o = {.sets = 2, .replicas = 1}, .windows = 2, .strict = true, .expand = true},
                (const uint64_t[]){0});
}
END_TEST

START_TEST(all_of_it_together)
{
        explore("together",
                (struct plan){.o = {.sets = 3,
                                    .replicas = 2,
                                    .linkto = true,
                                    .migrate = true,
                                    .heal = true,
                                    .shards = true,
                                    .partial = true},
                              .windows = 3},
                (const uint64_t[]){13, 460, 1003619, 0});
}
END_TEST

/* ---- what agents must not do ---- */

enum mischief { TOO_FEW, TOO_MANY, WRONG_ORDER, LOOK_FAILS, EMIT_FAILS, SOURCE_FAILS, MISCHIEFS };

struct bad_agent {
        const struct model *m;
        enum mischief mischief;
        bool asked;
};

static int bad_look(void *arg, struct gb_reduce *r, unsigned set, const gb_gfid *gfids, unsigned n,
                    struct gb_error *err)
{
        struct bad_agent *a = arg;
        struct gb_fact more = {.gfid = gfids[n - 1], .look = GB_LOOK_ABSENT};

        a->asked = true;
        if (a->mischief == LOOK_FAILS)
                return gb_error_set(err, GB_ERR_TIMEOUT, "look");
        if (a->mischief == TOO_FEW)
                return model_look(a->m, r, set, gfids, n - 1, err);
        if (a->mischief == WRONG_ORDER)
                more.gfid.b[3] ^= 1;
        if (a->mischief != WRONG_ORDER && model_look(a->m, r, set, gfids, n, err) < 0)
                return -1;
        return a->mischief == TOO_MANY || a->mischief == WRONG_ORDER ? gb_reduce_found(r, &more, err) : 0;
}

static int bad_emit(void *arg, const struct gb_op *op, struct gb_error *err)
{
        (void)op;
        return ((struct bad_agent *)arg)->mischief == EMIT_FAILS ? gb_error_set(err, GB_ERR_NO_SPACE, "emit")
                                                                 : 0;
}

static int bad_next(void *arg, struct gb_item *item, struct gb_error *err)
{
        int rc = model_stream_next(arg, item, err);

        return rc ? rc : gb_error_set(err, GB_ERR_NO_AGENT, "next");
}

START_TEST(a_broken_answer_is_an_error)
{
        static const enum gb_code codes[] = {
                [TOO_FEW] = GB_ERR_PROTOCOL,     [TOO_MANY] = GB_ERR_PROTOCOL,
                [WRONG_ORDER] = GB_ERR_PROTOCOL, [LOOK_FAILS] = GB_ERR_TIMEOUT,
                [EMIT_FAILS] = GB_ERR_NO_SPACE,  [SOURCE_FAILS] = GB_ERR_NO_AGENT,
        };
        const struct model_options o = {.sets = 2, .replicas = 1, .migrate = true};
        struct bad_agent a = {.mischief = (enum mischief)_i};
        const struct gb_reduce_ops ops = {.arg = &a, .look = bad_look, .emit = bad_emit};
        struct model_stream streams[2] = {0};
        struct gb_fact_source sources[2];
        struct gb_error err = {0};
        struct gb_reduce *r;
        struct model m;

        model_init(&m, &o, 5);
        a.m = &m;
        for (unsigned i = 0; i < 120; i++)
                model_step(&m, i);
        model_cut(&m);
        for (unsigned b = 0; b < 2; b++) {
                model_stream_fill(&streams[b], &m, b);
                sources[b] =
                        (struct gb_fact_source){.next = _i == SOURCE_FAILS ? bad_next : model_stream_next,
                                                .arg = &streams[b],
                                                .set = b,
                                                .name = "brick"};
        }
        r = gb_reduce_new(sources, 2, 2, 1, &m.volume_id, &ops, &err);
        ck_assert_ptr_nonnull(r);
        ck_assert_int_eq(gb_reduce_run(r, "/tmp", NULL, &err), -1);
        ck_assert_int_eq(err.code, codes[_i]);
        if (_i <= LOOK_FAILS)
                ck_assert(a.asked);
        gb_reduce_free(r);
        model_stream_fini(&streams[0]);
        model_stream_fini(&streams[1]);
        model_fini(&m);
}
END_TEST

/* Facts that no brick would tell: directories in rings, any claims of any object. */
static void put_nonsense(struct model_stream *s, struct random *rnd, const gb_gfid *gfids, unsigned n)
{
        static const char *const names[] = {"a", "b", "c"};
        struct gb_fact f = {0};

        EXPECT(gb_facts_put_brick(&s->bytes, random_below(rnd, 2) ? GB_BRICK_RESTARTED : 0) == 0);
        for (unsigned section = GB_SECTION_DIRS; section <= GB_SECTION_SHARDS; section++) {
                EXPECT(gb_facts_put_section(&s->bytes, section) == 0);
                for (unsigned i = 0; i < n; i++) {
                        struct gb_slot slot = {gfids[random_below(rnd, n)], names[random_below(rnd, 3)], 1};

                        if (random_below(rnd, 2))
                                EXPECT(gb_facts_put_dir(&s->bytes, &gfids[i], &slot) == 0);
                        if (random_below(rnd, 2))
                                continue;
                        gb_fact_reset(&f);
                        f.gfid = gfids[i];
                        f.flags = (uint32_t)random_below(rnd, 32);
                        f.flags = section == GB_SECTION_DIRS     ? f.flags | GB_FACT_DIR
                                  : section == GB_SECTION_SHARDS ? GB_FACT_DATA
                                                                 : f.flags & ~(uint32_t)GB_FACT_DIR;
                        f.look = (enum gb_look)random_below(rnd, 4);
                        f.type = f.look >= GB_LOOK_PRESENT ? (section == GB_SECTION_DIRS ? 'd' : 'f') : 0;
                        for (size_t k = random_below(rnd, 4); section != GB_SECTION_SHARDS && k; k--) {
                                struct gb_claim c = {(enum gb_claim_kind)(1 + random_below(rnd, 5)),
                                                     {gfids[random_below(rnd, n)], names[k - 1], 1}};

                                EXPECT(gb_vec_push(&f.claims, c) == 0);
                        }
                        for (size_t k = f.look >= GB_LOOK_PRESENT ? random_below(rnd, 3) : 0; k; k--) {
                                struct gb_slot name = {gfids[random_below(rnd, n)], names[k - 1], 1};

                                EXPECT(gb_vec_push(&f.names, name) == 0);
                        }
                        EXPECT(gb_facts_put_fact(&s->bytes, &f) == 0);
                }
        }
        gb_fact_fini(&f);
}

static int nonsense_look(void *arg, struct gb_reduce *r, unsigned set, const gb_gfid *gfids, unsigned n,
                         struct gb_error *err)
{
        struct random *rnd = arg;

        (void)set;
        for (unsigned i = 0; i < n; i++) {
                struct gb_fact f = {.gfid = gfids[i], .look = GB_LOOK_ABSENT};
                struct gb_slot slot = {gfids[random_below(rnd, n)], "x", 1};

                if (random_below(rnd, 3) == 0 && gb_reduce_dir(r, &gfids[i], &slot, err) < 0)
                        return -1;
                if (gb_reduce_found(r, &f, err) < 0)
                        return -1;
        }
        return 0;
}

static int nonsense_walk(void *arg, struct gb_reduce *r, unsigned set, struct gb_error *err)
{
        (void)arg, (void)r, (void)set, (void)err;
        return 0;
}

static int nonsense_emit(void *arg, const struct gb_op *op, struct gb_error *err)
{
        (void)arg, (void)err;
        EXPECT(gb_path_valid(op->path, op->len));
        EXPECT(op->kind != GB_OP_RENAME || gb_path_valid(op->old, op->old_len));
        return 0;
}

static unsigned left_out;

static void nonsense_unplaced(void *arg, const struct gb_error *why)
{
        (void)arg;
        EXPECT(why->code == GB_ERR_GAP);
        left_out++;
}

static int by_gfid(const void *a, const void *b)
{
        return gb_gfid_cmp(a, b);
}

START_TEST(nonsense_ends)
{
        double end = now() + from_env("GB_SECONDS", SECONDS) / 2;
        struct random rnd = {(uint64_t)from_env("GB_SEED", 1)};
        unsigned failed = 0, passed = 0, tries = 0;

        left_out = 0;
        do {
                bool lenient = random_below(&rnd, 2);
                const struct gb_reduce_ops ops = {.arg = &rnd,
                                                  .look = nonsense_look,
                                                  .walk = nonsense_walk,
                                                  .emit = nonsense_emit,
                                                  .unplaced = lenient ? nonsense_unplaced : NULL};
                struct model_stream streams[2] = {{.bytes = {.max = 1024 * 1024}},
                                                  {.bytes = {.max = 1024 * 1024}}};
                struct gb_fact_source sources[2];
                gb_gfid gfids[8] = {GB_GFID_ROOT}, sorted[8];
                struct gb_error err = {0};
                struct gb_reduce *r;

                for (unsigned i = 1; i < 8; i++)
                        gfids[i] = random_gfid(&rnd);
                memcpy(sorted, gfids, sizeof(sorted));
                qsort(sorted, 8, sizeof(sorted[0]), by_gfid);
                for (unsigned b = 0; b < 2; b++) {
                        put_nonsense(&streams[b], &rnd, sorted, 1 + (unsigned)random_below(&rnd, 8));
                        gb_facts_reader_init(&streams[b].reader);
                        gb_facts_feed(&streams[b].reader, streams[b].bytes.data, streams[b].bytes.len);
                        sources[b] = (struct gb_fact_source){
                                .next = model_stream_next, .arg = &streams[b], .set = b, .name = "brick"};
                }
                r = gb_reduce_new(sources, 2, 2, 1, &GB_GFID_TRASH, &ops, &err);
                EXPECT(r != NULL);
                if (gb_reduce_run(r, "/tmp", NULL, &err) < 0) {
                        EXPECT((err.code == GB_ERR_GAP && !lenient) || err.code == GB_ERR_AGAIN);
                        failed++;
                } else {
                        passed++;
                }
                gb_reduce_free(r);
                model_stream_fini(&streams[0]);
                model_stream_fini(&streams[1]);
        } while (now() < end || (!left_out && ++tries < 100000)); /* it may be slow, under a sanitizer */
        ck_assert_uint_gt(failed, 0);
        ck_assert_uint_gt(passed, 0);
        ck_assert_uint_gt(left_out, 0);
}
END_TEST

/* Two objects whose names a walk must find, and a third that only looks like one of them: of its gfid every
 * fourth part is that of one of the two (reduce_walk.c). */
struct lookalike {
        gb_gfid wanted[2], third;
        unsigned lines;
};

static int lookalike_walk(void *arg, struct gb_reduce *r, unsigned set, struct gb_error *err)
{
        const struct lookalike *l = arg;
        const struct gb_slot one = {GB_GFID_ROOT, "one", 3}, two = {GB_GFID_ROOT, "two", 3},
                             three = {GB_GFID_ROOT, "three", 5};

        (void)set;
        if (gb_reduce_walked(r, &l->wanted[0], &one, err) < 0 ||
            gb_reduce_walked(r, &l->third, &three, err) < 0)
                return -1;
        return gb_reduce_walked(r, &l->wanted[1], &two, err);
}

static int lookalike_emit(void *arg, const struct gb_op *op, struct gb_error *err)
{
        struct lookalike *l = arg;

        (void)err;
        EXPECT(op->kind == GB_OP_MODIFY && op->len == 3);
        EXPECT(memcmp(op->path, gb_gfid_eq(&op->gfid, &l->wanted[0]) ? "one" : "two", 3) == 0);
        l->lines++;
        return 0;
}

START_TEST(a_walk_comes_by_objects_that_only_look_wanted)
{
        struct lookalike l = {.wanted = {{{1}}, {{2}}}};
        const struct gb_reduce_ops ops = {
                .arg = &l, .look = nonsense_look, .walk = lookalike_walk, .emit = lookalike_emit};
        struct model_stream stream = {.bytes = {.max = 1024 * 1024}};
        struct gb_fact_source source = {.next = model_stream_next, .arg = &stream, .name = "brick"};
        struct gb_fact f = {.look = GB_LOOK_PARTIAL, .type = 'f', .flags = GB_FACT_DATA};
        struct gb_error err = {0};
        struct gb_reduce *r;

        for (unsigned i = 0; i < 16; i++) {
                l.wanted[0].b[i] = (uint8_t)(1 + i);
                l.wanted[1].b[i] = (uint8_t)(101 + i);
                l.third.b[i] = l.wanted[i / 4 % 2].b[i];
        }
        ck_assert(gb_facts_put_brick(&stream.bytes, 0) == 0);
        ck_assert(gb_facts_put_section(&stream.bytes, GB_SECTION_DIRS) == 0);
        ck_assert(gb_facts_put_section(&stream.bytes, GB_SECTION_OBJECTS) == 0);
        for (unsigned i = 0; i < 2; i++) {
                f.gfid = l.wanted[i];
                ck_assert(gb_facts_put_fact(&stream.bytes, &f) == 0);
        }
        ck_assert(gb_facts_put_section(&stream.bytes, GB_SECTION_SHARDS) == 0);
        gb_facts_reader_init(&stream.reader);
        gb_facts_feed(&stream.reader, stream.bytes.data, stream.bytes.len);
        r = gb_reduce_new(&source, 1, 1, 1, &GB_GFID_TRASH, &ops, &err);
        ck_assert_ptr_nonnull(r);
        ck_assert_msg(gb_reduce_run(r, "/tmp", NULL, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(l.lines, 2);
        gb_reduce_free(r);
        model_stream_fini(&stream);
}
END_TEST

/* Both bricks of a set were away for a while, one after the other.  An object was written; one of them still
 * has a name of it that a user took away, and a heal takes that one away without a record. */
struct stale_name {
        gb_gfid gfid;
        bool healed;
        struct gb_slot noted[2]; /* what doubt() was told */
        unsigned n_noted;
        enum gb_revisit revisit;
        char list[2][8]; /* kind and path of each line */
        unsigned lines;
};

/* GB_GFID_ROOT is no constant expression. */
static const struct gb_slot stale_slots[] = {{{{[15] = 1}}, "good", 4}, {{{[15] = 1}}, "stale", 5}};

static int stale_fact(struct stale_name *s, struct gb_fact *f)
{
        *f = (struct gb_fact){.gfid = s->gfid, .look = GB_LOOK_PRESENT, .type = 'f'};
        for (unsigned i = 0; i < (s->healed ? 1 : 2); i++)
                if (gb_vec_push(&f->names, stale_slots[i]) < 0)
                        return -1;
        return 0;
}

static int stale_look(void *arg, struct gb_reduce *r, unsigned set, const gb_gfid *gfids, unsigned n,
                      struct gb_error *err)
{
        struct gb_fact f;
        int rc = stale_fact(arg, &f);

        (void)set;
        EXPECT(n == 1 && gb_gfid_eq(gfids, &f.gfid));
        rc = rc < 0 ? rc : gb_reduce_found(r, &f, err);
        gb_fact_fini(&f);
        return rc;
}

static int stale_doubt(void *arg, const gb_gfid *gfid, const struct gb_slot *names, unsigned n, bool dir,
                       enum gb_revisit revisit, struct gb_error *err)
{
        struct stale_name *s = arg;

        (void)err;
        EXPECT(gb_gfid_eq(gfid, &s->gfid) && !dir && n <= 2);
        for (unsigned i = 0; i < n; i++)
                s->noted[i] = gb_slot_eq(&names[i], &stale_slots[0]) ? stale_slots[0] : stale_slots[1];
        s->n_noted = n;
        s->revisit = revisit;
        return 0;
}

static int stale_emit(void *arg, const struct gb_op *op, struct gb_error *err)
{
        struct stale_name *s = arg;

        (void)err;
        if (op->kind == GB_OP_PRESENT || op->kind == GB_OP_LEFT)
                return 0;
        EXPECT(s->lines < 2);
        snprintf(s->list[s->lines++], sizeof(s->list[0]), "%c %.*s", op->kind == GB_OP_DELETE ? 'D' : 'M',
                 (int)op->len, op->path);
        return 0;
}

/* One window of two bricks with `flags`; `fact` is told by both, if not NULL. */
static void stale_window(struct stale_name *s, uint32_t flags, const struct gb_fact *fact)
{
        const struct gb_reduce_ops ops = {
                .arg = s, .look = stale_look, .emit = stale_emit, .doubt = stale_doubt};
        struct model_stream streams[2] = {0};
        struct gb_fact_source sources[2];
        struct gb_error err = {0};
        struct gb_reduce *r;

        for (unsigned i = 0; i < 2; i++) {
                struct gb_buf *bytes = &streams[i].bytes;

                bytes->max = 4096;
                ck_assert(gb_facts_put_brick(bytes, flags) == 0);
                ck_assert(gb_facts_put_section(bytes, GB_SECTION_DIRS) == 0);
                ck_assert(gb_facts_put_section(bytes, GB_SECTION_OBJECTS) == 0);
                ck_assert(!fact || gb_facts_put_fact(bytes, fact) == 0);
                ck_assert(gb_facts_put_section(bytes, GB_SECTION_SHARDS) == 0);
                gb_facts_reader_init(&streams[i].reader);
                gb_facts_feed(&streams[i].reader, bytes->data, bytes->len);
                sources[i] = (struct gb_fact_source){
                        .next = model_stream_next, .arg = &streams[i], .name = "brick"};
        }
        r = gb_reduce_new(sources, 2, 1, 1, &GB_GFID_TRASH, &ops, &err);
        ck_assert_ptr_nonnull(r);
        if (s->n_noted)
                ck_assert(gb_reduce_boundary(r, &s->gfid, s->noted, s->n_noted, false,
                                             s->revisit != GB_REVISIT_NO, &err) == 0);
        s->n_noted = s->lines = 0;
        s->revisit = GB_REVISIT_NO;
        ck_assert_msg(gb_reduce_run(r, "/tmp", NULL, &err) == 0, "%s", err.text);
        gb_reduce_free(r);
        model_stream_fini(&streams[0]);
        model_stream_fini(&streams[1]);
}

START_TEST(a_name_that_was_stale_while_all_bricks_were_away_is_looked_at_again)
{
        struct stale_name s = {.gfid = {{7}}};
        struct gb_fact written;

        ck_assert(stale_fact(&s, &written) == 0);
        written.flags = GB_FACT_DATA;
        stale_window(&s, 0, &written);
        ck_assert_int_eq(s.revisit, GB_REVISIT_NO);
        ck_assert_uint_eq(s.n_noted, 0);

        stale_window(&s, GB_BRICK_RECONNECTED, &written); /* nobody knows of anything they missed */
        ck_assert_int_eq(s.revisit, GB_REVISIT_NO);
        stale_window(&s, GB_BRICK_UNTOLD, &written);
        ck_assert_int_eq(s.revisit, GB_REVISIT_NO);
        stale_window(&s, GB_BRICK_UNTOLD | GB_BRICK_ACCUSES, &written);
        ck_assert_int_eq(s.revisit, GB_REVISIT_IF_ROOM);
        stale_window(&s, GB_BRICK_RESTARTED, &written);
        ck_assert_uint_eq(s.lines, 2);
        ck_assert_int_eq(s.revisit, GB_REVISIT_IF_ROOM);
        ck_assert_uint_eq(s.n_noted, 2);

        s.healed = true;
        stale_window(&s, 0, NULL);
        ck_assert_uint_eq(s.lines, 1);
        ck_assert_str_eq(s.list[0], "D stale");
        ck_assert_uint_eq(s.n_noted, 0);
        gb_fact_fini(&written);
}
END_TEST

/* A heal has put a directory aside on the brick of set 1, which alone speaks of it; set 0 speaks of a file in
 * it. */
struct aside {
        bool elsewhere; /* set 0 knows where the directory stands */
        char list[4][16];
        unsigned lines, asked, unplaced;
};

static const gb_gfid aside_dir = {{9}};
static const struct gb_slot aside_slot = {{{[15] = 1}}, "d", 1};

static int aside_look(void *arg, struct gb_reduce *r, unsigned set, const gb_gfid *gfids, unsigned n,
                      struct gb_error *err)
{
        struct aside *a = arg;
        struct gb_fact f = {.gfid = aside_dir, .look = GB_LOOK_ABSENT};
        int rc = 0;

        EXPECT(n == 1 && set == 0 && gb_gfid_eq(gfids, &aside_dir));
        a->asked++;
        if (a->elsewhere) {
                f.look = GB_LOOK_PRESENT;
                f.type = 'd';
                rc = gb_vec_push(&f.names, aside_slot);
        }
        rc = rc < 0 ? rc : gb_reduce_found(r, &f, err);
        gb_fact_fini(&f);
        return rc;
}

static int aside_emit(void *arg, const struct gb_op *op, struct gb_error *err)
{
        struct aside *a = arg;

        (void)err;
        EXPECT(a->lines < 4);
        snprintf(a->list[a->lines++], sizeof(a->list[0]), "%c %.*s", op->kind == GB_OP_MODIFY ? 'M' : '?',
                 (int)op->len, op->path);
        return 0;
}

static void aside_unplaced(void *arg, const struct gb_error *why)
{
        EXPECT(why->code == GB_ERR_GAP);
        ((struct aside *)arg)->unplaced++;
}

static int aside_window(struct aside *a, const char *stuck, bool lenient, struct gb_error *err)
{
        const struct gb_reduce_ops ops = {.arg = a,
                                          .look = aside_look,
                                          .emit = aside_emit,
                                          .unplaced = lenient ? aside_unplaced : NULL,
                                          .stuck = stuck};
        struct gb_fact dir = {.gfid = aside_dir, .look = GB_LOOK_PRESENT, .type = 'd'};
        struct gb_fact file = {.gfid = {{10}}, .look = GB_LOOK_PRESENT, .type = 'f', .flags = GB_FACT_DATA};
        struct model_stream streams[2] = {0};
        struct gb_fact_source sources[2];
        struct gb_reduce *r;
        int rc;

        dir.flags = GB_FACT_META | GB_FACT_DIR;
        ck_assert(gb_vec_push(&file.names, ((struct gb_slot){aside_dir, "f", 1})) == 0);
        for (unsigned i = 0; i < 2; i++) {
                struct gb_buf *bytes = &streams[i].bytes;

                bytes->max = 4096;
                ck_assert(gb_facts_put_brick(bytes, 0) == 0);
                ck_assert(gb_facts_put_section(bytes, GB_SECTION_DIRS) == 0);
                ck_assert(i == 0 || gb_facts_put_fact(bytes, &dir) == 0);
                ck_assert(gb_facts_put_section(bytes, GB_SECTION_OBJECTS) == 0);
                ck_assert(i == 1 || (gb_facts_put_dir(bytes, &aside_dir, &aside_slot) == 0 &&
                                     gb_facts_put_fact(bytes, &file) == 0));
                ck_assert(gb_facts_put_section(bytes, GB_SECTION_SHARDS) == 0);
                gb_facts_reader_init(&streams[i].reader);
                gb_facts_feed(&streams[i].reader, bytes->data, bytes->len);
                sources[i] = (struct gb_fact_source){
                        .next = model_stream_next, .arg = &streams[i], .set = i, .name = "brick"};
        }
        r = gb_reduce_new(sources, 2, 2, 1, &GB_GFID_TRASH, &ops, err);
        ck_assert_ptr_nonnull(r);
        rc = gb_reduce_run(r, "/tmp", NULL, err);
        gb_reduce_free(r);
        gb_fact_fini(&file);
        model_stream_fini(&streams[0]);
        model_stream_fini(&streams[1]);
        return rc;
}

START_TEST(a_directory_put_aside_by_a_heal_stands_where_other_sets_say)
{
        struct aside a = {.elsewhere = true};
        struct gb_error err = {0};

        ck_assert_msg(aside_window(&a, NULL, false, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(a.asked, 1);
        ck_assert_uint_eq(a.lines, 2);
        ck_assert_str_eq(a.list[0], "M d");
        ck_assert_str_eq(a.list[1], "M d/f");
}
END_TEST

START_TEST(a_directory_that_stands_nowhere_is_a_gap_when_trying_again_does_not_help)
{
        struct aside a = {.elsewhere = false};
        struct gb_error err = {0};

        ck_assert(aside_window(&a, NULL, false, &err) < 0);
        ck_assert_int_eq(err.code, GB_ERR_AGAIN);
        ck_assert(aside_window(&a, NULL, true, &err) < 0);
        ck_assert_int_eq(err.code, GB_ERR_AGAIN);
        ck_assert(aside_window(&a, "heals wait", false, &err) < 0);
        ck_assert_int_eq(err.code, GB_ERR_GAP);
        ck_assert_ptr_nonnull(strstr(err.text, "stands nowhere: heals wait"));
        ck_assert_uint_eq(a.lines + a.unplaced, 0);
        ck_assert_msg(aside_window(&a, "heals wait", true, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(a.unplaced, 1);
        ck_assert_uint_eq(a.lines, 0);
}
END_TEST

static Suite *suite(void)
{
        Suite *s = suite_create("reduce");
        TCase *tc = tcase_create("model");

        tcase_set_timeout(tc, 0);
        tcase_add_test(tc, one_window_of_one_brick);
        tcase_add_test(tc, several_windows_in_a_row);
        tcase_add_test(tc, replicas_and_any_order_of_sources);
        tcase_add_test(tc, a_replica_was_down_and_is_healed);
        tcase_add_test(tc, a_replica_was_down_in_any_order_of_sources);
        tcase_add_test(tc, a_replica_is_healed_when_it_suits_it);
        tcase_add_test(tc, linkto_files_and_late_directories);
        tcase_add_test(tc, files_migrate_silently);
        tcase_add_test(tc, writes_in_shards);
        tcase_add_test(tc, names_that_no_xattr_tells_come_from_a_walk);
        tcase_add_test(tc, time_goes_on_between_the_cut_and_the_look);
        tcase_add_test(tc, paths_below_renamed_directories);
        tcase_add_test(tc, all_of_it_together);
        tcase_add_loop_test(tc, a_broken_answer_is_an_error, 0, MISCHIEFS);
        tcase_add_test(tc, a_walk_comes_by_objects_that_only_look_wanted);
        tcase_add_test(tc, nonsense_ends);
        tcase_add_test(tc, a_name_that_was_stale_while_all_bricks_were_away_is_looked_at_again);
        tcase_add_test(tc, a_directory_put_aside_by_a_heal_stands_where_other_sets_say);
        tcase_add_test(tc, a_directory_that_stands_nowhere_is_a_gap_when_trying_again_does_not_help);
        suite_add_tcase(s, tc);
        return s;
}

int main(void)
{
        SRunner *sr = srunner_create(suite());
        int failed;

        srunner_run_all(sr, CK_NORMAL);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
