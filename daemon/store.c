/*
 * store - the SQLite file.
 *
 * `struct gb_tx` rolls back unless it was committed, which makes every early return safe.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "store.h"

#define SCHEMA_VERSION 1
#define BUSY_MS        5000

static const char schema[] = "CREATE TABLE session ("
                             "  id INTEGER PRIMARY KEY AUTOINCREMENT," /* lock files bear it: never reused */
                             "  name TEXT NOT NULL,"
                             "  volume TEXT NOT NULL,"
                             "  volume_id BLOB NOT NULL CHECK (length(volume_id) = 16),"
                             "  registered INTEGER NOT NULL,"
                             "  UNIQUE (name, volume));"
                             "CREATE TABLE generation ("
                             "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
                             "  session INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,"
                             "  state TEXT NOT NULL CHECK (state IN ('committed', 'pending', 'last_full')),"
                             "  name TEXT NOT NULL,"
                             "  kind INTEGER NOT NULL,"
                             "  taken INTEGER NOT NULL,"
                             "  boundary BLOB NOT NULL,"
                             "  UNIQUE (session, state));"
                             "CREATE TABLE cursor ("
                             "  generation INTEGER NOT NULL REFERENCES generation (id) ON DELETE CASCADE,"
                             "  brick BLOB NOT NULL,"
                             "  cursor BLOB NOT NULL,"
                             "  PRIMARY KEY (generation, brick)) WITHOUT ROWID;"
                             "PRAGMA user_version = 1;";

/* ---- failures ---- */

int gb_store_fail(struct gb_store *s, struct gb_error *err, const char *what)
{
        int rc = sqlite3_errcode(s->db);

        switch (rc & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return gb_error_set(
                        err, GB_ERR_CORRUPT,
                        "%s: the session store is damaged (%s); restore it from a backup, or move it away "
                        "and register the sessions again: their next run is a full one",
                        s->file, sqlite3_errmsg(s->db));
        case SQLITE_FULL:
                return gb_error_set(err, GB_ERR_NO_SPACE, "%s: no space left to %s", s->file, what);
        case SQLITE_NOMEM:
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory to %s", s->file, what);
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return gb_error_set(err, GB_ERR_BUSY, "%s: in use by others for more than %d s", s->file,
                                    BUSY_MS / 1000);
        default:
                return gb_error_set(err, GB_ERR_SYSTEM, "%s: %s: %s", s->file, what, sqlite3_errmsg(s->db));
        }
}

int gb_store_no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "session store: out of memory");
}

/* ---- statements and transactions ---- */

void gb_stmt_cleanup(sqlite3_stmt **st)
{
        sqlite3_finalize(*st);
}

sqlite3_stmt *gb_store_stmt(struct gb_store *s, const char *sql, struct gb_error *err)
{
        sqlite3_stmt *st = NULL;

        if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
                gb_store_fail(s, err, "read the session store");
        return st;
}

int gb_bind_text(sqlite3_stmt *st, int at, const char *text)
{
        return sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

int gb_bind_blob(sqlite3_stmt *st, int at, const void *p, size_t n)
{
        return n ? sqlite3_bind_blob(st, at, p, (int)n, SQLITE_STATIC) : sqlite3_bind_zeroblob(st, at, 0);
}

int gb_store_run(struct gb_store *s, sqlite3_stmt *st, struct gb_error *err)
{
        return sqlite3_step(st) == SQLITE_DONE ? 0 : gb_store_fail(s, err, "write the session store");
}

static int exec(struct gb_store *s, const char *sql, struct gb_error *err)
{
        return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK
                       ? 0
                       : gb_store_fail(s, err, "write the session store");
}

void gb_tx_cleanup(struct gb_tx *t)
{
        if (t->store)
                sqlite3_exec(t->store->db, "ROLLBACK", NULL, NULL, NULL);
}

int gb_tx_begin(struct gb_tx *t, struct gb_store *s, struct gb_error *err)
{
        if (exec(s, "BEGIN IMMEDIATE", err) < 0)
                return -1;
        t->store = s;
        return 0;
}

int gb_tx_commit(struct gb_tx *t, struct gb_error *err)
{
        if (exec(t->store, "COMMIT", err) < 0)
                return -1;
        t->store = NULL;
        return 0;
}

/* ---- opening ---- */

int gb_store_int(struct gb_store *s, const char *sql, int *out, struct gb_error *err)
{
        GB_CLEANUP_STMT sqlite3_stmt *st = gb_store_stmt(s, sql, err);

        if (!st)
                return -1;
        if (sqlite3_step(st) != SQLITE_ROW)
                return gb_store_fail(s, err, "read the session store");
        *out = sqlite3_column_int(st, 0);
        return 0;
}

/* The file is small, so all of it is checked each time it is opened: damage must not pass as state. */
static int check_whole(struct gb_store *s, struct gb_error *err)
{
        GB_CLEANUP_STMT sqlite3_stmt *st = gb_store_stmt(s, "PRAGMA quick_check(1)", err);
        const char *said;

        if (!st)
                return -1;
        if (sqlite3_step(st) != SQLITE_ROW)
                return gb_store_fail(s, err, "check the session store");
        said = (const char *)sqlite3_column_text(st, 0);
        if (said && !strcmp(said, "ok"))
                return 0;
        return gb_error_set(
                err, GB_ERR_CORRUPT,
                "%s: the session store is damaged (%s); restore it from a backup, or move it away and "
                "register the sessions again: their next run is a full one",
                s->file, said ? said : "unreadable");
}

static int set_up(struct gb_store *s, struct gb_error *err)
{
        GB_CLEANUP_TX struct gb_tx tx = {NULL};
        int version;

        sqlite3_busy_timeout(s->db, BUSY_MS);
        sqlite3_extended_result_codes(s->db, 1);
        if (exec(s, "PRAGMA foreign_keys = ON; PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;",
                 err) < 0 ||
            gb_tx_begin(&tx, s, err) < 0 || gb_store_int(s, "PRAGMA user_version", &version, err) < 0)
                return -1;
        if (version != 0 && version != SCHEMA_VERSION)
                return gb_error_set(
                        err, GB_ERR_CORRUPT,
                        "%s: written by a newer gbackupd (schema %d, this one knows up to %d): install that "
                        "version again, or restore the file saved before the upgrade",
                        s->file, version, SCHEMA_VERSION);
        if (version == 0 && exec(s, schema, err) < 0)
                return -1;
        if (gb_tx_commit(&tx, err) < 0)
                return -1;
        return check_whole(s, err);
}

static int make_dir(const char *path, struct gb_error *err)
{
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: create directory", path);
        return 0;
}

static int open_file(struct gb_store *s, struct gb_error *err)
{
        GB_CLEANUP_CLOSE
        int fd = -1;
        GB_CLEANUP_FREE
        char *locks = NULL;

        if (asprintf(&locks, "%s/locks", s->dir) < 0) {
                locks = NULL;
                return gb_store_no_memory(err);
        }
        if (make_dir(s->dir, err) < 0 || make_dir(locks, err) < 0)
                return -1;
        /* Made here and not by SQLite, whose journals then inherit mode 0600. */
        fd = open(s->file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: open session store", s->file);
        if (sqlite3_open_v2(s->file, &s->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
                return s->db ? gb_store_fail(s, err, "open") : gb_store_no_memory(err);
        return set_up(s, err);
}

struct gb_store *gb_store_open(const char *state_dir, struct gb_error *err)
{
        struct gb_store *s = calloc(1, sizeof(*s));

        if (!s) {
                gb_store_no_memory(err);
                return NULL;
        }
        s->dir = strdup(state_dir);
        if (!s->dir || asprintf(&s->file, "%s/sessions.db", state_dir) < 0) {
                s->file = NULL;
                gb_store_no_memory(err);
                goto fail;
        }
        if (open_file(s, err) < 0)
                goto fail;
        return s;
fail:
        gb_store_close(s);
        return NULL;
}

void gb_store_close(struct gb_store *s)
{
        if (!s)
                return;
        sqlite3_close(s->db);
        free(s->dir);
        free(s->file);
        free(s);
}
