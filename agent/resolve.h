/*
 * resolve - where an object is now: gfid to all its names on this brick (facts 5).
 *
 * Directories by readlink of their handle (dirs.h).  Other objects by trusted.gfid2path.*, each name
 * verified by inode number in its parent; if that gives fewer names than st_nlink says:
 * trusted.pgfid.* and the slots the caller knows of (hints).
 * A directory rename re-creates its handle: a missing handle is looked at again after a moment, if
 * the object may be a directory.
 */
#ifndef GB_RESOLVE_H
#define GB_RESOLVE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/facts.h"
#include "brick.h"

struct gb_resolver;

/* `b` is borrowed. */
struct gb_resolver *gb_resolver_new(const struct gb_brick *b, struct gb_error *err);
void gb_resolver_free(struct gb_resolver *r);

/* From now on a look may ask for a search for directories without handles. */
void gb_resolver_may_search(struct gb_resolver *r);
/* May, and none was made yet. */
bool gb_resolver_could_search(const struct gb_resolver *r);
/* The search: 1 `until` passed, call again; 0 it is done; -1. */
int gb_resolver_search(struct gb_resolver *r, gb_deadline until, struct gb_error *err);

/* Fill f->look, f->type, f->names (names stay valid until the next look) and GB_FACT_DIR for f->gfid;
 * f->claims serve as hints.  A linkto file is ABSENT.  A name below an internal directory is not
 * reported, except a shard's: then *shard_base is the base file's gfid (else GB_GFID_NULL).
 * A missing handle is looked for twice only if f says that it may be a directory's: who asks for a
 * gfid alone may ask again a moment later.
 * 0; 1 a search is needed: let gb_resolver_search() come to its end, then look again; -1. */
int gb_resolver_look(struct gb_resolver *r, struct gb_fact *f, gb_gfid *shard_base, struct gb_error *err);

/* Slot of a directory (name valid until the next look or slot).
 * 1 found, 0 no such directory here (now), -1.  The root has no slot: 2. */
int gb_resolver_dir(struct gb_resolver *r, const gb_gfid *dir, struct gb_slot *out, struct gb_error *err);

/* The same for many directories of which some were removed: with `maybe_gone` a missing handle is
 * believed at once.  *internal: it is one of GlusterFS's own, or lies below one. */
int gb_resolver_place(struct gb_resolver *r, const gb_gfid *dir, bool maybe_gone, struct gb_slot *out,
                      bool *internal, struct gb_error *err);

/* Volume-relative path of a directory ("" for the root) into out[GB_PATH_MAX + 1]:
 * 1, 0 not here, -1 (loop, too long). */
int gb_resolver_dir_path(struct gb_resolver *r, const gb_gfid *dir, char *out, size_t *len,
                         struct gb_error *err);

/* What stands at a slot: 1 and *gfid, *type; 0 nothing, or a linkto file; -1. */
int gb_resolver_slot(struct gb_resolver *r, const struct gb_slot *slot, gb_gfid *gfid, char *type,
                     struct gb_error *err);

/* Do the flags and claims of a fact leave it open that it is a directory, renamed in the window? */
bool gb_resolver_may_be_dir(const struct gb_fact *f);

/* Is this gfid's object here a directory?  1, 0 (also if nothing is here), -1. */
int gb_resolver_is_dir(struct gb_resolver *r, const gb_gfid *gfid, struct gb_error *err);

/* The base file of a name in the shard directory, "<base uuid>.<N>"; false if it is no such name. */
bool gb_shard_base(const struct gb_slot *slot, gb_gfid *base);

#endif
