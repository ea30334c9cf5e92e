/*
 * listen - make, take over, and remove listening sockets; know the peer.
 */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fcntl.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "listen.h"
#include "notify.h"

#define BACKLOG 128

static int add(struct gb_listeners *l, int fd, struct gb_error *err)
{
        struct sockaddr_storage a = {0};
        socklen_t len = sizeof(a);
        int flags = fcntl(fd, F_GETFL);

        if (getsockname(fd, (struct sockaddr *)&a, &len) < 0 || flags < 0 ||
            fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) /* a peer that is gone again must not block accept */
                return gb_error_sys(err, GB_ERR_SYSTEM, "listening socket");
        l->v[l->n++] = (struct gb_listener){.fd = fd, .local = a.ss_family == AF_UNIX};
        return 0;
}

/* ---- sockets from systemd ---- */

static int take_socket(struct gb_listeners *l, int fd, struct gb_error *err)
{
        struct sockaddr_storage a = {0};
        socklen_t len = sizeof(a);

        if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
                return gb_error_sys(err, GB_ERR_CONFIG, "descriptor %d of socket activation", fd);
        if (a.ss_family != AF_UNIX && a.ss_family != AF_INET && a.ss_family != AF_INET6)
                return gb_error_set(err, GB_ERR_CONFIG, "descriptor %d of socket activation: unknown family",
                                    fd);
        return add(l, fd, err);
}

/* ---- our own ---- */

static int make_parent(const char *path, struct gb_error *err)
{
        char dir[GB_SETTING_SOCKET_MAX + 1];
        char *slash;

        snprintf(dir, sizeof(dir), "%s", path);
        slash = strrchr(dir, '/');
        if (slash == dir)
                return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *slash = '\0';
        if (mkdir(dir, 0700) < 0 && errno != EEXIST)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: create directory", dir);
        return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A socket file without a process behind it refuses; anything else is somebody's. */
static int remove_stale(const struct sockaddr_un *a, struct gb_error *err)
{
        GB_CLEANUP_CLOSE
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct stat st;

        if (lstat(a->sun_path, &st) < 0)
                return errno == ENOENT ? 0 : gb_error_sys(err, GB_ERR_SYSTEM, "%s", a->sun_path);
        if (!S_ISSOCK(st.st_mode))
                return gb_error_set(err, GB_ERR_CONFIG, "%s exists and is not a socket", a->sun_path);
        if (fd < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "create a socket");
        if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 || errno == EAGAIN)
                return gb_error_set(err, GB_ERR_BUSY, "gbackupd already runs on %s", a->sun_path);
        if (errno != ECONNREFUSED)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: connect", a->sun_path);
        if (unlink(a->sun_path) < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: remove stale socket", a->sun_path);
        return 0;
}

static int bind_local(int fd, const struct sockaddr_un *a, struct gb_error *err)
{
        mode_t old = umask(0177);
        int rc = bind(fd, (const struct sockaddr *)a, sizeof(*a));

        umask(old);
        if (rc < 0 || listen(fd, BACKLOG) < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: listen", a->sun_path);
        return 0;
}

static int open_local(struct gb_listeners *l, const char *path, struct gb_error *err)
{
        GB_CLEANUP_CLOSE
        int dir = make_parent(path, err);
        GB_CLEANUP_CLOSE
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        struct gb_listener *one = &l->v[l->n];
        struct stat st;

        memcpy(a.sun_path, path, strlen(path) + 1);
        /* Two daemons that start at once must not each find the other's socket stale: the directory
         * is locked from the look to the bind. */
        if (dir < 0 || flock(dir, LOCK_EX) < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "directory of %s", path);
        if (fd < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "create a socket");
        if (remove_stale(&a, err) < 0 || bind_local(fd, &a, err) < 0 || add(l, fd, err) < 0)
                return -1;
        fd = -1; /* the listener's now */
        one->path = strdup(path);
        if (!one->path || lstat(path, &st) < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s", path);
        one->dev = st.st_dev;
        one->ino = st.st_ino;
        return 0;
}

/* [::] takes IPv4 too; a kernel without IPv6 gets 0.0.0.0 in its place. */
static int tcp_socket(struct sockaddr_storage *a, socklen_t *len)
{
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)a;
        struct sockaddr_in in = {.sin_family = AF_INET};
        int fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int off = 0;

        if (a->ss_family != AF_INET6)
                return fd;
        if (fd >= 0) {
                setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
                return fd;
        }
        if (errno != EAFNOSUPPORT || !IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr))
                return -1;
        in.sin_port = in6->sin6_port;
        memcpy(a, &in, sizeof(in));
        *len = sizeof(in);
        return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int open_tcp(struct gb_listeners *l, const struct gb_settings *s, struct gb_error *err)
{
        struct sockaddr_storage a;
        socklen_t len;
        GB_CLEANUP_CLOSE
        int fd = -1;
        int on = 1;
        char cert[GB_SETTING_PATH_MAX + 16];

        if (gb_settings_parse_listen(s->listen, &a, &len, err) < 0)
                return -1;
        fd = tcp_socket(&a, &len);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
            bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, BACKLOG) < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "listen on %s", s->listen);
        if (add(l, fd, err) < 0)
                return -1;
        fd = -1;
        snprintf(cert, sizeof(cert), "%s/node.pem", s->tls_dir);
        if (access(cert, F_OK) < 0)
                gb_log(GB_LOG_NOTICE, "%s: nobody can use it before gbackup-cli tls setup: there is no %s",
                       s->listen, cert);
        return 0;
}

int gb_listeners_open(struct gb_listeners *l, const struct gb_settings *s, struct gb_error *err)
{
        int n = gb_notify_sockets();

        l->n = 0;
        for (int fd = GB_ACTIVATION_FD; fd < GB_ACTIVATION_FD + n; fd++)
                if (take_socket(l, fd, err) < 0)
                        goto fail;
        if (n > 0)
                return 0;
        if (open_local(l, s->socket, err) < 0 || (*s->listen && open_tcp(l, s, err) < 0))
                goto fail;
        return 0;
fail:
        gb_listeners_close(l, true);
        return -1;
}

void gb_listeners_close(struct gb_listeners *l, bool remove)
{
        struct stat st;

        for (size_t i = 0; i < l->n; i++) {
                struct gb_listener *one = &l->v[i];

                if (remove && one->path && lstat(one->path, &st) == 0 && st.st_dev == one->dev &&
                    st.st_ino == one->ino)
                        unlink(one->path);
                close(one->fd);
                free(one->path);
        }
        l->n = 0;
}

/* ---- peers ---- */

static int identify_local(int fd, struct gb_peer *out, struct gb_error *err)
{
        struct ucred cred;
        socklen_t len = sizeof(cred);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
                return gb_error_sys(err, GB_ERR_DENIED, "credentials of a local peer");
        if (cred.uid != 0 && cred.uid != geteuid())
                return gb_error_set(err, GB_ERR_DENIED, "pid %d of uid %u may not connect", (int)cred.pid,
                                    (unsigned)cred.uid);
        out->key[0] = 'u';
        memcpy(out->key + 1, &cred.uid, sizeof(cred.uid));
        snprintf(out->text, sizeof(out->text), "pid %d uid %u", (int)cred.pid, (unsigned)cred.uid);
        return 0;
}

int gb_peer_identify(const struct gb_listener *l, int fd, struct gb_peer *out, struct gb_error *err)
{
        struct sockaddr_storage a = {0};
        socklen_t len = sizeof(a);
        char host[INET6_ADDRSTRLEN] = "?";

        memset(out, 0, sizeof(*out));
        if (l->local)
                return identify_local(fd, out, err);
        if (getpeername(fd, (struct sockaddr *)&a, &len) < 0)
                return gb_error_sys(err, GB_ERR_DENIED, "address of a peer");
        out->key[0] = 'a';
        if (a.ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&((struct sockaddr_in6 *)&a)->sin6_addr)) {
                memcpy(out->key + 1, &((struct sockaddr_in6 *)&a)->sin6_addr, 16);
                inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a)->sin6_addr, host, sizeof(host));
        } else {
                /* One address is one address, by whichever socket it comes. */
                const void *v4 = a.ss_family == AF_INET ? (const void *)&((struct sockaddr_in *)&a)->sin_addr
                                                        : &((struct sockaddr_in6 *)&a)->sin6_addr.s6_addr[12];

                memcpy(out->key + 1, v4, 4);
                inet_ntop(AF_INET, v4, host, sizeof(host));
        }
        snprintf(out->text, sizeof(out->text), "tcp %s", host);
        return 0;
}
