/*
 * client - the connection: a call out, its reply back.
 *
 * libtirpc's CLIENT is not used: it blocks signals during a call, has no deadline for writing and
 * none for a whole call, takes two zero words for success, and cannot have two calls in flight.
 * Its XDR and message headers are all that is needed.
 *
 * After a failure the position in the stream of replies is unknown, so nothing is resynchronised: the
 * connection ends, and what comes later is told why.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "client.h"
#include "client_core.h"
#include "record.h"
#include "wire_error.h"

bool_t gb_xdr_nothing(XDR *x, ...)
{
        (void)x;
        return TRUE;
}

void gb_client_abort(struct gb_client *c)
{
        if (c->abort_fd >= 0)
                shutdown(c->abort_fd, SHUT_RDWR);
}

/* The duplicate for gb_client_abort() would keep the connection open behind our back: the agent would
 * hold a session's lock, and a child at the other end would wait for input until it is killed. */
static void hang_up(struct gb_client *c)
{
        if (c->transport && c->transport->ops->farewell)
                c->transport->ops->farewell(c->transport);
        gb_client_abort(c);
        gb_transport_close(c->transport);
        c->transport = NULL;
}

int gb_client_fail(struct gb_client *c, struct gb_error *err)
{
        /* A broken connection is an agent that went away, whatever the system calls it: callers look
         * for another one then. */
        if (err->code == GB_ERR_SYSTEM) {
                gb_error_prefix(err, "agent %s went away", c->peer);
                err->code = GB_ERR_NO_AGENT;
        }
        hang_up(c);
        c->stream.inflight = c->stream.parked = 0;
        c->why = *err;
        return -1;
}

static int refuse_if_failed(const struct gb_client *c, struct gb_error *err)
{
        if (c->transport)
                return 0;
        *err = c->why;
        return -1;
}

static bool encode_call(struct gb_client *c, rpcproc_t proc, xdrproc_t xdr_arg, const void *arg)
{
        struct rpc_msg msg;
        bool ok;
        XDR x;

        memset(&msg, 0, sizeof(msg));
        msg.rm_xid = c->call_xid;
        msg.rm_direction = CALL;
        msg.rm_call.cb_rpcvers = RPC_MSG_VERSION;
        msg.rm_call.cb_prog = GBACKUP_PROGRAM;
        msg.rm_call.cb_vers = GBACKUP_V1;
        msg.rm_call.cb_proc = proc;
        xdrmem_create(&x, (char *)c->out.data + GB_RECORD_HEADER, GB_REQUEST_MAX, XDR_ENCODE);
        ok = xdr_callmsg(&x, &msg) && xdr_arg(&x, arg);
        c->out.len = xdr_getpos(&x);
        xdr_destroy(&x);
        return ok;
}

int gb_client_send(struct gb_client *c, rpcproc_t proc, xdrproc_t xdr_arg, const void *arg,
                   struct gb_error *err)
{
        if (refuse_if_failed(c, err) < 0)
                return -1;
        gb_buf_reset(&c->out);
        if (gb_buf_reserve(&c->out, GB_RECORD_HEADER + GB_REQUEST_MAX) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory for a call to %s", c->peer);
        if (!encode_call(c, proc, xdr_arg, arg))
                return gb_error_set(err, GB_ERR_LIMIT,
                                    "call %u to %s: an argument is longer than the protocol allows",
                                    (unsigned)proc, c->peer);
        if (gb_record_send(c->transport, c->out.data, c->out.len, GB_WRITE_MS, err) < 0)
                return gb_client_fail(c, err);
        c->call_xid++;
        return 0;
}

int gb_client_recv(struct gb_client *c, struct gb_buf *rec, size_t max, int wait_ms, struct gb_error *err)
{
        int rc;

        if (refuse_if_failed(c, err) < 0)
                return -1;
        rc = gb_record_recv(c->transport, rec, max, gb_deadline_in(wait_ms), err);
        if (rc > 0)
                return 0;
        if (rc == 0) {
                errno = ECONNRESET;
                gb_error_sys(err, GB_ERR_SYSTEM, "it closed the connection");
        }
        return gb_client_fail(c, err);
}

static int explain_rejection(const struct gb_client *c, const struct rejected_reply *r, struct gb_error *err)
{
        if (r->rj_stat == AUTH_ERROR)
                return gb_error_set(err, GB_ERR_DENIED, "%s refuses our credentials (%d)", c->peer,
                                    (int)r->rj_why);
        return gb_error_set(err, GB_ERR_VERSION, "%s speaks RPC %u to %u", c->peer, (unsigned)r->rj_vers.low,
                            (unsigned)r->rj_vers.high);
}

static int explain_status(const struct gb_client *c, const struct accepted_reply *a, struct gb_error *err)
{
        switch (a->ar_stat) {
        case PROG_UNAVAIL:
                return gb_error_set(err, GB_ERR_NO_AGENT, "what answers at %s is not gbackupd", c->peer);
        case PROG_MISMATCH:
                return gb_error_set(
                        err, GB_ERR_VERSION, "agent %s speaks protocol versions %u to %u, we speak %u",
                        c->peer, (unsigned)a->ar_vers.low, (unsigned)a->ar_vers.high, (unsigned)GBACKUP_V1);
        case PROC_UNAVAIL:
                return gb_error_set(err, GB_ERR_VERSION,
                                    "agent %s does not know this call: it is older than we are", c->peer);
        case GARBAGE_ARGS:
                return gb_error_set(
                        err, GB_ERR_VERSION,
                        "agent %s could not read our call: it is of another version; install the same "
                        "version of gbackup on both sides",
                        c->peer);
        default:
                return gb_error_set(err, GB_ERR_PROTOCOL, "agent %s could not send its answer", c->peer);
        }
}

/* The header of a reply: what xdr_replymsg() leaves to the caller is checked here. */
static int decode_header(struct gb_client *c, XDR *x, struct gb_error *err)
{
        char verf[MAX_AUTH_BYTES];
        struct rpc_msg msg;

        memset(&msg, 0, sizeof(msg));
        msg.acpted_rply.ar_verf.oa_base = verf;
        msg.acpted_rply.ar_results.proc = gb_xdr_nothing;
        if (!xdr_replymsg(x, &msg))
                return gb_error_set(err, GB_ERR_PROTOCOL, "%s sends something that is not an RPC reply",
                                    c->peer);
        if (msg.rm_xid != c->reply_xid)
                return gb_error_set(err, GB_ERR_PROTOCOL, "%s answers call %#x, expected was %#x", c->peer,
                                    (unsigned)msg.rm_xid, (unsigned)c->reply_xid);
        c->reply_xid++;
        if (msg.rm_reply.rp_stat == MSG_DENIED)
                return explain_rejection(c, &msg.rjcted_rply, err);
        if (msg.acpted_rply.ar_stat != SUCCESS)
                return explain_status(c, &msg.acpted_rply, err);
        return 0;
}

/* The union on `ok`: 0, 1, -1 as gb_client_decode(). */
static int decode_result(struct gb_client *c, XDR *x, size_t len, struct gb_result result, void *out,
                         struct gb_error *err)
{
        unsigned start = xdr_getpos(x);
        gbx_error theirs;
        bool good;
        bool_t ok;

        memset(&theirs, 0, sizeof(theirs));
        good = xdr_bool(x, &ok);
        if (good && ok)
                good = (!result.whole || xdr_setpos(x, start)) && result.proc(x, out);
        else if (good)
                good = xdr_gbx_error(x, &theirs);
        if (!good || xdr_getpos(x) != len) {
                gb_xdr_release((xdrproc_t)xdr_gbx_error, &theirs);
                return gb_error_set(err, GB_ERR_PROTOCOL, "%s sends an answer that breaks the protocol",
                                    c->peer);
        }
        if (ok)
                return 0;
        gb_error_from_wire(&theirs, err);
        gb_error_prefix(err, "%s", c->peer);
        gb_xdr_release((xdrproc_t)xdr_gbx_error, &theirs);
        return 1;
}

int gb_client_decode(struct gb_client *c, struct gb_buf *rec, struct gb_result result, void *out,
                     struct gb_error *err)
{
        int rc;
        XDR x;

        xdrmem_create(&x, (char *)rec->data, (unsigned)rec->len, XDR_DECODE);
        rc = decode_header(c, &x, err);
        if (rc == 0)
                rc = decode_result(c, &x, rec->len, result, out, err);
        xdr_destroy(&x);
        return rc < 0 ? gb_client_fail(c, err) : rc;
}

int gb_client_call(struct gb_client *c, rpcproc_t proc, int wait_ms, xdrproc_t xdr_arg, const void *arg,
                   struct gb_result result, void *out, size_t size, struct gb_error *err)
{
        struct gb_error unwanted;
        int rc;

        if (!err)
                err = &unwanted;
        if (out)
                memset(out, 0, size);
        if (c->stream.inflight + c->stream.parked > 0)
                return gb_error_set(err, GB_ERR_USAGE, "%s is busy with a stream", c->peer);
        if (gb_client_send(c, proc, xdr_arg, arg, err) < 0 ||
            gb_client_recv(c, &c->in, GB_CHUNK_MAX + GB_REPLY_SLACK, wait_ms, err) < 0)
                return -1;
        rc = gb_client_decode(c, &c->in, result, out, err);
        if (rc != 0 && out) {
                gb_xdr_release(result.proc, out);
                memset(out, 0, size);
        }
        return rc == 0 ? 0 : -1;
}

/* A child at the other end may first have to ask for a passphrase. */
static int say_hello(struct gb_client *c, struct gb_error *err)
{
        static const char software[] = "gbackup-cli " PACKAGE_VERSION;
        int wait_ms = c->transport->child ? GB_CALL_MS : GB_HANDSHAKE_MS;
        gbx_hello_arg arg = {.features = GBX_FEATURE_SHARDS | GBX_FEATURE_LAST_FULL | GBX_FEATURE_FACTS};

        GB_WIRE_SET(arg.software, gbx_name, software);
        if (gb_client_call(c, GBX_HELLO, wait_ms, (xdrproc_t)xdr_gbx_hello_arg, &arg,
                           (struct gb_result){(xdrproc_t)xdr_gbx_hello_ok, false}, &c->hello,
                           sizeof(c->hello), err) < 0)
                return -1;
        if (c->hello.chunk_max < GB_CHUNK_MIN)
                return gb_error_set(err, GB_ERR_PROTOCOL, "%s offers chunks of only %u bytes", c->peer,
                                    (unsigned)c->hello.chunk_max);
        return 0;
}

struct gb_client *gb_client_new(struct gb_transport *t, struct gb_error *err)
{
        struct gb_client *c = calloc(1, sizeof(*c));

        if (!c) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory for a client of %s", t->peer);
                gb_transport_close(t);
                return NULL;
        }
        c->transport = t;
        c->abort_fd = fcntl(t->rfd, F_DUPFD_CLOEXEC, 0);
        memcpy(c->peer, t->peer, sizeof(c->peer));
        gb_buf_init(&c->out, GB_RECORD_HEADER + GB_REQUEST_MAX);
        gb_buf_init(&c->in, GB_CHUNK_MAX + GB_REPLY_SLACK);
        gb_stream_init(&c->stream);
        /* Any start will do; a random one keeps two connections apart in a packet trace. */
        if (getrandom(&c->call_xid, sizeof(c->call_xid), GRND_NONBLOCK) < 0)
                c->call_xid = 1;
        c->reply_xid = c->call_xid;
        if (say_hello(c, err) < 0) {
                gb_client_free(c);
                return NULL;
        }
        return c;
}

void gb_client_free(struct gb_client *c)
{
        if (!c)
                return;
        hang_up(c);
        if (c->abort_fd >= 0)
                close(c->abort_fd);
        gb_stream_fini(&c->stream);
        gb_xdr_release((xdrproc_t)xdr_gbx_hello_ok, &c->hello);
        gb_buf_fini(&c->out);
        gb_buf_fini(&c->in);
        free(c);
}

const gbx_hello_ok *gb_client_hello(const struct gb_client *c)
{
        return &c->hello;
}

const char *gb_client_peer(const struct gb_client *c)
{
        return c->peer;
}

void gb_xdr_release(xdrproc_t proc, void *value)
{
        xdr_free(proc, value);
}
