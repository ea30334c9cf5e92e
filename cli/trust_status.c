/*
 * trust_status - `gbackup-cli tls status`: this machine's files, and on a node what all nodes say.
 *
 * One JSON object is made first; the table is that object for people.
 */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "command.h"
#include "endpoint.h"
#include "pool.h"
#include "tls.h"
#include "trust.h"

#define DAY 86400

struct view {
        const struct gb_cli *c;
        json_t *all;
        json_t *problems; /* strings */
};

static void problem(struct view *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void problem(struct view *v, const char *fmt, ...)
{
        char text[GB_TEXT_MAX];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        json_array_append_new(v->problems, json_string(text));
}

static json_t *describe(struct view *v, const struct gb_cert *cert, const char *what)
{
        int64_t now = (int64_t)time(NULL);
        int64_t days = (cert->not_after - now) / DAY;
        json_t *j = json_pack("{s:s,s:s,s:I,s:I}", "name", cert->name, "fingerprint", cert->fingerprint,
                              "expires", (json_int_t)cert->not_after, "days_left", (json_int_t)days);
        char uuid[GB_GFID_TEXT];

        if (cert->has_uuid)
                json_object_set_new(j, "uuid", json_string(gb_gfid_format(&cert->uuid, uuid)));
        if (cert->not_after <= now)
                problem(v, "%s %s: its certificate has expired", what, cert->name);
        else if (cert->not_before > now)
                problem(v, "%s %s: its certificate is not valid yet: is the clock right?", what, cert->name);
        else if (days < GB_CERT_WARN_DAYS)
                problem(v, "%s %s: its certificate expires in %lld days", what, cert->name, (long long)days);
        return j;
}

static json_t *describe_all(struct view *v, const struct gb_certs *certs, const char *what)
{
        json_t *list = json_array();

        for (size_t i = 0; i < certs->list.n; i++)
                json_array_append_new(list, describe(v, &certs->list.v[i], what));
        return list;
}

static void file_in(const struct view *v, const char *name, char *out, size_t size)
{
        snprintf(out, size, "%s/%s", gb_endpoint_tls_dir(v->c), name);
}

/* ---- this machine ---- */

static void look_own(struct view *v)
{
        struct gb_certs own = {.list = GB_VEC_INIT};
        char key[GB_BRICK_PATH_MAX], cert[GB_BRICK_PATH_MAX];
        struct gb_error err;
        int fits;

        file_in(v, "node.key", key, sizeof(key));
        file_in(v, "node.pem", cert, sizeof(cert));
        if (gb_certs_load(&own, cert, true, &err) < 0) {
                problem(v, "%s", err.text);
                return;
        }
        json_object_set_new(v->all, "own", describe(v, &own.list.v[0], "this machine,"));
        fits = gb_cert_fits(key, cert, &err);
        if (fits < 0)
                problem(v, "%s", err.text);
        else if (!fits)
                problem(v, "%s does not belong to %s", key, cert);
        gb_certs_fini(&own);
}

static void look_list(struct view *v, const char *file, const char *name, const char *what, bool needed)
{
        struct gb_certs list = {.list = GB_VEC_INIT};
        char path[GB_BRICK_PATH_MAX];
        struct gb_error err;

        file_in(v, file, path, sizeof(path));
        if (gb_certs_load(&list, path, needed, &err) < 0)
                problem(v, "%s", err.text);
        json_object_set_new(v->all, name, describe_all(v, &list, what));
        gb_certs_fini(&list);
}

static void look_clients(struct view *v)
{
        struct gb_certs certs = {.list = GB_VEC_INIT};
        struct gb_access access;
        char path[GB_BRICK_PATH_MAX];
        json_t *list = json_array();
        struct gb_error err;

        file_in(v, "clients.pem", path, sizeof(path));
        if (gb_certs_load(&certs, path, false, &err) < 0)
                problem(v, "%s", err.text);
        file_in(v, "clients.conf", path, sizeof(path));
        if (gb_access_load(&access, path, &err) < 0)
                problem(v, "%s", err.text);
        for (size_t i = 0; i < access.grants.n; i++) {
                const struct gb_grant *g = &access.grants.v[i];
                const struct gb_cert *cert = *g->fingerprint ? gb_certs_find(&certs, g->fingerprint) : NULL;
                json_t *one = json_pack("{s:s,s:s,s:s}", "client", g->name, "right", gb_right_name(g->right),
                                        "volumes", g->volumes);

                if (*g->cn)
                        json_object_set_new(one, "cn", json_string(g->cn));
                else
                        json_object_set_new(one, "fingerprint", json_string(g->fingerprint));
                if (cert)
                        json_object_set_new(one, "certificate", describe(v, cert, "client"));
                json_array_append_new(list, one);
        }
        json_object_set_new(v->all, "clients", list);
        gb_access_fini(&access);
        gb_certs_fini(&certs);
}

/* ---- all nodes ---- */

static bool trusts(const struct gb_pool_node *n, const char *fingerprint)
{
        for (size_t i = 0; i < n->trusts.n; i++)
                if (!strcmp(n->trusts.v[i], fingerprint))
                        return true;
        return false;
}

static json_t *look_node(struct view *v, const struct gb_pool *p, const struct gb_pool_node *n)
{
        char uuid[GB_GFID_TEXT];
        json_t *j = json_pack("{s:s,s:s,s:b}", "host", n->host, "uuid", gb_gfid_format(&n->uuid, uuid),
                              "connected", n->connected);
        json_t *not = json_array();

        if (!n->connected)
                problem(v, "node %s is down", n->host);
        else if (!n->now.list.n)
                problem(v, "node %s has no certificate: gbackup-cli tls setup", n->host);
        if (n->now.list.n)
                json_object_set_new(j, "certificate", describe(v, &n->now.list.v[0], "node"));
        if (n->next.list.n)
                json_object_set_new(j, "next", describe(v, &n->next.list.v[0], "the next of node"));
        for (size_t i = 0; n->connected && i < p->nodes.n; i++) {
                const struct gb_pool_node *other = &p->nodes.v[i];

                if (other->now.list.n && !trusts(n, other->now.list.v[0].fingerprint)) {
                        json_array_append_new(not, json_string(other->host));
                        problem(v, "node %s does not trust %s: gbackup-cli tls setup", n->host, other->host);
                }
        }
        json_object_set_new(j, "does_not_trust", not );
        json_object_set_new(j, "clients_serial", json_integer((json_int_t)n->serial));
        if (n->connected && strcmp(n->clients, gb_pool_self(p)->clients) != 0)
                problem(v, "node %s has another list of clients than this node: gbackup-cli tls setup",
                        n->host);
        return j;
}

static void look_pool(struct view *v)
{
        static const char *const show[] = {"show", NULL};
        json_t *list = json_array();
        struct gb_error err;
        struct gb_pool p;

        if (gb_pool_open(v->c, &p, &err) < 0) {
                problem(v, "%s", err.text);
                json_decref(list);
                return;
        }
        if (gb_pool_do(&p, show, &err) < 0)
                problem(v, "%s", err.text);
        for (size_t i = 0; i < p.nodes.n; i++)
                json_array_append_new(list, look_node(v, &p, &p.nodes.v[i]));
        json_object_set_new(v->all, "nodes", list);
        json_object_set_new(v->all, "secure_channel", json_boolean(p.secure));
        gb_pool_close(&p);
}

/* ---- for people ---- */

static const char *text(const json_t *j, const char *key)
{
        const char *s = json_string_value(json_object_get(j, key));

        return s ? s : "-";
}

static void print_cert(const char *label, const json_t *cert)
{
        char date[32] = "-";
        time_t end = (time_t)json_integer_value(json_object_get(cert, "expires"));
        struct tm tm;

        if (end && gmtime_r(&end, &tm))
                strftime(date, sizeof(date), "%Y-%m-%d", &tm);
        printf("%s  %s  %s  SHA256:%s  until %s\n", label, text(cert, "name"), text(cert, "uuid"),
               text(cert, "fingerprint"), date);
}

static void print_node(const json_t *n)
{
        const json_t *not = json_object_get(n, "does_not_trust");
        const json_t *other;
        size_t i;

        printf("node  %s  ", text(n, "host"));
        if (!json_is_true(json_object_get(n, "connected"))) {
                puts("down");
                return;
        }
        printf(json_array_size(not ) ? "does not trust" : "trusts all nodes that are up");
        json_array_foreach(not, i, other) printf(" %s", json_string_value(other));
        puts(json_object_get(n, "next") ? "; a next key waits for gbackup-cli tls setup --renew" : "");
}

static void print(const struct view *v)
{
        const json_t *one;
        size_t i;

        if (json_object_get(v->all, "own"))
                print_cert("own", json_object_get(v->all, "own"));
        json_array_foreach(json_object_get(v->all, "peers"), i, one) print_cert("peer", one);
        json_array_foreach(json_object_get(v->all, "clients"), i, one)
                printf("client  %s  %s  %s  %s%s\n", text(one, "client"), text(one, "right"),
                       text(one, "volumes"), json_object_get(one, "cn") ? "cn:" : "SHA256:",
                       json_object_get(one, "cn") ? text(one, "cn") : text(one, "fingerprint"));
        json_array_foreach(json_object_get(v->all, "nodes"), i, one) print_node(one);
        json_array_foreach(v->problems, i, one) printf("problem  %s\n", json_string_value(one));
}

/* Is this a node, of which glusterd can be asked? */
static bool on_a_node(const struct view *v)
{
        const json_t *own = json_object_get(v->all, "own");

        return geteuid() == 0 && (own ? json_object_get(own, "uuid") != NULL
                                      : access("/var/lib/glusterd/glusterd.info", F_OK) == 0);
}

int gb_trust_status(const struct gb_cli *c)
{
        struct view v = {.c = c, .all = json_object(), .problems = json_array()};
        int status;

        look_own(&v);
        look_list(&v, "peers.pem", "peers", "peer", true);
        look_clients(&v);
        if (on_a_node(&v))
                look_pool(&v);
        status = json_array_size(v.problems) ? GB_EXIT_ERROR : GB_EXIT_OK;
        json_object_set(v.all, "problems", v.problems);
        if (c->o.json) {
                json_dumpf(v.all, stdout, JSON_INDENT(2));
                putchar('\n');
        } else {
                print(&v);
        }
        json_decref(v.problems);
        json_decref(v.all);
        return status;
}
