/*
 * resolve - see resolve.h.
 *
 * A non-directory's handle is one more hard link, so its st_nlink says how many names there are:
 * names are gathered, each verified by inode number, until that many are known.  The common file has
 * one name in a directory that is known already: lstat of the handle, list and read of one xattr,
 * lstat of the name; the xattrs are spared if the window's records tell the name.
 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/block.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "dirs.h"
#include "resolve.h"
#include "xattr.h"

#define GFID2PATH "trusted.gfid2path."
#define PGFID     "trusted.pgfid."
#define UUID_LEN  (GB_GFID_TEXT - 1)

struct gb_resolver {
        const struct gb_brick *brick;
        struct gb_dirs *dirs;
        struct gb_arena names; /* of the last look */
        char xattrs[GB_XATTR_LIST_MAX];
        size_t xattrs_len;
        bool may_search;
};

/* The object being looked at. */
struct object {
        struct gb_fact *fact;
        char handle[GB_HANDLE_TEXT]; /* below .glusterfs */
        struct stat st;
        size_t wanted; /* names that must exist */
};

struct gb_resolver *gb_resolver_new(const struct gb_brick *b, struct gb_error *err)
{
        struct gb_resolver *r = calloc(1, sizeof(*r));

        if (!r) {
                gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", b->path);
                return NULL;
        }
        r->brick = b;
        gb_arena_init(&r->names);
        r->dirs = gb_dirs_new(b, err);
        if (!r->dirs) {
                free(r);
                return NULL;
        }
        return r;
}

void gb_resolver_free(struct gb_resolver *r)
{
        if (!r)
                return;
        gb_dirs_free(r->dirs);
        gb_arena_fini(&r->names);
        free(r);
}

void gb_resolver_may_search(struct gb_resolver *r)
{
        r->may_search = true;
}

bool gb_resolver_could_search(const struct gb_resolver *r)
{
        return r->may_search && !gb_dirs_searched(r->dirs);
}

int gb_resolver_search(struct gb_resolver *r, gb_deadline until, struct gb_error *err)
{
        return gb_dirs_search(r->dirs, until, err);
}

/* ---- directories ---- */

int gb_resolver_place(struct gb_resolver *r, const gb_gfid *dir, bool maybe_gone, struct gb_slot *out,
                      bool *internal, struct gb_error *err)
{
        struct gb_dir d;
        int rc = gb_dirs_find(r->dirs, dir, maybe_gone, &d, err);

        if (rc <= 0)
                return rc;
        *out = d.slot;
        *internal = d.internal;
        return gb_gfid_eq(dir, &GB_GFID_ROOT) ? 2 : 1;
}

int gb_resolver_dir(struct gb_resolver *r, const gb_gfid *dir, struct gb_slot *out, struct gb_error *err)
{
        bool internal;

        return gb_resolver_place(r, dir, false, out, &internal, err);
}

int gb_resolver_dir_path(struct gb_resolver *r, const gb_gfid *dir, char *out, size_t *len,
                         struct gb_error *err)
{
        size_t at = GB_PATH_MAX;
        gb_gfid g = *dir;
        struct gb_slot slot;
        char text[GB_GFID_TEXT];
        int rc;

        /* Built from the end; a loop runs out of room. */
        while ((rc = gb_resolver_dir(r, &g, &slot, err)) == 1) {
                size_t need = slot.len + (at < GB_PATH_MAX);

                if (need > at)
                        return gb_error_set(err, GB_ERR_LIMIT,
                                            "%s: path of directory %s is too long or loops", r->brick->path,
                                            gb_gfid_format(dir, text));
                if (at < GB_PATH_MAX)
                        out[at - 1] = '/';
                at -= need;
                memcpy(out + at, slot.name, slot.len);
                g = slot.parent;
        }
        if (rc <= 0)
                return rc;
        *len = GB_PATH_MAX - at;
        memmove(out, out + at, *len);
        out[*len] = '\0';
        return 1;
}

/* ---- objects ---- */

/* An error that only says that the name is not there, or no longer. */
static bool not_there(int e)
{
        return e == ENOENT || e == ENOTDIR || e == ESTALE || e == ELOOP;
}

static int stat_handle(const struct gb_resolver *r, struct object *o, struct gb_error *err)
{
        if (fstatat(r->brick->handles_fd, o->handle, &o->st, AT_SYMLINK_NOFOLLOW) == 0)
                return 1;
        if (not_there(errno))
                return 0;
        return gb_error_sys(err, GB_ERR_SYSTEM, "%s: look at handle %s", r->brick->path, o->handle);
}

static int is_linkto(const struct gb_brick *b, int dirfd, const char *name, const struct stat *st,
                     struct gb_error *err)
{
        int rc = b->alone ? 0 : gb_linkto_at(dirfd, name, st->st_mode);

        if (rc >= 0 || not_there(errno))
                return rc > 0;
        return gb_error_sys(err, GB_ERR_SYSTEM, "%s: read linkto of %s", b->path, name);
}

/* A handle that may be a directory's: only verification tells for sure. */
static bool may_be_dir(const struct stat *st)
{
        return S_ISLNK(st->st_mode) && st->st_nlink == 1;
}

static int add_name(struct gb_resolver *r, struct gb_fact *f, const struct gb_slot *slot,
                    struct gb_error *err)
{
        struct gb_slot copy = *slot;

        if (f->names.n >= GB_LINKS_MAX)
                return gb_error_set(err, GB_ERR_LIMIT, "%s: an object has more than %d names", r->brick->path,
                                    GB_LINKS_MAX);
        copy.name = gb_arena_dup(&r->names, slot->name, slot->len);
        if (!copy.name || gb_vec_push(&f->names, copy) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory for names", r->brick->path);
        return 0;
}

/* Among the first n names? */
static bool known(const struct gb_fact *f, size_t n, const struct gb_slot *slot)
{
        for (size_t i = 0; i < n; i++)
                if (gb_slot_eq(&f->names.v[i], slot))
                        return true;
        return false;
}

static bool same_inode(const struct stat *a, const struct stat *b)
{
        return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* Does the object have this name?  1, 0, -1.  A directory that was open before may have been replaced
 * since by another of the same gfid (heals do that): such a no is asked twice, if `sure` is wanted. */
static int verify(struct gb_resolver *r, const struct object *o, const struct gb_slot *slot, bool sure,
                  struct gb_error *err)
{
        char name[GB_NAME_MAX + 1];
        struct stat st;
        struct gb_dir d;

        memcpy(name, slot->name, slot->len);
        name[slot->len] = '\0';
        if (gb_dirs_glance(r->dirs, slot, &st) && same_inode(&st, &o->st))
                return 1;
        for (;;) {
                int rc = gb_dirs_open(r->dirs, &slot->parent, false, &d, err);

                if (rc <= 0)
                        return rc;
                if (fstatat(d.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
                        if (same_inode(&st, &o->st))
                                return 1;
                } else if (!not_there(errno)) {
                        return gb_error_sys(err, GB_ERR_SYSTEM, "%s: look at a name of %s", r->brick->path,
                                            o->handle);
                }
                if (d.fresh || !sure || gb_gfid_eq(&slot->parent, &GB_GFID_ROOT))
                        return 0;
                gb_dirs_forget(r->dirs, &slot->parent);
        }
}

static int try_name(struct gb_resolver *r, struct object *o, const struct gb_slot *slot, struct gb_error *err)
{
        int rc;

        if (known(o->fact, o->fact->names.n, slot))
                return 0;
        rc = verify(r, o, slot, true, err);
        return rc <= 0 ? rc : add_name(r, o->fact, slot, err);
}

/* ---- the sources of names ---- */

/* Where the window's last new name was, the object most likely is: found there with one look, a file of
 * one name needs no xattr at all. */
static int name_by_last_hint(struct gb_resolver *r, struct object *o, struct gb_error *err)
{
        size_t i = o->fact->claims.n;
        int rc;

        while (i > 0 && o->fact->claims.v[i - 1].kind == GB_CLAIM_LOSS)
                i--;
        if (i == 0)
                return 0;
        rc = verify(r, o, &o->fact->claims.v[i - 1].slot, false, err);
        return rc <= 0 ? rc : add_name(r, o->fact, &o->fact->claims.v[i - 1].slot, err);
}

static int list_xattrs(struct gb_resolver *r, const struct object *o, struct gb_error *err)
{
        ssize_t n;

        r->xattrs_len = 0;
        if (o->fact->names.n >= o->wanted)
                return 0;
        n = gb_xattrs_at(r->brick->handles_fd, o->handle, r->xattrs, sizeof(r->xattrs));
        r->xattrs_len = n > 0 ? (size_t)n : 0;
        if (n >= 0 || not_there(errno) || errno == ERANGE || errno == E2BIG)
                return 0; /* too many to list: as good as none */
        return gb_error_sys(err, GB_ERR_SYSTEM, "%s: list xattrs of handle %s", r->brick->path, o->handle);
}

/* The next xattr whose key starts with `prefix`, from *at on; NULL at the end. */
static const char *next_xattr(const struct gb_resolver *r, size_t *at, const char *prefix, size_t prefix_len)
{
        while (*at < r->xattrs_len) {
                const char *key = r->xattrs + *at;

                *at += strnlen(key, r->xattrs_len - *at) + 1;
                if (*at <= r->xattrs_len && strncmp(key, prefix, prefix_len) == 0)
                        return key;
        }
        return NULL;
}

/* "<uuid>/<name>" */
static bool parse_gfid2path(const char *value, size_t len, struct gb_slot *slot)
{
        if (len <= UUID_LEN + 1 || len > GB_GFID2PATH_MAX || value[UUID_LEN] != '/' ||
            !gb_gfid_parse(value, UUID_LEN, &slot->parent))
                return false;
        slot->name = value + UUID_LEN + 1;
        slot->len = len - UUID_LEN - 1;
        return !memchr(slot->name, '/', slot->len) && !memchr(slot->name, '\0', slot->len);
}

static int names_by_gfid2path(struct gb_resolver *r, struct object *o, struct gb_error *err)
{
        char value[GB_GFID2PATH_MAX + 1];
        const char *key;
        size_t at = 0;

        while (o->fact->names.n < o->wanted && (key = next_xattr(r, &at, GFID2PATH, sizeof(GFID2PATH) - 1))) {
                ssize_t n = gb_xattr_at(r->brick->handles_fd, o->handle, key, value, sizeof(value));
                struct gb_slot slot;

                if (n < 0 && errno != ENODATA && errno != ERANGE && !not_there(errno))
                        return gb_error_sys(err, GB_ERR_SYSTEM, "%s: read %s of handle %s", r->brick->path,
                                            key, o->handle);
                if (n > 0 && parse_gfid2path(value, (size_t)n, &slot) && try_name(r, o, &slot, err) < 0)
                        return -1;
        }
        return 0;
}

/* One entry of a directory that is known to hold a name of the object. */
static int try_entry(struct gb_resolver *r, struct object *o, const gb_gfid *parent, int dirfd,
                     const struct dirent *e, size_t known_before, struct gb_error *err)
{
        struct gb_slot slot = {.parent = *parent, .name = e->d_name, .len = strlen(e->d_name)};
        gb_gfid found;

        if (e->d_ino != o->st.st_ino || slot.len > GB_NAME_MAX || known(o->fact, known_before, &slot))
                return 0;
        /* Another file may have got the inode number meanwhile. */
        if (gb_get_gfid_at(dirfd, e->d_name, &found) < 0 || !gb_gfid_eq(&found, &o->fact->gfid))
                return 0;
        return add_name(r, o->fact, &slot, err);
}

static int names_in_dir(struct gb_resolver *r, struct object *o, const gb_gfid *parent, struct gb_error *err)
{
        GB_CLEANUP_CLOSEDIR DIR *dir = NULL;
        size_t before = o->fact->names.n;
        const struct dirent *e;
        struct gb_dir d;
        int fd, rc = gb_dirs_open(r->dirs, parent, false, &d, err);

        if (rc <= 0)
                return rc;
        fd = openat(d.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir) {
                int e_open = errno;

                if (fd >= 0)
                        close(fd);
                errno = e_open;
                return not_there(errno)
                               ? 0
                               : gb_error_sys(err, GB_ERR_SYSTEM, "%s: open a directory that holds %s",
                                              r->brick->path, o->handle);
        }
        while (o->fact->names.n < o->wanted && (errno = 0, e = readdir(dir)))
                if (try_entry(r, o, parent, dirfd(dir), e, before, err) < 0)
                        return -1;
        if (o->fact->names.n < o->wanted && errno && !not_there(errno))
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: read a directory that holds %s", r->brick->path,
                                    o->handle);
        return 0;
}

static int names_by_pgfid(struct gb_resolver *r, struct object *o, struct gb_error *err)
{
        const char *key;
        size_t at = 0;

        while (o->fact->names.n < o->wanted && (key = next_xattr(r, &at, PGFID, sizeof(PGFID) - 1))) {
                gb_gfid parent;

                key += sizeof(PGFID) - 1;
                if (gb_gfid_parse(key, strlen(key), &parent) && names_in_dir(r, o, &parent, err) < 0)
                        return -1;
        }
        return 0;
}

static int names_by_hints(struct gb_resolver *r, struct object *o, struct gb_error *err)
{
        for (size_t i = 0; i < o->fact->claims.n && o->fact->names.n < o->wanted; i++)
                if (try_name(r, o, &o->fact->claims.v[i].slot, err) < 0)
                        return -1;
        return 0;
}

/* ---- looking ---- */

bool gb_shard_base(const struct gb_slot *slot, gb_gfid *base)
{
        if (slot->len < UUID_LEN + 2 || slot->name[UUID_LEN] != '.')
                return false;
        for (size_t i = UUID_LEN + 1; i < slot->len; i++)
                if (slot->name[i] < '0' || slot->name[i] > '9')
                        return false;
        return gb_gfid_parse(slot->name, UUID_LEN, base);
}

/* Take names below internal directories out again: they counted, but nobody is to see them. */
static int hide_internal(struct gb_resolver *r, struct gb_fact *f, gb_gfid *shard_base, struct gb_error *err)
{
        size_t kept = 0;

        for (size_t i = 0; i < f->names.n; i++) {
                const struct gb_slot *slot = &f->names.v[i];
                struct gb_dir d;
                int rc = gb_dirs_find(r->dirs, &slot->parent, false, &d, err);

                if (rc < 0)
                        return -1;
                if (gb_gfid_eq(&slot->parent, &GB_GFID_SHARD))
                        gb_shard_base(slot, shard_base);
                if (rc == 0 || !d.internal)
                        f->names.v[kept++] = *slot;
        }
        f->names.n = kept;
        return 0;
}

static int look_at_file(struct gb_resolver *r, struct object *o, gb_gfid *shard_base, struct gb_error *err)
{
        struct gb_fact *f = o->fact;
        int linkto = is_linkto(r->brick, r->brick->handles_fd, o->handle, &o->st, err);

        if (linkto < 0)
                return -1;
        if (linkto || o->st.st_nlink < 2) /* the handle alone is left */
                return 0;
        o->wanted = o->st.st_nlink - 1;
        gb_dirs_may_be_lost(r->dirs); /* from here on */
        if (name_by_last_hint(r, o, err) < 0 || list_xattrs(r, o, err) < 0 ||
            names_by_gfid2path(r, o, err) < 0 || names_by_pgfid(r, o, err) < 0 ||
            names_by_hints(r, o, err) < 0)
                return -1;
        f->type = gb_entry_type(o->st.st_mode);
        f->look = f->names.n < o->wanted ? GB_LOOK_PARTIAL : GB_LOOK_PRESENT;
        if (f->look == GB_LOOK_PARTIAL && gb_dirs_may_be_lost(r->dirs) && r->may_search)
                return 1;
        return hide_internal(r, f, shard_base, err);
}

static int nameless_dir(struct gb_fact *f)
{
        f->look = GB_LOOK_PARTIAL;
        f->type = 'd';
        f->flags |= GB_FACT_DIR;
        return 0;
}

/* A directory's handle that leads to no directory is damage; a user's symlink has lost its last name. */
static int unreachable(struct gb_resolver *r, struct object *o, struct gb_error *err)
{
        int rc = gb_dirs_claimed(r->dirs, &o->fact->gfid, err);

        if (rc == 1 && gb_dirs_may_be_lost(r->dirs) && r->may_search)
                return 1;
        return rc <= 0 ? rc : nameless_dir(o->fact);
}

static int look_at_dir(struct gb_resolver *r, struct object *o, struct gb_error *err)
{
        struct gb_fact *f = o->fact;
        struct gb_dir d;
        int rc;

        if (gb_dirs_refresh(r->dirs, &f->gfid, err) < 0)
                return -1;
        rc = gb_dirs_find(r->dirs, &f->gfid, true, &d, err);
        if (rc < 0)
                return -1;
        if (rc == 0)
                return unreachable(r, o, err);
        f->look = GB_LOOK_PRESENT;
        f->type = 'd';
        f->flags |= GB_FACT_DIR;
        return d.internal || !d.slot.len ? 0 : add_name(r, f, &d.slot, err);
}

bool gb_resolver_may_be_dir(const struct gb_fact *f)
{
        bool renamed = false;

        if (f->flags & GB_FACT_DIR)
                return true;
        if (f->flags & (GB_FACT_GONE | GB_FACT_DATA))
                return false;
        for (size_t i = 0; i < f->claims.n; i++) {
                if (f->claims.v[i].kind != GB_CLAIM_LOSS && f->claims.v[i].kind != GB_CLAIM_ARRIVE)
                        return false;
                renamed = true;
        }
        return renamed;
}

/* Stat the object's handle, twice if it may be a directory that is being renamed. */
static int find_handle(struct gb_resolver *r, struct object *o, struct gb_error *err)
{
        int rc = stat_handle(r, o, err);

        if (rc != 0 || (o->fact->flags & GB_FACT_GONE) || !gb_resolver_may_be_dir(o->fact) ||
            !gb_dirs_pause(r->dirs))
                return rc;
        return stat_handle(r, o, err);
}

/* ---- without a handle ---- */

/* By its records, might it be a directory that is there?  Rename and removal of files over one another leave
 * no record of the loser; but what a directory has no record of is only its handle's loss. */
static bool may_be_lost(const struct gb_fact *f)
{
        if (f->flags & (GB_FACT_GONE | GB_FACT_DATA))
                return false;
        for (size_t i = 0; i < f->claims.n; i++)
                if (f->claims.v[i].kind == GB_CLAIM_LINK || f->claims.v[i].kind == GB_CLAIM_HEAL ||
                    (f->claims.v[i].kind == GB_CLAIM_BORN && !(f->flags & GB_FACT_DIR)))
                        return false;
        return f->claims.n || (f->flags & (GB_FACT_META | GB_FACT_XATTR | GB_FACT_DIR));
}

/* Is it where a record puts it?  1, 0, 2 that directory is not known either, -1. */
static int seen_at(struct gb_resolver *r, const struct gb_fact *f, const struct gb_slot *slot,
                   struct gb_error *err)
{
        char name[GB_NAME_MAX + 1];
        struct gb_dir d;
        struct stat st;
        gb_gfid found;
        int rc = gb_dirs_open(r->dirs, &slot->parent, true, &d, err);

        if (rc <= 0)
                return rc < 0 ? -1 : 2;
        memcpy(name, slot->name, slot->len);
        name[slot->len] = '\0';
        if (gb_get_gfid_at(d.fd, name, &found) == 0 && gb_gfid_eq(&found, &f->gfid) &&
            fstatat(d.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
                return gb_dirs_seen(r->dirs, &f->gfid, slot, err) < 0 ? -1 : 1;
        return 0;
}

/* 1 it is known where it is, 0 it is not here, 2 a search must tell, -1. */
static int find_lost(struct gb_resolver *r, const struct gb_fact *f, struct gb_error *err)
{
        bool ask = !f->claims.n;
        int rc = gb_dirs_claimed(r->dirs, &f->gfid, err);

        if (rc != 0 || !may_be_lost(f))
                return rc;
        for (size_t i = 0; i < f->claims.n; i++) {
                rc = seen_at(r, f, &f->claims.v[i].slot, err);
                if (rc < 0 || rc == 1)
                        return rc;
                ask |= rc == 2;
        }
        return ask && gb_resolver_could_search(r) ? 2 : 0;
}

static int look_without_handle(struct gb_resolver *r, struct object *o, struct gb_error *err)
{
        int rc = find_lost(r, o->fact, err);

        if (rc <= 0)
                return rc;
        return rc == 2 ? 1 : look_at_dir(r, o, err);
}

int gb_resolver_look(struct gb_resolver *r, struct gb_fact *f, gb_gfid *shard_base, struct gb_error *err)
{
        struct object o = {.fact = f};
        int rc;

        *shard_base = GB_GFID_NULL;
        f->look = GB_LOOK_ABSENT;
        f->type = 0;
        f->names.n = 0;
        gb_arena_reset(&r->names);
        gb_dirs_trim(r->dirs);
        gb_handle_path(&f->gfid, o.handle);
        rc = find_handle(r, &o, err);
        if (rc <= 0)
                return rc < 0 ? -1 : look_without_handle(r, &o, err);
        if (may_be_dir(&o.st))
                return look_at_dir(r, &o, err);
        if (S_ISDIR(o.st.st_mode)) /* never written by GlusterFS */
                return nameless_dir(f);
        return look_at_file(r, &o, shard_base, err);
}

int gb_resolver_is_dir(struct gb_resolver *r, const gb_gfid *gfid, struct gb_error *err)
{
        struct object o = {0};
        struct gb_dir d;
        int rc;

        gb_handle_path(gfid, o.handle);
        rc = stat_handle(r, &o, err);
        if (rc < 0 || (rc == 1 && !may_be_dir(&o.st)))
                return rc < 0 ? -1 : 0;
        return gb_dirs_find(r->dirs, gfid, true, &d, err);
}

int gb_resolver_slot(struct gb_resolver *r, const struct gb_slot *slot, gb_gfid *gfid, char *type,
                     struct gb_error *err)
{
        char name[GB_NAME_MAX + 1];
        struct gb_dir d;
        struct stat st;
        int rc;

        gb_dirs_trim(r->dirs);
        rc = gb_dirs_open(r->dirs, &slot->parent, false, &d, err);
        if (rc <= 0)
                return rc;
        memcpy(name, slot->name, slot->len);
        name[slot->len] = '\0';
        if (fstatat(d.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                if (not_there(errno))
                        return 0;
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: look at \"%s\"", r->brick->path, name);
        }
        rc = is_linkto(r->brick, d.fd, name, &st, err);
        if (rc != 0)
                return rc < 0 ? -1 : 0;
        if (gb_get_gfid_at(d.fd, name, gfid) < 0) {
                if (errno == ENODATA || not_there(errno))
                        return 0; /* not GlusterFS's, or gone meanwhile */
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: read gfid of \"%s\"", r->brick->path, name);
        }
        *type = gb_entry_type(st.st_mode);
        return 1;
}
