/*
 * facts - see facts.h.
 *
 * Encoding computes the size first, so that an item is written whole or not at all.  Decoding trusts
 * nothing: a count is compared with GB_LINKS_MAX and with what the bytes left could hold before any
 * memory is taken, and a name must be one that a directory can contain.
 */
#include <config.h>

#include "facts.h"

#include "block.h"
#include "limits.h"
#include "order.h"

#define GFID_SIZE sizeof(gb_gfid)
/* The least bytes of a name and of a claim: gfid, length, one byte; and the kind. */
#define NAME_LEAST  (GFID_SIZE + 2)
#define CLAIM_LEAST (1 + NAME_LEAST)
#define FLAGS_ALL                                                                                            \
        (GB_FACT_DATA | GB_FACT_META | GB_FACT_XATTR | GB_FACT_DIR | GB_FACT_GONE | GB_FACT_RECENT |         \
         GB_FACT_BEFORE | GB_FACT_STRAY)

bool gb_slot_eq(const struct gb_slot *a, const struct gb_slot *b)
{
        return a->len == b->len && gb_gfid_eq(&a->parent, &b->parent) &&
               memcmp(a->name, b->name, a->len) == 0;
}

int gb_slot_cmp(const struct gb_slot *a, const struct gb_slot *b)
{
        int c = gb_gfid_cmp(&a->parent, &b->parent);

        if (c == 0)
                c = memcmp(a->name, b->name, a->len < b->len ? a->len : b->len);
        return c ? c : (a->len > b->len) - (a->len < b->len);
}

void gb_fact_fini(struct gb_fact *f)
{
        gb_vec_free(&f->claims);
        gb_vec_free(&f->names);
}

void gb_fact_reset(struct gb_fact *f)
{
        f->gfid = GB_GFID_NULL;
        f->flags = 0;
        f->look = GB_LOOK_NONE;
        f->type = 0;
        f->claims.n = 0;
        f->names.n = 0;
}

static size_t varint_size(uint64_t v)
{
        size_t n = 1;

        while (v >>= 7)
                n++;
        return n;
}

static bool slot_encodable(const struct gb_slot *s)
{
        return s->len > 0 && s->len <= GB_NAME_MAX;
}

static size_t slot_size(const struct gb_slot *s)
{
        return GFID_SIZE + varint_size(s->len) + s->len;
}

/* Encoded bytes of a fact; 0 for one that no reader would accept. */
static size_t fact_size(const struct gb_fact *f)
{
        size_t size = GFID_SIZE + varint_size(f->flags) + 2;

        if (f->claims.n > GB_LINKS_MAX || f->names.n > GB_LINKS_MAX)
                return 0;
        size += varint_size(f->claims.n) + varint_size(f->names.n);
        for (size_t i = 0; i < f->claims.n; i++) {
                if (!slot_encodable(&f->claims.v[i].slot))
                        return 0;
                size += 1 + slot_size(&f->claims.v[i].slot);
        }
        for (size_t i = 0; i < f->names.n; i++) {
                if (!slot_encodable(&f->names.v[i]))
                        return 0;
                size += slot_size(&f->names.v[i]);
        }
        return size;
}

/* Room for `size` bytes: 0, 1 when another buffer would do, -1 when none would. */
static int make_room(struct gb_buf *out, size_t size)
{
        if (size > out->max)
                return -1;
        if (size > out->max - out->len)
                return 1;
        return gb_buf_reserve(out, size);
}

/* The puts below cannot fail: their room was made. */

static void put_slot(struct gb_buf *out, const struct gb_slot *s)
{
        gb_buf_put_gfid(out, &s->parent);
        gb_buf_put_bytes(out, s->name, s->len);
}

static void put_fact(struct gb_buf *out, const struct gb_fact *f)
{
        gb_buf_put_gfid(out, &f->gfid);
        gb_buf_put_varint(out, f->flags);
        gb_buf_put_u8(out, (uint8_t)f->look);
        gb_buf_put_u8(out, (uint8_t)f->type);
        gb_buf_put_varint(out, f->claims.n);
        for (size_t i = 0; i < f->claims.n; i++) {
                gb_buf_put_u8(out, (uint8_t)f->claims.v[i].kind);
                put_slot(out, &f->claims.v[i].slot);
        }
        gb_buf_put_varint(out, f->names.n);
        for (size_t i = 0; i < f->names.n; i++)
                put_slot(out, &f->names.v[i]);
}

int gb_facts_put_dir(struct gb_buf *out, const gb_gfid *gfid, const struct gb_slot *slot)
{
        int room = slot_encodable(slot) ? make_room(out, 1 + GFID_SIZE + slot_size(slot)) : -1;

        if (room)
                return room;
        gb_buf_put_u8(out, GB_ITEM_DIR);
        gb_buf_put_gfid(out, gfid);
        put_slot(out, slot);
        return 0;
}

int gb_facts_put_section(struct gb_buf *out, enum gb_section section)
{
        int room = make_room(out, 2);

        if (room)
                return room;
        gb_buf_put_u8(out, GB_ITEM_SECTION);
        gb_buf_put_u8(out, (uint8_t)section);
        return 0;
}

int gb_facts_put_brick(struct gb_buf *out, uint32_t flags)
{
        int room = make_room(out, 1 + varint_size(flags));

        if (room)
                return room;
        gb_buf_put_u8(out, GB_ITEM_BRICK);
        gb_buf_put_varint(out, flags);
        return 0;
}

int gb_facts_put_fact(struct gb_buf *out, const struct gb_fact *f)
{
        size_t size = fact_size(f);
        int room = size ? make_room(out, 1 + size) : -1;

        if (room)
                return room;
        gb_buf_put_u8(out, GB_ITEM_FACT);
        put_fact(out, f);
        return 0;
}

int gb_fact_encode(struct gb_buf *out, const struct gb_fact *f)
{
        size_t size = fact_size(f);

        if (!size || gb_buf_reserve(out, size) < 0)
                return -1;
        put_fact(out, f);
        return 0;
}

static bool get_slot(struct gb_reader *in, struct gb_slot *s)
{
        const uint8_t *name;

        if (!gb_get_gfid(in, &s->parent) || !gb_get_bytes(in, GB_NAME_MAX, &name, &s->len))
                return false;
        s->name = (const char *)name;
        return gb_name_valid(s->name, s->len);
}

static bool get_count(struct gb_reader *in, size_t least, uint64_t *n)
{
        return gb_get_varint(in, n) && *n <= GB_LINKS_MAX && *n <= gb_reader_left(in) / least;
}

static bool get_claims(struct gb_reader *in, struct gb_fact *f)
{
        uint64_t n;

        if (!get_count(in, CLAIM_LEAST, &n) || gb_vec_reserve(&f->claims, (size_t)n) < 0)
                return false;
        for (f->claims.n = 0; f->claims.n < n; f->claims.n++) {
                struct gb_claim *c = &f->claims.v[f->claims.n];
                uint8_t kind;

                if (!gb_get_u8(in, &kind) || kind < GB_CLAIM_LOSS || kind > GB_CLAIM_LINK)
                        return false;
                c->kind = (enum gb_claim_kind)kind;
                if (!get_slot(in, &c->slot))
                        return false;
        }
        return true;
}

static bool get_names(struct gb_reader *in, struct gb_fact *f)
{
        uint64_t n;

        if (!get_count(in, NAME_LEAST, &n) || gb_vec_reserve(&f->names, (size_t)n) < 0)
                return false;
        for (f->names.n = 0; f->names.n < n; f->names.n++) {
                if (!get_slot(in, &f->names.v[f->names.n]))
                        return false;
        }
        return true;
}

/* Look, type and names must tell one story. */
static bool fact_coherent(const struct gb_fact *f)
{
        if (f->look == GB_LOOK_NONE || f->look == GB_LOOK_ABSENT)
                return f->type == 0 && f->names.n == 0;
        return gb_entry_type_valid(f->type);
}

bool gb_fact_decode(struct gb_reader *in, struct gb_fact *f)
{
        struct gb_reader r = *in;
        uint64_t flags;
        uint8_t look, type;

        gb_fact_reset(f);
        if (!gb_get_gfid(&r, &f->gfid) || !gb_get_varint(&r, &flags) || (flags & ~(uint64_t)FLAGS_ALL))
                return false;
        if (!gb_get_u8(&r, &look) || look > GB_LOOK_PARTIAL || !gb_get_u8(&r, &type) || type > 0x7f)
                return false;
        f->flags = (uint32_t)flags;
        f->look = (enum gb_look)look;
        f->type = (char)type;
        if (!get_claims(&r, f) || !get_names(&r, f) || !fact_coherent(f))
                return false;
        *in = r;
        return true;
}

void gb_facts_reader_init(struct gb_facts_reader *r)
{
        *r = (struct gb_facts_reader){0};
}

void gb_facts_feed(struct gb_facts_reader *r, const void *data, size_t len)
{
        r->in.p = data;
        r->in.end = r->in.p + len;
}

static int malformed(struct gb_error *err, const char *what)
{
        return gb_error_set(err, GB_ERR_PROTOCOL, "malformed history: %s", what);
}

static int next_section(struct gb_facts_reader *r, struct gb_reader *in, struct gb_item *item,
                        struct gb_error *err)
{
        uint8_t number;

        if (!gb_get_u8(in, &number))
                return malformed(err, "section cut off");
        if (number <= r->section || number > GB_SECTION_SHARDS)
                return malformed(err, "section out of order");
        r->section = item->section = (enum gb_section)number;
        r->has_last = false;
        return 1;
}

static int next_brick(const struct gb_facts_reader *r, struct gb_reader *in, struct gb_item *item,
                      struct gb_error *err)
{
        uint64_t flags;

        if (r->began)
                return malformed(err, "brick flags are not its first item");
        if (!gb_get_varint(in, &flags) || (flags & ~(uint64_t)GB_BRICK_FLAGS))
                return malformed(err, "bad brick flags");
        item->brick_flags = (uint32_t)flags;
        return 1;
}

static int next_fact(struct gb_facts_reader *r, struct gb_reader *in, struct gb_item *item,
                     struct gb_error *err)
{
        struct gb_fact *f = &item->fact;

        if (!r->section)
                return malformed(err, "fact before the first section");
        if (!gb_fact_decode(in, f))
                return malformed(err, "bad fact");
        if (r->has_last && gb_gfid_cmp(&f->gfid, &r->last) <= 0)
                return malformed(err, "gfid out of order");
        if (r->section == GB_SECTION_SHARDS && ((f->flags & ~(uint32_t)GB_FACT_DATA) || f->claims.n))
                return malformed(err, "shard fact with more than data");
        r->has_last = true;
        r->last = f->gfid;
        return 1;
}

/* On failure the reader stays where it is, so that asking again fails again. */
int gb_facts_next(struct gb_facts_reader *r, struct gb_item *item, struct gb_error *err)
{
        struct gb_reader in = r->in;
        uint8_t kind;
        int got;

        if (!gb_get_u8(&in, &kind))
                return 0;
        switch (kind) {
        case GB_ITEM_DIR:
                got = gb_get_gfid(&in, &item->gfid) && get_slot(&in, &item->slot) ? 1
                                                                                  : malformed(err, "bad dir");
                break;
        case GB_ITEM_FACT:
                got = next_fact(r, &in, item, err);
                break;
        case GB_ITEM_SECTION:
                got = next_section(r, &in, item, err);
                break;
        case GB_ITEM_BRICK:
                got = next_brick(r, &in, item, err);
                break;
        default:
                return malformed(err, "unknown item");
        }
        if (got == 1) {
                item->kind = (enum gb_item_kind)kind;
                r->began = true;
                r->in = in;
                r->count += kind == GB_ITEM_FACT;
        }
        return got;
}
