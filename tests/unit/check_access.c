/* links: rpc base tirpc ssl */
/*
 * clients.conf: what is read, what is refused, who is found in it.
 */
#include <config.h>

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "access.h"

#define FP1 "0000000000000000000000000000000000000000000000000000000000000001"
#define FP2 "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"

static struct gb_access a;
static struct gb_error err;

static void setup(void)
{
        memset(&a, 0, sizeof(a));
}

static void teardown(void)
{
        gb_access_fini(&a);
}

static int parse(const char *text)
{
        return gb_access_parse(&a, text, strlen(text), "clients.conf", &err);
}

START_TEST(lines_of_all_kinds_are_read)
{
        ck_assert_int_eq(parse("# comment\n\nserial 7\nbackup1 session home,photos sha256:" FP1
                               "\n  viewer\tlist * cn:viewer.example.com\r\nold node * sha256:" FP2),
                         0);
        ck_assert_uint_eq(a.serial, 7);
        ck_assert_uint_eq(a.grants.n, 3);
        ck_assert_int_eq(a.grants.v[0].right, GB_RIGHT_SESSION);
        ck_assert_str_eq(a.grants.v[0].volumes, "home,photos");
        ck_assert_str_eq(a.grants.v[0].fingerprint, FP1);
        ck_assert_str_eq(a.grants.v[1].cn, "viewer.example.com");
        ck_assert_int_eq(a.grants.v[2].right, GB_RIGHT_NODE);
}
END_TEST

static const struct {
        const char *text, *says;
} bad[] = {
        {"backup1 session home\n", "clients.conf:1: a line is NAME"},
        {"a list * cn:x more\n", "a line is NAME"},
        {"\nbackup1 admin * cn:x\n", "clients.conf:2: 'admin' is no right"},
        {"b@d list * cn:x\n", "is no name"},
        {"serial list * cn:x\n", "is no name"},
        {"a list home, cn:x\n", "volumes are names"},
        {"a list ,home cn:x\n", "volumes are names"},
        {"a list h/../x cn:x\n", "volumes are names"},
        {"a list *,home cn:x\n", "volumes are names"},
        {"a list * sha256:"
         "123"
         "\n",
         "is no certificate"},
        {"a list * sha256:ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef0123456789\n",
         "is no certificate"},
        {"a list * cn:\n", "is no certificate"},
        {"a list * x\n", "is no certificate"},
        {"a list * cn:x\na session * cn:y\n", "clients.conf:2: a is named twice"},
        {"serial x\n", "serial number"},
        {"serial 99999999999999999999\n", "serial number"},
};

START_TEST(bad_line_is_named)
{
        ck_assert_int_eq(parse(bad[_i].text), -1);
        ck_assert_int_eq(err.code, GB_ERR_CONFIG);
        ck_assert_msg(strstr(err.text, bad[_i].says), "%s", err.text);
}
END_TEST

START_TEST(nul_and_overlong_lines_are_refused)
{
        char big[3 * GB_LINE_MAX];

        ck_assert_int_eq(gb_access_parse(&a, "a list\0 * cn:x\n", 15, "f", &err), -1);
        memset(big, 'x', sizeof(big));
        ck_assert_int_eq(gb_access_parse(&a, big, sizeof(big), "f", &err), -1);
}
END_TEST

START_TEST(every_prefix_of_a_file_is_read_or_refused)
{
        static const char text[] = "serial 3\nbackup1 session home,photos sha256:" FP1 "\nv list * cn:v\n";

        for (size_t n = 0; n < sizeof(text); n++) {
                struct gb_access one = {.serial = 0};

                gb_access_parse(&one, text, n, "f", &err);
                gb_access_fini(&one);
        }
}
END_TEST

START_TEST(written_and_read_again_is_the_same)
{
        struct gb_buf first, second;

        gb_buf_init(&first, GB_TRUST_MAX);
        gb_buf_init(&second, GB_TRUST_MAX);
        ck_assert_int_eq(parse("serial 7\nb session h,p sha256:" FP1 "\nv list * cn:v.example\n"), 0);
        ck_assert_int_eq(gb_access_format(&a, &first, &err), 0);
        gb_access_fini(&a);
        ck_assert_int_eq(gb_access_parse(&a, (char *)first.data, first.len, "f", &err), 0);
        ck_assert_uint_eq(a.serial, 7);
        ck_assert_int_eq(gb_access_format(&a, &second, &err), 0);
        ck_assert_uint_eq(first.len, second.len);
        ck_assert_mem_eq(first.data, second.data, first.len);
        gb_buf_fini(&first);
        gb_buf_fini(&second);
}
END_TEST

START_TEST(put_replaces_and_remove_removes)
{
        ck_assert_int_eq(gb_access_put(&a, "b", "list", "v", "sha256:" FP1, &err), 0);
        ck_assert_int_eq(gb_access_put(&a, "c", "list", "v", "sha256:" FP2, &err), 0);
        ck_assert_int_eq(gb_access_put(&a, "b", "session", "w", "sha256:" FP2, &err), 0);
        ck_assert_uint_eq(a.grants.n, 2);
        ck_assert_str_eq(gb_access_named(&a, "b")->volumes, "w");
        ck_assert_int_eq(gb_access_put(&a, "b", "root", "w", "sha256:" FP2, &err), -1);
        ck_assert_str_eq(gb_access_named(&a, "b")->volumes, "w");
        ck_assert(gb_access_remove(&a, "b"));
        ck_assert(!gb_access_remove(&a, "b"));
        ck_assert_str_eq(a.grants.v[0].name, "c");
}
END_TEST

START_TEST(common_name_counts_only_if_an_authority_vouches)
{
        struct gb_cert cert = {.fingerprint = FP2, .name = "v"};

        ck_assert_int_eq(parse("x list * cn:v\n"), 0);
        ck_assert_ptr_null(gb_access_find(&a, &cert, false));
        ck_assert_ptr_nonnull(gb_access_find(&a, &cert, true));
        strcpy(cert.name, "w");
        ck_assert_ptr_null(gb_access_find(&a, &cert, true));
        ck_assert_int_eq(parse("y list * sha256:" FP2 "\n"), 0);
        ck_assert_str_eq(gb_access_find(&a, &cert, false)->name, "y");
        /* No name is no name. */
        cert.name[0] = cert.fingerprint[0] = '\0';
        ck_assert_ptr_null(gb_access_find(&a, &cert, true));
}
END_TEST

START_TEST(volumes_match_whole_names)
{
        ck_assert(gb_access_includes("*", "any"));
        ck_assert(gb_access_includes("a", "a"));
        ck_assert(gb_access_includes("a,bc,d", "bc"));
        ck_assert(gb_access_includes("a,bc,d", "d"));
        ck_assert(!gb_access_includes("a,bc,d", "b"));
        ck_assert(!gb_access_includes("a,bc,d", "c"));
        ck_assert(!gb_access_includes("abc", "ab"));
        ck_assert(!gb_access_includes("a,b", "a,b"));
        ck_assert(!gb_access_includes("a,b", ""));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("access");
        TCase *c = tcase_create("access");
        SRunner *r;
        int failed;

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, lines_of_all_kinds_are_read);
        tcase_add_loop_test(c, bad_line_is_named, 0, (int)(sizeof(bad) / sizeof(bad[0])));
        tcase_add_test(c, nul_and_overlong_lines_are_refused);
        tcase_add_test(c, every_prefix_of_a_file_is_read_or_refused);
        tcase_add_test(c, written_and_read_again_is_the_same);
        tcase_add_test(c, put_replaces_and_remove_removes);
        tcase_add_test(c, common_name_counts_only_if_an_authority_vouches);
        tcase_add_test(c, volumes_match_whole_names);
        suite_add_tcase(s, c);
        r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? 1 : 0;
}
