/*
 * log - see log.h.
 *
 * Into the journal lines go as datagrams of its native protocol, which take fields: "NAME=value\n" each.  If
 * its socket is not there, or does not take one, the line goes to stderr as everywhere, with the priority in
 * front.
 *
 * A line leaves in one write(2), so that lines of several processes do not mix.  The rate is limited
 * per level over whole seconds; the first line of a later second says what was dropped before.
 */
#include <config.h>

#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"

#define LINE_BYTES       2048
#define LINES_PER_SECOND 200
#define JOURNAL_SOCKET   "/run/systemd/journal/socket"
#define FIELDS           4
#define FIELD_BYTES      512
#define LEVELS           (GB_LOG_DEBUG + 1)

static const char *const level_names[LEVELS] = {
        [GB_LOG_ERROR] = "error", [GB_LOG_WARNING] = "warning", [GB_LOG_NOTICE] = "notice",
        [GB_LOG_INFO] = "info",   [GB_LOG_DEBUG] = "debug",
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *program_name = "gbackup";
static enum gb_level max_level = GB_LOG_INFO;
static bool to_journal;
static int journal = -1; /* its socket, connected */
static struct {
        char name[16];
        char value[FIELD_BYTES];
} fields[FIELDS];
static struct {
        int64_t second;
        unsigned lines;
        unsigned suppressed;
} rate[LEVELS];

/* JOURNAL_STREAM is inherited by children whose stderr may be something else: it names the device
 * and inode it is about. */
static bool stderr_is_journal(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long dev, ino;
        struct stat st;

        if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2 || fstat(STDERR_FILENO, &st) < 0)
                return false;
        return st.st_dev == dev && st.st_ino == ino;
}

/* GBACKUP_JOURNAL is for tests. */
static int open_journal(void)
{
        const char *path = getenv("GBACKUP_JOURNAL");
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        int fd;

        if (!path || !*path)
                path = JOURNAL_SOCKET;
        if (strlen(path) >= sizeof(to.sun_path))
                return -1;
        memcpy(to.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
                return fd;
        close(fd);
        return -1;
}

void gb_log_setup(const char *program, enum gb_level level)
{
        pthread_mutex_lock(&lock);
        program_name = program;
        max_level = level;
        to_journal = stderr_is_journal();
        if (to_journal && journal < 0)
                journal = open_journal();
        pthread_mutex_unlock(&lock);
}

enum gb_level gb_log_level(void)
{
        return max_level;
}

int gb_log_parse_level(const char *name)
{
        for (int level = GB_LOG_ERROR; level < LEVELS; level++) {
                if (strcmp(name, level_names[level]) == 0)
                        return level;
        }
        return -1;
}

static void write_all(const char *p, size_t n)
{
        while (n) {
                ssize_t done = write(STDERR_FILENO, p, n);

                if (done < 0 && errno == EINTR)
                        continue;
                if (done < 0)
                        return;
                p += done;
                n -= (size_t)done;
        }
}

void gb_log_field(const char *name, const char *value)
{
        int at = -1;

        pthread_mutex_lock(&lock);
        for (int i = 0; i < FIELDS; i++)
                if (strcmp(fields[i].name, name) == 0 || (at < 0 && !fields[i].value[0]))
                        at = i;
        if (at >= 0) {
                snprintf(fields[at].name, sizeof(fields[at].name), "%s", name);
                snprintf(fields[at].value, sizeof(fields[at].value), "%s", value ? value : "");
                for (char *p = fields[at].value; *p; p++)
                        if ((unsigned char)*p < 0x20 || *p == 0x7f)
                                *p = '?';
        }
        pthread_mutex_unlock(&lock);
}

/* `text` is one line without control characters.  False: the journal did not take it. */
static bool send_to_journal(enum gb_level level, const char *text)
{
        char entry[LINE_BYTES + FIELDS * (FIELD_BYTES + 32) + 256];
        int n;

        if (journal < 0)
                return false;
        n = snprintf(entry, sizeof(entry), "PRIORITY=%d\nSYSLOG_IDENTIFIER=%.255s\nMESSAGE=%s\n", (int)level,
                     program_name, text);
        for (int i = 0; i < FIELDS; i++)
                if (fields[i].value[0])
                        n += snprintf(entry + n, sizeof(entry) - (size_t)n, "GBACKUP_%s=%s\n", fields[i].name,
                                      fields[i].value);
        return send(journal, entry, (size_t)n, MSG_NOSIGNAL) == n;
}

/* Control characters would let a file name forge lines or drive a terminal. */
static void write_line(enum gb_level level, const char *text)
{
        char line[LINE_BYTES];
        int head = to_journal
                           ? snprintf(line, sizeof(line), "<%d>%.255s: ", (int)level, program_name)
                           : snprintf(line, sizeof(line), "%.255s: %s: ", program_name, level_names[level]);
        size_t n = head > 0 ? (size_t)head : 0;

        for (; *text; text++) {
                unsigned char c = (unsigned char)*text;
                bool plain = c >= 0x20 && c != 0x7f;

                if (n + (plain ? 1 : 4) >= sizeof(line))
                        break;
                if (plain)
                        line[n++] = *text;
                else
                        n += (size_t)snprintf(line + n, sizeof(line) - n, "\\x%02x", c);
        }
        line[n] = '\0';
        if (to_journal && send_to_journal(level, line + strcspn(line, ":") + 2))
                return;
        line[n++] = '\n';
        write_all(line, n);
}

/* May a line of this level be written in this second?  Says what earlier seconds suppressed. */
static bool admit(enum gb_level level, int64_t second)
{
        for (unsigned i = GB_LOG_ERROR; i < LEVELS; i++) {
                char text[64];

                if (rate[i].second == second)
                        continue;
                if (rate[i].suppressed) {
                        snprintf(text, sizeof(text), "%u more lines suppressed", rate[i].suppressed);
                        write_line((enum gb_level)i, text);
                }
                rate[i].second = second;
                rate[i].lines = rate[i].suppressed = 0;
        }
        if (rate[level].lines == LINES_PER_SECOND) {
                rate[level].suppressed++;
                return false;
        }
        rate[level].lines++;
        return true;
}

void gb_log(enum gb_level level, const char *fmt, ...)
{
        int saved = errno;
        char text[LINE_BYTES];
        va_list ap;

        if (level < GB_LOG_ERROR || level >= LEVELS || level > max_level)
                return;
        va_start(ap, fmt);
        if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
                text[0] = '\0';
        va_end(ap);
        pthread_mutex_lock(&lock);
        if (admit(level, gb_now_ms() / 1000))
                write_line(level, text);
        pthread_mutex_unlock(&lock);
        errno = saved;
}
