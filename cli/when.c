/*
 * when - see when.h.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "when.h"

int gb_when(const char *text, int64_t *out, struct gb_error *err)
{
        static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                            "%Y-%m-%d %H:%M", "%Y-%m-%d"};
        char *end;
        long long v;

        errno = 0;
        v = strtoll(text, &end, 10);
        if (!errno && end != text && !*end && v >= 0) {
                *out = v;
                return 0;
        }
        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
                struct tm tm = {.tm_isdst = -1};
                const char *rest = strptime(text, forms[i], &tm);

                if (!rest || (*rest && strcmp(rest, "Z") != 0))
                        continue;
                *out = *rest ? timegm(&tm) : mktime(&tm);
                return 0;
        }
        return gb_error_set(err, GB_ERR_USAGE,
                            "\"%.80s\" is no time: give unix seconds or ISO-8601 (2026-01-31T12:00:00Z)",
                            text);
}
