/*
 * modelfs - see modelfs.h.  Everything is searched linearly: a model has some dozens of names.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "../unit/random.h"
#include "modelfs.h"

/* Few names, so that they are born, lost and met again; some on either side of '/'. */
static const char *const pool[] = {"a", "b", "c", "d", "a.", "a\x01", "\xff", "b0"};
#define POOL_SIZE   (sizeof(pool) / sizeof(pool[0]))
#define OBJECTS_MAX 64 /* with a name */
#define DEPTH_MAX   6

#define PUSH(vec, item)                                                                                      \
        do {                                                                                                 \
                if (gb_vec_push((vec), (item)) < 0)                                                          \
                        abort();                                                                             \
        } while (0)

static struct random step_random(const struct model *m, unsigned number)
{
        struct random r = {m->seed * 0x2545f4914f6cdd1du + number};

        r.state = random_next(&r); /* far from where its neighbours are */
        return r;
}

void model_init(struct model *m, const struct model_options *o, uint64_t seed)
{
        struct model_object root = {.gfid = GB_GFID_ROOT, .type = 'd'};
        struct random r;

        memset(m, 0, sizeof(*m));
        m->o = *o;
        m->seed = seed;
        r = step_random(m, 0x7fffffff);
        m->volume_id = random_gfid(&r);
        PUSH(&m->objects, root);
}

void model_fini(struct model *m)
{
        for (unsigned b = 0; b < MODEL_BRICKS_MAX; b++) {
                gb_vec_free(&m->bricks[b].records);
                gb_vec_free(&m->bricks[b].stale);
                gb_vec_free(&m->bricks[b].told_before);
        }
        gb_vec_free(&m->objects);
        gb_vec_free(&m->names);
        gb_vec_free(&m->before);
}

static void copy_names(struct model_names *to, const struct model_names *from)
{
        if (gb_vec_reserve(to, from->n) < 0)
                abort();
        if (from->n)
                memcpy(to->v, from->v, from->n * sizeof(*from->v));
        to->n = from->n;
}

void model_cut(struct model *m)
{
        for (unsigned i = 0; i < model_bricks(m); i++) {
                struct model_brick *b = &m->bricks[i];

                b->cut = b->records.n;
                b->away_at_cut = b->down && !b->lagging;
                b->behind_at_cut = b->down;
                b->restarted_at_cut = b->restarted;
                b->restarted = false;
        }
}

void model_snapshot(struct model *to, const struct model *m)
{
        memset(to, 0, sizeof(*to));
        to->o = m->o;
        to->clock = m->clock;
        to->volume_id = m->volume_id;
        copy_names(&to->names, &m->names);
        if (gb_vec_reserve(&to->objects, m->objects.n) < 0)
                abort();
        memcpy(to->objects.v, m->objects.v, m->objects.n * sizeof(*m->objects.v));
        to->objects.n = m->objects.n;
}

void model_open_window(struct model *m, const struct model *cut)
{
        for (unsigned i = 0; i < model_bricks(m); i++) {
                struct model_brick *b = &m->bricks[i];

                b->away = b->away_at_cut;
                b->behind = b->behind_at_cut;
                b->told_before.n = 0;
                for (size_t k = 0; m->o.before && k < b->cut; k++)
                        PUSH(&b->told_before, b->records.v[k].gfid);
                b->records.n -= b->cut;
                if (b->records.n)
                        memmove(b->records.v, b->records.v + b->cut, b->records.n * sizeof(*b->records.v));
                b->cut = 0;
        }
        copy_names(&m->before, &cut->names);
        m->before_clock = cut->clock;
        m->dir_victims = m->tail_victims;
        m->tail_victims = 0;
        m->overwritten = false;
}

/* ---- reading ---- */

unsigned model_bricks(const struct model *m)
{
        return m->o.sets * m->o.replicas;
}

unsigned model_set_of(const struct model *m, unsigned brick)
{
        return brick / m->o.replicas;
}

static struct model_name *at(const struct model_names *names, unsigned dir, const char *name, size_t len)
{
        for (size_t i = 0; i < names->n; i++)
                if (names->v[i].dir == dir && strlen(names->v[i].name) == len &&
                    memcmp(names->v[i].name, name, len) == 0)
                        return &names->v[i];
        return NULL;
}

static struct model_name *name_of(const struct model_names *names, unsigned object)
{
        for (size_t i = 0; i < names->n; i++)
                if (names->v[i].object == object)
                        return &names->v[i];
        return NULL;
}

unsigned model_links(const struct model_names *names, unsigned object)
{
        unsigned n = 0;

        for (size_t i = 0; i < names->n; i++)
                n += names->v[i].object == object;
        return n;
}

int model_lookup(const struct model *m, const struct model_names *names, const char *path, size_t len)
{
        const char *end = path + len;
        unsigned dir = 0;

        (void)m;
        while (path < end) {
                const char *slash = memchr(path, '/', (size_t)(end - path));
                size_t n = (size_t)((slash ? slash : end) - path);
                const struct model_name *here = at(names, dir, path, n);

                if (!here)
                        return -1;
                dir = here->object;
                path += n + 1;
        }
        return (int)dir;
}

int model_find(const struct model *m, const gb_gfid *gfid)
{
        for (size_t i = 0; i < m->objects.n; i++)
                if (gb_gfid_eq(&m->objects.v[i].gfid, gfid))
                        return (int)i;
        return -1;
}

struct gb_slot model_slot(const struct model *m, const struct model_name *name)
{
        return (struct gb_slot){m->objects.v[name->dir].gfid, name->name, strlen(name->name)};
}

size_t model_path(const struct model_names *names, const struct model_name *name, char *out)
{
        const struct model_name *chain[MODEL_PATH_MAX / 4];
        size_t n = 0, len = 0;

        for (; name; name = name->dir ? name_of(names, name->dir) : NULL) {
                if (n == sizeof(chain) / sizeof(chain[0]))
                        abort();
                chain[n++] = name;
        }
        while (n-- > 0) {
                size_t more = strlen(chain[n]->name);

                memcpy(out + len, chain[n]->name, more);
                len += more;
                out[len++] = n ? '/' : '\0';
        }
        return len - 1;
}

static unsigned depth_of(const struct model_names *names, unsigned dir)
{
        unsigned depth = 0;

        for (; dir; depth++)
                dir = name_of(names, dir)->dir;
        return depth;
}

static bool within(const struct model *m, unsigned object, unsigned dir)
{
        for (;; object = name_of(&m->names, object)->dir) {
                if (object == dir)
                        return true;
                if (!object)
                        return false;
        }
}

static bool is_empty(const struct model *m, unsigned dir)
{
        for (size_t i = 0; i < m->names.n; i++)
                if (m->names.v[i].dir == dir)
                        return false;
        return true;
}

/* ---- records ---- */

static void record_on(struct model *m, unsigned brick, const struct model_record *r)
{
        if (!m->bricks[brick].down)
                PUSH(&m->bricks[brick].records, *r);
}

static void record_on_set(struct model *m, unsigned set, const struct model_record *r)
{
        for (unsigned i = 0; i < m->o.replicas; i++)
                record_on(m, set * m->o.replicas + i, r);
}

/* Files on the bricks of their set, directories on all. */
static void record(struct model *m, unsigned object, enum model_fop fop, const struct gb_slot *from,
                   const struct gb_slot *to)
{
        const struct model_object *o = &m->objects.v[object];
        struct model_record r = {.fop = fop, .gfid = o->gfid};

        if (from)
                r.from = *from;
        if (to)
                r.to = *to;
        for (unsigned set = 0; set < m->o.sets; set++)
                if (o->type == 'd' || o->set == set)
                        record_on_set(m, set, &r);
}

static void say(struct model *m, const char *what, const struct model_name *a, const struct model_name *b)
{
        char path[MODEL_PATH_MAX];

        if (!m->log)
                return;
        fprintf(m->log, "  %s", what);
        for (unsigned i = 0; i < 2; i++) {
                const struct model_name *n = i ? b : a;

                if (!n)
                        continue;
                fputc(' ', m->log);
                for (size_t len = model_path(&m->names, n, path), k = 0; k < len; k++)
                        fprintf(m->log, path[k] > 0x20 && path[k] < 0x7f ? "%c" : "%%%02x",
                                (unsigned char)path[k]);
                if (n->object < m->objects.n && m->objects.v[n->object].type != 'd')
                        fprintf(m->log, "[set %u]", m->objects.v[n->object].set);
        }
        fputc('\n', m->log);
}

/* ---- primitives: the user's system calls ---- */

static unsigned make(struct model *m, struct random *r, unsigned dir, const char *name, char type)
{
        struct model_object o = {.type = type, .data = ++m->clock, .meta = m->clock};
        struct model_name n = {.dir = dir, .name = name, .object = (unsigned)m->objects.n};
        struct gb_slot slot = model_slot(m, &n);
        enum model_fop fop;

        o.gfid = random_gfid(r);
        o.set = (unsigned)random_below(r, m->o.sets);
        o.partial = m->o.partial && type == 'f' && random_below(r, 4) == 0;
        PUSH(&m->objects, o);
        fop = type == 'd'               ? MODEL_MKDIR
              : type == 'l'             ? MODEL_SYMLINK
              : type == 'p'             ? MODEL_MKNOD_SPECIAL
              : random_below(r, 8) == 0 ? MODEL_MKNOD
                                        : MODEL_CREATE;
        say(m, type == 'd' ? "mkdir" : type == 'l' ? "symlink" : type == 'p' ? "mkfifo" : "create", &n, NULL);
        PUSH(&m->names, n);
        record(m, n.object, fop, &slot, NULL);
        if (type == 'f' && random_below(r, 2))
                record(m, n.object, MODEL_DATA, NULL, NULL);
        return n.object;
}

static void forget(struct model *m, const struct model_name *n)
{
        size_t i = (size_t)(n - m->names.v);

        memmove(m->names.v + i, m->names.v + i + 1, (m->names.n - i - 1) * sizeof(*n));
        m->names.n--;
}

static void drop(struct model *m, struct random *r, struct model_name *n)
{
        const struct model_object *o = &m->objects.v[n->object];
        struct gb_slot slot = model_slot(m, n);

        say(m, o->type == 'd' ? "rmdir" : "unlink", n, NULL);
        record(m, n->object, o->type == 'd' ? MODEL_RMDIR : MODEL_UNLINK, &slot, NULL);
        if (o->type != 'd' && m->o.linkto && random_below(r, 3) == 0) {
                struct model_record u = {.fop = MODEL_UNLINK, .gfid = o->gfid, .from = slot};
                unsigned set = (unsigned)random_below(r, m->o.sets);

                if (set != o->set)
                        record_on_set(m, set, &u);
        }
        forget(m, n);
}

static bool may_move(const struct model *m, const struct model_name *n, unsigned dir, const char *name)
{
        const struct model_name *victim = at(&m->names, dir, name, strlen(name));
        bool is_dir = m->objects.v[n->object].type == 'd';

        if (is_dir && within(m, dir, n->object))
                return false;
        if (is_dir && depth_of(&m->names, dir) >= DEPTH_MAX)
                return false;
        if (!victim)
                return true;
        if (victim->object == n->object || (m->objects.v[victim->object].type == 'd') != is_dir)
                return false;
        return !is_dir || is_empty(m, victim->object);
}

static bool move(struct model *m, unsigned from_dir, const char *from_name, unsigned dir, const char *name)
{
        struct model_name *n = at(&m->names, from_dir, from_name, strlen(from_name)), *victim;
        struct model_name to;
        struct gb_slot from_slot, to_slot;

        if (!n || !may_move(m, n, dir, name))
                return false;
        to = (struct model_name){.dir = dir, .name = name, .object = n->object};
        from_slot = model_slot(m, n);
        to_slot = model_slot(m, &to);
        say(m, "rename", n, &to);
        record(m, n->object, MODEL_RENAME, &from_slot, &to_slot);
        victim = at(&m->names, dir, name, strlen(name));
        if (victim) {
                *(m->tail ? &m->tail_victims : &m->dir_victims) += m->objects.v[victim->object].type == 'd';
                m->overwritten = m->overwritten || m->tail;
                forget(m, victim);
        }
        *at(&m->names, from_dir, from_name, strlen(from_name)) = to;
        return true;
}

static void change(struct model *m, unsigned object, enum model_fop fop)
{
        struct model_object *o = &m->objects.v[object];
        const struct model_name *n = name_of(&m->names, object);

        say(m, fop == MODEL_DATA ? "write" : fop == MODEL_SETATTR ? "setattr" : "setxattr", n, NULL);
        if (fop == MODEL_DATA)
                o->data = ++m->clock;
        else
                o->meta = ++m->clock;
        record(m, object, fop, NULL, NULL);
}

static void link_to(struct model *m, const struct model_name *from, unsigned dir, const char *name)
{
        struct model_name n = {.dir = dir, .name = name, .object = from->object};
        struct gb_slot slot = model_slot(m, &n);

        say(m, "link", from, &n);
        record(m, n.object, MODEL_LINK, &slot, NULL);
        PUSH(&m->names, n);
}

static void drop_tree(struct model *m, struct random *r, unsigned dir)
{
        for (size_t i = m->names.n; i-- > 0;) {
                if (i >= m->names.n || m->names.v[i].dir != dir)
                        continue;
                if (m->objects.v[m->names.v[i].object].type == 'd') {
                        drop_tree(m, r, m->names.v[i].object);
                        i = m->names.n; /* everything may have shifted */
                } else {
                        drop(m, r, &m->names.v[i]);
                }
        }
        drop(m, r, name_of(&m->names, dir));
}

/* ---- what GlusterFS does by itself ---- */

/* The linkto file of an existing name is removed: an UNLINK that means nothing. */
static void false_unlink(struct model *m, struct random *r, const struct model_name *n)
{
        const struct model_object *o = &m->objects.v[n->object];
        struct model_record u = {.fop = MODEL_UNLINK, .gfid = o->gfid, .from = model_slot(m, n)};
        unsigned set = (unsigned)random_below(r, m->o.sets);

        if (o->type == 'd' || set == o->set)
                return;
        say(m, "(linkto removed)", n, NULL);
        record_on_set(m, set, &u);
}

/* A set that lacked an old directory makes it: only if nothing was recorded of it there before. */
static void late_mkdir(struct model *m, struct random *r, const struct model_name *n)
{
        const struct model_object *o = &m->objects.v[n->object];
        struct model_record u = {.fop = MODEL_MKDIR, .gfid = o->gfid, .from = model_slot(m, n)};
        unsigned set = (unsigned)random_below(r, m->o.sets);

        if (o->type != 'd' || m->o.sets < 2)
                return;
        for (unsigned i = 0; i < m->o.replicas; i++) {
                const struct model_brick *b = &m->bricks[set * m->o.replicas + i];

                for (size_t k = 0; k < b->records.n; k++)
                        if (gb_gfid_eq(&b->records.v[k].gfid, &o->gfid) ||
                            gb_gfid_eq(&b->records.v[k].from.parent, &o->gfid) ||
                            gb_gfid_eq(&b->records.v[k].to.parent, &o->gfid))
                                return;
        }
        say(m, "(late mkdir)", n, NULL);
        record_on_set(m, set, &u);
}

static void migrate(struct model *m, struct random *r, const struct model_name *n)
{
        struct model_object *o = &m->objects.v[n->object];
        unsigned set = (unsigned)random_below(r, m->o.sets);

        if (o->type == 'd' || set == o->set)
                return;
        for (unsigned i = 0; i < model_bricks(m); i++)
                if (m->bricks[i].down) /* a healed brick would have to tell a migrated file from a new one */
                        return;
        say(m, "(migrated)", n, NULL);
        o->set = set;
}

static void go_down(struct model *m, unsigned brick)
{
        struct model_brick *b = &m->bricks[brick];
        unsigned first = brick - brick % m->o.replicas;

        for (unsigned i = 0; i < m->o.replicas; i++)
                if (m->bricks[first + i].down ||
                    (m->o.late && (m->bricks[first + i].restarted || m->bricks[first + i].behind)))
                        return;
        if (m->log)
                fprintf(m->log, "  (brick %u down)\n", brick);
        b->down = true;
        b->down_clock = m->clock;
        copy_names(&b->stale, &m->names);
}

static bool held_by(const struct model_names *names, const struct model_name *n)
{
        const struct model_name *here = at(names, n->dir, n->name, strlen(n->name));

        return here && here->object == n->object;
}

static bool on_brick(const struct model *m, unsigned brick, unsigned object)
{
        const struct model_object *o = &m->objects.v[object];

        return o->type == 'd' || o->set == model_set_of(m, brick);
}

/* A name that only the brick's siblings have: facts 6.5. */
static void heal_name(struct model *m, struct random *r, unsigned brick, const struct model_name *n)
{
        const struct model_object *o = &m->objects.v[n->object];
        struct model_brick *b = &m->bricks[brick];
        bool known = name_of(&b->stale, n->object) != NULL;
        struct model_record e = {.gfid = o->gfid, .from = model_slot(m, n)};

        e.fop = o->type == 'd'   ? MODEL_MKDIR
                : o->type == 'f' ? MODEL_MKNOD
                : o->type == 'p' ? MODEL_MKNOD_SPECIAL
                : known          ? MODEL_LINK
                                 : MODEL_SYMLINK;
        if (o->type == 'd' && known && random_below(r, 2)) { /* by way of the anonymous directory */
                struct model_record away = {.fop = MODEL_RENAME, .gfid = o->gfid};
                struct gb_slot anonymous = {gb_gfid_anonymous_dir(&m->volume_id), "anonymous", 9};

                away.from = model_slot(m, name_of(&b->stale, n->object));
                away.to = anonymous;
                record_on(m, brick, &away);
                e.fop = MODEL_RENAME;
                e.to = e.from;
                e.from = anonymous;
        }
        record_on(m, brick, &e);
        if (o->type == 'f' && !known) {
                struct model_record d = {.fop = MODEL_DATA, .gfid = o->gfid};

                record_on(m, brick, &d);
        }
}

static void heal_dropped(struct model *m, unsigned brick)
{
        struct model_brick *b = &m->bricks[brick];

        for (size_t i = b->stale.n; i-- > 0;) {
                const struct model_name *n = &b->stale.v[i];
                const struct model_object *o = &m->objects.v[n->object];
                struct model_record u = {.fop = o->type == 'd' ? MODEL_RMDIR : MODEL_UNLINK,
                                         .gfid = o->gfid,
                                         .from = model_slot(m, n)};

                if (!on_brick(m, brick, n->object) || name_of(&m->names, n->object))
                        continue;
                record_on(m, brick, &u);
        }
}

static void heal_content(struct model *m, unsigned brick)
{
        for (unsigned i = 0; i < m->objects.n; i++) {
                const struct model_object *o = &m->objects.v[i];
                struct model_record c = {.fop = MODEL_DATA, .gfid = o->gfid};

                if (!name_of(&m->names, i) || !on_brick(m, brick, i))
                        continue;
                if (o->data > m->bricks[brick].down_clock && o->type == 'f')
                        record_on(m, brick, &c);
                c.fop = MODEL_SETATTR;
                if (o->meta > m->bricks[brick].down_clock)
                        record_on(m, brick, &c);
        }
}

static void come_up(struct model *m, struct random *r, unsigned brick)
{
        struct model_brick *b = &m->bricks[brick];
        bool dropped_first = random_below(r, 2);

        if (m->log)
                fprintf(m->log, "  (brick %u up and healed)\n", brick);
        b->down = b->lagging = false;
        b->restarted = true;
        if (dropped_first)
                heal_dropped(m, brick);
        for (unsigned depth = 0; depth <= DEPTH_MAX * 4; depth++)
                for (size_t i = 0; i < m->names.n; i++)
                        if (on_brick(m, brick, m->names.v[i].object) && !held_by(&b->stale, &m->names.v[i]) &&
                            depth_of(&m->names, m->names.v[i].dir) == depth)
                                heal_name(m, r, brick, &m->names.v[i]);
        if (!dropped_first)
                heal_dropped(m, brick);
        heal_content(m, brick);
}

static void shard_write(struct model *m, struct random *r, const struct model_name *n)
{
        struct model_object *o = &m->objects.v[n->object];
        struct model_record s = {.fop = MODEL_SHARD, .gfid = o->gfid};

        if (o->type != 'f')
                return;
        say(m, "write in a shard", n, NULL);
        o->data = ++m->clock;
        record_on_set(m, (unsigned)random_below(r, m->o.sets), &s);
}

/* ---- steps ---- */

static unsigned some_dir(const struct model *m, struct random *r)
{
        for (unsigned tries = 0; m->names.n && tries < 6; tries++) {
                const struct model_name *n = &m->names.v[random_below(r, m->names.n)];

                if (m->objects.v[n->object].type == 'd' && depth_of(&m->names, n->object) < DEPTH_MAX)
                        return random_below(r, 5) ? n->object : 0;
        }
        return 0;
}

static const char *some_name(struct random *r)
{
        return pool[random_below(r, POOL_SIZE)];
}

static void step_make(struct model *m, struct random *r)
{
        static const char types[] = "fffffffffflpddddd";
        unsigned dir = some_dir(m, r);
        const char *name = some_name(r);

        if (!at(&m->names, dir, name, strlen(name)) && m->names.n < OBJECTS_MAX)
                make(m, r, dir, name, types[random_below(r, sizeof(types) - 1)]);
}

static void step_link(struct model *m, struct random *r, const struct model_name *n)
{
        unsigned dir = some_dir(m, r);
        const char *name = some_name(r);

        if (m->objects.v[n->object].type != 'd' && !at(&m->names, dir, name, strlen(name)) &&
            m->names.n < OBJECTS_MAX)
                link_to(m, n, dir, name);
}

static void step_swap(struct model *m, struct random *r, struct model_name a)
{
        struct model_name b = m->names.v[random_below(r, m->names.n)];

        if (at(&m->names, 0, "t", 1) || !move(m, a.dir, a.name, 0, "t"))
                return;
        move(m, b.dir, b.name, a.dir, a.name);
        if (!move(m, 0, "t", b.dir, b.name))
                move(m, 0, "t", a.dir, a.name);
}

static void step_there_and_back(struct model *m, struct random *r, struct model_name n)
{
        unsigned dir = some_dir(m, r);
        const char *name = some_name(r);

        if (!move(m, n.dir, n.name, dir, name))
                return;
        if (random_below(r, 2))
                change(m, n.object, m->objects.v[n.object].type == 'f' ? MODEL_DATA : MODEL_SETATTR);
        move(m, dir, name, n.dir, n.name);
}

static void step_reborn(struct model *m, struct random *r, struct model_name n)
{
        static const char types[] = "fffdl";

        if (m->objects.v[n.object].type == 'd')
                drop_tree(m, r, n.object);
        else
                drop(m, r, at(&m->names, n.dir, n.name, strlen(n.name)));
        make(m, r, n.dir, n.name, types[random_below(r, sizeof(types) - 1)]);
}

static void step_save(struct model *m, struct random *r, struct model_name n)
{
        if (m->objects.v[n.object].type != 'f' || at(&m->names, n.dir, "t", 1))
                return;
        make(m, r, n.dir, "t", 'f');
        if (!move(m, n.dir, "t", n.dir, n.name))
                abort();
}

static void step_drop(struct model *m, struct random *r, struct model_name *n)
{
        if (m->objects.v[n->object].type != 'd')
                drop(m, r, n);
        else if (is_empty(m, n->object) || random_below(r, 4) == 0)
                drop_tree(m, r, n->object);
}

static void step_change(struct model *m, struct random *r, const struct model_name *n)
{
        if (m->objects.v[n->object].type == 'f' && random_below(r, 2))
                change(m, n->object, MODEL_DATA);
        else
                change(m, n->object, random_below(r, 2) ? MODEL_SETATTR : MODEL_SETXATTR);
}

static void step_gluster(struct model *m, struct random *r, struct model_name *n)
{
        switch (random_below(r, 6)) {
        case 0:
                if (m->o.linkto)
                        false_unlink(m, r, n);
                break;
        case 1:
                if (m->o.linkto)
                        late_mkdir(m, r, n);
                break;
        case 2:
                if (m->o.migrate)
                        migrate(m, r, n);
                break;
        case 3:
        case 4:
                if (m->o.heal) {
                        unsigned b = (unsigned)random_below(r, model_bricks(m));

                        if (!m->bricks[b].down)
                                go_down(m, b);
                        else if (m->o.late && !m->bricks[b].lagging)
                                m->bricks[b].lagging = m->bricks[b].restarted = true;
                        else
                                come_up(m, r, b);
                }
                break;
        default:
                if (m->o.shards)
                        shard_write(m, r, n);
                else
                        record(m, 0, MODEL_SETXATTR, NULL, NULL); /* a mount looks at the root */
        }
}

void model_step(struct model *m, unsigned number)
{
        struct random r = step_random(m, number);
        size_t what = random_below(&r, 100);
        size_t pick = (size_t)random_next(&r);
        struct model_name *n;
        unsigned dir = some_dir(m, &r);

        if (m->names.n < 3 || what < 22) {
                step_make(m, &r);
                return;
        }
        n = &m->names.v[pick % m->names.n];
        if (what < 30)
                step_link(m, &r, n);
        else if (what < 40)
                step_change(m, &r, n);
        else if (what < 58)
                move(m, n->dir, n->name, dir, some_name(&r));
        else if (what < 63)
                step_swap(m, &r, *n);
        else if (what < 66)
                step_there_and_back(m, &r, *n);
        else if (what < 71)
                step_reborn(m, &r, *n);
        else if (what < 75)
                step_save(m, &r, *n);
        else if (what < 88)
                step_drop(m, &r, n);
        else
                step_gluster(m, &r, n);
}

void model_rest(struct model *m, unsigned number)
{
        struct random r = step_random(m, number);

        for (unsigned b = 0; b < model_bricks(m); b++)
                if (m->bricks[b].down && !m->o.late)
                        come_up(m, &r, b);
}
