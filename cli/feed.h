/*
 * feed - one agent stream, read ahead by a thread of its own.
 *
 * The thread keeps asking as long as its small queue has room, so the agent is never left holding data
 * nobody takes, however long the merge looks elsewhere.
 */
#ifndef GB_FEED_H
#define GB_FEED_H

#include <stdint.h>

#include "base/block.h"
#include "base/facts.h"
#include "client.h"

struct gb_feed;

/* OPEN on `client` (taken over, also on failure) and start reading.  Strings are borrowed only for the
 * call; `name` ("host:/path") for the feed's life. */
struct gb_feed *gb_feed_open(struct gb_client *client, const char *volume, const char *brick,
                             const char *name, const gbx_query *query, unsigned chunk, struct gb_error *err);
void gb_feed_close(struct gb_feed *f); /* NULL allowed; ends the stream at once */

/* The next chunk, borrowed until the next call.  1, 0 at eof, -1. */
int gb_feed_next(struct gb_feed *f, const void **data, size_t *len, struct gb_error *err);

/* After eof: -1 when the agent has counted other than the `arrived` entries or facts that came. */
int gb_feed_check(const struct gb_feed *f, uint64_t arrived, struct gb_error *err);

/* After eof, of a history. */
const char *gb_feed_cursor(const struct gb_feed *f);
/* Not after the beginning of the window before; 0: unknown. */
int64_t gb_feed_before(const struct gb_feed *f);
void gb_feed_window(const struct gb_feed *f, int64_t *from, int64_t *to);

/* Chunk size so that n feeds stay inside the CLI's memory budget. */
unsigned gb_feed_chunk(unsigned n);

#endif
