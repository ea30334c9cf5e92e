/*
 * measure - which files a list is of by what is measured on them, not by their paths.
 *
 * Only regular files are measured.  All else fits, and so does what cannot be measured: a list may hold too
 * much, never too little.
 */
#ifndef GB_MEASURE_H
#define GB_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct gb_measure {
        uint64_t size_from, size_below; /* bytes, size_below excluded; 0: no bound */
        int64_t newer;                  /* mtime, unix seconds, itself included; 0: no bound */
};

static inline bool gb_measure_none(const struct gb_measure *m)
{
        return !m->size_from && !m->size_below && !m->newer;
}

/* The least size, or the largest (`max`): a number of bytes, or one with K, M, G, T or P (powers of 1024).
 * GB_ERR_USAGE. */
int gb_measure_size(struct gb_measure *m, bool max, const char *text, struct gb_error *err);

#endif
