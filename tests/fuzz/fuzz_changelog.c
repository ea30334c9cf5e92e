/* links: agent base */
/*
 * Changelog slices: each record moves on, and its names lie within the slice.
 */
#include <config.h>

#include <stdbool.h>
#include <stdlib.h>

#include "changelog.h"
#include "fuzz.h"

const char *const fuzz_data[] = {"samples", NULL};

static bool within(const uint8_t *data, size_t size, const void *p, size_t n)
{
        const uint8_t *at = p;

        return !n || (at >= data && n <= size && (size_t)(at - data) <= size - n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct gb_changelog c;
        struct gb_error err;
        struct gb_record r;

        if (gb_changelog_begin(&c, data, size, "slice", &err) < 0)
                return 0;
        for (;;) {
                size_t before = gb_changelog_offset(&c);

                if (gb_changelog_next(&c, &r) != GB_PARSE_RECORD)
                        break;
                if (gb_changelog_offset(&c) <= before || gb_changelog_offset(&c) > size)
                        abort();
                if (r.type == 'E' && !within(data, size, r.from.name, r.from.len))
                        abort();
                if (r.del_path && !within(data, size, r.del_path, r.del_path_len))
                        abort();
        }
        return 0;
}
