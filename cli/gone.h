/*
 * gone - names of T0 that stand for nothing at T1: what a reader must remove that knows names only.
 *
 * It cannot be told of a RENAME, so the old name is gone, with everything below it.  If something else stands
 * at the old name now, each name below is said.  A name below what is gone, or no directory any more, is not
 * said: it goes with the directory, and to look it up may lead through a symbolic link.
 */
#ifndef GB_GONE_H
#define GB_GONE_H

#include "op.h"

struct gb_gone;

struct gb_gone *gb_gone_new(struct gb_error *err);
void gb_gone_free(struct gb_gone *g); /* NULL allowed */
/* Every folded op of the list, in order, with those below renamed directories. */
int gb_gone_add(struct gb_gone *g, const struct gb_op *op, struct gb_error *err);
/* Then: 1 and a DELETE (borrowed until the next call), in path order; 0, -1. */
int gb_gone_next(struct gb_gone *g, struct gb_op *op, struct gb_error *err);

#endif
