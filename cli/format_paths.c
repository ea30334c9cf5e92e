/*
 * format paths - exactly what has to be read now, one path a line, raw bytes.
 */
#include <config.h>

#include <string.h>

#include "list.h"

static int line(struct gb_list *l, const struct gb_op *op)
{
        char end = l->cli->o.null ? '\0' : '\n';

        if (op->kind == GB_OP_DELETE)
                return GB_LINE_NONE;
        if (op->len == l->last_len && memcmp(op->path, l->last, op->len) == 0)
                return GB_LINE_NONE; /* RENAME and MODIFY of one path */
        memcpy(l->last, op->path, op->len);
        l->last_len = op->len;
        if (gb_list_put_path(l, op->path, op->len) < 0)
                return -1;
        if (!l->cli->o.null && memchr(l->full.data, '\n', l->full.len))
                return GB_LINE_SKIPPED;
        if (gb_buf_put(&l->line, l->full.data, l->full.len) < 0 || gb_buf_put_u8(&l->line, (uint8_t)end) < 0)
                return -1;
        return GB_LINE_DONE;
}

const struct gb_format_ops gb_format_paths = {.name = "paths", .wants_expanded = true, .line = line};
