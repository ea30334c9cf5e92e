/* links: base */
/*
 * check_facts - a history stream survives the way; a damaged one is refused or still obeys every rule.
 */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/block.h"
#include "base/facts.h"
#include "base/limits.h"
#include "random.h"

#define FACTS 40

static char name_store[1 << 16];

struct sample {
        struct gb_fact facts[FACTS];
        struct gb_slot dirs[FACTS];
        size_t names_used;
};

static struct gb_slot random_slot(struct sample *s, struct random *r)
{
        struct gb_slot slot = {.parent = random_gfid(r), .name = name_store + s->names_used};

        slot.len = random_name(r, name_store + s->names_used, 12);
        s->names_used += slot.len;
        return slot;
}

static void random_fact(struct sample *s, struct random *r, struct gb_fact *f)
{
        static const char types[] = "fdlpsbc";
        size_t claims = random_below(r, 4);
        size_t names = random_below(r, 4);

        *f = (struct gb_fact){.gfid = random_gfid(r), .flags = (uint32_t)random_below(r, 256)};
        f->look = (enum gb_look)random_below(r, 4);
        for (size_t i = 0; i < claims; i++) {
                struct gb_claim c = {.slot = random_slot(s, r)};

                c.kind = (enum gb_claim_kind)(1 + random_below(r, GB_CLAIM_LINK));
                EXPECT(gb_vec_push(&f->claims, c) == 0);
        }
        if (f->look == GB_LOOK_NONE || f->look == GB_LOOK_ABSENT)
                return;
        f->type = types[random_below(r, sizeof(types) - 1)];
        for (size_t i = 0; i < names; i++)
                EXPECT(gb_vec_push(&f->names, random_slot(s, r)) == 0);
}

static int by_gfid(const void *a, const void *b)
{
        return gb_gfid_cmp(&((const struct gb_fact *)a)->gfid, &((const struct gb_fact *)b)->gfid);
}

static void fill(struct sample *s, uint64_t seed)
{
        struct random r = {seed};

        s->names_used = 0;
        for (size_t i = 0; i < FACTS; i++) {
                random_fact(s, &r, &s->facts[i]);
                s->dirs[i] = random_slot(s, &r);
        }
        qsort(s->facts, FACTS, sizeof(s->facts[0]), by_gfid);
}

static void finish(struct sample *s)
{
        for (size_t i = 0; i < FACTS; i++)
                gb_fact_fini(&s->facts[i]);
}

static void expect_same_slot(const struct gb_slot *a, const struct gb_slot *b)
{
        EXPECT(gb_slot_eq(a, b) && gb_slot_cmp(a, b) == 0);
}

static void expect_same_fact(const struct gb_fact *a, const struct gb_fact *b)
{
        EXPECT(gb_gfid_eq(&a->gfid, &b->gfid));
        EXPECT(a->flags == b->flags && a->look == b->look && a->type == b->type);
        EXPECT(a->claims.n == b->claims.n && a->names.n == b->names.n);
        for (size_t i = 0; i < a->claims.n; i++) {
                EXPECT(a->claims.v[i].kind == b->claims.v[i].kind);
                expect_same_slot(&a->claims.v[i].slot, &b->claims.v[i].slot);
        }
        for (size_t i = 0; i < a->names.n; i++)
                expect_same_slot(&a->names.v[i], &b->names.v[i]);
}

/* Item i of the stream of a sample: both sections, a dir before each fact. */
static int put_item(struct gb_buf *out, const struct sample *s, size_t i)
{
        static const enum gb_section sections[] = {GB_SECTION_DIRS, GB_SECTION_OBJECTS};
        size_t half = FACTS + 1; /* a section and FACTS / 2 pairs */
        size_t in = i % half;
        size_t fact = i / half * (FACTS / 2) + (in ? (in - 1) / 2 : 0);

        if (in == 0)
                return gb_facts_put_section(out, sections[i / half]);
        if (in % 2)
                return gb_facts_put_dir(out, &s->facts[fact].gfid, &s->dirs[fact]);
        return gb_facts_put_fact(out, &s->facts[fact]);
}

#define ITEMS (2 * (FACTS + 1))

static void expect_item(const struct gb_item *item, const struct sample *s, size_t i)
{
        size_t half = FACTS + 1;
        size_t in = i % half;
        size_t fact = i / half * (FACTS / 2) + (in ? (in - 1) / 2 : 0);

        if (in == 0) {
                EXPECT(item->kind == GB_ITEM_SECTION);
                EXPECT(item->section == (i ? GB_SECTION_OBJECTS : GB_SECTION_DIRS));
        } else if (in % 2) {
                EXPECT(item->kind == GB_ITEM_DIR && gb_gfid_eq(&item->gfid, &s->facts[fact].gfid));
                expect_same_slot(&item->slot, &s->dirs[fact]);
        } else {
                EXPECT(item->kind == GB_ITEM_FACT);
                expect_same_fact(&item->fact, &s->facts[fact]);
        }
}

START_TEST(items_come_back_as_they_went_in_over_many_blocks)
{
        static struct sample s;
        struct random rnd = {(uint64_t)_i};
        struct gb_item item = {0};
        struct gb_facts_reader r;
        struct gb_buf out;
        size_t i = 0, blocks = 0;

        fill(&s, (uint64_t)_i + 1);
        gb_buf_init(&out, 400 + random_below(&rnd, 600));
        gb_facts_reader_init(&r);
        while (i < ITEMS) {
                size_t first = i;
                int got = 0;

                gb_buf_reset(&out);
                while (i < ITEMS && (got = put_item(&out, &s, i)) == 0)
                        i++;
                ck_assert_int_ge(got, 0);
                ck_assert_uint_gt(i, first);
                gb_facts_feed(&r, out.data, out.len);
                for (size_t j = first; j < i; j++) {
                        EXPECT(gb_facts_next(&r, &item, NULL) == 1);
                        expect_item(&item, &s, j);
                }
                ck_assert_int_eq(gb_facts_next(&r, &item, NULL), 0);
                blocks++;
        }
        ck_assert_uint_gt(blocks, 3);
        gb_fact_fini(&item.fact);
        gb_buf_fini(&out);
        finish(&s);
}
END_TEST

static void expect_good_slot(const struct gb_slot *s)
{
        EXPECT(s->len >= 1 && s->len <= GB_NAME_MAX);
        EXPECT(!memchr(s->name, '/', s->len) && !memchr(s->name, 0, s->len));
        EXPECT(!(s->len == 1 && s->name[0] == '.'));
        EXPECT(!(s->len == 2 && memcmp(s->name, "..", 2) == 0));
}

static void expect_good_fact(const struct gb_fact *f)
{
        EXPECT(f->flags < 256);
        EXPECT(f->look <= GB_LOOK_PARTIAL);
        EXPECT(f->type == 0 || gb_entry_type_valid(f->type));
        EXPECT((f->type != 0) == (f->look == GB_LOOK_PRESENT || f->look == GB_LOOK_PARTIAL));
        EXPECT(f->type || f->names.n == 0);
        for (size_t i = 0; i < f->claims.n; i++) {
                EXPECT(f->claims.v[i].kind >= GB_CLAIM_LOSS && f->claims.v[i].kind <= GB_CLAIM_LINK);
                expect_good_slot(&f->claims.v[i].slot);
        }
        for (size_t i = 0; i < f->names.n; i++)
                expect_good_slot(&f->names.v[i]);
}

/* Read what may be damaged: each item must obey the rules.  Returns the last answer. */
static int read_suspicious(const uint8_t *data, size_t len, size_t *count)
{
        struct gb_error err = {0};
        struct gb_facts_reader r;
        struct gb_item item = {0};
        enum gb_section section = 0;
        uint8_t *copy = malloc(len + !len);
        gb_gfid last = GB_GFID_NULL;
        bool first = true;
        int got;

        EXPECT(copy);
        memcpy(copy, data, len);
        gb_facts_reader_init(&r);
        gb_facts_feed(&r, copy, len);
        for (*count = 0; (got = gb_facts_next(&r, &item, &err)) == 1; (*count)++) {
                if (item.kind == GB_ITEM_SECTION) {
                        EXPECT(item.section > section && item.section <= GB_SECTION_SHARDS);
                        section = item.section;
                        first = true;
                } else if (item.kind == GB_ITEM_DIR) {
                        expect_good_slot(&item.slot);
                } else {
                        expect_good_fact(&item.fact);
                        EXPECT(section != 0);
                        EXPECT(first || gb_gfid_cmp(&item.fact.gfid, &last) > 0);
                        EXPECT(section != GB_SECTION_SHARDS ||
                               (item.fact.claims.n == 0 && item.fact.flags <= GB_FACT_DATA));
                        last = item.fact.gfid;
                        first = false;
                }
        }
        if (got < 0) {
                EXPECT(err.code == GB_ERR_PROTOCOL);
                EXPECT(gb_facts_next(&r, &item, &err) == -1);
        }
        gb_fact_fini(&item.fact);
        free(copy);
        return got;
}

static void encode(const struct sample *s, size_t items, struct gb_buf *out)
{
        gb_buf_init(out, 1 << 20);
        for (size_t i = 0; i < items; i++)
                ck_assert_int_eq(put_item(out, s, i), 0);
}

START_TEST(every_truncation_ends_early_or_fails)
{
        static struct sample s;
        struct gb_buf out;
        size_t count, clean = 0;

        fill(&s, (uint64_t)_i + 30);
        encode(&s, ITEMS, &out);
        for (size_t len = 0; len < out.len; len++) {
                if (read_suspicious(out.data, len, &count) == 0)
                        clean++;
                EXPECT(count < ITEMS);
        }
        ck_assert_uint_eq(clean, ITEMS);
        ck_assert_int_eq(read_suspicious(out.data, out.len, &count), 0);
        ck_assert_uint_eq(count, ITEMS);
        gb_buf_fini(&out);
        finish(&s);
}
END_TEST

START_TEST(every_bit_flip_obeys_the_rules_or_fails)
{
        static struct sample s;
        struct gb_buf out;
        size_t count, refused = 0;

        fill(&s, (uint64_t)_i + 40);
        encode(&s, 16, &out);
        for (size_t bit = 0; bit < out.len * 8; bit++) {
                out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
                refused += read_suspicious(out.data, out.len, &count) < 0;
                out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        ck_assert_uint_gt(refused, 0);
        gb_buf_fini(&out);
        finish(&s);
}
END_TEST

START_TEST(noise_never_crashes_the_reader)
{
        struct random r = {(uint64_t)_i};
        uint8_t data[300];
        size_t count;

        for (int round = 0; round < 3000; round++) {
                size_t len = random_below(&r, sizeof(data));

                for (size_t i = 0; i < len; i++)
                        data[i] = (uint8_t)random_below(&r, random_below(&r, 8) ? 4 : 256);
                if (len > 1) {
                        data[0] = GB_ITEM_SECTION;
                        data[1] = GB_SECTION_DIRS;
                }
                read_suspicious(data, len, &count);
        }
}
END_TEST

/* A buffer with a section, ready for one bad item. */
static void begin(struct gb_buf *out, enum gb_section section)
{
        gb_buf_init(out, 1 << 20);
        gb_facts_put_section(out, section);
}

/* Is all of *out accepted?  Ends *out. */
static bool accepted(struct gb_buf *out)
{
        size_t count;
        bool good = read_suspicious(out->data, out->len, &count) == 0;

        gb_buf_fini(out);
        return good;
}

/* A fact without claims and names but for what is given. */
static void put_raw_fact(struct gb_buf *out, uint8_t last, uint64_t flags, uint8_t look, uint8_t type,
                         uint64_t claims)
{
        gb_gfid g = {{[15] = last}};

        gb_buf_put_u8(out, GB_ITEM_FACT);
        gb_buf_put_gfid(out, &g);
        gb_buf_put_varint(out, flags);
        gb_buf_put_u8(out, look);
        gb_buf_put_u8(out, type);
        gb_buf_put_varint(out, claims);
        gb_buf_put_varint(out, 0);
}

static bool raw_fact_accepted(uint64_t flags, uint8_t look, uint8_t type, uint64_t claims)
{
        struct gb_buf out;

        begin(&out, GB_SECTION_OBJECTS);
        put_raw_fact(&out, 9, flags, look, type, claims);
        return accepted(&out);
}

START_TEST(reader_refuses_impossible_facts)
{
        ck_assert(raw_fact_accepted(0, GB_LOOK_NONE, 0, 0));
        ck_assert(raw_fact_accepted(255, GB_LOOK_PRESENT, 'd', 0));
        ck_assert(!raw_fact_accepted(256, GB_LOOK_NONE, 0, 0));
        ck_assert(!raw_fact_accepted(UINT64_C(1) << 32, GB_LOOK_NONE, 0, 0));
        ck_assert(!raw_fact_accepted(0, 4, 0, 0));
        ck_assert(!raw_fact_accepted(0, GB_LOOK_ABSENT, 'f', 0));
        ck_assert(!raw_fact_accepted(0, GB_LOOK_PRESENT, 0, 0));
        ck_assert(!raw_fact_accepted(0, GB_LOOK_PRESENT, 'x', 0));
        ck_assert(!raw_fact_accepted(0, GB_LOOK_PRESENT, 'f' | 0x80, 0));
        ck_assert(!raw_fact_accepted(0, GB_LOOK_NONE, 0, 1));
        ck_assert(!raw_fact_accepted(0, GB_LOOK_NONE, 0, GB_LINKS_MAX + 1));
        ck_assert(!raw_fact_accepted(0, GB_LOOK_NONE, 0, UINT64_MAX));
}
END_TEST

static bool claim_accepted(uint8_t kind)
{
        struct gb_buf out;

        begin(&out, GB_SECTION_OBJECTS);
        gb_buf_put_u8(&out, GB_ITEM_FACT);
        gb_buf_put_gfid(&out, &GB_GFID_SHARD);
        gb_buf_put(&out, "\0\0\0\1", 4); /* flags, look, type, one claim */
        gb_buf_put_u8(&out, kind);
        gb_buf_put_gfid(&out, &GB_GFID_ROOT);
        gb_buf_put_bytes(&out, "name", 4);
        gb_buf_put_varint(&out, 0);
        return accepted(&out);
}

START_TEST(reader_knows_the_kinds_of_claims)
{
        for (unsigned kind = 0; kind < 256; kind++)
                ck_assert_int_eq(claim_accepted((uint8_t)kind),
                                 kind >= GB_CLAIM_LOSS && kind <= GB_CLAIM_LINK);
}
END_TEST

START_TEST(reader_refuses_what_stands_in_the_wrong_place)
{
        struct gb_buf out;

        gb_buf_init(&out, 1000);
        put_raw_fact(&out, 1, 0, 0, 0, 0);
        ck_assert(!accepted(&out)); /* no section yet */

        begin(&out, GB_SECTION_OBJECTS);
        put_raw_fact(&out, 2, 0, 0, 0, 0);
        put_raw_fact(&out, 2, 0, 0, 0, 0);
        ck_assert(!accepted(&out)); /* twice */

        begin(&out, GB_SECTION_OBJECTS);
        put_raw_fact(&out, 2, 0, 0, 0, 0);
        put_raw_fact(&out, 1, 0, 0, 0, 0);
        ck_assert(!accepted(&out)); /* descending */

        begin(&out, GB_SECTION_OBJECTS);
        put_raw_fact(&out, 2, 0, 0, 0, 0);
        gb_facts_put_section(&out, GB_SECTION_SHARDS);
        put_raw_fact(&out, 1, GB_FACT_DATA, 0, 0, 0);
        ck_assert(accepted(&out)); /* each section begins anew */

        begin(&out, GB_SECTION_OBJECTS);
        gb_facts_put_section(&out, GB_SECTION_OBJECTS);
        ck_assert(!accepted(&out));

        begin(&out, GB_SECTION_OBJECTS);
        gb_facts_put_section(&out, GB_SECTION_DIRS);
        ck_assert(!accepted(&out));

        begin(&out, (enum gb_section)4);
        ck_assert(!accepted(&out));

        begin(&out, GB_SECTION_SHARDS);
        put_raw_fact(&out, 1, GB_FACT_META, 0, 0, 0);
        ck_assert(!accepted(&out)); /* only data there */

        begin(&out, GB_SECTION_DIRS);
        gb_buf_put_u8(&out, 4);
        ck_assert(!accepted(&out)); /* no such item */
}
END_TEST

static bool dir_accepted(const char *name, size_t len)
{
        struct gb_buf out;

        begin(&out, GB_SECTION_DIRS);
        gb_buf_put_u8(&out, GB_ITEM_DIR);
        gb_buf_put_gfid(&out, &GB_GFID_SHARD);
        gb_buf_put_gfid(&out, &GB_GFID_ROOT);
        gb_buf_put_bytes(&out, name, len);
        return accepted(&out);
}

START_TEST(reader_refuses_bad_names)
{
        char name[GB_NAME_MAX + 1];

        memset(name, 'a', sizeof(name));
        ck_assert(dir_accepted("a", 1));
        ck_assert(dir_accepted("...", 3));
        ck_assert(dir_accepted(name, GB_NAME_MAX));
        ck_assert(!dir_accepted(name, GB_NAME_MAX + 1));
        ck_assert(!dir_accepted("", 0));
        ck_assert(!dir_accepted(".", 1));
        ck_assert(!dir_accepted("..", 2));
        ck_assert(!dir_accepted("a/b", 3));
        ck_assert(!dir_accepted("a\0b", 3));
}
END_TEST

START_TEST(a_fact_alone_goes_both_ways)
{
        static struct sample s;
        struct gb_fact f = {0};
        struct gb_reader in;
        struct gb_buf out;

        fill(&s, 99);
        gb_buf_init(&out, 1 << 20);
        for (size_t i = 0; i < FACTS; i++)
                ck_assert_int_eq(gb_fact_encode(&out, &s.facts[i]), 0);
        in = (struct gb_reader){out.data, out.data + out.len};
        for (size_t i = 0; i < FACTS; i++) {
                ck_assert(gb_fact_decode(&in, &f));
                expect_same_fact(&f, &s.facts[i]);
        }
        ck_assert_uint_eq(gb_reader_left(&in), 0);
        ck_assert(!gb_fact_decode(&in, &f));
        gb_fact_fini(&f);
        gb_buf_fini(&out);
        finish(&s);
}
END_TEST

START_TEST(a_put_without_room_writes_nothing)
{
        struct gb_slot slot = {.name = "name", .len = 4};
        struct gb_claim claim = {.kind = GB_CLAIM_LOSS, .slot = slot};
        struct gb_fact f = {.flags = GB_FACT_DATA};
        struct gb_buf out;

        ck_assert_int_eq(gb_vec_push(&f.claims, claim), 0);
        gb_buf_init(&out, 64);
        ck_assert_int_eq(gb_facts_put_dir(&out, &GB_GFID_ROOT, &slot), 0);
        ck_assert_uint_eq(out.len, 38);
        ck_assert_int_eq(gb_facts_put_dir(&out, &GB_GFID_ROOT, &slot), 1);
        ck_assert_int_eq(gb_facts_put_fact(&out, &f), 1);
        ck_assert_uint_eq(out.len, 38);
        gb_buf_reset(&out);
        ck_assert_int_eq(gb_facts_put_fact(&out, &f), 0);
        gb_buf_reset(&out);
        for (int i = 0; i < 3; i++)
                ck_assert_int_eq(gb_vec_push(&f.claims, claim), 0);
        ck_assert_int_eq(gb_facts_put_fact(&out, &f), -1);
        ck_assert_int_eq(gb_fact_encode(&out, &f), -1);
        f.claims.v[0].slot.len = 0;
        f.claims.n = 1;
        ck_assert_int_eq(gb_facts_put_fact(&out, &f), -1);
        slot.len = GB_NAME_MAX + 1;
        ck_assert_int_eq(gb_facts_put_dir(&out, &GB_GFID_ROOT, &slot), -1);
        ck_assert_uint_eq(out.len, 0);
        gb_buf_fini(&out);
        gb_fact_fini(&f);
}
END_TEST

START_TEST(slots_order_by_parent_then_name)
{
        struct gb_slot a = {.parent = GB_GFID_ROOT, .name = "ab", .len = 2};
        struct gb_slot b = a;

        b.len = 1;
        ck_assert_int_gt(gb_slot_cmp(&a, &b), 0);
        ck_assert(!gb_slot_eq(&a, &b));
        b = a;
        b.name = "b\xff";
        ck_assert_int_lt(gb_slot_cmp(&a, &b), 0);
        a.parent = GB_GFID_SHARD;
        ck_assert_int_gt(gb_slot_cmp(&a, &b), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("facts");
        TCase *tc = tcase_create("facts");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, items_come_back_as_they_went_in_over_many_blocks, 0, 20);
        tcase_add_loop_test(tc, every_truncation_ends_early_or_fails, 0, 2);
        tcase_add_loop_test(tc, every_bit_flip_obeys_the_rules_or_fails, 0, 3);
        tcase_add_loop_test(tc, noise_never_crashes_the_reader, 0, 3);
        tcase_add_test(tc, reader_refuses_impossible_facts);
        tcase_add_test(tc, reader_knows_the_kinds_of_claims);
        tcase_add_test(tc, reader_refuses_what_stands_in_the_wrong_place);
        tcase_add_test(tc, reader_refuses_bad_names);
        tcase_add_test(tc, a_fact_alone_goes_both_ways);
        tcase_add_test(tc, a_put_without_room_writes_nothing);
        tcase_add_test(tc, slots_order_by_parent_then_name);
        suite_add_tcase(suite, tc);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
