/*
 * scratch - temporary files that have no name.
 */
#ifndef GB_SCRATCH_H
#define GB_SCRATCH_H

#include "error.h"

/* $TMPDIR, or /var/tmp. */
const char *gb_scratch_dir(void);
/* A descriptor to read and write, of a file in `dir` that goes with it; -1. */
int gb_scratch_open(const char *dir, struct gb_error *err);

#endif
