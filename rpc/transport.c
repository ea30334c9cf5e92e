/*
 * transport - the plain stream: sockets and pipes.
 *
 * Every read and every write is preceded by one poll() that also watches the cancel descriptor.  So
 * a stream that never runs dry can be cancelled as fast as one that stands still, and neither a
 * silent peer nor one that does not read can hold us beyond a deadline.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "transport.h"

/* How long a child at the other end gets to leave by itself, and to vanish after SIGKILL. */
#define GB_CHILD_GRACE_MS 800
#define GB_CHILD_KILL_MS  200
/* And when somebody waits for us to end. */
#define GB_CHILD_HASTE_MS 10
/* Bytes of a peer that is sent away that are read to let it hear why. */
#define LINGER_MAX 65536

struct plain {
        struct gb_transport base; /* first: the two are cast into each other */
        bool socket;
};

int gb_transport_wait(int fd, short events, int cancel_fd, gb_deadline until, const char *peer,
                      struct gb_error *err)
{
        struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = cancel_fd, .events = POLLIN}};

        for (;;) {
                int ready = poll(p, 2, gb_deadline_left(until));

                if (ready < 0 && errno != EINTR)
                        return gb_error_sys(err, GB_ERR_SYSTEM, "cannot wait for %s", peer);
                if (ready > 0 && p[1].revents)
                        return gb_error_set(err, GB_ERR_CANCELLED, "interrupted while talking to %s", peer);
                if (ready > 0)
                        return 0;
                if (gb_deadline_left(until) == 0)
                        return gb_error_set(err, GB_ERR_TIMEOUT, "timed out waiting for %s", peer);
        }
}

static ssize_t plain_recv(struct gb_transport *t, void *buf, size_t n, gb_deadline until,
                          struct gb_error *err)
{
        for (;;) {
                ssize_t got;

                if (gb_transport_wait(t->rfd, POLLIN, t->cancel_fd, until, t->peer, err) < 0)
                        return -1;
                got = read(t->rfd, buf, n);
                if (got >= 0)
                        return got;
                if (errno != EINTR && errno != EAGAIN)
                        return gb_error_sys(err, GB_ERR_SYSTEM, "cannot read from %s", t->peer);
        }
}

static ssize_t write_some(const struct gb_transport *t, const void *buf, size_t n)
{
        const struct plain *p = (const struct plain *)t;

        return p->socket ? send(t->wfd, buf, n, MSG_NOSIGNAL) : write(t->wfd, buf, n);
}

static int plain_send(struct gb_transport *t, const void *buf, size_t n, int stall_ms, struct gb_error *err)
{
        const uint8_t *at = buf;

        while (n > 0) {
                ssize_t put;

                if (gb_transport_wait(t->wfd, POLLOUT, t->cancel_fd, gb_deadline_in(stall_ms), t->peer, err) <
                    0)
                        return -1;
                put = write_some(t, at, n);
                if (put < 0 && errno != EINTR && errno != EAGAIN)
                        return gb_error_sys(err, GB_ERR_SYSTEM, "cannot write to %s", t->peer);
                if (put > 0) {
                        at += put;
                        n -= (size_t)put;
                }
        }
        return 0;
}

static void plain_close(struct gb_transport *t)
{
        close(t->rfd);
        if (t->wfd != t->rfd)
                close(t->wfd);
}

static const struct gb_transport_ops plain_ops = {
        .recv = plain_recv,
        .send = plain_send,
        .close = plain_close,
};

static bool is_socket(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void set_tcp(int fd, int option, int value)
{
        setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value));
}

/* A peer that vanished without a word is found by keepalive while we are silent, and by the user
 * time-out while we write.  The options only shorten waiting, so one that is refused is no error. */
static void tune_tcp(int fd)
{
        int domain = 0, on = 1;
        socklen_t len = sizeof(domain);

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
            (domain != AF_INET && domain != AF_INET6))
                return;
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        set_tcp(fd, TCP_NODELAY, 1);
        set_tcp(fd, TCP_KEEPIDLE, 15);
        set_tcp(fd, TCP_KEEPINTVL, 5);
        set_tcp(fd, TCP_KEEPCNT, 4);
        set_tcp(fd, TCP_USER_TIMEOUT, GB_REPLY_MS);
}

static int prepare_fd(int fd)
{
        int status = fcntl(fd, F_GETFL), flags = fcntl(fd, F_GETFD);

        if (status < 0 || flags < 0 || fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0 ||
            fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
                return -1;
        tune_tcp(fd);
        return 0;
}

struct gb_transport *gb_transport_plain(int rfd, int wfd, int cancel_fd, const char *peer,
                                        struct gb_error *err)
{
        struct plain *p = calloc(1, sizeof(*p));

        if (!p) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory for the connection to %s", peer);
                goto fail;
        }
        p->base.ops = &plain_ops;
        p->base.rfd = rfd;
        p->base.wfd = wfd;
        p->base.cancel_fd = cancel_fd;
        snprintf(p->base.peer, sizeof(p->base.peer), "%s", peer);
        p->socket = is_socket(wfd);
        if (prepare_fd(rfd) < 0 || prepare_fd(wfd) < 0) {
                gb_error_sys(err, GB_ERR_SYSTEM, "cannot prepare the connection to %s", peer);
                goto fail;
        }
        return &p->base;
fail:
        free(p);
        close(rfd);
        if (wfd != rfd)
                close(wfd);
        return NULL;
}

void gb_transport_linger(struct gb_transport *t, int ms)
{
        gb_deadline until = gb_deadline_in(ms);
        struct gb_error ignored;
        size_t left = LINGER_MAX;
        char unread[4096];
        ssize_t n;

        if (shutdown(t->wfd, SHUT_WR) < 0)
                return;
        while (left > 0 && gb_deadline_left(until) > 0 &&
               gb_transport_wait(t->rfd, POLLIN, t->cancel_fd, until, t->peer, &ignored) == 0) {
                n = read(t->rfd, unread, sizeof(unread));
                if (n <= 0)
                        return;
                left -= (size_t)n < left ? (size_t)n : left;
        }
}

/* True when the child is gone, or not ours to wait for. */
static bool reaped_within(pid_t child, int ms)
{
        const struct timespec nap = {.tv_nsec = 5 * 1000 * 1000};
        gb_deadline until = gb_deadline_in(ms);

        for (;;) {
                pid_t got = waitpid(child, NULL, WNOHANG);

                if (got == child || (got < 0 && errno != EINTR))
                        return true;
                if (gb_deadline_left(until) == 0)
                        return false;
                nanosleep(&nap, NULL);
        }
}

bool gb_transport_cancelled(const struct gb_transport *t)
{
        struct pollfd p = {.fd = t->cancel_fd, .events = POLLIN};

        return t->cancel_fd >= 0 && poll(&p, 1, 0) > 0;
}

void gb_transport_close(struct gb_transport *t)
{
        bool haste;

        if (!t)
                return;
        haste = t->child > 0 && gb_transport_cancelled(t);
        t->ops->close(t);
        /* The child sees the end of its input now.  One that hangs in the kernel survives even
         * SIGKILL for a while: it is then left to init, we do not wait for it. */
        if (t->child > 0 && !reaped_within(t->child, haste ? GB_CHILD_HASTE_MS : GB_CHILD_GRACE_MS)) {
                kill(t->child, SIGKILL);
                reaped_within(t->child, haste ? GB_CHILD_HASTE_MS : GB_CHILD_KILL_MS);
        }
        free(t);
}

int gb_transport_recv_all(struct gb_transport *t, void *buf, size_t n, gb_deadline until, bool *eof,
                          struct gb_error *err)
{
        uint8_t *at = buf;
        size_t left = n;

        if (eof)
                *eof = false;
        while (left > 0) {
                ssize_t got;

                /* A peer that sends a byte at a time keeps the fd ready, but not beyond the deadline. */
                if (left < n && gb_deadline_left(until) == 0)
                        return gb_error_set(err, GB_ERR_TIMEOUT, "timed out waiting for %s", t->peer);
                got = t->ops->recv(t, at, left, until, err);
                if (got < 0)
                        return -1;
                if (got == 0) {
                        if (eof)
                                *eof = left == n;
                        errno = ECONNRESET;
                        return gb_error_sys(err, GB_ERR_SYSTEM, "%s closed the connection", t->peer);
                }
                at += got;
                left -= (size_t)got;
        }
        return 0;
}
