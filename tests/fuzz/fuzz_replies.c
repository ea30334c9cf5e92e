/* links: rpc xdr tirpc */
/*
 * The body of a reply, as gbackup-cli decodes it.  The first byte chooses which.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "fuzz.h"

const char *const fuzz_data[] = {NULL};

#define REPLY(type)                                                                                          \
        {                                                                                                    \
                (xdrproc_t) xdr_##type, sizeof(type)                                                         \
        }

static const struct {
        xdrproc_t proc;
        size_t size;
} replies[] = {REPLY(gbx_hello_res),  REPLY(gbx_topology_res), REPLY(gbx_brick_status_res),
               REPLY(gbx_cursor_res), REPLY(gbx_next_res),     REPLY(gbx_look_res),
               REPLY(gbx_exists_res), REPLY(gbx_session_res),  REPLY(gbx_sessions_res),
               REPLY(gbx_void_res),   REPLY(gbx_enable_res),   REPLY(gbx_generation_res)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        size_t which = size ? data[0] % (sizeof(replies) / sizeof(replies[0])) : 0;
        void *out;
        XDR x;

        if (!size)
                return 0;
        out = calloc(1, replies[which].size);
        if (!out)
                abort();
        xdrmem_create(&x, (char *)(uintptr_t)(data + 1), (unsigned)(size - 1), XDR_DECODE);
        replies[which].proc(&x, out);
        xdr_destroy(&x);
        gb_xdr_release(replies[which].proc, out);
        free(out);
        return 0;
}
