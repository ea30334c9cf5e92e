/* links: base */
/*
 * check_order - the order of paths against a naive definition, and what a path may be.
 */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/order.h"
#include "random.h"

#define PATHS      300
#define PATH_BYTES 64

struct path {
        char text[PATH_BYTES];
        size_t len;
};

static int sign(int v)
{
        return (v > 0) - (v < 0);
}

/* By definition: component by component, each in unsigned byte order. */
static int naive_cmp(const struct path *a, const struct path *b)
{
        size_t i = 0, j = 0;

        for (;;) {
                size_t ilen = 0, jlen = 0;
                int c;

                while (i + ilen < a->len && a->text[i + ilen] != '/')
                        ilen++;
                while (j + jlen < b->len && b->text[j + jlen] != '/')
                        jlen++;
                c = memcmp(a->text + i, b->text + j, ilen < jlen ? ilen : jlen);
                if (c)
                        return c;
                if (ilen != jlen)
                        return ilen < jlen ? -1 : 1;
                i += ilen + 1;
                j += jlen + 1;
                if (i >= a->len + 1 || j >= b->len + 1)
                        return (i < a->len + 1) - (j < b->len + 1);
        }
}

static int cmp(const struct path *a, const struct path *b)
{
        return sign(gb_path_cmp(a->text, a->len, b->text, b->len));
}

static bool equal(const struct path *a, const struct path *b)
{
        return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static void fill(struct path *p, uint64_t seed, size_t levels)
{
        struct random r = {seed};

        for (size_t i = 0; i < PATHS; i++) {
                /* Long common prefixes reach the comparison by words. */
                size_t shared = i ? random_below(&r, p[i - 1].len + 1) : 0;
                size_t tail;

                if (shared > 30 || random_below(&r, 2))
                        shared = 0;
                memcpy(p[i].text, p[i ? i - 1 : 0].text, shared);
                tail = random_path(&r, p[i].text + shared, levels);
                p[i].len = shared + tail;
        }
}

START_TEST(order_equals_the_definition)
{
        static struct path p[PATHS];

        fill(p, (uint64_t)_i + 1, 5);
        for (size_t i = 0; i < PATHS; i++) {
                for (size_t j = 0; j < PATHS; j++) {
                        if (!gb_path_valid(p[i].text, p[i].len) || !gb_path_valid(p[j].text, p[j].len))
                                continue;
                        EXPECT(cmp(&p[i], &p[j]) == sign(naive_cmp(&p[i], &p[j])));
                }
        }
}
END_TEST

START_TEST(order_is_total)
{
        static struct path p[PATHS];

        fill(p, (uint64_t)_i + 100, 3);
        for (size_t i = 0; i < 60; i++) {
                for (size_t j = 0; j < 60; j++) {
                        int ij = cmp(&p[i], &p[j]);

                        EXPECT(ij == -cmp(&p[j], &p[i]));
                        EXPECT((ij == 0) == equal(&p[i], &p[j]));
                        for (size_t k = 0; k < 60; k++) {
                                if (ij <= 0 && cmp(&p[j], &p[k]) <= 0)
                                        EXPECT(cmp(&p[i], &p[k]) <= 0);
                        }
                }
        }
}
END_TEST

START_TEST(order_finds_the_first_difference_at_every_offset)
{
        char a[40], b[40];

        for (size_t len = 1; len <= sizeof(a); len++) {
                for (size_t at = 0; at < len; at++) {
                        memset(a, 'x', sizeof(a));
                        memset(b, 'x', sizeof(b));
                        a[at] = '/';
                        b[at] = '\x01';
                        if (at + 1 < len)
                                a[len - 1] = 'z';
                        EXPECT(gb_path_cmp(a, len, b, len) < 0);
                        EXPECT(gb_path_cmp(b, len, a, len) > 0);
                        EXPECT(gb_common_prefix(a, len, b, len) == at);
                        EXPECT(gb_common_prefix(a, len, a, at) == at);
                        EXPECT(gb_path_cmp(a, len, a, at) > 0);
                }
        }
}
END_TEST

START_TEST(order_puts_a_directory_before_its_content_before_its_sibling)
{
        static const char *const sorted[] = {"a",  "a/b", "a/b/c", "a/\xff", "a\x01",
                                             "a-", "a.b", "a0",    "b",      "\xff"};
        size_t n = sizeof(sorted) / sizeof(*sorted);

        for (size_t i = 0; i + 1 < n; i++)
                ck_assert_msg(
                        gb_path_cmp(sorted[i], strlen(sorted[i]), sorted[i + 1], strlen(sorted[i + 1])) < 0,
                        "%s before %s", sorted[i], sorted[i + 1]);
}
END_TEST

START_TEST(path_valid_accepts_ordinary_and_odd_names)
{
        static const char *const good[] = {"a",       "a/b",   "...",           ".a",
                                           "..a/.b.", "a b\n", "\xff\x01/\x7f", "a/..."};

        for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
                ck_assert_msg(gb_path_valid(good[i], strlen(good[i])), "%s", good[i]);
}
END_TEST

START_TEST(path_valid_refuses_what_is_not_a_relative_path)
{
        static const char *const bad[] = {"",   "/",   "/a",   "a/",   "a//b",  ".",      "..",
                                          "./", "a/.", "a/..", "../a", "a/./b", "a/../b", "//"};

        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                ck_assert_msg(!gb_path_valid(bad[i], strlen(bad[i])), "%s", bad[i]);
        ck_assert(!gb_path_valid("a\0b", 3));
        ck_assert(!gb_path_valid("\0", 1));
        ck_assert(!gb_path_valid("ab/c\0", 5));
}
END_TEST

START_TEST(path_valid_bounds_names_and_paths)
{
        char path[GB_PATH_MAX + 2];

        memset(path, 'a', sizeof(path));
        ck_assert(gb_path_valid(path, GB_NAME_MAX));
        ck_assert(!gb_path_valid(path, GB_NAME_MAX + 1));
        for (size_t i = GB_NAME_MAX; i < sizeof(path); i += GB_NAME_MAX + 1)
                path[i] = '/';
        path[GB_PATH_MAX - 1] = path[GB_PATH_MAX] = 'a';
        ck_assert(gb_path_valid(path, GB_PATH_MAX));
        path[GB_PATH_MAX - 1] = '/';
        ck_assert(!gb_path_valid(path, GB_PATH_MAX + 1));
}
END_TEST

static bool within(const char *path, const char *dir)
{
        return gb_path_within(path, strlen(path), dir, strlen(dir));
}

START_TEST(path_within_respects_component_ends)
{
        ck_assert(within("a", "a"));
        ck_assert(within("a/b", "a"));
        ck_assert(within("a/b", ""));
        ck_assert(within("a/b/c", "a/b"));
        ck_assert(!within("ab", "a"));
        ck_assert(!within("a", "a/b"));
        ck_assert(!within("b/a", "a"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("order");
        TCase *tc = tcase_create("order");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, order_equals_the_definition, 0, 10);
        tcase_add_loop_test(tc, order_is_total, 0, 3);
        tcase_add_test(tc, order_finds_the_first_difference_at_every_offset);
        tcase_add_test(tc, order_puts_a_directory_before_its_content_before_its_sibling);
        tcase_add_test(tc, path_valid_accepts_ordinary_and_odd_names);
        tcase_add_test(tc, path_valid_refuses_what_is_not_a_relative_path);
        tcase_add_test(tc, path_valid_bounds_names_and_paths);
        tcase_add_test(tc, path_within_respects_component_ends);
        suite_add_tcase(suite, tc);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
