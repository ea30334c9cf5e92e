/* links: rpc xdr tirpc */
/*
 * A connection's bytes, through the record layer and rpcgen's dispatcher, to handlers that only answer.
 */
#include <config.h>

#include "fake_agent.h"
#include "fuzz.h"

const char *const fuzz_data[] = {NULL};

extern void gbackup_program_1(struct svc_req *, SVCXPRT *);

struct memory {
        struct gb_transport base; /* first */
        const uint8_t *p, *end;
};

static ssize_t take(struct gb_transport *t, void *buf, size_t n, gb_deadline until, struct gb_error *err)
{
        struct memory *m = (struct memory *)t;
        size_t left = (size_t)(m->end - m->p);

        (void)until;
        (void)err;
        if (n > left)
                n = left;
        if (n)
                memcpy(buf, m->p, n);
        m->p += n;
        return (ssize_t)n;
}

static int drop(struct gb_transport *t, const void *buf, size_t n, int stall_ms, struct gb_error *err)
{
        (void)t;
        (void)buf;
        (void)n;
        (void)stall_ms;
        (void)err;
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct gb_transport_ops ops = {.recv = take, .send = drop};
        struct memory m = {
                .base = {.ops = &ops, .rfd = -1, .wfd = -1, .cancel_fd = -1}, .p = data, .end = data + size};
        struct fake_agent agent = {.game = FAKE_HONEST, .chunks = 3, .chunk_max = GB_CHUNK_MIN};
        struct gb_server s = {.transport = &m.base,
                              .dispatch = gbackup_program_1,
                              .program = GBACKUP_PROGRAM,
                              .version = GBACKUP_V1,
                              .request_max = GB_REQUEST_MAX,
                              .reply_max = GB_CHUNK_MAX + GB_REPLY_SLACK,
                              .idle_ms = 1000,
                              .context = &agent};
        struct gb_error err;

        snprintf(m.base.peer, sizeof(m.base.peer), "fuzz");
        gb_server_run(&s, &err);
        return 0;
}
