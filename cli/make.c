/*
 * make - see make.h.
 *
 * The first list of a session.  A scan takes time, and names move meanwhile: one may be passed over
 * because it moved from a place not yet visited to one already visited.  So the records written while
 * the scan ran are reduced as well, and every name they tell of is added.  The list then holds at least
 * all names of the tree at its end; a listed name that is gone by then is skipped by whoever reads it.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "fit.h"
#include "make.h"
#include "progress.h"
#include "scan.h"
#include "selection.h"
#include "spool.h"

/* The next paths of a scan, or the next entry if the list is more than paths: 1, 0 at the end, -1. */
static int list_some(struct gb_list *l, struct gb_scan *s, struct gb_error *err)
{
        struct gb_merge_lines lines;
        struct gb_entry e;
        int rc = gb_list_lines(l, &lines, err);

        if (rc < 0)
                return -1;
        if (rc == 1) {
                rc = gb_scan_lines(s, &lines, err);
                gb_list_lined(l, &lines);
                if (rc < 1 || !lines.unusual)
                        return rc;
        }
        rc = gb_scan_next(s, &e, err);
        return rc == 1 && gb_list_entry(l, &e, err) < 0 ? -1 : rc;
}

int gb_make_full(const struct gb_cli *c, struct gb_volume *v, struct gb_list *l, bool *complete,
                 struct gb_error *err)
{
        struct gb_scan_options o = {
                .gfids = l->format->wants_gfids, .only_set = -1, .select = l->info->select};
        unsigned missing = 0;
        struct gb_scan *s;
        int rc = -1;

        gb_progress_say(c, "full list");
        s = gb_scan_open(c, v, &o, &missing, err);
        while (s && (rc = list_some(l, s, err)) == 1)
                gb_progress_tick(c, "full list", l->counts.entries);
        gb_scan_close(s);
        *complete = !missing;
        return rc < 0 ? -1 : gb_list_finish(l, *complete, err);
}

static int write_ops(const struct gb_cli *c, struct gb_sorter *ops, struct gb_list *l, struct gb_error *err)
{
        struct gb_fold *f;
        struct gb_op op;
        int rc = -1;

        if (gb_sorter_finish(ops, err) < 0)
                return -1;
        f = gb_fold_new(ops, err);
        while (f && (rc = gb_fold_next(f, &op, err)) == 1) {
                gb_progress_tick(c, "changes", l->counts.entries);
                if (gb_list_op(l, &op, err) < 0) {
                        rc = -1;
                        break;
                }
        }
        gb_fold_free(f);
        return rc;
}

/* Is anything left out?  Then a renamed directory may be told only in part. */
static bool chooses(const struct gb_list *l)
{
        return l->info->types || !gb_select_every_path(l->info->select);
}

static bool measures(const struct gb_list *l)
{
        return l->info->select && !gb_measure_none(&l->info->select->measure);
}

/* One way to choose among folded ops. */
typedef int choice(const struct gb_cli *c, struct gb_volume *v, const struct gb_list_info *i,
                   struct gb_fold *in, struct gb_sorter *out, struct gb_error *err);

static int choose_paths(const struct gb_cli *c, struct gb_volume *v, const struct gb_list_info *i,
                        struct gb_fold *in, struct gb_sorter *out, struct gb_error *err)
{
        (void)c;
        (void)v;
        return gb_selection_apply(i->select, i->types, in, out, err);
}

static int choose_measured(const struct gb_cli *c, struct gb_volume *v, const struct gb_list_info *i,
                           struct gb_fold *in, struct gb_sorter *out, struct gb_error *err)
{
        return gb_fit_apply(c, v, &i->select->measure, in, out, err);
}

/* What is chosen, in a sorter in place of the given one. */
static int choose_by(choice *by, const struct gb_cli *c, struct gb_volume *v, const struct gb_list *l,
                     struct gb_sorter **ops, struct gb_error *err)
{
        struct gb_sorter *chosen;
        struct gb_fold *f;
        int rc;

        if (gb_sorter_finish(*ops, err) < 0)
                return -1;
        chosen = gb_ops_sorter(err);
        f = chosen ? gb_fold_new(*ops, err) : NULL;
        rc = f ? by(c, v, l->info, f, chosen, err) : -1;
        gb_fold_free(f);
        if (rc < 0) {
                gb_sorter_free(chosen);
                return -1;
        }
        gb_sorter_free(*ops);
        *ops = chosen;
        return 0;
}

/* What of the window concerns the selection. */
static int choose(const struct gb_cli *c, struct gb_volume *v, const struct gb_list *l,
                  struct gb_sorter **ops, struct gb_error *err)
{
        if (chooses(l) && choose_by(choose_paths, c, v, l, ops, err) < 0)
                return -1;
        return measures(l) ? choose_by(choose_measured, c, v, l, ops, err) : 0;
}

/* How often a window is collected anew because directories moved under it. */
#define COLLECT_TRIES 4

/* A replica set with pending heals; NULL: there is none. */
static const struct gb_vbrick *healing(const struct gb_volume *v)
{
        for (unsigned set = 0; v->set_size > 1 && set < v->n_sets; set++)
                if (gb_volume_heals(v, set))
                        return &v->bricks[set * v->set_size];
        return NULL;
}

/* What a heal has put aside, and does not put back, stands nowhere, however often one looks. */
static bool is_stuck(const struct gb_volume *v, struct gb_window *w)
{
        const struct gb_vbrick *b = healing(v);

        if (!b)
                return false;
        snprintf(w->stuck, sizeof(w->stuck),
                 "heals of replica set %u (%s and its siblings) wait and do not end; mend them, see gluster "
                 "volume heal %s info, or run a full list",
                 b->set, b->name, v->name);
        return true;
}

/* The ops of a window in a sorter the caller frees; NULL on failure. */
static struct gb_sorter *collect(const struct gb_cli *c, struct gb_volume *v, struct gb_window *w,
                                 struct gb_error *err)
{
        struct gb_error last = {0};

        w->stuck[0] = '\0';
        for (unsigned tries = 1;; tries++) {
                struct gb_sorter *ops = gb_ops_sorter(err);

                if (!ops || gb_window_collect(c, v, w, ops, err) == 0)
                        return ops;
                gb_sorter_free(ops);
                if (err->code != GB_ERR_AGAIN || tries > COLLECT_TRIES)
                        return NULL;
                if (tries == COLLECT_TRIES && (strcmp(err->text, last.text) != 0 || !is_stuck(v, w)))
                        return NULL;
                last = *err;
                gb_window_again(w, v);
        }
}

int gb_make_changes(const struct gb_cli *c, struct gb_volume *v, struct gb_window *w, struct gb_list *l,
                    struct gb_error *err)
{
        struct gb_sorter *ops;
        int rc = -1;

        w->expand = l->format->wants_expanded || chooses(l);
        gb_progress_say(c, "reading history");
        ops = collect(c, v, w, err);
        if (ops && choose(c, v, l, &ops, err) == 0 && write_ops(c, ops, l, err) == 0) {
                l->counts.skipped += w->stats.too_long;
                rc = gb_list_finish(l, true, err);
        }
        gb_sorter_free(ops);
        return rc;
}

/* ---- the first list of a session ---- */

static int take_positions(const struct gb_cli *c, struct gb_volume *v, struct gb_window *w,
                          struct gb_error *err)
{
        bool told = false;

        for (unsigned i = 0; i < v->n_bricks; i++) {
                struct gb_vbrick *b = &v->bricks[i];

                if (!b->usable)
                        continue;
                if (!b->status.last_slice && !told) {
                        gb_note(c, "waiting for the first changelog rollover of the bricks (up to %u s)",
                                gb_volume_rollover_wait(b) / 1000);
                        told = true;
                }
                gb_progress_say(c, "taking positions");
                if (gb_call_cursor(b->node->control, v->name, b->path, gb_volume_rollover_wait(b),
                                   &w->bricks[i].from, err) == 0)
                        continue;
                if (!gb_volume_spares(err->code))
                        return gb_error_prefix(err, "%s", b->name);
                gb_note(c, "%s: %s", b->name, err->text); /* its siblings tell its part */
                b->usable = false;
                b->error = *err;
        }
        return 0;
}

static int spool_scan(const struct gb_cli *c, struct gb_volume *v, const struct gb_list *l,
                      struct gb_spool *spool, struct gb_error *err)
{
        struct gb_scan_options o = {
                .gfids = l->format->wants_gfids, .only_set = -1, .select = l->info->select};
        struct gb_entry e;
        struct gb_scan *s;
        uint64_t n = 0;
        int rc = -1;

        gb_progress_say(c, "full list");
        s = gb_scan_open(c, v, &o, NULL, err);
        while (s && (rc = gb_scan_next(s, &e, err)) == 1) {
                gb_progress_tick(c, "full list", n++);
                if (gb_spool_add(spool, &e, err) < 0) {
                        rc = -1;
                        break;
                }
        }
        gb_scan_close(s);
        return rc < 0 ? -1 : gb_spool_rewind(spool, err);
}

/* The next op of the additions that names something of the present tree. */
static int next_addition(const struct gb_list *l, struct gb_fold *f, struct gb_entry *e, struct gb_error *err)
{
        struct gb_op op;
        int rc;

        while ((rc = gb_fold_next(f, &op, err)) == 1) {
                if (op.kind == GB_OP_DELETE || !gb_select_has(l->info->select, op.path, op.len))
                        continue;
                *e = (struct gb_entry){.path = op.path,
                                       .len = op.len,
                                       .type = op.type,
                                       .has_gfid = op.has_gfid,
                                       .gfid = op.gfid};
                return 1;
        }
        return rc;
}

/* Both in path order; a path that comes twice (from both, or as RENAME and MODIFY) is listed once. */
static int merge_into(struct gb_list *l, struct gb_spool *spool, struct gb_fold *additions,
                      struct gb_error *err)
{
        struct gb_entry a, b;
        char last[GB_PATH_MAX];
        size_t last_len = 0;
        int ra = gb_spool_next(spool, &a, err), rb = next_addition(l, additions, &b, err);

        while (ra > 0 || rb > 0) {
                bool from_spool = rb <= 0 || (ra > 0 && gb_path_cmp(a.path, a.len, b.path, b.len) <= 0);
                const struct gb_entry *e = from_spool ? &a : &b;

                if (ra < 0 || rb < 0)
                        return -1;
                if (e->len != last_len || memcmp(e->path, last, last_len) != 0) {
                        if (gb_list_entry(l, e, err) < 0)
                                return -1;
                        memcpy(last, e->path, e->len);
                        last_len = e->len;
                }
                if (from_spool)
                        ra = gb_spool_next(spool, &a, err);
                else
                        rb = next_addition(l, additions, &b, err);
        }
        return ra < 0 || rb < 0 ? -1 : 0;
}

static int list_first(const struct gb_cli *c, struct gb_volume *v, struct gb_window *w, struct gb_list *l,
                      struct gb_spool *spool, struct gb_error *err)
{
        struct gb_sorter *ops = NULL;
        struct gb_fold *f = NULL;
        int rc = -1;

        if (take_positions(c, v, w, err) < 0 || spool_scan(c, v, l, spool, err) < 0)
                return -1;
        w->expand = true;
        w->first = true;
        ops = collect(c, v, w, err);
        memset(w->full_sets, 0, v->n_sets * sizeof(*w->full_sets)); /* all of them, anyway */
        w->n_full_sets = 0;
        if (ops && (!measures(l) || choose_by(choose_measured, c, v, l, &ops, err) == 0) &&
            gb_sorter_finish(ops, err) == 0)
                f = gb_fold_new(ops, err);
        if (f)
                rc = merge_into(l, spool, f, err);
        gb_fold_free(f);
        gb_sorter_free(ops);
        return rc;
}

int gb_make_first(const struct gb_cli *c, struct gb_volume *v, struct gb_window *w, struct gb_list *l,
                  struct gb_error *err)
{
        struct gb_spool *spool = gb_spool_new(err);
        int rc = -1;

        if (spool && list_first(c, v, w, l, spool, err) == 0)
                rc = gb_list_finish(l, true, err);
        gb_spool_free(spool);
        return rc;
}

/* What moved while the positions were taken is of no interest here, but its boundary set is: events that not
 * every brick had delivered come again in the next window. */
int gb_make_mark(const struct gb_cli *c, struct gb_volume *v, struct gb_window *w, struct gb_error *err)
{
        struct gb_sorter *ops;

        if (take_positions(c, v, w, err) < 0)
                return -1;
        ops = collect(c, v, w, err);
        gb_sorter_free(ops);
        return ops ? 0 : -1;
}
