/*
 * measure - see measure.h.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

/* No file is that large, and one more still is a number. */
#define SIZE_LIMIT (1ull << 62)

static bool parse_size(const char *text, uint64_t *out)
{
        static const char units[] = "KMGTP";
        unsigned long long v;
        const char *unit;
        char *end;

        errno = 0;
        v = strtoull(text, &end, 10);
        if (*text < '0' || *text > '9' || errno || v > SIZE_LIMIT)
                return false;
        unit = *end ? strchr(units, *end) : NULL;
        if (*end && (!unit || end[1]))
                return false;
        for (; unit && unit >= units; unit--) {
                if (v > SIZE_LIMIT / 1024)
                        return false;
                v *= 1024;
        }
        *out = v;
        return true;
}

int gb_measure_size(struct gb_measure *m, bool max, const char *text, struct gb_error *err)
{
        uint64_t size;

        if (!parse_size(text, &size))
                return gb_error_set(err, GB_ERR_USAGE,
                                    "\"%.80s\" is no size: give bytes, or a number with K, M, G, T or P",
                                    text);
        if (max)
                m->size_below = size + 1;
        else
                m->size_from = size;
        return 0;
}
