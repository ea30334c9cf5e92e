/*
 * nb_job - see nb_job.h.
 *
 * When is a job good?  NetBackup calls backup_exit_notify once per stream, with its number, or 0 if the job
 * has no streams; and once for the parent of several streams, with -1.  How many streams there are is told,
 * if at all, by the environment of bpstart_notify.  So:
 *
 *   number known        that many different streams are good
 *   no streams          the one exit is good
 *   streams, number     every stream that began is good, and the parent is: it ends after the last of its
 *   unknown             streams has begun
 *
 * and nothing is bad, neither here nor by bpend_notify.  A stream that NetBackup tries again begins again,
 * and takes its bad exit back.  Where this is too careful the list stays uncommitted and the next one tells
 * all of it again; the other mistake would lose files.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "nb_job.h"
#include "output.h"

#define LOCK_PAUSE_MS 100

static const char *const type_names[] = {"FULL", "INCR", "CINC", "UBAK", "UARC"};

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
}

int gb_nb_lock(const char *file, gb_deadline until, int cancel_fd, struct gb_error *err)
{
        int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: open", file);
        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                struct pollfd p = {.fd = cancel_fd, .events = POLLIN};
                int saved = errno;

                if (saved != EWOULDBLOCK && saved != EINTR)
                        gb_error_sys(err, GB_ERR_SYSTEM, "%s: lock", file);
                else if (gb_now_ms() >= until)
                        gb_error_set(err, GB_ERR_TIMEOUT, "%s: locked by another hook until the time was up",
                                     file);
                else if (poll(&p, 1, LOCK_PAUSE_MS) > 0)
                        gb_error_set(err, GB_ERR_CANCELLED, "interrupted");
                else
                        continue;
                close(fd);
                return -1;
        }
        return fd;
}

static char *state_file(const struct gb_nb_conf *conf, const char *suffix)
{
        char *path = NULL;

        return asprintf(&path, "%s/%s.%s", conf->state_dir, conf->session, suffix) < 0 ? NULL : path;
}

int gb_nb_job_open(struct gb_nb_job *j, const struct gb_nb_conf *conf, gb_deadline until, int cancel_fd,
                   struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *lock = state_file(conf, "lock");
        json_error_t why;

        memset(j, 0, sizeof(*j));
        j->lock = -1;
        j->file = state_file(conf, "job");
        if (!lock || !j->file)
                return no_memory(err);
        if (mkdir(conf->state_dir, 0700) < 0 && errno != EEXIST)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s", conf->state_dir);
        j->lock = gb_nb_lock(lock, until, cancel_fd, err);
        if (j->lock < 0)
                return -1;
        if (access(j->file, F_OK) < 0 && errno == ENOENT)
                return 0;
        j->state = json_load_file(j->file, JSON_REJECT_DUPLICATES, &why);
        if (!json_is_object(j->state))
                return gb_error_set(err, GB_ERR_CORRUPT, "%s: %s; remove it: the next job makes a new list",
                                    j->file, why.text);
        return 0;
}

void gb_nb_job_close(struct gb_nb_job *j)
{
        json_decref(j->state);
        if (j->lock >= 0)
                close(j->lock);
        free(j->file);
        memset(j, 0, sizeof(*j));
        j->lock = -1;
}

static int save(const struct gb_nb_job *j, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *text = j->state ? json_dumps(j->state, JSON_INDENT(1)) : NULL;

        if (!text)
                return no_memory(err);
        return gb_output_text(j->file, text, err);
}

int gb_nb_job_new(struct gb_nb_job *j, const struct gb_nb_call *call, const char *generation,
                  struct gb_error *err)
{
        json_decref(j->state);
        j->state =
                json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:i,s:i,s:i,s:{},s:{},s:n}", "policy", call->policy,
                          "schedule", call->schedule, "client", call->client, "type", type_names[call->type],
                          "generation", generation, "created", (json_int_t)time(NULL), "stream_count", 0,
                          "starts", 0, "retries", 0, "streams", "exits", "finished");
        return j->state ? 0 : no_memory(err);
}

static const char *text_of(const struct gb_nb_job *j, const char *member)
{
        const char *text = json_string_value(json_object_get(j->state, member));

        return text ? text : "";
}

static json_int_t number_of(const struct gb_nb_job *j, const char *member)
{
        return json_integer_value(json_object_get(j->state, member));
}

const char *gb_nb_job_generation(const struct gb_nb_job *j)
{
        return text_of(j, "generation");
}

bool gb_nb_job_is_open(const struct gb_nb_job *j)
{
        return j->state && !*text_of(j, "finished");
}

static bool is_young(const struct gb_nb_job *j, unsigned max_age)
{
        json_int_t age = (json_int_t)time(NULL) - number_of(j, "created");

        return age >= 0 && age <= (json_int_t)max_age;
}

bool gb_nb_job_fits(const struct gb_nb_job *j, const struct gb_nb_call *call, unsigned max_age)
{
        return gb_nb_job_is_open(j) && is_young(j, max_age) &&
               strcmp(text_of(j, "policy"), call->policy) == 0 &&
               strcmp(text_of(j, "schedule"), call->schedule) == 0 &&
               strcmp(text_of(j, "type"), type_names[call->type]) == 0;
}

/* How many members of an object are `word`. */
static unsigned count_of(const struct gb_nb_job *j, const char *member, const char *word)
{
        json_t *of = json_object_get(j->state, member), *value;
        const char *key;
        unsigned n = 0;

        json_object_foreach(of, key, value)
        {
                const char *text = json_string_value(value);

                n += text && strcmp(text, word) == 0 && strcmp(key, "-1") != 0;
        }
        return n;
}

bool gb_nb_job_running(const struct gb_nb_job *j, unsigned max_age)
{
        return gb_nb_job_is_open(j) && is_young(j, max_age) && count_of(j, "exits", "bad") == 0;
}

static int set_member(struct gb_nb_job *j, const char *member, int stream, const char *word,
                      struct gb_error *err)
{
        json_t *of = json_object_get(j->state, member);
        char key[16];

        snprintf(key, sizeof(key), "%d", stream);
        return of && json_object_set_new(of, key, json_string(word)) == 0 ? save(j, err) : no_memory(err);
}

static void add(struct gb_nb_job *j, const char *member)
{
        json_object_set_new(j->state, member, json_integer(number_of(j, member) + 1));
}

/* A stream that begins again takes its bad exit back; without numbers, any one. */
static void take_back(struct gb_nb_job *j, int stream)
{
        json_t *exits = json_object_get(j->state, "exits"), *value;
        const char *key, *found = NULL;
        char wanted[16];

        snprintf(wanted, sizeof(wanted), "%d", stream);
        json_object_foreach(exits, key, value)
        {
                const char *text = json_string_value(value);

                if (text && strcmp(text, "bad") == 0 && (stream == 0 || strcmp(key, wanted) == 0))
                        found = key;
        }
        if (!found)
                return;
        snprintf(wanted, sizeof(wanted), "%s", found);
        json_object_del(exits, wanted);
        add(j, "retries");
}

int gb_nb_job_start(struct gb_nb_job *j, const struct gb_nb_call *call, struct gb_error *err)
{
        take_back(j, call->stream);
        add(j, "starts");
        if (call->stream_count > number_of(j, "stream_count"))
                json_object_set_new(j->state, "stream_count", json_integer(call->stream_count));
        return set_member(j, "streams", call->stream, "started", err);
}

int gb_nb_job_end(struct gb_nb_job *j, const struct gb_nb_call *call, bool good, struct gb_error *err)
{
        return set_member(j, "streams", call->stream, good ? "sent" : "bad", err);
}

int gb_nb_job_exit(struct gb_nb_job *j, const struct gb_nb_call *call, bool good, struct gb_error *err)
{
        return set_member(j, "exits", call->stream, good ? "good" : "bad", err);
}

int gb_nb_job_finish(struct gb_nb_job *j, const char *how, struct gb_error *err)
{
        return json_object_set_new(j->state, "finished", json_string(how)) == 0 ? save(j, err)
                                                                                : no_memory(err);
}

static bool exits_good(const struct gb_nb_job *j)
{
        json_t *exits = json_object_get(j->state, "exits");
        const char *parent = json_string_value(json_object_get(exits, "-1"));
        json_int_t count = number_of(j, "stream_count");
        unsigned good = count_of(j, "exits", "good");

        if (count_of(j, "exits", "bad") || count_of(j, "streams", "bad") ||
            (parent && strcmp(parent, "good") != 0))
                return false;
        if (count > 0)
                return good >= count;
        if (json_object_get(exits, "0"))
                return good > 0;
        return parent && good > 0 && good >= number_of(j, "starts") - number_of(j, "retries");
}

bool gb_nb_job_due(const struct gb_nb_job *j, enum gb_nb_commit on)
{
        json_int_t count = number_of(j, "stream_count");

        if (!gb_nb_job_is_open(j) || on == GB_NB_COMMIT_NEVER)
                return false;
        if (on == GB_NB_COMMIT_EXIT)
                return exits_good(j);
        return !count_of(j, "streams", "started") && !count_of(j, "streams", "bad") &&
               count_of(j, "streams", "sent") >= (count > 0 ? count : 1);
}
