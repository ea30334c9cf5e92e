/*
 * error - see error.h.
 *
 * A text is formatted into a local first, because callers like to pass the old text as an argument.
 * File names reach these texts, and a file name may hold anything: control characters become '?', so
 * that an error is one line wherever it is shown.
 */
#include <config.h>

#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[GB_CODE_END] = {
        [GB_OK] = "ok",
        [GB_ERR_SYSTEM] = "system",
        [GB_ERR_MEMORY] = "memory",
        [GB_ERR_USAGE] = "usage",
        [GB_ERR_CONFIG] = "config",
        [GB_ERR_PROTOCOL] = "protocol",
        [GB_ERR_TIMEOUT] = "timeout",
        [GB_ERR_CANCELLED] = "cancelled",
        [GB_ERR_NO_AGENT] = "no-agent",
        [GB_ERR_DENIED] = "denied",
        [GB_ERR_VERSION] = "version",
        [GB_ERR_NO_VOLUME] = "no-volume",
        [GB_ERR_VOLUME_STOPPED] = "volume-stopped",
        [GB_ERR_NO_BRICK] = "no-brick",
        [GB_ERR_BRICK_DOWN] = "brick-down",
        [GB_ERR_INCOMPLETE] = "incomplete",
        [GB_ERR_GAP] = "gap",
        [GB_ERR_CHANGELOG_OFF] = "changelog-off",
        [GB_ERR_NO_SESSION] = "no-session",
        [GB_ERR_SESSION_EXISTS] = "session-exists",
        [GB_ERR_BUSY] = "busy",
        [GB_ERR_GLUSTER] = "gluster",
        [GB_ERR_CORRUPT] = "corrupt",
        [GB_ERR_NO_SPACE] = "no-space",
        [GB_ERR_LIMIT] = "limit",
        [GB_ERR_AGAIN] = "again",
        [GB_ERR_SKIPPED] = "skipped",
};

const char *gb_code_name(enum gb_code code)
{
        if ((unsigned)code >= GB_CODE_END)
                return "unknown";
        return code_names[code];
}

static void store(struct gb_error *err, const char *text)
{
        size_t n = strnlen(text, sizeof(err->text) - 1);

        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)text[i];

                err->text[i] = c < 0x20 || c == 0x7f ? '?' : text[i];
        }
        err->text[n] = '\0';
}

__attribute__((format(printf, 2, 0))) static void format(char text[GB_TEXT_MAX], const char *fmt, va_list ap)
{
        if (vsnprintf(text, GB_TEXT_MAX, fmt, ap) < 0)
                text[0] = '\0';
}

/* Append as much of `more` as fits. */
static void append(char text[GB_TEXT_MAX], const char *more)
{
        size_t len = strlen(text);
        size_t n = strnlen(more, GB_TEXT_MAX - 1 - len);

        memcpy(text + len, more, n);
        text[len + n] = '\0';
}

int gb_error_set(struct gb_error *err, enum gb_code code, const char *fmt, ...)
{
        char text[GB_TEXT_MAX];
        va_list ap;

        if (!err)
                return -1;
        va_start(ap, fmt);
        format(text, fmt, ap);
        va_end(ap);
        err->code = code;
        err->sys = 0;
        store(err, text);
        return -1;
}

int gb_error_sys(struct gb_error *err, enum gb_code code, const char *fmt, ...)
{
        int sys = errno;
        char text[GB_TEXT_MAX];
        char reason[256];
        va_list ap;

        if (!err)
                return -1;
        va_start(ap, fmt);
        format(text, fmt, ap);
        va_end(ap);
        if (sys == ENOSPC || sys == EDQUOT)
                code = GB_ERR_NO_SPACE;
        else if (sys == ENOMEM)
                code = GB_ERR_MEMORY;
        append(text, ": ");
        append(text, strerror_r(sys, reason, sizeof(reason)));
        err->code = code;
        err->sys = sys;
        store(err, text);
        return -1;
}

int gb_error_prefix(struct gb_error *err, const char *fmt, ...)
{
        char text[GB_TEXT_MAX];
        va_list ap;

        if (!err)
                return -1;
        va_start(ap, fmt);
        format(text, fmt, ap);
        va_end(ap);
        append(text, ": ");
        append(text, err->text);
        store(err, text);
        return -1;
}
