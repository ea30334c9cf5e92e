/*
 * history_core - what the parts of history share; nobody else includes it.
 *
 *   history.c            reading the parts of a window
 *   history_open.c       opening one: behind a cursor
 *   history_by_time.c    or by time
 *   history_volume.c     what glusterd, the brick's log and its indices say
 *   history_position.c   the position now
 */
#ifndef GB_HISTORY_CORE_H
#define GB_HISTORY_CORE_H

#include "base/vec.h"
#include "chain.h"
#include "history.h"
#include "slicefile.h"

/* Slice names run up to a second early, and the clock that names them is coarse (facts 3.3). */
#define TIME_SLACK 2
/* Seconds by which clocks differ at least, if they do. */
#define AHEAD_MIN 5
/* Shortest silence that is a hole. */
#define HOLE_MIN 60
#define SECOND   INT64_C(1000000000)

enum gb_role {
        ROLE_WINDOW,
        ROLE_ENDED, /* ended at the cursor: its D and M records count */
        ROLE_OLD    /* older: read by the last window, nothing of it counts */
};

struct gb_part {
        struct gb_slice slice;
        bool live;
        bool newest; /* no other of the window was closed later */
        enum gb_role role;
};

struct gb_history {
        const struct gb_brick *b;
        char *log; /* of the brick's process; NULL: unknown */
        char dir[GB_BRICK_PATH_MAX + 32];
        struct gb_cursor from; /* by_time: only `when` and `last_ts` */
        struct gb_cursor next;
        bool by_time;
        bool replay_all; /* the last window is delivered again */
        int64_t start, end;
        int64_t first, last; /* the same by the clock of names */
        int64_t asked;
        int64_t opened;       /* what was recorded until then is told of, by the kernel's clock */
        int64_t since;        /* what changed after the cursor has a ctime from here on */
        uint32_t brick_flags; /* enum gb_brick_flags */
        struct gb_chain chain;
        GB_VEC(struct gb_part) parts;
        size_t at;
        bool reading;    /* parts[at] is open */
        uint64_t replay; /* bytes of it from before the cursor */
        struct gb_slicefile file;
        uint64_t records;
};

/* What glusterd says of the volume now. */
struct gb_volume_now {
        bool known;
        uint64_t version;
        unsigned rollover;
        bool quiet; /* the brick does not log which clients come */
};

/* Now, by the kernel's clock, which ctimes and births are of. */
int64_t gb_kernel_seconds(void);

/* Bring a bare reason into the form that a user reads; other errors only get the brick. */
int gb_history_explain(const struct gb_history *h, struct gb_error *err);

/* NULL: the live one. */
int gb_history_add_part(struct gb_history *h, const struct gb_slice *s, enum gb_role role,
                        struct gb_error *err);
/* The slices of the chain's window. */
int gb_history_add_window(struct gb_history *h, struct gb_error *err);

/* Choose the slices of a window from h->first to h->last.  *with_live: the live one is part of it. */
int gb_history_open_by_time(struct gb_history *h, bool *with_live, struct gb_error *err);

/* ---- history_volume.c ---- */

int gb_changelogs_dir(const struct gb_brick *b, char *dir, size_t size, struct gb_error *err);

/* The version, and the options, which must be such that history can be read; without glusterd nothing is
 * checked. */
int gb_volume_now(const struct gb_brick *b, const struct gb_glusterd *gd, const char *dir,
                  struct gb_volume_now *now, struct gb_error *err);

/* Could changelog have been off for a while, up to `to`? */
int gb_history_check_holes(const struct gb_history *h, const struct gb_volume_now *now, int64_t to,
                           struct gb_error *err);

/* enum gb_brick_flags */
uint32_t gb_history_watch_brick(const struct gb_history *h, const struct gb_volume_now *now);

/* Where the brick's process logs to; to be freed, or NULL.  `gd` may be NULL. */
char *gb_history_log(const struct gb_glusterd *gd, const struct gb_brick *b);

/* ---- history_position.c ---- */

/* h->next, but for the live slice, which is read later. */
void gb_history_fill_next(struct gb_history *h, const struct gb_volume_now *now, bool with_live);

#endif
