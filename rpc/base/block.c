/*
 * block - see block.h.
 *
 * The reader judges only what is new.  What an entry shares with its predecessor was accepted
 * before, so order is decided by comparing the two remainders, and validity by looking at the
 * remainder and at the component it continues.
 */
#include <config.h>

#include "block.h"

#include <string.h>
#include <sys/stat.h>

#include "block_step.h"
#include "order.h"

#define TYPE_GFID 0x80

_Static_assert(GB_PATH_MAX < 1 << 14, "length_bytes() counts at most two varint bytes");

bool gb_entry_type_valid(char type)
{
        switch (type) {
        case 'f':
        case 'd':
        case 'l':
        case 'p':
        case 's':
        case 'b':
        case 'c':
                return true;
        default:
                return false;
        }
}

char gb_entry_type(uint32_t mode)
{
        switch (mode & S_IFMT) {
        case S_IFREG:
                return 'f';
        case S_IFDIR:
                return 'd';
        case S_IFLNK:
                return 'l';
        case S_IFIFO:
                return 'p';
        case S_IFSOCK:
                return 's';
        case S_IFBLK:
                return 'b';
        case S_IFCHR:
                return 'c';
        default:
                return 0;
        }
}

void gb_block_begin(struct gb_block_writer *w, struct gb_buf *out)
{
        w->out = out;
        w->prev_len = 0;
        w->count = 0;
}

static inline uint8_t *put_length(uint8_t *p, size_t v)
{
        while (v >= 0x80) {
                *p++ = (uint8_t)(v | 0x80);
                v >>= 7;
        }
        *p++ = (uint8_t)v;
        return p;
}

static inline size_t length_bytes(size_t v)
{
        return v < 0x80 ? 1 : 2;
}

int gb_block_add(struct gb_block_writer *w, const struct gb_entry *e)
{
        struct gb_buf *out = w->out;
        size_t shared, rest, need;
        uint8_t *p;

        if (e->len == 0 || e->len > GB_PATH_MAX || !gb_entry_type_valid(e->type))
                return -1;
        shared = gb_common_prefix(w->prev, w->prev_len, e->path, e->len);
        rest = e->len - shared;
        need = length_bytes(shared) + length_bytes(rest) + rest + 1 + (e->has_gfid ? sizeof(e->gfid) : 0);
        if (need > out->max - out->len)
                return w->count ? 1 : -1;
        if (out->cap - out->len < need && gb_buf_reserve(out, need) < 0)
                return -1;
        p = put_length(out->data + out->len, shared);
        p = put_length(p, rest);
        memcpy(p, e->path + shared, rest);
        p += rest;
        *p++ = (uint8_t)(e->type | (e->has_gfid ? TYPE_GFID : 0));
        if (e->has_gfid)
                memcpy(p, e->gfid.b, sizeof(e->gfid.b));
        out->len += need;
        memcpy(w->prev + shared, e->path + shared, rest);
        w->prev_len = e->len;
        w->count++;
        return 0;
}

void gb_block_reader_init(struct gb_block_reader *r)
{
        r->in = (struct gb_reader){0};
        r->len = r->same = r->name = 0;
        r->count = 0;
        r->gfid = NULL;
        r->type = 0;
        r->path[0] = '\0';
        r->newline = false;
        r->block_start = true;
        r->step_until = NULL;
}

void gb_block_feed(struct gb_block_reader *r, const void *data, size_t len)
{
        r->in.p = data;
        r->in.end = r->in.p + len;
        r->block_start = true;
        r->step_until = NULL; /* not the first one */
}

static inline bool get_length(struct gb_reader *in, uint64_t *v)
{
        if (in->p < in->end && *in->p < 0x80) {
                *v = *in->p++;
                return true;
        }
        return gb_get_varint(in, v);
}

/* With the first `shared` bytes of a valid path in front of it, is `rest` a valid end of a path?  *name:
 * where its last component begins. */
static bool rest_valid(const struct gb_block_reader *r, size_t shared, const uint8_t *rest, size_t n,
                       size_t *name)
{
        const char *before = shared < r->name ? memrchr(r->path, '/', shared) : NULL;
        size_t begin = before ? (size_t)(before + 1 - r->path) : shared < r->name ? 0 : r->name;
        const uint8_t *p = rest, *end = rest + n;

        if (memchr(rest, '\0', n))
                return false;
        for (;;) { /* a component: path[begin..shared), then p[0..] */
                const uint8_t *slash = memchr(p, '/', (size_t)(end - p));
                size_t kept = begin < shared ? shared - begin : 0;
                size_t len = kept + (size_t)((slash ? slash : end) - p);

                if (len - 1 >= GB_NAME_MAX)
                        return false;
                if (len <= 2 && (kept > 0 ? r->path[begin] : p[0]) == '.' &&
                    (len == 1 || (kept > 1 ? r->path[begin + 1] : p[1 - kept]) == '.'))
                        return false;
                if (!slash)
                        break;
                p = slash + 1;
                begin = shared + (size_t)(p - rest);
        }
        *name = begin;
        return true;
}

static int malformed(const struct gb_block_reader *r, struct gb_error *err, const char *what)
{
        return gb_error_set(err, GB_ERR_PROTOCOL, "malformed block: %s after \"%.*s\"", what, (int)r->len,
                            r->path);
}

/* A name of two bytes may be "..". */
static void allow_steps(struct gb_block_reader *r)
{
        bool none = r->newline || gb_reader_left(&r->in) <= GB_STEP_BYTES;

        r->step_until = none ? NULL : r->in.end - GB_STEP_BYTES;
        r->step_from = r->name;
        r->step_least = r->name + 3;
        r->step_most = GB_PATH_MAX - r->name < GB_NAME_MAX ? GB_PATH_MAX : r->name + GB_NAME_MAX;
}

/* Any entry.  On failure the reader stays where it is, so that asking again fails again. */
static int next_slowly(struct gb_block_reader *r, struct gb_error *err)
{
        struct gb_reader in = r->in;
        const uint8_t *rest, *gfid;
        uint64_t shared, n;
        uint8_t type;
        size_t same, name;

        if (in.p == in.end)
                return 0;
        if (!get_length(&in, &shared) || !get_length(&in, &n))
                return malformed(r, err, "broken length");
        if (shared > (r->block_start ? 0 : r->len))
                return malformed(r, err, "more shared bytes than there are");
        if (n > GB_PATH_MAX - shared)
                return malformed(r, err, "path too long");
        if (!gb_get_raw(&in, (size_t)n, &rest) || !gb_get_u8(&in, &type))
                return malformed(r, err, "cut off");
        if (!gb_entry_type_valid((char)(type & ~TYPE_GFID)))
                return malformed(r, err, "unknown type");
        if ((type & TYPE_GFID) && !gb_get_raw(&in, sizeof(gb_gfid), &gfid))
                return malformed(r, err, "cut off");
        if (gb_path_cmp_same((const char *)rest, (size_t)n, r->path + shared, r->len - (size_t)shared,
                             &same) <= 0)
                return malformed(r, err, "path out of order");
        if (!rest_valid(r, (size_t)shared, rest, (size_t)n, &name))
                return malformed(r, err, "bad path");
        r->name = name;
        memcpy(r->path + shared, rest, (size_t)n);
        r->len = (size_t)(shared + n);
        r->path[r->len] = '\0';
        r->newline = r->newline ? memchr(r->path, '\n', r->len) : memchr(rest, '\n', (size_t)n);
        r->same = (size_t)shared + same;
        r->type = (char)(type & ~TYPE_GFID);
        r->gfid = type & TYPE_GFID ? gfid : NULL;
        r->in = in;
        r->block_start = false;
        r->count++;
        allow_steps(r);
        return 1;
}

int gb_block_move(struct gb_block_reader *r, struct gb_error *err)
{
        uint64_t unit;

        return gb_block_step(r, &unit) ? 1 : next_slowly(r, err);
}

int gb_block_next(struct gb_block_reader *r, struct gb_entry *e, struct gb_error *err)
{
        int rc = gb_block_move(r, err);

        if (rc == 1)
                gb_block_entry(r, e);
        return rc;
}
