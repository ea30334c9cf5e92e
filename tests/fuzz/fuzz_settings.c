/* links: daemon inih */
/*
 * gbackupd.conf.
 */
#include <config.h>

#include "fuzz.h"
#include "memfile.h"
#include "settings.h"

const char *const fuzz_data[] = {NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct gb_settings s;
        struct gb_error err;
        char path[64];
        int fd = memfile(data, size, path);

        gb_settings_default(&s);
        gb_settings_load(&s, path, true, &err);
        close(fd);
        return 0;
}
