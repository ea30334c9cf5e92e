/* links: base agent xxhash, lib/fakebrick */
/*
 * check_usage - what of a brick's history is counted, and what purging leaves alone.
 */
#include <config.h>

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../lib/fakebrick.h"
#include "fixture.h"
#include "usage.h"

#define DAY 86400

static struct gb_fake *fake;
static struct gb_brick *brick;
static int64_t now;

static void setup(void)
{
        struct gb_error err;

        fake = gb_fake_new();
        now = (int64_t)time(NULL);
        gb_fake_htime(fake, now - 100 * DAY);
        brick = gb_brick_open_bare(fake->path, "vol", &err);
        ck_assert_msg(brick != NULL, "%s", err.text);
}

static void teardown(void)
{
        gb_brick_close(brick);
        gb_fake_free(fake);
}

static char *path_of(int64_t ts)
{
        static char path[4200];
        time_t t = (time_t)ts;
        struct tm tm;
        size_t n = (size_t)snprintf(path, sizeof(path), "%s/", fake->dir);

        gmtime_r(&t, &tm);
        n += strftime(path + n, sizeof(path) - n, "%Y/%m/%d/CHANGELOG.", &tm);
        snprintf(path + n, sizeof(path) - n, "%lld", (long long)ts);
        return path;
}

static void written(const char *path, int64_t when)
{
        const struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};

        ck_assert_int_eq(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* Closed, and written to last, at `ts`. */
static void slice(int64_t ts)
{
        gb_gfid g = gb_fake_gfid(fake);

        gb_fake_slice_begin(fake);
        gb_fake_D(fake, &g);
        gb_fake_slice_end(fake, ts);
        written(path_of(ts), ts);
}

static bool there(int64_t ts)
{
        return access(path_of(ts), F_OK) == 0;
}

static bool day_there(int64_t ts)
{
        char *path = path_of(ts);

        *strrchr(path, '/') = '\0';
        return access(path, F_OK) == 0;
}

static struct gb_usage count(int64_t below)
{
        struct gb_usage u;
        struct gb_error err;

        ck_assert_msg(gb_usage_count(brick, below, &u, &err) == 0, "%s", err.text);
        return u;
}

static struct gb_usage purge(int64_t below)
{
        struct gb_usage u;
        struct gb_error err;

        ck_assert_msg(gb_usage_purge(brick, below, GB_NEVER, &u, &err) == 0, "%s", err.text);
        return u;
}

START_TEST(a_brick_without_history_has_none)
{
        struct gb_usage u = count(INT64_MAX);

        ck_assert_uint_eq(u.slices, 0);
        ck_assert_uint_eq(u.removable, 0);
        ck_assert_int_eq(u.oldest, 0);
}
END_TEST

START_TEST(closed_slices_are_counted)
{
        struct gb_usage u;

        for (int i = 10; i > 0; i--)
                slice(now - i * DAY);
        u = count(0);
        ck_assert_uint_eq(u.slices, 10);
        ck_assert_uint_gt(u.bytes, 0);
        ck_assert_uint_gt(u.htime_bytes, 0);
        ck_assert_int_eq(u.oldest, now - 10 * DAY);
        ck_assert_int_eq(u.newest, now - DAY);
        ck_assert_uint_eq(u.removable, 0);
}
END_TEST

START_TEST(what_is_needed_stays_and_two_before_it)
{
        struct gb_usage u;

        for (int i = 10; i > 0; i--)
                slice(now - i * DAY);
        u = count(now - 4 * DAY); /* 10 to 5 days old are older: 6, less 2 */
        ck_assert_uint_eq(u.removable, 4);
        u = purge(now - 4 * DAY);
        ck_assert_uint_eq(u.removable, 4);
        for (int i = 10; i > 0; i--)
                ck_assert_msg(there(now - i * DAY) == (i <= 6), "%d days", i);
        ck_assert_uint_eq(purge(now - 4 * DAY).removable, 0);
        ck_assert_uint_eq(count(0).slices, 6);
}
END_TEST

START_TEST(the_last_hour_stays_whatever_is_asked)
{
        for (int i = 10; i > 0; i--)
                slice(now - 600 - i * 15);
        ck_assert_uint_eq(purge(INT64_MAX).removable, 0);
        slice(now - 5 * DAY);
        slice(now - 6 * DAY);
        slice(now - 7 * DAY);
        ck_assert_uint_eq(purge(INT64_MAX).removable, 1);
        ck_assert(!there(now - 7 * DAY) && there(now - 6 * DAY));
}
END_TEST

START_TEST(what_was_written_lately_stays_whatever_its_name)
{
        for (int i = 9; i > 5; i--)
                slice(now - i * DAY);
        written(path_of(now - 9 * DAY), now - DAY); /* a node that booted with a wrong clock */
        ck_assert_uint_eq(purge(now - 2 * DAY).removable, 1);
        ck_assert(there(now - 9 * DAY) && !there(now - 8 * DAY));
}
END_TEST

START_TEST(flat_slices_of_old_releases_go_too)
{
        char path[4200];

        for (int i = 5; i > 0; i--) {
                gb_gfid g = gb_fake_gfid(fake);

                gb_fake_slice_begin(fake);
                gb_fake_D(fake, &g);
                gb_fake_slice_flat(fake, now - i * DAY);
                snprintf(path, sizeof(path), "%s/CHANGELOG.%lld", fake->dir, (long long)(now - i * DAY));
                written(path, now - i * DAY);
        }
        ck_assert_uint_eq(purge(INT64_MAX).removable, 3);
}
END_TEST

START_TEST(empty_day_directories_of_long_ago_go)
{
        for (int i = 40; i > 35; i--)
                slice(now - i * DAY);
        slice(now - 3 * DAY);
        slice(now - 2 * DAY);
        slice(now - 1 * DAY);
        ck_assert_uint_eq(purge(now - 2 * DAY).removable, 4);
        ck_assert(!day_there(now - 40 * DAY));
        ck_assert(day_there(now - 36 * DAY)); /* one of the two that stay */
        ck_assert(day_there(now - 1 * DAY));
        ck_assert_uint_eq(purge(INT64_MAX).removable, 2);
        ck_assert(!day_there(now - 36 * DAY));
        ck_assert(day_there(now - 3 * DAY)); /* empty, but of this week */
}
END_TEST

static void put(const char *name)
{
        char path[4200];
        int fd;

        snprintf(path, sizeof(path), "%s/%s", fake->dir, name);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        ck_assert_int_ge(fd, 0);
        close(fd);
        written(path, 1600000000);
}

static bool is_there(const char *name)
{
        char path[4200];
        struct stat st;

        snprintf(path, sizeof(path), "%s/%s", fake->dir, name);
        return lstat(path, &st) == 0;
}

START_TEST(other_names_are_left_alone)
{
        static const char *const names[] = {"CHANGELOG.17953952",
                                            "CHANGELOG.01795395253",
                                            "CHANGELOG.1795395a53",
                                            "changelog.1600000000",
                                            "CHANGELOG",
                                            "notes"};

        for (int i = 9; i > 5; i--)
                slice(now - i * DAY);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                put(names[i]);
        put("htime/CHANGELOG.1600000000");
        ck_assert_uint_eq(purge(INT64_MAX).removable, 2);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                ck_assert_msg(is_there(names[i]), "%s", names[i]);
        ck_assert(is_there("htime/CHANGELOG.1600000000"));
        ck_assert(is_there("htime"));
}
END_TEST

START_TEST(links_are_not_followed)
{
        char outside[4200], link[4200], slice_name[128];

        snprintf(outside, sizeof(outside), "%s/outside", fake->path);
        ck_assert_int_eq(mkdir(outside, 0700), 0);
        snprintf(slice_name, sizeof(slice_name), "%s", "/CHANGELOG.1577836800"); /* 2020-01-01 */
        strcat(outside, slice_name);
        ck_assert_int_ge(open(outside, O_WRONLY | O_CREAT, 0600), 0);
        outside[strlen(outside) - strlen(slice_name)] = '\0';
        /* A day directory that is a link, a year that is one, and a slice that is one. */
        snprintf(link, sizeof(link), "%s/2020", fake->dir);
        ck_assert_int_eq(mkdir(link, 0700), 0);
        strcat(link, "/01");
        ck_assert_int_eq(mkdir(link, 0700), 0);
        strcat(link, "/01");
        ck_assert_int_eq(symlink(outside, link), 0);
        snprintf(link, sizeof(link), "%s/2019", fake->dir);
        ck_assert_int_eq(symlink(outside, link), 0);
        snprintf(link, sizeof(link), "%s/CHANGELOG.1577836801", fake->dir);
        ck_assert_int_eq(symlink("../../outside/CHANGELOG.1577836800", link), 0);
        for (int i = 9; i > 5; i--)
                slice(now - i * DAY);
        ck_assert_uint_eq(purge(INT64_MAX).removable, 2);
        strcat(outside, slice_name);
        ck_assert_int_eq(access(outside, F_OK), 0);
        ck_assert(is_there("CHANGELOG.1577836801"));
        ck_assert(is_there("2020/01/01"));
}
END_TEST

START_TEST(a_slice_in_the_directory_of_another_day_is_left_alone)
{
        char path[4200];

        snprintf(path, sizeof(path), "%s/2020", fake->dir);
        ck_assert_int_eq(mkdir(path, 0700), 0);
        strcat(path, "/05");
        ck_assert_int_eq(mkdir(path, 0700), 0);
        strcat(path, "/05");
        ck_assert_int_eq(mkdir(path, 0700), 0);
        put("2020/05/05/CHANGELOG.1577836800");
        put("2020/05/05/CHANGELOG.1588550400"); /* the day before: local time */
        for (int i = 9; i > 6; i--)
                slice(now - i * DAY);
        ck_assert_uint_eq(count(0).slices, 4);
        ck_assert_uint_eq(purge(INT64_MAX).removable, 2);
        ck_assert(is_there("2020/05/05/CHANGELOG.1577836800"));
        ck_assert(!is_there("2020/05/05/CHANGELOG.1588550400"));
}
END_TEST

START_TEST(a_deadline_ends_it_early)
{
        struct gb_usage u;

        for (int i = 9; i > 5; i--)
                slice(now - i * DAY);
        ck_assert_int_eq(gb_usage_purge(brick, INT64_MAX, 0, &u, NULL), 0);
        ck_assert(u.more);
        ck_assert_uint_eq(u.removable, 0);
        ck_assert_uint_eq(count(INT64_MAX).removable, 2);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("usage");
        SRunner *r = srunner_create(s);
        int failed;
        TCase *t = tcase_create("usage");

        if (!gb_fake_available())
                return 77;
        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, a_brick_without_history_has_none);
        tcase_add_test(t, closed_slices_are_counted);
        tcase_add_test(t, what_is_needed_stays_and_two_before_it);
        tcase_add_test(t, the_last_hour_stays_whatever_is_asked);
        tcase_add_test(t, what_was_written_lately_stays_whatever_its_name);
        tcase_add_test(t, flat_slices_of_old_releases_go_too);
        tcase_add_test(t, empty_day_directories_of_long_ago_go);
        tcase_add_test(t, other_names_are_left_alone);
        tcase_add_test(t, links_are_not_followed);
        tcase_add_test(t, a_slice_in_the_directory_of_another_day_is_left_alone);
        tcase_add_test(t, a_deadline_ends_it_early);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_ENV);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
