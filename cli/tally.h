/*
 * tally - what became of the runs of a session on this host, for `metrics`: how many there were, how they
 * ended, how large the last list was.
 *
 * SESSION.tally beside the registry's file.  Only numbers to look at: what cannot be written is not counted,
 * and no run fails for it.
 */
#ifndef GB_TALLY_H
#define GB_TALLY_H

#include <stdint.h>

#include "exitcode.h"
#include "parts.h"

struct gb_tally {
        uint64_t lists, gaps, incomplete,
                errors;            /* runs by how they ended: written; exit status 3; 2; else */
        uint64_t entries, skipped; /* of the last list */
};

/* All zero if nothing was counted yet. */
void gb_tally_get(const char *session, struct gb_tally *t);
/* A run has ended with this exit status; `last` is what its list has. */
void gb_tally_add(const char *session, int status, const struct gb_list_counts *last);
void gb_tally_remove(const char *session);

#endif
