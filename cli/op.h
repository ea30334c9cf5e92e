/*
 * op - one line of a list: what a mirror must do about one path.
 *
 * T0 is the tree at the previous cursor, T1 the tree now.  DELETE paths and `old` are names of T0; the
 * path of NEW, MODIFY and RENAME is a name of T1 (design section 2).
 */
#ifndef GB_OP_H
#define GB_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/block.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/facts.h"
#include "base/sorter.h"

/* In the order in which lines of one path leave. */
enum gb_op_kind {
        GB_OP_PRESENT = 0, /* never printed: this slot holds an object at T1, so it is no DELETE */
        GB_OP_DELETE = 1,
        GB_OP_RENAME = 2,
        GB_OP_NEW = 3,
        GB_OP_MODIFY = 4,
        GB_OP_MODIFY_TOO = 5, /* MODIFY that NEW does not swallow; printed as MODIFY */
        GB_OP_LEFT = 6        /* never printed: what was here at T0 is known, renamed or still here */
};

struct gb_op {
        enum gb_op_kind kind;
        const char *path; /* borrowed, not NUL-terminated */
        size_t len;
        const char *old; /* RENAME only */
        size_t old_len;
        char type; /* T1 type; for DELETE 'd' or 'f': a directory at T0, or not */
        bool has_gfid;
        gb_gfid gfid;
        gb_gfid parent; /* parent gfid of the slot the path was spelled from; null: it was found by path */
        uint32_t flags; /* GB_FACT_DATA | META | XATTR */
        bool expanded;  /* listed only because a directory above it was renamed: `paths` only */
};

/* What a walk has seen, as a change of contents and attributes; borrows the path. */
struct gb_op gb_op_of_entry(enum gb_op_kind kind, const struct gb_entry *e);

/* As a record for gb_sorter, ordered by path, then kind. */
int gb_op_encode(struct gb_buf *out, const struct gb_op *op);
bool gb_op_decode(const uint8_t *rec, size_t len, struct gb_op *op); /* borrows from rec */
int gb_op_cmp(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen, void *arg);
uint64_t gb_op_prefix(const uint8_t *rec, size_t len, void *arg);

/*
 * Fold: sorted ops in, lines out.  Of all ops of one path:
 *   - equal kinds become one, flags united; NEW swallows MODIFY (not MODIFY_TOO); RENAME swallows NEW (of
 * another gfid: it becomes MODIFY beside the RENAME); a RENAME with flags is followed by a MODIFY of the same
 * path;
 *   - DELETE is dropped when a T1 op of the same slot (same parent) stands beside it, unless one of the
 *     two is a directory and the other is not: then both stay, DELETE first;
 *   - a DELETE of another parent's slot stays: the directory that held it went elsewhere;
 *   - a DELETE is dropped beside LEFT: it was said on suspicion (something may have been overwritten
 *     here), or by bricks that contradict each other;
 *   - PRESENT, LEFT and lone leftovers vanish; `expanded` NEW is dropped beside RENAME or MODIFY.
 */
struct gb_fold;
struct gb_fold *gb_fold_new(struct gb_sorter *sorted, struct gb_error *err); /* borrowed, finished */
void gb_fold_free(struct gb_fold *f);
/* 1 and *op (borrowed until the next call), 0, -1 */
int gb_fold_next(struct gb_fold *f, struct gb_op *op, struct gb_error *err);

#endif
