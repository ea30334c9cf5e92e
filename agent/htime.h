/*
 * htime - which slices a brick has, and whether its history is whole.
 *
 * The list of slices is the directory tree (flat and YYYY/MM/DD) merged with HTIME: HTIME alone
 * forgets the last slice before each brick restart (facts 3.4), the tree alone cannot tell an empty
 * slice from a lost one.  HTIME is also the heartbeat: an entry per rollover, even when idle.
 *
 * HTIME only ever grows at its end, so an offset in it is a place in the brick's history that stays
 * put even when the wall clock does not.
 */
#ifndef GB_HTIME_H
#define GB_HTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/vec.h"
#include "birth.h"

#define GB_HTIME_NAME 64
#define GB_SLICE_NAME 64

struct gb_slice {
        int64_t ts;      /* the number in its name: seconds, at its end */
        bool file;       /* a file exists */
        bool flat;       /* CHANGELOG.<ts> directly below the changelog directory */
        bool in_htime;   /* false: a restart orphan */
        bool empty;      /* HTIME says changelog.<ts>: nothing was recorded */
        unsigned copies; /* upper-case HTIME entries with this ts; > 1: overwritten */
        unsigned behind; /* ... of these, and of the lower-case ones, those that stand behind `offset` */
        unsigned behind_empty;
        size_t place;          /* index in htime.entries of the last of them */
        unsigned files;        /* files with this ts, in different directories */
        uint32_t day;          /* YYYYMMDD of the directory the file was found in, 0: flat or no file */
        struct gb_birth birth; /* of the file */
};

struct gb_htime_entry {
        int64_t ts;
        uint64_t end; /* offset behind the entry */
        bool empty;   /* lower-case: no file */
};

struct gb_htime {
        int64_t started;                       /* the number in HTIME.<n> */
        char name[GB_HTIME_NAME];              /* "": there is none */
        GB_VEC(struct gb_htime_entry) entries; /* in file order */
        uint64_t size;                         /* bytes up to the end of the last whole entry */
        bool foreign;                          /* an entry is not below `dir` */
        bool torn;    /* the file ends inside an entry, or an entry is no slice path */
        bool partial; /* ... the former: perhaps only being written */
};

/* HTIME.<digits>, and the number in it. */
bool gb_htime_name_parse(const char *name, int64_t *number);

/* Parse the bytes of an HTIME file.  `dir` is the changelog directory its entries should name; an
 * entry with another directory sets `foreign`. */
int gb_htime_parse(const void *data, size_t len, const char *dir, struct gb_htime *out, struct gb_error *err);
void gb_htime_fini(struct gb_htime *h);

/* Everything a reader needs to know of a brick's changelog directory. */
struct gb_slices {
        int dir_fd;                     /* changelog directory */
        GB_VEC(struct gb_slice) slices; /* ascending ts, each once, ts > since */
        struct gb_htime htime;          /* the HTIME asked for, and of its entries those named below */
        unsigned htime_files;           /* HTIME.<n> files with n > since */
        int64_t last_ts;                /* newest (last) HTIME entry, 0: none */
        int64_t htime_changed;          /* ctime of the HTIME file, nanoseconds: the last rollover */
};

/* `dir`: absolute path of BRICK/.glusterfs/changelogs.  Slices with ts > since, of the HTIME in use; of
 * its entries the last one before the first with ts > since, and all from there on. */
int gb_slices_open(const char *dir, int64_t since, struct gb_slices *out, struct gb_error *err);
/* The same for the HTIME file named (NULL: the one in use), reading only what stands behind `offset`
 * and a little before it: torn and foreign speak of what is behind.  Besides the slices with ts > since there
 * are those with entries behind `offset`, and files that were born at `born` or later (0: not these). */
int gb_slices_open_at(const char *dir, int64_t since, int64_t born, const char *htime, uint64_t offset,
                      struct gb_slices *out, struct gb_error *err);
/* As `offset`: only the end of the HTIME file, to learn its size and last entry. */
#define GB_HTIME_TAIL UINT64_MAX
void gb_slices_close(struct gb_slices *s);
/* The HTIME file that was begun last at or before `when`, into name, and when the next one was begun
 * (INT64_MAX: none).  1 found, 0 there is none, -1. */
int gb_slices_htime_of(const struct gb_slices *s, int64_t when, char name[GB_HTIME_NAME], int64_t *next,
                       struct gb_error *err);
/* Relative name of a slice below dir_fd, into out[64]. */
char *gb_slice_name(const struct gb_slice *s, char out[GB_SLICE_NAME]);

#endif
