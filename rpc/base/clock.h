/*
 * clock - deadlines on the monotonic clock, in milliseconds; times for people.
 */
#ifndef GB_CLOCK_H
#define GB_CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t gb_now_ms(void);

/* An instant; GB_NEVER for none. */
typedef int64_t gb_deadline;
#define GB_NEVER INT64_MAX

static inline gb_deadline gb_deadline_in(int64_t ms)
{
        return gb_now_ms() + ms;
}

/* Time left for poll(2): 0 when passed, -1 for GB_NEVER, never above INT_MAX. */
int gb_deadline_left(gb_deadline d);

/* Unix seconds as 2026-01-31T12:00:00Z; what no year can be told of, as a number. */
#define GB_ISO_TIME 32
void gb_iso_time(int64_t seconds, char out[GB_ISO_TIME]);

#endif
