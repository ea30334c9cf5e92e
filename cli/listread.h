/*
 * listread - a list read back: any format, as its manifest tells, line by line.
 *
 * Paths come as they are on the volume, without --prefix.  `paths` tells no kinds: all are MODIFY.
 */
#ifndef GB_LISTREAD_H
#define GB_LISTREAD_H

#include "manifest.h"
#include "op.h"

struct gb_listread;

/* `file` is named as it will be in messages; both are borrowed. */
struct gb_listread *gb_listread_open(const char *file, const struct gb_manifest *m, struct gb_error *err);
/* 1 and *op (kind, path, type, gfid; borrowed until the next call), 0 at the end, -1: a line is no line of
 * this format. */
int gb_listread_next(struct gb_listread *r, struct gb_op *op, struct gb_error *err);
/* At the end: size and SHA-256 are those of the manifest. */
bool gb_listread_intact(const struct gb_listread *r);
void gb_listread_close(struct gb_listread *r); /* NULL allowed */

#endif
