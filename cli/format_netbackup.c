/*
 * format netbackup - a list as NetBackup takes it: absolute paths below the mount point, one a line.
 *
 * NetBackup saves a listed directory with everything below it, so it implies directories (tool.h): only new,
 * empty ones are lines, unless --directories=all.
 *
 * A line has at most 1023 bytes and no newline; `* ? [ ] { } \` are wildcards there and get a backslash, or
 * are left alone with --wildcards=raw, for a list that is not read as patterns.
 */
#include <config.h>

#include <string.h>

#include "list.h"

/* NetBackup leaves longer lines out without a word. */
#define LINE_MAX_NETBACKUP 1023

static int put_escaped(struct gb_list *l, const char *text, size_t len)
{
        for (size_t i = 0; i < len; i++) {
                bool wild = !l->cli->o.raw_wildcards && text[i] && strchr("*?[]{}\\", text[i]);

                if ((wild && gb_buf_put_u8(&l->line, '\\') < 0) ||
                    gb_buf_put_u8(&l->line, (uint8_t)text[i]) < 0)
                        return -1;
        }
        return 0;
}

/* Of a mark: the whole tree. */
static int begin(struct gb_list *l)
{
        const char *mount = l->cli->o.prefix;
        size_t len = strlen(mount);

        if (l->info->level != GB_LEVEL_MARK || l->parts.now > 0)
                return 0;
        while (len > 1 && mount[len - 1] == '/')
                len--;
        l->counts.entries++;
        gb_parts_now(&l->parts)->counts.entries++;
        return put_escaped(l, mount, len) < 0 ? -1 : gb_buf_put_u8(&l->line, '\n');
}

static int line(struct gb_list *l, const struct gb_op *op)
{
        if (op->kind == GB_OP_DELETE || (op->len == l->last_len && memcmp(op->path, l->last, op->len) == 0))
                return GB_LINE_NONE;
        memcpy(l->last, op->path, op->len);
        l->last_len = op->len;
        if (gb_list_put_path(l, op->path, op->len) < 0)
                return -1;
        if (memchr(l->full.data, '\n', l->full.len))
                return GB_LINE_SKIPPED;
        if (put_escaped(l, (const char *)l->full.data, l->full.len) < 0)
                return -1;
        if (l->line.len > LINE_MAX_NETBACKUP)
                return GB_LINE_SKIPPED;
        return gb_buf_put_u8(&l->line, '\n') < 0 ? -1 : GB_LINE_DONE;
}

/* What is gone is saved with the job, so that a restore can be pruned. */
static int end(struct gb_list *l, bool complete)
{
        const char *last = l->cli->o.last_line, *list = l->cli->o.out_file;

        (void)complete;
        if (!last)
                return 0;
        if (l->beside && l->parts.now == 0 &&
            (put_escaped(l, list, strlen(list)) < 0 || gb_buf_put(&l->line, ".gone\n", 6) < 0))
                return -1;
        return put_escaped(l, last, strlen(last)) < 0 ? -1 : gb_buf_put_u8(&l->line, '\n');
}

static const struct gb_tool netbackup = {
        .implies_dirs = true, .gone_beside = true, .command = "bpbackup -w -p POLICY -s SCHEDULE -f %s"};

const struct gb_format_ops gb_format_netbackup = {.name = "netbackup",
                                                  .tool = &netbackup,
                                                  .wants_expanded = true,
                                                  .tells_mark = true,
                                                  .begin = begin,
                                                  .line = line,
                                                  .end = end};
