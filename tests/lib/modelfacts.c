/*
 * modelfacts - see modelfacts.h.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "modelfacts.h"

#define PUSH(vec, item)                                                                                      \
        do {                                                                                                 \
                if (gb_vec_push((vec), (item)) < 0)                                                          \
                        abort();                                                                             \
        } while (0)

struct told {
        struct gb_fact fact;
        bool counts; /* an event of its own, not only the parent of a slot */
        bool shard;
};

struct told_list {
        struct told *v;
        size_t n, cap;
};

static struct told *told_of(struct told_list *list, const gb_gfid *gfid, bool shard)
{
        struct told fresh = {.fact.gfid = *gfid, .shard = shard};

        for (size_t i = 0; i < list->n; i++)
                if (list->v[i].shard == shard && gb_gfid_eq(&list->v[i].fact.gfid, gfid))
                        return &list->v[i];
        PUSH(list, fresh);
        return &list->v[list->n - 1];
}

static void claim(const struct model *m, struct told_list *list, const gb_gfid *gfid, enum gb_claim_kind kind,
                  unsigned flags, const struct gb_slot *slot)
{
        struct told *t = told_of(list, gfid, false);
        struct gb_claim c = {kind, *slot};

        t->fact.flags |= flags;
        if (gb_gfid_is_internal_dir(&slot->parent, &m->volume_id)) {
                t->counts = t->counts || (flags & GB_FACT_DIR);
                return;
        }
        t->counts = true;
        for (size_t i = 0; i < t->fact.claims.n; i++)
                if (gb_slot_eq(&t->fact.claims.v[i].slot, slot))
                        goto parent;
        PUSH(&t->fact.claims, c);
parent:
        if (!gb_gfid_eq(&slot->parent, &GB_GFID_ROOT))
                told_of(list, &slot->parent, false)->fact.flags |= GB_FACT_DIR;
}

static void flag(struct told_list *list, const gb_gfid *gfid, unsigned flags, bool shard)
{
        struct told *t = told_of(list, gfid, shard);

        t->fact.flags |= flags;
        t->counts = true;
}

static void tell(const struct model *m, struct told_list *list, const struct model_record *r)
{
        switch (r->fop) {
        case MODEL_CREATE:
        case MODEL_SYMLINK:
        case MODEL_MKNOD_SPECIAL:
                claim(m, list, &r->gfid, GB_CLAIM_BORN, 0, &r->from);
                break;
        case MODEL_MKNOD:
                claim(m, list, &r->gfid, GB_CLAIM_HEAL, 0, &r->from);
                break;
        case MODEL_MKDIR:
                claim(m, list, &r->gfid, GB_CLAIM_BORN, GB_FACT_DIR, &r->from);
                break;
        case MODEL_LINK:
                claim(m, list, &r->gfid, GB_CLAIM_LINK, 0, &r->from);
                break;
        case MODEL_RENAME:
                claim(m, list, &r->gfid, GB_CLAIM_LOSS, 0, &r->from);
                claim(m, list, &r->gfid, GB_CLAIM_ARRIVE, 0, &r->to);
                break;
        case MODEL_UNLINK:
                claim(m, list, &r->gfid, GB_CLAIM_LOSS, GB_FACT_GONE, &r->from);
                break;
        case MODEL_RMDIR:
                claim(m, list, &r->gfid, GB_CLAIM_LOSS, GB_FACT_GONE | GB_FACT_DIR, &r->from);
                break;
        case MODEL_DATA:
                flag(list, &r->gfid, GB_FACT_DATA, false);
                break;
        case MODEL_SETATTR:
                flag(list, &r->gfid, GB_FACT_META, false);
                break;
        case MODEL_SETXATTR:
                flag(list, &r->gfid, GB_FACT_XATTR, false);
                break;
        case MODEL_SHARD:
                flag(list, &r->gfid, GB_FACT_DATA, true);
                break;
        }
}

/* ---- looking ---- */

static void look_at(const struct model *m, unsigned set, struct gb_fact *f)
{
        int i = model_find(m, &f->gfid);
        const struct model_object *o = i < 0 ? NULL : &m->objects.v[i];

        f->look = GB_LOOK_ABSENT;
        f->type = 0;
        f->names.n = 0;
        if (!o || (i && !model_links(&m->names, (unsigned)i)) || (o->type != 'd' && o->set != set))
                return;
        f->look = GB_LOOK_PRESENT;
        f->type = o->type;
        if (o->type == 'd')
                f->flags |= GB_FACT_DIR;
        for (size_t k = 0; k < m->names.n; k++) {
                if (m->names.v[k].object != (unsigned)i)
                        continue;
                if (o->partial && k % 2)
                        f->look = GB_LOOK_PARTIAL;
                else
                        PUSH(&f->names, model_slot(m, &m->names.v[k]));
        }
}

/* Call `put` for a directory and all above it, from the top. */
static int with_parents(const struct model *m, const gb_gfid *dir,
                        int (*put)(void *arg, const gb_gfid *gfid, const struct gb_slot *slot), void *arg)
{
        int object = model_find(m, dir);
        struct gb_slot slot;
        size_t i = 0;

        if (object <= 0)
                return 0;
        while (i < m->names.n && m->names.v[i].object != (unsigned)object)
                i++;
        if (i == m->names.n)
                return 0;
        slot = model_slot(m, &m->names.v[i]);
        if (with_parents(m, &slot.parent, put, arg) < 0)
                return -1;
        return put(arg, dir, &slot);
}

static int put_stream_dir(void *arg, const gb_gfid *gfid, const struct gb_slot *slot)
{
        return gb_facts_put_dir(arg, gfid, slot);
}

struct answer {
        struct gb_reduce *r;
        struct gb_error *err;
};

static int put_answer_dir(void *arg, const gb_gfid *gfid, const struct gb_slot *slot)
{
        struct answer *a = arg;

        return gb_reduce_dir(a->r, gfid, slot, a->err);
}

int model_look(const struct model *m, struct gb_reduce *r, unsigned set, const gb_gfid *gfids, unsigned n,
               struct gb_error *err)
{
        struct answer a = {r, err};
        struct gb_fact f = {0};
        int rc = 0;

        for (unsigned i = 0; rc == 0 && i < n; i++) {
                gb_fact_reset(&f);
                f.gfid = gfids[i];
                look_at(m, set, &f);
                for (size_t k = 0; rc == 0 && k < f.names.n; k++)
                        rc = with_parents(m, &f.names.v[k].parent, put_answer_dir, &a);
                if (rc == 0)
                        rc = gb_reduce_found(r, &f, err);
        }
        gb_fact_fini(&f);
        return rc;
}

int model_walk(const struct model *m, struct gb_reduce *r, unsigned set, struct gb_error *err)
{
        for (size_t i = 0; i < m->names.n; i++) {
                const struct model_object *o = &m->objects.v[m->names.v[i].object];
                struct gb_slot slot = model_slot(m, &m->names.v[i]);
                int rc = 0;

                if (o->type == 'd')
                        rc = gb_reduce_dir(r, &o->gfid, &slot, err);
                else if (o->set == set)
                        rc = gb_reduce_walked(r, &o->gfid, &slot, err);
                if (rc < 0)
                        return -1;
        }
        return 0;
}

/* ---- the stream ---- */

static int by_section(const void *a, const void *b)
{
        const struct told *x = a, *y = b;
        int xs = x->shard ? 2 : !(x->fact.flags & GB_FACT_DIR),
            ys = y->shard ? 2 : !(y->fact.flags & GB_FACT_DIR);

        return xs != ys ? xs - ys : gb_gfid_cmp(&x->fact.gfid, &y->fact.gfid);
}

static void put_fact(struct model_stream *s, const struct model *m, const struct gb_fact *f)
{
        int rc = 0;

        for (size_t i = 0; i < f->names.n; i++)
                rc |= with_parents(m, &f->names.v[i].parent, put_stream_dir, &s->bytes);
        for (size_t i = 0; i < f->claims.n; i++)
                rc |= with_parents(m, &f->claims.v[i].slot.parent, put_stream_dir, &s->bytes);
        if (rc || gb_facts_put_fact(&s->bytes, f))
                abort();
}

static bool told_before(const struct model_brick *b, const gb_gfid *gfid)
{
        for (size_t i = 0; i < b->told_before.n; i++)
                if (gb_gfid_eq(&b->told_before.v[i], gfid))
                        return true;
        return false;
}

void model_stream_fill(struct model_stream *s, const struct model *m, unsigned brick)
{
        const struct model_brick *b = &m->bricks[brick];
        struct told_list list = {0};
        size_t kept = 0, i = 0;

        for (size_t k = 0; k < b->cut; k++)
                tell(m, &list, &b->records.v[k]);
        for (size_t k = 0; k < list.n; k++) {
                struct told t = list.v[k];

                if (!t.counts) {
                        gb_fact_fini(&t.fact);
                        continue;
                }
                look_at(m, model_set_of(m, brick), &t.fact);
                if (told_before(b, &t.fact.gfid))
                        t.fact.flags |= GB_FACT_BEFORE;
                if (t.shard)
                        t.fact.flags = GB_FACT_DATA;
                list.v[kept++] = t;
        }
        list.n = kept;
        if (list.n)
                qsort(list.v, list.n, sizeof(*list.v), by_section);
        gb_buf_reset(&s->bytes);
        s->bytes.max = 1024 * 1024;
        if (gb_facts_put_brick(&s->bytes, b->restarted_at_cut ? GB_BRICK_RESTARTED : 0))
                abort();
        for (unsigned section = GB_SECTION_DIRS; section <= GB_SECTION_SHARDS; section++) {
                if (gb_facts_put_section(&s->bytes, section))
                        abort();
                for (; i < list.n; i++) {
                        const struct told *t = &list.v[i];
                        unsigned own = t->shard                        ? GB_SECTION_SHARDS
                                       : (t->fact.flags & GB_FACT_DIR) ? GB_SECTION_DIRS
                                                                       : GB_SECTION_OBJECTS;

                        if (own != section)
                                break;
                        put_fact(s, m, &t->fact);
                }
        }
        for (size_t k = 0; k < list.n; k++)
                gb_fact_fini(&list.v[k].fact);
        free(list.v);
        gb_facts_reader_init(&s->reader);
        gb_facts_feed(&s->reader, s->bytes.data, s->bytes.len);
}

void model_stream_fini(struct model_stream *s)
{
        gb_buf_fini(&s->bytes);
}

int model_stream_next(void *arg, struct gb_item *item, struct gb_error *err)
{
        struct model_stream *s = arg;

        return gb_facts_next(&s->reader, item, err);
}

int model_settle(const struct model *m, const unsigned *bricks, unsigned n, struct gb_reduce *r,
                 struct gb_error *err)
{
        struct answer a = {r, err};
        int rc = 0;

        for (unsigned source = 0; source < n; source++) {
                const struct model_brick *b = &m->bricks[bricks[source]];
                struct told_list list = {0};

                if (gb_reduce_muted(r, source))
                        continue;
                for (size_t k = b->cut; k < b->records.n; k++)
                        tell(m, &list, &b->records.v[k]);
                for (size_t i = 0; i < list.n; i++) {
                        struct gb_fact *f = &list.v[i].fact;
                        int object = model_find(m, &f->gfid);

                        if (object >= 0 && m->objects.v[object].type == 'd' &&
                            model_links(&m->names, (unsigned)object))
                                f->flags |= GB_FACT_DIR;
                        for (size_t k = 0; rc == 0 && k < f->claims.n; k++)
                                rc = with_parents(m, &f->claims.v[k].slot.parent, put_answer_dir, &a);
                        if (rc == 0 && f->claims.n)
                                rc = gb_reduce_settle(r, source, f, err);
                        gb_fact_fini(f);
                }
                free(list.v);
        }
        return rc;
}

bool model_touched(const struct model *m, const gb_gfid *gfid)
{
        for (unsigned b = 0; b < model_bricks(m); b++)
                for (size_t i = 0; i < m->bricks[b].cut; i++)
                        if (gb_gfid_eq(&m->bricks[b].records.v[i].gfid, gfid))
                                return true;
        return false;
}

bool model_renamed_onto(const struct model *m, const struct gb_slot *slot)
{
        for (unsigned b = 0; b < model_bricks(m); b++)
                for (size_t i = 0; i < m->bricks[b].cut; i++) {
                        const struct model_record *r = &m->bricks[b].records.v[i];

                        if (r->fop == MODEL_RENAME && gb_slot_eq(&r->to, slot))
                                return true;
                }
        return false;
}
