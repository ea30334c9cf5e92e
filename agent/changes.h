/*
 * changes - a brick's history as a stream of facts (rpc/base/facts.h).
 *
 * Pulled: read records, group by gfid, keep the first event of each (gfid, slot), look if asked,
 * emit sections.  Grouping uses rpc/base/sorter.h within `memory`; what does not fit spills to `tmpdir`.
 *
 * Replayed records (history.h) set GB_FACT_BEFORE and make no claims.  An object with nothing else is a
 * fact only if a directory was renamed in the window, here, and looks are asked for, and if it is still
 * here; otherwise it costs nothing but the reading.  A shard of that kind is DATA of its base file.
 *
 * Mapping of records: see gb_claim_kind.  UNLINK and RMDIR set GB_FACT_GONE.  D sets DATA; M sets META
 * (38, 39), XATTR (17, 19, 36, 45), DATA (33, 34), any other META and XATTR.  A record whose slot lies
 * in the shard directory is DATA of the base file; slots in other internal directories are dropped,
 * and so are internal objects themselves.
 *
 * A directory is a DIR item once per stream, but again if there are so many of them that those sent
 * do not fit a share of `memory`: the later word holds.
 */
#ifndef GB_CHANGES_H
#define GB_CHANGES_H

#include "history.h"
#include "resolve.h"

struct gb_changes_options {
        struct gb_history_options history;
        bool look;          /* without it shards are known only by their E records */
        size_t memory;      /* bytes for grouping */
        const char *tmpdir; /* borrowed for the stream's life */
};

struct gb_changes;
/* `b` and `gd` are borrowed for its life. */
struct gb_changes *gb_changes_open(const struct gb_brick *b, const struct gb_glusterd *gd,
                                   const struct gb_changes_options *o, struct gb_error *err);
/* Append items to `out` until it is full (out->max) or `until` passed: 1 there is more, 0 that was the
 * end, -1. */
int gb_changes_fill(struct gb_changes *c, struct gb_buf *out, gb_deadline until, struct gb_error *err);
uint64_t
gb_changes_progress(const struct gb_changes *c);       /* records read + objects looked at + facts emitted */
uint64_t gb_changes_count(const struct gb_changes *c); /* facts emitted */
const struct gb_cursor *gb_changes_cursor(const struct gb_changes *c);
void gb_changes_window(const struct gb_changes *c, int64_t *from, int64_t *to);
int64_t gb_changes_before(const struct gb_changes *c); /* gb_history_before() */
void gb_changes_close(struct gb_changes *c);

#endif
