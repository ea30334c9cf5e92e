/*
 * changelog - the records of one slice, parsed in place.
 *
 * A record has no length and no checksum: only the shape of its fields tells where it ends.  So every
 * field is checked for what it may contain, and the one thing that is forgiven is that the bytes stop:
 * a record whose bytes are right as far as they go is torn, anything else is corrupt.  Binary numbers
 * and gfids contain NULs and newlines, therefore nothing is ever searched for but the end of a name.
 */
#include <config.h>

#include <string.h>

#include "base/limits.h"
#include "changelog.h"

#define GFID_CHARS 36
/* The brick resolves the parent into a PATH_MAX buffer and appends the name. */
#define DEL_PATH_MAX (4096 + 1 + GB_NAME_MAX)

/* A field was taken whole; otherwise the functions return GB_PARSE_TORN or GB_PARSE_CORRUPT. */
#define TAKEN 0

struct input {
        const uint8_t *p;
        const uint8_t *end;
        bool binary;
};

/* Bit 7 marks a hexadecimal digit, the low bits are its value. */
static const uint8_t hex[256] = {
        ['0'] = 0x80, ['1'] = 0x81, ['2'] = 0x82, ['3'] = 0x83, ['4'] = 0x84, ['5'] = 0x85,
        ['6'] = 0x86, ['7'] = 0x87, ['8'] = 0x88, ['9'] = 0x89, ['a'] = 0x8a, ['b'] = 0x8b,
        ['c'] = 0x8c, ['d'] = 0x8d, ['e'] = 0x8e, ['f'] = 0x8f, ['A'] = 0x8a, ['B'] = 0x8b,
        ['C'] = 0x8c, ['D'] = 0x8d, ['E'] = 0x8e, ['F'] = 0x8f,
};

static size_t left(const struct input *in)
{
        return (size_t)(in->end - in->p);
}

static bool is_dash(size_t i)
{
        return i == 8 || i == 13 || i == 18 || i == 23;
}

/* The hot spot: no branch for a digit, one test at the end. */
static bool decode_gfid(const uint8_t *s, gb_gfid *g)
{
        static const uint8_t at[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
        unsigned ok = 0x80;

        for (size_t i = 0; i < 16; i++) {
                unsigned hi = hex[s[at[i]]];
                unsigned lo = hex[s[at[i] + 1]];

                ok &= hi & lo;
                g->b[i] = (uint8_t)((hi & 15) << 4 | (lo & 15));
        }
        return ok && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-';
}

static int torn_gfid(const struct input *in)
{
        size_t n = left(in);

        for (size_t i = 0; i < n; i++)
                if (is_dash(i) ? in->p[i] != '-' : !hex[in->p[i]])
                        return GB_PARSE_CORRUPT;
        return GB_PARSE_TORN;
}

static int take_byte(struct input *in, uint8_t want)
{
        if (in->p == in->end)
                return GB_PARSE_TORN;
        return *in->p++ == want ? TAKEN : GB_PARSE_CORRUPT;
}

static int take_gfid(struct input *in, gb_gfid *g)
{
        if (in->binary) {
                if (left(in) < sizeof(g->b))
                        return GB_PARSE_TORN;
                memcpy(g->b, in->p, sizeof(g->b));
                in->p += sizeof(g->b);
                return TAKEN;
        }
        if (left(in) < GFID_CHARS)
                return torn_gfid(in);
        if (!decode_gfid(in->p, g))
                return GB_PARSE_CORRUPT;
        in->p += GFID_CHARS;
        return TAKEN;
}

static int take_decimal(struct input *in, uint32_t *v)
{
        const uint8_t *start = in->p;
        uint64_t n = 0;

        while (in->p < in->end && *in->p >= '0' && *in->p <= '9') {
                n = n * 10 + (uint64_t)(*in->p++ - '0');
                if (n > UINT32_MAX || in->p - start > 10)
                        return GB_PARSE_CORRUPT;
        }
        if (in->p == start && in->p < in->end)
                return GB_PARSE_CORRUPT;
        *v = (uint32_t)n;
        return take_byte(in, 0);
}

/* A number and the NUL behind it. */
static int take_number(struct input *in, uint32_t *v)
{
        if (!in->binary)
                return take_decimal(in, v);
        if (left(in) < sizeof(*v))
                return GB_PARSE_TORN;
        memcpy(v, in->p, sizeof(*v)); /* written by this host's brick in its own byte order */
        in->p += sizeof(*v);
        return take_byte(in, 0);
}

/* Up to `max` bytes and the NUL behind them. */
static int take_text(struct input *in, size_t max, const char **text, size_t *len)
{
        size_t room = left(in) < max + 1 ? left(in) : max + 1;
        const uint8_t *nul = memchr(in->p, 0, room);

        *text = (const char *)in->p;
        *len = nul ? (size_t)(nul - in->p) : room;
        if (!nul)
                return room > max ? GB_PARSE_CORRUPT : GB_PARSE_TORN;
        in->p = nul + 1;
        return TAKEN;
}

static bool name_possible(const char *name, size_t len)
{
        if (len == 0 || (len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
                return false;
        return !memchr(name, '/', len);
}

static int take_slot(struct input *in, struct gb_slot *slot)
{
        int rc = take_gfid(in, &slot->parent);

        if (rc == TAKEN)
                rc = take_byte(in, '/');
        if (rc != TAKEN)
                return rc;
        rc = take_text(in, GB_NAME_MAX, &slot->name, &slot->len);
        if (rc == TAKEN)
                return name_possible(slot->name, slot->len) ? TAKEN : GB_PARSE_CORRUPT;
        if (rc == GB_PARSE_TORN && slot->len && memchr(slot->name, '/', slot->len))
                return GB_PARSE_CORRUPT;
        return rc;
}

/* Behind the name of an UNLINK or RMDIR: two NULs, or a path. */
static int take_del_path(struct input *in, struct gb_record *r)
{
        const char *path;
        size_t len;
        int rc;

        if (in->p == in->end)
                return GB_PARSE_TORN;
        if (*in->p == 0) {
                in->p++;
                return take_byte(in, 0);
        }
        rc = take_text(in, DEL_PATH_MAX, &path, &len);
        if (rc == TAKEN) {
                r->del_path = path;
                r->del_path_len = len;
        }
        return rc;
}

static int take_entry(struct input *in, bool v11, struct gb_record *r)
{
        uint32_t owner;
        int rc;

        switch (r->fop) {
        case GB_FOP_CREATE:
        case GB_FOP_MKNOD:
        case GB_FOP_MKDIR:
                if ((rc = take_number(in, &r->mode)) != TAKEN || (rc = take_number(in, &owner)) != TAKEN ||
                    (rc = take_number(in, &owner)) != TAKEN)
                        return rc;
                return take_slot(in, &r->from);
        case GB_FOP_SYMLINK:
        case GB_FOP_LINK:
                return take_slot(in, &r->from);
        case GB_FOP_RENAME:
                rc = take_slot(in, &r->from);
                return rc == TAKEN ? take_slot(in, &r->to) : rc;
        case GB_FOP_UNLINK:
        case GB_FOP_RMDIR:
                rc = take_slot(in, &r->from);
                return rc == TAKEN && !v11 ? take_del_path(in, r) : rc;
        default:
                return GB_PARSE_CORRUPT;
        }
}

static int take_record(struct input *in, bool v11, struct gb_record *r)
{
        int rc;

        *r = (struct gb_record){.type = (char)*in->p++};
        if (r->type != 'D' && r->type != 'M' && r->type != 'E')
                return GB_PARSE_CORRUPT;
        rc = take_gfid(in, &r->gfid);
        if (rc == TAKEN)
                rc = take_byte(in, 0);
        if (rc != TAKEN || r->type == 'D')
                return rc;
        rc = take_number(in, &r->fop);
        if (rc != TAKEN || r->type == 'M')
                return rc;
        return take_entry(in, v11, r);
}

enum gb_parse gb_changelog_next(struct gb_changelog *c, struct gb_record *r)
{
        struct input in = {c->p, c->end, c->binary};
        int rc;

        if (in.p == in.end)
                return GB_PARSE_END;
        rc = take_record(&in, c->v11, r);
        if (rc != TAKEN)
                return (enum gb_parse)rc;
        c->p = in.p;
        return GB_PARSE_RECORD;
}

static bool skip_text(struct input *in, const char *text)
{
        size_t n = strlen(text);

        if (left(in) < n || memcmp(in->p, text, n) != 0)
                return false;
        in->p += n;
        return true;
}

static bool take_digit(struct input *in, unsigned *v)
{
        if (in->p == in->end || *in->p < '0' || *in->p > '9')
                return false;
        *v = (unsigned)(*in->p++ - '0');
        return true;
}

int gb_changelog_begin(struct gb_changelog *c, const void *data, size_t len, const char *what,
                       struct gb_error *err)
{
        struct input in = {data, (const uint8_t *)data + len, false};
        unsigned major, minor, encoding;

        if (!len || !skip_text(&in, "GlusterFS Changelog | version: v") || !take_digit(&in, &major) ||
            !skip_text(&in, ".") || !take_digit(&in, &minor) || !skip_text(&in, " | encoding : ") ||
            !take_digit(&in, &encoding) || !skip_text(&in, "\n"))
                return gb_error_set(err, GB_ERR_GAP, "%s does not begin like a changelog", what);
        if (major != 1 || (minor != 1 && minor != 2))
                return gb_error_set(err, GB_ERR_GAP, "%s has the unknown version %u.%u", what, major, minor);
        if (encoding != 1 && encoding != 2)
                return gb_error_set(err, GB_ERR_GAP, "%s has the unknown encoding %u", what, encoding);
        *c = (struct gb_changelog){
                .base = data,
                .p = in.p,
                .end = in.end,
                .binary = encoding == 1,
                .v11 = minor == 1,
                .header_len = (size_t)(in.p - (const uint8_t *)data),
        };
        return 0;
}

void gb_changelog_feed(struct gb_changelog *c, const void *data, size_t len, size_t offset)
{
        c->base = c->p = data;
        c->end = c->p + len;
        c->base_offset = offset;
}

int gb_changelog_seek(struct gb_changelog *c, size_t offset, struct gb_error *err)
{
        size_t len = (size_t)(c->end - c->base);

        if (offset < c->header_len || offset < c->base_offset || offset - c->base_offset > len)
                return gb_error_set(err, GB_ERR_GAP, "offset %zu is outside the slice's records", offset);
        c->p = c->base + (offset - c->base_offset);
        return 0;
}

size_t gb_changelog_offset(const struct gb_changelog *c)
{
        return c->base_offset + (size_t)(c->p - c->base);
}
