/*
 * loop - accept, fork, reap.
 *
 *     gbackupd                     listener: root, a few MiB, reads no byte that a peer sent
 *      +- gbackupd                 worker: one connection, parses and works, dies with it
 *      |   `- gluster volume info  now and then
 *      +- gbackupd
 *
 * Why it is small and does nothing else: fork copies its page tables for each connection, and whatever
 * happens in here happens to everybody.  Signals come through a descriptor, so that there is one place
 * where the process sleeps, and it sleeps until something is there: an idle gbackupd never wakes.
 *
 * Children are tracked by pid, for four reasons: the bounds (in all, and per address) count them; a
 * death by a signal is worth a line in the log; on SIGTERM exactly ours are ended; and a pid that was
 * reaped is forgotten at once, so no signal ever goes to a stranger that got the number.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "listen.h"
#include "loop.h"
#include "notify.h"
#include "trim.h"
#include "worker.h"

/* How long the listener rests when it has no descriptors left; workers are given to end. */
#define PAUSE_MS 100
#define GRACE_MS 5000
/* A worker's badness for the OOM killer: of all on the node, it is the one that can be run again. */
#define OOM_SCORE "300"

struct child {
        pid_t pid;
        struct gb_peer peer;
        unsigned mark; /* its place in loop.marks */
        uint64_t born; /* counts up */
};

struct loop {
        struct gb_settings *settings;
        gb_loop_reload reload;
        struct gb_listeners listeners;
        struct child children[GB_WORKERS_MAX];
        size_t n;
        /* Shared with the workers: one that has let its caller in sets its byte, and is no stranger's. */
        unsigned char *marks;
        int signals;        /* signalfd */
        sigset_t inherited; /* mask to give back to children */
        gb_deadline rest;   /* not accepting until then; 0: accepting */
        uint64_t births;
        bool ending;
        bool trimmed; /* since the last worker ended */
};

/* ---- children ---- */

/* A connection from the network whose caller was not let in, or not yet. */
static bool is_stranger(const struct loop *l, const struct child *c)
{
        return c->peer.key[0] == 'a' && !l->marks[c->mark];
}

/* Connections from that address that have not said who they are, or not yet. */
static size_t strangers_of(const struct loop *l, const struct gb_peer *p)
{
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++)
                n += is_stranger(l, &l->children[i]) &&
                     !memcmp(l->children[i].peer.key, p->key, sizeof(p->key));
        return n;
}

static void told_dead(const struct child *c, int status)
{
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM)
                gb_log(GB_LOG_ERROR, "worker %d (%s) was killed by signal %d (%s)", (int)c->pid, c->peer.text,
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
}

static void reap(struct loop *l)
{
        int status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                for (size_t i = 0; i < l->n; i++)
                        if (l->children[i].pid == pid) {
                                told_dead(&l->children[i], status);
                                l->children[i] = l->children[--l->n];
                                break;
                        }
}

static void signal_all(const struct loop *l, int sig)
{
        for (size_t i = 0; i < l->n; i++)
                kill(l->children[i].pid, sig);
}

/* ---- becoming a worker ---- */

static void raise_oom_score(void)
{
        GB_CLEANUP_CLOSE
        int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

        if (fd >= 0)
                (void)!write(fd, OOM_SCORE, sizeof(OOM_SCORE) - 1);
}

/* In the child: leave everything of the listener's behind.  Never returns. */
static void become_worker(struct loop *l, int fd, const struct gb_peer *peer, unsigned mark, pid_t parent)
{
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent) /* it died before we asked to be told */
                _exit(1);
        gb_listeners_close(&l->listeners, false);
        close(l->signals);
        signal(SIGHUP, SIG_IGN);
        sigprocmask(SIG_SETMASK, &l->inherited, NULL);
        raise_oom_score();
        exit(gb_worker_run(l->settings, fd, fd, peer->key[0] == 'a' ? &l->marks[mark] : NULL, peer->text));
}

static unsigned free_mark(const struct loop *l)
{
        unsigned mark = 0;

        for (size_t i = 0; i < l->n;)
                if (l->children[i].mark == mark) {
                        mark++;
                        i = 0;
                } else {
                        i++;
                }
        return mark;
}

static void spawn(struct loop *l, int fd, const struct gb_peer *peer)
{
        unsigned mark = free_mark(l);
        pid_t parent = getpid();
        pid_t pid;

        l->marks[mark] = 0;
        pid = fork();
        if (pid == 0)
                become_worker(l, fd, peer, mark, parent);
        if (pid < 0)
                gb_log(GB_LOG_ERROR, "cannot fork a worker for %s: %s", peer->text, strerror(errno));
        else
                l->children[l->n++] = (struct child){pid, *peer, mark, l->births++};
}

/* ---- accepting ---- */

/*
 * End a stranger to make room: the oldest of the address that has most.  Saying who one is takes
 * milliseconds, so in a crowd of those who never will, an honest caller is the last to be ended.
 * `address`: look only there.
 */
static bool end_stranger(struct loop *l, const struct gb_peer *address)
{
        struct child *worst = NULL;
        size_t most = 0;

        for (size_t i = 0; i < l->n; i++) {
                struct child *c = &l->children[i];
                size_t n;

                if (!is_stranger(l, c) ||
                    (address && memcmp(c->peer.key, address->key, sizeof(address->key)) != 0))
                        continue;
                n = strangers_of(l, &c->peer);
                if (n < most || (n == most && c->born > worst->born))
                        continue;
                worst = c;
                most = n;
        }
        if (!worst)
                return false;
        kill(worst->pid, SIGKILL);
        while (waitpid(worst->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        *worst = l->children[--l->n];
        return true;
}

/* Whom we take.  Refusing is accept and close: anything said would have to wait for the peer. */
static bool welcome(struct loop *l, const struct gb_listener *from, int fd, struct gb_peer *peer)
{
        struct gb_error err;

        if (gb_peer_identify(from, fd, peer, &err) < 0) {
                gb_log(GB_LOG_WARNING, "refused: %s", err.text);
                return false;
        }
        /* On the local socket only root gets this far, and its CLI opens two connections for each brick. */
        if (peer->key[0] == 'a' && strangers_of(l, peer) >= l->settings->max_workers_per_address &&
            end_stranger(l, peer))
                gb_log(GB_LOG_INFO,
                       "%s: max_workers_per_address = %u have not said who they are, one was ended",
                       peer->text, l->settings->max_workers_per_address);
        if (l->n >= l->settings->max_workers && !end_stranger(l, NULL)) {
                gb_log(GB_LOG_WARNING, "refused %s: max_workers = %u are busy", peer->text,
                       l->settings->max_workers);
                return false;
        }
        return true;
}

static void accept_one(struct loop *l, const struct gb_listener *from)
{
        GB_CLEANUP_CLOSE
        int fd = accept4(from->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct gb_peer peer;

        if (fd >= 0) {
                if (welcome(l, from, fd, &peer))
                        spawn(l, fd, &peer);
                return;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                /* The connection stays in the queue, so poll would report it for ever. */
                gb_log(GB_LOG_WARNING, "cannot accept: %s", strerror(errno));
                l->rest = gb_deadline_in(PAUSE_MS);
        }
}

/* ---- signals ---- */

static void reload(struct loop *l)
{
        struct gb_settings next;
        struct gb_error err;

        gb_notify_reloading();
        if (l->reload(&next, &err) < 0) {
                gb_log(GB_LOG_ERROR, "configuration not reloaded, the old one stays: %s", err.text);
        } else {
                l->settings->log_level = next.log_level;
                l->settings->max_workers = next.max_workers;
                l->settings->max_workers_per_address = next.max_workers_per_address;
                l->settings->memory_limit = next.memory_limit;
                l->settings->scan_threads = next.scan_threads;
                l->settings->scan_rate = next.scan_rate;
                l->settings->nice = next.nice;
                l->settings->io_idle = next.io_idle;
                gb_log_setup("gbackupd", next.log_level);
                gb_log(GB_LOG_NOTICE, "configuration reloaded; paths and addresses are those of the start");
        }
        gb_notify("READY=1");
}

static void take_signals(struct loop *l)
{
        struct signalfd_siginfo si;

        while (read(l->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
                if (si.ssi_signo == SIGHUP && !l->ending)
                        reload(l);
                else if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT)
                        l->ending = true;
        }
        reap(l);
}

static int open_signals(struct loop *l, struct gb_error *err)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        signal(SIGPIPE, SIG_IGN);
        sigprocmask(SIG_BLOCK, &set, &l->inherited);
        l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return l->signals < 0 ? gb_error_sys(err, GB_ERR_SYSTEM, "signalfd") : 0;
}

/* ---- the loop ---- */

static int wait_for_work(struct loop *l, struct pollfd *p, nfds_t *n, struct gb_error *err)
{
        int timeout = -1;

        *n = 0;
        p[(*n)++] = (struct pollfd){.fd = l->signals, .events = POLLIN};
        if (l->rest && gb_deadline_left(l->rest) == 0)
                l->rest = 0;
        if (l->rest)
                timeout = gb_deadline_left(l->rest);
        for (size_t i = 0; !l->rest && i < l->listeners.n; i++)
                p[(*n)++] = (struct pollfd){.fd = l->listeners.v[i].fd, .events = POLLIN};
        if (poll(p, *n, timeout) < 0 && errno != EINTR)
                return gb_error_sys(err, GB_ERR_SYSTEM, "poll");
        return 0;
}

static int serve(struct loop *l, struct gb_error *err)
{
        struct pollfd p[1 + GB_LISTENERS_MAX];
        nfds_t n;

        while (!l->ending) {
                if (l->n == 0 && !l->trimmed)
                        gb_trim();
                l->trimmed = l->n == 0;
                if (wait_for_work(l, p, &n, err) < 0)
                        return -1;
                if (p[0].revents)
                        take_signals(l);
                for (nfds_t i = 1; i < n && !l->ending; i++)
                        if (p[i].revents)
                                accept_one(l, &l->listeners.v[i - 1]);
        }
        return 0;
}

/* Workers are asked to go, then made to. */
static void end_workers(struct loop *l)
{
        gb_deadline until = gb_deadline_in(GRACE_MS);
        struct pollfd p = {.fd = l->signals, .events = POLLIN};

        signal_all(l, SIGTERM);
        reap(l);
        while (l->n && gb_deadline_left(until) > 0)
                if (poll(&p, 1, gb_deadline_left(until)) > 0)
                        take_signals(l);
        if (l->n)
                gb_log(GB_LOG_WARNING, "%zu workers did not end in %d s and are killed", l->n,
                       GRACE_MS / 1000);
        signal_all(l, SIGKILL);
}

static int run(struct loop *l, struct gb_error *err)
{
        int rc = open_signals(l, err);

        if (rc < 0)
                return rc;
        gb_log(GB_LOG_NOTICE, "gbackupd " PACKAGE_VERSION " listens on %s%s%s", l->settings->socket,
               *l->settings->listen ? " and " : "", l->settings->listen);
        gb_notify("READY=1");
        rc = serve(l, err);
        gb_notify("STOPPING=1");
        return rc;
}

int gb_loop_run(struct gb_settings *s, gb_loop_reload reload_fn, struct gb_error *err)
{
        /* Not on the stack: memory of workers that never came is never touched. */
        GB_CLEANUP_FREE
        struct loop *l = calloc(1, sizeof(*l));
        int rc;

        if (!l)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        l->settings = s;
        l->reload = reload_fn;
        l->signals = -1;
        l->marks = mmap(NULL, GB_WORKERS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (l->marks == MAP_FAILED)
                return gb_error_sys(err, GB_ERR_SYSTEM, "mmap");
        if (gb_listeners_open(&l->listeners, s, err) < 0)
                return -1;
        rc = run(l, err);
        gb_listeners_close(&l->listeners, true);
        end_workers(l);
        if (l->signals >= 0)
                close(l->signals);
        return rc;
}
