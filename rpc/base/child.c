/*
 * child - see child.h.
 */
#include <config.h>

#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* How often a child that closed its output but has not ended yet is looked at. */
#define REAP_POLL_MS 10

/* ---- starting ---- */

static void free_env(char ***env)
{
        free(*env);
}

/* Our environment in the C locale.  The strings are borrowed. */
static char **c_locale_env(void)
{
        static char lc_all[] = "LC_ALL=C";
        size_t n = 0, kept = 0;
        char **env;

        while (environ && environ[n])
                n++;
        env = calloc(n + 2, sizeof(*env));
        if (!env)
                return NULL;
        for (size_t i = 0; i < n; i++)
                if (strncmp(environ[i], "LC_", 3) != 0 && strncmp(environ[i], "LANG", 4) != 0)
                        env[kept++] = environ[i];
        env[kept] = lc_all;
        return env;
}

/* The daemon blocks and ignores signals of its own; the child starts with none of that. */
static int plain_signals(posix_spawnattr_t *attr)
{
        sigset_t none, ordinary;
        int rc;

        sigemptyset(&none);
        sigemptyset(&ordinary);
        sigaddset(&ordinary, SIGPIPE);
        sigaddset(&ordinary, SIGTERM);
        sigaddset(&ordinary, SIGINT);
        sigaddset(&ordinary, SIGHUP);
        sigaddset(&ordinary, SIGCHLD);
        rc = posix_spawnattr_setsigmask(attr, &none);
        if (!rc)
                rc = posix_spawnattr_setsigdefault(attr, &ordinary);
        if (!rc)
                rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        return rc;
}

/* Start with stdout and stderr on the given descriptors.  0 or an errno. */
static int spawn(struct gb_child *c, int out, int err_out)
{
        __attribute__((cleanup(free_env))) char **env = c_locale_env();
        posix_spawn_file_actions_t files;
        posix_spawnattr_t attr;
        int rc;

        if (!env)
                return ENOMEM;
        rc = posix_spawn_file_actions_init(&files);
        if (rc)
                return rc;
        rc = posix_spawnattr_init(&attr);
        if (rc) {
                posix_spawn_file_actions_destroy(&files);
                return rc;
        }
        rc = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (!rc)
                rc = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
        if (!rc)
                rc = posix_spawn_file_actions_adddup2(&files, err_out, STDERR_FILENO);
        if (!rc)
                rc = plain_signals(&attr);
        if (!rc)
                rc = posix_spawnp(&c->pid, c->argv[0], &files, &attr, (char *const *)(uintptr_t)c->argv, env);
        posix_spawnattr_destroy(&attr);
        posix_spawn_file_actions_destroy(&files);
        return rc;
}

static int start(struct gb_child *c, struct gb_error *err)
{
        int out[2], errs[2];
        int rc;

        if (pipe2(out, O_CLOEXEC) < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "pipe");
        if (pipe2(errs, O_CLOEXEC) < 0) {
                gb_error_sys(err, GB_ERR_SYSTEM, "pipe");
                close(out[0]);
                close(out[1]);
                return -1;
        }
        c->out_fd = out[0];
        c->err_fd = errs[0];
        rc = spawn(c, out[1], errs[1]);
        close(out[1]);
        close(errs[1]);
        if (rc == 0)
                return 0;
        c->pid = 0;
        errno = rc;
        return gb_error_sys(err, GB_ERR_GLUSTER, "run %s", c->argv[0]);
}

/* ---- waiting ---- */

static void close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

/* Sleep until something of `fds` happens or `ms` pass, the deadline cuts short or it is cancelled.
 * fds[0] is the cancel descriptor's place. */
static int wait_for(const struct gb_child *c, struct pollfd *fds, nfds_t n, int ms, struct gb_error *err)
{
        int left = gb_deadline_left(c->deadline);

        fds[0] = (struct pollfd){.fd = c->cancel_fd, .events = POLLIN};
        if (left == 0)
                return gb_error_set(err, GB_ERR_TIMEOUT, "%s %s: no answer in time", c->argv[0], c->what);
        if (ms < 0 || (left > 0 && left < ms))
                ms = left;
        if (poll(fds, n, ms) < 0 && errno != EINTR)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s %s: poll", c->argv[0], c->what);
        if (fds[0].revents)
                return gb_error_set(err, GB_ERR_CANCELLED, "%s %s: cancelled", c->argv[0], c->what);
        return 0;
}

static int take_stdout(struct gb_child *c, struct gb_error *err)
{
        uint8_t chunk[16384];
        ssize_t n = read(c->out_fd, chunk, sizeof(chunk));

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return 0;
        if (n < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s %s: read", c->argv[0], c->what);
        if (n == 0)
                close_fd(&c->out_fd);
        else if ((size_t)n > c->max - c->out.len)
                return gb_error_set(err, GB_ERR_LIMIT, "%s %s: answer larger than %zu bytes", c->argv[0],
                                    c->what, c->max);
        else if (gb_buf_put(&c->out, chunk, (size_t)n) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "%s %s: out of memory", c->argv[0], c->what);
        return 0;
}

/* The beginning is kept, the rest read and dropped, so that the child never blocks on it. */
static void take_stderr(struct gb_child *c)
{
        char chunk[1024];
        ssize_t n = read(c->err_fd, chunk, sizeof(chunk));
        size_t room = GB_CHILD_STDERR_MAX - c->n_errors;

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return;
        if (n <= 0) {
                close_fd(&c->err_fd);
                return;
        }
        if ((size_t)n < room)
                room = (size_t)n;
        memcpy(c->errors + c->n_errors, chunk, room);
        c->n_errors += room;
        c->errors[c->n_errors] = '\0';
}

static int drain(struct gb_child *c, struct gb_error *err)
{
        while (c->out_fd >= 0 || c->err_fd >= 0) {
                struct pollfd fds[3] = {
                        [1] = {.fd = c->out_fd, .events = POLLIN},
                        [2] = {.fd = c->err_fd, .events = POLLIN},
                };

                if (wait_for(c, fds, 3, -1, err) < 0)
                        return -1;
                if (fds[1].revents && take_stdout(c, err) < 0)
                        return -1;
                if (fds[2].revents)
                        take_stderr(c);
        }
        return 0;
}

static int reap(struct gb_child *c, struct gb_error *err)
{
        for (;;) {
                struct pollfd cancel[1];
                pid_t got = waitpid(c->pid, &c->status, WNOHANG);

                /* ECHILD: a program that ignores SIGCHLD has its children reaped by the kernel. */
                if (got == c->pid || (got < 0 && errno == ECHILD)) {
                        c->reaped = true;
                        return 0;
                }
                if (wait_for(c, cancel, 1, REAP_POLL_MS, err) < 0)
                        return -1;
        }
}

/* ---- all of it ---- */

int gb_child_run(struct gb_child *c, struct gb_error *err)
{
        int rc;

        c->out_fd = c->err_fd = -1;
        c->pid = 0;
        c->reaped = false;
        c->n_errors = 0;
        c->errors[0] = '\0';
        gb_buf_init(&c->out, c->max);
        rc = start(c, err) < 0 || drain(c, err) < 0 || reap(c, err) < 0 ? -1 : 0;
        /* Every exit passes here: no child, no descriptor is left. */
        close_fd(&c->out_fd);
        close_fd(&c->err_fd);
        if (c->pid > 0 && !c->reaped) {
                kill(c->pid, SIGKILL);
                while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
                        ;
        }
        return rc;
}

void gb_child_fini(struct gb_child *c)
{
        gb_buf_fini(&c->out);
}

int gb_child_words(const struct gb_child *c, struct gb_error *err)
{
        const char *words = c->n_errors ? c->errors : (const char *)c->out.data;
        size_t n = c->n_errors ? c->n_errors : c->out.len;
        size_t line = 0;

        while (line < n && line < 300 && words[line] && words[line] != '\n')
                line++;
        if (line)
                return gb_error_set(err, GB_ERR_GLUSTER, "%s %s: %.*s", c->argv[0], c->what, (int)line,
                                    words);
        if (WIFSIGNALED(c->status))
                return gb_error_set(err, GB_ERR_GLUSTER, "%s %s: killed by signal %d", c->argv[0], c->what,
                                    WTERMSIG(c->status));
        return gb_error_set(err, GB_ERR_GLUSTER, "%s %s: no answer, exit status %d", c->argv[0], c->what,
                            WEXITSTATUS(c->status));
}

int gb_child_pause(int cancel_fd, int ms, const char *what, struct gb_error *err)
{
        const char *const none[] = {"waiting for", NULL};
        struct gb_child c = {.argv = none, .what = what, .deadline = GB_NEVER, .cancel_fd = cancel_fd};
        gb_deadline end = gb_deadline_in(ms);
        struct pollfd cancel[1];
        int left;

        while ((left = gb_deadline_left(end)) > 0)
                if (wait_for(&c, cancel, 1, left, err) < 0)
                        return -1;
        return 0;
}
