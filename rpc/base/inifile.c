/*
 * inifile - see inifile.h.
 */
#include <config.h>

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "inifile.h"

struct reading {
        FILE *in;
        const char *file;
        unsigned line; /* of what inih is working on */
        gb_ini_take *take;
        void *arg;
        bool failed;
        struct gb_error *err;
};

static void fail_here(struct reading *r)
{
        r->failed = true;
        gb_error_prefix(r->err, "%s:%u", r->file, r->line);
}

static char *read_line(char *out, int room, void *stream)
{
        struct reading *r = stream;
        size_t n = 0;
        int c;

        if (r->failed)
                return NULL;
        r->line++;
        while ((c = getc(r->in)) != EOF && c != '\n') {
                if (n + 2 >= (size_t)room || !c) {
                        gb_error_set(r->err, GB_ERR_CONFIG,
                                     c ? "line is longer than %d bytes" : "line holds a NUL byte", room - 2);
                        fail_here(r);
                        return NULL;
                }
                out[n++] = (char)c;
        }
        if (c == EOF && !n)
                return NULL;
        out[n++] = '\n';
        out[n] = '\0';
        return out;
}

/* Handler of inih: 1 go on, 0 wrong. */
static int handle(void *arg, const char *section, const char *name, const char *value)
{
        struct reading *r = arg;

        if (r->failed)
                return 0;
        if (r->take(r->arg, section, name, value, r->err) == 0)
                return 1;
        fail_here(r);
        return 0;
}

int gb_ini_read(const char *file, const char *sections, gb_ini_take *take, void *arg, struct gb_error *err)
{
        GB_CLEANUP_FCLOSE FILE *in = fopen(file, "re");
        struct reading r = {.in = in, .file = file, .take = take, .arg = arg, .err = err};
        struct stat st;
        int line;

        if (!in && errno == ENOENT)
                return 1;
        if (!in || fstat(fileno(in), &st) < 0)
                return gb_error_sys(err, GB_ERR_CONFIG, "%s: open configuration", file);
        if (!S_ISREG(st.st_mode))
                return gb_error_set(err, GB_ERR_CONFIG, "%s: not a regular file", file);
        if (st.st_size > GB_CONFIG_MAX)
                return gb_error_set(err, GB_ERR_CONFIG, "%s: larger than %d bytes", file, GB_CONFIG_MAX);
        line = ini_parse_stream(read_line, &r, handle, &r);
        if (r.failed)
                return -1;
        if (ferror(in))
                return gb_error_sys(err, GB_ERR_CONFIG, "%s: read configuration", file);
        if (line)
                return gb_error_set(err, GB_ERR_CONFIG, "%s:%d: neither [%s], key = value nor a comment",
                                    file, line, sections);
        return 0;
}
