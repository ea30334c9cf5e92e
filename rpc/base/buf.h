/*
 * buf - a growing byte buffer with a hard maximum, and a bounded reader over foreign bytes.
 *
 * Writers never overrun: past `max` they return -1.  Readers never move on failure.
 * Integers are LEB128 varints (at most 10 bytes) or fixed little-endian.
 */
#ifndef GB_BUF_H
#define GB_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gfid.h"

struct gb_buf {
        uint8_t *data; /* owned */
        size_t len;
        size_t cap;
        size_t max;
};

#define GB_BUF_INIT(limit)                                                                                   \
        {                                                                                                    \
                .max = (limit)                                                                               \
        }

void gb_buf_init(struct gb_buf *b, size_t max);
void gb_buf_fini(struct gb_buf *b);

/* A local that releases itself, as those of cleanup.h.  To be initialised where it stands: any return behind
 * it releases it. */
#define GB_CLEANUP_BUF __attribute__((cleanup(gb_buf_fini)))

static inline void gb_buf_reset(struct gb_buf *b)
{
        b->len = 0;
}

/* Room for `more` bytes at data+len, without changing len.  0, or -1 (past max, or no memory). */
int gb_buf_reserve(struct gb_buf *b, size_t more);

int gb_buf_put(struct gb_buf *b, const void *bytes, size_t n);
int gb_buf_put_u8(struct gb_buf *b, uint8_t v);
int gb_buf_put_varint(struct gb_buf *b, uint64_t v);
int gb_buf_put_gfid(struct gb_buf *b, const gb_gfid *g);
/* varint length, then the bytes */
int gb_buf_put_bytes(struct gb_buf *b, const void *bytes, size_t n);

struct gb_reader {
        const uint8_t *p;
        const uint8_t *end;
};

static inline size_t gb_reader_left(const struct gb_reader *r)
{
        return (size_t)(r->end - r->p);
}
bool gb_get_u8(struct gb_reader *r, uint8_t *v);
bool gb_get_varint(struct gb_reader *r, uint64_t *v);
bool gb_get_gfid(struct gb_reader *r, gb_gfid *g);
/* n bytes in place; *p points into the reader's memory. */
bool gb_get_raw(struct gb_reader *r, size_t n, const uint8_t **p);
/* varint length (refused above `max`), then the bytes in place. */
bool gb_get_bytes(struct gb_reader *r, size_t max, const uint8_t **p, size_t *n);

#endif
