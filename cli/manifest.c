/*
 * manifest - see manifest.h.
 */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "exitcode.h"
#include "manifest.h"
#include "selection.h"
#include "window.h"

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
}

char *gb_manifest_name(const char *out_file)
{
        char *name = NULL;

        return asprintf(&name, "%s.manifest", out_file) < 0 ? NULL : name;
}

char *gb_manifest_text(const char *name)
{
        json_t *utf8 = json_string(name);
        char *text, *at;

        if (utf8) {
                json_decref(utf8);
                return strdup(name);
        }
        text = at = malloc(4 * strlen(name) + 1);
        for (const char *p = name; text && *p; p++) {
                unsigned char c = (unsigned char)*p;

                if (c >= 0x20 && c < 0x7f && c != '\\')
                        *at++ = *p;
                else
                        at += sprintf(at, "\\x%02x", c);
        }
        if (text)
                *at = '\0';
        return text;
}

/* ---- writing ---- */

static json_t *text_json(const char *name)
{
        GB_CLEANUP_FREE
        char *text = name ? gb_manifest_text(name) : NULL;

        return text ? json_string(text) : name ? NULL : json_null();
}

static json_t *time_json(bool known, int64_t t)
{
        return known ? json_integer(t) : json_null();
}

static const char *used(const struct gb_list *l, const struct gb_vbrick *b, const struct gb_brick_window *w)
{
        bool scan = strcmp(l->info->kind, "full") == 0 || (l->info->full_sets && l->info->full_sets[b->set]);

        if (scan && b->scanned)
                return "scan";
        return w && w->whole ? "history" : "none";
}

/* The window a brick told of.  A full list tells of all that was there when it began, or, of a session, at
 * the cut. */
static json_t *brick_json(const struct gb_list *l, unsigned i)
{
        const struct gb_vbrick *b = &l->info->volume->bricks[i];
        const struct gb_brick_window *w = l->info->window ? &l->info->window->bricks[i] : NULL;
        const struct gb_error *error = b->error.code ? &b->error : w && w->error.code ? &w->error : NULL;
        const char *how = used(l, b, w);
        bool whole = w && w->whole, scan = strcmp(how, "scan") == 0;

        return json_pack(
                "{s:o,s:i,s:s,s:b,s:o,s:o,s:o,s:o,s:o}", "brick", text_json(b->name), "set", (int)b->set,
                "used", how, "away", (int)(w && w->away), "cursor_before", text_json(w ? w->from : NULL),
                "cursor_after", text_json(w ? w->cursor : NULL), "window_from",
                time_json(whole || scan, scan    ? 0
                                         : whole ? w->window_from
                                                 : 0),
                "window_to", time_json(whole || scan, whole ? w->window_to : b->status.now_us / 1000000),
                "error", text_json(error ? error->text : NULL));
}

static json_t *bricks_json(const struct gb_list *l)
{
        json_t *all = json_array();

        for (unsigned i = 0; all && i < l->info->volume->n_bricks; i++)
                if (json_array_append_new(all, brick_json(l, i)) < 0) {
                        json_decref(all);
                        return NULL;
                }
        return all;
}

static json_t *full_sets_json(const struct gb_list *l)
{
        json_t *all = json_array();

        for (unsigned i = 0; all && l->info->full_sets && i < l->info->volume->n_sets; i++)
                if (l->info->full_sets[i] && json_array_append_new(all, json_integer(i)) < 0) {
                        json_decref(all);
                        return NULL;
                }
        return all;
}

static json_t *counts_json(const struct gb_list_counts *n)
{
        return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "entries", (json_int_t)n->entries, "new",
                         (json_int_t)n->new_, "modify", (json_int_t)n->modify, "delete",
                         (json_int_t)n->delete_, "rename", (json_int_t)n->rename_, "skipped",
                         (json_int_t)n->skipped, "directories", (json_int_t)n->directories, "gone",
                         (json_int_t)n->gone);
}

/* Can the lines be read back, and do they tell all that changed? */
static bool is_verifiable(const struct gb_options *o)
{
        return o->format != GB_FORMAT_CSV && o->format != GB_FORMAT_TSV && !o->field_separator &&
               !o->full_tag && !o->no_encode && !o->only_namespace;
}

static const char *base_of(const char *file)
{
        const char *slash = strrchr(file, '/');

        return slash ? slash + 1 : file;
}

static json_t *parts_json(const struct gb_list *l)
{
        json_t *all = l->parts.split ? json_array() : json_null();

        for (unsigned i = 0; all && l->parts.split && i < l->parts.n; i++) {
                const struct gb_part *p = &l->parts.v[i];
                json_t *one = json_pack("{s:o,s:I,s:s,s:I}", "name", text_json(base_of(p->name)), "bytes",
                                        (json_int_t)gb_output_bytes(p->out), "sha256",
                                        gb_output_digest(p->out), "entries", (json_int_t)p->counts.entries);

                if (json_array_append_new(all, one) < 0) {
                        json_decref(all);
                        return NULL;
                }
        }
        return all;
}

static json_t *list_json(const struct gb_list *l)
{
        const struct gb_output *whole = l->parts.split ? NULL : l->parts.v[0].out;

        return json_pack("{s:o,s:I,s:s?,s:s,s:b,s:o,s:o,s:b,s:o}", "name",
                         text_json(base_of(l->cli->o.out_file)), "bytes",
                         (json_int_t)gb_parts_bytes(&l->parts), "sha256",
                         whole ? gb_output_digest(whole) : NULL, "format", l->format->name, "null",
                         (int)l->cli->o.null, "prefix", text_json(l->cli->o.prefix), "types",
                         text_json(l->info->types), "verifiable", (int)is_verifiable(&l->cli->o), "parts",
                         parts_json(l));
}

static const char *level_text(const struct gb_list_info *i)
{
        switch (i->level) {
        case GB_LEVEL_CUMULATIVE:
                return "cumulative";
        case GB_LEVEL_MARK:
                return "mark";
        default:
                return i->kind;
        }
}

/* Globs that are not UTF-8 as text that is no glob any more: such a list cannot be verified. */
static json_t *selection_json(const struct gb_select *s)
{
        json_t *j = gb_selection_json(s);

        return j ? j : json_string("not UTF-8");
}

static json_t *manifest_json(const struct gb_list *l, bool complete)
{
        const struct gb_list_info *i = l->info;
        int status = !complete ? GB_EXIT_INCOMPLETE : l->counts.skipped ? GB_EXIT_SKIPPED : GB_EXIT_OK;
        char id[GB_GFID_TEXT];

        return json_pack("{s:i,s:s,s:s,s:s,s:o,s:s,s:o,s:o,s:o,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:b,s:i}",
                         "gbackup_manifest", 1, "program", PACKAGE_STRING, "kind", i->kind, "level",
                         level_text(i), "volume", text_json(i->volume->name), "volume_id",
                         gb_gfid_format(&i->volume->id, id), "session", text_json(i->session), "generation",
                         text_json(i->generation), "base", text_json(i->base && *i->base ? i->base : NULL),
                         "started", (json_int_t)l->started, "finished", (json_int_t)time(NULL), "bricks",
                         bricks_json(l), "full_sets", full_sets_json(l), "counts", counts_json(&l->counts),
                         "list", list_json(l), "selection", selection_json(i->select), "complete",
                         (int)complete, "exit_status", status);
}

struct gb_output *gb_manifest_write(const struct gb_list *l, bool complete, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *name = gb_manifest_name(l->cli->o.out_file);
        GB_CLEANUP_FREE
        char *text = NULL;
        json_t *j = name ? manifest_json(l, complete) : NULL;
        struct gb_output *out = NULL;

        text = j ? json_dumps(j, JSON_INDENT(1)) : NULL;
        json_decref(j);
        if (!text) {
                no_memory(err);
                return NULL;
        }
        out = gb_output_open(name, err);
        if (out && gb_output_write(out, text, strlen(text), err) == 0 &&
            gb_output_write(out, "\n", 1, err) == 0 && gb_output_finish(out, err) == 0)
                return out;
        gb_output_discard(out);
        return NULL;
}

/* ---- reading ---- */

static int take_windows(struct gb_manifest *m)
{
        const json_t *bricks = json_object_get(m->root, "bricks"), *b;
        size_t i;

        if (!json_is_array(bricks) || json_array_size(bricks) > GB_BRICKS_MAX)
                return -1;
        m->windows = calloc(json_array_size(bricks) + 1, sizeof(*m->windows));
        m->away = calloc(json_array_size(bricks) + 1, sizeof(*m->away));
        if (!m->windows || !m->away)
                return -1;
        json_array_foreach(bricks, i, b)
        {
                struct gb_manifest_window *w = &m->windows[m->n_windows];
                json_int_t from, to;

                if (json_is_true(json_object_get(b, "away")) && json_is_string(json_object_get(b, "brick")))
                        m->away[m->n_away++] = json_string_value(json_object_get(b, "brick"));
                if (json_unpack((json_t *)(uintptr_t)b, "{s:s,s:I,s:I}", "brick", &w->brick, "window_from",
                                &from, "window_to", &to) < 0)
                        continue; /* null: it told nothing */
                if (from < 0 || to < from)
                        return -1;
                w->from = from;
                w->to = to;
                m->n_windows++;
        }
        return 0;
}

/* The list's files: itself, or its parts. */
static int take_files(struct gb_manifest *m, const json_t *list)
{
        const json_t *parts = json_object_get(list, "parts");
        size_t n = json_array_size(parts);

        if (n > GB_PARTS_MAX)
                return -1;
        m->n_files = n ? (unsigned)n : 1;
        m->split = n > 0;
        for (unsigned i = 0; i < m->n_files; i++) {
                const json_t *file = n ? json_array_get(parts, i) : list;
                json_int_t bytes;

                if (json_unpack((json_t *)(uintptr_t)file, "{s:I,s:s}", "bytes", &bytes, "sha256",
                                &m->files[i].sha256) < 0)
                        return -1;
                m->files[i].bytes = (uint64_t)bytes;
        }
        return 0;
}

static int take_members(struct gb_manifest *m)
{
        const json_t *list;
        const char *kind, *id, *format;
        int version, null, complete;

        if (json_unpack(m->root, "{s:i,s:s,s:s,s:b,s:{s:s,s:b}}", "gbackup_manifest", &version, "kind", &kind,
                        "volume_id", &id, "complete", &complete, "list", "format", &format, "null",
                        &null) < 0)
                return -1;
        list = json_object_get(m->root, "list");
        m->prefix = json_string_value(json_object_get(list, "prefix"));
        m->types = json_string_value(json_object_get(list, "types"));
        m->full = strcmp(kind, "full") == 0;
        m->null = null;
        m->verifiable = !json_is_false(json_object_get(list, "verifiable"));
        m->complete = complete;
        m->format = gb_format_find(format);
        if (m->format == GB_FORMATS || take_files(m, list) < 0)
                return -1;
        if (!gb_selection_take(&m->select, json_object_get(m->root, "selection")))
                m->verifiable = false;
        return version == 1 && gb_gfid_parse(id, strlen(id), &m->volume_id) ? take_windows(m) : -1;
}

int gb_manifest_read(const char *list, struct gb_manifest *m, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *name = gb_manifest_name(list);
        json_error_t why;

        memset(m, 0, sizeof(*m));
        if (!name)
                return no_memory(err);
        m->root = json_load_file(name, JSON_REJECT_DUPLICATES, &why);
        if (!m->root)
                return gb_error_set(err, GB_ERR_SYSTEM, "%s: %s", name, why.text);
        if (take_members(m) < 0) {
                gb_manifest_fini(m);
                return gb_error_set(err, GB_ERR_CORRUPT, "%s: not a manifest of this version", name);
        }
        return 0;
}

unsigned gb_manifest_parts(const char *list)
{
        GB_CLEANUP_FREE
        char *name = gb_manifest_name(list);
        json_t *j = name ? json_load_file(name, JSON_REJECT_DUPLICATES, NULL) : NULL;
        size_t n = json_array_size(json_object_get(json_object_get(j, "list"), "parts"));

        json_decref(j);
        return n <= GB_PARTS_MAX ? (unsigned)n : 0;
}

void gb_manifest_fini(struct gb_manifest *m)
{
        json_decref(m->root);
        gb_select_fini(&m->select);
        free(m->windows);
        free(m->away);
        memset(m, 0, sizeof(*m));
}
