/*
 * session - where each backup session stands: this agent's share of it.
 *
 * Per (session, volume): the committed generation, at most one pending one, and the last full that was
 * committed, for cumulative lists.  A generation carries the cursors of this agent's bricks and an opaque
 * boundary set. Semantics stand in rpc/gbackup.x under "Sessions"; here they meet the disk.
 *
 * SQLite file STATE_DIR/sessions.db, rollback journal, synchronous FULL: what a call has answered
 * survives the power switch.  A file that cannot be trusted is GB_ERR_CORRUPT with its name and what
 * to do; it is never repaired or replaced behind the administrator's back, because an empty store
 * would quietly turn every incremental into a full.
 *
 * Every function returns 0 or -1.
 */
#ifndef GB_SESSION_H
#define GB_SESSION_H

#include <rpc/rpc.h>

#include "base/error.h"
#include "base/gfid.h"
#include "gbackup.h"

struct gb_store;

/* Creates directory (0700) and file (0600) if they are missing.  NULL: error. */
struct gb_store *gb_store_open(const char *state_dir, struct gb_error *err);
void gb_store_close(struct gb_store *s); /* NULL allowed */

/* 1..255 (volume: 1000) of [A-Za-z0-9._-], not starting with '-' or '.'. */
int gb_session_name_check(const char *name, struct gb_error *err);
int gb_volume_name_check(const char *name, struct gb_error *err);
/* 1..255 printable ASCII characters without blanks. */
int gb_generation_check(const char *name, struct gb_error *err);

int gb_store_register(struct gb_store *s, const char *session, const char *volume, const gb_gfid *volume_id,
                      int64_t now, struct gb_error *err);
/* Fills *out (release: xdr_free of xdr_gbx_session).  A volume_id that is not null must be the stored one. */
int gb_store_get(struct gb_store *s, const char *session, const char *volume, const gb_gfid *volume_id,
                 gbx_session *out, struct gb_error *err);
/* The last full with its cursors and boundary, empty if there is none (release: xdr_free of
 * xdr_gbx_generation). */
int gb_store_last_full(struct gb_store *s, const char *session, const char *volume, gbx_generation *out,
                       struct gb_error *err);
/* All sessions without cursors and boundaries (release: xdr_free of xdr_gbx_sessions_res, ok = TRUE). */
int gb_store_list(struct gb_store *s, gbx_sessions_res *out, struct gb_error *err);

/* `pending` is checked whole before anything is written. */
int gb_store_prepare(struct gb_store *s, const char *session, const char *volume, const char *base,
                     const gbx_generation *pending, struct gb_error *err);
int gb_store_commit(struct gb_store *s, const char *session, const char *volume, const char *generation,
                    struct gb_error *err);
int gb_store_abort(struct gb_store *s, const char *session, const char *volume, const char *generation,
                   struct gb_error *err);
int gb_store_unregister(struct gb_store *s, const char *session, const char *volume, struct gb_error *err);

/* Call `each` for every position stored of a brick, of whatever session, volume and state ("committed",
 * "pending" or another).  It returns 0, or -1 to stop. */
typedef int (*gb_store_cursor_fn)(void *arg, const char *session, const char *volume, const char *state,
                                  const char *cursor, size_t len, struct gb_error *err);
int gb_store_cursors(struct gb_store *s, const char *brick, gb_store_cursor_fn each, void *arg,
                     struct gb_error *err);

/* Number of a session, never used for another one even after it was unregistered. */
int gb_store_row(struct gb_store *s, const char *session, const char *volume, int64_t *row,
                 struct gb_error *err);
/* Its lock file (malloc'd), see lock.h.  NULL: out of memory. */
char *gb_store_lock_file(struct gb_store *s, int64_t row, struct gb_error *err);

#endif
