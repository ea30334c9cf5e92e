/* links: cli base */
/*
 * check_merge - many sorted lanes into one list: the same as sorting everything, each path once.
 */
#include <config.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "merge.h"
#include "random.h"

enum { LANES_MAX = 20, PATHS_MAX = 400, PATH_BYTES = 64 };

static struct lane {
        char path[PATHS_MAX][PATH_BYTES];
        unsigned n, at;
} lanes[LANES_MAX];

static int cmp(const void *a, const void *b)
{
        return gb_path_cmp(a, strlen(a), b, strlen(b));
}

/* Names of few letters: long common prefixes, equal paths, `/` and what sorts beside it.  Some are long. */
static void some_path(struct random *r, char path[PATH_BYTES])
{
        static const char letters[] = "a/b-!\xff\n", long_ones[] = "aaaaaaaaaaaaab/";
        size_t len;

        do {
                bool long_one = random_below(r, 2);

                len = 1 + random_below(r, long_one ? PATH_BYTES - 1 : 12);
                for (size_t i = 0; i < len; i++)
                        path[i] = long_one && i + 6 < len
                                          ? long_ones[(i * 7 + len / 16) % (sizeof(long_ones) - 1)]
                                          : letters[random_below(r, sizeof(letters) - 1)];
                path[len] = '\0';
        } while (!gb_path_valid(path, len));
}

static void fill(struct random *r, struct lane *l)
{
        unsigned n = (unsigned)random_below(r, PATHS_MAX), kept = 0;

        for (unsigned i = 0; i < n; i++)
                some_path(r, l->path[i]);
        qsort(l->path, n, sizeof(l->path[0]), cmp);
        for (unsigned i = 0; i < n; i++)
                if (!kept || strcmp(l->path[kept - 1], l->path[i]) != 0)
                        memmove(l->path[kept++], l->path[i], sizeof(l->path[i]));
        l->n = kept;
        l->at = 0;
}

/* As blocks of a few entries, or of all that is left; some name fewer shared bytes than there are. */
static int more(void *arg, unsigned lane, const void **data, size_t *len, struct gb_error *err)
{
        static struct gb_buf blocks[LANES_MAX];
        struct lane *l = &lanes[lane];
        struct gb_buf *b = &blocks[lane];
        unsigned until = l->at + (l->at % 3 ? l->n : 1 + l->n / 3), first = l->at;

        if (arg && l->at >= *(unsigned *)arg)
                return gb_error_set(err, GB_ERR_SYSTEM, "lane %u ends here", lane);
        if (l->at == l->n)
                return 0;
        if (!b->max)
                gb_buf_init(b, 1024 * 1024);
        gb_buf_reset(b);
        for (; l->at < l->n && l->at < until; l->at++) {
                const char *path = l->path[l->at], *last = l->at > first ? l->path[l->at - 1] : "";
                size_t n = strlen(path), shared = gb_common_prefix(path, n, last, strlen(last));

                shared /= l->at % 5 ? 1 : 2;
                ck_assert_int_eq(gb_buf_put_varint(b, shared), 0);
                ck_assert_int_eq(gb_buf_put_bytes(b, path + shared, n - shared), 0);
                ck_assert_int_eq(gb_buf_put_u8(b, 'f' | 0x80), 0);
                ck_assert_int_eq(gb_buf_put_gfid(b, &(gb_gfid){.b = {(uint8_t)lane}}), 0);
        }
        *data = b->data;
        *len = b->len;
        return 1;
}

static void blame(void *arg, unsigned lane, struct gb_error *err)
{
        (void)arg;
        gb_error_prefix(err, "lane %u", lane);
}

static const struct gb_merge_source source = {more, blame};

START_TEST(every_path_once_in_order_and_of_the_first_lane_that_has_it)
{
        static char all[LANES_MAX * PATHS_MAX][PATH_BYTES];
        struct random r = {(uint64_t)_i + 1};
        unsigned n_lanes = (unsigned)random_below(&r, LANES_MAX + 1), n = 0, got = 0;
        struct gb_error err;
        struct gb_merge *m;
        struct gb_entry e;
        int rc;

        for (unsigned i = 0; i < n_lanes; i++) {
                fill(&r, &lanes[i]);
                for (unsigned k = 0; k < lanes[i].n; k++, n++)
                        memcpy(all[n], lanes[i].path[k], sizeof(lanes[i].path[k]));
        }
        qsort(all, n, sizeof(all[0]), cmp);
        m = gb_merge_new(n_lanes, &source, NULL, &err);
        ck_assert(m != NULL);
        ck_assert_int_eq(gb_merge_start(m, &err), 0);
        while ((rc = gb_merge_take(m, &e, &err)) == 1) {
                while (got > 0 && got < n && strcmp(all[got], all[got - 1]) == 0)
                        got++;
                ck_assert_uint_lt(got, n);
                ck_assert_uint_eq(e.len, strlen(all[got]));
                ck_assert(memcmp(e.path, all[got], e.len) == 0);
                for (unsigned i = 0; i < e.gfid.b[0]; i++)
                        ck_assert(
                                !bsearch(all[got], lanes[i].path, lanes[i].n, sizeof(lanes[i].path[0]), cmp));
                got++;
        }
        ck_assert_int_eq(rc, 0);
        while (got > 0 && got < n && strcmp(all[got], all[got - 1]) == 0)
                got++;
        ck_assert_uint_eq(got, n);
        ck_assert_int_eq(gb_merge_take(m, &e, &err), 0);
        gb_merge_free(m);
}
END_TEST

static struct gb_merge *start(struct random *r)
{
        unsigned n = 1 + (unsigned)random_below(r, LANES_MAX);
        struct gb_error err;
        struct gb_merge *m;

        for (unsigned i = 0; i < n; i++)
                fill(r, &lanes[i]);
        m = gb_merge_new(n, &source, NULL, &err);
        ck_assert(m && gb_merge_start(m, &err) == 0);
        return m;
}

/* Both kinds of taking, and one after the other. */
START_TEST(lines_are_the_paths_that_are_taken_one_by_one)
{
        static uint8_t room[3 * GB_MERGE_LINE_MAX(1)];
        static char wanted[LANES_MAX * PATHS_MAX * (PATH_BYTES + 2)], got[sizeof(wanted)];
        size_t n_wanted = 0, n_got = 0;
        uint64_t paths = 0;
        struct random r = {(uint64_t)_i + 1};
        struct gb_merge_lines l = {.lead = "/", .lead_len = _i & 1, .end = _i & 2 ? '\n' : '\0', .to = room};
        struct gb_merge *m = start(&r);
        struct gb_error err;
        struct gb_entry e;
        int rc;

        for (; gb_merge_take(m, &e, &err) == 1; paths++)
                n_wanted += (size_t)sprintf(wanted + n_wanted, "%s%.*s%c", _i & 1 ? "/" : "", (int)e.len,
                                            e.path, l.end);
        gb_merge_free(m);
        r = (struct random){(uint64_t)_i + 1};
        m = start(&r);
        do {
                l.room = GB_MERGE_LINE_MAX(1) + random_below(&r, sizeof(room) - GB_MERGE_LINE_MAX(1));
                rc = gb_merge_lines(m, &l, &err);
                ck_assert_int_ge(rc, 0);
                memcpy(got + n_got, room, l.used);
                n_got += l.used;
                paths -= l.n;
                if (rc == 1 && (l.unusual || random_below(&r, 2))) {
                        ck_assert_int_eq(gb_merge_take(m, &e, &err), 1);
                        ck_assert(!l.unusual || memchr(e.path, '\n', e.len));
                        n_got += (size_t)sprintf(got + n_got, "%s%.*s%c", _i & 1 ? "/" : "", (int)e.len,
                                                 e.path, l.end);
                        paths--;
                }
        } while (rc == 1);
        ck_assert_uint_eq(paths, 0);
        ck_assert_uint_eq(n_got, n_wanted);
        ck_assert(memcmp(got, wanted, n_got) == 0);
        gb_merge_free(m);
}
END_TEST

START_TEST(an_error_of_a_lane_is_the_merge_s)
{
        struct random r = {7};
        unsigned stop = 3;
        struct gb_error err;
        struct gb_merge *m;
        struct gb_entry e;
        int rc;

        for (unsigned i = 0; i < 3; i++)
                do
                        fill(&r, &lanes[i]);
                while (lanes[i].n < 10);
        m = gb_merge_new(3, &source, &stop, &err);
        ck_assert_int_eq(gb_merge_start(m, &err), 0);
        while ((rc = gb_merge_take(m, &e, &err)) == 1)
                ;
        ck_assert_int_eq(rc, -1);
        ck_assert(strstr(err.text, "ends here"));
        gb_merge_free(m);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("merge");
        TCase *t = tcase_create("merge");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(t, every_path_once_in_order_and_of_the_first_lane_that_has_it, 0, 200);
        tcase_add_loop_test(t, lines_are_the_paths_that_are_taken_one_by_one, 0, 200);
        tcase_add_test(t, an_error_of_a_lane_is_the_merge_s);
        suite_add_tcase(s, t);
        runner = srunner_create(s);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
