/*
 * changelog usage, changelog purge - what history costs, and removing what nobody needs.
 *
 * Each agent keeps what its own sessions need.  That is right only where all agents with bricks know all
 * sessions: one whose store was lost or begun anew would give away what a session still counts on.  So
 * the agents' lists are compared first, and with this host's registry.
 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "health.h"

static int64_t keep_from(const struct gb_cli *c)
{
        return (int64_t)time(NULL) - (int64_t)c->o.keep_days * 86400;
}

/* From where on slices are needed, in words. */
static const char *needed_text(const gbx_usage *u, char out[400])
{
        char when[32];

        if (!u->needed_by.gbx_text_len)
                snprintf(out, 400, "needed by nobody");
        else
                snprintf(out, 400, "needed from %s on by %.*s",
                         gb_time_text(u->needed_from, "the beginning", when),
                         u->needed_by.gbx_text_len < 256 ? (int)u->needed_by.gbx_text_len : 256,
                         u->needed_by.gbx_text_val);
        return out;
}

static void print_brick(const struct gb_health_brick *b, const char *verb)
{
        const gbx_usage *u = &b->usage;
        char bytes[32], gone[32], oldest[32], needed[400];

        if (b->error.code) {
                printf("%s: %s\n", b->brick->name, b->error.text);
                return;
        }
        printf("%s: %s in %" PRIu64 " slices since %s, %s; %s %" PRIu64 " slices, %s\n", b->brick->name,
               gb_size_text(u->bytes, bytes), (uint64_t)u->slices, gb_time_text(u->oldest, "never", oldest),
               needed_text(u, needed), verb, (uint64_t)u->removable, gb_size_text(u->removable_bytes, gone));
}

static json_t *brick_json(const struct gb_health_brick *b)
{
        const gbx_usage *u = &b->usage;

        if (b->error.code)
                return json_pack("{s:s,s:s}", "brick", b->brick->name, "error", b->error.text);
        return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:o,s:s#,s:I,s:I,s:I,s:I}", "brick", b->brick->name,
                         "slices", (json_int_t)u->slices, "bytes", (json_int_t)u->bytes, "oldest",
                         (json_int_t)u->oldest, "newest", (json_int_t)u->newest, "htime_bytes",
                         (json_int_t)u->htime_bytes, "needed_from",
                         u->needed_by.gbx_text_len ? json_integer(u->needed_from) : json_null(), "needed_by",
                         u->needed_by.gbx_text_val, (size_t)u->needed_by.gbx_text_len, "removable",
                         (json_int_t)u->removable, "removable_bytes", (json_int_t)u->removable_bytes,
                         "disk_size", (json_int_t)u->disk_size, "disk_free", (json_int_t)u->disk_free);
}

static int print_all(const struct gb_cli *c, const struct gb_health *h, const char *verb, bool done)
{
        json_t *bricks = json_array();
        int status = GB_EXIT_OK;

        for (unsigned i = 0; i < h->volume.n_bricks; i++) {
                if (h->bricks[i].error.code)
                        status = gb_exit_of(h->bricks[i].error.code);
                if (c->o.json)
                        json_array_append_new(bricks, brick_json(&h->bricks[i]));
                else
                        print_brick(&h->bricks[i], verb);
        }
        if (c->o.json) {
                json_t *all = json_pack("{s:s,s:b,s:i,s:O}", "volume", h->volume.name, "purged", (int)done,
                                        "keep_days", (int)c->o.keep_days, "bricks", bricks);

                json_dumpf(all, stdout, JSON_INDENT(2));
                putchar('\n');
                json_decref(all);
        }
        json_decref(bricks);
        return fflush(stdout) == 0 ? status : GB_EXIT_ERROR;
}

/* All agents answer, and know all sessions. */
static int check_sessions(const struct gb_health *h, struct gb_error *err)
{
        for (unsigned i = 0; i < h->n_nodes; i++)
                if (h->nodes[i].owns_bricks && h->nodes[i].error.code) {
                        *err = h->nodes[i].error;
                        return gb_error_prefix(err, "nothing was removed: %.200s", h->nodes[i].node->host);
                }
        for (unsigned i = 0; i < h->n_sessions; i++)
                if (h->sessions[i].known < h->n_owners)
                        return gb_error_set(err, GB_ERR_BUSY,
                                            "nothing was removed: session %s is known to %u of %u nodes, and "
                                            "what it needs on the others cannot be told; run it once, or "
                                            "unregister it",
                                            h->sessions[i].name, h->sessions[i].known, h->n_owners);
        for (unsigned i = 0; i < h->volume.n_bricks; i++)
                if (h->bricks[i].error.code) {
                        *err = h->bricks[i].error;
                        return gb_error_prefix(err, "nothing was removed: %.400s", h->bricks[i].brick->name);
                }
        return 0;
}

/* An agent removes in parts; the sum goes into the brick's usage. */
static void purge_brick(const struct gb_cli *c, const struct gb_health *h, struct gb_health_brick *b)
{
        uint64_t removed = 0, bytes = 0;
        bool more = true;

        while (more && !b->error.code) {
                gb_xdr_release((xdrproc_t)xdr_gbx_usage, &b->usage);
                if (gb_call_usage(b->brick->node->control, h->volume.name, b->brick->path, keep_from(c),
                                  !c->o.no_cumulative, true, &b->usage, &b->error) < 0)
                        break;
                removed += b->usage.removable;
                bytes += b->usage.removable_bytes;
                more = b->usage.more && b->usage.removable;
        }
        b->usage.removable = removed;
        b->usage.removable_bytes = bytes;
        if (b->error.code && removed)
                gb_error_prefix(&b->error, "%" PRIu64 " slices were removed, then", removed);
}

static int purge(const struct gb_cli *c, struct gb_health *h)
{
        struct gb_error err;

        if (check_sessions(h, &err) < 0)
                return gb_fail(&err);
        if (c->o.yes)
                for (unsigned i = 0; i < h->volume.n_bricks; i++)
                        purge_brick(c, h, &h->bricks[i]);
        else
                gb_note(c, "nothing is removed; to do it: gbackup-cli changelog purge ... --keep=%u --yes",
                        c->o.keep_days);
        return print_all(c, h, c->o.yes ? "removed" : "would remove", c->o.yes);
}

int gb_cmd_changelog(const struct gb_cli *c, int argc, char **argv)
{
        bool usage = strcmp(argv[0], "usage") == 0;
        struct gb_error err = {0};
        struct gb_health h;
        int status;

        (void)argc;
        if (!usage && strcmp(argv[0], "purge") != 0) {
                gb_error_set(&err, GB_ERR_USAGE, "changelog %.80s: it is usage or purge", argv[0]);
                return gb_fail(&err);
        }
        if (gb_health_open(c, argv[1], argv[2], usage ? INT64_MAX : keep_from(c), &h, &err) < 0)
                return gb_fail(&err);
        status = usage ? print_all(c, &h, "unneeded", false) : purge(c, &h);
        gb_health_close(&h);
        return status;
}
