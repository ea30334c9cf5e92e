/*
 * verify SESSION LIST - does the list lack anything?
 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "progress.h"
#include "registry.h"
#include "session.h"
#include "verify.h"

/* Paths that the JSON answer names; it is kept in memory. */
#define JSON_PATHS_MAX 10000

struct answer {
        const struct gb_cli *cli;
        json_t *paths; /* NULL: lines on stdout */
};

static int tell(void *arg, const char *path, size_t len)
{
        struct answer *a = arg;
        json_t *text;

        if (!a->paths) {
                gb_progress_end();
                printf("missed ");
                fwrite(path, 1, len, stdout);
                putchar(a->cli->o.null ? '\0' : '\n');
                return 0;
        }
        if (json_array_size(a->paths) == JSON_PATHS_MAX)
                return 0;
        text = json_stringn(path, len);
        if (!text) { /* not UTF-8 */
                char name[GB_PATH_MAX + 1], *shown;

                memcpy(name, path, len);
                name[len] = '\0';
                shown = gb_manifest_text(name);
                text = shown ? json_string(shown) : NULL;
                free(shown);
        }
        return json_array_append_new(a->paths, text);
}

static int open_volume(const struct gb_cli *c, const char *session, const struct gb_manifest *m,
                       struct gb_volume *v, struct gb_error *err)
{
        struct gb_registered r = {0};
        int rc;

        if (gb_session_name_check(session, err) < 0 || gb_registry_get(session, &r, err) < 0)
                return -1;
        rc = gb_session_volume(c, &r, v, err);
        if (rc == 0 && !gb_gfid_eq(&v->id, &m->volume_id)) {
                gb_volume_close(v);
                rc = gb_error_set(err, GB_ERR_USAGE, "the list is of another volume than session %s",
                                  session);
        }
        gb_registered_fini(&r);
        return rc;
}

static int answer(const struct gb_cli *c, struct answer *a, const struct gb_verify_result *r)
{
        double share = r->listed ? 100.0 * (double)r->over_listed / (double)r->listed : 0;
        json_t *j;
        int rc;

        if (!a->paths) {
                printf("%" PRIu64 " missed of %" PRIu64 " changed; %" PRIu64 " over-listed of %" PRIu64
                       " listed (%.1f %%)\n",
                       r->missed, r->changed, r->over_listed, r->listed, share);
                return fflush(stdout);
        }
        j = json_pack("{s:I,s:O,s:I,s:I,s:I,s:I,s:I,s:f,s:b}", "missed", (json_int_t)r->missed,
                      "missed_paths", a->paths, "changed", (json_int_t)r->changed, "moved",
                      (json_int_t)r->moved, "healed", (json_int_t)r->healed, "listed", (json_int_t)r->listed,
                      "over_listed", (json_int_t)r->over_listed, "over_listed_percent", share, "intact",
                      (int)r->intact);
        rc = j ? json_dumpf(j, stdout, JSON_INDENT(2)) : -1;
        json_decref(j);
        putchar('\n');
        (void)c;
        return rc < 0 || fflush(stdout) != 0 ? -1 : 0;
}

int gb_cmd_verify(const struct gb_cli *c, int argc, char **argv)
{
        struct answer a = {.cli = c, .paths = c->o.json ? json_array() : NULL};
        struct gb_verify_result r;
        struct gb_manifest m = {0};
        struct gb_volume v = {0};
        struct gb_verify job = {
                .cli = c, .volume = &v, .list = argv[1], .manifest = &m, .missed = tell, .arg = &a};
        struct gb_error err = {0};
        int rc = gb_manifest_read(argv[1], &m, &err);

        (void)argc;
        if (rc == 0)
                rc = open_volume(c, argv[0], &m, &v, &err);
        if (rc == 0)
                rc = gb_verify_list(&job, &r, &err);
        gb_progress_end();
        if (rc == 0 && !r.intact)
                gb_note(c, "%s is not as it was written: its size or SHA-256 differs from its manifest",
                        argv[1]);
        if (rc == 0 && !m.complete)
                gb_note(c, "%s was made without some replica set", argv[1]);
        if (rc == 0 && r.moved)
                gb_note(c, "%" PRIu64 " files are below directories that changed later and were not judged",
                        r.moved);
        if (rc == 0 && r.healed)
                gb_note(c,
                        "%" PRIu64
                        " files changed by the clocks of bricks only, where bricks were healed, and "
                        "were not judged",
                        r.healed);
        if (rc == 0 && r.old_agents)
                gb_note(c, "an agent is too old to tell times of directories; none was judged");
        if (rc == 0 && answer(c, &a, &r) != 0)
                rc = gb_error_set(&err, GB_ERR_SYSTEM, "stdout: write");
        json_decref(a.paths);
        gb_manifest_fini(&m);
        gb_volume_close(&v);
        if (rc < 0)
                return gb_fail(&err);
        return r.missed ? GB_EXIT_ERROR : GB_EXIT_OK;
}
