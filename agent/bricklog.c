/*
 * bricklog - see bricklog.h.
 */
#include <config.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "birth.h"
#include "bricklog.h"

#define LOGS "/var/log/glusterfs/bricks/"
/* More than this is not read. */
#define LOG_MAX (256 * 1024 * 1024)

char *gb_bricklog_named(const char *brick)
{
        char *name;

        if (asprintf(&name, LOGS "%s.log", brick + (*brick == '/')) < 0)
                return NULL;
        for (char *p = name + strlen(LOGS); *p; p++)
                if (*p == '/')
                        *p = '-';
        return name;
}

struct opened {
        FILE *f;
        uint64_t id, size;
};

/* `old`: as logrotate leaves it.  An inode's number is given out again when one log is rotated away. */
static bool open_log(const char *file, bool old, struct opened *out)
{
        char path[PATH_MAX];
        struct gb_birth birth;
        struct stat st;
        int n = snprintf(path, sizeof(path), "%s%s", file ? file : "", old ? ".1" : "");

        out->f = file && n >= 0 && (size_t)n < sizeof(path) ? fopen(path, "re") : NULL;
        if (!out->f)
                return false;
        if (fstat(fileno(out->f), &st) < 0 || !S_ISREG(st.st_mode) ||
            gb_birth_of(fileno(out->f), "", &birth) < 0) {
                fclose(out->f);
                out->f = NULL;
                return false;
        }
        out->id = birth.ino + (uint64_t)birth.born;
        out->size = birth.size;
        return true;
}

struct gb_bricklog gb_bricklog_now(const char *file)
{
        struct gb_bricklog now = {0};
        struct opened log;

        if (open_log(file, false, &log)) {
                now.id = log.id;
                now.offset = log.size;
                fclose(log.f);
        }
        return now;
}

/* A graph's lines are "  NN:     option changelog on". */
static bool says(const char *line, const char *words)
{
        const char *p = strchr(line, ':');

        if (!p)
                return false;
        p += 1 + strspn(p + 1, " ");
        return strncmp(p, words, strlen(words)) == 0 && strchr("\r\n", p[strlen(words)]) != NULL;
}

/* "  NN:     option changelog-brick /path" of another brick in the same process. */
static bool says_other(const char *line, const char *brick)
{
        static const char option[] = "option changelog-brick ";
        const char *p = strstr(line, option);

        return p && (strncmp(p + strlen(option), brick, strlen(brick)) != 0 ||
                     !strchr("\r\n", p[strlen(option) + strlen(brick)]));
}

static bool says_on(const char *line)
{
        static const char *const words[] = {"on", "yes", "true", "enable", "1"};
        char option[32];

        for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
                snprintf(option, sizeof(option), "option changelog %s", words[i]);
                if (says(line, option))
                        return true;
        }
        return false;
}

/* "... accepted client from CTX_ID:...-RECON_NO:-2 (version: ...) with subvol /path " */
static bool says_again(const char *line, const char *brick)
{
        static const char number[] = "-RECON_NO:-", subvol[] = " with subvol ";
        const char *p = strstr(line, " accepted client from ");
        const char *at = p ? strstr(p, subvol) : NULL;

        p = p ? strstr(p, number) : NULL;
        if (!p || p[sizeof(number) - 1] < '1' || p[sizeof(number) - 1] > '9')
                return false;
        at += at ? strlen(subvol) : 0;
        return !at || (strncmp(at, brick, strlen(brick)) == 0 && strchr(" \r\n", at[strlen(brick)]));
}

struct seen {
        unsigned on, off, again;
};

static void read_log(FILE *f, const char *brick, struct seen *seen)
{
        bool inside = false, active = false, other = false;
        char *line = NULL;
        size_t room = 0;

        while (getline(&line, &room, f) >= 0) {
                if (says(line, "type features/changelog")) {
                        inside = true;
                        active = other = false;
                } else if (inside && says_other(line, brick)) {
                        other = true;
                } else if (inside && says_on(line)) {
                        active = true;
                } else if (inside && says(line, "end-volume")) {
                        inside = false;
                        if (!other)
                                ++*(active ? &seen->on : &seen->off);
                } else if (!inside && says_again(line, brick)) {
                        seen->again++;
                }
        }
        free(line);
}

static bool read_on(struct opened *log, uint64_t offset, const char *brick, struct seen *seen)
{
        bool whole =
                log->size >= offset && log->size < LOG_MAX && fseeko(log->f, (off_t)offset, SEEK_SET) == 0;

        if (whole)
                read_log(log->f, brick, seen);
        fclose(log->f);
        return whole;
}

static bool read_since(const char *file, const char *brick, const struct gb_bricklog *since,
                       struct seen *seen)
{
        struct opened log, old;
        uint64_t offset = since->offset;

        if (!since->id || !open_log(file, false, &log))
                return false;
        if (log.id != since->id) {
                bool known = open_log(file, true, &old);

                if (known && old.id != since->id) {
                        fclose(old.f);
                        known = false;
                }
                if (!known || !read_on(&old, offset, brick, seen)) {
                        fclose(log.f);
                        return false;
                }
                offset = 0;
        }
        return read_on(&log, offset, brick, seen);
}

bool gb_bricklog_starts(const char *file, const char *brick, const struct gb_bricklog *since, unsigned *on,
                        unsigned *off)
{
        struct seen seen = {0};
        bool known = read_since(file, brick, since, &seen);

        *on = seen.on;
        *off = seen.off;
        return known;
}

int gb_bricklog_reconnected(const char *file, const char *brick, const struct gb_bricklog *since)
{
        struct seen seen = {0};

        if (!read_since(file, brick, since, &seen))
                return -1;
        return seen.again > 0;
}
