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
        struct gb_slices slices;
        int live_fd;       /* -1: there is no live file */
        uint64_t live_ino; /* 0: there is none */
        int64_t newest;    /* ts of the newest closed slice: HTIME entry or file */
        size_t first;      /* HTIME entries from here on belong to the window */
        bool take_since;   /* after gb_chain_follow: the slice named cursor.last_ts came after the cursor */
};

/* Arguments as gb_slices_open_at().  A live file is missing only if it stays away for half a second. */
int gb_chain_open(const char *dir, int64_t since, const char *htime, uint64_t offset, struct gb_chain *c,
                  struct gb_error *err);
void gb_chain_close(struct gb_chain *c);

/* The HTIME of a chain opened with since < cursor.last_ts, offset = cursor.htime_len goes on where the
 * cursor stands: fills first and take_since. */
int gb_chain_follow(struct gb_chain *c, const struct gb_cursor *from, struct gb_error *err);
/* The window by time begins with slices of this ts: fills first. */
void gb_chain_from(struct gb_chain *c, int64_t ts);

/* The window's HTIME entries are whole and in order. */
int gb_chain_check_htime(const struct gb_chain *c, struct gb_error *err);
/* A slice that is to be read exists once, and has not replaced another. */
int gb_chain_check_slice(const struct gb_slice *s, struct gb_error *err);

/* The longest time without a sign of the brick in (from, to]: signs are HTIME entries of the window and
 * orphans.  Returns its length in seconds and its beginning. */
int64_t gb_chain_longest_hole(const struct gb_chain *c, int64_t from, int64_t to, int64_t *since);
/* Brick restarts seen as orphans with from < ts <= to. */
unsigned gb_chain_restarts(const struct gb_chain *c, int64_t from, int64_t to);

#endif
