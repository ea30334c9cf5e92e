/* links: base rpc tirpc */
/*
 * check_limits - the bounds that gbackup.x repeats are those of limits.h.
 */
#include <config.h>

#include <check.h>

#include "base/facts.h"
#include "base/limits.h"
#include "gbackup.h"

START_TEST(wire_bounds_equal_the_limits)
{
        ck_assert_int_eq(GBX_PATH_MAX, GB_PATH_MAX);
        ck_assert_int_eq(GBX_NAME_MAX, GB_NAME_MAX);
        ck_assert_int_eq(GBX_BRICK_MAX, GB_BRICK_PATH_MAX);
        ck_assert_int_eq(GBX_VOLUME_MAX, GB_VOLUME_MAX);
        ck_assert_int_eq(GBX_SESSION_MAX, GB_SESSION_MAX);
        ck_assert_int_eq(GBX_HOST_MAX, GB_HOST_MAX);
        ck_assert_int_eq(GBX_TEXT_MAX, GB_TEXT_MAX);
        ck_assert_int_eq(GBX_CURSOR_MAX, GB_CURSOR_MAX);
        ck_assert_int_eq(GBX_BOUNDARY_MAX, GB_BOUNDARY_MAX);
        ck_assert_int_eq(GBX_CHUNK_MAX, GB_CHUNK_MAX);
        ck_assert_int_eq(GBX_LOOK_MAX, GB_LOOK_MAX);
        ck_assert_int_eq(GBX_ROOTS_MAX, GB_ROOTS_MAX);
        ck_assert_int_eq(GBX_RULES_MAX, GB_RULES_MAX);
        ck_assert_int_eq(GBX_GLOB_MAX, GB_GLOB_MAX);
        ck_assert_int_eq(GBX_BRICKS_MAX, GB_BRICKS_MAX);
        ck_assert_int_eq(GBX_PEERS_MAX, GB_PEERS_MAX);
}
END_TEST

/* A session name travels as gbx_name, which is bounded by the host's limit. */
START_TEST(bounds_fit_into_one_another)
{
        ck_assert_int_le(GB_SESSION_MAX, GBX_HOST_MAX);
        ck_assert_int_ge(GB_CHUNK_DEFAULT, GB_CHUNK_MIN);
        ck_assert_int_ge(GB_CHUNK_MAX, GB_CHUNK_DEFAULT);
        /* The longest entry of a block fits into the smallest chunk. */
        ck_assert_int_gt(GB_CHUNK_MIN, GB_PATH_MAX + 32);
        /* A request can carry the largest boundary set. */
        ck_assert_int_gt(GB_REQUEST_MAX, GB_BOUNDARY_MAX);
        /* NEXT answers before its reply is overdue. */
        ck_assert_int_gt(GB_REPLY_MS, GB_WAIT_MS_MAX);
        ck_assert_int_gt(GB_CALL_MS, GB_GLUSTER_MS);
}
END_TEST

/* A reader refuses flags that it does not know, so whoever adds one must make the bit another one, never used
 * before: then both sides say what is the matter. */
START_TEST(another_form_of_facts_has_another_feature_bit)
{
        const uint32_t facts = GB_FACT_DATA | GB_FACT_META | GB_FACT_XATTR | GB_FACT_DIR | GB_FACT_GONE |
                               GB_FACT_RECENT | GB_FACT_BEFORE | GB_FACT_STRAY;

        ck_assert_int_eq(GBX_FEATURE_FACTS, 128);
        ck_assert_uint_eq(facts, 0xff);
        ck_assert_uint_eq(GB_BRICK_FLAGS, 15);
        ck_assert_int_eq(GB_CLAIM_LINK, 5);
        ck_assert_int_eq(GB_SECTION_SHARDS, 3);
        ck_assert_int_eq(GB_ITEM_BRICK, 4);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("limits");
        TCase *tc = tcase_create("limits");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_test(tc, wire_bounds_equal_the_limits);
        tcase_add_test(tc, bounds_fit_into_one_another);
        tcase_add_test(tc, another_form_of_facts_has_another_feature_bit);
        suite_add_tcase(suite, tc);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
