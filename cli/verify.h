/*
 * verify - hold a list against the volume: what changed in its window and is not in it?
 *
 * The judge is the ctime on the bricks (sweep.h), which knows nothing of records.  What is recorded at the
 * edges of a window may be in the list before or after, so two seconds at either end are not judged, and what
 * changed again after the window is not either.  What a directory's ctime tells, and what it does after
 * heals, stands in doc/decisions/0091.
 */
#ifndef GB_VERIFY_H
#define GB_VERIFY_H

#include "manifest.h"
#include "sweep.h"

struct gb_verify_result {
        uint64_t listed;      /* paths in the list that should be there, DELETE not counted */
        uint64_t changed;     /* objects with a ctime in the window; of directories those that are missed */
        uint64_t missed;      /* of these: not listed */
        uint64_t moved;       /* not listed, but below a directory that changed later: nobody can tell */
        uint64_t healed;      /* not listed, with a ctime in the window that a heal explains */
        uint64_t over_listed; /* listed and there, without a sign of change */
        bool intact;          /* the list is as it was written */
        bool old_agents;      /* directories were not judged: an agent does not tell their times */
};

struct gb_verify {
        const struct gb_cli *cli;
        struct gb_volume *volume;
        const char *list;
        const struct gb_manifest *manifest;
        int (*missed)(void *arg, const char *path, size_t len); /* in path order; 0, or -1 out of memory */
        void *arg;
};

int gb_verify_list(const struct gb_verify *v, struct gb_verify_result *out, struct gb_error *err);

#endif
