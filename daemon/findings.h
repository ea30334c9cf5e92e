/*
 * findings - a list of findings that grows.
 */
#ifndef GB_FINDINGS_H
#define GB_FINDINGS_H

#include <rpc/rpc.h>
#include <stdbool.h>

#include "base/error.h"
#include "gbackup.h"

struct gb_findings {
        gbx_examine_res *res;
        bool full; /* more than GBX_FINDINGS_MAX, or no memory: the rest is missing */
};

void gb_findings_init(struct gb_findings *f, gbx_examine_res *res);
/* Add one; `text` is formatted.  `session` may be empty. */
void gb_finding(struct gb_findings *f, gbx_level level, const char *code, const char *session,
                const char *remedy, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

#endif
