/* links: base agent xxhash */
/*
 * check_htime - real HTIME files, and directories in which HTIME and the tree tell different stories.
 */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "fixture.h"
#include "htime.h"

#define DIR1 "/bricks/b/d1/.glusterfs/changelogs"

/* 1795395253 is 2026-11-23 UTC. */
#define TS  1795395253
#define DAY "2026/11/23"

static const struct sample {
        const char *name, *dir;
        size_t entries, upper, repeated; /* repeated: upper-case entries whose ts was there before */
} samples[] = {
        {"HTIME.1795395196_restarts_and_disable", DIR1, 33, 11, 0},
        {"HTIME.1795395665_silent_gap", DIR1, 4, 2, 0},
        {"HTIME.1795395725_duplicates", DIR1, 21, 15, 3},
        {"HTIME_rollover1_duplicates_1795396740", "/bricks/b/race/.glusterfs/changelogs", 200, 155, 114},
};

#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static char *load(const char *name, size_t *len)
{
        char path[256];

        snprintf(path, sizeof(path), "samples/%s", name);
        return fixture_load(path, len);
}

START_TEST(every_sample_has_its_entries)
{
        const struct sample *s = &samples[_i];
        struct gb_htime h;
        size_t len, upper = 0, repeated = 0;
        char *data = load(s->name, &len);
        int64_t last = 0;

        ck_assert_int_eq(gb_htime_parse(data, len, s->dir, &h, NULL), 0);
        ck_assert_uint_eq(h.entries.n, s->entries);
        ck_assert_uint_eq(h.size, len);
        ck_assert(!h.torn && !h.foreign && !h.partial);
        for (size_t i = 0; i < h.entries.n; i++) {
                upper += !h.entries.v[i].empty;
                if (!h.entries.v[i].empty) {
                        repeated += h.entries.v[i].ts == last;
                        last = h.entries.v[i].ts;
                }
        }
        ck_assert_uint_eq(upper, s->upper);
        ck_assert_uint_eq(repeated, s->repeated);
        gb_htime_fini(&h);
        free(data);
}
END_TEST

START_TEST(cuts_are_partial_and_other_directories_foreign)
{
        struct gb_htime h;
        size_t len;
        char *data = load(samples[1].name, &len);

        for (size_t cut = 0; cut <= len; cut++) {
                size_t whole = cut / (len / 4);

                ck_assert_int_eq(gb_htime_parse(data, cut, DIR1, &h, NULL), 0);
                ck_assert_uint_eq(h.entries.n, whole);
                ck_assert_uint_eq(h.size, whole * (len / 4));
                ck_assert_int_eq(h.partial, cut % (len / 4) != 0);
                ck_assert_int_eq(h.torn, h.partial);
                gb_htime_fini(&h);
        }
        ck_assert_int_eq(gb_htime_parse(data, len, "/bricks/b/d2/.glusterfs/changelogs", &h, NULL), 0);
        ck_assert(h.foreign);
        gb_htime_fini(&h);
        free(data);
}
END_TEST

START_TEST(junk_is_torn)
{
        static const char *const junk[] = {"/a/CHANGELOG.",
                                           "/a/CHANGELOG.12x",
                                           "/a/other",
                                           "x",
                                           "/a/CHANGELOG.1234567890123456789",
                                           "/a/CHANGELOG.253402300800"}; /* the year 10000 */

        for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
                struct gb_htime h;

                ck_assert_int_eq(gb_htime_parse(junk[i], strlen(junk[i]) + 1, "/a", &h, NULL), 0);
                ck_assert_uint_eq(h.entries.n, 0);
                ck_assert(h.torn && !h.partial);
                gb_htime_fini(&h);
        }
}
END_TEST

START_TEST(a_brick_path_that_contains_the_word_hides_the_small_letters_there)
{
        static const char text[] = "/b/CHANGELOGS/c/2026/11/23/CHANGELOG.1795395253\0"
                                   "/b/changelogS/c/2026/11/23/CHANGELOG.1795395268\0"
                                   "/b/CHANGELOGS/c/CHANGELOG.1795395283";
        struct gb_htime h;

        ck_assert_int_eq(gb_htime_parse(text, sizeof(text), "/b/CHANGELOGS/c", &h, NULL), 0);
        ck_assert_uint_eq(h.entries.n, 3);
        ck_assert(!h.foreign && !h.torn);
        ck_assert(!h.entries.v[0].empty && h.entries.v[1].empty && !h.entries.v[2].empty);
        gb_htime_fini(&h);
}
END_TEST

/* A changelog directory in a folder of its own. */
struct world {
        char *dir;
        struct gb_slices s;
};

static struct world new_world(void)
{
        struct world w = {.dir = fixture_folder()};

        fixture_mkdir(w.dir, "htime");
        fixture_mkdir(w.dir, "csnap");
        fixture_mkdir(w.dir, DAY);
        return w;
}

static void end_world(struct world *w)
{
        gb_slices_close(&w->s);
        fixture_remove(w->dir);
}

/* Append entries "U<ts>" or "l<ts>" (upper or lower case) to an HTIME file. */
static void htime(struct world *w, const char *name, const char *const *entries)
{
        char *path = fixture_join(w->dir, name);
        FILE *f = fopen(path, "ab");

        ck_assert_ptr_nonnull(f);
        for (; *entries; entries++)
                fprintf(f, "%s/" DAY "/%s.%s%c", w->dir, **entries == 'U' ? "CHANGELOG" : "changelog",
                        *entries + 1, 0);
        fclose(f);
        free(path);
}

#define HTIME(w, name, ...) htime(w, "htime/" name, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(tree_and_htime_are_merged)
{
        struct world w = new_world();
        const struct gb_slice *v;
        char name[GB_SLICE_NAME];

        HTIME(&w, "HTIME.1795395200", "l1795395210", "U1795395225", "l1795395240", "U1795395255");
        fixture_write(w.dir, DAY "/CHANGELOG.1795395225", "");
        fixture_write(w.dir, DAY "/CHANGELOG.1795395247", ""); /* orphan */
        fixture_write(w.dir, "CHANGELOG.1795395100", "");      /* flat */
        fixture_write(w.dir, "CHANGELOG", "");
        fixture_write(w.dir, "csnap/CHANGELOG.1795395300", "");
        ck_assert_int_eq(gb_slices_open(w.dir, 1000, &w.s, NULL), 0);
        ck_assert_uint_eq(w.s.slices.n, 6);
        ck_assert_int_eq(w.s.last_ts, 1795395255);
        ck_assert_str_eq(w.s.htime.name, "HTIME.1795395200");
        ck_assert_int_eq(w.s.htime.started, 1795395200);
        ck_assert_uint_eq(w.s.htime_files, 1);
        v = w.s.slices.v;
        ck_assert(v[0].ts == 1795395100 && v[0].file && v[0].flat && !v[0].in_htime);
        ck_assert(v[1].ts == 1795395210 && !v[1].file && v[1].empty && v[1].copies == 0);
        ck_assert(v[2].ts == 1795395225 && v[2].file && v[2].in_htime && v[2].copies == 1);
        ck_assert(v[4].ts == 1795395247 && v[4].file && !v[4].in_htime && v[4].files == 1);
        ck_assert(v[5].ts == 1795395255 && !v[5].file && v[5].copies == 1);
        ck_assert_str_eq(gb_slice_name(&v[0], name), "CHANGELOG.1795395100");
        ck_assert_str_eq(gb_slice_name(&v[4], name), DAY "/CHANGELOG.1795395247");
        end_world(&w);
}
END_TEST

START_TEST(only_slices_after_since_and_the_entry_before)
{
        struct world w = new_world();

        HTIME(&w, "HTIME.1795395200", "l1795395210", "U1795395225", "l1795395240", "l1795395255");
        fixture_write(w.dir, DAY "/CHANGELOG.1795395225", "");
        ck_assert_int_eq(gb_slices_open(w.dir, 1795395239, &w.s, NULL), 0);
        ck_assert_uint_eq(w.s.slices.n, 2);
        ck_assert_uint_eq(w.s.htime.entries.n, 3);
        ck_assert_int_eq(w.s.htime.entries.v[0].ts, 1795395225);
        end_world(&w);
}
END_TEST

START_TEST(damage_before_since_is_not_told)
{
        struct world w = new_world();

        HTIME(&w, "HTIME.1795395200", "lnonsense", "l1795395225", "l1795395240");
        ck_assert_int_eq(gb_slices_open(w.dir, 1795395239, &w.s, NULL), 0);
        ck_assert(!w.s.htime.torn);
        gb_slices_close(&w.s);
        ck_assert_int_eq(gb_slices_open(w.dir, 1795395220, &w.s, NULL), 0);
        ck_assert(w.s.htime.torn);
        end_world(&w);
}
END_TEST

START_TEST(a_clock_set_back_hides_nothing_behind_the_first_entry)
{
        struct world w = new_world();

        HTIME(&w, "HTIME.1795395200", "l1795395240", "l1795395255", "U1795395210", "l1795395260");
        ck_assert_int_eq(gb_slices_open(w.dir, 1795395239, &w.s, NULL), 0);
        ck_assert_uint_eq(w.s.htime.entries.n, 4);
        ck_assert_int_eq(w.s.htime.entries.v[2].ts, 1795395210);
        end_world(&w);
}
END_TEST

START_TEST(a_slice_filed_under_the_neighbouring_day_is_found)
{
        struct world w = new_world();
        char name[GB_SLICE_NAME];

        fixture_mkdir(w.dir, "2026/11/22");
        fixture_write(w.dir, "2026/11/22/CHANGELOG.1795395253", "");
        ck_assert_int_eq(gb_slices_open(w.dir, TS - 1, &w.s, NULL), 0);
        ck_assert_uint_eq(w.s.slices.n, 1);
        ck_assert_str_eq(gb_slice_name(&w.s.slices.v[0], name), "2026/11/22/CHANGELOG.1795395253");
        gb_slices_close(&w.s);
        fixture_write(w.dir, DAY "/CHANGELOG.1795395253", "");
        ck_assert_int_eq(gb_slices_open(w.dir, TS - 1, &w.s, NULL), 0);
        ck_assert_uint_eq(w.s.slices.n, 1);
        ck_assert_uint_eq(w.s.slices.v[0].files, 2);
        end_world(&w);
}
END_TEST

START_TEST(older_days_are_not_looked_into)
{
        struct world w = new_world();

        /* A name that does not belong there shows whether the folder was read. */
        fixture_mkdir(w.dir, "2026/11/20");
        fixture_write(w.dir, "2026/11/20/CHANGELOG.1795395300", "");
        ck_assert_int_eq(gb_slices_open(w.dir, TS, &w.s, NULL), 0);
        ck_assert_uint_eq(w.s.slices.n, 0);
        end_world(&w);
}
END_TEST

START_TEST(newest_htime_counts_and_foreign_names_do_not)
{
        struct world w = new_world();
        char name[GB_HTIME_NAME];
        int64_t next;

        HTIME(&w, "HTIME.1795395200", "l1795395210");
        HTIME(&w, "HTIME.1795395300", "l1795395310", "l1795395325");
        HTIME(&w, "HTIME.1795395400.bak", "l1795395410");
        ck_assert_int_eq(gb_slices_open(w.dir, 1795395250, &w.s, NULL), 0);
        ck_assert_str_eq(w.s.htime.name, "HTIME.1795395300");
        ck_assert_int_eq(w.s.last_ts, 1795395325);
        ck_assert_uint_eq(w.s.htime_files, 1);
        ck_assert_int_eq(gb_slices_htime_of(&w.s, 1795395299, name, &next, NULL), 1);
        ck_assert_str_eq(name, "HTIME.1795395200");
        ck_assert_int_eq(next, 1795395300);
        ck_assert_int_eq(gb_slices_htime_of(&w.s, 1795395199, name, &next, NULL), 0);
        end_world(&w);
}
END_TEST

START_TEST(the_xattr_names_the_htime_in_use)
{
        struct world w = new_world();
        char *path = fixture_join(w.dir, "htime");

        HTIME(&w, "HTIME.1795395200", "l1795395210");
        HTIME(&w, "HTIME.1795395300", "l1795395310");
        if (setxattr(path, "trusted.glusterfs.current_htime", "HTIME.1795395200", 16, 0) == 0) {
                ck_assert_int_eq(gb_slices_open(w.dir, 1000, &w.s, NULL), 0);
                ck_assert_str_eq(w.s.htime.name, "HTIME.1795395200");
        } else {
                ck_assert_int_eq(gb_slices_open(w.dir, 1000, &w.s, NULL), 0);
                ck_assert_str_eq(w.s.htime.name, "HTIME.1795395300");
        }
        free(path);
        end_world(&w);
}
END_TEST

START_TEST(reading_behind_an_offset_looks_only_a_little_before_it)
{
        struct world w = new_world();
        char entry[32];
        uint64_t offset;
        size_t at;

        HTIME(&w, "HTIME.1795395200", "xnonsense", "U1795395201");
        for (int i = 0; i < 2000; i++) {
                snprintf(entry, sizeof(entry), "l%d", 1795395210 + i);
                HTIME(&w, "HTIME.1795395200", entry);
        }
        ck_assert_int_eq(gb_slices_open(w.dir, 1000, &w.s, NULL), 0);
        ck_assert(w.s.htime.torn); /* the whole was read */
        ck_assert_uint_eq(w.s.htime.entries.n, 2001);
        offset = w.s.htime.entries.v[1990].end;
        gb_slices_close(&w.s);
        ck_assert_int_eq(gb_slices_open_at(w.dir, 1000, 0, NULL, offset, &w.s, NULL), 0);
        ck_assert(!w.s.htime.torn);
        ck_assert_uint_lt(w.s.htime.entries.n, 400);
        for (at = 0; at < w.s.htime.entries.n && w.s.htime.entries.v[at].end != offset; at++)
                ;
        ck_assert_uint_eq(w.s.htime.entries.n - at, 11);
        ck_assert_int_eq(w.s.last_ts, 1795395210 + 1999);
        gb_slices_close(&w.s);
        ck_assert_int_eq(gb_slices_open_at(w.dir, 1000, 0, NULL, GB_HTIME_TAIL, &w.s, NULL), 0);
        ck_assert_int_eq(w.s.last_ts, 1795395210 + 1999);
        end_world(&w);
}
END_TEST

START_TEST(no_htime_at_all_is_an_empty_name_and_no_directory_a_gap)
{
        struct world w = {.dir = fixture_folder()};
        struct gb_slices s;
        struct gb_error err;

        ck_assert_int_eq(gb_slices_open(w.dir, 1000, &w.s, NULL), 0);
        ck_assert_str_eq(w.s.htime.name, "");
        ck_assert_int_eq(w.s.last_ts, 0);
        ck_assert_int_eq(gb_slices_open("/nonexistent/x", 1000, &s, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_GAP);
        end_world(&w);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("htime");
        TCase *t = tcase_create("htime");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_set_timeout(t, 60);
        tcase_add_loop_test(t, every_sample_has_its_entries, 0, SAMPLES);
        tcase_add_test(t, cuts_are_partial_and_other_directories_foreign);
        tcase_add_test(t, junk_is_torn);
        tcase_add_test(t, a_brick_path_that_contains_the_word_hides_the_small_letters_there);
        tcase_add_test(t, tree_and_htime_are_merged);
        tcase_add_test(t, only_slices_after_since_and_the_entry_before);
        tcase_add_test(t, damage_before_since_is_not_told);
        tcase_add_test(t, a_clock_set_back_hides_nothing_behind_the_first_entry);
        tcase_add_test(t, a_slice_filed_under_the_neighbouring_day_is_found);
        tcase_add_test(t, older_days_are_not_looked_into);
        tcase_add_test(t, newest_htime_counts_and_foreign_names_do_not);
        tcase_add_test(t, the_xattr_names_the_htime_in_use);
        tcase_add_test(t, reading_behind_an_offset_looks_only_a_little_before_it);
        tcase_add_test(t, no_htime_at_all_is_an_empty_name_and_no_directory_a_gap);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_ENV);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
