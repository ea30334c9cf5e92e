/*
 * glusterd_files - the files of glusterd's working directory line by line: what glusterd.c and topology.c
 * share.
 */
#ifndef GB_GLUSTERD_FILES_H
#define GB_GLUSTERD_FILES_H

#include "base/buf.h"
#include "glusterd.h"

/* Empty it of what may be a password, then free it. */
void gb_glusterd_wipe(struct gb_buf *b);
#define GB_CLEANUP_WIPE __attribute__((cleanup(gb_glusterd_wipe)))

/* vols/<volume>/info with a NUL behind it.  GB_ERR_NO_VOLUME. */
int gb_glusterd_load_info(const struct gb_glusterd *gd, const char *volume, struct gb_buf *b,
                          struct gb_error *err);
/* Cut the next line off *text in place; NULL at the end. */
char *gb_glusterd_line(char **text);
/* The value behind "key=" if the line has that key, else NULL. */
const char *gb_glusterd_value(const char *line, const char *key);
/* Nothing but digits, at most `max`. */
bool gb_glusterd_number(const char *text, uint64_t max, uint64_t *out);
/* "brick-<number>=<name>": the name of a file in bricks/, or NULL. */
const char *gb_glusterd_brick_line(const char *line, uint64_t *number);
/* Whose brick, under which name of its host, at which path: *host and *path are the caller's. */
int gb_glusterd_brick_of(const struct gb_glusterd *gd, const char *volume, const char *file, gb_gfid *node,
                         char **host, char **path, struct gb_error *err);

#endif
