/* links: base agent xml2 xxhash */
/*
 * check_changes - a brick's history as facts, against a naive model of the same records: first event of
 * each (gfid, slot), flags united, sections in order.
 *
 * A stream is compared as text, one line a fact, so that a failure shows itself.
 */
#include <config.h>

#include <check.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../lib/fakebrick.h"
#include "base/gfidmap.h"
#include "base/limits.h"
#include "changes.h"
#include "fixture.h"
#include "random.h"

#define BIG   ((size_t)32 << 20)
#define CHUNK ((size_t)64 << 10)

static struct gb_fake *fake;
static struct gb_brick *brick;
static struct gb_cursor cursor;
static bool by_time;      /* the live slice is another than the cursor's */
static int64_t clock_now; /* the brick's; unused by windows by time */
static char *tmpdir;

static void setup(void)
{
        struct gb_error err;

        fake = gb_fake_new();
        brick = gb_brick_open_bare(fake->path, "v", &err);
        ck_assert_msg(brick != NULL, "%s", err.text);
        clock_now = (int64_t)time(NULL) - 5000;
        gb_fake_htime(fake, clock_now - 20);
        gb_fake_htime_entry(fake, clock_now, true);
        gb_fake_slice_begin(fake);
        ck_assert_msg(gb_cursor_now(brick, NULL, gb_deadline_in(1000), &cursor, &err) == 0, "%s", err.text);
        tmpdir = fixture_folder();
}

static void teardown(void)
{
        gb_brick_close(brick);
        gb_fake_free(fake);
        ck_assert_msg(rmdir(tmpdir) == 0, "something was left in the temporary folder");
        free(tmpdir);
}

/* ---- text ---- */

struct text {
        char *s;
        size_t len;
};

static void say(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct text *t, const char *fmt, ...)
{
        char *piece;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&piece, fmt, ap);
        va_end(ap);
        EXPECT(n >= 0);
        t->s = realloc(t->s, t->len + (size_t)n + 1);
        EXPECT(t->s != NULL);
        memcpy(t->s + t->len, piece, (size_t)n + 1);
        t->len += (size_t)n;
        free(piece);
}

static void say_slot(struct text *t, char mark, const struct gb_slot *slot)
{
        char text[GB_GFID_TEXT];

        say(t, " %c%s/", mark, gb_gfid_format(&slot->parent, text));
        for (size_t i = 0; i < slot->len; i++)
                say(t, slot->name[i] > ' ' ? "%c" : "%%%02x", (unsigned char)slot->name[i]);
}

static void say_fact(struct text *t, enum gb_section section, const struct gb_fact *f)
{
        static const char kinds[] = "?-+>hl"; /* LOSS BORN ARRIVE HEAL LINK */
        static const char looks[] = ".APp";
        char text[GB_GFID_TEXT];

        say(t, "%d %s %s%s%s%s%s%s%s%s %c%c", section, gb_gfid_format(&f->gfid, text),
            f->flags & GB_FACT_DATA ? "D" : "", f->flags & GB_FACT_META ? "M" : "",
            f->flags & GB_FACT_XATTR ? "X" : "", f->flags & GB_FACT_DIR ? "d" : "",
            f->flags & GB_FACT_GONE ? "g" : "", f->flags & GB_FACT_RECENT ? "R" : "",
            f->flags & GB_FACT_BEFORE ? "B" : "", f->flags & GB_FACT_STRAY ? "S" : "", looks[f->look],
            f->type ? f->type : '.');
        for (size_t i = 0; i < f->claims.n; i++)
                say_slot(t, kinds[f->claims.v[i].kind], &f->claims.v[i].slot);
        for (size_t i = 0; i < f->names.n; i++)
                say_slot(t, '=', &f->names.v[i]);
        say(t, "\n");
}

/* ---- streams ---- */

struct dir {
        gb_gfid parent;
        char name[GB_NAME_MAX + 1];
};

struct stream {
        struct text facts;
        struct gb_gfidmap dirs; /* of struct dir */
        unsigned n_dirs, n_facts, calls;
        uint64_t progress;
        struct gb_cursor cursor;
};

static void stream_fini(struct stream *s)
{
        free(s->facts.s);
        gb_gfidmap_fini(&s->dirs);
}

/* A directory that was sent leads to the root by others that were sent. */
static bool leads_to_root(const struct stream *s, const gb_gfid *dir)
{
        gb_gfid g = *dir;

        for (unsigned depth = 0; !gb_gfid_eq(&g, &GB_GFID_ROOT); depth++) {
                const struct dir *d = gb_gfidmap_get(&s->dirs, &g);

                if (!d || depth > GB_DEPTH_MAX)
                        return false;
                g = d->parent;
        }
        return true;
}

static void take_item(struct stream *s, const struct gb_facts_reader *reader, const struct gb_item *item)
{
        const struct gb_fact *f = &item->fact;

        if (item->kind == GB_ITEM_DIR) {
                struct dir *d = gb_gfidmap_put(&s->dirs, &item->gfid, NULL);

                d->parent = item->slot.parent;
                memcpy(d->name, item->slot.name, item->slot.len);
                s->n_dirs++;
        }
        if (item->kind != GB_ITEM_FACT)
                return;
        s->n_facts++;
        for (size_t i = 0; i < f->names.n; i++)
                EXPECT(leads_to_root(s, &f->names.v[i].parent));
        for (size_t i = 0; i < f->claims.n; i++)
                if (gb_gfidmap_get(&s->dirs, &f->claims.v[i].slot.parent))
                        EXPECT(leads_to_root(s, &f->claims.v[i].slot.parent));
        say_fact(&s->facts, reader->section, f);
}

struct settings {
        bool look;
        size_t memory, chunk;
        gb_deadline until;
};

static const struct settings usual = {false, BIG, CHUNK, GB_NEVER};
static const struct settings looking = {true, BIG, CHUNK, GB_NEVER};

static struct gb_history_options window(void)
{
        if (by_time)
                return (struct gb_history_options){.start = (int64_t)time(NULL) - 30};
        return (struct gb_history_options){.from = &cursor, .reread = true};
}

static struct gb_changes *open_changes(const struct settings *set)
{
        struct gb_changes *c;
        struct gb_error err;
        struct gb_changes_options o = {
                .history = window(), .look = set->look, .memory = set->memory, .tmpdir = tmpdir};

        c = gb_changes_open(brick, NULL, &o, &err);
        ck_assert_msg(c != NULL, "%s", err.text);
        return c;
}

static void pull(const struct settings *set, struct stream *s)
{
        struct gb_changes *c = open_changes(set);
        struct gb_facts_reader reader;
        struct gb_item item = {0};
        struct gb_error err;
        struct gb_buf out;
        int more, rc;

        *s = (struct stream){0};
        gb_gfidmap_init(&s->dirs, sizeof(struct dir));
        say(&s->facts, "%s", "");
        gb_facts_reader_init(&reader);
        gb_buf_init(&out, set->chunk);
        do {
                gb_buf_reset(&out);
                more = gb_changes_fill(c, &out, set->until, &err);
                ck_assert_msg(more >= 0, "%s", err.text);
                EXPECT(out.len <= set->chunk);
                gb_facts_feed(&reader, out.data, out.len);
                while ((rc = gb_facts_next(&reader, &item, &err)) == 1)
                        take_item(s, &reader, &item);
                ck_assert_msg(rc == 0, "%s", err.text);
                s->calls++;
        } while (more);
        ck_assert_int_eq(reader.section, GB_SECTION_SHARDS);
        ck_assert_uint_eq(gb_changes_count(c), s->n_facts);
        ck_assert_int_eq(gb_changes_fill(c, &out, set->until, &err), 0);
        s->progress = gb_changes_progress(c);
        s->cursor = *gb_changes_cursor(c);
        gb_buf_fini(&out);
        gb_fact_fini(&item.fact);
        gb_changes_close(c);
}

/* ---- the model ---- */

struct event {
        gb_gfid gfid;
        unsigned kind;  /* 0: flags alone */
        unsigned flags; /* GB_FACT_* */
        bool told;      /* a directory's event whose slot is not to be seen */
        struct gb_slot slot;
        char name[GB_NAME_MAX];
};

struct model {
        GB_VEC(struct event) events;
        GB_VEC(gb_gfid) shards, hidden;
        struct gb_resolver *resolver;
        bool looks;
        unsigned only_before;
};

static void model_fini(struct model *m)
{
        gb_vec_free(&m->events);
        gb_vec_free(&m->shards);
        gb_vec_free(&m->hidden);
}

static bool hidden_dir(const gb_gfid *g)
{
        return gb_gfid_is_internal_dir(g, &brick->volume_id);
}

static void model_event(struct model *m, const gb_gfid *gfid, unsigned kind, unsigned flags,
                        const struct gb_slot *slot)
{
        struct event e = {.gfid = *gfid, .kind = kind, .flags = flags};

        if (slot && hidden_dir(&slot->parent)) {
                if (!(flags & GB_FACT_DIR))
                        return;
                e.kind = 0;
                e.told = true;
        } else if (slot) {
                e.slot = *slot;
                memcpy(e.name, slot->name, slot->len);
        }
        EXPECT(gb_vec_push(&m->events, e) == 0);
}

static void model_entry(struct model *m, const struct gb_record *r, unsigned recent)
{
        bool special = r->fop == GB_FOP_MKNOD && !S_ISREG(r->mode) && (r->mode & S_IFMT);
        unsigned flags = recent | (r->fop == GB_FOP_MKDIR || r->fop == GB_FOP_RMDIR ? GB_FACT_DIR : 0);
        gb_gfid base;

        if (gb_gfid_eq(&r->from.parent, &GB_GFID_SHARD)) {
                if (gb_shard_base(&r->from, &base))
                        EXPECT(gb_vec_push(&m->shards, base) == 0);
                EXPECT(gb_vec_push(&m->hidden, r->gfid) == 0);
                return;
        }
        if (r->fop == GB_FOP_UNLINK || r->fop == GB_FOP_RMDIR) {
                model_event(m, &r->gfid, GB_CLAIM_LOSS, flags | GB_FACT_GONE, &r->from);
        } else if (r->fop == GB_FOP_RENAME) {
                const gb_gfid heals = gb_gfid_anonymous_dir(&brick->volume_id);

                if (gb_gfid_eq(&r->from.parent, &heals) || gb_gfid_eq(&r->to.parent, &heals))
                        return;
                model_event(m, &r->gfid, GB_CLAIM_LOSS, flags, &r->from);
                model_event(m, &r->gfid, GB_CLAIM_ARRIVE, flags, &r->to);
        } else {
                unsigned kind = r->fop == GB_FOP_LINK                ? GB_CLAIM_LINK
                                : r->fop == GB_FOP_MKNOD && !special ? GB_CLAIM_HEAL
                                                                     : GB_CLAIM_BORN;

                model_event(m, &r->gfid, kind, flags, &r->from);
        }
}

/* An E record of before: the base of a shard, or the object if an event of the window would show it. */
static void model_entry_before(struct model *m, const struct gb_record *r)
{
        bool dir = r->fop == GB_FOP_MKDIR || r->fop == GB_FOP_RMDIR, rename = r->fop == GB_FOP_RENAME;
        gb_gfid base;

        if (gb_gfid_eq(&r->from.parent, &GB_GFID_SHARD)) {
                if (gb_shard_base(&r->from, &base))
                        model_event(m, &base, 0, GB_FACT_BEFORE, NULL);
        } else if (dir || !hidden_dir(&r->from.parent) || (rename && !hidden_dir(&r->to.parent))) {
                model_event(m, &r->gfid, 0, GB_FACT_BEFORE, NULL);
        }
}

static unsigned model_flag(const struct gb_record *r)
{
        if (r->type == 'D' || r->fop == GB_FOP_XATTROP || r->fop == GB_FOP_FXATTROP)
                return GB_FACT_DATA;
        return r->fop == GB_FOP_SETATTR || r->fop == GB_FOP_FSETATTR ? GB_FACT_META : GB_FACT_XATTR;
}

static void model_record(struct model *m, const struct gb_history_record *hr)
{
        const struct gb_record *r = &hr->record;
        unsigned before = hr->replay ? GB_FACT_BEFORE : 0;

        if (hidden_dir(&r->gfid))
                return;
        if (r->type == 'E' && hr->before)
                model_entry_before(m, r);
        else if (r->type == 'E')
                model_entry(m, r, hr->recent ? GB_FACT_RECENT : 0);
        else
                model_event(m, &r->gfid, 0, before | (hr->before ? 0 : model_flag(r)), NULL);
}

static bool model_hides(const struct model *m, const gb_gfid *g)
{
        for (size_t i = 0; i < m->hidden.n; i++)
                if (gb_gfid_eq(&m->hidden.v[i], g))
                        return true;
        return false;
}

static bool model_knows_dir(const struct model *m, const gb_gfid *g)
{
        if (gb_gfid_eq(g, &GB_GFID_ROOT))
                return true;
        for (size_t i = 0; i < m->events.n; i++)
                if (m->events.v[i].kind && gb_gfid_eq(&m->events.v[i].slot.parent, g))
                        return true;
        return false;
}

/* The fact of one gfid: 1; 2 it only had records before; 0 nothing to tell. */
static int model_fact(struct model *m, const gb_gfid *g, struct gb_fact *f)
{
        const unsigned silent = GB_FACT_DIR | GB_FACT_RECENT | GB_FACT_BEFORE;
        bool told = false;

        gb_fact_reset(f);
        f->gfid = *g;
        for (size_t i = 0; i < m->events.n; i++) {
                struct event *e = &m->events.v[i];
                bool again = false;

                if (!gb_gfid_eq(&e->gfid, g))
                        continue;
                f->flags |= e->flags;
                told = told || e->told || (e->flags & ~silent);
                e->slot.name = e->name;
                for (size_t j = 0; e->kind && j < f->claims.n; j++)
                        again = again || gb_slot_eq(&f->claims.v[j].slot, &e->slot);
                if (e->kind && !again) {
                        struct gb_claim c = {(enum gb_claim_kind)e->kind, e->slot};

                        EXPECT(gb_vec_push(&f->claims, c) == 0);
                }
        }
        if (model_knows_dir(m, g))
                f->flags |= GB_FACT_DIR;
        if (model_hides(m, g))
                return 0;
        if (told || f->claims.n)
                return 1;
        return f->flags & GB_FACT_BEFORE ? 2 : 0;
}

static bool has_claim(const struct gb_fact *f, enum gb_claim_kind kind)
{
        for (size_t i = 0; i < f->claims.n; i++)
                if (f->claims.v[i].kind == kind)
                        return true;
        return false;
}

/* Look as the stream does, or tell a directory as it does; false: it was a shard's. */
static bool model_look(struct model *m, struct gb_fact *f)
{
        gb_gfid base = GB_GFID_NULL;

        if (m->looks)
                EXPECT(gb_resolver_look(m->resolver, f, &base, NULL) == 0);
        else if (gb_resolver_may_be_dir(f) && gb_resolver_is_dir(m->resolver, &f->gfid, NULL) == 1)
                f->flags |= GB_FACT_DIR;
        if (gb_gfid_eq(&base, &GB_GFID_NULL))
                return true;
        EXPECT(gb_vec_push(&m->shards, base) == 0);
        return false;
}

static int by_gfid(const void *a, const void *b)
{
        return gb_gfid_cmp(a, b);
}

static void sort_unique(gb_gfid *v, size_t *n)
{
        size_t kept = 0;

        if (*n)
                qsort(v, *n, sizeof(*v), by_gfid);
        for (size_t i = 0; i < *n; i++)
                if (!kept || !gb_gfid_eq(&v[kept - 1], &v[i]))
                        v[kept++] = v[i];
        *n = kept;
}

/* Facts of sections 1 and 2. */
static void model_sections(struct model *m, struct text *t)
{
        GB_VEC(gb_gfid) all = GB_VEC_INIT;
        struct gb_fact f = {0};
        struct text objects = {0};
        bool renamed = false;

        say(&objects, "%s", "");
        for (size_t i = 0; i < m->events.n; i++)
                EXPECT(gb_vec_push(&all, m->events.v[i].gfid) == 0);
        sort_unique(all.v, &all.n);
        for (size_t i = 0; i < all.n; i++)
                if (model_fact(m, &all.v[i], &f) == 1 && model_look(m, &f))
                        renamed = renamed || ((f.flags & GB_FACT_DIR) && has_claim(&f, GB_CLAIM_LOSS) &&
                                              has_claim(&f, GB_CLAIM_ARRIVE));
        for (size_t i = 0; i < all.n; i++) {
                int kind = model_fact(m, &all.v[i], &f);

                if (!kind || (kind == 2 && (!renamed || !m->looks)) || !model_look(m, &f) ||
                    (kind == 2 && f.look == GB_LOOK_ABSENT))
                        continue;
                m->only_before += kind == 2;
                if (f.flags & GB_FACT_DIR)
                        say_fact(t, GB_SECTION_DIRS, &f);
                else
                        say_fact(&objects, GB_SECTION_OBJECTS, &f);
        }
        say(t, "%s", objects.s);
        free(objects.s);
        gb_fact_fini(&f);
        gb_vec_free(&all);
}

/* What a stream must say. */
static char *model_text(struct model *m)
{
        struct gb_fact f = {0};
        struct text t = {0};
        gb_gfid ignored;

        say(&t, "%s", "");
        model_sections(m, &t);
        sort_unique(m->shards.v, &m->shards.n);
        for (size_t i = 0; i < m->shards.n; i++) {
                gb_fact_reset(&f);
                f.gfid = m->shards.v[i];
                if (m->looks)
                        EXPECT(gb_resolver_look(m->resolver, &f, &ignored, NULL) == 0);
                f.flags = GB_FACT_DATA;
                say_fact(&t, GB_SECTION_SHARDS, &f);
        }
        gb_fact_fini(&f);
        return t.s;
}

/* The model of the window's records; *only_before (unless NULL): facts of objects that were in the last
 * window alone. */
static char *model_of_window(bool looks, unsigned *only_before)
{
        struct gb_history_options o = window();
        struct gb_history_record r;
        struct gb_history *h;
        struct model m = {.looks = looks};
        struct gb_error err;
        char *text;
        int rc;

        h = gb_history_open(brick, NULL, &o, &err);
        ck_assert_msg(h != NULL, "%s", err.text);
        while ((rc = gb_history_next(h, &r, &err)) == 1)
                model_record(&m, &r);
        ck_assert_msg(rc == 0, "%s", err.text);
        gb_history_close(h);
        m.resolver = gb_resolver_new(brick, &err);
        ck_assert_msg(m.resolver != NULL, "%s", err.text);
        text = model_text(&m);
        if (only_before)
                *only_before = m.only_before;
        gb_resolver_free(m.resolver);
        model_fini(&m);
        return text;
}

/* Compare texts, and show the first line that differs: they are too long for libcheck. */
static void expect_text(const char *got, const char *want)
{
        while (*got && *want) {
                size_t g = strcspn(got, "\n"), w = strcspn(want, "\n");

                if (g != w || memcmp(got, want, g) != 0)
                        break;
                got += g + 1;
                want += w + 1;
        }
        ck_assert_msg(!*got && !*want, "wanted %.*s\n   got %.*s", (int)strcspn(want, "\n"), want,
                      (int)strcspn(got, "\n"), got);
}

static void expect_model(const struct settings *set)
{
        struct stream s;
        char *want = model_of_window(set->look, NULL);

        pull(set, &s);
        expect_text(s.facts.s, want);
        free(want);
        stream_fini(&s);
}

/* ---- random streams ---- */

#define POOL 60

static void random_slot(struct random *rnd, const gb_gfid *dirs, unsigned n_dirs, const gb_gfid *pool,
                        gb_gfid *parent, char *name)
{
        char text[GB_GFID_TEXT];

        switch (random_below(rnd, 20)) {
        case 0:
                *parent = GB_GFID_TRASH;
                break;
        case 1:
                *parent = gb_gfid_anonymous_dir(&brick->volume_id);
                break;
        case 2:
        case 3:
                *parent = GB_GFID_ROOT;
                break;
        case 4:
                *parent = GB_GFID_SHARD;
                gb_gfid_format(&pool[random_below(rnd, POOL)], text);
                sprintf(name, "%s.%u", text, (unsigned)random_below(rnd, 9));
                return;
        default:
                *parent = dirs[random_below(rnd, n_dirs)];
        }
        name[random_name(rnd, name, 3)] = '\0';
}

static void random_record(struct random *rnd, const gb_gfid *pool, const gb_gfid *dirs, unsigned n_dirs)
{
        static const unsigned fops[] = {GB_FOP_MKNOD,   GB_FOP_MKDIR, GB_FOP_UNLINK, GB_FOP_RMDIR,
                                        GB_FOP_SYMLINK, GB_FOP_LINK,  GB_FOP_CREATE};
        static const unsigned m_fops[] = {17, 19, 33, 34, 36, 38, 39, 45};
        const gb_gfid *g = random_below(rnd, 30) ? &pool[random_below(rnd, POOL)] : &GB_GFID_SHARD;
        gb_gfid from, to;
        char name[64], new_name[64];
        unsigned fop;

        switch (random_below(rnd, 5)) {
        case 0:
                gb_fake_D(fake, g);
                return;
        case 1:
                gb_fake_M(fake, random_below(rnd, 20) ? g : &GB_GFID_ROOT,
                          m_fops[random_below(rnd, sizeof(m_fops) / sizeof(m_fops[0]))]);
                return;
        case 2:
                random_slot(rnd, dirs, n_dirs, pool, &from, name);
                random_slot(rnd, dirs, n_dirs, pool, &to, new_name);
                if (!gb_gfid_eq(&from, &GB_GFID_SHARD) && !gb_gfid_eq(&to, &GB_GFID_SHARD))
                        gb_fake_E_rename(fake, g, &from, name, &to, new_name);
                return;
        default:
                random_slot(rnd, dirs, n_dirs, pool, &from, name);
                fop = fops[random_below(rnd, sizeof(fops) / sizeof(fops[0]))];
                if (fop == GB_FOP_MKNOD && random_below(rnd, 2))
                        gb_fake_E_mode(fake, fop, S_IFIFO | 0600, g, &from, name);
                else
                        gb_fake_E(fake, fop, g, &from, name);
        }
}

static void random_slice(uint64_t seed, unsigned records, unsigned n_dirs)
{
        struct random rnd = {seed};
        gb_gfid pool[POOL], dirs[200];

        EXPECT(n_dirs <= 200);
        for (unsigned i = 0; i < POOL; i++)
                pool[i] = random_gfid(&rnd);
        for (unsigned i = 0; i < n_dirs; i++) /* some of the pool are directories, most are not */
                dirs[i] = i < 5 ? pool[i] : random_gfid(&rnd);
        for (unsigned i = 0; i < records; i++)
                random_record(&rnd, pool, dirs, n_dirs);
}

START_TEST(random_records_give_the_models_facts)
{
        random_slice((uint64_t)_i + 1, 50u << _i, 10);
        expect_model(&usual);
}
END_TEST

START_TEST(random_records_with_tiny_memory_give_the_same)
{
        static const struct settings tiny = {false, 1, CHUNK, GB_NEVER};
        static const struct settings small = {false, 64 << 10, CHUNK, GB_NEVER};

        random_slice(77, 6000, 200);
        expect_model(&usual);
        expect_model(&small);
        expect_model(&tiny);
}
END_TEST

START_TEST(random_records_in_small_pieces_give_the_same)
{
        static const struct settings hurried = {false, BIG, CHUNK, 0};
        struct settings set = usual;

        random_slice(78, 300, 30);
        expect_model(&hurried);
        for (set.chunk = 3000; set.chunk < 3020; set.chunk++)
                expect_model(&set);
}
END_TEST

/* ---- windows that follow each other ---- */

static void rollover(struct random *rnd)
{
        clock_now += 1 + (int64_t)random_below(rnd, 15);
        gb_fake_slice_end(fake, clock_now);
        gb_fake_slice_begin(fake);
}

/* Of the pool, some are directories, some files, and one a shard; the rest exist only in records. */
static void populate(struct random *rnd, gb_gfid *pool)
{
        char path[128], text[GB_GFID_TEXT];

        for (unsigned i = 0; i < POOL; i++)
                pool[i] = random_gfid(rnd);
        gb_fake_mkdir(fake, ".shard", &GB_GFID_SHARD);
        for (unsigned i = 0; i < 5; i++) {
                snprintf(path, sizeof(path), "d%u", i);
                gb_fake_mkdir(fake, path, &pool[i]);
        }
        for (unsigned i = 5; i < 30; i++) {
                snprintf(path, sizeof(path), "d%u/f%u", i % 5, i);
                gb_fake_create(fake, path, &pool[i]);
        }
        snprintf(path, sizeof(path), ".shard/%s.2", gb_gfid_format(&pool[7], text));
        gb_fake_create(fake, path, &pool[30]);
}

static const struct settings cramped = {true, 1, 3000, 0};

START_TEST(random_windows_give_the_models_facts)
{
        struct random rnd = {(uint64_t)_i + 4242};
        unsigned with = 0, without = 0, only_before;
        struct stream s, again;
        gb_gfid pool[POOL];

        populate(&rnd, pool);
        for (unsigned round = 0; round < 20; round++) {
                char *want;

                for (size_t n = random_below(&rnd, round % 3 ? 12 : 40); n; n--)
                        if (random_below(&rnd, 12) == 0)
                                rollover(&rnd);
                        else
                                random_record(&rnd, pool, pool, 5);
                if (random_below(&rnd, 2)) {
                        const gb_gfid *dir = &pool[random_below(&rnd, 5)];

                        gb_fake_E_rename(fake, dir, &GB_GFID_ROOT, "old", &GB_GFID_ROOT, "new");
                }
                expect_model(&usual);
                want = model_of_window(true, &only_before);
                pull(&looking, &s);
                expect_text(s.facts.s, want);
                pull(&cramped, &again);
                expect_text(again.facts.s, want);
                with += only_before > 0;
                without += !only_before;
                cursor = s.cursor;
                stream_fini(&s);
                stream_fini(&again);
                free(want);
        }
        ck_assert_uint_gt(with, 2);
        ck_assert_uint_gt(without, 2);
}
END_TEST

/* ---- samples ---- */

static void live_is_sample(const char *name)
{
        size_t len;
        char path[128], *bytes;
        int fd;

        snprintf(path, sizeof(path), "samples/%s", name);
        bytes = fixture_load(path, &len);
        fd = openat(fake->root_fd, ".glusterfs/changelogs/CHANGELOG", O_CREAT | O_TRUNC | O_WRONLY, 0644);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
        close(fd);
        free(bytes);
        by_time = true;
}

static const char *const samples[] = {"afr_replace_brick_full_heal.CHANGELOG.1795397295",
                                      "afr_sink_after_heal.CHANGELOG.1795396674",
                                      "afr_source_while_peer_down.CHANGELOG.1795396669",
                                      "ascii_all_fops.CHANGELOG.1795395253",
                                      "ascii_delpath.CHANGELOG.1795395429",
                                      "ascii_live_odd_names.CHANGELOG",
                                      "binary_all_fops_delpath.CHANGELOG.1795397072",
                                      "binary_no_delpath.CHANGELOG.1795397452",
                                      "dht_rebalance_false_unlink_brick3.CHANGELOG.1795396599",
                                      "dht_rename_overwrite_brick1.CHANGELOG.1795395951",
                                      "dht_rename_overwrite_brick2.CHANGELOG.1795395952",
                                      "dht_rename_overwrite_brick3.CHANGELOG.1795395953",
                                      "ec_sink_after_heal.CHANGELOG.1795397256",
                                      "header_only_after_restart.CHANGELOG.1795395705",
                                      "shard_create_brick1.CHANGELOG.1795396154",
                                      "shard_create_brick2.CHANGELOG.1795396155",
                                      "shard_overwrite_in_shard4.CHANGELOG.1795396157",
                                      "shard_truncate_brick1.CHANGELOG.1795396164",
                                      "shard_truncate_brick2.CHANGELOG.1795396165",
                                      "synthetic_v1.1_unlink.CHANGELOG"};
#define N_SAMPLES ((int)(sizeof(samples) / sizeof(samples[0])))

START_TEST(sample_gives_the_models_facts)
{
        live_is_sample(samples[_i]);
        expect_model(&usual);
}
END_TEST

START_TEST(sample_of_all_fops_in_full)
{
        struct stream s;

        live_is_sample("ascii_all_fops.CHANGELOG.1795395253");
        pull(&usual, &s);
        /* dir1, renamed into dir2, with its first slot lost; the file that was renamed, linked, unlinked. */
        ck_assert_ptr_nonnull(strstr(s.facts.s, "1 2b4b52aa-849a-454a-b55c-ae97daaa428c"));
        ck_assert_ptr_nonnull(strstr(s.facts.s, "2 c0848653-bacf-4daf-9d2f-de84dfce348e DMXgR .. "
                                                "+2b4b52aa-849a-454a-b55c-ae97daaa428c/file1 "
                                                "l2b4b52aa-849a-454a-b55c-ae97daaa428c/hard1 "
                                                ">2b4b52aa-849a-454a-b55c-ae97daaa428c/file2\n"));
        ck_assert_ptr_nonnull(strstr(s.facts.s, "1 749d7cc9-2613-465f-bfac-7a7f580e545f dgR .. "
                                                "+00000000-0000-0000-0000-000000000001/dir3\n"));
        stream_fini(&s);
}
END_TEST

START_TEST(sample_of_shards_is_about_the_base_file)
{
        struct stream s;
        const char *third;

        live_is_sample("shard_create_brick2.CHANGELOG.1795396155");
        pull(&usual, &s);
        third = strstr(s.facts.s, "3 ");
        ck_assert_ptr_nonnull(third);
        ck_assert_ptr_null(strstr(s.facts.s, "be318638-e8a0-4c6d-977d-7a937aa84806"));
        ck_assert_str_eq(strchr(third, '\n'), "\n");
        ck_assert_ptr_nonnull(strstr(third, " D .."));
        stream_fini(&s);
}
END_TEST

/* ---- with looks ---- */

static void line(struct text *t, enum gb_section section, const gb_gfid *g, const char *rest)
{
        char text[GB_GFID_TEXT];

        say(t, "%d %s %s", section, gb_gfid_format(g, text), rest);
}

static void slot(struct text *t, char mark, const gb_gfid *parent, const char *name)
{
        struct gb_slot s = {*parent, name, strlen(name)};

        say_slot(t, mark, &s);
}

static bool says(const struct stream *s, struct text *t)
{
        bool found;

        say(t, "\n");
        found = strstr(s->facts.s, t->s) != NULL;
        if (!found)
                fprintf(stderr, "wanted %sgot\n%s", t->s, s->facts.s);
        free(t->s);
        *t = (struct text){0};
        return found;
}

START_TEST(look_tells_names_and_sends_the_directories_above_them)
{
        gb_gfid a = gb_fake_mkdir(fake, "a", NULL), b = gb_fake_mkdir(fake, "a/b", NULL);
        gb_gfid f = gb_fake_create(fake, "a/b/f", NULL), gone = gb_fake_gfid(fake);
        struct text t = {0};
        struct stream s;

        gb_fake_E_rename(fake, &f, &a, "old", &b, "f");
        gb_fake_D(fake, &f);
        gb_fake_E(fake, GB_FOP_UNLINK, &gone, &a, "gone");
        pull(&looking, &s);
        ck_assert_uint_eq(s.n_facts, 2);
        ck_assert_uint_eq(s.n_dirs, 2);
        ck_assert(leads_to_root(&s, &b));
        line(&t, GB_SECTION_OBJECTS, &f, "DR Pf");
        slot(&t, '-', &a, "old");
        slot(&t, '>', &b, "f");
        slot(&t, '=', &b, "f");
        ck_assert(says(&s, &t));
        line(&t, GB_SECTION_OBJECTS, &gone, "gR A.");
        slot(&t, '-', &a, "gone");
        ck_assert(says(&s, &t));
        stream_fini(&s);
}
END_TEST

START_TEST(directories_are_sent_for_claims_without_looks_too)
{
        gb_gfid a = gb_fake_mkdir(fake, "a", NULL), b = gb_fake_mkdir(fake, "a/b", NULL),
                g = gb_fake_gfid(fake);
        gb_gfid absent = gb_fake_gfid(fake);
        struct stream s;

        gb_fake_E(fake, GB_FOP_UNLINK, &g, &b, "gone");
        gb_fake_E(fake, GB_FOP_UNLINK, &g, &absent, "gone");
        pull(&usual, &s);
        ck_assert_uint_eq(s.n_dirs, 2);
        ck_assert(leads_to_root(&s, &b) && leads_to_root(&s, &a));
        ck_assert_ptr_null(gb_gfidmap_get(&s.dirs, &absent));
        stream_fini(&s);
}
END_TEST

START_TEST(renamed_directory_is_in_section_1_with_and_without_looks)
{
        gb_gfid d = gb_fake_mkdir(fake, "new", NULL), f = gb_fake_create(fake, "f", NULL);
        struct text t = {0};
        struct stream s;

        gb_fake_E_rename(fake, &d, &GB_GFID_ROOT, "old", &GB_GFID_ROOT, "new");
        gb_fake_E_rename(fake, &f, &GB_GFID_ROOT, "e", &GB_GFID_ROOT, "f");
        pull(&usual, &s);
        line(&t, GB_SECTION_DIRS, &d, "dR ..");
        slot(&t, '-', &GB_GFID_ROOT, "old");
        slot(&t, '>', &GB_GFID_ROOT, "new");
        ck_assert(says(&s, &t));
        line(&t, GB_SECTION_OBJECTS, &f, "R ..");
        slot(&t, '-', &GB_GFID_ROOT, "e");
        slot(&t, '>', &GB_GFID_ROOT, "f");
        ck_assert(says(&s, &t));
        stream_fini(&s);
        pull(&looking, &s);
        line(&t, GB_SECTION_DIRS, &d, "dR Pd");
        slot(&t, '-', &GB_GFID_ROOT, "old");
        slot(&t, '>', &GB_GFID_ROOT, "new");
        slot(&t, '=', &GB_GFID_ROOT, "new");
        ck_assert(says(&s, &t));
        stream_fini(&s);
}
END_TEST

START_TEST(name_lost_where_a_rename_may_have_led_is_no_earlier_name)
{
        gb_gfid a = gb_fake_mkdir(fake, "a", NULL), b = gb_fake_mkdir(fake, "b", NULL);
        gb_gfid f = gb_fake_create(fake, "b/z", NULL);
        struct text t = {0};
        struct stream s;

        gb_fake_E(fake, GB_FOP_UNLINK, &f, &b, "y"); /* before: it was a name */
        gb_fake_E_rename(fake, &f, &a, "x", &GB_GFID_NULL, "w");
        gb_fake_E_rename(fake, &f, &b, "w", &b, "z");
        pull(&looking, &s);
        line(&t, GB_SECTION_OBJECTS, &f, "gRS Pf");
        slot(&t, '-', &b, "y");
        slot(&t, '-', &a, "x");
        slot(&t, '>', &b, "w");
        slot(&t, '>', &b, "z");
        slot(&t, '=', &b, "z");
        ck_assert(says(&s, &t));
        stream_fini(&s);
}
END_TEST

START_TEST(parent_without_events_is_no_fact)
{
        gb_gfid d = gb_fake_mkdir(fake, "d", NULL), f = gb_fake_create(fake, "d/f", NULL);
        struct stream s;

        gb_fake_E(fake, GB_FOP_CREATE, &f, &d, "f");
        pull(&looking, &s);
        ck_assert_uint_eq(s.n_facts, 1);
        ck_assert_uint_eq(s.n_dirs, 1);
        stream_fini(&s);
}
END_TEST

START_TEST(data_of_a_shard_is_data_of_its_base_file)
{
        gb_gfid base = gb_fake_create(fake, "big", NULL), s1, s2, elsewhere = gb_fake_gfid(fake);
        char path[128], text[GB_GFID_TEXT];
        struct text t = {0};
        struct stream s;

        gb_fake_mkdir(fake, ".shard", &GB_GFID_SHARD);
        snprintf(path, sizeof(path), ".shard/%s.1", gb_gfid_format(&base, text));
        s1 = gb_fake_create(fake, path, NULL);
        snprintf(path, sizeof(path), ".shard/%s.7", gb_gfid_format(&elsewhere, text));
        s2 = gb_fake_create(fake, path, NULL);
        gb_fake_D(fake, &s1);
        gb_fake_D(fake, &s2);
        gb_fake_M(fake, &s1, 38);
        pull(&looking, &s);
        ck_assert_uint_eq(s.n_facts, 2);
        line(&t, GB_SECTION_SHARDS, &base, "D Pf");
        slot(&t, '=', &GB_GFID_ROOT, "big");
        ck_assert(says(&s, &t));
        line(&t, GB_SECTION_SHARDS, &elsewhere, "D A.");
        ck_assert(says(&s, &t));
        stream_fini(&s);
}
END_TEST

START_TEST(shards_event_hides_the_shards_other_records)
{
        gb_gfid shard = gb_fake_gfid(fake), base = gb_fake_gfid(fake);
        char name[64], text[GB_GFID_TEXT];
        struct text t = {0};
        struct stream s;

        snprintf(name, sizeof(name), "%s.3", gb_gfid_format(&base, text));
        gb_fake_D(fake, &shard);
        gb_fake_E(fake, GB_FOP_UNLINK, &shard, &GB_GFID_SHARD, name);
        gb_fake_E(fake, GB_FOP_UNLINK, &shard, &GB_GFID_SHARD_REMOVE_ME, text);
        gb_fake_E(fake, GB_FOP_MKDIR, &GB_GFID_SHARD, &GB_GFID_ROOT, ".shard");
        pull(&looking, &s);
        ck_assert_uint_eq(s.n_facts, 1);
        line(&t, GB_SECTION_SHARDS, &base, "D A.");
        ck_assert(says(&s, &t));
        stream_fini(&s);
}
END_TEST

START_TEST(trash_shows_only_what_users_had_outside)
{
        gb_gfid out, in, deep, dir, removed = gb_fake_gfid(fake), lost = gb_fake_gfid(fake);
        struct text t = {0};
        struct stream s;

        gb_fake_mkdir(fake, ".trashcan", &GB_GFID_TRASH);
        dir = gb_fake_mkdir(fake, ".trashcan/dir", NULL);
        deep = gb_fake_create(fake, ".trashcan/dir/deep", NULL);
        in = gb_fake_create(fake, ".trashcan/in", NULL);
        out = gb_fake_create(fake, "out", NULL);
        gb_fake_E_rename(fake, &in, &GB_GFID_ROOT, "was", &GB_GFID_TRASH, "in");
        gb_fake_E_rename(fake, &out, &GB_GFID_TRASH, "was", &GB_GFID_ROOT, "out");
        gb_fake_E(fake, GB_FOP_CREATE, &deep, &dir, "deep");
        gb_fake_E(fake, GB_FOP_UNLINK, &lost, &GB_GFID_TRASH, "x");
        gb_fake_E(fake, GB_FOP_RMDIR, &removed, &GB_GFID_TRASH, "y");
        pull(&looking, &s);
        ck_assert_uint_eq(s.n_dirs, 0);
        line(&t, GB_SECTION_OBJECTS, &in, "R Pf");
        slot(&t, '-', &GB_GFID_ROOT, "was");
        ck_assert(says(&s, &t));
        line(&t, GB_SECTION_OBJECTS, &out, "R Pf");
        slot(&t, '>', &GB_GFID_ROOT, "out");
        slot(&t, '=', &GB_GFID_ROOT, "out");
        ck_assert(says(&s, &t));
        line(&t, GB_SECTION_OBJECTS, &deep, "R Pf");
        ck_assert(says(&s, &t));
        line(&t, GB_SECTION_DIRS, &removed, "dgR A.");
        ck_assert(says(&s, &t));
        ck_assert_uint_eq(s.n_facts, 4);
        stream_fini(&s);
}
END_TEST

/* As a rename that failed leaves it. */
static void take_handle_away(const gb_gfid *dir)
{
        char path[GB_HANDLE_TEXT];

        ck_assert_int_eq(unlinkat(brick->handles_fd, gb_handle_path(dir, path), 0), 0);
}

START_TEST(directories_without_handles_are_found)
{
        static const struct settings hurried = {true, BIG, CHUNK, 0};
        gb_gfid a = gb_fake_mkdir(fake, "a", NULL), b = gb_fake_mkdir(fake, "a/b", NULL),
                c = gb_fake_mkdir(fake, "a/b/c", NULL), f = gb_fake_create(fake, "a/b/c/f", NULL),
                d = gb_fake_mkdir(fake, "a/d", NULL), e = gb_fake_mkdir(fake, "e", NULL),
                made = gb_fake_mkdir(fake, "e/made", NULL), gone = gb_fake_gfid(fake),
                victim = gb_fake_gfid(fake);
        const struct settings *all[] = {&looking, &hurried};
        struct text t = {0};
        struct stream s;

        take_handle_away(&a);
        take_handle_away(&b);
        take_handle_away(&made);
        gb_fake_M(fake, &a, 38);                                 /* it itself */
        gb_fake_D(fake, &f);                                     /* a file below it */
        gb_fake_M(fake, &d, 17);                                 /* a directory in it */
        gb_fake_E(fake, GB_FOP_MKDIR, &made, &e, "made");        /* where its record puts it */
        gb_fake_E(fake, GB_FOP_UNLINK, &gone, &b, "gone");       /* what was in it */
        gb_fake_E_rename(fake, &victim, &e, "victim", &e, "f2"); /* a file that another one replaced */
        for (unsigned i = 0; i < 2; i++) {
                pull(all[i], &s);
                ck_assert_uint_eq(s.n_facts, 6);
                ck_assert(leads_to_root(&s, &b));
                ck_assert(leads_to_root(&s, &c));
                line(&t, GB_SECTION_DIRS, &a, "Md Pd");
                slot(&t, '=', &GB_GFID_ROOT, "a");
                ck_assert(says(&s, &t));
                line(&t, GB_SECTION_DIRS, &d, "Xd Pd");
                slot(&t, '=', &a, "d");
                ck_assert(says(&s, &t));
                line(&t, GB_SECTION_DIRS, &made, "dR Pd");
                slot(&t, '+', &e, "made");
                slot(&t, '=', &e, "made");
                ck_assert(says(&s, &t));
                line(&t, GB_SECTION_OBJECTS, &f, "D Pf");
                slot(&t, '=', &c, "f");
                ck_assert(says(&s, &t));
                line(&t, GB_SECTION_OBJECTS, &gone, "gR A.");
                slot(&t, '-', &b, "gone");
                ck_assert(says(&s, &t));
                line(&t, GB_SECTION_OBJECTS, &victim, "R A.");
                slot(&t, '-', &e, "victim");
                slot(&t, '>', &e, "f2");
                ck_assert(says(&s, &t));
                stream_fini(&s);
        }
}
END_TEST

START_TEST(what_a_search_found_is_noted_for_others)
{
        gb_gfid a = gb_fake_mkdir(fake, "a", NULL), b = gb_fake_mkdir(fake, "a/b", NULL), base;
        struct gb_resolver *r;
        struct gb_fact fact = {.gfid = a};
        struct stream s;
        struct gb_error err;

        ck_assert_int_eq(gb_brick_keep_notes(brick, tmpdir, &err), 0);
        take_handle_away(&a);
        r = gb_resolver_new(brick, &err);
        ck_assert_int_eq(gb_resolver_look(r, &fact, &base, &err), 0);
        ck_assert_int_eq(fact.look, GB_LOOK_ABSENT);
        gb_resolver_free(r);
        gb_fake_M(fake, &a, 38);
        pull(&looking, &s);
        stream_fini(&s);
        r = gb_resolver_new(brick, &err);
        ck_assert_int_eq(gb_resolver_look(r, &fact, &base, &err), 0);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        fact.gfid = b;
        ck_assert_int_eq(gb_resolver_look(r, &fact, &base, &err), 0);
        ck_assert_int_eq(fact.look, GB_LOOK_PRESENT);
        gb_resolver_free(r);
        gb_fact_fini(&fact);
        ck_assert_int_eq(unlink(brick->notes), 0);
}
END_TEST

START_TEST(root_is_a_fact_without_names)
{
        struct text t = {0};
        struct stream s;

        gb_fake_M(fake, &GB_GFID_ROOT, 17);
        pull(&looking, &s);
        line(&t, GB_SECTION_DIRS, &GB_GFID_ROOT, "Xd Pd");
        ck_assert(says(&s, &t));
        stream_fini(&s);
}
END_TEST

START_TEST(objects_without_names_are_sent_as_partial)
{
        gb_gfid f = gb_fake_create(fake, "f", NULL);
        struct text t = {0};
        struct stream s;
        char path[128], value[64], text[GB_GFID_TEXT];

        /* A hidden second link: as on a brick where gfid2path was off for a while. */
        snprintf(path, sizeof(path), "%s/f", fake->path);
        snprintf(value, sizeof(value), "%s/g", fake->path);
        ck_assert_int_eq(link(path, value), 0);
        gb_fake_D(fake, &f);
        pull(&looking, &s);
        line(&t, GB_SECTION_OBJECTS, &f, "D pf");
        slot(&t, '=', &GB_GFID_ROOT, "f");
        ck_assert(says(&s, &t));
        ck_assert_ptr_nonnull(strstr(s.facts.s, gb_gfid_format(&f, text)));
        stream_fini(&s);
}
END_TEST

static void make_tree(unsigned dirs)
{
        char path[64];

        for (unsigned i = 0; i < dirs; i++) {
                gb_gfid d, f, g;

                snprintf(path, sizeof(path), "d%u", i);
                d = gb_fake_mkdir(fake, path, NULL);
                strcat(path, "/sub");
                d = gb_fake_mkdir(fake, path, NULL);
                strcat(path, "/f");
                f = gb_fake_create(fake, path, NULL);
                gb_fake_E(fake, GB_FOP_CREATE, &f, &d, "f");
                gb_fake_D(fake, &f);
                g = gb_fake_gfid(fake);
                gb_fake_E(fake, GB_FOP_UNLINK, &g, &d, "gone");
        }
}

START_TEST(looks_give_the_same_whatever_memory_buffer_and_time)
{
        static const struct settings others[] = {{true, 1, CHUNK, GB_NEVER},
                                                 {true, BIG, 300, GB_NEVER},
                                                 {true, BIG, CHUNK, 0},
                                                 {true, 1, 300, 0}};
        struct stream want, s;

        make_tree(150);
        pull(&looking, &want);
        ck_assert_uint_eq(want.n_facts, 300);
        ck_assert_uint_eq(want.n_dirs, 300);
        for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
                pull(&others[i], &s);
                expect_text(s.facts.s, want.facts.s);
                ck_assert(others[i].memory == 1 ? s.n_dirs > want.n_dirs : s.n_dirs == want.n_dirs);
                ck_assert(others[i].chunk == CHUNK || s.calls > 50);
                stream_fini(&s);
        }
        stream_fini(&want);
}
END_TEST

/* More directories for one fact than one buffer takes and than memory remembers. */
START_TEST(fact_with_many_directories_goes_on_where_it_stopped)
{
        static const struct settings tight = {true, 1, 6000, GB_NEVER};
        gb_gfid f = gb_fake_create(fake, "f", NULL), d;
        struct stream s;
        char path[64];

        for (unsigned i = 0; i < 140; i++) {
                snprintf(path, sizeof(path), "directory-with-a-name-%u", i);
                d = gb_fake_mkdir(fake, path, NULL);
                gb_fake_E(fake, GB_FOP_LINK, &f, &d, "l");
        }
        pull(&tight, &s);
        ck_assert_uint_eq(s.n_facts, 1);
        ck_assert_uint_eq(s.n_dirs, 140);
        stream_fini(&s);
}
END_TEST

START_TEST(time_passing_while_records_are_read_gives_an_empty_answer)
{
        static const struct settings hurried = {false, BIG, CHUNK, 0};
        struct gb_changes *c;
        struct gb_error err;
        struct gb_buf out;
        gb_gfid g = gb_fake_gfid(fake);

        for (unsigned i = 0; i < 2000; i++)
                gb_fake_D(fake, &g);
        c = open_changes(&hurried);
        gb_buf_init(&out, CHUNK);
        ck_assert_int_eq(gb_changes_fill(c, &out, 0, &err), 1);
        ck_assert_uint_eq(out.len, 0);
        ck_assert_uint_gt(gb_changes_progress(c), 0);
        ck_assert_int_eq(gb_changes_fill(c, &out, GB_NEVER, &err), 0);
        ck_assert_uint_gt(out.len, 0);
        gb_changes_close(c);
        gb_buf_fini(&out);
}
END_TEST

START_TEST(object_with_too_many_names_is_a_gap)
{
        struct gb_changes *c;
        struct gb_error err;
        struct gb_buf out;
        gb_gfid g = gb_fake_gfid(fake);
        char name[64];
        int rc;

        for (unsigned i = 0; i < 200; i++) {
                snprintf(name, sizeof(name), "name%u", i);
                gb_fake_E(fake, GB_FOP_LINK, &g, &GB_GFID_ROOT, name);
        }
        c = open_changes(&usual);
        gb_buf_init(&out, 1000);
        while ((rc = gb_changes_fill(c, &out, GB_NEVER, &err)) == 1)
                gb_buf_reset(&out);
        ck_assert_int_eq(rc, -1);
        ck_assert_int_eq(err.code, GB_ERR_GAP);
        gb_changes_close(c);
        gb_buf_fini(&out);
}
END_TEST

START_TEST(cursor_after_the_end_leads_to_an_empty_window)
{
        struct gb_changes *c;
        struct gb_error err;
        struct gb_buf out;
        struct stream s;
        gb_gfid f = gb_fake_create(fake, "f", NULL);
        int64_t from, to;

        gb_fake_E(fake, GB_FOP_CREATE, &f, &GB_GFID_ROOT, "f");
        c = open_changes(&looking);
        gb_buf_init(&out, CHUNK);
        ck_assert_int_eq(gb_changes_fill(c, &out, GB_NEVER, &err), 0);
        gb_changes_window(c, &from, &to);
        ck_assert_int_le(from, to);
        cursor = *gb_changes_cursor(c);
        gb_changes_close(c);
        gb_buf_fini(&out);
        pull(&looking, &s);
        ck_assert_uint_eq(s.n_facts, 0);
        stream_fini(&s);
}
END_TEST

/* The window ends; the next one begins. */
static void next_window(void)
{
        struct stream s;

        pull(&looking, &s);
        cursor = s.cursor;
        stream_fini(&s);
}

/* Files and a directory that the last window tells of, one of them gone since. */
static void three_before(gb_gfid g[3], gb_gfid *dir)
{
        struct random rnd = {1};

        *dir = gb_fake_mkdir(fake, "was", NULL);
        g[0] = gb_fake_create(fake, "was/made", NULL);
        g[1] = gb_fake_mkdir(fake, "was/sub", NULL);
        g[2] = gb_fake_create(fake, "was/gone", NULL);
        gb_fake_E(fake, GB_FOP_CREATE, &g[0], dir, "made");
        gb_fake_E(fake, GB_FOP_MKDIR, &g[1], dir, "sub");
        gb_fake_E(fake, GB_FOP_CREATE, &g[2], dir, "gone");
        rollover(&rnd);
        gb_fake_E(fake, GB_FOP_CREATE, dir, &GB_GFID_ROOT, "other");
        next_window();
        gb_fake_unlink(fake, "was/gone");
}

START_TEST(objects_of_the_last_window_come_if_a_directory_was_renamed)
{
        struct text t = {0};
        struct stream s;
        gb_gfid g[3], dir;

        three_before(g, &dir);
        gb_fake_rename(fake, "was", "is");
        gb_fake_E_rename(fake, &dir, &GB_GFID_ROOT, "was", &GB_GFID_ROOT, "is");
        pull(&looking, &s);
        ck_assert_uint_eq(s.n_facts, 3);
        line(&t, GB_SECTION_OBJECTS, &g[0], "B Pf");
        slot(&t, '=', &dir, "made");
        ck_assert(says(&s, &t));
        line(&t, GB_SECTION_DIRS, &g[1], "dB Pd");
        slot(&t, '=', &dir, "sub");
        ck_assert(says(&s, &t));
        line(&t, GB_SECTION_DIRS, &dir, "dRB Pd");
        slot(&t, '-', &GB_GFID_ROOT, "was");
        slot(&t, '>', &GB_GFID_ROOT, "is");
        slot(&t, '=', &GB_GFID_ROOT, "is");
        ck_assert(says(&s, &t));
        stream_fini(&s);
        pull(&usual, &s);
        ck_assert_uint_eq(s.n_facts, 1); /* without looks only the directory */
        stream_fini(&s);
        next_window();
        pull(&looking, &s);
        ck_assert_uint_eq(s.n_facts, 0); /* and with nothing renamed since, nothing */
        stream_fini(&s);
}
END_TEST

/* As sharded volumes write it: without the parent of the new name. */
START_TEST(rename_to_an_unknown_parent_is_a_rename_of_a_directory_too)
{
        struct text t = {0};
        struct stream s;
        gb_gfid g[3], dir;

        three_before(g, &dir);
        gb_fake_rename(fake, "was", "is");
        gb_fake_E_rename(fake, &dir, &GB_GFID_ROOT, "was", &GB_GFID_NULL, "is");
        pull(&looking, &s);
        ck_assert_uint_eq(s.n_facts, 3);
        line(&t, GB_SECTION_DIRS, &dir, "dRBS Pd");
        slot(&t, '-', &GB_GFID_ROOT, "was");
        slot(&t, '=', &GB_GFID_ROOT, "is");
        ck_assert(says(&s, &t));
        stream_fini(&s);
}
END_TEST

START_TEST(rename_out_of_the_trash_to_an_unknown_parent_is_a_fact)
{
        gb_gfid f = gb_fake_create(fake, "f", NULL);
        struct text t = {0};
        struct stream s;

        gb_fake_E_rename(fake, &f, &GB_GFID_TRASH, "f", &GB_GFID_NULL, "f");
        pull(&looking, &s);
        line(&t, GB_SECTION_OBJECTS, &f, "RS Pf");
        slot(&t, '=', &GB_GFID_ROOT, "f");
        ck_assert(says(&s, &t));
        stream_fini(&s);
}
END_TEST

START_TEST(objects_of_the_last_window_are_not_looked_at_if_only_files_were_renamed)
{
        gb_gfid g[3], dir, f;
        struct stream s;
        uint64_t records = 5;

        three_before(g, &dir);
        f = gb_fake_create(fake, "f", NULL);
        gb_fake_E_rename(fake, &f, &GB_GFID_ROOT, "e", &GB_GFID_ROOT, "f");
        gb_fake_E(fake, GB_FOP_CREATE, &f, &dir, "x"); /* the directory is a parent */
        pull(&looking, &s);
        ck_assert_uint_eq(s.n_facts, 1);
        ck_assert_uint_eq(s.progress, records + 1 + 1 + 1); /* and the live one replayed; a look, a fact */
        stream_fini(&s);
}
END_TEST

START_TEST(data_of_the_slice_before_is_told_again_and_marked)
{
        struct random rnd = {1};
        struct text t = {0};
        struct stream s;
        gb_gfid f = gb_fake_create(fake, "f", NULL), g = gb_fake_create(fake, "g", NULL);

        gb_fake_D(fake, &g);
        rollover(&rnd);
        gb_fake_E(fake, GB_FOP_CREATE, &f, &GB_GFID_ROOT, "f");
        gb_fake_D(fake, &f);
        rollover(&rnd);
        next_window();
        gb_fake_M(fake, &g, 38);
        pull(&looking, &s);
        ck_assert_uint_eq(s.n_facts, 2);
        line(&t, GB_SECTION_OBJECTS, &f, "DB Pf");
        slot(&t, '=', &GB_GFID_ROOT, "f");
        ck_assert(says(&s, &t));
        line(&t, GB_SECTION_OBJECTS, &g, "MB Pf");
        slot(&t, '=', &GB_GFID_ROOT, "g");
        ck_assert(says(&s, &t));
        stream_fini(&s);
}
END_TEST

START_TEST(events_are_recent_in_the_newest_slices_only)
{
        struct random rnd = {1};
        struct text t = {0};
        struct stream s;
        gb_gfid g[3];

        for (unsigned i = 0; i < 3; i++) {
                g[i] = gb_fake_gfid(fake);
                gb_fake_E(fake, GB_FOP_UNLINK, &g[i], &GB_GFID_ROOT, "x");
                if (i == 0)
                        gb_fake_E(fake, GB_FOP_UNLINK, &GB_GFID_TRASH, &GB_GFID_ROOT, "x");
                if (i < 2)
                        rollover(&rnd);
        }
        pull(&looking, &s);
        for (unsigned i = 0; i < 3; i++) {
                line(&t, GB_SECTION_OBJECTS, &g[i], i ? "gR A." : "g A.");
                slot(&t, '-', &GB_GFID_ROOT, "x");
                ck_assert(says(&s, &t));
        }
        stream_fini(&s);
}
END_TEST

START_TEST(shard_made_in_the_last_window_is_its_base_file_before)
{
        gb_gfid base = gb_fake_create(fake, "big", NULL), d = gb_fake_mkdir(fake, "d", NULL), shard;
        char path[128], text[GB_GFID_TEXT];
        struct text t = {0};
        struct stream s;

        gb_fake_mkdir(fake, ".shard", &GB_GFID_SHARD);
        snprintf(path, sizeof(path), ".shard/%s.1", gb_gfid_format(&base, text));
        shard = gb_fake_create(fake, path, NULL);
        gb_fake_E(fake, GB_FOP_MKNOD, &shard, &GB_GFID_SHARD, path + strlen(".shard/"));
        next_window();
        gb_fake_E_rename(fake, &d, &GB_GFID_ROOT, "c", &GB_GFID_ROOT, "d");
        pull(&looking, &s);
        ck_assert_uint_eq(s.n_facts, 2);
        line(&t, GB_SECTION_OBJECTS, &base, "B Pf");
        slot(&t, '=', &GB_GFID_ROOT, "big");
        ck_assert(says(&s, &t));
        gb_fake_D(fake, &shard); /* the event of before does not hide it */
        stream_fini(&s);
        pull(&looking, &s);
        line(&t, GB_SECTION_SHARDS, &base, "D Pf");
        slot(&t, '=', &GB_GFID_ROOT, "big");
        ck_assert(says(&s, &t));
        stream_fini(&s);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("changes");
        TCase *tc = tcase_create("changes");
        SRunner *runner;
        int failed;

        if (!gb_fake_available())
                return 77;
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, random_records_give_the_models_facts, 0, 6);
        tcase_add_test(tc, random_records_with_tiny_memory_give_the_same);
        tcase_add_test(tc, random_records_in_small_pieces_give_the_same);
        tcase_add_loop_test(tc, random_windows_give_the_models_facts, 0, 2);
        tcase_add_test(tc, objects_of_the_last_window_come_if_a_directory_was_renamed);
        tcase_add_test(tc, rename_to_an_unknown_parent_is_a_rename_of_a_directory_too);
        tcase_add_test(tc, rename_out_of_the_trash_to_an_unknown_parent_is_a_fact);
        tcase_add_test(tc, objects_of_the_last_window_are_not_looked_at_if_only_files_were_renamed);
        tcase_add_test(tc, data_of_the_slice_before_is_told_again_and_marked);
        tcase_add_test(tc, events_are_recent_in_the_newest_slices_only);
        tcase_add_test(tc, shard_made_in_the_last_window_is_its_base_file_before);
        tcase_add_loop_test(tc, sample_gives_the_models_facts, 0, N_SAMPLES);
        tcase_add_test(tc, sample_of_all_fops_in_full);
        tcase_add_test(tc, sample_of_shards_is_about_the_base_file);
        tcase_add_test(tc, look_tells_names_and_sends_the_directories_above_them);
        tcase_add_test(tc, directories_are_sent_for_claims_without_looks_too);
        tcase_add_test(tc, renamed_directory_is_in_section_1_with_and_without_looks);
        tcase_add_test(tc, name_lost_where_a_rename_may_have_led_is_no_earlier_name);
        tcase_add_test(tc, parent_without_events_is_no_fact);
        tcase_add_test(tc, data_of_a_shard_is_data_of_its_base_file);
        tcase_add_test(tc, shards_event_hides_the_shards_other_records);
        tcase_add_test(tc, trash_shows_only_what_users_had_outside);
        tcase_add_test(tc, directories_without_handles_are_found);
        tcase_add_test(tc, what_a_search_found_is_noted_for_others);
        tcase_add_test(tc, root_is_a_fact_without_names);
        tcase_add_test(tc, objects_without_names_are_sent_as_partial);
        tcase_add_test(tc, looks_give_the_same_whatever_memory_buffer_and_time);
        tcase_add_test(tc, fact_with_many_directories_goes_on_where_it_stopped);
        tcase_add_test(tc, time_passing_while_records_are_read_gives_an_empty_answer);
        tcase_add_test(tc, object_with_too_many_names_is_a_gap);
        tcase_add_test(tc, cursor_after_the_end_leads_to_an_empty_window);
        suite_add_tcase(suite, tc);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
