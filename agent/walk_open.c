/*
 * walk_open - see walk_core.h.
 *
 * Options come from outside: paths are judged and copied before anything is opened.
 */
#include <config.h>

#include <fcntl.h>
#include <stdlib.h>

#include "base/order.h"
#include "walk_core.h"

static int copy_roots(struct gb_walk *w, const struct gb_walk_options *o, struct gb_error *err)
{
        if (!o->roots)
                return 0;
        w->n_roots = o->n_roots;
        w->roots = gb_arena_alloc(&w->memory, (o->n_roots + 1) * sizeof(*w->roots));
        if (!w->roots)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory for %zu subtrees", o->n_roots);
        for (size_t i = 0; i < o->n_roots; i++) {
                struct gb_entry *to = &w->roots[i];
                char text[600];

                *to = o->roots[i];
                if (!gb_path_valid(to->path, to->len))
                        return gb_error_set(err, GB_ERR_USAGE, "'%s' is no path of a subtree",
                                            gb_walk_shown(to->path, to->len, text));
                if (i > 0 && (gb_path_cmp(to[-1].path, to[-1].len, to->path, to->len) >= 0 ||
                              gb_path_within(to->path, to->len, to[-1].path, to[-1].len)))
                        return gb_error_set(err, GB_ERR_USAGE,
                                            "subtree '%s' is out of order, or inside another",
                                            gb_walk_shown(to->path, to->len, text));
                to->path = gb_arena_dup(&w->memory, to->path, to->len);
                if (!to->path)
                        return gb_error_set(err, GB_ERR_MEMORY, "out of memory for %zu subtrees", o->n_roots);
        }
        return 0;
}

static int copy_after(struct gb_walk *w, const struct gb_walk_options *o, struct gb_error *err)
{
        char text[600];

        if (!o->after || o->after_len == 0)
                return 0;
        if (!gb_path_valid(o->after, o->after_len))
                return gb_error_set(err, GB_ERR_USAGE, "'%s' is no path to go on after",
                                    gb_walk_shown(o->after, o->after_len, text));
        w->after = gb_arena_dup(&w->memory, o->after, o->after_len);
        w->after_len = o->after_len;
        return w->after ? 0 : gb_error_set(err, GB_ERR_MEMORY, "out of memory for a path");
}

/* Without CAP_SYS_ADMIN or /proc every gfid would look absent, every directory vanished. */
static int check_sight(const struct gb_brick *b, struct gb_error *err)
{
        gb_gfid gfid;

        if (gb_get_gfid_at(b->root_fd, ".", &gfid) < 0)
                return gb_error_sys(err, GB_ERR_BRICK_DOWN, "brick %s: cannot read trusted.gfid of its root",
                                    b->path);
        return 0;
}

struct gb_walk *gb_walk_open(const struct gb_brick *b, const struct gb_walk_options *o, struct gb_error *err)
{
        static const struct gb_entry shard_root = {.path = ".shard", .len = 6};
        struct gb_walk_options own = *o;
        struct gb_walk *w = calloc(1, sizeof(*w));

        if (!w) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory for a walk");
                return NULL;
        }
        w->b = b;
        w->rule = (struct gb_look_rule){
                .linkto = o->linkto, .since = o->changed_since, .until = o->changed_until, .unfit = o->unfit};
        if (o->select)
                w->rule.measure = o->select->measure;
        w->tmpdir = o->tmpdir;
        w->names_max = o->memory ? o->memory : GB_WALK_MEMORY;
        w->gfids = o->gfids;
        w->dirs = o->dirs;
        w->shards = o->shards;
        w->select = o->select;
        if (o->shards) {
                own.roots = &shard_root;
                own.n_roots = 1;
        }
        w->noatime = O_NOATIME;
        gb_arena_init(&w->memory);
        if (gb_names_init(&w->names) < 0) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory for a walk");
                goto fail;
        }
        if (o->threads > 1 && !(w->ahead = gb_ahead_new(&w->rule, o->threads - 1, err)))
                goto fail;
        if (check_sight(b, err) < 0 || copy_roots(w, &own, err) < 0 || copy_after(w, o, err) < 0)
                goto fail;
        return w;
fail:
        gb_walk_close(w);
        return NULL;
}

void gb_walk_close(struct gb_walk *w)
{
        if (!w)
                return;
        while (w->levels.n > 0)
                gb_walk_pop(w);
        gb_ahead_free(w->ahead);
        gb_vec_free(&w->levels);
        gb_names_fini(&w->names);
        gb_arena_fini(&w->memory);
        free(w);
}
