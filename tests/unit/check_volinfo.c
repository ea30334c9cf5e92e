/* links: base agent xml2 */
/*
 * check_volinfo - the XML of gluster(8): real answers, unusual ones, hostile ones.
 */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/limits.h"
#include "fixture.h"
#include "gluster.h"

static struct gb_error err;

static int info(const char *file, const char *volume, struct gb_volinfo *v)
{
        size_t len;
        char *xml = fixture_load(file, &len);
        int rc;

        memset(&err, 0, sizeof(err));
        rc = gb_xml_volume_info(xml, len, volume, v, &err);
        free(xml);
        return rc;
}

static int status(const char *file, struct gb_volinfo *v)
{
        size_t len;
        char *xml = fixture_load(file, &len);
        int rc;

        memset(&err, 0, sizeof(err));
        rc = gb_xml_volume_status(xml, len, v, &err);
        free(xml);
        return rc;
}

static int pool(const char *file, struct gb_volinfo *v)
{
        size_t len;
        char *xml = fixture_load(file, &len);
        int rc;

        memset(&err, 0, sizeof(err));
        rc = gb_xml_pool_list(xml, len, v, &err);
        free(xml);
        return rc;
}

static int result(const char *file)
{
        size_t len;
        char *xml = fixture_load(file, &len);
        int rc;

        memset(&err, 0, sizeof(err));
        rc = gb_xml_result(xml, len, &err);
        free(xml);
        return rc;
}

static void load(const char *file, const char *volume, struct gb_volinfo *v)
{
        ck_assert_msg(info(file, volume, v) == 0, "%s: %s", file, err.text);
}

static size_t count_online(const struct gb_volinfo *v)
{
        size_t n = 0;

        for (size_t i = 0; i < v->bricks.n; i++)
                n += v->bricks.v[i].online;
        return n;
}

/* ---- real answers ---- */

START_TEST(reads_a_distributed_replicate_volume)
{
        struct gb_volinfo v;
        char text[GB_GFID_TEXT];

        load("xml/info-fa_dr.xml", "fa_dr", &v);
        ck_assert_str_eq(v.name, "fa_dr");
        ck_assert_str_eq(gb_gfid_format(&v.id, text), "305bd77b-8c6d-4087-9f1e-e8ffbf53db63");
        ck_assert(v.started);
        ck_assert(!v.disperse);
        ck_assert_uint_eq(v.set_size, 2);
        ck_assert_uint_eq(v.bricks.n, 4);
        ck_assert_str_eq(v.bricks.v[2].host, "vm");
        ck_assert_str_eq(v.bricks.v[2].path, "/bricks/r3");
        ck_assert_str_eq(gb_gfid_format(&v.bricks.v[2].node, text), "1a22fab6-33e7-4492-991b-f32963050f3f");
        ck_assert(!v.bricks.v[2].arbiter);
        ck_assert_uint_eq(v.options.n, 8);
        ck_assert_str_eq(gb_volinfo_option(&v, "changelog.rollover-time"), "600");
        ck_assert_ptr_null(gb_volinfo_option(&v, "changelog.capture-del-path"));
        gb_volinfo_fini(&v);
        ck_assert_uint_eq(v.bricks.n, 0);
        ck_assert_ptr_null(v.name);
}
END_TEST

START_TEST(marks_the_arbiter_of_each_set)
{
        struct gb_volinfo v;

        load("xml/info-fa_arb.xml", "fa_arb", &v);
        ck_assert_uint_eq(v.set_size, 3);
        for (size_t i = 0; i < v.bricks.n; i++)
                ck_assert_int_eq(v.bricks.v[i].arbiter, i % 3 == 2);
        gb_volinfo_fini(&v);
}
END_TEST

START_TEST(takes_the_set_size_of_disperse_from_disperse_count)
{
        struct gb_volinfo v;

        load("xml/info-fa_ec.xml", "fa_ec", &v);
        ck_assert(v.disperse);
        ck_assert_uint_eq(v.set_size, 3);
        ck_assert_uint_eq(v.redundancy, 1);
        gb_volinfo_fini(&v);
        load("xml/info-fa_ad.xml", "fa_ad", &v);
        ck_assert(v.disperse);
        ck_assert_uint_eq(v.bricks.n / v.set_size, 2);
        ck_assert(!v.started);
        gb_volinfo_fini(&v);
        load("xml/info-fa_sh.xml", "fa_sh", &v);
        ck_assert(!v.disperse);
        ck_assert_uint_eq(v.set_size, 1);
        gb_volinfo_fini(&v);
}
END_TEST

START_TEST(a_missing_volume_is_told_apart_whatever_the_error_number)
{
        struct gb_volinfo v;

        ck_assert_int_eq(info("xml/info-nosuch.xml", "nosuch", &v), -1);
        ck_assert_int_eq(err.code, GB_ERR_NO_VOLUME);
        ck_assert_uint_eq(v.bricks.n, 0);
        ck_assert_int_eq(info("volinfo/no_volume.xml", "vol", &v), -1);
        ck_assert_int_eq(err.code, GB_ERR_NO_VOLUME);
        load("xml/info-fa_dr.xml", "fa_dr", &v);
        ck_assert_int_eq(status("xml/status-nosuch.xml", &v), -1);
        ck_assert_int_eq(err.code, GB_ERR_NO_VOLUME);
        gb_volinfo_fini(&v);
        ck_assert_int_eq(result("volinfo/option_unknown.xml"), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
        ck_assert_ptr_nonnull(strstr(err.text, "changelog.nonsense does not exist"));
}
END_TEST

START_TEST(status_tells_which_bricks_are_online)
{
        struct gb_volinfo v;

        load("xml/info-fa_arb.xml", "fa_arb", &v);
        ck_assert_int_eq(status("xml/status-fa_arb.xml", &v), 0);
        ck_assert_uint_eq(count_online(&v), 6);
        ck_assert_int_eq(status("xml/status-fa_arb-brickdown.xml", &v), 0);
        ck_assert_uint_eq(count_online(&v), 5);
        ck_assert(!v.bricks.v[1].online);
        ck_assert(v.started);
        ck_assert(!v.rebalancing);
        gb_volinfo_fini(&v);
        load("xml/info-fa_dr.xml", "fa_dr", &v);
        ck_assert_int_eq(status("xml/status-detail-fa_dr.xml", &v), 0);
        ck_assert_uint_eq(count_online(&v), 4);
        gb_volinfo_fini(&v);
}
END_TEST

START_TEST(status_of_a_stopped_volume_is_no_failure)
{
        struct gb_volinfo v;

        load("xml/info-fa_ad.xml", "fa_ad", &v);
        v.started = true;
        v.bricks.v[0].online = true;
        ck_assert_int_eq(status("xml/status-fa_ad.xml", &v), 0);
        ck_assert(!v.started);
        ck_assert_uint_eq(count_online(&v), 0);
        gb_volinfo_fini(&v);
}
END_TEST

START_TEST(pool_list_names_the_peers)
{
        struct gb_volinfo v = {0};

        ck_assert_int_eq(pool("xml/pool-list.xml", &v), 0);
        ck_assert_uint_eq(v.peers.n, 1);
        ck_assert_str_eq(v.peers.v[0].host, "localhost");
        ck_assert(v.peers.v[0].connected);
        ck_assert_int_eq(pool("xml/peer-status.xml", &v), 0);
        ck_assert_uint_eq(v.peers.n, 0);
        gb_volinfo_fini(&v);
}
END_TEST

START_TEST(result_follows_opRet)
{
        ck_assert_int_eq(result("xml/heal-info-fa_dr.xml"), 0);
        ck_assert_int_eq(result("xml/status-fa_ad.xml"), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
        ck_assert_str_eq(err.text, "Volume fa_ad is not started");
        ck_assert_int_eq(result("volinfo/error_without_text.xml"), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
        ck_assert_int_eq(result("volinfo/busy.xml"), -1);
        ck_assert_int_eq(err.code, GB_ERR_AGAIN);
        ck_assert_int_eq(result("volinfo/locking_failed.xml"), -1);
        ck_assert_int_eq(err.code, GB_ERR_AGAIN);
}
END_TEST

/* ---- sound but unusual ---- */

START_TEST(splits_the_host_at_the_last_colon_before_the_first_slash)
{
        struct gb_volinfo v;

        load("volinfo/ok_ipv6.xml", "vol", &v);
        ck_assert_str_eq(v.bricks.v[0].host, "fd00::1:2");
        ck_assert_str_eq(v.bricks.v[0].path, "/b/1");
        ck_assert_str_eq(v.bricks.v[1].host, "fd00::2:2");
        ck_assert_str_eq(v.bricks.v[1].path, "/b:x/1");
        gb_volinfo_fini(&v);
}
END_TEST

START_TEST(reads_escaped_and_cdata_text)
{
        struct gb_volinfo v;

        load("volinfo/ok_escaped.xml", "vol", &v);
        ck_assert_str_eq(v.bricks.v[0].path, "/b/a&b<c");
        ck_assert_str_eq(v.bricks.v[1].path, "/b/<&>");
        gb_volinfo_fini(&v);
}
END_TEST

START_TEST(takes_the_node_from_the_attribute_if_there_is_no_hostUuid)
{
        char text[GB_GFID_TEXT];
        struct gb_volinfo v;

        load("volinfo/ok_uuid_attribute_only.xml", "vol", &v);
        ck_assert_str_eq(gb_gfid_format(&v.bricks.v[1].node, text), "22222222-2222-4222-8222-222222222222");
        gb_volinfo_fini(&v);
}
END_TEST

START_TEST(finds_its_volume_among_several)
{
        struct gb_volinfo v;

        load("volinfo/ok_several_volumes.xml", "vol", &v);
        ck_assert_str_eq(v.name, "vol");
        ck_assert_uint_eq(v.bricks.n, 2);
        gb_volinfo_fini(&v);
}
END_TEST

START_TEST(an_option_may_be_empty)
{
        struct gb_volinfo v;

        load("volinfo/ok_two_hosts_same_path.xml", "vol", &v);
        ck_assert_str_eq(gb_volinfo_option(&v, "auth.reject"), "");
        gb_volinfo_fini(&v);
}
END_TEST

/* Both bricks of this volume have the same path, on two nodes. */
static void check_online(const char *file, bool first, bool second)
{
        struct gb_volinfo v;

        load("volinfo/ok_two_hosts_same_path.xml", "vol", &v);
        v.bricks.v[0].online = true;
        v.bricks.v[1].online = true;
        ck_assert_msg(status(file, &v) == 0, "%s: %s", file, err.text);
        ck_assert_int_eq(v.bricks.v[0].online, first);
        ck_assert_int_eq(v.bricks.v[1].online, second);
        gb_volinfo_fini(&v);
}

START_TEST(nodes_are_matched_by_uuid_then_by_host)
{
        check_online("volinfo/status_second_online.xml", false, true);
        check_online("volinfo/status_same_hostname.xml", false, true);
        check_online("volinfo/status_without_peerid.xml", false, true);
}
END_TEST

START_TEST(a_brick_nobody_speaks_of_is_offline)
{
        check_online("volinfo/status_peer_gone.xml", true, false);
        check_online("volinfo/status_stranger.xml", false, false);
        check_online("volinfo/status_odd_state.xml", false, false);
}
END_TEST

START_TEST(a_running_task_is_a_rebalance)
{
        struct gb_volinfo v;

        load("volinfo/ok_two_hosts_same_path.xml", "vol", &v);
        ck_assert_int_eq(status("volinfo/status_rebalance_running.xml", &v), 0);
        ck_assert(v.rebalancing);
        ck_assert_int_eq(status("volinfo/status_peer_gone.xml", &v), 0);
        ck_assert(!v.rebalancing);
        gb_volinfo_fini(&v);
        memset(&v, 0, sizeof(v));
        v.name = strdup("fa_dht");
        ck_assert_int_eq(status("xml/status-fa_dht-with-task.xml", &v), 0);
        ck_assert(!v.rebalancing); /* completed */
        gb_volinfo_fini(&v);
}
END_TEST

START_TEST(status_of_another_volume_is_refused)
{
        struct gb_volinfo v;

        load("volinfo/ok_two_hosts_same_path.xml", "vol", &v);
        ck_assert_int_eq(status("volinfo/status_other_volume.xml", &v), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
        ck_assert_uint_eq(count_online(&v), 0);
        gb_volinfo_fini(&v);
}
END_TEST

/* ---- hostile ---- */

static const struct hostile {
        const char *file;
        enum gb_code code;
        const char *says;
} hostile[] = {
        {"volinfo/billion_laughs.xml", GB_ERR_GLUSTER, "DOCTYPE"},
        {"volinfo/xxe.xml", GB_ERR_GLUSTER, "DOCTYPE"},
        {"volinfo/dtd_remote.xml", GB_ERR_GLUSTER, "DOCTYPE"},
        {"volinfo/doctype_plain.xml", GB_ERR_GLUSTER, "DOCTYPE"},
        {"volinfo/entity_undefined.xml", GB_ERR_GLUSTER, "not XML"},
        {"volinfo/deep.xml", GB_ERR_LIMIT, "nested"},
        {"volinfo/truncated.xml", GB_ERR_GLUSTER, "not XML"},
        {"volinfo/not_xml.txt", GB_ERR_GLUSTER, "not XML"},
        {"volinfo/other_root.xml", GB_ERR_GLUSTER, "cliOutput"},
        {"volinfo/no_opret.xml", GB_ERR_GLUSTER, "opRet"},
        {"volinfo/nested_opret.xml", GB_ERR_GLUSTER, "opRet"},
        {"volinfo/no_id.xml", GB_ERR_GLUSTER, "id"},
        {"volinfo/bad_id.xml", GB_ERR_GLUSTER, "id"},
        {"volinfo/no_bricks.xml", GB_ERR_GLUSTER, "lists 0 bricks"},
        {"volinfo/no_brick_name.xml", GB_ERR_GLUSTER, "without a name"},
        {"volinfo/no_host_uuid.xml", GB_ERR_GLUSTER, "uuid"},
        {"volinfo/huge_count.xml", GB_ERR_GLUSTER, "list of bricks"},
        {"volinfo/count_above_limit.xml", GB_ERR_GLUSTER, "list of bricks"},
        {"volinfo/more_bricks_than_said.xml", GB_ERR_GLUSTER, "more than 2"},
        {"volinfo/fewer_bricks_than_said.xml", GB_ERR_GLUSTER, "lists 2 bricks, says 4"},
        {"volinfo/set_does_not_divide.xml", GB_ERR_GLUSTER, "sets of 2"},
        {"volinfo/set_of_zero.xml", GB_ERR_GLUSTER, "sets of 0"},
        {"volinfo/set_huge.xml", GB_ERR_GLUSTER, "geometry"},
        {"volinfo/host_is_option.xml", GB_ERR_GLUSTER, "host name"},
        {"volinfo/host_with_blank.xml", GB_ERR_GLUSTER, "host name"},
        {"volinfo/host_missing.xml", GB_ERR_GLUSTER, "host name"},
        {"volinfo/path_relative.xml", GB_ERR_GLUSTER, "not a brick"},
        {"volinfo/path_without_host.xml", GB_ERR_GLUSTER, "not a brick"},
        {"volinfo/path_too_long.xml", GB_ERR_LIMIT, "too long"},
        {"volinfo/option_without_value.xml", GB_ERR_GLUSTER, "without a value"},
        {"volinfo/other_volume.xml", GB_ERR_GLUSTER, "another volume"},
        {"volinfo/busy.xml", GB_ERR_AGAIN, "Another transaction"},
};

START_TEST(hostile_info_is_refused_with_its_reason)
{
        const struct hostile *h = &hostile[_i];
        struct gb_volinfo v;

        ck_assert_msg(info(h->file, "vol", &v) == -1, "%s was accepted", h->file);
        ck_assert_msg(err.code == h->code, "%s: %s: %s", h->file, gb_code_name(err.code), err.text);
        ck_assert_msg(strstr(err.text, h->says) != NULL, "%s: %s", h->file, err.text);
        ck_assert_ptr_null(v.name);
        ck_assert_ptr_null(v.bricks.v);
        ck_assert_ptr_null(v.options.v);
}
END_TEST

START_TEST(hostile_peers_are_refused)
{
        struct gb_volinfo v = {0};

        ck_assert_int_eq(pool("volinfo/peer_without_uuid.xml", &v), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
        ck_assert_int_eq(pool("volinfo/peer_is_option.xml", &v), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
        ck_assert_int_eq(pool("volinfo/not_xml.txt", &v), -1);
        ck_assert_int_eq(pool("xml/info-fa_dr.xml", &v), -1);
        gb_volinfo_fini(&v);
}
END_TEST

/* "<cliOutput><opRet>0</opRet>" + piece * n + "</cliOutput>" */
static char *repeat(const char *piece, size_t n, size_t *len)
{
        static const char head[] = "<cliOutput><opRet>0</opRet>", tail[] = "</cliOutput>";
        size_t each = strlen(piece);
        char *xml = malloc(sizeof(head) + sizeof(tail) + n * each);
        char *p = xml;

        ck_assert_ptr_nonnull(xml);
        p = stpcpy(p, head);
        for (size_t i = 0; i < n; i++)
                p = mempcpy(p, piece, each);
        p = stpcpy(p, tail);
        *len = (size_t)(p - xml);
        return xml;
}

static void check_repeat(const char *piece, size_t n, int expected, enum gb_code code)
{
        size_t len;
        char *xml = repeat(piece, n, &len);

        memset(&err, 0, sizeof(err));
        ck_assert_msg(gb_xml_result(xml, len, &err) == expected, "%s x %zu: %s", piece, n, err.text);
        ck_assert_int_eq(err.code, code);
        free(xml);
}

START_TEST(elements_and_attributes_are_counted)
{
        check_repeat("<a/>", 200000, 0, GB_OK);
        check_repeat("<a/>", 300000, -1, GB_ERR_LIMIT);
        check_repeat("<a b='' c='' d=''/>", 70000, -1, GB_ERR_LIMIT);
}
END_TEST

#ifdef __SANITIZE_THREAD__
#define GROWTH_MAX (128 * 1024) /* with its shadow */
#else
#define GROWTH_MAX (64 * 1024)
#endif

START_TEST(comments_do_not_grow_the_tree)
{
        struct rusage before, after;

        getrusage(RUSAGE_SELF, &before);
        check_repeat("<!---->", 1000000, 0, GB_OK);
        check_repeat("<?x?>", 1000000, 0, GB_OK);
        getrusage(RUSAGE_SELF, &after);
        ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, GROWTH_MAX); /* KiB; nodes would take 120 MB */
}
END_TEST

START_TEST(an_answer_above_the_limit_is_not_even_parsed)
{
        static const char byte = '<';

        memset(&err, 0, sizeof(err));
        ck_assert_int_eq(gb_xml_result(&byte, (size_t)GB_XML_MAX + 1, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_LIMIT);
}
END_TEST

/* Every truncation of a real answer: never a crash, and never an answer. */
START_TEST(no_truncation_passes)
{
        size_t len;
        char *xml = fixture_load("xml/info-fa_ec.xml", &len);
        size_t end = (size_t)(strstr(xml, "</cliOutput>") - xml) + strlen("</cliOutput>");
        struct gb_volinfo v;

        for (size_t n = 0; n < end; n++)
                ck_assert_msg(gb_xml_volume_info(xml, n, "fa_ec", &v, &err) == -1, "%zu bytes passed", n);
        ck_assert_int_eq(gb_xml_volume_info(xml, end, "fa_ec", &v, &err), 0);
        gb_volinfo_fini(&v);
        free(xml);
}
END_TEST

/* Every byte replaced by something that means much to a parser: it may pass, but whole. */
START_TEST(no_changed_byte_breaks_the_promises)
{
        static const char bytes[] = "<&\"0-\0\xff";
        size_t len;
        char *xml = fixture_load("volinfo/ok_two_hosts_same_path.xml", &len);
        struct gb_volinfo v;

        for (size_t i = 0; i < len; i++) {
                char old = xml[i];

                for (size_t k = 0; k < sizeof(bytes) - 1; k++) {
                        xml[i] = bytes[k];
                        if (gb_xml_volume_info(xml, len, "vol", &v, &err) < 0) {
                                ck_assert_ptr_null(v.bricks.v);
                                continue;
                        }
                        ck_assert_uint_eq(v.bricks.n, 2);
                        ck_assert_uint_ge(v.set_size, 1);
                        ck_assert_int_eq(v.bricks.v[0].path[0], '/');
                        gb_volinfo_fini(&v);
                }
                xml[i] = old;
        }
        free(xml);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("volinfo");
        TCase *t = tcase_create("answers");
        TCase *h = tcase_create("hostile");
        SRunner *r;
        int failed;

        tcase_add_test(t, reads_a_distributed_replicate_volume);
        tcase_add_test(t, marks_the_arbiter_of_each_set);
        tcase_add_test(t, takes_the_set_size_of_disperse_from_disperse_count);
        tcase_add_test(t, a_missing_volume_is_told_apart_whatever_the_error_number);
        tcase_add_test(t, status_tells_which_bricks_are_online);
        tcase_add_test(t, status_of_a_stopped_volume_is_no_failure);
        tcase_add_test(t, pool_list_names_the_peers);
        tcase_add_test(t, result_follows_opRet);
        tcase_add_test(t, splits_the_host_at_the_last_colon_before_the_first_slash);
        tcase_add_test(t, reads_escaped_and_cdata_text);
        tcase_add_test(t, takes_the_node_from_the_attribute_if_there_is_no_hostUuid);
        tcase_add_test(t, finds_its_volume_among_several);
        tcase_add_test(t, an_option_may_be_empty);
        tcase_add_test(t, nodes_are_matched_by_uuid_then_by_host);
        tcase_add_test(t, a_brick_nobody_speaks_of_is_offline);
        tcase_add_test(t, a_running_task_is_a_rebalance);
        tcase_add_test(t, status_of_another_volume_is_refused);
        suite_add_tcase(s, t);

        tcase_set_timeout(h, 60);
        tcase_add_loop_test(h, hostile_info_is_refused_with_its_reason, 0,
                            (int)(sizeof(hostile) / sizeof(hostile[0])));
        tcase_add_test(h, hostile_peers_are_refused);
        tcase_add_test(h, elements_and_attributes_are_counted);
        tcase_add_test(h, comments_do_not_grow_the_tree);
        tcase_add_test(h, an_answer_above_the_limit_is_not_even_parsed);
        tcase_add_test(h, no_truncation_passes);
        tcase_add_test(h, no_changed_byte_breaks_the_promises);
        suite_add_tcase(s, h);

        r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
