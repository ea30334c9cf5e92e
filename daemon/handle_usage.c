/*
 * handle_usage - CHANGELOG_USAGE and CHANGELOG_PURGE: what a brick's history costs, and removing what nobody
 * needs.
 *
 * Purging takes the lock of every session of the volume for the length of the call: a run that began before
 * has its position only in memory, and a run that begins meanwhile could choose one that is being removed.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "handlers.h"
#include "needs.h"
#include "usage.h"

/* Well inside what a client waits for an answer. */
#define PURGE_MS 60000
/* Sessions of one volume that are locked at once. */
#define LOCKS_MAX 256

static void put_disk(const struct gb_brick *b, gbx_usage *out)
{
        struct statvfs fs;

        if (fstatvfs(b->root_fd, &fs) == 0) {
                out->disk_size = (uint64_t)fs.f_blocks * fs.f_frsize;
                out->disk_free = (uint64_t)fs.f_bavail * fs.f_frsize;
        }
}

static int put_usage(const struct gb_usage *u, const struct gb_need *need, const struct gb_brick *b,
                     gbx_usage *out, struct gb_error *err)
{
        out->slices = u->slices;
        out->bytes = u->bytes;
        out->oldest = u->oldest;
        out->newest = u->newest;
        out->htime_bytes = u->htime_bytes;
        out->needed_from = need->from;
        out->removable = u->removable;
        out->removable_bytes = u->removable_bytes;
        out->more = u->more;
        put_disk(b, out);
        out->needed_by.gbx_text_val = strdup(need->who);
        if (!out->needed_by.gbx_text_val)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory for the usage of a brick");
        out->needed_by.gbx_text_len = (u_int)strlen(need->who);
        return 0;
}

static int usage(struct gb_worker *w, const gbx_usage_arg *arg, gbx_usage *out, struct gb_error *err)
{
        GB_CLEANUP_BRICK struct gb_brick *b = gb_handler_brick(w, &arg->volume, &arg->brick, false, err);
        struct gb_need need;
        struct gb_usage u;

        if (!b || gb_needs_of(w, b, arg->cumulative, &need, err) < 0 ||
            gb_usage_count(b, need.from < arg->keep_from ? need.from : arg->keep_from, &u, err) < 0)
                return -1;
        return put_usage(&u, &need, b, out, err);
}

struct locks {
        struct gb_lock v[LOCKS_MAX];
        unsigned n;
};

static void drop_locks(struct locks *l)
{
        for (unsigned i = 0; i < l->n; i++)
                gb_lock_drop(&l->v[i]);
}
#define CLEANUP_LOCKS __attribute__((cleanup(drop_locks)))

static int lock_sessions(struct gb_worker *w, const char *volume, struct locks *l, struct gb_error *err)
{
        struct gb_store *store = gb_worker_store(w, err);
        gbx_sessions_res all;
        int rc = 0;

        if (!store || gb_store_list(store, &all, err) < 0)
                return -1;
        for (u_int i = 0; rc == 0 && i < all.gbx_sessions_res_u.sessions.sessions_len; i++) {
                const gbx_session *s = &all.gbx_sessions_res_u.sessions.sessions_val[i];

                if (strcmp(s->volume.gbx_volname_val, volume) != 0)
                        continue;
                if (l->n == LOCKS_MAX) {
                        rc = gb_error_set(err, GB_ERR_LIMIT, "volume %s has more than %d sessions", volume,
                                          LOCKS_MAX);
                        break;
                }
                rc = gb_lock_take(store, s->session.gbx_name_val, volume, "changelog purge", &l->v[l->n],
                                  err);
                l->n += rc == 0;
        }
        xdr_free((xdrproc_t)xdr_gbx_sessions_res, (char *)&all);
        return rc;
}

static int purge(struct gb_worker *w, const gbx_usage_arg *arg, gbx_usage *out, struct gb_error *err)
{
        GB_CLEANUP_BRICK struct gb_brick *b = gb_handler_brick(w, &arg->volume, &arg->brick, false, err);
        CLEANUP_LOCKS struct locks locks = {.n = 0};
        struct gb_need need;
        struct gb_usage u;

        if (!b || lock_sessions(w, b->volume, &locks, err) < 0 ||
            gb_needs_of(w, b, arg->cumulative, &need, err) < 0)
                return -1;
        if (gb_usage_purge(b, need.from < arg->keep_from ? need.from : arg->keep_from,
                           gb_deadline_in(PURGE_MS), &u, err) < 0)
                return -1;
        if (u.removable)
                gb_log(GB_LOG_NOTICE, "brick %s: removed %" PRIu64 " slices, %" PRIu64 " bytes, as %s asks",
                       b->path, u.removable, u.removable_bytes, w->client);
        return put_usage(&u, &need, b, out, err);
}

bool_t gbx_changelog_usage_1_svc(gbx_usage_arg *arg, gbx_usage_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_usage_res, w && usage(w, arg, &res->gbx_usage_res_u.usage, &err) == 0, &err);
}

bool_t gbx_changelog_purge_1_svc(gbx_usage_arg *arg, gbx_usage_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_usage_res, w && purge(w, arg, &res->gbx_usage_res_u.usage, &err) == 0, &err);
}
