/*
 * gfidmap - a hash map from gfid to a fixed-size value, and (with value size 0) a set of gfids.
 */
#ifndef GB_GFIDMAP_H
#define GB_GFIDMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "gfid.h"

struct gb_gfidmap {
        size_t value_size;
        size_t n;
        size_t cap;     /* power of two, or 0 */
        uint8_t *cells; /* cap of them, and one behind for the null gfid, which marks empty cells */
        bool has_null;
};

void gb_gfidmap_init(struct gb_gfidmap *m, size_t value_size);
void gb_gfidmap_fini(struct gb_gfidmap *m); /* values are not touched */

/* The value (8-byte aligned), or NULL.  With value size 0: non-NULL means present. */
void *gb_gfidmap_get(const struct gb_gfidmap *m, const gb_gfid *g);
/* Find or insert; a new value is all zero and *fresh (NULL allowed) true.  NULL: out of memory.  The
 * pointer is good until the next insert. */
void *gb_gfidmap_put(struct gb_gfidmap *m, const gb_gfid *g, bool *fresh);
/* Every member once, in no order: start with *pos = 0; false at the end. */
bool gb_gfidmap_next(const struct gb_gfidmap *m, size_t *pos, gb_gfid *g, void **value);

#endif
