/*
 * bricklog - what a brick's log says of its starts, was changelog on, and of clients that came back.
 *
 * Changelog that is switched off and on again while the brick is down leaves no mark in HTIME, and is told
 * from a plain restart by nothing on the brick (facts 3.5 c).  But a brick process writes its graph to its
 * log when it starts, and in there stands the option.  A log can be missing, rotated or silenced: then this
 * says so.
 */
#ifndef GB_BRICKLOG_H
#define GB_BRICKLOG_H

#include <stdbool.h>
#include <stdint.h>

struct gb_bricklog {
        uint64_t ino;    /* of the log; 0: there is none */
        uint64_t offset; /* its length */
};

struct gb_bricklog gb_bricklog_now(const char *brick);

/* Starts since then, with changelog on and off.  False: unknown, the log is not there any more. */
bool gb_bricklog_starts(const char *brick, const struct gb_bricklog *since, unsigned *on, unsigned *off);
/* Clients that had lost the brick and found it again since then: it may have missed what they wrote
 * meanwhile. GlusterFS numbers the connections of a client; each but the first is one.  False: none, or
 * unknown. */
bool gb_bricklog_reconnected(const char *brick, const struct gb_bricklog *since);

#endif
