/*
 * select - which paths of a volume are wanted: a subtree, and globs; and files of which size and age.
 *
 * Whether a path is wanted depends on the path alone.  It is, when
 *   - it lies below `scope`, if there is one (the scope itself, like the root, is never listed),
 *   - an include glob matches it or a directory above it, if there are include globs,
 *   - no exclude glob matches it or a directory above it.
 * So what is below an excluded directory is excluded, and the order of the globs does not matter.
 *
 * A glob without a slash is held against names, at any depth; one with a slash against whole paths, from the
 * root of the volume; a slash at its beginning does no more than that.  ? is one byte, * any number of bytes
 * but slashes, ** slashes too, a whole component of it any number of directories and none; [a-z] and [!a-z]
 * are sets of bytes; a backslash takes the special meaning from the byte behind it.
 *
 * What is measured (measure.h) is no matter of paths: the functions below do not look at it.
 */
#ifndef GB_SELECT_H
#define GB_SELECT_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "measure.h"
#include "vec.h"

struct gb_glob_token;

struct gb_select_rule {
        bool exclude, whole; /* whole: held against whole paths */
        char *glob;          /* as it was given */
        struct gb_glob_token *tokens;
        unsigned n_tokens;
};

struct gb_select {
        char *scope; /* NULL: the whole volume */
        size_t scope_len;
        unsigned n_includes;
        GB_VEC(struct gb_select_rule) rules;
        struct gb_measure measure;
};

void gb_select_init(struct gb_select *s);
void gb_select_fini(struct gb_select *s);
/* No path is left out. */
static inline bool gb_select_every_path(const struct gb_select *s)
{
        return !s || (!s->scope && !s->rules.n);
}
/* Nothing is left out. */
static inline bool gb_select_all(const struct gb_select *s)
{
        return gb_select_every_path(s) && (!s || gb_measure_none(&s->measure));
}
/* GB_ERR_USAGE: no path; said twice.  A slash at its beginning or end does not count. */
int gb_select_scope(struct gb_select *s, const char *scope, size_t len, struct gb_error *err);
/* GB_ERR_USAGE: no glob, or too many. */
int gb_select_glob(struct gb_select *s, bool exclude, const char *glob, size_t len, struct gb_error *err);
int gb_select_copy(struct gb_select *to, const struct gb_select *from, struct gb_error *err);

/* Is this path wanted? */
bool gb_select_has(const struct gb_select *s, const char *path, size_t len);
/* May anything below this directory be wanted? */
bool gb_select_below(const struct gb_select *s, const char *path, size_t len);

#endif
