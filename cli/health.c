/*
 * health - see health.h.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "health.h"
#include "registry.h"

static int64_t wall_us(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- asking ---- */

/* An answer with the agent's time in it: its clock read at some moment between our two. */
static void compare_clocks(struct gb_health *h, struct gb_health_node *n)
{
        const struct gb_volume *v = &h->volume;

        for (unsigned i = 0; i < v->n_bricks; i++) {
                const struct gb_vbrick *b = &v->bricks[i];
                gbx_brick_status status;
                struct gb_error ignored;
                int64_t before, after;

                if (b->node != n->node)
                        continue;
                n->owns_bricks = true;
                if (!n->node->control || n->clock_known)
                        continue;
                before = wall_us();
                if (gb_call_brick_status(n->node->control, v->name, b->path, &status, &ignored) < 0)
                        continue;
                after = wall_us();
                n->ahead_us = status.now_us - (before + after) / 2;
                n->doubt_us = (after - before) / 2;
                n->clock_known = true;
                gb_xdr_release((xdrproc_t)xdr_gbx_brick_status, &status);
        }
        h->n_owners += n->owns_bricks;
}

static void ask_node(struct gb_health *h, struct gb_health_node *n)
{
        n->error = n->node->error;
        compare_clocks(h, n);
        if (!n->node->control)
                return;
        n->examines = (gb_client_hello(n->node->control)->features & GBX_FEATURE_EXAMINE) != 0;
        gb_call_session_list(n->node->control, &n->sessions, &n->error);
}

static const struct gb_health_node *node_of(const struct gb_health *h, const struct gb_vbrick *b)
{
        for (unsigned i = 0; i < h->n_nodes; i++)
                if (h->nodes[i].node == b->node)
                        return &h->nodes[i];
        return NULL;
}

static void ask_brick(const struct gb_cli *c, struct gb_health *h, struct gb_health_brick *b,
                      int64_t keep_from)
{
        const struct gb_health_node *n = node_of(h, b->brick);

        if (!b->brick->node->control)
                b->error = b->brick->node->error;
        else if (!n || !n->examines)
                gb_error_set(&b->error, GB_ERR_VERSION, "%s: its gbackupd is too old to tell",
                             b->brick->node->host);
        else
                gb_call_usage(b->brick->node->control, h->volume.name, b->brick->path, keep_from,
                              !c->o.no_cumulative, false, &b->usage, &b->error);
}

/* ---- sessions, united ---- */

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
}

/* The entry of that name, made if need be; NULL: out of memory. */
static struct gb_health_session *session_of(struct gb_health *h, const char *name, size_t len)
{
        struct gb_health_session *s;

        for (unsigned i = 0; i < h->n_sessions; i++)
                if (strlen(h->sessions[i].name) == len && memcmp(h->sessions[i].name, name, len) == 0)
                        return &h->sessions[i];
        s = realloc(h->sessions, (h->n_sessions + 1) * sizeof(*s));
        if (!s)
                return NULL;
        h->sessions = s;
        s = &h->sessions[h->n_sessions];
        *s = (struct gb_health_session){.name = strndup(name, len)};
        if (!s->name)
                return NULL;
        h->n_sessions++;
        return s;
}

static void unite(struct gb_health_session *to, const gbx_session *from)
{
        const gbx_generation *g = &from->committed;
        char name[GB_HOST_MAX + 1];

        snprintf(name, sizeof(name), "%.*s", (int)g->generation.gbx_name_len, g->generation.gbx_name_val);
        if (to->known++ && strcmp(name, to->generation) != 0)
                to->apart = true;
        if (!to->generation[0] || g->when > to->committed) {
                memcpy(to->generation, name, sizeof(name));
                to->committed = *name ? g->when : 0;
                to->kind = g->kind;
        }
        if (from->last_full.when > to->last_full)
                to->last_full = from->last_full.when;
        if (from->pending.generation.gbx_name_len && from->pending.when > to->pending)
                to->pending = from->pending.when;
}

static int take_sessions(struct gb_health *h, const struct gb_health_node *n, struct gb_error *err)
{
        const char *volume = h->volume.name;

        for (u_int i = 0; i < n->sessions.gbx_sessions_res_u.sessions.sessions_len; i++) {
                const gbx_session *from = &n->sessions.gbx_sessions_res_u.sessions.sessions_val[i];
                struct gb_health_session *to;

                if (from->volume.gbx_volname_len != strlen(volume) ||
                    memcmp(from->volume.gbx_volname_val, volume, strlen(volume)) != 0)
                        continue;
                to = session_of(h, from->session.gbx_name_val, from->session.gbx_name_len);
                if (!to)
                        return no_memory(err);
                unite(to, from);
        }
        return 0;
}

/* Those of this host's registry.  One that cannot be read there is told by `sessions`. */
static int take_registered(struct gb_health *h, struct gb_error *err)
{
        struct gb_error ignored;
        char **names = NULL;
        unsigned n = 0;
        int rc = 0;

        if (gb_registry_list(&names, &n, &ignored) < 0)
                return 0;
        for (unsigned i = 0; i < n; i++) {
                struct gb_registered r = {0};

                if (gb_registry_get(names[i], &r, &ignored) == 0 && strcmp(r.volume, h->volume.name) == 0) {
                        struct gb_health_session *s = session_of(h, names[i], strlen(names[i]));

                        if (s)
                                s->here = true;
                        else
                                rc = no_memory(err);
                }
                gb_registered_fini(&r);
                free(names[i]);
        }
        free(names);
        return rc;
}

int gb_health_open(const struct gb_cli *c, const char *host, const char *volume, int64_t keep_from,
                   struct gb_health *h, struct gb_error *err)
{
        memset(h, 0, sizeof(*h));
        if (gb_volume_open(c, host, volume, true, &h->volume, err) < 0)
                return -1;
        h->nodes = calloc(h->volume.n_nodes, sizeof(*h->nodes));
        h->bricks = calloc(h->volume.n_bricks, sizeof(*h->bricks));
        if (!h->nodes || !h->bricks) {
                gb_health_close(h);
                return no_memory(err);
        }
        for (unsigned i = 0; i < h->volume.n_nodes; i++) {
                h->nodes[i].node = &h->volume.nodes[i];
                ask_node(h, &h->nodes[i]);
                h->n_nodes++;
        }
        for (unsigned i = 0; i < h->volume.n_bricks; i++) {
                h->bricks[i].brick = &h->volume.bricks[i];
                ask_brick(c, h, &h->bricks[i], keep_from);
        }
        for (unsigned i = 0; i < h->n_nodes; i++)
                if (h->nodes[i].owns_bricks && take_sessions(h, &h->nodes[i], err) < 0)
                        goto fail;
        if (take_registered(h, err) == 0)
                return 0;
fail:
        gb_health_close(h);
        return -1;
}

void gb_health_close(struct gb_health *h)
{
        for (unsigned i = 0; i < h->n_nodes; i++)
                gb_xdr_release((xdrproc_t)xdr_gbx_sessions_res, &h->nodes[i].sessions);
        for (unsigned i = 0; h->bricks && i < h->volume.n_bricks; i++)
                gb_xdr_release((xdrproc_t)xdr_gbx_usage, &h->bricks[i].usage);
        for (unsigned i = 0; i < h->n_sessions; i++)
                free(h->sessions[i].name);
        free(h->nodes);
        free(h->bricks);
        free(h->sessions);
        gb_volume_close(&h->volume);
        memset(h, 0, sizeof(*h));
}

/* ---- words ---- */

const char *gb_time_text(int64_t when, const char *never, char out[GB_ISO_TIME])
{
        if (when)
                gb_iso_time(when, out);
        else
                snprintf(out, GB_ISO_TIME, "%s", never);
        return out;
}

const char *gb_kind_text(gbx_session_kind kind)
{
        return kind == GBX_FULL          ? "full"
               : kind == GBX_INCREMENTAL ? "incremental"
               : kind == GBX_CUMULATIVE  ? "cumulative"
                                         : "none";
}

const char *gb_age_text(int64_t s, char out[32])
{
        if (s < 120)
                snprintf(out, 32, "%" PRId64 " s", s);
        else if (s < 7200)
                snprintf(out, 32, "%" PRId64 " min", s / 60);
        else if (s < 2 * 86400)
                snprintf(out, 32, "%.1f h", (double)s / 3600);
        else
                snprintf(out, 32, "%" PRId64 " d", s / 86400);
        return out;
}

const char *gb_size_text(uint64_t bytes, char out[32])
{
        static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
        double v = (double)bytes;
        unsigned i = 0;

        while (v >= 1024 && i + 1 < sizeof(units) / sizeof(units[0])) {
                v /= 1024;
                i++;
        }
        snprintf(out, 32, i ? "%.1f %s" : "%.0f %s", v, units[i]);
        return out;
}
