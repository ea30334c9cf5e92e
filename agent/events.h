/*
 * events - a window's records, grouped by gfid.
 *
 * Records go in as they come; facts come out by ascending gfid, each with the first event of every
 * slot, in the order of these events.  Grouping is one external sort.  D and M records are very many
 * and say the same over and over: a set that is forgotten when it grows too large keeps most of them
 * out of the sort.
 *
 * Dropped here: records about internal objects, and slots in internal directories (facts 7).  Of a
 * rename between inside and outside only the outer half stays.  A directory whose slot is dropped is
 * still told of, without a claim: then its contents cannot be taken for a user's.
 *
 * Of a replayed record that is `before` nothing is kept but GB_FACT_BEFORE of its gfid, or of the base
 * file if its slot is in the shard directory.
 */
#ifndef GB_EVENTS_H
#define GB_EVENTS_H

#include "base/facts.h"
#include "history.h"

struct gb_events;

/* `memory` bytes; beyond it spills to `tmpdir` (borrowed). */
struct gb_events *gb_events_new(const gb_gfid *volume_id, size_t memory, const char *tmpdir,
                                struct gb_error *err);
void gb_events_free(struct gb_events *e);

/* Take a record.  *shard_base: the base file it changed if its slot is in the shard directory, else
 * GB_GFID_NULL. */
int gb_events_add(struct gb_events *e, const struct gb_history_record *r, gb_gfid *shard_base,
                  struct gb_error *err);
int gb_events_finish(struct gb_events *e, struct gb_error *err);

/* The next gfid with events: 1 and *f (look NONE, no names; slots borrowed until the next call), 2 the
 * same for one that only had records before (flags BEFORE, perhaps DIR), 0 at the end, -1.  GB_FACT_DIR:
 * a slot's parent, or MKDIR or RMDIR.  GB_ERR_GAP: more names touched than a fact can hold. */
int gb_events_next(struct gb_events *e, struct gb_fact *f, struct gb_error *err);

/* Was an RMDIR of it seen?  A hint: true is certain, false is not. */
bool gb_events_removed(const struct gb_events *e, const gb_gfid *dir);

#endif
