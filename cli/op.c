/*
 * op - ops as sortable records.
 *
 * Record layout: path, NUL, kind, then the rest; the path stands first so that the order can be
 * decided without decoding.  A path holds no NUL.
 */
#include <config.h>

#include <string.h>

#include "base/order.h"
#include "op.h"

/* Of a record's path: everything before the first NUL. */
static size_t record_path_len(const uint8_t *rec, size_t len)
{
        const uint8_t *nul = memchr(rec, 0, len);

        return nul ? (size_t)(nul - rec) : len;
}

struct gb_op gb_op_of_entry(enum gb_op_kind kind, const struct gb_entry *e)
{
        return (struct gb_op){.kind = kind,
                              .path = e->path,
                              .len = e->len,
                              .type = e->type,
                              .has_gfid = e->has_gfid,
                              .gfid = e->gfid,
                              .flags = GB_FACT_DATA | GB_FACT_META};
}

int gb_op_encode(struct gb_buf *out, const struct gb_op *op)
{
        uint8_t bits = (uint8_t)((op->has_gfid ? 1 : 0) | (op->expanded ? 2 : 0) | (op->flags << 2));

        if (gb_buf_put(out, op->path, op->len) < 0 || gb_buf_put_u8(out, 0) < 0 ||
            gb_buf_put_u8(out, (uint8_t)op->kind) < 0 || gb_buf_put_u8(out, (uint8_t)op->type) < 0 ||
            gb_buf_put_u8(out, bits) < 0 || gb_buf_put_gfid(out, &op->parent) < 0)
                return -1;
        if (op->has_gfid && gb_buf_put_gfid(out, &op->gfid) < 0)
                return -1;
        if (op->kind == GB_OP_RENAME && gb_buf_put_bytes(out, op->old, op->old_len) < 0)
                return -1;
        return 0;
}

bool gb_op_decode(const uint8_t *rec, size_t len, struct gb_op *op)
{
        struct gb_reader in = {.p = rec, .end = rec + len};
        const uint8_t *p;
        uint8_t nul, kind, type, bits;

        memset(op, 0, sizeof(*op));
        op->path = (const char *)rec;
        op->len = record_path_len(rec, len);
        if (!gb_get_raw(&in, op->len, &p) || !gb_get_u8(&in, &nul) || !gb_get_u8(&in, &kind) ||
            !gb_get_u8(&in, &type) || !gb_get_u8(&in, &bits) || !gb_get_gfid(&in, &op->parent))
                return false;
        if (kind > GB_OP_LEFT)
                return false;
        op->kind = (enum gb_op_kind)kind;
        op->type = (char)type;
        op->has_gfid = bits & 1;
        op->expanded = bits & 2;
        op->flags = bits >> 2;
        if (op->has_gfid && !gb_get_gfid(&in, &op->gfid))
                return false;
        if (op->kind == GB_OP_RENAME) {
                if (!gb_get_bytes(&in, GB_PATH_MAX, &p, &op->old_len))
                        return false;
                op->old = (const char *)p;
        }
        return gb_reader_left(&in) == 0;
}

int gb_op_cmp(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen, void *arg)
{
        size_t ap = record_path_len(a, alen), bp = record_path_len(b, blen);
        int c = gb_path_cmp((const char *)a, ap, (const char *)b, bp);

        (void)arg;
        if (c || ap >= alen || bp >= blen)
                return c;
        return (int)a[ap + 1] - (int)b[bp + 1]; /* the kind */
}

/* '/' ranks below every other byte, so it maps to 1 and what lies below it moves up by one.  The bytes
 * 0xfe and 0xff share a value; a prefix may be coarser than the order, never against it. */
uint64_t gb_op_prefix(const uint8_t *rec, size_t len, void *arg)
{
        uint64_t prefix = 0;
        size_t n = len < 8 ? len : 8;

        (void)arg;
        for (size_t i = 0; i < n && rec[i]; i++) {
                uint8_t rank = rec[i] == '/' ? 1 : rec[i] == 0xff ? 0xff : (uint8_t)(rec[i] + 1);

                prefix |= (uint64_t)rank << (56 - 8 * i);
        }
        return prefix;
}
