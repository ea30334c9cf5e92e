/*
 * handle_paths - EXISTS and TIMES: what is at these paths of a brick?
 *
 * A path is a client's: one step for each component, and never through a symbolic link.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/block.h"
#include "base/cleanup.h"
#include "base/order.h"
#include "handlers.h"
#include "mdata.h"

/* ---- a path ---- */

struct seen {
        gbx_exists_one one;
        struct stat st;
};

/* What stands at `name`: 1 and *out, 0 nothing a user would see, -1. */
static int at_name(const struct gb_brick *b, int dirfd, const char *name, struct seen *out,
                   struct gb_error *err)
{
        gb_gfid gfid;

        if (fstatat(dirfd, name, &out->st, AT_SYMLINK_NOFOLLOW) == 0) {
                if (!b->alone && gb_linkto_at(dirfd, name, out->st.st_mode) > 0)
                        return 0;
                if (gb_get_gfid_at(dirfd, name, &gfid) == 0) {
                        if (dirfd == b->root_fd && gb_gfid_is_internal_dir(&gfid, &b->volume_id))
                                return 0;
                        out->one.type = gb_entry_type(out->st.st_mode);
                        memcpy(out->one.gfid, gfid.b, sizeof(gfid.b));
                        return out->one.type ? 1 : 0;
                }
        }
        /* No gfid: put on the brick behind GlusterFS's back, or on its way in or out. */
        if (errno == ENOENT || errno == ENODATA)
                return 0;
        return gb_error_sys(err, GB_ERR_SYSTEM, "%s: look at %s", b->path, name);
}

static int open_below(const struct gb_brick *b, int dirfd, const char *name, int *out, struct gb_error *err)
{
        *out = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (*out >= 0)
                return 1;
        if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
                return 0;
        return gb_error_sys(err, GB_ERR_SYSTEM, "%s: open directory %s", b->path, name);
}

/* The directory that a path's last component is in: 1, with *dirfd (*held is to be closed) and the component;
 * 0 nothing that a user would see can be there; -1. */
static int find_parent(const struct gb_brick *b, const gbx_path *path, int *held, int *dirfd,
                       char name[GB_NAME_MAX + 1], struct gb_error *err)
{
        const char *p = path->gbx_path_val, *end = p + path->gbx_path_len, *slash;
        struct seen above;
        int next, rc;

        *dirfd = b->root_fd;
        for (;; p = slash + 1) {
                slash = memchr(p, '/', (size_t)(end - p));
                memcpy(name, p, (size_t)((slash ? slash : end) - p));
                name[(slash ? slash : end) - p] = '\0';
                if (*dirfd == b->root_fd && !strcmp(name, ".glusterfs"))
                        return 0;
                if (!slash)
                        return 1;
                /* At the root, what lies below an internal directory is internal too. */
                rc = *dirfd == b->root_fd ? at_name(b, *dirfd, name, &above, err) : 1;
                if (rc == 1)
                        rc = open_below(b, *dirfd, name, &next, err);
                if (rc != 1)
                        return rc;
                if (*held >= 0)
                        close(*held);
                *dirfd = *held = next;
        }
}

static int check_paths(const gbx_path *paths, u_int n, struct gb_error *err)
{
        for (u_int i = 0; i < n; i++)
                if (!gb_path_valid(paths[i].gbx_path_val, paths[i].gbx_path_len))
                        return gb_error_set(err, GB_ERR_USAGE, "path %u is not a valid relative path", i);
        return 0;
}

/* The answer about what stands at `name`.  0, -1. */
typedef int answer_fn(const struct gb_brick *b, int dirfd, const char *name, const struct seen *seen,
                      void *out, struct gb_error *err);

static int look_at(const struct gb_brick *b, const gbx_path *path, answer_fn *answer, void *out,
                   struct gb_error *err)
{
        GB_CLEANUP_CLOSE
        int held = -1;
        char name[GB_NAME_MAX + 1];
        struct seen seen;
        int dirfd, rc = find_parent(b, path, &held, &dirfd, name, err);

        if (rc == 1)
                rc = at_name(b, dirfd, name, &seen, err);
        return rc == 1 ? answer(b, dirfd, name, &seen, out, err) : rc;
}

/* Answers about n paths, each of `size` bytes and zero where nothing stands; the caller's to free.  NULL. */
static void *look_at_all(struct gb_worker *w, const gbx_volname *volume, const gbx_brick *brick,
                         const gbx_path *paths, u_int n, size_t size, answer_fn *answer, struct gb_error *err)
{
        GB_CLEANUP_BRICK struct gb_brick *b = gb_handler_brick(w, volume, brick, true, err);
        GB_CLEANUP_FREE
        char *found = NULL;

        if (!b || check_paths(paths, n, err) < 0)
                return NULL;
        found = calloc(n + 1, size);
        if (!found) {
                gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory to look", b->path);
                return NULL;
        }
        for (u_int i = 0; i < n; i++)
                if (look_at(b, &paths[i], answer, found + i * size, err) < 0)
                        return NULL;
        return gb_steal_ptr(&found);
}

/* ---- EXISTS ---- */

static int tell_exists(const struct gb_brick *b, int dirfd, const char *name, const struct seen *seen,
                       void *out, struct gb_error *err)
{
        (void)b;
        (void)dirfd;
        (void)name;
        (void)err;
        *(gbx_exists_one *)out = seen->one;
        return 0;
}

static int exists(struct gb_worker *w, const gbx_exists_arg *arg, gbx_exists_res *res, struct gb_error *err)
{
        gbx_exists_one *found = look_at_all(w, &arg->volume, &arg->brick, arg->paths.paths_val,
                                            arg->paths.paths_len, sizeof(*found), tell_exists, err);

        if (!found)
                return -1;
        res->gbx_exists_res_u.found.found_val = found;
        res->gbx_exists_res_u.found.found_len = arg->paths.paths_len;
        return 0;
}

bool_t gbx_exists_1_svc(gbx_exists_arg *arg, gbx_exists_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_exists_res, w && exists(w, arg, res, &err) == 0, &err);
}

/* ---- TIMES ---- */

static gbx_time time_of(const struct timespec *t)
{
        return (gbx_time){.seconds = t->tv_sec, .nanoseconds = (u_int)t->tv_nsec};
}

/* What goes between two looks has gone. */
static int tell_times(const struct gb_brick *b, int dirfd, const char *name, const struct seen *seen,
                      void *out, struct gb_error *err)
{
        gbx_times_one *one = out;
        struct gb_mdata kept;
        int rc = gb_mdata_at(dirfd, name, &kept);

        if (rc < 0)
                return errno == ENOENT ? 0
                                       : gb_error_sys(err, GB_ERR_SYSTEM, "%s: look at %s", b->path, name);
        one->type = seen->one.type;
        one->changed = time_of(&seen->st.st_ctim);
        one->modified = time_of(&seen->st.st_mtim);
        one->kept = rc == 1;
        if (one->kept) {
                one->kept_changed = time_of(&kept.changed);
                one->kept_modified = time_of(&kept.modified);
        }
        return 0;
}

static int times(struct gb_worker *w, const gbx_times_arg *arg, gbx_times_res *res, struct gb_error *err)
{
        gbx_times_one *found = look_at_all(w, &arg->volume, &arg->brick, arg->paths.paths_val,
                                           arg->paths.paths_len, sizeof(*found), tell_times, err);

        if (!found)
                return -1;
        res->gbx_times_res_u.times.times_val = found;
        res->gbx_times_res_u.times.times_len = arg->paths.paths_len;
        return 0;
}

bool_t gbx_times_1_svc(gbx_times_arg *arg, gbx_times_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_times_res, w && times(w, arg, res, &err) == 0, &err);
}
