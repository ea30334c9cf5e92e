/*
 * when - a time as people give it.
 */
#ifndef GB_WHEN_H
#define GB_WHEN_H

#include <stdint.h>

#include "base/error.h"

/* Unix seconds, or ISO-8601: 2026-01-31, 2026-01-31T12:00, 2026-01-31T12:00:00, with Z for UTC. GB_ERR_USAGE.
 */
int gb_when(const char *text, int64_t *out, struct gb_error *err);

#endif
