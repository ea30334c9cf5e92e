/*
 * fit - which files of a window have the size and age that are asked for (base/measure.h).
 *
 * Size and age are of now, and nobody knows those of T0.  So they decide what is worth reading, not what a
 * mirror holds: NEW and MODIFY of a file that does not fit are left out, and what the mirror has there stays;
 * a file that was renamed and does not fit is a DELETE of the old name; deletions are all told.
 */
#ifndef GB_FIT_CLI_H
#define GB_FIT_CLI_H

#include "base/select.h"
#include "op.h"
#include "scan.h"

/* Files that do not fit, of at most GB_ROOTS_MAX paths, in path order, none below another.  What is not there
 * (any more) and what cannot be measured fits. */
int gb_fit_ask(const struct gb_cli *c, struct gb_volume *v, const struct gb_measure *m,
               const struct gb_slice_of_path *paths, unsigned n, bool *unfit, struct gb_error *err);

/* Folded ops in, ops to be folded again out. */
int gb_fit_apply(const struct gb_cli *c, struct gb_volume *v, const struct gb_measure *m, struct gb_fold *in,
                 struct gb_sorter *out, struct gb_error *err);

#endif
