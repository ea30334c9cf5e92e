/*
 * manifest - FILE.manifest: what a list was made from, for programs and for `verify`.
 *
 * JSON, one object, put in place together with the list: kind, volume, session, generation, the window each
 * brick told of, counts, and the list's size and SHA-256, by which the two are known to belong together.
 */
#ifndef GB_MANIFEST_H
#define GB_MANIFEST_H

#include "list.h"

/* "FILE.manifest", malloc'd; NULL: out of memory. */
char *gb_manifest_name(const char *out_file);
/* Write the manifest of a list whose file is finished; not yet in place.  NULL: error. */
struct gb_output *gb_manifest_write(const struct gb_list *l, bool complete, struct gb_error *err);

/* A name in UTF-8: itself, or if it is none its bytes outside printable ASCII as \xNN.  malloc'd. */
char *gb_manifest_text(const char *name);

#endif
