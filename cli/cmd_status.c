/*
 * status, metrics - agents, bricks and sessions of a volume, for people and for a monitoring system.
 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "health.h"
#include "output.h"
#include "tally.h"

/* ---- status ---- */

static void software_of(const struct gb_health_node *n, char out[GB_HOST_MAX + 1])
{
        const gbx_name *s = &gb_client_hello(n->node->control)->software;

        snprintf(out, GB_HOST_MAX + 1, "%.*s", (int)s->gbx_name_len, s->gbx_name_val);
        for (char *p = out; *p; p++)
                if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
                        *p = '?';
}

static void print_agent(const struct gb_health_node *n)
{
        char software[GB_HOST_MAX + 1];

        if (!n->node->control) {
                printf("  %s  DOWN  %s\n", n->node->host, n->node->error.text);
                return;
        }
        software_of(n, software);
        printf("  %s  up  %s", n->node->host, software);
        if (n->clock_known)
                printf("  clock %+.3f s", (double)n->ahead_us / 1e6);
        putchar('\n');
}

static void print_brick(const struct gb_health_brick *hb)
{
        const struct gb_vbrick *b = hb->brick;
        char when[32], bytes[32], since[32];

        printf("  set %u  %s  %s%s%s  pending heals %" PRIu64 "  last rollover %s", b->set, b->name,
               b->usable ? "up" : "DOWN", b->arbiter ? " arbiter" : "", b->blamed ? " blamed" : "",
               (uint64_t)b->status.pending, gb_time_text(b->status.last_slice, "never", when));
        if (!hb->error.code)
                printf("  history %s in %" PRIu64 " slices since %s",
                       gb_size_text(hb->usage.bytes + hb->usage.htime_bytes, bytes),
                       (uint64_t)hb->usage.slices, gb_time_text(hb->usage.oldest, "never", since));
        if (b->error.code)
                printf("  %s", b->error.text);
        putchar('\n');
}

static void print_session(const struct gb_health *h, const struct gb_health_session *s)
{
        int64_t now = (int64_t)time(NULL);
        char when[32], full[32], pending[32], age[32];

        printf("  %s  ", s->name);
        if (s->committed)
                printf("%s %s (%s ago)", gb_kind_text(s->kind), gb_time_text(s->committed, "never", when),
                       gb_age_text(now - s->committed, age));
        else
                fputs("never run", stdout);
        printf("  last full %s", gb_time_text(s->last_full, "never", full));
        if (s->pending)
                printf("  prepared %s", gb_time_text(s->pending, "", pending));
        if (s->known < h->n_owners)
                printf("  known to %u of %u nodes", s->known, h->n_owners);
        if (s->apart)
                fputs("  nodes disagree", stdout);
        putchar('\n');
}

static void print_status(const struct gb_health *h)
{
        const struct gb_volume *v = &h->volume;

        printf("volume %s: %u replica sets of %u, changelog %s%s%s\n", v->name, v->n_sets, v->set_size,
               v->changelog ? "on" : "off", v->sharded ? ", sharded" : "",
               v->rebalancing ? ", rebalancing" : "");
        puts("agents");
        for (unsigned i = 0; i < h->n_nodes; i++)
                print_agent(&h->nodes[i]);
        puts("bricks");
        for (unsigned i = 0; i < v->n_bricks; i++)
                print_brick(&h->bricks[i]);
        puts(h->n_sessions ? "sessions" : "no session");
        for (unsigned i = 0; i < h->n_sessions; i++)
                print_session(h, &h->sessions[i]);
}

static json_t *agent_json(const struct gb_health_node *n)
{
        char software[GB_HOST_MAX + 1] = "";
        json_t *j;

        if (n->node->control)
                software_of(n, software);
        j = json_pack("{s:s,s:b,s:s,s:s}", "host", n->node->host, "up", n->node->control != NULL, "software",
                      software, "error", n->node->control ? "" : n->node->error.text);
        if (n->clock_known)
                json_object_set_new(j, "clock_ahead_us", json_integer(n->ahead_us));
        return j;
}

static json_t *brick_json(const struct gb_health_brick *hb)
{
        const struct gb_vbrick *b = hb->brick;
        json_t *j = json_pack("{s:s,s:i,s:b,s:b,s:b,s:b,s:I,s:I,s:s}", "brick", b->name, "set", (int)b->set,
                              "usable", b->usable, "arbiter", b->arbiter, "blamed", b->blamed, "changelog",
                              (int)b->status.changelog, "pending_heals", (json_int_t)b->status.pending,
                              "last_slice", (json_int_t)b->status.last_slice, "error",
                              b->error.code ? b->error.text : "");

        if (j && !hb->error.code)
                json_object_set_new(j, "history",
                                    json_pack("{s:I,s:I,s:I,s:I}", "slices", (json_int_t)hb->usage.slices,
                                              "bytes", (json_int_t)hb->usage.bytes, "htime_bytes",
                                              (json_int_t)hb->usage.htime_bytes, "oldest",
                                              (json_int_t)hb->usage.oldest));
        return j;
}

static json_t *session_json(const struct gb_health *h, const struct gb_health_session *s)
{
        char committed[32], full[32], pending[32];

        return json_pack("{s:s,s:s,s:s,s:I,s:s,s:s,s:i,s:i,s:b}", "session", s->name, "kind",
                         gb_kind_text(s->kind), "committed", gb_time_text(s->committed, "never", committed),
                         "age_seconds", (json_int_t)(s->committed ? (int64_t)time(NULL) - s->committed : -1),
                         "last_full", gb_time_text(s->last_full, "never", full), "prepared",
                         gb_time_text(s->pending, "none", pending), "nodes_knowing", (int)s->known, "nodes",
                         (int)h->n_owners, "nodes_disagree", (int)s->apart);
}

static int print_status_json(const struct gb_health *h)
{
        json_t *agents = json_array(), *bricks = json_array(), *sessions = json_array(), *all;
        int rc;

        for (unsigned i = 0; i < h->n_nodes; i++)
                json_array_append_new(agents, agent_json(&h->nodes[i]));
        for (unsigned i = 0; i < h->volume.n_bricks; i++)
                json_array_append_new(bricks, brick_json(&h->bricks[i]));
        for (unsigned i = 0; i < h->n_sessions; i++)
                json_array_append_new(sessions, session_json(h, &h->sessions[i]));
        all = json_pack("{s:s,s:b,s:b,s:b,s:o,s:o,s:o}", "volume", h->volume.name, "changelog",
                        h->volume.changelog, "sharded", h->volume.sharded, "rebalancing",
                        h->volume.rebalancing, "agents", agents, "bricks", bricks, "sessions", sessions);
        rc = all ? json_dumpf(all, stdout, JSON_INDENT(2)) : -1;
        json_decref(all);
        putchar('\n');
        return rc < 0 ? GB_EXIT_ERROR : GB_EXIT_OK;
}

int gb_cmd_status(const struct gb_cli *c, int argc, char **argv)
{
        struct gb_error err = {0};
        struct gb_health h;
        int status = GB_EXIT_OK;

        (void)argc;
        if (gb_health_open(c, argv[0], argv[1], (int64_t)time(NULL), &h, &err) < 0)
                return gb_fail(&err);
        if (c->o.json)
                status = print_status_json(&h);
        else
                print_status(&h);
        for (unsigned i = 0; status == GB_EXIT_OK && i < h.volume.n_bricks; i++)
                if (!h.volume.bricks[i].usable)
                        status = GB_EXIT_INCOMPLETE;
        gb_health_close(&h);
        return fflush(stdout) == 0 ? status : GB_EXIT_ERROR;
}

/* ---- metrics ---- */

/* A label's value: \ " and newline are escaped. */
static void put_label(FILE *f, const char *name, const char *value)
{
        fprintf(f, "%s=\"", name);
        for (; *value; value++)
                if (*value == '\n')
                        fputs("\\n", f);
                else if (*value == '"' || *value == '\\')
                        fprintf(f, "\\%c", *value);
                else
                        fputc(*value, f);
        fputc('"', f);
}

struct metric {
        const char *name, *type, *help;
};

static void put_head(FILE *f, const struct metric *m)
{
        fprintf(f, "# HELP gbackup_%s %s\n# TYPE gbackup_%s %s\n", m->name, m->help, m->name, m->type);
}

static void put_value(FILE *f, const struct metric *m, const struct gb_health *h, const char *label,
                      const char *value, int64_t number)
{
        fprintf(f, "gbackup_%s{", m->name);
        put_label(f, "volume", h->volume.name);
        fputc(',', f);
        put_label(f, label, value);
        fprintf(f, "} %" PRId64 "\n", number);
}

/* What a metric is of a brick; -1: unknown, no line. */
static int64_t brick_metric(const struct gb_health_brick *b, unsigned which)
{
        bool known = !b->error.code;

        switch (which) {
        case 0:
                return b->brick->usable;
        case 1:
                return b->brick->usable ? (int64_t)b->brick->status.pending : -1;
        case 2:
                return b->brick->status.last_slice ? b->brick->status.last_slice : -1;
        case 3:
                return known ? (int64_t)(b->usage.bytes + b->usage.htime_bytes) : -1;
        case 4:
                return known ? (int64_t)b->usage.slices : -1;
        default:
                return known ? (int64_t)b->usage.removable_bytes : -1;
        }
}

static void put_bricks(FILE *f, const struct gb_health *h)
{
        static const struct metric metrics[] = {
                {"brick_up", "gauge", "The brick and its agent answer."},
                {"brick_pending_heals", "gauge", "Objects that wait to be healed, by this brick's account."},
                {"brick_last_rollover_seconds", "gauge", "When the newest slice was closed."},
                {"changelog_bytes", "gauge", "What the change records of the brick take on disk."},
                {"changelog_slices", "gauge", "Closed slices that have a file."},
                {"changelog_unneeded_bytes", "gauge", "What changelog purge --keep=0 would give back."},
        };

        for (unsigned m = 0; m < sizeof(metrics) / sizeof(metrics[0]); m++) {
                put_head(f, &metrics[m]);
                for (unsigned i = 0; i < h->volume.n_bricks; i++) {
                        int64_t v = brick_metric(&h->bricks[i], m);

                        if (v >= 0)
                                put_value(f, &metrics[m], h, "brick", h->bricks[i].brick->name, v);
                }
        }
}

static int64_t session_metric(const struct gb_health *h, const struct gb_health_session *s, unsigned which)
{
        switch (which) {
        case 0:
                return s->committed;
        case 1:
                return s->last_full;
        case 2:
                return s->pending;
        default:
                return s->known == h->n_owners && !s->apart;
        }
}

static void put_sessions(FILE *f, const struct gb_health *h)
{
        static const struct metric metrics[] = {
                {"session_last_commit_seconds", "gauge", "When the last committed run was made, 0: never."},
                {"session_last_full_seconds", "gauge", "When the last committed full was made, 0: never."},
                {"session_prepared_seconds", "gauge", "When the run that awaits commit was made, 0: none."},
                {"session_agreed", "gauge", "All nodes with bricks know the session and agree on it."},
        };

        for (unsigned m = 0; m < sizeof(metrics) / sizeof(metrics[0]); m++) {
                put_head(f, &metrics[m]);
                for (unsigned i = 0; i < h->n_sessions; i++)
                        put_value(f, &metrics[m], h, "session", h->sessions[i].name,
                                  session_metric(h, &h->sessions[i], m));
        }
}

/* Of runs on this host, in the order of struct gb_tally. */
static void put_tallies(FILE *f, const struct gb_health *h)
{
        static const struct metric metrics[] = {
                {"session_lists_total", "counter", "Lists this host has made for the session."},
                {"session_gaps_total", "counter", "Runs here that found a gap in history (exit status 3)."},
                {"session_incomplete_total", "counter", "Runs here that lacked a brick (exit status 2)."},
                {"session_errors_total", "counter", "Runs here that failed otherwise."},
                {"session_list_entries", "gauge", "Lines of the last list made here."},
                {"session_list_skipped", "gauge", "Names the last list made here could not express."},
        };

        for (unsigned m = 0; m < sizeof(metrics) / sizeof(metrics[0]); m++) {
                put_head(f, &metrics[m]);
                for (unsigned i = 0; i < h->n_sessions; i++) {
                        struct gb_tally t;

                        if (!h->sessions[i].here)
                                continue;
                        gb_tally_get(h->sessions[i].name, &t);
                        put_value(f, &metrics[m], h, "session", h->sessions[i].name,
                                  (int64_t)(const uint64_t[]){t.lists, t.gaps, t.incomplete, t.errors,
                                                              t.entries, t.skipped}[m]);
                }
        }
}

static void put_agents(FILE *f, const struct gb_health *h)
{
        static const struct metric up = {"agent_up", "gauge", "gbackupd of the node answers."};
        static const struct metric ahead = {"agent_clock_ahead_microseconds", "gauge",
                                            "The node's clock minus that of the host that asks."};

        put_head(f, &up);
        for (unsigned i = 0; i < h->n_nodes; i++)
                put_value(f, &up, h, "node", h->nodes[i].node->host, h->nodes[i].node->control != NULL);
        put_head(f, &ahead);
        for (unsigned i = 0; i < h->n_nodes; i++)
                if (h->nodes[i].clock_known)
                        put_value(f, &ahead, h, "node", h->nodes[i].node->host, h->nodes[i].ahead_us);
}

static void put_all(FILE *f, const struct gb_health *h)
{
        static const struct metric when = {"scrape_seconds", "gauge", "When these numbers were taken."};

        put_head(f, &when);
        fprintf(f, "gbackup_scrape_seconds{");
        put_label(f, "volume", h->volume.name);
        fprintf(f, "} %" PRId64 "\n", (int64_t)time(NULL));
        put_agents(f, h);
        put_bricks(f, h);
        put_sessions(f, h);
        put_tallies(f, h);
}

/* Whole, or what was there before: node_exporter may read at any moment, and as another user. */
static int write_metrics(const struct gb_cli *c, const char *text, size_t len, struct gb_error *err)
{
        struct gb_output *o = gb_output_open(c->o.textfile ? c->o.textfile : "-", err);

        if (!o)
                return -1;
        if (gb_output_mode(o, 0644, err) < 0 || gb_output_write(o, text, len, err) < 0 ||
            gb_output_finish(o, err) < 0) {
                gb_output_discard(o);
                return -1;
        }
        return gb_output_publish(o, err);
}

int gb_cmd_metrics(const struct gb_cli *c, int argc, char **argv)
{
        struct gb_error err = {0};
        struct gb_health h;
        char *text = NULL;
        size_t len = 0;
        FILE *f;
        int rc;

        (void)argc;
        if (gb_health_open(c, argv[0], argv[1], INT64_MAX, &h, &err) < 0)
                return gb_fail(&err);
        f = open_memstream(&text, &len);
        if (f)
                put_all(f, &h);
        rc = f && fclose(f) == 0 ? write_metrics(c, text, len, &err)
                                 : gb_error_set(&err, GB_ERR_MEMORY, "out of memory");
        free(text);
        gb_health_close(&h);
        return rc < 0 ? gb_fail(&err) : GB_EXIT_OK;
}
