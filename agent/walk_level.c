/*
 * walk_level - see walk_core.h.
 *
 * A directory is opened relative to its parent's descriptor, so the length of absolute paths does not
 * matter.  Only the lowest OPEN_MAX levels keep a descriptor.  When the walk comes back to a level
 * above those, it goes down from the root again and looks whether it stands in the same directory; if
 * somebody moved that away meanwhile, what is left of it has vanished.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "walk_core.h"

enum {
        OPEN_MAX = 64,   /* levels with a descriptor */
        REOPEN_KEEP = 32 /* of these, levels opened on the way when one must be opened again */
};

/* A path for people: printable ASCII, the rest as \xNN; cut short when long. */
const char *gb_walk_shown(const char *path, size_t len, char out[600])
{
        size_t n = 0;

        for (size_t i = 0; i < len; i++) {
                unsigned char c = (unsigned char)path[i];

                if (n > 600 - 8) {
                        memcpy(out + n, "...", 3);
                        n += 3;
                        break;
                }
                if (c >= 0x20 && c < 0x7f && c != '\\')
                        out[n++] = (char)c;
                else
                        n += (size_t)snprintf(out + n, 5, "\\x%02x", c);
        }
        out[n] = '\0';
        return out;
}

int gb_walk_fail_sys(struct gb_walk *w, const char *what, size_t len)
{
        char text[600];

        return gb_error_sys(&w->error, GB_ERR_SYSTEM, "brick %s: cannot %s '%s'", w->b->path, what,
                            gb_walk_shown(w->path, len, text));
}

int gb_walk_fail_memory(struct gb_walk *w)
{
        return gb_error_set(&w->error, GB_ERR_MEMORY, "brick %s: out of memory for names", w->b->path);
}

int gb_walk_open_at(struct gb_walk *w, int at, const char *name)
{
        int fd = openat(at, name, GB_WALK_DIR_FLAGS | w->noatime);

        if (fd < 0 && errno == EPERM && w->noatime) {
                w->noatime = 0;
                fd = openat(at, name, GB_WALK_DIR_FLAGS);
        }
        return fd;
}

/* One step down from *fd (closed then; -1: from the root) to a component: 0, or -1 with errno. */
static int step_down(struct gb_walk *w, int *fd, const char *name, size_t len)
{
        char text[GB_NAME_MAX + 1];
        int next;

        memcpy(text, name, len);
        text[len] = '\0';
        next = gb_walk_open_at(w, *fd < 0 ? w->b->root_fd : *fd, text);
        if (next < 0)
                return -1;
        if (*fd >= 0)
                close(*fd);
        *fd = next;
        return 0;
}

/* The directory at path[0..len), component by component. */
int gb_walk_open_dir(struct gb_walk *w, const char *path, size_t len)
{
        GB_CLEANUP_CLOSE
        int fd = -1;

        if (len == 0)
                return gb_walk_open_at(w, w->b->root_fd, ".");
        for (size_t at = 0, n; at < len; at += n + 1) {
                n = gb_walk_component(path + at, len - at);
                if (step_down(w, &fd, path + at, n) < 0)
                        return -1;
        }
        return gb_steal_fd(&fd);
}

void gb_walk_close_fd(int *fd)
{
        int saved = errno;

        if (*fd >= 0)
                close(*fd);
        *fd = -1;
        errno = saved;
}

/* Close a level's descriptor, but remember which directory it was. */
static void level_close(struct gb_walk *w, size_t i)
{
        struct gb_walk_level *l = &w->levels.v[i];
        struct stat st;

        if (w->ahead)
                gb_ahead_drop(w->ahead, i);

        l->known = fstat(l->fd, &st) == 0;
        if (l->known) {
                l->dev = st.st_dev;
                l->ino = st.st_ino;
        }
        gb_walk_close_fd(&l->fd);
}

static bool level_is(const struct gb_walk_level *l, int fd)
{
        struct stat st;

        return l->known && fstat(fd, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino;
}

/* Open path[0..path_len) of level i below the open level i - 1, or from the root: 0, or -1 with errno. */
static int level_open(struct gb_walk *w, size_t i, bool from_root)
{
        struct gb_walk_level *l = &w->levels.v[i];
        GB_CLEANUP_CLOSE
        int fd = -1;

        if (from_root) {
                fd = gb_walk_open_dir(w, w->path, l->path_len);
        } else {
                const struct gb_walk_level *up = &w->levels.v[i - 1];
                size_t from = up->path_len + (up->path_len > 0);
                char name[GB_NAME_MAX + 1];

                memcpy(name, w->path + from, l->path_len - from);
                name[l->path_len - from] = '\0';
                fd = gb_walk_open_at(w, up->fd, name);
        }
        if (fd < 0)
                return -1;
        if (!level_is(l, fd)) {
                errno = ENOENT;
                return -1;
        }
        l->fd = gb_steal_fd(&fd);
        return 0;
}

/* The top level has no descriptor, so none of them has: open it again, and those of some levels above
 * it, which will be needed next.  0, or -1 with errno; ENOENT: it is another directory now. */
int gb_walk_reopen(struct gb_walk *w)
{
        size_t from = w->levels.n > REOPEN_KEEP ? w->levels.n - REOPEN_KEEP : 0;

        for (w->open_from = from; from < w->levels.n; from++) {
                if (level_open(w, from, from == w->open_from) == 0)
                        continue;
                w->levels.v[w->levels.n - 1].lost = gb_walk_is_weather(errno);
                while (from > w->open_from)
                        gb_walk_close_fd(&w->levels.v[--from].fd);
                w->open_from = w->levels.n;
                return -1;
        }
        return 0;
}

/* Push a level for the directory path[0..path_len), taking over `fd`.  GB_PATH_MAX bounds their number. */
int gb_walk_push(struct gb_walk *w, int fd, size_t path_len)
{
        struct gb_walk_level l = {
                .fd = fd, .path_len = path_len, .first = w->names.v.n, .used = w->names.used};

        l.pos = l.ahead = l.first;
        if (gb_vec_push(&w->levels, l) < 0) {
                close(fd);
                return gb_walk_fail_memory(w);
        }
        if (w->levels.n - w->open_from > OPEN_MAX)
                level_close(w, w->open_from++);
        if (path_len > 0 && path_len < GB_PATH_MAX)
                w->path[path_len] = '/';
        return 0;
}

void gb_walk_pop(struct gb_walk *w)
{
        struct gb_walk_level *l = &w->levels.v[--w->levels.n];

        if (w->ahead)
                gb_ahead_drop(w->ahead, w->levels.n);
        if (l->large)
                gb_walk_large_free(w, l->large);
        gb_walk_close_fd(&l->fd);
        gb_names_cut(&w->names, l->first, l->used);
        if (w->open_from > w->levels.n)
                w->open_from = w->levels.n;
}
