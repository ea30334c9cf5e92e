/*
 * handle_session - the session calls: names judged, locks minded, the rest is the store's.
 *
 * A connection holds at most one session lock.  PREPARE needs it; COMMIT, ABORT and UNREGISTER may
 * come from a connection without it (a hook that runs hours later) and take it just for the call.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "handlers.h"

/* A session as a call names it. */
struct named {
        char *session;
        char *volume;
        struct gb_store *store;
};

static void named_cleanup(struct named *n)
{
        free(n->session);
        free(n->volume);
}
#define CLEANUP_NAMED __attribute__((cleanup(named_cleanup)))

static int take_named(struct gb_worker *w, const gbx_name *session, const gbx_volname *volume,
                      struct named *out, struct gb_error *err)
{
        out->session = gb_handler_session(session, err);
        if (!out->session)
                return -1;
        out->volume = gb_handler_volume(w, volume, err);
        if (!out->volume)
                return -1;
        out->store = gb_worker_store(w, err);
        return out->store ? 0 : -1;
}

static void holder(const struct gb_worker *w, char *out, size_t size)
{
        snprintf(out, size, "%s (%s)", *w->client ? w->client : "a client without a name",
                 w->server.transport->peer);
}

/* The lock for the length of one call: the connection's own, or one in *brief. */
static int lock_for_call(struct gb_worker *w, const struct named *n, struct gb_lock *brief,
                         struct gb_error *err)
{
        char who[2 * GB_HOST_MAX];
        int held = gb_lock_held(&w->lock, n->store, n->session, n->volume, err);

        if (held)
                return held < 0 ? -1 : 0;
        holder(w, who, sizeof(who));
        return gb_lock_take(n->store, n->session, n->volume, who, brief, err);
}

/* ---- register, unregister, list ---- */

/* The volume's id by glusterd's files; the client's must agree if it gave one. */
static int check_volume_id(struct gb_worker *w, const char *volume, const gbx_gfid given, gb_gfid *id,
                           struct gb_error *err)
{
        struct gb_volume_file file;

        if (gb_glusterd_volume(&w->gd, volume, &file, err) < 0)
                return -1;
        memcpy(id->b, given, sizeof(id->b));
        if (!gb_gfid_eq(id, &GB_GFID_NULL) && !gb_gfid_eq(id, &file.id))
                return gb_error_set(err, GB_ERR_NO_VOLUME, "volume %s has another id on this node", volume);
        *id = file.id;
        return 0;
}

static int session_register(struct gb_worker *w, const gbx_session_arg *arg, struct gb_error *err)
{
        CLEANUP_NAMED struct named n = {0};
        gb_gfid id;

        if (take_named(w, &arg->session, &arg->volume, &n, err) < 0 ||
            check_volume_id(w, n.volume, arg->volume_id, &id, err) < 0)
                return -1;
        return gb_store_register(n.store, n.session, n.volume, &id, time(NULL), err);
}

bool_t gbx_session_register_1_svc(gbx_session_arg *arg, gbx_void_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_void_res, w && session_register(w, arg, &err) == 0, &err);
}

static int session_unregister(struct gb_worker *w, const gbx_session_arg *arg, struct gb_error *err)
{
        CLEANUP_NAMED struct named n = {0};
        struct gb_lock brief = GB_LOCK_NONE;
        int rc;

        if (take_named(w, &arg->session, &arg->volume, &n, err) < 0 || lock_for_call(w, &n, &brief, err) < 0)
                return -1;
        rc = gb_store_unregister(n.store, n.session, n.volume, err);
        /* The connection's own lock, if that was it, is one of a session that is gone. */
        if (rc == 0 && brief.fd < 0)
                gb_lock_drop(&w->lock);
        gb_lock_drop(&brief);
        return rc;
}

bool_t gbx_session_unregister_1_svc(gbx_session_arg *arg, gbx_void_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_void_res, w && session_unregister(w, arg, &err) == 0, &err);
}

/* Leave those of volumes the caller has a right to. */
static void hide_foreign(const struct gb_worker *w, gbx_sessions_res *res)
{
        gbx_session *v = res->gbx_sessions_res_u.sessions.sessions_val;
        u_int n = res->gbx_sessions_res_u.sessions.sessions_len, kept = 0;

        for (u_int i = 0; i < n; i++) {
                struct gb_error ignored;
                char volume[GB_VOLUME_MAX + 1];

                snprintf(volume, sizeof(volume), "%.*s", (int)v[i].volume.gbx_volname_len,
                         v[i].volume.gbx_volname_val);
                if (gb_caller_may(&w->caller, GB_RIGHT_SESSION, "it", volume, &ignored) == 0)
                        v[kept++] = v[i];
                else
                        xdr_free((xdrproc_t)xdr_gbx_session, (char *)&v[i]);
        }
        res->gbx_sessions_res_u.sessions.sessions_len = kept;
}

static int session_list(struct gb_worker *w, gbx_sessions_res *res, struct gb_error *err)
{
        struct gb_store *s = gb_worker_store(w, err);

        if (!s || gb_store_list(s, res, err) < 0)
                return -1;
        hide_foreign(w, res);
        return 0;
}

bool_t gbx_session_list_1_svc(void *arg, gbx_sessions_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        (void)arg;
        GB_ANSWER(req, res, gbx_sessions_res, w && session_list(w, res, &err) == 0, &err);
}

static int session_last_full(struct gb_worker *w, const gbx_session_arg *arg, gbx_generation *out,
                             struct gb_error *err)
{
        CLEANUP_NAMED struct named n = {0};

        if (take_named(w, &arg->session, &arg->volume, &n, err) < 0)
                return -1;
        return gb_store_last_full(n.store, n.session, n.volume, out, err);
}

bool_t gbx_session_last_full_1_svc(gbx_session_arg *arg, gbx_generation_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_generation_res,
                  w && session_last_full(w, arg, &res->gbx_generation_res_u.generation, &err) == 0, &err);
}

/* ---- lock, unlock ---- */

static int lock_connection(struct gb_worker *w, const struct named *n, bool *taken, struct gb_error *err)
{
        char who[2 * GB_HOST_MAX];
        int held = gb_lock_held(&w->lock, n->store, n->session, n->volume, err);

        *taken = false;
        if (held)
                return held < 0 ? -1 : 0;
        if (w->lock.fd >= 0)
                return gb_error_set(err, GB_ERR_USAGE, "this connection holds the lock of another session");
        holder(w, who, sizeof(who));
        if (gb_lock_take(n->store, n->session, n->volume, who, &w->lock, err) < 0)
                return -1;
        *taken = true;
        return 0;
}

static int session_lock(struct gb_worker *w, const gbx_session_arg *arg, gbx_session *out,
                        struct gb_error *err)
{
        CLEANUP_NAMED struct named n = {0};
        gb_gfid id;
        bool taken;

        memcpy(id.b, arg->volume_id, sizeof(id.b));
        if (take_named(w, &arg->session, &arg->volume, &n, err) < 0 ||
            lock_connection(w, &n, &taken, err) < 0)
                return -1;
        if (gb_store_get(n.store, n.session, n.volume, &id, out, err) == 0)
                return 0;
        if (taken)
                gb_lock_drop(&w->lock);
        return -1;
}

bool_t gbx_session_lock_1_svc(gbx_session_arg *arg, gbx_session_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_session_res,
                  w && session_lock(w, arg, &res->gbx_session_res_u.session, &err) == 0, &err);
}

static int session_unlock(struct gb_worker *w, const gbx_session_arg *arg, struct gb_error *err)
{
        CLEANUP_NAMED struct named n = {0};
        int held;

        if (take_named(w, &arg->session, &arg->volume, &n, err) < 0)
                return -1;
        held = gb_lock_held(&w->lock, n.store, n.session, n.volume, err);
        if (held == 0)
                return gb_error_set(err, GB_ERR_USAGE, "session %s is not locked by this connection",
                                    n.session);
        if (held > 0)
                gb_lock_drop(&w->lock);
        return held < 0 ? -1 : 0;
}

bool_t gbx_session_unlock_1_svc(gbx_session_arg *arg, gbx_void_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_void_res, w && session_unlock(w, arg, &err) == 0, &err);
}

/* ---- prepare, commit, abort ---- */

static int session_prepare(struct gb_worker *w, const gbx_prepare_arg *arg, struct gb_error *err)
{
        CLEANUP_NAMED struct named n = {0};
        GB_CLEANUP_FREE
        char *base = NULL;
        int held;

        base = gb_wire_string(arg->base.gbx_name_val, arg->base.gbx_name_len, GB_HOST_MAX, "base generation",
                              err);
        if (!base || take_named(w, &arg->session, &arg->volume, &n, err) < 0)
                return -1;
        held = gb_lock_held(&w->lock, n.store, n.session, n.volume, err);
        if (held == 0)
                return gb_error_set(err, GB_ERR_USAGE, "session %s: lock it before prepare", n.session);
        if (held < 0 || gb_store_prepare(n.store, n.session, n.volume, base, &arg->pending, err) < 0)
                return -1;
        return 0;
}

bool_t gbx_session_prepare_1_svc(gbx_prepare_arg *arg, gbx_void_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_void_res, w && session_prepare(w, arg, &err) == 0, &err);
}

typedef int (*decide_fn)(struct gb_store *s, const char *session, const char *volume, const char *generation,
                         struct gb_error *err);

/* COMMIT and ABORT differ only in what the store does. */
static int decide(struct gb_worker *w, const gbx_commit_arg *arg, decide_fn act, struct gb_error *err)
{
        CLEANUP_NAMED struct named n = {0};
        GB_CLEANUP_FREE
        char *generation = NULL;
        struct gb_lock brief = GB_LOCK_NONE;
        int rc;

        generation = gb_wire_string(arg->generation.gbx_name_val, arg->generation.gbx_name_len, GB_HOST_MAX,
                                    "generation", err);
        if (!generation || take_named(w, &arg->session, &arg->volume, &n, err) < 0 ||
            lock_for_call(w, &n, &brief, err) < 0)
                return -1;
        rc = act(n.store, n.session, n.volume, generation, err);
        gb_lock_drop(&brief);
        if (rc == 0)
                gb_log(GB_LOG_INFO, "session %s of %s: generation %s %s", n.session, n.volume, generation,
                       act == gb_store_commit ? "committed" : "aborted");
        return rc;
}

bool_t gbx_session_commit_1_svc(gbx_commit_arg *arg, gbx_void_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_void_res, w && decide(w, arg, gb_store_commit, &err) == 0, &err);
}

bool_t gbx_session_abort_1_svc(gbx_commit_arg *arg, gbx_void_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_void_res, w && decide(w, arg, gb_store_abort, &err) == 0, &err);
}
