/*
 * walk_core - what the parts of a walk share; for walk*.c only.
 *
 *   walk.c        the machine: what comes next, what of it is listed
 *   walk_level.c  the stack of directories and their descriptors
 *   walk_large.c  directories whose names do not fit into memory
 *   walk_open.c   the beginning and the end
 */
#ifndef GB_WALK_CORE_H
#define GB_WALK_CORE_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/types.h>

#include "ahead.h"
#include "base/arena.h"
#include "base/sorter.h"
#include "base/vec.h"
#include "names.h"
#include "walk.h"

#define GB_WALK_DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* The names of a directory that do not fit into memory. */
struct gb_walk_large {
        struct gb_sorter *sorter;
        bool sorted;
        size_t last_len; /* of the name given last: a name that was read twice is given once */
        char last[GB_NAME_MAX];
};

struct gb_walk_level {
        int fd;     /* -1: closed, see gb_walk_fd() */
        bool known; /* dev and ino are those of the directory */
        bool lost;  /* it was not there when its descriptor was needed again */
        dev_t dev;
        ino_t ino;
        size_t path_len; /* of the directory; 0: the brick root */
        size_t first;    /* its names: index and bytes of the first, index of the next to visit */
        size_t used;
        size_t pos;
        size_t ahead;                /* index of the first name that was not announced */
        bool looked;                 /* read ahead: its names have verdicts */
        struct gb_walk_large *large; /* NULL: all names are in memory */
};

enum gb_walk_state {
        GB_WALK_VISIT, /* take the next name of the top level */
        GB_WALK_ENTER, /* w->path is a directory to go down into */
        GB_WALK_READ   /* the top level's names are not all read yet */
};

struct gb_walk {
        const struct gb_brick *b;
        struct gb_look_rule rule;
        bool gfids;
        bool dirs;
        bool shards;
        const struct gb_select *select; /* borrowed */
        const char *tmpdir;
        size_t names_max;       /* bytes of names in memory */
        struct gb_ahead *ahead; /* NULL: one thread */
        unsigned n_large;
        struct gb_arena memory; /* of the copied options */
        struct gb_entry *roots; /* NULL: the whole brick */
        size_t n_roots;
        size_t next_root;
        const char *after;
        size_t after_len;

        const char *skip; /* components of `after` still to follow downwards */
        size_t skip_len;
        bool on_skip; /* the next name to visit is such a component */

        enum gb_walk_state state;
        struct gb_names names;
        GB_VEC(struct gb_walk_level) levels;
        size_t open_from; /* levels below this index have no descriptor */
        int noatime;      /* O_NOATIME while the kernel allows it */
        unsigned ticks;
        uint64_t passed;
        uint64_t vanished;
        struct gb_error error; /* the first one; the walk is over then */
        size_t path_len;
        char path[GB_PATH_MAX + 1];
};

/* -- walk_level.c */

static inline bool gb_walk_is_weather(int e)
{
        return e == ENOENT || e == ESTALE || e == ENOTDIR || e == ELOOP;
}

/* A path for people: printable ASCII, the rest as \xNN; cut short when long. */
const char *gb_walk_shown(const char *path, size_t len, char out[600]);
/* Both -1.  What failed with errno at w->path[0..len). */
int gb_walk_fail_sys(struct gb_walk *w, const char *what, size_t len);
int gb_walk_fail_memory(struct gb_walk *w);

/* Length of the first component of a path. */
static inline size_t gb_walk_component(const char *path, size_t len)
{
        const char *slash = memchr(path, '/', len);

        return slash ? (size_t)(slash - path) : len;
}

int gb_walk_open_at(struct gb_walk *w, int at, const char *name);
/* The directory at path[0..len), component by component. */
int gb_walk_open_dir(struct gb_walk *w, const char *path, size_t len);
/* Leaves errno alone. */
void gb_walk_close_fd(int *fd);
/* The top level has no descriptor: 0, or -1 with errno; ENOENT: it is another directory now. */
int gb_walk_reopen(struct gb_walk *w);

/* The top level's descriptor, or -1 with errno.  w->path begins with the path of that directory. */
static inline int gb_walk_fd(struct gb_walk *w)
{
        const struct gb_walk_level *l = &w->levels.v[w->levels.n - 1];

        if (l->lost) {
                errno = ENOENT;
                return -1;
        }
        if (l->fd < 0 && gb_walk_reopen(w) < 0)
                return -1;
        return l->fd;
}

/* Push a level for the directory path[0..path_len), taking over `fd`.  GB_PATH_MAX bounds their number. */
int gb_walk_push(struct gb_walk *w, int fd, size_t path_len);
void gb_walk_pop(struct gb_walk *w);

/* -- walk_large.c */

/* Move the names of the top level, unsorted, to its sorter. */
int gb_walk_large_push(struct gb_walk *w, struct gb_walk_level *l);
/* No more names come: sort, and the first piece is there. */
int gb_walk_large_sort(struct gb_walk *w, struct gb_walk_level *l);
/* The next piece of the top level's names: 1, 0 there is none, -1. */
int gb_walk_large_piece(struct gb_walk *w, struct gb_walk_level *l);
void gb_walk_large_free(struct gb_walk *w, struct gb_walk_large *g);

#endif
