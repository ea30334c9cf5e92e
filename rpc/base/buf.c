/*
 * buf - see buf.h.
 *
 * Every put reserves all it needs before it writes the first byte, so a failed put leaves nothing
 * behind.  A varint has exactly one encoding: leading zero groups and bits beyond 64 are refused,
 * which keeps "decode, encode" the identity on everything accepted.
 */
#include <config.h>

#include "buf.h"

#include <stdlib.h>

#define VARINT_MAX 10

void gb_buf_init(struct gb_buf *b, size_t max)
{
        *b = (struct gb_buf){.max = max};
}

void gb_buf_fini(struct gb_buf *b)
{
        free(b->data);
        b->data = NULL;
        b->len = b->cap = 0;
}

int gb_buf_reserve(struct gb_buf *b, size_t more)
{
        size_t need, cap;
        uint8_t *data;

        if (b->len > b->max || more > b->max - b->len)
                return -1;
        need = b->len + more;
        if (need <= b->cap)
                return 0;
        cap = b->cap < 128 ? 256 : b->cap > b->max / 2 ? b->max : b->cap * 2;
        if (cap < need)
                cap = need;
        if (cap > b->max)
                cap = b->max;
        data = realloc(b->data, cap);
        if (!data)
                return -1;
        b->data = data;
        b->cap = cap;
        return 0;
}

static size_t encode_varint(uint8_t out[VARINT_MAX], uint64_t v)
{
        size_t n = 0;

        while (v >= 0x80) {
                out[n++] = (uint8_t)(v | 0x80);
                v >>= 7;
        }
        out[n++] = (uint8_t)v;
        return n;
}

static void append(struct gb_buf *b, const void *bytes, size_t n)
{
        if (n)
                memcpy(b->data + b->len, bytes, n);
        b->len += n;
}

int gb_buf_put(struct gb_buf *b, const void *bytes, size_t n)
{
        if (gb_buf_reserve(b, n) < 0)
                return -1;
        append(b, bytes, n);
        return 0;
}

int gb_buf_put_u8(struct gb_buf *b, uint8_t v)
{
        return gb_buf_put(b, &v, 1);
}

int gb_buf_put_varint(struct gb_buf *b, uint64_t v)
{
        uint8_t bytes[VARINT_MAX];

        return gb_buf_put(b, bytes, encode_varint(bytes, v));
}

int gb_buf_put_gfid(struct gb_buf *b, const gb_gfid *g)
{
        return gb_buf_put(b, g->b, sizeof(g->b));
}

int gb_buf_put_bytes(struct gb_buf *b, const void *bytes, size_t n)
{
        uint8_t head[VARINT_MAX];
        size_t head_len = encode_varint(head, n);

        if (n > SIZE_MAX - head_len || gb_buf_reserve(b, head_len + n) < 0)
                return -1;
        append(b, head, head_len);
        append(b, bytes, n);
        return 0;
}

bool gb_get_u8(struct gb_reader *r, uint8_t *v)
{
        if (r->p == r->end)
                return false;
        *v = *r->p++;
        return true;
}

bool gb_get_varint(struct gb_reader *r, uint64_t *v)
{
        const uint8_t *p = r->p;
        uint64_t value = 0;

        for (unsigned shift = 0; shift < 64 && p < r->end; shift += 7) {
                uint8_t byte = *p++;

                if (shift == 63 && byte > 1)
                        return false;
                value |= (uint64_t)(byte & 0x7f) << shift;
                if (byte & 0x80)
                        continue;
                if (byte == 0 && shift)
                        return false;
                r->p = p;
                *v = value;
                return true;
        }
        return false;
}

bool gb_get_gfid(struct gb_reader *r, gb_gfid *g)
{
        const uint8_t *p;

        if (!gb_get_raw(r, sizeof(g->b), &p))
                return false;
        memcpy(g->b, p, sizeof(g->b));
        return true;
}

bool gb_get_raw(struct gb_reader *r, size_t n, const uint8_t **p)
{
        if (n > gb_reader_left(r))
                return false;
        *p = r->p;
        r->p += n;
        return true;
}

bool gb_get_bytes(struct gb_reader *r, size_t max, const uint8_t **p, size_t *n)
{
        struct gb_reader in = *r;
        uint64_t len;

        if (!gb_get_varint(&in, &len) || len > max || !gb_get_raw(&in, (size_t)len, p))
                return false;
        *n = (size_t)len;
        *r = in;
        return true;
}
