/*
 * resolve - where an object is now: gfid to all its names on this brick (facts 5).
 *
 * Directories by readlink of their handle, in user space, never letting the kernel follow a handle.
 * Other objects by trusted.gfid2path.*, each name verified by inode number in its parent; if that
 * gives fewer names than st_nlink says: trusted.pgfid.* and the slots the caller knows of (hints).
 * A directory rename re-creates its handle: a missing handle is looked at again after a moment.
 * Parents are cached: gfid -> slot, and descriptors of recently used ones.
 */
#ifndef GB_RESOLVE_H
#define GB_RESOLVE_H

#include "base/arena.h"
#include "base/facts.h"
#include "brick.h"

struct gb_resolver;

struct gb_resolver *gb_resolver_new(const struct gb_brick *b, struct gb_error *err);
void gb_resolver_free(struct gb_resolver *r);

/* Fill f->look, f->type, f->names (names stay valid until the next call) and GB_FACT_DIR for f->gfid;
 * f->claims serve as hints.  A linkto file is ABSENT.  A name below an internal directory is not
 * reported, except a shard's: then *shard_base is the base file's gfid (else GB_GFID_NULL). */
int gb_resolver_look(struct gb_resolver *r, struct gb_fact *f, gb_gfid *shard_base, struct gb_error *err);

/* Slot of a directory (name valid until the cache is dropped or the resolver freed).
 * 1 found, 0 no such directory here (now), -1.  The root has no slot: 2. */
int gb_resolver_dir(struct gb_resolver *r, const gb_gfid *dir, struct gb_slot *out, struct gb_error *err);

/* Volume-relative path of a directory ("" for the root) into out[GB_PATH_MAX + 1]:
 * 1, 0 not here, -1 (loop, too long). */
int gb_resolver_dir_path(struct gb_resolver *r, const gb_gfid *dir, char *out, size_t *len,
                         struct gb_error *err);

/* What stands at a slot: 1 and *gfid, *type; 0 nothing, or a linkto file; -1. */
int gb_resolver_slot(struct gb_resolver *r, const struct gb_slot *slot, gb_gfid *gfid, char *type,
                     struct gb_error *err);

#endif
