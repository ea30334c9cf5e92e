/*
 * session - what changes the store.
 *
 * Each public function is one transaction, begun IMMEDIATE so that reading the state and acting on it
 * cannot be torn apart by another worker.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "glusterd.h"
#include "store.h"

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

/* ---- the calls ---- */

int gb_session_names_check(const char *session, const char *volume, struct gb_error *err)
{
        return gb_session_name_check(session, err) < 0 || gb_volume_name_check(volume, err) < 0 ? -1 : 0;
}

int gb_store_row(struct gb_store *s, const char *session, const char *volume, int64_t *row,
                 struct gb_error *err)
{
        return gb_session_names_check(session, volume, err) < 0
                       ? -1
                       : gb_session_find(s, session, volume, row, NULL, NULL, err);
}

static int check_room(struct gb_store *s, struct gb_error *err)
{
        int n;

        if (gb_store_int(s, "SELECT count(*) FROM session", &n, err) < 0)
                return -1;
        if (n >= GBX_SESSIONS_MAX)
                return gb_error_set(err, GB_ERR_LIMIT, "%s: there are %d sessions already", s->file, n);
        return 0;
}

int gb_store_register(struct gb_store *s, const char *session, const char *volume, const gb_gfid *volume_id,
                      int64_t now, struct gb_error *err)
{
        GB_CLEANUP_TX struct gb_tx tx = {NULL};
        GB_CLEANUP_STMT sqlite3_stmt *st = NULL;
        int rc;

        if (gb_session_names_check(session, volume, err) < 0 || gb_tx_begin(&tx, s, err) < 0 ||
            check_room(s, err) < 0)
                return -1;
        st = gb_store_stmt(s, "INSERT INTO session (name, volume, volume_id, registered) VALUES (?, ?, ?, ?)",
                           err);
        if (!st)
                return -1;
        gb_bind_text(st, 1, session);
        gb_bind_text(st, 2, volume);
        gb_bind_blob(st, 3, volume_id->b, sizeof(volume_id->b));
        sqlite3_bind_int64(st, 4, now);
        rc = sqlite3_step(st);
        if (rc == SQLITE_CONSTRAINT_UNIQUE)
                return gb_error_set(err, GB_ERR_SESSION_EXISTS,
                                    "session %s of volume %s is registered already", session, volume);
        if (rc != SQLITE_DONE)
                return gb_store_fail(s, err, "register a session");
        return gb_tx_commit(&tx, err);
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
        int rc = gb_session_generation(s, row, state, false, &g, &out->id, err);

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
        GB_CLEANUP_STMT sqlite3_stmt *st =
                gb_store_stmt(s, "DELETE FROM generation WHERE session = ? AND state = ?", err);

        if (!st)
                return -1;
        sqlite3_bind_int64(st, 1, row);
        gb_bind_text(st, 2, state);
        return gb_store_run(s, st, err);
}

static int insert_pending(struct gb_store *s, int64_t row, const struct named *g, const void *boundary,
                          size_t boundary_len, struct gb_error *err)
{
        GB_CLEANUP_STMT sqlite3_stmt *st =
                gb_store_stmt(s,
                              "INSERT INTO generation (session, state, name, kind, taken, "
                              "boundary) VALUES (?, 'pending', ?, ?, ?, ?)",
                              err);

        if (!st)
                return -1;
        sqlite3_bind_int64(st, 1, row);
        gb_bind_text(st, 2, g->name);
        sqlite3_bind_int(st, 3, g->kind);
        sqlite3_bind_int64(st, 4, g->when);
        gb_bind_blob(st, 5, boundary, boundary_len);
        return gb_store_run(s, st, err);
}

static int insert_cursors(struct gb_store *s, int64_t generation, const gbx_generation *g,
                          struct gb_error *err)
{
        GB_CLEANUP_STMT sqlite3_stmt *st =
                gb_store_stmt(s, "INSERT INTO cursor (generation, brick, cursor) VALUES (?, ?, ?)", err);
        const gbx_brick_cursor *c;
        int rc;

        if (!st)
                return -1;
        for (u_int i = 0; i < g->cursors.cursors_len; i++) {
                c = &g->cursors.cursors_val[i];
                sqlite3_reset(st);
                sqlite3_bind_int64(st, 1, generation);
                gb_bind_blob(st, 2, c->brick.gbx_brick_val, c->brick.gbx_brick_len);
                gb_bind_blob(st, 3, c->cursor.gbx_cursor_val, c->cursor.gbx_cursor_len);
                rc = sqlite3_step(st);
                if (rc == SQLITE_CONSTRAINT_PRIMARYKEY)
                        return gb_error_set(err, GB_ERR_USAGE, "prepare: two cursors for %.*s",
                                            (int)c->brick.gbx_brick_len, c->brick.gbx_brick_val);
                if (rc != SQLITE_DONE)
                        return gb_store_fail(s, err, "store cursors");
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
        GB_CLEANUP_TX struct gb_tx tx = {NULL};
        struct named committed, next = {.kind = (int)pending->kind, .when = pending->when};
        int64_t row;

        if (gb_session_names_check(session, volume, err) < 0 || check_pending(pending, next.name, err) < 0 ||
            gb_tx_begin(&tx, s, err) < 0 || gb_session_find(s, session, volume, &row, NULL, NULL, err) < 0 ||
            load_named(s, row, "committed", &committed, err) < 0 ||
            check_base(session, base, &committed, next.name, err) < 0)
                return -1;
        if (drop_generation(s, row, "pending", err) < 0 ||
            insert_pending(s, row, &next, pending->boundary.boundary_val, pending->boundary.boundary_len,
                           err) < 0 ||
            insert_cursors(s, sqlite3_last_insert_rowid(s->db), pending, err) < 0)
                return -1;
        return gb_tx_commit(&tx, err);
}

static int promote(struct gb_store *s, int64_t generation, struct gb_error *err)
{
        GB_CLEANUP_STMT sqlite3_stmt *st =
                gb_store_stmt(s, "UPDATE generation SET state = 'committed' WHERE id = ?", err);

        if (!st)
                return -1;
        sqlite3_bind_int64(st, 1, generation);
        return gb_store_run(s, st, err);
}

/* A statement with one or two numbers. */
static int run_ids(struct gb_store *s, const char *sql, int64_t first, int64_t second, struct gb_error *err)
{
        GB_CLEANUP_STMT sqlite3_stmt *st = gb_store_stmt(s, sql, err);

        if (!st)
                return -1;
        sqlite3_bind_int64(st, 1, first);
        if (second)
                sqlite3_bind_int64(st, 2, second);
        return gb_store_run(s, st, err);
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

/* The end of a run: what is committed and what is pending now. */
struct ending {
        int64_t row;
        struct named committed, pending;
};

static int begin_ending(struct gb_tx *tx, struct gb_store *s, const char *session, const char *volume,
                        const char *generation, struct ending *e, struct gb_error *err)
{
        if (gb_session_names_check(session, volume, err) < 0 || gb_generation_check(generation, err) < 0 ||
            gb_tx_begin(tx, s, err) < 0 ||
            gb_session_find(s, session, volume, &e->row, NULL, NULL, err) < 0 ||
            load_named(s, e->row, "committed", &e->committed, err) < 0)
                return -1;
        return load_named(s, e->row, "pending", &e->pending, err);
}

int gb_store_commit(struct gb_store *s, const char *session, const char *volume, const char *generation,
                    struct gb_error *err)
{
        GB_CLEANUP_TX struct gb_tx tx = {NULL};
        struct ending e;

        if (begin_ending(&tx, s, session, volume, generation, &e, err) < 0)
                return -1;
        if (!strcmp(e.committed.name, generation))
                return 0;
        if (strcmp(e.pending.name, generation))
                return gb_error_set(err, GB_ERR_USAGE, "session %s: generation %s is not prepared here",
                                    session, generation);
        if (drop_generation(s, e.row, "committed", err) < 0 || promote(s, e.pending.id, err) < 0)
                return -1;
        if (e.pending.kind == GBX_FULL && keep_full(s, e.row, e.pending.id, err) < 0)
                return -1;
        return gb_tx_commit(&tx, err);
}

int gb_store_abort(struct gb_store *s, const char *session, const char *volume, const char *generation,
                   struct gb_error *err)
{
        GB_CLEANUP_TX struct gb_tx tx = {NULL};
        struct ending e;

        if (begin_ending(&tx, s, session, volume, generation, &e, err) < 0)
                return -1;
        if (!strcmp(e.committed.name, generation))
                return gb_error_set(err, GB_ERR_BUSY,
                                    "session %s: generation %s is committed and cannot be aborted", session,
                                    generation);
        if (strcmp(e.pending.name, generation))
                return 0;
        if (drop_generation(s, e.row, "pending", err) < 0)
                return -1;
        return gb_tx_commit(&tx, err);
}

char *gb_store_lock_file(struct gb_store *s, int64_t row, struct gb_error *err)
{
        char *path = NULL;

        if (asprintf(&path, "%s/locks/%lld.lock", s->dir, (long long)row) < 0) {
                gb_store_no_memory(err);
                return NULL;
        }
        return path;
}

int gb_store_unregister(struct gb_store *s, const char *session, const char *volume, struct gb_error *err)
{
        GB_CLEANUP_TX struct gb_tx tx = {NULL};
        GB_CLEANUP_STMT sqlite3_stmt *st = NULL;
        GB_CLEANUP_FREE
        char *lock = NULL;
        int64_t row;

        if (gb_session_names_check(session, volume, err) < 0 || gb_tx_begin(&tx, s, err) < 0 ||
            gb_session_find(s, session, volume, &row, NULL, NULL, err) < 0)
                return -1;
        st = gb_store_stmt(s, "DELETE FROM session WHERE id = ?", err);
        lock = gb_store_lock_file(s, row, err);
        if (!st || !lock)
                return -1;
        sqlite3_bind_int64(st, 1, row);
        if (gb_store_run(s, st, err) < 0 || gb_tx_commit(&tx, err) < 0)
                return -1;
        /* The number is never given out again, so nobody can be waiting for a lock of this name. */
        unlink(lock);
        return 0;
}
