/*
 * usage - what a brick's closed slices cost, and removing those that nobody needs.
 *
 * Only regular files count that bear a slice's exact name (CHANGELOG. and ten digits) in the changelog
 * directory itself, or in the day directory that belongs to it, a day's difference allowed (the upgrade
 * script files by local time).  Directories are opened one by one and never through a symbolic link.  HTIME,
 * the live file and everything else are left alone; so are empty directories of the last days, because
 * GlusterFS may be about to rename a slice into them.
 */
#ifndef GB_USAGE_H
#define GB_USAGE_H

#include "base/clock.h"
#include "brick.h"

struct gb_usage {
        uint64_t slices, bytes; /* closed slices, and the blocks they take */
        int64_t oldest, newest; /* ts, 0: none */
        uint64_t htime_bytes;
        uint64_t removable, removable_bytes; /* or removed */
        bool more;                           /* the deadline came before the end */
};

/* Slices kept although they are older than anybody needs: a run reads the slice of its cursor and the one
 * before again, whatever their names say. */
#define GB_USAGE_MARGIN 2
/* What is younger than this many seconds is kept whatever is asked: a slice bears the time of its end. */
#define GB_USAGE_YOUNG 3600

/* Slices are removable that are named for, and were written to last, before `below`: a node that boots with a
 * wrong clock names the slice it finds as if it were old (decision 0040).  But for the newest GB_USAGE_MARGIN
 * of them. */
int gb_usage_count(const struct gb_brick *b, int64_t below, struct gb_usage *out, struct gb_error *err);
/* The same, and removes them, oldest first. */
int gb_usage_purge(const struct gb_brick *b, int64_t below, gb_deadline until, struct gb_usage *out,
                   struct gb_error *err);

#endif
