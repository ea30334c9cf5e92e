/*
 * server - see server.h.
 *
 * The rpcgen dispatcher speaks to its transport through three operations only: getargs, freeargs
 * and reply.  They are all an SVCXPRT needs here; svc_sendreply() and svcerr_*() end in reply too.
 * Three things the generated code gets wrong are put right below them:
 *
 *   - it returns without svc_freeargs() when svc_getargs() failed: getargs frees what it had decoded;
 *   - it answers nothing when a handler returns FALSE: the connection ends then, so that the caller
 *     is not left waiting;
 *   - when a reply does not fit it calls svcerr_systemerr(): reply encodes afresh each time, and
 *     sends once.
 */
#include <config.h>

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "record.h"
#include "server.h"

/* What he may take at least to hear that it is too late. */
#define REFUSAL_MS 1000

/* One connection. */
struct conn {
        SVCXPRT xprt;
        struct gb_server *server;
        struct gb_buf in, out;
        XDR args;     /* positioned behind the header of the call */
        uint32_t xid; /* of the call */
        bool replied;
        bool broken;  /* sending failed: *err tells */
        bool upgrade; /* STARTTLS was answered */
        struct gb_error *err;
};

static struct conn *conn_of(const SVCXPRT *xprt)
{
        return xprt->xp_p1;
}

static bool_t conn_freeargs(SVCXPRT *xprt, xdrproc_t proc, void *args)
{
        (void)xprt;
        xdr_free(proc, args);
        return TRUE; /* the dispatcher exits the process on FALSE */
}

static bool_t conn_getargs(SVCXPRT *xprt, xdrproc_t proc, void *args)
{
        struct conn *c = conn_of(xprt);

        /* Structs never change once released, so bytes behind the arguments are garbage too. */
        if (proc(&c->args, args) && xdr_getpos(&c->args) == c->in.len)
                return TRUE;
        conn_freeargs(xprt, proc, args);
        return FALSE;
}

/* Who is not let in yet, and does not read, is not waited for much longer than for his HELLO. */
static int patience(const struct gb_server *s)
{
        int left = s->login_until ? gb_deadline_left(s->login_until) : GB_WRITE_MS;

        return left < REFUSAL_MS ? REFUSAL_MS : left < GB_WRITE_MS ? left : GB_WRITE_MS;
}

static bool_t conn_reply(SVCXPRT *xprt, struct rpc_msg *msg)
{
        struct conn *c = conn_of(xprt);
        size_t room = c->server->reply_max;
        bool_t fits;
        XDR x;

        if (c->replied || c->broken)
                return FALSE;
        gb_buf_reset(&c->out);
        if (gb_buf_reserve(&c->out, GB_RECORD_HEADER + room) < 0) {
                gb_error_set(c->err, GB_ERR_MEMORY, "out of memory for a reply of up to %zu bytes", room);
                c->broken = true;
                return FALSE;
        }
        msg->rm_xid = c->xid;
        xdrmem_create(&x, (char *)c->out.data + GB_RECORD_HEADER, (unsigned)room, XDR_ENCODE);
        fits = xdr_replymsg(&x, msg);
        c->out.len = xdr_getpos(&x);
        xdr_destroy(&x);
        if (!fits)
                return FALSE;
        c->replied = gb_record_send(c->server->transport, c->out.data, c->out.len, patience(c->server),
                                    c->err) == 0;
        c->broken = !c->replied;
        return c->replied;
}

static const struct xp_ops conn_ops = {
        .xp_getargs = conn_getargs,
        .xp_freeargs = conn_freeargs,
        .xp_reply = conn_reply,
};

static void conn_init(struct conn *c, struct gb_server *s, struct gb_error *err)
{
        memset(c, 0, sizeof(*c));
        c->server = s;
        c->err = err;
        c->xprt.xp_fd = s->transport->rfd;
        c->xprt.xp_ops = &conn_ops;
        c->xprt.xp_verf = _null_auth;
        c->xprt.xp_p1 = c;
        gb_buf_init(&c->in, SIZE_MAX);
        gb_buf_init(&c->out, SIZE_MAX);
}

static bool_t nothing(XDR *x, ...)
{
        (void)x;
        return TRUE;
}

/* RFC 9289, 4.1: a NULL call without anything, once. */
static void answer_tls(struct conn *c, const struct call_body *body)
{
        struct gb_server *s = c->server;

        if (s->encrypted || body->cb_proc != NULLPROC || body->cb_cred.oa_length ||
            body->cb_verf.oa_flavor != AUTH_NONE || body->cb_verf.oa_length ||
            xdr_getpos(&c->args) != c->in.len) {
                svcerr_auth(&c->xprt, AUTH_BADCRED);
                return;
        }
        if (!s->offer_tls(s)) {
                svcerr_auth(&c->xprt, AUTH_REJECTEDCRED);
                return;
        }
        c->xprt.xp_verf = (struct opaque_auth){AUTH_NONE, (char *)(uintptr_t)GB_STARTTLS, GB_STARTTLS_LEN};
        c->upgrade = svc_sendreply(&c->xprt, nothing, NULL);
        c->xprt.xp_verf = _null_auth;
}

/* Judge the header, then let the dispatcher answer. */
static void answer(struct conn *c, const struct rpc_msg *call)
{
        const struct call_body *body = &call->rm_call;
        struct svc_req req = {
                .rq_prog = body->cb_prog,
                .rq_vers = body->cb_vers,
                .rq_proc = body->cb_proc,
                .rq_cred = body->cb_cred,
                .rq_xprt = &c->xprt,
        };

        if (body->cb_prog == c->server->program && body->cb_vers == c->server->version &&
            body->cb_cred.oa_flavor == GB_AUTH_TLS && c->server->offer_tls) {
                answer_tls(c, body);
                return;
        }
        /* What AUTH_SYS claims is not believed, so it counts as AUTH_NONE.  Anything else is from a
         * caller who relies on protection that is not there. */
        if (body->cb_cred.oa_flavor != AUTH_NONE && body->cb_cred.oa_flavor != AUTH_SYS)
                svcerr_auth(&c->xprt, AUTH_REJECTEDCRED);
        else if (c->server->need_tls && !c->server->encrypted && body->cb_proc != NULLPROC)
                svcerr_auth(&c->xprt, AUTH_TOOWEAK);
        else if (body->cb_prog != c->server->program)
                svcerr_noprog(&c->xprt);
        else if (body->cb_vers != c->server->version)
                svcerr_progvers(&c->xprt, c->server->version, c->server->version);
        else
                c->server->dispatch(&req, &c->xprt);
}

/* One complete record. */
static int serve_record(struct conn *c)
{
        char cred[MAX_AUTH_BYTES], verf[MAX_AUTH_BYTES];
        struct rpc_msg call;

        memset(&call, 0, sizeof(call));
        call.rm_call.cb_cred.oa_base = cred;
        call.rm_call.cb_verf.oa_base = verf;
        c->replied = c->upgrade = false;
        xdrmem_create(&c->args, (char *)c->in.data, (unsigned)c->in.len, XDR_DECODE);
        if (!xdr_callmsg(&c->args, &call))
                return gb_error_set(c->err, GB_ERR_PROTOCOL, "%s sends something that is not an RPC call",
                                    c->server->transport->peer);
        c->xid = call.rm_xid;
        answer(c, &call);
        xdr_destroy(&c->args);
        if (c->broken)
                return -1;
        if (!c->replied)
                return gb_error_set(c->err, GB_ERR_PROTOCOL, "procedure %u left %s without an answer",
                                    (unsigned)call.rm_call.cb_proc, c->server->transport->peer);
        if (!c->upgrade)
                return 0;
        if (c->server->start_tls(c->server, c->err) < 0)
                return -1;
        c->server->encrypted = true;
        c->xprt.xp_fd = c->server->transport->rfd;
        return 0;
}

int gb_server_run(struct gb_server *s, struct gb_error *err)
{
        struct conn c;
        int rc;

        conn_init(&c, s, err);
        for (;;) {
                rc = gb_record_recv_by(s->transport, &c.in, s->request_max, gb_deadline_in(s->idle_ms),
                                       s->login_until ? s->login_until : GB_NEVER, err);
                if (rc > 0)
                        rc = serve_record(&c);
                else if (rc == 0)
                        break;
                if (rc < 0)
                        break;
        }
        gb_buf_fini(&c.in);
        gb_buf_fini(&c.out);
        return rc;
}

struct gb_server *gb_server_of(const struct svc_req *req)
{
        return conn_of(req->rq_xprt)->server;
}
