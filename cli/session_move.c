/*
 * session_move - the next generation: pending on all agents, decided here, committed.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uuid.h>

#include "session_core.h"
#include "wire_error.h"

/* ---- preparing ---- */

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
        GB_WIRE_SET(arg.base, gbx_name, gb_gen_name(&n->state.committed, base));
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

/* `when` orders generations: it never goes back, whatever this host's clock does. */
static int64_t next_when(const struct gb_session *s)
{
        int64_t when = time(NULL);

        if (when <= s->reg->last_when)
                when = s->reg->last_when + 1;
        for (unsigned i = 0; i < s->n_nodes; i++) {
                const gbx_session *state = &s->nodes[i].state;

                if (!gb_gen_none(&state->committed) && when <= state->committed.when)
                        when = state->committed.when + 1;
                if (!gb_gen_none(&state->pending) && when <= state->pending.when)
                        when = state->pending.when + 1;
        }
        return when;
}

/* The connection ended, and the lock with it: once more, if nobody has moved the session on meanwhile. */
static int prepare_again(struct gb_session *s, struct gb_session_node *n, const struct gb_window *w,
                         gbx_session_kind kind, struct gb_error *err)
{
        gbx_session now = {0};
        bool moved;

        n->locked = false;
        if (gb_volume_reconnect(s->cli, n->node, err) < 0 || gb_session_lock(s, n->node, &now, err) < 0)
                return -1;
        n->locked = true;
        moved = !gb_gen_none(&now.committed) && !gb_gen_same(&now.committed, &n->state.committed);
        gb_xdr_release((xdrproc_t)xdr_gbx_session, &now);
        if (moved)
                return gb_error_set(err, GB_ERR_BUSY, "session %s: another run has moved it on meanwhile",
                                    s->name);
        return prepare_node(s, n, w, kind, s->when, err);
}

/* Each replica set needs one brick whose position is stored. */
static int check_stored(const struct gb_session *s, const struct gb_window *w, struct gb_error *err)
{
        const struct gb_volume *v = s->volume;

        for (unsigned set = 0; set < v->n_sets; set++) {
                bool stored = false;

                for (unsigned i = set * v->set_size; i < (set + 1) * v->set_size; i++) {
                        const struct gb_session_node *n = gb_session_node_of(s, v->bricks[i].node);

                        stored = stored || (n && n->prepared && w->bricks[i].cursor);
                }
                if (!stored)
                        return gb_volume_missing(v, set, err);
        }
        return 0;
}

static int prepare_all(struct gb_session *s, const struct gb_window *w, gbx_session_kind kind,
                       struct gb_error *err)
{
        for (unsigned i = 0; i < s->n_nodes; i++) {
                struct gb_session_node *n = &s->nodes[i];
                int rc = prepare_node(s, n, w, kind, s->when, err);

                if (rc < 0 && (err->code == GB_ERR_NO_AGENT || err->code == GB_ERR_TIMEOUT))
                        rc = prepare_again(s, n, w, kind, err);
                n->prepared = rc == 0;
                if (rc == 0)
                        continue;
                if (!gb_volume_spares(err->code))
                        return -1;
                gb_session_leave_out(s, n->node, err);
        }
        return check_stored(s, w, err);
}

int gb_session_prepare(struct gb_session *s, const struct gb_window *w, gbx_session_kind kind,
                       struct gb_error *err)
{
        struct gb_error ignored;

        s->when = next_when(s);
        if (prepare_all(s, w, kind, err) == 0)
                return 0;
        for (unsigned i = 0; i < s->n_nodes; i++)
                if (s->nodes[i].prepared)
                        gb_call_session_abort(s->nodes[i].node->control, s->name, s->volume->name,
                                              s->generation, &ignored);
        return -1;
}

/* The generation that is pending, when it was prepared by an earlier command. */
int gb_session_pending(struct gb_session *s, struct gb_error *err)
{
        const gbx_generation *found = NULL;

        for (unsigned i = 0; i < s->n_nodes; i++) {
                const gbx_generation *g = &s->nodes[i].state.pending;

                if (gb_gen_none(g))
                        continue;
                if (found && !gb_gen_same(found, g))
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

        *nothing = s->base && strcmp(gb_gen_name(s->base, base), wanted) == 0;
        if (*nothing)
                return 0;
        for (unsigned i = 0; i < s->n_nodes; i++) {
                const gbx_generation *g = &s->nodes[i].state.pending;

                if (gb_gen_none(g))
                        continue;
                if (strcmp(gb_gen_name(g, pending), wanted) == 0) {
                        snprintf(s->generation, sizeof(s->generation), "%s", wanted);
                        return 0;
                }
        }
        return gb_error_set(err, GB_ERR_USAGE,
                            "session %s: generation %.40s is not prepared any more (%s is): another list was "
                            "made since; nothing was committed",
                            s->name, wanted, pending);
}

/* ---- the decision ---- */

/* Which nodes are to be told, when the generation was prepared by an earlier command. */
static void find_prepared(struct gb_session *s)
{
        for (unsigned i = 0; i < s->n_nodes; i++) {
                struct gb_session_node *n = &s->nodes[i];

                n->prepared = gb_gen_is(&n->state.pending, s->generation);
                if (n->prepared)
                        s->when = n->state.pending.when;
        }
}

static void free_hosts(char **hosts, unsigned n)
{
        for (unsigned i = 0; hosts && i < n; i++)
                free(hosts[i]);
        free(hosts);
}

static char **copy_hosts(const struct gb_volume *v)
{
        char **hosts = calloc(v->n_nodes, sizeof(*hosts));

        for (unsigned i = 0; hosts && i < v->n_nodes; i++)
                if (!(hosts[i] = strdup(v->nodes[i].host))) {
                        free_hosts(hosts, i);
                        return NULL;
                }
        return hosts;
}

static int decide(struct gb_session *s, struct gb_error *err)
{
        struct gb_registered *reg = s->reg;
        char *last = strdup(s->generation);
        char **hosts = copy_hosts(s->volume);

        if (!last || !hosts) {
                free(last);
                free_hosts(hosts, s->volume->n_nodes);
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        }
        free(s->previous);
        s->previous = reg->last;
        s->previous_when = reg->last_when;
        free_hosts(reg->hosts, reg->n_hosts);
        reg->last = last;
        reg->last_when = s->when;
        reg->hosts = hosts;
        reg->n_hosts = s->volume->n_nodes;
        return gb_registry_update(reg, err);
}

/* *refused: the last node that answered, and said no. */
static unsigned commit_all(struct gb_session *s, struct gb_error *refused)
{
        struct gb_error why;
        unsigned done = 0;

        for (unsigned i = 0; i < s->n_nodes; i++) {
                struct gb_session_node *n = &s->nodes[i];

                if (!n->prepared)
                        continue;
                if (gb_call_session_commit(n->node->control, s->name, s->volume->name, s->generation, &why) ==
                    0) {
                        done++;
                        continue;
                }
                gb_note(s->cli, "%s: %s; the session is committed, this node follows at the next run",
                        n->node->host, why.text);
                if (!gb_volume_spares(why.code))
                        *refused = why;
        }
        return done;
}

/* Decided, but every agent that answered has forgotten what it had prepared. */
static int take_back(struct gb_session *s, const struct gb_error *refused, struct gb_error *err)
{
        struct gb_error ignored;

        free(s->reg->last);
        s->reg->last = s->previous;
        s->reg->last_when = s->previous_when;
        s->previous = NULL;
        gb_registry_update(s->reg, &ignored);
        *err = *refused;
        return -1;
}

int gb_session_commit(struct gb_session *s, const char *wanted, bool *nothing, struct gb_error *err)
{
        struct gb_error refused = {0};

        *nothing = false;
        if (!s->generation[0]) {
                if ((wanted ? find_wanted(s, wanted, nothing, err) : gb_session_pending(s, err)) < 0)
                        return -1;
                *nothing = !s->generation[0];
                find_prepared(s);
        }
        if (*nothing)
                return 0;
        gb_cancel_hold();
        if (decide(s, err) < 0)
                return -1;
        if (!commit_all(s, &refused) && refused.code)
                return take_back(s, &refused, err);
        return 0;
}

int gb_session_abort(struct gb_session *s, bool *nothing, struct gb_error *err)
{
        char name[GB_HOST_MAX + 1];

        *nothing = true;
        for (unsigned i = 0; i < s->n_nodes; i++) {
                struct gb_session_node *n = &s->nodes[i];

                if (!s->generation[0] && gb_gen_none(&n->state.pending))
                        continue;
                *nothing = false;
                if (gb_call_session_abort(
                            n->node->control, s->name, s->volume->name,
                            s->generation[0] ? s->generation : gb_gen_name(&n->state.pending, name), err) < 0)
                        return -1;
        }
        return 0;
}
