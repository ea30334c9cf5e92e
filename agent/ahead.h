/*
 * ahead - threads that do a walk's next system calls before it comes to them.
 *
 * The walk tells what it will need, in order: a directory to be read and sorted (gb_ahead_dir), names to be
 * looked at (gb_ahead_looks).  When it comes there it takes the result, or, if nobody has begun, does the
 * work itself; while somebody is at it, it does other work that is waiting.  So no thread ever sleeps while
 * there is something to do, and one thread less is only slower.  What fails here is thrown away: the walk
 * does it again itself, and says what is wrong.
 *
 * A job belongs to a level of the walk and an index in it.  Jobs use the level's descriptor: gb_ahead_drop()
 * before it is closed.  Everything is called by the walk's thread.
 */
#ifndef GB_AHEAD_H
#define GB_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "fit.h"
#include "names.h"

/* Entries that are looked at, and for what. */
struct gb_look_rule {
        bool linkto;               /* regular files may be linkto files */
        int64_t since, until;      /* of st_ctime; 0: no bound */
        struct gb_measure measure; /* of regular files */
        bool unfit;                /* only regular files that do not fit, instead of all that does */
};

/* A verdict: flags, and the type as in gb_entry in the second byte.  0: not looked at. */
enum { GB_SEEN = 1, GB_SEEN_LINKTO = 2, GB_SEEN_IN_TIME = 4, GB_SEEN_UNFIT = 8 };

/* Are there entries, of a known type, that must be looked at? */
bool gb_look_asks(const struct gb_look_rule *rule);
/* Must an entry of this type (0: unknown) be looked at? */
bool gb_look_needed(const struct gb_look_rule *rule, char type);
/* The verdict on a name of a directory, or 0 with errno. */
uint64_t gb_look_at(const struct gb_look_rule *rule, int fd, const char *name);
/* Does the verdict (0: there is none) keep an entry out of the list? */
bool gb_look_refuses(const struct gb_look_rule *rule, uint64_t verdict);
/* DT_* as in gb_entry, 0: unknown. */
char gb_type_of_dtype(uint8_t dtype);

/* Names of a directory that one job takes; a longer directory is left to the walk. */
#define GB_AHEAD_NAMES 4096
/* Names that one look takes. */
#define GB_AHEAD_LOOKS 256

struct gb_ahead;

/* `helpers` threads beside the walk's own, at least one.  NULL: no memory, or no thread. */
struct gb_ahead *gb_ahead_new(const struct gb_look_rule *rule, unsigned helpers, struct gb_error *err);
/* Ends the threads; all jobs are dropped. */
void gb_ahead_free(struct gb_ahead *a);

/* May another job be added for this level? */
bool gb_ahead_room(const struct gb_ahead *a, size_t level);
/* Read, sort and look at directory `name` of `fd`; flags: of open.  -1: no memory. */
int gb_ahead_dir(struct gb_ahead *a, size_t level, size_t index, int fd, const char *name, size_t len,
                 int flags);
/* Look at names[index..index+n) of `fd`; they are copied. */
int gb_ahead_looks(struct gb_ahead *a, size_t level, size_t index, int fd, const struct gb_names *names,
                   size_t n);

/* The result of gb_ahead_dir (`whole`) or gb_ahead_looks at this place; NULL if there was none or it failed.
 * Jobs of lower indices of that level are dropped.  Borrowed until the next call. */
struct gb_ahead_result {
        int fd;                 /* of the directory; the caller may take it and put -1 here */
        struct gb_names *names; /* with verdicts as keys */
};
struct gb_ahead_result *gb_ahead_take(struct gb_ahead *a, size_t level, size_t index, bool whole);
/* Drop all jobs of this level. */
void gb_ahead_drop(struct gb_ahead *a, size_t level);

#endif
