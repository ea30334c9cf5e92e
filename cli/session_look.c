/*
 * session_look - where a session stands, by what its agents say.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "session_core.h"
#include "wire_error.h"

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
        if (gb_gen_none(g) || (*out && g->when <= *when))
                return;
        *when = g->when;
        gb_gen_name(g, out);
}

/* One agent's word.  What was decided counts, whether the agent has heard of it or not. */
static void look_at(struct look *k, const gbx_session *s)
{
        struct gb_standing *out = k->out;
        bool decided = gb_gen_is(&s->pending, k->reg->last);

        if (!same_text(k->reg->session, s->session.gbx_name_val, s->session.gbx_name_len) ||
            !same_text(k->reg->volume, s->volume.gbx_volname_val, s->volume.gbx_volname_len))
                return;
        k->found = true;
        take_newer(&s->committed, &k->committed, out->committed);
        take_newer(&s->last_full, &k->full, out->last_full);
        if (!decided) {
                if (!gb_gen_none(&s->pending))
                        gb_gen_name(&s->pending, out->pending);
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

                if (!v->nodes[i].control || !gb_session_owns_bricks(v, &v->nodes[i]))
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
