/*
 * stream - what a connection's NEXT calls draw from: a scan, a history, or paths of gfids.
 *
 * Pulled in pieces that fit one chunk and never take longer than the caller waits.  Each constructor
 * takes the brick over, also when it fails.
 */
#ifndef GB_STREAM_H
#define GB_STREAM_H

#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "brick.h"
#include "changes.h"
#include "walk.h"

struct gb_stream;

struct gb_stream_ops {
        /* Append to `out` (empty) until it is full or `until` passed: 1 there is more, 0 the end, -1. */
        int (*fill)(struct gb_stream *s, struct gb_buf *out, gb_deadline until, struct gb_error *err);
        void (*close)(struct gb_stream *s); /* of its own parts */
};

struct gb_stream {
        const struct gb_stream_ops *ops;
        struct gb_brick *brick;         /* owned */
        uint64_t progress;              /* as gbx_chunk says */
        uint64_t entries;               /* sent so far */
        const struct gb_cursor *cursor; /* history, at the end; else NULL */
        int64_t window_from, window_to, before_from;
};

/* What `o` points to is copied. */
/* `rate`: entries a second, 0: no bound. */
struct gb_stream *gb_stream_scan(struct gb_brick *b, const struct gb_walk_options *o, unsigned rate,
                                 struct gb_error *err);
/* `gd`, o->tmpdir and o->history.from are borrowed for the stream's life. */
struct gb_stream *gb_stream_history(struct gb_brick *b, const struct gb_glusterd *gd,
                                    const struct gb_changes_options *o, struct gb_error *err);
/* gfids are copied; paths are sorted within `memory` bytes, spilling to `tmpdir`. */
struct gb_stream *gb_stream_resolve(struct gb_brick *b, const gb_gfid *gfids, size_t n, size_t memory,
                                    const char *tmpdir, struct gb_error *err);

int gb_stream_fill(struct gb_stream *s, struct gb_buf *out, gb_deadline until, struct gb_error *err);
void gb_stream_close(struct gb_stream *s); /* NULL allowed */

#endif
