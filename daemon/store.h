/*
 * store - the SQLite file below session.c: opening it, and statements and transactions that release
 * themselves.
 *
 * Private to session.c, session_read.c and store.c; everybody else calls session.h.  Functions return 0
 * or -1 with the error set, unless told otherwise.
 */
#ifndef GB_STORE_H
#define GB_STORE_H

#include <sqlite3.h>

#include "session.h"

struct gb_store {
        sqlite3 *db;
        char *dir;
        char *file;
};

/* What SQLite complains of right now, with the file and the remedy; -1.  `what` completes "no space left to".
 */
int gb_store_fail(struct gb_store *s, struct gb_error *err, const char *what);
int gb_store_no_memory(struct gb_error *err);

/* NULL: error.  Blobs and texts that are bound must outlive the statement's steps. */
sqlite3_stmt *gb_store_stmt(struct gb_store *s, const char *sql, struct gb_error *err);
void gb_stmt_cleanup(sqlite3_stmt **st);
#define GB_CLEANUP_STMT __attribute__((cleanup(gb_stmt_cleanup)))
int gb_bind_text(sqlite3_stmt *st, int at, const char *text);
/* An empty blob does not become NULL. */
int gb_bind_blob(sqlite3_stmt *st, int at, const void *p, size_t n);
/* A statement without rows. */
int gb_store_run(struct gb_store *s, sqlite3_stmt *st, struct gb_error *err);
/* The first column of the first row. */
int gb_store_int(struct gb_store *s, const char *sql, int *out, struct gb_error *err);

/* Begun IMMEDIATE; rolled back at the end of the scope unless it was committed. */
struct gb_tx {
        struct gb_store *store; /* NULL once it is over */
};
void gb_tx_cleanup(struct gb_tx *t);
#define GB_CLEANUP_TX __attribute__((cleanup(gb_tx_cleanup)))
int gb_tx_begin(struct gb_tx *t, struct gb_store *s, struct gb_error *err);
int gb_tx_commit(struct gb_tx *t, struct gb_error *err);

/* ---- rows (session_read.c) ---- */

int gb_session_names_check(const char *session, const char *volume, struct gb_error *err);
/* The row of a session; volume_id and registered may be NULL. */
int gb_session_find(struct gb_store *s, const char *session, const char *volume, int64_t *row,
                    gb_gfid *volume_id, int64_t *registered, struct gb_error *err);
/* One generation of a session; nothing of that state leaves *out empty.  `whole` adds cursors and
 * boundary.  *id (NULL allowed) is 0 if there is none. */
int gb_session_generation(struct gb_store *s, int64_t row, const char *state, bool whole, gbx_generation *out,
                          int64_t *id, struct gb_error *err);

#endif
