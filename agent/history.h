/*
 * history - a brick's change records from a cursor to now.
 *
 * The cursor is a place in the records, not a time:
 *
 *     HTIME file in use and offset in it, last closed slice, live slice (inode, birth, length read, xxh64
 *     of those bytes), volume version, node uuid, brick path
 *
 * The live slice is read up to now, so nothing waits for a rollover.  The next window finds the same
 * bytes under the name the slice got when it was closed, checks the hash, and goes on behind them with
 * the E records; its D and M records, and those of the slice before, are delivered again, because
 * GlusterFS writes D and M only once per object and slice (facts 2.2).
 *
 * The rest of the last window is delivered again too, but only to tell which objects were in it: what was
 * listed of them may not have been read yet, and a directory renamed now takes it elsewhere.  It was read
 * before, so there a slice that was removed or damaged since is no gap.
 *
 * Whatever breaks the chain is GB_ERR_GAP with the brick, the interval and the reason in the text:
 * another HTIME, a slice missing, unparsable, overwritten, not as the brick left it, not starting with the
 * bytes already read; a foreign prefix; a restart, and a hole in the heartbeat together with four or more
 * volume changes, which is what switching changelog off behind a stopped brick looks like (facts 3.5 c),
 * unless the brick's log tells.  By time there is no volume version to compare with, so there a hole alone is
 * a gap.
 */
#ifndef GB_HISTORY_H
#define GB_HISTORY_H

#include "base/clock.h"
#include "brick.h"
#include "bricklog.h"
#include "changelog.h"
#include "glusterd.h"

struct gb_cursor {
        char htime[64];
        uint64_t htime_len; /* bytes of it that were read: what stands behind happened since */
        int64_t last_ts;    /* newest slice (closed, or named by HTIME) that was read */
        int64_t prev_ts;    /* the window that ended here read slices from behind this one on, whole but
                             * for the first; 0: there was none, or it was by time */
        int64_t htime_ts;   /* of the last entry before htime_len; 0: unknown */
        uint64_t live_ino;  /* 0: there was none */
        int64_t live_born;  /* when the live slice was created, birth.h; 0: unknown */
        int64_t prev_born;  /* the same of the cursor that the window which ended here began at */
        uint64_t live_len;  /* bytes of the live slice already read, 0: it held no record */
        uint64_t live_hash; /* xxh64, seed 0, of these bytes */
        uint64_t volume_version;
        struct gb_bricklog log; /* of the brick */
        gb_gfid node;
        int64_t when; /* wall clock of this node, unix seconds; information only */
        char brick[GB_BRICK_PATH_MAX + 1];
};

/* One line of printable text ("gb1 htime=... last=... ..."); at most GB_CURSOR_MAX bytes with NUL. */
int gb_cursor_format(const struct gb_cursor *c, char *out, size_t size, struct gb_error *err);
int gb_cursor_parse(const char *text, size_t len, struct gb_cursor *c, struct gb_error *err);

/* The position now.  Waits until `until` for the first HTIME entry; GB_ERR_CHANGELOG_OFF,
 * GB_ERR_GAP (rollover-time below 2, changelog-dir not the default), GB_ERR_TIMEOUT. */
int gb_cursor_now(const struct gb_brick *b, const struct gb_glusterd *gd, gb_deadline until,
                  struct gb_cursor *out, struct gb_error *err);

struct gb_history_options {
        const struct gb_cursor *from; /* or NULL: by time */
        int64_t start, end;           /* from == NULL: unix seconds, end 0: now */
        int64_t asked;                /* now, of the clock that start and end are of; 0: this node's */
        bool reread;                  /* D and M of the slice before the cursor, and the last window, too */
};

/*
 * A record and where it comes from.  `replay`: it lies before the cursor.  Of these, a D or M record of
 * the slice that was live at the cursor, or ended there, counts as if it were new; all others have
 * `before` set and only say that the object had records in the last window (or in the slice that was
 * live when that began).  E records from before the cursor always have `before` set, and come only with
 * `reread`, from a cursor with prev_ts.
 */
struct gb_history_record {
        struct gb_record record;
        int64_t ts; /* of its slice; 0: live */
        bool replay;
        bool before;
        bool recent; /* not replayed, and of the window's newest closed slice, or live */
};

struct gb_history;
/* Checks the chain as far as it can be checked without reading slices. */
struct gb_history *gb_history_open(const struct gb_brick *b, const struct gb_glusterd *gd,
                                   const struct gb_history_options *o, struct gb_error *err);
/* 1 record (borrowed until the next call), 0 end, -1 error.  Every record behind the cursor comes exactly
 * once and in order; those replayed come before it. */
int gb_history_next(struct gb_history *h, struct gb_history_record *r, struct gb_error *err);
/* After the end: the cursor for the next window, and the window in unix seconds of the kernel's clock: from
 * the moment when reading ended last time (or, if that clock was set back since, from the earliest one that
 * was seen) to the one when it began now. */
const struct gb_cursor *gb_history_cursor(const struct gb_history *h);
int64_t
gb_history_before(const struct gb_history *h); /* not after the beginning of the window before; 0: unknown */
void gb_history_window(const struct gb_history *h, int64_t *from, int64_t *to);
uint64_t gb_history_records(const struct gb_history *h);
/* Was the brick's process restarted in the window? */
uint32_t gb_history_brick_flags(const struct gb_history *h);
void gb_history_close(struct gb_history *h);

#endif
