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

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "nb_hook.h"

/* ---- committing ---- */

/* If everything of the last job is known to be good, its list is committed before anything else comes. */
static int commit_if_due(const struct gb_nb_hook *h, struct gb_nb_job *j, struct gb_error *err)
{
        char *argv[] = {(char *)(uintptr_t)h->conf.session, (char *)(uintptr_t)gb_nb_job_generation(j), NULL};
        char text[1024];
        int rc;

        if (!gb_nb_job_due(j, h->conf.commit_on))
                return GB_EXIT_OK;
        rc = gb_cmd_commit(&h->cli, 2, argv);
        if (rc == GB_EXIT_OK) {
                snprintf(text, sizeof(text), "the backup is good, generation %s is committed", argv[1]);
                gb_nb_note(h, text);
                return gb_nb_job_finish(j, "committed", err) < 0 ? gb_nb_fail(h, err) : rc;
        }
        if (rc == GB_EXIT_USAGE) { /* another list was prepared; it tells of all this again */
                gb_nb_note(h, "nothing is committed; the next list tells of this one's changes again");
                return gb_nb_job_finish(j, "overtaken", err) < 0 ? gb_nb_fail(h, err) : rc;
        }
        snprintf(text, sizeof(text),
                 "the backup is good but its list could not be committed; the next hook tries "
                 "again, or: gbackup-cli commit %s %s",
                 argv[0], argv[1]);
        gb_nb_note(h, text);
        return rc;
}

/* ---- start ---- */

/* 1: the stream has its list; 0: there is none ready; -1. */
static int join_or_adopt(struct gb_nb_hook *h, struct gb_nb_job *j, struct gb_error *err)
{
        struct gb_standing s;
        enum gb_list_level level;
        char text[PATH_MAX + 320];
        bool joins;

        if (gb_registered_standing(&h->cli, h->conf.session, &s, err) < 0 ||
            gb_nb_check_mount(h, s.volume, err) < 0 || gb_nb_wanted_level(h, &s, &level, err) < 0)
                return -1;
        joins = gb_nb_job_fits(j, &h->call, h->conf.max_age) &&
                strcmp(gb_nb_job_generation(j), s.pending) == 0 && gb_nb_is_ready(h, &s, level, "");
        if (!joins) {
                if (!gb_nb_is_ready(h, &s, level, gb_nb_job_generation(j)))
                        return 0;
                if (gb_nb_job_is_open(j))
                        gb_nb_note(
                                h,
                                "the list of the job before was never committed; this one tells of it again");
                if (gb_nb_job_new(j, &h->call, s.pending, err) < 0)
                        return -1;
        }
        if (gb_nb_deliver(h, level == GB_LEVEL_MARK, err) < 0 || gb_nb_job_start(j, &h->call, err) < 0)
                return -1;
        snprintf(text, sizeof(text), "%s the list %s, generation %s", joins ? "joins" : "gets", h->conf.list,
                 s.pending);
        gb_nb_note(h, text);
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
static void limit_time(const struct gb_nb_hook *h)
{
        struct itimerval t = {.it_value.tv_sec = h->conf.timeout + 2};

        signal(SIGALRM, on_time);
        setitimer(ITIMER_REAL, &t, NULL);
}

static int cmd_start(struct gb_nb_hook *h)
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
                rc = gb_nb_make_apart(h, used, &err);
                if (rc > 0)
                        return rc; /* said already */
                if (rc < 0)
                        break;
        }
        if (rc == 0)
                gb_error_set(&err, GB_ERR_BUSY, "the list that was made is not there any more");
        return rc > 0 ? GB_EXIT_OK : gb_nb_fail(h, &err);
}

/* ---- end, exit ---- */

static bool is_good(const struct gb_nb_hook *h)
{
        return h->call.status == 0 || (h->call.status == 1 && h->conf.commit_partial);
}

static bool of_this_job(const struct gb_nb_hook *h, const struct gb_nb_job *j)
{
        if (gb_nb_job_is_open(j) && gb_nb_job_fits(j, &h->call, UINT_MAX))
                return true;
        gb_nb_note(h, "no job of this policy, schedule and type is under way; nothing is noted");
        return false;
}

/* NetBackup throws a backup away when this hook fails, which is right only if there was nothing to save. */
static int cmd_end(struct gb_nb_hook *h)
{
        struct gb_registered reg = {0};
        struct gb_error err = {0};
        struct gb_nb_job j;
        char text[100];
        bool mounted = gb_registry_get(h->conf.session, &reg, &err) == 0 &&
                       gb_nb_check_mount(h, reg.volume, &err) == 0;
        bool good = is_good(h) && mounted;

        gb_registered_fini(&reg);
        if (!mounted)
                gb_nb_note(h, err.text);
        if (gb_nb_job_open(&j, &h->conf, h->until, h->cli.cancel_fd, &err) < 0) {
                gb_nb_fail(h, &err);
        } else if (of_this_job(h, &j)) {
                snprintf(text, sizeof(text), "ended with status %d: %s", h->call.status,
                         good ? "sent" : "its list is not committed");
                gb_nb_note(h, text);
                if (gb_nb_job_end(&j, &h->call, good, &err) < 0)
                        gb_nb_fail(h, &err);
                else if (h->conf.commit_on == GB_NB_COMMIT_BPEND)
                        commit_if_due(h, &j, &err);
        }
        gb_nb_job_close(&j);
        return mounted ? GB_EXIT_OK : GB_EXIT_ERROR;
}

/* The last try has failed: nobody shall commit this list by mistake. */
static int give_up(const struct gb_nb_hook *h, struct gb_nb_job *j, struct gb_error *err)
{
        char *argv[] = {(char *)(uintptr_t)h->conf.session, NULL};
        struct gb_standing s;

        gb_nb_note(h, "the last try failed: nothing is committed, the list is kept");
        if (gb_registered_standing(&h->cli, h->conf.session, &s, err) == 0 &&
            strcmp(s.pending, gb_nb_job_generation(j)) == 0)
                gb_cmd_abort(&h->cli, 1, argv);
        return gb_nb_job_finish(j, "failed", err) < 0 ? gb_nb_fail(h, err) : GB_EXIT_OK;
}

static int cmd_exit(struct gb_nb_hook *h)
{
        struct gb_error err = {0};
        struct gb_nb_job j;
        char text[100];
        bool good = is_good(h);
        int rc = GB_EXIT_OK;

        if (gb_nb_job_open(&j, &h->conf, h->until, h->cli.cancel_fd, &err) < 0) {
                rc = gb_nb_fail(h, &err);
        } else if (of_this_job(h, &j)) {
                snprintf(text, sizeof(text), "exit status %d%s", h->call.status,
                         good                  ? ""
                         : h->call.done_trying ? ", and NetBackup does not try again"
                                               : ", NetBackup tries again");
                gb_nb_note(h, text);
                if (gb_nb_job_exit(&j, &h->call, good, &err) < 0)
                        rc = gb_nb_fail(h, &err);
                else if (!good && h->call.done_trying)
                        rc = give_up(h, &j, &err);
                else if (good)
                        rc = commit_if_due(h, &j, &err);
        }
        gb_nb_job_close(&j);
        return rc;
}

/* ---- prepare ---- */

static int cmd_prepare(struct gb_nb_hook *h)
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
                return gb_nb_fail(h, &err);
        h->until = GB_NEVER;
        rc = gb_nb_make_list(h, "", true);
        tree = h->cli.o.level == GB_LEVEL_MARK;
        if (rc == GB_EXIT_OK && gb_nb_deliver(h, tree, &err) < 0)
                rc = gb_nb_fail(h, &err);
        if (rc == GB_EXIT_OK)
                gb_nb_note(h, "a list is ready");
        return rc;
}

int gb_cmd_netbackup(const struct gb_cli *c, int argc, char **argv)
{
        struct gb_error err = {0};
        struct gb_nb_hook *h = calloc(1, sizeof(*h));
        int rc;

        if (!h) {
                gb_error_set(&err, GB_ERR_MEMORY, "out of memory");
                return gb_fail(&err);
        }
        if (gb_nb_call_parse(argv[0], argc - 1, argv + 1, &h->call, &err) < 0 || gb_nb_load(c, h, &err) < 0) {
                rc = gb_fail(&err);
        } else if (strcmp(argv[0], "prepare") == 0) {
                rc = cmd_prepare(h);
        } else {
                gb_nb_redirect(h);
                rc = strcmp(argv[0], "start") == 0 ? cmd_start(h)
                     : strcmp(argv[0], "end") == 0 ? cmd_end(h)
                                                   : cmd_exit(h);
        }
        free(h);
        return rc;
}
