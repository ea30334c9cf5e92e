/*
 * format jsonl - the canonical, lossless form: a header, an object a line, a trailer.
 *
 * A byte string that is not UTF-8 appears as path_b64/old_path_b64.  Lines are written by hand: they
 * are the hot path of a list of millions; everything else that is JSON goes through jansson.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "list.h"

static int put_text(struct gb_buf *b, const char *text)
{
        return gb_buf_put(b, text, strlen(text));
}

/* Length of the well-formed UTF-8 sequence at p, 0 if there is none (RFC 3629). */
static size_t utf8_len(const uint8_t *p, size_t left)
{
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : 4;
        uint32_t v;

        if (n == 1)
                return 1;
        if ((n == 4 && (p[0] < 0xf0 || p[0] > 0xf4)) || n > left)
                return 0;
        v = p[0] & (0xffu >> (n + 1));
        for (size_t i = 1; i < n; i++) {
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
                v = v << 6 | (p[i] & 0x3f);
        }
        return v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000) ? 0 : n;
}

bool gb_is_utf8(const uint8_t *p, size_t len)
{
        for (size_t i = 0; i < len;) {
                size_t n = utf8_len(p + i, len - i);

                if (!n)
                        return false;
                i += n;
        }
        return true;
}

static int put_string(struct gb_buf *b, const uint8_t *p, size_t len)
{
        if (gb_buf_reserve(b, 6 * len + 2) < 0 || gb_buf_put_u8(b, '"') < 0)
                return -1;
        for (size_t i = 0; i < len; i++) {
                char esc[8];

                if (p[i] == '"' || p[i] == '\\') {
                        esc[0] = '\\';
                        esc[1] = (char)p[i];
                        esc[2] = '\0';
                } else if (p[i] < 0x20 || p[i] == 0x7f) {
                        snprintf(esc, sizeof(esc), "\\u%04x", p[i]);
                } else {
                        b->data[b->len++] = p[i];
                        continue;
                }
                if (put_text(b, esc) < 0)
                        return -1;
        }
        return gb_buf_put_u8(b, '"');
}

static int put_base64(struct gb_buf *b, const uint8_t *p, size_t len)
{
        static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        if (gb_buf_put_u8(b, '"') < 0)
                return -1;
        for (size_t i = 0; i < len; i += 3) {
                size_t n = len - i < 3 ? len - i : 3;
                uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)(n > 1 ? p[i + 1] : 0) << 8 |
                             (uint32_t)(n > 2 ? p[i + 2] : 0);
                char four[4] = {set[v >> 18], set[v >> 12 & 63], n > 1 ? set[v >> 6 & 63] : '=',
                                n > 2 ? set[v & 63] : '='};

                if (gb_buf_put(b, four, 4) < 0)
                        return -1;
        }
        return gb_buf_put_u8(b, '"');
}

static int put_path(struct gb_list *l, const char *key, const char *path, size_t len)
{
        bool text;

        if (gb_list_put_path(l, path, len) < 0)
                return -1;
        text = gb_is_utf8(l->full.data, l->full.len);
        if (put_text(&l->line, ",\"") < 0 || put_text(&l->line, key) < 0 ||
            put_text(&l->line, text ? "\":" : "_b64\":") < 0)
                return -1;
        return text ? put_string(&l->line, l->full.data, l->full.len)
                    : put_base64(&l->line, l->full.data, l->full.len);
}

static int put_member(struct gb_list *l, const char *key, const char *value)
{
        if (put_text(&l->line, ",\"") < 0 || put_text(&l->line, key) < 0 || put_text(&l->line, "\":") < 0)
                return -1;
        return put_string(&l->line, (const uint8_t *)value, strlen(value));
}

/* "full_sets":[...]: what is not listed of these replica sets is gone or unchanged, nobody knows. */
static int put_full_sets(struct gb_list *l)
{
        char text[32];
        bool any = false;

        for (unsigned i = 0; l->info->full_sets && i < l->info->volume->n_sets; i++) {
                if (!l->info->full_sets[i])
                        continue;
                snprintf(text, sizeof(text), "%s%u", any ? "," : ",\"full_sets\":[", i);
                if (put_text(&l->line, text) < 0)
                        return -1;
                any = true;
        }
        return any ? put_text(&l->line, "]") : 0;
}

static int begin(struct gb_list *l)
{
        char id[GB_GFID_TEXT], text[64];
        const struct gb_volume *v = l->info->volume;

        if (put_text(&l->line, "{\"gbackup\":1") < 0 || put_member(l, "kind", l->info->kind) < 0 ||
            put_member(l, "volume", v->name) < 0 ||
            put_member(l, "volume_id", gb_gfid_format(&v->id, id)) < 0)
                return -1;
        if (l->info->session && put_member(l, "session", l->info->session) < 0)
                return -1;
        if (l->info->generation && put_member(l, "generation", l->info->generation) < 0)
                return -1;
        if (put_text(&l->line, ",\"bricks\":[") < 0)
                return -1;
        for (unsigned i = 0; i < v->n_bricks; i++) {
                const char *name = v->bricks[i].name;

                if ((i && gb_buf_put_u8(&l->line, ',') < 0) ||
                    put_string(&l->line, (const uint8_t *)name, strlen(name)) < 0)
                        return -1;
        }
        snprintf(text, sizeof(text), l->parts.split ? "],\"part\":%u,\"parts\":%u" : "]", l->parts.now + 1,
                 l->parts.n);
        return put_text(&l->line, text) < 0 || put_full_sets(l) < 0 ? -1 : put_text(&l->line, "}\n");
}

static int line(struct gb_list *l, const struct gb_op *op)
{
        static const char *const words[] = {[GB_OP_DELETE] = "DELETE",
                                            [GB_OP_RENAME] = "RENAME",
                                            [GB_OP_NEW] = "NEW",
                                            [GB_OP_MODIFY] = "MODIFY"};
        char text[128], gfid[GB_GFID_TEXT];
        uint32_t flags = op->flags | (op->kind == GB_OP_NEW ? GB_FACT_DATA | GB_FACT_META : 0);

        if (put_text(&l->line, "{\"op\":\"") < 0 || put_text(&l->line, words[op->kind]) < 0 ||
            gb_buf_put_u8(&l->line, '"') < 0 || put_path(l, "path", op->path, op->len) < 0)
                return -1;
        if (op->kind == GB_OP_RENAME && put_path(l, "old_path", op->old, op->old_len) < 0)
                return -1;
        snprintf(text, sizeof(text), ",\"type\":\"%c\"", op->type ? op->type : 'f');
        if (put_text(&l->line, text) < 0)
                return -1;
        if (op->has_gfid && put_member(l, "gfid", gb_gfid_format(&op->gfid, gfid)) < 0)
                return -1;
        snprintf(text, sizeof(text), ",\"data\":%s,\"meta\":%s,\"xattr\":%s}\n",
                 flags & GB_FACT_DATA ? "true" : "false", flags & GB_FACT_META ? "true" : "false",
                 flags & GB_FACT_XATTR ? "true" : "false");
        return put_text(&l->line, text) < 0 ? -1 : GB_LINE_DONE;
}

static int end(struct gb_list *l, bool complete)
{
        const struct gb_list_counts *n = &gb_parts_now(&l->parts)->counts;
        char text[512];

        snprintf(text, sizeof(text),
                 "{\"end\":true,\"entries\":%" PRIu64 ",\"new\":%" PRIu64 ",\"modify\":%" PRIu64
                 ",\"delete\":%" PRIu64 ",\"rename\":%" PRIu64 ",\"skipped\":%" PRIu64 ",\"complete\":%s",
                 n->entries, n->new_, n->modify, n->delete_, n->rename_, l->counts.skipped,
                 complete ? "true" : "false");
        return put_text(&l->line, text) < 0 || put_full_sets(l) < 0 ? -1 : put_text(&l->line, "}\n");
}

const struct gb_format_ops gb_format_jsonl = {
        .name = "jsonl", .wants_gfids = true, .begin = begin, .line = line, .end = end};
