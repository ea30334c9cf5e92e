/*
 * handlers - NULL, HELLO, and what all procedures share.
 */
#include <config.h>

#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "handlers.h"

struct gb_worker *gb_handler_enter(struct svc_req *req, void *res, size_t size, struct gb_error *err)
{
        struct gb_worker *w = gb_server_context(req);

        memset(res, 0, size);
        return gb_worker_allows(w, req->rq_proc, err) < 0 ? NULL : w;
}

void gb_handler_refuse(const struct svc_req *req, const struct gb_error *err, gbx_error *out)
{
        /* A NEXT too many is how every stream ends: the client had it in flight already. */
        bool usual = req->rq_proc == GBX_NEXT && err->code == GB_ERR_USAGE;

        gb_log(usual ? GB_LOG_DEBUG : GB_LOG_INFO, "%s: %s", gb_worker_proc_name(req->rq_proc), err->text);
        gb_error_to_wire(err, out);
}

char *gb_handler_volume(const struct gb_worker *w, const gbx_volname *v, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *s = gb_wire_string(v->gbx_volname_val, v->gbx_volname_len, GB_VOLUME_MAX, "volume", err);

        if (!s || gb_volume_name_check(s, err) < 0 ||
            gb_caller_may(&w->caller, GB_RIGHT_LIST, "it", s, err) < 0)
                return NULL;
        gb_log_field("VOLUME", s);
        return gb_steal_ptr(&s);
}

char *gb_handler_session(const gbx_name *n, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *s = gb_wire_string(n->gbx_name_val, n->gbx_name_len, GB_SESSION_MAX, "session", err);

        if (!s || gb_session_name_check(s, err) < 0)
                return NULL;
        gb_log_field("SESSION", s);
        return gb_steal_ptr(&s);
}

struct gb_brick *gb_handler_brick(struct gb_worker *w, const gbx_volname *volume, const gbx_brick *brick,
                                  bool running, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *name = gb_handler_volume(w, volume, err);
        GB_CLEANUP_FREE
        char *path = NULL;
        struct gb_brick *b;

        if (!name)
                return NULL;
        path = gb_wire_string(brick->gbx_brick_val, brick->gbx_brick_len, GB_BRICK_PATH_MAX, "brick", err);
        if (!path)
                return NULL;
        if (path[0] != '/') {
                gb_error_set(err, GB_ERR_USAGE, "brick '%s' is not an absolute path", path);
                return NULL;
        }
        gb_log_field("BRICK", path);
        b = gb_brick_open(&w->gd, name, path, err);
        if (b && running && !gb_brick_running(&w->gd, b)) {
                gb_error_set(err, GB_ERR_BRICK_DOWN, "brick %s: its process is not running", path);
                gb_brick_close(b);
                return NULL;
        }
        if (b && gb_brick_keep_notes(b, w->settings->state_dir, err) < 0) {
                gb_brick_close(b);
                return NULL;
        }
        return b;
}

bool_t gbx_null_1_svc(void *arg, void *res, struct svc_req *req)
{
        (void)arg;
        (void)res;
        (void)req;
        return TRUE;
}

/* What the peer calls itself goes to the log and to lock files: printable, one line. */
static void take_client(struct gb_worker *w, const gbx_name *n)
{
        size_t len = n->gbx_name_len < GB_HOST_MAX ? n->gbx_name_len : GB_HOST_MAX;

        for (size_t i = 0; i < len; i++)
                w->client[i] =
                        n->gbx_name_val[i] < 0x20 || n->gbx_name_val[i] == 0x7f ? '?' : n->gbx_name_val[i];
        w->client[len] = '\0';
}

/* Who is it?  Told now, inside TLS, where he can read the answer. */
static int judge_caller(struct gb_worker *w, struct gb_error *err)
{
        if (!w->server.encrypted) {
                gb_caller_local(&w->caller);
                return 0;
        }
        return gb_caller_judge(&w->caller, &w->peer, gb_tls_access(w->tls), &w->gd, err);
}

static int hello(struct gb_worker *w, const gbx_hello_arg *arg, gbx_hello_ok *out, struct gb_error *err)
{
        struct gb_error ignored;
        struct timespec now;
        gb_gfid node;

        if (judge_caller(w, err) < 0)
                return -1;
        out->software.gbx_name_val = strdup("gbackupd " PACKAGE_VERSION);
        if (!out->software.gbx_name_val)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        out->software.gbx_name_len = (u_int)strlen(out->software.gbx_name_val);
        out->features = GBX_FEATURE_SHARDS | GBX_FEATURE_LAST_FULL | GBX_FEATURE_EXAMINE | GBX_FEATURE_FACTS |
                        GBX_FEATURE_FIT | GBX_FEATURE_TIMES;
        if (gb_glusterd_node(&w->gd, &node, &ignored) == 0)
                memcpy(out->node, node.b, sizeof(node.b));
        clock_gettime(CLOCK_REALTIME, &now);
        out->now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
        out->chunk_max = GB_CHUNK_MAX;
        w->features = arg->features;
        take_client(w, &arg->software);
        w->state = GB_WORKER_READY;
        w->server.request_max = GB_REQUEST_MAX;
        w->server.idle_ms = GB_IDLE_MS;
        w->server.login_until = 0;
        if (w->mark)
                *w->mark = 1;
        gb_log(w->server.encrypted ? GB_LOG_INFO : GB_LOG_DEBUG, "%s: hello from %s, %s",
               w->server.transport->peer, w->client, w->caller.name);
        return 0;
}

bool_t gbx_hello_1_svc(gbx_hello_arg *arg, gbx_hello_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_hello_res, w && hello(w, arg, &res->gbx_hello_res_u.hello, &err) == 0, &err);
}

int gbackup_program_1_freeresult(SVCXPRT *xprt, xdrproc_t proc, caddr_t result)
{
        gbx_next_res *next = (gbx_next_res *)(void *)result;

        (void)xprt;
        /* A chunk's bytes are the worker's, for the next chunk. */
        if (proc == (xdrproc_t)xdr_gbx_next_res && next->ok)
                next->gbx_next_res_u.chunk.data.data_val = NULL;
        xdr_free(proc, result);
        return TRUE;
}
