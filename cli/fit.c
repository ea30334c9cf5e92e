/*
 * fit - see fit.h.
 *
 * The files of a batch of ops are the roots of a scan that finds what does not fit.  That way round, because
 * a name that is not there any more must stay in the list: whoever renamed a directory above it has not made
 * the change undone.
 */
#include <config.h>

#include <string.h>

#include "base/order.h"
#include "base/vec.h"
#include "fit.h"

/* Bytes of ops that wait for an answer; one op more may be there. */
#define BATCH_BYTES ((size_t)4 * 1024 * 1024)

struct place {
        size_t at, len; /* of a path in `records` */
};

struct waiting {
        size_t from, end; /* in `records` */
        int asked;        /* -1: not */
};

struct batch {
        const struct gb_cli *cli;
        struct gb_volume *volume;
        const struct gb_measure *measure;
        struct gb_sorter *out;
        GB_VEC(uint8_t) records;
        GB_VEC(struct waiting) ops;
        struct place asked[GB_ROOTS_MAX], last; /* `last`: of the op added last */
        unsigned n_asked;
        struct gb_buf record;
};

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
}

int gb_fit_ask(const struct gb_cli *c, struct gb_volume *v, const struct gb_measure *m,
               const struct gb_slice_of_path *paths, unsigned n, bool *unfit, struct gb_error *err)
{
        struct gb_select only = {.measure = *m};
        struct gb_scan_options o = {
                .roots = paths, .n_roots = n, .only_set = -1, .select = &only, .unfit = true};
        struct gb_scan *s = gb_scan_open(c, v, &o, NULL, err);
        struct gb_entry e;
        unsigned i = 0;
        int rc = -1;

        memset(unfit, 0, n * sizeof(*unfit));
        while (s && (rc = gb_scan_next(s, &e, err)) == 1) {
                while (i < n && gb_path_cmp(paths[i].path, paths[i].len, e.path, e.len) < 0)
                        i++;
                if (i < n && gb_path_cmp(paths[i].path, paths[i].len, e.path, e.len) == 0)
                        unfit[i] = true;
        }
        gb_scan_close(s);
        return rc;
}

/* Is it a name of a file that is there now? */
static bool measured(const struct gb_op *op)
{
        return op->type == 'f' && op->kind != GB_OP_DELETE;
}

static bool same_path(const struct batch *b, const struct place *p, const struct gb_op *op)
{
        return p->len == op->len && memcmp(b->records.v + p->at, op->path, op->len) == 0;
}

static int put(struct batch *b, const struct gb_op *op, struct gb_error *err)
{
        gb_buf_reset(&b->record);
        if (gb_op_encode(&b->record, op) < 0)
                return no_memory(err);
        return gb_sorter_add(b->out, b->record.data, b->record.len, err);
}

/* What becomes of an op; `after_new`: the op before was NEW of the same path. */
static int settle(struct batch *b, const struct gb_op *op, bool unfit, bool after_new, struct gb_error *err)
{
        struct gb_op other = *op;

        if (!unfit) {
                if (op->kind == GB_OP_MODIFY && after_new)
                        other.kind = GB_OP_MODIFY_TOO;
                return put(b, &other, err);
        }
        if (op->kind != GB_OP_RENAME)
                return 0;
        other = (struct gb_op){.kind = GB_OP_DELETE, .path = op->old, .len = op->old_len, .type = 'f'};
        return put(b, &other, err);
}

static int ask(struct batch *b, bool *unfit, struct gb_error *err)
{
        struct gb_slice_of_path paths[GB_ROOTS_MAX];

        for (unsigned i = 0; i < b->n_asked; i++)
                paths[i] = (struct gb_slice_of_path){(const char *)b->records.v + b->asked[i].at,
                                                     b->asked[i].len};
        return b->n_asked ? gb_fit_ask(b->cli, b->volume, b->measure, paths, b->n_asked, unfit, err) : 0;
}

static int flush(struct batch *b, struct gb_error *err)
{
        bool unfit[GB_ROOTS_MAX];
        struct gb_op op, before = {.len = 0};

        if (ask(b, unfit, err) < 0)
                return -1;
        for (size_t i = 0; i < b->ops.n; i++, before = op) {
                const struct waiting *w = &b->ops.v[i];

                if (!gb_op_decode(b->records.v + w->from, w->end - w->from, &op))
                        return gb_error_set(err, GB_ERR_CORRUPT, "a change that waited came back broken");
                if (settle(b, &op, w->asked >= 0 && unfit[w->asked],
                           before.kind == GB_OP_NEW && before.len == op.len &&
                                   memcmp(before.path, op.path, op.len) == 0,
                           err) < 0)
                        return -1;
        }
        b->records.n = b->ops.n = 0;
        b->n_asked = 0;
        b->last.len = 0;
        return 0;
}

/* Which question is about this op?  A path below one that is asked was a directory's a moment ago: it is not
 * asked, and so it fits. */
static int question(struct batch *b, const struct gb_op *op)
{
        const struct place *last = b->n_asked ? &b->asked[b->n_asked - 1] : NULL;

        if (!measured(op))
                return -1;
        if (last && same_path(b, last, op))
                return (int)b->n_asked - 1;
        if (last && gb_path_within(op->path, op->len, (const char *)b->records.v + last->at, last->len))
                return -1;
        b->asked[b->n_asked] = (struct place){b->records.n, op->len};
        return (int)b->n_asked++;
}

static int take(struct batch *b, const struct gb_op *op, struct gb_error *err)
{
        struct waiting w;

        if (!same_path(b, &b->last, op) && (b->n_asked == GB_ROOTS_MAX || b->records.n > BATCH_BYTES) &&
            flush(b, err) < 0)
                return -1;
        gb_buf_reset(&b->record);
        if (gb_op_encode(&b->record, op) < 0)
                return no_memory(err);
        w = (struct waiting){b->records.n, b->records.n + b->record.len, question(b, op)};
        if (gb_vec_reserve(&b->records, w.end) < 0 || gb_vec_push(&b->ops, w) < 0)
                return no_memory(err);
        memcpy(b->records.v + w.from, b->record.data, b->record.len);
        b->records.n = w.end;
        b->last = (struct place){w.from, op->len};
        return 0;
}

int gb_fit_apply(const struct gb_cli *c, struct gb_volume *v, const struct gb_measure *m, struct gb_fold *in,
                 struct gb_sorter *out, struct gb_error *err)
{
        struct batch b = {.cli = c, .volume = v, .measure = m, .out = out};
        struct gb_op op;
        int rc;

        gb_buf_init(&b.record, 1024 * 1024);
        while ((rc = gb_fold_next(in, &op, err)) == 1)
                if (take(&b, &op, err) < 0) {
                        rc = -1;
                        break;
                }
        if (rc == 0)
                rc = flush(&b, err);
        gb_buf_fini(&b.record);
        gb_vec_free(&b.records);
        gb_vec_free(&b.ops);
        return rc;
}
