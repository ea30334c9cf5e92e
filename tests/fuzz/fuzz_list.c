/* links: cli rpc base jansson */
/*
 * A manifest, a blank line, and the list it tells of.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "fuzz.h"
#include "listread.h"

const char *const fuzz_data[] = {NULL};

/* main.c has them. */
void gb_say(const char *fmt, ...)
{
        (void)fmt;
}

void gb_note(const struct gb_cli *c, const char *fmt, ...)
{
        (void)c;
        (void)fmt;
}

void gb_cancel_hold(void)
{
}

static void put(const char *path, const uint8_t *data, size_t size)
{
        FILE *f = fopen(path, "we");

        if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
                abort();
}

static const char *folder(void)
{
        static char path[] = "/dev/shm/gbfuzz.XXXXXX";
        static int made;

        if (!made && !mkdtemp(path))
                abort();
        made = 1;
        return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const uint8_t *gap = size ? memmem(data, size, "\n\n", 2) : NULL;
        size_t at = gap ? (size_t)(gap - data) : size, skip = gap ? 2 : 0;
        char list[80], manifest[96];
        struct gb_manifest m;
        struct gb_listread *r;
        struct gb_error err;
        struct gb_op op;

        snprintf(list, sizeof(list), "%s/list", folder());
        snprintf(manifest, sizeof(manifest), "%s.manifest", list);
        put(manifest, data, at);
        put(list, data + at + skip, size - at - skip);
        if (gb_manifest_read(list, &m, &err) == 0) {
                r = gb_listread_open(list, &m, &err);
                while (r && gb_listread_next(r, &op, &err) == 1)
                        if (!op.len)
                                abort();
                if (r)
                        gb_listread_intact(r);
                gb_listread_close(r);
                gb_manifest_fini(&m);
        }
        unlink(list);
        unlink(manifest);
        rmdir(folder());
        mkdir(folder(), 0700);
        return 0;
}
