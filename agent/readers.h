/*
 * readers - who else reads a brick's change records: geo-replication and glusterfind.
 *
 * Both keep the time up to which they have read; slices older than that are of no use to them.
 */
#ifndef GB_READERS_H
#define GB_READERS_H

#include "brick.h"
#include "glusterd.h"

/* Slices with a ts from `from` on are needed: 0 all, INT64_MAX none.  `who` names who reads farthest back. */
struct gb_need {
        int64_t from;
        char who[256];
};

/* Nobody needs anything. */
void gb_need_init(struct gb_need *n);
/* Somebody needs slices from `from` on. */
void gb_need_add(struct gb_need *n, int64_t from, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Add what geo-replication and glusterfind need of this brick.  Whatever cannot be read counts as needing
 * all. */
int gb_readers_need(const struct gb_brick *b, const struct gb_glusterd *gd, struct gb_need *n,
                    struct gb_error *err);

#endif
