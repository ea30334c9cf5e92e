/* links: base */
/*
 * Facts: what the reader lets pass can be encoded, and decodes to itself.
 */
#include <config.h>

#include <stdlib.h>

#include "base/facts.h"
#include "fuzz.h"

const char *const fuzz_data[] = {NULL};

static void check_fact(const struct gb_fact *f)
{
        struct gb_fact again = {0};
        struct gb_reader in;
        struct gb_buf out;

        gb_buf_init(&out, 64 * 1024 * 1024);
        if (gb_fact_encode(&out, f) < 0)
                abort();
        in = (struct gb_reader){.p = out.data, .end = out.data + out.len};
        if (!gb_fact_decode(&in, &again) || in.p != in.end || again.claims.n != f->claims.n ||
            again.names.n != f->names.n || again.flags != f->flags)
                abort();
        gb_fact_fini(&again);
        gb_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct gb_facts_reader r;
        struct gb_item item = {0};
        struct gb_error err;

        gb_facts_reader_init(&r);
        gb_facts_feed(&r, data, size);
        while (gb_facts_next(&r, &item, &err) == 1)
                if (item.kind == GB_ITEM_FACT)
                        check_fact(&item.fact);
        gb_fact_fini(&item.fact);
        return 0;
}
