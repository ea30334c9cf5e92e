/*
 * volume - see volume.h.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "endpoint.h"
#include "volume.h"
#include "wire_error.h"

/* A connection to the node itself, not to whoever has its name now. */
static struct gb_client *connect_node(const struct gb_cli *c, const struct gb_node *n, struct gb_error *err)
{
        struct gb_client *client = gb_endpoint_connect(c, n->host, &n->uuid, err);

        if (client && memcmp(gb_client_hello(client)->node, n->uuid.b, sizeof(n->uuid.b)) != 0) {
                gb_client_free(client);
                gb_error_set(err, GB_ERR_NO_AGENT, "%s: another node answers there than glusterd names",
                             n->host);
                return NULL;
        }
        return client;
}

static struct gb_node *node_of(const struct gb_cli *c, struct gb_volume *v, const gb_gfid *uuid,
                               const char *host)
{
        struct gb_node *n;

        for (unsigned i = 0; i < v->n_nodes; i++)
                if (gb_gfid_eq(&v->nodes[i].uuid, uuid))
                        return &v->nodes[i];
        n = &v->nodes[v->n_nodes++];
        n->uuid = *uuid;
        n->host = host;
        n->control = connect_node(c, n, &n->error);
        return n;
}

/* The agent's word becomes a place to go: the name or the address of a host, and no other way that there is.
 */
static bool is_host(const char *host)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:%";

        return *host && *host != '-' && !host[strspn(host, letters)] && strcmp(host, "local") != 0 &&
               strncmp(host, "unix:", 5) != 0 && strncmp(host, "tcp:", 4) != 0;
}

static int add_brick(const struct gb_cli *c, struct gb_volume *v, const gbx_brickinfo *in,
                     struct gb_error *err)
{
        struct gb_vbrick *b = &v->bricks[v->n_bricks];
        gb_gfid uuid;

        v->n_bricks++; /* gb_volume_close() frees what there is of it */
        b->path = gb_wire_string(in->path.gbx_brick_val, in->path.gbx_brick_len, GB_BRICK_PATH_MAX,
                                 "brick path", err);
        b->host = b->path ? gb_wire_string(in->host.gbx_name_val, in->host.gbx_name_len, GB_HOST_MAX,
                                           "brick host", err)
                          : NULL;
        if (!b->host)
                return -1;
        if (!is_host(b->host))
                return gb_error_set(err, GB_ERR_PROTOCOL, "brick %u: \"%.80s\" is no host", v->n_bricks - 1,
                                    b->host);
        if (asprintf(&b->name, "%s:%s", b->host, b->path) < 0) {
                b->name = NULL;
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        }
        memcpy(uuid.b, in->node, sizeof(uuid.b));
        b->index = in->index;
        b->set = (unsigned)in->index / v->set_size;
        b->arbiter = in->arbiter;
        b->node = node_of(c, v, &uuid, b->host);
        return 0;
}

static void ask_brick(const struct gb_volume *v, struct gb_vbrick *b)
{
        if (!b->node->control) {
                b->error = b->node->error;
                return;
        }
        if (gb_call_brick_status(b->node->control, v->name, b->path, &b->status, &b->error) < 0)
                return;
        b->ahead = b->status.now_us / 1000000 - (int64_t)time(NULL);
        b->usable = b->status.running;
        if (!b->usable)
                gb_error_set(&b->error, GB_ERR_BRICK_DOWN, "brick process is not running");
}

/* Whom do the pending heals of a set's bricks blame? */
static void spread_blame(struct gb_volume *v, const struct gb_vbrick *from)
{
        for (unsigned i = from->set * v->set_size; i < (from->set + 1) * v->set_size; i++) {
                struct gb_vbrick *b = &v->bricks[i];

                if (from->status.blames_all && (b != from || v->disperse))
                        b->behind = true;
                for (unsigned k = 0; k < from->status.blamed.blamed_len; k++)
                        if (from->status.blamed.blamed_val[k] == b->index)
                                b->behind = true;
        }
}

void gb_volume_behind(struct gb_volume *v)
{
        for (unsigned i = 0; i < v->n_bricks && v->set_size > 1; i++) {
                struct gb_vbrick *b = &v->bricks[i];
                uint64_t before = b->status.pending;
                gbx_brick_status now = {0};
                struct gb_error ignored;

                if (!b->usable)
                        continue;
                if (gb_call_brick_status(b->node->control, v->name, b->path, &now, &ignored) < 0) {
                        b->behind = true;
                        continue;
                }
                gb_xdr_release((xdrproc_t)xdr_gbx_brick_status, &b->status);
                b->status = now;
                spread_blame(v, b);
                b->status.pending = before > now.pending ? before : now.pending;
        }
}

bool gb_volume_heals(const struct gb_volume *v, unsigned set)
{
        for (unsigned i = set * v->set_size; i < (set + 1) * v->set_size; i++)
                if (v->bricks[i].usable && v->bricks[i].status.pending)
                        return true;
        return false;
}

static int take_topology(const struct gb_cli *c, struct gb_volume *v, struct gb_client *first,
                         const gbx_topology *t, struct gb_error *err)
{
        unsigned n = t->bricks.bricks_len;

        if (!t->set_size || !n || n % t->set_size)
                return gb_error_set(err, GB_ERR_PROTOCOL, "volume %s: %u bricks do not make sets of %u",
                                    v->name, n, t->set_size);
        v->set_size = t->set_size;
        v->redundancy = t->redundancy < t->set_size ? t->redundancy : t->set_size - 1;
        v->n_sets = n / t->set_size;
        v->started = t->started;
        v->changelog = t->changelog;
        v->sharded = t->sharded;
        v->rebalancing = t->rebalancing;
        v->disperse = t->disperse;
        memcpy(v->id.b, t->volume_id, sizeof(v->id.b));
        v->bricks = calloc(n, sizeof(*v->bricks));
        if (!v->bricks)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        memcpy(v->nodes[0].uuid.b, gb_client_hello(first)->node, sizeof(v->nodes[0].uuid.b));
        for (unsigned i = 0; i < n; i++) {
                if (t->bricks.bricks_val[i].index != (int)i)
                        return gb_error_set(err, GB_ERR_PROTOCOL, "volume %s: bricks out of order", v->name);
                if (add_brick(c, v, &t->bricks.bricks_val[i], err) < 0)
                        return -1;
        }
        return 0;
}

int gb_volume_open(const struct gb_cli *c, const char *host, const char *name, bool live, struct gb_volume *v,
                   struct gb_error *err)
{
        gbx_topology t = {0};
        struct gb_client *first = gb_endpoint_connect(c, host, NULL, err);
        int rc;

        memset(v, 0, sizeof(*v));
        if (!first)
                return -1;
        v->name = strdup(name);
        v->host = strdup(host);
        v->nodes = calloc(GB_BRICKS_MAX + 1, sizeof(*v->nodes));
        if (!v->name || !v->host || !v->nodes) {
                gb_client_free(first);
                gb_volume_close(v);
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        }
        v->nodes[0] = (struct gb_node){.host = v->host, .control = first};
        v->n_nodes = 1;
        rc = gb_call_topology(first, name, live, &t, err);
        if (rc == 0)
                rc = take_topology(c, v, first, &t, err);
        gb_xdr_release((xdrproc_t)xdr_gbx_topology, &t);
        if (rc == 0 && !v->started)
                rc = gb_error_set(err, GB_ERR_VOLUME_STOPPED,
                                  "volume %s is not started; start it: gluster volume start %s", name, name);
        if (rc < 0) {
                gb_volume_close(v);
                return -1;
        }
        for (unsigned i = 0; i < v->n_bricks; i++)
                ask_brick(v, &v->bricks[i]);
        for (unsigned i = 0; i < v->n_bricks; i++)
                if (v->bricks[i].usable)
                        spread_blame(v, &v->bricks[i]);
        for (unsigned i = 0; i < v->n_bricks; i++)
                v->bricks[i].blamed = v->bricks[i].behind;
        return 0;
}

void gb_volume_close(struct gb_volume *v)
{
        for (unsigned i = 0; i < v->n_bricks; i++) {
                gb_xdr_release((xdrproc_t)xdr_gbx_brick_status, &v->bricks[i].status);
                free(v->bricks[i].path);
                free(v->bricks[i].host);
                free(v->bricks[i].name);
        }
        for (unsigned i = 0; i < v->n_nodes; i++)
                gb_client_free(v->nodes[i].control);
        free(v->bricks);
        free(v->nodes);
        free(v->name);
        free(v->host);
        memset(v, 0, sizeof(*v));
}

bool gb_volume_spares(enum gb_code code)
{
        switch (code) {
        case GB_ERR_SYSTEM:
        case GB_ERR_MEMORY:
        case GB_ERR_PROTOCOL:
        case GB_ERR_TIMEOUT:
        case GB_ERR_NO_AGENT:
        case GB_ERR_DENIED:
        case GB_ERR_VERSION:
        case GB_ERR_NO_BRICK:
        case GB_ERR_BRICK_DOWN:
        case GB_ERR_GLUSTER:
        case GB_ERR_CORRUPT:
        case GB_ERR_NO_SPACE:
                return true;
        default:
                return false;
        }
}

void gb_volume_lose(struct gb_volume *v, struct gb_node *n, const struct gb_error *why)
{
        for (unsigned i = 0; i < v->n_bricks; i++) {
                struct gb_vbrick *b = &v->bricks[i];

                if (b->node != n || !b->usable)
                        continue;
                b->usable = false;
                b->error = *why;
        }
}

int gb_volume_reconnect(const struct gb_cli *c, struct gb_node *n, struct gb_error *err)
{
        struct gb_client *client = connect_node(c, n, err);

        if (!client)
                return -1;
        gb_client_free(n->control);
        n->control = client;
        return 0;
}

struct gb_client *gb_volume_connect(const struct gb_cli *c, const struct gb_volume *v,
                                    const struct gb_vbrick *b, struct gb_error *err)
{
        (void)v;
        return connect_node(c, b->node, err);
}

int gb_volume_missing(const struct gb_volume *v, unsigned set, struct gb_error *err)
{
        char text[GB_TEXT_MAX / 2];
        size_t at = 0;

        text[0] = '\0';
        for (unsigned i = set * v->set_size; i < (set + 1) * v->set_size && at < sizeof(text); i++) {
                int n = snprintf(text + at, sizeof(text) - at, "%s%s (%.160s)", at ? "; " : "",
                                 v->bricks[i].name, v->bricks[i].error.text);

                at += n > 0 ? (size_t)n : 0;
        }
        return gb_error_set(err, GB_ERR_INCOMPLETE, "volume %s: no usable brick in replica set %u: %s",
                            v->name, set, text);
}

unsigned gb_volume_rollover_wait(const struct gb_vbrick *b)
{
        unsigned s = b->status.rollover < 60 ? 2 * b->status.rollover + 5 : 125;

        return s * 1000;
}

unsigned gb_volume_pick(const struct gb_volume *v, unsigned set, struct gb_vbrick **pick,
                        struct gb_error *err)
{
        struct gb_vbrick *first = &v->bricks[set * v->set_size], *clean = NULL;
        bool better = false;
        unsigned n = 0;

        for (unsigned i = 0; i < v->set_size; i++)
                better = better || (first[i].usable && !first[i].shunned);
        for (unsigned i = 0; i < v->set_size; i++) {
                struct gb_vbrick *b = &first[i];

                if (!b->usable || (better && b->shunned))
                        continue;
                pick[n++] = b;
                if (!b->blamed && (!clean || (clean->arbiter && !b->arbiter)))
                        clean = b;
        }
        if (!n)
                gb_volume_missing(v, set, err);
        if (clean) {
                pick[0] = clean;
                return 1;
        }
        return n;
}

int gb_volume_ask(const struct gb_volume *v, unsigned set, gb_volume_ask_fn *ask, void *arg,
                  struct gb_error *err)
{
        struct gb_vbrick *pick[GB_BRICKS_MAX];

        for (;;) {
                unsigned n = gb_volume_pick(v, set, pick, err), done = 0;

                if (!n)
                        return -1;
                while (done < n && ask(arg, pick[done], err) == 0)
                        done++;
                if (done == n)
                        return 0;
                if (!gb_volume_spares(err->code))
                        return -1;
                pick[done]->usable = false;
                pick[done]->error = *err;
        }
}
