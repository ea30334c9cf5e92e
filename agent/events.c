/*
 * events - see events.h.
 *
 * A sort record is  gfid, parent, u64 sequence, u8 kind, u16 bits, name.  The order is gfid, parent,
 * name; the sort is stable, so of the records of one slot the first event comes first and the others
 * are skipped without being kept.  A record of kind 0 carries bits alone: what D, M and being a
 * parent say.  The claims of one gfid go back into the order of events at the end.
 */
#include <config.h>

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/gfidmap.h"
#include "base/limits.h"
#include "base/sorter.h"
#include "base/vec.h"
#include "events.h"
#include "resolve.h"

/* Bits beyond GB_FACT_*, for ourselves: an event without a claim; a shard, which is nobody's file. */
#define BIT_TOLD  (1u << 14)
#define BIT_SHARD (1u << 15)

#define BITS_FACT  (~(BIT_TOLD | BIT_SHARD))
#define BITS_EVENT (GB_FACT_DATA | GB_FACT_META | GB_FACT_XATTR | GB_FACT_GONE | GB_FACT_STRAY | BIT_TOLD)

/* Kind of a record whose slot has a name but no known parent: a RENAME that does not say where to. */
#define KIND_STRAY 255

#define AT_PARENT 16
#define AT_SEQ    32
#define AT_KIND   40
#define AT_BITS   41
#define AT_NAME   43

/* Of the memory, one part in this many for the set of known bits; bytes one member takes, at worst. */
#define KNOWN_SHARE  8
#define KNOWN_MEMBER 128
#define KNOWN_LEAST  64

struct ordered {
        uint64_t seq;
        struct gb_claim claim;
};

struct gb_events {
        gb_gfid volume_id;
        struct gb_sorter *sorter;
        uint64_t seq;
        struct gb_gfidmap known; /* gfid -> bits (uint64_t) that are in the sorter */
        size_t known_max;

        const uint8_t *rec; /* the record read ahead, the sorter's; NULL at the end */
        size_t len;
        struct gb_arena names;
        GB_VEC(struct ordered) claims;
};

static int rec_cmp(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen, void *arg)
{
        int c = memcmp(a, b, AT_SEQ);
        size_t an = alen - AT_NAME, bn = blen - AT_NAME;

        (void)arg;
        if (c == 0)
                c = memcmp(a + AT_NAME, b + AT_NAME, an < bn ? an : bn);
        return c ? c : (an > bn) - (an < bn);
}

static uint64_t rec_prefix(const uint8_t *rec, size_t len, void *arg)
{
        uint64_t v;

        (void)len;
        (void)arg;
        memcpy(&v, rec, sizeof(v));
        return be64toh(v);
}

struct gb_events *gb_events_new(const gb_gfid *volume_id, size_t memory, const char *tmpdir,
                                struct gb_error *err)
{
        struct gb_events *e = calloc(1, sizeof(*e));
        size_t share = memory / KNOWN_SHARE;

        if (!e) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory for change records");
                return NULL;
        }
        e->volume_id = *volume_id;
        gb_gfidmap_init(&e->known, sizeof(uint64_t));
        gb_arena_init(&e->names);
        e->known_max = share / KNOWN_MEMBER > KNOWN_LEAST ? share / KNOWN_MEMBER : KNOWN_LEAST;
        e->sorter = gb_sorter_new(memory - share, tmpdir, rec_cmp, NULL, rec_prefix, err);
        if (!e->sorter) {
                free(e);
                return NULL;
        }
        return e;
}

void gb_events_free(struct gb_events *e)
{
        if (!e)
                return;
        if (e->sorter)
                gb_sorter_free(e->sorter);
        gb_gfidmap_fini(&e->known);
        gb_arena_fini(&e->names);
        gb_vec_free(&e->claims);
        free(e);
}

/* ---- in ---- */

static int put(struct gb_events *e, const gb_gfid *gfid, unsigned kind, unsigned bits,
               const struct gb_slot *slot, struct gb_error *err)
{
        uint8_t rec[AT_NAME + GB_NAME_MAX] = {0};
        uint64_t seq = htobe64(e->seq++);
        uint16_t bits16 = (uint16_t)bits;

        memcpy(rec, gfid->b, sizeof(gfid->b));
        memcpy(rec + AT_SEQ, &seq, sizeof(seq));
        rec[AT_KIND] = (uint8_t)kind;
        memcpy(rec + AT_BITS, &bits16, sizeof(bits16));
        if (!slot)
                return gb_sorter_add(e->sorter, rec, AT_NAME, err);
        memcpy(rec + AT_PARENT, slot->parent.b, sizeof(slot->parent.b));
        memcpy(rec + AT_NAME, slot->name, slot->len);
        return gb_sorter_add(e->sorter, rec, AT_NAME + slot->len, err);
}

/* Bits already known of a gfid, to be read and written; NULL: out of memory. */
static uint64_t *known_bits(struct gb_events *e, const gb_gfid *gfid)
{
        if (e->known.n >= e->known_max)
                gb_gfidmap_fini(&e->known);
        return gb_gfidmap_put(&e->known, gfid, NULL);
}

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory for change records");
}

/* Note bits of a gfid unless that was done before. */
static int note(struct gb_events *e, const gb_gfid *gfid, unsigned bits, struct gb_error *err)
{
        uint64_t *known = known_bits(e, gfid);

        if (!known)
                return no_memory(err);
        if ((*known & bits) == bits)
                return 0;
        *known |= bits;
        return put(e, gfid, 0, bits, NULL, err);
}

bool gb_events_removed(const struct gb_events *e, const gb_gfid *dir)
{
        const uint64_t *known = gb_gfidmap_get(&e->known, dir);

        return known && (*known & GB_FACT_GONE) && (*known & GB_FACT_DIR);
}

static bool internal(const struct gb_events *e, const gb_gfid *dir)
{
        return gb_gfid_is_internal_dir(dir, &e->volume_id);
}

/* An event at a slot.  `bits` may say that the object is a directory, or gone. */
static int take_slot(struct gb_events *e, const gb_gfid *gfid, enum gb_claim_kind kind, unsigned bits,
                     const struct gb_slot *slot, struct gb_error *err)
{
        if (internal(e, &slot->parent))
                return bits & GB_FACT_DIR ? note(e, gfid, bits | BIT_TOLD, err) : 0;
        if (!gb_gfid_eq(&slot->parent, &GB_GFID_ROOT) && note(e, &slot->parent, GB_FACT_DIR, err) < 0)
                return -1;
        if ((bits & GB_FACT_DIR) && (bits & GB_FACT_GONE)) { /* for gb_events_removed() */
                uint64_t *known = known_bits(e, gfid);

                if (!known)
                        return no_memory(err);
                *known |= bits;
        }
        return put(e, gfid, kind, bits, slot, err);
}

/*
 * Self-heal takes a stale name away by renaming it below the anonymous-inode directory, and brings the
 * object back from there under its new one.  That happens in its own time, perhaps when the old name belongs
 * to another object; the siblings that saw the user's rename have told of it.
 */
static int take_rename(struct gb_events *e, const struct gb_record *r, unsigned bits, struct gb_error *err)
{
        const gb_gfid anonymous = gb_gfid_anonymous_dir(&e->volume_id);

        if (gb_gfid_eq(&r->from.parent, &anonymous) || gb_gfid_eq(&r->to.parent, &anonymous))
                return 0;
        if (take_slot(e, &r->gfid, GB_CLAIM_LOSS, bits, &r->from, err) < 0)
                return -1;
        if (gb_gfid_eq(&r->to.parent, &GB_GFID_NULL))
                return put(e, &r->gfid, KIND_STRAY, bits | GB_FACT_STRAY, &r->to, err);
        return take_slot(e, &r->gfid, GB_CLAIM_ARRIVE, bits, &r->to, err);
}

/* `bits`: what the event says beyond its operation. */
static int take_entry(struct gb_events *e, const struct gb_record *r, unsigned bits, struct gb_error *err)
{
        switch (r->fop) {
        case GB_FOP_MKDIR:
                return take_slot(e, &r->gfid, GB_CLAIM_BORN, bits | GB_FACT_DIR, &r->from, err);
        case GB_FOP_RMDIR:
                return take_slot(e, &r->gfid, GB_CLAIM_LOSS, bits | GB_FACT_DIR | GB_FACT_GONE, &r->from,
                                 err);
        case GB_FOP_UNLINK:
                return take_slot(e, &r->gfid, GB_CLAIM_LOSS, bits | GB_FACT_GONE, &r->from, err);
        case GB_FOP_RENAME:
                return take_rename(e, r, bits, err);
        case GB_FOP_MKNOD: /* self-heal makes regular files by it */
                if (S_ISREG(r->mode) || (r->mode & S_IFMT) == 0)
                        return take_slot(e, &r->gfid, GB_CLAIM_HEAL, bits, &r->from, err);
                return take_slot(e, &r->gfid, GB_CLAIM_BORN, bits, &r->from, err);
        case GB_FOP_CREATE:
        case GB_FOP_SYMLINK:
                return take_slot(e, &r->gfid, GB_CLAIM_BORN, bits, &r->from, err);
        case GB_FOP_LINK:
                return take_slot(e, &r->gfid, GB_CLAIM_LINK, bits, &r->from, err);
        default:
                return gb_error_set(err, GB_ERR_GAP, "change record of unknown operation %u", r->fop);
        }
}

/* Any number may stand in an M record; one that says nothing to us may be anything. */
static unsigned meta_bits(uint32_t fop)
{
        switch (fop) {
        case GB_FOP_SETATTR:
        case GB_FOP_FSETATTR:
                return GB_FACT_META;
        case GB_FOP_SETXATTR:
        case GB_FOP_REMOVEXATTR:
        case GB_FOP_FSETXATTR:
        case GB_FOP_FREMOVEXATTR:
                return GB_FACT_XATTR;
        case GB_FOP_XATTROP:
        case GB_FOP_FXATTROP:
                return GB_FACT_DATA;
        default:
                return GB_FACT_META | GB_FACT_XATTR;
        }
}

/* Would take_entry() keep anything of it? */
static bool entry_shows(const struct gb_events *e, const struct gb_record *r)
{
        return r->fop == GB_FOP_MKDIR || r->fop == GB_FOP_RMDIR || !internal(e, &r->from.parent) ||
               (r->fop == GB_FOP_RENAME && !internal(e, &r->to.parent));
}

/* A record that only tells that its object was in the last window. */
static int take_before(struct gb_events *e, const struct gb_record *r, struct gb_error *err)
{
        gb_gfid base;

        if (r->type == 'E' && gb_gfid_eq(&r->from.parent, &GB_GFID_SHARD))
                return gb_shard_base(&r->from, &base) ? note(e, &base, GB_FACT_BEFORE, err) : 0;
        if (r->type == 'E' && !entry_shows(e, r))
                return 0;
        return note(e, &r->gfid, GB_FACT_BEFORE, err);
}

int gb_events_add(struct gb_events *e, const struct gb_history_record *hr, gb_gfid *shard_base,
                  struct gb_error *err)
{
        const struct gb_record *r = &hr->record;
        unsigned again = hr->replay ? GB_FACT_BEFORE : 0;

        *shard_base = GB_GFID_NULL;
        if (internal(e, &r->gfid))
                return 0;
        if (hr->before)
                return take_before(e, r, err);
        if (r->type == 'D')
                return note(e, &r->gfid, GB_FACT_DATA | again, err);
        if (r->type == 'M')
                return note(e, &r->gfid, meta_bits(r->fop) | again, err);
        if (gb_gfid_eq(&r->from.parent, &GB_GFID_SHARD)) {
                gb_shard_base(&r->from, shard_base);
                return note(e, &r->gfid, BIT_SHARD, err);
        }
        return take_entry(e, r, hr->recent ? GB_FACT_RECENT : 0, err);
}

/* ---- out ---- */

static int read_ahead(struct gb_events *e, struct gb_error *err)
{
        int rc = gb_sorter_next(e->sorter, &e->rec, &e->len, err);

        if (rc != 1)
                e->rec = NULL;
        return rc < 0 ? -1 : 0;
}

int gb_events_finish(struct gb_events *e, struct gb_error *err)
{
        return gb_sorter_finish(e->sorter, err) < 0 ? -1 : read_ahead(e, err);
}

/* Is the record read ahead about the slot of the last claim? */
static bool same_slot(const struct gb_events *e)
{
        const struct gb_slot *last;

        if (!e->claims.n)
                return false;
        last = &e->claims.v[e->claims.n - 1].claim.slot;
        return last->len == e->len - AT_NAME && memcmp(last->name, e->rec + AT_NAME, last->len) == 0 &&
               memcmp(last->parent.b, e->rec + AT_PARENT, sizeof(last->parent.b)) == 0;
}

static int keep_claim(struct gb_events *e, struct gb_error *err)
{
        struct ordered o = {.claim.kind = (enum gb_claim_kind)e->rec[AT_KIND]};
        struct gb_slot *slot = &o.claim.slot;
        char text[GB_GFID_TEXT];
        gb_gfid gfid;

        if (e->claims.n >= GB_LINKS_MAX) {
                memcpy(gfid.b, e->rec, sizeof(gfid.b));
                return gb_error_set(err, GB_ERR_GAP, "object %s came and went under more than %d names",
                                    gb_gfid_format(&gfid, text), GB_LINKS_MAX);
        }
        memcpy(&o.seq, e->rec + AT_SEQ, sizeof(o.seq));
        o.seq = be64toh(o.seq);
        memcpy(slot->parent.b, e->rec + AT_PARENT, sizeof(slot->parent.b));
        slot->len = e->len - AT_NAME;
        slot->name = gb_arena_dup(&e->names, e->rec + AT_NAME, slot->len);
        if (!slot->name || gb_vec_push(&e->claims, o) < 0)
                return no_memory(err);
        return 0;
}

static int by_seq(const void *a, const void *b)
{
        const struct ordered *x = a, *y = b;

        return (x->seq > y->seq) - (x->seq < y->seq);
}

static bool is_stray(const struct gb_claim *c)
{
        return (unsigned)c->kind == KIND_STRAY;
}

/* Was the object renamed to this basename before, nobody knows where?  Then a loss of such a name does not
 * show that it had it from the beginning: it may be the place it went to, and that was another's. */
static bool strayed(const struct gb_events *e, size_t n, const struct gb_slot *slot)
{
        for (size_t i = 0; i < n; i++) {
                const struct gb_claim *c = &e->claims.v[i].claim;

                if (is_stray(c) && c->slot.len == slot->len &&
                    memcmp(c->slot.name, slot->name, slot->len) == 0)
                        return true;
        }
        return false;
}

static int hand_over_claims(struct gb_events *e, struct gb_fact *f, struct gb_error *err)
{
        if (e->claims.n > 1)
                qsort(e->claims.v, e->claims.n, sizeof(*e->claims.v), by_seq);
        if (gb_vec_reserve(&f->claims, e->claims.n) < 0)
                return no_memory(err);
        for (size_t i = 0; i < e->claims.n; i++) {
                struct gb_claim c = e->claims.v[i].claim;

                if (is_stray(&c))
                        continue;
                if (c.kind == GB_CLAIM_LOSS && strayed(e, i, &c.slot))
                        c.kind = GB_CLAIM_ARRIVE;
                f->claims.v[f->claims.n++] = c;
        }
        return 0;
}

/* All records of the gfid of the one read ahead.  *bits: all they say. */
static int take_group(struct gb_events *e, struct gb_fact *f, unsigned *bits, struct gb_error *err)
{
        *bits = 0;
        gb_fact_reset(f);
        gb_arena_reset(&e->names);
        e->claims.n = 0;
        memcpy(f->gfid.b, e->rec, sizeof(f->gfid.b));
        while (e->rec && memcmp(e->rec, f->gfid.b, sizeof(f->gfid.b)) == 0) {
                uint16_t said;

                memcpy(&said, e->rec + AT_BITS, sizeof(said));
                *bits |= said;
                if (e->rec[AT_KIND] && !same_slot(e) && keep_claim(e, err) < 0)
                        return -1;
                if (read_ahead(e, err) < 0)
                        return -1;
        }
        f->flags = *bits & BITS_FACT;
        return hand_over_claims(e, f, err);
}

int gb_events_next(struct gb_events *e, struct gb_fact *f, struct gb_error *err)
{
        while (e->rec) {
                unsigned bits;

                if (take_group(e, f, &bits, err) < 0)
                        return -1;
                if (bits & BIT_SHARD)
                        continue;
                if (f->claims.n || (bits & BITS_EVENT))
                        return 1;
                if (bits & GB_FACT_BEFORE)
                        return 2;
        }
        gb_sorter_free(e->sorter); /* gb_events_removed() may still be asked */
        e->sorter = NULL;
        return 0;
}
