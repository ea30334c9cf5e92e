/*
 * session_read - what the store knows, as values of the protocol.
 *
 * Each public function is one transaction, so that a session and its generations belong together.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "store.h"

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
                return gb_store_no_memory(err);
        memcpy(*val, n ? p : "", (size_t)n);
        (*val)[n] = '\0';
        *len = (u_int)n;
        return 0;
}

int gb_session_find(struct gb_store *s, const char *session, const char *volume, int64_t *row,
                    gb_gfid *volume_id, int64_t *registered, struct gb_error *err)
{
        GB_CLEANUP_STMT sqlite3_stmt *st = gb_store_stmt(
                s, "SELECT id, volume_id, registered FROM session WHERE name = ? AND volume = ?", err);
        int rc;

        if (!st)
                return -1;
        gb_bind_text(st, 1, session);
        gb_bind_text(st, 2, volume);
        rc = sqlite3_step(st);
        if (rc == SQLITE_DONE)
                return gb_error_set(err, GB_ERR_NO_SESSION, "no session %s of volume %s is registered here",
                                    session, volume);
        if (rc != SQLITE_ROW)
                return gb_store_fail(s, err, "read the session store");
        *row = sqlite3_column_int64(st, 0);
        if (sqlite3_column_bytes(st, 1) != (int)sizeof(volume_id->b))
                return gb_error_set(err, GB_ERR_CORRUPT, "%s: session %s has no volume id", s->file, session);
        if (volume_id)
                memcpy(volume_id->b, sqlite3_column_blob(st, 1), sizeof(volume_id->b));
        if (registered)
                *registered = sqlite3_column_int64(st, 2);
        return 0;
}

static int load_cursors(struct gb_store *s, int64_t generation, gbx_generation *out, struct gb_error *err)
{
        GB_CLEANUP_STMT sqlite3_stmt *st =
                gb_store_stmt(s, "SELECT brick, cursor FROM cursor WHERE generation = ? ORDER BY brick", err);
        gbx_brick_cursor *c;
        int rc;

        if (!st)
                return -1;
        sqlite3_bind_int64(st, 1, generation);
        out->cursors.cursors_val = calloc(GBX_BRICKS_MAX, sizeof(*c));
        if (!out->cursors.cursors_val)
                return gb_store_no_memory(err);
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
        return rc == SQLITE_DONE ? 0 : gb_store_fail(s, err, "read the session store");
}

static gbx_session_kind kind_of(int stored)
{
        return stored == GBX_FULL ? GBX_FULL : stored == GBX_CUMULATIVE ? GBX_CUMULATIVE : GBX_INCREMENTAL;
}

int gb_session_generation(struct gb_store *s, int64_t row, const char *state, bool whole, gbx_generation *out,
                          int64_t *id, struct gb_error *err)
{
        GB_CLEANUP_STMT sqlite3_stmt *st = gb_store_stmt(
                s, "SELECT id, name, kind, taken, boundary FROM generation WHERE session = ? AND state = ?",
                err);
        int rc;

        if (!st)
                return -1;
        if (id)
                *id = 0;
        sqlite3_bind_int64(st, 1, row);
        gb_bind_text(st, 2, state);
        rc = sqlite3_step(st);
        if (rc == SQLITE_DONE)
                return 0;
        if (rc != SQLITE_ROW)
                return gb_store_fail(s, err, "read the session store");
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
        if (gb_session_generation(s, row, "committed", whole, &out->committed, NULL, err) < 0 ||
            gb_session_generation(s, row, "pending", whole, &out->pending, NULL, err) < 0)
                return -1;
        return gb_session_generation(s, row, "last_full", false, &out->last_full, NULL, err);
}

static int get(struct gb_store *s, const char *session, const char *volume, const gb_gfid *volume_id,
               gbx_session *out, struct gb_error *err)
{
        GB_CLEANUP_TX struct gb_tx tx = {NULL};
        int64_t row, registered;
        gb_gfid id;

        if (gb_session_names_check(session, volume, err) < 0 || gb_tx_begin(&tx, s, err) < 0 ||
            gb_session_find(s, session, volume, &row, &id, &registered, err) < 0)
                return -1;
        if (!gb_gfid_eq(volume_id, &GB_GFID_NULL) && !gb_gfid_eq(volume_id, &id))
                return gb_error_set(
                        err, GB_ERR_GAP,
                        "session %s is of an earlier volume named %s, which is gone; run a full list",
                        session, volume);
        out->session.gbx_name_val = strdup(session);
        out->volume.gbx_volname_val = strdup(volume);
        if (!out->session.gbx_name_val || !out->volume.gbx_volname_val)
                return gb_store_no_memory(err);
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
        GB_CLEANUP_TX struct gb_tx tx = {NULL};
        int64_t row;

        if (gb_session_names_check(session, volume, err) < 0 || gb_tx_begin(&tx, s, err) < 0 ||
            gb_session_find(s, session, volume, &row, NULL, NULL, err) < 0)
                return -1;
        return gb_session_generation(s, row, "last_full", true, out, NULL, err);
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
        GB_CLEANUP_TX struct gb_tx tx = {NULL};
        GB_CLEANUP_STMT sqlite3_stmt *st = NULL;
        gbx_session *all = calloc(GBX_SESSIONS_MAX, sizeof(*all));
        u_int *n = &out->gbx_sessions_res_u.sessions.sessions_len;
        int rc;

        out->gbx_sessions_res_u.sessions.sessions_val = all;
        if (!all)
                return gb_store_no_memory(err);
        if (gb_tx_begin(&tx, s, err) < 0)
                return -1;
        st = gb_store_stmt(
                s, "SELECT id, name, volume, volume_id, registered FROM session ORDER BY name, volume", err);
        if (!st)
                return -1;
        while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
                if (*n == GBX_SESSIONS_MAX)
                        return gb_error_set(err, GB_ERR_CORRUPT, "%s: too many sessions", s->file);
                if (list_one(s, st, &all[(*n)++], err) < 0)
                        return -1;
        }
        return rc == SQLITE_DONE ? 0 : gb_store_fail(s, err, "read the session store");
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
        GB_CLEANUP_STMT sqlite3_stmt *st = gb_store_stmt(
                s,
                "SELECT session.name, session.volume, generation.state, cursor.cursor FROM cursor "
                "JOIN generation ON cursor.generation = generation.id "
                "JOIN session ON generation.session = session.id "
                "WHERE cursor.brick = ? ORDER BY session.name, generation.state",
                err);
        int rc;

        if (!st)
                return -1;
        gb_bind_blob(st, 1, brick, strlen(brick));
        while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
                const char *cursor = sqlite3_column_blob(st, 3);

                if (each(arg, (const char *)sqlite3_column_text(st, 0),
                         (const char *)sqlite3_column_text(st, 1), (const char *)sqlite3_column_text(st, 2),
                         cursor ? cursor : "", (size_t)sqlite3_column_bytes(st, 3), err) < 0)
                        return -1;
        }
        return rc == SQLITE_DONE ? 0 : gb_store_fail(s, err, "read the session store");
}
