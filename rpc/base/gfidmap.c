/*
 * gfidmap - see gfidmap.h.
 *
 * Open addressing with linear probing, at most two thirds full.  A cell is the gfid and its value;
 * an all-zero gfid marks an empty cell, so the null gfid itself, which foreign data may hold, lives
 * in one more cell behind the table.
 */
#include <config.h>

#include "gfidmap.h"

#include <stdlib.h>

#define CAP_FIRST 16

void gb_gfidmap_init(struct gb_gfidmap *m, size_t value_size)
{
        *m = (struct gb_gfidmap){.value_size = value_size};
}

void gb_gfidmap_fini(struct gb_gfidmap *m)
{
        free(m->cells);
        gb_gfidmap_init(m, m->value_size);
}

static inline size_t cell_size(const struct gb_gfidmap *m)
{
        return sizeof(gb_gfid) + ((m->value_size + 7) & ~(size_t)7);
}

static inline uint8_t *cell_at(const struct gb_gfidmap *m, size_t i)
{
        return m->cells + i * cell_size(m);
}

static inline bool is_null(const void *gfid)
{
        return memcmp(gfid, GB_GFID_NULL.b, sizeof(gb_gfid)) == 0;
}

/* The gfid's cell, or the empty cell where it belongs.  The table is never full. */
static uint8_t *probe(const struct gb_gfidmap *m, const gb_gfid *g)
{
        size_t mask = m->cap - 1;
        uint64_t hash = gb_gfid_hash(g);
        size_t i = (size_t)(hash >> 32 ^ hash) & mask;

        for (;; i = (i + 1) & mask) {
                uint8_t *cell = cell_at(m, i);

                if (memcmp(cell, g->b, sizeof(g->b)) == 0 || is_null(cell))
                        return cell;
        }
}

void *gb_gfidmap_get(const struct gb_gfidmap *m, const gb_gfid *g)
{
        uint8_t *cell;

        if (!m->cap)
                return NULL;
        if (is_null(g))
                return m->has_null ? cell_at(m, m->cap) + sizeof(gb_gfid) : NULL;
        cell = probe(m, g);
        return is_null(cell) ? NULL : cell + sizeof(gb_gfid);
}

static int grow(struct gb_gfidmap *m)
{
        struct gb_gfidmap bigger = *m;

        if (m->cap > SIZE_MAX / 4)
                return -1;
        bigger.cap = m->cap ? m->cap * 2 : CAP_FIRST;
        bigger.cells = calloc(bigger.cap + 1, cell_size(m));
        if (!bigger.cells)
                return -1;
        for (size_t i = 0; i < m->cap; i++) {
                const uint8_t *cell = cell_at(m, i);
                gb_gfid g;

                if (is_null(cell))
                        continue;
                memcpy(g.b, cell, sizeof(g.b));
                memcpy(probe(&bigger, &g), cell, cell_size(m));
        }
        if (m->has_null)
                memcpy(cell_at(&bigger, bigger.cap), cell_at(m, m->cap), cell_size(m));
        free(m->cells);
        *m = bigger;
        return 0;
}

void *gb_gfidmap_put(struct gb_gfidmap *m, const gb_gfid *g, bool *fresh)
{
        uint8_t *value = gb_gfidmap_get(m, g);
        uint8_t *cell;

        if (fresh)
                *fresh = !value;
        if (value)
                return value;
        if ((m->n + 1) * 3 > m->cap * 2 && grow(m) < 0)
                return NULL;
        if (is_null(g)) {
                cell = cell_at(m, m->cap);
                m->has_null = true;
        } else {
                cell = probe(m, g);
                memcpy(cell, g->b, sizeof(g->b));
        }
        m->n++;
        return cell + sizeof(gb_gfid);
}

bool gb_gfidmap_next(const struct gb_gfidmap *m, size_t *pos, gb_gfid *g, void **value)
{
        while (m->cap && *pos <= m->cap) {
                size_t i = (*pos)++;
                uint8_t *cell = cell_at(m, i);

                if (i == m->cap ? !m->has_null : is_null(cell))
                        continue;
                memcpy(g->b, cell, sizeof(g->b));
                if (value)
                        *value = cell + sizeof(gb_gfid);
                return true;
        }
        return false;
}
