/*
 * glusterfind_session - see glusterfind.h.
 */
#include <config.h>

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "glusterfind.h"
#include "registry.h"

static int check_name(const char *name)
{
        size_t n = strlen(name);

        if (n < 2)
                return gf_fail("session_name must be at least 2 characters long.");
        for (const char *p = name; *p; p++)
                if (!isalnum((unsigned char)*p) && *p != '_' && *p != '-')
                        return gf_fail("Session name can only contain these characters: 0-9a-zA-Z_-");
        return strcmp(name, "default") == 0 ? gf_fail("Invalid session %s", name) : 0;
}

/* gbackup's name of it. */
static int full_name(const struct gf_request *r, char out[GF_NAME_MAX])
{
        struct gb_error err;

        snprintf(out, GF_NAME_MAX, "%s.%s", r->session, r->volume);
        return gb_session_name_check(out, &err) < 0 ? gf_fail("session and volume name have more than 255 "
                                                              "characters together, or an odd one")
                                                    : 0;
}

/* 1: it is there, 0: it is not, -1 (said). */
static int is_there(const char *name)
{
        struct gb_registered reg;
        struct gb_error err;
        int rc = gb_registry_get(name, &reg, &err);

        gb_registered_fini(&reg);
        if (rc < 0 && err.code != GB_ERR_NO_SESSION)
                return gf_fail("%s", err.text), -1;
        return rc == 0;
}

int gf_is_prepared(const char *name)
{
        struct gf_words c = gf_cli("show", name);
        GB_CLEANUP_FREE
        char *text = NULL;
        json_t *all, *node;
        size_t i;
        int found = 0;

        gf_add(&c, "--json");
        if (gf_run(&c, &text) != GB_EXIT_OK)
                return -1;
        all = json_loads(text ? text : "", 0, NULL);
        json_array_foreach(json_object_get(all, "nodes"), i, node)
        {
                if (json_is_object(json_object_get(node, "pending")))
                        found = 1;
        }
        json_decref(all);
        return found;
}

int gf_find_session(const struct gf_request *r, char name[GF_NAME_MAX])
{
        int there;

        if (check_name(r->session) || full_name(r, name))
                return GB_EXIT_ERROR;
        there = is_there(name);
        if (there > 0)
                return GB_EXIT_OK;
        return there < 0 ? GB_EXIT_ERROR
                         : gf_fail("Session %s not created with volume %s", r->session, r->volume);
}

static int mark(const char *name)
{
        struct gf_words c = gf_cli("run", name);

        gf_add(&c, "--level=mark");
        return gf_run(&c, NULL);
}

int gf_create(const struct gf_request *r)
{
        char name[GF_NAME_MAX];
        int there, rc = GB_EXIT_OK;

        if (check_name(r->session) || full_name(r, name) || (there = is_there(name)) < 0)
                return GB_EXIT_ERROR;
        if (there && !r->force)
                return gf_fail("Session %s already created", r->session);
        if (!there) {
                struct gf_words c = gf_cli("register", name);

                gf_add(&c, gf_host());
                gf_add(&c, r->volume);
                rc = gf_run(&c, NULL);
        }
        if (rc == GB_EXIT_OK && (!there || r->reset_time))
                rc = mark(name);
        if (rc != GB_EXIT_OK && !there) {
                struct gf_words c = gf_cli("unregister", name);

                if (is_there(name) > 0)
                        gf_run(&c, NULL);
        }
        if (rc == GB_EXIT_OK)
                printf("Session %s created with volume %s\n", r->session, r->volume);
        return gf_status_of(rc);
}

int gf_post(const struct gf_request *r)
{
        char name[GF_NAME_MAX];
        int rc = gf_find_session(r, name), prepared;
        struct gf_words c;

        if (rc)
                return rc;
        prepared = gf_is_prepared(name);
        if (prepared <= 0)
                return prepared < 0 ? GB_EXIT_ERROR : gf_fail("Pre script is not run");
        c = gf_cli("commit", name);
        rc = gf_run(&c, NULL);
        if (rc == GB_EXIT_OK)
                printf("Session %s with volume %s updated\n", r->session, r->volume);
        return gf_status_of(rc);
}

int gf_delete(const struct gf_request *r)
{
        char name[GF_NAME_MAX];
        int rc = gf_find_session(r, name);
        struct gf_words c;

        if (rc)
                return rc;
        c = gf_cli("unregister", name);
        rc = gf_run(&c, NULL);
        if (rc == GB_EXIT_OK)
                printf("Session %s with volume %s deleted\n", r->session, r->volume);
        return gf_status_of(rc);
}

/* One line of `list`, if it is a session of ours that was asked for. */
static bool list_one(const struct gf_request *r, const char *name, bool first)
{
        struct gb_registered reg = {0};
        struct gb_error err;
        const char *dot = strchr(name, '.');
        char session[256], when[32] = "Session Corrupted";
        bool shown;
        time_t t;
        struct tm tm;

        if (!dot || gb_registry_get(name, &reg, &err) < 0)
                return false;
        snprintf(session, sizeof(session), "%.*s", (int)(dot - name), name);
        t = reg.last_when;
        if (t && localtime_r(&t, &tm))
                strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
        shown = strcmp(dot + 1, reg.volume) == 0 &&
                (!r->only_session || !*r->only_session || strcmp(r->only_session, session) == 0) &&
                (!r->only_volume || !*r->only_volume || strcmp(r->only_volume, reg.volume) == 0);
        if (shown && first)
                printf("%-25s %-25s %-25s\n%.75s\n", "SESSION", "VOLUME", "SESSION TIME",
                       "---------------------------------------------------------------------------");
        if (shown)
                printf("%-25s %-25s %-25s\n", session, reg.volume, when);
        gb_registered_fini(&reg);
        return shown;
}

int gf_list(const struct gf_request *r)
{
        struct gb_error err;
        char **names;
        unsigned n, shown = 0;

        if (gb_registry_list(&names, &n, &err) < 0)
                return gf_fail("%s", err.text);
        for (unsigned i = 0; i < n; i++) {
                shown += list_one(r, names[i], !shown);
                free(names[i]);
        }
        free(names);
        if (shown)
                return GB_EXIT_OK;
        if ((r->only_session && *r->only_session) || (r->only_volume && *r->only_volume))
                return gf_fail("Invalid Session");
        puts("No sessions found.");
        return GB_EXIT_OK;
}
