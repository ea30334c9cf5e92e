/*
 * starttls - the client's first call: "do you speak TLS?"
 *
 * The record reader takes exactly the bytes of the reply, so nothing that was sent in clear can be
 * taken for the beginning of what is encrypted.  There is no way on without TLS.
 */
#include <config.h>

#include <rpc/rpc.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "gbackup.h"
#include "record.h"
#include "server.h"
#include "tls.h"

#define XID 0x67627470

static bool_t nothing(XDR *x, ...)
{
        (void)x;
        return TRUE;
}

static int ask(struct gb_transport *t, struct gb_error *err)
{
        char out[GB_RECORD_HEADER + GB_PREAUTH_MAX];
        struct rpc_msg msg;
        size_t len;
        bool_t ok;
        XDR x;

        memset(&msg, 0, sizeof(msg));
        msg.rm_xid = XID;
        msg.rm_direction = CALL;
        msg.rm_call.cb_rpcvers = RPC_MSG_VERSION;
        msg.rm_call.cb_prog = GBACKUP_PROGRAM;
        msg.rm_call.cb_vers = GBACKUP_V1;
        msg.rm_call.cb_proc = NULLPROC;
        msg.rm_call.cb_cred.oa_flavor = GB_AUTH_TLS;
        xdrmem_create(&x, out + GB_RECORD_HEADER, GB_PREAUTH_MAX, XDR_ENCODE);
        ok = xdr_callmsg(&x, &msg);
        len = xdr_getpos(&x);
        xdr_destroy(&x);
        if (!ok)
                return gb_error_set(err, GB_ERR_LIMIT, "cannot ask %s for TLS", t->peer);
        return gb_record_send(t, out, len, GB_WRITE_MS, err);
}

static int no_tls(const struct gb_transport *t, struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_NO_AGENT,
                            "%s does not offer TLS: gbackupd there has no usable certificates (its log says "
                            "more); run gbackup-cli tls setup on a node",
                            t->peer);
}

/* Was the answer yes? */
static int judge(const struct gb_transport *t, const struct gb_buf *rec, struct gb_error *err)
{
        char verf[MAX_AUTH_BYTES];
        struct rpc_msg msg;
        bool_t ok;
        XDR x;

        memset(&msg, 0, sizeof(msg));
        msg.acpted_rply.ar_verf.oa_base = verf;
        msg.acpted_rply.ar_results.proc = nothing;
        xdrmem_create(&x, (char *)rec->data, (unsigned)rec->len, XDR_DECODE);
        ok = xdr_replymsg(&x, &msg);
        xdr_destroy(&x);
        if (!ok || msg.rm_xid != XID)
                return gb_error_set(err, GB_ERR_PROTOCOL, "what answers at %s is not gbackupd", t->peer);
        if (msg.rm_reply.rp_stat == MSG_DENIED)
                return no_tls(t, err);
        if (msg.acpted_rply.ar_stat == PROG_MISMATCH)
                return gb_error_set(err, GB_ERR_VERSION,
                                    "agent %s speaks protocol versions %u to %u, we speak %u", t->peer,
                                    (unsigned)msg.acpted_rply.ar_vers.low,
                                    (unsigned)msg.acpted_rply.ar_vers.high, (unsigned)GBACKUP_V1);
        if (msg.acpted_rply.ar_stat != SUCCESS)
                return gb_error_set(err, GB_ERR_NO_AGENT, "what answers at %s is not gbackupd", t->peer);
        if (msg.acpted_rply.ar_verf.oa_flavor != AUTH_NONE ||
            msg.acpted_rply.ar_verf.oa_length != GB_STARTTLS_LEN ||
            memcmp(verf, GB_STARTTLS, GB_STARTTLS_LEN))
                return no_tls(t, err);
        return 0;
}

int gb_starttls(struct gb_transport *t, gb_deadline until, struct gb_error *err)
{
        struct gb_buf rec;
        int rc;

        gb_buf_init(&rec, GB_PREAUTH_MAX);
        rc = ask(t, err);
        if (rc == 0) {
                rc = gb_record_recv_by(t, &rec, GB_PREAUTH_MAX, until, until, err);
                if (rc > 0)
                        rc = judge(t, &rec, err);
                else if (rc == 0) /* one refusal too many connections says nothing */
                        rc = gb_error_set(err, GB_ERR_NO_AGENT,
                                          "%s closed the connection at once: it is busy (max_workers), or "
                                          "no gbackupd",
                                          t->peer);
        }
        gb_buf_fini(&rec);
        return rc;
}
