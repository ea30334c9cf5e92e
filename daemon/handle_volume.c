/*
 * handle_volume - TOPOLOGY and CHANGELOG_ENABLE: what glusterd's files tell, and what gluster(8) is asked.
 */
#include <config.h>

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "handlers.h"

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory for a topology");
}

/* Which words GlusterFS takes for true; a switch that was never set is off. */
static bool option_on(const struct gb_volinfo *v, const char *name)
{
        static const char *const words[] = {"on", "enable", "1", "true", "yes"};
        const char *value = gb_volinfo_option(v, name);

        for (size_t i = 0; value && i < sizeof(words) / sizeof(words[0]); i++)
                if (!strcasecmp(value, words[i]))
                        return true;
        return false;
}

static int put_text(const char *text, size_t max, char **val, u_int *len, struct gb_error *err)
{
        size_t n = strlen(text);

        if (n > max)
                return gb_error_set(err, GB_ERR_LIMIT, "gluster gives a name of %zu bytes, the limit is %zu",
                                    n, max);
        *val = strdup(text);
        *len = (u_int)n;
        return *val ? 0 : no_memory(err);
}

static int put_brick(const struct gb_vol_brick *b, size_t index, gbx_brickinfo *out, struct gb_error *err)
{
        memcpy(out->node, b->node.b, sizeof(b->node.b));
        out->arbiter = b->arbiter;
        out->online = b->online;
        out->index = (int)index;
        if (put_text(b->host, GBX_HOST_MAX, &out->host.gbx_name_val, &out->host.gbx_name_len, err) < 0)
                return -1;
        return put_text(b->path, GBX_BRICK_MAX, &out->path.gbx_brick_val, &out->path.gbx_brick_len, err);
}

static int put_peer(const struct gb_vol_peer *p, gbx_peer *out, struct gb_error *err)
{
        memcpy(out->node, p->node.b, sizeof(p->node.b));
        out->connected = p->connected;
        return put_text(p->host, GBX_HOST_MAX, &out->host.gbx_name_val, &out->host.gbx_name_len, err);
}

static int put_lists(const struct gb_volinfo *v, gbx_topology *out, struct gb_error *err)
{
        if (v->bricks.n > GBX_BRICKS_MAX || v->peers.n > GBX_PEERS_MAX)
                return gb_error_set(err, GB_ERR_LIMIT, "volume %s: %zu bricks, %zu peers: more than %d",
                                    v->name, v->bricks.n, v->peers.n, GBX_BRICKS_MAX);
        out->bricks.bricks_val = calloc(v->bricks.n + 1, sizeof(*out->bricks.bricks_val));
        out->peers.peers_val = calloc(v->peers.n + 1, sizeof(*out->peers.peers_val));
        if (!out->bricks.bricks_val || !out->peers.peers_val)
                return no_memory(err);
        for (size_t i = 0; i < v->bricks.n; i++)
                if (put_brick(&v->bricks.v[i], i, &out->bricks.bricks_val[out->bricks.bricks_len++], err) < 0)
                        return -1;
        for (size_t i = 0; i < v->peers.n; i++)
                if (put_peer(&v->peers.v[i], &out->peers.peers_val[out->peers.peers_len++], err) < 0)
                        return -1;
        return 0;
}

static int put_topology(struct gb_worker *w, const struct gb_volinfo *v, gbx_topology *out,
                        struct gb_error *err)
{
        struct gb_volume_file file;
        struct gb_error ignored;

        memcpy(out->volume_id, v->id.b, sizeof(v->id.b));
        out->started = v->started;
        out->changelog = option_on(v, "changelog.changelog");
        out->set_size = v->set_size;
        out->redundancy = v->disperse ? v->redundancy : v->set_size - 1;
        out->disperse = v->disperse;
        out->sharded = option_on(v, "features.shard");
        out->rebalancing = v->rebalancing;
        if (gb_glusterd_volume(&w->gd, v->name, &file, &ignored) == 0)
                out->volinfo_version = file.version;
        return put_lists(v, out, err);
}

static int volume_info(struct gb_worker *w, const char *volume, struct gb_volinfo *v, struct gb_error *err)
{
        struct gb_error why;

        if (gb_glusterd_topology(&w->gd, volume, v, &why) == 0)
                return 0;
        gb_log(GB_LOG_DEBUG, "%s; asking gluster(8)", why.text);
        return gb_gluster_info(&w->gluster, volume, v, err);
}

static int topology(struct gb_worker *w, const gbx_topology_arg *arg, gbx_topology *out, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *volume = gb_handler_volume(w, &arg->volume, err);
        struct gb_volinfo v = {0};
        int rc;

        if (!volume)
                return -1;
        rc = arg->live ? gb_gluster_topology(&w->gluster, volume, &v, err) : volume_info(w, volume, &v, err);
        if (rc == 0)
                rc = put_topology(w, &v, out, err);
        if (rc < 0) {
                xdr_free((xdrproc_t)xdr_gbx_topology, (char *)out);
                memset(out, 0, sizeof(*out));
        }
        gb_volinfo_fini(&v);
        return rc;
}

bool_t gbx_topology_1_svc(gbx_topology_arg *arg, gbx_topology_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_topology_res,
                  w && topology(w, arg, &res->gbx_topology_res_u.topology, &err) == 0, &err);
}

static int enable(struct gb_worker *w, const gbx_volume_arg *arg, gbx_enable_ok *out, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *volume = gb_handler_volume(w, &arg->volume, err);
        struct gb_volinfo v = {0};
        int rc;

        if (!volume)
                return -1;
        rc = gb_gluster_info(&w->gluster, volume, &v, err);
        out->was_on = rc == 0 && option_on(&v, "changelog.changelog");
        gb_volinfo_fini(&v);
        if (rc < 0 || out->was_on)
                return rc;
        gb_log(GB_LOG_NOTICE, "volume %s: switching changelog.changelog on, as %s asks", volume, w->client);
        return gb_gluster_set(&w->gluster, volume, "changelog.changelog", "on", err);
}

bool_t gbx_changelog_enable_1_svc(gbx_volume_arg *arg, gbx_enable_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_enable_res, w && enable(w, arg, &res->gbx_enable_res_u.enable, &err) == 0,
                  &err);
}
