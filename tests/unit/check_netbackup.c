/* links: cli rpc base jansson inih */
/*
 * NetBackup's side: which settings a policy gets from netbackup.conf, and when a job is good by what the
 * hooks told of its streams.
 */
#include <config.h>

#include "fixture.h"
#include "nb_job.h"

/* main.c has them. */
void gb_say(const char *fmt, ...)
{
        (void)fmt;
}

void gb_note(const struct gb_cli *c, const char *fmt, ...)
{
        (void)c;
        (void)fmt;
}

void gb_cancel_hold(void)
{
}

static char *dir, *file;
static struct gb_nb_conf conf;

static void setup(void)
{
        dir = fixture_folder();
        file = fixture_join(dir, "netbackup.conf");
        setenv("GBACKUP_NETBACKUP_CONF", file, 1);
}

static void teardown(void)
{
        free(file);
        fixture_remove(dir);
}

/* ---- nb_conf ---- */

static int load(const char *text, const char *policy, const char *schedule, struct gb_error *err)
{
        FILE *f = fopen(file, "we");

        ck_assert_ptr_nonnull(f);
        ck_assert_int_ge(fputs(text, f), 0);
        ck_assert_int_eq(fclose(f), 0);
        return gb_nb_conf_load(policy, schedule, &conf, err);
}

static void load_ok(const char *text, const char *policy, const char *schedule)
{
        struct gb_error err;

        ck_assert_msg(load(text, policy, schedule, &err) == 0, "%s", err.text);
}

static void refused(const char *text, const char *word)
{
        struct gb_error err;

        ck_assert_int_eq(load(text, "p", "s", &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_CONFIG);
        ck_assert_msg(strstr(err.text, word) != NULL, "%s lacks %s", err.text, word);
}

#define NEEDED "session = a\nmount = /m\n"

START_TEST(conf_defaults)
{
        load_ok("[p]\n" NEEDED, "p", "s");
        ck_assert_str_eq(conf.session, "a");
        ck_assert_str_eq(conf.mount, "/m");
        ck_assert(!conf.include && !conf.full_names && !conf.all_directories && !conf.sweep);
        ck_assert(!conf.full_on_gap && !conf.allow_skipped && !conf.commit_partial);
        ck_assert(conf.raw_wildcards); /* of a list that is not read as patterns */
        ck_assert_int_eq(conf.user[0], GB_LEVEL_AUTO);
        ck_assert_int_eq(conf.commit_on, GB_NB_COMMIT_EXIT);
        ck_assert_uint_eq(conf.timeout, 270);
        ck_assert_uint_eq(conf.max_age, 12 * 3600);
        ck_assert_ptr_nonnull(strstr(conf.list, "/netbackup/a.list"));
}
END_TEST

/* The order in the file does not matter, nor do other policies. */
START_TEST(conf_schedule_over_policy_over_all)
{
        static const char text[] =
                "[p/s]\ntimeout = 3\n"
                "[other]\ntimeout = 9\nsession = o\n"
                "[p]\ntimeout = 2\nmax_age = 200\n" NEEDED "[*]\ntimeout = 1\nmax_age = 100\nsweep = yes\n";

        load_ok(text, "p", "s");
        ck_assert_uint_eq(conf.timeout, 3);
        ck_assert_uint_eq(conf.max_age, 200);
        ck_assert(conf.sweep);
        ck_assert_str_eq(conf.session, "a");
        load_ok(text, "p", "another");
        ck_assert_uint_eq(conf.timeout, 2);
}
END_TEST

START_TEST(conf_wildcards_follow_deliver_unless_said)
{
        load_ok("[p]\n" NEEDED "deliver = include\n", "p", "s");
        ck_assert(conf.include && !conf.raw_wildcards);
        load_ok("[p]\n" NEEDED "deliver = include\nwildcards = raw\n", "p", "s");
        ck_assert(conf.raw_wildcards);
        load_ok("[p]\n" NEEDED "wildcards = escape\n", "p", "s");
        ck_assert(!conf.raw_wildcards);
}
END_TEST

START_TEST(conf_refuses)
{
        struct gb_error err;

        refused("[q]\n" NEEDED, "no section [p]");
        refused("[p]\nmount = /m\n", "session is missing");
        refused("[p]\nsession = a\n", "mount is missing");
        refused("[p]\nmount = m\nsession = a\n", ":2: mount: 'm' is not an absolute path");
        refused("[p]\nsession = a/b\nmount = /m\n", ":2: ");
        refused("[p]\n" NEEDED "tiemout = 3\n", ":4: unknown key 'tiemout'");
        refused("[p]\n" NEEDED "timeout = 0\n", "number from 1");
        refused("[p]\n" NEEDED "timeout = 3s\n", "number from 1");
        refused("[p]\n" NEEDED "full = everything\n", "one of tree, names");
        refused("[p]\n" NEEDED "mount = /n\n", "given twice");
        refused("session = a\n", "outside a section");
        refused("[p]\n" NEEDED "nonsense\n", ":4: neither [POLICY]");
        /* A mistake in another policy's section is better found today. */
        refused("[p]\n" NEEDED "[q]\ntimeout = soon\n", ":5: ");
        ck_assert_int_eq(unlink(file), 0);
        ck_assert_int_eq(gb_nb_conf_load("p", "s", &conf, &err), -1);
        ck_assert_ptr_nonnull(strstr(err.text, "no such configuration file"));
}
END_TEST

START_TEST(conf_refuses_what_inih_would_cut)
{
        char text[1024] = "[p]\n" NEEDED "list = /";

        memset(text + strlen(text), 'x', 600);
        refused(text, ":4: line is longer than");
        snprintf(text, sizeof(text), "[%.*s]\n" NEEDED, 49,
                 "ppppppppppppppppppppppppppppppppppppppppppppppppppppppppp");
        refused(text, "at most 48 bytes");
}
END_TEST

/* ---- nb_job ---- */

static struct gb_nb_job job;
static struct gb_nb_call call;

static void open_job(void)
{
        struct gb_error err;

        ck_assert_msg(gb_nb_job_open(&job, &conf, GB_NEVER, -1, &err) == 0, "%s", err.text);
}

static void new_job(void)
{
        struct gb_error err;

        snprintf(conf.state_dir, sizeof(conf.state_dir), "%s", dir);
        snprintf(conf.session, sizeof(conf.session), "a");
        call = (struct gb_nb_call){.client = "c", .policy = "p", .schedule = "s", .type = GB_NB_INCR};
        open_job();
        ck_assert_int_eq(gb_nb_job_new(&job, &call, "g1", &err), 0);
}

static void start(int stream, int count)
{
        struct gb_error err;

        call.stream = stream;
        call.stream_count = count;
        ck_assert_int_eq(gb_nb_job_start(&job, &call, &err), 0);
        gb_nb_job_close(&job); /* each hook is a process of its own */
        open_job();
}

static void end(int stream, bool good)
{
        struct gb_error err;

        call.stream = stream;
        ck_assert_int_eq(gb_nb_job_end(&job, &call, good, &err), 0);
}

static void exits(int stream, bool good)
{
        struct gb_error err;

        call.stream = stream;
        ck_assert_int_eq(gb_nb_job_exit(&job, &call, good, &err), 0);
}

static bool due(void)
{
        return gb_nb_job_due(&job, GB_NB_COMMIT_EXIT);
}

START_TEST(job_without_streams)
{
        new_job();
        start(0, 0);
        ck_assert(!due());
        end(0, true);
        ck_assert(!due());
        exits(0, true);
        ck_assert(due());
        ck_assert(!gb_nb_job_due(&job, GB_NB_COMMIT_NEVER));
        gb_nb_job_close(&job);
}
END_TEST

START_TEST(job_with_a_known_number_of_streams)
{
        new_job();
        start(1, 3);
        start(2, 3);
        exits(1, true);
        exits(2, true);
        exits(-1, true);
        ck_assert(!due()); /* the third has not begun */
        start(3, 3);
        exits(3, true);
        ck_assert(due());
        gb_nb_job_close(&job);
}
END_TEST

START_TEST(job_with_streams_of_unknown_number_waits_for_the_parent)
{
        new_job();
        start(0, 0);
        start(0, 0);
        exits(1, true);
        exits(-1, true);
        ck_assert(!due());
        exits(2, true);
        ck_assert(due());
        exits(-1, false);
        ck_assert(!due());
        gb_nb_job_close(&job);
}
END_TEST

START_TEST(job_bad_anywhere_is_not_due)
{
        new_job();
        start(1, 2);
        start(2, 2);
        end(1, false);
        exits(1, true);
        exits(2, true);
        ck_assert(!due());
        ck_assert(!gb_nb_job_due(&job, GB_NB_COMMIT_BPEND));
        gb_nb_job_close(&job);
}
END_TEST

START_TEST(job_a_stream_tried_again_takes_its_bad_exit_back)
{
        new_job();
        start(1, 2);
        start(2, 2);
        exits(1, false);
        exits(2, true);
        ck_assert(!due());
        start(1, 2);
        exits(1, true);
        ck_assert(due());
        gb_nb_job_close(&job);
}
END_TEST

START_TEST(job_by_bpend)
{
        new_job();
        start(1, 2);
        end(1, true);
        ck_assert(!gb_nb_job_due(&job, GB_NB_COMMIT_BPEND));
        start(2, 2);
        end(2, true);
        ck_assert(gb_nb_job_due(&job, GB_NB_COMMIT_BPEND));
        gb_nb_job_close(&job);
}
END_TEST

START_TEST(job_fits_only_its_own_call_and_until_it_is_finished)
{
        struct gb_error err;

        new_job();
        start(0, 0);
        ck_assert(gb_nb_job_fits(&job, &call, 60) && gb_nb_job_running(&job, 60));
        ck_assert_str_eq(gb_nb_job_generation(&job), "g1");
        call.schedule = "other";
        ck_assert(!gb_nb_job_fits(&job, &call, 60));
        call.schedule = "s";
        call.type = GB_NB_FULL;
        ck_assert(!gb_nb_job_fits(&job, &call, 60));
        call.type = GB_NB_INCR;
        exits(0, false);
        ck_assert(!gb_nb_job_running(&job, 60));
        ck_assert_int_eq(gb_nb_job_finish(&job, "failed", &err), 0);
        ck_assert(!gb_nb_job_is_open(&job) && !gb_nb_job_fits(&job, &call, 60) && !due());
        gb_nb_job_close(&job);
}
END_TEST

START_TEST(job_state_that_is_damaged_is_said)
{
        struct gb_error err;
        FILE *f;
        char *state;

        new_job();
        start(0, 0);
        gb_nb_job_close(&job);
        state = fixture_join(dir, "a.job");
        f = fopen(state, "we");
        ck_assert_ptr_nonnull(f);
        ck_assert_int_ge(fputs("{\"policy\": ", f), 0);
        ck_assert_int_eq(fclose(f), 0);
        ck_assert_int_eq(gb_nb_job_open(&job, &conf, GB_NEVER, -1, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_CORRUPT);
        ck_assert_ptr_nonnull(strstr(err.text, "remove it"));
        gb_nb_job_close(&job);
        free(state);
}
END_TEST

/* Hooks of several streams run side by side. */
START_TEST(job_is_locked)
{
        struct gb_nb_job other;
        struct gb_error err;

        new_job();
        ck_assert_int_eq(gb_nb_job_open(&other, &conf, gb_now_ms(), -1, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_TIMEOUT);
        gb_nb_job_close(&other);
        gb_nb_job_close(&job);
}
END_TEST

static Suite *suite(void)
{
        Suite *s = suite_create("netbackup");
        TCase *c = tcase_create("conf"), *j = tcase_create("job");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, conf_defaults);
        tcase_add_test(c, conf_schedule_over_policy_over_all);
        tcase_add_test(c, conf_wildcards_follow_deliver_unless_said);
        tcase_add_test(c, conf_refuses);
        tcase_add_test(c, conf_refuses_what_inih_would_cut);
        tcase_add_checked_fixture(j, setup, teardown);
        tcase_add_test(j, job_without_streams);
        tcase_add_test(j, job_with_a_known_number_of_streams);
        tcase_add_test(j, job_with_streams_of_unknown_number_waits_for_the_parent);
        tcase_add_test(j, job_bad_anywhere_is_not_due);
        tcase_add_test(j, job_a_stream_tried_again_takes_its_bad_exit_back);
        tcase_add_test(j, job_by_bpend);
        tcase_add_test(j, job_fits_only_its_own_call_and_until_it_is_finished);
        tcase_add_test(j, job_state_that_is_damaged_is_said);
        tcase_add_test(j, job_is_locked);
        suite_add_tcase(s, c);
        suite_add_tcase(s, j);
        return s;
}

int main(void)
{
        SRunner *r = srunner_create(suite());
        int failed;

        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
