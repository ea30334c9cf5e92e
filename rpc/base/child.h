/*
 * child - run a program by argument vector, within limits, and take what it says.
 *
 * No shell.  The child gets /dev/null, two pipes, a clean signal state and our environment in the C
 * locale: messages are compared.  It is waited for with a deadline of our own, because it may hang, and
 * with a descriptor that cancels.  Whatever happens, it is reaped before gb_child_run() returns.
 */
#ifndef GB_CHILD_H
#define GB_CHILD_H

#include <sys/types.h>

#include "buf.h"
#include "clock.h"
#include "error.h"

/* What is kept of stderr, for the message. */
#define GB_CHILD_STDERR_MAX 1024

struct gb_child {
        const char *const *argv; /* ends in NULL; argv[0] is looked for in PATH */
        const char *what;        /* for messages, behind argv[0]: "volume info" */
        gb_deadline deadline;
        int cancel_fd; /* -1: none */
        size_t max;    /* bytes of stdout */
        /* Filled in; to be released by gb_child_fini(). */
        struct gb_buf out;
        int status; /* of waitpid */
        char errors[GB_CHILD_STDERR_MAX + 1];
        size_t n_errors;
        pid_t pid;
        bool reaped;
        int out_fd, err_fd;
};

/* 0: it has ended, however; -1: GB_ERR_GLUSTER cannot be started, GB_ERR_TIMEOUT, GB_ERR_CANCELLED,
 * GB_ERR_LIMIT said too much. */
int gb_child_run(struct gb_child *c, struct gb_error *err);
void gb_child_fini(struct gb_child *c);

/* An error of what it said in its first line, on stderr or else stdout, or else of how it ended.  -1. */
int gb_child_words(const struct gb_child *c, struct gb_error *err);

/* A pause that can be cancelled: 0, or -1. */
int gb_child_pause(int cancel_fd, int ms, const char *what, struct gb_error *err);

#endif
