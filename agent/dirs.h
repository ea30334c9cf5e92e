/*
 * dirs - the directories of a brick by gfid: where each stands, and a descriptor of it.
 *
 * A directory's handle is a symlink to its name below its parent's handle.  Letting the kernel follow
 * it fails beyond forty levels and would trust every link on the way; here each level is read by
 * readlink, opened by its name below its parent's descriptor without following anything, and believed
 * only if the object found carries the gfid that was looked for.
 *
 * What was verified is remembered, descriptors of recently used directories stay open.  Directories
 * move while we look: a chain that does not lead anywhere is forgotten and read afresh, once.
 */
#ifndef GB_DIRS_H
#define GB_DIRS_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/facts.h"
#include "brick.h"

struct gb_dirs;

/* `b` is borrowed. */
struct gb_dirs *gb_dirs_new(const struct gb_brick *b, struct gb_error *err);
void gb_dirs_free(struct gb_dirs *d);

/* A directory as it was found.  The name stays valid until gb_dirs_trim() drops the cache. */
struct gb_dir {
        struct gb_slot slot; /* empty for the root */
        bool internal;       /* it, or a directory above it, is GlusterFS's own */
        bool fresh;          /* gb_dirs_open(): opened by this very call */
        int fd;              /* gb_dirs_open(): read only, borrowed until the next call; else -1 */
};

/* 1, 0 no such directory here, -1.  A rename takes a directory's handle away for a moment: unless
 * `maybe_gone` says that its absence is no surprise, a missing handle is looked for twice. */
int gb_dirs_find(struct gb_dirs *d, const gb_gfid *dir, bool maybe_gone, struct gb_dir *out,
                 struct gb_error *err);
int gb_dirs_open(struct gb_dirs *d, const gb_gfid *dir, bool maybe_gone, struct gb_dir *out,
                 struct gb_error *err);

/* Look at a name in a directory that is remembered but not open, by its path below one that is.  Most
 * directories hold one changed file, and opening costs three times as much.  True: something is there, and
 * *st; whoever compares inodes knows that it is the right one, wherever that path leads by now.  False:
 * nobody knows, use gb_dirs_open(). */
bool gb_dirs_glance(struct gb_dirs *d, const struct gb_slot *slot, struct stat *st);

/* Does the handle of this gfid read like a directory's, or is it known to be one without?  1, 0, -1. */
int gb_dirs_claimed(const struct gb_dirs *d, const gb_gfid *gfid, struct gb_error *err);

/* A directory without a handle is found where it was seen, or after a search of all the brick (lost.h). Could
 * one be behind what was not found since the last call?  Only before a search. */
bool gb_dirs_may_be_lost(struct gb_dirs *d);
int gb_dirs_search(struct gb_dirs *d, gb_deadline until, struct gb_error *err); /* 1 again, 0 done, -1 */
bool gb_dirs_searched(const struct gb_dirs *d);
int gb_dirs_seen(struct gb_dirs *d, const gb_gfid *dir, const struct gb_slot *slot, struct gb_error *err);

/* Forget what is remembered of a directory if its handle says something else now. */
int gb_dirs_refresh(struct gb_dirs *d, const gb_gfid *dir, struct gb_error *err);
/* Forget a directory and all above it. */
void gb_dirs_forget(struct gb_dirs *d, const gb_gfid *dir);
/* Drop everything if it has grown past its bounds. */
void gb_dirs_trim(struct gb_dirs *d);

/* Pause about as long as a rename may need, for whoever missed a handle.  False, at once, when so many
 * pauses were made that the missing are plainly gone rather than on the move. */
bool gb_dirs_pause(struct gb_dirs *d);

#endif
