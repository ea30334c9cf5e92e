/* links: base agent xml2 */
/*
 * check_glusterd - glusterd's working directory: a real one, and ones that lie or fall short.
 */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/limits.h"
#include "fixture.h"
#include "glusterd.h"

#define NODE    "0ab3151b-4ad3-47af-847a-7a1b2b032fee"
#define OTHER   "11111111-1111-4111-8111-111111111111"
#define VOLUME  "8e3d420e-544f-47e8-97e9-479e3749e3b5"
#define INFO    "status=1\nversion=7\nvolume-id=" VOLUME "\n"
#define SECTION "volume v-changelog\n    type features/changelog\n"

static struct gb_error err;
static struct gb_glusterd gd;
static char *dir;

/* The real sample. */
static void use_sample(void)
{
        memset(&err, 0, sizeof(err));
        ck_assert_int_eq(gb_glusterd_init(&gd, fixture_path("glusterd"), "/nonexistent", &err), 0);
}

/* A made-up one, of this node, with volume v. */
static void use_made_up(void)
{
        memset(&err, 0, sizeof(err));
        dir = fixture_folder();
        fixture_mkdir(dir, "vols/v/bricks");
        fixture_write(dir, "glusterd.info", "UUID=" NODE "\noperating-version=100000\n");
        fixture_write(dir, "vols/v/info", INFO "brick-0=h:-b-1\n");
        fixture_write(dir, "vols/v/bricks/h:-b-1",
                      "uuid=" NODE "\nhostname=h\npath=/b/1\nreal_path=/b/1\nbrick-id=v-client-0\n");
        ck_assert_int_eq(gb_glusterd_init(&gd, dir, "/nonexistent", &err), 0);
}

static void done(void)
{
        gb_glusterd_fini(&gd);
        if (dir)
                fixture_remove(dir);
        dir = NULL;
}

/* ---- the real one ---- */

START_TEST(reads_the_node_uuid)
{
        char text[GB_GFID_TEXT];
        gb_gfid node;

        use_sample();
        ck_assert_int_eq(gb_glusterd_node(&gd, &node, &err), 0);
        ck_assert_str_eq(gb_gfid_format(&node, text), NODE);
}
END_TEST

START_TEST(reads_a_volume)
{
        struct gb_volume_file v;
        char text[GB_GFID_TEXT];

        use_sample();
        ck_assert_int_eq(gb_glusterd_volume(&gd, "gv2", &v, &err), 0);
        ck_assert_str_eq(gb_gfid_format(&v.id, text), VOLUME);
        ck_assert(v.started);
        ck_assert_uint_eq(v.version, 5);
        ck_assert(!v.restored_from_snap);
        ck_assert_uint_eq(v.n_sets, 2);
        ck_assert_int_eq(gb_glusterd_volume(&gd, "ec", &v, &err), 0);
        ck_assert_uint_eq(v.n_sets, 1);
}
END_TEST

START_TEST(finds_a_brick_by_its_exact_path)
{
        struct gb_brick_file f;
        char text[GB_GFID_TEXT];

        use_sample();
        ck_assert_int_eq(gb_glusterd_brick(&gd, "gv2", "/bricks/d", &f, &err), 1);
        ck_assert_str_eq(f.path, "/bricks/d");
        ck_assert_str_eq(f.host, "10.99.0.1");
        ck_assert_str_eq(f.afr, "gv2-client-");
        ck_assert_int_eq(f.id, 2);
        ck_assert_str_eq(gb_gfid_format(&f.node, text), NODE);
        gb_brick_file_fini(&f);
}
END_TEST

START_TEST(a_path_that_only_looks_the_same_is_no_brick)
{
        static const char *const paths[] = {"/bricks/a/b",
                                            "/bricks/a-b/",
                                            "/bricks//a-b",
                                            "/bricks/./a-b",
                                            "bricks/a-b",
                                            "/bricks/x1",
                                            "",
                                            "/",
                                            "/bricks/a-",
                                            "/bricks/a-b\n"};
        struct gb_brick_file f;

        use_sample();
        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
                ck_assert_msg(gb_glusterd_brick(&gd, "gv2", paths[i], &f, &err) == 0, "%s", paths[i]);
        ck_assert_int_eq(gb_glusterd_brick(&gd, "gv2", "/bricks/a-b", &f, &err), 1);
        gb_brick_file_fini(&f);
}
END_TEST

static void options_of(const char *volume, const char *path, struct gb_changelog_options *o)
{
        struct gb_brick_file f;

        ck_assert_int_eq(gb_glusterd_brick(&gd, volume, path, &f, &err), 1);
        ck_assert_msg(gb_glusterd_changelog_options(&gd, volume, &f, o, &err) == 0, "%s", err.text);
        gb_brick_file_fini(&f);
}

START_TEST(reads_the_changelog_options_of_a_brick)
{
        struct gb_changelog_options o;

        use_sample();
        options_of("gv2", "/bricks/a-b", &o);
        ck_assert(o.active);
        ck_assert_str_eq(o.dir, "/bricks/a-b/.glusterfs/changelogs");
        ck_assert_uint_eq(o.rollover, 77);
        ck_assert(o.capture_del_path);
        gb_changelog_options_fini(&o);
        options_of("ec", "/bricks/x1", &o);
        ck_assert(o.active);
        ck_assert_uint_eq(o.rollover, 15);
        ck_assert(!o.capture_del_path);
        gb_changelog_options_fini(&o);
}
END_TEST

START_TEST(a_missing_volfile_is_an_error)
{
        struct gb_changelog_options o;
        struct gb_brick_file f;

        use_sample();
        ck_assert_int_eq(gb_glusterd_brick(&gd, "gv2", "/bricks/e", &f, &err), 1);
        ck_assert_int_eq(gb_glusterd_changelog_options(&gd, "gv2", &f, &o, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
        ck_assert_ptr_null(o.dir);
        gb_brick_file_fini(&f);
}
END_TEST

/* ---- names ---- */

START_TEST(volume_names_are_judged)
{
        static const char *const good[] = {"v", "gv2", "a_b", "a-b", "a.b", "0", "all2"};
        static const char *const bad[] = {"",     "-v",  "--xml", ".",  "..",  ".v",       "a/b",
                                          "../v", "a b", "a\nb",  "a;", "a$b", "\xc3\xa4", "all"};
        char longest[GB_VOLUME_MAX + 2];

        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
                ck_assert_msg(gb_volume_name_valid(good[i]), "%s", good[i]);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                ck_assert_msg(!gb_volume_name_valid(bad[i]), "%s", bad[i]);
        memset(longest, 'v', sizeof(longest));
        longest[GB_VOLUME_MAX] = '\0';
        ck_assert(gb_volume_name_valid(longest));
        longest[GB_VOLUME_MAX] = 'v';
        longest[GB_VOLUME_MAX + 1] = '\0';
        ck_assert(!gb_volume_name_valid(longest));
}
END_TEST

START_TEST(a_volume_name_never_leaves_the_vols_folder)
{
        struct gb_changelog_options o;
        struct gb_brick_file f = {.path = (char[]){"/b/1"}, .host = (char[]){"h"}};
        struct gb_volume_file v;

        use_made_up();
        fixture_write(dir, "info", INFO);
        ck_assert_int_eq(gb_glusterd_volume(&gd, "..", &v, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_NO_VOLUME);
        ck_assert_int_eq(gb_glusterd_volume(&gd, "v/../v", &v, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_NO_VOLUME);
        ck_assert_int_eq(gb_glusterd_changelog_options(&gd, "v/../v", &f, &o, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_NO_VOLUME);
        ck_assert_int_eq(gb_glusterd_brick(&gd, "v/../v", "/b/1", &f, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_NO_VOLUME);
}
END_TEST

START_TEST(an_unknown_volume_is_no_volume)
{
        struct gb_volume_file v;
        struct gb_brick_file f;

        use_sample();
        ck_assert_int_eq(gb_glusterd_volume(&gd, "nosuch", &v, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_NO_VOLUME);
        ck_assert_int_eq(gb_glusterd_brick(&gd, "nosuch", "/bricks/d", &f, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_NO_VOLUME);
}
END_TEST

/* ---- made-up ones ---- */

START_TEST(no_node_uuid_is_an_error)
{
        struct gb_brick_file f;
        gb_gfid node;

        use_made_up();
        fixture_write(dir, "glusterd.info", "operating-version=100000\nUUID=\nXUUID=" NODE "\n");
        ck_assert_int_eq(gb_glusterd_node(&gd, &node, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
        ck_assert_int_eq(gb_glusterd_brick(&gd, "v", "/b/1", &f, &err), -1);
        gb_glusterd_fini(&gd);
        ck_assert_int_eq(gb_glusterd_init(&gd, "/nonexistent", "/nonexistent", &err), 0);
        ck_assert_int_eq(gb_glusterd_node(&gd, &node, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
}
END_TEST

static void check_info_refused(const char *text, const char *lacks)
{
        struct gb_volume_file v;

        fixture_write(dir, "vols/v/info", text);
        ck_assert_msg(gb_glusterd_volume(&gd, "v", &v, &err) == -1, "%s", text);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
        ck_assert_msg(strstr(err.text, lacks) != NULL, "%s", err.text);
}

START_TEST(an_info_file_that_falls_short_is_refused)
{
        use_made_up();
        check_info_refused("", "volume-id");
        check_info_refused("status=1\nversion=1\n", "volume-id");
        check_info_refused("status=1\nversion=1\nvolume-id=8e3d420e\n", "volume-id");
        check_info_refused("version=1\nvolume-id=" VOLUME "\n", "status");
        check_info_refused("status=1\nvolume-id=" VOLUME "\n", "version");
        check_info_refused("status=1\nop-version=1\nvolume-id=" VOLUME "\n", "version");
        check_info_refused("status=1\nversion=18446744073709551616\nvolume-id=" VOLUME "\n", "version");
        check_info_refused("status=1\nversion=-1\nvolume-id=" VOLUME "\n", "version");
}
END_TEST

START_TEST(a_stopped_and_restored_volume_says_so)
{
        struct gb_volume_file v;

        use_made_up();
        fixture_write(dir, "vols/v/info",
                      "status=2\nversion=18446744073709551615\nvolume-id=" VOLUME
                      "\nrestored_from_snap=" OTHER);
        ck_assert_int_eq(gb_glusterd_volume(&gd, "v", &v, &err), 0);
        ck_assert(!v.started);
        ck_assert(v.restored_from_snap);
        ck_assert_uint_eq(v.version, UINT64_MAX);
}
END_TEST

START_TEST(a_huge_file_is_not_read)
{
        struct gb_volume_file v;
        char *info;

        use_made_up();
        info = fixture_join(dir, "vols/v/info");
        ck_assert_int_eq(truncate(info, 1LL << 40), 0);
        free(info);
        ck_assert_int_eq(gb_glusterd_volume(&gd, "v", &v, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_LIMIT);
}
END_TEST

START_TEST(something_that_is_no_file_is_refused)
{
        struct gb_volume_file v;
        char *info;

        use_made_up();
        info = fixture_join(dir, "vols/v/info");
        ck_assert_int_eq(unlink(info), 0);
        ck_assert_int_eq(mkfifo(info, 0600), 0);
        free(info);
        ck_assert_int_eq(gb_glusterd_volume(&gd, "v", &v, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
}
END_TEST

static int find_with(const char *brick_file)
{
        struct gb_brick_file f;
        int rc;

        fixture_write(dir, "vols/v/bricks/h:-b-1", brick_file);
        rc = gb_glusterd_brick(&gd, "v", "/b/1", &f, &err);
        if (rc > 0)
                gb_brick_file_fini(&f);
        else
                ck_assert_ptr_null(f.path);
        return rc;
}

START_TEST(a_brick_needs_owner_path_host_and_number)
{
        use_made_up();
        ck_assert_int_eq(find_with("uuid=" NODE "\nhostname=h\npath=/b/1\nbrick-id=v-client-0\n"), 1);
        ck_assert_int_eq(find_with("uuid=" OTHER "\nhostname=h\npath=/b/1\nbrick-id=v-client-0\n"), 0);
        ck_assert_int_eq(find_with("uuid=" NODE "\nhostname=h\npath=/b/11\nbrick-id=v-client-0\n"), 0);
        ck_assert_int_eq(find_with("uuid=" NODE "\nhostname=h\nreal_path=/b/1\nbrick-id=v-client-0\n"), 0);
        ck_assert_int_eq(find_with("uuid=" NODE "\npath=/b/1\nbrick-id=v-client-0\n"), 0);
        ck_assert_int_eq(find_with("uuid=" NODE "\nhostname=../h\npath=/b/1\nbrick-id=v-client-0\n"), 0);
        ck_assert_int_eq(find_with("uuid=" NODE "\nhostname=h\npath=/b/1\n"), 0);
        ck_assert_int_eq(find_with("uuid=" NODE "\nhostname=h\npath=/b/1\nbrick-id=v-client-x\n"), 0);
        ck_assert_int_eq(find_with("uuid=" NODE "\nhostname=h\npath=/b/1\nbrick-id=v-client-99999999999\n"),
                         0);
        ck_assert_int_eq(find_with("hostname=h\npath=/b/1\nbrick-id=v-client-0\n"), 0);
        ck_assert_int_eq(find_with("uuid=" NODE "\nhost"), 0);
        ck_assert_int_eq(find_with(""), 0);
}
END_TEST

START_TEST(a_clone_keeps_the_brick_id_of_its_origin)
{
        struct gb_brick_file f;

        use_made_up();
        fixture_write(dir, "vols/v/bricks/h:-b-1",
                      "uuid=" NODE "\nhostname=h\npath=/b/1\nbrick-id=a-client-b-client-12\n");
        ck_assert_int_eq(gb_glusterd_brick(&gd, "v", "/b/1", &f, &err), 1);
        ck_assert_str_eq(f.afr, "a-client-b-client-");
        ck_assert_int_eq(f.id, 12);
        gb_brick_file_fini(&f);
}
END_TEST

START_TEST(a_brick_file_that_info_does_not_list_is_not_believed)
{
        struct gb_brick_file f;

        use_made_up();
        fixture_write(dir, "vols/v/info", INFO "brick-0=h:-b-2\nbrick-x=h:-b-1\nxbrick-1=h:-b-1\n");
        ck_assert_int_eq(gb_glusterd_brick(&gd, "v", "/b/1", &f, &err), 0);
        fixture_write(dir, "vols/v/info", INFO "brick-0=h:-b-2\nbrick-1=h:-b-1\n");
        ck_assert_int_eq(gb_glusterd_brick(&gd, "v", "/b/1", &f, &err), 1);
        gb_brick_file_fini(&f);
}
END_TEST

START_TEST(a_listed_name_never_leaves_the_bricks_folder)
{
        struct gb_brick_file f;

        use_made_up();
        fixture_write(dir, "vols/v/evil", "uuid=" NODE "\nhostname=h\npath=/b/1\nbrick-id=v-client-0\n");
        fixture_write(dir, "vols/v/info", INFO "brick-0=../evil\nbrick-1=.\nbrick-2=\n");
        ck_assert_int_eq(gb_glusterd_brick(&gd, "v", "/b/1", &f, &err), 0);
}
END_TEST

/* Options from a volfile with the given lines; rc of the call. */
static int options_with(const char *text, struct gb_changelog_options *o)
{
        struct gb_brick_file f = {.path = (char[]){"/b/1"}, .host = (char[]){"h"}};

        fixture_write(dir, "vols/v/v.h.b-1.vol", text);
        return gb_glusterd_changelog_options(&gd, "v", &f, o, &err);
}

START_TEST(changelog_is_off_unless_the_section_says_on)
{
        struct gb_changelog_options o;

        use_made_up();
        ck_assert_int_eq(options_with(SECTION "    option changelog-dir /b/1/c d\nend-volume\n"
                                              "volume x\n    option changelog on\nend-volume\n",
                                      &o),
                         0);
        ck_assert(!o.active);
        ck_assert_str_eq(o.dir, "/b/1/c d");
        ck_assert_uint_eq(o.rollover, 15);
        gb_changelog_options_fini(&o);
        ck_assert_int_eq(options_with(SECTION "    option changelog-dir /b\n    option changelog enable\n"
                                              "    option rollover-time 4294967295\nend-volume\n",
                                      &o),
                         0);
        ck_assert(o.active);
        ck_assert_uint_eq(o.rollover, 4294967295U);
        gb_changelog_options_fini(&o);
}
END_TEST

START_TEST(a_volfile_without_a_sound_section_is_an_error)
{
        static const char *const bad[] = {
                "",
                "volume v-posix\n    type storage/posix\nend-volume\n",
                SECTION "    option changelog on\nend-volume\n",
                SECTION "    option changelog-dir relative\nend-volume\n",
                SECTION "    option changelog-dir /b\n",
                SECTION "    option changelog-dir /b\n    option rollover-time 4294967296\nend-volume\n",
                SECTION "    option changelog-dir /b\n    option rollover-time 1m\nend-volume\n",
        };
        struct gb_changelog_options o;

        use_made_up();
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                ck_assert_msg(options_with(bad[i], &o) == -1, "%s", bad[i]);
                ck_assert_int_eq(err.code, GB_ERR_GLUSTER);
                ck_assert_ptr_null(o.dir);
        }
}
END_TEST

/* ---- topology ---- */

#define SHAPE "type=2\ncount=2\nreplica_count=2\ndisperse_count=0\nredundancy_count=0\n"

/* Somebody accepts connections where glusterd would. */
static void listen_like_glusterd(void)
{
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        free(gd.rundir);
        if (!dir)
                dir = fixture_folder();
        gd.rundir = fixture_join(dir, "gluster");
        snprintf(to.sun_path, sizeof(to.sun_path), "%sd.socket", gd.rundir);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
        ck_assert_int_eq(listen(fd, 5), 0);
}

START_TEST(topology_of_a_replicated_volume)
{
        struct gb_volinfo v;
        char text[GB_GFID_TEXT];

        use_sample();
        listen_like_glusterd();
        ck_assert_msg(gb_glusterd_topology(&gd, "gv2", &v, &err) == 0, "%s", err.text);
        ck_assert_str_eq(v.name, "gv2");
        ck_assert_str_eq(gb_gfid_format(&v.id, text), VOLUME);
        ck_assert(v.started && !v.disperse && !v.rebalancing);
        ck_assert_uint_eq(v.set_size, 2);
        ck_assert_uint_eq(v.bricks.n, 4);
        ck_assert_str_eq(v.bricks.v[0].path, "/bricks/a-b");
        ck_assert_str_eq(v.bricks.v[3].path, "/bricks/e");
        ck_assert_str_eq(v.bricks.v[3].host, "10.99.0.1");
        ck_assert_str_eq(gb_gfid_format(&v.bricks.v[3].node, text), NODE);
        ck_assert(!v.bricks.v[1].arbiter && !v.bricks.v[1].online);
        ck_assert_str_eq(gb_volinfo_option(&v, "changelog.changelog"), "on");
        ck_assert_ptr_null(gb_volinfo_option(&v, "nfs.disable"));
        gb_volinfo_fini(&v);
}
END_TEST

START_TEST(topology_of_a_disperse_volume)
{
        struct gb_volinfo v;

        use_sample();
        listen_like_glusterd();
        ck_assert_msg(gb_glusterd_topology(&gd, "ec", &v, &err) == 0, "%s", err.text);
        ck_assert(v.disperse);
        ck_assert_uint_eq(v.set_size, 3);
        ck_assert_uint_eq(v.redundancy, 1);
        ck_assert_uint_eq(v.bricks.n, 3);
        gb_volinfo_fini(&v);
}
END_TEST

static int topology_with(const char *info)
{
        struct gb_volinfo v;
        int rc;

        fixture_write(dir, "vols/v/info", info);
        fixture_write(dir, "vols/v/bricks/h:-b-2",
                      "uuid=" OTHER "\nhostname=h2\npath=/b/2\nreal_path=/b/2\nbrick-id=v-client-1\n");
        fixture_write(dir, "vols/v/bricks/h:-bad", "uuid=" OTHER "\nhostname=-h2\npath=/b/3\n");
        rc = gb_glusterd_topology(&gd, "v", &v, &err);
        if (rc < 0) {
                ck_assert_ptr_null(v.name);
                ck_assert_uint_eq(v.bricks.n, 0);
        }
        gb_volinfo_fini(&v);
        return rc;
}

START_TEST(topology_is_left_to_gluster_when_files_are_not_understood)
{
        static const char *const bad[] = {
                INFO "brick-0=h:-b-1\nbrick-1=h:-b-2\n",                       /* no shape */
                INFO SHAPE,                                                    /* no bricks */
                INFO SHAPE "brick-0=h:-b-1\n",                                 /* too few */
                INFO SHAPE "brick-0=h:-b-1\nbrick-1=h:-b-2\nbrick-2=h:-b-2\n", /* too many */
                INFO SHAPE "brick-0=h:-b-1\nbrick-2=h:-b-2\n",                 /* one is left out */
                INFO SHAPE "brick-0=h:-b-1\nbrick-1=h:-b-7\n",                 /* no such file */
                INFO SHAPE "brick-0=h:-b-1\nbrick-1=h:-bad\n",                 /* a bad host */
                INFO SHAPE "brick-0=h:-b-1\nbrick-1=../info\n",
                INFO SHAPE "thin_arbiter_count=1\nbrick-0=h:-b-1\nbrick-1=h:-b-2\n",
                INFO SHAPE "arbiter_count=x\nbrick-0=h:-b-1\nbrick-1=h:-b-2\n",
                "status=1\nvolume-id=" VOLUME "\n" SHAPE "brick-0=h:-b-1\nbrick-1=h:-b-2\n", /* no version */
        };

        use_made_up();
        listen_like_glusterd();
        ck_assert_int_eq(topology_with(INFO SHAPE "brick-0=h:-b-1\nbrick-1=h:-b-2\n"), 0);
        ck_assert_int_eq(topology_with(INFO SHAPE "arbiter_count=1\nbrick-0=h:-b-1\nbrick-1=h:-b-2\n"), 0);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                ck_assert_msg(topology_with(bad[i]) == -1, "%s", bad[i]);
}
END_TEST

START_TEST(the_last_brick_of_a_set_is_its_arbiter)
{
        struct gb_volinfo v;

        use_made_up();
        listen_like_glusterd();
        ck_assert_int_eq(topology_with(INFO SHAPE "arbiter_count=1\nbrick-0=h:-b-1\nbrick-1=h:-b-2\n"), 0);
        ck_assert_int_eq(gb_glusterd_topology(&gd, "v", &v, &err), 0);
        ck_assert(!v.bricks.v[0].arbiter);
        ck_assert(v.bricks.v[1].arbiter);
        gb_volinfo_fini(&v);
}
END_TEST

START_TEST(files_of_a_glusterd_that_does_not_run_are_not_believed)
{
        struct gb_volinfo v;

        use_sample();
        ck_assert(!gb_glusterd_running(&gd));
        ck_assert_int_eq(gb_glusterd_topology(&gd, "gv2", &v, &err), -1);
        ck_assert_ptr_nonnull(strstr(err.text, "does not run"));
        ck_assert_ptr_null(v.name);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("glusterd");
        TCase *t = tcase_create("workdir");
        SRunner *r;
        int failed;

        tcase_add_checked_fixture(t, NULL, done);
        tcase_add_test(t, reads_the_node_uuid);
        tcase_add_test(t, reads_a_volume);
        tcase_add_test(t, finds_a_brick_by_its_exact_path);
        tcase_add_test(t, a_path_that_only_looks_the_same_is_no_brick);
        tcase_add_test(t, reads_the_changelog_options_of_a_brick);
        tcase_add_test(t, a_missing_volfile_is_an_error);
        tcase_add_test(t, volume_names_are_judged);
        tcase_add_test(t, a_volume_name_never_leaves_the_vols_folder);
        tcase_add_test(t, an_unknown_volume_is_no_volume);
        tcase_add_test(t, no_node_uuid_is_an_error);
        tcase_add_test(t, an_info_file_that_falls_short_is_refused);
        tcase_add_test(t, a_stopped_and_restored_volume_says_so);
        tcase_add_test(t, a_huge_file_is_not_read);
        tcase_add_test(t, something_that_is_no_file_is_refused);
        tcase_add_test(t, a_brick_needs_owner_path_host_and_number);
        tcase_add_test(t, a_clone_keeps_the_brick_id_of_its_origin);
        tcase_add_test(t, a_brick_file_that_info_does_not_list_is_not_believed);
        tcase_add_test(t, a_listed_name_never_leaves_the_bricks_folder);
        tcase_add_test(t, changelog_is_off_unless_the_section_says_on);
        tcase_add_test(t, a_volfile_without_a_sound_section_is_an_error);
        tcase_add_test(t, topology_of_a_replicated_volume);
        tcase_add_test(t, topology_of_a_disperse_volume);
        tcase_add_test(t, topology_is_left_to_gluster_when_files_are_not_understood);
        tcase_add_test(t, the_last_brick_of_a_set_is_its_arbiter);
        tcase_add_test(t, files_of_a_glusterd_that_does_not_run_are_not_believed);
        suite_add_tcase(s, t);

        r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
