/*
 * slicefile - the records of one slice file, read in bounded pieces.
 *
 * With pread into one buffer that is used again for the next file, never mapped: an administrator may
 * truncate a slice under us, and that has to be an error, not a SIGBUS.  A record that straddles two
 * pieces is carried over.
 */
#ifndef GB_SLICEFILE_H
#define GB_SLICEFILE_H

#include <xxhash.h>

#include "changelog.h"

/* Bytes read at once; far more than the longest record. */
#define GB_SLICEFILE_PIECE (1024 * 1024)

struct gb_slicefile {
        uint8_t *buf; /* GB_SLICEFILE_PIECE bytes, kept between files */
        XXH64_state_t *hash;
        int fd;           /* -1: none open */
        char what[64];    /* name for errors */
        uint64_t size;    /* of the file when it was opened: no byte behind is looked at */
        uint64_t fetched; /* bytes of the file that went through buf */
        uint64_t hashed;  /* bytes of the file in `hash` */
        bool begun;
        struct gb_changelog parser;
};

int gb_slicefile_init(struct gb_slicefile *f, struct gb_error *err);
void gb_slicefile_fini(struct gb_slicefile *f);

/* Start on `fd`, which is taken over, even on failure.  `what` is the name for errors. */
int gb_slicefile_open(struct gb_slicefile *f, int fd, const char *what, struct gb_error *err);
/* xxh64 of the first `len` bytes; len <= size; before the first record is taken. */
int gb_slicefile_prefix(struct gb_slicefile *f, uint64_t len, uint64_t *hash, struct gb_error *err);
/* 1 record (borrowed until the next call), 0 end, 2 the bytes end inside a record, -1 error: GB_ERR_GAP
 * for what is no changelog. */
int gb_slicefile_next(struct gb_slicefile *f, struct gb_record *r, struct gb_error *err);
/* Where the next record begins. */
uint64_t gb_slicefile_offset(const struct gb_slicefile *f);
/* xxh64 of all bytes before gb_slicefile_offset(). */
uint64_t gb_slicefile_hash(struct gb_slicefile *f);
void gb_slicefile_close(struct gb_slicefile *f);

#endif
