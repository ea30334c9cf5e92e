/*
 * format changes - NEW p, MODIFY p, DELETE p, RENAME old new, in glusterfind's encoding: blank, newline
 * and percent become %20, %0A, %25, everything else is raw.
 */
#include <config.h>

#include <string.h>

#include "list.h"

static int begin(struct gb_list *l)
{
        (void)l;
        return 0;
}

static int put_encoded(struct gb_list *l, const char *path, size_t len)
{
        static const char hex[] = "0123456789ABCDEF";

        if (gb_list_put_path(l, path, len) < 0)
                return -1;
        for (size_t i = 0; i < l->full.len; i++) {
                uint8_t c = l->full.data[i];
                char three[3] = {'%', hex[c >> 4], hex[c & 15]};
                bool plain = c != ' ' && c != '\n' && c != '%';

                if (gb_buf_put(&l->line, plain ? (const char *)&c : three, plain ? 1 : 3) < 0)
                        return -1;
        }
        return 0;
}

static int line(struct gb_list *l, const struct gb_op *op)
{
        static const char *const words[] = {[GB_OP_DELETE] = "DELETE ",
                                            [GB_OP_RENAME] = "RENAME ",
                                            [GB_OP_NEW] = "NEW ",
                                            [GB_OP_MODIFY] = "MODIFY "};
        char end = l->cli->o.null ? '\0' : '\n';
        const char *word = words[op->kind];

        if (gb_buf_put(&l->line, word, strlen(word)) < 0)
                return -1;
        if (op->kind == GB_OP_RENAME &&
            (put_encoded(l, op->old, op->old_len) < 0 || gb_buf_put_u8(&l->line, ' ') < 0))
                return -1;
        if (put_encoded(l, op->path, op->len) < 0 || gb_buf_put_u8(&l->line, (uint8_t)end) < 0)
                return -1;
        return GB_LINE_DONE;
}

static int end(struct gb_list *l, bool complete)
{
        (void)l;
        (void)complete;
        return 0;
}

const struct gb_format_ops gb_format_changes = {.name = "changes", .begin = begin, .line = line, .end = end};
