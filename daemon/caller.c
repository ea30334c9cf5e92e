/*
 * caller - see caller.h.
 *
 * A uuid counts only in a certificate that stands itself in peers.pem.  An authority there may sign
 * what it likes, and with GlusterFS's own authority every mount has a certificate: authenticated is not
 * authorised.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caller.h"

void gb_caller_local(struct gb_caller *c)
{
        memset(c, 0, sizeof(*c));
        c->right = GB_RIGHT_NODE;
        snprintf(c->name, sizeof(c->name), "local");
}

static int judge_node(struct gb_caller *c, const struct gb_tls_peer *peer, const struct gb_glusterd *gd,
                      struct gb_error *err)
{
        char uuid[GB_GFID_TEXT];
        int rc = gb_glusterd_in_pool(gd, &peer->cert.uuid, err);

        gb_gfid_format(&peer->cert.uuid, uuid);
        if (rc < 0)
                return -1;
        if (rc == 0)
                return gb_error_set(err, GB_ERR_DENIED, "node %s does not belong to this pool", uuid);
        c->right = GB_RIGHT_NODE;
        snprintf(c->name, sizeof(c->name), "node %s", uuid);
        return 0;
}

int gb_caller_judge(struct gb_caller *c, const struct gb_tls_peer *peer, const struct gb_access *access,
                    const struct gb_glusterd *gd, struct gb_error *err)
{
        const struct gb_grant *g;

        memset(c, 0, sizeof(*c));
        if (peer->listed && peer->cert.has_uuid)
                return judge_node(c, peer, gd, err);
        g = gb_access_find(access, &peer->cert, peer->issued);
        if (!g)
                return gb_error_set(err, GB_ERR_DENIED,
                                    "certificate '%s' SHA256:%s has no rights here (clients.conf)",
                                    peer->cert.name, peer->cert.fingerprint);
        if (strcmp(g->volumes, "*") != 0) {
                c->volumes = strdup(g->volumes);
                if (!c->volumes)
                        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        }
        c->right = g->right;
        snprintf(c->name, sizeof(c->name), "client %s", g->name);
        return 0;
}

int gb_caller_may(const struct gb_caller *c, enum gb_right right, const char *what, const char *volume,
                  struct gb_error *err)
{
        if (c->right < right)
                return gb_error_set(err, GB_ERR_DENIED, "%s has the right to '%s', %s needs '%s'",
                                    *c->name ? c->name : "this caller", gb_right_name(c->right), what,
                                    gb_right_name(right));
        if (volume && c->volumes && !gb_access_includes(c->volumes, volume))
                return gb_error_set(err, GB_ERR_DENIED, "%s has no right to volume %s", c->name, volume);
        return 0;
}

void gb_caller_fini(struct gb_caller *c)
{
        free(c->volumes);
        memset(c, 0, sizeof(*c));
}
