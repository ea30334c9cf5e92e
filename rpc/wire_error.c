/*
 * wire_error - see wire_error.h.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "wire_error.h"

/* Largest errno we repeat from another host; the kernel's own MAX_ERRNO. */
#define GB_ERRNO_MAX 4095

void gb_error_to_wire(const struct gb_error *err, gbx_error *out)
{
        size_t len = strnlen(err->text, GB_TEXT_MAX - 1);

        memset(out, 0, sizeof(*out));
        out->code = (unsigned)err->code;
        out->sys = err->sys;
        out->text.gbx_text_val = len > 0 ? malloc(len) : NULL;
        if (out->text.gbx_text_val) {
                memcpy(out->text.gbx_text_val, err->text, len);
                out->text.gbx_text_len = (unsigned)len;
        }
}

int gb_error_from_wire(const gbx_error *in, struct gb_error *err)
{
        enum gb_code code = GB_ERR_PROTOCOL;
        unsigned len = in->text.gbx_text_len;

        if (in->code > GB_OK && in->code < GB_CODE_END)
                code = (enum gb_code)in->code;
        /* gb_error_set() bounds the text and keeps out what could act on a terminal. */
        if (len > 0)
                gb_error_set(err, code, "%.*s", (int)len, in->text.gbx_text_val);
        else
                gb_error_set(err, code, "error \"%s\" without explanation", gb_code_name(code));
        if (err && in->sys > 0 && in->sys <= GB_ERRNO_MAX)
                err->sys = in->sys;
        return -1;
}

char *gb_wire_string(const char *val, unsigned len, unsigned max, const char *what, struct gb_error *err)
{
        char *s;

        if (len > max) {
                gb_error_set(err, GB_ERR_LIMIT, "%s has %u bytes, the limit is %u", what, len, max);
                return NULL;
        }
        if (len > 0 && memchr(val, '\0', len)) {
                gb_error_set(err, GB_ERR_PROTOCOL, "%s contains a NUL byte", what);
                return NULL;
        }
        s = malloc((size_t)len + 1);
        if (!s) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory for %s", what);
                return NULL;
        }
        if (len > 0)
                memcpy(s, val, len);
        s[len] = '\0';
        return s;
}
