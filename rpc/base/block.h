/*
 * block - front-coded blocks of sorted entries: what a scan stream's chunks carry.
 *
 * A block stands alone: its first entry shares nothing.  Layout, repeated per entry:
 *
 *     varint shared      bytes taken from the previous path of this block
 *     varint rest        bytes that follow
 *     rest bytes
 *     u8 type            'f' 'd' 'l' 'p' 's' 'b' 'c', with bit 7 set when a gfid follows
 *     [16 bytes gfid]
 *
 * The decoder refuses shared > previous length, a path that fails gb_path_valid(), bytes beyond the
 * block, and a path not strictly greater (gb_path_cmp) than the one before, across blocks too.
 */
#ifndef GB_BLOCK_H
#define GB_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "buf.h"
#include "error.h"
#include "gfid.h"
#include "limits.h"

/* One object at one path. */
struct gb_entry {
        const char *path; /* relative to the volume root, not NUL-terminated, borrowed */
        size_t len;
        char type; /* 'f' 'd' 'l' 'p' 's' 'b' 'c' */
        bool has_gfid;
        gb_gfid gfid;
};

bool gb_entry_type_valid(char type);
/* st_mode to the letter; 0 for something else. */
char gb_entry_type(uint32_t mode);

struct gb_block_writer {
        struct gb_buf *out; /* borrowed */
        char prev[GB_PATH_MAX];
        size_t prev_len;
        uint32_t count;
};

/* Begin a block in `out` (reset first by the caller); `out->max` bounds the block. */
void gb_block_begin(struct gb_block_writer *w, struct gb_buf *out);
/* 0 appended, 1 no room left in the block (nothing written: begin the next block with it), -1 error. */
int gb_block_add(struct gb_block_writer *w, const struct gb_entry *e);

/* Bytes behind a path that may be written and read, so that it can be copied a few bytes at a time. */
#define GB_PATH_SLACK 32

struct gb_block_reader {
        struct gb_reader in;
        size_t len;     /* of the path last returned, kept across blocks for the order check */
        size_t same;    /* bytes that the last entry shares with the one before, in front */
        uint64_t count; /* entries returned */
        size_t name;    /* where the last component of the path begins */
        /* What is none for gb_block_step(): an entry that begins here or later, */
        const uint8_t *step_until;
        size_t step_from;             /* shares less, */
        size_t step_least, step_most; /* or becomes a shorter or longer path */
        const uint8_t *gfid;          /* of the last entry, in the block; NULL: none */
        char type;
        bool block_start;
        bool newline;                               /* there is one in the path */
        char path[GB_PATH_MAX + 1 + GB_PATH_SLACK]; /* NUL-terminated */
};

/* Once per stream. */
void gb_block_reader_init(struct gb_block_reader *r);
/* Give it the next block; the bytes must stay valid until it is used up. */
void gb_block_feed(struct gb_block_reader *r, const void *data, size_t len);
/* 1 and *e (path borrowed until the next call), 0 at the end of the block, -1 malformed. */
int gb_block_next(struct gb_block_reader *r, struct gb_entry *e, struct gb_error *err);
/* The same, and the entry stays in the reader. */
int gb_block_move(struct gb_block_reader *r, struct gb_error *err);
/* What the reader stands at; the path is borrowed until it moves on. */
static inline void gb_block_entry(const struct gb_block_reader *r, struct gb_entry *e)
{
        e->path = r->path;
        e->len = r->len;
        e->type = r->type;
        e->has_gfid = r->gfid != NULL;
        if (r->gfid)
                memcpy(e->gfid.b, r->gfid, sizeof(e->gfid.b));
        else
                e->gfid = GB_GFID_NULL;
}

#endif
