/*
 * client_calls - the typed calls: C strings and gfids in, gbx_ results out.
 */
#include <config.h>

#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "client.h"
#include "client_core.h"
#include "wire_error.h"

#define ARM(type)   ((struct gb_result){(xdrproc_t)xdr_##type, false})
#define WHOLE(type) ((struct gb_result){(xdrproc_t)xdr_##type, true})
#define NOTHING     ((struct gb_result){gb_xdr_nothing, false})

_Static_assert(sizeof(gb_gfid) == sizeof(gbx_gfid), "gfid arrays are passed on as they are");

int gb_call_topology(struct gb_client *c, const char *volume, bool live, gbx_topology *out,
                     struct gb_error *err)
{
        gbx_topology_arg arg;

        GB_WIRE_SET(arg.volume, gbx_volname, volume);
        arg.live = live;
        return gb_client_call(c, GBX_TOPOLOGY, GB_CALL_MS, (xdrproc_t)xdr_gbx_topology_arg, &arg,
                              ARM(gbx_topology), out, sizeof(*out), err);
}

int gb_call_brick_status(struct gb_client *c, const char *volume, const char *brick, gbx_brick_status *out,
                         struct gb_error *err)
{
        gbx_brick_arg arg;

        GB_WIRE_SET(arg.volume, gbx_volname, volume);
        GB_WIRE_SET(arg.brick, gbx_brick, brick);
        return gb_client_call(c, GBX_BRICK_STATUS, GB_CALL_MS, (xdrproc_t)xdr_gbx_brick_arg, &arg,
                              ARM(gbx_brick_status), out, sizeof(*out), err);
}

int gb_call_cursor(struct gb_client *c, const char *volume, const char *brick, unsigned wait_ms,
                   char **cursor, struct gb_error *err)
{
        unsigned wait = wait_ms < GB_CALL_MS ? wait_ms : GB_CALL_MS;
        gbx_cursor_arg arg = {.wait_ms = wait};
        gbx_cursor out;

        *cursor = NULL;
        GB_WIRE_SET(arg.volume, gbx_volname, volume);
        GB_WIRE_SET(arg.brick, gbx_brick, brick);
        if (gb_client_call(c, GBX_CURSOR, GB_CALL_MS + (int)wait, (xdrproc_t)xdr_gbx_cursor_arg, &arg,
                           ARM(gbx_cursor), &out, sizeof(out), err) < 0)
                return -1;
        *cursor = gb_wire_string(out.gbx_cursor_val, out.gbx_cursor_len, GB_CURSOR_MAX, "the agent's cursor",
                                 err);
        gb_xdr_release((xdrproc_t)xdr_gbx_cursor, &out);
        return *cursor ? 0 : -1;
}

int gb_call_look(struct gb_client *c, const char *volume, const char *brick, const gb_gfid *gfids, unsigned n,
                 gbx_look_ok *out, struct gb_error *err)
{
        gbx_look_arg arg = {.gfids = {.gfids_len = n, .gfids_val = (gbx_gfid *)(uintptr_t)gfids}};

        GB_WIRE_SET(arg.volume, gbx_volname, volume);
        GB_WIRE_SET(arg.brick, gbx_brick, brick);
        if (gb_client_call(c, GBX_LOOK, GB_CALL_MS, (xdrproc_t)xdr_gbx_look_arg, &arg, ARM(gbx_look_ok), out,
                           sizeof(*out), err) < 0)
                return -1;
        if (out->done <= n)
                return 0;
        gb_error_set(err, GB_ERR_PROTOCOL, "%s looked at %u of %u gfids", gb_client_peer(c),
                     (unsigned)out->done, n);
        gb_xdr_release((xdrproc_t)xdr_gbx_look_ok, out);
        memset(out, 0, sizeof(*out));
        return -1;
}

int gb_call_exists(struct gb_client *c, const gbx_exists_arg *arg, gbx_exists_res *out, struct gb_error *err)
{
        if (gb_client_call(c, GBX_EXISTS, GB_CALL_MS, (xdrproc_t)xdr_gbx_exists_arg, arg,
                           WHOLE(gbx_exists_res), out, sizeof(*out), err) < 0)
                return -1;
        if (out->gbx_exists_res_u.found.found_len == arg->paths.paths_len)
                return 0;
        gb_error_set(err, GB_ERR_PROTOCOL, "%s answers for %u of %u paths", gb_client_peer(c),
                     (unsigned)out->gbx_exists_res_u.found.found_len, (unsigned)arg->paths.paths_len);
        gb_xdr_release((xdrproc_t)xdr_gbx_exists_res, out);
        memset(out, 0, sizeof(*out));
        return -1;
}

int gb_call_times(struct gb_client *c, const gbx_times_arg *arg, gbx_times_res *out, struct gb_error *err)
{
        if (gb_client_call(c, GBX_TIMES, GB_CALL_MS, (xdrproc_t)xdr_gbx_times_arg, arg, WHOLE(gbx_times_res),
                           out, sizeof(*out), err) < 0)
                return -1;
        if (out->gbx_times_res_u.times.times_len == arg->paths.paths_len)
                return 0;
        gb_error_set(err, GB_ERR_PROTOCOL, "%s answers for %u of %u paths", gb_client_peer(c),
                     (unsigned)out->gbx_times_res_u.times.times_len, (unsigned)arg->paths.paths_len);
        gb_xdr_release((xdrproc_t)xdr_gbx_times_res, out);
        memset(out, 0, sizeof(*out));
        return -1;
}

int gb_call_enable(struct gb_client *c, const char *volume, bool *was_on, struct gb_error *err)
{
        gbx_volume_arg arg;
        gbx_enable_ok out;

        GB_WIRE_SET(arg.volume, gbx_volname, volume);
        if (gb_client_call(c, GBX_CHANGELOG_ENABLE, GB_CALL_MS, (xdrproc_t)xdr_gbx_volume_arg, &arg,
                           ARM(gbx_enable_ok), &out, sizeof(out), err) < 0)
                return -1;
        *was_on = out.was_on;
        return 0;
}

int gb_call_examine(struct gb_client *c, const char *volume, const char *brick, gbx_examine_res *out,
                    struct gb_error *err)
{
        gbx_brick_arg arg;

        GB_WIRE_SET(arg.volume, gbx_volname, volume);
        GB_WIRE_SET(arg.brick, gbx_brick, brick);
        return gb_client_call(c, GBX_EXAMINE, GB_CALL_MS, (xdrproc_t)xdr_gbx_brick_arg, &arg,
                              WHOLE(gbx_examine_res), out, sizeof(*out), err);
}

int gb_call_usage(struct gb_client *c, const char *volume, const char *brick, int64_t keep_from,
                  bool cumulative, bool purge, gbx_usage *out, struct gb_error *err)
{
        gbx_usage_arg arg = {.keep_from = keep_from, .cumulative = cumulative};

        GB_WIRE_SET(arg.volume, gbx_volname, volume);
        GB_WIRE_SET(arg.brick, gbx_brick, brick);
        return gb_client_call(c, purge ? GBX_CHANGELOG_PURGE : GBX_CHANGELOG_USAGE, GB_CALL_MS,
                              (xdrproc_t)xdr_gbx_usage_arg, &arg, ARM(gbx_usage), out, sizeof(*out), err);
}

static void set_session(gbx_session_arg *arg, const char *session, const char *volume,
                        const gb_gfid *volume_id)
{
        memset(arg, 0, sizeof(*arg));
        GB_WIRE_SET(arg->session, gbx_name, session);
        GB_WIRE_SET(arg->volume, gbx_volname, volume);
        if (volume_id)
                memcpy(arg->volume_id, volume_id->b, sizeof(arg->volume_id));
}

static int call_session(struct gb_client *c, rpcproc_t proc, const char *session, const char *volume,
                        const gb_gfid *volume_id, struct gb_error *err)
{
        gbx_session_arg arg;

        set_session(&arg, session, volume, volume_id);
        return gb_client_call(c, proc, GB_CALL_MS, (xdrproc_t)xdr_gbx_session_arg, &arg, NOTHING, NULL, 0,
                              err);
}

int gb_call_session_register(struct gb_client *c, const char *session, const char *volume,
                             const gb_gfid *volume_id, struct gb_error *err)
{
        return call_session(c, GBX_SESSION_REGISTER, session, volume, volume_id, err);
}

int gb_call_session_lock(struct gb_client *c, const char *session, const char *volume,
                         const gb_gfid *volume_id, gbx_session *out, struct gb_error *err)
{
        gbx_session_arg arg;

        set_session(&arg, session, volume, volume_id);
        return gb_client_call(c, GBX_SESSION_LOCK, GB_CALL_MS, (xdrproc_t)xdr_gbx_session_arg, &arg,
                              ARM(gbx_session), out, sizeof(*out), err);
}

int gb_call_session_unlock(struct gb_client *c, const char *session, const char *volume, struct gb_error *err)
{
        return call_session(c, GBX_SESSION_UNLOCK, session, volume, NULL, err);
}

int gb_call_session_unregister(struct gb_client *c, const char *session, const char *volume,
                               struct gb_error *err)
{
        return call_session(c, GBX_SESSION_UNREGISTER, session, volume, NULL, err);
}

int gb_call_session_prepare(struct gb_client *c, const gbx_prepare_arg *arg, struct gb_error *err)
{
        return gb_client_call(c, GBX_SESSION_PREPARE, GB_CALL_MS, (xdrproc_t)xdr_gbx_prepare_arg, arg,
                              NOTHING, NULL, 0, err);
}

static int call_generation(struct gb_client *c, rpcproc_t proc, const char *session, const char *volume,
                           const char *generation, struct gb_error *err)
{
        gbx_commit_arg arg;

        GB_WIRE_SET(arg.session, gbx_name, session);
        GB_WIRE_SET(arg.volume, gbx_volname, volume);
        GB_WIRE_SET(arg.generation, gbx_name, generation);
        return gb_client_call(c, proc, GB_CALL_MS, (xdrproc_t)xdr_gbx_commit_arg, &arg, NOTHING, NULL, 0,
                              err);
}

int gb_call_session_commit(struct gb_client *c, const char *session, const char *volume,
                           const char *generation, struct gb_error *err)
{
        return call_generation(c, GBX_SESSION_COMMIT, session, volume, generation, err);
}

int gb_call_session_abort(struct gb_client *c, const char *session, const char *volume,
                          const char *generation, struct gb_error *err)
{
        return call_generation(c, GBX_SESSION_ABORT, session, volume, generation, err);
}

int gb_call_session_list(struct gb_client *c, gbx_sessions_res *out, struct gb_error *err)
{
        return gb_client_call(c, GBX_SESSION_LIST, GB_CALL_MS, gb_xdr_nothing, NULL, WHOLE(gbx_sessions_res),
                              out, sizeof(*out), err);
}

int gb_call_session_last_full(struct gb_client *c, const char *session, const char *volume,
                              gbx_generation *out, struct gb_error *err)
{
        gbx_session_arg arg;

        memset(out, 0, sizeof(*out));
        if (!(gb_client_hello(c)->features & GBX_FEATURE_LAST_FULL))
                return gb_error_set(err, GB_ERR_VERSION,
                                    "%s: its gbackupd (%.*s) does not keep the position of the last full; "
                                    "upgrade it",
                                    gb_client_peer(c), (int)gb_client_hello(c)->software.gbx_name_len,
                                    gb_client_hello(c)->software.gbx_name_val);
        set_session(&arg, session, volume, NULL);
        return gb_client_call(c, GBX_SESSION_LAST_FULL, GB_CALL_MS, (xdrproc_t)xdr_gbx_session_arg, &arg,
                              ARM(gbx_generation), out, sizeof(*out), err);
}
