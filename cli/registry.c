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

static char *file_of(const char *session)
{
        char *path = NULL;

        return asprintf(&path, "%s/%s.json", state_dir(), session) < 0 ? NULL : path;
}

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
}

int gb_registry_get(const char *session, struct gb_registered *out, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *path = file_of(session);
        json_error_t why;
        json_t *j;
        const char *host, *volume;
        int rc = 0;

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
                return gb_error_set(err, GB_ERR_CORRUPT, "%s: %s; remove it and register the session again",
                                    path, why.text);
        if (json_unpack(j, "{s:s,s:s}", "host", &host, "volume", &volume) < 0) {
                rc = gb_error_set(err, GB_ERR_CORRUPT,
                                  "%s: host or volume is missing; remove it and register "
                                  "the session again",
                                  path);
        } else {
                out->session = strdup(session);
                out->host = strdup(host);
                out->volume = strdup(volume);
                if (!out->session || !out->host || !out->volume)
                        rc = no_memory(err);
        }
        json_decref(j);
        return rc;
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

int gb_registry_put(const struct gb_registered *r, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *path = file_of(r->session);
        GB_CLEANUP_FREE
        char *text = NULL;
        struct gb_output *out;
        json_t *j;

        if (!path)
                return no_memory(err);
        if (make_dirs(state_dir(), err) < 0)
                return -1;
        if (gb_registry_check_new(r->session, err) < 0)
                return -1;
        j = json_pack("{s:s,s:s,s:s}", "session", r->session, "host", r->host, "volume", r->volume);
        text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
        json_decref(j);
        if (!text)
                return gb_error_set(err, GB_ERR_USAGE, "host and volume names must be UTF-8");
        out = gb_output_open(path, err);
        if (!out)
                return -1;
        if (gb_output_write(out, text, strlen(text), err) < 0 || gb_output_write(out, "\n", 1, err) < 0 ||
            gb_output_finish(out, err) < 0) {
                gb_output_discard(out);
                return -1;
        }
        return gb_output_publish(out, err);
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
        free(r->session);
        free(r->host);
        free(r->volume);
        memset(r, 0, sizeof(*r));
}
