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
#include "base/order.h"
#include "gone.h"
#include "list.h"
#include "manifest.h"

/* A line holds at most two paths, escaped six-fold, and some words. */
#define LINE_MAX_BYTES (16 * GB_PATH_MAX + 4096)
/* Bytes of lines between two looks at how far the list is. */
#define LINES_AT_ONCE GB_OUTPUT_PLACE

const struct gb_format_ops *const gb_formats[GB_FORMATS] = {
        [GB_FORMAT_PATHS] = &gb_format_paths,     [GB_FORMAT_CHANGES] = &gb_format_changes,
        [GB_FORMAT_JSONL] = &gb_format_jsonl,     [GB_FORMAT_GLUSTERFIND] = &gb_format_glusterfind,
        [GB_FORMAT_RSYNC] = &gb_format_tools[0],  [GB_FORMAT_TAR] = &gb_format_tools[1],
        [GB_FORMAT_BSDTAR] = &gb_format_tools[2], [GB_FORMAT_CPIO] = &gb_format_tools[3],
        [GB_FORMAT_BORG] = &gb_format_tools[4],   [GB_FORMAT_RESTIC] = &gb_format_tools[5],
        [GB_FORMAT_RCLONE] = &gb_format_tools[6], [GB_FORMAT_NETBACKUP] = &gb_format_netbackup,
        [GB_FORMAT_CSV] = &gb_format_csv,         [GB_FORMAT_TSV] = &gb_format_tsv};

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
        int rc = gb_output_write(gb_parts_now(&l->parts)->out, l->line.data, l->line.len, err);

        gb_buf_reset(&l->line);
        return rc;
}

static bool to_stdout(const struct gb_list *l)
{
        return strcmp(l->cli->o.out_file, "-") == 0;
}

static bool is_full(const struct gb_list *l)
{
        return strcmp(l->info->kind, "full") == 0;
}

static bool wants_manifest(const struct gb_list *l)
{
        return !to_stdout(l) && !l->cli->o.no_manifest;
}

/* The formats decide only whether renamed directories are expanded. */
static void open_sink(struct gb_list *l)
{
        struct gb_sink *s = l->cli->o.sink;

        l->format = s->expand ? &gb_format_paths : &gb_format_jsonl;
        s->full = is_full(l);
        snprintf(s->generation, sizeof(s->generation), "%s", l->info->generation ? l->info->generation : "");
}

static char *beside_name(const struct gb_list *l, const char *suffix)
{
        char *name = NULL;

        return asprintf(&name, "%s.%s", l->cli->o.out_file, suffix) < 0 ? NULL : name;
}

static struct gb_output *open_beside(const struct gb_list *l, const char *suffix, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *name = beside_name(l, suffix);

        if (name)
                return gb_output_open(name, err);
        no_memory(err);
        return NULL;
}

int gb_list_open(struct gb_list *l, const struct gb_cli *c, const struct gb_list_info *info,
                 struct gb_error *err)
{
        memset(l, 0, sizeof(*l));
        l->cli = c;
        l->info = info;
        l->format = gb_formats[c->o.format];
        if (c->o.sink) {
                open_sink(l);
                return 0;
        }
        gb_buf_init(&l->line, 64 * 1024 * 1024); /* the header names every brick */
        gb_buf_init(&l->full, LINE_MAX_BYTES);
        l->started = time(NULL);
        if (l->format->tool && l->format->tool->gone_beside && !is_full(l) && !to_stdout(l) &&
            !(l->beside = open_beside(l, "gone", err)))
                return -1;
        return gb_parts_open(&l->parts, c->o.out_file, c->o.split, wants_manifest(l), err);
}

/* The header comes late, because it says what is known only when the window was collected. */
static int begin(struct gb_list *l, struct gb_error *err)
{
        if (l->begun)
                return 0;
        l->begun = true;
        for (l->parts.now = 0; l->format->begin && l->parts.now < l->parts.n; l->parts.now++)
                if (l->format->begin(l) < 0)
                        return no_memory(err);
                else if (write_line(l, err) < 0)
                        return -1;
        l->parts.now = 0;
        return 0;
}

static int end(struct gb_list *l, bool complete, struct gb_error *err)
{
        for (l->parts.now = 0; l->format->end && l->parts.now < l->parts.n; l->parts.now++)
                if (l->format->end(l, complete) < 0)
                        return no_memory(err);
                else if (write_line(l, err) < 0)
                        return -1;
        return gb_parts_finish(&l->parts, err);
}

static int divert(struct gb_list *l, const struct gb_op *op, struct gb_error *err)
{
        l->counts.skipped++;
        if (to_stdout(l))
                return 0;
        if (!l->skipped && !(l->skipped = open_beside(l, "skipped", err)))
                return -1;
        if (gb_output_write(l->skipped, op->path, op->len, err) < 0)
                return -1;
        return gb_output_write(l->skipped, "", 1, err);
}

static void count(struct gb_list_counts *n, const struct gb_op *op)
{
        n->entries++;
        n->new_ += op->kind == GB_OP_NEW;
        n->modify += op->kind == GB_OP_MODIFY;
        n->delete_ += op->kind == GB_OP_DELETE;
        n->rename_ += op->kind == GB_OP_RENAME;
}

/* What a DELETE was is known only as a directory or not. */
static bool type_wanted(const struct gb_list *l, const struct gb_op *op)
{
        const char *types = l->info->types;

        if (!types)
                return true;
        if (op->kind == GB_OP_DELETE && op->type != 'd')
                return strspn(types, "d") != strlen(types);
        return strchr(types, op->type ? op->type : 'f');
}

static int write_op(struct gb_list *l, const struct gb_op *op, struct gb_error *err)
{
        int rc = l->format->line(l, op);

        if (rc < 0)
                return no_memory(err);
        if (rc == GB_LINE_SKIPPED) {
                gb_buf_reset(&l->line);
                return divert(l, op, err);
        }
        if (rc == GB_LINE_NONE)
                return 0;
        gb_parts_choose(&l->parts, op);
        count(&l->counts, op);
        count(&gb_parts_now(&l->parts)->counts, op);
        return write_line(l, err);
}

/* The directory that was held turned out to have nothing below it in the list.  One that is new is empty;
 * of one that was there only attributes changed. */
static int release(struct gb_list *l, struct gb_error *err)
{
        struct gb_op op = l->held;

        l->held.len = 0;
        if (!op.len || !type_wanted(l, &op))
                return 0;
        if (op.kind != GB_OP_MODIFY)
                return write_op(l, &op, err);
        if (l->format->tool->skips_dir_meta)
                return divert(l, &op, err);
        l->counts.directories++;
        return 0;
}

/* For a tool that implies directories. */
static int hold(struct gb_list *l, const struct gb_op *op, struct gb_error *err)
{
        if (op->kind == GB_OP_DELETE ||
            (op->len == l->held.len && memcmp(op->path, l->held_path, op->len) == 0))
                return 0;
        if (l->held.len && gb_path_within(op->path, op->len, l->held_path, l->held.len))
                l->held.len = 0;
        if (release(l, err) < 0)
                return -1;
        if (op->type != 'd')
                return type_wanted(l, op) ? write_op(l, op, err) : 0;
        memcpy(l->held_path, op->path, op->len);
        l->held = *op;
        l->held.path = l->held_path;
        l->held.old = NULL;
        return 0;
}

static int add_gone(struct gb_list *l, const struct gb_op *op, struct gb_error *err)
{
        if (is_full(l))
                return 0;
        if (!l->gone)
                l->gone = gb_gone_new(err);
        return l->gone ? gb_gone_add(l->gone, op, err) : -1;
}

/* For who restores, as a path below the mount point. */
static int write_beside(struct gb_list *l, const struct gb_op *op, struct gb_error *err)
{
        if (gb_list_put_path(l, op->path, op->len) < 0 || gb_buf_put_u8(&l->full, '\0') < 0)
                return no_memory(err);
        l->counts.gone++;
        return gb_output_write(l->beside, l->full.data, l->full.len, err);
}

static int write_gone(struct gb_list *l, struct gb_error *err)
{
        bool beside = l->format->tool && l->format->tool->gone_beside;
        struct gb_op op;
        int rc;

        while (l->gone && (rc = gb_gone_next(l->gone, &op, err)) != 0)
                if (rc < 0 || ((op.type == 'd' || type_wanted(l, &op)) &&
                               (beside ? write_beside(l, &op, err) : write_op(l, &op, err)) < 0))
                        return -1;
        return l->beside ? gb_output_finish(l->beside, err) : 0;
}

int gb_list_op(struct gb_list *l, const struct gb_op *op, struct gb_error *err)
{
        const struct gb_tool *tool = l->format->tool;

        if (op->expanded && !l->format->wants_expanded)
                return 0;
        if (l->cli->o.sink) {
                if (!type_wanted(l, op))
                        return 0;
                count(&l->counts, op);
                return l->cli->o.sink->each(l->cli->o.sink->arg, op, err);
        }
        if (begin(l, err) < 0)
                return -1;
        if (l->beside && add_gone(l, op, err) < 0)
                return -1;
        if (tool && tool->implies_dirs && !l->cli->o.all_directories)
                return hold(l, op, err);
        if (tool && tool->gone && add_gone(l, op, err) < 0)
                return -1;
        if (!type_wanted(l, op) || (tool && op->kind == GB_OP_DELETE))
                return 0; /* a tool is told of what is gone at the end, if at all */
        return write_op(l, op, err);
}

int gb_list_entry(struct gb_list *l, const struct gb_entry *e, struct gb_error *err)
{
        struct gb_op op = gb_op_of_entry(GB_OP_NEW, e);

        return gb_list_op(l, &op, err);
}

int gb_list_lines(struct gb_list *l, struct gb_merge_lines *lines, struct gb_error *err)
{
        bool null = l->cli->o.null;

        if (l->format != &gb_format_paths || l->cli->o.sink || !is_full(l) || l->info->types ||
            l->parts.split)
                return 0;
        if (begin(l, err) < 0)
                return -1;
        if (gb_list_put_path(l, "", 0) < 0)
                return no_memory(err);
        /* A newline in it is in every line. */
        if (GB_MERGE_LINE_MAX(l->full.len) > GB_OUTPUT_PLACE ||
            (!null && l->full.len && memchr(l->full.data, '\n', l->full.len)))
                return 0;
        *lines = (struct gb_merge_lines){
                .lead = (const char *)l->full.data, .lead_len = l->full.len, .end = null ? '\0' : '\n'};
        lines->to = gb_output_place(gb_parts_now(&l->parts)->out, GB_MERGE_LINE_MAX(lines->lead_len),
                                    &lines->room, err);
        if (lines->room > LINES_AT_ONCE)
                lines->room = LINES_AT_ONCE;
        return lines->to ? 1 : -1;
}

void gb_list_lined(struct gb_list *l, const struct gb_merge_lines *lines)
{
        struct gb_part *part = gb_parts_now(&l->parts);

        gb_output_placed(part->out, lines->used);
        l->counts.entries += lines->n;
        l->counts.new_ += lines->n;
        part->counts.entries += lines->n;
        part->counts.new_ += lines->n;
}

int gb_list_finish(struct gb_list *l, bool complete, struct gb_error *err)
{
        if (l->cli->o.sink)
                return 0;
        if (begin(l, err) < 0)
                return -1;
        if (release(l, err) < 0 || write_gone(l, err) < 0)
                return -1;
        if (end(l, complete, err) < 0)
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
        unsigned older;

        if (l->cli->o.sink)
                return 0;
        older = to_stdout(l) || !wants_manifest(l) ? 0 : gb_manifest_parts(l->cli->o.out_file);
        if (!to_stdout(l) && (publish_beside(&l->skipped, beside_name(l, "skipped"), err) < 0 ||
                              (l->format->tool && l->format->tool->gone_beside &&
                               publish_beside(&l->beside, beside_name(l, "gone"), err) < 0) ||
                              publish_beside(&l->manifest, gb_manifest_name(l->cli->o.out_file), err) < 0))
                return -1;
        return gb_parts_publish(&l->parts, older, l->cli->o.out_file, err);
}

void gb_list_discard(struct gb_list *l)
{
        gb_parts_discard(&l->parts);
        gb_output_discard(l->skipped);
        gb_output_discard(l->beside);
        gb_output_discard(l->manifest);
        l->skipped = l->beside = l->manifest = NULL;
        gb_buf_fini(&l->line);
        gb_buf_fini(&l->full);
        gb_gone_free(l->gone);
        l->gone = NULL;
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
