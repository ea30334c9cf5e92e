/* links: rpc base */
/*
 * clients.conf: what is accepted is written as a text that is accepted again, and is then the same.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "fuzz.h"

const char *const fuzz_data[] = {NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct gb_access a = {0}, again = {0};
        struct gb_buf first, second;
        struct gb_error err;

        gb_buf_init(&first, 64 * 1024 * 1024);
        gb_buf_init(&second, 64 * 1024 * 1024);
        if (gb_access_parse(&a, (const char *)data, size, "clients.conf", &err) == 0) {
                if (gb_access_format(&a, &first, &err) == 0 &&
                    (gb_access_parse(&again, (const char *)first.data, first.len, "again", &err) < 0 ||
                     gb_access_format(&again, &second, &err) < 0 || first.len != second.len ||
                     memcmp(first.data, second.data, first.len) != 0))
                        abort();
        }
        gb_access_fini(&a);
        gb_access_fini(&again);
        gb_buf_fini(&first);
        gb_buf_fini(&second);
        return 0;
}
