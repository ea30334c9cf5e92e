/* links: agent base */
/*
 * Cursors: what is accepted is written as a text that is accepted again, and is then the same.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "fuzz.h"
#include "history.h"

const char *const fuzz_data[] = {NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct gb_cursor c, again;
        static char text[GB_CURSOR_MAX + 1], second[GB_CURSOR_MAX + 1];
        struct gb_error err;

        if (gb_cursor_parse((const char *)data, size, &c, &err) < 0)
                return 0;
        if (gb_cursor_format(&c, text, sizeof(text), &err) < 0)
                return 0;
        if (gb_cursor_parse(text, strlen(text), &again, &err) < 0 ||
            gb_cursor_format(&again, second, sizeof(second), &err) < 0 || strcmp(text, second) != 0)
                abort();
        return 0;
}
