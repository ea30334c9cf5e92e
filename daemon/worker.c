/*
 * worker - set the stage, serve, leave.
 *
 * A thread of its own watches for the peer's going: a client that was killed must not keep its session
 * locked, or gluster(8) busy, for the minutes a call may take.  It ends the process at once, which is
 * safe at any instant: the session store is transactional and temporary files have no name.
 */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "transport.h"
#include "worker.h"

#define WATCHER_STACK (256 * 1024)
#define GRACE_US      100000
/* How long a peer whose handshake failed may take to read why. */
#define LINGER_MS 1000

extern void gbackup_program_1(struct svc_req *, SVCXPRT *); /* rpcgen's dispatcher; its header omits it */

#define ANY                       (GB_WORKER_NEW | GB_WORKER_READY | GB_WORKER_STREAMING)
#define PROC(name, states, right) [GBX_##name] = {#name, states, GB_RIGHT_##right}

static const struct {
        const char *name;
        unsigned states;     /* in which it may be called */
        enum gb_right right; /* that it needs; which volume, the handler looks at */
} procedures[] = {
        PROC(NULL, ANY, NONE),
        PROC(HELLO, GB_WORKER_NEW, NONE),
        PROC(TOPOLOGY, GB_WORKER_READY, LIST),
        PROC(BRICK_STATUS, GB_WORKER_READY, LIST),
        PROC(CURSOR, GB_WORKER_READY, LIST),
        PROC(OPEN, GB_WORKER_READY, LIST),
        PROC(NEXT, GB_WORKER_STREAMING, LIST),
        PROC(CLOSE, GB_WORKER_STREAMING, LIST),
        PROC(LOOK, GB_WORKER_READY, LIST),
        PROC(EXISTS, GB_WORKER_READY, LIST),
        PROC(SESSION_REGISTER, GB_WORKER_READY, SESSION),
        PROC(SESSION_LOCK, GB_WORKER_READY, SESSION),
        PROC(SESSION_UNLOCK, GB_WORKER_READY, SESSION),
        PROC(SESSION_PREPARE, GB_WORKER_READY, SESSION),
        PROC(SESSION_COMMIT, GB_WORKER_READY, SESSION),
        PROC(SESSION_ABORT, GB_WORKER_READY, SESSION),
        PROC(SESSION_UNREGISTER, GB_WORKER_READY, SESSION),
        PROC(SESSION_LIST, GB_WORKER_READY, SESSION),
        PROC(CHANGELOG_ENABLE, GB_WORKER_READY, SESSION),
        PROC(SESSION_LAST_FULL, GB_WORKER_READY, SESSION),
        PROC(EXAMINE, GB_WORKER_READY, LIST),
        PROC(CHANGELOG_USAGE, GB_WORKER_READY, LIST),
        PROC(CHANGELOG_PURGE, GB_WORKER_READY, NODE),
        PROC(TIMES, GB_WORKER_READY, LIST),
};
#define N_PROCEDURES (sizeof(procedures) / sizeof(procedures[0]))

const char *gb_worker_proc_name(rpcproc_t proc)
{
        return proc < N_PROCEDURES && procedures[proc].name ? procedures[proc].name : "?";
}

static const char *state_text(enum gb_worker_state state)
{
        switch (state) {
        case GB_WORKER_NEW:
                return "before HELLO";
        case GB_WORKER_READY:
                return "while no stream is open";
        case GB_WORKER_STREAMING:
                return "while a stream is open";
        }
        return "now";
}

int gb_worker_allows(const struct gb_worker *w, rpcproc_t proc, struct gb_error *err)
{
        if (proc < N_PROCEDURES && (procedures[proc].states & (unsigned)w->state))
                return gb_caller_may(&w->caller, procedures[proc].right, procedures[proc].name, NULL, err);
        return gb_error_set(err, GB_ERR_USAGE, "%s cannot be called %s", gb_worker_proc_name(proc),
                            state_text(w->state));
}

struct gb_store *gb_worker_store(struct gb_worker *w, struct gb_error *err)
{
        if (!w->store)
                w->store = gb_store_open(w->settings->state_dir, err);
        return w->store;
}

void gb_worker_end_stream(struct gb_worker *w)
{
        gb_stream_close(w->stream);
        w->stream = NULL;
        if (w->state == GB_WORKER_STREAMING)
                w->state = GB_WORKER_READY;
}

/* A local peer that leaves hangs both directions up (POLLHUP); over TCP its FIN is all we ever see
 * (POLLRDHUP).  The read end of a pipe that is gone shows at our write end (POLLERR). */
static short leaving_events(int fd)
{
        int domain = AF_UNSPEC;
        socklen_t len = sizeof(domain);

        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
        return domain == AF_INET || domain == AF_INET6 ? POLLRDHUP : 0;
}

static void *watch(void *arg)
{
        int fd = (int)(intptr_t)arg;
        struct pollfd p = {.fd = fd, .events = leaving_events(fd)};

        while (poll(&p, 1, -1) < 0 && errno == EINTR)
                ;
        /* A worker that waits for a request notices by itself, and leaves in order. */
        usleep(GRACE_US);
        _exit(0);
}

/* Without the watcher only a slow call outlives its client: no reason to refuse service. */
static void start_watcher(int fd)
{
        pthread_attr_t attr;
        pthread_t thread;

        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attr, WATCHER_STACK);
        if (pthread_create(&thread, &attr, watch, (void *)(intptr_t)fd) != 0)
                gb_log(GB_LOG_WARNING,
                       "cannot watch the connection: a call will outlive a client that is killed");
        pthread_attr_destroy(&attr);
}

static void worker_init(struct gb_worker *w, const struct gb_settings *settings)
{
        memset(w, 0, sizeof(*w));
        w->settings = settings;
        w->state = GB_WORKER_NEW;
        w->gluster.program = settings->gluster_program;
        w->gluster.cancel_fd = -1;
        w->lock = (struct gb_lock)GB_LOCK_NONE;
        gb_buf_init(&w->chunk, GB_CHUNK_MAX);
        w->server.dispatch = gbackup_program_1;
        w->server.program = GBACKUP_PROGRAM;
        w->server.version = GBACKUP_V1;
        w->server.request_max = GB_PREAUTH_MAX;
        w->server.reply_max = GB_CHUNK_MAX + GB_REPLY_SLACK;
        w->server.idle_ms = GB_HANDSHAKE_MS;
        w->server.login_until = gb_deadline_in(GB_HANDSHAKE_MS);
        w->server.context = w;
}

/* ---- TLS ---- */

/* The files are read for each connection: what tls setup has put in place counts at once.  Without files
 * that can be used he is told no; why is in the log. */
static bool offer_tls(struct gb_server *s)
{
        struct gb_worker *w = s->context;
        struct gb_error why;

        if (!w->tls)
                w->tls = gb_tls_load(w->settings->tls_dir, GB_TLS_SERVER, &why);
        if (!w->tls)
                gb_log(GB_LOG_WARNING, "%s: cannot offer TLS: %s; see gbackup-cli tls setup",
                       s->transport->peer, why.text);
        return w->tls != NULL;
}

static int start_tls(struct gb_server *s, struct gb_error *err)
{
        struct gb_worker *w = s->context;
        int rc = gb_tls_accept(w->tls, &s->transport, s->login_until, &w->peer, err);

        if (rc < 0)
                gb_transport_linger(s->transport, LINGER_MS);
        return rc;
}

static void worker_fini(struct gb_worker *w)
{
        gb_worker_end_stream(w);
        gb_lock_drop(&w->lock);
        gb_store_close(w->store);
        gb_buf_fini(&w->chunk);
        gb_glusterd_fini(&w->gd);
        gb_transport_close(w->server.transport);
        gb_tls_peer_fini(&w->peer);
        gb_tls_free(w->tls); /* the stream's messages name our certificate */
        gb_caller_fini(&w->caller);
}

static int serve(struct gb_worker *w, int rfd, int wfd, const char *peer, struct gb_error *err)
{
        w->server.need_tls = w->mark != NULL;
        w->server.offer_tls = w->mark ? offer_tls : NULL;
        w->server.start_tls = start_tls;
        w->server.transport = gb_transport_plain(rfd, wfd, -1, peer, err);
        if (!w->server.transport ||
            gb_glusterd_init(&w->gd, w->settings->glusterd_dir, w->settings->gluster_run_dir, err) < 0)
                return -1;
        start_watcher(w->server.transport->wfd);
        return gb_server_run(&w->server, err);
}

/* Users of the volume come first.  Threads that are made later inherit it. */
static void stand_back(const struct gb_settings *s)
{
        enum { WHO_PROCESS = 1, CLASS_IDLE = 3, CLASS_SHIFT = 13 }; /* linux/ioprio.h */
        int now = getpriority(PRIO_PROCESS, 0);

        if (now < (int)s->nice)
                setpriority(PRIO_PROCESS, 0, (int)s->nice);
        if (s->io_idle)
                syscall(SYS_ioprio_set, WHO_PROCESS, 0, CLASS_IDLE << CLASS_SHIFT);
}

int gb_worker_run(const struct gb_settings *settings, int rfd, int wfd, unsigned char *mark, const char *peer)
{
        struct gb_worker w;
        struct gb_error err;
        int rc;

        signal(SIGPIPE, SIG_IGN);
        stand_back(settings);
        worker_init(&w, settings);
        w.mark = mark;
        /* Spilled runs go there.  Whatever is wrong with it is told by the call that needs it. */
        (void)!mkdir(settings->state_dir, 0700);
        gb_log_field("PEER", peer);
        gb_log(GB_LOG_DEBUG, "%s: connected", peer);
        rc = serve(&w, rfd, wfd, peer, &err);
        if (rc < 0)
                gb_log(GB_LOG_WARNING, "%s: %s", peer, err.text);
        else
                gb_log(GB_LOG_DEBUG, "%s: left", peer);
        worker_fini(&w);
        return rc < 0 ? 1 : 0;
}
