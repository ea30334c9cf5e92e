/*
 * formats rsync, tar, bsdtar, cpio, borg, restic, rclone - paths for one program each.
 *
 * The commands are what tests/integration/test-formats.sh runs, with MOUNT the volume's mount point and
 * TARGET where the copy goes.
 */
#include <config.h>

#include <string.h>

#include "list.h"

static int line(struct gb_list *l, const struct gb_op *op)
{
        const struct gb_tool *t = l->format->tool;

        if (op->kind == GB_OP_DELETE && !t->gone)
                return GB_LINE_NONE;
        if (op->len == l->last_len && memcmp(op->path, l->last, op->len) == 0)
                return GB_LINE_NONE;
        memcpy(l->last, op->path, op->len);
        l->last_len = op->len;
        if (op->kind != GB_OP_DELETE && t->types && op->type && !strchr(t->types, op->type))
                return GB_LINE_SKIPPED;
        if (gb_list_put_path(l, op->path, op->len) < 0)
                return -1;
        if ((t->takes && !t->takes((const char *)l->full.data, l->full.len)) ||
            (!t->null && memchr(l->full.data, '\n', l->full.len)))
                return GB_LINE_SKIPPED;
        if ((t->lead && gb_buf_put(&l->line, t->lead, strlen(t->lead)) < 0) ||
            gb_buf_put(&l->line, l->full.data, l->full.len) < 0 ||
            gb_buf_put_u8(&l->line, t->null ? '\0' : '\n') < 0)
                return -1;
        return GB_LINE_DONE;
}

/* A member of that name ends a cpio archive. */
static bool cpio_takes(const char *path, size_t len)
{
        static const char trailer[] = "TRAILER!!!";

        return len != sizeof(trailer) - 1 || memcmp(path, trailer, len) != 0;
}

/* Its standard input is text to Python, where a carriage return is a line end. */
static bool borg_takes(const char *path, size_t len)
{
        return !memchr(path, '\r', len);
}

/* A carriage return at the end belongs to the line end there; what is not UTF-8 has no name in rclone. */
static bool rclone_takes(const char *path, size_t len)
{
        return path[len - 1] != '\r' && gb_is_utf8((const uint8_t *)path, len);
}

/* An entry that begins with # or ; would be a comment, hence the lead.  A directory that gives way to
 * something else, or is gone, is not empty yet: --force.  What is listed has changed, even if size and time
 * of modification are those of the copy: --ignore-times. */
static const struct gb_tool rsync = {
        .lead = "./",
        .null = true,
        .gone = true,
        .no_prefix = true,
        .command = "rsync -aHAX --ignore-times --from0 --files-from=%s --delete-missing-args --force "
                   "\"$MOUNT/\" \"$TARGET/\""};
/* --null is --verbatim-files-from too; --no-recursion counts for what stands behind it. */
static const struct gb_tool tar = {
        .null = true,
        .types = "fdlpbc",
        .command = "tar -c -f \"$TARGET\" --xattrs --acls -C \"$MOUNT\" --null --no-recursion -T %s"};
/* Without --null a line -C would be an option.  A backslash at the beginning of a name is taken away, hence
 * the lead. */
static const struct gb_tool bsdtar = {
        .lead = "./",
        .null = true,
        .types = "fdlpbc",
        .command = "bsdtar -c -f \"$TARGET\" --format=pax -C \"$MOUNT\" -n --null -T %s"};
static const struct gb_tool cpio = {.null = true,
                                    .takes = cpio_takes,
                                    .command =
                                            "(cd \"$MOUNT\" && cpio -o -0 -H newc --quiet) <%s >\"$TARGET\""};
static const struct gb_tool borg = {
        .null = true,
        .takes = borg_takes,
        .types = "fdlpbc",
        .command =
                "(cd \"$MOUNT\" && borg create --paths-from-stdin --paths-delimiter '\\0' \"$TARGET\") <%s"};
static const struct gb_tool restic = {
        .null = true,
        .implies_dirs = true,
        .skips_dir_meta = true,
        .types = "fdlpbc",
        .command = "(cd \"$MOUNT\" && restic -r \"$TARGET\" backup --files-from-raw %s)"};
static const struct gb_tool rclone = {
        .implies_dirs = true,
        .no_prefix = true,
        .types = "f",
        .takes = rclone_takes,
        .command = "rclone copy --ignore-times --no-traverse --files-from-raw %s \"$MOUNT\" \"$TARGET\""};

const struct gb_format_ops gb_format_tools[] = {
        {.name = "rsync", .tool = &rsync, .wants_expanded = true, .line = line},
        {.name = "tar", .tool = &tar, .wants_expanded = true, .line = line},
        {.name = "bsdtar", .tool = &bsdtar, .wants_expanded = true, .line = line},
        {.name = "cpio", .tool = &cpio, .wants_expanded = true, .line = line},
        {.name = "borg", .tool = &borg, .wants_expanded = true, .line = line},
        {.name = "restic", .tool = &restic, .wants_expanded = true, .line = line},
        {.name = "rclone", .tool = &rclone, .wants_expanded = true, .line = line}};
