/*
 * formats csv, tsv - for people and spreadsheets: op, type, path, old path, gfid, what changed.
 *
 * csv as RFC 4180 has it, every path in quotes; tsv with tab, newline, carriage return and backslash as \t \n
 * \r \\. Bytes that are not UTF-8 stay as they are.
 */
#include <config.h>

#include <string.h>

#include "list.h"

static int put_text(struct gb_list *l, const char *text)
{
        return gb_buf_put(&l->line, text, strlen(text));
}

static int put_quoted(struct gb_list *l, const uint8_t *p, size_t len)
{
        if (put_text(l, "\"") < 0)
                return -1;
        for (size_t i = 0; i < len; i++)
                if (gb_buf_put(&l->line, p[i] == '"' ? (const uint8_t *)"\"\"" : p + i, p[i] == '"' ? 2 : 1) <
                    0)
                        return -1;
        return put_text(l, "\"");
}

static int put_escaped(struct gb_list *l, const uint8_t *p, size_t len)
{
        for (size_t i = 0; i < len; i++) {
                const char *as = p[i] == '\t'   ? "\\t"
                                 : p[i] == '\n' ? "\\n"
                                 : p[i] == '\r' ? "\\r"
                                 : p[i] == '\\' ? "\\\\"
                                                : NULL;

                if ((as ? put_text(l, as) : gb_buf_put(&l->line, p + i, 1)) < 0)
                        return -1;
        }
        return 0;
}

static bool is_csv(const struct gb_list *l)
{
        return l->format == &gb_format_csv;
}

static int put_path(struct gb_list *l, const char *path, size_t len)
{
        if (gb_list_put_path(l, path, len) < 0)
                return -1;
        return is_csv(l) ? put_quoted(l, l->full.data, l->full.len)
                         : put_escaped(l, l->full.data, l->full.len);
}

static int begin(struct gb_list *l)
{
        return put_text(l, is_csv(l) ? "op,type,path,old_path,gfid,changed\r\n"
                                     : "op\ttype\tpath\told_path\tgfid\tchanged\n");
}

static int line(struct gb_list *l, const struct gb_op *op)
{
        static const char *const words[] = {[GB_OP_DELETE] = "DELETE",
                                            [GB_OP_RENAME] = "RENAME",
                                            [GB_OP_NEW] = "NEW",
                                            [GB_OP_MODIFY] = "MODIFY"};
        const char between[] = {is_csv(l) ? ',' : '\t', '\0'};
        const char type[] = {op->type ? op->type : 'f', '\0'};
        uint32_t flags = op->flags | (op->kind == GB_OP_NEW ? GB_FACT_DATA | GB_FACT_META : 0);
        char gfid[GB_GFID_TEXT] = "";

        if (op->has_gfid)
                gb_gfid_format(&op->gfid, gfid);
        if (put_text(l, words[op->kind]) < 0 || put_text(l, between) < 0 || put_text(l, type) < 0 ||
            put_text(l, between) < 0 || put_path(l, op->path, op->len) < 0 || put_text(l, between) < 0 ||
            (op->kind == GB_OP_RENAME && put_path(l, op->old, op->old_len) < 0) || put_text(l, between) < 0 ||
            put_text(l, gfid) < 0 || put_text(l, between) < 0 ||
            put_text(l, flags & GB_FACT_DATA ? "d" : "") < 0 ||
            put_text(l, flags & GB_FACT_META ? "m" : "") < 0 ||
            put_text(l, flags & GB_FACT_XATTR ? "x" : "") < 0 || put_text(l, is_csv(l) ? "\r\n" : "\n") < 0)
                return -1;
        return GB_LINE_DONE;
}

const struct gb_format_ops gb_format_csv = {.name = "csv", .wants_gfids = true, .begin = begin, .line = line};
const struct gb_format_ops gb_format_tsv = {.name = "tsv", .wants_gfids = true, .begin = begin, .line = line};
