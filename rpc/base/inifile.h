/*
 * inifile - a configuration file of sections and keys, through inih.
 *
 * What inih does in silence is refused: a line it would cut into two, a NUL byte, a line it cannot read. Each
 * complaint begins with FILE:LINE.
 */
#ifndef GB_INIFILE_H
#define GB_INIFILE_H

#include "error.h"

/* A key with its value: 0, or -1 and *err without the place. */
typedef int gb_ini_take(void *arg, const char *section, const char *name, const char *value,
                        struct gb_error *err);

/*
 * Read `file`; stops at the first key that is refused.
 *
 * @sections  what stands in brackets there, for the message about a line that is nothing: "POLICY".
 * Returns 0; 1: there is no such file; -1: GB_ERR_CONFIG, or what `take` said.
 */
int gb_ini_read(const char *file, const char *sections, gb_ini_take *take, void *arg, struct gb_error *err);

#endif
