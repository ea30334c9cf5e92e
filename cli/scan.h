/*
 * scan - the names of a volume, merged from the scans of its replica sets, in path order, each once.
 *
 * An agent that dies in the middle is replaced by a sibling of its set, opened strictly after the last
 * path delivered; the order makes resuming exact.
 */
#ifndef GB_SCAN_H
#define GB_SCAN_H

#include "base/block.h"
#include "base/select.h"
#include "merge.h"
#include "volume.h"

/* Unix seconds by a brick's clock; 0: no bound. */
struct gb_scan_time {
        int64_t since, until;
};

struct gb_scan_options {
        bool gfids;
        const struct gb_slice_of_path *roots; /* subtrees only, sorted, disjoint; NULL: everything */
        unsigned n_roots;
        int only_set; /* -1: all */
        /* One per brick of the volume: only objects whose ctime there is in it; NULL: all. */
        const struct gb_scan_time *times;
        const struct gb_select *select; /* only what it wants; borrowed; NULL: all */
        bool unfit;                     /* only files that are there and do not fit what `select` measures */
        bool shards; /* GlusterFS's shard files, as ".shard/GFID.N", instead of the users' files */
};

struct gb_slice_of_path {
        const char *path;
        size_t len;
};

struct gb_scan;

/* All agents are started before this returns.  GB_ERR_INCOMPLETE if a set has no usable brick, unless
 * --partial: then *missing (counted from 0) tells how many sets are not in the list. */
struct gb_scan *gb_scan_open(const struct gb_cli *c, struct gb_volume *v, const struct gb_scan_options *o,
                             unsigned *missing, struct gb_error *err);
/* 1 and *e (borrowed until the next call), 0, -1 */
int gb_scan_next(struct gb_scan *s, struct gb_entry *e, struct gb_error *err);
/* Many paths at a time, as gb_merge_lines(). */
int gb_scan_lines(struct gb_scan *s, struct gb_merge_lines *l, struct gb_error *err);
void gb_scan_close(struct gb_scan *s);

#endif
