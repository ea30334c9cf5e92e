/*
 * handlers - how every procedure begins and ends.
 *
 * A handler asks the state table, judges its arguments completely, and only then acts.  The generated
 * union of a result is answered TRUE with the value or FALSE with the error; rpcgen releases it.
 */
#ifndef GB_HANDLERS_H
#define GB_HANDLERS_H

#include "wire_error.h"
#include "worker.h"

/* Zeroes the result and consults the table.  NULL: out of turn. */
struct gb_worker *gb_handler_enter(struct svc_req *req, void *res, size_t size, struct gb_error *err);
/* Put an error on the wire, and in the log. */
void gb_handler_refuse(const struct svc_req *req, const struct gb_error *err, gbx_error *out);

#define GB_ENTER(req, res, err) gb_handler_enter(req, res, sizeof(*(res)), err)

/* End of a handler: `done` tells whether it went well, `type` is the union's name. */
#define GB_ANSWER(req, res, type, done, err)                                                                 \
        do {                                                                                                 \
                (res)->ok = (done) ? TRUE : FALSE;                                                           \
                if (!(res)->ok)                                                                              \
                        gb_handler_refuse(req, err, &(res)->type##_u.error);                                 \
                return TRUE;                                                                                 \
        } while (0)

/* Wire names as malloc'd C strings, judged, and the caller's right to the volume with it.  NULL:
 * GB_ERR_USAGE, GB_ERR_DENIED and the like. */
char *gb_handler_volume(const struct gb_worker *w, const gbx_volname *v, struct gb_error *err);
char *gb_handler_session(const gbx_name *n, struct gb_error *err);

/* The brick a call is about, verified afresh at every call.  With `running`, GB_ERR_BRICK_DOWN if its
 * process is not there: what it says would be stale. */
struct gb_brick *gb_handler_brick(struct gb_worker *w, const gbx_volname *volume, const gbx_brick *brick,
                                  bool running, struct gb_error *err);

#endif
