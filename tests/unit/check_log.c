/* links: base */
/*
 * check_log - lines as they arrive on stderr.
 */
#include <config.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

/* stderr goes to an unlinked file; every test runs in a process of its own. */
static FILE *captured;

static void capture(void)
{
        captured = tmpfile();
        ck_assert_ptr_nonnull(captured);
        ck_assert_int_ge(dup2(fileno(captured), STDERR_FILENO), 0);
        unsetenv("JOURNAL_STREAM");
        setenv("GBACKUP_JOURNAL", "/nonexistent", 1);
}

/* All that was logged; free it. */
static char *logged(void)
{
        off_t size = lseek(fileno(captured), 0, SEEK_END);
        char *text = calloc(1, (size_t)size + 1);

        ck_assert_ptr_nonnull(text);
        ck_assert_int_eq(pread(fileno(captured), text, (size_t)size, 0), size);
        return text;
}

static void expect_logged(const char *expected)
{
        char *text = logged();

        ck_assert_str_eq(text, expected);
        free(text);
}

START_TEST(lines_up_to_the_level_are_written)
{
        gb_log_setup("prog", GB_LOG_NOTICE);
        gb_log(GB_LOG_ERROR, "%s", "one");
        gb_log(GB_LOG_NOTICE, "two %d", 2);
        gb_log(GB_LOG_INFO, "three");
        ck_assert_int_eq(gb_log_level(), GB_LOG_NOTICE);
        expect_logged("prog: error: one\nprog: notice: two 2\n");
}
END_TEST

static void stderr_is_the_journal(void)
{
        char stream[64];
        struct stat st;

        ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
        snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
                 (unsigned long long)st.st_ino);
        setenv("JOURNAL_STREAM", stream, 1);
}

START_TEST(journal_gets_priorities_only_if_stderr_is_the_journal)
{
        stderr_is_the_journal();
        gb_log_setup("prog", GB_LOG_INFO);
        gb_log(GB_LOG_WARNING, "w");
        setenv("JOURNAL_STREAM", "1:1", 1);
        gb_log_setup("prog", GB_LOG_INFO);
        gb_log(GB_LOG_WARNING, "w");
        expect_logged("<4>prog: w\nprog: warning: w\n");
}
END_TEST

START_TEST(journal_gets_fields)
{
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
        char got[4096];
        ssize_t n;

        snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/gb-journal.%d", (int)getpid());
        unlink(at.sun_path);
        ck_assert_int_eq(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
        setenv("GBACKUP_JOURNAL", at.sun_path, 1);
        stderr_is_the_journal();
        gb_log_setup("prog", GB_LOG_INFO);
        unlink(at.sun_path);
        gb_log_field("SESSION", "nightly");
        gb_log_field("VOLUME", "v\n1");
        gb_log_field("SESSION", "weekly");
        gb_log(GB_LOG_NOTICE, "a: b\nc");
        n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
        ck_assert_int_gt(n, 0);
        got[n] = '\0';
        ck_assert_str_eq(got, "PRIORITY=5\nSYSLOG_IDENTIFIER=prog\nMESSAGE=a: b\\x0ac\n"
                              "GBACKUP_SESSION=weekly\nGBACKUP_VOLUME=v?1\n");
        gb_log_field("SESSION", NULL);
        gb_log(GB_LOG_NOTICE, "x");
        n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
        ck_assert_int_gt(n, 0);
        got[n] = '\0';
        ck_assert_ptr_null(strstr(got, "GBACKUP_SESSION"));
        expect_logged("");
        close(fd); /* the journal is restarted: lines are not lost */
        gb_log(GB_LOG_NOTICE, "y");
        expect_logged("<5>prog: y\n");
}
END_TEST

START_TEST(control_characters_cannot_forge_lines)
{
        gb_log_setup("prog", GB_LOG_INFO);
        gb_log(GB_LOG_INFO, "a\n<0>b\x1b[1m\x7f\xc3\xa9");
        expect_logged("prog: info: a\\x0a<0>b\\x1b[1m\\x7f\xc3\xa9\n");
}
END_TEST

START_TEST(a_line_is_at_most_2048_bytes)
{
        char longer[5000];
        char *text;

        memset(longer, '\n', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        gb_log_setup("prog", GB_LOG_INFO);
        gb_log(GB_LOG_INFO, "%s", longer);
        text = logged();
        ck_assert_uint_le(strlen(text), 2048);
        ck_assert_uint_gt(strlen(text), 2040);
        ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
        free(text);
}
END_TEST

static size_t count(const char *text, const char *what)
{
        size_t n = 0;

        for (; (text = strstr(text, what)); text++)
                n++;
        return n;
}

START_TEST(a_flood_is_cut_per_level_and_accounted_for)
{
        unsigned suppressed = 0;
        const char *p;
        char *text;

        gb_log_setup("prog", GB_LOG_INFO);
        for (int i = 0; i < 1000; i++)
                gb_log(GB_LOG_INFO, "flood");
        gb_log(GB_LOG_WARNING, "heard");
        usleep(1100000);
        gb_log(GB_LOG_INFO, "later");
        text = logged();
        ck_assert_uint_eq(count(text, "heard\n"), 1);
        ck_assert_uint_eq(count(text, "later\n"), 1);
        /* The flood may have straddled two seconds. */
        ck_assert_uint_le(count(text, "flood\n"), 400);
        for (p = text; (p = strstr(p, " more lines suppressed\n")); p++) {
                const char *digits = p;

                while (digits[-1] != ' ')
                        digits--;
                suppressed += (unsigned)strtoul(digits, NULL, 10);
        }
        ck_assert_uint_eq(count(text, "flood\n") + suppressed, 1000);
        free(text);
}
END_TEST

START_TEST(levels_have_names)
{
        ck_assert_int_eq(gb_log_parse_level("error"), GB_LOG_ERROR);
        ck_assert_int_eq(gb_log_parse_level("warning"), GB_LOG_WARNING);
        ck_assert_int_eq(gb_log_parse_level("notice"), GB_LOG_NOTICE);
        ck_assert_int_eq(gb_log_parse_level("info"), GB_LOG_INFO);
        ck_assert_int_eq(gb_log_parse_level("debug"), GB_LOG_DEBUG);
        ck_assert_int_eq(gb_log_parse_level("Debug"), -1);
        ck_assert_int_eq(gb_log_parse_level(""), -1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("log");
        TCase *tc = tcase_create("log");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_checked_fixture(tc, capture, NULL);
        tcase_add_test(tc, lines_up_to_the_level_are_written);
        tcase_add_test(tc, journal_gets_priorities_only_if_stderr_is_the_journal);
        tcase_add_test(tc, journal_gets_fields);
        tcase_add_test(tc, control_characters_cannot_forge_lines);
        tcase_add_test(tc, a_line_is_at_most_2048_bytes);
        tcase_add_test(tc, a_flood_is_cut_per_level_and_accounted_for);
        tcase_add_test(tc, levels_have_names);
        suite_add_tcase(suite, tc);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
