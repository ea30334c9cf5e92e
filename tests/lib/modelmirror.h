/*
 * modelmirror - a backup in memory that does what a list says and nothing else (design: "Meaning,
 * exactly"), the twin of replay/mirror.py.
 *
 *   1. deepest first: take aside every old_path, drop every DELETE;
 *   2. shallowest first: put back what was taken, replacing what is there;
 *   3. in path order: copy NEW and MODIFY; of an old_path the mirror lacked, copy path and all below.
 *
 * Where a consumer could paper over a fault this one complains: a directory that is dropped or replaced
 * while it still holds something.  A copied name of an object that the mirror has under another name
 * becomes a link of it, and its content stays as it is.
 */
#ifndef GB_TEST_MODELMIRROR_H
#define GB_TEST_MODELMIRROR_H

#include "modelfs.h"
#include "op.h"

struct mirror_inode {
        char type;
        unsigned data, meta;
};

struct mirror_node {
        int parent; /* node, or taken aside, or gone */
        char name[8];
        unsigned inode;
};

struct model_line { /* a gb_op with bytes of its own */
        struct gb_op op;
        char *path, *old;
};

struct model_list {
        struct model_line *v;
        size_t n, cap;
};

void model_list_add(struct model_list *l, const struct gb_op *op);
void model_list_clear(struct model_list *l);

struct mirror {
        GB_VEC(struct mirror_inode) inodes;
        GB_VEC(struct mirror_node) nodes;                /* 0 is the root */
        GB_VEC(int) known;                               /* by the volume's object: inode here, or -1 */
        unsigned noise_delete, noise_rename, noise_copy; /* said without need */
        char fault[256];
};

void mirror_init(struct mirror *x);
void mirror_fini(struct mirror *x);
/* Forget all and copy the whole volume: a full list. */
void mirror_copy_all(struct mirror *x, const struct model *m);
/* False: x->fault tells. */
bool mirror_apply(struct mirror *x, const struct model *m, const struct model_list *list);
/* Is the mirror the volume?  False: x->fault tells. */
bool mirror_same(struct mirror *x, const struct model *m);

#endif
