/*
 * findings - see findings.h.
 */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"

void gb_findings_init(struct gb_findings *f, gbx_examine_res *res)
{
        memset(res, 0, sizeof(*res));
        res->ok = TRUE;
        f->res = res;
        f->full = false;
}

static int put(const char *text, size_t max, char **val, u_int *len)
{
        *val = strndup(text, max);
        *len = *val ? (u_int)strlen(*val) : 0;
        return *val ? 0 : -1;
}

/* Room for one more; NULL: there is none. */
static gbx_finding *room(struct gb_findings *f)
{
        u_int n = f->res->gbx_examine_res_u.findings.findings_len;
        gbx_finding *v = f->res->gbx_examine_res_u.findings.findings_val;

        if (n == GBX_FINDINGS_MAX)
                return NULL;
        v = realloc(v, (n + 1) * sizeof(*v));
        if (!v)
                return NULL;
        f->res->gbx_examine_res_u.findings.findings_val = v;
        f->res->gbx_examine_res_u.findings.findings_len = n + 1;
        memset(&v[n], 0, sizeof(v[n]));
        return &v[n];
}

void gb_finding(struct gb_findings *f, gbx_level level, const char *code, const char *session,
                const char *remedy, const char *fmt, ...)
{
        gbx_finding *one = room(f);
        char text[GB_TEXT_MAX];
        va_list ap;

        va_start(ap, fmt);
        if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
                text[0] = '\0';
        va_end(ap);
        if (!one) {
                f->full = true;
                return;
        }
        one->level = level;
        if (put(code, GBX_HOST_MAX, &one->code.gbx_name_val, &one->code.gbx_name_len) < 0 ||
            put(session, GBX_HOST_MAX, &one->session.gbx_name_val, &one->session.gbx_name_len) < 0 ||
            put(text, GBX_TEXT_MAX, &one->text.gbx_text_val, &one->text.gbx_text_len) < 0 ||
            put(remedy, GBX_TEXT_MAX, &one->remedy.gbx_text_val, &one->remedy.gbx_text_len) < 0)
                f->full = true;
}
