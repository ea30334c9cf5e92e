/* links: daemon rpc agent base */
/*
 * Who may do what: nodes of the pool, clients by clients.conf, nobody else.
 */
#include <config.h>

#include <check.h>

#include "caller.h"
#include "fixture.h"

#define OWN   "2d50fc79-ca21-452b-a8a7-9d2d96de82e3"
#define PEER  "11111111-ca21-452b-a8a7-9d2d96de82e3"
#define OTHER "22222222-ca21-452b-a8a7-9d2d96de82e3"
#define FP    "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"

static struct gb_error err;
static struct gb_glusterd gd;
static struct gb_access access_list;
static struct gb_caller caller;
static struct gb_tls_peer peer;
static char *dir;

static void setup(void)
{
        dir = fixture_folder();
        fixture_write(dir, "glusterd.info", "UUID=" OWN "\noperating-version=100000\n");
        fixture_mkdir(dir, "peers");
        fixture_write(dir, "peers/" PEER, "uuid=" PEER "\nstate=3\nhostname1=n2\n");
        ck_assert_int_eq(gb_glusterd_init(&gd, dir, dir, &err), 0);
        memset(&access_list, 0, sizeof(access_list));
        memset(&peer, 0, sizeof(peer));
        strcpy(peer.cert.fingerprint, FP);
        strcpy(peer.cert.name, "somebody");
}

static void teardown(void)
{
        gb_caller_fini(&caller);
        gb_access_fini(&access_list);
        gb_glusterd_fini(&gd);
        fixture_remove(dir);
}

static int judge_uuid(const char *uuid, bool listed)
{
        ck_assert(gb_gfid_parse(uuid, 36, &peer.cert.uuid));
        peer.cert.has_uuid = true;
        peer.listed = listed;
        peer.issued = !listed;
        return gb_caller_judge(&caller, &peer, &access_list, &gd, &err);
}

START_TEST(node_of_the_pool_may_everything)
{
        ck_assert_int_eq(judge_uuid(PEER, true), 0);
        ck_assert_int_eq(caller.right, GB_RIGHT_NODE);
        ck_assert_int_eq(gb_caller_may(&caller, GB_RIGHT_SESSION, "X", "any", &err), 0);
        ck_assert_int_eq(judge_uuid(OWN, true), 0);
}
END_TEST

START_TEST(node_that_left_the_pool_is_refused)
{
        ck_assert_int_eq(judge_uuid(OTHER, true), -1);
        ck_assert_int_eq(err.code, GB_ERR_DENIED);
        ck_assert_msg(strstr(err.text, "does not belong to this pool"), "%s", err.text);
        ck_assert_int_eq(caller.right, GB_RIGHT_NONE);
}
END_TEST

START_TEST(uuid_that_an_authority_signed_does_not_count)
{
        ck_assert_int_eq(judge_uuid(PEER, false), -1);
        ck_assert_int_eq(err.code, GB_ERR_DENIED);
        ck_assert_msg(strstr(err.text, FP), "%s", err.text);
}
END_TEST

START_TEST(client_may_what_its_line_says)
{
        ck_assert_int_eq(gb_access_put(&access_list, "b", "list", "home,photos", "sha256:" FP, &err), 0);
        ck_assert_int_eq(gb_caller_judge(&caller, &peer, &access_list, &gd, &err), 0);
        ck_assert_str_eq(caller.name, "client b");
        ck_assert_int_eq(gb_caller_may(&caller, GB_RIGHT_LIST, "SCAN", "home", &err), 0);
        ck_assert_int_eq(gb_caller_may(&caller, GB_RIGHT_LIST, "SCAN", "secret", &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_DENIED);
        ck_assert_msg(strstr(err.text, "client b has no right to volume secret"), "%s", err.text);
        ck_assert_int_eq(gb_caller_may(&caller, GB_RIGHT_SESSION, "SESSION_LOCK", "home", &err), -1);
        ck_assert_msg(strstr(err.text, "SESSION_LOCK needs 'session'"), "%s", err.text);
}
END_TEST

START_TEST(client_with_session_rights_is_no_node)
{
        ck_assert_int_eq(gb_access_put(&access_list, "b", "session", "*", "sha256:" FP, &err), 0);
        ck_assert_int_eq(gb_caller_judge(&caller, &peer, &access_list, &gd, &err), 0);
        ck_assert_int_eq(gb_caller_may(&caller, GB_RIGHT_SESSION, "X", "any", &err), 0);
        ck_assert_int_eq(gb_caller_may(&caller, GB_RIGHT_NODE, "X", NULL, &err), -1);
}
END_TEST

START_TEST(stranger_and_caller_not_judged_may_nothing)
{
        struct gb_caller nobody = {.right = GB_RIGHT_NONE};

        ck_assert_int_eq(gb_caller_judge(&caller, &peer, &access_list, &gd, &err), -1);
        ck_assert_int_eq(gb_caller_may(&nobody, GB_RIGHT_LIST, "SCAN", "home", &err), -1);
        ck_assert_int_eq(gb_caller_may(&nobody, GB_RIGHT_NONE, "HELLO", NULL, &err), 0);
}
END_TEST

START_TEST(local_caller_is_root)
{
        gb_caller_local(&caller);
        ck_assert_int_eq(gb_caller_may(&caller, GB_RIGHT_NODE, "X", "any", &err), 0);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("caller");
        TCase *c = tcase_create("caller");
        SRunner *r;
        int failed;

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, node_of_the_pool_may_everything);
        tcase_add_test(c, node_that_left_the_pool_is_refused);
        tcase_add_test(c, uuid_that_an_authority_signed_does_not_count);
        tcase_add_test(c, client_may_what_its_line_says);
        tcase_add_test(c, client_with_session_rights_is_no_node);
        tcase_add_test(c, stranger_and_caller_not_judged_may_nothing);
        tcase_add_test(c, local_caller_is_root);
        suite_add_tcase(s, c);
        r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? 1 : 0;
}
