/*
 * examine - what would make the next incremental fail or lie, as far as this node can see.
 *
 * A finding is worded for the administrator: what is the matter, and what to do.  Its code is stable, and
 * gbackup-errors(7) lists all of them.
 */
#ifndef GB_EXAMINE_H
#define GB_EXAMINE_H

#include "worker.h"

/* Fill *res (released by xdr_free); 0, or -1 when nothing could be examined. */
int gb_examine_node(struct gb_worker *w, const char *volume, gbx_examine_res *res, struct gb_error *err);
int gb_examine_brick(struct gb_worker *w, const struct gb_brick *b, gbx_examine_res *res,
                     struct gb_error *err);

#endif
