/* links: rpc base tirpc ssl */
/*
 * Certificates: what we make is what we read; files that are wrong are named.
 */
#include <config.h>

#include <check.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "certs.h"
#include "fixture.h"

static const gb_gfid node = {
        {0x2d, 0x50, 0xfc, 0x79, 0xca, 0x21, 0x45, 0x2b, 0xa8, 0xa7, 0x9d, 0x2d, 0x96, 0xde, 0x82, 0xe3}};
static struct gb_error err;
static char *dir, *key, *pem;

static void setup(void)
{
        dir = fixture_folder();
        key = fixture_join(dir, "k");
        pem = fixture_join(dir, "c");
}

static void teardown(void)
{
        free(key);
        free(pem);
        fixture_remove(dir);
}

static struct gb_certs load(const char *path)
{
        struct gb_certs c = {0};

        ck_assert_msg(gb_certs_load(&c, path, true, &err) == 0, "%s", err.text);
        return c;
}

START_TEST(certificate_of_a_node_bears_its_uuid)
{
        struct gb_certs c;
        struct stat st;
        time_t now = time(NULL);

        ck_assert_msg(gb_cert_make(key, pem, "n1", &node, &err) == 0, "%s", err.text);
        ck_assert_int_eq(stat(key, &st), 0);
        ck_assert_int_eq(st.st_mode & 0777, 0600);
        c = load(pem);
        ck_assert_uint_eq(c.list.n, 1);
        ck_assert(c.list.v[0].has_uuid);
        ck_assert(gb_gfid_eq(&c.list.v[0].uuid, &node));
        ck_assert_str_eq(c.list.v[0].name, "n1");
        /* Backdated: clocks differ. */
        ck_assert_int_le(c.list.v[0].not_before, now - 80000);
        ck_assert_int_ge(c.list.v[0].not_after, now + (GB_CERT_DAYS - 2) * 86400L);
        ck_assert_int_eq(X509_check_ca(c.list.v[0].x509), 0);
        ck_assert_int_eq(gb_cert_fits(key, pem, &err), 1);
        gb_certs_fini(&c);
}
END_TEST

START_TEST(certificate_of_a_client_has_none_and_is_no_server)
{
        struct gb_certs c;

        ck_assert_int_eq(gb_cert_make(key, pem, "backup1", NULL, &err), 0);
        c = load(pem);
        ck_assert(!c.list.v[0].has_uuid);
        ck_assert_int_eq(X509_check_purpose(c.list.v[0].x509, X509_PURPOSE_SSL_SERVER, 0), 0);
        ck_assert_int_eq(X509_check_purpose(c.list.v[0].x509, X509_PURPOSE_SSL_CLIENT, 0), 1);
        gb_certs_fini(&c);
}
END_TEST

START_TEST(list_is_written_and_read_again)
{
        struct gb_certs all = {0}, again = {0};
        struct gb_buf text;
        unsigned char *der = NULL;
        int len;

        gb_buf_init(&text, GB_TRUST_MAX);
        for (int i = 0; i < 3; i++) {
                ck_assert_int_eq(gb_cert_make(key, pem, "n", &node, &err), 0);
                ck_assert_int_eq(gb_certs_load(&all, pem, true, &err), 0);
        }
        ck_assert_int_eq(gb_certs_load(&all, pem, true, &err), 0); /* the same again is not counted */
        ck_assert_uint_eq(all.list.n, 3);
        ck_assert_int_eq(gb_certs_format(&all, &text, &err), 0);
        ck_assert_int_eq(gb_certs_parse(&again, text.data, text.len, "t", &err), 0);
        ck_assert_uint_eq(again.list.n, 3);
        for (size_t i = 0; i < 3; i++)
                ck_assert_ptr_nonnull(gb_certs_find(&again, all.list.v[i].fingerprint));
        len = i2d_X509(all.list.v[0].x509, &der);
        ck_assert_int_eq(gb_certs_add_der(&again, der, (size_t)len, "t", &err), 0);
        ck_assert_uint_eq(again.list.n, 3);
        for (int n = 0; n < len; n++) /* every truncation */
                ck_assert_int_eq(gb_certs_add_der(&again, der, (size_t)n, "t", &err), -1);
        OPENSSL_free(der);
        gb_certs_fini(&all);
        gb_certs_fini(&again);
        gb_buf_fini(&text);
}
END_TEST

START_TEST(bad_files_are_named)
{
        struct gb_certs c = {0};

        ck_assert_int_eq(gb_certs_load(&c, pem, false, &err), 0);
        ck_assert_int_eq(gb_certs_load(&c, pem, true, &err), -1);
        ck_assert_msg(strstr(err.text, "/c: there is no such file"), "%s", err.text);
        fixture_write(dir, "c", "hello\n");
        ck_assert_int_eq(gb_certs_load(&c, pem, true, &err), -1);
        ck_assert_msg(strstr(err.text, "no certificate"), "%s", err.text);
        fixture_write(dir, "c", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        ck_assert_int_eq(gb_certs_load(&c, pem, true, &err), -1);
        ck_assert_msg(strstr(err.text, "certificate 1 cannot be read"), "%s", err.text);
        fixture_write(dir, "c", "-----BEGIN CERTIFICATE-----\nAA");
        ck_assert_int_eq(gb_certs_load(&c, pem, true, &err), -1);
        fixture_mkdir(dir, "d");
        free(pem);
        pem = fixture_join(dir, "d");
        ck_assert_int_eq(gb_certs_load(&c, pem, true, &err), -1);
        ck_assert_uint_eq(c.list.n, 0);
        gb_certs_fini(&c);
}
END_TEST

START_TEST(key_that_others_may_read_is_refused)
{
        ck_assert_int_eq(gb_cert_make(key, pem, "n", &node, &err), 0);
        ck_assert_int_eq(chmod(key, 0640), 0);
        ck_assert_ptr_null(gb_key_load(key, &err));
        ck_assert_msg(strstr(err.text, "others may read"), "%s", err.text);
        fixture_write(dir, "k", "nonsense\n");
        ck_assert_int_eq(chmod(key, 0600), 0);
        ck_assert_ptr_null(gb_key_load(key, &err));
        ck_assert_msg(strstr(err.text, "is no private key"), "%s", err.text);
}
END_TEST

START_TEST(key_and_certificate_of_two_do_not_fit)
{
        char *other = fixture_join(dir, "k2"), *other_pem = fixture_join(dir, "c2");

        ck_assert_int_eq(gb_cert_make(key, pem, "n", &node, &err), 0);
        ck_assert_int_eq(gb_cert_make(other, other_pem, "n", &node, &err), 0);
        ck_assert_int_eq(gb_cert_fits(other, pem, &err), 0);
        free(other);
        free(other_pem);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("certs");
        TCase *c = tcase_create("certs");
        SRunner *r;
        int failed;

        tcase_set_timeout(c, 60);
        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, certificate_of_a_node_bears_its_uuid);
        tcase_add_test(c, certificate_of_a_client_has_none_and_is_no_server);
        tcase_add_test(c, list_is_written_and_read_again);
        tcase_add_test(c, bad_files_are_named);
        tcase_add_test(c, key_that_others_may_read_is_refused);
        tcase_add_test(c, key_and_certificate_of_two_do_not_fit);
        suite_add_tcase(s, c);
        r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? 1 : 0;
}
