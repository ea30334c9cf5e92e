/*
 * file - small files, read and replaced whole.
 */
#ifndef GB_FILE_H
#define GB_FILE_H

#include "buf.h"
#include "error.h"

/* A whole regular file of at most `max` bytes, and a NUL that does not count.  0; 1: there is none; -1:
 * GB_ERR_LIMIT, GB_ERR_MEMORY, GB_ERR_CONFIG for what the system says. */
int gb_file_read(const char *path, size_t max, struct gb_buf *out, struct gb_error *err);

/* Replace a file, or make it: temporary beside it, fsync, rename, fsync of the folder.  Nobody ever sees a
 * part.  0, -1 (GB_ERR_SYSTEM): the old one is still there, unless only the last step failed. */
int gb_file_write(const char *path, const void *bytes, size_t n, unsigned mode, struct gb_error *err);

#endif
