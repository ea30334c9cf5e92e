/*
 * registry - see registry.h.
 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/vec.h"
#include "output.h"
#include "registry.h"
#include "selection.h"

static const char *state_dir(void)
{
        const char *dir = getenv("GBACKUP_CLI_STATE");

        return dir && *dir ? dir : GB_STATEDIR "/cli";
}

int gb_session_name_check(const char *name, struct gb_error *err)
{
        static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
        size_t len = strlen(name);

        if (len < 1 || len > GB_SESSION_MAX || strspn(name, allowed) != len || *name == '-' || *name == '.')
                return gb_error_set(
                        err, GB_ERR_USAGE,
                        "\"%.80s\" is no session name: 1 to %d of A-Z a-z 0-9 . _ -, not starting "
                        "with . or -",
                        name, GB_SESSION_MAX);
        return 0;
}

char *gb_registry_file(const char *session, const char *suffix)
{
        char *path = NULL;

        return asprintf(&path, "%s/%s.%s", state_dir(), session, suffix) < 0 ? NULL : path;
}

static char *file_of(const char *session)
{
        return gb_registry_file(session, "json");
}

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
}

static int damaged(const char *path, const char *why, struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_CORRUPT, "%s: %s; remove it and register the session again", path,
                            why);
}

static int take_hosts(const json_t *list, struct gb_registered *out)
{
        size_t n = json_array_size(list);

        if (!n)
                return 0;
        out->hosts = calloc(n, sizeof(*out->hosts));
        for (size_t i = 0; out->hosts && i < n; i++) {
                const char *host = json_string_value(json_array_get(list, i));

                if (!host || !*host || !(out->hosts[out->n_hosts] = strdup(host)))
                        return -1;
                out->n_hosts++;
        }
        return out->hosts ? 0 : -1;
}

static int take_all(json_t *j, const char *session, struct gb_registered *out)
{
        const char *host, *volume, *last = NULL, *types = NULL;
        json_t *hosts = NULL, *select = NULL;
        json_int_t when = 0;

        if (json_unpack(j, "{s:s,s:s,s?o,s?s,s?I,s?o,s?s}", "host", &host, "volume", &volume, "hosts", &hosts,
                        "last", &last, "last_when", &when, "selection", &select, "types", &types) < 0 ||
            !gb_selection_take(&out->select, select))
                return -1;
        out->session = strdup(session);
        out->host = strdup(host);
        out->volume = strdup(volume);
        out->last = last ? strdup(last) : NULL;
        out->last_when = when;
        out->types = types ? strdup(types) : NULL;
        return out->session && out->host && out->volume && !last == !out->last && !types == !out->types
                       ? take_hosts(hosts, out)
                       : -1;
}

int gb_registry_get(const char *session, struct gb_registered *out, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *path = file_of(session);
        json_error_t why;
        json_t *j;
        int rc;

        memset(out, 0, sizeof(*out));
        if (!path)
                return no_memory(err);
        if (access(path, F_OK) < 0)
                return gb_error_set(
                        err, GB_ERR_NO_SESSION,
                        "no session \"%s\" here; register it: gbackup-cli register %s HOST VOLUME", session,
                        session);
        j = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
        if (!j)
                return damaged(path, why.text, err);
        rc = take_all(j, session, out);
        json_decref(j);
        return rc < 0 ? damaged(path, "it does not say host and volume", err) : 0;
}

static int make_dirs(const char *dir, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *path = strdup(dir);

        if (!path)
                return no_memory(err);
        for (char *p = path + 1; *p; p++) {
                if (*p != '/')
                        continue;
                *p = '\0';
                if (mkdir(path, 0755) < 0 && errno != EEXIST)
                        return gb_error_sys(err, GB_ERR_SYSTEM, "%s", path);
                *p = '/';
        }
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s", path);
        return 0;
}

int gb_registry_check_new(const char *session, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *path = file_of(session);

        if (!path)
                return no_memory(err);
        if (access(path, F_OK) == 0)
                return gb_error_set(err, GB_ERR_SESSION_EXISTS,
                                    "session \"%s\" exists already; see: gbackup-cli show %s", session,
                                    session);
        return 0;
}

static json_t *to_json(const struct gb_registered *r)
{
        json_t *j = json_pack("{s:s,s:s}", "host", r->host, "volume", r->volume);
        json_t *hosts = r->n_hosts ? json_array() : NULL;
        int rc = j ? 0 : -1;

        for (unsigned i = 0; hosts && i < r->n_hosts; i++)
                rc |= json_array_append_new(hosts, json_string(r->hosts[i]));
        if (hosts)
                rc |= json_object_set_new(j, "hosts", hosts);
        if (r->last) {
                rc |= json_object_set_new(j, "last", json_string(r->last));
                rc |= json_object_set_new(j, "last_when", json_integer(r->last_when));
        }
        if (r->types)
                rc |= json_object_set_new(j, "types", json_string(r->types));
        if (!gb_select_all(&r->select))
                rc |= json_object_set_new(j, "selection", gb_selection_json(&r->select));
        if (rc == 0)
                return j;
        json_decref(j);
        return NULL;
}

int gb_registry_update(const struct gb_registered *r, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *path = file_of(r->session);
        GB_CLEANUP_FREE
        char *text = NULL;
        json_t *j;

        if (!path)
                return no_memory(err);
        j = to_json(r);
        text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
        json_decref(j);
        if (!text)
                return gb_error_set(err, GB_ERR_USAGE,
                                    "host, volume, scope and globs of a session must be UTF-8");
        return gb_output_text(path, text, err);
}

int gb_registry_put(const struct gb_registered *r, struct gb_error *err)
{
        if (make_dirs(state_dir(), err) < 0 || gb_registry_check_new(r->session, err) < 0)
                return -1;
        return gb_registry_update(r, err);
}

int gb_registry_remove(const char *session, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *path = file_of(session);

        if (!path)
                return no_memory(err);
        if (unlink(path) < 0 && errno != ENOENT)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: remove", path);
        return 0;
}

static int by_name(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

int gb_registry_list(char ***names, unsigned *n, struct gb_error *err)
{
        GB_CLEANUP_CLOSEDIR DIR *dir = opendir(state_dir());
        GB_VEC(char *) found = GB_VEC_INIT;
        const struct dirent *e;

        *names = NULL;
        *n = 0;
        if (!dir)
                return errno == ENOENT ? 0 : gb_error_sys(err, GB_ERR_SYSTEM, "%s", state_dir());
        while ((e = readdir(dir))) {
                size_t len = strlen(e->d_name);
                char *name;

                if (len < 6 || e->d_name[0] == '.' || strcmp(e->d_name + len - 5, ".json") != 0)
                        continue;
                name = strndup(e->d_name, len - 5);
                if (!name || gb_vec_push(&found, name) < 0) {
                        free(name);
                        for (size_t i = 0; i < found.n; i++)
                                free(found.v[i]);
                        gb_vec_free(&found);
                        return no_memory(err);
                }
        }
        if (found.n)
                qsort(found.v, found.n, sizeof(*found.v), by_name);
        *names = found.v;
        *n = (unsigned)found.n;
        return 0;
}

void gb_registered_fini(struct gb_registered *r)
{
        gb_select_fini(&r->select);
        free(r->session);
        free(r->host);
        free(r->volume);
        free(r->last);
        free(r->types);
        for (unsigned i = 0; i < r->n_hosts; i++)
                free(r->hosts[i]);
        free(r->hosts);
        memset(r, 0, sizeof(*r));
}
