/*
 * scan - see scan.h.
 *
 * A lane is one feed, and merge.[ch] makes one list of all of them; sets that must be united have several. Of
 * equal paths the first lane's entry stays.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "feed.h"
#include "merge.h"
#include "scan.h"
#include "wire_error.h"

struct lane {
        struct gb_vbrick *brick;
        struct gb_feed *feed;
        uint64_t before; /* entries of the agents that it replaced */
        bool united;     /* with others of its set, since each may be behind */
};

struct gb_scan {
        const struct gb_cli *cli;
        struct gb_volume *volume;
        struct gb_scan_options o;
        gbx_path *roots;
        gbx_rule *rules;
        struct gb_slice_of_path scope;
        unsigned chunk;
        struct lane *lanes;
        unsigned n_lanes;
        struct gb_merge *merge;
};

/* Nothing is measured, and so everything fits, where it cannot be known: on an arbiter, and (to say that a
 * file does not fit) on bricks of which none knows all. */
static void measure_for(const struct gb_scan *s, const struct lane *l, gbx_scan_fit *q)
{
        const struct gb_measure *m = &s->o.select->measure;

        q->unfit = s->o.unfit;
        if (l->brick->arbiter || (s->o.unfit && l->united))
                return;
        q->size_from = m->size_from;
        q->size_below = m->size_below;
        q->newer = m->newer;
}

static void query_for(const struct gb_scan *s, const struct lane *l, gbx_query *q)
{
        const struct gb_block_reader *so_far = gb_merge_reader(s->merge, (unsigned)(l - s->lanes));
        gbx_scan *scan = &q->gbx_query_u.scan;

        memset(q, 0, sizeof(*q));
        q->kind = GBX_SCAN;
        if (s->o.select && !gb_measure_none(&s->o.select->measure)) {
                q->kind = GBX_SCAN_FIT;
                scan = &q->gbx_query_u.fit.scan;
                measure_for(s, l, &q->gbx_query_u.fit);
        }
        scan->after.gbx_path_val = (char *)(uintptr_t)so_far->path;
        scan->after.gbx_path_len = (unsigned)so_far->len;
        scan->linkto = s->volume->n_sets > 1;
        scan->gfids = s->o.gfids;
        scan->shards = s->o.shards;
        if (s->o.times) {
                scan->changed_since = s->o.times[l->brick - s->volume->bricks].since;
                scan->changed_until = s->o.times[l->brick - s->volume->bricks].until;
        }
        if (s->o.select && s->o.select->scope) {
                scan->scope.gbx_path_val = s->o.select->scope;
                scan->scope.gbx_path_len = (unsigned)s->o.select->scope_len;
        }
        scan->rules.rules_val = s->rules;
        scan->rules.rules_len = s->o.select ? (unsigned)s->o.select->rules.n : 0;
        scan->roots.roots_val = s->roots;
        scan->roots.roots_len = s->o.n_roots;
}

static int open_lane(struct gb_scan *s, struct lane *l, struct gb_error *err)
{
        gbx_query q;
        struct gb_client *client = gb_volume_connect(s->cli, s->volume, l->brick, err);

        if (!client)
                return -1;
        query_for(s, l, &q);
        l->before = gb_merge_reader(s->merge, (unsigned)(l - s->lanes))->count;
        l->feed = gb_feed_open(client, s->volume->name, l->brick->path, l->brick->name, &q, s->chunk, err);
        l->brick->scanned = l->brick->scanned || l->feed;
        return l->feed ? 0 : -1;
}

/* Continue a lane whose agent failed on a sibling that no lane has used.  -1: none is left. */
static int replace(struct gb_scan *s, struct lane *l, struct gb_error *why, struct gb_error *err)
{
        unsigned set = l->brick->set, base = set * s->volume->set_size;

        gb_feed_close(l->feed);
        l->feed = NULL;
        gb_error_prefix(why, "%s", l->brick->name);
        l->brick->usable = false;
        l->brick->error = *why;
        for (unsigned i = 0; i < s->volume->set_size; i++) {
                struct gb_vbrick *b = &s->volume->bricks[base + i];

                if (!b->usable || b->blamed || b->shunned)
                        continue;
                gb_note(s->cli, "%s; continuing on %s", why->text, b->name);
                l->brick = b;
                if (open_lane(s, l, err) == 0)
                        return 0;
                if (!gb_volume_spares(err->code))
                        return -1;
                b->usable = false;
                b->error = *err;
        }
        return gb_error_set(err, GB_ERR_INCOMPLETE, "%.600s; no other brick of replica set %u can stand in",
                            why->text, set);
}

/* A lane's next block: 1, 0 at its end, -1. */
static int more(void *arg, unsigned lane, const void **data, size_t *len, struct gb_error *err)
{
        struct gb_scan *s = arg;
        struct lane *l = &s->lanes[lane];

        for (;;) {
                struct gb_error why = {0};
                int rc = gb_feed_next(l->feed, data, len, &why);

                if (rc == 1)
                        return 1;
                if (rc == 0)
                        return gb_feed_check(l->feed, gb_merge_reader(s->merge, lane)->count - l->before,
                                             err);
                if (!gb_volume_spares(why.code) || replace(s, l, &why, err) < 0) {
                        if (!gb_volume_spares(why.code) && err)
                                *err = why;
                        return -1;
                }
        }
}

static void blame(void *arg, unsigned lane, struct gb_error *err)
{
        struct gb_scan *s = arg;

        gb_error_prefix(err, "%s", s->lanes[lane].brick->name);
}

static int add_set(struct gb_scan *s, unsigned set, unsigned *missing, struct gb_error *err)
{
        struct gb_vbrick *pick[GB_BRICKS_MAX];
        unsigned n = gb_volume_pick(s->volume, set, pick, err);

        if (!n) {
                if (!s->cli->o.partial || !missing)
                        return -1;
                gb_say("%s", err->text);
                ++*missing;
                return 0;
        }
        for (unsigned i = 0; i < n; i++) {
                struct lane *l = &s->lanes[s->n_lanes++];

                l->brick = pick[i];
                l->united = n > 1;
        }
        return 0;
}

static int start_lanes(struct gb_scan *s, struct gb_error *err)
{
        static const struct gb_merge_source from = {more, blame};

        s->chunk = gb_feed_chunk(s->n_lanes);
        s->merge = gb_merge_new(s->n_lanes, &from, s, err);
        if (!s->merge)
                return -1;
        for (unsigned i = 0; i < s->n_lanes; i++) {
                struct gb_error why = {0};

                if (open_lane(s, &s->lanes[i], &why) == 0)
                        continue;
                if (!gb_volume_spares(why.code)) {
                        *err = why;
                        return -1;
                }
                if (replace(s, &s->lanes[i], &why, err) < 0)
                        return -1;
        }
        return gb_merge_start(s->merge, err);
}

static int copy_rules(struct gb_scan *s, struct gb_error *err)
{
        size_t n = s->o.select ? s->o.select->rules.n : 0;

        s->rules = calloc(n + 1, sizeof(*s->rules));
        if (!s->rules)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        for (size_t i = 0; i < n; i++) {
                const struct gb_select_rule *r = &s->o.select->rules.v[i];

                s->rules[i].exclude = r->exclude;
                s->rules[i].glob.glob_val = r->glob;
                s->rules[i].glob.glob_len = (unsigned)strlen(r->glob);
        }
        return 0;
}

/* The subtree of a selection is read as any other. */
static const struct gb_slice_of_path *scope_root(const struct gb_select *select,
                                                 struct gb_slice_of_path *root)
{
        if (!select || !select->scope)
                return NULL;
        *root = (struct gb_slice_of_path){select->scope, select->scope_len};
        return root;
}

static int copy_roots(struct gb_scan *s, struct gb_error *err)
{
        if (!s->o.n_roots)
                return 0;
        s->roots = calloc(s->o.n_roots, sizeof(*s->roots));
        if (!s->roots)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        for (unsigned i = 0; i < s->o.n_roots; i++) {
                s->roots[i].gbx_path_val = (char *)(uintptr_t)s->o.roots[i].path;
                s->roots[i].gbx_path_len = (unsigned)s->o.roots[i].len;
        }
        return 0;
}

struct gb_scan *gb_scan_open(const struct gb_cli *c, struct gb_volume *v, const struct gb_scan_options *o,
                             unsigned *missing, struct gb_error *err)
{
        struct gb_scan *s = calloc(1, sizeof(*s));

        if (!s)
                goto no_memory;
        s->cli = c;
        s->volume = v;
        s->o = *o;
        s->lanes = calloc(v->n_bricks + 1, sizeof(*s->lanes));
        if (!s->lanes)
                goto no_memory;
        if (!s->o.roots && !s->o.shards && (s->o.roots = scope_root(o->select, &s->scope)))
                s->o.n_roots = 1;
        if (copy_roots(s, err) < 0 || copy_rules(s, err) < 0)
                goto fail;
        for (unsigned set = 0; set < v->n_sets; set++)
                if ((o->only_set < 0 || o->only_set == (int)set) && add_set(s, set, missing, err) < 0)
                        goto fail;
        if (start_lanes(s, err) < 0)
                goto fail;
        return s;
no_memory:
        gb_error_set(err, GB_ERR_MEMORY, "out of memory");
fail:
        gb_scan_close(s);
        return NULL;
}

int gb_scan_next(struct gb_scan *s, struct gb_entry *e, struct gb_error *err)
{
        return gb_merge_take(s->merge, e, err);
}

int gb_scan_lines(struct gb_scan *s, struct gb_merge_lines *l, struct gb_error *err)
{
        return gb_merge_lines(s->merge, l, err);
}

void gb_scan_close(struct gb_scan *s)
{
        if (!s)
                return;
        for (unsigned i = 0; i < s->n_lanes; i++)
                gb_feed_close(s->lanes[i].feed);
        free(s->lanes);
        gb_merge_free(s->merge);
        free(s->roots);
        free(s->rules);
        free(s);
}
