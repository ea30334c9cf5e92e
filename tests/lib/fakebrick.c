/*
 * fakebrick - a brick in a temporary folder, for unit tests.  See fakebrick.h.
 *
 * Everything goes through a descriptor of the parent directory and /proc/self/fd, so that paths may be
 * longer than PATH_MAX, as they may be on a brick.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/cleanup.h"
#include "fakebrick.h"

enum { FOP_MKNOD = 3, FOP_MKDIR = 4, FOP_UNLINK = 5, FOP_RMDIR = 6, FOP_RENAME = 8, FOP_CREATE = 23 };

#define HEADER "GlusterFS Changelog | version: v1.2 | encoding : 2\n"

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *fmt, ...)
{
        int saved = errno;
        va_list ap;

        fprintf(stderr, "fakebrick: ");
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fprintf(stderr, ": %s\n", strerror(saved));
        abort();
}

static char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static char *format(const char *fmt, ...)
{
        va_list ap;
        char *s;

        va_start(ap, fmt);
        if (vasprintf(&s, fmt, ap) < 0)
                die("out of memory");
        va_end(ap);
        return s;
}

static void write_all(int fd, const void *bytes, size_t len)
{
        if (write(fd, bytes, len) != (ssize_t)len)
                die("write");
}

/* -- names and xattrs */

int gb_fake_parent(struct gb_fake *f, const char *path, const char **name)
{
        int fd = openat(f->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        for (const char *slash; fd >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
                GB_CLEANUP_FREE
                char *part = format("%.*s", (int)(slash - path), path);
                int next = openat(fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

                close(fd);
                fd = next;
        }
        if (fd < 0)
                die("parent of %s", path);
        *name = path;
        return fd;
}

/* A name in a directory, spelled so that path-only calls find it. */
static char *spell(int fd, const char *name)
{
        return format("/proc/self/fd/%d/%s", fd, name);
}

static void set_xattr_at(int fd, const char *name, const char *key, const void *value, size_t len)
{
        GB_CLEANUP_FREE
        char *path = spell(fd, name);

        if (value ? lsetxattr(path, key, value, len, 0) : lremovexattr(path, key))
                die("xattr %s of %s", key, name);
}

static gb_gfid get_at(int fd, const char *name)
{
        GB_CLEANUP_FREE
        char *path = spell(fd, name);
        gb_gfid g;

        if (lgetxattr(path, "trusted.gfid", g.b, sizeof(g.b)) != (ssize_t)sizeof(g.b))
                die("trusted.gfid of %s", name);
        return g;
}

static struct stat stat_at(int fd, const char *name)
{
        struct stat st;

        if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                die("stat %s", name);
        return st;
}

gb_gfid gb_fake_get(struct gb_fake *f, const char *path)
{
        GB_CLEANUP_CLOSE
        int fd = gb_fake_parent(f, path, &path);

        return get_at(fd, path);
}

void gb_fake_xattr(struct gb_fake *f, const char *path, const char *name, const void *value, size_t len)
{
        GB_CLEANUP_CLOSE
        int fd = gb_fake_parent(f, path, &path);

        set_xattr_at(fd, path, name, value, len);
}

void gb_fake_chmod(struct gb_fake *f, const char *path, mode_t mode)
{
        GB_CLEANUP_CLOSE
        int fd = gb_fake_parent(f, path, &path);

        if (fchmodat(fd, path, mode, 0) < 0)
                die("chmod %s", path);
}

/* -- handles and gfid2path */

/* Where a handle is, seen from the root. */
static char *handle(const gb_gfid *g)
{
        char text[GB_GFID_TEXT];

        gb_gfid_format(g, text);
        return format(".glusterfs/%.2s/%.2s/%s", text, text + 2, text);
}

static void make_handle_dirs(struct gb_fake *f, const gb_gfid *g)
{
        GB_CLEANUP_FREE
        char *path = format(".glusterfs/%02x/%02x", g->b[0], g->b[1]);

        path[strlen(".glusterfs/xx")] = '\0';
        if (mkdirat(f->root_fd, path, 0700) < 0 && errno != EEXIST)
                die("mkdir %s", path);
        path[strlen(path)] = '/';
        if (mkdirat(f->root_fd, path, 0700) < 0 && errno != EEXIST)
                die("mkdir %s", path);
}

static void add_dir_handle(struct gb_fake *f, int fd, const char *name, const gb_gfid *g)
{
        GB_CLEANUP_FREE
        char *h = handle(g);
        GB_CLEANUP_FREE
        char *up = NULL;
        GB_CLEANUP_FREE
        char *target = NULL;
        gb_gfid parent = get_at(fd, ".");

        up = handle(&parent);
        target = format("../../%s/%s", up + strlen(".glusterfs/"), name);
        make_handle_dirs(f, g);
        if (symlinkat(target, f->root_fd, h) < 0)
                die("handle %s", h);
}

static void drop_handle(struct gb_fake *f, const gb_gfid *g)
{
        GB_CLEANUP_FREE
        char *h = handle(g);

        if (unlinkat(f->root_fd, h, 0) < 0)
                die("handle %s", h);
}

static void set_gfid2path(int fd, const char *name, bool present)
{
        char text[GB_GFID_TEXT];
        gb_gfid parent = get_at(fd, ".");
        GB_CLEANUP_FREE
        char *value = format("%s/%s", gb_gfid_format(&parent, text), name);
        GB_CLEANUP_FREE
        char *key = NULL;
        size_t len = strlen(value);

        key = format("trusted.gfid2path.%016llx", (unsigned long long)XXH64(value, len, 0));
        set_xattr_at(fd, name, key, present ? value : NULL, len);
}

/* -- the tree */

gb_gfid gb_fake_gfid(struct gb_fake *f)
{
        uint64_t seed[2] = {0x676261636b757021, ++f->made};
        gb_gfid g;

        for (size_t i = 0; i < 2; i++) {
                uint64_t h = XXH64(seed, sizeof(seed), i);

                memcpy(g.b + 8 * i, &h, sizeof(h));
        }
        g.b[6] = (uint8_t)((g.b[6] & 0x0f) | 0x40);
        g.b[8] = (uint8_t)((g.b[8] & 0x3f) | 0x80);
        return g;
}

/* A name was just made at (fd, name): give it gfid, handle and, unless a directory, its path. */
static gb_gfid adopt(struct gb_fake *f, int fd, const char *name, const gb_gfid *gfid)
{
        gb_gfid g = gfid ? *gfid : gb_fake_gfid(f);
        GB_CLEANUP_FREE
        char *h = handle(&g);

        set_xattr_at(fd, name, "trusted.gfid", g.b, sizeof(g.b));
        if (S_ISDIR(stat_at(fd, name).st_mode)) {
                add_dir_handle(f, fd, name, &g);
                return g;
        }
        make_handle_dirs(f, &g);
        if (linkat(fd, name, f->root_fd, h, 0) < 0)
                die("handle %s", h);
        set_gfid2path(fd, name, true);
        return g;
}

gb_gfid gb_fake_mkdir(struct gb_fake *f, const char *path, const gb_gfid *gfid)
{
        GB_CLEANUP_CLOSE
        int fd = gb_fake_parent(f, path, &path);

        if (mkdirat(fd, path, 0755) < 0)
                die("mkdir %s", path);
        return adopt(f, fd, path, gfid);
}

static gb_gfid make_node(struct gb_fake *f, const char *path, mode_t mode, const gb_gfid *gfid)
{
        GB_CLEANUP_CLOSE
        int fd = gb_fake_parent(f, path, &path);

        if (mknodat(fd, path, mode, 0) < 0)
                die("make %s", path);
        return adopt(f, fd, path, gfid);
}

gb_gfid gb_fake_create(struct gb_fake *f, const char *path, const gb_gfid *gfid)
{
        return make_node(f, path, S_IFREG | 0644, gfid);
}

gb_gfid gb_fake_mkfifo(struct gb_fake *f, const char *path, const gb_gfid *gfid)
{
        return make_node(f, path, S_IFIFO | 0644, gfid);
}

gb_gfid gb_fake_symlink(struct gb_fake *f, const char *target, const char *path, const gb_gfid *gfid)
{
        GB_CLEANUP_CLOSE
        int fd = gb_fake_parent(f, path, &path);

        if (symlinkat(target, fd, path) < 0)
                die("symlink %s", path);
        return adopt(f, fd, path, gfid);
}

gb_gfid gb_fake_linkto(struct gb_fake *f, const char *subvol, const char *path, const gb_gfid *gfid)
{
        gb_gfid g = make_node(f, path, S_IFREG | 0600, gfid);

        gb_fake_chmod(f, path, 01000);
        gb_fake_xattr(f, path, "trusted.glusterfs.dht.linkto", subvol, strlen(subvol) + 1);
        return g;
}

void gb_fake_link(struct gb_fake *f, const char *old, const char *path)
{
        GB_CLEANUP_CLOSE
        int from = gb_fake_parent(f, old, &old);
        GB_CLEANUP_CLOSE
        int to = gb_fake_parent(f, path, &path);

        if (linkat(from, old, to, path, 0) < 0)
                die("link %s", path);
        set_gfid2path(to, path, true);
}

static void unlink_at(struct gb_fake *f, int fd, const char *name)
{
        gb_gfid g = get_at(fd, name);

        if (stat_at(fd, name).st_nlink <= 2)
                drop_handle(f, &g);
        else
                set_gfid2path(fd, name, false);
        if (unlinkat(fd, name, 0) < 0)
                die("unlink %s", name);
}

static void rmdir_at(struct gb_fake *f, int fd, const char *name)
{
        gb_gfid g = get_at(fd, name);

        if (unlinkat(fd, name, AT_REMOVEDIR) < 0)
                die("rmdir %s", name);
        drop_handle(f, &g);
}

void gb_fake_unlink(struct gb_fake *f, const char *path)
{
        GB_CLEANUP_CLOSE
        int fd = gb_fake_parent(f, path, &path);

        unlink_at(f, fd, path);
}

void gb_fake_rmdir(struct gb_fake *f, const char *path)
{
        GB_CLEANUP_CLOSE
        int fd = gb_fake_parent(f, path, &path);

        rmdir_at(f, fd, path);
}

void gb_fake_rename(struct gb_fake *f, const char *old, const char *path)
{
        GB_CLEANUP_CLOSE
        int from = gb_fake_parent(f, old, &old);
        GB_CLEANUP_CLOSE
        int to = gb_fake_parent(f, path, &path);
        gb_gfid g = get_at(from, old);
        bool dir = S_ISDIR(stat_at(from, old).st_mode);
        struct stat st;

        if (fstatat(to, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
                if (S_ISDIR(st.st_mode))
                        rmdir_at(f, to, path);
                else
                        unlink_at(f, to, path);
        }
        if (!dir)
                set_gfid2path(from, old, false);
        if (renameat(from, old, to, path) < 0)
                die("rename %s", path);
        if (dir) {
                drop_handle(f, &g);
                add_dir_handle(f, to, path, &g);
        } else {
                set_gfid2path(to, path, true);
        }
}

/* -- the brick itself */

static pid_t suite; /* the process that runs the tests, 0: not told */

static const char *temporary(void)
{
        const char *dir = getenv("TMPDIR");

        return dir && *dir ? dir : "/tmp";
}

/* Empty a directory of any depth with few descriptors: what is two levels down is moved up one. */
static void empty_dir(int top)
{
        uint64_t serial = 0;
        DIR *d = fdopendir(top);
        struct dirent *de;

        if (!d)
                die("fdopendir");
        while (rewinddir(d), (de = readdir(d))) {
                bool more = false;

                for (; de; de = readdir(d)) {
                        GB_CLEANUP_CLOSEDIR DIR *sub = NULL;
                        struct dirent *in;
                        int fd;

                        if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
                                continue;
                        more = true;
                        if (unlinkat(top, de->d_name, 0) == 0)
                                continue;
                        fd = openat(top, de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                        if (fd < 0 || !(sub = fdopendir(fd)))
                                die("open %s", de->d_name);
                        while ((in = readdir(sub))) {
                                char name[64];

                                if (strcmp(in->d_name, ".") == 0 || strcmp(in->d_name, "..") == 0)
                                        continue;
                                if (unlinkat(fd, in->d_name, 0) == 0)
                                        continue;
                                snprintf(name, sizeof(name), ".fake-remove-%llu",
                                         (unsigned long long)++serial);
                                if (renameat(fd, in->d_name, top, name) < 0)
                                        die("move %s", in->d_name);
                        }
                        if (unlinkat(top, de->d_name, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY)
                                die("rmdir %s", de->d_name);
                }
                if (!more)
                        break;
        }
        closedir(d);
}

/* A failed test ends where it stands and leaves its brick; the suite's bricks bear its process id. */
static void remove_leftovers(void)
{
        GB_CLEANUP_FREE
        char *prefix = format("gbackup-fake-%ld-", (long)suite);
        GB_CLEANUP_CLOSEDIR DIR *d = NULL;
        const struct dirent *de;

        if (getpid() != suite || !(d = opendir(temporary())))
                return;
        while ((de = readdir(d))) {
                if (strncmp(de->d_name, prefix, strlen(prefix)) != 0)
                        continue;
                empty_dir(openat(dirfd(d), de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
                unlinkat(dirfd(d), de->d_name, AT_REMOVEDIR);
        }
}

bool gb_fake_available(void)
{
        GB_CLEANUP_FREE
        char *path = format("%s/gbackup-fake-XXXXXX", temporary());
        int fd = mkstemp(path);
        bool ok;

        if (fd < 0)
                return false;
        if (suite == 0 && atexit(remove_leftovers) == 0)
                suite = getpid();
        ok = fsetxattr(fd, "trusted.gfid", "0123456789abcdef", 16, 0) == 0;
        close(fd);
        unlink(path);
        return ok;
}

struct gb_fake *gb_fake_new(void)
{
        static const char *const dirs[] = {"",
                                           "/00",
                                           "/00/00",
                                           "/changelogs",
                                           "/indices",
                                           "/unlink",
                                           "/landfill",
                                           "/changelogs/htime",
                                           "/changelogs/csnap",
                                           "/indices/xattrop",
                                           "/indices/dirty"};
        struct gb_fake *f = calloc(1, sizeof(*f));

        if (!f)
                die("out of memory");
        f->slice_fd = -1;
        f->path = format("%s/gbackup-fake-%ld-XXXXXX", temporary(), (long)suite);
        if (!mkdtemp(f->path))
                die("mkdtemp %s", f->path);
        f->dir = format("%s/.glusterfs/changelogs", f->path);
        f->root_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (f->root_fd < 0)
                die("open %s", f->path);
        f->volume_id = gb_fake_gfid(f);
        set_xattr_at(f->root_fd, ".", "trusted.glusterfs.volume-id", f->volume_id.b, 16);
        set_xattr_at(f->root_fd, ".", "trusted.gfid", GB_GFID_ROOT.b, 16);
        for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
                GB_CLEANUP_FREE
                char *path = format(".glusterfs%s", dirs[i]);

                if (mkdirat(f->root_fd, path, 0700) < 0)
                        die("mkdir %s", path);
        }
        if (symlinkat("../../..", f->root_fd, ".glusterfs/00/00/00000000-0000-0000-0000-000000000001") < 0)
                die("root handle");
        return f;
}

void gb_fake_free(struct gb_fake *f)
{
        if (!f)
                return;
        if (f->slice_fd >= 0)
                close(f->slice_fd);
        empty_dir(f->root_fd);
        if (rmdir(f->path) < 0)
                die("rmdir %s", f->path);
        free(f->path);
        free(f->dir);
        free(f);
}

/* -- HTIME */

void gb_fake_htime(struct gb_fake *f, int64_t ts)
{
        GB_CLEANUP_FREE
        char *dir = format("%s/htime", f->dir);
        GB_CLEANUP_FREE
        char *path = NULL;
        GB_CLEANUP_CLOSE
        int fd = -1;

        snprintf(f->htime, sizeof(f->htime), "HTIME.%lld", (long long)ts);
        f->htime_entries = 0;
        path = format("%s/%s", dir, f->htime);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0 || fsetxattr(fd, "trusted.glusterfs.htime", "0:0", 3, 0) < 0 ||
            setxattr(dir, "trusted.glusterfs.current_htime", f->htime, strlen(f->htime), 0) < 0)
                die("%s", path);
}

/* Absolute name of a slice as HTIME has it: flat, or by the UTC day. */
static char *slice_path(struct gb_fake *f, int64_t ts, bool flat, bool empty)
{
        const char *name = empty ? "changelog" : "CHANGELOG";
        time_t t = (time_t)ts;
        char day[32];
        struct tm tm;

        if (flat)
                return format("%s/%s.%lld", f->dir, name, (long long)ts);
        if (!gmtime_r(&t, &tm) || strftime(day, sizeof(day), "%Y/%m/%d", &tm) == 0)
                die("a day for %lld", (long long)ts);
        return format("%s/%s/%s.%lld", f->dir, day, name, (long long)ts);
}

static void add_entry(struct gb_fake *f, int64_t ts, bool flat, bool empty)
{
        GB_CLEANUP_FREE
        char *path = format("%s/htime/%s", f->dir, f->htime);
        GB_CLEANUP_FREE
        char *entry = slice_path(f, ts, flat, empty);
        GB_CLEANUP_FREE
        char *last = NULL;
        GB_CLEANUP_CLOSE
        int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

        if (fd < 0)
                die("%s", path);
        write_all(fd, entry, strlen(entry) + 1);
        last = format("%lld:%llu", (long long)ts, (unsigned long long)++f->htime_entries);
        if (fsetxattr(fd, "trusted.glusterfs.htime", last, strlen(last), 0) < 0)
                die("%s", path);
}

void gb_fake_htime_entry(struct gb_fake *f, int64_t ts, bool empty)
{
        add_entry(f, ts, false, empty);
}

/* -- slices */

void gb_fake_slice_raw(struct gb_fake *f, const void *bytes, size_t len)
{
        write_all(f->slice_fd, bytes, len);
}

void gb_fake_slice_begin(struct gb_fake *f)
{
        GB_CLEANUP_FREE
        char *path = format("%s/CHANGELOG", f->dir);

        f->slice_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
        if (f->slice_fd < 0)
                die("%s", path);
        gb_fake_slice_raw(f, HEADER, strlen(HEADER));
}

/* Every field ends in a NUL, the last one with the record. */
struct record {
        char bytes[8192];
        size_t len;
};

static void put(struct record *r, const char *text)
{
        size_t n = strlen(text) + 1;

        if (r->len + n > sizeof(r->bytes))
                die("record too long");
        memcpy(r->bytes + r->len, text, n);
        r->len += n;
}

static void put_start(struct record *r, char type, const gb_gfid *gfid)
{
        char text[GB_GFID_TEXT + 1] = {type};

        r->len = 0;
        gb_gfid_format(gfid, text + 1);
        put(r, text);
}

static void put_number(struct record *r, unsigned n)
{
        char text[16];

        snprintf(text, sizeof(text), "%u", n);
        put(r, text);
}

static void put_slot(struct record *r, const gb_gfid *parent, const char *name)
{
        char text[GB_GFID_TEXT];
        GB_CLEANUP_FREE
        char *slot = format("%s/%s", gb_gfid_format(parent, text), name);

        put(r, slot);
}

void gb_fake_D(struct gb_fake *f, const gb_gfid *gfid)
{
        struct record r;

        put_start(&r, 'D', gfid);
        gb_fake_slice_raw(f, r.bytes, r.len);
}

void gb_fake_M(struct gb_fake *f, const gb_gfid *gfid, unsigned fop)
{
        struct record r;

        put_start(&r, 'M', gfid);
        put_number(&r, fop);
        gb_fake_slice_raw(f, r.bytes, r.len);
}

void gb_fake_E_mode(struct gb_fake *f, unsigned fop, mode_t mode, const gb_gfid *gfid, const gb_gfid *parent,
                    const char *name)
{
        struct record r;

        put_start(&r, 'E', gfid);
        put_number(&r, fop);
        put_number(&r, mode);
        put_number(&r, 0);
        put_number(&r, 0);
        put_slot(&r, parent, name);
        gb_fake_slice_raw(f, r.bytes, r.len);
}

void gb_fake_E_del(struct gb_fake *f, unsigned fop, const gb_gfid *gfid, const gb_gfid *parent,
                   const char *name, const char *path)
{
        struct record r;

        put_start(&r, 'E', gfid);
        put_number(&r, fop);
        put_slot(&r, parent, name);
        put(&r, path);
        if (!*path)
                put(&r, "");
        gb_fake_slice_raw(f, r.bytes, r.len);
}

void gb_fake_E(struct gb_fake *f, unsigned fop, const gb_gfid *gfid, const gb_gfid *parent, const char *name)
{
        struct record r;

        if (fop == FOP_CREATE || fop == FOP_MKNOD) {
                gb_fake_E_mode(f, fop, S_IFREG | 0644, gfid, parent, name);
                return;
        }
        if (fop == FOP_MKDIR) {
                gb_fake_E_mode(f, fop, S_IFDIR | 0755, gfid, parent, name);
                return;
        }
        if (fop == FOP_UNLINK || fop == FOP_RMDIR) {
                gb_fake_E_del(f, fop, gfid, parent, name, "");
                return;
        }
        put_start(&r, 'E', gfid);
        put_number(&r, fop);
        put_slot(&r, parent, name);
        gb_fake_slice_raw(f, r.bytes, r.len);
}

void gb_fake_E_rename(struct gb_fake *f, const gb_gfid *gfid, const gb_gfid *old_parent, const char *old,
                      const gb_gfid *parent, const char *name)
{
        struct record r;

        put_start(&r, 'E', gfid);
        put_number(&r, FOP_RENAME);
        put_slot(&r, old_parent, old);
        put_slot(&r, parent, name);
        gb_fake_slice_raw(f, r.bytes, r.len);
}

/* Every directory above an absolute path. */
static void make_dirs(char *path)
{
        for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
                *slash = '\0';
                if (mkdir(path, 0700) < 0 && errno != EEXIST)
                        die("mkdir %s", path);
                *slash = '/';
        }
}

/* The live slice gets its name. */
static void close_slice(struct gb_fake *f, int64_t ts, bool flat)
{
        GB_CLEANUP_FREE
        char *live = format("%s/CHANGELOG", f->dir);
        GB_CLEANUP_FREE
        char *path = slice_path(f, ts, flat, false);

        make_dirs(path);
        if (rename(live, path) < 0)
                die("rename to %s", path);
        close(f->slice_fd);
        f->slice_fd = -1;
}

void gb_fake_slice_end(struct gb_fake *f, int64_t ts)
{
        GB_CLEANUP_FREE
        char *live = format("%s/CHANGELOG", f->dir);
        struct stat st;

        if (fstat(f->slice_fd, &st) < 0)
                die("%s", live);
        if (st.st_size > (off_t)strlen(HEADER)) {
                close_slice(f, ts, false);
                add_entry(f, ts, false, false);
                return;
        }
        if (unlink(live) < 0)
                die("%s", live);
        close(f->slice_fd);
        f->slice_fd = -1;
        add_entry(f, ts, false, true);
}

void gb_fake_slice_orphan(struct gb_fake *f, int64_t ts)
{
        close_slice(f, ts, false);
}

void gb_fake_slice_flat(struct gb_fake *f, int64_t ts)
{
        close_slice(f, ts, true);
        add_entry(f, ts, true, false);
}
