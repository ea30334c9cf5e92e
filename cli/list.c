/*
 * list - see list.h.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "list.h"
#include "manifest.h"

/* A line holds at most two paths, escaped six-fold, and some words. */
#define LINE_MAX_BYTES (16 * GB_PATH_MAX + 4096)

const struct gb_format_ops *const gb_formats[GB_FORMATS] = {[GB_FORMAT_PATHS] = &gb_format_paths,
                                                            [GB_FORMAT_CHANGES] = &gb_format_changes,
                                                            [GB_FORMAT_JSONL] = &gb_format_jsonl,
                                                            [GB_FORMAT_GLUSTERFIND] = &gb_format_glusterfind};

enum gb_format gb_format_find(const char *name)
{
        enum gb_format f = GB_FORMAT_PATHS;

        while (f < GB_FORMATS && strcmp(gb_formats[f]->name, name) != 0)
                f++;
        return f;
}

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
}

static int write_line(struct gb_list *l, struct gb_error *err)
{
        int rc = gb_output_write(l->out, l->line.data, l->line.len, err);

        gb_buf_reset(&l->line);
        return rc;
}

static bool to_stdout(const struct gb_list *l)
{
        return strcmp(l->cli->o.out_file, "-") == 0;
}

static bool wants_manifest(const struct gb_list *l)
{
        return !to_stdout(l) && !l->cli->o.no_manifest;
}

int gb_list_open(struct gb_list *l, const struct gb_cli *c, const struct gb_list_info *info,
                 struct gb_error *err)
{
        memset(l, 0, sizeof(*l));
        l->cli = c;
        l->info = info;
        l->format = gb_formats[c->o.format];
        gb_buf_init(&l->line, 64 * 1024 * 1024); /* the header names every brick */
        gb_buf_init(&l->full, LINE_MAX_BYTES);
        l->out = gb_output_open(c->o.out_file, err);
        if (!l->out)
                return -1;
        l->started = time(NULL);
        return wants_manifest(l) ? gb_output_hash(l->out, err) : 0;
}

/* The header comes late, because it says what is known only when the window was collected. */
static int begin(struct gb_list *l, struct gb_error *err)
{
        if (l->begun)
                return 0;
        l->begun = true;
        if (l->format->begin(l) < 0)
                return no_memory(err);
        return write_line(l, err);
}

static char *skipped_name(const struct gb_list *l)
{
        char *name = NULL;

        return asprintf(&name, "%s.skipped", l->cli->o.out_file) < 0 ? NULL : name;
}

static int divert(struct gb_list *l, const struct gb_op *op, struct gb_error *err)
{
        l->counts.skipped++;
        if (to_stdout(l))
                return 0;
        if (!l->skipped) {
                GB_CLEANUP_FREE
                char *name = skipped_name(l);

                l->skipped = name ? gb_output_open(name, err) : NULL;
                if (!l->skipped)
                        return name ? -1 : no_memory(err);
        }
        if (gb_output_write(l->skipped, op->path, op->len, err) < 0)
                return -1;
        return gb_output_write(l->skipped, "", 1, err);
}

static void count(struct gb_list *l, const struct gb_op *op)
{
        l->counts.entries++;
        l->counts.new_ += op->kind == GB_OP_NEW;
        l->counts.modify += op->kind == GB_OP_MODIFY;
        l->counts.delete_ += op->kind == GB_OP_DELETE;
        l->counts.rename_ += op->kind == GB_OP_RENAME;
}

static bool type_wanted(const struct gb_list *l, char type)
{
        return !l->cli->o.types || (type ? strchr(l->cli->o.types, type) : strchr(l->cli->o.types, 'f'));
}

int gb_list_op(struct gb_list *l, const struct gb_op *op, struct gb_error *err)
{
        int rc;

        if ((op->expanded && !l->format->wants_expanded) || !type_wanted(l, op->type))
                return 0;
        if (begin(l, err) < 0)
                return -1;
        rc = l->format->line(l, op);
        if (rc < 0)
                return no_memory(err);
        if (rc == GB_LINE_SKIPPED) {
                gb_buf_reset(&l->line);
                return divert(l, op, err);
        }
        if (rc == GB_LINE_NONE)
                return 0;
        count(l, op);
        return write_line(l, err);
}

int gb_list_entry(struct gb_list *l, const struct gb_entry *e, struct gb_error *err)
{
        struct gb_op op = {.kind = GB_OP_NEW,
                           .path = e->path,
                           .len = e->len,
                           .type = e->type,
                           .has_gfid = e->has_gfid,
                           .gfid = e->gfid,
                           .flags = GB_FACT_DATA | GB_FACT_META};

        return gb_list_op(l, &op, err);
}

int gb_list_finish(struct gb_list *l, bool complete, struct gb_error *err)
{
        if (begin(l, err) < 0)
                return -1;
        if (l->format->end(l, complete) < 0)
                return no_memory(err);
        if (write_line(l, err) < 0 || gb_output_finish(l->out, err) < 0)
                return -1;
        if (l->skipped && gb_output_finish(l->skipped, err) < 0)
                return -1;
        if (!wants_manifest(l))
                return 0;
        l->manifest = gb_manifest_write(l, complete, err);
        return l->manifest ? 0 : -1;
}

/* A file beside the list: put it in place, or remove an older one that would tell of another list. */
static int publish_beside(struct gb_output **beside, char *name, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *owned = name;
        struct gb_output *out = *beside;

        *beside = NULL;
        if (out)
                return gb_output_publish(out, err);
        if (!owned)
                return no_memory(err);
        if (unlink(owned) < 0 && errno != ENOENT)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: an older one cannot be removed", owned);
        return 0;
}

/* The list comes last: once it is there, so is all that belongs to it. */
int gb_list_publish(struct gb_list *l, struct gb_error *err)
{
        struct gb_output *out = l->out;

        if (!to_stdout(l) && (publish_beside(&l->skipped, skipped_name(l), err) < 0 ||
                              publish_beside(&l->manifest, gb_manifest_name(l->cli->o.out_file), err) < 0))
                return -1;
        l->out = NULL;
        return gb_output_publish(out, err);
}

void gb_list_discard(struct gb_list *l)
{
        gb_output_discard(l->out);
        gb_output_discard(l->skipped);
        gb_output_discard(l->manifest);
        l->out = l->skipped = l->manifest = NULL;
        gb_buf_fini(&l->line);
        gb_buf_fini(&l->full);
}

int gb_list_put_path(struct gb_list *l, const char *path, size_t len)
{
        const char *prefix = l->cli->o.prefix;
        size_t n = prefix ? strlen(prefix) : 0;

        gb_buf_reset(&l->full);
        if (n && (gb_buf_put(&l->full, prefix, n) < 0 ||
                  (prefix[n - 1] != '/' && gb_buf_put_u8(&l->full, '/') < 0)))
                return -1;
        return gb_buf_put(&l->full, path, len);
}
