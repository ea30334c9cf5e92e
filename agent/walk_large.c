/*
 * walk_large - see walk_core.h.
 *
 * A directory whose names do not fit into memory goes through a sorter, and its level then holds one piece of
 * the sorted names after the other.  A record is a name and its DT_*.
 */
#include <config.h>

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "walk_core.h"

enum {
        PIECE = 4096,                  /* names of a sorted directory that are in memory at once */
        PIECE_MEMORY = 8 * 1024 * 1024 /* of a sorter */
};

static int large_cmp(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen, void *arg)
{
        int c = memcmp(a, b, (alen < blen ? alen : blen) - 1);

        (void)arg;
        if (c)
                return c;
        return alen < blen ? -1 : alen > blen;
}

static uint64_t large_prefix(const uint8_t *rec, size_t len, void *arg)
{
        uint64_t v = 0;

        (void)arg;
        memcpy(&v, rec, len - 1 < sizeof(v) ? len - 1 : sizeof(v));
        return be64toh(v);
}

static int large_new(struct gb_walk *w, struct gb_walk_level *l)
{
        size_t memory = PIECE_MEMORY >> (w->n_large < 8 ? w->n_large : 8);

        l->large = calloc(1, sizeof(*l->large));
        if (!l->large)
                return gb_walk_fail_memory(w);
        w->n_large++;
        l->large->sorter = gb_sorter_new(memory, w->tmpdir, large_cmp, NULL, large_prefix, &w->error);
        return l->large->sorter ? 0 : -1;
}

/* Move the names of the top level, unsorted, to its sorter. */
int gb_walk_large_push(struct gb_walk *w, struct gb_walk_level *l)
{
        uint8_t rec[GB_NAME_MAX + 1];

        if (!l->large && large_new(w, l) < 0)
                return -1;
        for (size_t i = l->first; i < w->names.v.n; i++) {
                const struct gb_name *name = &w->names.v.v[i];
                size_t len = gb_name_len(name);

                memcpy(rec, gb_name_text(&w->names, name), len);
                rec[len] = gb_name_dtype(name);
                if (gb_sorter_add(l->large->sorter, rec, len + 1, &w->error) < 0)
                        return -1;
        }
        gb_names_cut(&w->names, l->first, l->used);
        return 0;
}

/* The next piece of the top level's names: 1, 0 there is none, -1. */
int gb_walk_large_piece(struct gb_walk *w, struct gb_walk_level *l)
{
        struct gb_walk_large *g = l->large;
        const uint8_t *rec;
        size_t len;
        int rc = 1;

        gb_names_cut(&w->names, l->first, l->used);
        l->pos = l->ahead = l->first;
        while (w->names.v.n - l->first < PIECE &&
               (rc = gb_sorter_next(g->sorter, &rec, &len, &w->error)) == 1) {
                if (len - 1 == g->last_len && memcmp(rec, g->last, g->last_len) == 0)
                        continue;
                g->last_len = len - 1;
                memcpy(g->last, rec, g->last_len);
                if (gb_names_push(&w->names, g->last, g->last_len, rec[len - 1]) < 0)
                        return gb_walk_fail_memory(w);
        }
        return rc < 0 ? -1 : w->names.v.n > l->first;
}

int gb_walk_large_sort(struct gb_walk *w, struct gb_walk_level *l)
{
        if (gb_walk_large_push(w, l) < 0 || gb_sorter_finish(l->large->sorter, &w->error) < 0)
                return -1;
        return gb_walk_large_piece(w, l) < 0 ? -1 : 0;
}

void gb_walk_large_free(struct gb_walk *w, struct gb_walk_large *g)
{
        gb_sorter_free(g->sorter);
        free(g);
        w->n_large--;
}
