/*
 * lanes - the streams that are being read, for whoever shows progress.
 *
 * A lane belongs to its feed, which tells how far it is from its own thread; any thread may look at all
 * lanes.
 */
#ifndef GB_LANES_H
#define GB_LANES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct gb_lane {
        const char *name;           /* "host:/path"; borrowed while the lane is there */
        _Atomic uint64_t passed;    /* entries or records, as the agent counts */
        atomic_bool ended;          /* the stream is at its end */
        atomic_bool awaited;        /* everybody else waits for it */
        struct gb_lane *next, **at; /* private */
        uint64_t shown;             /* private to the one that shows */
};

void gb_lane_add(struct gb_lane *l, const char *name);
/* What it has passed stays in the sum. */
void gb_lane_remove(struct gb_lane *l);

/* Call `each` for the lanes that are there, oldest first, while none can go away.  *gone and *gone_passed:
 * those that were removed. */
void gb_lanes_look(void (*each)(struct gb_lane *l, void *arg), void *arg, unsigned *gone,
                   uint64_t *gone_passed);

#endif
