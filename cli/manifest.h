/*
 * manifest - FILE.manifest: what a list was made from, for programs and for `verify`.
 *
 * JSON, one object, put in place together with the list: kind, volume, session, generation, the window each
 * brick told of, counts, and the list's size and SHA-256, by which the two are known to belong together.
 */
#ifndef GB_MANIFEST_H
#define GB_MANIFEST_H

#include <jansson.h>

#include "list.h"

/* "FILE.manifest", malloc'd; NULL: out of memory. */
char *gb_manifest_name(const char *out_file);
/* Write the manifest of a list whose file is finished; not yet in place.  NULL: error. */
struct gb_output *gb_manifest_write(const struct gb_list *l, bool complete, struct gb_error *err);

/* The window of a brick, by the clock of its node. */
struct gb_manifest_window {
        const char *brick; /* as gb_manifest_text() has it */
        int64_t from, to;
};

/* What is needed to judge a list.  Strings belong to `root`. */
struct gb_manifest {
        json_t *root;
        const char *prefix; /* NULL: none */
        const char *types;  /* NULL: all */
        /* The list, or its parts. */
        struct {
                const char *sha256;
                uint64_t bytes;
        } files[GB_PARTS_MAX];
        unsigned n_files;
        bool split, full, null, complete;
        struct gb_select select; /* what it is of */
        bool verifiable;         /* the lines can be read back and tell all */
        enum gb_format format;
        gb_gfid volume_id;
        struct gb_manifest_window *windows; /* of the bricks that told something */
        unsigned n_windows;
        const char **away; /* bricks that may have been healed in the window, named as there */
        unsigned n_away;
};

/* Of `list`, from LIST.manifest. */
int gb_manifest_read(const char *list, struct gb_manifest *m, struct gb_error *err);
/* In how many parts LIST is, as LIST.manifest tells; 0: none, or not known. */
unsigned gb_manifest_parts(const char *list);
void gb_manifest_fini(struct gb_manifest *m);

/* A name in UTF-8: itself, or if it is none its bytes outside printable ASCII as \xNN.  malloc'd. */
char *gb_manifest_text(const char *name);

#endif
