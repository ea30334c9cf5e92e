/*
 * gluster - run gluster(8), by argument vector and within limits.
 *
 * The child gets /dev/null, two pipes, a clean signal state and our environment in the C locale: its
 * messages are compared.  It is waited for with a deadline of our own, because it may hang on a
 * glusterd that is stuck, and with a descriptor that cancels.  Whatever happens, it is reaped before
 * we return.
 *
 * glusterd serves one transaction per volume at a time, in the whole cluster; a second one is told to
 * come back.  So that answer is no failure until a minute of growing pauses has passed.
 */
#include <config.h>

#include "gluster.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/limits.h"
#include "glusterd.h"

/* What is kept of stderr, for the message. */
#define STDERR_MAX 1024
/* Patience with "Another transaction is in progress", the first pause and the longest. */
#define RETRY_MS       60000
#define RETRY_FIRST_MS 250
#define RETRY_PAUSE_MS 5000
/* How often a child that closed its output but has not ended yet is looked at. */
#define REAP_POLL_MS 10
/* Bytes of a value handed to "volume set". */
#define VALUE_MAX 4096
/* Words behind "gluster --mode=script --xml", at most. */
#define WORDS_MAX 6

struct run {
        const struct gb_gluster *g;
        const char *what; /* for messages: "volume info" */
        gb_deadline deadline;
        pid_t pid;
        int status; /* of waitpid, once reaped */
        bool reaped;
        int out_fd;
        int err_fd;
        struct gb_buf out;
        char errors[STDERR_MAX + 1];
        size_t n_errors;
};

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
static int spawn(struct run *r, char *const argv[], int out, int err_out)
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
                rc = posix_spawnp(&r->pid, r->g->program, &files, &attr, argv, env);
        posix_spawnattr_destroy(&attr);
        posix_spawn_file_actions_destroy(&files);
        return rc;
}

static int start(struct run *r, char *const argv[], struct gb_error *err)
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
        r->out_fd = out[0];
        r->err_fd = errs[0];
        rc = spawn(r, argv, out[1], errs[1]);
        close(out[1]);
        close(errs[1]);
        if (rc == 0)
                return 0;
        r->pid = 0;
        errno = rc;
        return gb_error_sys(err, GB_ERR_GLUSTER, "run %s", r->g->program);
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
static int wait_for(const struct run *r, struct pollfd *fds, nfds_t n, int ms, struct gb_error *err)
{
        int left = gb_deadline_left(r->deadline);

        fds[0] = (struct pollfd){.fd = r->g->cancel_fd, .events = POLLIN};
        if (left == 0)
                return gb_error_set(err, GB_ERR_TIMEOUT, "%s %s: no answer in time", r->g->program, r->what);
        if (ms < 0 || (left > 0 && left < ms))
                ms = left;
        if (poll(fds, n, ms) < 0 && errno != EINTR)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s %s: poll", r->g->program, r->what);
        if (fds[0].revents)
                return gb_error_set(err, GB_ERR_CANCELLED, "%s %s: cancelled", r->g->program, r->what);
        return 0;
}

static int take_stdout(struct run *r, struct gb_error *err)
{
        uint8_t chunk[16384];
        ssize_t n = read(r->out_fd, chunk, sizeof(chunk));

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return 0;
        if (n < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s %s: read", r->g->program, r->what);
        if (n == 0)
                close_fd(&r->out_fd);
        else if ((size_t)n > GB_XML_MAX - r->out.len)
                return gb_error_set(err, GB_ERR_LIMIT, "%s %s: answer larger than %d bytes", r->g->program,
                                    r->what, GB_XML_MAX);
        else if (gb_buf_put(&r->out, chunk, (size_t)n) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "%s %s: out of memory", r->g->program, r->what);
        return 0;
}

/* The beginning is kept, the rest read and dropped, so that the child never blocks on it. */
static void take_stderr(struct run *r)
{
        char chunk[1024];
        ssize_t n = read(r->err_fd, chunk, sizeof(chunk));
        size_t room = STDERR_MAX - r->n_errors;

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return;
        if (n <= 0) {
                close_fd(&r->err_fd);
                return;
        }
        if ((size_t)n < room)
                room = (size_t)n;
        memcpy(r->errors + r->n_errors, chunk, room);
        r->n_errors += room;
        r->errors[r->n_errors] = '\0';
}

static int drain(struct run *r, struct gb_error *err)
{
        while (r->out_fd >= 0 || r->err_fd >= 0) {
                struct pollfd fds[3] = {
                        [1] = {.fd = r->out_fd, .events = POLLIN},
                        [2] = {.fd = r->err_fd, .events = POLLIN},
                };

                if (wait_for(r, fds, 3, -1, err) < 0)
                        return -1;
                if (fds[1].revents && take_stdout(r, err) < 0)
                        return -1;
                if (fds[2].revents)
                        take_stderr(r);
        }
        return 0;
}

static int reap(struct run *r, struct gb_error *err)
{
        for (;;) {
                struct pollfd cancel[1];
                pid_t got = waitpid(r->pid, &r->status, WNOHANG);

                /* ECHILD: a program that ignores SIGCHLD has its children reaped by the kernel. */
                if (got == r->pid || (got < 0 && errno == ECHILD)) {
                        r->reaped = true;
                        return 0;
                }
                if (wait_for(r, cancel, 1, REAP_POLL_MS, err) < 0)
                        return -1;
        }
}

/* Every exit passes here: no child, no descriptor is left. */
static void finish(struct run *r)
{
        close_fd(&r->out_fd);
        close_fd(&r->err_fd);
        if (r->pid > 0 && !r->reaped) {
                kill(r->pid, SIGKILL);
                while (waitpid(r->pid, &r->status, 0) < 0 && errno == EINTR)
                        ;
        }
        gb_buf_fini(&r->out);
}

/* ---- one command ---- */

/* No XML at all: gluster says why in plain words, on either stream. */
static int plain_words(const struct run *r, struct gb_error *err)
{
        const char *words = r->n_errors ? r->errors : (const char *)r->out.data;
        size_t n = r->n_errors ? r->n_errors : r->out.len;
        size_t line = 0;

        while (line < n && line < 300 && words[line] && words[line] != '\n')
                line++;
        if (line)
                return gb_error_set(err, GB_ERR_GLUSTER, "%s %s: %.*s", r->g->program, r->what, (int)line,
                                    words);
        if (WIFSIGNALED(r->status))
                return gb_error_set(err, GB_ERR_GLUSTER, "%s %s: killed by signal %d", r->g->program, r->what,
                                    WTERMSIG(r->status));
        return gb_error_set(err, GB_ERR_GLUSTER, "%s %s: no answer, exit status %d", r->g->program, r->what,
                            WEXITSTATUS(r->status));
}

/* What to do with the XML of a run. */
typedef int (*take_fn)(const void *xml, size_t len, void *arg, struct gb_error *err);

static int run_once(const struct gb_gluster *g, char *const argv[], const char *what, take_fn take, void *arg,
                    struct gb_error *err)
{
        struct run r = {.g = g, .what = what, .out_fd = -1, .err_fd = -1};
        int rc = -1;

        r.deadline = gb_deadline_in(g->timeout_ms ? g->timeout_ms : GB_GLUSTER_MS);
        gb_buf_init(&r.out, GB_XML_MAX);
        if (start(&r, argv, err) < 0 || drain(&r, err) < 0 || reap(&r, err) < 0)
                goto out;
        if (!r.out.len || r.out.data[0] != '<') {
                plain_words(&r, err);
                goto out;
        }
        rc = take(r.out.data, r.out.len, arg, err);
        if (rc < 0)
                gb_error_prefix(err, "%s %s", g->program, what);
out:
        finish(&r);
        return rc;
}

/* Pause before another try; -1: cancelled. */
static int pause_for(const struct gb_gluster *g, const char *what, int ms, struct gb_error *err)
{
        struct run r = {.g = g, .what = what, .deadline = GB_NEVER};
        gb_deadline end = gb_deadline_in(ms);
        struct pollfd cancel[1];
        int left;

        while ((left = gb_deadline_left(end)) > 0)
                if (wait_for(&r, cancel, 1, left, err) < 0)
                        return -1;
        return 0;
}

/* Run `gluster <words>` and hand its XML to `take`, again and again while glusterd is busy.  `words`
 * ends in NULL; posix_spawn wants them writable and does not write. */
static int run(const struct gb_gluster *g, const char *const words[], const char *what, take_fn take,
               void *arg, struct gb_error *err)
{
        const char *argv[WORDS_MAX + 4] = {g->program, "--mode=script", "--xml"};
        gb_deadline give_up = gb_deadline_in(RETRY_MS);
        struct gb_error e = {.code = GB_OK};
        int pause_ms = RETRY_FIRST_MS;
        int rc;

        for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
                argv[3 + i] = words[i];
        for (;;) {
                rc = run_once(g, (char *const *)argv, what, take, arg, &e);
                if (rc == 0 || e.code != GB_ERR_AGAIN || gb_deadline_left(give_up) < pause_ms)
                        break;
                rc = pause_for(g, what, pause_ms, &e);
                if (rc < 0)
                        break;
                pause_ms = pause_ms * 2 < RETRY_PAUSE_MS ? pause_ms * 2 : RETRY_PAUSE_MS;
        }
        if (rc < 0 && err)
                *err = e;
        return rc;
}

/* ---- the commands ---- */

struct info_arg {
        const char *volume;
        struct gb_volinfo *v;
};

static int take_info(const void *xml, size_t len, void *arg, struct gb_error *err)
{
        struct info_arg *a = arg;

        return gb_xml_volume_info(xml, len, a->volume, a->v, err);
}

static int take_status(const void *xml, size_t len, void *arg, struct gb_error *err)
{
        return gb_xml_volume_status(xml, len, arg, err);
}

static int take_pool(const void *xml, size_t len, void *arg, struct gb_error *err)
{
        return gb_xml_pool_list(xml, len, arg, err);
}

static int take_result(const void *xml, size_t len, void *arg, struct gb_error *err)
{
        (void)arg;
        return gb_xml_result(xml, len, err);
}

static int check_volume(const char *volume, struct gb_error *err)
{
        if (gb_volume_name_valid(volume))
                return 0;
        return gb_error_set(err, GB_ERR_NO_VOLUME, "not a volume name: %.64s", volume);
}

int gb_gluster_info(const struct gb_gluster *g, const char *volume, struct gb_volinfo *v,
                    struct gb_error *err)
{
        const char *const info[] = {"volume", "info", volume, NULL};
        struct info_arg arg = {volume, v};

        *v = (struct gb_volinfo){.name = NULL};
        if (check_volume(volume, err) < 0)
                return -1;
        if (run(g, info, "volume info", take_info, &arg, err) < 0)
                return gb_error_prefix(err, "volume %s", volume);
        return 0;
}

int gb_gluster_topology(const struct gb_gluster *g, const char *volume, struct gb_volinfo *v,
                        struct gb_error *err)
{
        const char *const status[] = {"volume", "status", volume, NULL};
        const char *const pool[] = {"pool", "list", NULL};

        if (gb_gluster_info(g, volume, v, err) < 0)
                return -1;
        if (v->started && run(g, status, "volume status", take_status, v, err) < 0)
                goto fail;
        if (run(g, pool, "pool list", take_pool, v, err) < 0)
                goto fail;
        return 0;
fail:
        gb_volinfo_fini(v);
        return -1;
}

/* gluster reads a word with a leading hyphen as an option of its own, wherever it stands. */
static bool argument_valid(const char *s)
{
        size_t n = 0;

        if (*s == '-')
                return false;
        for (; s[n]; n++)
                if ((unsigned char)s[n] < ' ' || s[n] == 0x7f || n == VALUE_MAX)
                        return false;
        return n > 0;
}

int gb_gluster_set(const struct gb_gluster *g, const char *volume, const char *key, const char *value,
                   struct gb_error *err)
{
        const char *const set[] = {"volume", "set", volume, key, value, NULL};

        if (check_volume(volume, err) < 0)
                return -1;
        if (!argument_valid(key) || !argument_valid(value))
                return gb_error_set(err, GB_ERR_USAGE, "volume set %s: not an option: %.64s=%.64s", volume,
                                    key, value);
        return run(g, set, "volume set", take_result, NULL, err);
}
