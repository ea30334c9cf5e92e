/* links: base */
/*
 * Blocks: what the decoder lets pass is valid and ascending, and encodes to what decodes to the same.
 */
#include <config.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/block.h"
#include "base/order.h"
#include "fuzz.h"

const char *const fuzz_data[] = {NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct gb_block_reader r;
        struct gb_error err;
        struct gb_entry e;
        char last[GB_PATH_MAX + 1];
        size_t last_len = 0, half = size / 2;
        bool first = true;

        /* Two blocks of one stream. */
        gb_block_reader_init(&r);
        for (int block = 0; block < 2; block++) {
                gb_block_feed(&r, block ? data + half : data, block ? size - half : half);
                while (gb_block_next(&r, &e, &err) == 1) {
                        if (!gb_path_valid(e.path, e.len) || e.len > GB_PATH_MAX ||
                            (!first && gb_path_cmp(last, last_len, e.path, e.len) >= 0))
                                abort();
                        memcpy(last, e.path, e.len);
                        last_len = e.len;
                        first = false;
                }
        }
        return 0;
}
