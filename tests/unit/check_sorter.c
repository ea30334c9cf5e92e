/* links: base */
/*
 * check_sorter - the same order as a plain sort, whatever fits in memory, and nothing left behind.
 */
#include <config.h>

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/order.h"
#include "base/sorter.h"
#include "base/vec.h"
#include "random.h"

#define TINY ((size_t)16 * 1024)
#define BIG  ((size_t)64 * 1024 * 1024)

/* A key, then four bytes that number the record. */
struct record {
        uint8_t *bytes;
        size_t len;
};
typedef GB_VEC(struct record) record_vec;
typedef uint64_t (*prefix_fn)(const uint8_t *rec, size_t len, void *arg);

static char dir[] = "/tmp/gb-check-sorter-XXXXXX";

static void make_dir(void)
{
        ck_assert_ptr_nonnull(mkdtemp(dir));
}

/* Fails if the sorter left a file. */
static void remove_dir(void)
{
        ck_assert_int_eq(rmdir(dir), 0);
}

/* By key only, so that equal keys show whether the sort is stable. */
static int by_key(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen, void *arg)
{
        EXPECT(arg == dir);
        return gb_path_cmp((const char *)a, alen - 4, (const char *)b, blen - 4);
}

static uint64_t first_bytes(const uint8_t *rec, size_t len, void *arg)
{
        uint64_t prefix = 0;

        EXPECT(arg == dir);
        for (size_t i = 0; i < 8; i++) {
                unsigned c = i < len - 4 ? rec[i] : 0;

                prefix = prefix << 8 | (c == '/' ? 1 : c && c < '/' ? c + 1 : c);
        }
        return prefix;
}

static uint32_t number_of(const struct record *r)
{
        uint32_t number;

        memcpy(&number, r->bytes + r->len - 4, sizeof(number));
        return number;
}

static int by_key_and_number(const void *a, const void *b)
{
        const struct record *x = a;
        const struct record *y = b;
        int c = by_key(x->bytes, x->len, y->bytes, y->len, dir);

        return c ? c : (number_of(x) > number_of(y)) - (number_of(x) < number_of(y));
}

static void push(record_vec *v, const void *key, size_t len)
{
        struct record r = {.bytes = malloc(len + 4), .len = len + 4};
        uint32_t number = (uint32_t)v->n;

        EXPECT(r.bytes);
        memcpy(r.bytes, key, len);
        memcpy(r.bytes + len, &number, sizeof(number));
        EXPECT(gb_vec_push(v, r) == 0);
}

static void free_records(record_vec *v)
{
        for (size_t i = 0; i < v->n; i++)
                free(v->v[i].bytes);
        gb_vec_free(v);
}

static void random_records(record_vec *v, size_t n, uint64_t seed)
{
        struct random r = {seed};
        char path[64];

        for (size_t i = 0; i < n; i++) {
                size_t len = random_path(&r, path, 1 + random_below(&r, 4));

                push(v, path, len);
        }
}

/* Sort v both ways and compare; returns the bytes spilled. */
static uint64_t sort_and_compare(record_vec *v, size_t memory, prefix_fn prefix)
{
        struct gb_error err;
        struct gb_sorter *s = gb_sorter_new(memory, dir, by_key, dir, prefix, &err);
        const uint8_t *rec;
        uint64_t spilled;
        size_t len;

        ck_assert_ptr_nonnull(s);
        for (size_t i = 0; i < v->n; i++)
                EXPECT(gb_sorter_add(s, v->v[i].bytes, v->v[i].len, &err) == 0);
        ck_assert_uint_eq(gb_sorter_count(s), v->n);
        ck_assert_int_eq(gb_sorter_finish(s, &err), 0);
        if (v->n)
                qsort(v->v, v->n, sizeof(*v->v), by_key_and_number);
        for (size_t i = 0; i < v->n; i++) {
                EXPECT(gb_sorter_next(s, &rec, &len, &err) == 1);
                EXPECT(len == v->v[i].len && memcmp(rec, v->v[i].bytes, len) == 0);
        }
        ck_assert_int_eq(gb_sorter_next(s, &rec, &len, &err), 0);
        ck_assert_int_eq(gb_sorter_next(s, &rec, &len, &err), 0);
        spilled = gb_sorter_spilled(s);
        gb_sorter_free(s);
        return spilled;
}

START_TEST(nothing_sorts_to_nothing)
{
        record_vec v = GB_VEC_INIT;

        ck_assert_uint_eq(sort_and_compare(&v, TINY, NULL), 0);
}
END_TEST

START_TEST(sorts_stably_in_memory)
{
        static const size_t sizes[] = {1, 2, 3, 12, 13, 14, 100, 5000};
        record_vec v = GB_VEC_INIT;

        random_records(&v, sizes[_i], (uint64_t)_i);
        ck_assert_uint_eq(sort_and_compare(&v, BIG, _i % 2 ? first_bytes : NULL), 0);
        free_records(&v);
}
END_TEST

START_TEST(sorts_stably_when_it_spills)
{
        record_vec v = GB_VEC_INIT;

        random_records(&v, 3000 + 700 * (size_t)_i, (uint64_t)_i + 20);
        ck_assert_uint_gt(sort_and_compare(&v, TINY, _i % 2 ? first_bytes : NULL), 3000);
        free_records(&v);
}
END_TEST

START_TEST(sorts_stably_when_runs_are_merged_more_than_once)
{
        record_vec v = GB_VEC_INIT;
        uint64_t bytes = 0;

        random_records(&v, 120000, 7);
        for (size_t i = 0; i < v.n; i++)
                bytes += 4 + v.v[i].len;
        /* Written as runs, and once more as merged runs. */
        ck_assert_uint_eq(sort_and_compare(&v, TINY, first_bytes), 2 * bytes);
        free_records(&v);
}
END_TEST

START_TEST(equal_keys_keep_the_order_of_insertion)
{
        record_vec v = GB_VEC_INIT;

        for (int i = 0; i < 4000; i++)
                push(&v, i % 3 ? "a" : "b", 1);
        sort_and_compare(&v, _i ? TINY : BIG, first_bytes);
        free_records(&v);
}
END_TEST

START_TEST(records_larger_than_the_memory_are_sorted_too)
{
        struct random r = {3};
        record_vec v = GB_VEC_INIT;
        char *key = malloc(1024 * 1024);

        ck_assert_ptr_nonnull(key);
        for (int i = 0; i < 200; i++) {
                size_t len = i % 20 ? random_path(&r, key, 4) : TINY + random_below(&r, 100000);

                if (i % 20 == 0)
                        memset(key, 'a' + (int)random_below(&r, 3), len);
                push(&v, key, len);
        }
        memset(key, 'b', 1024 * 1024 - 4);
        push(&v, key, 1024 * 1024 - 4);
        ck_assert_uint_gt(sort_and_compare(&v, TINY, first_bytes), 1024 * 1024);
        free(key);
        free_records(&v);
}
END_TEST

START_TEST(calls_out_of_turn_are_refused)
{
        struct gb_error err;
        struct gb_sorter *s = gb_sorter_new(TINY, dir, by_key, dir, NULL, &err);
        char *large = calloc(1, 1024 * 1024 + 1);
        const uint8_t *rec;
        size_t len;

        ck_assert_int_eq(gb_sorter_next(s, &rec, &len, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_USAGE);
        ck_assert_int_eq(gb_sorter_add(s, large, 1024 * 1024 + 1, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_LIMIT);
        ck_assert_int_eq(gb_sorter_finish(s, &err), 0);
        ck_assert_int_eq(gb_sorter_finish(s, &err), -1);
        ck_assert_int_eq(gb_sorter_add(s, "aaaaa", 5, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_USAGE);
        free(large);
        gb_sorter_free(s);
        gb_sorter_free(NULL);
}
END_TEST

static int add_until_failure(struct gb_sorter *s, struct gb_error *err)
{
        for (int i = 0; i < 100000; i++) {
                if (gb_sorter_add(s, "some/path....", 13, err) < 0)
                        return -1;
        }
        return 0;
}

START_TEST(a_missing_folder_is_an_error_that_names_it)
{
        struct gb_error err;
        struct gb_sorter *s = gb_sorter_new(TINY, "/nonexistent/folder", by_key, dir, NULL, &err);

        ck_assert_int_eq(add_until_failure(s, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_SYSTEM);
        ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/folder"));
        gb_sorter_free(s);
}
END_TEST

START_TEST(a_full_disk_is_an_error_and_nothing_comes_out_afterwards)
{
        struct rlimit limit = {.rlim_cur = 300000, .rlim_max = 300000};
        struct gb_error err;
        struct gb_sorter *s = gb_sorter_new(TINY, dir, by_key, dir, NULL, &err);
        const uint8_t *rec;
        size_t len;

        signal(SIGXFSZ, SIG_IGN);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        ck_assert_int_eq(add_until_failure(s, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_SYSTEM);
        ck_assert_int_eq(gb_sorter_add(s, "aaaaa", 5, &err), -1);
        ck_assert_int_eq(gb_sorter_finish(s, &err), -1);
        ck_assert_int_eq(gb_sorter_next(s, &rec, &len, &err), -1);
        gb_sorter_free(s);
}
END_TEST

START_TEST(freeing_halfway_leaves_nothing)
{
        record_vec v = GB_VEC_INIT;
        struct gb_error err;
        struct gb_sorter *s = gb_sorter_new(TINY, dir, by_key, dir, first_bytes, &err);
        const uint8_t *rec;
        size_t len;

        random_records(&v, 5000, 11);
        for (size_t i = 0; i < v.n; i++)
                EXPECT(gb_sorter_add(s, v.v[i].bytes, v.v[i].len, &err) == 0);
        if (_i) {
                ck_assert_int_eq(gb_sorter_finish(s, &err), 0);
                ck_assert_int_eq(gb_sorter_next(s, &rec, &len, &err), 1);
        }
        gb_sorter_free(s);
        free_records(&v);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("sorter");
        TCase *tc = tcase_create("sorter");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_set_timeout(tc, 60);
        tcase_add_checked_fixture(tc, make_dir, remove_dir);
        tcase_add_test(tc, nothing_sorts_to_nothing);
        tcase_add_loop_test(tc, sorts_stably_in_memory, 0, 8);
        tcase_add_loop_test(tc, sorts_stably_when_it_spills, 0, 6);
        tcase_add_test(tc, sorts_stably_when_runs_are_merged_more_than_once);
        tcase_add_loop_test(tc, equal_keys_keep_the_order_of_insertion, 0, 2);
        tcase_add_test(tc, records_larger_than_the_memory_are_sorted_too);
        tcase_add_test(tc, calls_out_of_turn_are_refused);
        tcase_add_test(tc, a_missing_folder_is_an_error_that_names_it);
        tcase_add_test(tc, a_full_disk_is_an_error_and_nothing_comes_out_afterwards);
        tcase_add_loop_test(tc, freeing_halfway_leaves_nothing, 0, 2);
        suite_add_tcase(suite, tc);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
