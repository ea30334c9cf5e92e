/*
 * bricklog - see bricklog.h.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "bricklog.h"

#define LOGS "/var/log/glusterfs/bricks/"
/* More than this is not read. */
#define LOG_MAX (256 * 1024 * 1024)

/* glusterd names the log after the path; `old`: as logrotate leaves it. */
static FILE *open_log(const char *brick, bool old, struct stat *st)
{
        char path[sizeof(LOGS) + GB_BRICK_PATH_MAX + 16];
        FILE *f;
        int n = snprintf(path, sizeof(path), LOGS "%s.log%s", brick + (*brick == '/'), old ? ".1" : "");

        if (n < 0 || (size_t)n >= sizeof(path))
                return NULL;
        for (char *p = path + strlen(LOGS); *p; p++)
                if (*p == '/')
                        *p = '-';
        f = fopen(path, "re");
        if (f && (fstat(fileno(f), st) < 0 || !S_ISREG(st->st_mode))) {
                fclose(f);
                f = NULL;
        }
        return f;
}

struct gb_bricklog gb_bricklog_now(const char *brick)
{
        struct gb_bricklog now = {0};
        struct stat st;
        FILE *f = open_log(brick, false, &st);

        if (f) {
                now.ino = st.st_ino;
                now.offset = (uint64_t)st.st_size;
                fclose(f);
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

/* "... accepted client from CTX_ID:...-RECON_NO:-2 (version: ..." */
static bool says_again(const char *line)
{
        static const char number[] = "-RECON_NO:-";
        const char *p = strstr(line, " accepted client from ");

        p = p ? strstr(p, number) : NULL;
        return p && p[sizeof(number) - 1] >= '1' && p[sizeof(number) - 1] <= '9';
}

struct seen {
        unsigned on, off, again;
};

static void read_log(FILE *f, struct seen *seen)
{
        bool inside = false, active = false;
        char *line = NULL;
        size_t room = 0;

        while (getline(&line, &room, f) >= 0) {
                if (says(line, "type features/changelog")) {
                        inside = true;
                        active = false;
                } else if (inside && says_on(line)) {
                        active = true;
                } else if (inside && says(line, "end-volume")) {
                        inside = false;
                        ++*(active ? &seen->on : &seen->off);
                } else if (!inside && says_again(line)) {
                        seen->again++;
                }
        }
        free(line);
}

static bool read_since(const char *brick, const struct gb_bricklog *since, struct seen *seen)
{
        struct stat st = {0}, old_st = {0};
        FILE *f = open_log(brick, false, &st), *old = NULL;
        bool known = f && since->ino && st.st_size < LOG_MAX;
        uint64_t offset = since->offset;

        if (known && (uint64_t)st.st_ino != since->ino) {
                old = open_log(brick, true, &old_st);
                known = old && (uint64_t)old_st.st_ino == since->ino && (uint64_t)old_st.st_size >= offset &&
                        old_st.st_size < LOG_MAX && fseeko(old, (off_t)offset, SEEK_SET) == 0;
                offset = 0;
        }
        known = known && (uint64_t)st.st_size >= offset && fseeko(f, (off_t)offset, SEEK_SET) == 0;
        if (known && old)
                read_log(old, seen);
        if (known)
                read_log(f, seen);
        if (old)
                fclose(old);
        if (f)
                fclose(f);
        return known;
}

bool gb_bricklog_starts(const char *brick, const struct gb_bricklog *since, unsigned *on, unsigned *off)
{
        struct seen seen = {0};
        bool known = read_since(brick, since, &seen);

        *on = seen.on;
        *off = seen.off;
        return known;
}

bool gb_bricklog_reconnected(const char *brick, const struct gb_bricklog *since)
{
        struct seen seen = {0};

        return read_since(brick, since, &seen) && seen.again > 0;
}
