/*
 * needs - from where on a brick's history is still needed, by sessions and by others.
 */
#ifndef GB_NEEDS_H
#define GB_NEEDS_H

#include "readers.h"
#include "worker.h"

/* Of every position that is stored for the brick, of all sessions and whatever volume they name, and what
 * gb_readers_need() says.  A position that cannot be read needs all.
 * Without `cumulative` the positions of last fulls do not count. */
int gb_needs_of(struct gb_worker *w, const struct gb_brick *b, bool cumulative, struct gb_need *out,
                struct gb_error *err);

#endif
