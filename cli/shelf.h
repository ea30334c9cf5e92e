/*
 * shelf - byte records that are kept in order and read as often as wanted, in fixed memory.
 *
 * What does not fit goes to an unlinked file.
 */
#ifndef GB_SHELF_H
#define GB_SHELF_H

#include "base/buf.h"
#include "base/error.h"

struct gb_shelf {
        const char *dir;       /* borrowed */
        int fd;                /* -1: all of it is in the buffer */
        uint64_t in_file;      /* bytes */
        struct gb_buf records; /* those that came last */
        size_t n;
};

void gb_shelf_init(struct gb_shelf *s, const char *dir);
void gb_shelf_fini(struct gb_shelf *s);
int gb_shelf_add(struct gb_shelf *s, const void *rec, size_t len, struct gb_error *err);

/* A way through it, from the first record.  Nothing may be added meanwhile; there may be several. */
struct gb_shelf_reader {
        const struct gb_shelf *shelf;
        uint64_t at;
        struct gb_buf window; /* bytes of the file from `begin` on */
        uint64_t begin;
};

void gb_shelf_read(struct gb_shelf_reader *r, const struct gb_shelf *s);
/* 1 and *rec (borrowed until the next call), 0 at the end, -1. */
int gb_shelf_next(struct gb_shelf_reader *r, const uint8_t **rec, size_t *len, struct gb_error *err);
void gb_shelf_close(struct gb_shelf_reader *r);

#endif
