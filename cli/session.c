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

static int lock(const struct gb_session *s, const struct gb_node *n, gbx_session *state, struct gb_error *err)
{
        return gb_call_session_lock(n->control, s->name, s->volume->name, &s->volume->id, state, err);
}

/* What it knows is of a volume that is gone, and another one has the name, with changelog off as it is made. */
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
        int rc = lock(s, n, &sn->state, err);
        bool earlier = rc < 0 && err->code == GB_ERR_GAP && s->cli->o.full_on_gap;

        if (earlier && forget_earlier(s, n, err) < 0)
                return -1;
        if (earlier || (rc < 0 && err->code == GB_ERR_NO_SESSION)) {
                if (gb_call_session_register(n->control, s->name, s->volume->name, &s->volume->id, err) < 0)
                        return -1;
                rc = lock(s, n, &sn->state, err);
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

/* A node that cannot tell the session's state takes no part in this run. */
static void leave_out(struct gb_session *s, struct gb_node *n, const struct gb_error *why)
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

                if (!gen_none(g) && (!best || g->when > best->when))
                        best = g;
        }
        return best;
}

static bool gen_is(const gbx_generation *g, const char *name)
{
        char text[GB_HOST_MAX + 1];

        return name && *name && strcmp(gen_name(g, text), name) == 0;
}

/* Commit what a node holds as pending, and read its state again. */
static int forward_node(struct gb_session *s, struct gb_session_node *n, struct gb_error *err)
{
        char name[GB_HOST_MAX + 1];

        if (gb_call_session_commit(n->node->control, s->name, s->volume->name,
                                   gen_name(&n->state.pending, name), err) < 0)
                return -1;
        gb_xdr_release((xdrproc_t)xdr_gbx_session, &n->state);
        memset(&n->state, 0, sizeof(n->state));
        return lock(s, n->node, &n->state, err);
}

/* A generation that was decided, here or by an agent, counts as committed where it is still pending. */
static int roll_forward(struct gb_session *s, struct gb_error *err)
{
        for (unsigned i = 0; i < s->n_nodes;) {
                struct gb_session_node *n = &s->nodes[i];
                const gbx_generation *base = newest(s), *g = &n->state.pending;

                if (gen_none(g) || !((base && gen_same(g, base)) || gen_is(g, s->reg->last))) {
                        i++;
                        continue;
                }
                if (forward_node(s, n, err) == 0) {
                        i = 0; /* there may be a newer base now */
                        continue;
                }
                if (!gb_volume_spares(err->code))
                        return -1;
                leave_out(s, n->node, err);
                drop_node(s, i);
                i = 0;
        }
        s->base = newest(s);
        return 0;
}

static const struct gb_session_node *node_state(const struct gb_session *s, const struct gb_node *n)
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

        if (!reg->last || (s->base && (gen_is(s->base, reg->last) || s->base->when >= reg->last_when)))
                return 0;
        for (unsigned i = 0; i < s->volume->n_nodes && at < sizeof(absent); i++) {
                const struct gb_node *n = &s->volume->nodes[i];

                if (owns_bricks(s->volume, n) && !node_state(s, n))
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

                if (!n->control || !owns_bricks(s->volume, n) || lock_node(s, n, err) == 0)
                        continue;
                if (!gb_volume_spares(err->code))
                        return -1;
                leave_out(s, n, err);
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
                leave_out(s, n->node, err);
                drop_node(s, i);
        }
        s->base = newest(s);
        if (check_last(s, err) < 0)
                return -1;
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

/* `when` orders generations: it never goes back, whatever this host's clock does. */
static int64_t next_when(const struct gb_session *s)
{
        int64_t when = time(NULL);

        if (when <= s->reg->last_when)
                when = s->reg->last_when + 1;
        for (unsigned i = 0; i < s->n_nodes; i++) {
                const gbx_session *state = &s->nodes[i].state;

                if (!gen_none(&state->committed) && when <= state->committed.when)
                        when = state->committed.when + 1;
                if (!gen_none(&state->pending) && when <= state->pending.when)
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
        if (gb_volume_reconnect(s->cli, n->node, err) < 0 || lock(s, n->node, &now, err) < 0)
                return -1;
        n->locked = true;
        moved = !gen_none(&now.committed) && !gen_same(&now.committed, &n->state.committed);
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
                        const struct gb_session_node *n = node_state(s, v->bricks[i].node);

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
                leave_out(s, n->node, err);
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

/* ---- the decision ---- */

/* Which nodes are to be told, when the generation was prepared by an earlier command. */
static void find_prepared(struct gb_session *s)
{
        for (unsigned i = 0; i < s->n_nodes; i++) {
                struct gb_session_node *n = &s->nodes[i];

                n->prepared = gen_is(&n->state.pending, s->generation);
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

/* ---- looking ---- */

struct look {
        const struct gb_registered *reg;
        struct gb_standing *out;
        int64_t committed, full; /* when: the newest count */
        bool found;
};

static bool same_text(const char *text, const char *val, unsigned len)
{
        return strlen(text) == len && memcmp(text, val, len) == 0;
}

static void take_newer(const gbx_generation *g, int64_t *when, char out[GB_HOST_MAX + 1])
{
        if (gen_none(g) || (*out && g->when <= *when))
                return;
        *when = g->when;
        gen_name(g, out);
}

/* One agent's word.  What was decided counts, whether the agent has heard of it or not. */
static void look_at(struct look *k, const gbx_session *s)
{
        struct gb_standing *out = k->out;
        bool decided = gen_is(&s->pending, k->reg->last);

        if (!same_text(k->reg->session, s->session.gbx_name_val, s->session.gbx_name_len) ||
            !same_text(k->reg->volume, s->volume.gbx_volname_val, s->volume.gbx_volname_len))
                return;
        k->found = true;
        take_newer(&s->committed, &k->committed, out->committed);
        take_newer(&s->last_full, &k->full, out->last_full);
        if (!decided) {
                if (!gen_none(&s->pending))
                        gen_name(&s->pending, out->pending);
                return;
        }
        take_newer(&s->pending, &k->committed, out->committed);
        if (s->pending.kind == GBX_FULL)
                take_newer(&s->pending, &k->full, out->last_full);
}

int gb_session_standing(const struct gb_registered *reg, struct gb_volume *v, struct gb_standing *out,
                        struct gb_error *err)
{
        struct look k = {.reg = reg, .out = out};

        memset(out, 0, sizeof(*out));
        snprintf(out->volume, sizeof(out->volume), "%s", v->name);
        for (unsigned i = 0; i < v->n_nodes; i++) {
                gbx_sessions_res all;

                if (!v->nodes[i].control || !owns_bricks(v, &v->nodes[i]))
                        continue;
                if (gb_call_session_list(v->nodes[i].control, &all, err) < 0) {
                        if (!gb_volume_spares(err->code))
                                return -1;
                        continue;
                }
                for (unsigned n = 0; n < all.gbx_sessions_res_u.sessions.sessions_len; n++)
                        look_at(&k, &all.gbx_sessions_res_u.sessions.sessions_val[n]);
                gb_xdr_release((xdrproc_t)xdr_gbx_sessions_res, &all);
        }
        if (strcmp(out->pending, out->committed) == 0) /* a node is behind: the next run rolls it forward */
                out->pending[0] = '\0';
        if (reg->last && strcmp(out->committed, reg->last) != 0 && k.committed < reg->last_when)
                snprintf(out->committed, sizeof(out->committed), "%s", reg->last);
        return k.found ? 0
                       : gb_error_set(err, GB_ERR_NO_SESSION, "session %s: no agent of volume %s knows it",
                                      reg->session, v->name);
}
