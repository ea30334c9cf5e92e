/*
 * fold - the ops of one path become the lines of that path.  The rules are in op.h.
 *
 * All ops of one path are gathered (there are few), judged together, and handed out one by one.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "base/vec.h"
#include "op.h"

#define FOLD_LINES_MAX 4 /* DELETE, RENAME, NEW or MODIFY */

struct gb_fold {
        struct gb_sorter *in;
        struct gb_buf ahead;   /* the record read beyond the current path; empty at the end */
        GB_VEC(uint8_t) bytes; /* records of the current path, back to back */
        GB_VEC(size_t) ends;
        struct gb_op lines[FOLD_LINES_MAX];
        unsigned n_lines, next_line;
        bool done;
};

struct gb_fold *gb_fold_new(struct gb_sorter *sorted, struct gb_error *err)
{
        struct gb_fold *f = calloc(1, sizeof(*f));

        if (!f) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                return NULL;
        }
        f->in = sorted;
        gb_buf_init(&f->ahead, 1024 * 1024);
        return f;
}

void gb_fold_free(struct gb_fold *f)
{
        if (!f)
                return;
        gb_buf_fini(&f->ahead);
        gb_vec_free(&f->bytes);
        gb_vec_free(&f->ends);
        free(f);
}

static int keep(struct gb_fold *f, const uint8_t *rec, size_t len, struct gb_error *err)
{
        if (gb_vec_reserve(&f->bytes, f->bytes.n + len) < 0 || gb_vec_push(&f->ends, f->bytes.n + len) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        memcpy(f->bytes.v + f->bytes.n, rec, len);
        f->bytes.n += len;
        return 0;
}

static size_t path_len(const uint8_t *rec, size_t len)
{
        const uint8_t *nul = memchr(rec, 0, len);

        return nul ? (size_t)(nul - rec) : len;
}

/* Gather all records of the next path.  1, 0 at the end, -1. */
static int gather(struct gb_fold *f, struct gb_error *err)
{
        const uint8_t *rec;
        size_t len;
        int rc;

        f->bytes.n = 0;
        f->ends.n = 0;
        if (f->ahead.len && keep(f, f->ahead.data, f->ahead.len, err) < 0)
                return -1;
        gb_buf_reset(&f->ahead);
        while ((rc = gb_sorter_next(f->in, &rec, &len, err)) == 1) {
                size_t mine = f->bytes.n ? path_len(f->bytes.v, f->ends.v[0]) : 0;

                if (f->bytes.n && (path_len(rec, len) != mine || memcmp(rec, f->bytes.v, mine) != 0)) {
                        if (gb_buf_put(&f->ahead, rec, len) < 0)
                                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                        return 1;
                }
                if (keep(f, rec, len, err) < 0)
                        return -1;
        }
        return rc < 0 ? -1 : f->bytes.n > 0;
}

/* What was found at one path, before it is judged. */
struct verdict {
        struct gb_op del, ren, add, mod;
        bool has_del, has_ren, has_new, has_mod, mod_too, present, left;
        gb_gfid t1_parent;
        bool t1_dir;
};

static bool is_t1(const struct gb_op *op)
{
        return op->kind != GB_OP_DELETE && op->kind != GB_OP_LEFT;
}

static void unite(struct gb_op *into, bool *has, const struct gb_op *op)
{
        if (!*has) {
                *into = *op;
                *has = true;
                return;
        }
        into->flags |= op->flags;
        into->expanded = into->expanded && op->expanded;
        if (!into->type)
                into->type = op->type;
        if (!into->has_gfid && op->has_gfid) {
                into->has_gfid = true;
                into->gfid = op->gfid;
        }
}

static void look_around(struct verdict *v, const struct gb_op *op)
{
        v->left = v->left || op->kind == GB_OP_LEFT;
        if (!is_t1(op) || op->expanded || gb_gfid_eq(&op->parent, &GB_GFID_NULL))
                return;
        v->present = true;
        v->t1_parent = op->parent;
        v->t1_dir = v->t1_dir || op->type == 'd';
}

/* A DELETE survives unless the slot it was spelled from holds something of the same sort now. */
static void consider_delete(struct verdict *v, const struct gb_op *op)
{
        bool same_slot = v->present && gb_gfid_eq(&op->parent, &v->t1_parent);
        bool same_sort = v->t1_dir == (op->type == 'd');

        if ((same_slot && same_sort) || v->left)
                return;
        unite(&v->del, &v->has_del, op);
}

static void take_modify(struct verdict *v, struct gb_op *op)
{
        v->mod_too = v->mod_too || op->kind == GB_OP_MODIFY_TOO;
        op->kind = GB_OP_MODIFY;
        unite(&v->mod, &v->has_mod, op);
}

static void line(struct gb_fold *f, const struct gb_op *op)
{
        f->lines[f->n_lines++] = *op;
}

static void write_lines(struct gb_fold *f, struct verdict *v)
{
        if (v->has_del)
                line(f, &v->del);
        if (v->has_new && v->add.expanded && (v->has_ren || v->has_mod))
                v->has_new = false;
        if (v->has_ren) {
                if (v->has_new &&
                    !(v->add.has_gfid && v->ren.has_gfid && gb_gfid_eq(&v->add.gfid, &v->ren.gfid)))
                        unite(&v->mod, &v->has_mod, &v->add);
                v->has_new = false;
                if (v->has_mod)
                        v->ren.flags |= v->mod.flags;
                line(f, &v->ren);
                if (v->ren.flags || v->has_mod) {
                        struct gb_op mod = v->ren;

                        mod.kind = GB_OP_MODIFY;
                        mod.old = NULL;
                        mod.old_len = 0;
                        mod.flags = mod.flags ? mod.flags : GB_FACT_DATA;
                        line(f, &mod);
                }
                return;
        }
        if (v->has_new) {
                if (v->has_mod)
                        v->add.flags |= v->mod.flags;
                line(f, &v->add);
                if (v->mod_too)
                        line(f, &v->mod);
        } else if (v->has_mod) {
                line(f, &v->mod);
        }
}

static int judge(struct gb_fold *f, struct gb_error *err)
{
        struct verdict v = {0};
        struct gb_op op;
        size_t start;

        f->n_lines = f->next_line = 0;
        for (unsigned pass = 0; pass < 2; pass++) {
                start = 0;
                for (size_t i = 0; i < f->ends.n; start = f->ends.v[i++]) {
                        if (!gb_op_decode(f->bytes.v + start, f->ends.v[i] - start, &op))
                                return gb_error_set(err, GB_ERR_CORRUPT, "a sorted record came back broken");
                        if (pass == 0) {
                                look_around(&v, &op);
                                continue;
                        }
                        if (op.kind == GB_OP_DELETE)
                                consider_delete(&v, &op);
                        else if (op.kind == GB_OP_RENAME)
                                unite(&v.ren, &v.has_ren, &op);
                        else if (op.kind == GB_OP_NEW)
                                unite(&v.add, &v.has_new, &op);
                        else if (op.kind != GB_OP_PRESENT && op.kind != GB_OP_LEFT)
                                take_modify(&v, &op);
                }
        }
        write_lines(f, &v);
        return 0;
}

int gb_fold_next(struct gb_fold *f, struct gb_op *op, struct gb_error *err)
{
        while (f->next_line == f->n_lines) {
                int rc = f->done ? 0 : gather(f, err);

                if (rc <= 0) {
                        f->done = true;
                        return rc;
                }
                if (judge(f, err) < 0)
                        return -1;
        }
        *op = f->lines[f->next_line++];
        return 1;
}
