/*
 * output - a file that appears whole or not at all.
 *
 * Written under no name (O_TMPFILE) or a temporary one beside the target, then fsync, rename, fsync of
 * the directory.  A failed run leaves yesterday's file.  "-" is stdout: written through.
 */
#ifndef GB_OUTPUT_H
#define GB_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Files that are written at one time. */
#define GB_OUTPUTS_MAX  72
#define GB_OUTPUT_PLACE (128 * 1024)

struct gb_output;

struct gb_output *gb_output_open(const char *path, struct gb_error *err);
/* From here on keep the SHA-256 of what is written.  Before the first write. */
int gb_output_hash(struct gb_output *o, struct gb_error *err);
/* Let others read it: a list is for its owner only.  stdout is left alone. */
int gb_output_mode(struct gb_output *o, unsigned mode, struct gb_error *err);
/* For a file that may become long, before the first write: a thread writes it, while more is made.  Nothing
 * changes for stdout, whose reader may take its time. */
int gb_output_ahead(struct gb_output *o, struct gb_error *err);
int gb_output_write(struct gb_output *o, const void *bytes, size_t n, struct gb_error *err);
/* To make bytes in place: where the next ones go, and how many of them at most; at least `least`, which is no
 * more than GB_OUTPUT_PLACE.  Then how many they became.  NULL: error. */
uint8_t *gb_output_place(struct gb_output *o, size_t least, size_t *room, struct gb_error *err);
void gb_output_placed(struct gb_output *o, size_t n);
/* Flush and sync; the file has no name yet.  Then gb_output_publish() cannot fail for lack of space. */
int gb_output_finish(struct gb_output *o, struct gb_error *err);
/* After finish, if it was asked for: 64 hexadecimal digits, owned by `o`; else NULL. */
const char *gb_output_digest(const struct gb_output *o);
/* SHA-256 of a file that is there, as above. */
int gb_file_digest(const char *path, char out[65], struct gb_error *err);
/* Put it in place (after finish) and free. */
int gb_output_publish(struct gb_output *o, struct gb_error *err);
/* Forget it, NULL allowed. */
void gb_output_discard(struct gb_output *o);
/* For a signal handler that ends the program: no temporary file is left. */
void gb_output_abandon(void);
/* All of it at once: a file of this text and a newline, in place. */
int gb_output_text(const char *path, const char *text, struct gb_error *err);
uint64_t gb_output_bytes(const struct gb_output *o);

#endif
