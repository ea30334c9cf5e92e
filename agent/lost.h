/*
 * lost - directories of a brick whose gfid has no handle.
 *
 * To rename a directory GlusterFS takes its handle away first.  If the rename then fails, because there is a
 * directory with something in it by the new name, the handle is gone for good, and nothing is recorded.  The
 * directory lives on, users see nothing, but no gfid leads to it any more, nor to what is below it.
 *
 * A search walks all directories of the brick and notes those without a handle, also in the file b->notes,
 * where other processes and later runs find them.  A note is a hint: whoever goes there looks whether it is
 * the directory.
 */
#ifndef GB_LOST_H
#define GB_LOST_H

#include "base/clock.h"
#include "base/facts.h"
#include "brick.h"

struct gb_lost;

/* `b` is borrowed. */
struct gb_lost *gb_lost_new(const struct gb_brick *b, struct gb_error *err);
void gb_lost_free(struct gb_lost *l);

/* 1 and where it stands (valid until the next call of gb_lost_search() or gb_lost_note()), 0 not known. */
int gb_lost_find(struct gb_lost *l, const gb_gfid *dir, struct gb_slot *out);
/* It was seen there. */
int gb_lost_note(struct gb_lost *l, const gb_gfid *dir, const struct gb_slot *slot, struct gb_error *err);

/* Search, once: 1 `until` passed, call again; 0 it is done; -1. */
int gb_lost_search(struct gb_lost *l, gb_deadline until, struct gb_error *err);
bool gb_lost_searched(const struct gb_lost *l);

#endif
