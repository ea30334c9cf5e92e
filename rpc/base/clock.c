/*
 * clock - see clock.h.
 */
#include <config.h>

#include "clock.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

int64_t gb_now_ms(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int gb_deadline_left(gb_deadline d)
{
        int64_t now;

        if (d == GB_NEVER)
                return -1;
        now = gb_now_ms();
        if (d <= now)
                return 0;
        return d - now > INT_MAX ? INT_MAX : (int)(d - now);
}

void gb_iso_time(int64_t seconds, char out[GB_ISO_TIME])
{
        time_t t = (time_t)seconds;
        struct tm tm;

        if (!gmtime_r(&t, &tm) || !strftime(out, GB_ISO_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm))
                snprintf(out, GB_ISO_TIME, "%" PRId64, seconds);
}
