/* links: base agent */
/*
 * check_names - sorting against qsort and memcmp, searching against a loop.
 */
#include <config.h>

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "names.h"
#include "random.h"

struct text {
        char bytes[GB_NAME_MAX];
        size_t len;
};

static int cmp_text(const void *pa, const void *pb)
{
        const struct text *a = pa, *b = pb;
        int c = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);

        return c ? c : (a->len > b->len) - (a->len < b->len);
}

static void push_all(struct gb_names *s, const struct text *t, size_t n)
{
        for (size_t i = 0; i < n; i++)
                ck_assert_int_eq(gb_names_push(s, t[i].bytes, t[i].len, DT_REG), 0);
}

static bool same(const struct gb_names *s, size_t i, const struct text *t)
{
        return gb_name_len(&s->v.v[i]) == t->len &&
               memcmp(gb_name_text(s, &s->v.v[i]), t->bytes, t->len) == 0;
}

/* Sort with gb_names above one name that must stay, and with qsort; compare.  Sorts `t`. */
static void check_sort(struct text *t, size_t n)
{
        struct gb_names s;
        size_t kept = 0;

        ck_assert_int_eq(gb_names_init(&s), 0);
        ck_assert_int_eq(gb_names_push(&s, "zz below", 8, DT_DIR), 0);
        push_all(&s, t, n);
        gb_names_sort(&s, 1);
        qsort(t, n, sizeof(*t), cmp_text);
        for (size_t i = 0; i < n; i++) {
                if (i == 0 || cmp_text(&t[i - 1], &t[i]) != 0)
                        t[kept++] = t[i];
        }
        ck_assert_uint_eq(s.v.n, kept + 1);
        for (size_t i = 0; i < kept; i++)
                ck_assert_msg(same(&s, i + 1, &t[i]), "name %zu of %zu", i, kept);
        ck_assert_uint_eq(gb_name_dtype(&s.v.v[0]), DT_DIR);
        ck_assert_uint_eq(gb_name_len(&s.v.v[0]), 8);
        gb_names_fini(&s);
}

START_TEST(sort_equals_qsort_on_random_names)
{
        struct random r = {(uint64_t)_i + 1};
        size_t n = random_below(&r, 2000);
        struct text *t = calloc(n + 1, sizeof(*t));

        for (size_t i = 0; i < n; i++)
                t[i].len = random_name(&r, t[i].bytes, _i % 2 ? 4 : 40);
        check_sort(t, n);
        free(t);
}
END_TEST

START_TEST(sort_tells_long_names_apart_behind_a_common_prefix)
{
        struct random r = {(uint64_t)_i + 99};
        size_t n = 500;
        struct text *t = calloc(n, sizeof(*t));

        for (size_t i = 0; i < n; i++) {
                size_t prefix = random_below(&r, 4) * 50 + (size_t)_i;

                memset(t[i].bytes, '\xff', prefix);
                t[i].len = prefix + random_name(&r, t[i].bytes + prefix, 30);
        }
        check_sort(t, n);
        free(t);
}
END_TEST

START_TEST(sort_takes_every_byte_as_unsigned)
{
        struct text t[255 * 2];

        for (size_t i = 0; i < 255; i++) {
                t[2 * i] = (struct text){.len = 1};
                t[2 * i].bytes[0] = (char)(255 - i);
                t[2 * i + 1] = (struct text){.len = 2};
                t[2 * i + 1].bytes[0] = (char)(255 - i);
                t[2 * i + 1].bytes[1] = '\x01';
        }
        check_sort(t, 255 * 2);
}
END_TEST

static void name_number(struct text *t, size_t v)
{
        t->len = 8;
        for (size_t k = 8; k-- > 0; v /= 200)
                t->bytes[k] = (char)(1 + v % 200);
}

/* The permutation that makes a quicksort with the median of first, middle and last quadratic, built
 * backwards: undo each partition so that the pivot is always the second smallest. */
static void killer(size_t *v, size_t n)
{
        for (size_t i = 0; i < n; i++)
                v[i] = i;
        for (size_t m = 3; m <= n; m++) {
                size_t t = v[m / 2];

                v[m / 2] = v[m - 2];
                v[m - 2] = t;
        }
}

static size_t pattern(int kind, size_t i, size_t n, const size_t *kill)
{
        switch (kind) {
        case 0:
                return i;
        case 1:
                return n - i;
        case 2:
                return i < n / 2 ? i : n - i;
        case 3:
                return i % 7;
        default:
                return kill[i];
        }
}

START_TEST(sort_is_not_quadratic_on_chosen_orders)
{
        size_t n = 200000;
        size_t *kill = calloc(n, sizeof(*kill));
        struct gb_names s;
        int64_t began;

        killer(kill, n);
        ck_assert_int_eq(gb_names_init(&s), 0);
        for (size_t i = 0; i < n; i++) {
                struct text t;

                name_number(&t, pattern(_i, i, n, kill));
                ck_assert_int_eq(gb_names_push(&s, t.bytes, t.len, DT_REG), 0);
        }
        began = gb_now_ms();
        gb_names_sort(&s, 0);
        ck_assert_int_lt(gb_now_ms() - began, 5000);
        for (size_t i = 1; i < s.v.n; i++)
                ck_assert_int_lt(memcmp(gb_name_text(&s, &s.v.v[i - 1]), gb_name_text(&s, &s.v.v[i]), 8), 0);
        ck_assert_uint_gt(s.v.n, 6);
        gb_names_fini(&s);
        free(kill);
}
END_TEST

START_TEST(find_gives_the_first_name_not_below)
{
        struct random r = {7};
        struct gb_names s;
        struct text t;

        ck_assert_int_eq(gb_names_init(&s), 0);
        for (size_t i = 0; i < 300; i++) {
                t.len = random_name(&r, t.bytes, 3);
                ck_assert_int_eq(gb_names_push(&s, t.bytes, t.len, DT_REG), 0);
        }
        gb_names_sort(&s, 0);
        for (size_t i = 0; i < 2000; i++) {
                bool exact, found;
                size_t at, want = 0;

                t.len = random_name(&r, t.bytes, 4);
                at = gb_names_find(&s, 0, t.bytes, t.len, &exact);
                for (; want < s.v.n; want++) {
                        struct text have = {.len = gb_name_len(&s.v.v[want])};

                        memcpy(have.bytes, gb_name_text(&s, &s.v.v[want]), have.len);
                        if (cmp_text(&have, &t) >= 0)
                                break;
                }
                found = want < s.v.n && same(&s, want, &t);
                ck_assert_uint_eq(at, want);
                ck_assert(exact == found);
        }
        gb_names_fini(&s);
}
END_TEST

START_TEST(push_refuses_a_name_longer_than_names_are)
{
        struct gb_names s;
        char name[GB_NAME_MAX + 1];

        memset(name, 'x', sizeof(name));
        ck_assert_int_eq(gb_names_init(&s), 0);
        ck_assert_int_eq(gb_names_push(&s, name, GB_NAME_MAX, DT_REG), 0);
        ck_assert_int_eq(gb_names_push(&s, name, GB_NAME_MAX + 1, DT_REG), -1);
        ck_assert_int_eq(errno, ENAMETOOLONG);
        ck_assert_uint_eq(s.v.n, 1);
        gb_names_fini(&s);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("names");
        TCase *tc = tcase_create("names");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_set_timeout(tc, 120);
        tcase_add_loop_test(tc, sort_equals_qsort_on_random_names, 0, 20);
        tcase_add_loop_test(tc, sort_tells_long_names_apart_behind_a_common_prefix, 0, 20);
        tcase_add_test(tc, sort_takes_every_byte_as_unsigned);
        tcase_add_loop_test(tc, sort_is_not_quadratic_on_chosen_orders, 0, 5);
        tcase_add_test(tc, find_gives_the_first_name_not_below);
        tcase_add_test(tc, push_refuses_a_name_longer_than_names_are);
        suite_add_tcase(suite, tc);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
