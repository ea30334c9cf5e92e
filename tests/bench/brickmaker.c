/*
 * brickmaker - bricks as GlusterFS leaves them on disk, at the speed of the file system.
 *
 *   brickmaker fill   [OPTION]... FILES BRICK...
 *   brickmaker change [OPTION]... FILES LO HI CREATES MODIFIES RENAMES DELETES BRICK...
 *
 * BRICK...   roots of all bricks of a volume, in its order.  A brick of a real volume keeps its volume-id; an
 *            empty folder becomes a brick that only the agent's checks take for one.
 *   -v NAME  the volume ("volume"): pointers to other subvolumes name them by it
 *   -r N     bricks of a replica set (1)
 *   -d N     files a directory (100)
 *   -o       all files in the brick's root instead: one directory, however large
 *   -t N     threads (2)
 *   -e       change: binary records (ascii)
 *   -s N     change: records a slice (20000)
 *
 * Fill: object by object the calls that posix, dht and changelog make: mknod, trusted.gfid, gfid2path, mdata,
 * the handle, the layout of directories; each file on the subvolume its name hashes to, so that a mount finds
 * it at once. Change: what users do and what the changelog translator writes of it, into closed slices named
 * by HTIME. For a real volume: while it is stopped, and a fill before it is mounted.
 *
 * File i always has the same name, place and gfid, so nothing is remembered between the two, and a test may
 * work out what the list must be.  `change` prints what it did in the notation of `gbackup-cli
 * --format=changes`.  Its victims are spread evenly over the files LO..HI, and each suffers once.
 */
#include <dirent.h>
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

enum {
        BRICKS = 4096,
        PATH = 4096,
        NAME = 256,
        THREADS = 64,
        DIRS_PER_GROUP = 20,
        SHUFFLE = 99991 /* a prime */
};
enum { FOP_UNLINK = 5, FOP_RENAME = 8, FOP_CREATE = 23 };

struct gfid {
        uint8_t b[16];
};

/* A brick, and its slice being written. */
struct brick {
        const char *root;
        FILE *slice, *htime;
        char clog[PATH];
        int64_t ts; /* of the slice being written */
        uint64_t entries, records;
        pthread_mutex_t mutex;
};

static struct brick bricks[BRICKS];
static unsigned n_bricks, replica = 1, n_sets, n_threads = 2;
static long n_files, files_per_dir = 100, records_per_slice = 20000;
static long lo, hi, creates, modifies, renames, deletes;
static bool one_dir, binary;
static const char *volume = "volume";
static pthread_mutex_t out = PTHREAD_MUTEX_INITIALIZER;

/* -- jobs */

static long next_job, n_jobs;
static void (*job)(long);

static void *worker(void *unused)
{
        long i;

        while ((i = __atomic_fetch_add(&next_job, 1, __ATOMIC_RELAXED)) < n_jobs)
                job(i);
        return unused;
}

static void run(void (*what)(long), long n)
{
        pthread_t threads[THREADS];

        job = what;
        n_jobs = n;
        next_job = 0;
        for (unsigned i = 0; i < n_threads; i++)
                if (pthread_create(&threads[i], NULL, worker, NULL) != 0)
                        errx(1, "cannot start a thread");
        for (unsigned i = 0; i < n_threads; i++)
                pthread_join(threads[i], NULL);
}

/* -- gfids */

static const struct gfid root_gfid = {.b = {[15] = 1}};

static struct gfid gfid_of(char kind, long i)
{
        int64_t seed[2] = {kind, i};
        uint64_t half[2] = {XXH64(seed, sizeof(seed), 1), XXH64(seed, sizeof(seed), 2)};
        struct gfid g;

        memcpy(g.b, half, sizeof(g.b));
        g.b[6] = (uint8_t)((g.b[6] & 0x0f) | 0x40);
        g.b[8] = (uint8_t)((g.b[8] & 0x3f) | 0x80);
        return g;
}

static char *put_text(char *p, const struct gfid *g)
{
        static const char hex[] = "0123456789abcdef";

        for (unsigned i = 0; i < 16; i++) {
                if (i == 4 || i == 6 || i == 8 || i == 10)
                        *p++ = '-';
                *p++ = hex[g->b[i] >> 4];
                *p++ = hex[g->b[i] & 15];
        }
        *p = '\0';
        return p;
}

/* ".glusterfs/aa/bb/<gfid>" below a root; 37 bytes of it from `text` on are the gfid. */
static void handle_path(char *p, const char *root, const struct gfid *g)
{
        sprintf(p, "%s/.glusterfs/%02x/%02x/", root, g->b[0], g->b[1]);
        put_text(p + strlen(p), g);
}

/* -- where a name belongs: the hash of dht (libglusterfs/src/hashfn.c, Davies-Meyer on TEA) */

static void dm_round(int rounds, const uint32_t a[4], uint32_t *h0, uint32_t *h1)
{
        uint32_t sum = 0, b0 = *h0, b1 = *h1;

        do {
                sum += 0x9e3779b9;
                b0 += ((b1 << 4) + a[0]) ^ (b1 + sum) ^ ((b1 >> 5) + a[1]);
                b1 += ((b0 << 4) + a[2]) ^ (b0 + sum) ^ ((b0 >> 5) + a[3]);
        } while (--rounds);
        *h0 += b0;
        *h1 += b1;
}

static uint32_t dm_hash(const char *msg, size_t len)
{
        uint32_t h0 = 0x9464a485, h1 = 0x542e1a94, a[4];
        uint32_t pad = (uint32_t)len | (uint32_t)len << 8;
        size_t left = len;

        pad |= pad << 16;
        for (; left >= 16; msg += 16, left -= 16) {
                memcpy(a, msg, 16);
                dm_round(6, a, &h0, &h1);
        }
        for (unsigned j = 0; j < 4; j++) {
                if (left >= 4) {
                        memcpy(&a[j], msg, 4);
                        msg += 4;
                        left -= 4;
                        continue;
                }
                a[j] = pad;
                for (; left; left--)
                        a[j] = a[j] << 8 | (uint32_t)(int32_t)*msg++;
        }
        dm_round(10, a, &h0, &h1);
        return h0 ^ h1;
}

static uint32_t set_start(unsigned set)
{
        return (uint32_t)(set * (0x100000000 / n_sets));
}

static unsigned set_of(const char *name)
{
        unsigned set = (unsigned)(dm_hash(name, strlen(name)) / (0x100000000 / n_sets));

        return set < n_sets ? set : n_sets - 1;
}

/* -- names */

static long dirs(void)
{
        return one_dir ? 0 : (n_files + files_per_dir - 1) / files_per_dir;
}

static long groups(void)
{
        return (dirs() + DIRS_PER_GROUP - 1) / DIRS_PER_GROUP;
}

static struct gfid dir_gfid_of(long i)
{
        return one_dir ? root_gfid : gfid_of('d', i / files_per_dir);
}

/* "group/project/", or nothing. */
static void dir_name(char name[NAME], long i)
{
        long d = i / files_per_dir;

        if (one_dir)
                *name = '\0';
        else
                snprintf(name, NAME, "group-%04ld/project-%02ld/", d / DIRS_PER_GROUP, d % DIRS_PER_GROUP);
}

static void base_name(char name[NAME], const char *what, long i)
{
        snprintf(name, NAME, "%s-%08ld.dat", what, i);
}

/* -- objects on a brick */

static void set_xattr(const char *path, const char *key, const void *value, size_t len)
{
        if (lsetxattr(path, key, value, len, 0) < 0)
                err(1, "%s: %s", path, key);
}

static size_t gfid2path(const char *name, const struct gfid *dir, char key[64], char value[NAME + 64])
{
        char *p = put_text(value, dir);
        size_t len;

        *p++ = '/';
        strcpy(p, name);
        len = strlen(value);
        snprintf(key, 64, "trusted.gfid2path.%016llx", (unsigned long long)XXH64(value, len, 0));
        return len;
}

static void set_gfid2path(const char *path, const char *name, const struct gfid *dir)
{
        char key[64], value[NAME + 64];
        size_t len = gfid2path(name, dir, key, value);

        set_xattr(path, key, value, len);
}

static void drop_gfid2path(const char *path, const char *name, const struct gfid *dir)
{
        char key[64], value[NAME + 64];

        gfid2path(name, dir, key, value);
        if (lremovexattr(path, key) < 0)
                err(1, "%s: %s", path, key);
}

/* Times as the ctime feature keeps them: version, flags, ctime, mtime, atime. */
static void set_mdata(const char *path)
{
        struct {
                uint8_t version;
                uint64_t flags, time[6];
        } __attribute__((packed)) m = {.version = 1};
        uint64_t now = htobe64((uint64_t)time(NULL));

        m.time[0] = m.time[2] = m.time[4] = now;
        set_xattr(path, "trusted.glusterfs.mdata", &m, sizeof(m));
}

/* Some of the 65536 directories of handles are not there yet. */
static void make_handle_dirs(const char *root, const struct gfid *g)
{
        char path[PATH];

        sprintf(path, "%s/.glusterfs/%02x", root, g->b[0]);
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                err(1, "%s", path);
        sprintf(path + strlen(path), "/%02x", g->b[1]);
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                err(1, "%s", path);
}

static void set_layout(const char *path, unsigned set)
{
        uint32_t layout[4] = {0, 0, htobe32(set_start(set)),
                              htobe32(set + 1 < n_sets ? set_start(set + 1) - 1 : 0xffffffff)};

        set_xattr(path, "trusted.glusterfs.dht", layout, sizeof(layout));
}

static void make_dir(unsigned b, const char *name, const struct gfid *g, const struct gfid *parent,
                     const char *base)
{
        char path[PATH], handle[PATH], target[PATH], *p;

        snprintf(path, sizeof(path), "%s/%s", bricks[b].root, name);
        if (mkdir(path, 0755) < 0)
                err(1, "%s", path);
        set_xattr(path, "trusted.gfid", g, sizeof(*g));
        set_layout(path, b / replica);
        set_mdata(path);
        p = target + sprintf(target, "../../%02x/%02x/", parent->b[0], parent->b[1]);
        p = put_text(p, parent);
        sprintf(p, "/%s", base);
        make_handle_dirs(bricks[b].root, g);
        handle_path(handle, bricks[b].root, g);
        if (symlink(target, handle) < 0)
                err(1, "%s", handle);
}

static void add_handle(unsigned b, const char *path, const struct gfid *g)
{
        char handle[PATH];

        handle_path(handle, bricks[b].root, g);
        if (link(path, handle) == 0)
                return;
        make_handle_dirs(bricks[b].root, g);
        if (link(path, handle) < 0)
                err(1, "%s", handle);
}

static void make_file(unsigned b, const char *dir, const char *name, const struct gfid *g,
                      const struct gfid *parent)
{
        char path[PATH];

        snprintf(path, sizeof(path), "%s/%s%s", bricks[b].root, dir, name);
        if (mknod(path, S_IFREG | 0644, 0) < 0)
                err(1, "%s", path);
        set_xattr(path, "trusted.gfid", g, sizeof(*g));
        set_gfid2path(path, name, parent);
        set_mdata(path);
        add_handle(b, path, g);
}

/* The name is on another set than its hash says: a pointer stands there. */
static void make_linkto(unsigned b, const char *dir, const char *name, const struct gfid *g,
                        const struct gfid *parent, const char *to)
{
        char path[PATH];

        make_file(b, dir, name, g, parent);
        snprintf(path, sizeof(path), "%s/%s%s", bricks[b].root, dir, name);
        if (chmod(path, 01000) < 0)
                err(1, "%s", path);
        set_xattr(path, "trusted.glusterfs.dht.linkto", to, strlen(to) + 1);
}

/* -- fill */

static void make_group(long g)
{
        struct gfid gfid = gfid_of('g', g);
        char name[NAME];

        snprintf(name, sizeof(name), "group-%04ld", g);
        for (unsigned b = 0; b < n_bricks; b++)
                make_dir(b, name, &gfid, &root_gfid, name);
}

static void make_files(long from, long to)
{
        char dir[NAME], name[NAME];

        dir_name(dir, from);
        for (long i = from; i < to && i < n_files; i++) {
                struct gfid g = gfid_of('f', i), parent = dir_gfid_of(i);

                base_name(name, "document", i);
                for (unsigned r = 0, set = set_of(name); r < replica; r++)
                        make_file(set * replica + r, dir, name, &g, &parent);
        }
}

static void make_project(long d)
{
        struct gfid gfid = gfid_of('d', d), group = gfid_of('g', d / DIRS_PER_GROUP);
        char name[NAME];

        dir_name(name, d * files_per_dir);
        name[strlen(name) - 1] = '\0';
        for (unsigned b = 0; b < n_bricks; b++)
                make_dir(b, name, &gfid, &group, strrchr(name, '/') + 1);
        make_files(d * files_per_dir, (d + 1) * files_per_dir);
}

static void make_chunk(long c)
{
        make_files(c * 1000, (c + 1) * 1000);
}

/* What glusterd and the brick process make of an empty folder, as far as it is not there. */
static void make_brick(const char *root, unsigned set)
{
        static const char *const folders[] = {"",
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
        struct gfid id = gfid_of('v', 0);
        char path[PATH];

        for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
                snprintf(path, sizeof(path), "%s/.glusterfs%s", root, folders[i]);
                if (mkdir(path, 0700) < 0 && errno != EEXIST)
                        err(1, "%s", path);
        }
        if (lgetxattr(root, "trusted.glusterfs.volume-id", path, sizeof(path)) < 0)
                set_xattr(root, "trusted.glusterfs.volume-id", &id, sizeof(id));
        set_xattr(root, "trusted.gfid", &root_gfid, sizeof(root_gfid));
        set_layout(root, set);
        handle_path(path, root, &root_gfid);
        if (symlink("../../..", path) < 0 && errno != EEXIST)
                err(1, "%s", path);
}

static void fill(void)
{
        for (unsigned b = 0; b < n_bricks; b++)
                make_brick(bricks[b].root, b / replica);
        run(make_group, groups());
        if (one_dir)
                run(make_chunk, (n_files + 999) / 1000);
        else
                run(make_project, dirs());
}

/* -- slices and HTIME */

static void open_htime(struct brick *b)
{
        char dir[PATH + 8], path[PATH + 64], name[64], value[64];
        ssize_t n;

        snprintf(b->clog, sizeof(b->clog), "%s/.glusterfs/changelogs", b->root);
        snprintf(dir, sizeof(dir), "%s/htime", b->clog);
        n = lgetxattr(dir, "trusted.glusterfs.current_htime", name, sizeof(name) - 1);
        if (n > 0) {
                name[n] = '\0';
        } else {
                b->ts = time(NULL) - 3600;
                snprintf(name, sizeof(name), "HTIME.%lld", (long long)b->ts);
                set_xattr(dir, "trusted.glusterfs.current_htime", name, strlen(name));
        }
        snprintf(path, sizeof(path), "%s/%s", dir, name);
        b->htime = fopen(path, "a");
        if (!b->htime)
                err(1, "%s", path);
        n = fgetxattr(fileno(b->htime), "trusted.glusterfs.htime", value, sizeof(value) - 1);
        value[n > 0 ? n : 0] = '\0';
        if (n > 0) {
                long long ts;
                unsigned long long entries;

                if (sscanf(value, "%lld:%llu", &ts, &entries) != 2)
                        errx(1, "%s: trusted.glusterfs.htime is %s", path, value);
                b->ts = ts > b->ts ? ts : b->ts;
                b->entries = entries;
        }
}

/* As the brick does it: written under one name, which tells nothing, and named by the time it is closed at.
 */
static void begin_slice(struct brick *b)
{
        char path[PATH + 64];

        snprintf(path, sizeof(path), "%s/CHANGELOG.new", b->clog);
        b->slice = fopen(path, "wx");
        if (!b->slice)
                err(1, "%s", path);
        fprintf(b->slice, "GlusterFS Changelog | version: v1.2 | encoding : %d\n", binary ? 1 : 2);
        b->records = 0;
}

static void end_slice(struct brick *b)
{
        char written[PATH + 64], path[PATH + 64];
        time_t now = time(NULL), t = now > b->ts ? now : b->ts + 1;
        struct tm tm;
        char day[3][16];

        if (!b->slice)
                return;
        if (fclose(b->slice) != 0)
                err(1, "%s: slice", b->root);
        b->slice = NULL;
        b->ts = t;
        gmtime_r(&t, &tm);
        strftime(day[0], 16, "%Y", &tm);
        strftime(day[1], 16, "%m", &tm);
        strftime(day[2], 16, "%d", &tm);
        strcpy(path, b->clog);
        for (unsigned i = 0; i < 3; i++) {
                sprintf(path + strlen(path), "/%s", day[i]);
                if (mkdir(path, 0700) < 0 && errno != EEXIST)
                        err(1, "%s", path);
        }
        sprintf(path + strlen(path), "/CHANGELOG.%lld", (long long)b->ts);
        snprintf(written, sizeof(written), "%s/CHANGELOG.new", b->clog);
        if (rename(written, path) < 0)
                err(1, "%s", path);
        fprintf(b->htime, "%s%c", path, 0);
        b->entries++;
}

/* HTIME names no slice of the future. */
static void close_htime(struct brick *b)
{
        char value[64];

        end_slice(b);
        while (time(NULL) <= b->ts)
                usleep(100000);
        snprintf(value, sizeof(value), "%lld:%llu", (long long)b->ts, (unsigned long long)b->entries);
        if (fflush(b->htime) != 0 ||
            fsetxattr(fileno(b->htime), "trusted.glusterfs.htime", value, strlen(value), 0) < 0 ||
            fclose(b->htime) != 0)
                err(1, "%s: HTIME", b->root);
}

/* -- records */

struct record {
        char bytes[2048];
        size_t len;
};

static void put_bytes(struct record *r, const void *bytes, size_t n)
{
        memcpy(r->bytes + r->len, bytes, n);
        r->len += n;
}

static void put_gfid(struct record *r, const struct gfid *g)
{
        if (binary)
                put_bytes(r, g, sizeof(*g));
        else
                r->len = (size_t)(put_text(r->bytes + r->len, g) - r->bytes);
}

static struct record record(char type, const struct gfid *g)
{
        struct record r = {.len = 0};

        put_bytes(&r, &type, 1);
        put_gfid(&r, g);
        return r;
}

static void put_number(struct record *r, uint32_t n)
{
        put_bytes(r, "", 1);
        if (binary)
                put_bytes(r, &n, sizeof(n));
        else
                r->len += (size_t)sprintf(r->bytes + r->len, "%u", n);
}

static void put_slot(struct record *r, const struct gfid *parent, const char *name)
{
        put_bytes(r, "", 1);
        put_gfid(r, parent);
        put_bytes(r, "/", 1);
        put_bytes(r, name, strlen(name));
}

/* Every brick of the set writes it. */
static void write_record(unsigned set, struct record *r)
{
        put_bytes(r, "", 1);
        for (unsigned i = 0; i < replica; i++) {
                struct brick *b = &bricks[set * replica + i];

                pthread_mutex_lock(&b->mutex);
                if (!b->slice || b->records >= (uint64_t)records_per_slice) {
                        end_slice(b);
                        begin_slice(b);
                }
                b->records++;
                if (fwrite(r->bytes, 1, r->len, b->slice) != r->len)
                        err(1, "%s: slice", b->root);
                pthread_mutex_unlock(&b->mutex);
        }
}

/* -- change */

static void say(const char *what, const char *dir, const char *name, const char *to_dir, const char *to)
{
        pthread_mutex_lock(&out);
        printf("%s %s%s%s%s%s\n", what, dir, name, to ? " " : "", to ? to_dir : "", to ? to : "");
        pthread_mutex_unlock(&out);
}

static void brick_path(char path[PATH], unsigned set, unsigned r, const char *dir, const char *name)
{
        snprintf(path, PATH, "%s/%s%s", bricks[set * replica + r].root, dir, name);
}

static void write_to(unsigned set, const char *dir, const char *name, const struct gfid *g)
{
        struct record r = record('D', g);
        char path[PATH];

        for (unsigned i = 0; i < replica; i++) {
                int fd;

                brick_path(path, set, i, dir, name);
                fd = open(path, O_WRONLY | O_APPEND);
                if (fd < 0 || write(fd, "changed\n", 8) != 8 || close(fd) < 0)
                        err(1, "%s", path);
                set_mdata(path);
        }
        write_record(set, &r);
}

static void create(long i)
{
        struct gfid g = gfid_of('n', i), parent = dir_gfid_of(i);
        struct record r = record('E', &g);
        char dir[NAME], name[NAME];
        unsigned set;

        dir_name(dir, i);
        base_name(name, "fresh", i);
        set = set_of(name);
        for (unsigned k = 0; k < replica; k++)
                make_file(set * replica + k, dir, name, &g, &parent);
        put_number(&r, FOP_CREATE);
        put_number(&r, S_IFREG | 0644);
        put_number(&r, 0);
        put_number(&r, 0);
        put_slot(&r, &parent, name);
        write_record(set, &r);
        write_to(set, dir, name, &g);
        say("NEW", dir, name, NULL, NULL);
}

static void modify(long i)
{
        struct gfid g = gfid_of('f', i);
        char dir[NAME], name[NAME];

        dir_name(dir, i);
        base_name(name, "document", i);
        write_to(set_of(name), dir, name, &g);
        say("MODIFY", dir, name, NULL, NULL);
}

static const char *volume_of(unsigned set, char text[NAME])
{
        snprintf(text, NAME, "%.200s-%s-%u", volume, replica > 1 ? "replicate" : "client", set);
        return text;
}

static void move(long i, long to)
{
        struct gfid g = gfid_of('f', i), from_dir = dir_gfid_of(i), to_dir = dir_gfid_of(to);
        struct record r = record('E', &g);
        char dir[NAME], name[NAME], new_dir[NAME], new_name[NAME], path[PATH], new_path[PATH], text[NAME];
        unsigned set, hashed;

        dir_name(dir, i);
        base_name(name, "document", i);
        dir_name(new_dir, to);
        base_name(new_name, "moved", i);
        set = set_of(name);
        hashed = set_of(new_name);
        for (unsigned k = 0; k < replica; k++) {
                brick_path(path, set, k, dir, name);
                brick_path(new_path, set, k, new_dir, new_name);
                if (rename(path, new_path) < 0)
                        err(1, "%s", path);
                drop_gfid2path(new_path, name, &from_dir);
                set_gfid2path(new_path, new_name, &to_dir);
                if (hashed != set)
                        make_linkto(hashed * replica + k, new_dir, new_name, &g, &to_dir,
                                    volume_of(set, text));
        }
        put_number(&r, FOP_RENAME);
        put_slot(&r, &from_dir, name);
        put_slot(&r, &to_dir, new_name);
        write_record(set, &r);
        say("RENAME", dir, name, new_dir, new_name);
}

static void delete (long i)
{
        struct gfid g = gfid_of('f', i), parent = dir_gfid_of(i);
        struct record r = record('E', &g);
        char dir[NAME], name[NAME], path[PATH];
        unsigned set;

        dir_name(dir, i);
        base_name(name, "document", i);
        set = set_of(name);
        for (unsigned k = 0; k < replica; k++) {
                brick_path(path, set, k, dir, name);
                if (unlink(path) < 0)
                        err(1, "%s", path);
                handle_path(path, bricks[set * replica + k].root, &g);
                if (unlink(path) < 0)
                        err(1, "%s", path);
        }
        put_number(&r, FOP_UNLINK);
        put_slot(&r, &parent, name);
        put_bytes(&r, "\0", 2);
        write_record(set, &r);
        say("DELETE", dir, name, NULL, NULL);
}

/* Job k changes the k-th victim; what is done to it is shuffled, so that every kind is everywhere. */
static void change_one(long k)
{
        long i = lo + (hi - lo) * k / n_jobs;
        long j = k * SHUFFLE % n_jobs;

        if (j < creates)
                create(lo + (hi - lo) * j / creates);
        else if ((j -= creates) < modifies)
                modify(i);
        else if ((j -= modifies) < renames)
                move(i, j % 2 ? i : lo + (i - lo + (hi - lo) / 2) % (hi - lo));
        else
                delete (i);
}

static void change(void)
{
        for (unsigned b = 0; b < n_bricks; b++) {
                pthread_mutex_init(&bricks[b].mutex, NULL);
                open_htime(&bricks[b]);
        }
        run(change_one, creates + modifies + renames + deletes);
        for (unsigned b = 0; b < n_bricks; b++)
                close_htime(&bricks[b]);
}

/* -- command line */

static void usage(void)
{
        errx(64, "usage: brickmaker fill [OPTION]... FILES BRICK... | "
                 "change [OPTION]... FILES LO HI CREATES MODIFIES RENAMES DELETES BRICK...");
}

static long number(const char *s)
{
        char *end;
        long n = s ? strtol(s, &end, 10) : -1;

        if (n < 0 || *end || end == s)
                errx(64, "'%s' is no number", s ? s : "");
        return n;
}

static void take_bricks(char **v, int n)
{
        if (n <= 0 || n > BRICKS || !replica || n % (int)replica)
                errx(64, "%d bricks do not make sets of %u", n, replica);
        n_bricks = (unsigned)n;
        n_sets = n_bricks / replica;
        for (int i = 0; i < n; i++)
                bricks[i].root = v[i];
}

static void take_options(int argc, char **argv)
{
        int c;

        while ((c = getopt(argc, argv, "v:r:d:ot:es:")) != -1)
                switch (c) {
                case 'v':
                        volume = optarg;
                        break;
                case 'r':
                        replica = (unsigned)number(optarg);
                        break;
                case 'd':
                        files_per_dir = number(optarg);
                        break;
                case 'o':
                        one_dir = true;
                        break;
                case 't':
                        n_threads = (unsigned)number(optarg);
                        break;
                case 'e':
                        binary = true;
                        break;
                case 's':
                        records_per_slice = number(optarg);
                        break;
                default:
                        usage();
                }
        if (!files_per_dir || !records_per_slice || !n_threads || n_threads > THREADS)
                usage();
}

int main(int argc, char **argv)
{
        const char *what = argc > 1 ? argv[1] : "";

        if (strcmp(what, "fill") != 0 && strcmp(what, "change") != 0)
                usage();
        umask(0);
        take_options(--argc, ++argv);
        n_files = number(argv[optind]);
        if (strcmp(what, "fill") == 0) {
                take_bricks(argv + optind + 1, argc - optind - 1);
                fill();
                return 0;
        }
        if (argc - optind < 8)
                usage();
        lo = number(argv[optind + 1]);
        hi = number(argv[optind + 2]);
        creates = number(argv[optind + 3]);
        modifies = number(argv[optind + 4]);
        renames = number(argv[optind + 5]);
        deletes = number(argv[optind + 6]);
        take_bricks(argv + optind + 7, argc - optind - 7);
        if (hi > n_files || lo > hi || creates + modifies + renames + deletes > hi - lo)
                errx(64, "%ld to %ld of %ld are too few files", lo, hi, n_files);
        if ((creates + modifies + renames + deletes) % SHUFFLE == 0)
                errx(64, "no multiple of %d changes, please", SHUFFLE);
        change();
        return fflush(stdout) != 0;
}
