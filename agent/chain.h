/*
 * chain - the slices of a brick at one instant, and whether nothing is missing between them.
 *
 * A snapshot is the live file's descriptor together with a list of slices and HTIME, all taken while no
 * rollover happened: then what is in the list ended before the live file, and what comes later is
 * read through the descriptor, whatever name the file has by then.
 *
 * All failures are GB_ERR_GAP with the bare reason in the text, unless the system failed.
 */
#ifndef GB_CHAIN_H
#define GB_CHAIN_H

#include "history.h"
#include "htime.h"

struct gb_chain {
        const char *dir; /* borrowed */
        struct gb_slices slices;
        int live_fd;          /* -1: there is no live file */
        struct gb_birth live; /* all zero: there is none */
        int64_t newest;       /* ts of the slice that was closed last: HTIME entry or file */
        size_t first;         /* HTIME entries from here on belong to the window */
        bool take_since; /* after gb_chain_follow: the slice named cursor.last_ts came after the cursor */
        GB_VEC(const struct gb_slice *) window; /* the closed slices of the window, in order */
};

/* Arguments as gb_slices_open_at(); `dir` is kept.  A live file is missing only if it stays away for half a
 * second. */
int gb_chain_open(const char *dir, int64_t since, int64_t born, const char *htime, uint64_t offset,
                  struct gb_chain *c, struct gb_error *err);
void gb_chain_close(struct gb_chain *c);

/* The HTIME of a chain opened with since < cursor.last_ts, born <= cursor.live_born, offset =
 * cursor.htime_len goes on where the cursor stands: fills first, take_since and window. */
int gb_chain_follow(struct gb_chain *c, const struct gb_cursor *from, struct gb_error *err);
/* The window by time: slices of this ts and later, up to the first of `until` (0: none) or later: fills first
 * and window. */
int gb_chain_from(struct gb_chain *c, int64_t ts, int64_t until, struct gb_error *err);

/* Did the window that ended at the cursor read a slice which is not in this one? */
bool gb_chain_was_read(const struct gb_slice *s, const struct gb_cursor *from);

/* The window's HTIME entries are whole. */
int gb_chain_check_htime(const struct gb_chain *c, struct gb_error *err);
/* The window's slices exist once each, have not replaced others, are as the brick left them, and none between
 * them is gone.  `from` NULL: by time.  `rollover`: seconds. */
int gb_chain_check_slices(const struct gb_chain *c, const struct gb_cursor *from, bool with_live,
                          unsigned rollover, struct gb_error *err);

/* The longest time without a sign of the brick in (from, to]: signs are HTIME entries of the window and
 * orphans.  Returns its length in seconds and its beginning. */
int64_t gb_chain_longest_hole(const struct gb_chain *c, int64_t from, int64_t to, int64_t *since);
/* Brick restarts in the window: they leave orphans. */
unsigned gb_chain_restarts(const struct gb_chain *c);

#endif
