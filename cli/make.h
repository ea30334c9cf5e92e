/*
 * make - fill a list: full or incremental, with or without a session.
 *
 * Each leaves the list finished (synced, trailer written) but not yet in place: the caller moves the
 * session first, then publishes.
 */
#ifndef GB_MAKE_H
#define GB_MAKE_H

#include "list.h"
#include "window.h"

/* All names.  With --partial and missing sets: *complete is false and the list says so. */
int gb_make_full(const struct gb_cli *c, struct gb_volume *v, struct gb_list *l, bool *complete,
                 struct gb_error *err);

/* All names, as the first list of a session: takes each brick's position before the scan, adds what
 * changed while it ran, and leaves the positions behind that in w->bricks[].cursor. */
int gb_make_first(const struct gb_cli *c, struct gb_volume *v, struct gb_window *w, struct gb_list *l,
                  struct gb_error *err);

/* No names: take the position of each brick, as gb_make_first() leaves them, for a consumer that copies
 * the whole tree from now on. */
int gb_make_mark(const struct gb_cli *c, struct gb_volume *v, struct gb_window *w, struct gb_error *err);

/* What changed in the windows of w. */
int gb_make_changes(const struct gb_cli *c, struct gb_volume *v, struct gb_window *w, struct gb_list *l,
                    struct gb_error *err);

#endif
