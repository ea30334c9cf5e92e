/*
 * access - see access.h.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/limits.h"

static const char *const rights[] = {
        [GB_RIGHT_LIST] = "list", [GB_RIGHT_SESSION] = "session", [GB_RIGHT_NODE] = "node"};

const char *gb_right_name(enum gb_right r)
{
        return r == GB_RIGHT_NONE ? "none" : rights[r];
}

static void grant_fini(struct gb_grant *g)
{
        free(g->volumes);
        g->volumes = NULL;
}

void gb_access_fini(struct gb_access *a)
{
        for (size_t i = 0; i < a->grants.n; i++)
                grant_fini(&a->grants.v[i]);
        gb_vec_free(&a->grants);
        a->serial = 0;
}

/* ---- one grant from its words ---- */

static int take_name(struct gb_grant *g, const char *s, struct gb_error *err)
{
        size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

        if (!n || s[n] || n > GB_HOST_MAX || !strcmp(s, "serial"))
                return gb_error_set(
                        err, GB_ERR_USAGE,
                        "'%.64s' is no name of a client: letters, digits, dot, hyphen, underscore", s);
        memcpy(g->name, s, n + 1);
        return 0;
}

static int take_right(struct gb_grant *g, const char *s, struct gb_error *err)
{
        for (size_t i = GB_RIGHT_LIST; i <= GB_RIGHT_NODE; i++)
                if (!strcmp(s, rights[i])) {
                        g->right = (enum gb_right)i;
                        return 0;
                }
        return gb_error_set(err, GB_ERR_USAGE, "'%.64s' is no right: list, session or node", s);
}

static int take_volumes(struct gb_grant *g, const char *s, struct gb_error *err)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-,";
        size_t n = strlen(s);

        if (strcmp(s, "*") != 0 && (!n || n > GB_LINE_MAX || strspn(s, letters) != n || s[0] == ',' ||
                                    s[n - 1] == ',' || strstr(s, ",,")))
                return gb_error_set(err, GB_ERR_USAGE,
                                    "'%.64s': volumes are names with a comma between them, or *", s);
        g->volumes = strdup(s);
        return g->volumes ? 0 : gb_error_set(err, GB_ERR_MEMORY, "out of memory");
}

static int take_certificate(struct gb_grant *g, const char *s, struct gb_error *err)
{
        size_t n = strlen(s);

        if (!strncmp(s, "sha256:", 7) && n == 7 + 64 && strspn(s + 7, "0123456789abcdef") == 64)
                memcpy(g->fingerprint, s + 7, 65);
        else if (!strncmp(s, "cn:", 3) && n > 3 && n - 3 <= GB_HOST_MAX)
                memcpy(g->cn, s + 3, n - 2);
        else
                return gb_error_set(err, GB_ERR_USAGE,
                                    "'%.80s' is no certificate: sha256: and 64 digits 0-9a-f, or cn: and a "
                                    "common name",
                                    s);
        return 0;
}

struct gb_grant *gb_access_named(const struct gb_access *a, const char *name)
{
        for (size_t i = 0; i < a->grants.n; i++)
                if (!strcmp(a->grants.v[i].name, name))
                        return &a->grants.v[i];
        return NULL;
}

int gb_access_put(struct gb_access *a, const char *name, const char *right, const char *volumes,
                  const char *certificate, struct gb_error *err)
{
        struct gb_grant *there = gb_access_named(a, name);
        struct gb_grant g = {.right = GB_RIGHT_NONE};

        if (take_name(&g, name, err) < 0 || take_right(&g, right, err) < 0 ||
            take_volumes(&g, volumes, err) < 0 || take_certificate(&g, certificate, err) < 0)
                goto fail;
        if (there) {
                grant_fini(there);
                *there = g;
                return 0;
        }
        if (a->grants.n >= GB_GRANTS_MAX) {
                gb_error_set(err, GB_ERR_LIMIT, "more than %d clients", GB_GRANTS_MAX);
                goto fail;
        }
        if (gb_vec_push(&a->grants, g) < 0) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                goto fail;
        }
        return 0;
fail:
        grant_fini(&g);
        return -1;
}

bool gb_access_remove(struct gb_access *a, const char *name)
{
        struct gb_grant *g = gb_access_named(a, name);
        size_t at;

        if (!g)
                return false;
        at = (size_t)(g - a->grants.v);
        grant_fini(g);
        memmove(g, g + 1, (a->grants.n - at - 1) * sizeof(*g));
        a->grants.n--;
        return true;
}

/* ---- the file ---- */

static int take_serial(struct gb_access *a, const char *s, struct gb_error *err)
{
        size_t n = strspn(s, "0123456789");

        if (!n || s[n] || n > 18)
                return gb_error_set(err, GB_ERR_CONFIG, "'%.64s' is no serial number", s);
        a->serial = strtoull(s, NULL, 10);
        return 0;
}

static int take_line(struct gb_access *a, char *line, struct gb_error *err)
{
        char *word[5], *rest = NULL;
        size_t n = 0;

        for (char *w = strtok_r(line, " \t\r", &rest); w && n < 5; w = strtok_r(NULL, " \t\r", &rest))
                word[n++] = w;
        if (n == 0 || word[0][0] == '#')
                return 0;
        if (n == 2 && !strcmp(word[0], "serial"))
                return take_serial(a, word[1], err);
        if (n != 4)
                return gb_error_set(err, GB_ERR_CONFIG, "a line is NAME RIGHT VOLUMES CERTIFICATE");
        if (gb_access_named(a, word[0]))
                return gb_error_set(err, GB_ERR_CONFIG, "%.64s is named twice", word[0]);
        return gb_access_put(a, word[0], word[1], word[2], word[3], err);
}

int gb_access_parse(struct gb_access *a, const char *text, size_t len, const char *what, struct gb_error *err)
{
        const char *at = text, *end = text + len;

        for (unsigned n = 1; at < end; n++) {
                const char *nl = memchr(at, '\n', (size_t)(end - at));
                size_t size = nl ? (size_t)(nl - at) : (size_t)(end - at);
                char line[2 * GB_LINE_MAX];
                int rc;

                if (size >= sizeof(line) || memchr(at, '\0', size)) {
                        rc = gb_error_set(err, GB_ERR_CONFIG, "line is too long, or holds a NUL byte");
                } else {
                        memcpy(line, at, size);
                        line[size] = '\0';
                        rc = take_line(a, line, err);
                }
                if (rc < 0) {
                        if (err && err->code == GB_ERR_USAGE)
                                err->code = GB_ERR_CONFIG;
                        return gb_error_prefix(err, "%s:%u", what, n);
                }
                at += size + 1;
        }
        return 0;
}

int gb_access_load(struct gb_access *a, const char *path, struct gb_error *err)
{
        GB_CLEANUP_BUF struct gb_buf text = GB_BUF_INIT(GB_TRUST_MAX + 1);
        int rc;

        memset(a, 0, sizeof(*a));
        rc = gb_file_read(path, GB_TRUST_MAX, &text, err);
        if (rc > 0)
                return 0;
        if (rc == 0)
                rc = gb_access_parse(a, (const char *)text.data, text.len, path, err);
        if (rc < 0)
                gb_access_fini(a);
        return rc;
}

int gb_access_format(const struct gb_access *a, struct gb_buf *out, struct gb_error *err)
{
        char line[3 * GB_LINE_MAX];

        for (size_t i = 0; i <= a->grants.n; i++) {
                const struct gb_grant *g = i ? &a->grants.v[i - 1] : NULL;
                int n;

                if (!g)
                        n = snprintf(line, sizeof(line),
                                     "# Who besides the nodes may ask gbackupd: see gbackup-security(7).\n"
                                     "# NAME RIGHT VOLUMES CERTIFICATE\nserial %llu\n",
                                     (unsigned long long)a->serial);
                else
                        n = snprintf(line, sizeof(line), "%s %s %s %s%s\n", g->name, gb_right_name(g->right),
                                     g->volumes, *g->cn ? "cn:" : "sha256:", *g->cn ? g->cn : g->fingerprint);
                if (n < 0 || gb_buf_put(out, line, (size_t)n) < 0)
                        return gb_error_set(err, GB_ERR_LIMIT, "clients.conf grows beyond %d bytes",
                                            GB_TRUST_MAX);
        }
        return 0;
}

/* ---- judging ---- */

const struct gb_grant *gb_access_find(const struct gb_access *a, const struct gb_cert *cert, bool issued)
{
        for (size_t i = 0; i < a->grants.n; i++) {
                const struct gb_grant *g = &a->grants.v[i];

                if (*g->fingerprint ? !strcmp(g->fingerprint, cert->fingerprint)
                                    : issued && *g->cn && !strcmp(g->cn, cert->name))
                        return g;
        }
        return NULL;
}

bool gb_access_includes(const char *volumes, const char *volume)
{
        size_t n = strlen(volume);

        if (!n || strchr(volume, ','))
                return false;
        if (!strcmp(volumes, "*"))
                return true;
        for (const char *at = volumes; at; at = strchr(at, ',')) {
                at += *at == ',';
                if (!strncmp(at, volume, n) && (at[n] == ',' || !at[n]))
                        return true;
        }
        return false;
}
