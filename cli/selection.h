/*
 * selection - a list of a part of a volume (base/select.h), and what of its changes concern that part.
 *
 * Seen from the part, what is renamed into it is NEW, what is renamed out of it a DELETE, each name of it.  A
 * renamed directory of which the part has the old and the new name stays a RENAME; of any other the names
 * below it are told one by one.
 */
#ifndef GB_SELECTION_H
#define GB_SELECTION_H

#include <jansson.h>

#include "base/select.h"
#include "op.h"
#include "volume.h"

/* {"scope":..,"include":[..],"exclude":[..]}, with "min_size", "max_size", "newer" if they are said; null if
 * it is everything; NULL: what is not UTF-8, or no memory. */
json_t *gb_selection_json(const struct gb_select *s);
/* The reverse; `j` may be NULL or null.  false: it is no such thing. */
bool gb_selection_take(struct gb_select *s, const json_t *j);

/* One option: scope, include, exclude, min-size, max-size, newer.  0, -1 (GB_ERR_USAGE), 1: it is none of
 * them. */
int gb_selection_set(struct gb_select *s, const char *option, const char *value, struct gb_error *err);

/* GB_ERR_USAGE if the scope is no directory of the volume. */
int gb_selection_check(struct gb_volume *v, const struct gb_select *s, struct gb_error *err);

/* Is a change of this kind of object at this path told of?  types: letters, NULL: all. */
bool gb_selection_wants(const struct gb_select *s, const char *types, const char *path, size_t len,
                        enum gb_op_kind kind, char type);
/* Folded ops, with those below renamed directories, become ops of the part, to be folded again. */
int gb_selection_apply(const struct gb_select *s, const char *types, struct gb_fold *in,
                       struct gb_sorter *out, struct gb_error *err);

#endif
