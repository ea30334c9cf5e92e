/*
 * endpoint - see endpoint.h.
 */
#include <config.h>

#include <netdb.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "endpoint.h"
#include "tls.h"

static const char *env_or(const char *name, const char *otherwise)
{
        const char *v = getenv(name);

        return v && *v ? v : otherwise;
}

const char *gb_endpoint_port(const struct gb_cli *c)
{
        return c->o.port ? c->o.port : env_or("GBACKUP_PORT", "24017");
}

static struct gb_client *hello(struct gb_transport *t, struct gb_error *err)
{
        return t ? gb_client_new(t, err) : NULL;
}

/* A daemon of our own at the other end of a socket pair. */
static struct gb_client *connect_single(const struct gb_cli *c, struct gb_error *err)
{
        const char *program = env_or("GBACKUP_GBACKUPD", GB_SBINDIR "/gbackupd");
        const char *config = getenv("GBACKUP_GBACKUPD_CONFIG");
        char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "--single", NULL, NULL, NULL};

        if (config && *config) {
                argv[2] = (char *)(uintptr_t) "--config";
                argv[3] = (char *)(uintptr_t)config;
        }
        return hello(gb_transport_command(argv, c->cancel_fd, "local", err), err);
}

static struct gb_client *connect_rsh(const struct gb_cli *c, const char *host, struct gb_error *err)
{
        char peer[100];
        char *argv[] = {(char *)(uintptr_t)c->o.rsh, (char *)(uintptr_t)host, (char *)(uintptr_t) "gbackupd",
                        (char *)(uintptr_t) "--single", NULL};

        if (host[0] == '-') {
                gb_error_set(err, GB_ERR_USAGE, "%s: a host name does not begin with '-'", host);
                return NULL;
        }
        snprintf(peer, sizeof(peer), "%s %s", c->o.rsh, host);
        return hello(gb_transport_command(argv, c->cancel_fd, peer, err), err);
}

/* An address belongs to this machine if a socket can be bound to it. */
static bool is_ours(const struct addrinfo *a)
{
        GB_CLEANUP_CLOSE
        int fd = socket(a->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        return fd >= 0 && bind(fd, a->ai_addr, a->ai_addrlen) == 0;
}

/* 1 this machine, 0 another, -1 unknown name. */
static int host_is_local(const char *host, struct gb_error *err)
{
        struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM}, *list = NULL;
        int rc = getaddrinfo(host, NULL, &hints, &list), local = 0;

        if (rc != 0)
                return gb_error_set(err, GB_ERR_NO_AGENT, "%s: unknown host (%s)", host, gai_strerror(rc));
        for (const struct addrinfo *a = list; a && !local; a = a->ai_next)
                local = is_ours(a);
        freeaddrinfo(list);
        return local;
}

/* ---- TCP ---- */

/* Our certificates, read once; streams are opened by several threads. */
static const struct gb_tls *our_tls(const struct gb_cli *c, struct gb_error *err)
{
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        static struct gb_tls *tls;

        pthread_mutex_lock(&lock);
        if (!tls) {
                tls = gb_tls_load(gb_endpoint_tls_dir(c), GB_TLS_CLIENT, err);
                if (!tls)
                        gb_error_prefix(err,
                                        "no encrypted channel (see gbackup-cli tls setup, tls add-client; "
                                        "or use --rsh=ssh)");
        }
        pthread_mutex_unlock(&lock);
        return tls;
}

const char *gb_endpoint_tls_dir(const struct gb_cli *c)
{
        return c->o.tls_dir ? c->o.tls_dir : env_or("GBACKUP_TLS_DIR", GB_SYSCONFDIR "/gbackup/tls");
}

/* Is it a node, and the one that was dialled? */
static int judge(const struct gb_tls *tls, const struct gb_tls_peer *p, const char *peer, const gb_gfid *want,
                 struct gb_error *err)
{
        char is[GB_GFID_TEXT], wanted[GB_GFID_TEXT];
        const struct gb_grant *g;

        if (p->listed && p->cert.has_uuid) {
                if (!want || gb_gfid_eq(want, &p->cert.uuid))
                        return 0;
                return gb_error_set(err, GB_ERR_NO_AGENT, "%s: node %s answers there, not %s", peer,
                                    gb_gfid_format(&p->cert.uuid, is), gb_gfid_format(want, wanted));
        }
        g = gb_access_find(gb_tls_access(tls), &p->cert, p->issued);
        if (g && g->right == GB_RIGHT_NODE)
                return 0;
        return gb_error_set(err, GB_ERR_DENIED,
                            "%s: certificate '%s' SHA256:%s is no node's (peers.pem, clients.conf)", peer,
                            p->cert.name, p->cert.fingerprint);
}

static struct gb_client *connect_tls(const struct gb_cli *c, const char *host, const char *port,
                                     const gb_gfid *want, struct gb_error *err)
{
        const struct gb_tls *tls = our_tls(c, err);
        struct gb_tls_peer peer = {.listed = false};
        struct gb_transport *t = tls ? gb_transport_tcp(host, port, c->cancel_fd, err) : NULL;
        struct gb_client *client = NULL;

        if (!t)
                return NULL;
        if (gb_tls_connect(tls, &t, gb_deadline_in(GB_HANDSHAKE_MS), &peer, err) < 0 ||
            judge(tls, &peer, t->peer, want, err) < 0)
                gb_transport_close(t);
        else
                client = gb_client_new(t, err);
        /* What it says of itself is what its certificate says. */
        if (client && peer.listed && peer.cert.has_uuid &&
            memcmp(gb_client_hello(client)->node, peer.cert.uuid.b, sizeof(peer.cert.uuid.b)) != 0) {
                gb_client_free(client);
                client = NULL;
                gb_error_set(err, GB_ERR_PROTOCOL, "%s: the node there has the certificate of another", host);
        }
        gb_tls_peer_fini(&peer);
        return client;
}

/* tcp:HOST[:PORT], an IPv6 address in brackets. */
static struct gb_client *connect_tcp(const struct gb_cli *c, const char *spec, const gb_gfid *want,
                                     struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *host = strdup(spec);
        char *end = host, *port;

        if (!host) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                return NULL;
        }
        if (*host == '[') {
                end = strchr(host, ']');
                memmove(host, host + 1, strlen(host));
                end = end ? end - 1 : NULL;
                if (end)
                        *end++ = '\0';
        } else {
                end += strcspn(host, ":");
        }
        port = end && *end == ':' ? end + 1 : (char *)(uintptr_t)gb_endpoint_port(c);
        if (!end || (*end && *end != ':') || !*host || !*port || strspn(port, "0123456789") != strlen(port)) {
                gb_error_set(err, GB_ERR_USAGE, "tcp:%s: expected tcp:HOST:PORT or tcp:[ADDRESS]:PORT", spec);
                return NULL;
        }
        if (port > host && *end == ':')
                *end = '\0';
        return connect_tls(c, host, port, want, err);
}

struct gb_client *gb_endpoint_connect(const struct gb_cli *c, const char *host, const gb_gfid *want,
                                      struct gb_error *err)
{
        int local;

        if (strcmp(host, "local") == 0)
                return connect_single(c, err);
        if (strncmp(host, "unix:", 5) == 0)
                return hello(gb_transport_unix(host + 5, c->cancel_fd, err), err);
        if (strncmp(host, "tcp:", 4) == 0)
                return connect_tcp(c, host + 4, want, err);
        if (c->o.rsh)
                return connect_rsh(c, host, err);
        local = host_is_local(host, err);
        if (local < 0)
                return NULL;
        if (local)
                return hello(gb_transport_unix(env_or("GBACKUP_SOCKET", GB_RUNDIR "/agent.sock"),
                                               c->cancel_fd, err),
                             err);
        return connect_tls(c, host, gb_endpoint_port(c), want, err);
}
