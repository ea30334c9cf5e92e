/*
 * cursor - the text form of a place in a brick's history.
 *
 * Fields in fixed order; the brick path last, with every byte that is not plain printable ASCII as %XX, so
 * that the line has no blank in it but between fields.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "history.h"
#include "htime.h"

/* Nanoseconds. */
#define BORN_MAX INT64_MAX

static const char magic[] = "gb1";

static bool plain(char c)
{
        return c > ' ' && c < 0x7f && c != '%';
}

int gb_cursor_format(const struct gb_cursor *c, char *out, size_t size, struct gb_error *err)
{
        char node[GB_GFID_TEXT];
        size_t room = size < GB_CURSOR_MAX ? size : GB_CURSOR_MAX;
        int n = snprintf(out, room,
                         "%s htime=%s hlen=%" PRIu64 " hts=%" PRId64 " last=%" PRId64 " prev=%" PRId64
                         " pborn=%" PRId64 " ino=%" PRIu64 " born=%" PRId64 " len=%" PRIu64
                         " hash=%016" PRIx64 " version=%" PRIu64 " log=%" PRIu64 " logat=%" PRIu64
                         " node=%s when=%" PRId64 " brick=",
                         magic, c->htime, c->htime_len, c->htime_ts, c->last_ts, c->prev_ts, c->prev_born,
                         c->live_ino, c->live_born, c->live_len, c->live_hash, c->volume_version, c->log.id,
                         c->log.offset, gb_gfid_format(&c->node, node), c->when);
        size_t len = n < 0 ? room : (size_t)n;

        for (const char *p = c->brick; *p; p++) {
                if (len + 4 > room)
                        return gb_error_set(err, GB_ERR_LIMIT, "cursor of brick %.256s is too long",
                                            c->brick);
                if (plain(*p))
                        out[len++] = *p;
                else
                        len += (size_t)snprintf(out + len, 4, "%%%02X", (unsigned)(uint8_t)*p);
        }
        if (len >= room)
                return gb_error_set(err, GB_ERR_LIMIT, "cursor of brick %.256s is too long", c->brick);
        out[len] = 0;
        return 0;
}

struct text {
        const char *p;
        const char *end;
};

/* " key=" */
static bool take_key(struct text *t, const char *key)
{
        size_t n = strlen(key);

        if ((size_t)(t->end - t->p) < n + 2 || t->p[0] != ' ' || memcmp(t->p + 1, key, n) != 0 ||
            t->p[n + 1] != '=')
                return false;
        t->p += n + 2;
        return true;
}

static bool take_u64(struct text *t, const char *key, uint64_t *v)
{
        const char *start;

        if (!take_key(t, key))
                return false;
        start = t->p;
        for (*v = 0; t->p < t->end && *t->p >= '0' && *t->p <= '9'; t->p++)
                if (__builtin_mul_overflow(*v, 10, v) ||
                    __builtin_add_overflow(*v, (uint64_t)(*t->p - '0'), v))
                        return false;
        return t->p > start;
}

static bool take_up_to(struct text *t, const char *key, uint64_t max, int64_t *v)
{
        uint64_t u;

        if (!take_u64(t, key, &u) || u > max)
                return false;
        *v = (int64_t)u;
        return true;
}

static bool take_seconds(struct text *t, const char *key, int64_t *v)
{
        return take_up_to(t, key, GB_SECONDS_MAX, v);
}

/* A cursor that was written before there was this field has none: 0. */
static bool take_later_u64(struct text *t, const char *key, uint64_t *v)
{
        struct text ahead = *t;

        *v = 0;
        return !take_key(&ahead, key) || take_u64(t, key, v);
}

static bool take_later(struct text *t, const char *key, uint64_t max, int64_t *v)
{
        struct text ahead = *t;

        *v = 0;
        return !take_key(&ahead, key) || take_up_to(t, key, max, v);
}

static int hex_value(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool take_hash(struct text *t, uint64_t *v)
{
        if (!take_key(t, "hash") || t->end - t->p < 16)
                return false;
        *v = 0;
        for (int i = 0; i < 16; i++) {
                int digit = hex_value(*t->p++);

                if (digit < 0)
                        return false;
                *v = *v << 4 | (uint64_t)digit;
        }
        return true;
}

static bool take_htime(struct text *t, char out[GB_HTIME_NAME])
{
        const char *blank;
        int64_t number;
        size_t n;

        if (!take_key(t, "htime"))
                return false;
        blank = memchr(t->p, ' ', (size_t)(t->end - t->p));
        n = blank ? (size_t)(blank - t->p) : GB_HTIME_NAME;
        if (n >= GB_HTIME_NAME)
                return false;
        memcpy(out, t->p, n);
        out[n] = 0;
        t->p += n;
        return strlen(out) == n && gb_htime_name_parse(out, &number);
}

static bool take_node(struct text *t, gb_gfid *out)
{
        if (!take_key(t, "node") || t->end - t->p < GB_GFID_TEXT - 1 ||
            !gb_gfid_parse(t->p, GB_GFID_TEXT - 1, out))
                return false;
        t->p += GB_GFID_TEXT - 1;
        return true;
}

static bool take_brick(struct text *t, char out[GB_BRICK_PATH_MAX + 1])
{
        size_t n = 0;

        if (!take_key(t, "brick"))
                return false;
        while (t->p < t->end && n < GB_BRICK_PATH_MAX) {
                int hi, lo;

                if (plain(*t->p)) {
                        out[n++] = *t->p++;
                        continue;
                }
                if (*t->p != '%' || t->end - t->p < 3)
                        return false;
                hi = hex_value(t->p[1]);
                lo = hex_value(t->p[2]);
                if (hi < 0 || lo < 0 || (hi == 0 && lo == 0))
                        return false;
                out[n++] = (char)(uint8_t)(hi << 4 | lo);
                t->p += 3;
        }
        out[n] = 0;
        return n > 0 && t->p == t->end;
}

int gb_cursor_parse(const char *text, size_t len, struct gb_cursor *c, struct gb_error *err)
{
        struct text t = {text, text + len};

        memset(c, 0, sizeof(*c));
        if (len >= GB_CURSOR_MAX)
                return gb_error_set(err, GB_ERR_LIMIT, "a cursor of %zu bytes is too long", len);
        if (len < sizeof(magic) - 1 || memcmp(text, magic, sizeof(magic) - 1) != 0)
                return gb_error_set(err, GB_ERR_CORRUPT, "not a history cursor");
        t.p += sizeof(magic) - 1;
        if (!take_htime(&t, c->htime) || !take_u64(&t, "hlen", &c->htime_len) ||
            !take_later(&t, "hts", GB_SECONDS_MAX, &c->htime_ts) || !take_seconds(&t, "last", &c->last_ts) ||
            !take_later(&t, "prev", GB_SECONDS_MAX, &c->prev_ts) ||
            !take_later(&t, "pborn", BORN_MAX, &c->prev_born) || !take_u64(&t, "ino", &c->live_ino) ||
            !take_later(&t, "born", BORN_MAX, &c->live_born) || !take_u64(&t, "len", &c->live_len) ||
            !take_hash(&t, &c->live_hash) || !take_u64(&t, "version", &c->volume_version) ||
            !take_later_u64(&t, "log", &c->log.id) || !take_later_u64(&t, "logat", &c->log.offset) ||
            !take_node(&t, &c->node) || !take_seconds(&t, "when", &c->when) || !take_brick(&t, c->brick))
                return gb_error_set(err, GB_ERR_CORRUPT, "damaged history cursor at byte %zu",
                                    (size_t)(t.p - text));
        return 0;
}
