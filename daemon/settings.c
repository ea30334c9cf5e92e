/*
 * settings - the table of keys, and the file they come from.
 *
 * inih takes an indented line as a continuation of the key above, so a key that comes twice is an error.
 */
#include <config.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "base/inifile.h"
#include "settings.h"

#define SECTION "gbackupd"

enum type { TYPE_PATH, TYPE_PROGRAM, TYPE_NUMBER, TYPE_SIZE, TYPE_LEVEL, TYPE_LISTEN, TYPE_SWITCH };

struct key {
        const char *name;
        enum type type;
        size_t offset;
        size_t room; /* of a text, with its NUL */
        uint64_t min, max;
};

#define TEXT(kind, field)                                                                                    \
        {                                                                                                    \
#field, kind, offsetof(struct gb_settings, field), sizeof(((struct gb_settings *)0)->field), \
                        0, 0                                                                                 \
        }
#define NUMBER(kind, field, lo, hi)                                                                          \
        {                                                                                                    \
#field, kind, offsetof(struct gb_settings, field), 0, lo, hi                                 \
        }

#define MIB ((uint64_t)1024 * 1024)
#define GIB (1024 * MIB)

static const struct key keys[] = {
        TEXT(TYPE_PATH, socket),
        TEXT(TYPE_LISTEN, listen),
        TEXT(TYPE_PATH, tls_dir),
        TEXT(TYPE_PATH, state_dir),
        TEXT(TYPE_PATH, glusterd_dir),
        TEXT(TYPE_PATH, gluster_run_dir),
        TEXT(TYPE_PROGRAM, gluster_program),
        NUMBER(TYPE_LEVEL, log_level, 0, 0),
        NUMBER(TYPE_NUMBER, max_workers, 1, GB_WORKERS_MAX),
        NUMBER(TYPE_NUMBER, max_workers_per_address, 1, GB_WORKERS_MAX),
        NUMBER(TYPE_SIZE, memory_limit, 16 * MIB, 64 * GIB),
        NUMBER(TYPE_NUMBER, scan_threads, 1, 16),
        NUMBER(TYPE_NUMBER, scan_rate, 0, 1000000000),
        NUMBER(TYPE_NUMBER, nice, 0, 19),
        NUMBER(TYPE_SWITCH, io_idle, 0, 0),
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

void gb_settings_default(struct gb_settings *s)
{
        *s = (struct gb_settings){
                .socket = GB_RUNDIR "/agent.sock",
                .listen = "[::]:24017",
                .tls_dir = GB_SYSCONFDIR "/gbackup/tls",
                .state_dir = GB_STATEDIR,
                .glusterd_dir = "/var/lib/glusterd",
                .gluster_run_dir = "/var/run/gluster",
                .gluster_program = "gluster",
                .log_level = GB_LOG_INFO,
                .max_workers = 64,
                .max_workers_per_address = 16,
                .memory_limit = 256 * MIB,
                .scan_threads = 2,
                .nice = 10,
        };
}

static const struct key *key_find(const char *name)
{
        for (size_t i = 0; i < N_KEYS; i++)
                if (!strcmp(keys[i].name, name))
                        return &keys[i];
        return NULL;
}

static bool printable(const char *text)
{
        for (const unsigned char *p = (const unsigned char *)text; *p; p++)
                if (*p < 0x20 || *p == 0x7f)
                        return false;
        return true;
}

static int check_text(const struct key *k, const char *value, struct gb_error *err)
{
        struct sockaddr_storage addr;
        socklen_t len;

        if (strlen(value) >= k->room)
                return gb_error_set(err, GB_ERR_CONFIG, "%s: longer than %zu bytes", k->name, k->room - 1);
        if (!printable(value))
                return gb_error_set(err, GB_ERR_CONFIG, "%s: control characters are not allowed", k->name);
        if (k->type == TYPE_LISTEN)
                return *value ? gb_settings_parse_listen(value, &addr, &len, err) : 0;
        if (k->type == TYPE_PATH && value[0] != '/')
                return gb_error_set(err, GB_ERR_CONFIG, "%s: '%s' is not an absolute path", k->name, value);
        if (k->type == TYPE_PROGRAM && value[0] != '/' && (!*value || strchr(value, '/')))
                return gb_error_set(err, GB_ERR_CONFIG,
                                    "%s: '%s' is neither an absolute path nor the bare name of a program",
                                    k->name, value);
        return 0;
}

/* Digits, then K, M or G (powers of 1024) where a suffix is allowed. */
static bool parse_number(const char *text, bool suffix, uint64_t *out)
{
        uint64_t v = 0, unit = 1;
        const char *p = text;

        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
                        return false;
        if (p == text)
                return false;
        if (suffix && *p) {
                unit = *p == 'K' ? 1024 : *p == 'M' ? MIB : *p == 'G' ? GIB : 0;
                p++;
        }
        return unit && !*p && !__builtin_mul_overflow(v, unit, out);
}

static int set_number(struct gb_settings *s, const struct key *k, const char *value, struct gb_error *err)
{
        uint64_t v;

        if (!parse_number(value, k->type == TYPE_SIZE, &v) || v < k->min || v > k->max) {
                if (k->type == TYPE_SIZE)
                        return gb_error_set(err, GB_ERR_CONFIG, "%s: '%s' is not a size from %lluM to %lluG",
                                            k->name, value, (unsigned long long)(k->min / MIB),
                                            (unsigned long long)(k->max / GIB));
                return gb_error_set(err, GB_ERR_CONFIG, "%s: '%s' is not a number from %llu to %llu", k->name,
                                    value, (unsigned long long)k->min, (unsigned long long)k->max);
        }
        if (k->type == TYPE_SIZE)
                *(uint64_t *)((char *)s + k->offset) = v;
        else
                *(unsigned *)((char *)s + k->offset) = (unsigned)v;
        return 0;
}

static int set_level(struct gb_settings *s, const char *value, struct gb_error *err)
{
        int level = gb_log_parse_level(value);

        if (level < 0)
                return gb_error_set(err, GB_ERR_CONFIG,
                                    "log_level: '%s' is not one of error, warning, notice, info, debug",
                                    value);
        s->log_level = (enum gb_level)level;
        return 0;
}

static int set_switch(struct gb_settings *s, const struct key *k, const char *value, struct gb_error *err)
{
        bool on = strcmp(value, "yes") == 0;

        if (!on && strcmp(value, "no") != 0)
                return gb_error_set(err, GB_ERR_CONFIG, "%s: '%s' is neither yes nor no", k->name, value);
        *(bool *)((char *)s + k->offset) = on;
        return 0;
}

int gb_settings_set(struct gb_settings *s, const char *key, const char *value, struct gb_error *err)
{
        const struct key *k = key_find(key);

        if (!k)
                return gb_error_set(err, GB_ERR_CONFIG, "unknown key '%s'", key);
        if (k->type == TYPE_LEVEL)
                return set_level(s, value, err);
        if (k->type == TYPE_NUMBER || k->type == TYPE_SIZE)
                return set_number(s, k, value, err);
        if (k->type == TYPE_SWITCH)
                return set_switch(s, k, value, err);
        if (check_text(k, value, err) < 0)
                return -1;
        memcpy((char *)s + k->offset, value, strlen(value) + 1);
        return 0;
}

/* "a.b.c.d" or "[v6]" of `n` bytes. */
static bool parse_host(const char *text, size_t n, uint16_t port, struct sockaddr_storage *out,
                       socklen_t *len)
{
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
        struct sockaddr_in *in = (struct sockaddr_in *)out;
        char host[INET6_ADDRSTRLEN];
        bool v6 = n > 2 && text[0] == '[' && text[n - 1] == ']';

        text += v6 ? 1 : 0;
        n -= v6 ? 2 : 0;
        if (n >= sizeof(host))
                return false;
        memcpy(host, text, n);
        host[n] = '\0';
        memset(out, 0, sizeof(*out));
        if (v6) {
                in6->sin6_family = AF_INET6;
                in6->sin6_port = htons(port);
                *len = sizeof(*in6);
                return inet_pton(AF_INET6, host, &in6->sin6_addr) == 1;
        }
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        *len = sizeof(*in);
        return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

int gb_settings_parse_listen(const char *text, struct sockaddr_storage *out, socklen_t *len,
                             struct gb_error *err)
{
        const char *colon = strrchr(text, ':');
        uint64_t port;

        if (!colon || !parse_number(colon + 1, false, &port) || port < 1 || port > 65535 ||
            !parse_host(text, (size_t)(colon - text), (uint16_t)port, out, len))
                return gb_error_set(err, GB_ERR_CONFIG,
                                    "listen: '%s' is not ADDRESS:PORT, such as 10.0.0.1:24017 or [::]:24017",
                                    text);
        return 0;
}

/* A file being read. */
struct reading {
        struct gb_settings next;
        bool seen[N_KEYS];
};

static int take(void *arg, const char *section, const char *name, const char *value, struct gb_error *err)
{
        struct reading *r = arg;
        const struct key *k = key_find(name);

        if (strcmp(section, SECTION))
                return gb_error_set(err, GB_ERR_CONFIG,
                                    *section ? "unknown section [%s]; there is only [" SECTION "]"
                                             : "key outside a section%s; write [" SECTION "] first",
                                    section);
        if (k && r->seen[k - keys])
                return gb_error_set(err, GB_ERR_CONFIG, "%s is given twice, or a line below it is indented",
                                    name);
        if (gb_settings_set(&r->next, name, value, err) < 0)
                return -1;
        r->seen[k - keys] = true;
        return 0;
}

int gb_settings_load(struct gb_settings *s, const char *file, bool must_exist, struct gb_error *err)
{
        struct reading r = {.next = *s};
        int rc = gb_ini_read(file, SECTION, take, &r, err);

        if (rc == 1)
                return must_exist ? gb_error_set(err, GB_ERR_CONFIG, "%s: no such configuration file", file)
                                  : 0;
        if (rc == 0)
                *s = r.next;
        return rc;
}
