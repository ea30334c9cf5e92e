/* links: base */
/*
 * check_block - blocks survive the way, and damaged ones never yield anything but valid, sorted paths.
 */
#include <config.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/block.h"
#include "base/block_step.h"
#include "base/order.h"
#include "random.h"

#define PATHS      200
#define PATH_BYTES 64

static const char types[] = "fdlpsbc";

struct item {
        char path[PATH_BYTES];
        struct gb_entry e;
};

static int by_path(const void *a, const void *b)
{
        const struct gb_entry *x = &((const struct item *)a)->e;
        const struct gb_entry *y = &((const struct item *)b)->e;

        return gb_path_cmp(x->path, x->len, y->path, y->len);
}

/* Sorted entries without equal paths; returns how many. */
static size_t fill(struct item *items, uint64_t seed)
{
        struct random r = {seed};
        size_t n = 1;

        for (size_t i = 0; i < PATHS; i++) {
                struct gb_entry *e = &items[i].e;

                *e = (struct gb_entry){.path = items[i].path, .len = random_path(&r, items[i].path, 6)};
                e->type = types[random_below(&r, sizeof(types) - 1)];
                e->has_gfid = random_below(&r, 2);
                if (e->has_gfid)
                        e->gfid = random_gfid(&r);
        }
        /* Sorting moves the texts, so the pointers into them are set again. */
        qsort(items, PATHS, sizeof(*items), by_path);
        for (size_t i = 0; i < PATHS; i++)
                items[i].e.path = items[i].path;
        for (size_t i = 1; i < PATHS; i++) {
                if (by_path(&items[i], &items[n - 1]) == 0)
                        continue;
                items[n] = items[i];
                items[n].e.path = items[n].path;
                n++;
        }
        return n;
}

static void assert_entry_eq(const struct gb_entry *a, const struct gb_entry *b)
{
        EXPECT(a->len == b->len && memcmp(a->path, b->path, a->len) == 0);
        EXPECT(a->type == b->type && a->has_gfid == b->has_gfid);
        EXPECT(gb_gfid_eq(&a->gfid, &b->gfid));
}

/* One block of all entries in *out. */
static void encode(const struct item *items, size_t n, struct gb_buf *out)
{
        static struct gb_block_writer w;

        gb_block_begin(&w, out);
        for (size_t i = 0; i < n; i++)
                EXPECT(gb_block_add(&w, &items[i].e) == 0);
}

/* Read a block that may be damaged: whatever comes must be valid and ascending.  Returns the last answer. */
static int read_suspicious(const uint8_t *data, size_t len, size_t *count)
{
        static struct gb_block_reader r;
        struct gb_error err = {0};
        struct gb_entry e;
        char last[GB_PATH_MAX];
        size_t last_len = 0;
        /* A copy of exact size, so that the sanitizer sees a read beyond it. */
        uint8_t *copy = malloc(len + !len);
        int got;

        EXPECT(copy);
        memcpy(copy, data, len);
        gb_block_reader_init(&r);
        gb_block_feed(&r, copy, len);
        for (*count = 0; (got = gb_block_next(&r, &e, &err)) == 1; (*count)++) {
                EXPECT(gb_path_valid(e.path, e.len));
                EXPECT(gb_entry_type_valid(e.type));
                EXPECT(gb_path_cmp(e.path, e.len, last, last_len) > 0);
                memcpy(last, e.path, e.len);
                last_len = e.len;
        }
        if (got < 0) {
                EXPECT(err.code == GB_ERR_PROTOCOL);
                EXPECT(gb_block_next(&r, &e, &err) == -1);
        }
        free(copy);
        return got;
}

START_TEST(entries_come_back_as_they_went_in_over_many_blocks)
{
        static struct item items[PATHS];
        static struct gb_block_writer w;
        static struct gb_block_reader r;
        struct random rnd = {(uint64_t)_i};
        size_t n = fill(items, (uint64_t)_i + 1);
        struct gb_buf out;
        struct gb_entry e;
        size_t i = 0, blocks = 0;

        gb_buf_init(&out, 80 + random_below(&rnd, 400));
        gb_block_reader_init(&r);
        while (i < n) {
                size_t first = i;
                int got = 0;

                gb_buf_reset(&out);
                gb_block_begin(&w, &out);
                while (i < n && (got = gb_block_add(&w, &items[i].e)) == 0)
                        i++;
                ck_assert_int_ge(got, 0);
                ck_assert_uint_eq(w.count, i - first);
                ck_assert_uint_gt(i, first);
                gb_block_feed(&r, out.data, out.len);
                for (size_t j = first; j < i; j++) {
                        EXPECT(gb_block_next(&r, &e, NULL) == 1);
                        assert_entry_eq(&e, &items[j].e);
                }
                ck_assert_int_eq(gb_block_next(&r, &e, NULL), 0);
                blocks++;
        }
        ck_assert_uint_gt(blocks, 5);
        gb_buf_fini(&out);
}
END_TEST

START_TEST(every_truncation_ends_early_or_fails)
{
        static struct item items[PATHS];
        size_t n = fill(items, (uint64_t)_i + 50);
        struct gb_buf out;
        size_t count, clean = 0;

        gb_buf_init(&out, 1 << 20);
        encode(items, n, &out);
        for (size_t len = 0; len < out.len; len++) {
                if (read_suspicious(out.data, len, &count) == 0)
                        clean++;
                EXPECT(count < n);
        }
        /* Cuts between two entries, and only those, look clean. */
        ck_assert_uint_eq(clean, n);
        ck_assert_int_eq(read_suspicious(out.data, out.len, &count), 0);
        ck_assert_uint_eq(count, n);
        gb_buf_fini(&out);
}
END_TEST

START_TEST(every_bit_flip_yields_sorted_valid_paths_or_fails)
{
        static struct item items[PATHS];
        size_t n = fill(items, (uint64_t)_i + 70);
        struct gb_buf out;
        size_t count, refused = 0;

        gb_buf_init(&out, 1 << 20);
        encode(items, n < 60 ? n : 60, &out);
        for (size_t bit = 0; bit < out.len * 8; bit++) {
                out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
                refused += read_suspicious(out.data, out.len, &count) < 0;
                out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        ck_assert_uint_gt(refused, out.len);
        gb_buf_fini(&out);
}
END_TEST

/* The same bytes by gb_block_move(), which takes steps where it can, and without steps. */
static void move_both_ways(const uint8_t *data, size_t len)
{
        static struct gb_block_reader steps, no_steps;
        struct gb_error a = {0}, b = {0};
        int rc;

        gb_block_reader_init(&steps);
        gb_block_reader_init(&no_steps);
        gb_block_feed(&steps, data, len);
        gb_block_feed(&no_steps, data, len);
        do {
                uint64_t unit;
                bool step;

                no_steps.step_until = NULL;
                rc = gb_block_move(&no_steps, &a);
                step = gb_block_step(&steps, &unit);
                EXPECT(step || gb_block_move(&steps, &b) == rc);
                EXPECT(!step || (rc == 1 && unit == gb_block_unit(&no_steps, no_steps.same)));
                EXPECT(strcmp(a.text, b.text) == 0);
                EXPECT(steps.in.p == no_steps.in.p && steps.len == no_steps.len &&
                       steps.same == no_steps.same);
                EXPECT(steps.name == no_steps.name && steps.newline == no_steps.newline);
                EXPECT(steps.count == no_steps.count);
                EXPECT(steps.type == no_steps.type && steps.gfid == no_steps.gfid);
                EXPECT(memcmp(steps.path, no_steps.path, steps.len + 1) == 0);
        } while (rc == 1);
}

/* Names of one directory, some long, with what a name may hold; sometimes damaged. */
START_TEST(a_step_judges_as_the_reader_does)
{
        static const char letters[] = "-bcdefghijklmnopqrstuvwxyz.\n\xff!";
        static struct item items[PATHS];
        struct random r = {(uint64_t)_i + 1};
        struct gb_buf out;
        size_t n = 1;

        for (size_t i = 0; i < PATHS; i++) {
                size_t len =
                        (size_t)sprintf(items[i].path, "dir%c%zu/", random_below(&r, 8) ? 'x' : '\n', i / 50);
                size_t name = 1 + random_below(&r, random_below(&r, 4) ? 6 : 40);

                for (size_t k = 0; k < name; k++)
                        items[i].path[len++] =
                                random_below(&r, 20)
                                        ? letters[random_below(&r, k < 3 ? 6 : sizeof(letters) - 1)]
                                        : '.';
                items[i].e = (struct gb_entry){.path = items[i].path, .len = len, .type = 'f'};
                items[i].e.has_gfid = random_below(&r, 2);
        }
        qsort(items, PATHS, sizeof(*items), by_path);
        for (size_t i = 0; i < PATHS; i++)
                items[i].e.path = items[i].path;
        for (size_t i = 1; i < PATHS; i++)
                if (by_path(&items[i], &items[n - 1]) != 0) {
                        items[n] = items[i];
                        items[n].e.path = items[n].path;
                        n++;
                }
        gb_buf_init(&out, 1024 * 1024);
        encode(items, n, &out);
        move_both_ways(out.data, out.len);
        for (int i = 0; i < 400; i++) {
                size_t at = random_below(&r, out.len);
                uint8_t was = out.data[at];

                out.data[at] = random_below(&r, 3) ? (uint8_t)random_below(&r, 256)
                                                   : (uint8_t) "/.\n\0f\x80"[random_below(&r, 6)];
                move_both_ways(out.data, out.len);
                out.data[at] = was;
        }
        gb_buf_fini(&out);
}
END_TEST

START_TEST(noise_never_crashes_the_reader)
{
        struct random r = {(uint64_t)_i};
        uint8_t data[200];
        size_t count;

        for (int round = 0; round < 3000; round++) {
                size_t len = random_below(&r, sizeof(data));

                /* Small numbers look like lengths, letters like types. */
                for (size_t i = 0; i < len; i++)
                        data[i] = random_below(&r, 3) ? (uint8_t)random_below(&r, 4)
                                                      : (uint8_t)types[random_below(&r, sizeof(types) - 1)];
                read_suspicious(data, len, &count);
        }
}
END_TEST

/* One handmade entry behind `prefix` bytes of a good block. */
static int read_bytes(const char *bytes, size_t len)
{
        size_t count;

        return read_suspicious((const uint8_t *)bytes, len, &count);
}

#define READ(literal) read_bytes(literal, sizeof(literal) - 1)

START_TEST(reader_refuses_each_broken_rule)
{
        ck_assert_int_eq(READ("\0\1af\0\1bf"), 0);
        ck_assert_int_eq(READ("\1\1af"), -1);          /* first entry shares */
        ck_assert_int_eq(READ("\0\1af\2\1bf"), -1);    /* shares more than there is */
        ck_assert_int_eq(READ("\0\0f"), -1);           /* empty */
        ck_assert_int_eq(READ("\0\1af\1\0f"), -1);     /* the same again */
        ck_assert_int_eq(READ("\0\1bf\0\1af"), -1);    /* descending */
        ck_assert_int_eq(READ("\0\2abf\1\1/f"), -1);   /* '/' ranks lowest, and trails */
        ck_assert_int_eq(READ("\0\1af\1\2/bf"), 0);    /* below the previous path */
        ck_assert_int_eq(READ("\0\3a/bf\2\2/cf"), -1); /* empty component made by sharing */
        ck_assert_int_eq(READ("\0\2.af\1\1.f"), -1);   /* ".." made by sharing */
        ck_assert_int_eq(READ("\0\3..af\2\2/bf"), -1); /* "../b" made by sharing */
        ck_assert_int_eq(READ("\0\1ax"), -1);          /* no such type */
        ck_assert_int_eq(READ("\0\1a\xe6"), -1);       /* gfid missing */
        ck_assert_int_eq(READ("\0\1\0f"), -1);         /* NUL */
        ck_assert_int_eq(READ("\x80\0\1af"), -1);      /* a zero in two bytes */
        ck_assert_int_eq(READ("\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                              "af"),
                         -1); /* length near 2^64 */
}
END_TEST

START_TEST(reader_refuses_a_name_grown_too_long_by_sharing)
{
        char name[GB_NAME_MAX + 1];
        struct gb_buf out;
        size_t count;

        memset(name, 'a', sizeof(name));
        gb_buf_init(&out, 4096);
        gb_buf_put_varint(&out, 0);
        gb_buf_put_bytes(&out, name, GB_NAME_MAX);
        gb_buf_put_u8(&out, 'f');
        ck_assert_int_eq(read_suspicious(out.data, out.len, &count), 0);
        gb_buf_put_varint(&out, GB_NAME_MAX);
        gb_buf_put_bytes(&out, "a", 1);
        gb_buf_put_u8(&out, 'f');
        ck_assert_int_eq(read_suspicious(out.data, out.len, &count), -1);
        ck_assert_uint_eq(count, 1);
        gb_buf_fini(&out);
}
END_TEST

START_TEST(order_is_checked_across_blocks)
{
        static struct gb_block_reader r;
        struct gb_error err;
        struct gb_entry e;

        gb_block_reader_init(&r);
        gb_block_feed(&r, "\0\1bf", 4);
        ck_assert_int_eq(gb_block_next(&r, &e, &err), 1);
        ck_assert_int_eq(gb_block_next(&r, &e, &err), 0);
        gb_block_feed(&r, "\0\1cd", 4);
        ck_assert_int_eq(gb_block_next(&r, &e, &err), 1);
        gb_block_feed(&r, "\0\1bf", 4);
        ck_assert_int_eq(gb_block_next(&r, &e, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
}
END_TEST

START_TEST(writer_says_full_before_it_writes_and_refuses_the_impossible)
{
        static struct gb_block_writer w;
        char path[GB_PATH_MAX + 1];
        struct gb_entry e = {.path = path, .len = 100, .type = 'f'};
        struct gb_buf out;

        memset(path, 'a', sizeof(path));
        gb_buf_init(&out, 110);
        gb_block_begin(&w, &out);
        ck_assert_int_eq(gb_block_add(&w, &e), 0);
        e.path = "b";
        e.len = 1;
        e.has_gfid = true;
        ck_assert_int_eq(gb_block_add(&w, &e), 1);
        ck_assert_uint_eq(out.len, 103);
        e.has_gfid = false;
        ck_assert_int_eq(gb_block_add(&w, &e), 0);
        e = (struct gb_entry){.path = path, .len = 200, .type = 'f'};
        gb_buf_reset(&out);
        gb_block_begin(&w, &out);
        ck_assert_int_eq(gb_block_add(&w, &e), -1);
        e.len = 0;
        ck_assert_int_eq(gb_block_add(&w, &e), -1);
        e = (struct gb_entry){.path = "a", .len = 1, .type = 'x'};
        ck_assert_int_eq(gb_block_add(&w, &e), -1);
        gb_buf_fini(&out);
        gb_buf_init(&out, 1 << 20);
        gb_block_begin(&w, &out);
        e = (struct gb_entry){.path = path, .len = GB_PATH_MAX + 1, .type = 'f'};
        ck_assert_int_eq(gb_block_add(&w, &e), -1);
        gb_buf_fini(&out);
}
END_TEST

START_TEST(types_follow_the_mode)
{
        static const mode_t modes[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFSOCK, S_IFBLK, S_IFCHR};

        for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
                ck_assert_int_eq(gb_entry_type(modes[i] | 0644), types[i]);
                ck_assert(gb_entry_type_valid(types[i]));
        }
        ck_assert_int_eq(gb_entry_type(0644), 0);
        ck_assert(!gb_entry_type_valid(0));
        ck_assert(!gb_entry_type_valid('x'));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("block");
        TCase *tc = tcase_create("block");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, entries_come_back_as_they_went_in_over_many_blocks, 0, 20);
        tcase_add_loop_test(tc, every_truncation_ends_early_or_fails, 0, 3);
        tcase_add_loop_test(tc, every_bit_flip_yields_sorted_valid_paths_or_fails, 0, 3);
        tcase_add_loop_test(tc, a_step_judges_as_the_reader_does, 0, 50);
        tcase_add_loop_test(tc, noise_never_crashes_the_reader, 0, 3);
        tcase_add_test(tc, reader_refuses_each_broken_rule);
        tcase_add_test(tc, reader_refuses_a_name_grown_too_long_by_sharing);
        tcase_add_test(tc, order_is_checked_across_blocks);
        tcase_add_test(tc, writer_says_full_before_it_writes_and_refuses_the_impossible);
        tcase_add_test(tc, types_follow_the_mode);
        suite_add_tcase(suite, tc);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
