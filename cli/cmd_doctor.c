/*
 * doctor - everything that would make the next incremental fail or lie, each with its remedy.
 *
 * Agents look at their own node and bricks and word what they find (daemon/examine.c).  What only shows when
 * nodes are compared is found here: agents that do not answer or are older, clocks, replica sets without a
 * brick, sessions that not all agents know.  And here it is decided what a finding means: a replica whose
 * history has a gap is a fault only if none of its siblings can stand in.
 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/vec.h"
#include "command.h"
#include "health.h"
#include "wire_error.h"

/* Clocks may differ by this much: windows by time allow for it. */
#define CLOCK_SLACK_US 2000000

struct finding {
        unsigned level;
        char code[64];
        char session[GB_SESSION_MAX + 1];
        const char *where; /* node or brick; borrowed from the volume */
        int brick;         /* index, -1: not about one */
        char text[GB_TEXT_MAX];
        char remedy[GB_TEXT_MAX];
};

struct doctor {
        struct gb_health h;
        GB_VEC(struct finding) found;
        bool failed; /* out of memory */
};

__attribute__((format(printf, 6, 7))) static void add(struct doctor *d, unsigned level, const char *code,
                                                      const char *where, const char *remedy, const char *fmt,
                                                      ...)
{
        struct finding f = {.level = level, .where = where, .brick = -1};
        va_list ap;

        snprintf(f.code, sizeof(f.code), "%s", code);
        snprintf(f.remedy, sizeof(f.remedy), "%s", remedy);
        va_start(ap, fmt);
        if (vsnprintf(f.text, sizeof(f.text), fmt, ap) < 0)
                f.text[0] = '\0';
        va_end(ap);
        if (gb_vec_push(&d->found, f) < 0)
                d->failed = true;
}

/* ---- what agents find ---- */

/* Foreign text, for a terminal. */
static void take_text(const char *from, u_int len, char *to, size_t size)
{
        size_t n = len < size - 1 ? len : size - 1;

        for (size_t i = 0; i < n; i++)
                to[i] = (unsigned char)from[i] < 0x20 || from[i] == 0x7f ? '?' : from[i];
        to[n] = '\0';
}

/* Put the names for VOLUME and SESSION, so that a remedy can be copied. */
static void fill_in(const struct doctor *d, struct finding *f)
{
        char text[GB_TEXT_MAX];
        size_t n = 0;

        for (const char *p = f->remedy; *p && n + 1 < sizeof(text);) {
                const char *name = strncmp(p, "VOLUME", 6) == 0                     ? d->h.volume.name
                                   : strncmp(p, "SESSION", 7) == 0 && f->session[0] ? f->session
                                   : strncmp(p, "HOST", 4) == 0                     ? d->h.volume.host
                                                                                    : NULL;

                if (!name) {
                        text[n++] = *p++;
                        continue;
                }
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", name);
                if (n >= sizeof(text))
                        return; /* as it is, rather than cut */
                p += *p == 'V' ? 6 : *p == 'S' ? 7 : 4;
        }
        text[n] = '\0';
        memcpy(f->remedy, text, n + 1);
}

static void take_finding(struct doctor *d, const gbx_finding *in, const char *where, int brick)
{
        struct finding f = {.where = where, .brick = brick};

        f.level = in->level < GBX_NOTE || in->level > GBX_FAULT ? GBX_WARNING : in->level;
        take_text(in->code.gbx_name_val, in->code.gbx_name_len, f.code, sizeof(f.code));
        take_text(in->session.gbx_name_val, in->session.gbx_name_len, f.session, sizeof(f.session));
        take_text(in->text.gbx_text_val, in->text.gbx_text_len, f.text, sizeof(f.text));
        take_text(in->remedy.gbx_text_val, in->remedy.gbx_text_len, f.remedy, sizeof(f.remedy));
        if (gb_vec_push(&d->found, f) < 0)
                d->failed = true;
}

static void ask(struct doctor *d, struct gb_client *agent, const char *brick, const char *where, int index)
{
        gbx_examine_res res;
        struct gb_error err;

        if (gb_call_examine(agent, d->h.volume.name, brick, &res, &err) < 0) {
                add(d, GBX_FAULT, "examine", where, "see the text, and the log of its gbackupd", "%s",
                    err.text);
                return;
        }
        for (u_int i = 0; i < res.gbx_examine_res_u.findings.findings_len; i++)
                take_finding(d, &res.gbx_examine_res_u.findings.findings_val[i], where, index);
        gb_xdr_release((xdrproc_t)xdr_gbx_examine_res, &res);
}

static const struct gb_health_node *node_of(const struct gb_health *h, const struct gb_vbrick *b)
{
        for (unsigned i = 0; i < h->n_nodes; i++)
                if (h->nodes[i].node == b->node)
                        return &h->nodes[i];
        return NULL;
}

static void ask_agents(struct doctor *d)
{
        const struct gb_volume *v = &d->h.volume;

        for (unsigned i = 0; i < d->h.n_nodes; i++)
                if (d->h.nodes[i].owns_bricks && d->h.nodes[i].examines)
                        ask(d, d->h.nodes[i].node->control, "", d->h.nodes[i].node->host, -1);
        for (unsigned i = 0; i < v->n_bricks; i++) {
                const struct gb_health_node *n = node_of(&d->h, &v->bricks[i]);

                if (n && n->examines)
                        ask(d, n->node->control, v->bricks[i].path, v->bricks[i].name, (int)i);
        }
}

/* ---- what shows when nodes are compared ---- */

static void look_at_software(struct doctor *d, const struct gb_health_node *n)
{
        static const char ours[] = "gbackupd " PACKAGE_VERSION;
        const gbx_name *theirs = &gb_client_hello(n->node->control)->software;
        char text[GB_HOST_MAX + 1];

        take_text(theirs->gbx_name_val, theirs->gbx_name_len, text, sizeof(text));
        if (strcmp(text, ours) != 0)
                add(d, GBX_NOTE, "version", n->node->host, "install the same version everywhere",
                    "the agent is %s, this is gbackup-cli %s", text, PACKAGE_VERSION);
        if (!n->examines)
                add(d, GBX_WARNING, "agent-old", n->node->host,
                    "install this version there and restart gbackupd",
                    "the agent is too old to be examined: its bricks were not looked at");
}

static void look_at_nodes(struct doctor *d)
{
        for (unsigned i = 0; i < d->h.n_nodes; i++) {
                const struct gb_health_node *n = &d->h.nodes[i];

                if (!n->node->control)
                        add(d, GBX_WARNING, "agent-down", n->node->host,
                            "systemctl start gbackupd on that node; gbackup-errors(7), no agent", "%s",
                            n->node->error.text);
                else
                        look_at_software(d, n);
        }
}

/* Each node is held against the one that is farthest behind, as far as the measuring is to be believed. */
static void look_at_clocks(struct doctor *d)
{
        const struct gb_health_node *behind = NULL;

        for (unsigned i = 0; i < d->h.n_nodes; i++) {
                const struct gb_health_node *n = &d->h.nodes[i];

                if (n->clock_known && (!behind || n->ahead_us < behind->ahead_us))
                        behind = n;
        }
        for (unsigned i = 0; behind && i < d->h.n_nodes; i++) {
                const struct gb_health_node *n = &d->h.nodes[i];
                int64_t apart = n->ahead_us - behind->ahead_us;

                if (n->clock_known && apart - n->doubt_us - behind->doubt_us > CLOCK_SLACK_US)
                        add(d, GBX_WARNING, "clocks", n->node->host, "keep clocks in step: chrony or ntpd",
                            "its clock is %.1f s ahead of that of %s: inc by time is wrong by that much",
                            (double)apart / 1e6, behind->node->host);
        }
        if (behind && llabs(behind->ahead_us) - behind->doubt_us > 60000000)
                add(d, GBX_NOTE, "clock-here", behind->node->host, "keep clocks in step: chrony or ntpd",
                    "its clock differs by %.0f s from this host's", (double)behind->ahead_us / 1e6);
}

static void look_at_sets(struct doctor *d)
{
        const struct gb_volume *v = &d->h.volume;

        for (unsigned set = 0; set < v->n_sets; set++) {
                unsigned usable = 0;

                for (unsigned i = set * v->set_size; i < (set + 1) * v->set_size; i++)
                        usable += v->bricks[i].usable;
                if (!usable)
                        add(d, GBX_FAULT, "set-missing", v->bricks[set * v->set_size].name,
                            "bring back one of its bricks and its agent",
                            "no brick of replica set %u can be read: lists are incomplete", set);
        }
}

static void look_at_volume(struct doctor *d)
{
        const struct gb_volume *v = &d->h.volume;

        if (v->rebalancing)
                add(d, GBX_NOTE, "rebalancing", v->name, "nothing",
                    "files are being moved between bricks: incrementals take longer until that ends");
        if (v->sharded)
                add(d, GBX_NOTE, "unrecorded", v->name,
                    "run with --sweep if something on this volume uses fallocate, punch-hole or server-side "
                    "copy",
                    "the volume is sharded, as for images of disks: GlusterFS does not record fallocate, "
                    "punch-hole, zero-range and server-side copies");
        if (!d->h.n_sessions)
                add(d, GBX_NOTE, "no-session", v->name, "gbackup-cli register SESSION HOST VOLUME",
                    "no session is registered for the volume");
}

static void look_at_sessions(struct doctor *d)
{
        for (unsigned i = 0; i < d->h.n_sessions; i++) {
                const struct gb_health_session *s = &d->h.sessions[i];
                struct finding *f;

                if (!s->known)
                        add(d, GBX_FAULT, "session-unknown", d->h.volume.name,
                            "unregister it and register it again: its next run is a full one",
                            "this host has registered it, but no agent knows it");
                else if (s->known < d->h.n_owners)
                        add(d, GBX_WARNING, "session-unknown", d->h.volume.name,
                            "run it: that tells the others",
                            "%u of %u nodes know it: bricks of the others have no position and are listed by "
                            "their replicas, or in full",
                            s->known, d->h.n_owners);
                else if (s->apart)
                        add(d, GBX_WARNING, "session-apart", d->h.volume.name,
                            "run it: that brings them together",
                            "a node was away when it was committed last");
                else
                        continue;
                if (!d->found.n)
                        continue;
                f = &d->found.v[d->found.n - 1];
                snprintf(f->session, sizeof(f->session), "%s", s->name);
        }
}

/* ---- the verdict ---- */

/* What a list would end with. */
static int exit_of(const struct finding *f)
{
        static const char *const gaps[] = {"gap",           "history",       "changelog-off", "rollover-time",
                                           "changelog-dir", "not-recording", "htime"};

        if (f->level == GBX_NOTE)
                return GB_EXIT_OK;
        if (f->level == GBX_FAULT && strcmp(f->code, "set-missing") == 0)
                return GB_EXIT_INCOMPLETE;
        for (size_t i = 0; f->level == GBX_FAULT && i < sizeof(gaps) / sizeof(gaps[0]); i++)
                if (strcmp(f->code, gaps[i]) == 0)
                        return GB_EXIT_GAP;
        return GB_EXIT_ERROR;
}

static bool is_gap(const struct finding *f, const char *session)
{
        return f->level >= GBX_WARNING && f->brick >= 0 &&
               (strcmp(f->code, "gap") == 0 || strcmp(f->code, "history") == 0) &&
               strcmp(f->session, session) == 0;
}

/* A usable sibling of brick `index` whose history for the session is whole. */
static bool sibling_stands_in(const struct doctor *d, const struct finding *f)
{
        const struct gb_volume *v = &d->h.volume;
        unsigned set = v->bricks[f->brick].set;

        for (unsigned i = set * v->set_size; i < (set + 1) * v->set_size; i++) {
                bool whole = v->bricks[i].usable && (int)i != f->brick;

                for (size_t k = 0; whole && k < d->found.n; k++)
                        whole = !(d->found.v[k].brick == (int)i && is_gap(&d->found.v[k], f->session));
                if (whole)
                        return true;
        }
        return false;
}

static void soften(struct doctor *d)
{
        for (size_t i = 0; i < d->found.n; i++) {
                struct finding *f = &d->found.v[i];

                if (f->level == GBX_FAULT && f->session[0] && is_gap(f, f->session) &&
                    sibling_stands_in(d, f)) {
                        size_t n = strlen(f->text);

                        f->level = GBX_WARNING;
                        snprintf(f->text + n, sizeof(f->text) - n, " (its replicas tell its part)");
                        snprintf(f->remedy, sizeof(f->remedy),
                                 "run the session: that gives it a new position");
                }
        }
}

/* Worst first, and what is the same of several bricks together. */
static int by_level(const void *a, const void *b)
{
        const struct finding *x = a, *y = b;
        int rc;

        if (x->level != y->level)
                return x->level < y->level ? 1 : -1;
        if ((rc = strcmp(x->code, y->code)) != 0 || (rc = strcmp(x->session, y->session)) != 0 ||
            (rc = strcmp(x->text, y->text)) != 0)
                return rc;
        return x->brick < y->brick ? -1 : x->brick > y->brick;
}

static bool same_but_for_place(const struct finding *x, const struct finding *y)
{
        return x->level == y->level && strcmp(x->code, y->code) == 0 && strcmp(x->session, y->session) == 0 &&
               strcmp(x->text, y->text) == 0;
}

/* 2 before 3 before 1: what a list would say first. */
static int verdict(const struct doctor *d)
{
        int status = d->failed ? GB_EXIT_ERROR : GB_EXIT_OK;

        for (size_t i = 0; i < d->found.n; i++) {
                int one = exit_of(&d->found.v[i]);

                if (one == GB_EXIT_INCOMPLETE || (one == GB_EXIT_GAP && status != GB_EXIT_INCOMPLETE) ||
                    status == GB_EXIT_OK)
                        status = one;
        }
        return status;
}

static const char *level_text(unsigned level)
{
        return level == GBX_FAULT ? "fault" : level == GBX_WARNING ? "warning" : "note";
}

/* `n` findings that only differ in where. */
static void print_group(const struct finding *f, size_t n)
{
        printf("%-7s  %s  %s", level_text(f->level), f->code, f->where);
        if (n > 1)
                printf(" and %zu more", n - 1);
        printf("%s%s\n         %s\n", f->session[0] ? "  session " : "", f->session, f->text);
        if (strcmp(f->remedy, "nothing") != 0)
                printf("         -> %s\n", f->remedy);
}

static void print_text(const struct gb_cli *c, const struct doctor *d)
{
        unsigned n[4] = {0};

        for (size_t i = 0, k; i < d->found.n; i = k) {
                const struct finding *f = &d->found.v[i];

                for (k = i; k < d->found.n && same_but_for_place(f, &d->found.v[k]); k++)
                        n[f->level]++;
                if (!c->o.quiet || f->level != GBX_NOTE)
                        print_group(f, k - i);
        }
        printf("volume %s: faults %u, warnings %u, notes %u%s\n", d->h.volume.name, n[GBX_FAULT],
               n[GBX_WARNING], n[GBX_NOTE],
               n[GBX_FAULT] + n[GBX_WARNING] ? ""
                                             : ": the next list will be complete, as far as can be seen");
}

static void print_json(const struct doctor *d)
{
        json_t *found = json_array(), *all;

        for (size_t i = 0; i < d->found.n; i++) {
                const struct finding *f = &d->found.v[i];

                json_array_append_new(found,
                                      json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "level", level_text(f->level),
                                                "code", f->code, "where", f->where, "session", f->session,
                                                "text", f->text, "remedy", f->remedy));
        }
        all = json_pack("{s:s,s:i,s:o}", "volume", d->h.volume.name, "exit_status", verdict(d), "findings",
                        found);
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
}

int gb_cmd_doctor(const struct gb_cli *c, int argc, char **argv)
{
        struct doctor d = {.failed = false};
        struct gb_error err = {0};
        int status;

        (void)argc;
        if (gb_health_open(c, argv[0], argv[1], INT64_MAX, &d.h, &err) < 0)
                return gb_fail(&err);
        look_at_volume(&d);
        look_at_nodes(&d);
        look_at_clocks(&d);
        look_at_sets(&d);
        look_at_sessions(&d);
        ask_agents(&d);
        soften(&d);
        for (size_t i = 0; i < d.found.n; i++)
                fill_in(&d, &d.found.v[i]);
        if (d.found.n)
                qsort(d.found.v, d.found.n, sizeof(*d.found.v), by_level);
        if (c->o.json)
                print_json(&d);
        else
                print_text(c, &d);
        status = verdict(&d);
        gb_vec_free(&d.found);
        gb_health_close(&d.h);
        return fflush(stdout) == 0 ? status : GB_EXIT_ERROR;
}
