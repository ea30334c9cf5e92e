/*
 * ahead - see ahead.h.
 *
 *     WAITING ──> RUNNING ──> READY ──> taken, or dropped
 *
 * One mutex guards all states; which places are in use, only the walk's thread knows.  A job that runs is its
 * thread's alone; its memory is that of the last job in the same place, so a long walk allocates nothing.  Of
 * the jobs that wait, the one that is needed first is run first: that of the highest level, and there of the
 * lowest index.
 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ahead.h"
#include "base/block.h"
#include "base/limits.h"
#include "brick.h"

enum { JOBS = 64, JOBS_PER_LEVEL = 16, HELPERS_MAX = 64 };

enum state { READY, WAITING, RUNNING };

struct job {
        enum state state;
        bool used;
        bool whole; /* a directory to be read; else names to be looked at */
        bool failed;
        size_t level, index;
        int at;    /* descriptor of the level */
        int flags; /* for open */
        char name[GB_NAME_MAX + 1];
        struct gb_names names;
        struct gb_ahead_result result;
};

/* A thread, the walk's own too: what it needs for reading directories. */
struct hand {
        struct gb_ahead *ahead;
        pthread_t thread;
        char *dents;
};

struct gb_ahead {
        struct gb_look_rule rule;
        pthread_mutex_t mutex;
        pthread_cond_t work, done;
        bool stop;
        unsigned idle; /* helpers that sleep */
        unsigned n_hands;
        struct hand hands[HELPERS_MAX + 1]; /* the first is the walk's */
        size_t n;                           /* jobs in use are among the first n */
        struct job *jobs[JOBS];
        struct job *lent; /* taken by the walk */
};

/* ---- a look ---- */

char gb_type_of_dtype(uint8_t dtype)
{
        switch (dtype) {
        case DT_REG:
                return 'f';
        case DT_DIR:
                return 'd';
        case DT_LNK:
                return 'l';
        case DT_FIFO:
                return 'p';
        case DT_SOCK:
                return 's';
        case DT_BLK:
                return 'b';
        case DT_CHR:
                return 'c';
        default:
                return 0;
        }
}

bool gb_look_asks(const struct gb_look_rule *rule)
{
        return rule->linkto || rule->since || rule->until || !gb_measure_none(&rule->measure);
}

bool gb_look_needed(const struct gb_look_rule *rule, char type)
{
        return !type || rule->since || rule->until || (type == 'f' && gb_look_asks(rule));
}

bool gb_look_refuses(const struct gb_look_rule *rule, uint64_t verdict)
{
        if (verdict && !(verdict & GB_SEEN_IN_TIME))
                return true;
        return rule->unfit != ((verdict & GB_SEEN_UNFIT) != 0);
}

uint64_t gb_look_at(const struct gb_look_rule *rule, int fd, const char *name)
{
        uint64_t verdict = GB_SEEN;
        struct stat st;
        int linkto, fits = 1;

        if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        linkto = rule->linkto ? gb_linkto_at(fd, name, st.st_mode) : 0;
        if (linkto < 0)
                return 0;
        if (linkto)
                verdict |= GB_SEEN_LINKTO;
        else if (S_ISREG(st.st_mode))
                fits = gb_fits(&rule->measure, fd, name, &st);
        if (fits < 0)
                return 0;
        if (!fits)
                verdict |= GB_SEEN_UNFIT;
        if ((!rule->since || st.st_ctim.tv_sec >= rule->since) &&
            (!rule->until || st.st_ctim.tv_sec <= rule->until))
                verdict |= GB_SEEN_IN_TIME;
        return verdict | (uint64_t)(unsigned char)gb_entry_type(st.st_mode) << 8;
}

/* ---- the work ---- */

static void look_at_all(const struct gb_ahead *a, struct gb_names *names, int fd)
{
        for (size_t i = 0; i < names->v.n; i++) {
                struct gb_name *n = &names->v.v[i];
                char text[GB_NAME_MAX + 1];
                size_t len = gb_name_len(n);

                if (!gb_look_needed(&a->rule, gb_type_of_dtype(gb_name_dtype(n))))
                        continue;
                memcpy(text, gb_name_text(names, n), len);
                text[len] = '\0';
                n->key = gb_look_at(&a->rule, fd, text);
        }
}

static bool read_whole(const struct gb_ahead *a, struct job *j, char *dents)
{
        int rc;

        gb_names_cut(&j->names, 0, 0);
        j->result.fd = openat(j->at, j->name, j->flags);
        if (j->result.fd < 0)
                return false;
        j->names.dents = dents;
        while ((rc = gb_names_read(&j->names, j->result.fd)) > 0 && j->names.v.n <= GB_AHEAD_NAMES)
                ;
        j->names.dents = NULL;
        if (rc != 0)
                return false;
        gb_names_sort(&j->names, 0);
        look_at_all(a, &j->names, j->result.fd);
        return true;
}

/* The mutex is held before and after, not meanwhile. */
static void run_job(struct gb_ahead *a, struct job *j, char *dents)
{
        bool ok = true;

        j->state = RUNNING;
        pthread_mutex_unlock(&a->mutex);
        if (j->whole)
                ok = read_whole(a, j, dents);
        else
                look_at_all(a, &j->names, j->at);
        pthread_mutex_lock(&a->mutex);
        j->failed = !ok;
        j->state = READY;
}

/* The job that is needed first. */
static struct job *next_job(const struct gb_ahead *a)
{
        struct job *best = NULL;

        for (size_t i = 0; i < a->n; i++) {
                struct job *j = a->jobs[i];

                if (j->state == WAITING &&
                    (!best || j->level > best->level || (j->level == best->level && j->index < best->index)))
                        best = j;
        }
        return best;
}

static void *helper(void *arg)
{
        struct hand *h = arg;
        struct gb_ahead *a = h->ahead;

        pthread_mutex_lock(&a->mutex);
        while (!a->stop) {
                struct job *j = next_job(a);

                if (j) {
                        run_job(a, j, h->dents);
                        pthread_cond_signal(&a->done);
                        continue;
                }
                a->idle++;
                pthread_cond_wait(&a->work, &a->mutex);
                a->idle--;
        }
        pthread_mutex_unlock(&a->mutex);
        return NULL;
}

/* ---- jobs ---- */

static void free_job(struct job *j)
{
        if (j->result.fd >= 0)
                close(j->result.fd);
        j->result.fd = -1;
        j->used = false;
}

bool gb_ahead_room(const struct gb_ahead *a, size_t level)
{
        size_t all = 0, here = 0;

        for (size_t i = 0; i < a->n; i++) {
                all += a->jobs[i]->used;
                here += a->jobs[i]->used && a->jobs[i]->level == level;
        }
        return here < JOBS_PER_LEVEL && all < JOBS;
}

static struct job *unused_job(struct gb_ahead *a)
{
        struct job *j;

        for (size_t i = 0; i < a->n; i++)
                if (!a->jobs[i]->used)
                        return a->jobs[i];
        if (a->n == JOBS || !(j = calloc(1, sizeof(*j))))
                return NULL;
        j->result = (struct gb_ahead_result){.fd = -1, .names = &j->names};
        pthread_mutex_lock(&a->mutex);
        a->jobs[a->n++] = j;
        pthread_mutex_unlock(&a->mutex);
        return j;
}

static void start_job(struct gb_ahead *a, struct job *j, size_t level, size_t index, int at)
{
        j->used = true;
        j->level = level;
        j->index = index;
        j->at = at;
        pthread_mutex_lock(&a->mutex);
        j->state = WAITING;
        if (a->idle)
                pthread_cond_signal(&a->work);
        pthread_mutex_unlock(&a->mutex);
}

int gb_ahead_dir(struct gb_ahead *a, size_t level, size_t index, int fd, const char *name, size_t len,
                 int flags)
{
        struct job *j = unused_job(a);

        if (!j)
                return -1;
        j->whole = true;
        j->flags = flags;
        memcpy(j->name, name, len);
        j->name[len] = '\0';
        start_job(a, j, level, index, fd);
        return 0;
}

int gb_ahead_looks(struct gb_ahead *a, size_t level, size_t index, int fd, const struct gb_names *names,
                   size_t n)
{
        struct job *j = unused_job(a);

        if (!j)
                return -1;
        j->whole = false;
        gb_names_cut(&j->names, 0, 0);
        if (gb_names_append(&j->names, names, index, n) < 0)
                return -1;
        start_job(a, j, level, index, fd);
        return 0;
}

/* Until the job is ready: do it, or other work, or sleep.  The mutex is held. */
static void complete(struct gb_ahead *a, struct job *j)
{
        while (j->state != READY) {
                struct job *other = j->state == WAITING ? j : next_job(a);

                if (other)
                        run_job(a, other, a->hands[0].dents);
                else
                        pthread_cond_wait(&a->done, &a->mutex);
        }
}

static void drop(struct gb_ahead *a, struct job *j)
{
        if (j->state == WAITING)
                j->state = READY;
        while (j->state == RUNNING)
                pthread_cond_wait(&a->done, &a->mutex);
        free_job(j);
}

struct gb_ahead_result *gb_ahead_take(struct gb_ahead *a, size_t level, size_t index, bool whole)
{
        struct job *found = NULL;

        pthread_mutex_lock(&a->mutex);
        if (a->lent)
                free_job(a->lent);
        a->lent = NULL;
        for (size_t i = 0; i < a->n; i++) {
                struct job *j = a->jobs[i];

                if (!j->used || j->level != level)
                        continue;
                if (j->index == index && j->whole == whole)
                        found = j;
                else if (j->index < index)
                        drop(a, j);
        }
        if (found)
                complete(a, found);
        if (found && found->failed) {
                free_job(found);
                found = NULL;
        }
        a->lent = found;
        pthread_mutex_unlock(&a->mutex);
        return found ? &found->result : NULL;
}

void gb_ahead_drop(struct gb_ahead *a, size_t level)
{
        pthread_mutex_lock(&a->mutex);
        for (size_t i = 0; i < a->n; i++)
                if (a->jobs[i]->used && a->jobs[i] != a->lent && a->jobs[i]->level == level)
                        drop(a, a->jobs[i]);
        pthread_mutex_unlock(&a->mutex);
}

/* ---- threads ---- */

static int start_helper(struct gb_ahead *a, struct hand *h)
{
        sigset_t all, before;
        int rc;

        /* Signals are the worker's own business. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        rc = pthread_create(&h->thread, NULL, helper, h);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (rc == 0)
                a->n_hands++;
        return rc;
}

struct gb_ahead *gb_ahead_new(const struct gb_look_rule *rule, unsigned helpers, struct gb_error *err)
{
        struct gb_ahead *a = calloc(1, sizeof(*a));

        if (!a) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory for a walk");
                return NULL;
        }
        a->rule = *rule;
        pthread_mutex_init(&a->mutex, NULL);
        pthread_cond_init(&a->work, NULL);
        pthread_cond_init(&a->done, NULL);
        for (unsigned i = 0; i <= helpers && i <= HELPERS_MAX; i++) {
                struct hand *h = &a->hands[i];

                h->ahead = a;
                h->dents = malloc(GB_DENTS_SIZE);
                if (!h->dents) {
                        gb_error_set(err, GB_ERR_MEMORY, "out of memory for a walk");
                        gb_ahead_free(a);
                        return NULL;
                }
                if (i == 0)
                        a->n_hands = 1;
                else if ((errno = start_helper(a, h)) != 0) {
                        gb_error_sys(err, GB_ERR_SYSTEM, "a thread for a walk");
                        free(h->dents);
                        gb_ahead_free(a);
                        return NULL;
                }
        }
        return a;
}

void gb_ahead_free(struct gb_ahead *a)
{
        if (!a)
                return;
        pthread_mutex_lock(&a->mutex);
        a->stop = true;
        pthread_cond_broadcast(&a->work);
        pthread_mutex_unlock(&a->mutex);
        for (unsigned i = 1; i < a->n_hands; i++)
                pthread_join(a->hands[i].thread, NULL);
        for (unsigned i = 0; i < a->n_hands; i++)
                free(a->hands[i].dents);
        for (size_t i = 0; i < a->n; i++) {
                free_job(a->jobs[i]);
                gb_names_fini(&a->jobs[i]->names);
                free(a->jobs[i]);
        }
        pthread_cond_destroy(&a->work);
        pthread_cond_destroy(&a->done);
        pthread_mutex_destroy(&a->mutex);
        free(a);
}
