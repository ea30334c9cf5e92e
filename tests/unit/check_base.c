/* links: base */
/*
 * check_base - the small things everybody stands on: error, gfid, buf, clock, arena, gfidmap, vec.
 */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/gfid.h"
#include "base/gfidmap.h"
#include "base/vec.h"
#include "random.h"

/* ---- error ---- */

START_TEST(error_records_code_and_text)
{
        struct gb_error err;

        ck_assert_int_eq(gb_error_set(&err, GB_ERR_GAP, "%s: %d", "brick", 7), -1);
        ck_assert_int_eq(err.code, GB_ERR_GAP);
        ck_assert_int_eq(err.sys, 0);
        ck_assert_str_eq(err.text, "brick: 7");
        ck_assert_int_eq(gb_error_set(NULL, GB_ERR_GAP, "nobody listens"), -1);
        ck_assert_int_eq(gb_error_sys(NULL, GB_ERR_GAP, "nobody listens"), -1);
        ck_assert_int_eq(gb_error_prefix(NULL, "nobody listens"), -1);
}
END_TEST

START_TEST(error_sys_appends_errno_and_recognises_full_disks_and_memory)
{
        struct gb_error err;

        errno = ENOENT;
        ck_assert_int_eq(gb_error_sys(&err, GB_ERR_BRICK_DOWN, "open %s", "x"), -1);
        ck_assert_int_eq(err.code, GB_ERR_BRICK_DOWN);
        ck_assert_int_eq(err.sys, ENOENT);
        ck_assert_str_eq(err.text, "open x: No such file or directory");
        errno = ENOSPC;
        gb_error_sys(&err, GB_ERR_SYSTEM, "w");
        ck_assert_int_eq(err.code, GB_ERR_NO_SPACE);
        errno = EDQUOT;
        gb_error_sys(&err, GB_ERR_SYSTEM, "w");
        ck_assert_int_eq(err.code, GB_ERR_NO_SPACE);
        errno = ENOMEM;
        gb_error_sys(&err, GB_ERR_SYSTEM, "w");
        ck_assert_int_eq(err.code, GB_ERR_MEMORY);
        ck_assert_int_eq(err.sys, ENOMEM);
}
END_TEST

START_TEST(error_prefix_keeps_code_and_old_text)
{
        struct gb_error err;

        gb_error_set(&err, GB_ERR_BUSY, "session locked");
        ck_assert_int_eq(gb_error_prefix(&err, "host %d", 3), -1);
        ck_assert_int_eq(err.code, GB_ERR_BUSY);
        ck_assert_str_eq(err.text, "host 3: session locked");
        gb_error_set(&err, GB_ERR_GAP, "again: %s", err.text);
        ck_assert_str_eq(err.text, "again: host 3: session locked");
}
END_TEST

START_TEST(error_text_is_one_line_and_never_overruns)
{
        struct gb_error err;
        char longer[3 * GB_TEXT_MAX];

        gb_error_set(&err, GB_ERR_USAGE, "a\nb\x1b[0m\x7f");
        ck_assert_str_eq(err.text, "a?b?[0m?");
        memset(longer, 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        gb_error_set(&err, GB_ERR_USAGE, "%s", longer);
        ck_assert_uint_eq(strlen(err.text), GB_TEXT_MAX - 1);
        gb_error_prefix(&err, "host");
        ck_assert_uint_eq(strlen(err.text), GB_TEXT_MAX - 1);
        ck_assert_int_eq(strncmp(err.text, "host: xxx", 9), 0);
        errno = EIO;
        gb_error_sys(&err, GB_ERR_SYSTEM, "%s", longer);
        ck_assert_uint_eq(strlen(err.text), GB_TEXT_MAX - 1);
}
END_TEST

START_TEST(each_code_has_its_own_name)
{
        for (unsigned i = 0; i < GB_CODE_END; i++) {
                const char *name = gb_code_name((enum gb_code)i);

                ck_assert_ptr_nonnull(name);
                for (unsigned j = 0; j < i; j++)
                        ck_assert_str_ne(name, gb_code_name((enum gb_code)j));
        }
        ck_assert_str_eq(gb_code_name(GB_CODE_END), "unknown");
        ck_assert_str_eq(gb_code_name((enum gb_code) - 1), "unknown");
        ck_assert_str_eq(gb_code_name(GB_ERR_GAP), "gap");
}
END_TEST

/* ---- gfid ---- */

START_TEST(gfid_text_goes_both_ways)
{
        struct random r = {5};
        char text[GB_GFID_TEXT];

        for (int i = 0; i < 1000; i++) {
                gb_gfid g = random_gfid(&r), back;

                gb_gfid_format(&g, text);
                EXPECT(gb_gfid_parse(text, 36, &back) && gb_gfid_eq(&g, &back));
                for (char *p = text; *p; p++)
                        *p = *p >= 'a' ? (char)(*p - 32) : *p;
                EXPECT(gb_gfid_parse(text, 36, &back) && gb_gfid_eq(&g, &back));
        }
        ck_assert_str_eq(gb_gfid_format(&GB_GFID_SHARD, text), "be318638-e8a0-4c6d-977d-7a937aa84806");
        ck_assert_str_eq(gb_gfid_format(&GB_GFID_SHARD_REMOVE_ME, text),
                         "77dd5a45-dbf5-4592-b31b-b440382302e9");
        ck_assert_str_eq(gb_gfid_format(&GB_GFID_ROOT, text), "00000000-0000-0000-0000-000000000001");
}
END_TEST

START_TEST(gfid_parse_refuses_everything_else)
{
        static const char good[] = "be318638-e8a0-4c6d-977d-7a937aa84806";
        gb_gfid g = GB_GFID_TRASH;

        ck_assert(!gb_gfid_parse(good, 35, &g));
        ck_assert(!gb_gfid_parse(good, 37, &g));
        for (size_t i = 0; i < 36; i++) {
                char bad[37];

                memcpy(bad, good, sizeof(bad));
                bad[i] = good[i] == '-' ? '0' : i % 2 ? '-' : 'g';
                ck_assert(!gb_gfid_parse(bad, 36, &g));
        }
        ck_assert(gb_gfid_eq(&g, &GB_GFID_TRASH));
        ck_assert(gb_gfid_parse(good, 36, &g));
}
END_TEST

START_TEST(gfid_knows_internal_directories)
{
        gb_gfid volume = {{0x11, 2, 3}};
        gb_gfid anonymous = {{0x10, 2, 3}};
        gb_gfid found = gb_gfid_anonymous_dir(&volume);

        ck_assert(gb_gfid_eq(&found, &anonymous));
        ck_assert(gb_gfid_is_internal_dir(&anonymous, &volume));
        ck_assert(gb_gfid_is_internal_dir(&GB_GFID_TRASH, &volume));
        ck_assert(gb_gfid_is_internal_dir(&GB_GFID_TRASH_INTERNAL, &volume));
        ck_assert(gb_gfid_is_internal_dir(&GB_GFID_BITROT_STUB, &volume));
        ck_assert(gb_gfid_is_internal_dir(&GB_GFID_SHARD, &volume));
        ck_assert(gb_gfid_is_internal_dir(&GB_GFID_SHARD_REMOVE_ME, &volume));
        ck_assert(!gb_gfid_is_internal_dir(&GB_GFID_ROOT, &volume));
        ck_assert(!gb_gfid_is_internal_dir(&volume, &volume));
}
END_TEST

/* ---- buf ---- */

START_TEST(buf_and_reader_agree)
{
        struct random rnd = {(uint64_t)_i};
        struct gb_reader r;
        struct gb_buf b;
        uint64_t values[500];
        gb_gfid g = random_gfid(&rnd), back;
        const uint8_t *p;
        uint8_t byte;
        size_t n;

        gb_buf_init(&b, 1 << 20);
        for (size_t i = 0; i < 500; i++) {
                values[i] = random_next(&rnd) >> random_below(&rnd, 64);
                EXPECT(gb_buf_put_varint(&b, values[i]) == 0);
        }
        ck_assert_int_eq(gb_buf_put_gfid(&b, &g), 0);
        ck_assert_int_eq(gb_buf_put_u8(&b, 200), 0);
        ck_assert_int_eq(gb_buf_put_bytes(&b, "hello", 5), 0);
        ck_assert_int_eq(gb_buf_put_bytes(&b, NULL, 0), 0);
        ck_assert_int_eq(gb_buf_put(&b, "raw", 3), 0);
        r = (struct gb_reader){b.data, b.data + b.len};
        for (size_t i = 0; i < 500; i++) {
                uint64_t v;

                EXPECT(gb_get_varint(&r, &v) && v == values[i]);
        }
        ck_assert(gb_get_gfid(&r, &back) && gb_gfid_eq(&g, &back));
        ck_assert(gb_get_u8(&r, &byte) && byte == 200);
        ck_assert(gb_get_bytes(&r, 5, &p, &n) && n == 5 && memcmp(p, "hello", 5) == 0);
        ck_assert(gb_get_bytes(&r, 5, &p, &n) && n == 0);
        ck_assert(gb_get_raw(&r, 3, &p) && memcmp(p, "raw", 3) == 0);
        ck_assert_uint_eq(gb_reader_left(&r), 0);
        ck_assert(!gb_get_u8(&r, &byte));
        gb_buf_fini(&b);
}
END_TEST

START_TEST(varint_extremes)
{
        static const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT64_MAX >> 1, UINT64_MAX};
        static const size_t sizes[] = {1, 1, 1, 2, 2, 3, 9, 10};

        for (size_t i = 0; i < 8; i++) {
                struct gb_reader r;
                struct gb_buf b;
                uint64_t v;

                gb_buf_init(&b, 10);
                ck_assert_int_eq(gb_buf_put_varint(&b, values[i]), 0);
                ck_assert_uint_eq(b.len, sizes[i]);
                for (size_t cut = 0; cut < b.len; cut++) {
                        r = (struct gb_reader){b.data, b.data + cut};
                        ck_assert(!gb_get_varint(&r, &v));
                        ck_assert_ptr_eq(r.p, b.data);
                }
                r = (struct gb_reader){b.data, b.data + b.len};
                ck_assert(gb_get_varint(&r, &v) && v == values[i]);
                gb_buf_fini(&b);
        }
}
END_TEST

static bool varint_readable(const char *bytes, size_t len)
{
        struct gb_reader r = {(const uint8_t *)bytes, (const uint8_t *)bytes + len};
        uint64_t v;

        return gb_get_varint(&r, &v);
}

START_TEST(varint_has_one_encoding)
{
        ck_assert(varint_readable("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10));
        ck_assert(!varint_readable("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));
        ck_assert(!varint_readable("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11));
        ck_assert(!varint_readable("\x80\0", 2));
        ck_assert(!varint_readable("\x81\x80\0", 3));
        ck_assert(varint_readable("\0", 1));
}
END_TEST

START_TEST(buf_never_passes_its_maximum_and_a_failed_put_writes_nothing)
{
        struct gb_buf b;

        gb_buf_init(&b, 10);
        ck_assert_int_eq(gb_buf_put(&b, "12345678", 8), 0);
        ck_assert_int_eq(gb_buf_put(&b, "abc", 3), -1);
        ck_assert_int_eq(gb_buf_put_bytes(&b, "ab", 2), -1);
        ck_assert_int_eq(gb_buf_put_varint(&b, 1 << 20), -1);
        ck_assert_int_eq(gb_buf_put_gfid(&b, &GB_GFID_ROOT), -1);
        ck_assert_int_eq(gb_buf_reserve(&b, SIZE_MAX), -1);
        ck_assert_int_eq(gb_buf_put_bytes(&b, "ab", SIZE_MAX), -1);
        ck_assert_uint_eq(b.len, 8);
        ck_assert_int_eq(gb_buf_put(&b, "ab", 2), 0);
        ck_assert_int_eq(gb_buf_put_u8(&b, 0), -1);
        ck_assert_mem_eq(b.data, "12345678ab", 10);
        ck_assert_uint_le(b.cap, 10);
        gb_buf_fini(&b);
}
END_TEST

START_TEST(reader_does_not_move_on_failure)
{
        static const uint8_t bytes[] = {5, 'a', 'b', 'c'};
        struct gb_reader r = {bytes, bytes + sizeof(bytes)};
        const uint8_t *p;
        gb_gfid g;
        size_t n;

        ck_assert(!gb_get_bytes(&r, 100, &p, &n));
        ck_assert(!gb_get_raw(&r, 5, &p));
        ck_assert(!gb_get_gfid(&r, &g));
        ck_assert_ptr_eq(r.p, bytes);
        r.end = bytes + 4;
        ck_assert(!gb_get_bytes(&r, 4, &p, &n));
        ck_assert_ptr_eq(r.p, bytes);
}
END_TEST

/* ---- clock ---- */

START_TEST(deadlines_pass_and_never_does_not)
{
        int64_t now = gb_now_ms();
        int left = gb_deadline_left(gb_deadline_in(60000));

        ck_assert_int_eq(gb_deadline_left(GB_NEVER), -1);
        ck_assert_int_eq(gb_deadline_left(now - 1), 0);
        ck_assert_int_eq(gb_deadline_left(INT64_MIN), 0);
        ck_assert_int_eq(gb_deadline_left(GB_NEVER - 1), INT_MAX);
        ck_assert_int_le(left, 60000);
        ck_assert_int_gt(left, 50000);
        ck_assert_int_ge(gb_now_ms(), now);
}
END_TEST

/* ---- arena ---- */

START_TEST(arena_pieces_are_aligned_apart_and_keep_their_bytes)
{
        struct random r = {(uint64_t)_i};
        struct gb_arena a;
        struct {
                uint8_t *p;
                size_t n;
        } piece[500];
        size_t used = 0;

        gb_arena_init(&a);
        for (size_t i = 0; i < 500; i++) {
                piece[i].n = random_below(&r, random_below(&r, 20) ? 300 : 100000);
                if (i % 2) {
                        piece[i].p = gb_arena_alloc(&a, piece[i].n);
                        EXPECT((uintptr_t)piece[i].p % 8 == 0);
                } else {
                        uint8_t *src = malloc(piece[i].n + 1);

                        memset(src, 1, piece[i].n);
                        piece[i].p = (uint8_t *)gb_arena_dup(&a, src, piece[i].n);
                        EXPECT(piece[i].p[piece[i].n] == 0);
                        EXPECT(memcmp(piece[i].p, src, piece[i].n) == 0);
                        used++;
                        free(src);
                }
                EXPECT(piece[i].p);
                memset(piece[i].p, (int)(i % 251), piece[i].n);
                used += piece[i].n;
        }
        for (size_t i = 0; i < 500; i++) {
                for (size_t j = 0; j < piece[i].n; j++)
                        EXPECT(piece[i].p[j] == i % 251);
        }
        ck_assert_uint_eq(a.used, used);
        ck_assert_uint_ge(a.total, used);
        ck_assert_uint_lt(a.total, 2 * used + (1 << 20));
        gb_arena_reset(&a);
        ck_assert_uint_eq(a.used, 0);
        ck_assert_ptr_nonnull(gb_arena_alloc(&a, 10));
        gb_arena_fini(&a);
        ck_assert_uint_eq(a.total, 0);
        ck_assert_ptr_nonnull(gb_arena_alloc(&a, 10));
        gb_arena_fini(&a);
}
END_TEST

START_TEST(arena_refuses_what_cannot_be)
{
        struct gb_arena a;

        gb_arena_init(&a);
        ck_assert_ptr_null(gb_arena_alloc(&a, SIZE_MAX));
        ck_assert_ptr_null(gb_arena_alloc(&a, SIZE_MAX - 8));
        ck_assert_ptr_null(gb_arena_dup(&a, "x", SIZE_MAX));
        ck_assert_ptr_nonnull(gb_arena_alloc(&a, 0));
        ck_assert_ptr_null(gb_arena_alloc(&a, SIZE_MAX - 8));
        gb_arena_fini(&a);
}
END_TEST

/* ---- gfidmap ---- */

#define UNIVERSE 400

/* Few distinct gfids, the null gfid among them, some with equal hashes. */
static gb_gfid universe(size_t i)
{
        gb_gfid g = {{0}};

        g.b[0] = (uint8_t)(i % 4);
        g.b[8] = (uint8_t)(i / 4);
        return g;
}

START_TEST(gfidmap_equals_a_plain_table)
{
        struct random r = {(uint64_t)_i};
        uint64_t table[UNIVERSE];
        bool present[UNIVERSE] = {false};
        struct gb_gfidmap m;
        size_t n = 0, pos = 0, seen = 0;
        void *value;
        gb_gfid g;

        gb_gfidmap_init(&m, sizeof(uint64_t));
        ck_assert(!gb_gfidmap_next(&m, &pos, &g, NULL));
        for (int step = 0; step < 3000; step++) {
                size_t i = random_below(&r, UNIVERSE);
                uint64_t *got;
                bool fresh;

                g = universe(i);
                got = gb_gfidmap_get(&m, &g);
                EXPECT((got != NULL) == present[i]);
                EXPECT(!got || *got == table[i]);
                if (random_below(&r, 2))
                        continue;
                got = gb_gfidmap_put(&m, &g, &fresh);
                EXPECT(got && fresh == !present[i] && (uintptr_t)got % 8 == 0);
                EXPECT(!fresh || *got == 0);
                n += fresh;
                present[i] = true;
                *got = table[i] = random_next(&r);
                EXPECT(m.n == n);
        }
        for (pos = 0; gb_gfidmap_next(&m, &pos, &g, &value); seen++) {
                size_t i = (size_t)g.b[0] + (size_t)g.b[8] * 4;

                EXPECT(present[i] && *(uint64_t *)value == table[i]);
                present[i] = false;
        }
        ck_assert_uint_eq(seen, n);
        gb_gfidmap_fini(&m);
        ck_assert_uint_eq(m.n, 0);
}
END_TEST

START_TEST(gfidmap_without_values_is_a_set)
{
        struct gb_gfidmap m;
        bool fresh;

        gb_gfidmap_init(&m, 0);
        ck_assert_ptr_null(gb_gfidmap_get(&m, &GB_GFID_NULL));
        ck_assert_ptr_nonnull(gb_gfidmap_put(&m, &GB_GFID_ROOT, &fresh));
        ck_assert(fresh);
        ck_assert_ptr_null(gb_gfidmap_get(&m, &GB_GFID_NULL));
        ck_assert_ptr_nonnull(gb_gfidmap_put(&m, &GB_GFID_NULL, &fresh));
        ck_assert(fresh);
        ck_assert_ptr_nonnull(gb_gfidmap_put(&m, &GB_GFID_NULL, &fresh));
        ck_assert(!fresh);
        ck_assert_ptr_nonnull(gb_gfidmap_get(&m, &GB_GFID_NULL));
        ck_assert_ptr_nonnull(gb_gfidmap_get(&m, &GB_GFID_ROOT));
        ck_assert_ptr_null(gb_gfidmap_get(&m, &GB_GFID_SHARD));
        ck_assert_uint_eq(m.n, 2);
        gb_gfidmap_fini(&m);
}
END_TEST

/* ---- vec ---- */

START_TEST(vec_grows_and_refuses_the_impossible)
{
        GB_VEC(uint64_t) v = GB_VEC_INIT;

        for (uint64_t i = 0; i < 1000; i++)
                EXPECT(gb_vec_push(&v, i) == 0);
        for (size_t i = 0; i < 1000; i++)
                EXPECT(v.v[i] == i);
        ck_assert_int_eq(gb_vec_reserve(&v, SIZE_MAX / 8 + 1), -1);
        ck_assert_int_eq(gb_vec_reserve(&v, SIZE_MAX), -1);
        ck_assert_uint_eq(v.n, 1000);
        gb_vec_free(&v);
        ck_assert_ptr_null(v.v);
}
END_TEST

static TCase *small_case(void)
{
        TCase *tc = tcase_create("error, gfid, clock");

        tcase_add_test(tc, error_records_code_and_text);
        tcase_add_test(tc, error_sys_appends_errno_and_recognises_full_disks_and_memory);
        tcase_add_test(tc, error_prefix_keeps_code_and_old_text);
        tcase_add_test(tc, error_text_is_one_line_and_never_overruns);
        tcase_add_test(tc, each_code_has_its_own_name);
        tcase_add_test(tc, gfid_text_goes_both_ways);
        tcase_add_test(tc, gfid_parse_refuses_everything_else);
        tcase_add_test(tc, gfid_knows_internal_directories);
        tcase_add_test(tc, deadlines_pass_and_never_does_not);
        return tc;
}

static TCase *container_case(void)
{
        TCase *tc = tcase_create("buf, arena, gfidmap, vec");

        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, buf_and_reader_agree, 0, 5);
        tcase_add_test(tc, varint_extremes);
        tcase_add_test(tc, varint_has_one_encoding);
        tcase_add_test(tc, buf_never_passes_its_maximum_and_a_failed_put_writes_nothing);
        tcase_add_test(tc, reader_does_not_move_on_failure);
        tcase_add_loop_test(tc, arena_pieces_are_aligned_apart_and_keep_their_bytes, 0, 5);
        tcase_add_test(tc, arena_refuses_what_cannot_be);
        tcase_add_loop_test(tc, gfidmap_equals_a_plain_table, 0, 10);
        tcase_add_test(tc, gfidmap_without_values_is_a_set);
        tcase_add_test(tc, vec_grows_and_refuses_the_impossible);
        return tc;
}

int main(void)
{
        Suite *suite = suite_create("base");
        SRunner *runner = srunner_create(suite);
        int failed;

        suite_add_tcase(suite, small_case());
        suite_add_tcase(suite, container_case());
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
