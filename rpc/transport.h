/*
 * transport - a byte stream with deadlines and cancellation.
 *
 * Three functions: recv, send, close.  Everything above (record, server, client) sees only these, so
 * TLS takes the place of the plain fd without a line changing there.  The fd is non-blocking; every
 * wait is one poll of {fd, cancel_fd} up to the deadline.
 */
#ifndef GB_TRANSPORT_H
#define GB_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/error.h"

struct gb_transport;

struct gb_transport_ops {
        /* 1..n bytes, 0 at the peer's orderly end, -1 (GB_ERR_TIMEOUT, GB_ERR_CANCELLED, GB_ERR_SYSTEM). */
        ssize_t (*recv)(struct gb_transport *t, void *buf, size_t n, gb_deadline until, struct gb_error *err);
        /* All n bytes, or -1.  `stall_ms` bounds the time without progress, not the whole. */
        int (*send)(struct gb_transport *t, const void *buf, size_t n, int stall_ms, struct gb_error *err);
        /* Tell the other end that this is the end, without waiting; NULL: the closing tells. */
        void (*farewell)(struct gb_transport *t);
        void (*close)(struct gb_transport *t);
};

struct gb_transport {
        const struct gb_transport_ops *ops;
        int rfd, wfd;   /* the same fd, except on stdin/stdout */
        int cancel_fd;  /* readable means: give up; -1 for none; borrowed */
        char peer[128]; /* for messages: "unix:/run/...", "10.0.0.1:24017", "ssh node2" */
        pid_t child;    /* a process at the other end that close() reaps (fork, rsh), or 0 */
};

/* Wrap connected fds (taken over, made non-blocking, CLOEXEC, TCP_NODELAY and keepalive where they
 * apply).  NULL: out of memory, fds closed. */
struct gb_transport *gb_transport_plain(int rfd, int wfd, int cancel_fd, const char *peer,
                                        struct gb_error *err);

/* Connect within GB_CONNECT_MS an address (connect.c).  Nobody there: GB_ERR_NO_AGENT. */
struct gb_transport *gb_transport_unix(const char *path, int cancel_fd, struct gb_error *err);
struct gb_transport *gb_transport_tcp(const char *host, const char *port, int cancel_fd,
                                      struct gb_error *err);
/* Start argv with its stdin and stdout on a socket pair; stderr is ours. */
struct gb_transport *gb_transport_command(char *const argv[], int cancel_fd, const char *peer,
                                          struct gb_error *err);

/* Say no more, and give the other end up to `ms` to read what was said: closing a socket that still has
 * unread bytes would make the kernel reset the connection and take the last message away. */
void gb_transport_linger(struct gb_transport *t, int ms);

/* Is somebody waiting for us to end? */
bool gb_transport_cancelled(const struct gb_transport *t);

/* NULL is allowed.  Never blocks longer than a second, or 20 ms if cancelled (a child that does not leave is
 * killed). */
void gb_transport_close(struct gb_transport *t);

/* Wait until `fd` is ready for `events`.  0, or -1 (GB_ERR_TIMEOUT, GB_ERR_CANCELLED, GB_ERR_SYSTEM);
 * a request to give up wins over a ready fd.  What every implementation of recv and send waits with. */
int gb_transport_wait(int fd, short events, int cancel_fd, gb_deadline until, const char *peer,
                      struct gb_error *err);

/* Exactly n bytes; *eof (NULL allowed) tells an orderly end before the first byte from an error. */
int gb_transport_recv_all(struct gb_transport *t, void *buf, size_t n, gb_deadline until, bool *eof,
                          struct gb_error *err);

#endif
