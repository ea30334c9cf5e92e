/*
 * connect - ways to an agent: a local socket, TCP, a command.
 *
 * "Nobody there" is the error users meet most, so its text says where we looked and what to do.
 */
#include <config.h>

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "transport.h"

/* A local socket whose backlog is full says EAGAIN and gives nothing to poll for: ask again so often. */
#define GB_BACKLOG_MS 20

/* errno says why. */
static int nobody_there(struct gb_error *err, const char *peer)
{
        const char *hint =
                errno == EACCES || errno == EPERM ? "only root may connect" : "is gbackupd running?";
        int sys = errno;

        gb_error_set(err, GB_ERR_NO_AGENT, "no gbackupd at %s: %m; %s", peer, hint);
        if (err)
                err->sys = sys;
        return -1;
}

/* 0; 1 with errno set: refused; -1 with *err filled: the caller gives up. */
static int await_connect(int fd, int cancel_fd, gb_deadline until, const char *peer, struct gb_error *err)
{
        int sys = 0;
        socklen_t len = sizeof(sys);
        struct gb_error why;

        if (gb_transport_wait(fd, POLLOUT, cancel_fd, until, peer, &why) < 0) {
                if (why.code == GB_ERR_TIMEOUT) {
                        errno = ETIMEDOUT;
                        return 1;
                }
                if (err)
                        *err = why;
                return -1;
        }
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0)
                return 1;
        errno = sys;
        return sys ? 1 : 0;
}

/* As await_connect(). */
static int connect_by(int fd, const struct sockaddr *addr, socklen_t len, int cancel_fd, const char *peer,
                      struct gb_error *err)
{
        gb_deadline until = gb_deadline_in(GB_CONNECT_MS);

        while (connect(fd, addr, len) < 0) {
                struct gb_error why;

                if (errno == EINPROGRESS || errno == EINTR)
                        return await_connect(fd, cancel_fd, until, peer, err);
                if (errno != EAGAIN || gb_deadline_left(until) == 0)
                        return 1;
                /* fd -1: a nap that can be cancelled */
                if (gb_transport_wait(-1, 0, cancel_fd, gb_deadline_in(GB_BACKLOG_MS), peer, &why) < 0 &&
                    why.code != GB_ERR_TIMEOUT) {
                        if (err)
                                *err = why;
                        return -1;
                }
        }
        return 0;
}

struct gb_transport *gb_transport_unix(const char *path, int cancel_fd, struct gb_error *err)
{
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        char peer[sizeof(addr.sun_path) + 8];
        int fd, rc;

        if (strlen(path) >= sizeof(addr.sun_path)) {
                gb_error_set(err, GB_ERR_USAGE, "socket path %s is longer than %zu bytes", path,
                             sizeof(addr.sun_path) - 1);
                return NULL;
        }
        strcpy(addr.sun_path, path);
        snprintf(peer, sizeof(peer), "unix:%s", path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) {
                gb_error_sys(err, GB_ERR_SYSTEM, "cannot make a socket for %s", peer);
                return NULL;
        }
        rc = connect_by(fd, (struct sockaddr *)&addr, sizeof(addr), cancel_fd, peer, err);
        if (rc == 0)
                return gb_transport_plain(fd, fd, cancel_fd, peer, err);
        if (rc > 0)
                nobody_there(err, peer);
        close(fd);
        return NULL;
}

/* Each address in turn: a connected fd; -1 with *err filled. */
static int connect_any(const struct addrinfo *list, int cancel_fd, const char *peer, struct gb_error *err)
{
        errno = EADDRNOTAVAIL;
        for (const struct addrinfo *a = list; a; a = a->ai_next) {
                GB_CLEANUP_CLOSE
                int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
                int rc = fd < 0 ? 1 : connect_by(fd, a->ai_addr, a->ai_addrlen, cancel_fd, peer, err);

                if (rc == 0)
                        return gb_steal_fd(&fd);
                if (rc < 0)
                        return -1;
        }
        return nobody_there(err, peer);
}

struct gb_transport *gb_transport_tcp(const char *host, const char *port, int cancel_fd, struct gb_error *err)
{
        const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
        struct addrinfo *list = NULL;
        char peer[128];
        int rc, fd;

        snprintf(peer, sizeof(peer), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
        rc = getaddrinfo(host, port, &hints, &list);
        if (rc != 0) {
                gb_error_set(err, GB_ERR_NO_AGENT, "no gbackupd at %s: cannot look up the host: %s", peer,
                             rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
                return NULL;
        }
        fd = connect_any(list, cancel_fd, peer, err);
        freeaddrinfo(list);
        return fd < 0 ? NULL : gb_transport_plain(fd, fd, cancel_fd, peer, err);
}

/* Start argv on `fd` as stdin and stdout, with signals as a fresh program expects them: we ignore
 * SIGPIPE, ssh should not.  Returns an errno value; that of a failed exec too. */
static int spawn_on(int fd, char *const argv[], pid_t *child)
{
        extern char **environ;
        posix_spawn_file_actions_t files;
        posix_spawnattr_t attr;
        sigset_t pipe_only, none;
        int rc = posix_spawn_file_actions_init(&files);

        if (rc != 0)
                return rc;
        rc = posix_spawnattr_init(&attr);
        if (rc != 0) {
                posix_spawn_file_actions_destroy(&files);
                return rc;
        }
        sigemptyset(&none);
        sigemptyset(&pipe_only);
        sigaddset(&pipe_only, SIGPIPE);
        posix_spawnattr_setsigdefault(&attr, &pipe_only);
        posix_spawnattr_setsigmask(&attr, &none);
        posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
        rc = posix_spawn_file_actions_adddup2(&files, fd, STDIN_FILENO);
        if (rc == 0)
                rc = posix_spawn_file_actions_adddup2(&files, fd, STDOUT_FILENO);
        if (rc == 0)
                rc = posix_spawnp(child, argv[0], &files, &attr, argv, environ);
        posix_spawnattr_destroy(&attr);
        posix_spawn_file_actions_destroy(&files);
        return rc;
}

struct gb_transport *gb_transport_command(char *const argv[], int cancel_fd, const char *peer,
                                          struct gb_error *err)
{
        GB_CLEANUP_CLOSE
        int theirs = -1;
        struct gb_transport *t;
        int sv[2], rc;
        pid_t child = 0;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0) {
                gb_error_sys(err, GB_ERR_SYSTEM, "cannot make a socket pair for %s", peer);
                return NULL;
        }
        theirs = sv[1];
        t = gb_transport_plain(sv[0], sv[0], cancel_fd, peer, err);
        if (!t)
                return NULL;
        rc = spawn_on(theirs, argv, &child);
        if (rc != 0) {
                errno = rc;
                gb_error_sys(err, GB_ERR_NO_AGENT, "no gbackupd at %s: cannot run %s", peer, argv[0]);
                gb_transport_close(t);
                return NULL;
        }
        t->child = child;
        return t;
}
