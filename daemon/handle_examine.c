/*
 * handle_examine - EXAMINE.
 */
#include <config.h>

#include <string.h>

#include "base/cleanup.h"
#include "examine.h"
#include "findings.h"
#include "handlers.h"

/* A brick that cannot be opened is what is to be told, unless it is none of this node's. */
static int tell_brick(const struct gb_error *why, gbx_examine_res *res, struct gb_error *err)
{
        struct gb_findings f;

        if (why->code != GB_ERR_BRICK_DOWN && why->code != GB_ERR_DENIED) {
                *err = *why;
                return -1;
        }
        gb_findings_init(&f, res);
        gb_finding(&f, GBX_WARNING, "brick-down", "", "mount the brick's file system; start the brick", "%s",
                   why->text);
        return 0;
}

static int examine(struct gb_worker *w, const gbx_brick_arg *arg, gbx_examine_res *res, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *volume = gb_handler_volume(w, &arg->volume, err);
        struct gb_error why;
        struct gb_brick *b;
        int rc;

        if (!volume)
                return -1;
        if (!arg->brick.gbx_brick_len)
                return gb_examine_node(w, volume, res, err);
        b = gb_handler_brick(w, &arg->volume, &arg->brick, false, &why);
        if (!b)
                return tell_brick(&why, res, err);
        rc = gb_examine_brick(w, b, res, err);
        gb_brick_close(b);
        return rc;
}

bool_t gbx_examine_1_svc(gbx_brick_arg *arg, gbx_examine_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        if (w && examine(w, arg, res, &err) == 0)
                return TRUE;
        xdr_free((xdrproc_t)xdr_gbx_examine_res, (char *)res);
        memset(res, 0, sizeof(*res));
        gb_handler_refuse(req, &err, &res->gbx_examine_res_u.error);
        return TRUE;
}
