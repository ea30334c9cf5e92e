/*
 * session - see session.h.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uuid.h>

#include "session.h"
#include "wire_error.h"

static bool owns_bricks(const struct gb_volume *v, const struct gb_node *n)
{
        for (unsigned i = 0; i < v->n_bricks; i++)
                if (v->bricks[i].node == n)
                        return true;
        return false;
}

static const char *gen_name(const gbx_generation *g, char out[GB_HOST_MAX + 1])
{
        unsigned len = g->generation.gbx_name_len > GB_HOST_MAX ? GB_HOST_MAX : g->generation.gbx_name_len;

        if (len)
                memcpy(out, g->generation.gbx_name_val, len);
        out[len] = '\0';
        return out;
}

static bool gen_none(const gbx_generation *g)
{
        return g->generation.gbx_name_len == 0;
}

static bool gen_same(const gbx_generation *a, const gbx_generation *b)
{
        return a->generation.gbx_name_len == b->generation.gbx_name_len && a->generation.gbx_name_len &&
               memcmp(a->generation.gbx_name_val, b->generation.gbx_name_val, a->generation.gbx_name_len) ==
                       0;
}

int gb_session_register(const char *name, struct gb_volume *v, struct gb_error *err)
{
        for (unsigned i = 0; i < v->n_nodes; i++)
                if (owns_bricks(v, &v->nodes[i]) && !v->nodes[i].control) {
                        *err = v->nodes[i].error;
                        return gb_error_prefix(
                                err, "all nodes of the volume must answer when a session is registered");
                }
        for (unsigned i = 0; i < v->n_nodes; i++) {
                if (!owns_bricks(v, &v->nodes[i]))
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

static int lock_node(struct gb_session *s, struct gb_node *n, struct gb_error *err)
{
        struct gb_session_node *sn = &s->nodes[s->n_nodes];
        int rc = gb_call_session_lock(n->control, s->name, s->volume->name, &s->volume->id, &sn->state, err);

        if (rc < 0 && err->code == GB_ERR_NO_SESSION) {
                if (gb_call_session_register(n->control, s->name, s->volume->name, &s->volume->id, err) < 0)
                        return -1;
                rc = gb_call_session_lock(n->control, s->name, s->volume->name, &s->volume->id, &sn->state,
                                          err);
        }
        if (rc < 0)
                return -1;
        sn->node = n;
        sn->locked = true;
        s->n_nodes++;
        return 0;
}

static const gbx_generation *newest(const struct gb_session *s)
{
        const gbx_generation *best = NULL;

        for (unsigned i = 0; i < s->n_nodes; i++) {
                const gbx_generation *g = &s->nodes[i].state.committed;

                if (!gen_none(g) && (!best || g->when > best->when))
                        best = g;
        }
        return best;
}

/* Somebody committed a generation that others still hold as pending: it counts as committed there too.
 * Their state is read again. */
static int roll_forward(struct gb_session *s, struct gb_error *err)
{
        const gbx_generation *base = newest(s);
        char name[GB_HOST_MAX + 1];

        for (unsigned i = 0; base && i < s->n_nodes; i++) {
                struct gb_session_node *n = &s->nodes[i];

                if (gen_none(&n->state.pending) || !gen_same(&n->state.pending, base))
                        continue;
                if (gb_call_session_commit(n->node->control, s->name, s->volume->name, gen_name(base, name),
                                           err) < 0)
                        return -1;
                gb_xdr_release((xdrproc_t)xdr_gbx_session, &n->state);
                memset(&n->state, 0, sizeof(n->state));
                if (gb_call_session_lock(n->node->control, s->name, s->volume->name, &s->volume->id,
                                         &n->state, err) < 0)
                        return -1;
                base = newest(s);
        }
        s->base = base;
        return 0;
}

int gb_session_open(struct gb_session *s, const char *name, struct gb_volume *v, struct gb_error *err)
{
        memset(s, 0, sizeof(*s));
        s->name = name;
        s->volume = v;
        s->nodes = calloc(v->n_nodes + 1, sizeof(*s->nodes));
        if (!s->nodes)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        for (unsigned i = 0; i < v->n_nodes; i++) {
                if (!v->nodes[i].control || !owns_bricks(v, &v->nodes[i]))
                        continue;
                if (lock_node(s, &v->nodes[i], err) < 0) {
                        gb_session_close(s);
                        return -1;
                }
        }
        if (roll_forward(s, err) < 0) {
                gb_session_close(s);
                return -1;
        }
        return 0;
}

void gb_session_close(struct gb_session *s)
{
        struct gb_error ignored;

        for (unsigned i = 0; i < s->n_nodes; i++) {
                struct gb_session_node *n = &s->nodes[i];

                if (n->locked) /* if this fails the lock ends with the connection */
                        gb_call_session_unlock(n->node->control, s->name, s->volume->name, &ignored);
                gb_xdr_release((xdrproc_t)xdr_gbx_session, &n->state);
                gb_xdr_release((xdrproc_t)xdr_gbx_generation, &n->last_full);
        }
        free(s->nodes);
        memset(s, 0, sizeof(*s));
}

static const struct gb_session_node *node_state(const struct gb_session *s, const struct gb_node *n)
{
        for (unsigned i = 0; i < s->n_nodes; i++)
                if (s->nodes[i].node == n)
                        return &s->nodes[i];
        return NULL;
}

int gb_session_last_full(struct gb_session *s, struct gb_error *err)
{
        s->full = NULL;
        for (unsigned i = 0; i < s->n_nodes; i++) {
                struct gb_session_node *n = &s->nodes[i];

                gb_xdr_release((xdrproc_t)xdr_gbx_generation, &n->last_full);
                if (gb_call_session_last_full(n->node->control, s->name, s->volume->name, &n->last_full,
                                              err) < 0)
                        return -1;
        }
        for (unsigned i = 0; i < s->n_nodes; i++) {
                const gbx_generation *g = &s->nodes[i].last_full;

                if (!gen_none(g) && (!s->full || g->when > s->full->when))
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
                const struct gb_session_node *n = node_state(s, b->node);
                const gbx_generation *g = n ? cumulative ? &n->last_full : &n->state.committed : NULL;

                if (!g || !from || !gen_same(g, from))
                        continue;
                if (take_position(g, b, &w->bricks[i], err) < 0)
                        return -1;
        }
        if (from && gb_buf_put(&w->boundary, from->boundary.boundary_val, from->boundary.boundary_len) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        return 0;
}

/* ---- moving on ---- */

static int prepare_node(const struct gb_session *s, const struct gb_session_node *n,
                        const struct gb_window *w, gbx_session_kind kind, int64_t when, struct gb_error *err)
{
        gbx_prepare_arg arg = {0};
        char base[GB_HOST_MAX + 1];
        gbx_brick_cursor *cursors = calloc(s->volume->n_bricks + 1, sizeof(*cursors));
        unsigned k = 0;
        int rc;

        if (!cursors)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        for (unsigned i = 0; i < s->volume->n_bricks; i++) {
                if (s->volume->bricks[i].node != n->node || !w->bricks[i].cursor)
                        continue;
                GB_WIRE_SET(cursors[k].brick, gbx_brick, s->volume->bricks[i].path);
                GB_WIRE_SET(cursors[k].cursor, gbx_cursor, w->bricks[i].cursor);
                k++;
        }
        GB_WIRE_SET(arg.session, gbx_name, s->name);
        GB_WIRE_SET(arg.volume, gbx_volname, s->volume->name);
        GB_WIRE_SET(arg.base, gbx_name, gen_name(&n->state.committed, base));
        GB_WIRE_SET(arg.pending.generation, gbx_name, s->generation);
        arg.pending.kind = kind;
        arg.pending.when = when;
        arg.pending.cursors.cursors_val = cursors;
        arg.pending.cursors.cursors_len = k;
        arg.pending.boundary.boundary_val = (char *)w->boundary.data;
        arg.pending.boundary.boundary_len = (unsigned)w->boundary.len;
        rc = gb_call_session_prepare(n->node->control, &arg, err);
        free(cursors);
        return rc;
}

void gb_session_new_generation(struct gb_session *s)
{
        uuid_t u;

        uuid_generate(u);
        uuid_unparse_lower(u, s->generation);
}

int gb_session_prepare(struct gb_session *s, const struct gb_window *w, gbx_session_kind kind,
                       struct gb_error *err)
{
        struct gb_error ignored;
        int64_t when = time(NULL);

        /* `when` orders generations; it never goes back, whatever this host's clock does. */
        if (s->base && when <= s->base->when)
                when = s->base->when + 1;
        for (unsigned i = 0; i < s->n_nodes; i++) {
                if (prepare_node(s, &s->nodes[i], w, kind, when, err) == 0)
                        continue;
                while (i-- > 0)
                        gb_call_session_abort(s->nodes[i].node->control, s->name, s->volume->name,
                                              s->generation, &ignored);
                return -1;
        }
        return 0;
}

int gb_session_pending(struct gb_session *s, struct gb_error *err)
{
        const gbx_generation *found = NULL;

        for (unsigned i = 0; i < s->n_nodes; i++) {
                const gbx_generation *g = &s->nodes[i].state.pending;

                if (gen_none(g))
                        continue;
                if (found && !gen_same(found, g))
                        return gb_error_set(
                                err, GB_ERR_BUSY,
                                "session %s: the agents hold different prepared generations; prepare "
                                "again, or abort",
                                s->name);
                found = g;
        }
        if (found)
                snprintf(s->generation, sizeof(s->generation), "%.*s", (int)found->generation.gbx_name_len,
                         found->generation.gbx_name_val);
        return 0;
}

/* Is `wanted` what is prepared?  *nothing: it is committed already. */
static int find_wanted(struct gb_session *s, const char *wanted, bool *nothing, struct gb_error *err)
{
        char pending[GB_HOST_MAX + 1] = "none", base[GB_HOST_MAX + 1];

        *nothing = s->base && strcmp(gen_name(s->base, base), wanted) == 0;
        if (*nothing)
                return 0;
        for (unsigned i = 0; i < s->n_nodes; i++) {
                const gbx_generation *g = &s->nodes[i].state.pending;

                if (gen_none(g))
                        continue;
                if (strcmp(gen_name(g, pending), wanted) == 0) {
                        snprintf(s->generation, sizeof(s->generation), "%s", wanted);
                        return 0;
                }
        }
        return gb_error_set(err, GB_ERR_USAGE,
                            "session %s: generation %.40s is not prepared any more (%s is): another list was "
                            "made since; nothing was committed",
                            s->name, wanted, pending);
}

static bool has_pending(const struct gb_session *s, const struct gb_session_node *n)
{
        char name[GB_HOST_MAX + 1];

        return strcmp(gen_name(&n->state.pending, name), s->generation) == 0;
}

int gb_session_commit(const struct gb_cli *c, struct gb_session *s, const char *wanted, bool *nothing,
                      struct gb_error *err)
{
        unsigned done = 0;
        bool just_prepared = s->generation[0];

        *nothing = false;
        if (!just_prepared &&
            (wanted ? find_wanted(s, wanted, nothing, err) : gb_session_pending(s, err)) < 0)
                return -1;
        *nothing = !s->generation[0];
        for (unsigned i = 0; !*nothing && i < s->n_nodes; i++) {
                struct gb_session_node *n = &s->nodes[i];

                if (!just_prepared && !has_pending(s, n))
                        continue;
                if (gb_call_session_commit(n->node->control, s->name, s->volume->name, s->generation, err) ==
                    0) {
                        done++;
                        continue;
                }
                if (!done)
                        return -1;
                gb_note(c, "%s; the session is committed elsewhere, this node follows at the next run",
                        err->text);
        }
        return 0;
}

int gb_session_abort(struct gb_session *s, bool *nothing, struct gb_error *err)
{
        char name[GB_HOST_MAX + 1];

        *nothing = true;
        for (unsigned i = 0; i < s->n_nodes; i++) {
                struct gb_session_node *n = &s->nodes[i];

                if (!s->generation[0] && gen_none(&n->state.pending))
                        continue;
                *nothing = false;
                if (gb_call_session_abort(
                            n->node->control, s->name, s->volume->name,
                            s->generation[0] ? s->generation : gen_name(&n->state.pending, name), err) < 0)
                        return -1;
        }
        return 0;
}

int gb_session_unregister(const char *name, struct gb_volume *v, struct gb_error *err)
{
        for (unsigned i = 0; i < v->n_nodes; i++) {
                if (!owns_bricks(v, &v->nodes[i]))
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
