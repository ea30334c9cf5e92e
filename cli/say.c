/*
 * say - what gbackup-cli tells people.  libgbackup has functions of its own in the place of these.
 */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>

#include "cli.h"
#include "progress.h"

__attribute__((format(printf, 1, 0))) static void say(const char *fmt, va_list ap)
{
        char line[2048];

        vsnprintf(line, sizeof(line), fmt, ap);
        gb_progress_hold();
        fputs("gbackup-cli: ", stderr);
        for (const char *p = line; *p; p++)
                if ((unsigned char)*p < 0x20 || *p == 0x7f)
                        fprintf(stderr, "\\x%02x", (unsigned char)*p);
                else
                        fputc(*p, stderr);
        fputc('\n', stderr);
        gb_progress_release();
}

void gb_say(const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        say(fmt, ap);
        va_end(ap);
}

void gb_note(const struct gb_cli *c, const char *fmt, ...)
{
        va_list ap;

        if (c->o.quiet)
                return;
        va_start(ap, fmt);
        say(fmt, ap);
        va_end(ap);
}
