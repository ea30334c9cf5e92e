/*
 * gfid - the 16-byte identity GlusterFS gives to every object; also used for other uuids.
 */
#ifndef GB_GFID_H
#define GB_GFID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct gb_gfid {
        uint8_t b[16];
} gb_gfid;

#define GB_GFID_TEXT 37 /* canonical text with its NUL */

extern const gb_gfid GB_GFID_NULL;
extern const gb_gfid GB_GFID_ROOT;            /* ...0001 */
extern const gb_gfid GB_GFID_TRASH;           /* ...0005 */
extern const gb_gfid GB_GFID_TRASH_INTERNAL;  /* ...0006 */
extern const gb_gfid GB_GFID_BITROT_STUB;     /* ...0008 */
extern const gb_gfid GB_GFID_SHARD;           /* be318638-e8a0-4c6d-977d-7a937aa84806, /.shard */
extern const gb_gfid GB_GFID_SHARD_REMOVE_ME; /* 77dd5a45-dbf5-4592-b31b-b440382302e9 */

static inline int gb_gfid_cmp(const gb_gfid *a, const gb_gfid *b)
{
        return memcmp(a->b, b->b, sizeof(a->b));
}

static inline bool gb_gfid_eq(const gb_gfid *a, const gb_gfid *b)
{
        return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

/* gfids are random (version 4), so eight of their bytes are a hash. */
static inline uint64_t gb_gfid_hash(const gb_gfid *g)
{
        uint64_t h;

        memcpy(&h, g->b + 8, sizeof(h));
        return h * 0x9e3779b97f4a7c15u;
}

/* Exactly 36 characters of canonical text, either case, at `text` (need not end in NUL).
 * Returns false and leaves *out alone when it is anything else. */
bool gb_gfid_parse(const char *text, size_t len, gb_gfid *out);

/* Lower-case canonical text with NUL into out[37]; returns out. */
char *gb_gfid_format(const gb_gfid *g, char out[GB_GFID_TEXT]);

/* The anonymous-inode directory of AFR: gfid = volume id with the lowest bit of its first byte
 * flipped (facts 6.5). */
gb_gfid gb_gfid_anonymous_dir(const gb_gfid *volume_id);

/* A directory whose content is GlusterFS's own: trash, .shard, bitrot stub, anonymous-inode dir. */
bool gb_gfid_is_internal_dir(const gb_gfid *g, const gb_gfid *volume_id);

#endif
