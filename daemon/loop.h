/*
 * loop - the listener process.
 */
#ifndef GB_LOOP_H
#define GB_LOOP_H

#include "base/error.h"
#include "settings.h"

/* Re-reads the settings for SIGHUP; -1 keeps the old ones. */
typedef int (*gb_loop_reload)(struct gb_settings *out, struct gb_error *err);

/* Listen, and serve until SIGTERM or SIGINT.  0: ended in order; -1: could not begin, or broke. */
int gb_loop_run(struct gb_settings *s, gb_loop_reload reload, struct gb_error *err);

#endif
