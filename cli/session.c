/*
 * session - see session.h.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session_core.h"
#include "wire_error.h"

bool gb_session_owns_bricks(const struct gb_volume *v, const struct gb_node *n)
{
        for (unsigned i = 0; i < v->n_bricks; i++)
                if (v->bricks[i].node == n)
                        return true;
        return false;
}

const char *gb_gen_name(const gbx_generation *g, char out[GB_HOST_MAX + 1])
{
        unsigned len = g->generation.gbx_name_len > GB_HOST_MAX ? GB_HOST_MAX : g->generation.gbx_name_len;

        if (len)
                memcpy(out, g->generation.gbx_name_val, len);
        out[len] = '\0';
        return out;
}

bool gb_gen_none(const gbx_generation *g)
{
        return g->generation.gbx_name_len == 0;
}

bool gb_gen_same(const gbx_generation *a, const gbx_generation *b)
{
        return a->generation.gbx_name_len == b->generation.gbx_name_len && a->generation.gbx_name_len &&
               memcmp(a->generation.gbx_name_val, b->generation.gbx_name_val, a->generation.gbx_name_len) ==
                       0;
}

int gb_session_register(const char *name, struct gb_volume *v, struct gb_error *err)
{
        for (unsigned i = 0; i < v->n_nodes; i++)
                if (gb_session_owns_bricks(v, &v->nodes[i]) && !v->nodes[i].control) {
                        *err = v->nodes[i].error;
                        return gb_error_prefix(
                                err, "all nodes of the volume must answer when a session is registered");
                }
        for (unsigned i = 0; i < v->n_nodes; i++) {
                if (!gb_session_owns_bricks(v, &v->nodes[i]))
                        continue;
                if (gb_call_session_register(v->nodes[i].control, name, v->name, &v->id, err) == 0)
                        continue;
                if (err->code != GB_ERR_SESSION_EXISTS) /* it exists on the others of an earlier try only */
                        return -1;
                if (gb_call_session_unregister(v->nodes[i].control, name, v->name, err) < 0 ||
                    gb_call_session_register(v->nodes[i].control, name, v->name, &v->id, err) < 0)
                        return -1;
        }
        return 0;
}

/* ---- opening ---- */

int gb_session_volume(const struct gb_cli *c, const struct gb_registered *reg, struct gb_volume *v,
                      struct gb_error *err)
{
        struct gb_error why;

        if (gb_volume_open(c, reg->host, reg->volume, false, v, err) == 0)
                return 0;
        for (unsigned i = 0; gb_volume_spares(err->code) && i < reg->n_hosts; i++) {
                if (strcmp(reg->hosts[i], reg->host) == 0 ||
                    gb_volume_open(c, reg->hosts[i], reg->volume, false, v, &why) < 0)
                        continue;
                gb_note(c, "%s; asked %s instead", err->text, reg->hosts[i]);
                return 0;
        }
        return -1;
}

int gb_session_lock(const struct gb_session *s, const struct gb_node *n, gbx_session *state,
                    struct gb_error *err)
{
        return gb_call_session_lock(n->control, s->name, s->volume->name, &s->volume->id, state, err);
}

/* What it knows is of a volume that is gone; another one has the name, with changelog off as it is made. */
static int forget_earlier(struct gb_session *s, struct gb_node *n, struct gb_error *err)
{
        const char *volume = s->volume->name;
        bool was_on;

        gb_say("%s: %s; it begins anew", n->host, err->text);
        if (gb_call_session_unregister(n->control, s->name, volume, err) < 0 ||
            gb_call_enable(n->control, volume, &was_on, err) < 0)
                return -1;
        if (!was_on)
                gb_note(s->cli, "volume %s: changelog.changelog was off and is on now; it stays on", volume);
        return 0;
}

static int lock_node(struct gb_session *s, struct gb_node *n, struct gb_error *err)
{
        struct gb_session_node *sn = &s->nodes[s->n_nodes];
        int rc = gb_session_lock(s, n, &sn->state, err);
        bool earlier = rc < 0 && err->code == GB_ERR_GAP && s->cli->o.full_on_gap;

        if (earlier && forget_earlier(s, n, err) < 0)
                return -1;
        if (earlier || (rc < 0 && err->code == GB_ERR_NO_SESSION)) {
                if (gb_call_session_register(n->control, s->name, s->volume->name, &s->volume->id, err) < 0)
                        return -1;
                rc = gb_session_lock(s, n, &sn->state, err);
        }
        if (rc < 0)
                return -1;
        sn->node = n;
        sn->locked = true;
        s->n_nodes++;
        return 0;
}

static void release_node(const struct gb_session *s, struct gb_session_node *n)
{
        struct gb_error ignored;

        if (n->locked) /* if this fails the lock ends with the connection */
                gb_call_session_unlock(n->node->control, s->name, s->volume->name, &ignored);
        gb_xdr_release((xdrproc_t)xdr_gbx_session, &n->state);
        gb_xdr_release((xdrproc_t)xdr_gbx_generation, &n->last_full);
}

void gb_session_leave_out(struct gb_session *s, struct gb_node *n, const struct gb_error *why)
{
        gb_note(s->cli, "%s takes no part: %s", n->host, why->text);
        n->error = *why;
        gb_volume_lose(s->volume, n, why);
}

static void drop_node(struct gb_session *s, unsigned i)
{
        release_node(s, &s->nodes[i]);
        s->n_nodes--;
        memmove(&s->nodes[i], &s->nodes[i + 1], (s->n_nodes - i) * sizeof(*s->nodes));
        memset(&s->nodes[s->n_nodes], 0, sizeof(*s->nodes));
}

static const gbx_generation *newest(const struct gb_session *s)
{
        const gbx_generation *best = NULL;

        for (unsigned i = 0; i < s->n_nodes; i++) {
                const gbx_generation *g = &s->nodes[i].state.committed;

                if (!gb_gen_none(g) && (!best || g->when > best->when))
                        best = g;
        }
        return best;
}

bool gb_gen_is(const gbx_generation *g, const char *name)
{
        char text[GB_HOST_MAX + 1];

        return name && *name && strcmp(gb_gen_name(g, text), name) == 0;
}

/* Commit what a node holds as pending, and read its state again. */
static int forward_node(struct gb_session *s, struct gb_session_node *n, struct gb_error *err)
{
        char name[GB_HOST_MAX + 1];

        if (gb_call_session_commit(n->node->control, s->name, s->volume->name,
                                   gb_gen_name(&n->state.pending, name), err) < 0)
                return -1;
        gb_xdr_release((xdrproc_t)xdr_gbx_session, &n->state);
        memset(&n->state, 0, sizeof(n->state));
        return gb_session_lock(s, n->node, &n->state, err);
}

/* A generation that was decided, here or by an agent, counts as committed where it is still pending. */
static int roll_forward(struct gb_session *s, struct gb_error *err)
{
        for (unsigned i = 0; i < s->n_nodes;) {
                struct gb_session_node *n = &s->nodes[i];
                const gbx_generation *base = newest(s), *g = &n->state.pending;

                if (gb_gen_none(g) || !((base && gb_gen_same(g, base)) || gb_gen_is(g, s->reg->last))) {
                        i++;
                        continue;
                }
                if (forward_node(s, n, err) == 0) {
                        i = 0; /* there may be a newer base now */
                        continue;
                }
                if (!gb_volume_spares(err->code))
                        return -1;
                gb_session_leave_out(s, n->node, err);
                drop_node(s, i);
                i = 0;
        }
        s->base = newest(s);
        return 0;
}

const struct gb_session_node *gb_session_node_of(const struct gb_session *s, const struct gb_node *n)
{
        for (unsigned i = 0; i < s->n_nodes; i++)
                if (s->nodes[i].node == n)
                        return &s->nodes[i];
        return NULL;
}

/* Is what the agents have as the last generation really the last?  If only absent ones can know, say so; if
 * nobody knows any more, all begins anew. */
static int check_last(struct gb_session *s, struct gb_error *err)
{
        const struct gb_registered *reg = s->reg;
        char absent[GB_TEXT_MAX / 2] = "";
        size_t at = 0;

        if (!reg->last || (s->base && (gb_gen_is(s->base, reg->last) || s->base->when >= reg->last_when)))
                return 0;
        for (unsigned i = 0; i < s->volume->n_nodes && at < sizeof(absent); i++) {
                const struct gb_node *n = &s->volume->nodes[i];

                if (gb_session_owns_bricks(s->volume, n) && !gb_session_node_of(s, n))
                        at += (size_t)snprintf(absent + at, sizeof(absent) - at, "%s%s (%.120s)",
                                               at ? "; " : "", n->host, n->error.text);
        }
        if (at)
                return gb_error_set(err, GB_ERR_INCOMPLETE,
                                    "session %s: its last run (%.40s) is known only to agents that do not "
                                    "take part: %s",
                                    s->name, reg->last, absent);
        gb_say("session %s: no agent knows its last run (%.40s) any more", s->name, reg->last);
        s->base = NULL;
        return 0;
}

static int lock_all(struct gb_session *s, struct gb_error *err)
{
        for (unsigned i = 0; i < s->volume->n_nodes; i++) {
                struct gb_node *n = &s->volume->nodes[i];

                if (!n->control || !gb_session_owns_bricks(s->volume, n) || lock_node(s, n, err) == 0)
                        continue;
                if (!gb_volume_spares(err->code))
                        return -1;
                gb_session_leave_out(s, n, err);
        }
        return 0;
}

int gb_session_open(const struct gb_cli *c, struct gb_session *s, struct gb_registered *reg,
                    struct gb_volume *v, struct gb_error *err)
{
        memset(s, 0, sizeof(*s));
        s->cli = c;
        s->reg = reg;
        s->name = reg->session;
        s->volume = v;
        s->nodes = calloc(v->n_nodes + 1, sizeof(*s->nodes));
        if (!s->nodes)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        if (lock_all(s, err) == 0 && roll_forward(s, err) == 0 && check_last(s, err) == 0)
                return 0;
        gb_session_close(s);
        return -1;
}

void gb_session_close(struct gb_session *s)
{
        for (unsigned i = 0; i < s->n_nodes; i++)
                release_node(s, &s->nodes[i]);
        free(s->nodes);
        free(s->previous);
        memset(s, 0, sizeof(*s));
}

int gb_session_last_full(struct gb_session *s, struct gb_error *err)
{
        s->full = NULL;
        for (unsigned i = 0; i < s->n_nodes;) {
                struct gb_session_node *n = &s->nodes[i];

                gb_xdr_release((xdrproc_t)xdr_gbx_generation, &n->last_full);
                if (gb_call_session_last_full(n->node->control, s->name, s->volume->name, &n->last_full,
                                              err) == 0) {
                        i++;
                        continue;
                }
                if (!gb_volume_spares(err->code))
                        return -1;
                gb_session_leave_out(s, n->node, err);
                drop_node(s, i);
        }
        s->base = newest(s);
        if (check_last(s, err) < 0)
                return -1;
        for (unsigned i = 0; i < s->n_nodes; i++) {
                const gbx_generation *g = &s->nodes[i].last_full;

                if (!gb_gen_none(g) && (!s->full || g->when > s->full->when))
                        s->full = g;
        }
        return 0;
}

static int take_position(const gbx_generation *g, const struct gb_vbrick *b, struct gb_brick_window *w,
                         struct gb_error *err)
{
        for (unsigned k = 0; k < g->cursors.cursors_len; k++) {
                const gbx_brick_cursor *c = &g->cursors.cursors_val[k];

                if (c->brick.gbx_brick_len != strlen(b->path) ||
                    memcmp(c->brick.gbx_brick_val, b->path, c->brick.gbx_brick_len) != 0)
                        continue;
                w->from = gb_wire_string(c->cursor.gbx_cursor_val, c->cursor.gbx_cursor_len, GB_CURSOR_MAX,
                                         "cursor", err);
                return w->from ? 0 : -1;
        }
        return 0;
}

int gb_session_positions(const struct gb_session *s, bool cumulative, struct gb_window *w,
                         struct gb_error *err)
{
        const gbx_generation *from = cumulative ? s->full : s->base;

        for (unsigned i = 0; i < s->volume->n_bricks; i++) {
                const struct gb_vbrick *b = &s->volume->bricks[i];
                const struct gb_session_node *n = gb_session_node_of(s, b->node);
                const gbx_generation *g = n ? cumulative ? &n->last_full : &n->state.committed : NULL;

                if (!g || !from || !gb_gen_same(g, from))
                        continue;
                if (take_position(g, b, &w->bricks[i], err) < 0)
                        return -1;
        }
        if (from && gb_buf_put(&w->boundary, from->boundary.boundary_val, from->boundary.boundary_len) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        return 0;
}

int gb_session_unregister(const char *name, struct gb_volume *v, struct gb_error *err)
{
        for (unsigned i = 0; i < v->n_nodes; i++) {
                if (!gb_session_owns_bricks(v, &v->nodes[i]))
                        continue;
                if (!v->nodes[i].control) {
                        *err = v->nodes[i].error;
                        return gb_error_prefix(err, "session %s stays registered", name);
                }
                if (gb_call_session_unregister(v->nodes[i].control, name, v->name, err) < 0 &&
                    err->code != GB_ERR_NO_SESSION)
                        return -1;
        }
        return 0;
}
