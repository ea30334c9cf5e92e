/*
 * handle_paths - EXISTS and TIMES: what is at these paths of a brick?
 *
 * A path is a client's: one step for each component, and never through a symbolic link.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/block.h"
#include "base/cleanup.h"
#include "base/order.h"
#include "handlers.h"
#include "mdata.h"

/* ---- a path ---- */

/* What stands at `name`: 1 and *out, 0 nothing a user would see, -1. */
static int at_name(const struct gb_brick *b, int dirfd, const char *name, gbx_exists_one *out,
                   struct gb_error *err)
{
        struct stat st;
        gb_gfid gfid;

        if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
                if (!b->alone && gb_linkto_at(dirfd, name, st.st_mode) > 0)
                        return 0;
                if (gb_get_gfid_at(dirfd, name, &gfid) == 0) {
                        if (dirfd == b->root_fd && gb_gfid_is_internal_dir(&gfid, &b->volume_id))
                                return 0;
                        out->type = gb_entry_type(st.st_mode);
                        memcpy(out->gfid, gfid.b, sizeof(gfid.b));
                        return out->type ? 1 : 0;
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
        gbx_exists_one above;
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

/* ---- EXISTS ---- */

static int exists_one(const struct gb_brick *b, const gbx_path *path, gbx_exists_one *out,
                      struct gb_error *err)
{
        GB_CLEANUP_CLOSE
        int held = -1;
        char name[GB_NAME_MAX + 1];
        int dirfd, rc = find_parent(b, path, &held, &dirfd, name, err);

        return rc <= 0 ? rc : at_name(b, dirfd, name, out, err) < 0 ? -1 : 0;
}

static int exists(struct gb_worker *w, const gbx_exists_arg *arg, gbx_exists_res *res, struct gb_error *err)
{
        GB_CLEANUP_BRICK struct gb_brick *b = gb_handler_brick(w, &arg->volume, &arg->brick, true, err);
        GB_CLEANUP_FREE
        gbx_exists_one *found = NULL;

        if (!b || check_paths(arg->paths.paths_val, arg->paths.paths_len, err) < 0)
                return -1;
        found = calloc(arg->paths.paths_len + 1, sizeof(*found));
        if (!found)
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory to look", b->path);
        for (u_int i = 0; i < arg->paths.paths_len; i++)
                if (exists_one(b, &arg->paths.paths_val[i], &found[i], err) < 0)
                        return -1;
        res->gbx_exists_res_u.found.found_val = gb_steal_ptr(&found);
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
static int times_at(const struct gb_brick *b, int dirfd, const char *name, gbx_times_one *out,
                    struct gb_error *err)
{
        gbx_exists_one one;
        struct gb_mdata kept;
        struct stat st;
        int rc = at_name(b, dirfd, name, &one, err);

        if (rc <= 0)
                return rc;
        if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || (rc = gb_mdata_at(dirfd, name, &kept)) < 0)
                return errno == ENOENT ? 0
                                       : gb_error_sys(err, GB_ERR_SYSTEM, "%s: look at %s", b->path, name);
        out->type = one.type;
        out->changed = time_of(&st.st_ctim);
        out->modified = time_of(&st.st_mtim);
        out->kept = rc == 1;
        if (out->kept) {
                out->kept_changed = time_of(&kept.changed);
                out->kept_modified = time_of(&kept.modified);
        }
        return 0;
}

static int times_one(const struct gb_brick *b, const gbx_path *path, gbx_times_one *out, struct gb_error *err)
{
        GB_CLEANUP_CLOSE
        int held = -1;
        char name[GB_NAME_MAX + 1];
        int dirfd, rc = find_parent(b, path, &held, &dirfd, name, err);

        return rc <= 0 ? rc : times_at(b, dirfd, name, out, err);
}

static int times(struct gb_worker *w, const gbx_times_arg *arg, gbx_times_res *res, struct gb_error *err)
{
        GB_CLEANUP_BRICK struct gb_brick *b = gb_handler_brick(w, &arg->volume, &arg->brick, true, err);
        GB_CLEANUP_FREE
        gbx_times_one *found = NULL;

        if (!b || check_paths(arg->paths.paths_val, arg->paths.paths_len, err) < 0)
                return -1;
        found = calloc(arg->paths.paths_len + 1, sizeof(*found));
        if (!found)
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory to look", b->path);
        for (u_int i = 0; i < arg->paths.paths_len; i++)
                if (times_one(b, &arg->paths.paths_val[i], &found[i], err) < 0)
                        return -1;
        res->gbx_times_res_u.times.times_val = gb_steal_ptr(&found);
        res->gbx_times_res_u.times.times_len = arg->paths.paths_len;
        return 0;
}

bool_t gbx_times_1_svc(gbx_times_arg *arg, gbx_times_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_times_res, w && times(w, arg, res, &err) == 0, &err);
}
