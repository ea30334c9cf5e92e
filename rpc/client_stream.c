/*
 * client_stream - OPEN, a window of NEXT, CLOSE.
 *
 * GB_WINDOW calls are kept unanswered, so that the agent makes the next chunk while we use this one
 * and a round trip costs nothing.  The agent answers in order and each chunk names its seq; a stream
 * ends with the chunk that says eof and with nothing else, so one that is cut short cannot pass for
 * a short list.
 *
 * eof leaves NEXT calls behind that were sent before we knew.  The agent refuses them, and the
 * refusals are read before the last chunk is delivered: afterwards the connection is at rest.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "client.h"
#include "client_core.h"
#include "wire_error.h"

/* Bytes of a NEXT reply besides its data: headers, the fixed fields, cursor or error text. */
#define GB_NEXT_SLACK (GB_CURSOR_MAX + GB_TEXT_MAX + 1024)

void gb_stream_init(struct gb_stream *s)
{
        for (unsigned i = 0; i < GB_WINDOW; i++)
                gb_buf_init(&s->rec[i], GB_CHUNK_MAX + GB_NEXT_SLACK);
}

void gb_stream_fini(struct gb_stream *s)
{
        for (unsigned i = 0; i < GB_WINDOW; i++)
                gb_buf_fini(&s->rec[i]);
        free(s->data);
}

int gb_call_open(struct gb_client *c, const char *volume, const char *brick, const gbx_query *query,
                 struct gb_error *err)
{
        gbx_open_arg arg = {.query = *query};

        if (query->kind == GBX_HISTORY && !(gb_client_hello(c)->features & GBX_FEATURE_FACTS))
                return gb_error_set(
                        err, GB_ERR_VERSION,
                        "agent %s tells changes in another form than we read; install the same version "
                        "of gbackup on both sides",
                        gb_client_peer(c));
        if (query->kind == GBX_SCAN_FIT && !(gb_client_hello(c)->features & GBX_FEATURE_FIT))
                return gb_error_set(
                        err, GB_ERR_VERSION,
                        "agent %s is too old to select by size or time; install the same version of "
                        "gbackup on both sides",
                        gb_client_peer(c));
        GB_WIRE_SET(arg.volume, gbx_volname, volume);
        GB_WIRE_SET(arg.brick, gbx_brick, brick);
        if (gb_client_call(c, GBX_OPEN, GB_CALL_MS, (xdrproc_t)xdr_gbx_open_arg, &arg,
                           (struct gb_result){gb_xdr_nothing, false}, NULL, 0, err) < 0)
                return -1;
        c->stream.state = GB_STREAM_OPEN;
        c->stream.asked = c->stream.got = 0;
        c->stream.entries = 0;
        c->stream.max_bytes = 0;
        c->stream.eof = false;
        return 0;
}

int gb_call_close(struct gb_client *c, struct gb_error *err)
{
        if (gb_client_call(c, GBX_CLOSE, GB_CALL_MS, gb_xdr_nothing, NULL,
                           (struct gb_result){gb_xdr_nothing, false}, NULL, 0, err) < 0)
                return -1;
        c->stream.state = GB_STREAM_NONE;
        return 0;
}

/* Fill the window. */
static int ask(struct gb_client *c, struct gb_error *err)
{
        struct gb_stream *s = &c->stream;

        while (s->inflight + s->parked < GB_WINDOW) {
                gbx_next_arg arg = {
                        .seq = s->asked + 1, .max_bytes = s->max_bytes, .wait_ms = GB_WAIT_MS_MAX};

                if (gb_client_send(c, GBX_NEXT, (xdrproc_t)xdr_gbx_next_arg, &arg, err) < 0)
                        return -1;
                s->asked++;
                s->inflight++;
        }
        return 0;
}

int gb_stream_start(struct gb_client *c, unsigned max_bytes, struct gb_error *err)
{
        struct gb_stream *s = &c->stream;
        struct gb_error unwanted;
        unsigned most = c->hello.chunk_max < GB_CHUNK_MAX ? c->hello.chunk_max : GB_CHUNK_MAX;
        char *data;

        if (s->state != GB_STREAM_OPEN || s->max_bytes > 0)
                return gb_error_set(err, GB_ERR_USAGE, "%s: no stream was opened", c->peer);
        if (max_bytes < GB_CHUNK_MIN)
                max_bytes = GB_CHUNK_MIN;
        if (max_bytes > most)
                max_bytes = most;
        /* XDR trusts the bound in the contract, not ours: what a record can hold is what fits here. */
        if (s->data_cap < max_bytes + GB_NEXT_SLACK) {
                data = realloc(s->data, max_bytes + GB_NEXT_SLACK);
                if (!data)
                        return gb_error_set(err, GB_ERR_MEMORY, "out of memory for chunks of %u bytes",
                                            max_bytes);
                s->data = data;
                s->data_cap = max_bytes + GB_NEXT_SLACK;
        }
        s->max_bytes = max_bytes;
        return ask(c, err ? err : &unwanted);
}

/* Read one reply from the connection behind those that are parked. */
static int park_one(struct gb_client *c, struct gb_error *err)
{
        struct gb_stream *s = &c->stream;
        struct gb_buf *rec = &s->rec[(s->head + s->parked) % GB_WINDOW];

        if (gb_client_recv(c, rec, s->max_bytes + GB_NEXT_SLACK, GB_REPLY_MS, err) < 0)
                return -1;
        s->inflight--;
        s->parked++;
        return 0;
}

static int check_chunk(struct gb_client *c, const gbx_chunk *chunk, struct gb_error *err)
{
        const struct gb_stream *s = &c->stream;

        if (chunk->seq != s->got + 1)
                return gb_error_set(err, GB_ERR_PROTOCOL, "%s sends chunk %u, expected was %u", c->peer,
                                    (unsigned)chunk->seq, s->got + 1);
        if (chunk->data.data_len > s->max_bytes)
                return gb_error_set(err, GB_ERR_PROTOCOL, "%s sends a chunk of %u bytes, asked were %u",
                                    c->peer, (unsigned)chunk->data.data_len, s->max_bytes);
        if (chunk->entries < s->entries)
                return gb_error_set(err, GB_ERR_PROTOCOL, "%s counts entries backwards", c->peer);
        return 0;
}

/* The next reply in order: 0 and *chunk, 1 when the agent answered with an error, -1. */
static int take(struct gb_client *c, gbx_chunk *chunk, struct gb_error *err)
{
        struct gb_stream *s = &c->stream;
        struct gb_buf *rec;
        int rc;

        if (s->parked == 0 && park_one(c, err) < 0)
                return -1;
        rec = &s->rec[s->head];
        s->head = (s->head + 1) % GB_WINDOW;
        s->parked--;
        memset(chunk, 0, sizeof(*chunk));
        chunk->data.data_val = s->data;
        chunk->cursor.gbx_cursor_val = s->cursor;
        rc = gb_client_decode(c, rec, (struct gb_result){(xdrproc_t)xdr_gbx_chunk, false}, chunk, err);
        if (rc == 0 && check_chunk(c, chunk, err) < 0)
                return gb_client_fail(c, err);
        if (rc == 0) {
                s->got++;
                s->entries = chunk->entries;
                s->eof = chunk->eof;
        }
        return rc;
}

/* Read the replies still due and forget them.  After eof they have to be refusals. */
static int drain(struct gb_client *c, struct gb_error *err)
{
        struct gb_stream *s = &c->stream;

        while (s->inflight + s->parked > 0) {
                bool past_eof = s->eof;
                gbx_chunk chunk;
                int rc = take(c, &chunk, err);

                if (rc < 0)
                        return -1;
                if (rc == 0 && past_eof) {
                        gb_error_set(err, GB_ERR_PROTOCOL, "%s goes on after the end of its list", c->peer);
                        return gb_client_fail(c, err);
                }
        }
        return 0;
}

static int finish(struct gb_client *c, struct gb_error *err)
{
        c->stream.state = GB_STREAM_NONE;
        /* Refusals carry no chunk, so the buffers the last one borrows stay as they are. */
        return drain(c, err) < 0 ? -1 : 1;
}

int gb_stream_recv(struct gb_client *c, gbx_chunk *chunk, gb_stream_progress progress, void *arg,
                   struct gb_error *err)
{
        struct gb_stream *s = &c->stream;
        struct gb_error unwanted;

        if (!err)
                err = &unwanted;
        memset(chunk, 0, sizeof(*chunk));
        if (s->eof && s->state == GB_STREAM_NONE)
                return 0;
        if (s->state != GB_STREAM_OPEN || s->max_bytes == 0)
                return gb_error_set(err, GB_ERR_USAGE, "%s: no stream is running", c->peer);
        for (;;) {
                int rc;

                if (ask(c, err) < 0)
                        return -1;
                rc = take(c, chunk, err);
                if (rc > 0)
                        s->state = GB_STREAM_FAILED;
                if (rc != 0)
                        return -1;
                if (chunk->eof)
                        return finish(c, err);
                if (chunk->data.data_len > 0)
                        break;
                if (progress)
                        progress(arg, chunk);
        }
        /* Should this fail, the next call tells: this chunk is good. */
        ask(c, &unwanted);
        return 1;
}

int gb_stream_park(struct gb_client *c, struct gb_error *err)
{
        struct gb_error unwanted;

        while (c->stream.inflight > 0) {
                if (park_one(c, err ? err : &unwanted) < 0)
                        return -1;
        }
        return 0;
}

int gb_stream_stop(struct gb_client *c, struct gb_error *err)
{
        struct gb_stream *s = &c->stream;
        bool failed = s->state == GB_STREAM_FAILED;
        struct gb_error unwanted;
        int rc;

        if (!err)
                err = &unwanted;
        if (s->state == GB_STREAM_NONE)
                return 0;
        if (drain(c, err) < 0)
                return -1;
        if (s->eof) {
                s->state = GB_STREAM_NONE;
                return 0;
        }
        rc = gb_call_close(c, err);
        s->state = GB_STREAM_NONE;
        /* An agent whose stream failed may have closed it already. */
        return rc < 0 && failed && c->transport ? 0 : rc;
}
