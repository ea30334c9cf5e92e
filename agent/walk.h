/*
 * walk - all user-visible names of a brick, in path order.
 *
 * Depth first; each directory is read whole with getdents64, its names sorted as bytes, so the stream
 * leaves in gb_path_cmp order without any later sort.  Excluded (facts 7): .glusterfs at the root,
 * internal directories by gfid, linkto files; an entry without trusted.gfid is excluded only where
 * the gfid is read anyway.  A migration source (mode 03000 and linkto xattr) is listed.
 * A vanished entry is weather: counted, skipped.  An unreadable directory is an error.
 *
 * Memory is bounded by GB_WALK_MEMORY and what read-ahead holds (about 10 MiB at most), not by the brick:
 * names that do not fit go through a sorter.
 *
 * The walker is pulled, so a caller can stop between any two entries and come back.
 */
#ifndef GB_WALK_H
#define GB_WALK_H

#include "base/block.h"
#include "base/clock.h"
#include "base/select.h"
#include "brick.h"

/* Bytes of names kept in memory, of all directories above and including the present one. */
#define GB_WALK_MEMORY (16u * 1024 * 1024)

struct gb_walk_options {
        const char *after; /* only paths strictly after this one; NULL or "": all */
        size_t after_len;
        bool linkto; /* regular files may be linkto files: one statx each */
        bool gfids;  /* fill gfid of every entry */
        bool dirs;   /* directories only */
        /* Only these subtrees (path and len are used), sorted, disjoint; NULL: the whole brick.  A root is
         * listed itself, may be a file, and is passed over where it does not exist. */
        const struct gb_entry *roots;
        size_t n_roots;
        /* Only entries whose st_ctime, in seconds, is from `changed_since` to `changed_until` (0: no bound).
         * All directories are gone into; each entry costs a stat. */
        int64_t changed_since, changed_until;
        /* Only what it wants; directories below which it wants nothing are not read.  Borrowed; NULL: all.
         * What it measures costs a stat of each regular file, and its xattrs. */
        const struct gb_select *select;
        bool unfit;  /* the other way round: only regular files that do not have that size and age */
        bool shards; /* the shard directory instead of the users' tree; `roots` must be NULL */
        /* Threads that read directories and look at entries, the caller's included; 0 is 1.  The entries and
         * their order are the same with any number. */
        unsigned threads;
        /* Where the names of a directory that is too large for memory are sorted; NULL: in memory. */
        const char *tmpdir; /* borrowed */
        size_t memory;      /* bytes of names that are kept in it; 0: GB_WALK_MEMORY */
};

struct gb_walk;

/* `b` is borrowed for the walk's life; options are copied.  `after` or roots that are no valid paths:
 * GB_ERR_USAGE; trusted.gfid of the root cannot be read: GB_ERR_BRICK_DOWN. */
struct gb_walk *gb_walk_open(const struct gb_brick *b, const struct gb_walk_options *o, struct gb_error *err);
/* 1 and *e (borrowed until the next call); 0 at the end; -1 error, again and again; 2: `until` passed, call
 * again (each call gets on a little, even when `until` lies in the past). */
int gb_walk_next(struct gb_walk *w, gb_deadline until, struct gb_entry *e, struct gb_error *err);
/* Entries seen, including the excluded; entries that vanished while we looked. */
uint64_t gb_walk_passed(const struct gb_walk *w);
uint64_t gb_walk_vanished(const struct gb_walk *w);
void gb_walk_close(struct gb_walk *w);

#endif
