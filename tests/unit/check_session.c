/* links: daemon agent rpc base tirpc sqlite */
/*
 * The session store: the life of a session, refusals, crashes, damage, and its lock.
 */
#include <config.h>

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "fixture.h"
#include "lock.h"
#include "session.h"

#define S "nightly"
#define V "vol"

static const gb_gfid id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
static const gb_gfid other_id = {{16, 15}};

static char *dir, *file;
static struct gb_store *store;
static struct gb_error err;

static void reopen(void)
{
        gb_store_close(store);
        store = gb_store_open(dir, &err);
        ck_assert_msg(store != NULL, "%s", err.text);
}

static void setup(void)
{
        dir = fixture_folder();
        file = fixture_join(dir, "sessions.db");
        store = NULL;
        reopen();
}

static void teardown(void)
{
        gb_store_close(store);
        free(file);
        fixture_remove(dir);
}

#define OK(call) ck_assert_msg((call) == 0, "%s", err.text)
#define REFUSED(call, why)                                                                                   \
        do {                                                                                                 \
                ck_assert_int_eq((call), -1);                                                                \
                ck_assert_msg(err.code == (why), "%s: %s", gb_code_name(err.code), err.text);                \
        } while (0)

#define SET(field, prefix, str)                                                                              \
        ((field).prefix##_val = (char *)(uintptr_t)(str), (field).prefix##_len = (u_int)strlen(str))

static gbx_brick_cursor cursors[3];

/* A generation with two cursors that name it, and a boundary with a NUL in it. */
static gbx_generation generation(const char *name, gbx_session_kind kind)
{
        gbx_generation g = {.kind = kind, .when = 1700000000};

        SET(g.generation, gbx_name, name);
        SET(cursors[0].brick, gbx_brick, "/bricks/a");
        SET(cursors[0].cursor, gbx_cursor, name);
        SET(cursors[1].brick, gbx_brick, "/bricks/b");
        SET(cursors[1].cursor, gbx_cursor, "gb1 b");
        g.cursors.cursors_val = cursors;
        g.cursors.cursors_len = 2;
        g.boundary.boundary_val = (char *)(uintptr_t) "x\0y";
        g.boundary.boundary_len = 3;
        return g;
}

static int prepare(const char *name, const char *base, gbx_session_kind kind)
{
        gbx_generation g = generation(name, kind);

        return gb_store_prepare(store, S, V, base, &g, &err);
}

static int commit(const char *name)
{
        return gb_store_commit(store, S, V, name, &err);
}

static void expect_name(const gbx_name *n, const char *want)
{
        ck_assert_uint_eq(n->gbx_name_len, strlen(want));
        if (*want)
                ck_assert_mem_eq(n->gbx_name_val, want, strlen(want));
}

/* Names of the three generations; "" for none. */
static void expect(const char *committed, const char *pending, const char *last_full)
{
        gbx_session s;

        OK(gb_store_get(store, S, V, &GB_GFID_NULL, &s, &err));
        expect_name(&s.committed.generation, committed);
        expect_name(&s.pending.generation, pending);
        expect_name(&s.last_full.generation, last_full);
        xdr_free((xdrproc_t)xdr_gbx_session, (char *)&s);
}

static void registered(void)
{
        OK(gb_store_register(store, S, V, &id, 42, &err));
}

/* ---- life ---- */

START_TEST(new_store_is_private)
{
        struct stat st;

        ck_assert_int_eq(stat(file, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

START_TEST(registered_session_has_no_generation)
{
        gbx_session s;

        registered();
        OK(gb_store_get(store, S, V, &id, &s, &err));
        expect_name(&s.session, S);
        ck_assert_int_eq(s.registered, 42);
        ck_assert_mem_eq(s.volume_id, id.b, 16);
        ck_assert_uint_eq(s.committed.generation.gbx_name_len, 0);
        ck_assert_int_eq(s.committed.kind, GBX_NONE);
        xdr_free((xdrproc_t)xdr_gbx_session, (char *)&s);
}
END_TEST

START_TEST(session_is_registered_once_per_volume)
{
        registered();
        REFUSED(gb_store_register(store, S, V, &id, 43, &err), GB_ERR_SESSION_EXISTS);
        OK(gb_store_register(store, S, "vol2", &id, 43, &err));
}
END_TEST

START_TEST(unknown_session_is_refused_by_every_call)
{
        gbx_session s;

        registered();
        REFUSED(gb_store_get(store, "other", V, &GB_GFID_NULL, &s, &err), GB_ERR_NO_SESSION);
        REFUSED(gb_store_get(store, S, "other", &GB_GFID_NULL, &s, &err), GB_ERR_NO_SESSION);
        REFUSED(gb_store_commit(store, "other", V, "g", &err), GB_ERR_NO_SESSION);
        REFUSED(gb_store_abort(store, "other", V, "g", &err), GB_ERR_NO_SESSION);
        REFUSED(gb_store_unregister(store, "other", V, &err), GB_ERR_NO_SESSION);
}
END_TEST

START_TEST(recreated_volume_of_that_name_is_noticed)
{
        gbx_session s;

        registered();
        REFUSED(gb_store_get(store, S, V, &other_id, &s, &err), GB_ERR_GAP);
        ck_assert_ptr_nonnull(strstr(err.text, "full list"));
}
END_TEST

START_TEST(prepare_and_commit_move_the_session_on)
{
        registered();
        OK(prepare("g1", "", GBX_FULL));
        expect("", "g1", "");
        OK(commit("g1"));
        expect("g1", "", "g1");
        OK(prepare("g2", "g1", GBX_INCREMENTAL));
        expect("g1", "g2", "g1");
        OK(commit("g2"));
        expect("g2", "", "g1");
        OK(prepare("g3", "g2", GBX_FULL));
        OK(commit("g3"));
        expect("g3", "", "g3");
}
END_TEST

START_TEST(generation_comes_back_as_it_was_stored)
{
        gbx_session s;
        gbx_generation *g = &s.committed;

        registered();
        OK(prepare("g1", "", GBX_FULL));
        OK(commit("g1"));
        reopen();
        OK(gb_store_get(store, S, V, &id, &s, &err));
        ck_assert_int_eq(g->kind, GBX_FULL);
        ck_assert_int_eq(g->when, 1700000000);
        ck_assert_uint_eq(g->cursors.cursors_len, 2);
        ck_assert_mem_eq(g->cursors.cursors_val[0].brick.gbx_brick_val, "/bricks/a", 9);
        ck_assert_uint_eq(g->cursors.cursors_val[0].cursor.gbx_cursor_len, 2);
        ck_assert_mem_eq(g->cursors.cursors_val[0].cursor.gbx_cursor_val, "g1", 2);
        ck_assert_mem_eq(g->cursors.cursors_val[1].cursor.gbx_cursor_val, "gb1 b", 5);
        ck_assert_uint_eq(g->boundary.boundary_len, 3);
        ck_assert_mem_eq(g->boundary.boundary_val, "x\0y", 3);
        ck_assert_int_eq(s.last_full.when, 1700000000);
        ck_assert_uint_eq(s.last_full.cursors.cursors_len, 0); /* gb_store_last_full() has them */
        xdr_free((xdrproc_t)xdr_gbx_session, (char *)&s);
}
END_TEST

/* The last full: `name`, or "" for none, with the two cursors that name it, and its boundary. */
static void expect_last_full(const char *name)
{
        gbx_generation g;

        OK(gb_store_last_full(store, S, V, &g, &err));
        expect_name(&g.generation, name);
        if (*name) {
                ck_assert_int_eq(g.kind, GBX_FULL);
                ck_assert_uint_eq(g.cursors.cursors_len, 2);
                ck_assert_mem_eq(g.cursors.cursors_val[0].brick.gbx_brick_val, "/bricks/a", 9);
                ck_assert_uint_eq(g.cursors.cursors_val[0].cursor.gbx_cursor_len, strlen(name));
                ck_assert_mem_eq(g.cursors.cursors_val[0].cursor.gbx_cursor_val, name, strlen(name));
                ck_assert_mem_eq(g.cursors.cursors_val[1].cursor.gbx_cursor_val, "gb1 b", 5);
                ck_assert_uint_eq(g.boundary.boundary_len, 3);
                ck_assert_mem_eq(g.boundary.boundary_val, "x\0y", 3);
        }
        xdr_free((xdrproc_t)xdr_gbx_generation, (char *)&g);
}

START_TEST(position_of_the_last_full_stays_while_the_session_moves_on)
{
        registered();
        expect_last_full("");
        OK(prepare("f1", "", GBX_FULL));
        expect_last_full(""); /* only what is committed counts */
        OK(commit("f1"));
        expect_last_full("f1");
        OK(prepare("i1", "f1", GBX_INCREMENTAL));
        OK(commit("i1"));
        OK(prepare("c1", "i1", GBX_CUMULATIVE));
        OK(commit("c1"));
        expect_last_full("f1");
        OK(prepare("f2", "c1", GBX_FULL));
        expect_last_full("f1");
        OK(gb_store_abort(store, S, V, "f2", &err));
        expect_last_full("f1");
        OK(prepare("f3", "c1", GBX_FULL));
        OK(commit("f3"));
        OK(commit("f3"));
        reopen();
        expect_last_full("f3");
}
END_TEST

START_TEST(last_full_of_an_unknown_session_is_refused)
{
        gbx_generation g;

        REFUSED(gb_store_last_full(store, S, V, &g, &err), GB_ERR_NO_SESSION);
        REFUSED(gb_store_last_full(store, "..", V, &g, &err), GB_ERR_USAGE);
}
END_TEST

START_TEST(kind_of_a_generation_is_kept)
{
        static const gbx_session_kind kinds[] = {GBX_FULL, GBX_INCREMENTAL, GBX_CUMULATIVE};
        gbx_session s;
        gbx_generation g = generation("bad", (gbx_session_kind)4);

        registered();
        OK(prepare("g", "", kinds[_i]));
        OK(gb_store_get(store, S, V, &id, &s, &err));
        ck_assert_int_eq(s.pending.kind, kinds[_i]);
        xdr_free((xdrproc_t)xdr_gbx_session, (char *)&s);
        REFUSED(gb_store_prepare(store, S, V, "", &g, &err), GB_ERR_USAGE);
}
END_TEST

START_TEST(commit_is_idempotent)
{
        registered();
        OK(prepare("g1", "", GBX_FULL));
        OK(commit("g1"));
        OK(commit("g1"));
        OK(prepare("g2", "g1", GBX_INCREMENTAL));
        OK(commit("g1"));
        expect("g1", "g2", "g1");
}
END_TEST

START_TEST(commit_of_something_not_prepared_is_refused)
{
        registered();
        REFUSED(commit("g1"), GB_ERR_USAGE);
        OK(prepare("g1", "", GBX_FULL));
        REFUSED(commit("g2"), GB_ERR_USAGE);
        expect("", "g1", "");
}
END_TEST

START_TEST(prepare_replaces_an_older_pending_one)
{
        registered();
        OK(prepare("g1", "", GBX_FULL));
        OK(prepare("g2", "", GBX_FULL));
        expect("", "g2", "");
        REFUSED(commit("g1"), GB_ERR_USAGE);
        OK(commit("g2"));
}
END_TEST

START_TEST(prepare_on_the_wrong_base_is_busy)
{
        registered();
        REFUSED(prepare("g1", "g0", GBX_INCREMENTAL), GB_ERR_BUSY);
        OK(prepare("g1", "", GBX_FULL));
        OK(commit("g1"));
        REFUSED(prepare("g2", "", GBX_FULL), GB_ERR_BUSY);
        REFUSED(prepare("g2", "g0", GBX_INCREMENTAL), GB_ERR_BUSY);
        REFUSED(prepare("g1", "g1", GBX_INCREMENTAL), GB_ERR_USAGE);
        expect("g1", "", "g1");
}
END_TEST

START_TEST(abort_forgets_pending_but_never_committed)
{
        registered();
        OK(gb_store_abort(store, S, V, "g1", &err));
        OK(prepare("g1", "", GBX_FULL));
        OK(gb_store_abort(store, S, V, "other", &err));
        expect("", "g1", "");
        OK(gb_store_abort(store, S, V, "g1", &err));
        expect("", "", "");
        OK(prepare("g2", "", GBX_FULL));
        OK(commit("g2"));
        REFUSED(gb_store_abort(store, S, V, "g2", &err), GB_ERR_BUSY);
        expect("g2", "", "g2");
}
END_TEST

START_TEST(unregister_takes_everything_of_that_session_only)
{
        gbx_sessions_res all;
        gbx_session s;

        registered();
        OK(gb_store_register(store, "other", V, &id, 1, &err));
        OK(prepare("g1", "", GBX_FULL));
        OK(commit("g1"));
        OK(gb_store_unregister(store, S, V, &err));
        REFUSED(gb_store_get(store, S, V, &id, &s, &err), GB_ERR_NO_SESSION);
        registered();
        expect("", "", "");
        OK(gb_store_list(store, &all, &err));
        ck_assert_uint_eq(all.gbx_sessions_res_u.sessions.sessions_len, 2);
        xdr_free((xdrproc_t)xdr_gbx_sessions_res, (char *)&all);
}
END_TEST

START_TEST(list_names_sessions_without_cursors)
{
        gbx_sessions_res all;
        gbx_session *s;

        registered();
        OK(gb_store_register(store, "a", V, &id, 1, &err));
        OK(prepare("g1", "", GBX_FULL));
        OK(gb_store_list(store, &all, &err));
        ck_assert_uint_eq(all.gbx_sessions_res_u.sessions.sessions_len, 2);
        s = all.gbx_sessions_res_u.sessions.sessions_val;
        expect_name(&s[0].session, "a");
        expect_name(&s[1].session, S);
        expect_name(&s[1].pending.generation, "g1");
        ck_assert_uint_eq(s[1].pending.cursors.cursors_len, 0);
        ck_assert_uint_eq(s[1].pending.boundary.boundary_len, 0);
        xdr_free((xdrproc_t)xdr_gbx_sessions_res, (char *)&all);
}
END_TEST

/* ---- what is judged ---- */

static const char *const bad_names[] = {"", "-x", ".x", "a/b", "a b", "a\nb", "\xc3\xa4", "..", "a'b"};

START_TEST(hostile_names_are_refused)
{
        REFUSED(gb_store_register(store, bad_names[_i], V, &id, 1, &err), GB_ERR_USAGE);
        REFUSED(gb_store_register(store, S, bad_names[_i], &id, 1, &err), GB_ERR_USAGE);
}
END_TEST

START_TEST(names_are_bounded)
{
        char name[GB_VOLUME_MAX + 2];

        memset(name, 'x', sizeof(name));
        name[GB_SESSION_MAX + 1] = '\0';
        REFUSED(gb_store_register(store, name, V, &id, 1, &err), GB_ERR_USAGE);
        name[GB_SESSION_MAX] = '\0';
        OK(gb_store_register(store, name, V, &id, 1, &err));
        memset(name, 'x', sizeof(name));
        name[GB_VOLUME_MAX + 1] = '\0';
        REFUSED(gb_store_register(store, S, name, &id, 1, &err), GB_ERR_USAGE);
        name[GB_VOLUME_MAX] = '\0';
        OK(gb_store_register(store, S, name, &id, 1, &err));
}
END_TEST

static int prepare_this(const gbx_generation *g)
{
        return gb_store_prepare(store, S, V, "", g, &err);
}

START_TEST(malformed_generation_is_refused_and_stores_nothing)
{
        gbx_generation g = generation("g1", GBX_NONE);

        registered();
        REFUSED(prepare_this(&g), GB_ERR_USAGE);
        g = generation("", GBX_FULL);
        REFUSED(prepare_this(&g), GB_ERR_USAGE);
        g = generation("a b", GBX_FULL);
        REFUSED(prepare_this(&g), GB_ERR_USAGE);
        g = generation("g1", GBX_FULL);
        g.generation.gbx_name_val = (char *)(uintptr_t) "a\0b";
        g.generation.gbx_name_len = 3;
        REFUSED(prepare_this(&g), GB_ERR_USAGE);
        g = generation("g1", GBX_FULL);
        SET(cursors[1].brick, gbx_brick, "relative");
        REFUSED(prepare_this(&g), GB_ERR_USAGE);
        g = generation("g1", GBX_FULL);
        cursors[0].cursor.gbx_cursor_len = 0;
        REFUSED(prepare_this(&g), GB_ERR_USAGE);
        g = generation("g1", GBX_FULL);
        SET(cursors[1].brick, gbx_brick, "/bricks/a");
        REFUSED(prepare_this(&g), GB_ERR_USAGE);
        ck_assert_ptr_nonnull(strstr(err.text, "two cursors for /bricks/a"));
        expect("", "", "");
}
END_TEST

START_TEST(refused_prepare_keeps_the_older_pending_one)
{
        gbx_generation g;

        registered();
        OK(prepare("g1", "", GBX_FULL));
        g = generation("g2", GBX_FULL);
        SET(cursors[1].brick, gbx_brick, "/bricks/a");
        REFUSED(prepare_this(&g), GB_ERR_USAGE);
        expect("", "g1", "");
}
END_TEST

START_TEST(empty_generation_and_boundary_are_possible)
{
        gbx_generation g = generation("g1", GBX_FULL);

        registered();
        g.cursors.cursors_len = 0;
        g.boundary.boundary_len = 0;
        g.boundary.boundary_val = NULL;
        OK(prepare_this(&g));
        OK(commit("g1"));
        expect("g1", "", "g1");
}
END_TEST

/* ---- crash and damage ---- */

/* A child works on the session without end and is killed at some instant: the store must open again
 * and hold one of the states the child passed through. */
static void work_until_killed(int ready)
{
        char now[32], last[32] = "";

        store = gb_store_open(dir, &err);
        for (unsigned i = 0; store; i++) {
                snprintf(now, sizeof(now), "g%u", i);
                if (prepare(now, last, GBX_FULL) < 0 || commit(now) < 0)
                        break;
                memcpy(last, now, sizeof(last));
                if (i == 2 && write(ready, "", 1) != 1)
                        break;
        }
        _exit(1);
}

static void expect_whole(void)
{
        gbx_session s;
        gbx_generation full;
        const gbx_brick_cursor *c;

        OK(gb_store_get(store, S, V, &id, &s, &err));
        ck_assert_uint_eq(s.committed.cursors.cursors_len, 2);
        c = &s.committed.cursors.cursors_val[0];
        ck_assert_uint_eq(c->cursor.gbx_cursor_len, s.committed.generation.gbx_name_len);
        ck_assert_mem_eq(c->cursor.gbx_cursor_val, s.committed.generation.gbx_name_val,
                         c->cursor.gbx_cursor_len);
        ck_assert_uint_eq(s.last_full.generation.gbx_name_len, s.committed.generation.gbx_name_len);
        ck_assert_mem_eq(s.last_full.generation.gbx_name_val, s.committed.generation.gbx_name_val,
                         s.committed.generation.gbx_name_len);
        if (s.pending.generation.gbx_name_len)
                ck_assert_uint_eq(s.pending.cursors.cursors_len, 2);
        OK(gb_store_last_full(store, S, V, &full, &err));
        ck_assert_uint_eq(full.cursors.cursors_len, 2);
        ck_assert_mem_eq(full.cursors.cursors_val[0].cursor.gbx_cursor_val,
                         s.committed.generation.gbx_name_val, s.committed.generation.gbx_name_len);
        xdr_free((xdrproc_t)xdr_gbx_generation, (char *)&full);
        xdr_free((xdrproc_t)xdr_gbx_session, (char *)&s);
}

START_TEST(store_survives_a_kill_at_any_instant)
{
        struct timespec pause = {0, (long)(_i * 1700 % 9000) * 1000};
        int ready[2], status;
        char byte;
        pid_t pid;

        registered();
        gb_store_close(store);
        store = NULL;
        ck_assert_int_eq(pipe(ready), 0);
        pid = fork();
        if (pid == 0)
                work_until_killed(ready[1]);
        close(ready[1]);
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        nanosleep(&pause, NULL);
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status));
        close(ready[0]);
        reopen();
        expect_whole();
}
END_TEST

START_TEST(file_that_is_no_database_is_corrupt_and_left_alone)
{
        struct stat before, after;
        FILE *f;

        gb_store_close(store);
        f = fopen(file, "wb");
        for (int i = 0; i < 4096; i++)
                fputc("no database "[i % 12], f);
        fclose(f);
        ck_assert_int_eq(stat(file, &before), 0);
        store = gb_store_open(dir, &err);
        ck_assert_ptr_null(store);
        ck_assert_int_eq(err.code, GB_ERR_CORRUPT);
        ck_assert_ptr_nonnull(strstr(err.text, file));
        ck_assert_ptr_nonnull(strstr(err.text, "restore it"));
        ck_assert_int_eq(stat(file, &after), 0);
        ck_assert_int_eq(before.st_size, after.st_size);
        ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}
END_TEST

/* Every page but the first is overwritten in turn: it is noticed at open, never read as state. */
START_TEST(overwritten_page_is_corrupt)
{
        struct stat st;
        int fd, rc = 0;
        char page[4096];

        registered();
        OK(prepare("g1", "", GBX_FULL));
        gb_store_close(store);
        store = NULL;
        ck_assert_int_eq(stat(file, &st), 0);
        fd = open(file, O_RDWR);
        memset(page, 0xa5, sizeof(page));
        for (off_t at = 4096; at < st.st_size; at += 4096) {
                char keep[4096];

                ck_assert_int_eq(pread(fd, keep, 4096, at), 4096);
                ck_assert_int_eq(pwrite(fd, page, 4096, at), 4096);
                store = gb_store_open(dir, &err);
                ck_assert_msg(store == NULL, "page at %lld", (long long)at);
                ck_assert_int_eq(err.code, GB_ERR_CORRUPT);
                ck_assert_int_eq(pwrite(fd, keep, 4096, at), 4096);
                rc++;
        }
        close(fd);
        ck_assert_int_gt(rc, 5);
        reopen();
        expect("", "g1", "");
}
END_TEST

START_TEST(store_of_a_later_version_is_refused)
{
        sqlite3 *db;

        gb_store_close(store);
        ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(db, "PRAGMA user_version = 2", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        store = gb_store_open(dir, &err);
        ck_assert_ptr_null(store);
        ck_assert_int_eq(err.code, GB_ERR_CORRUPT);
        ck_assert_ptr_nonnull(
                strstr(err.text, "written by a newer gbackupd (schema 2, this one knows up to 1)"));
}
END_TEST

/* ---- lock ---- */

START_TEST(lock_is_exclusive_and_names_its_holder)
{
        struct gb_lock a = GB_LOCK_NONE, b = GB_LOCK_NONE;

        registered();
        OK(gb_lock_take(store, S, V, "gbackup-cli 0.1 (pid 7)", &a, &err));
        REFUSED(gb_lock_take(store, S, V, "b", &b, &err), GB_ERR_BUSY);
        ck_assert_ptr_nonnull(strstr(err.text, "gbackup-cli 0.1 (pid 7) since"));
        ck_assert_int_eq(gb_lock_held(&a, store, S, V, &err), 1);
        ck_assert_int_eq(gb_lock_held(&b, store, S, V, &err), 0);
        gb_lock_drop(&a);
        OK(gb_lock_take(store, S, V, "b", &b, &err));
        gb_lock_drop(&b);
        gb_lock_drop(&b);
}
END_TEST

START_TEST(locks_of_sessions_and_volumes_are_independent)
{
        struct gb_lock a = GB_LOCK_NONE, b = GB_LOCK_NONE, c = GB_LOCK_NONE;

        registered();
        OK(gb_store_register(store, S, "vol2", &id, 1, &err));
        OK(gb_lock_take(store, S, V, "a", &a, &err));
        OK(gb_lock_take(store, S, "vol2", "b", &b, &err));
        ck_assert_int_eq(gb_lock_held(&a, store, S, "vol2", &err), 0);
        REFUSED(gb_lock_take(store, "none", V, "c", &c, &err), GB_ERR_NO_SESSION);
        gb_lock_drop(&a);
        gb_lock_drop(&b);
}
END_TEST

START_TEST(lock_is_released_by_the_death_of_its_holder)
{
        struct gb_lock l = GB_LOCK_NONE;
        int ready[2];
        char byte;
        pid_t pid;

        registered();
        gb_store_close(store);
        store = NULL;
        ck_assert_int_eq(pipe(ready), 0);
        pid = fork();
        if (pid == 0) {
                store = gb_store_open(dir, &err);
                if (!store || gb_lock_take(store, S, V, "child", &l, &err) < 0 || write(ready[1], "", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        close(ready[1]);
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        reopen();
        REFUSED(gb_lock_take(store, S, V, "parent", &l, &err), GB_ERR_BUSY);
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        OK(gb_lock_take(store, S, V, "parent", &l, &err));
        gb_lock_drop(&l);
}
END_TEST

START_TEST(lock_of_an_unregistered_session_locks_nothing)
{
        struct gb_lock old = GB_LOCK_NONE, fresh = GB_LOCK_NONE;

        registered();
        OK(gb_lock_take(store, S, V, "a", &old, &err));
        OK(gb_store_unregister(store, S, V, &err));
        ck_assert_int_eq(gb_lock_held(&old, store, S, V, &err), -1);
        registered();
        ck_assert_int_eq(gb_lock_held(&old, store, S, V, &err), 0);
        OK(gb_lock_take(store, S, V, "b", &fresh, &err));
        gb_lock_drop(&old);
        gb_lock_drop(&fresh);
}
END_TEST

static TCase *life(void)
{
        TCase *c = tcase_create("life");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, new_store_is_private);
        tcase_add_test(c, registered_session_has_no_generation);
        tcase_add_test(c, session_is_registered_once_per_volume);
        tcase_add_test(c, unknown_session_is_refused_by_every_call);
        tcase_add_test(c, recreated_volume_of_that_name_is_noticed);
        tcase_add_test(c, prepare_and_commit_move_the_session_on);
        tcase_add_test(c, generation_comes_back_as_it_was_stored);
        tcase_add_test(c, position_of_the_last_full_stays_while_the_session_moves_on);
        tcase_add_test(c, last_full_of_an_unknown_session_is_refused);
        tcase_add_loop_test(c, kind_of_a_generation_is_kept, 0, 3);
        tcase_add_test(c, commit_is_idempotent);
        tcase_add_test(c, commit_of_something_not_prepared_is_refused);
        tcase_add_test(c, prepare_replaces_an_older_pending_one);
        tcase_add_test(c, prepare_on_the_wrong_base_is_busy);
        tcase_add_test(c, abort_forgets_pending_but_never_committed);
        tcase_add_test(c, unregister_takes_everything_of_that_session_only);
        tcase_add_test(c, list_names_sessions_without_cursors);
        return c;
}

static TCase *judged(void)
{
        TCase *c = tcase_create("judged");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_loop_test(c, hostile_names_are_refused, 0, (int)(sizeof(bad_names) / sizeof(bad_names[0])));
        tcase_add_test(c, names_are_bounded);
        tcase_add_test(c, malformed_generation_is_refused_and_stores_nothing);
        tcase_add_test(c, refused_prepare_keeps_the_older_pending_one);
        tcase_add_test(c, empty_generation_and_boundary_are_possible);
        return c;
}

static TCase *damage(void)
{
        TCase *c = tcase_create("damage");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_loop_test(c, store_survives_a_kill_at_any_instant, 0, 12);
        tcase_add_test(c, file_that_is_no_database_is_corrupt_and_left_alone);
        tcase_add_test(c, overwritten_page_is_corrupt);
        tcase_add_test(c, store_of_a_later_version_is_refused);
        return c;
}

static TCase *locks(void)
{
        TCase *c = tcase_create("lock");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, lock_is_exclusive_and_names_its_holder);
        tcase_add_test(c, locks_of_sessions_and_volumes_are_independent);
        tcase_add_test(c, lock_is_released_by_the_death_of_its_holder);
        tcase_add_test(c, lock_of_an_unregistered_session_locks_nothing);
        return c;
}

int main(void)
{
        Suite *s = suite_create("session");
        SRunner *r;
        int failed;

        suite_add_tcase(s, life());
        suite_add_tcase(s, judged());
        suite_add_tcase(s, damage());
        suite_add_tcase(s, locks());
        r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? 1 : 0;
}
