/*
 * window_scan - what walks add to a window: names no xattr tells, replica sets listed in full, what lies
 * below renamed directories, changes that have no record.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "progress.h"
#include "scan.h"
#include "sweep.h"
#include "window_core.h"

/* Seconds that records and ctimes of one change may lie apart. */
#define SWEEP_SLACK 2

/* Parents of a walk in path order: the directories on the way to the current entry. */
struct parents {
        GB_VEC(struct level) levels;
};

struct level {
        size_t len; /* of the directory's path */
        gb_gfid gfid;
};

/* gfid of the directory that holds `e`; false if the walk did not bring it. */
static bool parent_of(struct parents *p, const struct gb_entry *e, size_t *name_at, gb_gfid *out)
{
        const char *slash = memrchr(e->path, '/', e->len);
        size_t dir_len = slash ? (size_t)(slash - e->path) : 0;

        *name_at = slash ? dir_len + 1 : 0;
        while (p->levels.n && p->levels.v[p->levels.n - 1].len > dir_len)
                p->levels.n--;
        if (!dir_len) {
                *out = GB_GFID_ROOT;
                return true;
        }
        if (!p->levels.n || p->levels.v[p->levels.n - 1].len != dir_len)
                return false;
        *out = p->levels.v[p->levels.n - 1].gfid;
        return true;
}

static int walk_entry(struct gb_reduce *r, struct parents *p, const struct gb_entry *e, struct gb_error *err)
{
        struct gb_slot slot;
        size_t at;

        if (!e->has_gfid || !parent_of(p, e, &at, &slot.parent))
                return 0;
        slot.name = e->path + at;
        slot.len = e->len - at;
        if (e->type == 'd') {
                struct level l = {e->len, e->gfid};

                if (gb_vec_push(&p->levels, l) < 0)
                        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                return gb_reduce_dir(r, &e->gfid, &slot, err);
        }
        return gb_reduce_walked(r, &e->gfid, &slot, err);
}

int gb_window_walk(void *arg, struct gb_reduce *r, unsigned set, struct gb_error *err)
{
        struct collect *k = arg;
        struct gb_scan_options o = {.gfids = true, .only_set = (int)set};
        struct gb_scan *s;
        struct parents p = {GB_VEC_INIT};
        struct gb_entry e;
        int rc;

        gb_note(k->cli,
                "replica set %u: some objects have names that no xattr tells; looking for them by a walk",
                set);
        s = gb_scan_open(k->cli, k->volume, &o, NULL, err);
        if (!s)
                return -1;
        while ((rc = gb_scan_next(s, &e, err)) == 1)
                if (walk_entry(r, &p, &e, err) < 0) {
                        rc = -1;
                        break;
                }
        gb_vec_free(&p.levels);
        gb_scan_close(s);
        return rc;
}

/* ---- replica sets in full ---- */

static int add_full_entry(struct collect *k, struct parents *p, const struct gb_entry *e,
                          struct gb_error *err)
{
        struct gb_op op = gb_op_of_entry(GB_OP_NEW, e);
        struct level l = {e->len, e->gfid};
        size_t at;

        if (!parent_of(p, e, &at, &op.parent))
                return gb_error_set(err, GB_ERR_AGAIN,
                                    "directories moved while a replica set was listed; try again");
        if (e->type == 'd' && gb_vec_push(&p->levels, l) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        return gb_window_add(k, &op, err);
}

int gb_window_list_full_sets(struct collect *k, struct gb_error *err)
{
        for (unsigned set = 0; set < k->volume->n_sets; set++) {
                struct gb_scan_options o = {.gfids = true, .only_set = (int)set};
                struct parents p = {GB_VEC_INIT};
                struct gb_scan *s;
                struct gb_entry e;
                int rc = -1;

                if (!k->window->full_sets[set])
                        continue;
                s = gb_scan_open(k->cli, k->volume, &o, NULL, err);
                while (s && (rc = gb_scan_next(s, &e, err)) == 1)
                        if (add_full_entry(k, &p, &e, err) < 0) {
                                rc = -1;
                                break;
                        }
                gb_vec_free(&p.levels);
                gb_scan_close(s);
                if (rc < 0)
                        return -1;
        }
        return 0;
}

/* ---- what lies below renamed directories ---- */

static int root_cmp(const void *a, const void *b)
{
        const struct root *x = a, *y = b;

        return gb_path_cmp(x->path, x->len, y->path, y->len);
}

/* A root of the scan, by now another directory's path: what is below it belongs to that one. */
static bool is_anothers(const struct collect *k, const struct gb_entry *e)
{
        const struct root key = {(char *)e->path, e->len, {{0}}}, *root;

        if (!e->has_gfid || e->type != 'd')
                return false;
        root = bsearch(&key, k->roots.v, k->roots.n, sizeof(key), root_cmp);
        return root && !gb_gfid_eq(&root->gfid, &e->gfid);
}

static int expand_some(struct collect *k, const struct gb_slice_of_path *roots, unsigned n,
                       struct gb_error *err)
{
        struct gb_scan_options o = {.roots = roots, .n_roots = n, .only_set = -1, .gfids = k->window->first};
        struct gb_scan *s = gb_scan_open(k->cli, k->volume, &o, NULL, err);
        struct gb_entry e;
        int rc = -1;

        while (s && (rc = gb_scan_next(s, &e, err)) == 1) {
                struct gb_op op = {
                        .kind = GB_OP_NEW, .path = e.path, .len = e.len, .type = e.type, .expanded = true};

                if (!k->window->expand) {
                        op.kind = GB_OP_MODIFY;
                        op.flags = GB_FACT_DATA | GB_FACT_META;
                        op.expanded = false;
                }
                if (is_anothers(k, &e))
                        rc = gb_error_set(
                                err, GB_ERR_AGAIN,
                                "a renamed directory moved while what is below it was listed; try again");
                else
                        rc = gb_window_add(k, &op, err);
                if (rc < 0)
                        break;
        }
        gb_scan_close(s);
        return rc;
}

/* Call `some` for the renamed directories that lie in no other, as many at a time as a scan takes. */
static int each_root(struct collect *k,
                     int (*some)(struct collect *k, const struct gb_slice_of_path *roots, unsigned n,
                                 struct gb_error *err),
                     struct gb_error *err)
{
        struct gb_slice_of_path roots[GB_ROOTS_MAX];
        const struct root *outer = NULL;
        unsigned n = 0;

        if (k->roots.n)
                qsort(k->roots.v, k->roots.n, sizeof(*k->roots.v), root_cmp);
        for (size_t i = 0; i < k->roots.n; i++) {
                const struct root *root = &k->roots.v[i];

                if (outer && gb_path_within(root->path, root->len, outer->path, outer->len))
                        continue;
                outer = root;
                roots[n].path = root->path;
                roots[n++].len = root->len;
                if (n == GB_ROOTS_MAX) {
                        if (some(k, roots, n, err) < 0)
                                return -1;
                        n = 0;
                }
        }
        return n ? some(k, roots, n, err) : 0;
}

int gb_window_expand(struct collect *k, struct gb_error *err)
{
        return each_root(k, expand_some, err);
}

/* ---- what has no record ---- */

/* Directories are left out: each new name changes their ctime, and nothing of theirs goes unrecorded. */
static int add_swept(void *arg, const struct gb_entry *e, struct gb_error *err)
{
        struct collect *k = arg;
        struct gb_op op = gb_op_of_entry(GB_OP_MODIFY, e);

        return e->type == 'd' ? 0 : gb_window_add(k, &op, err);
}

/* From when on ctimes matter on a brick; one that told no window has its siblings'. */
static int64_t since(const struct gb_brick_window *w, bool before)
{
        int64_t from = w->by_time ? w->start : before && w->before_from ? w->before_from : w->window_from;

        return from > SWEEP_SLACK ? from - SWEEP_SLACK : 1;
}

static void widen(struct gb_scan_time *t, int64_t ahead)
{
        if (ahead < 0 && t->since > 1)
                t->since = t->since + ahead > 1 ? t->since + ahead : 1;
        if (ahead > 0 && t->until)
                t->until += ahead;
}

static void fill_times(const struct collect *k, struct gb_scan_time *times, bool before)
{
        const struct gb_volume *v = k->volume;

        for (unsigned i = 0; i < v->n_bricks; i++) {
                const struct gb_brick_window *w = &k->window->bricks[i];
                unsigned set = v->bricks[i].set;
                int64_t least = INT64_MAX; /* of a set that is listed in full: nothing is left to be added */

                for (unsigned n = 0; n < v->set_size; n++) {
                        const struct gb_brick_window *other = &k->window->bricks[set * v->set_size + n];

                        if (other->whole && since(other, before) < least)
                                least = since(other, before);
                }
                times[i].since = w->whole ? since(w, before) : least;
                times[i].until = w->by_time && w->end ? w->end + SWEEP_SLACK : 0;
                if (w->by_time) /* whose clock ctimes are of is not known: both */
                        widen(&times[i], v->bricks[i].ahead);
                if (times[i].until && times[i].until < times[i].since)
                        times[i].until = times[i].since;
        }
}

static int sweep_all(struct collect *k, const struct gb_scan_time *times, struct gb_error *err)
{
        const struct gb_sweep s = {.cli = k->cli,
                                   .volume = k->volume,
                                   .times = times,
                                   .gfids = true,
                                   .found = add_swept,
                                   .arg = k};

        return gb_sweep(&s, err);
}

/*
 * What changed without a record in the window before may have been renamed, with a directory, before it was
 * read: below renamed directories the sweep goes back that far.  (A renamed file has a new ctime itself.)
 */
static int sweep_some(struct collect *k, const struct gb_slice_of_path *roots, unsigned n,
                      struct gb_error *err)
{
        struct gb_scan_options o = {
                .roots = roots, .n_roots = n, .gfids = true, .times = k->times, .only_set = -1};
        struct gb_scan *s = gb_scan_open(k->cli, k->volume, &o, NULL, err);
        struct gb_entry e;
        int rc = -1;

        while (s && (rc = gb_scan_next(s, &e, err)) == 1)
                if (add_swept(k, &e, err) < 0) {
                        rc = -1;
                        break;
                }
        gb_scan_close(s);
        return rc;
}

int gb_window_sweep(struct collect *k, struct gb_error *err)
{
        int rc;

        gb_progress_say(k->cli, "sweeping");
        k->times = calloc(k->volume->n_bricks + 1, sizeof(*k->times));
        if (!k->times)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        fill_times(k, k->times, false);
        rc = sweep_all(k, k->times, err);
        fill_times(k, k->times, true);
        if (rc == 0)
                rc = each_root(k, sweep_some, err);
        free(k->times);
        return rc;
}
