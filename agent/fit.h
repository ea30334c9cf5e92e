/*
 * fit - does a regular file of a brick have the size and age that are asked for?
 *
 * What users see is not always what the brick's file system says: a disperse brick has a fragment of the
 * file, a sharded file's first block stands for it, and times come from the ctime feature where it is on.  An
 * arbiter knows neither size nor time: whoever asks must not ask one.
 */
#ifndef GB_FIT_H
#define GB_FIT_H

#include <sys/stat.h>

#include "base/measure.h"

/* 1, 0, -1 with errno. */
int gb_fits(const struct gb_measure *m, int dir_fd, const char *name, const struct stat *st);

#endif
