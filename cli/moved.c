/*
 * moved - see moved.h.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "moved.h"

void gb_moved_init(struct gb_moved *m)
{
        memset(m, 0, sizeof(*m));
        gb_buf_init(&m->path, 4 * GB_PATH_MAX);
}

static void pop(struct gb_moved *m)
{
        struct gb_moved_dir *d = &m->dirs.v[--m->dirs.n];

        free(d->path);
        free(d->old);
}

void gb_moved_fini(struct gb_moved *m)
{
        while (m->dirs.n)
                pop(m);
        gb_vec_free(&m->dirs);
        gb_buf_fini(&m->path);
}

const struct gb_moved_dir *gb_moved_over(struct gb_moved *m, const char *path, size_t len)
{
        while (m->dirs.n) {
                const struct gb_moved_dir *d = &m->dirs.v[m->dirs.n - 1];

                if (len > d->len && gb_path_within(path, len, d->path, d->len))
                        return d;
                if (len == d->len && memcmp(path, d->path, len) == 0) {
                        /* another line of the directory itself: what is above it? */
                        return m->dirs.n > 1 ? d - 1 : NULL;
                }
                pop(m);
        }
        return NULL;
}

int gb_moved_add(struct gb_moved *m, const struct gb_op *rename, bool kept)
{
        struct gb_moved_dir d = {.path = strndup(rename->path, rename->len),
                                 .old = strndup(rename->old, rename->old_len),
                                 .len = rename->len,
                                 .old_len = rename->old_len,
                                 .kept = kept};

        if (d.path && d.old && gb_vec_push(&m->dirs, d) == 0)
                return 0;
        free(d.path);
        free(d.old);
        return -1;
}

int gb_moved_old(struct gb_moved *m, const struct gb_moved_dir *dir, const char *path, size_t len)
{
        gb_buf_reset(&m->path);
        if (gb_buf_put(&m->path, dir->old, dir->old_len) < 0)
                return -1;
        return gb_buf_put(&m->path, path + dir->len, len - dir->len);
}
