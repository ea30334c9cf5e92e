/* links: cli base */
/*
 * check_merge - many sorted lanes into one list: the same as sorting everything, each path once.
 */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "merge.h"
#include "random.h"

enum { LANES_MAX = 20, PATHS_MAX = 400 };

static struct lane {
        char path[PATHS_MAX][24];
        unsigned n, at;
} lanes[LANES_MAX];

static int cmp(const void *a, const void *b)
{
        return gb_path_cmp(a, strlen(a), b, strlen(b));
}

/* Short names of few letters: long common prefixes, equal paths, `/` and what sorts beside it. */
static void short_path(struct random *r, char path[24])
{
        static const char letters[] = "a/b-!\xff";
        size_t len;

        do {
                len = 1 + random_below(r, 12);
                for (size_t i = 0; i < len; i++)
                        path[i] = letters[random_below(r, sizeof(letters) - 1)];
                path[len] = '\0';
        } while (!gb_path_valid(path, len));
}

static void fill(struct random *r, struct lane *l)
{
        unsigned n = (unsigned)random_below(r, PATHS_MAX), kept = 0;

        for (unsigned i = 0; i < n; i++)
                short_path(r, l->path[i]);
        qsort(l->path, n, sizeof(l->path[0]), cmp);
        for (unsigned i = 0; i < n; i++)
                if (!kept || strcmp(l->path[kept - 1], l->path[i]) != 0)
                        memmove(l->path[kept++], l->path[i], sizeof(l->path[i]));
        l->n = kept;
        l->at = 0;
}

static int next(void *arg, unsigned lane, struct gb_entry *e, size_t *same, struct gb_error *err)
{
        struct lane *l = &lanes[lane];
        const char *path = l->path[l->at], *last = l->at ? l->path[l->at - 1] : "";

        (void)err;
        if (arg && l->at == *(unsigned *)arg)
                return gb_error_set(err, GB_ERR_SYSTEM, "lane %u ends here", lane);
        if (l->at == l->n)
                return 0;
        l->at++;
        *e = (struct gb_entry){.path = path, .len = strlen(path), .type = 'f'};
        e->gfid.b[0] = (uint8_t)lane;
        *same = gb_common_prefix(path, e->len, last, strlen(last));
        return 1;
}

START_TEST(every_path_once_in_order_and_of_the_first_lane_that_has_it)
{
        static char all[LANES_MAX * PATHS_MAX][25];
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
        m = gb_merge_new(n_lanes, next, NULL, &err);
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
        m = gb_merge_new(3, next, &stop, &err);
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
        tcase_add_test(t, an_error_of_a_lane_is_the_merge_s);
        suite_add_tcase(s, t);
        runner = srunner_create(s);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
