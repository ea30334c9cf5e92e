/*
 * modelmirror - see modelmirror.h.
 */
#include <config.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "modelmirror.h"

#define MIRROR_ASIDE (-1)
#define MIRROR_GONE  (-2)

#define PUSH(vec, item)                                                                                      \
        do {                                                                                                 \
                if (gb_vec_push((vec), (item)) < 0)                                                          \
                        abort();                                                                             \
        } while (0)

/* ---- lists ---- */

static char *dup_bytes(const char *bytes, size_t len)
{
        char *copy = malloc(len + 1);

        if (!copy)
                abort();
        if (len)
                memcpy(copy, bytes, len);
        copy[len] = '\0';
        return copy;
}

void model_list_add(struct model_list *l, const struct gb_op *op)
{
        struct model_line line = {.op = *op};

        line.path = dup_bytes(op->path, op->len);
        line.op.path = line.path;
        if (op->kind == GB_OP_RENAME) {
                line.old = dup_bytes(op->old, op->old_len);
                line.op.old = line.old;
        }
        PUSH(l, line);
}

void model_list_clear(struct model_list *l)
{
        for (size_t i = 0; i < l->n; i++) {
                free(l->v[i].path);
                free(l->v[i].old);
        }
        gb_vec_free(l);
}

/* ---- the tree ---- */

void mirror_init(struct mirror *x)
{
        struct mirror_inode inode = {.type = 'd'};
        struct mirror_node root = {.parent = MIRROR_GONE};

        memset(x, 0, sizeof(*x));
        PUSH(&x->inodes, inode);
        PUSH(&x->nodes, root);
}

void mirror_fini(struct mirror *x)
{
        gb_vec_free(&x->inodes);
        gb_vec_free(&x->nodes);
        gb_vec_free(&x->known);
}

static bool fault(struct mirror *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool fault(struct mirror *x, const char *fmt, ...)
{
        va_list args;

        va_start(args, fmt);
        vsnprintf(x->fault, sizeof(x->fault), fmt, args);
        va_end(args);
        return false;
}

static int child(const struct mirror *x, int dir, const char *name, size_t len)
{
        for (size_t i = 1; i < x->nodes.n; i++)
                if (x->nodes.v[i].parent == dir && strlen(x->nodes.v[i].name) == len &&
                    memcmp(x->nodes.v[i].name, name, len) == 0)
                        return (int)i;
        return -1;
}

static int lookup(const struct mirror *x, const char *path, size_t len)
{
        const char *end = path + len;
        int node = 0;

        while (path < end && node >= 0) {
                const char *slash = memchr(path, '/', (size_t)(end - path));
                size_t n = (size_t)((slash ? slash : end) - path);

                node = child(x, node, path, n);
                path += n + 1;
        }
        return node;
}

static struct mirror_inode *inode_of(const struct mirror *x, int node)
{
        return &x->inodes.v[x->nodes.v[node].inode];
}

static bool drop(struct mirror *x, int node, const char *path)
{
        if (node < 0)
                return true;
        for (size_t i = 1; i < x->nodes.n; i++)
                if (x->nodes.v[i].parent == node)
                        return fault(x, "%s is replaced or dropped, but nothing was said of %s in it", path,
                                     x->nodes.v[i].name);
        x->nodes.v[node].parent = MIRROR_GONE;
        return true;
}

static int add(struct mirror *x, int parent, const char *name, size_t len, unsigned inode)
{
        struct mirror_node n = {.parent = parent, .inode = inode};

        if (len >= sizeof(n.name))
                abort();
        memcpy(n.name, name, len);
        PUSH(&x->nodes, n);
        return (int)x->nodes.n - 1;
}

static unsigned add_inode(struct mirror *x, char type)
{
        struct mirror_inode inode = {.type = type};

        PUSH(&x->inodes, inode);
        return (unsigned)x->inodes.n - 1;
}

/* Where the last component of a path begins. */
static size_t base_at(const char *path, size_t len)
{
        const char *slash = memrchr(path, '/', len);

        return slash ? (size_t)(slash - path) + 1 : 0;
}

/* A directory by path, made with what is above it if missing; -1: something stands in the way. */
static int make_dirs(struct mirror *x, const char *path, size_t len)
{
        size_t base = base_at(path, len);
        int dir = lookup(x, path, len), up;

        if (dir >= 0)
                return inode_of(x, dir)->type == 'd' ? dir : -1;
        up = make_dirs(x, path, base ? base - 1 : 0);
        return up < 0 ? -1 : add(x, up, path + base, len - base, add_inode(x, 'd'));
}

static size_t depth(const char *path)
{
        size_t n = 0;

        for (; *path; path++)
                n += *path == '/';
        return n;
}

/* ---- applying ---- */

struct turn {
        size_t line;
        size_t depth;
        int node; /* taken aside; -1: the mirror lacked it */
};

struct turns {
        struct turn *v;
        size_t n, cap;
};

static int deepest_first(const void *a, const void *b)
{
        const struct turn *x = a, *y = b;

        if (x->depth != y->depth)
                return x->depth > y->depth ? -1 : 1;
        return x->line < y->line ? -1 : x->line > y->line;
}

static int shallowest_first(const void *a, const void *b)
{
        const struct turn *x = a, *y = b;

        if (x->depth != y->depth)
                return x->depth < y->depth ? -1 : 1;
        return x->line < y->line ? -1 : x->line > y->line;
}

static bool take(struct mirror *x, const struct model_list *list, struct turns *moved)
{
        struct turns turns = {0};
        bool ok = true;

        for (size_t i = 0; i < list->n; i++) {
                const struct gb_op *op = &list->v[i].op;

                if (op->kind == GB_OP_DELETE)
                        PUSH(&turns, ((struct turn){i, depth(list->v[i].path), -1}));
                else if (op->kind == GB_OP_RENAME)
                        PUSH(&turns, ((struct turn){i, depth(list->v[i].old), -1}));
        }
        if (turns.n)
                qsort(turns.v, turns.n, sizeof(*turns.v), deepest_first);
        for (size_t i = 0; ok && i < turns.n; i++) {
                const struct model_line *l = &list->v[turns.v[i].line];
                bool rename = l->op.kind == GB_OP_RENAME;
                const char *path = rename ? l->old : l->path;
                int node = lookup(x, path, strlen(path));

                if (node < 0)
                        *(rename ? &x->noise_rename : &x->noise_delete) += 1;
                else if (!rename)
                        ok = drop(x, node, path);
                else
                        x->nodes.v[node].parent = MIRROR_ASIDE;
                if (rename)
                        PUSH(moved, ((struct turn){turns.v[i].line, depth(l->path), node}));
        }
        gb_vec_free(&turns);
        return ok;
}

static bool put_back(struct mirror *x, const struct model_list *list, struct turns *moved)
{
        if (moved->n)
                qsort(moved->v, moved->n, sizeof(*moved->v), shallowest_first);
        for (size_t i = 0; i < moved->n; i++) {
                const struct model_line *l = &list->v[moved->v[i].line];
                size_t base = base_at(l->path, l->op.len);
                int node = moved->v[i].node, dir;

                if (node < 0)
                        continue;
                dir = make_dirs(x, l->path, base ? base - 1 : 0);
                if (dir < 0)
                        return fault(x, "what stands in the way of %s was not said to be gone", l->path);
                if (!drop(x, child(x, dir, l->path + base, l->op.len - base), l->path))
                        return false;
                x->nodes.v[node].parent = dir;
                snprintf(x->nodes.v[node].name, sizeof(x->nodes.v[node].name), "%s", l->path + base);
        }
        return true;
}

static int *known(struct mirror *x, unsigned object)
{
        while (x->known.n <= object)
                PUSH(&x->known, -1);
        return &x->known.v[object];
}

static bool linked(const struct mirror *x, int inode)
{
        for (size_t i = 0; i < x->nodes.n; i++)
                if (x->nodes.v[i].parent >= 0 && x->nodes.v[i].inode == (unsigned)inode)
                        return true;
        return false;
}

static bool copy_one(struct mirror *x, const struct model *m, const char *path, size_t len)
{
        size_t base = base_at(path, len);
        int object = model_lookup(m, &m->names, path, len), dir, node, mine;
        const struct model_object *o;

        if (object < 0)
                return fault(x, "%s is listed, but the volume has no such path", path);
        o = &m->objects.v[object];
        dir = lookup(x, path, base ? base - 1 : 0);
        if (dir < 0 || inode_of(x, dir)->type != 'd')
                return fault(x, "the mirror has no directory to put %s into", path);
        node = child(x, dir, path + base, len - base);
        mine = *known(x, (unsigned)object);
        if (o->type == 'd') {
                if (node < 0 || inode_of(x, node)->type != 'd') {
                        if (!drop(x, node, path))
                                return false;
                        node = add(x, dir, path + base, len - base, add_inode(x, 'd'));
                }
        } else if (mine >= 0 && (node < 0 || x->nodes.v[node].inode != (unsigned)mine) && linked(x, mine)) {
                if (!drop(x, node, path))
                        return false;
                add(x, dir, path + base, len - base, (unsigned)mine);
                return true;
        } else if (node < 0 || x->nodes.v[node].inode != (unsigned)mine) {
                if (!drop(x, node, path))
                        return false;
                node = add(x, dir, path + base, len - base, add_inode(x, o->type));
                *known(x, (unsigned)object) = (int)x->nodes.v[node].inode;
        }
        x->noise_copy +=
                inode_of(x, node)->meta == o->meta && (o->type == 'd' || inode_of(x, node)->data == o->data);
        inode_of(x, node)->data = o->data;
        inode_of(x, node)->meta = o->meta;
        return true;
}

static bool copy_below(struct mirror *x, const struct model *m, unsigned dir)
{
        char path[MODEL_PATH_MAX];

        for (size_t i = 0; i < m->names.n; i++) {
                const struct model_name *n = &m->names.v[i];

                if (n->dir != dir)
                        continue;
                if (!copy_one(x, m, path, model_path(&m->names, n, path)))
                        return false;
                if (m->objects.v[n->object].type == 'd' && !copy_below(x, m, n->object))
                        return false;
        }
        return true;
}

static bool was_moved(const struct turns *moved, size_t line)
{
        for (size_t i = 0; i < moved->n; i++)
                if (moved->v[i].line == line)
                        return moved->v[i].node >= 0;
        return false;
}

static bool copy(struct mirror *x, const struct model *m, const struct model_list *list,
                 const struct turns *moved)
{
        for (size_t i = 0; i < list->n; i++) {
                const struct model_line *l = &list->v[i];

                if (l->op.kind == GB_OP_DELETE || (l->op.kind == GB_OP_RENAME && was_moved(moved, i)))
                        continue;
                if (!copy_one(x, m, l->path, l->op.len))
                        return false;
                if (l->op.kind == GB_OP_RENAME &&
                    !copy_below(x, m, (unsigned)model_lookup(m, &m->names, l->path, l->op.len)))
                        return false;
        }
        return true;
}

bool mirror_apply(struct mirror *x, const struct model *m, const struct model_list *list)
{
        struct turns moved = {0};
        bool ok = take(x, list, &moved) && put_back(x, list, &moved) && copy(x, m, list, &moved);

        gb_vec_free(&moved);
        return ok;
}

void mirror_copy_all(struct mirror *x, const struct model *m)
{
        mirror_fini(x);
        mirror_init(x);
        if (!copy_below(x, m, 0))
                abort();
        x->noise_copy = 0;
}

/* ---- comparing ---- */

static bool same_below(struct mirror *x, const struct model *m, unsigned dir, int node)
{
        char path[MODEL_PATH_MAX];
        unsigned children = 0, mine = 0;

        for (size_t i = 0; i < m->names.n; i++) {
                const struct model_name *n = &m->names.v[i];
                const struct model_object *o = &m->objects.v[n->object];
                const struct mirror_inode *inode;
                int here;

                if (n->dir != dir)
                        continue;
                children++;
                model_path(&m->names, n, path);
                here = child(x, node, n->name, strlen(n->name));
                if (here < 0)
                        return fault(x, "missing in the mirror: %s", path);
                inode = inode_of(x, here);
                if (inode->type != o->type)
                        return fault(x, "type differs: %s", path);
                if (o->type != 'd' && inode->data != o->data)
                        return fault(x, "content differs: %s", path);
                if (inode->meta != o->meta)
                        return fault(x, "mode, owner or xattrs differ: %s", path);
                if (o->type != 'd' && *known(x, n->object) != (int)x->nodes.v[here].inode)
                        return fault(x, "hard links differ: %s", path);
                if (o->type == 'd' && !same_below(x, m, n->object, here))
                        return false;
        }
        for (size_t i = 1; i < x->nodes.n; i++)
                mine += x->nodes.v[i].parent == node;
        if (mine == children)
                return true;
        for (size_t i = 1; i < x->nodes.n; i++) {
                struct model_name *n = m->names.v;

                if (x->nodes.v[i].parent != node)
                        continue;
                while (n < m->names.v + m->names.n &&
                       (n->dir != dir || strcmp(n->name, x->nodes.v[i].name) != 0))
                        n++;
                if (n == m->names.v + m->names.n)
                        return fault(x, "only in the mirror: %s", x->nodes.v[i].name);
        }
        return fault(x, "a name is twice in the mirror");
}

bool mirror_same(struct mirror *x, const struct model *m)
{
        return same_below(x, m, 0, 0);
}
