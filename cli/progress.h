/*
 * progress - one line on a terminal's stderr, or JSON lines for programs (--progress=json).
 */
#ifndef GB_PROGRESS_H
#define GB_PROGRESS_H

#include <stdint.h>

#include "cli.h"

/* Call it as often as you like; it looks at the clock every 1024 calls and shows at most five times a
 * second. */
void gb_progress_tick(const struct gb_cli *c, const char *what, uint64_t entries);
/* Say now what is being done, before something that may take long. */
void gb_progress_say(const struct gb_cli *c, const char *what);
/* Wipe the line. */
void gb_progress_end(void);

#endif
