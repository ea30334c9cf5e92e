/* links: base agent xml2 */
/*
 * check_brick - opening a brick, reading names and xattrs on it, and whom it blames.
 *
 * Bricks here are folders with trusted.* xattrs: that takes root and a file system that has them,
 * without which the whole file is skipped.
 */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/limits.h"
#include "brick.h"
#include "bricklog.h"
#include "fixture.h"
#include "xattr.h"

#define NODE   "0ab3151b-4ad3-47af-847a-7a1b2b032fee"
#define OTHER  "11111111-1111-4111-8111-111111111111"
#define VOLUME "8e3d420e-544f-47e8-97e9-479e3749e3b5"
#define SKIP   77

static struct gb_error err;
static struct gb_glusterd gd;
static char *dir;  /* holds everything */
static char *root; /* the brick, <dir>/a-b/brick */

static gb_gfid uuid(const char *text)
{
        gb_gfid g;

        ck_assert(gb_gfid_parse(text, strlen(text), &g));
        return g;
}

static void set_xattr(const char *path, const char *name, const void *value, size_t len)
{
        ck_assert_msg(lsetxattr(path, name, value, len, 0) == 0, "%s %s: %s", path, name, strerror(errno));
}

static void set_uuid(const char *path, const char *name, const char *text)
{
        gb_gfid g = uuid(text);

        set_xattr(path, name, g.b, sizeof(g.b));
}

static void write_brick_file(const char *node)
{
        char text[8192];

        snprintf(text, sizeof(text), "uuid=%s\nhostname=h\npath=%s\nreal_path=%s\nbrick-id=v-client-3\n",
                 node, root, root);
        fixture_write(dir, "lib/vols/v/bricks/h:brick", text);
}

static char *pid_file(void)
{
        char *path;

        ck_assert_int_gt(asprintf(&path, "%s/run/vols/v/h-%s.pid", dir, root + 1), 0);
        for (char *p = path + strlen(dir) + strlen("/run/vols/v/"); *p; p++)
                if (*p == '/')
                        *p = '-';
        return path;
}

static void write_pid(const char *text)
{
        char *path = pid_file();
        FILE *f = fopen(path, "w");

        ck_assert_ptr_nonnull(f);
        fputs(text, f);
        fclose(f);
        free(path);
}

static void setup(void)
{
        char *slot, *lib, *run;

        memset(&err, 0, sizeof(err));
        dir = fixture_folder();
        fixture_mkdir(dir, "a-b/brick/.glusterfs/00/00");
        fixture_mkdir(dir, "a-b/brick/.glusterfs/indices/xattrop");
        fixture_mkdir(dir, "a-b/brick/.glusterfs/indices/dirty");
        fixture_mkdir(dir, "lib/vols/v/bricks");
        fixture_mkdir(dir, "run/vols/v");
        root = fixture_join(dir, "a-b/brick");
        set_uuid(root, "trusted.gfid", "00000000-0000-0000-0000-000000000001");
        set_uuid(root, "trusted.glusterfs.volume-id", VOLUME);
        slot = fixture_join(root, ".glusterfs/00/00/00000000-0000-0000-0000-000000000001");
        ck_assert_int_eq(symlink("../../..", slot), 0);
        free(slot);
        fixture_write(root, ".glusterfs/indices/xattrop/xattrop-5d136fc1-c7ea-4bdf-ac7e-1dc4ade364ff", "");
        fixture_write(root, ".glusterfs/indices/dirty/dirty-5d136fc1-c7ea-4bdf-ac7e-1dc4ade364ff", "");
        fixture_write(dir, "lib/glusterd.info", "UUID=" NODE "\n");
        fixture_write(dir, "lib/vols/v/info", "status=1\nversion=9\nvolume-id=" VOLUME "\nbrick-0=h:brick\n");
        write_brick_file(NODE);
        lib = fixture_join(dir, "lib");
        run = fixture_join(dir, "run");
        ck_assert_int_eq(gb_glusterd_init(&gd, lib, run, &err), 0);
        free(lib);
        free(run);
}

static void teardown(void)
{
        gb_glusterd_fini(&gd);
        free(root);
        fixture_remove(dir);
}

static struct gb_brick *open_brick(void)
{
        struct gb_brick *b = gb_brick_open(&gd, "v", root, &err);

        ck_assert_msg(b != NULL, "%s", err.text);
        return b;
}

static void check_refused(enum gb_code code)
{
        ck_assert_ptr_null(gb_brick_open(&gd, "v", root, &err));
        ck_assert_msg(err.code == code, "%s: %s", gb_code_name(err.code), err.text);
}

/* ---- opening ---- */

START_TEST(opens_a_brick_that_glusterd_lists)
{
        int before = fixture_open_fds();
        struct gb_brick *b = open_brick();
        char text[GB_GFID_TEXT];
        struct stat by_fd, by_path;

        ck_assert_str_eq(b->path, root);
        ck_assert_str_eq(b->volume, "v");
        ck_assert_str_eq(gb_gfid_format(&b->volume_id, text), VOLUME);
        ck_assert_str_eq(gb_gfid_format(&b->node, text), NODE);
        ck_assert_int_eq(b->index, 3);
        ck_assert_uint_eq(b->volume_version, 9);
        ck_assert(!b->sharded);
        ck_assert_int_eq(fstat(b->root_fd, &by_fd), 0);
        ck_assert_int_eq(stat(root, &by_path), 0);
        ck_assert_uint_eq(by_fd.st_ino, by_path.st_ino);
        ck_assert_int_eq(faccessat(b->handles_fd, "indices/xattrop", F_OK, 0), 0);
        gb_brick_close(b);
        ck_assert_int_eq(fixture_open_fds(), before);
}
END_TEST

START_TEST(a_folder_glusterd_does_not_list_is_refused)
{
        write_brick_file(OTHER);
        check_refused(GB_ERR_NO_BRICK);
        ck_assert_ptr_null(gb_brick_open(&gd, "v", "/", &err));
        ck_assert_int_eq(err.code, GB_ERR_NO_BRICK);
        ck_assert_ptr_null(gb_brick_open(&gd, "w", root, &err));
        ck_assert_int_eq(err.code, GB_ERR_NO_VOLUME);
}
END_TEST

START_TEST(a_brick_path_above_the_limit_is_refused)
{
        char path[GB_BRICK_PATH_MAX + 2];

        memset(path, '/', sizeof(path));
        path[GB_BRICK_PATH_MAX + 1] = '\0';
        ck_assert_ptr_null(gb_brick_open(&gd, "v", path, &err));
        ck_assert_int_eq(err.code, GB_ERR_NO_BRICK);
}
END_TEST

START_TEST(the_brick_of_another_volume_is_refused)
{
        set_uuid(root, "trusted.glusterfs.volume-id", OTHER);
        check_refused(GB_ERR_DENIED);
}
END_TEST

START_TEST(an_empty_mount_point_is_a_brick_that_is_down)
{
        ck_assert_int_eq(removexattr(root, "trusted.glusterfs.volume-id"), 0);
        check_refused(GB_ERR_BRICK_DOWN);
}
END_TEST

START_TEST(a_root_with_a_foreign_gfid_is_refused)
{
        set_uuid(root, "trusted.gfid", OTHER);
        check_refused(GB_ERR_DENIED);
}
END_TEST

START_TEST(a_brick_that_was_never_started_is_down)
{
        ck_assert_int_eq(removexattr(root, "trusted.gfid"), 0);
        check_refused(GB_ERR_BRICK_DOWN);
}
END_TEST

START_TEST(a_missing_folder_is_a_brick_that_is_down)
{
        char *away = fixture_join(dir, "away");

        ck_assert_int_eq(rename(root, away), 0);
        check_refused(GB_ERR_BRICK_DOWN);
        free(away);
}
END_TEST

START_TEST(handles_behind_a_symlink_are_refused)
{
        char *handles = fixture_join(root, ".glusterfs"), *away = fixture_join(dir, "away");

        ck_assert_int_eq(rename(handles, away), 0);
        ck_assert_int_eq(symlink(away, handles), 0);
        check_refused(GB_ERR_BRICK_DOWN);
        free(handles);
        free(away);
}
END_TEST

START_TEST(a_shard_folder_is_known_by_its_gfid)
{
        char *shard = fixture_join(root, ".shard");
        struct gb_brick *b;

        fixture_mkdir(root, ".shard");
        b = open_brick();
        ck_assert(!b->sharded); /* no gfid */
        gb_brick_close(b);
        set_uuid(shard, "trusted.gfid", OTHER);
        b = open_brick();
        ck_assert(!b->sharded); /* a user's folder */
        gb_brick_close(b);
        set_uuid(shard, "trusted.gfid", "be318638-e8a0-4c6d-977d-7a937aa84806");
        b = open_brick();
        ck_assert(b->sharded);
        gb_brick_close(b);
        free(shard);
}
END_TEST

START_TEST(a_bare_brick_needs_no_glusterd)
{
        int before = fixture_open_fds();
        char text[GB_GFID_TEXT];
        struct gb_brick *b = gb_brick_open_bare(root, "v", &err);

        ck_assert_ptr_nonnull(b);
        ck_assert_str_eq(gb_gfid_format(&b->volume_id, text), VOLUME);
        ck_assert(gb_gfid_eq(&b->node, &GB_GFID_NULL));
        gb_brick_close(b);
        ck_assert_int_eq(removexattr(root, "trusted.glusterfs.volume-id"), 0);
        b = gb_brick_open_bare(root, "v", &err);
        ck_assert_ptr_nonnull(b);
        ck_assert(gb_gfid_eq(&b->volume_id, &GB_GFID_NULL));
        gb_brick_close(b);
        set_uuid(root, "trusted.gfid", OTHER);
        ck_assert_ptr_null(gb_brick_open_bare(root, "v", &err));
        ck_assert_int_eq(err.code, GB_ERR_DENIED);
        ck_assert_int_eq(fixture_open_fds(), before);
}
END_TEST

START_TEST(a_refused_brick_leaves_nothing_open)
{
        int before = fixture_open_fds();

        set_uuid(root, "trusted.gfid", OTHER);
        check_refused(GB_ERR_DENIED);
        ck_assert_int_eq(fixture_open_fds(), before);
        gb_brick_close(NULL);
        ck_assert_int_eq(fixture_open_fds(), before);
}
END_TEST

/* ---- names and xattrs ---- */

START_TEST(a_handle_path_spells_the_gfid)
{
        gb_gfid g = uuid("A86059ae-aef8-4f79-a6f3-fdc54d5ecd12");
        char out[GB_HANDLE_TEXT];

        ck_assert_str_eq(gb_handle_path(&g, out), "a8/60/a86059ae-aef8-4f79-a6f3-fdc54d5ecd12");
        ck_assert_str_eq(gb_handle_path(&GB_GFID_ROOT, out), "00/00/00000000-0000-0000-0000-000000000001");
}
END_TEST

START_TEST(a_gfid_is_sixteen_bytes_of_the_name_itself)
{
        struct gb_brick *b = open_brick();
        char *file = fixture_join(root, "f"), *link = fixture_join(root, "l");
        gb_gfid g, expected = uuid(OTHER);

        fixture_write(root, "f", "");
        ck_assert_int_eq(symlink("f", link), 0);
        ck_assert_int_eq(gb_get_gfid_at(b->root_fd, "f", &g), -1);
        ck_assert_int_eq(errno, ENODATA);
        set_uuid(file, "trusted.gfid", OTHER);
        ck_assert_int_eq(gb_get_gfid_at(b->root_fd, "f", &g), 0);
        ck_assert(gb_gfid_eq(&g, &expected));
        ck_assert_int_eq(gb_get_gfid_at(b->root_fd, "l", &g), -1); /* not through the symlink */
        ck_assert_int_eq(errno, ENODATA);
        ck_assert_int_eq(gb_get_gfid_at(b->root_fd, "nosuch", &g), -1);
        ck_assert_int_eq(errno, ENOENT);
        set_xattr(file, "trusted.gfid", "short", 5);
        ck_assert_int_eq(gb_get_gfid_at(b->root_fd, "f", &g), -1);
        ck_assert_int_eq(errno, EIO);
        set_xattr(file, "trusted.gfid", "seventeen bytes..", 17);
        ck_assert_int_eq(gb_get_gfid_at(b->root_fd, "f", &g), -1);
        ck_assert_int_eq(errno, ERANGE);
        free(file);
        free(link);
        gb_brick_close(b);
}
END_TEST

START_TEST(an_xattr_name_too_long_for_the_kernel_is_an_errno)
{
        struct gb_brick *b = open_brick();
        char name[5000];

        memset(name, 'x', sizeof(name));
        name[sizeof(name) - 1] = '\0';
        ck_assert_int_eq(gb_xattr_at(b->root_fd, name, "trusted.gfid", NULL, 0), -1);
        ck_assert_int_eq(errno, ENAMETOOLONG);
        ck_assert_int_eq(gb_xattr_at(b->root_fd, ".", "trusted.gfid", NULL, 0), 16);
        gb_brick_close(b);
}
END_TEST

/* Reads xattrs of /: what a filter that does not know the system calls makes of it. */
static int look_at_xattrs(const struct gb_brick *b, bool filtered)
{
        struct sock_filter steps[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 463, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog filter = {sizeof(steps) / sizeof(steps[0]), steps};
        char list[4096], value[16];
        ssize_t n;

        if (filtered && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0))
                return 1;
        if (gb_xattr_at(b->root_fd, ".", "trusted.gfid", value, sizeof(value)) != 16 || value[15] != 1)
                return 2;
        n = gb_xattrs_at(b->root_fd, ".", list, sizeof(list));
        if (n <= 0 || !memmem(list, (size_t)n, "trusted.gfid", sizeof("trusted.gfid")))
                return 3;
        if (gb_xattr_at(b->root_fd, ".", "trusted.none", value, sizeof(value)) != -1 || errno != ENODATA)
                return 4;
        return gb_xattrs_at(b->root_fd, "none", list, sizeof(list)) == -1 && errno == ENOENT ? 0 : 5;
}

START_TEST(xattrs_are_read_where_the_system_calls_are_not_known)
{
        struct gb_brick *b = open_brick();
        int status;
        pid_t pid = fork();

        if (pid == 0)
                _exit(look_at_xattrs(b, _i == 1));
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        gb_brick_close(b);
}
END_TEST

/* ---- heals ---- */

static const char gfid_f[] = "aa00aa00-0000-4000-8000-00000000000f";
static const char gfid_d[] = "dd00dd00-0000-4000-8000-00000000000d";
static const char gfid_l[] = "1100ee00-0000-4000-8000-00000000000e";

static void list_in(const char *index, const char *gfid)
{
        char name[256];

        snprintf(name, sizeof(name), ".glusterfs/indices/%s/%s", index, gfid);
        fixture_write(root, name, "");
}

/* Full path of a gfid's handle, its folders made; the caller frees. */
static char *handle(const char *gfid)
{
        gb_gfid g = uuid(gfid);
        char out[GB_HANDLE_TEXT], folder[64], name[128];

        gb_handle_path(&g, out);
        snprintf(folder, sizeof(folder), ".glusterfs/%.5s", out);
        fixture_mkdir(root, folder);
        snprintf(name, sizeof(name), ".glusterfs/%s", out);
        return fixture_join(root, name);
}

/* A regular file of this gfid, and the path of its handle. */
static char *make_file(const char *gfid, const char *name)
{
        char *path = fixture_join(root, name), *h = handle(gfid);

        fixture_write(root, name, "");
        set_uuid(path, "trusted.gfid", gfid);
        ck_assert_int_eq(link(path, h), 0);
        free(path);
        return h;
}

static void set_blame(const char *path, const char *name, uint32_t data, uint32_t meta, uint32_t entry)
{
        uint32_t v[3] = {htobe32(data), htobe32(meta), htobe32(entry)};

        set_xattr(path, name, v, sizeof(v));
}

static struct gb_heal_status heal_status(void)
{
        struct gb_brick *b = open_brick();
        struct gb_heal_status s;

        ck_assert_msg(gb_brick_heal_status(b, &s, &err) == 0, "%s", err.text);
        gb_brick_close(b);
        return s;
}

START_TEST(a_base_file_alone_means_nothing_pending)
{
        struct gb_heal_status s = heal_status();

        ck_assert_uint_eq(s.pending, 0);
        ck_assert(!s.blames_all);
        ck_assert_int_eq(s.n_blamed, 0);
}
END_TEST

START_TEST(a_brick_without_indices_has_nothing_pending)
{
        char *indices = fixture_join(root, ".glusterfs/indices"), *away = fixture_join(dir, "away");
        struct gb_heal_status s;

        ck_assert_int_eq(rename(indices, away), 0);
        s = heal_status();
        ck_assert_uint_eq(s.pending, 0);
        ck_assert(!s.blames_all);
        free(indices);
        free(away);
}
END_TEST

START_TEST(an_index_that_cannot_be_read_is_an_error)
{
        char *index = fixture_join(root, ".glusterfs/indices/xattrop"), *away = fixture_join(dir, "away");
        struct gb_brick *b = open_brick();
        struct gb_heal_status s;

        ck_assert_int_eq(rename(index, away), 0);
        fixture_write(root, ".glusterfs/indices/xattrop", "");
        ck_assert_int_eq(gb_brick_heal_status(b, &s, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_BRICK_DOWN);
        gb_brick_close(b);
        free(index);
        free(away);
}
END_TEST

START_TEST(any_counter_that_is_not_zero_blames)
{
        char *h = make_file(gfid_f, "f");
        struct gb_heal_status s;

        list_in("xattrop", gfid_f);
        set_blame(h, "trusted.afr.dirty", 1, 1, 1);
        set_blame(h, "trusted.afr.v-client-0", 0, 0, 0);
        s = heal_status();
        ck_assert_uint_eq(s.pending, 1);
        ck_assert(!s.blames_all);
        ck_assert_int_eq(s.n_blamed, 0);
        set_blame(h, "trusted.afr.v-client-1", 1, 0, 0);
        set_blame(h, "trusted.afr.v-client-2", 0, 0x01000000, 0);
        set_blame(h, "trusted.afr.v-client-12", 0, 0, 7);
        s = heal_status();
        ck_assert_int_eq(s.n_blamed, 3);
        ck_assert_int_eq(s.blamed[0] + s.blamed[1] + s.blamed[2], 15);
        ck_assert(!s.blames_all);
        free(h);
}
END_TEST

START_TEST(xattrs_of_other_volumes_and_odd_names_blame_nobody)
{
        char *h = make_file(gfid_f, "f");
        struct gb_heal_status s;

        list_in("xattrop", gfid_f);
        set_blame(h, "trusted.afr.w-client-1", 1, 0, 0);
        set_blame(h, "trusted.afr.v-client-1x", 1, 0, 0);
        set_blame(h, "trusted.afr.v-client-", 1, 0, 0);
        set_blame(h, "trusted.afr.v-client--1", 1, 0, 0);
        set_blame(h, "trusted.afr.v-client-99999999999", 1, 0, 0);
        set_blame(h, "trusted.afr.v-ta-2", 1, 0, 0);
        s = heal_status();
        ck_assert_uint_eq(s.pending, 1);
        ck_assert_int_eq(s.n_blamed, 0);
        ck_assert(!s.blames_all);
        free(h);
}
END_TEST

START_TEST(a_blame_of_the_wrong_size_blames_all)
{
        char *h = make_file(gfid_f, "f");

        list_in("xattrop", gfid_f);
        set_xattr(h, "trusted.afr.v-client-1", "12345678", 8);
        ck_assert(heal_status().blames_all);
        set_xattr(h, "trusted.afr.v-client-1", "1234567890123456", 16);
        ck_assert(heal_status().blames_all);
        set_blame(h, "trusted.afr.v-client-1", 0, 0, 0);
        ck_assert(!heal_status().blames_all);
        free(h);
}
END_TEST

START_TEST(a_directory_is_looked_at_through_its_handle)
{
        char *path = fixture_join(root, "d"), *h = handle(gfid_d);
        struct gb_heal_status s;

        fixture_mkdir(root, "d");
        set_uuid(path, "trusted.gfid", gfid_d);
        set_blame(path, "trusted.afr.v-client-5", 0, 0, 1);
        ck_assert_int_eq(symlink("../../00/00/00000000-0000-0000-0000-000000000001/d", h), 0);
        list_in("xattrop", gfid_d);
        s = heal_status();
        ck_assert_int_eq(s.n_blamed, 1);
        ck_assert_int_eq(s.blamed[0], 5);
        ck_assert(!s.blames_all);
        free(path);
        free(h);
}
END_TEST

START_TEST(the_root_is_looked_at_too)
{
        struct gb_heal_status s;

        set_blame(root, "trusted.afr.v-client-4", 0, 0, 1);
        list_in("xattrop", "00000000-0000-0000-0000-000000000001");
        s = heal_status();
        ck_assert_int_eq(s.n_blamed, 1);
        ck_assert_int_eq(s.blamed[0], 4);
}
END_TEST

START_TEST(a_users_symlink_is_not_followed)
{
        char *target = fixture_join(dir, "outside"), *path = fixture_join(root, "l"), *h = handle(gfid_l);
        struct gb_heal_status s;

        fixture_mkdir(dir, "outside");
        set_uuid(target, "trusted.gfid", gfid_l);
        set_blame(target, "trusted.afr.v-client-6", 1, 0, 0);
        ck_assert_int_eq(symlink(target, path), 0);
        set_uuid(path, "trusted.gfid", gfid_l);
        set_blame(path, "trusted.afr.v-client-2", 0, 1, 0);
        ck_assert_int_eq(linkat(AT_FDCWD, path, AT_FDCWD, h, 0), 0);
        list_in("xattrop", gfid_l);
        s = heal_status();
        ck_assert_int_eq(s.n_blamed, 1);
        ck_assert_int_eq(s.blamed[0], 2);
        free(target);
        free(path);
        free(h);
}
END_TEST

START_TEST(a_wrong_handle_blames_all_and_a_missing_one_nobody)
{
        char *h;

        list_in("xattrop", gfid_f);
        ck_assert(!heal_status().blames_all);
        ck_assert_uint_eq(heal_status().pending, 1);
        h = make_file(gfid_f, "f");
        ck_assert(!heal_status().blames_all);
        set_uuid(h, "trusted.gfid", OTHER);
        ck_assert(heal_status().blames_all);
        free(h);
}
END_TEST

START_TEST(disperse_blames_all)
{
        char *h = make_file(gfid_f, "f");
        struct gb_heal_status s;

        list_in("xattrop", gfid_f);
        set_xattr(h, "trusted.ec.dirty", "0123456789abcdef", 16);
        s = heal_status();
        ck_assert_uint_eq(s.pending, 1);
        ck_assert(s.blames_all);
        free(h);
}
END_TEST

START_TEST(a_dirty_object_is_pending_and_blames_nobody)
{
        char *h = make_file(gfid_f, "f");
        struct gb_heal_status s;

        set_blame(h, "trusted.afr.v-client-1", 1, 0, 0);
        list_in("dirty", gfid_f);
        s = heal_status();
        ck_assert_uint_eq(s.pending, 1);
        ck_assert_int_eq(s.n_blamed, 0);
        list_in("dirty", gfid_d); /* no handle */
        s = heal_status();
        ck_assert_uint_eq(s.pending, 2);
        ck_assert(!s.blames_all);
        list_in("xattrop", gfid_f); /* the same object once more */
        s = heal_status();
        ck_assert_uint_eq(s.pending, 2);
        ck_assert_int_eq(s.n_blamed, 1);
        free(h);
}
END_TEST

START_TEST(more_blamed_than_fit_blames_all)
{
        char *h = make_file(gfid_f, "f");
        struct gb_heal_status s;
        char name[64];

        list_in("xattrop", gfid_f);
        for (int i = 0; i < GB_BLAMED_MAX; i++) {
                snprintf(name, sizeof(name), "trusted.afr.v-client-%d", i);
                set_blame(h, name, 1, 0, 0);
        }
        s = heal_status();
        ck_assert_int_eq(s.n_blamed, GB_BLAMED_MAX);
        ck_assert(!s.blames_all);
        set_blame(h, "trusted.afr.v-client-64", 1, 0, 0);
        s = heal_status();
        ck_assert_int_eq(s.n_blamed, GB_BLAMED_MAX);
        ck_assert(s.blames_all);
        free(h);
}
END_TEST

/* As many clean files as are looked at, then one more. */
START_TEST(more_entries_than_are_looked_at_blame_all)
{
        struct gb_heal_status s;
        char gfid[GB_GFID_TEXT], name[128];

        fixture_mkdir(root, ".glusterfs/bb/00");
        for (unsigned i = 0; i <= GB_HEAL_LOOK_MAX; i++) {
                char *h;

                if (i == GB_HEAL_LOOK_MAX) {
                        s = heal_status();
                        ck_assert_uint_eq(s.pending, GB_HEAL_LOOK_MAX);
                        ck_assert(!s.blames_all);
                }
                snprintf(gfid, sizeof(gfid), "bb00bb00-0000-4000-8000-%012x", i);
                snprintf(name, sizeof(name), ".glusterfs/bb/00/%s", gfid);
                fixture_write(root, name, "");
                h = fixture_join(root, name);
                set_uuid(h, "trusted.gfid", gfid);
                free(h);
                list_in("xattrop", gfid);
        }
        s = heal_status();
        ck_assert_uint_eq(s.pending, GB_HEAL_LOOK_MAX + 1);
        ck_assert(s.blames_all);
        ck_assert_int_eq(s.n_blamed, 0);
}
END_TEST

/* ---- the process ---- */

static bool running(void)
{
        struct gb_brick *b = open_brick();
        bool yes = gb_brick_running(&gd, b);

        gb_brick_close(b);
        return yes;
}

/* A child whose command line begins with `name`, and has `-l log` if that is not NULL; it waits until it is
 * killed. */
static pid_t start_as(const char *name, const char *log)
{
        int ready[2];
        char byte;
        pid_t pid;

        ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                if (log)
                        execl("/bin/sh", name, "-c", "kill -STOP $$", "-l", log, (char *)NULL);
                else
                        execl("/bin/sleep", name, "60", (char *)NULL);
                _exit(127);
        }
        close(ready[1]);
        ck_assert_int_eq(read(ready[0], &byte, 1), 0); /* closed by exec */
        close(ready[0]);
        return pid;
}

static bool running_as(const char *name)
{
        pid_t pid = start_as(name, NULL);
        char text[32];
        bool alive;

        snprintf(text, sizeof(text), "%d\n", (int)pid);
        write_pid(text);
        alive = running();
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        ck_assert(!running()); /* the file is still there */
        return alive;
}

START_TEST(a_brick_runs_if_its_pid_is_a_glusterfs_process)
{
        ck_assert(!running()); /* no file */
        ck_assert(running_as("/usr/sbin/glusterfsd"));
        ck_assert(running_as("glusterfs"));
        ck_assert(!running_as("sleep"));
        ck_assert(!running_as("/usr/sbin/glusterfsd/other"));
}
END_TEST

START_TEST(a_pid_file_with_nonsense_means_not_running)
{
        static const char *const bad[] = {
                "", "\n", "0\n", "-1\n", "x\n", "1x\n", "99999999999999999999\n", "4294967297\n"};

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                write_pid(bad[i]);
                ck_assert_msg(!running(), "%s", bad[i]);
        }
}
END_TEST

START_TEST(the_log_is_the_one_that_the_process_writes)
{
        struct gb_brick *b = open_brick();
        char text[32], *log;
        pid_t pid;

        ck_assert_ptr_null(gb_brick_log(&gd, b)); /* no file */
        pid = start_as("/usr/sbin/glusterfsd", "/var/log/the first brick.log");
        snprintf(text, sizeof(text), "%d\n", (int)pid);
        write_pid(text);
        log = gb_brick_log(&gd, b);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        ck_assert_str_eq(log, "/var/log/the first brick.log");
        free(log);
        ck_assert_ptr_null(gb_brick_log(&gd, b));
        gb_brick_close(b);
        log = gb_bricklog_named("/bricks/a/b");
        ck_assert_str_eq(log, "/var/log/glusterfs/bricks/bricks-a-b.log");
        free(log);
}
END_TEST

static void write_log(const char *path, const char *mode, const char *text)
{
        FILE *f = fopen(path, mode);

        ck_assert_ptr_nonnull(f);
        ck_assert_int_ge(fputs(text, f), 0);
        ck_assert_int_eq(fclose(f), 0);
}

#define GRAPH(brick, changelog)                                                                              \
        " 19:     type features/changelog\n"                                                                 \
        " 20:     option changelog-brick " brick "\n"                                                        \
        " 21:     option changelog-dir " brick "/.glusterfs/changelogs\n"                                    \
        " 22:     option changelog " changelog "\n"                                                          \
        " 23: end-volume\n"
#define CLIENT(brick, number)                                                                                \
        "[2026-01-01 00:00:00.0 +0000] I [MSGID: 115029] [server-handshake.c:565:server_setvolume] "         \
        "0-v-server: accepted client from "                                                                  \
        "CTX_ID:x-GRAPH_ID:0-PID:1-HOST:h-PC_NAME:v-client-0-RECON_NO:-" number                              \
        " (version: 10.3) with subvol " brick " \n"

START_TEST(a_log_of_several_bricks_tells_of_each_its_own)
{
        struct gb_bricklog since;
        unsigned on, off;
        char log[128];

        snprintf(log, sizeof(log), "%s/brick.log", dir);
        write_log(log, "w", GRAPH("/b/1", "off") CLIENT("/b/1", "3"));
        since = gb_bricklog_now(log);
        ck_assert(gb_bricklog_starts(log, "/b/1", &since, &on, &off) && on == 0 && off == 0);
        ck_assert_int_eq(gb_bricklog_reconnected(log, "/b/1", &since), 0);

        write_log(log, "a", GRAPH("/b/1", "on") GRAPH("/b/1", "on") GRAPH("/b/10", "off") GRAPH("/b", "off"));
        write_log(log, "a", CLIENT("/b/1", "0") CLIENT("/b/10", "1") CLIENT("/b", "2"));
        ck_assert(gb_bricklog_starts(log, "/b/1", &since, &on, &off) && on == 2 && off == 0);
        ck_assert(gb_bricklog_starts(log, "/b/10", &since, &on, &off) && on == 0 && off == 1);
        ck_assert_int_eq(gb_bricklog_reconnected(log, "/b/1", &since), 0);
        ck_assert_int_eq(gb_bricklog_reconnected(log, "/b", &since), 1);

        write_log(log, "a", CLIENT("/b/1", "12"));
        ck_assert_int_eq(gb_bricklog_reconnected(log, "/b/1", &since), 1);
}
END_TEST

START_TEST(a_log_that_was_rotated_twice_tells_nothing)
{
        char log[128], old[144];
        struct gb_bricklog since;
        unsigned on, off;

        snprintf(log, sizeof(log), "%s/brick.log", dir);
        snprintf(old, sizeof(old), "%s.1", log);
        write_log(log, "w", "");
        since = gb_bricklog_now(log);
        write_log(log, "a", GRAPH("/b/1", "off"));
        ck_assert_int_eq(rename(log, old), 0);
        write_log(log, "w", GRAPH("/b/1", "on") CLIENT("/b/1", "1"));
        ck_assert(gb_bricklog_starts(log, "/b/1", &since, &on, &off) && on == 1 && off == 1);
        ck_assert_int_eq(gb_bricklog_reconnected(log, "/b/1", &since), 1);

        ck_assert_int_eq(rename(log, old), 0);
        write_log(log, "w", CLIENT("/b/1", "1"));
        ck_assert(!gb_bricklog_starts(log, "/b/1", &since, &on, &off));
        ck_assert_int_eq(gb_bricklog_reconnected(log, "/b/1", &since), -1);
        ck_assert_int_eq(gb_bricklog_reconnected(NULL, "/b/1", &since), -1);
}
END_TEST

/* ---- */

static bool xattrs_work(void)
{
        char probe[] = "/tmp/gbprobe.XXXXXX";
        int fd = mkstemp(probe);
        bool works = fd >= 0 && fsetxattr(fd, "trusted.gbprobe", "1", 1, 0) == 0;

        if (fd >= 0) {
                close(fd);
                unlink(probe);
        }
        return works;
}

static TCase *open_case(void)
{
        TCase *t = tcase_create("open");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, opens_a_brick_that_glusterd_lists);
        tcase_add_test(t, a_folder_glusterd_does_not_list_is_refused);
        tcase_add_test(t, a_brick_path_above_the_limit_is_refused);
        tcase_add_test(t, the_brick_of_another_volume_is_refused);
        tcase_add_test(t, an_empty_mount_point_is_a_brick_that_is_down);
        tcase_add_test(t, a_root_with_a_foreign_gfid_is_refused);
        tcase_add_test(t, a_brick_that_was_never_started_is_down);
        tcase_add_test(t, a_missing_folder_is_a_brick_that_is_down);
        tcase_add_test(t, handles_behind_a_symlink_are_refused);
        tcase_add_test(t, a_shard_folder_is_known_by_its_gfid);
        tcase_add_test(t, a_bare_brick_needs_no_glusterd);
        tcase_add_test(t, a_refused_brick_leaves_nothing_open);
        tcase_add_test(t, a_handle_path_spells_the_gfid);
        tcase_add_test(t, a_gfid_is_sixteen_bytes_of_the_name_itself);
        tcase_add_test(t, an_xattr_name_too_long_for_the_kernel_is_an_errno);
        tcase_add_loop_test(t, xattrs_are_read_where_the_system_calls_are_not_known, 0, 2);
        tcase_add_test(t, a_brick_runs_if_its_pid_is_a_glusterfs_process);
        tcase_add_test(t, a_pid_file_with_nonsense_means_not_running);
        tcase_add_test(t, the_log_is_the_one_that_the_process_writes);
        tcase_add_test(t, a_log_of_several_bricks_tells_of_each_its_own);
        tcase_add_test(t, a_log_that_was_rotated_twice_tells_nothing);
        return t;
}

static TCase *heal_case(void)
{
        TCase *t = tcase_create("heal");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_set_timeout(t, 60);
        tcase_add_test(t, a_base_file_alone_means_nothing_pending);
        tcase_add_test(t, a_brick_without_indices_has_nothing_pending);
        tcase_add_test(t, an_index_that_cannot_be_read_is_an_error);
        tcase_add_test(t, any_counter_that_is_not_zero_blames);
        tcase_add_test(t, xattrs_of_other_volumes_and_odd_names_blame_nobody);
        tcase_add_test(t, a_blame_of_the_wrong_size_blames_all);
        tcase_add_test(t, a_directory_is_looked_at_through_its_handle);
        tcase_add_test(t, the_root_is_looked_at_too);
        tcase_add_test(t, a_users_symlink_is_not_followed);
        tcase_add_test(t, a_wrong_handle_blames_all_and_a_missing_one_nobody);
        tcase_add_test(t, disperse_blames_all);
        tcase_add_test(t, a_dirty_object_is_pending_and_blames_nobody);
        tcase_add_test(t, more_blamed_than_fit_blames_all);
        tcase_add_test(t, more_entries_than_are_looked_at_blame_all);
        return t;
}

int main(void)
{
        Suite *s = suite_create("brick");
        SRunner *r;
        int failed;

        if (!xattrs_work()) {
                fprintf(stderr, "check_brick: skipped, needs root and trusted.* xattrs on /tmp\n");
                return SKIP;
        }
        suite_add_tcase(s, open_case());
        suite_add_tcase(s, heal_case());
        r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
