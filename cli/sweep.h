/*
 * sweep - what changed, as the ctimes of the bricks tell it.
 *
 * GlusterFS has no record of fallocate, punched holes, zeroed ranges and copies made by the server
 * (facts 2.3). The kernel's ctime of the brick's file knows of them, and of every recorded change, and of
 * healing and migration; so a sweep finds all that changed, and more.
 *
 * A sharded file may change without a trace at its own inode (facts 6.7): the shards are looked at too, and
 * their base files found by gfid, on whatever replica set they live.
 */
#ifndef GB_SWEEP_H
#define GB_SWEEP_H

#include "scan.h"

struct gb_sweep {
        const struct gb_cli *cli;
        struct gb_volume *volume;
        const struct gb_scan_time *times; /* one per brick */
        bool gfids;
        /* Called for each object, in no order, some more than once. */
        int (*found)(void *arg, const struct gb_entry *e, struct gb_error *err);
        void *arg;
};

int gb_sweep(const struct gb_sweep *s, struct gb_error *err);

#endif
