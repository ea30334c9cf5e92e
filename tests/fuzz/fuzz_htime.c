/* links: agent base */
/*
 * HTIME files.
 */
#include <config.h>

#include "fuzz.h"
#include "htime.h"

const char *const fuzz_data[] = {"samples", NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct gb_htime h = {0};
        struct gb_error err;

        /* The folder that the samples' entries lie in. */
        gb_htime_parse(data, size, "/bricks/fa_dr1/.glusterfs/changelogs", &h, &err);
        gb_htime_fini(&h);
        return 0;
}
