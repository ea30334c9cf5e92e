/* links: base */
/*
 * check_select - globs and scopes: what they want, and what is no glob.
 */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/select.h"

/* Words: -GLOB excludes, +GLOB includes, /DIR is the scope. */
static void fill(struct gb_select *s, const char *const *words)
{
        gb_select_init(s);
        for (; *words; words++) {
                struct gb_error err = {0};
                const char *rest = *words + 1;
                int rc = **words == '/' ? gb_select_scope(s, *words, strlen(*words), &err)
                                        : gb_select_glob(s, **words == '-', rest, strlen(rest), &err);

                ck_assert_msg(rc == 0, "%s: %s", *words, err.text);
        }
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void wants(const char *const *words, const char *path, bool want)
{
        struct gb_select s;

        fill(&s, words);
        ck_assert_msg(gb_select_has(&s, path, strlen(path)) == want, "%s...: %s", words[0], path);
        gb_select_fini(&s);
}

START_TEST(glob_without_slash_is_held_against_names_at_any_depth)
{
        wants(WORDS("-*.tmp"), "a.tmp", false);
        wants(WORDS("-*.tmp"), "a/b/c.tmp", false);
        wants(WORDS("-*.tmp"), "a.tmp/b", false);
        wants(WORDS("-*.tmp"), "a.tmpx/b.tm", true);
        wants(WORDS("-cache"), "x/cache/y/z", false);
        wants(WORDS("-cache"), "x/mycache", true);
        wants(WORDS("-?"), "aa/b", false);
        wants(WORDS("-?"), "aa/bb", true);
}
END_TEST

START_TEST(glob_with_slash_is_held_against_whole_paths)
{
        wants(WORDS("-/tmp"), "tmp", false);
        wants(WORDS("-/tmp"), "tmp/a", false);
        wants(WORDS("-/tmp"), "a/tmp", true);
        wants(WORDS("-a/*"), "a/b/c", false);
        wants(WORDS("-a/*"), "a", true);
        wants(WORDS("-a/*/c"), "a/b/c", false);
        wants(WORDS("-a/*/c"), "a/b/d/c", true);
        wants(WORDS("-a/**/c"), "a/c", false);
        wants(WORDS("-a/**/c"), "a/b/d/c", false);
        wants(WORDS("-a/**/c"), "a/b/dc", true);
        wants(WORDS("-**/c"), "c", false);
        wants(WORDS("-**/c"), "x/y/c/z", false);
        wants(WORDS("-a/b**"), "a/bx/y", false);
        wants(WORDS("-a/**"), "a", true);
        wants(WORDS("-a/**"), "a/b", false);
}
END_TEST

START_TEST(sets_and_backslashes)
{
        wants(WORDS("-[a-c]x"), "bx", false);
        wants(WORDS("-[a-c]x"), "dx", true);
        wants(WORDS("-[!a-c]x"), "dx", false);
        wants(WORDS("-[]x]"), "]", false);
        wants(WORDS("-[a\\]]b"), "]b", false);
        wants(WORDS("-a[!x]b/c"), "a/b/c", true);
        wants(WORDS("-\\*"), "*", false);
        wants(WORDS("-\\*"), "a", true);
        wants(WORDS("-[\x80-\xff]*"), "\xc3\xa9", false);
        wants(WORDS("-?\xff"), "\n\xff", false);
}
END_TEST

START_TEST(includes_name_what_is_wanted_and_excludes_win)
{
        wants(WORDS("+*.txt"), "a/b.txt", true);
        wants(WORDS("+*.txt"), "a", false);
        wants(WORDS("+*.txt"), "a.txt/b", true);
        wants(WORDS("+*.txt", "+/docs"), "docs/x", true);
        wants(WORDS("-a/b", "+*.txt"), "a/b/c.txt", false);
        wants(WORDS("+*.txt", "-a/b"), "a/b/c.txt", false);
}
END_TEST

START_TEST(scope_is_what_lies_below)
{
        struct gb_select s;

        wants(WORDS("/a/b/"), "a/b", false);
        wants(WORDS("/a/b"), "a/b/c", true);
        wants(WORDS("/a/b"), "a/bc", false);
        wants(WORDS("/a/b", "-c"), "a/b/c/d", false);
        fill(&s, WORDS("/a/b", "-x"));
        ck_assert(gb_select_below(&s, "a", 1));
        ck_assert(gb_select_below(&s, "a/b/y", 5));
        ck_assert(!gb_select_below(&s, "b", 1));
        ck_assert(!gb_select_below(&s, "a/b/x", 5));
        gb_select_fini(&s);
}
END_TEST

START_TEST(what_is_no_glob_or_scope_is_refused)
{
        static const char *const bad[] = {"",   "/",   "a/", "a//b", "./a", "a/../b",
                                          "..", "a[b", "[",  "[]",   "a\\"};
        static const char *const no_scope[] = {"", "/", "a//b", "..", "a/./b"};
        struct gb_select s;
        struct gb_error err = {0};
        char *deep = calloc(1, GB_GLOB_MAX + 2);

        gb_select_init(&s);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                ck_assert_msg(gb_select_glob(&s, true, bad[i], strlen(bad[i]), &err) < 0, "%s", bad[i]);
        for (size_t i = 0; i < sizeof(no_scope) / sizeof(no_scope[0]); i++)
                ck_assert_msg(gb_select_scope(&s, no_scope[i], strlen(no_scope[i]), &err) < 0, "%s",
                              no_scope[i]);
        memset(deep, 'x', GB_GLOB_MAX + 1);
        ck_assert_int_lt(gb_select_glob(&s, true, deep, GB_GLOB_MAX + 1, &err), 0);
        ck_assert_int_eq(gb_select_glob(&s, true, deep, GB_GLOB_MAX, &err), 0);
        ck_assert_int_lt(gb_select_glob(&s, true, "a\0b", 3, &err), 0);
        ck_assert_int_eq(gb_select_scope(&s, "a", 1, &err), 0);
        ck_assert_int_lt(gb_select_scope(&s, "b", 1, &err), 0);
        for (size_t i = 1; i < GB_RULES_MAX; i++)
                ck_assert_int_eq(gb_select_glob(&s, i % 2, "a", 1, &err), 0);
        ck_assert_int_lt(gb_select_glob(&s, true, "a", 1, &err), 0);
        ck_assert_int_eq(err.code, GB_ERR_USAGE);
        gb_select_fini(&s);
        free(deep);
}
END_TEST

static void size_is(const char *text, uint64_t from)
{
        struct gb_measure m = {0};
        struct gb_error err = {0};

        ck_assert_msg(gb_measure_size(&m, false, text, &err) == 0, "%s: %s", text, err.text);
        ck_assert_uint_eq(m.size_from, from);
        ck_assert_int_eq(gb_measure_size(&m, true, text, &err), 0);
        ck_assert_uint_eq(m.size_below, from + 1);
}

START_TEST(sizes_are_bytes_or_have_a_unit)
{
        size_is("0", 0);
        size_is("1000", 1000);
        size_is("4K", 4096);
        size_is("3M", 3 << 20);
        size_is("2G", 2ull << 30);
        size_is("1T", 1ull << 40);
        size_is("4096P", 1ull << 62);
        for (const char *const *p = WORDS("", "K", "-1", "+1", " 1", "1 ", "1k", "1KB", "1.5M", "0x10",
                                          "4097P", "99999999999999999999999");
             *p; p++) {
                struct gb_measure m = {0};
                struct gb_error err = {0};

                ck_assert_msg(gb_measure_size(&m, false, *p, &err) < 0, "\"%s\"", *p);
                ck_assert_int_eq(err.code, GB_ERR_USAGE);
        }
}
END_TEST

/* All ways at once: a glob made to be slow is not. */
START_TEST(no_glob_is_slow)
{
        struct gb_select s;
        char path[GB_PATH_MAX];

        fill(&s, WORDS("-a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", "-**/a**a**a**a**a**a**a**a**b"));
        memset(path, 'a', sizeof(path));
        for (size_t i = 200; i < sizeof(path); i += 201)
                path[i] = '/';
        for (unsigned i = 0; i < 100; i++)
                ck_assert(gb_select_has(&s, path, sizeof(path) - 1));
        gb_select_fini(&s);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("select");
        TCase *t = tcase_create("select");
        SRunner *r;
        int failed;

        tcase_add_test(t, glob_without_slash_is_held_against_names_at_any_depth);
        tcase_add_test(t, glob_with_slash_is_held_against_whole_paths);
        tcase_add_test(t, sets_and_backslashes);
        tcase_add_test(t, includes_name_what_is_wanted_and_excludes_win);
        tcase_add_test(t, scope_is_what_lies_below);
        tcase_add_test(t, what_is_no_glob_or_scope_is_refused);
        tcase_add_test(t, sizes_are_bytes_or_have_a_unit);
        tcase_add_test(t, no_glob_is_slow);
        tcase_set_timeout(t, 60);
        suite_add_tcase(suite, t);
        r = srunner_create(suite);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
