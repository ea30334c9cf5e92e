/* links: base agent xml2 */
/*
 * check_gluster - running gluster(8), played by shell scripts that answer, stall, flood or die.
 */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "fixture.h"
#include "gluster.h"

static struct gb_error err;
static char *dir;
static char *program;
static struct gb_gluster g;

static void setup(void)
{
        char *data = realpath(fixture_path("."), NULL);

        ck_assert_ptr_nonnull(data);
        memset(&err, 0, sizeof(err));
        dir = fixture_folder();
        program = fixture_join(dir, "gluster");
        setenv("DIR", dir, 1);
        setenv("DATA", data, 1);
        free(data);
        g = (struct gb_gluster){.program = program, .cancel_fd = -1, .timeout_ms = 20000};
}

static void teardown(void)
{
        free(program);
        fixture_remove(dir);
}

/* The script that plays gluster(8).  It notes its arguments and its pid first. */
static void play(const char *body)
{
        static const char head[] = "#!/bin/sh\necho \"$*\" >> \"$DIR/args\"\necho $$ > \"$DIR/pid\"\n";
        char text[8192];

        snprintf(text, sizeof(text), "%s%s\n", head, body);
        fixture_write(dir, "gluster", text);
        ck_assert_int_eq(chmod(program, 0755), 0);
}

/* Content of a file the script wrote, "" if it did not; static. */
static const char *note(const char *name)
{
        static char text[8192];
        char *path = fixture_join(dir, name);
        FILE *f = fopen(path, "r");
        size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

        text[n] = '\0';
        if (f)
                fclose(f);
        free(path);
        return text;
}

static int set(void)
{
        return gb_gluster_set(&g, "vol", "changelog.changelog", "on", &err);
}

/* The script's process is gone and reaped, and nothing of it stays open. */
static void check_nothing_left(int fds_before)
{
        pid_t pid = (pid_t)atoi(note("pid"));

        ck_assert_int_gt(pid, 0);
        ck_assert_int_eq(kill(pid, 0), -1);
        ck_assert_int_eq(errno, ESRCH);
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
        ck_assert_int_eq(errno, ECHILD);
        ck_assert_int_eq(fixture_open_fds(), fds_before);
}

#define GOOD "cat \"$DATA/xml/heal-info-fa_dr.xml\""
#define THREE                                                                                                \
        "case \"$3 $4\" in\n"                                                                                \
        "'volume info') cat \"$DATA/xml/info-fa_arb.xml\";;\n"                                               \
        "'volume status') cat \"$DATA/xml/status-fa_arb-brickdown.xml\";;\n"                                 \
        "'pool list') cat \"$DATA/xml/pool-list.xml\";;\n"                                                   \
        "esac"

/* ---- commands ---- */

START_TEST(topology_asks_three_questions)
{
        int before = fixture_open_fds();
        struct gb_volinfo v;

        play(THREE);
        ck_assert_msg(gb_gluster_topology(&g, "fa_arb", &v, &err) == 0, "%s", err.text);
        ck_assert_str_eq(note("args"), "--mode=script --xml volume info fa_arb\n"
                                       "--mode=script --xml volume status fa_arb\n"
                                       "--mode=script --xml pool list\n");
        ck_assert(v.started);
        ck_assert_uint_eq(v.bricks.n, 6);
        ck_assert(v.bricks.v[0].online);
        ck_assert(!v.bricks.v[1].online);
        ck_assert_uint_eq(v.peers.n, 1);
        gb_volinfo_fini(&v);
        check_nothing_left(before);
}
END_TEST

START_TEST(a_stopped_volume_is_not_asked_for_its_status)
{
        struct gb_volinfo v;

        play("case \"$3\" in volume) cat \"$DATA/xml/info-fa_ad.xml\";; *) cat \"$DATA/xml/pool-list.xml\";; "
             "esac");
        ck_assert_int_eq(gb_gluster_topology(&g, "fa_ad", &v, &err), 0);
        ck_assert(!v.started);
        ck_assert_ptr_null(strstr(note("args"), "status"));
        gb_volinfo_fini(&v);
}
END_TEST

START_TEST(a_volume_may_stop_between_two_questions)
{
        struct gb_volinfo v;

        play("case \"$3 $4\" in\n"
             "'volume info') sed 's/>2<.status>/>1<\\/status>/; s/>0<.status>/>1<\\/status>/' "
             "\"$DATA/xml/info-fa_ad.xml\";;\n"
             "'volume status') cat \"$DATA/xml/status-fa_ad.xml\";;\n"
             "*) cat \"$DATA/xml/pool-list.xml\";; esac");
        ck_assert_msg(gb_gluster_topology(&g, "fa_ad", &v, &err) == 0, "%s", err.text);
        ck_assert_ptr_nonnull(strstr(note("args"), "volume status fa_ad"));
        ck_assert(!v.started);
        gb_volinfo_fini(&v);
}
END_TEST

START_TEST(a_refused_status_is_an_error_and_leaves_nothing)
{
        struct gb_volinfo v;

        play("case \"$4\" in info) cat \"$DATA/xml/info-fa_arb.xml\";;\n"
             "status) echo '<cliOutput><opRet>-1</opRet><opErrno>30800</opErrno>"
             "<opErrstr>Staging failed on n2</opErrstr></cliOutput>';; esac");
        ck_assert_int_eq(gb_gluster_topology(&g, "fa_arb", &v, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
        ck_assert_ptr_nonnull(strstr(err.text, "volume status: Staging failed on n2"));
        ck_assert_ptr_null(v.bricks.v);
        ck_assert_ptr_null(v.name);
}
END_TEST

START_TEST(a_missing_volume_is_told_apart)
{
        struct gb_volinfo v;

        play("cat \"$DATA/xml/info-nosuch.xml\"");
        ck_assert_int_eq(gb_gluster_topology(&g, "nosuch", &v, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_NO_VOLUME);
}
END_TEST

START_TEST(set_passes_key_and_value_as_they_are)
{
        play(GOOD);
        ck_assert_msg(set() == 0, "%s", err.text);
        ck_assert_int_eq(gb_gluster_set(&g, "v", "a.b", "x; touch $DIR/evil `id` *", &err), 0);
        ck_assert_str_eq(note("args"), "--mode=script --xml volume set vol changelog.changelog on\n"
                                       "--mode=script --xml volume set v a.b x; touch $DIR/evil `id` *\n");
}
END_TEST

START_TEST(a_refused_set_is_an_error_though_the_exit_status_is_0)
{
        play("cat \"$DATA/volinfo/option_unknown.xml\"; exit 0");
        ck_assert_int_eq(set(), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
}
END_TEST

START_TEST(names_and_values_that_are_options_are_never_run)
{
        static const char *const volumes[] = {"", "-v", "--version", "a b", "a/b", "..", "all", "v\n"};
        static const char *const words[] = {"", "-x", "--remote-host=evil", "a\nb", "a\x7f"};
        struct gb_volinfo v;

        play(THREE);
        for (size_t i = 0; i < sizeof(volumes) / sizeof(volumes[0]); i++) {
                ck_assert_int_eq(gb_gluster_topology(&g, volumes[i], &v, &err), -1);
                ck_assert_int_eq(err.code, GB_ERR_NO_VOLUME);
                ck_assert_int_eq(gb_gluster_set(&g, volumes[i], "a", "b", &err), -1);
                ck_assert_int_eq(err.code, GB_ERR_NO_VOLUME);
        }
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                ck_assert_int_eq(gb_gluster_set(&g, "v", words[i], "on", &err), -1);
                ck_assert_int_eq(err.code, GB_ERR_USAGE);
                ck_assert_int_eq(gb_gluster_set(&g, "v", "key", words[i], &err), -1);
                ck_assert_int_eq(err.code, GB_ERR_USAGE);
        }
        ck_assert_str_eq(note("args"), "");
}
END_TEST

/* ---- the child's surroundings ---- */

START_TEST(the_child_runs_in_the_c_locale_without_input)
{
        setenv("LANG", "de_DE.UTF-8", 1);
        setenv("LC_MESSAGES", "de_DE.UTF-8", 1);
        setenv("LC_ALL", "de_DE.UTF-8", 1);
        play("echo \"$LC_ALL,$LANG,$LC_MESSAGES\" > \"$DIR/locale\"; wc -c > \"$DIR/input\"\n" GOOD);
        ck_assert_int_eq(set(), 0);
        ck_assert_str_eq(note("locale"), "C,,\n");
        ck_assert_int_eq(atoi(note("input")), 0);
}
END_TEST

START_TEST(the_child_starts_with_signals_as_usual)
{
        const char *ignored;
        sigset_t all;

        sigfillset(&all);
        signal(SIGPIPE, SIG_IGN);
        sigprocmask(SIG_BLOCK, &all, NULL);
        play("grep -E '^Sig(Blk|Ign)' /proc/self/status > \"$DIR/signals\"\n" GOOD);
        ck_assert_int_eq(set(), 0);
        ck_assert_ptr_nonnull(strstr(note("signals"), "SigBlk:\t0000000000000000"));
        ignored = strstr(note("signals"), "SigIgn:\t");
        ck_assert_ptr_nonnull(ignored);
        ck_assert_uint_eq(strtoull(ignored + 8, NULL, 16) & (1ULL << (SIGPIPE - 1)), 0);
}
END_TEST

/* ---- a child that misbehaves ---- */

START_TEST(a_missing_program_is_an_error)
{
        int before = fixture_open_fds();

        ck_assert_int_eq(set(), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
        if (!getenv("GB_VALGRIND"))
                ck_assert_int_eq(err.sys, ENOENT);
        ck_assert_int_eq(fixture_open_fds(), before);
}
END_TEST

START_TEST(plain_words_are_passed_on)
{
        play("cat \"$DATA/volinfo/not_xml.txt\"; exit 1");
        ck_assert_int_eq(set(), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
        ck_assert_ptr_nonnull(strstr(err.text, "Connection failed. Please check"));
        play("echo 'unrecognized option' >&2; echo 'Usage' ; exit 255");
        ck_assert_int_eq(set(), -1);
        ck_assert_ptr_nonnull(strstr(err.text, "unrecognized option"));
        ck_assert_ptr_null(strstr(err.text, "Usage"));
}
END_TEST

START_TEST(no_word_at_all_gives_the_exit_status)
{
        play("exit 146");
        ck_assert_int_eq(set(), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
        ck_assert_ptr_nonnull(strstr(err.text, "exit status 146"));
        play("kill -9 $$");
        ck_assert_int_eq(set(), -1);
        ck_assert_ptr_nonnull(strstr(err.text, "signal 9"));
}
END_TEST

START_TEST(a_child_that_hangs_is_killed_at_the_deadline)
{
        int before = fixture_open_fds();
        int64_t start = gb_now_ms();

        g.timeout_ms = 300;
        play("exec sleep 60");
        ck_assert_int_eq(set(), -1);
        ck_assert_int_eq(err.code, GB_ERR_TIMEOUT);
        ck_assert_int_lt(gb_now_ms() - start, 10000);
        check_nothing_left(before);
}
END_TEST

START_TEST(a_child_that_closes_its_output_and_hangs_is_killed_too)
{
        int before = fixture_open_fds();

        g.timeout_ms = 300;
        play(GOOD "; exec sleep 60 >/dev/null 2>&1");
        ck_assert_int_eq(set(), -1);
        ck_assert_int_eq(err.code, GB_ERR_TIMEOUT);
        check_nothing_left(before);
}
END_TEST

START_TEST(a_child_that_ends_late_is_waited_for)
{
        int before = fixture_open_fds();

        play(GOOD "; exec >/dev/null 2>&1; sleep 0.2; echo late > \"$DIR/late\"");
        ck_assert_int_eq(set(), 0);
        ck_assert_str_eq(note("late"), "late\n");
        check_nothing_left(before);
}
END_TEST

START_TEST(cancelling_kills_the_child)
{
        int before = fixture_open_fds();
        int64_t start = gb_now_ms();
        int cancel[2];

        ck_assert_int_eq(pipe(cancel), 0);
        g.cancel_fd = cancel[0];
        play("touch \"$DIR/up\"; exec sleep 60");
        ck_assert_int_eq(close(cancel[1]), 0); /* the other end goes away */
        ck_assert_int_eq(set(), -1);
        ck_assert_int_eq(err.code, GB_ERR_CANCELLED);
        ck_assert_int_lt(gb_now_ms() - start, 10000);
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
        ck_assert_int_eq(errno, ECHILD);
        close(cancel[0]);
        ck_assert_int_eq(fixture_open_fds(), before);
}
END_TEST

START_TEST(endless_output_is_cut_off)
{
        int before = fixture_open_fds();

        play("exec yes '<a><b><c><d><e><f>'");
        ck_assert_int_eq(set(), -1);
        ck_assert_int_eq(err.code, GB_ERR_LIMIT);
        check_nothing_left(before);
}
END_TEST

START_TEST(a_flood_on_stderr_does_not_block)
{
        int before = fixture_open_fds();

        play("head -c 1000000 /dev/zero | tr '\\0' 'e' >&2\n" GOOD);
        ck_assert_msg(set() == 0, "%s", err.text);
        play("head -c 1000000 /dev/zero | tr '\\0' 'e' >&2");
        ck_assert_int_eq(set(), -1);
        ck_assert_ptr_nonnull(strstr(err.text, "eeee"));
        ck_assert_uint_lt(strlen(err.text), 500);
        check_nothing_left(before);
}
END_TEST

START_TEST(half_an_answer_is_no_answer)
{
        struct gb_volinfo v;

        play("head -c 1500 \"$DATA/xml/info-fa_arb.xml\"");
        ck_assert_int_eq(gb_gluster_topology(&g, "fa_arb", &v, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
        ck_assert_ptr_null(v.name);
}
END_TEST

/* ---- a busy glusterd ---- */

START_TEST(a_busy_glusterd_is_asked_again)
{
        int64_t start = gb_now_ms();

        play("if [ $(wc -l < \"$DIR/args\") -lt 3 ]; then cat \"$DATA/volinfo/busy.xml\"; else " GOOD "; fi");
        ck_assert_msg(set() == 0, "%s", err.text);
        ck_assert_int_ge(gb_now_ms() - start, 750); /* two pauses, the second longer */
}
END_TEST

START_TEST(other_errors_are_not_tried_again)
{
        play("cat \"$DATA/xml/status-fa_ad.xml\"");
        ck_assert_int_eq(set(), -1);
        ck_assert_str_eq(note("args"), "--mode=script --xml volume set vol changelog.changelog on\n");
}
END_TEST

/* The pauses grow to seconds: a cancel must end one at once. */
START_TEST(waiting_for_a_busy_glusterd_can_be_cancelled)
{
        int64_t start = gb_now_ms();
        int cancel[2];
        pid_t pid;

        ck_assert_int_eq(pipe(cancel), 0);
        g.cancel_fd = cancel[0];
        play("cat \"$DATA/volinfo/busy.xml\"");
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                usleep(1200 * 1000); /* in the middle of the third pause, of 1 s */
                _exit(write(cancel[1], "x", 1) == 1 ? 0 : 1);
        }
        ck_assert_int_eq(set(), -1);
        ck_assert_int_eq(err.code, GB_ERR_CANCELLED);
        ck_assert_int_lt(gb_now_ms() - start, 10000);
        waitpid(pid, NULL, 0);
        close(cancel[0]);
        close(cancel[1]);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("gluster");
        TCase *t = tcase_create("run");
        SRunner *r;
        int failed;

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_set_timeout(t, 60);
        tcase_add_test(t, topology_asks_three_questions);
        tcase_add_test(t, a_stopped_volume_is_not_asked_for_its_status);
        tcase_add_test(t, a_volume_may_stop_between_two_questions);
        tcase_add_test(t, a_refused_status_is_an_error_and_leaves_nothing);
        tcase_add_test(t, a_missing_volume_is_told_apart);
        tcase_add_test(t, set_passes_key_and_value_as_they_are);
        tcase_add_test(t, a_refused_set_is_an_error_though_the_exit_status_is_0);
        tcase_add_test(t, names_and_values_that_are_options_are_never_run);
        tcase_add_test(t, the_child_runs_in_the_c_locale_without_input);
        tcase_add_test(t, the_child_starts_with_signals_as_usual);
        tcase_add_test(t, a_missing_program_is_an_error);
        tcase_add_test(t, plain_words_are_passed_on);
        tcase_add_test(t, no_word_at_all_gives_the_exit_status);
        tcase_add_test(t, a_child_that_hangs_is_killed_at_the_deadline);
        tcase_add_test(t, a_child_that_closes_its_output_and_hangs_is_killed_too);
        tcase_add_test(t, a_child_that_ends_late_is_waited_for);
        tcase_add_test(t, cancelling_kills_the_child);
        tcase_add_test(t, endless_output_is_cut_off);
        tcase_add_test(t, a_flood_on_stderr_does_not_block);
        tcase_add_test(t, half_an_answer_is_no_answer);
        tcase_add_test(t, a_busy_glusterd_is_asked_again);
        tcase_add_test(t, other_errors_are_not_tried_again);
        tcase_add_test(t, waiting_for_a_busy_glusterd_can_be_cancelled);
        suite_add_tcase(s, t);

        r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
