/*
 * bricklog - what a brick's log says of its starts, was changelog on, and of clients that came back.
 *
 * Changelog that is switched off and on again while the brick is down leaves no mark in HTIME, and is told
 * from a plain restart by nothing on the brick (facts 3.5 c).  But a brick process writes its graph to its
 * log when it starts, and in there stands the option.  A log can be missing, rotated or silenced: then this
 * says so.  With brick multiplexing it is the log of several bricks; each graph and each client names its
 * own.
 */
#ifndef GB_BRICKLOG_H
#define GB_BRICKLOG_H

#include <stdbool.h>
#include <stdint.h>

struct gb_bricklog {
        uint64_t id;     /* of the log: inode and birth; 0: there is none */
        uint64_t offset; /* its length */
};

/* The name that glusterd gives to the log of a brick that has its own process.  To be freed; NULL: out of
 * memory. */
char *gb_bricklog_named(const char *brick);

/* `file`: the log; NULL: there is none. */
struct gb_bricklog gb_bricklog_now(const char *file);
/* Starts of the brick since then, with changelog on and off.  False: unknown, the log is not there any more.
 */
bool gb_bricklog_starts(const char *file, const char *brick, const struct gb_bricklog *since, unsigned *on,
                        unsigned *off);
/* Did clients that had lost the brick find it again since then?  It may have missed what they wrote
 * meanwhile. GlusterFS numbers the connections of a client; each but the first is one.  1, 0, -1: unknown. */
int gb_bricklog_reconnected(const char *file, const char *brick, const struct gb_bricklog *since);

#endif
