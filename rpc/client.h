/*
 * client - typed calls to one agent.
 *
 * A gb_client is used by one thread at a time.  A call that fails in transport (time-out, broken
 * record, wrong xid) closes the connection; later calls then fail at once with the same error.  An
 * error the agent answers (union ok = FALSE) leaves the connection usable and arrives as *err with
 * "<peer>: " in front.
 *
 * Results (gbx_*) are owned by the caller: release with gb_xdr_release((xdrproc_t)xdr_gbx_..., &res).
 */
#ifndef GB_CLIENT_H
#define GB_CLIENT_H

#include <rpc/rpc.h>

#include "base/gfid.h"
#include "gbackup.h"
#include "transport.h"

struct gb_client;

/* Takes the transport over (closed also on failure) and says HELLO. */
struct gb_client *gb_client_new(struct gb_transport *t, struct gb_error *err);
void gb_client_free(struct gb_client *c); /* NULL allowed; closes */

/* End the connection under a call in progress: the one thing that another thread may do. */
void gb_client_abort(struct gb_client *c);

/* What the agent said of itself. */
const gbx_hello_ok *gb_client_hello(const struct gb_client *c);
const char *gb_client_peer(const struct gb_client *c);

/* Each: 0 or -1.  `out` is zeroed first. */
int gb_call_topology(struct gb_client *c, const char *volume, bool live, gbx_topology *out,
                     struct gb_error *err);
int gb_call_brick_status(struct gb_client *c, const char *volume, const char *brick, gbx_brick_status *out,
                         struct gb_error *err);
/* *cursor: malloc'd text. */
int gb_call_cursor(struct gb_client *c, const char *volume, const char *brick, unsigned wait_ms,
                   char **cursor, struct gb_error *err);
int gb_call_open(struct gb_client *c, const char *volume, const char *brick, const gbx_query *query,
                 struct gb_error *err);
int gb_call_close(struct gb_client *c, struct gb_error *err);
int gb_call_look(struct gb_client *c, const char *volume, const char *brick, const gb_gfid *gfids, unsigned n,
                 gbx_look_ok *out, struct gb_error *err);
int gb_call_exists(struct gb_client *c, const gbx_exists_arg *arg, gbx_exists_res *out, struct gb_error *err);
/* GB_ERR_VERSION: an agent without GBX_FEATURE_TIMES. */
int gb_call_times(struct gb_client *c, const gbx_times_arg *arg, gbx_times_res *out, struct gb_error *err);
int gb_call_enable(struct gb_client *c, const char *volume, bool *was_on, struct gb_error *err);
/* An empty brick: the node itself. */
int gb_call_examine(struct gb_client *c, const char *volume, const char *brick, gbx_examine_res *out,
                    struct gb_error *err);
/* `purge`: remove what is removable, and tell how much that was. */
int gb_call_usage(struct gb_client *c, const char *volume, const char *brick, int64_t keep_from,
                  bool cumulative, bool purge, gbx_usage *out, struct gb_error *err);

int gb_call_session_register(struct gb_client *c, const char *session, const char *volume,
                             const gb_gfid *volume_id, struct gb_error *err);
int gb_call_session_lock(struct gb_client *c, const char *session, const char *volume,
                         const gb_gfid *volume_id, gbx_session *out, struct gb_error *err);
int gb_call_session_unlock(struct gb_client *c, const char *session, const char *volume,
                           struct gb_error *err);
int gb_call_session_prepare(struct gb_client *c, const gbx_prepare_arg *arg, struct gb_error *err);
int gb_call_session_commit(struct gb_client *c, const char *session, const char *volume,
                           const char *generation, struct gb_error *err);
int gb_call_session_abort(struct gb_client *c, const char *session, const char *volume,
                          const char *generation, struct gb_error *err);
int gb_call_session_unregister(struct gb_client *c, const char *session, const char *volume,
                               struct gb_error *err);
/* GB_ERR_VERSION: the agent is too old for it.  Release with xdr_gbx_generation. */
int gb_call_session_last_full(struct gb_client *c, const char *session, const char *volume,
                              gbx_generation *out, struct gb_error *err);
int gb_call_session_list(struct gb_client *c, gbx_sessions_res *out, struct gb_error *err);

/*
 * The stream, pipelined: GB_WINDOW NEXT calls are kept in flight.  After gb_call_open():
 *
 *   gb_stream_recv   the next chunk that carries data or eof; empty heartbeats are swallowed after
 *                    `progress` (NULL allowed) was called with them.  The chunk's data is borrowed
 *                    until the next call.  1: chunk; 0: eof was delivered before; -1.
 *   gb_stream_park   before a pause of more than a few seconds: take in what is in flight, so that
 *                    the agent is not left writing to a peer that does not read (it gives up after
 *                    GB_WRITE_MS).  Chunks are kept and gb_stream_recv() delivers them first.
 *   gb_stream_stop   give up early: drain what is in flight, CLOSE.
 *
 * An error the agent answers to NEXT ends the stream, not the connection: gb_stream_stop(), then
 * other calls are possible again.
 */
typedef void (*gb_stream_progress)(void *arg, const gbx_chunk *chunk);
int gb_stream_start(struct gb_client *c, unsigned max_bytes, struct gb_error *err);
int gb_stream_recv(struct gb_client *c, gbx_chunk *chunk, gb_stream_progress progress, void *arg,
                   struct gb_error *err);
int gb_stream_park(struct gb_client *c, struct gb_error *err);
int gb_stream_stop(struct gb_client *c, struct gb_error *err);

/* Release what decoding allocated inside a gbx_ value. */
void gb_xdr_release(xdrproc_t proc, void *value);

#endif
