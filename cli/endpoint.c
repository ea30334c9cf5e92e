/*
 * endpoint - see endpoint.h.
 */
#include <config.h>

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "endpoint.h"
#include "transport.h"

static const char *env_or(const char *name, const char *otherwise)
{
        const char *v = getenv(name);

        return v && *v ? v : otherwise;
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

static struct gb_client *connect_tcp(const struct gb_cli *c, const char *spec, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *host = strdup(spec);
        char *colon = host ? strrchr(host, ':') : NULL;

        if (!colon || colon == host || !colon[1]) {
                gb_error_set(err, GB_ERR_USAGE, "tcp:%s: expected tcp:HOST:PORT", spec);
                return NULL;
        }
        *colon = '\0';
        if (strcmp(host, "127.0.0.1") != 0 && strcmp(host, "::1") != 0) {
                gb_error_set(err, GB_ERR_USAGE,
                             "tcp:%s: TCP beyond loopback needs TLS, which this version does not have; "
                             "use --rsh ssh",
                             spec);
                return NULL;
        }
        return hello(gb_transport_tcp(host, colon + 1, c->cancel_fd, err), err);
}

struct gb_client *gb_endpoint_connect(const struct gb_cli *c, const char *host, struct gb_error *err)
{
        int local;

        if (strcmp(host, "local") == 0)
                return connect_single(c, err);
        if (strncmp(host, "unix:", 5) == 0)
                return hello(gb_transport_unix(host + 5, c->cancel_fd, err), err);
        if (strncmp(host, "tcp:", 4) == 0)
                return connect_tcp(c, host + 4, err);
        if (c->o.rsh)
                return connect_rsh(c, host, err);
        local = host_is_local(host, err);
        if (local < 0)
                return NULL;
        if (local)
                return hello(gb_transport_unix(env_or("GBACKUP_SOCKET", GB_RUNDIR "/agent.sock"),
                                               c->cancel_fd, err),
                             err);
        gb_error_set(err, GB_ERR_NO_AGENT,
                     "%s is another machine: an encrypted channel between nodes is not part of this version; "
                     "use --rsh ssh",
                     host);
        return NULL;
}
