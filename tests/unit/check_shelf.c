/* links: cli base */
/*
 * check_shelf - records come back in order, as often as they are read, whether they fit in memory or not.
 */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "shelf.h"

#define LONGEST 3000

static size_t make(struct random *rnd, uint8_t rec[LONGEST])
{
        size_t len = random_below(rnd, 50) ? random_below(rnd, 200) : random_below(rnd, LONGEST);

        for (size_t i = 0; i < len; i++)
                rec[i] = (uint8_t)random_below(rnd, 256);
        return len;
}

/* The first n records that a seed makes. */
static void expect(struct gb_shelf_reader *in, struct random *rnd, unsigned n)
{
        uint8_t wanted[LONGEST];
        struct gb_error err;
        const uint8_t *rec;
        size_t len;

        for (unsigned i = 0; i < n; i++) {
                size_t want = make(rnd, wanted);

                ck_assert_int_eq(gb_shelf_next(in, &rec, &len, &err), 1);
                ck_assert_uint_eq(len, want);
                ck_assert(!len || memcmp(rec, wanted, len) == 0);
        }
}

START_TEST(in_order_and_again)
{
        const unsigned n = (unsigned)_i;
        struct random one = {1}, two = {1};
        struct gb_shelf_reader a, b;
        uint8_t rec[LONGEST];
        struct gb_error err;
        struct gb_shelf s;
        const uint8_t *got;
        size_t len;

        gb_shelf_init(&s, "/tmp");
        for (unsigned i = 0; i < n; i++) {
                len = make(&one, rec);
                ck_assert_int_eq(gb_shelf_add(&s, rec, len, &err), 0);
        }
        ck_assert_uint_eq(s.n, n);
        ck_assert(n > 10000 ? s.fd >= 0 : s.fd < 0);
        one = (struct random){1};
        gb_shelf_read(&a, &s);
        expect(&a, &one, n / 2);
        gb_shelf_read(&b, &s); /* in the middle of the other */
        expect(&b, &two, n);
        ck_assert_int_eq(gb_shelf_next(&b, &got, &len, &err), 0);
        expect(&a, &one, n - n / 2);
        ck_assert_int_eq(gb_shelf_next(&a, &got, &len, &err), 0);
        gb_shelf_close(&a);
        gb_shelf_close(&b);
        gb_shelf_fini(&s);
}
END_TEST

START_TEST(a_record_larger_than_the_memory)
{
        const size_t large = 3 * 1024 * 1024;
        uint8_t *rec = calloc(1, large);
        struct gb_shelf_reader in;
        struct gb_error err;
        struct gb_shelf s;
        const uint8_t *got;
        size_t len;

        rec[large - 1] = 7;
        gb_shelf_init(&s, "/tmp");
        for (unsigned i = 0; i < 3; i++) {
                ck_assert_int_eq(gb_shelf_add(&s, rec, large, &err), 0);
                ck_assert_int_eq(gb_shelf_add(&s, "x", 1, &err), 0);
        }
        gb_shelf_read(&in, &s);
        for (unsigned i = 0; i < 3; i++) {
                ck_assert_int_eq(gb_shelf_next(&in, &got, &len, &err), 1);
                ck_assert(len == large && memcmp(got, rec, large) == 0);
                ck_assert_int_eq(gb_shelf_next(&in, &got, &len, &err), 1);
                ck_assert(len == 1 && got[0] == 'x');
        }
        ck_assert_int_eq(gb_shelf_next(&in, &got, &len, &err), 0);
        gb_shelf_close(&in);
        gb_shelf_fini(&s);
        free(rec);
}
END_TEST

START_TEST(no_folder_to_write_to)
{
        uint8_t rec[LONGEST] = {0};
        struct gb_error err;
        struct gb_shelf s;
        int rc = 0;

        gb_shelf_init(&s, "/nowhere");
        for (unsigned i = 0; rc == 0 && i < 1000; i++)
                rc = gb_shelf_add(&s, rec, sizeof(rec), &err);
        ck_assert_int_eq(rc, -1);
        ck_assert_ptr_nonnull(strstr(err.text, "/nowhere"));
        gb_shelf_fini(&s);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("shelf");
        TCase *tc = tcase_create("shelf");
        SRunner *sr;
        int failed;

        tcase_set_timeout(tc, 0);
        tcase_add_loop_test(tc, in_order_and_again, 0, 4);
        tcase_add_loop_test(tc, in_order_and_again, 20000, 20001);
        tcase_add_test(tc, a_record_larger_than_the_memory);
        tcase_add_test(tc, no_folder_to_write_to);
        suite_add_tcase(suite, tc);
        sr = srunner_create(suite);
        srunner_run_all(sr, CK_NORMAL);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
