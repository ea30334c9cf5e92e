/* links: base agent xml2 xxhash */
/*
 * check_resolve - gfids to names on a brick, with everything that may be wrong with handles and xattrs.
 */
#include <config.h>

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../lib/fakebrick.h"
#include "base/clock.h"
#include "base/limits.h"
#include "resolve.h"

static struct gb_fake *fake;
static struct gb_brick *brick;
static struct gb_resolver *resolver;
static struct gb_fact fact;
static gb_gfid shard_base;

static void setup(void)
{
        struct gb_error err;

        fake = gb_fake_new();
        brick = gb_brick_open_bare(fake->path, "v", &err);
        ck_assert_msg(brick != NULL, "%s", err.text);
        resolver = gb_resolver_new(brick, &err);
        ck_assert_msg(resolver != NULL, "%s", err.text);
}

static void teardown(void)
{
        gb_fact_fini(&fact);
        gb_resolver_free(resolver);
        gb_brick_close(brick);
        gb_fake_free(fake);
}

static void look_again(void)
{
        struct gb_error err;

        ck_assert_msg(gb_resolver_look(resolver, &fact, &shard_base, &err) == 0, "%s", err.text);
}

static void look(const gb_gfid *gfid)
{
        gb_fact_reset(&fact);
        fact.gfid = *gfid;
        look_again();
}

static bool has(const gb_gfid *parent, const char *name)
{
        struct gb_slot slot = {.parent = *parent, .name = name, .len = strlen(name)};

        for (size_t i = 0; i < fact.names.n; i++)
                if (gb_slot_eq(&fact.names.v[i], &slot))
                        return true;
        return false;
}

static void hint(const gb_gfid *parent, const char *name)
{
        struct gb_claim claim = {GB_CLAIM_LOSS, {.parent = *parent, .name = name, .len = strlen(name)}};

        ck_assert_int_eq(gb_vec_push(&fact.claims, claim), 0);
}

/* Remove all gfid2path xattrs of a file, as if the option had been off. */
static void drop_gfid2path(const char *path)
{
        char full[512], list[4096];
        ssize_t n;

        snprintf(full, sizeof(full), "%s/%s", fake->path, path);
        n = llistxattr(full, list, sizeof(list));
        ck_assert_int_gt(n, 0);
        for (const char *key = list; key < list + n; key += strlen(key) + 1)
                if (strncmp(key, "trusted.gfid2path.", 18) == 0)
                        ck_assert_int_eq(lremovexattr(full, key), 0);
}

static void handle_of(const gb_gfid *g, char out[512])
{
        char text[GB_HANDLE_TEXT];

        snprintf(out, 512, "%s/.glusterfs/%s", fake->path, gb_handle_path(g, text));
}

static void in_brick(const char *path, char out[512])
{
        snprintf(out, 512, "%s/%s", fake->path, path);
}

/* ---- files ---- */

START_TEST(file_has_the_name_its_xattr_tells)
{
        gb_gfid d = gb_fake_mkdir(fake, "d", NULL), f = gb_fake_create(fake, "d/f", NULL);

        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_int_eq(fact.type, 'f');
        ck_assert_uint_eq(fact.names.n, 1);
        ck_assert(has(&d, "f"));
        ck_assert_uint_eq(fact.flags & GB_FACT_DIR, 0);
}
END_TEST

START_TEST(file_in_the_root)
{
        gb_gfid f = gb_fake_create(fake, "f", NULL);

        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert(has(&GB_GFID_ROOT, "f"));
}
END_TEST

START_TEST(hard_links_are_all_found)
{
        gb_gfid d = gb_fake_mkdir(fake, "d", NULL), e = gb_fake_mkdir(fake, "d/e", NULL);
        gb_gfid f = gb_fake_create(fake, "d/f", NULL);

        gb_fake_link(fake, "d/f", "d/e/g");
        gb_fake_link(fake, "d/f", "h");
        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_uint_eq(fact.names.n, 3);
        ck_assert(has(&d, "f") && has(&e, "g") && has(&GB_GFID_ROOT, "h"));
}
END_TEST

START_TEST(special_files_and_symlinks_have_their_type)
{
        gb_gfid p = gb_fake_mkfifo(fake, "p", NULL), l = gb_fake_symlink(fake, "nowhere", "l", NULL);

        look(&p);
        ck_assert_int_eq(fact.type, 'p');
        ck_assert(has(&GB_GFID_ROOT, "p"));
        look(&l);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_int_eq(fact.type, 'l');
        ck_assert(has(&GB_GFID_ROOT, "l"));
}
END_TEST

START_TEST(unknown_gfid_is_absent)
{
        gb_gfid g = gb_fake_gfid(fake);

        look(&g);
        ck_assert_int_eq(fact.look, GB_LOOK_ABSENT);
        ck_assert_int_eq(fact.type, 0);
        fact.flags = GB_FACT_DIR;
        look_again();
        ck_assert_int_eq(fact.look, GB_LOOK_ABSENT);
}
END_TEST

START_TEST(stale_xattr_of_a_rename_is_not_believed)
{
        gb_gfid d = gb_fake_mkdir(fake, "d", NULL), f = gb_fake_create(fake, "d/old", NULL);
        char value[64], text[GB_GFID_TEXT];

        gb_fake_rename(fake, "d/old", "d/new");
        snprintf(value, sizeof(value), "%s/old", gb_gfid_format(&d, text));
        gb_fake_xattr(fake, "d/new", "trusted.gfid2path.0000000000000000", value, strlen(value));
        gb_fake_create(fake, "d/old", NULL); /* another file stands there now */
        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_uint_eq(fact.names.n, 1);
        ck_assert(has(&d, "new"));
}
END_TEST

START_TEST(xattr_that_is_no_slot_is_ignored)
{
        static const char *const bad[] = {"",
                                          "x",
                                          "00000000-0000-0000-0000-000000000001",
                                          "00000000-0000-0000-0000-000000000001/",
                                          "00000000-0000-0000-0000-000000000001/a/b",
                                          "00000000-0000-0000-0000-00000000000g/f",
                                          "00000000-0000-0000-0000-000000000001:f"};
        gb_gfid f = gb_fake_create(fake, "f", NULL);
        char long_value[400], key[64];

        memset(long_value, 'x', sizeof(long_value));
        memcpy(long_value, "00000000-0000-0000-0000-000000000001/", 37);
        gb_fake_xattr(fake, "f", "trusted.gfid2path.1", long_value, sizeof(long_value));
        for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                snprintf(key, sizeof(key), "trusted.gfid2path.bad%u", i);
                gb_fake_xattr(fake, "f", key, bad[i], strlen(bad[i]));
        }
        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_uint_eq(fact.names.n, 1);
}
END_TEST

START_TEST(without_xattrs_the_object_is_partial)
{
        gb_gfid f = gb_fake_create(fake, "f", NULL);

        drop_gfid2path("f");
        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PARTIAL);
        ck_assert_int_eq(fact.type, 'f');
        ck_assert_uint_eq(fact.names.n, 0);
}
END_TEST

START_TEST(hints_stand_in_for_missing_xattrs_and_are_verified)
{
        gb_gfid d = gb_fake_mkdir(fake, "d", NULL), f = gb_fake_create(fake, "d/f", NULL);
        gb_gfid gone = gb_fake_gfid(fake);

        gb_fake_link(fake, "d/f", "g");
        gb_fake_create(fake, "d/other", NULL);
        drop_gfid2path("g");
        gb_fact_reset(&fact);
        fact.gfid = f;
        hint(&d, "other");
        hint(&gone, "x");
        hint(&d, "f");
        look_again();
        ck_assert_int_eq(fact.look, GB_LOOK_PARTIAL);
        ck_assert_uint_eq(fact.names.n, 1);
        ck_assert(has(&d, "f"));
        hint(&d, "f");
        hint(&GB_GFID_ROOT, "g");
        look_again();
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_uint_eq(fact.names.n, 2);
        ck_assert(has(&GB_GFID_ROOT, "g"));
}
END_TEST

START_TEST(last_new_name_of_the_window_is_tried_first_and_verified)
{
        gb_gfid d = gb_fake_mkdir(fake, "d", NULL), f = gb_fake_create(fake, "d/f", NULL);

        gb_fake_create(fake, "d/other", NULL);
        gb_fact_reset(&fact);
        fact.gfid = f;
        hint(&d, "other");
        fact.claims.v[0].kind = GB_CLAIM_ARRIVE;
        look_again();
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_uint_eq(fact.names.n, 1);
        ck_assert(has(&d, "f"));
        drop_gfid2path("d/f");
        hint(&d, "f");
        fact.claims.v[1].kind = GB_CLAIM_ARRIVE;
        gb_fake_link(fake, "d/f", "d/g");
        look_again();
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_uint_eq(fact.names.n, 2);
        ck_assert(has(&d, "f") && has(&d, "g"));
}
END_TEST

START_TEST(pgfid_leads_to_names_no_other_xattr_tells)
{
        gb_gfid d = gb_fake_mkdir(fake, "d", NULL), f = gb_fake_create(fake, "d/f", NULL);
        char key[64], text[GB_GFID_TEXT];

        gb_fake_link(fake, "d/f", "d/g");
        drop_gfid2path("d/f");
        for (unsigned i = 0; i < 40; i++) {
                snprintf(key, sizeof(key), "d/other%u", i);
                gb_fake_create(fake, key, NULL);
        }
        snprintf(key, sizeof(key), "trusted.pgfid.%s", gb_gfid_format(&d, text));
        gb_fake_xattr(fake, "d/f", key, "\0\0\0\2", 4);
        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_uint_eq(fact.names.n, 2);
        ck_assert(has(&d, "f") && has(&d, "g"));
}
END_TEST

START_TEST(linkto_file_is_absent)
{
        gb_gfid f = gb_fake_linkto(fake, "v-client-1", "f", NULL);

        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_ABSENT);
        ck_assert_uint_eq(fact.names.n, 0);
}
END_TEST

/* remove-brick leaves them, and then users see a file, and write to it. */
START_TEST(on_the_only_set_nothing_is_a_linkto_file)
{
        gb_gfid f = gb_fake_linkto(fake, "v-client-1", "f", NULL);

        brick->alone = true;
        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert(has(&GB_GFID_ROOT, "f"));
}
END_TEST

START_TEST(sticky_file_without_linkto_is_a_users)
{
        gb_gfid f = gb_fake_create(fake, "f", NULL), source = gb_fake_create(fake, "s", NULL);

        gb_fake_chmod(fake, "f", 01000);
        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        /* A migration source has the xattr, but keeps its mode beside the two bits. */
        gb_fake_chmod(fake, "s", 03644);
        gb_fake_xattr(fake, "s", "trusted.glusterfs.dht.linkto", "v-client-1", 11);
        look(&source);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
}
END_TEST

START_TEST(handle_without_a_name_is_absent)
{
        gb_gfid f = gb_fake_create(fake, "f", NULL), l = gb_fake_symlink(fake, "x", "l", NULL);
        char path[512];

        in_brick("f", path);
        ck_assert_int_eq(unlink(path), 0);
        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_ABSENT);
        in_brick("l", path);
        ck_assert_int_eq(unlink(path), 0);
        look(&l);
        ck_assert_int_eq(fact.look, GB_LOOK_ABSENT);
}
END_TEST

/* ---- directories ---- */

START_TEST(directory_has_its_slot)
{
        gb_gfid d = gb_fake_mkdir(fake, "d", NULL), e = gb_fake_mkdir(fake, "d/e", NULL);

        look(&e);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_int_eq(fact.type, 'd');
        ck_assert_uint_eq(fact.flags, GB_FACT_DIR);
        ck_assert_uint_eq(fact.names.n, 1);
        ck_assert(has(&d, "e"));
}
END_TEST

START_TEST(root_is_present_without_a_name)
{
        struct gb_slot slot;
        char path[GB_PATH_MAX + 1];
        size_t len = 1;

        look(&GB_GFID_ROOT);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_int_eq(fact.type, 'd');
        ck_assert_uint_eq(fact.names.n, 0);
        ck_assert_int_eq(gb_resolver_dir(resolver, &GB_GFID_ROOT, &slot, NULL), 2);
        ck_assert_int_eq(gb_resolver_dir_path(resolver, &GB_GFID_ROOT, path, &len, NULL), 1);
        ck_assert_uint_eq(len, 0);
}
END_TEST

START_TEST(users_symlink_that_reads_like_a_handle_is_a_symlink)
{
        gb_gfid d = gb_fake_mkdir(fake, "d", NULL), s;
        char target[128], text[GB_GFID_TEXT];
        struct gb_slot slot;

        gb_fake_mkdir(fake, "d/real", NULL);
        gb_gfid_format(&d, text);
        snprintf(target, sizeof(target), "../../%.2s/%.2s/%s/real", text, text + 2, text);
        s = gb_fake_symlink(fake, target, "s", NULL);
        look(&s);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_int_eq(fact.type, 'l');
        ck_assert_uint_eq(fact.flags & GB_FACT_DIR, 0);
        ck_assert(has(&GB_GFID_ROOT, "s"));
        ck_assert_int_eq(gb_resolver_dir(resolver, &s, &slot, NULL), 0);
        ck_assert_int_eq(gb_resolver_is_dir(resolver, &s, NULL), 0);
}
END_TEST

/* Its own name in its own parent: opening it must not follow it. */
START_TEST(users_symlink_that_points_to_itself_is_no_directory)
{
        gb_gfid d = gb_fake_mkdir(fake, "d", NULL), s;
        char target[128], text[GB_GFID_TEXT];
        struct gb_slot slot;

        gb_gfid_format(&d, text);
        snprintf(target, sizeof(target), "../../%.2s/%.2s/%s/s", text, text + 2, text);
        s = gb_fake_symlink(fake, target, "d/s", NULL);
        ck_assert_int_eq(gb_resolver_dir(resolver, &s, &slot, NULL), 0);
        look(&s);
        ck_assert_int_eq(fact.type, 'l');
}
END_TEST

/* Like a directory at the first glance: one link, a target of the right form. */
START_TEST(handle_that_leads_to_another_object_is_not_believed)
{
        gb_gfid d = gb_fake_mkdir(fake, "d", NULL), forged = gb_fake_gfid(fake);
        char handle[512], dir[512], target[128], text[GB_GFID_TEXT];
        struct gb_slot slot;

        gb_fake_mkdir(fake, "d/e", NULL);
        gb_gfid_format(&d, text);
        snprintf(target, sizeof(target), "../../%.2s/%.2s/%s/e", text, text + 2, text);
        handle_of(&forged, handle);
        snprintf(dir, sizeof(dir), "%s/.glusterfs/%02x", fake->path, forged.b[0]);
        mkdir(dir, 0700);
        snprintf(dir, sizeof(dir), "%s/.glusterfs/%02x/%02x", fake->path, forged.b[0], forged.b[1]);
        mkdir(dir, 0700);
        ck_assert_int_eq(symlink(target, handle), 0);
        ck_assert_int_eq(gb_resolver_dir(resolver, &forged, &slot, NULL), 0);
        look(&forged);
        ck_assert_int_eq(fact.look, GB_LOOK_PARTIAL);
        ck_assert_uint_eq(fact.names.n, 0);
}
END_TEST

static gb_gfid make_deep(unsigned levels, const char *name, char *path, size_t size)
{
        gb_gfid g = GB_GFID_ROOT;
        size_t len = 0;

        for (unsigned i = 0; i < levels; i++) {
                len += (size_t)snprintf(path + len, size - len, "%s%s%u", i ? "/" : "", name, i);
                g = gb_fake_mkdir(fake, path, NULL);
        }
        return g;
}

START_TEST(depth_beyond_what_the_kernel_follows)
{
        char path[GB_PATH_MAX + 1], out[GB_PATH_MAX + 1];
        size_t len;
        gb_gfid d = make_deep(60, "d", path, sizeof(path)), f;

        strcat(path, "/f");
        f = gb_fake_create(fake, path, NULL);
        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert(has(&d, "f"));
        ck_assert_int_eq(gb_resolver_dir_path(resolver, &d, out, &len, NULL), 1);
        path[strlen(path) - 2] = '\0';
        ck_assert_str_eq(out, path);
        ck_assert_uint_eq(len, strlen(path));
}
END_TEST

START_TEST(path_longer_than_the_kernel_takes_below_the_brick)
{
        char name[201], path[GB_PATH_MAX + 300], out[GB_PATH_MAX + 1];
        struct gb_error err;
        size_t len;
        gb_gfid d, e, f;

        memset(name, 'n', 200);
        name[200] = '\0';
        d = make_deep(20, name, path, sizeof(path)); /* 20 x 202 bytes and more */
        len = strlen(path);
        strcat(path, "/f");
        f = gb_fake_create(fake, path, NULL);
        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert(has(&d, "f"));
        path[len] = '\0';
        ck_assert_int_eq(gb_resolver_dir_path(resolver, &d, out, &len, NULL), 1);
        ck_assert_str_eq(out, path);
        strcat(path, "/");
        strcat(path, name);
        e = gb_fake_mkdir(fake, path, NULL);
        ck_assert_int_eq(gb_resolver_dir_path(resolver, &e, out, &len, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_LIMIT);
}
END_TEST

START_TEST(longest_path_fills_the_buffer_exactly)
{
        char name[GB_NAME_MAX + 1], path[GB_PATH_MAX + 1], out[GB_PATH_MAX + 1];
        size_t len = 0;
        gb_gfid d = GB_GFID_ROOT;

        memset(name, 'n', GB_NAME_MAX);
        for (unsigned i = 0; len < GB_PATH_MAX; i++) {
                size_t n = GB_PATH_MAX - len - (i > 0);

                n = n > GB_NAME_MAX ? GB_NAME_MAX : n;
                len += (size_t)snprintf(path + len, sizeof(path) - len, "%s%.*s", i ? "/" : "", (int)n, name);
                d = gb_fake_mkdir(fake, path, NULL);
        }
        ck_assert_uint_eq(strlen(path), GB_PATH_MAX);
        ck_assert_int_eq(gb_resolver_dir_path(resolver, &d, out, &len, NULL), 1);
        ck_assert_uint_eq(len, GB_PATH_MAX);
        ck_assert_str_eq(out, path);
}
END_TEST

START_TEST(loop_of_handles_ends)
{
        gb_gfid a = gb_fake_mkdir(fake, "a", NULL), b = gb_fake_mkdir(fake, "b", NULL);
        const gb_gfid *pair[2][2] = {{&a, &b}, {&b, &a}};
        char handle[512], target[128], text[GB_GFID_TEXT];
        struct gb_slot slot;

        for (unsigned i = 0; i < 2; i++) {
                gb_gfid_format(pair[i][1], text);
                snprintf(target, sizeof(target), "../../%.2s/%.2s/%s/x", text, text + 2, text);
                handle_of(pair[i][0], handle);
                ck_assert_int_eq(unlink(handle), 0);
                ck_assert_int_eq(symlink(target, handle), 0);
        }
        ck_assert_int_eq(gb_resolver_dir(resolver, &a, &slot, NULL), 0);
        look(&b);
        ck_assert_int_eq(fact.look, GB_LOOK_PARTIAL);
}
END_TEST

START_TEST(removed_directory_is_absent_even_if_it_was_known)
{
        gb_gfid d = gb_fake_mkdir(fake, "d", NULL);

        look(&d);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        gb_fake_rmdir(fake, "d");
        look(&d);
        ck_assert_int_eq(fact.look, GB_LOOK_ABSENT);
}
END_TEST

START_TEST(renamed_directory_is_found_where_it_went)
{
        gb_gfid d = gb_fake_mkdir(fake, "d", NULL), e = gb_fake_mkdir(fake, "e", NULL);
        gb_gfid sub = gb_fake_mkdir(fake, "d/sub", NULL), f = gb_fake_create(fake, "d/sub/f", NULL);
        char path[GB_PATH_MAX + 1];
        size_t len;

        look(&f);
        ck_assert(has(&sub, "f"));
        gb_fake_rename(fake, "d", "e/moved");
        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert(has(&sub, "f"));
        look(&d);
        ck_assert(has(&e, "moved"));
        ck_assert_int_eq(gb_resolver_dir_path(resolver, &sub, path, &len, NULL), 1);
        ck_assert_str_eq(path, "e/moved/sub");
}
END_TEST

/* More directories than are kept open, in turns: they are known, so nothing is opened again, unless another
 * object stands at that name now. */
START_TEST(names_are_verified_in_directories_that_are_not_open)
{
        enum { DIRS = 100 };
        gb_gfid top, d[DIRS], f[DIRS];
        struct rlimit few = {64, 64};
        char path[64];

        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        gb_resolver_free(resolver);
        resolver = gb_resolver_new(brick, NULL);
        top = gb_fake_mkdir(fake, "top", NULL);
        for (unsigned i = 0; i < DIRS; i++) {
                snprintf(path, sizeof(path), "top/d%u", i);
                d[i] = gb_fake_mkdir(fake, path, NULL);
                strcat(path, "/f");
                f[i] = gb_fake_create(fake, path, NULL);
        }
        for (unsigned round = 0; round < 2; round++)
                for (unsigned i = 0; i < DIRS; i++) {
                        look(&f[i]);
                        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
                        ck_assert(has(&d[i], "f"));
                }
        gb_fake_rename(fake, "top/d7", "d7");
        gb_fake_mkdir(fake, "top/d7", NULL);
        gb_fake_create(fake, "top/d7/f", NULL);
        look(&f[7]);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert(has(&d[7], "f"));
        look(&d[7]);
        ck_assert(has(&GB_GFID_ROOT, "d7"));
        look(&top);
        ck_assert(has(&GB_GFID_ROOT, "top"));
}
END_TEST

/* Its descriptor was given up, what is remembered of the way to it is wrong: another directory stands
 * there now, or a symlink that leads to where it went.  As with a descriptor, the name is right then, and the
 * way is once somebody asks for the directory that was moved. */
START_TEST(stale_chain_is_read_afresh)
{
        gb_gfid f, sub, d;
        char path[GB_PATH_MAX + 1];
        size_t len;
        struct rlimit few = {64, 64};

        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        gb_resolver_free(resolver);
        resolver = gb_resolver_new(brick, NULL);
        d = gb_fake_mkdir(fake, "d", NULL);
        sub = gb_fake_mkdir(fake, "d/sub", NULL);
        f = gb_fake_create(fake, "d/sub/f", NULL);
        look(&f);
        for (unsigned i = 0; i < 100; i++) { /* push every descriptor out */
                gb_gfid other;

                snprintf(path, 64, "o%u", i);
                gb_fake_mkdir(fake, path, NULL);
                strcat(path, "/f");
                other = gb_fake_create(fake, path, NULL);
                look(&other);
                ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        }
        gb_fake_rename(fake, "d", "moved");
        if (_i) {
                gb_fake_symlink(fake, "moved", "d", NULL);
        } else {
                gb_fake_mkdir(fake, "d", NULL);
                gb_fake_mkdir(fake, "d/sub", NULL);
        }
        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert(has(&sub, "f"));
        if (_i)
                look(&d);
        ck_assert_int_eq(gb_resolver_dir_path(resolver, &sub, path, &len, NULL), 1);
        ck_assert_str_eq(path, "moved/sub");
}
END_TEST

/* A heal may remove a directory and make it again with the same gfid while we hold the old one. */
START_TEST(directory_made_again_is_seen_through)
{
        gb_gfid d = gb_fake_mkdir(fake, "d", NULL), f = gb_fake_create(fake, "d/f", NULL);

        look(&f);
        gb_fake_rename(fake, "d/f", "f");
        gb_fake_rmdir(fake, "d");
        gb_fake_mkdir(fake, "d", &d);
        gb_fake_rename(fake, "f", "d/f");
        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert(has(&d, "f"));
}
END_TEST

/* ---- internal names ---- */

START_TEST(shard_tells_its_base_file)
{
        gb_gfid base = gb_fake_create(fake, "big", NULL), s;
        char path[128], text[GB_GFID_TEXT];

        gb_fake_mkdir(fake, ".shard", &GB_GFID_SHARD);
        snprintf(path, sizeof(path), ".shard/%s.12", gb_gfid_format(&base, text));
        s = gb_fake_create(fake, path, NULL);
        look(&s);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_uint_eq(fact.names.n, 0);
        ck_assert(gb_gfid_eq(&shard_base, &base));
        look(&base);
        ck_assert(gb_gfid_eq(&shard_base, &GB_GFID_NULL));
        ck_assert_uint_eq(fact.names.n, 1);
}
END_TEST

START_TEST(shard_names_are_parsed_strictly)
{
        static const struct {
                const char *name;
                bool ok;
        } cases[] = {{"be318638-e8a0-4c6d-977d-7a937aa84806.1", true},
                     {"be318638-e8a0-4c6d-977d-7a937aa84806.1234567", true},
                     {"be318638-e8a0-4c6d-977d-7a937aa84806.", false},
                     {"be318638-e8a0-4c6d-977d-7a937aa84806", false},
                     {"be318638-e8a0-4c6d-977d-7a937aa84806.1a", false},
                     {"be318638-e8a0-4c6d-977d-7a937aa84806-1", false},
                     {"be318638-e8a0-4c6d-977d-7a937aa8480x.1", false},
                     {".remove_me", false}};

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct gb_slot slot = {GB_GFID_SHARD, cases[i].name, strlen(cases[i].name)};
                gb_gfid base = GB_GFID_NULL;

                ck_assert_msg(gb_shard_base(&slot, &base) == cases[i].ok, "%s", cases[i].name);
                ck_assert(gb_gfid_eq(&base, cases[i].ok ? &GB_GFID_SHARD : &GB_GFID_NULL));
        }
}
END_TEST

START_TEST(names_below_internal_directories_are_hidden)
{
        gb_gfid anonymous = gb_gfid_anonymous_dir(&brick->volume_id), f, g, below, dir;

        gb_fake_mkdir(fake, ".trashcan", &GB_GFID_TRASH);
        below = gb_fake_mkdir(fake, ".trashcan/dir", NULL);
        f = gb_fake_create(fake, ".trashcan/dir/f", NULL);
        gb_fake_mkdir(fake, ".glusterfs-anonymous-inode-x", &anonymous);
        g = gb_fake_create(fake, ".glusterfs-anonymous-inode-x/g", NULL);
        dir = gb_fake_mkdir(fake, "d", NULL);
        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_uint_eq(fact.names.n, 0);
        gb_fake_link(fake, ".trashcan/dir/f", "d/kept");
        look(&f);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_uint_eq(fact.names.n, 1);
        ck_assert(has(&dir, "kept"));
        look(&g);
        ck_assert_uint_eq(fact.names.n, 0);
        look(&below);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        ck_assert_uint_eq(fact.names.n, 0);
        look(&GB_GFID_TRASH);
        ck_assert_uint_eq(fact.names.n, 0);
}
END_TEST

/* ---- slots ---- */

static int at(const gb_gfid *parent, const char *name, gb_gfid *gfid, char *type)
{
        struct gb_slot slot = {.parent = *parent, .name = name, .len = strlen(name)};

        return gb_resolver_slot(resolver, &slot, gfid, type, NULL);
}

START_TEST(slot_tells_who_stands_there)
{
        gb_gfid d = gb_fake_mkdir(fake, "d", NULL), f = gb_fake_create(fake, "d/f", NULL), found;
        gb_gfid gone = gb_fake_gfid(fake);
        char path[512], type;

        ck_assert_int_eq(at(&d, "f", &found, &type), 1);
        ck_assert(gb_gfid_eq(&found, &f) && type == 'f');
        ck_assert_int_eq(at(&GB_GFID_ROOT, "d", &found, &type), 1);
        ck_assert(gb_gfid_eq(&found, &d) && type == 'd');
        ck_assert_int_eq(at(&d, "nobody", &found, &type), 0);
        ck_assert_int_eq(at(&gone, "f", &found, &type), 0);
        gb_fake_linkto(fake, "v-client-1", "d/pointer", NULL);
        ck_assert_int_eq(at(&d, "pointer", &found, &type), 0);
        in_brick("d/behind", path);
        ck_assert_int_eq(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
        ck_assert_int_eq(at(&d, "behind", &found, &type), 0);
}
END_TEST

START_TEST(missing_directories_do_not_cost_a_pause_each_for_ever)
{
        struct gb_slot slot;
        int64_t begun = gb_now_ms();

        for (unsigned i = 0; i < 20000; i++) {
                gb_gfid g = gb_fake_gfid(fake);

                if (gb_resolver_dir(resolver, &g, &slot, NULL) != 0)
                        ck_abort_msg("found what is not there");
        }
        ck_assert_int_lt(gb_now_ms() - begun, 10000);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("resolve");
        TCase *tc = tcase_create("resolve");
        SRunner *runner;
        int failed;

        if (!gb_fake_available())
                return 77;
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_set_timeout(tc, 60);
        tcase_add_test(tc, file_has_the_name_its_xattr_tells);
        tcase_add_test(tc, file_in_the_root);
        tcase_add_test(tc, hard_links_are_all_found);
        tcase_add_test(tc, special_files_and_symlinks_have_their_type);
        tcase_add_test(tc, unknown_gfid_is_absent);
        tcase_add_test(tc, stale_xattr_of_a_rename_is_not_believed);
        tcase_add_test(tc, xattr_that_is_no_slot_is_ignored);
        tcase_add_test(tc, without_xattrs_the_object_is_partial);
        tcase_add_test(tc, hints_stand_in_for_missing_xattrs_and_are_verified);
        tcase_add_test(tc, last_new_name_of_the_window_is_tried_first_and_verified);
        tcase_add_test(tc, pgfid_leads_to_names_no_other_xattr_tells);
        tcase_add_test(tc, linkto_file_is_absent);
        tcase_add_test(tc, on_the_only_set_nothing_is_a_linkto_file);
        tcase_add_test(tc, sticky_file_without_linkto_is_a_users);
        tcase_add_test(tc, handle_without_a_name_is_absent);
        tcase_add_test(tc, directory_has_its_slot);
        tcase_add_test(tc, root_is_present_without_a_name);
        tcase_add_test(tc, users_symlink_that_reads_like_a_handle_is_a_symlink);
        tcase_add_test(tc, users_symlink_that_points_to_itself_is_no_directory);
        tcase_add_test(tc, handle_that_leads_to_another_object_is_not_believed);
        tcase_add_test(tc, depth_beyond_what_the_kernel_follows);
        tcase_add_test(tc, path_longer_than_the_kernel_takes_below_the_brick);
        tcase_add_test(tc, longest_path_fills_the_buffer_exactly);
        tcase_add_test(tc, loop_of_handles_ends);
        tcase_add_test(tc, removed_directory_is_absent_even_if_it_was_known);
        tcase_add_test(tc, renamed_directory_is_found_where_it_went);
        tcase_add_test(tc, names_are_verified_in_directories_that_are_not_open);
        tcase_add_loop_test(tc, stale_chain_is_read_afresh, 0, 2);
        tcase_add_test(tc, directory_made_again_is_seen_through);
        tcase_add_test(tc, shard_tells_its_base_file);
        tcase_add_test(tc, shard_names_are_parsed_strictly);
        tcase_add_test(tc, names_below_internal_directories_are_hidden);
        tcase_add_test(tc, slot_tells_who_stands_there);
        tcase_add_test(tc, missing_directories_do_not_cost_a_pause_each_for_ever);
        suite_add_tcase(suite, tc);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
