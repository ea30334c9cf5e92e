/*
 * birth - a file's life by the kernel's clock.
 *
 * The clock that names slices is the brick process's, which may step, and be another than ours.  What the
 * file system notes of a file comes from one clock for all files of a brick, and its birth can neither be
 * set nor copied.
 */
#ifndef GB_BIRTH_H
#define GB_BIRTH_H

#include <stdbool.h>
#include <stdint.h>

struct gb_birth {
        uint64_t ino;
        int64_t born;    /* nanoseconds; 0: the file system does not tell, or no regular file */
        int64_t written; /* mtime, nanoseconds */
        int64_t changed; /* ctime, nanoseconds: of a slice, when it got its name */
        uint64_t size;
};

/* By name in a directory, not following symlinks; name "": the descriptor itself.  -1 and errno. */
int gb_birth_of(int fd, const char *name, struct gb_birth *out);

/* The clock that births are of, now. */
int64_t gb_birth_now(void);

static inline bool gb_birth_same(const struct gb_birth *a, uint64_t ino, int64_t born)
{
        return a->ino == ino && a->born == born;
}

#endif
