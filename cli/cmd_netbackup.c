/*
 * netbackup - what NetBackup's notify scripts call.
 *
 *   netbackup start CLIENT POLICY SCHEDULE TYPE                            bpstart_notify
 *   netbackup end   CLIENT POLICY SCHEDULE TYPE STATUS                     bpend_notify
 *   netbackup exit  CLIENT POLICY SCHEDULE TYPE STATUS STREAM DONE_TRYING  backup_exit_notify
 *   netbackup prepare POLICY TYPE [SCHEDULE]                               a timer, before the job
 *
 * NetBackup waits for `start` no longer than BPSTART_TIMEOUT and calls it once per stream.  So `start` makes
 * no list itself.  It looks for one that is ready: that of the job under way, which it joins, or one prepared
 * that no job has had yet, which it adopts.  Only if there is none a child of its own session makes one. When
 * the time is up the hook fails and the child goes on; NetBackup tries again and finds the list ready.
 *
 * Two locks: nb_job's for what the hooks note, held for a moment; SESSION.making while a list is made.
 *
 * A list is committed when it is known that the backup is good (nb_job.h), by its generation: if another list
 * was prepared meanwhile nothing is committed, and the next list tells everything again.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "command.h"
#include "manifest.h"
#include "nb_job.h"
#include "progress.h"
#include "registry.h"

#define OURS "# written by gbackup-cli"

struct hook {
        struct gb_cli cli; /* with the options of the configuration */
        struct gb_nb_conf conf;
        struct gb_nb_call call;
        char manifest[PATH_MAX + 16]; /* of the list, and the list's last line */
        gb_deadline until;
};

static const char *const type_names[GB_NB_TYPES] = {"FULL", "INCR", "CINC", "UBAK", "UARC"};

/* ---- arguments ---- */

/* Names become names of files, so they are what NetBackup itself allows. */
static int check_name(const char *what, const char *name, struct gb_error *err)
{
        static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-";
        size_t n = strlen(name);

        if (n < 1 || n > 255 || strspn(name, ok) != n || name[0] == '.')
                return gb_error_set(err, GB_ERR_USAGE,
                                    "%s \"%.80s\": letters, digits and . _ + - are allowed", what, name);
        return 0;
}

static int parse_type(const char *text, enum gb_nb_type *out, struct gb_error *err)
{
        for (unsigned i = 0; i < GB_NB_TYPES; i++)
                if (strcmp(text, type_names[i]) == 0) {
                        *out = (enum gb_nb_type)i;
                        return 0;
                }
        return gb_error_set(err, GB_ERR_USAGE, "\"%.40s\" is no schedule type: FULL, INCR, CINC, UBAK, UARC",
                            text);
}

static int parse_int(const char *what, const char *text, long min, long max, int *out, struct gb_error *err)
{
        char *end;
        long v;

        errno = 0;
        v = strtol(text, &end, 10);
        if (errno || end == text || *end || v < min || v > max)
                return gb_error_set(err, GB_ERR_USAGE, "%s \"%.40s\" is no number from %ld to %ld", what,
                                    text, min, max);
        *out = (int)v;
        return 0;
}

/* NetBackup sets them for streams; anything else there is not ours. */
static int from_environment(const char *name)
{
        const char *text = getenv(name);
        struct gb_error ignored;
        int v = 0;

        return text && parse_int(name, text, 0, 9999, &v, &ignored) == 0 ? v : 0;
}

static int parse_call(int argc, char **argv, int wanted, struct gb_nb_call *call, struct gb_error *err)
{
        if (argc < wanted)
                return gb_error_set(err, GB_ERR_USAGE,
                                    "usage: gbackup-cli netbackup start|end|exit CLIENT POLICY SCHEDULE TYPE "
                                    "[STATUS [STREAM DONE_TRYING]]");
        call->client = argv[0];
        call->policy = argv[1];
        call->schedule = argv[2];
        call->stream = from_environment("STREAM_NUMBER");
        call->stream_count = from_environment("STREAM_COUNT");
        return check_name("client", argv[0], err) < 0 || check_name("policy", argv[1], err) < 0 ||
                               check_name("schedule", argv[2], err) < 0 ||
                               parse_type(argv[3], &call->type, err) < 0
                       ? -1
                       : 0;
}

static int load(const struct gb_cli *c, struct hook *h, struct gb_error *err)
{
        struct gb_options *o = &h->cli.o;

        if (gb_nb_conf_load(h->call.policy, h->call.schedule, &h->conf, err) < 0)
                return -1;
        snprintf(h->manifest, sizeof(h->manifest), "%s.manifest", h->conf.list);
        h->cli = *c;
        o->format = GB_FORMAT_NETBACKUP;
        o->out_file = h->conf.list;
        o->prefix = h->conf.mount;
        o->last_line = h->manifest;
        o->raw_wildcards = h->conf.raw_wildcards;
        o->all_directories = h->conf.all_directories;
        o->sweep = h->conf.sweep;
        o->full_on_gap = h->conf.full_on_gap;
        o->progress = GB_PROGRESS_NONE;
        if (*h->conf.rsh)
                o->rsh = h->conf.rsh;
        h->until = gb_deadline_in((int64_t)h->conf.timeout * 1000);
        return 0;
}

/* ---- the log ---- */

/* NetBackup wants hooks to leave its descriptors alone.  On a terminal somebody is trying the hook out. */
static void redirect(const struct hook *h)
{
        GB_CLEANUP_FREE
        char *dir = strdup(h->conf.log);
        char *slash = dir ? strrchr(dir, '/') : NULL;
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fd;

        if (null >= 0) {
                dup2(null, STDIN_FILENO);
                close(null);
        }
        if (!*h->conf.log || isatty(STDERR_FILENO))
                return;
        if (slash && slash != dir) {
                *slash = '\0';
                mkdir(dir, 0755);
        }
        fd = open(h->conf.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (fd < 0) {
                gb_say("%s: %s; messages go to stderr", h->conf.log, strerror(errno));
                return;
        }
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        close(fd);
}

static void note(const struct hook *h, const char *text)
{
        const struct gb_nb_call *k = &h->call;
        time_t now = time(NULL);
        char when[32] = "";
        struct tm tm;

        if (localtime_r(&now, &tm))
                strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S%z", &tm);
        gb_say("%s %s %s %s stream %d: %s", when, k->policy, k->schedule, type_names[k->type], k->stream,
               text);
}

static int fail(const struct hook *h, const struct gb_error *err)
{
        note(h, err->text);
        return gb_exit_of(err->code);
}

/* ---- the mount ---- */

/* An empty directory where the volume should be would be saved as a perfectly good, empty backup. */
static int check_mount(const struct hook *h, const char *volume, struct gb_error *err)
{
        const char *mount = h->conf.mount;
        char real[PATH_MAX] = "", want[1100], source[1100] = "";
        struct stat st;
        struct mntent *m;
        FILE *f;

        if (stat(mount, &st) < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s", mount);
        if (!realpath(mount, real) || strcmp(real, mount) != 0)
                return gb_error_set(err, GB_ERR_CONFIG,
                                    "mount %s: NetBackup follows no links in a list; it is %s really", mount,
                                    real);
        f = setmntent("/proc/self/mounts", "re");
        if (!f)
                return gb_error_sys(err, GB_ERR_SYSTEM, "/proc/self/mounts");
        snprintf(want, sizeof(want), ":/%s", volume);
        while ((m = getmntent(f))) {
                const char *volume_of =
                        strcmp(m->mnt_type, "fuse.glusterfs") == 0 ? strstr(m->mnt_fsname, ":/") : NULL;

                if (strcmp(m->mnt_dir, mount) ==
                    0) /* the last one lies on top; of NFS the volume is not known */
                        snprintf(source, sizeof(source), "%s", volume_of ? volume_of : want);
        }
        endmntent(f);
        if (!*source)
                return gb_error_set(err, GB_ERR_SYSTEM, "%s: nothing is mounted here", mount);
        if (strcmp(source, want) != 0)
                return gb_error_set(err, GB_ERR_CONFIG, "%s: %.200s is mounted here, not volume %.200s",
                                    mount, source + 2, volume);
        return 0;
}

/* ---- is a list ready? ---- */

static enum gb_list_level full_level(const struct gb_nb_conf *conf)
{
        return conf->full_names ? GB_LEVEL_FULL : GB_LEVEL_MARK;
}

/* What the schedule's type asks for, as far as the session can give it: without a full to begin from
 * everything is a full. */
static int wanted_level(const struct hook *h, const struct gb_standing *s, enum gb_list_level *out,
                        struct gb_error *err)
{
        enum gb_list_level level;

        switch (h->call.type) {
        case GB_NB_FULL:
                level = GB_LEVEL_FULL;
                break;
        case GB_NB_INCR:
                level = GB_LEVEL_INCREMENTAL;
                break;
        case GB_NB_CINC:
                level = GB_LEVEL_CUMULATIVE;
                break;
        default:
                level = h->conf.user[h->call.type == GB_NB_UARC];
                break;
        }
        if (level == GB_LEVEL_AUTO)
                return gb_error_set(err, GB_ERR_CONFIG,
                                    "no list for a schedule of type %s; see %s in netbackup.conf",
                                    type_names[h->call.type], h->call.type == GB_NB_UARC ? "uarc" : "ubak");
        if (level == GB_LEVEL_FULL || (level == GB_LEVEL_INCREMENTAL && !*s->committed) ||
            (level == GB_LEVEL_CUMULATIVE && !*s->last_full))
                level = full_level(&h->conf);
        *out = level;
        return 0;
}

static const char *text_in(const json_t *j, const char *member)
{
        const char *text = json_string_value(json_object_get(j, member));

        return text ? text : "";
}

static bool right_level(const json_t *m, enum gb_list_level level, const struct gb_standing *s)
{
        static const char *const names[] = {[GB_LEVEL_AUTO] = "",
                                            [GB_LEVEL_FULL] = "full",
                                            [GB_LEVEL_INCREMENTAL] = "incremental",
                                            [GB_LEVEL_CUMULATIVE] = "cumulative",
                                            [GB_LEVEL_MARK] = "mark"};
        const char *base = level == GB_LEVEL_CUMULATIVE ? s->last_full : s->committed;

        if (strcmp(text_in(m, "level"), names[level]) != 0)
                return false;
        return level == GB_LEVEL_FULL || level == GB_LEVEL_MARK || strcmp(text_in(m, "base"), base) == 0;
}

/* Size and SHA-256 tell that list and manifest belong together, and that nobody wrote into the list. */
static bool list_is_whole(const struct hook *h, const json_t *list)
{
        struct gb_error ignored;
        char digest[65];
        struct stat st;

        return stat(h->conf.list, &st) == 0 &&
               st.st_size == (off_t)json_integer_value(json_object_get(list, "bytes")) &&
               gb_file_digest(h->conf.list, digest, &ignored) == 0 &&
               strcmp(digest, text_in(list, "sha256")) == 0;
}

/* The list that is there: prepared, of the right kind, whole, young, and given to no job before. */
static bool is_ready(const struct hook *h, const struct gb_standing *s, enum gb_list_level level,
                     const char *used)
{
        json_t *m = json_load_file(h->manifest, JSON_REJECT_DUPLICATES, NULL);
        const json_t *list = json_object_get(m, "list");
        const char *generation = text_in(m, "generation");
        json_int_t age = (json_int_t)time(NULL) - json_integer_value(json_object_get(m, "finished"));
        json_int_t status = json_integer_value(json_object_get(m, "exit_status"));
        bool ready = *generation && strcmp(generation, s->pending) == 0 && strcmp(generation, used) != 0 &&
                     strcmp(text_in(m, "session"), h->conf.session) == 0 && right_level(m, level, s) &&
                     age >= 0 && age <= (json_int_t)h->conf.max_age &&
                     (status == GB_EXIT_OK || (status == GB_EXIT_SKIPPED && h->conf.allow_skipped)) &&
                     strcmp(text_in(list, "format"), "netbackup") == 0 &&
                     strcmp(text_in(list, "prefix"), h->conf.mount) == 0 && list_is_whole(h, list);

        json_decref(m);
        return ready;
}

/* ---- committing ---- */

/* If everything of the last job is known to be good, its list is committed before anything else comes. */
static int commit_if_due(const struct hook *h, struct gb_nb_job *j, struct gb_error *err)
{
        char *argv[] = {(char *)(uintptr_t)h->conf.session, (char *)(uintptr_t)gb_nb_job_generation(j), NULL};
        char text[1024];
        int rc;

        if (!gb_nb_job_due(j, h->conf.commit_on))
                return GB_EXIT_OK;
        rc = gb_cmd_commit(&h->cli, 2, argv);
        if (rc == GB_EXIT_OK) {
                snprintf(text, sizeof(text), "the backup is good, generation %s is committed", argv[1]);
                note(h, text);
                return gb_nb_job_finish(j, "committed", err) < 0 ? fail(h, err) : rc;
        }
        if (rc == GB_EXIT_USAGE) { /* another list was prepared; it tells of all this again */
                note(h, "nothing is committed; the next list tells of this one's changes again");
                return gb_nb_job_finish(j, "overtaken", err) < 0 ? fail(h, err) : rc;
        }
        snprintf(text, sizeof(text),
                 "the backup is good but its list could not be committed; the next hook tries "
                 "again, or: gbackup-cli commit %s %s",
                 argv[0], argv[1]);
        note(h, text);
        return rc;
}

/* ---- making a list ---- */

static char *making_lock(const struct hook *h)
{
        char *path = NULL;

        return asprintf(&path, "%s/%s.making", h->conf.state_dir, h->conf.session) < 0 ? NULL : path;
}

/* Only what the other hooks have not made meanwhile. */
static int make_list(struct hook *h, const char *used, bool fresh)
{
        GB_CLEANUP_FREE
        char *file = making_lock(h);
        GB_CLEANUP_CLOSE
        int lock = -1;
        char *argv[] = {h->conf.session, NULL};
        struct gb_error err = {0};
        struct gb_standing s;
        int rc;

        if (!file)
                return GB_EXIT_ERROR;
        lock = gb_nb_lock(file, h->until, h->cli.cancel_fd, &err);
        if (lock < 0 || gb_registered_standing(&h->cli, h->conf.session, &s, &err) < 0 ||
            check_mount(h, s.volume, &err) < 0 || wanted_level(h, &s, &h->cli.o.level, &err) < 0)
                return fail(h, &err);
        if (!fresh && is_ready(h, &s, h->cli.o.level, used))
                return GB_EXIT_OK;
        h->cli.o.quiet = true;
        rc = gb_cmd_prepare(&h->cli, 1, argv);
        return rc == GB_EXIT_SKIPPED && h->conf.allow_skipped ? GB_EXIT_OK : rc;
}

/* In a process of its own, that outlives the hook when the time is up. */
static int make_list_apart(struct hook *h, const char *used, struct gb_error *err)
{
        struct pollfd p[2] = {{.events = POLLIN}, {.fd = h->cli.cancel_fd, .events = POLLIN}};
        GB_CLEANUP_CLOSE
        int fd = -1;
        pid_t pid = fork();
        int status;

        if (pid < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "fork");
        if (pid == 0) {
                setsid();
                h->cli.cancel_fd = gb_cancel_apart();
                _exit(make_list(h, used, false));
        }
        fd = pidfd_open(pid, 0);
        if (fd < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "pidfd_open");
        p[0].fd = fd;
        while (poll(p, 2, gb_deadline_left(h->until)) < 0 && errno == EINTR)
                ;
        if (!p[0].revents)
                return gb_error_set(
                        err, GB_ERR_TIMEOUT,
                        "the list is not ready after %u s and is still being made: when NetBackup "
                        "tries again it is adopted; see timeout in netbackup.conf, or prepare it "
                        "before the job",
                        h->conf.timeout);
        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                return gb_error_set(err, GB_ERR_SYSTEM, "making the list ended abruptly");
        return WEXITSTATUS(status);
}

/* ---- handing it over ---- */

static int put_file(const char *path, const char *first, const char *copy_of, struct gb_error *err)
{
        GB_CLEANUP_FCLOSE FILE *in = copy_of ? fopen(copy_of, "re") : NULL;
        struct gb_output *out = gb_output_open(path, err);
        char buf[65536];
        size_t n;

        if (!out)
                return -1;
        if (copy_of && !in) {
                gb_error_sys(err, GB_ERR_SYSTEM, "%s", copy_of);
                goto fail;
        }
        if (gb_output_write(out, first, strlen(first), err) < 0)
                goto fail;
        while (in && (n = fread(buf, 1, sizeof(buf), in)) > 0)
                if (gb_output_write(out, buf, n, err) < 0)
                        goto fail;
        if (in && ferror(in)) {
                gb_error_sys(err, GB_ERR_SYSTEM, "%s: read", copy_of);
                goto fail;
        }
        if (gb_output_finish(out, err) < 0)
                goto fail;
        return gb_output_publish(out, err);
fail:
        gb_output_discard(out);
        return -1;
}

/* A list that somebody wrote by hand is not ours to replace. */
static int check_ours(const char *path, struct gb_error *err)
{
        GB_CLEANUP_FCLOSE FILE *f = fopen(path, "re");
        char line[sizeof(OURS)] = "";

        if (!f)
                return errno == ENOENT ? 0 : gb_error_sys(err, GB_ERR_SYSTEM, "%s", path);
        if (fread(line, 1, sizeof(OURS) - 1, f) == sizeof(OURS) - 1 && strcmp(line, OURS) == 0)
                return 0;
        return gb_error_set(err, GB_ERR_CONFIG, "%s: not written by gbackup-cli; move it away", path);
}

/* Exclude everything, include the list: NetBackup's documented way to save exactly what is listed. */
static int deliver(const struct hook *h, bool tree, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *include = NULL;
        GB_CLEANUP_FREE
        char *exclude = NULL;

        if (!h->conf.include)
                return 0;
        if (asprintf(&include, "%s/include_list.%s.%s", h->conf.netbackup_dir, h->call.policy,
                     h->call.schedule) < 0 ||
            asprintf(&exclude, "%s/exclude_list.%s.%s", h->conf.netbackup_dir, h->call.policy,
                     h->call.schedule) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        if (check_ours(include, err) < 0 || check_ours(exclude, err) < 0)
                return -1;
        if (!tree)
                return put_file(include, OURS "\n", h->conf.list, err) < 0 ||
                                       put_file(exclude, OURS "\n*\n", NULL, err) < 0
                               ? -1
                               : 0;
        if ((unlink(include) < 0 && errno != ENOENT) || (unlink(exclude) < 0 && errno != ENOENT))
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: remove", include);
        return 0;
}

/* ---- start ---- */

/* 1: the stream has its list; 0: there is none ready; -1. */
static int join_or_adopt(struct hook *h, struct gb_nb_job *j, struct gb_error *err)
{
        struct gb_standing s;
        enum gb_list_level level;
        char text[PATH_MAX + 320];
        bool joins;

        if (gb_registered_standing(&h->cli, h->conf.session, &s, err) < 0 ||
            check_mount(h, s.volume, err) < 0 || wanted_level(h, &s, &level, err) < 0)
                return -1;
        joins = gb_nb_job_fits(j, &h->call, h->conf.max_age) &&
                strcmp(gb_nb_job_generation(j), s.pending) == 0 && is_ready(h, &s, level, "");
        if (!joins) {
                if (!is_ready(h, &s, level, gb_nb_job_generation(j)))
                        return 0;
                if (gb_nb_job_is_open(j))
                        note(h, "the list of the job before was never committed; this one tells of it again");
                if (gb_nb_job_new(j, &h->call, s.pending, err) < 0)
                        return -1;
        }
        if (deliver(h, level == GB_LEVEL_MARK, err) < 0 || gb_nb_job_start(j, &h->call, err) < 0)
                return -1;
        snprintf(text, sizeof(text), "%s the list %s, generation %s", joins ? "joins" : "gets", h->conf.list,
                 s.pending);
        note(h, text);
        return 1;
}

static void on_time(int sig)
{
        static const char text[] = "gbackup-cli: netbackup start: the agents have not answered in time\n";

        (void)sig;
        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
        _exit(GB_EXIT_NO_AGENT);
}

/* Waiting for a list has its own end; for all else this is it.  start changes nothing that could be torn. */
static void limit_time(const struct hook *h)
{
        struct itimerval t = {.it_value.tv_sec = h->conf.timeout + 2};

        signal(SIGALRM, on_time);
        setitimer(ITIMER_REAL, &t, NULL);
}

static int cmd_start(struct hook *h)
{
        struct gb_error err = {0};
        struct gb_nb_job j;
        char used[256] = "";
        int rc = 0;

        limit_time(h);
        for (unsigned tries = 0; tries < 2; tries++) {
                rc = gb_nb_job_open(&j, &h->conf, h->until, h->cli.cancel_fd, &err);
                if (rc == 0) {
                        commit_if_due(h, &j, &err);
                        rc = join_or_adopt(h, &j, &err);
                        snprintf(used, sizeof(used), "%s", gb_nb_job_generation(&j));
                }
                gb_nb_job_close(&j);
                if (rc != 0 || tries)
                        break;
                rc = make_list_apart(h, used, &err);
                if (rc > 0)
                        return rc; /* said already */
                if (rc < 0)
                        break;
        }
        if (rc == 0)
                gb_error_set(&err, GB_ERR_BUSY, "the list that was made is not there any more");
        return rc > 0 ? GB_EXIT_OK : fail(h, &err);
}

/* ---- end, exit ---- */

static bool is_good(const struct hook *h)
{
        return h->call.status == 0 || (h->call.status == 1 && h->conf.commit_partial);
}

static bool of_this_job(const struct hook *h, const struct gb_nb_job *j)
{
        if (gb_nb_job_is_open(j) && gb_nb_job_fits(j, &h->call, UINT_MAX))
                return true;
        note(h, "no job of this policy, schedule and type is under way; nothing is noted");
        return false;
}

/* NetBackup throws a backup away when this hook fails, which is right only if there was nothing to save. */
static int cmd_end(struct hook *h)
{
        struct gb_registered reg = {0};
        struct gb_error err = {0};
        struct gb_nb_job j;
        char text[100];
        bool mounted =
                gb_registry_get(h->conf.session, &reg, &err) == 0 && check_mount(h, reg.volume, &err) == 0;
        bool good = is_good(h) && mounted;

        gb_registered_fini(&reg);
        if (!mounted)
                note(h, err.text);
        if (gb_nb_job_open(&j, &h->conf, h->until, h->cli.cancel_fd, &err) < 0) {
                fail(h, &err);
        } else if (of_this_job(h, &j)) {
                snprintf(text, sizeof(text), "ended with status %d: %s", h->call.status,
                         good ? "sent" : "its list is not committed");
                note(h, text);
                if (gb_nb_job_end(&j, &h->call, good, &err) < 0)
                        fail(h, &err);
                else if (h->conf.commit_on == GB_NB_COMMIT_BPEND)
                        commit_if_due(h, &j, &err);
        }
        gb_nb_job_close(&j);
        return mounted ? GB_EXIT_OK : GB_EXIT_ERROR;
}

/* The last try has failed: nobody shall commit this list by mistake. */
static int give_up(const struct hook *h, struct gb_nb_job *j, struct gb_error *err)
{
        char *argv[] = {(char *)(uintptr_t)h->conf.session, NULL};
        struct gb_standing s;

        note(h, "the last try failed: nothing is committed, the list is kept");
        if (gb_registered_standing(&h->cli, h->conf.session, &s, err) == 0 &&
            strcmp(s.pending, gb_nb_job_generation(j)) == 0)
                gb_cmd_abort(&h->cli, 1, argv);
        return gb_nb_job_finish(j, "failed", err) < 0 ? fail(h, err) : GB_EXIT_OK;
}

static int cmd_exit(struct hook *h)
{
        struct gb_error err = {0};
        struct gb_nb_job j;
        char text[100];
        bool good = is_good(h);
        int rc = GB_EXIT_OK;

        if (gb_nb_job_open(&j, &h->conf, h->until, h->cli.cancel_fd, &err) < 0) {
                rc = fail(h, &err);
        } else if (of_this_job(h, &j)) {
                snprintf(text, sizeof(text), "exit status %d%s", h->call.status,
                         good                  ? ""
                         : h->call.done_trying ? ", and NetBackup does not try again"
                                               : ", NetBackup tries again");
                note(h, text);
                if (gb_nb_job_exit(&j, &h->call, good, &err) < 0)
                        rc = fail(h, &err);
                else if (!good && h->call.done_trying)
                        rc = give_up(h, &j, &err);
                else if (good)
                        rc = commit_if_due(h, &j, &err);
        }
        gb_nb_job_close(&j);
        return rc;
}

/* ---- prepare ---- */

static int cmd_prepare(struct hook *h)
{
        struct gb_error err = {0};
        struct gb_nb_job j;
        bool running = false, tree = false;
        int rc = gb_nb_job_open(&j, &h->conf, h->until, h->cli.cancel_fd, &err);

        if (rc == 0) {
                commit_if_due(h, &j, &err);
                running = gb_nb_job_running(&j, h->conf.max_age);
                if (running)
                        rc = gb_error_set(
                                &err, GB_ERR_BUSY,
                                "session %s: a job has the list of generation %s and is not known to "
                                "have ended; another list now would keep that one from being committed",
                                h->conf.session, gb_nb_job_generation(&j));
        }
        gb_nb_job_close(&j);
        if (rc < 0)
                return fail(h, &err);
        h->until = GB_NEVER;
        rc = make_list(h, "", true);
        tree = h->cli.o.level == GB_LEVEL_MARK;
        if (rc == GB_EXIT_OK && deliver(h, tree, &err) < 0)
                rc = fail(h, &err);
        if (rc == GB_EXIT_OK)
                note(h, "a list is ready");
        return rc;
}

/* `prepare` has other arguments: it knows no client, and the schedule may be left out. */
static int parse_prepare(int argc, char **argv, struct gb_nb_call *call, struct gb_error *err)
{
        if (argc < 2 || argc > 3)
                return gb_error_set(err, GB_ERR_USAGE,
                                    "usage: gbackup-cli netbackup prepare POLICY TYPE [SCHEDULE]");
        call->client = "-";
        call->policy = argv[0];
        call->schedule = argc > 2 ? argv[2] : "any";
        return check_name("policy", call->policy, err) < 0 ||
                               check_name("schedule", call->schedule, err) < 0 ||
                               parse_type(argv[1], &call->type, err) < 0
                       ? -1
                       : 0;
}

static int parse(const char *hook, int argc, char **argv, struct gb_nb_call *call, struct gb_error *err)
{
        bool start = strcmp(hook, "start") == 0, end = strcmp(hook, "end") == 0;
        int done = 0;

        if (strcmp(hook, "prepare") == 0)
                return parse_prepare(argc, argv, call, err);
        if (!start && !end && strcmp(hook, "exit") != 0)
                return gb_error_set(err, GB_ERR_USAGE, "\"%.40s\" is no hook: start, end, exit, prepare",
                                    hook);
        if (parse_call(argc, argv, start ? 4 : end ? 5 : 7, call, err) < 0)
                return -1;
        if (!start && parse_int("status", argv[4], 0, 1000000, &call->status, err) < 0)
                return -1;
        if (!start && !end &&
            (parse_int("stream", argv[5], -1, 9999, &call->stream, err) < 0 ||
             parse_int("done_trying", argv[6], 0, 1, &done, err) < 0))
                return -1;
        call->done_trying = done;
        return 0;
}

int gb_cmd_netbackup(const struct gb_cli *c, int argc, char **argv)
{
        struct gb_error err = {0};
        struct hook *h = calloc(1, sizeof(*h));
        int rc;

        if (!h) {
                gb_error_set(&err, GB_ERR_MEMORY, "out of memory");
                return gb_fail(&err);
        }
        if (parse(argv[0], argc - 1, argv + 1, &h->call, &err) < 0 || load(c, h, &err) < 0) {
                rc = gb_fail(&err);
        } else if (strcmp(argv[0], "prepare") == 0) {
                rc = cmd_prepare(h);
        } else {
                redirect(h);
                rc = strcmp(argv[0], "start") == 0 ? cmd_start(h)
                     : strcmp(argv[0], "end") == 0 ? cmd_end(h)
                                                   : cmd_exit(h);
        }
        free(h);
        return rc;
}
