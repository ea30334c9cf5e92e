/* links: daemon base inih */
/*
 * The configuration of gbackupd: every key, every range, and what a mistake is answered with.
 */
#include <config.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "fixture.h"
#include "settings.h"

static char *dir, *file;

static void setup(void)
{
        dir = fixture_folder();
        file = fixture_join(dir, "gbackupd.conf");
}

static void teardown(void)
{
        free(file);
        fixture_remove(dir);
}

static void write_bytes(const void *bytes, size_t n)
{
        FILE *f = fopen(file, "wb");

        ck_assert_ptr_nonnull(f);
        ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
        ck_assert_int_eq(fclose(f), 0);
}

static struct gb_settings load_ok(const char *text)
{
        struct gb_settings s;
        struct gb_error err;

        write_bytes(text, strlen(text));
        gb_settings_default(&s);
        ck_assert_msg(gb_settings_load(&s, file, true, &err) == 0, "%s", err.text);
        return s;
}

/* Refused, with FILE:LINE and `word` in the text, and nothing taken over. */
static void load_refused_bytes(const void *bytes, size_t n, unsigned line, const char *word)
{
        struct gb_settings s, before;
        struct gb_error err;
        char where[512];

        write_bytes(bytes, n);
        gb_settings_default(&s);
        before = s;
        ck_assert_int_eq(gb_settings_load(&s, file, true, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_CONFIG);
        snprintf(where, sizeof(where), "%s:%u: ", file, line);
        ck_assert_msg(!strncmp(err.text, where, strlen(where)), "%s", err.text);
        ck_assert_msg(strstr(err.text, word) != NULL, "%s lacks %s", err.text, word);
        ck_assert_mem_eq(&s, &before, sizeof(s));
}

static void load_refused(const char *text, unsigned line, const char *word)
{
        load_refused_bytes(text, strlen(text), line, word);
}

START_TEST(missing_file_is_fine_unless_it_was_named)
{
        struct gb_settings s, before;
        struct gb_error err;

        gb_settings_default(&s);
        before = s;
        ck_assert_int_eq(gb_settings_load(&s, file, false, &err), 0);
        ck_assert_mem_eq(&s, &before, sizeof(s));
        ck_assert_int_eq(gb_settings_load(&s, file, true, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_CONFIG);
        ck_assert_ptr_nonnull(strstr(err.text, file));
}
END_TEST

START_TEST(defaults_are_those_of_the_manual)
{
        struct gb_settings s = load_ok("# nothing\n");

        ck_assert_str_eq(s.glusterd_dir, "/var/lib/glusterd");
        ck_assert_str_eq(s.gluster_run_dir, "/var/run/gluster");
        ck_assert_str_eq(s.gluster_program, "gluster");
        ck_assert_str_eq(s.listen, "[::]:24017");
        ck_assert_str_eq(s.tls_dir + strlen(s.tls_dir) - strlen("/gbackup/tls"), "/gbackup/tls");
        ck_assert_int_eq(s.log_level, GB_LOG_INFO);
        ck_assert_uint_eq(s.max_workers, 64);
        ck_assert_uint_eq(s.max_workers_per_address, 16);
        ck_assert_uint_eq(s.memory_limit, 256u << 20);
        ck_assert_uint_eq(s.scan_threads, 2);
        ck_assert_uint_eq(s.scan_rate, 0);
        ck_assert_uint_eq(s.nice, 10);
        ck_assert(!s.io_idle);
}
END_TEST

START_TEST(every_key_is_taken)
{
        struct gb_settings s = load_ok("; a comment\n"
                                       "[gbackupd]\n"
                                       "socket = /run/x.sock\n"
                                       "state_dir=/srv/state\n"
                                       "glusterd_dir = /srv/glusterd\n"
                                       "gluster_run_dir = /srv/run\n"
                                       "gluster_program = /usr/sbin/gluster\n"
                                       "log_level = debug\n"
                                       "max_workers = 256\n"
                                       "max_workers_per_address = 1\n"
                                       "memory_limit = 2G\n"
                                       "tls_dir = /srv/tls\n"
                                       "scan_threads = 16\n"
                                       "scan_rate = 5000\n"
                                       "nice = 0\n"
                                       "io_idle = yes\n"
                                       "listen = 127.0.0.1:24017\n");

        ck_assert_str_eq(s.socket, "/run/x.sock");
        ck_assert_str_eq(s.state_dir, "/srv/state");
        ck_assert_str_eq(s.glusterd_dir, "/srv/glusterd");
        ck_assert_str_eq(s.gluster_run_dir, "/srv/run");
        ck_assert_str_eq(s.gluster_program, "/usr/sbin/gluster");
        ck_assert_int_eq(s.log_level, GB_LOG_DEBUG);
        ck_assert_uint_eq(s.max_workers, 256);
        ck_assert_uint_eq(s.max_workers_per_address, 1);
        ck_assert_uint_eq(s.memory_limit, 2ull << 30);
        ck_assert_uint_eq(s.scan_threads, 16);
        ck_assert_uint_eq(s.scan_rate, 5000);
        ck_assert_uint_eq(s.nice, 0);
        ck_assert(s.io_idle);
        ck_assert_str_eq(s.listen, "127.0.0.1:24017");
        ck_assert_str_eq(s.tls_dir, "/srv/tls");
        ck_assert_str_eq(load_ok("[gbackupd]\nlisten =\n").listen, "");
}
END_TEST

START_TEST(last_line_needs_no_newline)
{
        ck_assert_uint_eq(load_ok("[gbackupd]\nmax_workers = 7").max_workers, 7);
}
END_TEST

static const struct {
        const char *line, *word;
} bad_values[] = {
        {"max_workers = 0", "1 to 256"},
        {"max_workers = 257", "1 to 256"},
        {"max_workers = -1", "1 to 256"},
        {"max_workers = 8x", "1 to 256"},
        {"max_workers =", "1 to 256"},
        {"max_workers = 18446744073709551617", "1 to 256"},
        {"max_workers_per_address = 0", "1 to 256"},
        {"memory_limit = 15M", "16M to 64G"},
        {"memory_limit = 65G", "16M to 64G"},
        {"memory_limit = 256 M", "16M to 64G"},
        {"memory_limit = 1T", "16M to 64G"},
        {"scan_threads = 0", "1 to 16"},
        {"nice = 20", "0 to 19"},
        {"nice = -1", "0 to 19"},
        {"io_idle = maybe", "yes nor no"},
        {"memory_limit = 17179869185G", "16M to 64G"},
        {"log_level = loud", "error, warning, notice, info, debug"},
        {"socket = agent.sock", "absolute"},
        {"socket = /123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/"
         "123456789/123456789/1234567",
         "107"},
        {"state_dir = var", "absolute"},
        {"state_dir =", "absolute"},
        {"gluster_program = bin/gluster", "bare name"},
        {"gluster_program =", "bare name"},
        {"listen = 127.0.0.1", "ADDRESS:PORT"},
        {"listen = 127.0.0.1:0", "ADDRESS:PORT"},
        {"listen = 127.0.0.1:65536", "ADDRESS:PORT"},
        {"listen = localhost:24017", "ADDRESS:PORT"},
        {"max_wrokers = 3", "max_wrokers"},
};

START_TEST(bad_value_names_line_and_what_is_allowed)
{
        char text[512];

        snprintf(text, sizeof(text), "[gbackupd]\n\n%s\n", bad_values[_i].line);
        load_refused(text, 3, bad_values[_i].word);
}
END_TEST

START_TEST(limits_themselves_are_allowed)
{
        ck_assert_uint_eq(load_ok("[gbackupd]\nmemory_limit = 16M\n").memory_limit, 16u << 20);
        ck_assert_uint_eq(load_ok("[gbackupd]\nmemory_limit = 64G\n").memory_limit, 64ull << 30);
        ck_assert_uint_eq(load_ok("[gbackupd]\nmemory_limit = 16777216\n").memory_limit, 16u << 20);
        ck_assert_uint_eq(load_ok("[gbackupd]\nmax_workers = 1\n").max_workers, 1);
        ck_assert_uint_eq(load_ok("[gbackupd]\nlisten = 127.255.0.1:65535\n").max_workers, 64);
        ck_assert_str_eq(load_ok("[gbackupd]\nlisten =\n").listen, "");
}
END_TEST

START_TEST(unknown_section_is_refused)
{
        load_refused("[gbackup]\nmax_workers = 3\n", 2, "[gbackup]");
}
END_TEST

START_TEST(key_outside_a_section_is_refused)
{
        load_refused("max_workers = 3\n", 1, "outside a section");
}
END_TEST

START_TEST(line_that_is_nothing_is_refused)
{
        load_refused("[gbackupd]\nmax_workers = 3\nnonsense\n", 3, "comment");
}
END_TEST

START_TEST(key_given_twice_is_refused)
{
        load_refused("[gbackupd]\nmax_workers = 3\nmax_workers = 4\n", 3, "twice");
}
END_TEST

START_TEST(indented_line_does_not_continue_a_value_silently)
{
        load_refused("[gbackupd]\nstate_dir = /a\n  /b\n", 3, "indented");
}
END_TEST

START_TEST(overlong_line_is_refused_and_not_split)
{
        char text[8192];
        int n = snprintf(text, sizeof(text), "[gbackupd]\n#%06000d\nmax_workers = 3\n", 0);

        load_refused_bytes(text, (size_t)n, 2, "longer");
}
END_TEST

START_TEST(nul_byte_is_refused)
{
        static const char text[] = "[gbackupd]\nmax_workers = 3\0 4\n";

        load_refused_bytes(text, sizeof(text) - 1, 2, "NUL");
}
END_TEST

START_TEST(directory_or_huge_file_is_refused)
{
        struct gb_settings s;
        struct gb_error err;

        gb_settings_default(&s);
        ck_assert_int_eq(gb_settings_load(&s, dir, true, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_CONFIG);
        write_bytes("#", 1);
        ck_assert_int_eq(truncate(file, GB_CONFIG_MAX + 1), 0);
        ck_assert_int_eq(gb_settings_load(&s, file, true, &err), -1);
        ck_assert_ptr_nonnull(strstr(err.text, "larger"));
}
END_TEST

START_TEST(first_mistake_is_the_one_reported)
{
        load_refused("[gbackupd]\nmax_workers = 0\nmax_wrokers = 1\n", 2, "max_workers");
}
END_TEST

START_TEST(set_leaves_the_settings_alone_when_it_refuses)
{
        struct gb_settings s, before;
        struct gb_error err;

        gb_settings_default(&s);
        before = s;
        ck_assert_int_eq(gb_settings_set(&s, "state_dir", "/a\nb", &err), -1);
        ck_assert_int_eq(gb_settings_set(&s, "memory_limit", "1G1", &err), -1);
        ck_assert_int_eq(gb_settings_set(&s, "", "1", &err), -1);
        ck_assert_mem_eq(&s, &before, sizeof(s));
}
END_TEST

START_TEST(listen_address_is_parsed_for_both_families)
{
        struct sockaddr_storage a;
        struct gb_error err;
        socklen_t len;

        ck_assert_int_eq(gb_settings_parse_listen("127.0.0.1:24017", &a, &len, &err), 0);
        ck_assert_int_eq(a.ss_family, AF_INET);
        ck_assert_uint_eq(len, sizeof(struct sockaddr_in));
        ck_assert_uint_eq(ntohs(((struct sockaddr_in *)&a)->sin_port), 24017);
        ck_assert_int_eq(gb_settings_parse_listen("[::1]:1", &a, &len, &err), 0);
        ck_assert_int_eq(a.ss_family, AF_INET6);
        ck_assert_uint_eq(ntohs(((struct sockaddr_in6 *)&a)->sin6_port), 1);
        ck_assert_int_eq(gb_settings_parse_listen("::1:24017", &a, &len, &err), -1);
        ck_assert_int_eq(gb_settings_parse_listen("[]:24017", &a, &len, &err), -1);
        ck_assert_int_eq(gb_settings_parse_listen(":24017", &a, &len, &err), -1);
        ck_assert_int_eq(gb_settings_parse_listen("", &a, &len, &err), -1);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("settings");
        TCase *c = tcase_create("settings");
        SRunner *r;
        int failed;

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, missing_file_is_fine_unless_it_was_named);
        tcase_add_test(c, defaults_are_those_of_the_manual);
        tcase_add_test(c, every_key_is_taken);
        tcase_add_test(c, last_line_needs_no_newline);
        tcase_add_loop_test(c, bad_value_names_line_and_what_is_allowed, 0,
                            (int)(sizeof(bad_values) / sizeof(bad_values[0])));
        tcase_add_test(c, limits_themselves_are_allowed);
        tcase_add_test(c, unknown_section_is_refused);
        tcase_add_test(c, key_outside_a_section_is_refused);
        tcase_add_test(c, line_that_is_nothing_is_refused);
        tcase_add_test(c, key_given_twice_is_refused);
        tcase_add_test(c, indented_line_does_not_continue_a_value_silently);
        tcase_add_test(c, overlong_line_is_refused_and_not_split);
        tcase_add_test(c, nul_byte_is_refused);
        tcase_add_test(c, directory_or_huge_file_is_refused);
        tcase_add_test(c, first_mistake_is_the_one_reported);
        tcase_add_test(c, set_leaves_the_settings_alone_when_it_refuses);
        tcase_add_test(c, listen_address_is_parsed_for_both_families);
        suite_add_tcase(s, c);
        r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? 1 : 0;
}
