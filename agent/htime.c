/*
 * htime - which slices a brick has: HTIME and the directory tree, merged.
 *
 * HTIME is a row of NUL-terminated absolute slice paths, appended one per rollover, and is never
 * shortened: it can be large, so it is read in pieces and only the entries asked for are kept.  The brick
 * spells an empty slice by lower-casing the FIRST "CHANGELOG" in the path, which is not the base name if the
 * brick's own path contains that word.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "htime.h"

#define HTIME_DIR "htime"
#define PIECE     (256 * 1024)
#define ENTRY_MAX (GB_BRICK_PATH_MAX + 128)
/* Entries before the offset that are read too: at least the last one. */
#define BEFORE      (2 * ENTRY_MAX)
#define DAY_SECONDS 86400

/* Digits to the end of the string. */
static bool parse_seconds(const char *s, size_t len, int64_t *out)
{
        int64_t v = 0;

        if (len < 1 || len > 18)
                return false;
        for (size_t i = 0; i < len; i++) {
                if (s[i] < '0' || s[i] > '9')
                        return false;
                v = v * 10 + (s[i] - '0');
        }
        *out = v;
        return v <= GB_SECONDS_MAX;
}

bool gb_htime_name_parse(const char *name, int64_t *number)
{
        if (strncmp(name, "HTIME.", 6) != 0 || strlen(name) >= GB_HTIME_NAME)
                return false;
        return parse_seconds(name + 6, strlen(name + 6), number);
}

static bool is_slice_name(const char *name, size_t len, const char *word, int64_t *ts)
{
        return len > 10 && memcmp(name, word, 9) == 0 && name[9] == '.' &&
               parse_seconds(name + 10, len - 10, ts);
}

/* "/" or "/YYYY/MM/DD/" */
static bool is_slice_dir(const char *s, size_t len)
{
        static const char form[] = "/dddd/dd/dd/";

        if (len == 1)
                return s[0] == '/';
        if (len != sizeof(form) - 1)
                return false;
        for (size_t i = 0; i < len; i++)
                if (form[i] == '/' ? s[i] != '/' : s[i] < '0' || s[i] > '9')
                        return false;
        return true;
}

enum kind { ENTRY_GOOD, ENTRY_FOREIGN, ENTRY_JUNK };

/* The changelog directory in both spellings that can stand in front of a slice's name. */
struct prefix {
        const char *dir;
        size_t len;
        char *lower; /* first CHANGELOG in small letters; NULL: there is none in it */
};

static int prefix_init(struct prefix *p, const char *dir, struct gb_error *err)
{
        const char *word = strstr(dir, "CHANGELOG");

        *p = (struct prefix){.dir = dir, .len = strlen(dir)};
        while (p->len > 1 && dir[p->len - 1] == '/')
                p->len--;
        if (!word)
                return 0;
        p->lower = strdup(dir);
        if (!p->lower)
                return gb_error_set(err, GB_ERR_MEMORY, "no memory to read %s", dir);
        memcpy(p->lower + (word - dir), "changelog", 9);
        return 0;
}

static enum kind parse_entry(const struct prefix *p, const char *path, size_t len, struct gb_htime_entry *e)
{
        const char *slash = memrchr(path, '/', len);
        const char *name = slash ? slash + 1 : path;
        size_t name_len = len - (size_t)(name - path);
        bool below, below_lower;

        if (is_slice_name(name, name_len, "changelog", &e->ts))
                e->empty = true;
        else if (is_slice_name(name, name_len, "CHANGELOG", &e->ts))
                e->empty = false;
        else
                return ENTRY_JUNK;
        if (!slash || len - name_len < p->len || !is_slice_dir(path + p->len, len - name_len - p->len))
                return ENTRY_FOREIGN;
        below = memcmp(path, p->dir, p->len) == 0;
        below_lower = p->lower && memcmp(path, p->lower, p->len) == 0;
        if (below_lower && !e->empty)
                e->empty = true;
        return below || below_lower ? ENTRY_GOOD : ENTRY_FOREIGN;
}

/* What of an HTIME file is kept. */
struct keep {
        struct prefix prefix;
        uint64_t offset; /* torn and foreign count behind here only */
        int64_t since;   /* entries before the first with a greater ts are dropped, but for the last */
        bool all;        /* ... no, none is */
        bool begun;
        struct gb_htime_entry last;
        bool has_last;
};

static int keep_entry(struct keep *k, struct gb_htime *h, const struct gb_htime_entry *e)
{
        if (!k->all && !k->begun && e->ts > k->since) {
                k->begun = true;
                if (k->has_last && gb_vec_push(&h->entries, k->last) < 0)
                        return -1;
        }
        k->last = *e;
        k->has_last = true;
        if (k->all || k->begun)
                return gb_vec_push(&h->entries, *e);
        h->torn = h->foreign = false; /* it was before the window */
        return 0;
}

static int take_entry(struct keep *k, struct gb_htime *h, const char *path, size_t len, uint64_t end)
{
        struct gb_htime_entry e = {.end = end};
        enum kind kind = parse_entry(&k->prefix, path, len, &e);

        h->size = end;
        if (kind != ENTRY_JUNK && keep_entry(k, h, &e) < 0)
                return -1;
        if (end <= k->offset)
                return 0;
        if (kind == ENTRY_JUNK)
                h->torn = true;
        if (kind == ENTRY_FOREIGN)
                h->foreign = true;
        return 0;
}

/* All whole entries of data behind *used, which moves; data stands at `at` in the file.  A "path" longer
 * than any path is cut in two, so that the carry stays bounded. */
static int take_entries(struct keep *k, struct gb_htime *h, const char *data, size_t len, uint64_t at,
                        size_t *used)
{
        size_t pos = *used;

        while (pos < len) {
                const char *nul = memchr(data + pos, 0, len - pos);
                size_t n = nul ? (size_t)(nul - data) - pos : len - pos;

                if (!nul && n <= ENTRY_MAX)
                        break;
                if (take_entry(k, h, data + pos, n, at + pos + n + (nul != NULL)) < 0)
                        return -1;
                pos += n + (nul != NULL);
        }
        *used = pos;
        return 0;
}

static void end_of_htime(struct gb_htime *h, size_t rest)
{
        h->partial = rest > 0;
        h->torn |= h->partial;
}

int gb_htime_parse(const void *data, size_t len, const char *dir, struct gb_htime *out, struct gb_error *err)
{
        struct keep keep = {.all = true};
        size_t used = 0;
        int rc;

        memset(out, 0, sizeof(*out));
        if (prefix_init(&keep.prefix, dir, err) < 0)
                return -1;
        rc = take_entries(&keep, out, data, len, 0, &used);
        free(keep.prefix.lower);
        if (rc < 0) {
                gb_htime_fini(out);
                return gb_error_set(err, GB_ERR_MEMORY, "no memory for the entries of an HTIME file");
        }
        end_of_htime(out, len - used);
        return 0;
}

void gb_htime_fini(struct gb_htime *h)
{
        gb_vec_free(&h->entries);
}

/* The file's bytes from `at`, an entry's beginning or (skip) somewhere inside one. */
static int read_htime_pieces(int fd, struct keep *k, struct gb_htime *h, uint64_t at, bool skip,
                             struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *buf = malloc(PIECE);
        size_t have = 0, used;
        ssize_t n;

        if (!buf)
                return gb_error_set(err, GB_ERR_MEMORY, "no memory to read %s", h->name);
        while ((n = pread(fd, buf + have, PIECE - have, (off_t)(at + have))) != 0) {
                const char *nul;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return gb_error_sys(err, GB_ERR_SYSTEM, "cannot read %s", h->name);
                have += (size_t)n;
                used = 0;
                if (skip) {
                        nul = memchr(buf, 0, have);
                        used = nul ? (size_t)(nul - buf) + 1 : have;
                        skip = !nul;
                        h->size = at + used;
                }
                if (!skip && take_entries(k, h, buf, have, at, &used) < 0)
                        return gb_error_set(err, GB_ERR_MEMORY, "no memory for the entries of %s", h->name);
                memmove(buf, buf + used, have - used);
                have -= used;
                at += used;
                if (at > GB_HTIME_MAX)
                        return gb_error_set(err, GB_ERR_LIMIT, "%s is larger than %lld bytes", h->name,
                                            (long long)GB_HTIME_MAX);
        }
        end_of_htime(h, have);
        return 0;
}

static int read_htime(struct gb_slices *s, const char *dir, int64_t since, uint64_t offset,
                      struct gb_error *err)
{
        struct keep keep = {.since = since, .all = offset > 0};
        char path[sizeof(HTIME_DIR) + GB_HTIME_NAME];
        GB_CLEANUP_CLOSE
        int fd = -1;
        struct gb_birth birth;
        uint64_t at;
        int rc;

        snprintf(path, sizeof(path), HTIME_DIR "/%s", s->htime.name);
        fd = openat(s->dir_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || gb_birth_of(fd, "", &birth) < 0)
                return gb_error_sys(err, errno == ENOENT ? GB_ERR_GAP : GB_ERR_SYSTEM, "cannot open %s",
                                    path);
        keep.offset = offset == GB_HTIME_TAIL ? birth.size : offset;
        at = keep.offset > BEFORE ? keep.offset - BEFORE : 0;
        if (prefix_init(&keep.prefix, dir, err) < 0)
                return -1;
        rc = read_htime_pieces(fd, &keep, &s->htime, at, at > 0, err);
        free(keep.prefix.lower);
        if (rc == 0 && keep.has_last)
                s->last_ts = keep.last.ts;
        s->htime_changed = birth.changed;
        return rc;
}

/* A directory below dirfd; NULL and errno. */
static DIR *open_dir(int dirfd, const char *name)
{
        int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (!d && fd >= 0)
                close(fd);
        return d;
}

/* Call `each` for every HTIME.<n>. */
static int list_htimes(const struct gb_slices *s, void (*each)(const char *name, int64_t n, void *arg),
                       void *arg, struct gb_error *err)
{
        GB_CLEANUP_CLOSEDIR DIR *d = open_dir(s->dir_fd, HTIME_DIR);
        struct dirent *de;
        int64_t n;

        if (!d && errno == ENOENT)
                return 0;
        if (!d)
                return gb_error_sys(err, GB_ERR_SYSTEM, "cannot open directory " HTIME_DIR);
        while ((errno = 0, de = readdir(d)))
                if (gb_htime_name_parse(de->d_name, &n))
                        each(de->d_name, n, arg);
        return errno ? gb_error_sys(err, GB_ERR_SYSTEM, "cannot list directory " HTIME_DIR) : 0;
}

struct htime_search {
        int64_t limit; /* newest at or before */
        int64_t best;
        int64_t next;   /* oldest after */
        unsigned later; /* number after */
        char name[GB_HTIME_NAME];
};

static void search_htime(const char *name, int64_t n, void *arg)
{
        struct htime_search *h = arg;

        if (n > h->limit) {
                h->later++;
                if (n < h->next)
                        h->next = n;
        } else if (n >= h->best) {
                h->best = n;
                memcpy(h->name, name, strlen(name) + 1); /* gb_htime_name_parse() looked at its length */
        }
}

int gb_slices_htime_of(const struct gb_slices *s, int64_t when, char name[GB_HTIME_NAME], int64_t *next,
                       struct gb_error *err)
{
        struct htime_search found = {.limit = when, .best = -1, .next = INT64_MAX};

        if (list_htimes(s, search_htime, &found, err) < 0)
                return -1;
        memcpy(name, found.name, GB_HTIME_NAME);
        *next = found.next;
        return found.best >= 0;
}

/* What the brick itself goes by: the xattr, or without it the newest name. */
static int htime_in_use(struct gb_slices *s, struct gb_error *err)
{
        struct htime_search newest = {.limit = INT64_MAX, .best = -1, .next = INT64_MAX};
        GB_CLEANUP_CLOSE
        int fd = openat(s->dir_fd, HTIME_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        char name[GB_HTIME_NAME];
        ssize_t n;

        if (fd < 0 && errno == ENOENT)
                return 0;
        if (fd < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "cannot open directory " HTIME_DIR);
        n = fgetxattr(fd, "trusted.glusterfs.current_htime", name, sizeof(name) - 1);
        if (n < 0 && errno != ENODATA && errno != EOPNOTSUPP)
                return gb_error_sys(err, errno == ERANGE ? GB_ERR_GAP : GB_ERR_SYSTEM,
                                    "cannot read trusted.glusterfs.current_htime of " HTIME_DIR);
        if (n > 0) {
                name[n] = 0;
                if (!gb_htime_name_parse(name, &s->htime.started))
                        return gb_error_set(err, GB_ERR_GAP, "the HTIME in use has a foreign name");
                memcpy(s->htime.name, name, sizeof(name));
                return 0;
        }
        if (list_htimes(s, search_htime, &newest, err) < 0)
                return -1;
        memcpy(s->htime.name, newest.name, sizeof(newest.name));
        s->htime.started = newest.best;
        return 0;
}

static uint32_t day_of(int64_t ts)
{
        time_t t = (time_t)ts;
        struct tm tm;

        if (!gmtime_r(&t, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
                return 0;
        return (uint32_t)((tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday);
}

static bool parse_digits(const char *name, size_t want, uint32_t *out)
{
        int64_t v;

        if (strlen(name) != want || !parse_seconds(name, want, &v))
                return false;
        *out = (uint32_t)v;
        return true;
}

struct scan {
        struct gb_slices *out;
        int64_t since;
        int64_t born;
        uint32_t first_day; /* directories of earlier days are not looked into, but for young files */
};

/* May the directory hold files that were born at sc->born or later?  Each came by a rename. */
static bool may_hold_young(const struct scan *sc, DIR *d)
{
        struct gb_birth birth;

        return sc->born && (gb_birth_of(dirfd(d), "", &birth) < 0 || birth.written >= sc->born);
}

/* Slice files in one directory; `day` 0: the changelog directory itself. */
static int scan_files(const struct scan *sc, DIR *d, uint32_t day, struct gb_error *err)
{
        bool by_name = day == 0 || day >= sc->first_day, young = may_hold_young(sc, d);
        struct dirent *de;

        while ((by_name || young) && (errno = 0, de = readdir(d))) {
                struct gb_slice slice = {.file = true, .files = 1, .flat = day == 0, .day = day};

                if (!is_slice_name(de->d_name, strlen(de->d_name), "CHANGELOG", &slice.ts) ||
                    (slice.ts <= sc->since && !young))
                        continue;
                if (gb_birth_of(dirfd(d), de->d_name, &slice.birth) < 0) {
                        if (errno == ENOENT) /* just removed */
                                continue;
                        return gb_error_sys(err, GB_ERR_SYSTEM, "cannot stat slice %.64s", de->d_name);
                }
                if (slice.ts <= sc->since && slice.birth.born < sc->born)
                        continue;
                if (gb_vec_push(&sc->out->slices, slice) < 0)
                        return gb_error_set(err, GB_ERR_MEMORY, "no memory for the list of slices");
        }
        return (by_name || young) && errno
                       ? gb_error_sys(err, GB_ERR_SYSTEM, "cannot list the changelog directory")
                       : 0;
}

/* Year, month and day directories: `level` of them are passed, `prefix` is their number so far. */
static int scan_dated(const struct scan *sc, int above, const char *name, int level, uint32_t prefix,
                      struct gb_error *err)
{
        static const uint32_t scale[3] = {10000, 100, 1}; /* of this level's number in YYYYMMDD */
        GB_CLEANUP_CLOSEDIR DIR *d = open_dir(above, name);
        struct dirent *de;
        uint32_t v;

        if (!d && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
                return 0;
        if (!d)
                return gb_error_sys(err, GB_ERR_SYSTEM, "cannot open changelog directory %s", name);
        if (level == 3)
                return scan_files(sc, d, prefix, err);
        while ((errno = 0, de = readdir(d))) {
                if (!parse_digits(de->d_name, level == 0 ? 4 : 2, &v))
                        continue;
                v = level == 0 ? v : prefix * 100 + v;
                if (!sc->born && v < sc->first_day / scale[level])
                        continue;
                if (scan_dated(sc, dirfd(d), de->d_name, level + 1, v, err) < 0)
                        return -1;
        }
        return errno ? gb_error_sys(err, GB_ERR_SYSTEM, "cannot list changelog directory %s", name) : 0;
}

static int scan_tree(struct gb_slices *s, int64_t since, int64_t born, struct gb_error *err)
{
        /* The upgrade script files by local time: up to a day beside the UTC day. */
        struct scan sc = {s, since, born, since > 2 * DAY_SECONDS ? day_of(since - DAY_SECONDS) : 0};
        GB_CLEANUP_CLOSEDIR DIR *d = open_dir(s->dir_fd, ".");

        if (!d)
                return gb_error_sys(err, GB_ERR_SYSTEM, "cannot open the changelog directory");
        if (scan_files(&sc, d, 0, err) < 0)
                return -1;
        return scan_dated(&sc, s->dir_fd, ".", 0, 0, err);
}

static int compare_slices(const void *a, const void *b)
{
        const struct gb_slice *x = a;
        const struct gb_slice *y = b;

        return (x->ts > y->ts) - (x->ts < y->ts);
}

static int add_htime_entries(struct gb_slices *s, int64_t since, uint64_t offset, struct gb_error *err)
{
        for (size_t i = 0; i < s->htime.entries.n; i++) {
                const struct gb_htime_entry *e = &s->htime.entries.v[i];
                bool behind = e->end > offset;
                struct gb_slice slice = {
                        .ts = e->ts,
                        .in_htime = true,
                        .empty = e->empty,
                        .copies = e->empty ? 0 : 1,
                        .behind = behind && !e->empty,
                        .behind_empty = behind && e->empty,
                        .place = i,
                };

                if ((e->ts > since || (behind && offset)) && gb_vec_push(&s->slices, slice) < 0)
                        return gb_error_set(err, GB_ERR_MEMORY, "no memory for the list of slices");
        }
        return 0;
}

/* Fold what is known of the same ts into one slice. */
static void merge(struct gb_slices *s)
{
        size_t n = 0;

        if (s->slices.n)
                qsort(s->slices.v, s->slices.n, sizeof(*s->slices.v), compare_slices);
        for (size_t i = 0; i < s->slices.n; i++) {
                const struct gb_slice *from = &s->slices.v[i];
                struct gb_slice *to = n ? &s->slices.v[n - 1] : NULL;

                if (!to || to->ts != from->ts) {
                        s->slices.v[n++] = *from;
                        continue;
                }
                if (from->file) {
                        to->flat = from->flat;
                        to->day = from->day;
                        to->birth = from->birth;
                }
                if (from->in_htime && (!to->in_htime || from->place > to->place))
                        to->place = from->place;
                to->behind += from->behind;
                to->behind_empty += from->behind_empty;
                to->file |= from->file;
                to->in_htime |= from->in_htime;
                to->empty |= from->empty;
                to->copies += from->copies;
                to->files += from->files;
        }
        s->slices.n = n;
}

static int fill(struct gb_slices *s, const char *dir, int64_t since, int64_t born, const char *htime,
                uint64_t offset, struct gb_error *err)
{
        struct htime_search later = {.limit = since, .best = -1, .next = INT64_MAX};

        s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->dir_fd < 0)
                return gb_error_sys(err, errno == ENOENT ? GB_ERR_GAP : GB_ERR_SYSTEM, "cannot open %s", dir);
        if (scan_tree(s, since, born, err) < 0)
                return -1;
        if (!htime && htime_in_use(s, err) < 0)
                return -1;
        if (htime && (snprintf(s->htime.name, sizeof(s->htime.name), "%s", htime) < 0 ||
                      !gb_htime_name_parse(htime, &s->htime.started)))
                return gb_error_set(err, GB_ERR_USAGE, "not an HTIME name: %.64s", htime);
        if (s->htime.name[0] && read_htime(s, dir, since, offset, err) < 0)
                return -1;
        if (list_htimes(s, search_htime, &later, err) < 0 || add_htime_entries(s, since, offset, err) < 0)
                return -1;
        s->htime_files = later.later;
        merge(s);
        return 0;
}

int gb_slices_open_at(const char *dir, int64_t since, int64_t born, const char *htime, uint64_t offset,
                      struct gb_slices *out, struct gb_error *err)
{
        memset(out, 0, sizeof(*out));
        out->dir_fd = -1;
        if (fill(out, dir, since, born, htime, offset, err) == 0)
                return 0;
        gb_slices_close(out);
        return -1;
}

int gb_slices_open(const char *dir, int64_t since, struct gb_slices *out, struct gb_error *err)
{
        return gb_slices_open_at(dir, since, 0, NULL, 0, out, err);
}

void gb_slices_close(struct gb_slices *s)
{
        if (s->dir_fd >= 0)
                close(s->dir_fd);
        s->dir_fd = -1;
        gb_vec_free(&s->slices);
        gb_htime_fini(&s->htime);
}

char *gb_slice_name(const struct gb_slice *s, char out[GB_SLICE_NAME])
{
        uint32_t day = s->day ? s->day : day_of(s->ts);

        if (s->flat)
                snprintf(out, GB_SLICE_NAME, "CHANGELOG.%lld", (long long)s->ts);
        else
                snprintf(out, GB_SLICE_NAME, "%04u/%02u/%02u/CHANGELOG.%lld", day / 10000, day / 100 % 100,
                         day % 100, (long long)s->ts);
        return out;
}
