/*
 * changelog - the records of one slice (facts 1).
 *
 * Both encodings, v1.1 and v1.2.  A parser works on bytes in memory, in place; slicefile.h reads a
 * slice in bounded pieces and feeds them.  Anything that is not a record ends the parse: `torn` if
 * the bytes simply stop inside a record, `corrupt` otherwise.
 */
#ifndef GB_CHANGELOG_H
#define GB_CHANGELOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/facts.h"

/* Numbers of glusterfs-fops.h that occur in E records. */
enum gb_fop {
        GB_FOP_MKNOD = 3,
        GB_FOP_MKDIR = 4,
        GB_FOP_UNLINK = 5,
        GB_FOP_RMDIR = 6,
        GB_FOP_SYMLINK = 7,
        GB_FOP_RENAME = 8,
        GB_FOP_LINK = 9,
        GB_FOP_CREATE = 23
};

enum gb_m_fop { /* M records we tell apart */
                GB_FOP_SETXATTR = 17,
                GB_FOP_REMOVEXATTR = 19,
                GB_FOP_XATTROP = 33,
                GB_FOP_FXATTROP = 34,
                GB_FOP_FSETXATTR = 36,
                GB_FOP_SETATTR = 38,
                GB_FOP_FSETATTR = 39,
                GB_FOP_FREMOVEXATTR = 45
};

struct gb_record {
        char type; /* 'D' 'M' 'E' */
        gb_gfid gfid;
        uint32_t fop;         /* E and M */
        uint32_t mode;        /* CREATE, MKNOD, MKDIR; a hint only */
        struct gb_slot from;  /* E: the slot; RENAME: the old one.  Borrowed from the input */
        struct gb_slot to;    /* RENAME only */
        const char *del_path; /* UNLINK, RMDIR with capture-del-path: borrowed, else NULL */
        size_t del_path_len;
};

enum gb_parse { GB_PARSE_RECORD = 1, GB_PARSE_END = 0, GB_PARSE_TORN = -1, GB_PARSE_CORRUPT = -2 };

struct gb_changelog {
        const uint8_t *base; /* the slice's bytes, borrowed */
        const uint8_t *p;
        const uint8_t *end;
        bool binary;
        bool v11; /* version 1.1: UNLINK and RMDIR have no path bytes */
        size_t header_len;
        size_t base_offset; /* where `base` stands in the slice */
};

/* Bytes of every header there is. */
#define GB_CHANGELOG_HEADER 51

/* Parse the header and stand on the first record.  -1: not a changelog (GB_ERR_GAP), with `what`
 * (the file's name) in the text. */
int gb_changelog_begin(struct gb_changelog *c, const void *data, size_t len, const char *what,
                       struct gb_error *err);
/* Stand on the record at a byte offset that an earlier parse ended at. */
int gb_changelog_seek(struct gb_changelog *c, size_t offset, struct gb_error *err);
/* Of the next record, from the slice's beginning; after TORN or CORRUPT: where that record begins. */
size_t gb_changelog_offset(const struct gb_changelog *c);
/* Go on in another piece of the same slice; a record begins at `data`, which is at `offset`. */
void gb_changelog_feed(struct gb_changelog *c, const void *data, size_t len, size_t offset);
/* Only GB_PARSE_RECORD moves; only then *r means something. */
enum gb_parse gb_changelog_next(struct gb_changelog *c, struct gb_record *r);

#endif
