/* links: base agent xxhash */
/*
 * check_changelog - real slices give the records they hold; a cut slice gives the ones before the cut;
 * a damaged one never leads outside its bytes.
 */
#include <config.h>

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "changelog.h"
#include "fixture.h"
#include "random.h"
#include "slicefile.h"

#define HEADER "GlusterFS Changelog | version: v1.2 | encoding : 2\n"
#define G1     "00000000-0000-0000-0000-000000000001"
#define G2     "2b4b52aa-849a-454a-b55c-ae97daaa428c"

static const struct sample {
        const char *name;
        size_t records;
} samples[] = {
        {"ascii_all_fops.CHANGELOG.1795395253", 19},
        {"ascii_delpath.CHANGELOG.1795395429", 12},
        {"ascii_live_odd_names.CHANGELOG", 12},
        {"binary_all_fops_delpath.CHANGELOG.1795397072", 15},
        {"binary_no_delpath.CHANGELOG.1795397452", 8},
        {"header_only_after_restart.CHANGELOG.1795395705", 0},
        {"shard_create_brick1.CHANGELOG.1795396154", 8},
        {"shard_create_brick2.CHANGELOG.1795396155", 15},
        {"shard_overwrite_in_shard4.CHANGELOG.1795396157", 1},
        {"shard_truncate_brick1.CHANGELOG.1795396164", 1},
        {"shard_truncate_brick2.CHANGELOG.1795396165", 4},
        {"dht_rename_overwrite_brick1.CHANGELOG.1795395951", 1},
        {"dht_rename_overwrite_brick2.CHANGELOG.1795395952", 2},
        {"dht_rename_overwrite_brick3.CHANGELOG.1795395953", 1},
        {"dht_rebalance_false_unlink_brick3.CHANGELOG.1795396599", 4},
        {"afr_source_while_peer_down.CHANGELOG.1795396669", 16},
        {"afr_sink_after_heal.CHANGELOG.1795396674", 16},
        {"afr_replace_brick_full_heal.CHANGELOG.1795397295", 30},
        {"ec_sink_after_heal.CHANGELOG.1795397256", 18},
        {"synthetic_v1.1_unlink.CHANGELOG", 3},
};

#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static char *load(const char *name, size_t *len)
{
        char path[256];

        snprintf(path, sizeof(path), "samples/%s", name);
        return fixture_load(path, len);
}

/* A copy with nothing behind it, so that the sanitizer sees every byte read too far. */
static uint8_t *exact(const void *data, size_t len)
{
        uint8_t *copy = malloc(len ? len : 1);

        ck_assert_ptr_nonnull(copy);
        memcpy(copy, data, len);
        return copy;
}

/* Parse all; *n records; offsets[] (NULL allowed) gets the end of each. */
static enum gb_parse parse(const void *data, size_t len, size_t *n, size_t *offsets)
{
        struct gb_changelog c;
        struct gb_record r;
        struct gb_error err;
        enum gb_parse rc;

        *n = 0;
        EXPECT(gb_changelog_begin(&c, data, len, "x", &err) == 0);
        while ((rc = gb_changelog_next(&c, &r)) == GB_PARSE_RECORD) {
                if (offsets)
                        offsets[*n] = gb_changelog_offset(&c);
                (*n)++;
        }
        return rc;
}

START_TEST(every_sample_has_its_records)
{
        const struct sample *s = &samples[_i];
        size_t len, n;
        char *data = load(s->name, &len);

        ck_assert_int_eq(parse(data, len, &n, NULL), GB_PARSE_END);
        ck_assert_uint_eq(n, s->records);
        free(data);
}
END_TEST

START_TEST(every_cut_is_torn_behind_the_whole_records)
{
        size_t len, all, n, offsets[64];
        char *data = load(samples[_i].name, &len);

        ck_assert_int_eq(parse(data, len, &all, offsets), GB_PARSE_END);
        for (size_t cut = GB_CHANGELOG_HEADER; cut < len; cut++) {
                uint8_t *copy = exact(data, cut);
                enum gb_parse rc = parse(copy, cut, &n, NULL);
                size_t whole = 0;

                while (whole < all && offsets[whole] <= cut)
                        whole++;
                EXPECT(n == whole);
                if (cut == (whole ? offsets[whole - 1] : GB_CHANGELOG_HEADER))
                        EXPECT(rc == GB_PARSE_END);
                else
                        EXPECT(rc == GB_PARSE_TORN);
                free(copy);
        }
        free(data);
}
END_TEST

START_TEST(flipped_bytes_never_lead_outside)
{
        struct random rnd = {(uint64_t)_i + 1};
        size_t len, n;
        char *data = load(samples[_i].name, &len);
        uint8_t *copy = exact(data, len);

        for (int round = 0; round < 2000 && len > GB_CHANGELOG_HEADER; round++) {
                struct gb_changelog c;
                struct gb_record r;

                memcpy(copy, data, len);
                for (size_t k = 1 + random_below(&rnd, 4); k > 0; k--)
                        copy[GB_CHANGELOG_HEADER + random_below(&rnd, len - GB_CHANGELOG_HEADER)] =
                                (uint8_t)random_next(&rnd);
                EXPECT(gb_changelog_begin(&c, copy, len, "x", NULL) == 0);
                for (n = 0; gb_changelog_next(&c, &r) == GB_PARSE_RECORD; n++) {
                        if (r.type != 'E')
                                continue;
                        EXPECT(r.from.len >= 1 && r.from.len <= GB_NAME_MAX);
                        EXPECT((const uint8_t *)r.from.name + r.from.len < copy + len);
                        EXPECT(!memchr(r.from.name, '/', r.from.len));
                        EXPECT((r.to.len > 0) == (r.fop == GB_FOP_RENAME));
                }
                EXPECT(n <= len / 18);
        }
        free(copy);
        free(data);
}
END_TEST

START_TEST(torn_sample_is_torn)
{
        size_t len, n;
        char *data = load("synthetic_truncated_tail.CHANGELOG", &len);

        ck_assert_int_eq(parse(data, len, &n, NULL), GB_PARSE_TORN);
        ck_assert_uint_gt(n, 0);
        free(data);
}
END_TEST

static struct gb_record record_of(const char *name, size_t index, char **data)
{
        struct gb_changelog c;
        struct gb_record r;
        size_t len;

        *data = load(name, &len);
        ck_assert_int_eq(gb_changelog_begin(&c, *data, len, name, NULL), 0);
        for (size_t i = 0; i <= index; i++)
                ck_assert_int_eq(gb_changelog_next(&c, &r), GB_PARSE_RECORD);
        return r;
}

static void expect_slot(const struct gb_slot *s, const char *parent, const char *name)
{
        char text[GB_GFID_TEXT];

        ck_assert_str_eq(gb_gfid_format(&s->parent, text), parent);
        ck_assert_uint_eq(s->len, strlen(name));
        ck_assert_mem_eq(s->name, name, s->len);
}

START_TEST(fields_of_an_ascii_rename_and_mkdir)
{
        char *data, text[GB_GFID_TEXT];
        struct gb_record r = record_of("ascii_all_fops.CHANGELOG.1795395253", 1, &data);

        ck_assert_int_eq(r.type, 'E');
        ck_assert_uint_eq(r.fop, GB_FOP_MKDIR);
        ck_assert_uint_eq(r.mode, 040755);
        ck_assert_str_eq(gb_gfid_format(&r.gfid, text), G2);
        expect_slot(&r.from, G1, "dir1");
        free(data);
        for (size_t i = 0;; i++) {
                r = record_of("ascii_all_fops.CHANGELOG.1795395253", i, &data);
                if (r.fop == GB_FOP_RENAME)
                        break;
                free(data);
        }
        expect_slot(&r.from, G2, "file1");
        expect_slot(&r.to, G2, "file2");
        free(data);
}
END_TEST

START_TEST(del_path_is_found_in_both_encodings)
{
        char *data;
        struct gb_record r = record_of("ascii_delpath.CHANGELOG.1795395429", 0, &data);

        ck_assert_uint_eq(r.fop, GB_FOP_UNLINK);
        ck_assert_uint_eq(r.del_path_len, strlen("a/b/c/leaf"));
        ck_assert_mem_eq(r.del_path, "a/b/c/leaf", r.del_path_len);
        free(data);
        r = record_of("binary_all_fops_delpath.CHANGELOG.1795397072", 14, &data);
        ck_assert_uint_eq(r.fop, GB_FOP_UNLINK);
        ck_assert_uint_gt(r.del_path_len, 0);
        free(data);
        r = record_of("binary_no_delpath.CHANGELOG.1795397452", 4, &data);
        ck_assert_ptr_null(r.del_path);
        free(data);
}
END_TEST

/* What a record behind the header gives; `record` may hold NULs. */
static enum gb_parse parse_one(const char *record, size_t len)
{
        size_t head = strlen(HEADER), n;
        uint8_t *data = malloc(head + len);
        enum gb_parse rc;

        ck_assert_ptr_nonnull(data);
        memcpy(data, HEADER, head);
        memcpy(data + head, record, len);
        rc = parse(data, head + len, &n, NULL);
        free(data);
        return n ? GB_PARSE_RECORD : rc;
}

#define PARSE(literal) parse_one(literal, sizeof(literal) - 1)

START_TEST(what_no_brick_writes_is_corrupt)
{
        ck_assert_int_eq(PARSE("D" G1 "\0"), GB_PARSE_RECORD);
        ck_assert_int_eq(PARSE("X" G1 "\0"), GB_PARSE_CORRUPT);
        ck_assert_int_eq(PARSE("\0"), GB_PARSE_CORRUPT);
        ck_assert_int_eq(PARSE("D" G1 "x"), GB_PARSE_CORRUPT);
        ck_assert_int_eq(PARSE("D0000000000000-0000-0000-000000000001-\0"), GB_PARSE_CORRUPT);
        ck_assert_int_eq(PARSE("D000g"), GB_PARSE_CORRUPT);
        ck_assert_int_eq(PARSE("M" G1 "\0\0"), GB_PARSE_CORRUPT);
        ck_assert_int_eq(PARSE("M" G1 "\0"
                               "99999999999\0"),
                         GB_PARSE_CORRUPT);
        ck_assert_int_eq(PARSE("M" G1 "\0"
                               "99\0"),
                         GB_PARSE_RECORD);
        ck_assert_int_eq(PARSE("E" G1 "\0"
                               "99\0"),
                         GB_PARSE_CORRUPT);
        ck_assert_int_eq(PARSE("E" G1 "\0"
                               "9\0" G2 "/a\0"),
                         GB_PARSE_RECORD);
        ck_assert_int_eq(PARSE("E" G1 "\0"
                               "9\0" G2 "/\0"),
                         GB_PARSE_CORRUPT);
        ck_assert_int_eq(PARSE("E" G1 "\0"
                               "9\0" G2 "/a/b\0"),
                         GB_PARSE_CORRUPT);
        ck_assert_int_eq(PARSE("E" G1 "\0"
                               "9\0" G2 "/a/b"),
                         GB_PARSE_CORRUPT);
        ck_assert_int_eq(PARSE("E" G1 "\0"
                               "9\0" G2 "/..\0"),
                         GB_PARSE_CORRUPT);
        ck_assert_int_eq(PARSE("E" G1 "\0"
                               "9\0" G2 ":a\0"),
                         GB_PARSE_CORRUPT);
        ck_assert_int_eq(PARSE("E" G1 "\0"
                               "5\0" G2 "/a\0\0x"),
                         GB_PARSE_CORRUPT);
        ck_assert_int_eq(PARSE("E" G1 "\0"
                               "5\0" G2 "/a\0\0"),
                         GB_PARSE_TORN);
        ck_assert_int_eq(PARSE("E" G1 "\0"
                               "3\0"
                               "x\0"),
                         GB_PARSE_CORRUPT);
}
END_TEST

/* An UNLINK with a name and a deleted path of these lengths. */
static enum gb_parse parse_lengths(size_t name, size_t path)
{
        char *record = malloc(128 + name + path);
        size_t len;
        enum gb_parse rc;

        ck_assert_ptr_nonnull(record);
        memcpy(record,
               "E" G1 "\0"
               "5\0" G2 "/",
               77);
        len = 77;
        memset(record + len, 'n', name);
        len += name;
        record[len++] = 0;
        memset(record + len, 'p', path);
        len += path;
        record[len++] = 0;
        rc = parse_one(record, len);
        free(record);
        return rc;
}

START_TEST(lengths_are_bounded)
{
        ck_assert_int_eq(parse_lengths(255, 4096), GB_PARSE_RECORD);
        ck_assert_int_eq(parse_lengths(256, 1), GB_PARSE_CORRUPT);
        ck_assert_int_eq(parse_lengths(255, 5000), GB_PARSE_CORRUPT);
}
END_TEST

START_TEST(foreign_headers_are_refused)
{
        static const char *const bad[] = {
                "",
                "GlusterFS Changelog",
                "GlusterFS Changelog | version: v1.3 | encoding : 2\n",
                "GlusterFS Changelog | version: v2.2 | encoding : 2\n",
                "GlusterFS Changelog | version: v1.2 | encoding : 3\n",
                "GlusterFS Changelog | version: v1.2 | encoding : 2",
                "D00000000-0000-0000-0000-000000000001",
        };

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                struct gb_changelog c;
                struct gb_error err;

                ck_assert_int_eq(gb_changelog_begin(&c, bad[i], strlen(bad[i]), "CHANGELOG.7", &err), -1);
                ck_assert_int_eq(err.code, GB_ERR_GAP);
                ck_assert_ptr_nonnull(strstr(err.text, "CHANGELOG.7"));
        }
}
END_TEST

START_TEST(seek_goes_on_where_a_parse_ended)
{
        size_t len, n, offsets[64];
        char *data = load("ascii_all_fops.CHANGELOG.1795395253", &len);
        struct gb_changelog c;
        struct gb_record r;

        parse(data, len, &n, offsets);
        ck_assert_int_eq(gb_changelog_begin(&c, data, len, "x", NULL), 0);
        ck_assert_int_eq(gb_changelog_seek(&c, offsets[n - 2], NULL), 0);
        ck_assert_int_eq(gb_changelog_next(&c, &r), GB_PARSE_RECORD);
        ck_assert_int_eq(gb_changelog_next(&c, &r), GB_PARSE_END);
        ck_assert_int_eq(gb_changelog_seek(&c, len + 1, NULL), -1);
        ck_assert_int_eq(gb_changelog_seek(&c, 3, NULL), -1);
        free(data);
}
END_TEST

/* A file of `copies` times the records of an ascii sample, `extra` bytes of another one behind. */
static int big_file(char *dir, const char *data, size_t len, size_t copies, size_t extra)
{
        char *path = fixture_join(dir, "big");
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        const char *body = data + GB_CHANGELOG_HEADER;

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, data, GB_CHANGELOG_HEADER), GB_CHANGELOG_HEADER);
        for (size_t i = 0; i < copies; i++)
                EXPECT(write(fd, body, len - GB_CHANGELOG_HEADER) == (ssize_t)(len - GB_CHANGELOG_HEADER));
        ck_assert_int_eq(write(fd, body, extra), (ssize_t)extra);
        free(path);
        return fd;
}

START_TEST(pieces_of_a_large_file_join_and_its_hash_ends_at_a_record)
{
        size_t len, copies = 2 * GB_SLICEFILE_PIECE / 1400, n = 0;
        char *dir = fixture_folder();
        char *data = load("ascii_all_fops.CHANGELOG.1795395253", &len);
        struct gb_slicefile f;
        struct gb_record r;
        uint64_t whole, hash;
        int rc;

        ck_assert_int_eq(gb_slicefile_init(&f, NULL), 0);
        ck_assert_int_eq(gb_slicefile_open(&f, big_file(dir, data, len, copies, 20), "big", NULL), 0);
        ck_assert_uint_gt(f.size, GB_SLICEFILE_PIECE);
        whole = f.size - 20;
        ck_assert_int_eq(gb_slicefile_prefix(&f, whole, &hash, NULL), 0);
        while ((rc = gb_slicefile_next(&f, &r, NULL)) == 1)
                n++;
        ck_assert_int_eq(rc, 2);
        ck_assert_uint_eq(n, copies * 19);
        ck_assert_uint_eq(gb_slicefile_offset(&f), whole);
        ck_assert_uint_eq(gb_slicefile_hash(&f), hash);
        gb_slicefile_fini(&f);
        free(data);
        fixture_remove(dir);
}
END_TEST

START_TEST(truncation_under_the_reader_is_an_error)
{
        size_t len;
        char *dir = fixture_folder();
        char *data = load("ascii_all_fops.CHANGELOG.1795395253", &len);
        struct gb_slicefile f;
        struct gb_record r;
        struct gb_error err;
        int rc;

        ck_assert_int_eq(gb_slicefile_init(&f, NULL), 0);
        ck_assert_int_eq(gb_slicefile_open(&f, big_file(dir, data, len, 2000, 0), "big", NULL), 0);
        ck_assert_int_eq(gb_slicefile_next(&f, &r, &err), 1);
        ck_assert_int_eq(ftruncate(f.fd, GB_SLICEFILE_PIECE + 10), 0);
        while ((rc = gb_slicefile_next(&f, &r, &err)) == 1)
                ;
        ck_assert_int_eq(rc, -1);
        ck_assert_int_eq(err.code, GB_ERR_GAP);
        gb_slicefile_fini(&f);
        free(data);
        fixture_remove(dir);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("changelog");
        TCase *t = tcase_create("changelog");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_set_timeout(t, 60);
        tcase_add_loop_test(t, every_sample_has_its_records, 0, SAMPLES);
        tcase_add_loop_test(t, every_cut_is_torn_behind_the_whole_records, 0, SAMPLES);
        tcase_add_loop_test(t, flipped_bytes_never_lead_outside, 0, SAMPLES);
        tcase_add_test(t, torn_sample_is_torn);
        tcase_add_test(t, fields_of_an_ascii_rename_and_mkdir);
        tcase_add_test(t, del_path_is_found_in_both_encodings);
        tcase_add_test(t, what_no_brick_writes_is_corrupt);
        tcase_add_test(t, lengths_are_bounded);
        tcase_add_test(t, foreign_headers_are_refused);
        tcase_add_test(t, seek_goes_on_where_a_parse_ended);
        tcase_add_test(t, pieces_of_a_large_file_join_and_its_hash_ends_at_a_record);
        tcase_add_test(t, truncation_under_the_reader_is_an_error);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_ENV);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
