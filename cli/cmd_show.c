/*
 * sessions, show, resolve - looking without changing anything.
 */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "command.h"
#include "feed.h"
#include "health.h"
#include "registry.h"
#include "session.h"
#include "volume.h"
#include "wire_error.h"

static int print_json(json_t *j)
{
        int rc = json_dumpf(j, stdout, JSON_INDENT(2));

        json_decref(j);
        putchar('\n');
        return rc < 0 || fflush(stdout) != 0 ? GB_EXIT_ERROR : GB_EXIT_OK;
}

int gb_cmd_sessions(const struct gb_cli *c, int argc, char **argv)
{
        struct gb_error err = {0};
        json_t *all = json_array();
        char **names;
        unsigned n;
        int status = GB_EXIT_OK;

        (void)argc;
        (void)argv;
        if (gb_registry_list(&names, &n, &err) < 0) {
                json_decref(all);
                return gb_fail(&err);
        }
        for (unsigned i = 0; i < n; i++) {
                struct gb_registered r;

                if (gb_registry_get(names[i], &r, &err) < 0) {
                        status = gb_fail(&err);
                } else if (c->o.json) {
                        json_array_append_new(all, json_pack("{s:s,s:s,s:s}", "session", r.session, "host",
                                                             r.host, "volume", r.volume));
                } else {
                        printf("%s\t%s\t%s\n", r.session, r.host, r.volume);
                }
                gb_registered_fini(&r);
                free(names[i]);
        }
        free(names);
        if (c->o.json)
                return print_json(all);
        json_decref(all);
        return status;
}

static json_t *generation_json(const gbx_generation *g)
{
        char when[32];

        if (!g->generation.gbx_name_len)
                return json_null();
        gb_time_text(g->when, "never", when);
        return json_pack("{s:s#,s:s,s:s}", "generation", g->generation.gbx_name_val,
                         (size_t)g->generation.gbx_name_len, "kind", gb_kind_text(g->kind), "time", when);
}

static void print_generation(const char *what, const gbx_generation *g)
{
        char when[32];

        if (!g->generation.gbx_name_len) {
                printf("    %-10s none\n", what);
                return;
        }
        gb_time_text(g->when, "never", when);
        printf("    %-10s %s %s (%.*s)\n", what, gb_kind_text(g->kind), when, (int)g->generation.gbx_name_len,
               g->generation.gbx_name_val);
}

static bool is_session(const gbx_session *s, const char *session, const char *volume)
{
        return s->session.gbx_name_len == strlen(session) &&
               memcmp(s->session.gbx_name_val, session, s->session.gbx_name_len) == 0 &&
               s->volume.gbx_volname_len == strlen(volume) &&
               memcmp(s->volume.gbx_volname_val, volume, s->volume.gbx_volname_len) == 0;
}

/* One node's part of `show`. */
static void show_node(const struct gb_cli *c, const struct gb_node *n, const struct gb_registered *r,
                      json_t *nodes)
{
        struct gb_error err = n->error;
        gbx_sessions_res res = {0};
        bool found = false;

        if (!n->control || gb_call_session_list(n->control, &res, &err) < 0) {
                if (c->o.json)
                        json_array_append_new(nodes,
                                              json_pack("{s:s,s:s}", "host", n->host, "error", err.text));
                else
                        printf("  %s: %s\n", n->host, err.text);
                return;
        }
        for (unsigned i = 0; i < res.gbx_sessions_res_u.sessions.sessions_len; i++) {
                const gbx_session *s = &res.gbx_sessions_res_u.sessions.sessions_val[i];

                if (!is_session(s, r->session, r->volume))
                        continue;
                found = true;
                if (c->o.json) {
                        json_array_append_new(nodes, json_pack("{s:s,s:o,s:o,s:o}", "host", n->host,
                                                               "committed", generation_json(&s->committed),
                                                               "pending", generation_json(&s->pending),
                                                               "last_full", generation_json(&s->last_full)));
                        continue;
                }
                printf("  %s\n", n->host);
                print_generation("committed", &s->committed);
                print_generation("prepared", &s->pending);
                print_generation("last full", &s->last_full);
        }
        if (!found && !c->o.json)
                printf("  %s: does not know the session\n", n->host);
        gb_xdr_release((xdrproc_t)xdr_gbx_sessions_res, &res);
}

int gb_cmd_show(const struct gb_cli *c, int argc, char **argv)
{
        struct gb_registered r = {0};
        struct gb_error err = {0};
        struct gb_volume v = {0};
        json_t *nodes = json_array();
        int status = GB_EXIT_OK;

        (void)argc;
        if (gb_session_name_check(argv[0], &err) < 0 || gb_registry_get(argv[0], &r, &err) < 0 ||
            gb_session_volume(c, &r, &v, &err) < 0) {
                status = gb_fail(&err);
                goto out;
        }
        if (!c->o.json)
                printf("session %s: volume %s, host %s\n", r.session, r.volume, r.host);
        for (unsigned i = 0; i < v.n_nodes; i++)
                show_node(c, &v.nodes[i], &r, nodes);
        if (c->o.json)
                status = print_json(json_pack("{s:s,s:s,s:s,s:O}", "session", r.session, "host", r.host,
                                              "volume", r.volume, "nodes", nodes));
out:
        json_decref(nodes);
        gb_volume_close(&v);
        gb_registered_fini(&r);
        return status;
}

static int resolve_on(const struct gb_cli *c, struct gb_volume *v, struct gb_vbrick *b, char *gfids,
                      unsigned n, uint64_t *found, struct gb_error *err)
{
        gbx_query q = {.kind = GBX_RESOLVE};
        struct gb_client *client = gb_volume_connect(c, v, b, err);
        struct gb_block_reader reader;
        struct gb_feed *feed;
        const void *data;
        size_t len;
        int rc = -1;

        if (!client)
                return -1;
        q.gbx_query_u.resolve.gfids.gfids_len = n;
        q.gbx_query_u.resolve.gfids.gfids_val = (gbx_gfid *)(void *)gfids;
        gb_block_reader_init(&reader);
        feed = gb_feed_open(client, v->name, b->path, b->name, &q, GB_CHUNK_DEFAULT, err);
        while (feed && (rc = gb_feed_next(feed, &data, &len, err)) == 1) {
                struct gb_entry e;
                char text[GB_GFID_TEXT];

                gb_block_feed(&reader, data, len);
                while ((rc = gb_block_next(&reader, &e, err)) == 1) {
                        printf("%s ", e.has_gfid ? gb_gfid_format(&e.gfid, text) : "-");
                        fwrite(e.path, 1, e.len, stdout);
                        putchar(c->o.null ? '\0' : '\n');
                        ++*found;
                }
                if (rc < 0)
                        break;
        }
        if (rc == 0)
                rc = gb_feed_check(feed, reader.count, err);
        gb_feed_close(feed);
        return rc;
}

int gb_cmd_resolve(const struct gb_cli *c, int argc, char **argv)
{
        struct gb_error err = {0};
        struct gb_volume v;
        struct gb_vbrick *pick[GB_BRICKS_MAX];
        unsigned n = (unsigned)argc - 2;
        uint64_t found = 0;
        gb_gfid *gfids;
        int rc = 0;

        if (n > GB_LOOK_MAX) {
                gb_error_set(&err, GB_ERR_USAGE, "at most %d gfids at a time", GB_LOOK_MAX);
                return gb_fail(&err);
        }
        gfids = calloc(n, sizeof(*gfids));
        if (!gfids)
                return gb_error_set(&err, GB_ERR_MEMORY, "out of memory"), gb_fail(&err);
        for (unsigned i = 0; rc == 0 && i < n; i++)
                if (!gb_gfid_parse(argv[2 + i], strlen(argv[2 + i]), &gfids[i]))
                        rc = gb_error_set(&err, GB_ERR_USAGE, "\"%.80s\" is no gfid", argv[2 + i]);
        if (rc == 0)
                rc = gb_volume_open(c, argv[0], argv[1], false, &v, &err);
        if (rc < 0) {
                free(gfids);
                return gb_fail(&err);
        }
        for (unsigned set = 0; rc == 0 && set < v.n_sets; set++)
                rc = gb_volume_pick(&v, set, pick, &err)
                             ? resolve_on(c, &v, pick[0], (char *)gfids, n, &found, &err)
                             : -1;
        gb_volume_close(&v);
        free(gfids);
        if (rc < 0)
                return gb_fail(&err);
        if (!found)
                gb_note(c, "no object of the volume has %s", n > 1 ? "any of these gfids" : "this gfid");
        return fflush(stdout) == 0 && found ? GB_EXIT_OK : GB_EXIT_ERROR;
}
