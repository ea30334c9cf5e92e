/*
 * pool - see pool.h.
 */
#include <config.h>

#include <errno.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/limits.h"
#include "pool.h"

/* glusterd serves one such command at a time: how long we come back, and how soon. */
#define BUSY_MS  60000
#define PAUSE_MS 1000
#define WORDS    8

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
}

/* ---- gluster(8) ---- */

static bool says(const struct gb_child *c, const char *text)
{
        return strstr(c->errors, text) || (c->out.len && memmem(c->out.data, c->out.len, text, strlen(text)));
}

static int once(struct gb_child *c, struct gb_error *err)
{
        if (gb_child_run(c, err) < 0)
                return -1;
        if (c->status == 0)
                return 0;
        if (says(c, "not found") && says(c, "peer_gbackup_tls"))
                return gb_error_set(err, GB_ERR_GLUSTER,
                                    "gbackup is not installed on every node: peer_gbackup_tls is missing");
        gb_child_words(c, err);
        if (says(c, "nother transaction") || says(c, "try again"))
                err->code = GB_ERR_AGAIN;
        return -1;
}

/* Run `gluster --mode=script WORDS`; *c is to be released. */
static int gluster(const struct gb_pool *p, const char *const words[], const char *what, struct gb_child *c,
                   struct gb_error *err)
{
        const char *program = getenv("GBACKUP_GLUSTER");
        const char *argv[WORDS + 3] = {program && *program ? program : "gluster", "--mode=script"};
        gb_deadline give_up = gb_deadline_in(BUSY_MS);

        for (size_t i = 0; i < WORDS && words[i]; i++)
                argv[2 + i] = words[i];
        for (;;) {
                *c = (struct gb_child){
                        .argv = argv, .what = what, .cancel_fd = p->cancel_fd, .max = GB_XML_MAX};
                c->deadline = gb_deadline_in(GB_GLUSTER_MS);
                if (once(c, err) == 0)
                        return 0;
                gb_child_fini(c);
                if (err->code != GB_ERR_AGAIN || gb_deadline_left(give_up) < PAUSE_MS ||
                    gb_child_pause(p->cancel_fd, PAUSE_MS, "glusterd", err) < 0)
                        return -1;
        }
}

/* The next line of an answer, its end cut off; NULL at the end. */
static char *next_line(char **at)
{
        char *line = *at, *end;

        if (!line || !*line)
                return NULL;
        end = strchr(line, '\n');
        *at = end ? end + 1 : NULL;
        if (end)
                *end = '\0';
        return line;
}

/* An answer as a C string. */
static char *text_of(struct gb_child *c, struct gb_error *err)
{
        char *text = malloc(c->out.len + 1);

        if (!text) {
                no_memory(err);
                return NULL;
        }
        memcpy(text, c->out.data, c->out.len);
        text[c->out.len] = '\0';
        return text;
}

/* ---- who belongs to it ---- */

static int take_peer(struct gb_pool *p, char *line, struct gb_error *err)
{
        struct gb_pool_node n = {.self = false};
        char *rest = NULL;
        char *uuid = strtok_r(line, " \t\r", &rest), *host = strtok_r(NULL, " \t\r", &rest);
        char *state = strtok_r(NULL, " \t\r", &rest);

        if (!uuid || !strcmp(uuid, "UUID"))
                return 0;
        if (!state || !gb_gfid_parse(uuid, strlen(uuid), &n.uuid) || strlen(host) > GB_HOST_MAX)
                return gb_error_set(err, GB_ERR_GLUSTER, "gluster pool list: a line is not understood");
        strcpy(n.host, host);
        n.connected = !strcmp(state, "Connected");
        n.self = !strcmp(host, "localhost");
        if (n.self && gethostname(n.host, sizeof(n.host) - 1) < 0)
                strcpy(n.host, host);
        if (p->nodes.n >= GB_PEERS_MAX)
                return gb_error_set(err, GB_ERR_LIMIT, "more than %d nodes", GB_PEERS_MAX);
        if (gb_vec_push(&p->nodes, n) < 0)
                return no_memory(err);
        if (n.self && p->nodes.n > 1) { /* to the front */
                p->nodes.v[p->nodes.n - 1] = p->nodes.v[0];
                p->nodes.v[0] = n;
        }
        return 0;
}

static int list_nodes(struct gb_pool *p, struct gb_error *err)
{
        static const char *const words[] = {"pool", "list", NULL};
        GB_CLEANUP_FREE
        char *text = NULL;
        struct gb_child c;
        char *at, *line;
        int rc = 0;

        if (gluster(p, words, "pool list", &c, err) < 0)
                return gb_error_prefix(err, "this has to run on a node, as root");
        text = text_of(&c, err);
        gb_child_fini(&c);
        for (at = text; text && rc == 0 && (line = next_line(&at));)
                rc = take_peer(p, line, err);
        if (!text || rc < 0)
                return -1;
        if (!p->nodes.n || !p->nodes.v[0].self)
                return gb_error_set(err, GB_ERR_GLUSTER, "gluster pool list does not name this node");
        return 0;
}

static int find_workdir(struct gb_pool *p, struct gb_error *err)
{
        static const char *const words[] = {"system::", "getwd", NULL};
        char path[sizeof(p->workdir) + 32];
        struct gb_child c;
        size_t n;

        if (gluster(p, words, "system:: getwd", &c, err) < 0)
                return -1;
        for (n = 0; n < c.out.len && c.out.data[n] > ' ';)
                n++;
        if (n && c.out.data[0] == '/' && n < sizeof(p->workdir))
                memcpy(p->workdir, c.out.data, n);
        gb_child_fini(&c);
        if (!*p->workdir)
                return gb_error_set(err, GB_ERR_GLUSTER, "gluster system:: getwd names no folder");
        snprintf(path, sizeof(path), "%s/secure-access", p->workdir);
        p->secure = access(path, F_OK) == 0;
        return 0;
}

int gb_pool_open(const struct gb_cli *c, struct gb_pool *p, struct gb_error *err)
{
        memset(p, 0, sizeof(*p));
        p->cancel_fd = c->cancel_fd;
        if (list_nodes(p, err) == 0 && find_workdir(p, err) == 0)
                return 0;
        gb_pool_close(p);
        return -1;
}

static void forget(struct gb_pool_node *n)
{
        gb_certs_fini(&n->now);
        gb_certs_fini(&n->next);
        for (size_t i = 0; i < n->trusts.n; i++)
                free(n->trusts.v[i]);
        gb_vec_free(&n->trusts);
        n->done = false;
        n->error[0] = n->clients[0] = '\0';
        n->serial = 0;
}

void gb_pool_close(struct gb_pool *p)
{
        for (size_t i = 0; i < p->nodes.n; i++)
                forget(&p->nodes.v[i]);
        gb_vec_free(&p->nodes);
}

const struct gb_pool_node *gb_pool_find(const struct gb_pool *p, const gb_gfid *uuid)
{
        for (size_t i = 0; i < p->nodes.n; i++)
                if (gb_gfid_eq(&p->nodes.v[i].uuid, uuid))
                        return &p->nodes.v[i];
        return NULL;
}

const struct gb_pool_node *gb_pool_self(const struct gb_pool *p)
{
        return &p->nodes.v[0];
}

unsigned gb_pool_down(const struct gb_pool *p)
{
        unsigned n = 0;

        for (size_t i = 0; i < p->nodes.n; i++)
                n += !p->nodes.v[i].connected;
        return n;
}

/* ---- answers ---- */

/* A node's certificate: it has to bear the uuid of the node that shows it. */
static int take_certificate(struct gb_certs *to, const struct gb_pool_node *n, const char *text,
                            struct gb_error *err)
{
        size_t len = strlen(text), pad = 0;
        GB_CLEANUP_FREE
        unsigned char *der = malloc(len + 4);
        int size;

        if (!der)
                return no_memory(err);
        while (pad < 2 && len > pad && text[len - 1 - pad] == '=')
                pad++;
        size = EVP_DecodeBlock(der, (const unsigned char *)text, (int)len);
        if (size < 0 || (size_t)size < pad || gb_certs_add_der(to, der, (size_t)size - pad, n->host, err) < 0)
                return gb_error_set(err, GB_ERR_GLUSTER, "node %s shows something that is no certificate",
                                    n->host);
        if (!to->list.v[to->list.n - 1].has_uuid || !gb_gfid_eq(&to->list.v[to->list.n - 1].uuid, &n->uuid))
                return gb_error_set(err, GB_ERR_GLUSTER, "node %s shows the certificate of another", n->host);
        return 0;
}

static int take_trust(struct gb_pool_node *n, const char *text, struct gb_error *err)
{
        char *copy = strlen(text) == GB_FINGERPRINT - 1 ? strdup(text) : NULL;

        if (!copy || n->trusts.n >= GB_CERTS_MAX || gb_vec_push(&n->trusts, copy) < 0) {
                free(copy);
                return gb_error_set(err, GB_ERR_GLUSTER, "node %s: its list is not understood", n->host);
        }
        return 0;
}

static int take_clients(struct gb_pool_node *n, const char *text, struct gb_error *err)
{
        char *end;

        errno = 0;
        n->serial = strtoull(text, &end, 10);
        if (errno || end == text || *end != ' ' || strlen(end + 1) != GB_FINGERPRINT - 1)
                return gb_error_set(err, GB_ERR_GLUSTER, "node %s: its clients are not understood", n->host);
        strcpy(n->clients, end + 1);
        return 0;
}

static int take_fact(struct gb_pool_node *n, const char *kind, const char *rest, struct gb_error *err)
{
        if (!strcmp(kind, "done")) {
                n->done = true;
                return 0;
        }
        if (!rest)
                return gb_error_set(err, GB_ERR_GLUSTER, "node %s: its answer is not understood", n->host);
        if (!strcmp(kind, "certificate"))
                return take_certificate(&n->now, n, rest, err);
        if (!strcmp(kind, "next"))
                return take_certificate(&n->next, n, rest, err);
        if (!strcmp(kind, "trusts"))
                return take_trust(n, rest, err);
        if (!strcmp(kind, "clients"))
                return take_clients(n, rest, err);
        if (!strcmp(kind, "error"))
                snprintf(n->error, sizeof(n->error), "%s", rest);
        return 0; /* a newer gbackup may tell more */
}

static int take_answer(struct gb_pool *p, char *line, struct gb_error *err)
{
        char *rest = NULL;
        char *mark = strtok_r(line, " \r", &rest), *uuid = strtok_r(NULL, " \r", &rest);
        char *kind = strtok_r(NULL, " \r", &rest);
        gb_gfid who;

        if (!mark || strcmp(mark, "gbackup-tls"))
                return 0; /* blank lines between nodes */
        if (!kind || !gb_gfid_parse(uuid, strlen(uuid), &who))
                return gb_error_set(err, GB_ERR_GLUSTER, "an answer to gbackup_tls is not understood");
        for (size_t i = 0; i < p->nodes.n; i++)
                if (gb_gfid_eq(&p->nodes.v[i].uuid, &who))
                        return take_fact(&p->nodes.v[i], kind, rest && *rest ? rest : NULL, err);
        if (!strcmp(kind, "error"))
                return gb_error_set(err, GB_ERR_GLUSTER, "a node that does not know its uuid: %s", rest);
        return gb_error_set(err, GB_ERR_GLUSTER, "node %s answers, which is not in gluster pool list", uuid);
}

static int check_answers(const struct gb_pool *p, struct gb_error *err)
{
        for (size_t i = 0; i < p->nodes.n; i++) {
                const struct gb_pool_node *n = &p->nodes.v[i];

                if (*n->error)
                        return gb_error_set(err, GB_ERR_GLUSTER, "node %s: %s", n->host, n->error);
                if (n->connected && !n->done)
                        return gb_error_set(err, GB_ERR_GLUSTER,
                                            "node %s is connected but has not answered; try again", n->host);
        }
        return 0;
}

int gb_pool_do(struct gb_pool *p, const char *const words[], struct gb_error *err)
{
        const char *all[WORDS + 1] = {"system::", "execute", "gbackup_tls"};
        GB_CLEANUP_FREE
        char *text = NULL;
        struct gb_child c;
        char *at, *line;
        int rc = 0;

        for (size_t i = 0; i + 3 < WORDS && words[i]; i++)
                all[3 + i] = words[i];
        for (size_t i = 0; i < p->nodes.n; i++)
                forget(&p->nodes.v[i]);
        if (gluster(p, all, "system:: execute gbackup_tls", &c, err) < 0)
                return -1;
        text = text_of(&c, err);
        gb_child_fini(&c);
        for (at = text; text && rc == 0 && (line = next_line(&at));)
                rc = take_answer(p, line, err);
        return !text || rc < 0 ? -1 : check_answers(p, err);
}

int gb_pool_copy(struct gb_pool *p, const char *name, const struct gb_buf *bytes, char digest[GB_FINGERPRINT],
                 struct gb_error *err)
{
        char path[sizeof(p->workdir) + 64], relative[64];
        const char *const words[] = {"system::", "copy", "file", relative, NULL};
        struct gb_child c;

        snprintf(relative, sizeof(relative), "/gbackup/%s", name);
        snprintf(path, sizeof(path), "%s%s", p->workdir, relative);
        if (gb_sha256(bytes->data ? bytes->data : (const void *)"", bytes->len, digest, err) < 0 ||
            gb_file_write(path, bytes->data ? bytes->data : (const void *)"", bytes->len, 0600, err) < 0)
                return -1;
        if (gluster(p, words, "system:: copy file", &c, err) < 0)
                return -1;
        gb_child_fini(&c);
        return 0;
}
