/*
 * gone - see gone.h.
 *
 * Candidates and what stands at T1 are sorted together by path.  Both may be many: the sorter spills.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "gone.h"
#include "moved.h"
#include "window.h"

struct gb_gone {
        struct gb_moved moved;
        struct gb_sorter *sorter;
        struct gb_buf record;
        bool reading;
        char present[GB_PATH_MAX]; /* stands at T1 */
        size_t present_len;
        char wall[GB_PATH_MAX]; /* stands at T1 and is no directory, or is a directory that is gone */
        size_t wall_len;
        char last[GB_PATH_MAX]; /* said */
        size_t last_len;
};

struct gb_gone *gb_gone_new(struct gb_error *err)
{
        struct gb_gone *g = calloc(1, sizeof(*g));

        if (!g) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                return NULL;
        }
        gb_moved_init(&g->moved);
        gb_buf_init(&g->record, 1024 * 1024);
        g->sorter = gb_ops_sorter(err);
        if (!g->sorter) {
                gb_gone_free(g);
                return NULL;
        }
        return g;
}

void gb_gone_free(struct gb_gone *g)
{
        if (!g)
                return;
        gb_moved_fini(&g->moved);
        gb_sorter_free(g->sorter);
        gb_buf_fini(&g->record);
        free(g);
}

static int add(struct gb_gone *g, enum gb_op_kind kind, const char *path, size_t len, char type,
               struct gb_error *err)
{
        struct gb_op op = {.kind = kind, .path = path, .len = len, .type = type};

        gb_buf_reset(&g->record);
        if (gb_op_encode(&g->record, &op) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        return gb_sorter_add(g->sorter, g->record.data, g->record.len, err);
}

int gb_gone_add(struct gb_gone *g, const struct gb_op *op, struct gb_error *err)
{
        const struct gb_moved_dir *over;

        if (op->kind == GB_OP_DELETE)
                return add(g, GB_OP_DELETE, op->path, op->len, op->type, err);
        over = gb_moved_over(&g->moved, op->path, op->len);
        if (over && gb_moved_old(&g->moved, over, op->path, op->len) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        if (over && g->moved.path.len < GB_PATH_MAX &&
            add(g, GB_OP_DELETE, (const char *)g->moved.path.data, g->moved.path.len, op->type, err) < 0)
                return -1;
        if (op->kind == GB_OP_RENAME) {
                if (op->type == 'd' && gb_moved_add(&g->moved, op, true) < 0)
                        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                if (add(g, GB_OP_DELETE, op->old, op->old_len, op->type, err) < 0)
                        return -1;
        }
        return add(g, GB_OP_PRESENT, op->path, op->len, op->type, err);
}

static void keep(char *to, size_t *to_len, const struct gb_op *op)
{
        memcpy(to, op->path, op->len);
        *to_len = op->len;
}

static bool is(const char *path, size_t len, const struct gb_op *op)
{
        return len && len == op->len && memcmp(path, op->path, len) == 0;
}

/* PRESENT sorts before DELETE of the same path. */
int gb_gone_next(struct gb_gone *g, struct gb_op *op, struct gb_error *err)
{
        const uint8_t *rec;
        size_t len;
        int rc;

        if (!g->reading && gb_sorter_finish(g->sorter, err) < 0)
                return -1;
        g->reading = true;
        while ((rc = gb_sorter_next(g->sorter, &rec, &len, err)) == 1) {
                if (!gb_op_decode(rec, len, op))
                        return gb_error_set(err, GB_ERR_CORRUPT, "a sorted record came back broken");
                if (op->kind == GB_OP_PRESENT) {
                        keep(g->present, &g->present_len, op);
                        if (op->type != 'd')
                                keep(g->wall, &g->wall_len, op);
                        continue;
                }
                if (is(g->present, g->present_len, op) || is(g->last, g->last_len, op) ||
                    (g->wall_len && gb_path_within(op->path, op->len, g->wall, g->wall_len)))
                        continue;
                keep(g->last, &g->last_len, op);
                if (op->type == 'd') /* goes with all below it */
                        keep(g->wall, &g->wall_len, op);
                return 1;
        }
        return rc;
}
