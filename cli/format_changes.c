/*
 * formats changes, glusterfind - NEW p, MODIFY p, DELETE p, RENAME old new, in glusterfind's encoding: blank,
 * newline and percent become %20, %0A, %25, everything else is raw.
 *
 * `glusterfind` is the same, with what scripts may have asked glusterfind for: another separator, another
 * word for a full list, no encoding, no MODIFY.
 */
#include <config.h>

#include <string.h>

#include "list.h"

static bool is_encoded(const struct gb_options *o, uint8_t c)
{
        return !o->no_encode && (c == ' ' || c == '\n' || c == '%' || (c == '+' && o->encode_plus));
}

/* 0, -1; 1: the line would end in the middle of it. */
static int put_encoded(struct gb_list *l, const char *path, size_t len)
{
        static const char hex[] = "0123456789ABCDEF";
        const struct gb_options *o = &l->cli->o;

        if (gb_list_put_path(l, path, len) < 0)
                return -1;
        if (o->no_encode && !o->null && memchr(l->full.data, '\n', l->full.len))
                return 1;
        for (size_t i = 0; i < l->full.len; i++) {
                uint8_t c = l->full.data[i];
                char three[3] = {'%', hex[c >> 4], hex[c & 15]};
                bool plain = !is_encoded(o, c);

                if (gb_buf_put(&l->line, plain ? (const char *)&c : three, plain ? 1 : 3) < 0)
                        return -1;
        }
        return 0;
}

static const char *word_of(const struct gb_list *l, const struct gb_op *op)
{
        static const char *const words[] = {[GB_OP_DELETE] = "DELETE",
                                            [GB_OP_RENAME] = "RENAME",
                                            [GB_OP_NEW] = "NEW",
                                            [GB_OP_MODIFY] = "MODIFY"};

        return l->cli->o.full_tag && strcmp(l->info->kind, "full") == 0 ? l->cli->o.full_tag
                                                                        : words[op->kind];
}

static int put_text(struct gb_list *l, const char *text)
{
        return gb_buf_put(&l->line, text, strlen(text));
}

static int line(struct gb_list *l, const struct gb_op *op)
{
        const char *between = l->cli->o.field_separator ? l->cli->o.field_separator : " ";
        const char *word = word_of(l, op);
        int rc = 0;

        if (op->kind == GB_OP_MODIFY && l->cli->o.only_namespace)
                return GB_LINE_NONE;
        if (*word && (put_text(l, word) < 0 || put_text(l, between) < 0))
                return -1;
        if (op->kind == GB_OP_RENAME) {
                rc = put_encoded(l, op->old, op->old_len);
                if (rc == 0)
                        rc = put_text(l, between);
        }
        if (rc == 0)
                rc = put_encoded(l, op->path, op->len);
        if (rc)
                return rc < 0 ? -1 : GB_LINE_SKIPPED;
        return gb_buf_put_u8(&l->line, l->cli->o.null ? '\0' : '\n') < 0 ? -1 : GB_LINE_DONE;
}

const struct gb_format_ops gb_format_changes = {.name = "changes", .line = line};
const struct gb_format_ops gb_format_glusterfind = {.name = "glusterfind", .line = line};
