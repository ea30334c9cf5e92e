/*
 * progress - what a command is doing, on a terminal's stderr, or as JSON lines for programs
 * (--progress=json).
 *
 * On a terminal: a line with what is being done, entries listed, their rate and the time; below it a line for
 * each brick that is being read, with how far it is, how fast, and which one the others wait for.
 */
#ifndef GB_PROGRESS_H
#define GB_PROGRESS_H

#include <stdint.h>

#include "cli.h"

/* Call it as often as you like: it only takes notice.  The first call begins the display. */
void gb_progress_tick(const struct gb_cli *c, const char *what, uint64_t entries);
/* Say now what is being done, before something that may take long. */
void gb_progress_say(const struct gb_cli *c, const char *what);
/* Wipe it and draw no more until the next tick. */
void gb_progress_end(void);
/* On a terminal, what came out of it and how long it took; `file` may be "". */
void gb_progress_sum(const struct gb_cli *c, const char *what, uint64_t entries, const char *file);
/* Around whatever else is written to stderr: wipes it, and keeps it from being drawn. */
void gb_progress_hold(void);
void gb_progress_release(void);

#endif
