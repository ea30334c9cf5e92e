/*
 * reduce - what the bricks say about changed objects, united into ops.
 *
 * Why here and not on the agents: no brick knows enough.  A gfid recorded on one brick may live on
 * another subvolume now, a healed replica saw a MKNOD where its sibling saw a RENAME, a new brick saw
 * MKDIR of old directories.  All facts about one gfid must meet; they meet in a merge by gfid.
 *
 * By names, not by replay.  A slot is (parent gfid, basename).  Per gfid, over all bricks:
 *
 *   T0 names  slots whose first event, on the bricks that saw it, was LOSS.
 *             BORN or ARRIVE first: not a T0 name.  HEAL first: proves nothing.
 *             LOSS here and another first event there (a linkto file was removed, a file migrated
 *             inside the window): MAYBE.
 *   T1 names  what the look says.  Asked first where the fact came from; a gfid not found there is
 *             asked for on every other replica set before it counts as gone.
 *   lost      T0 names that are not T1 names        gained   touched slots that are T1 names, not T0's
 *
 *   a lost with a gained is a RENAME (for non-directories only when nothing is MAYBE); other lost are
 *   DELETE, other gained NEW; DATA, META or XATTR flags: MODIFY at every T1 name that is not NEW.
 *   A slot that ARRIVE touched first and that nothing holds at T1 is a DELETE too: overwriting leaves
 *   no record, something may have been there.
 *
 * Spelling.  T1 path of a slot: up the present tree (DIR items).  T0 path: up the tree as it was; a
 * directory with events stood at its T0 slot, one without events stands where it stood.  Directory
 * facts of all bricks are therefore read first (section 1 of every stream), then the rest by merge.
 *
 * Whom to believe.  A brick that was away knows what it missed only in the words of a heal, which come late,
 * out of order, and not all of them: a rename becomes a MKNOD, its old name goes without a record.  So a
 * brick that was restarted in the window, or behind its siblings when the last list was made or is now, is
 * muted where enough others of its replica set tell everything: its claims are noise then, and only what it
 * says of changed content counts, because objects may be read while they are healed.
 *
 * Where there are not enough, because they blame one another, those that were there all the time are heard
 * first, and the others only about objects that those do not speak of.  If each was away for a while all are
 * heard, and their union lacks nothing; but the names that an object has on a brick may be stale, and a heal
 * takes them away without a record.  What is concluded in either case is looked at again in the next window
 * (doubt).
 *
 * The cut.  T1 is the volume at the cut, where the records end, and not when it was looked at a moment
 * later: what was recorded in between (settle) takes the looked-at names back to the cut, by the rule that
 * tells T0.  Bricks do not cut at one instant: an event that one delivered before its cut and another after
 * is undone by settle and told next time, and its object passed on to be looked at then, because that other
 * brick may be away; one that another brick has not delivered even then is told now, and its object is passed
 * on (doubt, boundary) so that the late copies are not told again.
 *
 * What was listed last time may not have been read before it moved: objects with events in the window
 * before (BEFORE) are listed again when they, or a directory above them, were renamed.  What was listed again
 * is BEFORE in the next window too (carry).  A consumer that lacks a renamed directory copies what is below
 * it then: names that came since the cut.  So names below such a directory that come and go within the next
 * window are DELETEs there, not nothing.
 *
 * Memory: the directory skeleton (72 to 144 bytes for each directory on the way to a changed name), one batch
 * of gfids that need a second look, and what was recorded since the cut.  What changed, however much, waits
 * for the settled cut in stores that spill.
 */
#ifndef GB_REDUCE_H
#define GB_REDUCE_H

#include "base/facts.h"
#include "op.h"

/* A brick's history stream. */
struct gb_fact_source {
        /* 1 and *item (borrowed until the next call), 0 at the end, -1. */
        int (*next)(void *arg, struct gb_item *item, struct gb_error *err);
        void *arg;
        unsigned set;     /* its replica set */
        const char *name; /* for messages: host:/path */
        bool behind;      /* its siblings knew more when the window began */
        bool blamed;      /* they say so now */
        bool stale;       /* heals wait for it: it will not deliver soon what its siblings have told */
        bool unwatched;   /* a brick of its set, which could know of what it missed, is no source */
};

struct gb_reduce;

/* Whether an object is to be looked at in the next window whatever happens until then.  IF_ROOM: too many of
 * these are no reason not to have a list. */
enum gb_revisit { GB_REVISIT_NO, GB_REVISIT_IF_ROOM, GB_REVISIT_YES };

struct gb_reduce_ops {
        void *arg;
        /* It is known now which sources are muted: see gb_reduce_muted().  NULL: not wanted. */
        void (*weighed)(void *arg, const struct gb_reduce *r);
        /* Ask replica set `set` where n gfids are: answers by gb_reduce_dir() and, once per gfid in the
         * order asked, gb_reduce_found(). */
        int (*look)(void *arg, struct gb_reduce *r, unsigned set, const gb_gfid *gfids, unsigned n,
                    struct gb_error *err);
        /* Walk all of replica set `set` and call gb_reduce_walked() for every name in it.  Asked for only
         * when objects have names that no xattr tells (gfid2path was off). */
        int (*walk)(void *arg, struct gb_reduce *r, unsigned set, struct gb_error *err);
        int (*emit)(void *arg, const struct gb_op *op, struct gb_error *err);
        /* Does anything stand at this path now, on any replica set?  1, 0, -1.  NULL: not asked. */
        int (*occupied)(void *arg, const char *path, size_t len, struct gb_error *err);
        /* All has been looked at: tell by gb_reduce_settle() what was recorded since the cut.  NULL: nothing
         * was, the volume is at rest. */
        int (*settle)(void *arg, struct gb_reduce *r, struct gb_error *err);
        /* Bricks had not all delivered an event near the cut about this object, which is listed under these
         * names: the next window is to be told by gb_reduce_boundary().  NULL: not wanted. */
        int (*doubt)(void *arg, const gb_gfid *gfid, const struct gb_slot *names, unsigned n, bool dir,
                     enum gb_revisit revisit, struct gb_error *err);
        /* The next window is to be told by gb_reduce_carried(): this object was listed again although nothing
         * happened to it in this window, so that the next one has no record that says BEFORE; or this
         * directory was renamed, and whoever lacks it copies what is below it at that time.  NULL: not
         * wanted. */
        int (*carry)(void *arg, const gb_gfid *gfid, bool dir_moved, struct gb_error *err);
        /* A lost name cannot be spelled, as *why (GB_ERR_GAP) tells; it is left out, and what was renamed
         * from there is NEW.  Whoever takes this lists all names himself.  NULL: gb_reduce_run() fails with
         * *why. */
        void (*unplaced)(void *arg, const struct gb_error *why);
        /* Why it does not help to try again: a name in a directory that stands nowhere is GB_ERR_GAP, and
         * `unplaced` too.  NULL: it is GB_ERR_AGAIN. */
        const char *stuck;
};

struct gb_reduce_stats {
        uint64_t facts;       /* read from the sources */
        uint64_t gfids;       /* distinct objects */
        uint64_t asked_again; /* looked for on other replica sets */
        uint64_t walked;      /* had to be found by a walk */
        uint64_t too_long;    /* names whose path exceeds GB_PATH_MAX: not emitted */
};

/* `sources` and `ops` are borrowed until gb_reduce_free(); sources[].behind, blamed and stale are read by
 * gb_reduce_run().  `needed`: that many sources of a set which were never away miss nothing between them. */
struct gb_reduce *gb_reduce_new(const struct gb_fact_source *sources, unsigned n_sources, unsigned n_sets,
                                unsigned needed, const gb_gfid *volume_id, const struct gb_reduce_ops *ops,
                                struct gb_error *err);
void gb_reduce_free(struct gb_reduce *r);

/* What doubt() said when the last list was made: `slots` are the names it was listed under.  Before
 * gb_reduce_run(). */
int gb_reduce_boundary(struct gb_reduce *r, const gb_gfid *gfid, const struct gb_slot *slots, unsigned n,
                       bool dir, bool revisit, struct gb_error *err);
/* What carry() said when the last list was made; the root stands for everything.  Before gb_reduce_run(). */
int gb_reduce_carried(struct gb_reduce *r, const gb_gfid *gfid, bool dir_moved, struct gb_error *err);

/* Is this source not believed, or less than others?  From weighed() on. */
bool gb_reduce_muted(const struct gb_reduce *r, unsigned source);
/* And was it restarted in the window? */
bool gb_reduce_restarted(const struct gb_reduce *r, unsigned source);

/* Answers to look(). */
int gb_reduce_dir(struct gb_reduce *r, const gb_gfid *gfid, const struct gb_slot *slot, struct gb_error *err);
int gb_reduce_found(struct gb_reduce *r, const struct gb_fact *fact, struct gb_error *err);
/* During walk(): this object has this name. */
int gb_reduce_walked(struct gb_reduce *r, const gb_gfid *gfid, const struct gb_slot *slot,
                     struct gb_error *err);

/* During settle(): a fact from behind the cut, of a source that is not muted; only its claims count. */
int gb_reduce_settle(struct gb_reduce *r, unsigned source, const struct gb_fact *fact, struct gb_error *err);

/* Read all sources, emit all ops (in no order).  -1: the error of a source, of look, walk or emit;
 * GB_ERR_GAP if a lost name cannot be spelled because history does not say where its directory was;
 * GB_ERR_AGAIN if directories moved so fast that a present name could not be spelled. */
int gb_reduce_run(struct gb_reduce *r, const char *tmpdir, struct gb_reduce_stats *stats,
                  struct gb_error *err);

#endif
