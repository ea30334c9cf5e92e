/*
 * session - the store.
 *
 * Each public function is one transaction, begun IMMEDIATE so that reading the state and acting on it
 * cannot be torn apart by another worker.  `struct tx` below rolls back unless it was committed, which
 * makes every early return safe.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "glusterd.h"
#include "session.h"

#define SCHEMA_VERSION 1
#define BUSY_MS        5000

struct gb_store {
        sqlite3 *db;
        char *dir;
        char *file;
};

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

static int fail(struct gb_store *s, struct gb_error *err, const char *what)
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

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "session store: out of memory");
}

/* ---- names ---- */

int gb_session_name_check(const char *name, struct gb_error *err)
{
        static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
        size_t n = strlen(name);

        if (n < 1 || n > GB_SESSION_MAX || strspn(name, ok) != n || name[0] == '-' || name[0] == '.')
                return gb_error_set(
                        err, GB_ERR_USAGE,
                        "bad session name: 1 to %d letters, digits, '.', '_', '-' are allowed, not "
                        "beginning with '.' or '-'",
                        GB_SESSION_MAX);
        return 0;
}

int gb_volume_name_check(const char *name, struct gb_error *err)
{
        if (!gb_volume_name_valid(name))
                return gb_error_set(
                        err, GB_ERR_USAGE,
                        "bad volume name: 1 to %d letters, digits, '.', '_', '-' are allowed, not "
                        "beginning with '.' or '-', not 'all'",
                        GB_VOLUME_MAX);
        return 0;
}

int gb_generation_check(const char *name, struct gb_error *err)
{
        size_t n = strlen(name);

        for (size_t i = 0; i < n; i++)
                if (name[i] <= 0x20 || name[i] >= 0x7f)
                        n = 0;
        if (n < 1 || n > GB_HOST_MAX)
                return gb_error_set(err, GB_ERR_USAGE,
                                    "bad generation: 1 to %d printable characters are allowed", GB_HOST_MAX);
        return 0;
}

/* ---- statements and transactions ---- */

static void stmt_cleanup(sqlite3_stmt **st)
{
        sqlite3_finalize(*st);
}
#define CLEANUP_STMT __attribute__((cleanup(stmt_cleanup)))

static sqlite3_stmt *prepare(struct gb_store *s, const char *sql, struct gb_error *err)
{
        sqlite3_stmt *st = NULL;

        if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
                fail(s, err, "read the session store");
        return st;
}

static int bind_text(sqlite3_stmt *st, int at, const char *text)
{
        return sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

/* An empty blob must not become NULL. */
static int bind_blob(sqlite3_stmt *st, int at, const void *p, size_t n)
{
        return n ? sqlite3_bind_blob(st, at, p, (int)n, SQLITE_STATIC) : sqlite3_bind_zeroblob(st, at, 0);
}

/* A statement without rows. */
static int run(struct gb_store *s, sqlite3_stmt *st, struct gb_error *err)
{
        return sqlite3_step(st) == SQLITE_DONE ? 0 : fail(s, err, "write the session store");
}

static int exec(struct gb_store *s, const char *sql, struct gb_error *err)
{
        return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK
                       ? 0
                       : fail(s, err, "write the session store");
}

struct tx {
        struct gb_store *store; /* NULL once it is over */
};

static void tx_cleanup(struct tx *t)
{
        if (t->store)
                sqlite3_exec(t->store->db, "ROLLBACK", NULL, NULL, NULL);
}
#define CLEANUP_TX __attribute__((cleanup(tx_cleanup)))

static int tx_begin(struct tx *t, struct gb_store *s, struct gb_error *err)
{
        if (exec(s, "BEGIN IMMEDIATE", err) < 0)
                return -1;
        t->store = s;
        return 0;
}

static int tx_commit(struct tx *t, struct gb_error *err)
{
        if (exec(t->store, "COMMIT", err) < 0)
                return -1;
        t->store = NULL;
        return 0;
}

/* ---- opening ---- */

static int pragma_int(struct gb_store *s, const char *sql, int *out, struct gb_error *err)
{
        CLEANUP_STMT sqlite3_stmt *st = prepare(s, sql, err);

        if (!st)
                return -1;
        if (sqlite3_step(st) != SQLITE_ROW)
                return fail(s, err, "read the session store");
        *out = sqlite3_column_int(st, 0);
        return 0;
}

/* The file is small, so all of it is checked each time it is opened: damage must not pass as state. */
static int check_whole(struct gb_store *s, struct gb_error *err)
{
        CLEANUP_STMT sqlite3_stmt *st = prepare(s, "PRAGMA quick_check(1)", err);
        const char *said;

        if (!st)
                return -1;
        if (sqlite3_step(st) != SQLITE_ROW)
                return fail(s, err, "check the session store");
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
        CLEANUP_TX struct tx tx = {NULL};
        int version;

        sqlite3_busy_timeout(s->db, BUSY_MS);
        sqlite3_extended_result_codes(s->db, 1);
        if (exec(s, "PRAGMA foreign_keys = ON; PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;",
                 err) < 0 ||
            tx_begin(&tx, s, err) < 0 || pragma_int(s, "PRAGMA user_version", &version, err) < 0)
                return -1;
        if (version != 0 && version != SCHEMA_VERSION)
                return gb_error_set(
                        err, GB_ERR_CORRUPT,
                        "%s: written by a newer gbackupd (schema %d, this one knows up to %d): install that "
                        "version again, or restore the file saved before the upgrade",
                        s->file, version, SCHEMA_VERSION);
        if (version == 0 && exec(s, schema, err) < 0)
                return -1;
        if (tx_commit(&tx, err) < 0)
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
                return no_memory(err);
        }
        if (make_dir(s->dir, err) < 0 || make_dir(locks, err) < 0)
                return -1;
        /* Made here and not by SQLite, whose journals then inherit mode 0600. */
        fd = open(s->file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: open session store", s->file);
        if (sqlite3_open_v2(s->file, &s->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
                return s->db ? fail(s, err, "open") : no_memory(err);
        return set_up(s, err);
}

struct gb_store *gb_store_open(const char *state_dir, struct gb_error *err)
{
        struct gb_store *s = calloc(1, sizeof(*s));

        if (!s) {
                no_memory(err);
                return NULL;
        }
        s->dir = strdup(state_dir);
        if (!s->dir || asprintf(&s->file, "%s/sessions.db", state_dir) < 0) {
                s->file = NULL;
                no_memory(err);
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

/* ---- rows to gbx values ---- */

/* Copy a column into a wire string. */
static int take_bytes(sqlite3_stmt *st, int col, unsigned max, char **val, u_int *len, struct gb_error *err)
{
        const void *p = sqlite3_column_blob(st, col);
        int n = sqlite3_column_bytes(st, col);

        if (n < 0 || (unsigned)n > max)
                return gb_error_set(err, GB_ERR_CORRUPT, "session store: a value is longer than %u bytes",
                                    max);
        *val = malloc((size_t)n + 1);
        if (!*val)
                return no_memory(err);
        memcpy(*val, n ? p : "", (size_t)n);
        (*val)[n] = '\0';
        *len = (u_int)n;
        return 0;
}

static int row_of(struct gb_store *s, const char *session, const char *volume, int64_t *row,
                  gb_gfid *volume_id, int64_t *registered, struct gb_error *err)
{
        CLEANUP_STMT sqlite3_stmt *st = prepare(
                s, "SELECT id, volume_id, registered FROM session WHERE name = ? AND volume = ?", err);
        int rc;

        if (!st)
                return -1;
        bind_text(st, 1, session);
        bind_text(st, 2, volume);
        rc = sqlite3_step(st);
        if (rc == SQLITE_DONE)
                return gb_error_set(err, GB_ERR_NO_SESSION, "no session %s of volume %s is registered here",
                                    session, volume);
        if (rc != SQLITE_ROW)
                return fail(s, err, "read the session store");
        *row = sqlite3_column_int64(st, 0);
        if (sqlite3_column_bytes(st, 1) != (int)sizeof(volume_id->b))
                return gb_error_set(err, GB_ERR_CORRUPT, "%s: session %s has no volume id", s->file, session);
        memcpy(volume_id->b, sqlite3_column_blob(st, 1), sizeof(volume_id->b));
        *registered = sqlite3_column_int64(st, 2);
        return 0;
}

static int row_only(struct gb_store *s, const char *session, const char *volume, int64_t *row,
                    struct gb_error *err)
{
        gb_gfid volume_id;
        int64_t registered;

        return row_of(s, session, volume, row, &volume_id, &registered, err);
}

static int load_cursors(struct gb_store *s, int64_t generation, gbx_generation *out, struct gb_error *err)
{
        CLEANUP_STMT sqlite3_stmt *st =
                prepare(s, "SELECT brick, cursor FROM cursor WHERE generation = ? ORDER BY brick", err);
        gbx_brick_cursor *c;
        int rc;

        if (!st)
                return -1;
        sqlite3_bind_int64(st, 1, generation);
        out->cursors.cursors_val = calloc(GBX_BRICKS_MAX, sizeof(*c));
        if (!out->cursors.cursors_val)
                return no_memory(err);
        while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
                if (out->cursors.cursors_len == GBX_BRICKS_MAX)
                        return gb_error_set(err, GB_ERR_CORRUPT, "%s: too many cursors", s->file);
                c = &out->cursors.cursors_val[out->cursors.cursors_len++];
                if (take_bytes(st, 0, GBX_BRICK_MAX, &c->brick.gbx_brick_val, &c->brick.gbx_brick_len, err) <
                            0 ||
                    take_bytes(st, 1, GBX_CURSOR_MAX, &c->cursor.gbx_cursor_val, &c->cursor.gbx_cursor_len,
                               err) < 0)
                        return -1;
        }
        return rc == SQLITE_DONE ? 0 : fail(s, err, "read the session store");
}

static gbx_session_kind kind_of(int stored)
{
        return stored == GBX_FULL ? GBX_FULL : stored == GBX_CUMULATIVE ? GBX_CUMULATIVE : GBX_INCREMENTAL;
}

/* One generation of a session; nothing of that state leaves *out empty.  `whole` adds cursors and
 * boundary.  *id (NULL allowed) is 0 if there is none. */
static int load_generation(struct gb_store *s, int64_t row, const char *state, bool whole,
                           gbx_generation *out, int64_t *id, struct gb_error *err)
{
        CLEANUP_STMT sqlite3_stmt *st = prepare(
                s, "SELECT id, name, kind, taken, boundary FROM generation WHERE session = ? AND state = ?",
                err);
        int rc;

        if (!st)
                return -1;
        if (id)
                *id = 0;
        sqlite3_bind_int64(st, 1, row);
        bind_text(st, 2, state);
        rc = sqlite3_step(st);
        if (rc == SQLITE_DONE)
                return 0;
        if (rc != SQLITE_ROW)
                return fail(s, err, "read the session store");
        if (id)
                *id = sqlite3_column_int64(st, 0);
        out->kind = kind_of(sqlite3_column_int(st, 2));
        out->when = sqlite3_column_int64(st, 3);
        if (take_bytes(st, 1, GBX_HOST_MAX, &out->generation.gbx_name_val, &out->generation.gbx_name_len,
                       err) < 0)
                return -1;
        if (!whole)
                return 0;
        if (take_bytes(st, 4, GBX_BOUNDARY_MAX, &out->boundary.boundary_val, &out->boundary.boundary_len,
                       err) < 0)
                return -1;
        return load_cursors(s, sqlite3_column_int64(st, 0), out, err);
}

static int load_generations(struct gb_store *s, int64_t row, bool whole, gbx_session *out,
                            struct gb_error *err)
{
        if (load_generation(s, row, "committed", whole, &out->committed, NULL, err) < 0 ||
            load_generation(s, row, "pending", whole, &out->pending, NULL, err) < 0)
                return -1;
        return load_generation(s, row, "last_full", false, &out->last_full, NULL, err);
}

/* ---- the calls ---- */

static int check_names(const char *session, const char *volume, struct gb_error *err)
{
        return gb_session_name_check(session, err) < 0 || gb_volume_name_check(volume, err) < 0 ? -1 : 0;
}

int gb_store_row(struct gb_store *s, const char *session, const char *volume, int64_t *row,
                 struct gb_error *err)
{
        return check_names(session, volume, err) < 0 ? -1 : row_only(s, session, volume, row, err);
}

static int check_room(struct gb_store *s, struct gb_error *err)
{
        int n;

        if (pragma_int(s, "SELECT count(*) FROM session", &n, err) < 0)
                return -1;
        if (n >= GBX_SESSIONS_MAX)
                return gb_error_set(err, GB_ERR_LIMIT, "%s: there are %d sessions already", s->file, n);
        return 0;
}

int gb_store_register(struct gb_store *s, const char *session, const char *volume, const gb_gfid *volume_id,
                      int64_t now, struct gb_error *err)
{
        CLEANUP_TX struct tx tx = {NULL};
        CLEANUP_STMT sqlite3_stmt *st = NULL;
        int rc;

        if (check_names(session, volume, err) < 0 || tx_begin(&tx, s, err) < 0 || check_room(s, err) < 0)
                return -1;
        st = prepare(s, "INSERT INTO session (name, volume, volume_id, registered) VALUES (?, ?, ?, ?)", err);
        if (!st)
                return -1;
        bind_text(st, 1, session);
        bind_text(st, 2, volume);
        bind_blob(st, 3, volume_id->b, sizeof(volume_id->b));
        sqlite3_bind_int64(st, 4, now);
        rc = sqlite3_step(st);
        if (rc == SQLITE_CONSTRAINT_UNIQUE)
                return gb_error_set(err, GB_ERR_SESSION_EXISTS,
                                    "session %s of volume %s is registered already", session, volume);
        if (rc != SQLITE_DONE)
                return fail(s, err, "register a session");
        return tx_commit(&tx, err);
}

static int get(struct gb_store *s, const char *session, const char *volume, const gb_gfid *volume_id,
               gbx_session *out, struct gb_error *err)
{
        CLEANUP_TX struct tx tx = {NULL};
        int64_t row, registered;
        gb_gfid id;

        if (check_names(session, volume, err) < 0 || tx_begin(&tx, s, err) < 0 ||
            row_of(s, session, volume, &row, &id, &registered, err) < 0)
                return -1;
        if (!gb_gfid_eq(volume_id, &GB_GFID_NULL) && !gb_gfid_eq(volume_id, &id))
                return gb_error_set(
                        err, GB_ERR_NO_SESSION,
                        "session %s was registered for an earlier volume named %s: unregister it and "
                        "register it again",
                        session, volume);
        out->session.gbx_name_val = strdup(session);
        out->volume.gbx_volname_val = strdup(volume);
        if (!out->session.gbx_name_val || !out->volume.gbx_volname_val)
                return no_memory(err);
        out->session.gbx_name_len = (u_int)strlen(session);
        out->volume.gbx_volname_len = (u_int)strlen(volume);
        memcpy(out->volume_id, id.b, sizeof(id.b));
        out->registered = registered;
        return load_generations(s, row, true, out, err);
}

int gb_store_get(struct gb_store *s, const char *session, const char *volume, const gb_gfid *volume_id,
                 gbx_session *out, struct gb_error *err)
{
        memset(out, 0, sizeof(*out));
        if (get(s, session, volume, volume_id, out, err) == 0)
                return 0;
        xdr_free((xdrproc_t)xdr_gbx_session, (char *)out);
        memset(out, 0, sizeof(*out));
        return -1;
}

static int last_full(struct gb_store *s, const char *session, const char *volume, gbx_generation *out,
                     struct gb_error *err)
{
        CLEANUP_TX struct tx tx = {NULL};
        int64_t row;

        if (check_names(session, volume, err) < 0 || tx_begin(&tx, s, err) < 0 ||
            row_only(s, session, volume, &row, err) < 0)
                return -1;
        return load_generation(s, row, "last_full", true, out, NULL, err);
}

int gb_store_last_full(struct gb_store *s, const char *session, const char *volume, gbx_generation *out,
                       struct gb_error *err)
{
        memset(out, 0, sizeof(*out));
        if (last_full(s, session, volume, out, err) == 0)
                return 0;
        xdr_free((xdrproc_t)xdr_gbx_generation, (char *)out);
        memset(out, 0, sizeof(*out));
        return -1;
}

static int list_one(struct gb_store *s, sqlite3_stmt *st, gbx_session *one, struct gb_error *err)
{
        if (take_bytes(st, 1, GBX_SESSION_MAX, &one->session.gbx_name_val, &one->session.gbx_name_len, err) <
                    0 ||
            take_bytes(st, 2, GBX_VOLUME_MAX, &one->volume.gbx_volname_val, &one->volume.gbx_volname_len,
                       err) < 0)
                return -1;
        if (sqlite3_column_bytes(st, 3) == (int)sizeof(one->volume_id))
                memcpy(one->volume_id, sqlite3_column_blob(st, 3), sizeof(one->volume_id));
        one->registered = sqlite3_column_int64(st, 4);
        return load_generations(s, sqlite3_column_int64(st, 0), false, one, err);
}

static int list(struct gb_store *s, gbx_sessions_res *out, struct gb_error *err)
{
        CLEANUP_TX struct tx tx = {NULL};
        CLEANUP_STMT sqlite3_stmt *st = NULL;
        gbx_session *all = calloc(GBX_SESSIONS_MAX, sizeof(*all));
        u_int *n = &out->gbx_sessions_res_u.sessions.sessions_len;
        int rc;

        out->gbx_sessions_res_u.sessions.sessions_val = all;
        if (!all)
                return no_memory(err);
        if (tx_begin(&tx, s, err) < 0)
                return -1;
        st = prepare(s, "SELECT id, name, volume, volume_id, registered FROM session ORDER BY name, volume",
                     err);
        if (!st)
                return -1;
        while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
                if (*n == GBX_SESSIONS_MAX)
                        return gb_error_set(err, GB_ERR_CORRUPT, "%s: too many sessions", s->file);
                if (list_one(s, st, &all[(*n)++], err) < 0)
                        return -1;
        }
        return rc == SQLITE_DONE ? 0 : fail(s, err, "read the session store");
}

int gb_store_list(struct gb_store *s, gbx_sessions_res *out, struct gb_error *err)
{
        memset(out, 0, sizeof(*out));
        out->ok = TRUE;
        if (list(s, out, err) == 0)
                return 0;
        xdr_free((xdrproc_t)xdr_gbx_sessions_res, (char *)out);
        memset(out, 0, sizeof(*out));
        return -1;
}

int gb_store_cursors(struct gb_store *s, const char *brick, gb_store_cursor_fn each, void *arg,
                     struct gb_error *err)
{
        CLEANUP_STMT sqlite3_stmt *st =
                prepare(s,
                        "SELECT session.name, session.volume, generation.state, cursor.cursor FROM cursor "
                        "JOIN generation ON cursor.generation = generation.id "
                        "JOIN session ON generation.session = session.id "
                        "WHERE cursor.brick = ? ORDER BY session.name, generation.state",
                        err);
        int rc;

        if (!st)
                return -1;
        bind_blob(st, 1, brick, strlen(brick));
        while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
                const char *cursor = sqlite3_column_blob(st, 3);

                if (each(arg, (const char *)sqlite3_column_text(st, 0),
                         (const char *)sqlite3_column_text(st, 1), (const char *)sqlite3_column_text(st, 2),
                         cursor ? cursor : "", (size_t)sqlite3_column_bytes(st, 3), err) < 0)
                        return -1;
        }
        return rc == SQLITE_DONE ? 0 : fail(s, err, "read the session store");
}

/* Name (up to GB_HOST_MAX bytes) and id of a generation; empty and 0 if there is none. */
struct named {
        char name[GB_HOST_MAX + 1];
        int64_t id;
        int kind;
        int64_t when;
};

static int load_named(struct gb_store *s, int64_t row, const char *state, struct named *out,
                      struct gb_error *err)
{
        gbx_generation g = {0};
        int rc = load_generation(s, row, state, false, &g, &out->id, err);

        out->name[0] = '\0';
        out->kind = (int)g.kind;
        out->when = g.when;
        if (!rc && out->id)
                snprintf(out->name, sizeof(out->name), "%s", g.generation.gbx_name_val);
        xdr_free((xdrproc_t)xdr_gbx_generation, (char *)&g);
        return rc;
}

static int check_cursor(const gbx_brick_cursor *c, struct gb_error *err)
{
        const gbx_brick *b = &c->brick;

        if (!b->gbx_brick_len || b->gbx_brick_val[0] != '/' ||
            memchr(b->gbx_brick_val, '\0', b->gbx_brick_len))
                return gb_error_set(err, GB_ERR_USAGE, "prepare: a brick path is not absolute");
        if (!c->cursor.gbx_cursor_len || memchr(c->cursor.gbx_cursor_val, '\0', c->cursor.gbx_cursor_len))
                return gb_error_set(err, GB_ERR_USAGE, "prepare: %.*s has an empty or malformed cursor",
                                    (int)b->gbx_brick_len, b->gbx_brick_val);
        return 0;
}

/* The name as C string into `name`; everything else judged in place. */
static int check_pending(const gbx_generation *g, char name[GB_HOST_MAX + 1], struct gb_error *err)
{
        u_int n = g->generation.gbx_name_len;

        if (n > GB_HOST_MAX || (n && memchr(g->generation.gbx_name_val, '\0', n)))
                return gb_error_set(err, GB_ERR_USAGE, "prepare: malformed generation");
        memcpy(name, n ? g->generation.gbx_name_val : "", n);
        name[n] = '\0';
        if (gb_generation_check(name, err) < 0)
                return -1;
        if (g->kind != GBX_FULL && g->kind != GBX_INCREMENTAL && g->kind != GBX_CUMULATIVE)
                return gb_error_set(err, GB_ERR_USAGE,
                                    "prepare: kind %d is neither full nor incremental nor cumulative",
                                    (int)g->kind);
        for (u_int i = 0; i < g->cursors.cursors_len; i++)
                if (check_cursor(&g->cursors.cursors_val[i], err) < 0)
                        return -1;
        return 0;
}

static int drop_generation(struct gb_store *s, int64_t row, const char *state, struct gb_error *err)
{
        CLEANUP_STMT sqlite3_stmt *st =
                prepare(s, "DELETE FROM generation WHERE session = ? AND state = ?", err);

        if (!st)
                return -1;
        sqlite3_bind_int64(st, 1, row);
        bind_text(st, 2, state);
        return run(s, st, err);
}

static int insert_pending(struct gb_store *s, int64_t row, const struct named *g, const void *boundary,
                          size_t boundary_len, struct gb_error *err)
{
        CLEANUP_STMT sqlite3_stmt *st = prepare(s,
                                                "INSERT INTO generation (session, state, name, kind, taken, "
                                                "boundary) VALUES (?, 'pending', ?, ?, ?, ?)",
                                                err);

        if (!st)
                return -1;
        sqlite3_bind_int64(st, 1, row);
        bind_text(st, 2, g->name);
        sqlite3_bind_int(st, 3, g->kind);
        sqlite3_bind_int64(st, 4, g->when);
        bind_blob(st, 5, boundary, boundary_len);
        return run(s, st, err);
}

static int insert_cursors(struct gb_store *s, int64_t generation, const gbx_generation *g,
                          struct gb_error *err)
{
        CLEANUP_STMT sqlite3_stmt *st =
                prepare(s, "INSERT INTO cursor (generation, brick, cursor) VALUES (?, ?, ?)", err);
        const gbx_brick_cursor *c;
        int rc;

        if (!st)
                return -1;
        for (u_int i = 0; i < g->cursors.cursors_len; i++) {
                c = &g->cursors.cursors_val[i];
                sqlite3_reset(st);
                sqlite3_bind_int64(st, 1, generation);
                bind_blob(st, 2, c->brick.gbx_brick_val, c->brick.gbx_brick_len);
                bind_blob(st, 3, c->cursor.gbx_cursor_val, c->cursor.gbx_cursor_len);
                rc = sqlite3_step(st);
                if (rc == SQLITE_CONSTRAINT_PRIMARYKEY)
                        return gb_error_set(err, GB_ERR_USAGE, "prepare: two cursors for %.*s",
                                            (int)c->brick.gbx_brick_len, c->brick.gbx_brick_val);
                if (rc != SQLITE_DONE)
                        return fail(s, err, "store cursors");
        }
        return 0;
}

static int check_base(const char *session, const char *base, const struct named *committed, const char *name,
                      struct gb_error *err)
{
        if (strcmp(committed->name, base))
                return gb_error_set(
                        err, GB_ERR_BUSY,
                        "session %s: the committed generation is %s, not %s: another run came in between",
                        session, *committed->name ? committed->name : "none", *base ? base : "none");
        if (!strcmp(committed->name, name))
                return gb_error_set(err, GB_ERR_USAGE, "session %s: generation %s is committed already",
                                    session, name);
        return 0;
}

int gb_store_prepare(struct gb_store *s, const char *session, const char *volume, const char *base,
                     const gbx_generation *pending, struct gb_error *err)
{
        CLEANUP_TX struct tx tx = {NULL};
        struct named committed, next = {.kind = (int)pending->kind, .when = pending->when};
        int64_t row;

        if (check_names(session, volume, err) < 0 || check_pending(pending, next.name, err) < 0 ||
            tx_begin(&tx, s, err) < 0 || row_only(s, session, volume, &row, err) < 0 ||
            load_named(s, row, "committed", &committed, err) < 0 ||
            check_base(session, base, &committed, next.name, err) < 0)
                return -1;
        if (drop_generation(s, row, "pending", err) < 0 ||
            insert_pending(s, row, &next, pending->boundary.boundary_val, pending->boundary.boundary_len,
                           err) < 0 ||
            insert_cursors(s, sqlite3_last_insert_rowid(s->db), pending, err) < 0)
                return -1;
        return tx_commit(&tx, err);
}

static int promote(struct gb_store *s, int64_t generation, struct gb_error *err)
{
        CLEANUP_STMT sqlite3_stmt *st =
                prepare(s, "UPDATE generation SET state = 'committed' WHERE id = ?", err);

        if (!st)
                return -1;
        sqlite3_bind_int64(st, 1, generation);
        return run(s, st, err);
}

/* A statement with one or two numbers. */
static int run_ids(struct gb_store *s, const char *sql, int64_t first, int64_t second, struct gb_error *err)
{
        CLEANUP_STMT sqlite3_stmt *st = prepare(s, sql, err);

        if (!st)
                return -1;
        sqlite3_bind_int64(st, 1, first);
        if (second)
                sqlite3_bind_int64(st, 2, second);
        return run(s, st, err);
}

/* What has just been committed is the last full, kept with its positions: a copy, because the committed
 * generation moves on and this one stays. */
static int keep_full(struct gb_store *s, int64_t row, int64_t generation, struct gb_error *err)
{
        if (drop_generation(s, row, "last_full", err) < 0 ||
            run_ids(s,
                    "INSERT INTO generation (session, state, name, kind, taken, boundary) "
                    "SELECT session, 'last_full', name, kind, taken, boundary FROM generation WHERE id = ?",
                    generation, 0, err) < 0)
                return -1;
        return run_ids(s,
                       "INSERT INTO cursor (generation, brick, cursor) "
                       "SELECT ?1, brick, cursor FROM cursor WHERE generation = ?2",
                       sqlite3_last_insert_rowid(s->db), generation, err);
}

int gb_store_commit(struct gb_store *s, const char *session, const char *volume, const char *generation,
                    struct gb_error *err)
{
        CLEANUP_TX struct tx tx = {NULL};
        struct named committed, pending;
        int64_t row;

        if (check_names(session, volume, err) < 0 || gb_generation_check(generation, err) < 0 ||
            tx_begin(&tx, s, err) < 0 || row_only(s, session, volume, &row, err) < 0 ||
            load_named(s, row, "committed", &committed, err) < 0 ||
            load_named(s, row, "pending", &pending, err) < 0)
                return -1;
        if (!strcmp(committed.name, generation))
                return 0;
        if (strcmp(pending.name, generation))
                return gb_error_set(err, GB_ERR_USAGE, "session %s: generation %s is not prepared here",
                                    session, generation);
        if (drop_generation(s, row, "committed", err) < 0 || promote(s, pending.id, err) < 0)
                return -1;
        if (pending.kind == GBX_FULL && keep_full(s, row, pending.id, err) < 0)
                return -1;
        return tx_commit(&tx, err);
}

int gb_store_abort(struct gb_store *s, const char *session, const char *volume, const char *generation,
                   struct gb_error *err)
{
        CLEANUP_TX struct tx tx = {NULL};
        struct named committed, pending;
        int64_t row;

        if (check_names(session, volume, err) < 0 || gb_generation_check(generation, err) < 0 ||
            tx_begin(&tx, s, err) < 0 || row_only(s, session, volume, &row, err) < 0 ||
            load_named(s, row, "committed", &committed, err) < 0 ||
            load_named(s, row, "pending", &pending, err) < 0)
                return -1;
        if (!strcmp(committed.name, generation))
                return gb_error_set(err, GB_ERR_BUSY,
                                    "session %s: generation %s is committed and cannot be aborted", session,
                                    generation);
        if (strcmp(pending.name, generation))
                return 0;
        if (drop_generation(s, row, "pending", err) < 0)
                return -1;
        return tx_commit(&tx, err);
}

char *gb_store_lock_file(struct gb_store *s, int64_t row, struct gb_error *err)
{
        char *path = NULL;

        if (asprintf(&path, "%s/locks/%lld.lock", s->dir, (long long)row) < 0) {
                no_memory(err);
                return NULL;
        }
        return path;
}

int gb_store_unregister(struct gb_store *s, const char *session, const char *volume, struct gb_error *err)
{
        CLEANUP_TX struct tx tx = {NULL};
        CLEANUP_STMT sqlite3_stmt *st = NULL;
        GB_CLEANUP_FREE
        char *lock = NULL;
        int64_t row;

        if (check_names(session, volume, err) < 0 || tx_begin(&tx, s, err) < 0 ||
            row_only(s, session, volume, &row, err) < 0)
                return -1;
        st = prepare(s, "DELETE FROM session WHERE id = ?", err);
        lock = gb_store_lock_file(s, row, err);
        if (!st || !lock)
                return -1;
        sqlite3_bind_int64(st, 1, row);
        if (run(s, st, err) < 0 || tx_commit(&tx, err) < 0)
                return -1;
        /* The number is never given out again, so nobody can be waiting for a lock of this name. */
        unlink(lock);
        return 0;
}
