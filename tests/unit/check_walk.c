/* links: base agent xml2 xxhash */
/*
 * check_walk - the walker against a plain recursive reading of the same brick, sorted by gb_path_cmp.
 */
#include <config.h>

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/fakebrick.h"
#include "base/limits.h"
#include "base/order.h"
#include "base/vec.h"
#include "random.h"
#include "walk.h"

struct path {
        char *text; /* owned, NUL-terminated */
        size_t len;
        char type;
        bool has_gfid;
        gb_gfid gfid;
};

typedef GB_VEC(struct path) paths;

static struct gb_fake *fake;
static struct gb_brick *brick;
/* How every walk of a test is done, beyond what the test says: it must make no difference. */
static struct gb_walk_options way;

static void setup(void)
{
        struct gb_error err;

        fake = gb_fake_new();
        brick = gb_brick_open_bare(fake->path, "v", &err);
        ck_assert_msg(brick != NULL, "%s", err.text);
}

static void setup_threads(void)
{
        way.threads = 3;
        setup();
}

/* Every directory goes through a sorter. */
static void setup_small(void)
{
        way.threads = 2;
        way.tmpdir = "/tmp";
        way.memory = 1;
        setup();
}

static void teardown(void)
{
        gb_brick_close(brick);
        gb_fake_free(fake);
}

/* ---- lists of paths ---- */

static void list_add(paths *list, const char *text, size_t len, char type)
{
        struct path p = {.len = len, .type = type};

        p.text = malloc(len + 1);
        ck_assert(p.text != NULL);
        memcpy(p.text, text, len);
        p.text[len] = '\0';
        ck_assert_int_eq(gb_vec_push(list, p), 0);
}

static void list_free(paths *list)
{
        for (size_t i = 0; i < list->n; i++)
                free(list->v[i].text);
        gb_vec_free(list);
}

static int cmp_paths(const void *pa, const void *pb)
{
        const struct path *a = pa, *b = pb;

        return gb_path_cmp(a->text, a->len, b->text, b->len);
}

static void read_tree(int fd, const char *prefix, paths *out)
{
        DIR *d = fdopendir(fd);
        struct dirent *de;

        ck_assert(d != NULL);
        while ((de = readdir(d))) {
                char *path;
                struct stat st;

                if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 ||
                    (!*prefix && strcmp(de->d_name, ".glusterfs") == 0))
                        continue;
                ck_assert_int_ge(asprintf(&path, "%s%s%s", prefix, *prefix ? "/" : "", de->d_name), 0);
                ck_assert_int_eq(fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
                list_add(out, path, strlen(path), gb_entry_type(st.st_mode));
                if (S_ISDIR(st.st_mode))
                        read_tree(openat(fd, de->d_name, O_RDONLY | O_DIRECTORY), path, out);
                free(path);
        }
        closedir(d);
}

/* Everything on the brick but .glusterfs, in path order. */
static paths whole_tree(void)
{
        paths out = GB_VEC_INIT;

        read_tree(openat(fake->root_fd, ".", O_RDONLY | O_DIRECTORY), "", &out);
        qsort(out.v, out.n, sizeof(*out.v), cmp_paths);
        return out;
}

static void take(paths *list, const struct gb_entry *e)
{
        list_add(list, e->path, e->len, e->type);
        list->v[list->n - 1].has_gfid = e->has_gfid;
        list->v[list->n - 1].gfid = e->gfid;
}

static struct gb_walk *open_walk(const struct gb_walk_options *o)
{
        struct gb_error err;
        struct gb_walk_options own = *o;
        struct gb_walk *w;

        own.threads = way.threads;
        own.tmpdir = way.tmpdir;
        own.memory = way.memory;
        w = gb_walk_open(brick, &own, &err);

        ck_assert_msg(w != NULL, "%s", err.text);
        return w;
}

/* Up to `max` more entries of a walk. */
static void pull(struct gb_walk *w, size_t max, paths *out)
{
        struct gb_error err;
        struct gb_entry e;
        int r = 0;

        while (max-- > 0 && (r = gb_walk_next(w, GB_NEVER, &e, &err)) == 1)
                take(out, &e);
        ck_assert_msg(r >= 0, "%s", err.text);
        ck_assert_int_ne(r, 2);
}

static paths walk(const struct gb_walk_options *o)
{
        struct gb_walk *w = open_walk(o);
        paths out = GB_VEC_INIT;

        pull(w, SIZE_MAX, &out);
        gb_walk_close(w);
        return out;
}

/* `got` is exactly the `n` paths at `want`. */
static void same_paths(const paths *got, const struct path *want, size_t n, const char *what)
{
        for (size_t i = 0; i < n && i < got->n; i++) {
                ck_assert_msg(strcmp(got->v[i].text, want[i].text) == 0, "%s: '%s' instead of '%s'", what,
                              got->v[i].text, want[i].text);
                ck_assert_int_eq(got->v[i].type, want[i].type);
        }
        ck_assert_msg(got->n == n, "%s: %zu entries instead of %zu", what, got->n, n);
}

/* A walk gives exactly these paths, separated by blanks. */
static void gives(const struct gb_walk_options *o, const char *want)
{
        paths got = walk(o);
        char text[4096] = "";

        for (size_t i = 0; i < got.n; i++) {
                ck_assert_uint_lt(strlen(text) + got.v[i].len + 2, sizeof(text));
                strcat(strcat(text, i ? " " : ""), got.v[i].text);
        }
        ck_assert_str_eq(text, want);
        list_free(&got);
}

/* ---- trees ---- */

/* Names around '/', all types, directories that are prefixes of their siblings. */
static void make_small_tree(void)
{
        static const char *const dirs[] = {"a",     "a-b",   "a/b",     "a/b/c", "a.d", "a\x01",
                                           "a\xff", "empty", "a/empty", "z",     "z/z", "z/z/z"};
        static const char *const files[] = {"a/-",     "a/b/c/x", "a/b-c",   "a/b.c",   "a-",   "ab",
                                            "a-b/f",   "a.d/0",   "a\x01/q", "a\xff/q", "z/zz", "z/z/z/last",
                                            "a/b/c/y", ".x",      "...",     "\x01",    "\xff", "a\n\t \"\\"};

        for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
                gb_fake_mkdir(fake, dirs[i], NULL);
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
                gb_fake_create(fake, files[i], NULL);
        gb_fake_symlink(fake, "a", "a/link", NULL);
        gb_fake_symlink(fake, "../../aa/bb/x", "link", NULL);
        gb_fake_mkfifo(fake, "a/b/pipe", NULL);
        gb_fake_link(fake, "ab", "z/hard");
}

/* Plain files: fast, and the walker does not mind. */
static void touch_at(int fd, const char *name)
{
        int file = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL, 0644);

        ck_assert_int_ge(file, 0);
        close(file);
}

/* `levels` directories below the brick root, each called `name` and with a file "zfile" beside its child. */
static void make_deep(const char *name, size_t levels)
{
        int fd = openat(fake->root_fd, ".", O_RDONLY | O_DIRECTORY);

        gb_fake_mkdir(fake, name, NULL);
        for (size_t i = 0; i < levels; i++) {
                int next;

                if (i > 0) {
                        ck_assert_int_eq(mkdirat(fd, name, 0755), 0);
                        touch_at(fd, "zfile");
                }
                next = openat(fd, name, O_RDONLY | O_DIRECTORY);
                ck_assert_int_ge(next, 0);
                close(fd);
                fd = next;
        }
        close(fd);
}

static size_t open_fds(void)
{
        DIR *d = opendir("/proc/self/fd");
        size_t n = 0;

        ck_assert(d != NULL);
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

/* ---- order and completeness ---- */

START_TEST(walk_gives_everything_in_path_order)
{
        paths want, got;

        make_small_tree();
        want = whole_tree();
        got = walk(&(struct gb_walk_options){0});
        ck_assert_uint_gt(want.n, 30);
        same_paths(&got, want.v, want.n, "walk");
        list_free(&want);
        list_free(&got);
}
END_TEST

START_TEST(walk_of_an_empty_brick_ends_at_once)
{
        gives(&(struct gb_walk_options){0}, "");
}
END_TEST

START_TEST(walk_gives_the_same_with_linkto_and_gfids)
{
        paths want, got;

        make_small_tree();
        want = whole_tree();
        got = walk(&(struct gb_walk_options){.linkto = true, .gfids = true});
        same_paths(&got, want.v, want.n, "walk");
        for (size_t i = 0; i < got.n; i++) {
                gb_gfid g = gb_fake_get(fake, got.v[i].text);

                ck_assert(got.v[i].has_gfid);
                ck_assert(gb_gfid_eq(&g, &got.v[i].gfid));
        }
        list_free(&want);
        list_free(&got);
}
END_TEST

START_TEST(walk_keeps_names_of_any_bytes)
{
        char name[3] = "xy";
        paths want, got;

        gb_fake_mkdir(fake, "d", NULL);
        for (int c = 1; c < 256; c++) {
                char path[8];

                if (c == '/')
                        continue;
                name[0] = (char)c;
                snprintf(path, sizeof(path), "d/%s", name);
                gb_fake_create(fake, path, NULL);
                name[0] = 'x';
        }
        want = whole_tree();
        got = walk(&(struct gb_walk_options){0});
        ck_assert_uint_eq(want.n, 255);
        same_paths(&got, want.v, want.n, "walk");
        list_free(&want);
        list_free(&got);
}
END_TEST

START_TEST(walk_gives_a_directory_of_20000_names)
{
        struct random r = {1};
        paths want, got;
        int fd;

        gb_fake_mkdir(fake, "big", NULL);
        fd = openat(fake->root_fd, "big", O_RDONLY | O_DIRECTORY);
        for (int i = 0; i < 20000; i++) {
                char name[64];

                snprintf(name, sizeof(name), "%s%llx", i % 2 ? "common-prefix-" : "",
                         (unsigned long long)random_next(&r) >> (i % 5 * 8));
                touch_at(fd, name);
        }
        close(fd);
        want = whole_tree();
        got = walk(&(struct gb_walk_options){0});
        ck_assert_uint_eq(want.n, 20001);
        same_paths(&got, want.v, want.n, "walk");
        list_free(&want);
        list_free(&got);
}
END_TEST

/* ---- after ---- */

/* Walk after `after` and compare with the part of `all` that is greater. */
static void check_after(const paths *all, const char *after, const struct gb_walk_options *base)
{
        struct gb_walk_options o = *base;
        size_t first = 0;
        paths got;

        o.after = after;
        o.after_len = strlen(after);
        while (first < all->n && gb_path_cmp(all->v[first].text, all->v[first].len, after, o.after_len) <= 0)
                first++;
        got = walk(&o);
        same_paths(&got, all->v + first, all->n - first, after);
        list_free(&got);
}

static void check_after_around(const paths *all, const struct gb_walk_options *o)
{
        static const char *const tails[] = {"", "\x01", "!", "-", "/!", "/zzz", "/a/b", "\xff"};

        for (size_t i = 0; i < all->n; i++) {
                for (size_t k = 0; k < sizeof(tails) / sizeof(tails[0]); k++) {
                        char text[512];

                        snprintf(text, sizeof(text), "%s%s", all->v[i].text, tails[k]);
                        check_after(all, text, o);
                        text[strlen(text) - 1]--; /* something below it */
                        if (gb_path_valid(text, strlen(text)))
                                check_after(all, text, o);
                }
        }
}

START_TEST(after_gives_exactly_the_tail_wherever_it_points)
{
        paths all;

        make_small_tree();
        all = whole_tree();
        check_after_around(&all, &(struct gb_walk_options){.gfids = _i == 1, .linkto = _i == 1});
        list_free(&all);
}
END_TEST

START_TEST(after_does_not_enter_what_is_not_listed)
{
        gb_fake_mkdir(fake, ".shard", &GB_GFID_SHARD);
        gb_fake_create(fake, ".shard/x", NULL);
        gb_fake_create(fake, "f", NULL);
        gives(&(struct gb_walk_options){.after = ".shard", .after_len = 6}, "f");
        gives(&(struct gb_walk_options){.after = ".shard/a", .after_len = 8}, "f");
        gives(&(struct gb_walk_options){.after = ".glusterfs/00", .after_len = 13}, "f");
}
END_TEST

START_TEST(after_that_is_no_path_is_refused)
{
        struct gb_error err;

        ck_assert(!gb_walk_open(brick, &(struct gb_walk_options){.after = "a//b", .after_len = 4}, &err));
        ck_assert_int_eq(err.code, GB_ERR_USAGE);
        ck_assert(!gb_walk_open(brick, &(struct gb_walk_options){.after = "../x", .after_len = 4}, &err));
        ck_assert_int_eq(err.code, GB_ERR_USAGE);
}
END_TEST

/* ---- roots ---- */

#define ROOT(text)                                                                                           \
        {                                                                                                    \
                .path = (text), .len = sizeof(text) - 1                                                      \
        }

static const struct gb_entry some_roots[] = {ROOT("a/b"),   ROOT("a/b-c"),  ROOT("a/nothing"),
                                             ROOT("a-b/f"), ROOT("a.d"),    ROOT("ab/not/a/directory"),
                                             ROOT("empty"), ROOT("gone/x"), ROOT("z/z/z")};
#define N_ROOTS (sizeof(some_roots) / sizeof(some_roots[0]))

static paths tree_within_roots(void)
{
        paths all = whole_tree(), out = GB_VEC_INIT;

        for (size_t i = 0; i < all.n; i++) {
                for (size_t k = 0; k < N_ROOTS; k++) {
                        if (gb_path_within(all.v[i].text, all.v[i].len, some_roots[k].path,
                                           some_roots[k].len))
                                list_add(&out, all.v[i].text, all.v[i].len, all.v[i].type);
                }
        }
        list_free(&all);
        return out;
}

START_TEST(roots_give_their_subtrees_and_nothing_else)
{
        struct gb_walk_options o = {.roots = some_roots, .n_roots = N_ROOTS};
        struct gb_walk *w;
        paths want, got = GB_VEC_INIT;

        make_small_tree();
        want = tree_within_roots();
        w = open_walk(&o);
        pull(w, SIZE_MAX, &got);
        ck_assert_uint_eq(want.n, 12);
        same_paths(&got, want.v, want.n, "roots");
        ck_assert_uint_eq(gb_walk_vanished(w), 0);
        gb_walk_close(w);
        list_free(&want);
        list_free(&got);
}
END_TEST

START_TEST(roots_resume_after_any_path)
{
        struct gb_walk_options o = {.roots = some_roots, .n_roots = N_ROOTS};
        paths all, want;

        make_small_tree();
        all = whole_tree();
        want = tree_within_roots();
        for (size_t i = 0; i < all.n; i++)
                check_after(&want, all.v[i].text, &o);
        check_after_around(&want, &o);
        list_free(&all);
        list_free(&want);
}
END_TEST

START_TEST(roots_do_not_reach_into_internal_directories)
{
        static const struct gb_entry roots[] = {ROOT(".glusterfs/changelogs"), ROOT(".shard/x"), ROOT("f"),
                                                ROOT("lost/x")};

        gb_fake_mkdir(fake, ".shard", &GB_GFID_SHARD);
        gb_fake_create(fake, ".shard/x", NULL);
        gb_fake_mkdir(fake, "lost", NULL);
        gb_fake_create(fake, "lost/x", NULL);
        gb_fake_xattr(fake, "lost", "trusted.gfid", NULL, 0);
        gb_fake_create(fake, "f", NULL);
        gives(&(struct gb_walk_options){.roots = roots, .n_roots = 4}, "f");
}
END_TEST

START_TEST(roots_empty_list_gives_nothing)
{
        static const struct gb_entry none[1];

        gb_fake_create(fake, "f", NULL);
        gives(&(struct gb_walk_options){.roots = none, .n_roots = 0}, "");
        gives(&(struct gb_walk_options){0}, "f");
}
END_TEST

START_TEST(roots_out_of_order_or_nested_are_refused)
{
        static const struct gb_entry unsorted[] = {ROOT("b"), ROOT("a")};
        static const struct gb_entry nested[] = {ROOT("a"), ROOT("a/b")};
        static const struct gb_entry bad[] = {ROOT("a/../b")};
        struct gb_error err;

        ck_assert(!gb_walk_open(brick, &(struct gb_walk_options){.roots = unsorted, .n_roots = 2}, &err));
        ck_assert_int_eq(err.code, GB_ERR_USAGE);
        ck_assert(!gb_walk_open(brick, &(struct gb_walk_options){.roots = nested, .n_roots = 2}, &err));
        ck_assert_int_eq(err.code, GB_ERR_USAGE);
        ck_assert(!gb_walk_open(brick, &(struct gb_walk_options){.roots = bad, .n_roots = 1}, &err));
        ck_assert_int_eq(err.code, GB_ERR_USAGE);
}
END_TEST

/* ---- what is not listed ---- */

START_TEST(linkto_files_are_hidden_and_only_they)
{
        gb_fake_mkdir(fake, "d", NULL);
        gb_fake_linkto(fake, "v-client-1", "d/linkto", NULL);
        gb_fake_create(fake, "d/users-own-sticky", NULL);
        gb_fake_chmod(fake, "d/users-own-sticky", 01000);
        gb_fake_create(fake, "d/moving", NULL);
        gb_fake_xattr(fake, "d/moving", "trusted.glusterfs.dht.linkto", "v-client-1", 11);
        gb_fake_chmod(fake, "d/moving", 03644);
        gb_fake_create(fake, "d/plain", NULL);
        gives(&(struct gb_walk_options){.linkto = true}, "d d/moving d/plain d/users-own-sticky");
        gives(&(struct gb_walk_options){0}, "d d/linkto d/moving d/plain d/users-own-sticky");
}
END_TEST

static void set_size(const char *path, long long size, time_t mtime)
{
        struct timespec times[2] = {{.tv_sec = mtime}, {.tv_sec = mtime}};
        int fd = openat(brick->root_fd, path, O_WRONLY | O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(ftruncate(fd, size), 0);
        ck_assert_int_eq(futimens(fd, times), 0);
        close(fd);
}

/* `n` bytes, a number at `at`, big-endian. */
static void set_number(const char *path, const char *xattr, size_t n, size_t at, uint64_t number)
{
        unsigned char value[64] = {0};

        for (size_t i = 0; i < 8; i++)
                value[at + i] = (unsigned char)(number >> (56 - 8 * i));
        gb_fake_xattr(fake, path, xattr, value, n);
}

/* Each way round, all that is no regular file among what fits. */
static void fits(struct gb_measure m, const char *want, const char *want_unfit)
{
        struct gb_select s = {.measure = m};

        gives(&(struct gb_walk_options){.select = &s, .linkto = true}, want);
        gives(&(struct gb_walk_options){.select = &s, .linkto = true, .unfit = true}, want_unfit);
}

START_TEST(files_are_measured_as_users_see_them)
{
        gb_fake_mkdir(fake, "d", NULL);
        gb_fake_linkto(fake, "v-client-1", "d/linkto", NULL);
        gb_fake_symlink(fake, "x", "d/link", NULL);
        for (const char *const *p =
                     (const char *const[]){"d/ec", "d/large", "d/shard", "d/small", "d/time", NULL};
             *p; p++)
                gb_fake_create(fake, *p, NULL);
        set_size("d/large", 1000, 5000);
        set_size("d/small", 999, 4999);
        set_size("d/ec", 10, 5001);
        set_number("d/ec", "trusted.ec.size", 8, 0, 5000);
        set_size("d/shard", 1000, 100);
        set_number("d/shard", "trusted.glusterfs.shard.file-size", 32, 0, 1 << 30);
        set_number("d/shard", "trusted.glusterfs.shard.block-size", 8, 0, 1 << 20);
        set_size("d/time", 0, 100);
        set_number("d/time", "trusted.glusterfs.mdata", 57, 25, 5000);
        fits((struct gb_measure){.size_from = 1000}, "d d/ec d/large d/link d/shard", "d/small d/time");
        fits((struct gb_measure){.size_below = 1000}, "d d/link d/small d/time", "d/ec d/large d/shard");
        fits((struct gb_measure){.size_from = 999, .size_below = 1001}, "d d/large d/link d/small",
             "d/ec d/shard d/time");
        fits((struct gb_measure){.newer = 5000}, "d d/ec d/large d/link d/shard d/time", "d/small");
        fits((struct gb_measure){.size_below = 1001, .newer = 5000}, "d d/large d/link d/time",
             "d/ec d/shard d/small");
        fits((struct gb_measure){.size_from = 0}, "d d/ec d/large d/link d/shard d/small d/time", "");
}
END_TEST

START_TEST(internal_names_are_told_by_gfid)
{
        gb_gfid anonymous = gb_gfid_anonymous_dir(&fake->volume_id);
        gb_gfid clone = gb_fake_gfid(fake);
        gb_gfid clone_dir = gb_gfid_anonymous_dir(&clone);
        char text[GB_GFID_TEXT], name[128];

        gb_fake_mkdir(fake, ".shard", &GB_GFID_SHARD);
        gb_fake_create(fake, ".shard/x", NULL);
        gb_fake_mkdir(fake, "renamed-trash", &GB_GFID_TRASH);
        gb_fake_mkdir(fake, "any-name", &anonymous);
        snprintf(name, sizeof(name), ".glusterfs-anonymous-inode-%s", gb_gfid_format(&clone, text));
        gb_fake_mkdir(fake, name, &clone_dir);
        gb_fake_mkdir(fake, ".landfill", NULL);
        gb_fake_mkdir(fake, "lost+found", NULL);
        gb_fake_xattr(fake, "lost+found", "trusted.gfid", NULL, 0);
        gb_fake_create(fake, "f", NULL);
        gives(&(struct gb_walk_options){0}, "f");
}
END_TEST

START_TEST(internal_names_that_users_own_are_listed)
{
        gb_fake_mkdir(fake, ".shard", NULL);
        gb_fake_create(fake, ".shard/x", NULL);
        gb_fake_mkdir(fake, ".trashcan", NULL);
        gb_fake_mkdir(fake, "lost+found", NULL);
        gb_fake_mkdir(fake, "d", NULL);
        gb_fake_mkdir(fake, "d/.glusterfs", NULL);
        gb_fake_create(fake, "d/.glusterfs/f", NULL);
        gb_fake_mkdir(fake, "d/.landfill", NULL);
        gb_fake_mkdir(fake, ".glusterfs-anonymous-inode-x", NULL);
        gives(&(struct gb_walk_options){0}, ".glusterfs-anonymous-inode-x .shard .shard/x .trashcan d "
                                            "d/.glusterfs d/.glusterfs/f d/.landfill lost+found");
}
END_TEST

START_TEST(gfids_skip_entries_without_one)
{
        gb_fake_mkdir(fake, "d", NULL);
        gb_fake_mkdir(fake, "d/behind", NULL);
        gb_fake_create(fake, "d/behind/x", NULL);
        gb_fake_create(fake, "d/file", NULL);
        gb_fake_create(fake, "d/stray", NULL);
        gb_fake_xattr(fake, "d/behind", "trusted.gfid", NULL, 0);
        gb_fake_xattr(fake, "d/stray", "trusted.gfid", NULL, 0);
        gives(&(struct gb_walk_options){.gfids = true}, "d d/file");
        gives(&(struct gb_walk_options){0}, "d d/behind d/behind/x d/file d/stray");
}
END_TEST

/* ---- depth ---- */

START_TEST(deep_tree_longer_than_path_max_below_the_brick)
{
        char name[61];
        size_t levels = GB_PATH_MAX / 61;
        paths want, got;

        memset(name, 'n', 60);
        name[60] = '\0';
        make_deep(name, levels); /* together with the brick's own path over 4096 */
        ck_assert_uint_gt(levels * 61 - 1 + strlen(fake->path), 4096);
        want = whole_tree();
        got = walk(&(struct gb_walk_options){.gfids = _i == 1});
        if (_i == 0) {
                ck_assert_uint_eq(want.n, 2 * levels - 1);
                same_paths(&got, want.v, want.n, "deep");
        }
        check_after(&want, want.v[want.n / 2].text, &(struct gb_walk_options){.linkto = true});
        list_free(&want);
        list_free(&got);
}
END_TEST

START_TEST(deep_tree_needs_few_descriptors)
{
        size_t before, most = 0;
        struct gb_error err;
        struct gb_entry e;
        struct gb_walk *w;
        paths want, got = GB_VEC_INIT;
        int r;

        make_deep("d", 700);
        want = whole_tree();
        before = open_fds();
        w = open_walk(&(struct gb_walk_options){.linkto = true});
        while ((r = gb_walk_next(w, GB_NEVER, &e, &err)) == 1) {
                size_t now = open_fds();

                take(&got, &e);
                most = now > most ? now : most;
        }
        ck_assert_msg(r == 0, "%s", err.text);
        ck_assert_uint_eq(gb_walk_vanished(w), 0);
        ck_assert_uint_eq(want.n, 1399);
        same_paths(&got, want.v, want.n, "deep");
        ck_assert_uint_le(most, before + 70);
        gb_walk_close(w);
        ck_assert_uint_eq(open_fds(), before);
        list_free(&want);
        list_free(&got);
}
END_TEST

START_TEST(deep_tree_over_the_path_limit_is_an_error_that_names_the_directory)
{
        char name[201];
        struct gb_error err;
        struct gb_entry e;
        struct gb_walk *w;
        size_t n = 0;

        memset(name, 'n', 200);
        name[200] = '\0';
        make_deep(name, 300);
        w = open_walk(&(struct gb_walk_options){0});
        while (gb_walk_next(w, GB_NEVER, &e, &err) == 1)
                n++;
        ck_assert_uint_eq(n, GB_PATH_MAX / 201);
        ck_assert_int_eq(gb_walk_next(w, GB_NEVER, &e, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_LIMIT);
        ck_assert_ptr_nonnull(strstr(err.text, "nnnnnnnn"));
        ck_assert_ptr_nonnull(strstr(err.text, fake->path));
        gb_walk_close(w);
}
END_TEST

START_TEST(deep_directory_moved_away_while_its_descriptor_is_closed_has_vanished)
{
        struct gb_walk *w;
        paths got = GB_VEC_INIT;

        make_deep("d", 200);
        w = open_walk(&(struct gb_walk_options){.linkto = true});
        pull(w, 200, &got);
        ck_assert_int_eq(renameat(fake->root_fd, "d", fake->root_fd, "moved"), 0);
        make_deep("d", 200); /* looks the same, but is another */
        pull(w, SIZE_MAX, &got);
        ck_assert_uint_gt(gb_walk_vanished(w), 100);
        ck_assert_uint_eq(gb_walk_vanished(w) + got.n, 399);
        gb_walk_close(w);
        list_free(&got);
}
END_TEST

/* ---- weather and accidents ---- */

START_TEST(vanished_names_are_counted_and_passed_over)
{
        struct gb_walk *w;
        paths got = GB_VEC_INIT;

        gb_fake_mkdir(fake, "a", NULL);
        gb_fake_mkdir(fake, "b", NULL);
        gb_fake_mkdir(fake, "b/x", NULL);
        gb_fake_create(fake, "b/y", NULL);
        gb_fake_create(fake, "b/z", NULL);
        gb_fake_create(fake, "c", NULL);
        w = open_walk(&(struct gb_walk_options){.linkto = true});
        pull(w, 1, &got); /* a, not entered yet */
        gb_fake_rmdir(fake, "a");
        pull(w, 2, &got); /* b, b/x */
        gb_fake_rmdir(fake, "b/x");
        gb_fake_symlink(fake, "..", "b/x", NULL);
        gb_fake_unlink(fake, "b/y");
        pull(w, SIZE_MAX, &got);
        ck_assert_uint_eq(got.n, 5);
        ck_assert_str_eq(got.v[2].text, "b/x");
        ck_assert_str_eq(got.v[3].text, "b/z");
        ck_assert_str_eq(got.v[4].text, "c");
        ck_assert_uint_eq(gb_walk_vanished(w), 3);
        ck_assert_uint_eq(gb_walk_passed(w), 7); /* with .glusterfs */
        gb_walk_close(w);
        list_free(&got);
}
END_TEST

START_TEST(vanished_directory_on_the_way_to_after_loses_nothing_behind_it)
{
        gb_fake_create(fake, "a", NULL);
        gb_fake_create(fake, "b", NULL);
        gb_fake_mkdir(fake, "d", NULL);
        gb_fake_create(fake, "d/e", NULL);
        gives(&(struct gb_walk_options){.after = "a/b/c", .after_len = 5}, "b d d/e");
        gives(&(struct gb_walk_options){.after = "c/b/c", .after_len = 5}, "d d/e");
        gives(&(struct gb_walk_options){.after = "d/a/c", .after_len = 5}, "d/e");
}
END_TEST

START_TEST(unreadable_directory_is_an_error_with_its_path)
{
        struct gb_error err;
        struct gb_entry e;
        struct gb_walk *w;
        paths got = GB_VEC_INIT;

        gb_fake_mkdir(fake, "d", NULL);
        gb_fake_mkdir(fake, "d/se\ncret", NULL);
        gb_fake_chmod(fake, "d/se\ncret", 0700);
        ck_assert_int_eq(chmod(fake->path, 0755), 0);
        w = open_walk(&(struct gb_walk_options){0});
        pull(w, 2, &got);
        ck_assert_int_eq(seteuid(65534), 0);
        for (int i = 0; i < 2; i++) {
                err.code = GB_OK;
                ck_assert_int_eq(gb_walk_next(w, GB_NEVER, &e, &err), -1);
                ck_assert_int_eq(err.code, GB_ERR_SYSTEM);
                ck_assert_ptr_nonnull(strstr(err.text, "'d/se\\x0acret': Permission denied"));
        }
        ck_assert_int_eq(seteuid(0), 0);
        gb_walk_close(w);
        list_free(&got);
}
END_TEST

START_TEST(without_rights_to_see_gfids_no_walk_begins)
{
        struct gb_error err;

        ck_assert_int_eq(chmod(fake->path, 0755), 0);
        ck_assert_int_eq(seteuid(65534), 0);
        ck_assert(!gb_walk_open(brick, &(struct gb_walk_options){0}, &err));
        ck_assert_int_eq(err.code, GB_ERR_BRICK_DOWN);
        ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* st_ctime of a path, in seconds. */
static int64_t ctime_of(const char *path)
{
        struct stat st;

        ck_assert_int_eq(fstatat(fake->root_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
        return st.st_ctim.tv_sec;
}

/* Until a change made now has a later ctime than `path`. */
static void wait_past(const char *path)
{
        const int64_t then = ctime_of(path);

        do {
                usleep(20000);
                gb_fake_create(fake, "tick", NULL);
                if (ctime_of("tick") > then) {
                        gb_fake_unlink(fake, "tick");
                        return;
                }
                gb_fake_unlink(fake, "tick");
        } while (true);
}

START_TEST(only_what_changed_in_time_is_given_wherever_it_stands)
{
        struct gb_walk_options o = {0};
        int64_t old, young;

        gb_fake_mkdir(fake, "d", NULL);
        gb_fake_mkdir(fake, "d/e", NULL);
        gb_fake_create(fake, "d/e/new", NULL);
        gb_fake_create(fake, "d/e/old", NULL);
        gb_fake_create(fake, "old", NULL);
        gb_fake_symlink(fake, "x", "link", NULL);
        old = ctime_of("link");
        wait_past("link");
        gb_fake_chmod(fake, "d/e/new", 0600);
        gb_fake_chmod(fake, "d", 0700);
        young = ctime_of("d");
        o.changed_since = ctime_of("d/e/new");
        gives(&o, "d d/e/new");
        o.changed_until = young;
        gives(&o, "d d/e/new");
        o.gfids = true;
        gives(&o, "d d/e/new");
        o.after = "d";
        o.after_len = 1;
        gives(&o, "d/e/new");
        o = (struct gb_walk_options){.changed_until = old};
        gives(&o, "d/e d/e/old link old");
        o.changed_since = young + 1;
        o.changed_until = 0;
        gives(&o, "");
}
END_TEST

START_TEST(shards_are_given_only_when_asked_for)
{
        struct gb_walk_options o = {.shards = true};
        gb_gfid other = gb_fake_gfid(fake);
        gb_gfid shard = GB_GFID_SHARD;

        gives(&o, "");
        gb_fake_create(fake, "user", NULL);
        gb_fake_mkdir(fake, ".shard", &shard);
        gb_fake_create(fake, ".shard/one.1", NULL);
        gb_fake_create(fake, ".shard/one.2", NULL);
        gives(&o, ".shard .shard/one.1 .shard/one.2");
        o.after = ".shard/one.1";
        o.after_len = strlen(o.after);
        gives(&o, ".shard/one.2");
        o = (struct gb_walk_options){0};
        gives(&o, "user");
        /* A user's own directory of that name. */
        gb_fake_unlink(fake, ".shard/one.1");
        gb_fake_unlink(fake, ".shard/one.2");
        gb_fake_rmdir(fake, ".shard");
        gb_fake_mkdir(fake, ".shard", &other);
        gb_fake_create(fake, ".shard/mine", NULL);
        gives(&o, ".shard .shard/mine user");
        o.shards = true;
        gives(&o, "");
}
END_TEST

START_TEST(deadline_interrupts_between_entries_and_loses_none)
{
        struct gb_walk *w;
        struct gb_error err;
        struct gb_entry e;
        paths want, got = GB_VEC_INIT;
        unsigned stops = 0;
        int fd, r;

        gb_fake_mkdir(fake, "big", NULL);
        fd = openat(fake->root_fd, "big", O_RDONLY | O_DIRECTORY);
        for (int i = 0; i < 3000; i++) {
                char name[16];

                snprintf(name, sizeof(name), "%d", i);
                touch_at(fd, name);
        }
        close(fd);
        want = whole_tree();
        w = open_walk(&(struct gb_walk_options){0});
        while ((r = gb_walk_next(w, 0, &e, &err)) > 0) {
                if (r == 2)
                        stops++;
                else
                        take(&got, &e);
        }
        ck_assert_int_eq(r, 0);
        ck_assert_uint_ge(stops, 10);
        ck_assert_uint_lt(stops, 20);
        same_paths(&got, want.v, want.n, "walk");
        gb_walk_close(w);
        list_free(&want);
        list_free(&got);
}
END_TEST

static void add_tests(Suite *suite, const char *name, SFun begin)
{
        TCase *tc = tcase_create(name);

        suite_add_tcase(suite, tc);
        tcase_add_checked_fixture(tc, begin, teardown);
        tcase_set_timeout(tc, 120);
        tcase_add_test(tc, walk_gives_everything_in_path_order);
        tcase_add_test(tc, walk_of_an_empty_brick_ends_at_once);
        tcase_add_test(tc, walk_gives_the_same_with_linkto_and_gfids);
        tcase_add_test(tc, walk_keeps_names_of_any_bytes);
        tcase_add_test(tc, walk_gives_a_directory_of_20000_names);
        tcase_add_loop_test(tc, after_gives_exactly_the_tail_wherever_it_points, 0, 2);
        tcase_add_test(tc, after_does_not_enter_what_is_not_listed);
        tcase_add_test(tc, after_that_is_no_path_is_refused);
        tcase_add_test(tc, roots_give_their_subtrees_and_nothing_else);
        tcase_add_test(tc, roots_resume_after_any_path);
        tcase_add_test(tc, roots_do_not_reach_into_internal_directories);
        tcase_add_test(tc, roots_empty_list_gives_nothing);
        tcase_add_test(tc, roots_out_of_order_or_nested_are_refused);
        tcase_add_test(tc, linkto_files_are_hidden_and_only_they);
        tcase_add_test(tc, files_are_measured_as_users_see_them);
        tcase_add_test(tc, internal_names_are_told_by_gfid);
        tcase_add_test(tc, internal_names_that_users_own_are_listed);
        tcase_add_test(tc, gfids_skip_entries_without_one);
        tcase_add_loop_test(tc, deep_tree_longer_than_path_max_below_the_brick, 0, 2);
        tcase_add_test(tc, deep_tree_needs_few_descriptors);
        tcase_add_test(tc, deep_tree_over_the_path_limit_is_an_error_that_names_the_directory);
        tcase_add_test(tc, vanished_directory_on_the_way_to_after_loses_nothing_behind_it);
        tcase_add_test(tc, without_rights_to_see_gfids_no_walk_begins);
        tcase_add_test(tc, only_what_changed_in_time_is_given_wherever_it_stands);
        tcase_add_test(tc, shards_are_given_only_when_asked_for);
        tcase_add_test(tc, deadline_interrupts_between_entries_and_loses_none);
        if (begin != setup) /* threads may have looked before it vanished, or was locked */
                return;
        tcase_add_test(tc, unreadable_directory_is_an_error_with_its_path);
        tcase_add_test(tc, deep_directory_moved_away_while_its_descriptor_is_closed_has_vanished);
        tcase_add_test(tc, vanished_names_are_counted_and_passed_over);
}

int main(void)
{
        Suite *suite = suite_create("walk");
        SRunner *runner;
        int failed;

        if (!gb_fake_available())
                return 77;
        add_tests(suite, "walk", setup);
        add_tests(suite, "walk with threads", setup_threads);
        add_tests(suite, "walk in little memory", setup_small);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
