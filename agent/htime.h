/*
 * htime - which slices a brick has, and whether its history is whole.
 *
 * The list of slices is the directory tree (flat and YYYY/MM/DD) merged with HTIME: HTIME alone
 * forgets the last slice before each brick restart (facts 3.4), the tree alone cannot tell an empty
 * slice from a lost one.  HTIME is also the heartbeat: an entry per rollover, even when idle.
 */
#ifndef GB_HTIME_H
#define GB_HTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/vec.h"

struct gb_slice {
        int64_t ts;       /* the number in its name: seconds, at its end */
        bool file;        /* a file exists */
        bool flat;        /* CHANGELOG.<ts> directly below the changelog directory */
        bool in_htime;    /* false: a restart orphan */
        bool empty;       /* HTIME says changelog.<ts>: nothing was recorded */
        unsigned copies;  /* upper-case HTIME entries with this ts; > 1: overwritten */
};

struct gb_htime_entry {
        int64_t ts;
        bool empty; /* lower-case: no file */
};

struct gb_htime {
        int64_t started;  /* the number in HTIME.<n> */
        char name[64];
        GB_VEC(struct gb_htime_entry) entries; /* in file order */
        bool foreign;     /* an entry whose directory is not `dir` and does not end in the same place */
        bool torn;        /* the file ends inside an entry, or an entry is no slice path */
};

/* Parse the bytes of an HTIME file.  `dir` is the changelog directory its entries should name; an
 * entry with another directory sets `foreign`. */
int gb_htime_parse(const void *data, size_t len, const char *dir, struct gb_htime *out, struct gb_error *err);
void gb_htime_fini(struct gb_htime *h);

/* Everything a reader needs to know of a brick's changelog directory. */
struct gb_slices {
        int dir_fd;                     /* changelog directory */
        GB_VEC(struct gb_slice) slices; /* ascending ts, each once, ts > since */
        struct gb_htime htime;          /* the HTIME in use, entries with ts >= since - slack only */
        unsigned htime_files;           /* HTIME.<n> files with n > since */
        int64_t last_ts;                /* newest HTIME entry, 0: none */
};

/* `dir`: absolute path of BRICK/.glusterfs/changelogs.  Slices with ts > since. */
int gb_slices_open(const char *dir, int64_t since, struct gb_slices *out, struct gb_error *err);
void gb_slices_close(struct gb_slices *s);
/* Relative name of a slice below dir_fd, into out[64]. */
char *gb_slice_name(const struct gb_slice *s, char out[64]);

#endif
