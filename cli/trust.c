/*
 * trust - setting up who trusts whom.
 *
 * tls setup, from one node, in three steps through glusterd (pool.h):
 *
 *     init      every node makes a key if it has none, and shows its certificate
 *     copy      the list of all certificates goes to every node, with the lists of clients
 *     install   every node compares the digest and puts the lists in place
 *
 * With --renew every node makes a next key first, the list has both certificates of each, and only
 * when all nodes have it do they change over; then setup again drops the old ones.  At every moment each
 * node's certificate in use is in every other node's list.  Lists of clients are out of reach: where
 * there are clients, the change-over waits for a second --renew, so that they can get the list before.
 *
 * Private keys never travel.  What travels is as authentic as glusterd's channel, so fingerprints are
 * shown, and that of a node which is not the one known so far is pointed out.
 *
 * A node that is down keeps its place: its certificate stays in the list, it learns the rest when it is
 * up and setup runs again.  Its list of clients is an older one then, which the serial number tells:
 * nothing is ever taken from a node whose list is not the newest.
 */
#include <config.h>

#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/limits.h"
#include "command.h"
#include "endpoint.h"
#include "pool.h"
#include "trust.h"

static void fini_certs(struct gb_certs *c)
{
        gb_certs_fini(c);
}
static void fini_pool(struct gb_pool *p)
{
        gb_pool_close(p);
}
#define CLEANUP_CERTS __attribute__((cleanup(fini_certs)))
#define CLEANUP_POOL  __attribute__((cleanup(fini_pool)))

/* "<tls folder>/<name>" in one of a few static buffers. */
static const char *file_in(const struct gb_cli *c, const char *name)
{
        static char path[4][GB_BRICK_PATH_MAX + 1];
        static unsigned at;

        at = (at + 1) % 4;
        snprintf(path[at], sizeof(path[at]), "%s/%s", gb_endpoint_tls_dir(c), name);
        return path[at];
}

static bool exists(const char *path)
{
        return access(path, F_OK) == 0;
}

/* ---- the lists, and their way to all nodes ---- */

/* What all nodes shall have. */
struct lists {
        struct gb_certs peers, clients;
        struct gb_access access;
};

static void lists_fini(struct lists *l)
{
        gb_certs_fini(&l->peers);
        gb_certs_fini(&l->clients);
        gb_access_fini(&l->access);
}
#define CLEANUP_LISTS __attribute__((cleanup(lists_fini)))

static int load_lists(const struct gb_cli *c, struct lists *l, struct gb_error *err)
{
        memset(l, 0, sizeof(*l));
        return gb_certs_load(&l->peers, file_in(c, "peers.pem"), false, err) < 0 ||
                               gb_certs_load(&l->clients, file_in(c, "clients.pem"), false, err) < 0 ||
                               gb_access_load(&l->access, file_in(c, "clients.conf"), err) < 0
                       ? -1
                       : 0;
}

/* The newest list of clients has to be this node's. */
static int check_serial(const struct gb_pool *p, struct gb_error *err)
{
        const struct gb_pool_node *self = gb_pool_self(p);

        for (size_t i = 0; i < p->nodes.n; i++) {
                const struct gb_pool_node *n = &p->nodes.v[i];

                if (!n->done)
                        continue;
                if (n->serial > self->serial)
                        return gb_error_set(
                                err, GB_ERR_USAGE,
                                "node %s has a newer list of clients (serial %llu, here %llu): run "
                                "this there",
                                n->host, (unsigned long long)n->serial, (unsigned long long)self->serial);
                if (n->serial == self->serial && strcmp(n->clients, self->clients) != 0)
                        return gb_error_set(err, GB_ERR_CONFIG,
                                            "the lists of clients of %s and of this node differ (both serial "
                                            "%llu): remove clients.conf and clients.pem where they are wrong",
                                            n->host, (unsigned long long)n->serial);
        }
        return 0;
}

/* Copy one file and note its word for install. */
static int send_file(struct gb_pool *p, const char *name, const struct gb_buf *bytes, char word[128],
                     struct gb_error *err)
{
        char digest[GB_FINGERPRINT];

        if (gb_pool_copy(p, name, bytes, digest, err) < 0)
                return -1;
        snprintf(word, 128, "%s=%s", name, digest);
        return 0;
}

/* All lists to all nodes. */
static int distribute(struct gb_pool *p, const struct lists *l, struct gb_error *err)
{
        GB_CLEANUP_BUF struct gb_buf peers = GB_BUF_INIT(GB_TRUST_MAX);
        GB_CLEANUP_BUF struct gb_buf clients = GB_BUF_INIT(GB_TRUST_MAX);
        GB_CLEANUP_BUF struct gb_buf conf = GB_BUF_INIT(GB_TRUST_MAX);
        char word[3][128];
        const char *words[] = {"install", word[0], NULL, NULL, NULL};

        if (gb_certs_format(&l->peers, &peers, err) < 0 ||
            send_file(p, "peers.pem", &peers, word[0], err) < 0)
                return -1;
        if (l->access.serial) { /* there are clients, or were */
                if (gb_certs_format(&l->clients, &clients, err) < 0 ||
                    gb_access_format(&l->access, &conf, err) < 0 ||
                    send_file(p, "clients.pem", &clients, word[1], err) < 0 ||
                    send_file(p, "clients.conf", &conf, word[2], err) < 0)
                        return -1;
                words[2] = word[1];
                words[3] = word[2];
        }
        return gb_pool_do(p, words, err);
}

static int add_cert(struct gb_certs *to, const struct gb_cert *cert, struct gb_error *err)
{
        struct gb_cert copy;

        if (gb_certs_find(to, cert->fingerprint))
                return 0;
        if (gb_cert_describe(cert->x509, &copy, err) < 0)
                return -1;
        if (gb_vec_push(&to->list, copy) < 0) {
                gb_cert_fini(&copy);
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        }
        return 0;
}

static int add_all(struct gb_certs *to, const struct gb_certs *from, struct gb_error *err)
{
        for (size_t i = 0; i < from->list.n; i++)
                if (add_cert(to, &from->list.v[i], err) < 0)
                        return -1;
        return 0;
}

/* The certificates of all nodes that showed one, of nodes that are down as they are known here, and what
 * an administrator has put there that is no node's (an authority). */
static int gather(const struct gb_pool *p, const struct gb_certs *known, struct gb_certs *out,
                  struct gb_error *err)
{
        memset(out, 0, sizeof(*out));
        for (size_t i = 0; i < p->nodes.n; i++)
                if (add_all(out, &p->nodes.v[i].now, err) < 0 || add_all(out, &p->nodes.v[i].next, err) < 0)
                        return -1;
        for (size_t i = 0; i < known->list.n; i++) {
                const struct gb_cert *k = &known->list.v[i];
                const struct gb_pool_node *n = k->has_uuid ? gb_pool_find(p, &k->uuid) : NULL;

                if ((!k->has_uuid || (n && !n->connected)) && add_cert(out, k, err) < 0)
                        return -1;
        }
        return 0;
}

/* ---- tls setup ---- */

static bool knew(const struct gb_certs *known, const gb_gfid *uuid)
{
        for (size_t i = 0; i < known->list.n; i++)
                if (known->list.v[i].has_uuid && gb_gfid_eq(&known->list.v[i].uuid, uuid))
                        return true;
        return false;
}

static void tell_node(const struct gb_pool_node *n, const struct gb_certs *known, bool renewed)
{
        char uuid[GB_GFID_TEXT];
        const char *state, *fingerprint = n->now.list.n ? n->now.list.v[0].fingerprint : NULL;

        if (!n->connected)
                state = "DOWN: run tls setup again when it is up";
        else if (!knew(known, &n->uuid))
                state = "new";
        else if (gb_certs_find(known, fingerprint))
                state = "as before";
        else
                state = renewed ? "renewed" : "CHANGED: not the certificate known so far";
        printf("%s  %s  %s%s  %s\n", n->host, gb_gfid_format(&n->uuid, uuid), fingerprint ? "SHA256:" : "",
               fingerprint ? fingerprint : "-", state);
        if (n->next.list.n)
                printf("%s  %s  SHA256:%s  next, not in use yet\n", n->host, uuid,
                       n->next.list.v[0].fingerprint);
}

static void tell_setup(const struct gb_cli *c, const struct gb_pool *p, const struct gb_certs *known,
                       bool renewed)
{
        for (size_t i = 0; i < p->nodes.n; i++)
                tell_node(&p->nodes.v[i], known, renewed);
        for (size_t i = 0; i < known->list.n; i++)
                if (known->list.v[i].has_uuid && !gb_pool_find(p, &known->list.v[i].uuid))
                        printf("%s  SHA256:%s  no longer trusted: it has left the pool\n",
                               known->list.v[i].name, known->list.v[i].fingerprint);
        if (!p->secure)
                gb_note(c,
                        "glusterd's channel is not encrypted here (no %s/secure-access): compare the "
                        "fingerprints with `gbackup-cli tls status` on each node",
                        p->workdir);
}

static int setup_once(const struct gb_cli *c, struct gb_pool *p, const char *first, struct gb_error *err)
{
        const char *const words[] = {first, NULL};
        CLEANUP_LISTS struct lists l = {.peers = {.list = GB_VEC_INIT}};
        CLEANUP_CERTS struct gb_certs all = {.list = GB_VEC_INIT};
        struct gb_certs known;

        if (gb_pool_do(p, words, err) < 0 || load_lists(c, &l, err) < 0 || check_serial(p, err) < 0 ||
            gather(p, &l.peers, &all, err) < 0)
                return -1;
        known = l.peers;
        l.peers = all;
        all = known;
        return distribute(p, &l, err);
}

/* Every node that is up has shown a next certificate, and the list of this node has it. */
static bool staged(const struct gb_pool *p, const struct gb_certs *known)
{
        for (size_t i = 0; i < p->nodes.n; i++) {
                const struct gb_certs *next = &p->nodes.v[i].next;

                if (p->nodes.v[i].connected &&
                    (!next->list.n || !gb_certs_find(known, next->list.v[0].fingerprint)))
                        return false;
        }
        return true;
}

/* Next certificates are no certificates that nodes were known by. */
static void forget_next(const struct gb_pool *p, struct gb_certs *known)
{
        size_t kept = 0;

        for (size_t i = 0; i < known->list.n; i++) {
                struct gb_cert *k = &known->list.v[i];
                const struct gb_pool_node *n = k->has_uuid ? gb_pool_find(p, &k->uuid) : NULL;

                if (n && gb_certs_find(&n->next, k->fingerprint))
                        gb_cert_fini(k);
                else
                        known->list.v[kept++] = *k;
        }
        known->list.n = kept;
}

/* 1: the next keys are there and wait for the clients; 0: they are in use. */
static int renew(const struct gb_cli *c, struct gb_pool *p, struct gb_certs *known,
                 const struct gb_access *clients, struct gb_error *err)
{
        static const char *const show[] = {"show", NULL};
        static const char *const activate[] = {"activate", NULL};
        bool ready;

        if (gb_pool_do(p, show, err) < 0)
                return -1;
        ready = staged(p, known);
        forget_next(p, known);
        if (!ready) {
                if (setup_once(c, p, "renew", err) < 0)
                        return -1;
                if (clients->grants.n)
                        return 1;
        }
        return gb_pool_do(p, activate, err) < 0 ? -1 : setup_once(c, p, "init", err);
}

static void tell_clients(const struct gb_cli *c, const struct gb_access *clients)
{
        for (size_t i = 0; i < clients->grants.n; i++)
                printf("client %s needs the new list of nodes first\n", clients->grants.v[i].name);
        gb_say("the new keys are not in use yet: give %s to these clients (there: gbackup-cli tls trust), "
               "then run gbackup-cli tls setup --renew again",
               file_in(c, "peers.pem"));
}

/* What a node does not do for others is a mistake of the one who asks. */
static int need_root(struct gb_error *err)
{
        return geteuid() == 0 ? 0 : gb_error_set(err, GB_ERR_USAGE, "this has to run on a node, as root");
}

static int told_down(const struct gb_pool *p)
{
        if (!gb_pool_down(p))
                return GB_EXIT_OK;
        for (size_t i = 0; i < p->nodes.n; i++)
                if (!p->nodes.v[i].connected)
                        gb_say("node %s is down and was left out; run gbackup-cli tls setup when it is up",
                               p->nodes.v[i].host);
        return GB_EXIT_INCOMPLETE;
}

int gb_trust_setup(const struct gb_cli *c)
{
        CLEANUP_LISTS struct lists before = {.peers = {.list = GB_VEC_INIT}};
        CLEANUP_POOL struct gb_pool p = {.cancel_fd = -1};
        struct gb_error err;
        int rc;

        if (need_root(&err) < 0 || gb_pool_open(c, &p, &err) < 0 || load_lists(c, &before, &err) < 0)
                return gb_fail(&err);
        rc = c->o.renew ? renew(c, &p, &before.peers, &before.access, &err) : setup_once(c, &p, "init", &err);
        if (rc < 0)
                return gb_fail(&err);
        tell_setup(c, &p, &before.peers, c->o.renew);
        if (rc > 0)
                tell_clients(c, &before.access);
        return told_down(&p);
}

/* ---- clients ---- */

/* From a file, or from stdin. */
static int read_certs(const char *file, struct gb_certs *out, struct gb_error *err)
{
        GB_CLEANUP_BUF struct gb_buf text = GB_BUF_INIT(GB_TRUST_MAX);
        char chunk[4096];
        size_t n;

        if (strcmp(file, "-") != 0)
                return gb_certs_load(out, file, true, err);
        while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
                if (gb_buf_put(&text, chunk, n) < 0)
                        return gb_error_set(err, GB_ERR_LIMIT, "standard input: more than %d bytes",
                                            GB_TRUST_MAX);
        if (gb_certs_parse(out, text.data ? text.data : (const void *)"", text.len, "standard input", err) <
            0)
                return -1;
        return out->list.n
                       ? 0
                       : gb_error_set(err, GB_ERR_CONFIG, "standard input: there is no certificate in it");
}

static int write_certs(const struct gb_certs *certs, struct gb_error *err)
{
        GB_CLEANUP_BUF struct gb_buf text = GB_BUF_INIT(GB_TRUST_MAX);

        if (gb_certs_format(certs, &text, err) < 0)
                return -1;
        if ((text.len && fwrite(text.data, text.len, 1, stdout) != 1) || fflush(stdout) != 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "standard output");
        return 0;
}

/* Certificates that no line speaks of any more are dropped. */
static int drop_unused(struct lists *l, struct gb_error *err)
{
        struct gb_certs kept = {.list = GB_VEC_INIT};

        for (size_t i = 0; i < l->clients.list.n; i++)
                if (gb_access_find(&l->access, &l->clients.list.v[i], false) &&
                    add_cert(&kept, &l->clients.list.v[i], err) < 0) {
                        gb_certs_fini(&kept);
                        return -1;
                }
        gb_certs_fini(&l->clients);
        l->clients = kept;
        return 0;
}

/* What all changes of clients have before and after. */
static int open_lists(const struct gb_cli *c, struct gb_pool *p, struct lists *l, struct gb_error *err)
{
        static const char *const show[] = {"show", NULL};

        if (need_root(err) < 0 || gb_pool_open(c, p, err) < 0 || gb_pool_do(p, show, err) < 0 ||
            check_serial(p, err) < 0 || load_lists(c, l, err) < 0)
                return -1;
        if (!l->peers.list.n)
                return gb_error_set(err, GB_ERR_CONFIG,
                                    "the nodes do not know each other yet: gbackup-cli tls setup");
        return 0;
}

static int change(struct gb_pool *p, struct lists *l, struct gb_error *err)
{
        l->access.serial++;
        return drop_unused(l, err) < 0 ? -1 : distribute(p, l, err);
}

static int check_client(const struct gb_certs *certs, const struct lists *l, struct gb_error *err)
{
        const struct gb_cert *one = certs->list.v;

        if (certs->list.n != 1)
                return gb_error_set(err, GB_ERR_USAGE, "one certificate is expected, %zu came",
                                    certs->list.n);
        if (one->has_uuid || gb_certs_find(&l->peers, one->fingerprint))
                return gb_error_set(err, GB_ERR_USAGE,
                                    "that is the certificate of a node; nodes come by tls setup");
        if (X509_check_ca(one->x509))
                return gb_error_set(err, GB_ERR_USAGE,
                                    "that is the certificate of an authority, not of a client");
        if (one->not_after < time(NULL))
                return gb_error_set(err, GB_ERR_USAGE, "that certificate has expired");
        return 0;
}

static int add_client(const struct gb_cli *c, struct gb_pool *p, struct lists *l, const char *const words[3],
                      struct gb_certs *certs, struct gb_error *err)
{
        char certificate[GB_FINGERPRINT + 8];

        if (open_lists(c, p, l, err) < 0 || check_client(certs, l, err) < 0)
                return -1;
        snprintf(certificate, sizeof(certificate), "sha256:%s", certs->list.v[0].fingerprint);
        if (!strcmp(words[1], gb_right_name(GB_RIGHT_NODE)))
                return gb_error_set(err, GB_ERR_USAGE, "a client's right is list or session");
        if (gb_access_put(&l->access, words[0], words[1], words[2], certificate, err) < 0 ||
            add_all(&l->clients, certs, err) < 0 || change(p, l, err) < 0)
                return -1;
        return write_certs(&l->peers, err);
}

int gb_trust_add_client(const struct gb_cli *c, const char *name, const char *right, const char *volumes,
                        const char *file)
{
        CLEANUP_POOL struct gb_pool p = {.cancel_fd = -1};
        CLEANUP_LISTS struct lists l = {.peers = {.list = GB_VEC_INIT}};
        CLEANUP_CERTS struct gb_certs certs = {.list = GB_VEC_INIT};
        struct gb_error err;

        if (read_certs(file, &certs, &err) < 0 ||
            add_client(c, &p, &l, (const char *const[]){name, right, volumes}, &certs, &err) < 0)
                return gb_fail(&err);
        gb_note(c, "client %s (SHA256:%s) has the right '%s' to volumes %s", name,
                certs.list.v[0].fingerprint, right, volumes);
        return told_down(&p);
}

int gb_trust_remove_client(const struct gb_cli *c, const char *name)
{
        CLEANUP_POOL struct gb_pool p = {.cancel_fd = -1};
        CLEANUP_LISTS struct lists l = {.peers = {.list = GB_VEC_INIT}};
        struct gb_error err;

        if (open_lists(c, &p, &l, &err) < 0)
                return gb_fail(&err);
        if (!gb_access_remove(&l.access, name)) {
                gb_say("there is no client %s", name);
                return GB_EXIT_ERROR;
        }
        return change(&p, &l, &err) < 0 ? gb_fail(&err) : told_down(&p);
}

/* ---- on a client ---- */

static int make_folder(const struct gb_cli *c, struct gb_error *err)
{
        char path[GB_BRICK_PATH_MAX + 1];

        snprintf(path, sizeof(path), "%s", gb_endpoint_tls_dir(c));
        for (char *p = path + 1; *p; p++)
                if (*p == '/') {
                        *p = '\0';
                        mkdir(path, 0755); /* the last mkdir tells */
                        *p = '/';
                }
        if (mkdir(path, 0700) < 0 && !exists(path))
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: create", path);
        return 0;
}

static int key(const struct gb_cli *c, const char *name, struct gb_error *err)
{
        CLEANUP_CERTS struct gb_certs own = {.list = GB_VEC_INIT};
        bool there = exists(file_in(c, "node.key")) && exists(file_in(c, "node.pem"));
        char host[65] = "";

        if (make_folder(c, err) < 0)
                return -1;
        if (there && gb_certs_load(&own, file_in(c, "node.pem"), true, err) < 0)
                return -1;
        if (there && own.list.v[0].has_uuid)
                return gb_error_set(
                        err, GB_ERR_USAGE,
                        "%s is the certificate of a node: its key is made by gbackup-cli tls setup",
                        file_in(c, "node.pem"));
        if (!there || c->o.renew) {
                if (!name && gethostname(host, sizeof(host) - 1) < 0)
                        return gb_error_sys(err, GB_ERR_SYSTEM, "host name");
                if (name && strlen(name) > 64)
                        return gb_error_set(err, GB_ERR_USAGE, "a name has at most 64 characters here");
                gb_certs_fini(&own);
                if (gb_cert_make(file_in(c, "node.key"), file_in(c, "node.pem"), name ? name : host, NULL,
                                 err) < 0 ||
                    gb_certs_load(&own, file_in(c, "node.pem"), true, err) < 0)
                        return -1;
                if (there)
                        gb_note(c, "every node refuses this machine until its new certificate is given to "
                                   "one of "
                                   "them (there: gbackup-cli tls add-client)");
        }
        return write_certs(&own, err);
}

int gb_trust_key(const struct gb_cli *c, const char *name)
{
        struct gb_error err;

        return key(c, name, &err) < 0 ? gb_fail(&err) : GB_EXIT_OK;
}

int gb_trust_nodes(const struct gb_cli *c, const char *file)
{
        CLEANUP_CERTS struct gb_certs nodes = {.list = GB_VEC_INIT};
        GB_CLEANUP_BUF struct gb_buf text = GB_BUF_INIT(GB_TRUST_MAX);
        struct gb_error err;
        size_t named = 0;

        if (read_certs(file, &nodes, &err) < 0)
                return gb_fail(&err);
        for (size_t i = 0; i < nodes.list.n; i++) {
                char uuid[GB_GFID_TEXT];

                named += nodes.list.v[i].has_uuid;
                gb_note(c, "node %s %s SHA256:%s", nodes.list.v[i].name,
                        nodes.list.v[i].has_uuid ? gb_gfid_format(&nodes.list.v[i].uuid, uuid) : "(no uuid)",
                        nodes.list.v[i].fingerprint);
        }
        if (!named) {
                gb_say("these are no nodes' certificates: none bears a uuid");
                return GB_EXIT_USAGE;
        }
        if (make_folder(c, &err) < 0 || gb_certs_format(&nodes, &text, &err) < 0 ||
            gb_file_write(file_in(c, "peers.pem"), text.data, text.len, 0644, &err) < 0)
                return gb_fail(&err);
        return GB_EXIT_OK;
}
