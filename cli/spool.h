/*
 * spool - entries in path order, kept in an unnamed file and read back once.
 */
#ifndef GB_SPOOL_H
#define GB_SPOOL_H

#include "base/block.h"

struct gb_spool;

/* In $TMPDIR or /var/tmp. */
struct gb_spool *gb_spool_new(struct gb_error *err);
int gb_spool_add(struct gb_spool *s, const struct gb_entry *e, struct gb_error *err);
/* No more adds; then 1 and *e (borrowed until the next call), 0, -1. */
int gb_spool_rewind(struct gb_spool *s, struct gb_error *err);
int gb_spool_next(struct gb_spool *s, struct gb_entry *e, struct gb_error *err);
void gb_spool_free(struct gb_spool *s);

#endif
