/*
 * nb_job - one NetBackup job as the hooks saw it: which list it got, which streams began, ended, and are
 * known to be good.
 *
 * Kept in STATE_DIR/SESSION.job, under a lock, because the hooks of several streams run side by side.  A job
 * is open from the first `start` until its list is committed or given up.
 */
#ifndef GB_NB_JOB_H
#define GB_NB_JOB_H

#include <jansson.h>

#include "base/clock.h"

#include "nb_conf.h"

/* What NetBackup says of a job: arguments of the hooks, and the environment. */
struct gb_nb_call {
        const char *client, *policy, *schedule;
        enum gb_nb_type type;
        int status;       /* end, exit */
        int stream;       /* exit: -1 the parent job, 0 not multistreamed; start, end: 0 if not told */
        int stream_count; /* start, end: 0 if not told */
        bool done_trying; /* exit */
};

struct gb_nb_job {
        char *file; /* owned */
        int lock;
        json_t *state; /* NULL: there was no job yet */
};

/* Lock and load; waits for the lock until `until` (gb_now_ms), or `cancel_fd` is readable. */
int gb_nb_job_open(struct gb_nb_job *j, const struct gb_nb_conf *conf, gb_deadline until, int cancel_fd,
                   struct gb_error *err);
void gb_nb_job_close(struct gb_nb_job *j);

/* A new one in place of whatever there was. */
int gb_nb_job_new(struct gb_nb_job *j, const struct gb_nb_call *call, const char *generation,
                  struct gb_error *err);
const char *gb_nb_job_generation(const struct gb_nb_job *j); /* "": no job */
bool gb_nb_job_is_open(const struct gb_nb_job *j);
/* Of the same policy, schedule and type, open, and not older than `max_age` seconds. */
bool gb_nb_job_fits(const struct gb_nb_job *j, const struct gb_nb_call *call, unsigned max_age);
/* Some stream began and it is not known how it went. */
bool gb_nb_job_running(const struct gb_nb_job *j, unsigned max_age);

/* What the hooks report; each is on disk when it returns. */
int gb_nb_job_start(struct gb_nb_job *j, const struct gb_nb_call *call, struct gb_error *err);
int gb_nb_job_end(struct gb_nb_job *j, const struct gb_nb_call *call, bool good, struct gb_error *err);
int gb_nb_job_exit(struct gb_nb_job *j, const struct gb_nb_call *call, bool good, struct gb_error *err);
int gb_nb_job_finish(struct gb_nb_job *j, const char *how, struct gb_error *err);

/* Everything is known to be good, as `on` asks for: the list may be committed. */
bool gb_nb_job_due(const struct gb_nb_job *j, enum gb_nb_commit on);

/* Take an exclusive lock on `file`, waiting as above.  The descriptor, or -1. */
int gb_nb_lock(const char *file, gb_deadline until, int cancel_fd, struct gb_error *err);

#endif
