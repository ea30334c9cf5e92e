/*
 * glusterd - read glusterd's working directory: node uuid, volumes, bricks, changelog options.
 *
 * Every file is a list of "key=value" lines, except volfiles.  glusterd writes a file under another
 * name and renames it, so one file is always whole, but two may be of different moments.  Bricks are
 * therefore found as glusterd itself finds them at its start: the info file lists the names of the
 * brick files, and nothing else in bricks/ is believed (a file left there by a crash could name a brick
 * that was removed long ago).  The name itself is ambiguous, /a/b and /a-b look the same: path and
 * owner are taken from inside.
 *
 * info and the volfiles hold the credentials of the volume's clients.  What is read is wiped before
 * it is freed.
 */
#include <config.h>

#include "glusterd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "glusterd_files.h"

/* Default of rollover-time in the changelog translator. */
#define DEFAULT_ROLLOVER 15

int gb_glusterd_init(struct gb_glusterd *gd, const char *workdir, const char *rundir, struct gb_error *err)
{
        gd->workdir = strdup(workdir);
        gd->rundir = strdup(rundir);
        if (!gd->workdir || !gd->rundir) {
                gb_glusterd_fini(gd);
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", workdir);
        }
        return 0;
}

void gb_glusterd_fini(struct gb_glusterd *gd)
{
        free(gd->workdir);
        free(gd->rundir);
        gd->workdir = NULL;
        gd->rundir = NULL;
}

bool gb_volume_name_valid(const char *name)
{
        size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

        if (!len || name[len] || len > GB_VOLUME_MAX)
                return false;
        return name[0] != '-' && name[0] != '.' && strcmp(name, "all") != 0;
}

/* ---- a file in memory ---- */

void gb_glusterd_wipe(struct gb_buf *b)
{
        if (b->data)
                explicit_bzero(b->data, b->cap);
        gb_buf_fini(b);
}

static int read_all(int fd, const char *path, size_t size, struct gb_buf *b, struct gb_error *err)
{
        /* One reservation: growing would leave unwiped copies behind. */
        if (gb_buf_reserve(b, size + 1) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", path);
        while (b->len < size) {
                ssize_t n = read(fd, b->data + b->len, size - b->len);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return gb_error_sys(err, GB_ERR_GLUSTER, "%s: read", path);
                if (n == 0)
                        break;
                b->len += (size_t)n;
        }
        b->data[b->len] = '\0';
        return 0;
}

/* The whole file with a NUL behind it.  0; 1 there is no such file; -1. */
static int load(const char *path, struct gb_buf *b, struct gb_error *err)
{
        GB_CLEANUP_CLOSE
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat st;

        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
                return 1;
        if (fd < 0)
                return gb_error_sys(err, GB_ERR_GLUSTER, "%s: open", path);
        if (fstat(fd, &st) < 0)
                return gb_error_sys(err, GB_ERR_GLUSTER, "%s: stat", path);
        if (!S_ISREG(st.st_mode))
                return gb_error_set(err, GB_ERR_GLUSTER, "%s: not a regular file", path);
        if (st.st_size >= GB_CONFIG_MAX)
                return gb_error_set(err, GB_ERR_LIMIT, "%s: larger than %d bytes", path, GB_CONFIG_MAX);
        return read_all(fd, path, (size_t)st.st_size, b, err);
}

char *gb_glusterd_line(char **text)
{
        char *line = *text;
        char *end;

        if (!*line)
                return NULL;
        end = line + strcspn(line, "\n");
        *text = *end ? end + 1 : end;
        *end = '\0';
        return line;
}

const char *gb_glusterd_value(const char *line, const char *key)
{
        size_t n = strlen(key);

        return strncmp(line, key, n) == 0 && line[n] == '=' ? line + n + 1 : NULL;
}

static bool parse_uuid(const char *text, gb_gfid *out)
{
        return gb_gfid_parse(text, strlen(text), out);
}

/* A host name ends up in argument lists and log lines: no blanks, no controls, no leading hyphen. */
static bool host_valid(const char *host)
{
        size_t n = 0;

        if (*host == '-')
                return false;
        for (; host[n]; n++)
                if ((unsigned char)host[n] <= ' ' || host[n] == 0x7f || host[n] == '/' || n == GB_HOST_MAX)
                        return false;
        return n > 0;
}

bool gb_glusterd_number(const char *text, uint64_t max, uint64_t *out)
{
        uint64_t v = 0;

        if (!*text)
                return false;
        for (; *text; text++) {
                if (*text < '0' || *text > '9')
                        return false;
                if (v > (max - (uint64_t)(*text - '0')) / 10)
                        return false;
                v = v * 10 + (uint64_t)(*text - '0');
        }
        *out = v;
        return true;
}

/* ---- the node ---- */

int gb_glusterd_node(const struct gb_glusterd *gd, gb_gfid *out, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *path = NULL;
        GB_CLEANUP_WIPE struct gb_buf b = GB_BUF_INIT(GB_CONFIG_MAX);
        char *text, *line;
        int rc;

        if (asprintf(&path, "%s/glusterd.info", gd->workdir) < 0) {
                path = NULL;
                return gb_error_set(err, GB_ERR_MEMORY, "glusterd.info: out of memory");
        }
        rc = load(path, &b, err);
        if (rc > 0)
                return gb_error_set(err, GB_ERR_GLUSTER, "%s: no such file: is this a gluster node?", path);
        if (rc < 0)
                return -1;
        for (text = (char *)b.data; (line = gb_glusterd_line(&text));) {
                const char *v = gb_glusterd_value(line, "UUID");

                if (v && parse_uuid(v, out))
                        return 0;
        }
        return gb_error_set(err, GB_ERR_GLUSTER, "%s: no UUID", path);
}

int gb_glusterd_in_pool(const struct gb_glusterd *gd, const gb_gfid *node, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *path = NULL;
        char uuid[GB_GFID_TEXT];
        gb_gfid own;

        if (gb_glusterd_node(gd, &own, err) < 0)
                return -1;
        if (gb_gfid_eq(&own, node))
                return 1;
        if (asprintf(&path, "%s/peers/%s", gd->workdir, gb_gfid_format(node, uuid)) < 0) {
                path = NULL;
                return gb_error_set(err, GB_ERR_MEMORY, "peers: out of memory");
        }
        if (access(path, F_OK) == 0)
                return 1;
        return errno == ENOENT || errno == ENOTDIR ? 0 : gb_error_sys(err, GB_ERR_GLUSTER, "%s", path);
}

/* ---- a volume ---- */

int gb_glusterd_load_info(const struct gb_glusterd *gd, const char *volume, struct gb_buf *b,
                          struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *path = NULL;
        int rc;

        if (!gb_volume_name_valid(volume))
                return gb_error_set(err, GB_ERR_NO_VOLUME, "not a volume name: %.64s", volume);
        if (asprintf(&path, "%s/vols/%s/info", gd->workdir, volume) < 0) {
                path = NULL;
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", volume);
        }
        rc = load(path, b, err);
        if (rc > 0)
                return gb_error_set(err, GB_ERR_NO_VOLUME, "volume %s does not exist", volume);
        return rc;
}

int gb_glusterd_volume(const struct gb_glusterd *gd, const char *volume, struct gb_volume_file *out,
                       struct gb_error *err)
{
        bool id = false, status = false, version = false;
        uint64_t bricks = 0, replica = 0, disperse = 0;
        GB_CLEANUP_WIPE struct gb_buf b = GB_BUF_INIT(GB_CONFIG_MAX);
        char *text, *line;

        if (gb_glusterd_load_info(gd, volume, &b, err) < 0)
                return -1;
        *out = (struct gb_volume_file){.started = false};
        for (text = (char *)b.data; (line = gb_glusterd_line(&text));) {
                gb_gfid parent;
                const char *v;

                if ((v = gb_glusterd_value(line, "volume-id"))) {
                        id = parse_uuid(v, &out->id);
                } else if ((v = gb_glusterd_value(line, "status"))) {
                        status = true;
                        out->started = strcmp(v, "1") == 0;
                } else if ((v = gb_glusterd_value(line, "version"))) {
                        version = gb_glusterd_number(v, UINT64_MAX, &out->version);
                } else if ((v = gb_glusterd_value(line, "count"))) {
                        gb_glusterd_number(v, GB_BRICKS_MAX, &bricks);
                } else if ((v = gb_glusterd_value(line, "replica_count"))) {
                        gb_glusterd_number(v, GB_BRICKS_MAX, &replica);
                } else if ((v = gb_glusterd_value(line, "disperse_count"))) {
                        gb_glusterd_number(v, GB_BRICKS_MAX, &disperse);
                } else if ((v = gb_glusterd_value(line, "restored_from_snap"))) {
                        out->restored_from_snap =
                                parse_uuid(v, &parent) && !gb_gfid_eq(&parent, &GB_GFID_NULL);
                }
        }
        if (!id || !status || !version)
                return gb_error_set(err, GB_ERR_GLUSTER, "glusterd's info file of volume %s lacks %s", volume,
                                    !id       ? "volume-id"
                                    : !status ? "status"
                                              : "version");
        if (disperse || replica)
                out->n_sets = (unsigned)(bricks / (disperse ? disperse : replica));
        return 0;
}

/* ---- a brick ---- */

void gb_brick_file_fini(struct gb_brick_file *f)
{
        free(f->path);
        free(f->host);
        free(f->afr);
        *f = (struct gb_brick_file){.id = 0};
}

/* "<volume>-client-<id>" into prefix and number.  A cloned volume keeps the name of its origin here,
 * and so do AFR's xattrs on the brick: the prefix is taken as it stands. */
static int split_brick_id(const char *text, struct gb_brick_file *f)
{
        static const char mark[] = "-client-";
        const char *at = NULL;
        uint64_t id;

        for (const char *p = text; (p = strstr(p, mark)); p++)
                at = p + sizeof(mark) - 1;
        if (!at || !gb_glusterd_number(at, INT_MAX, &id))
                return -1;
        free(f->afr);
        f->afr = strndup(text, (size_t)(at - text));
        f->id = (int)id;
        return f->afr ? 0 : -1;
}

/* Fill *f from the lines; false if it is not this node's brick at `path`, or not whole. */
static bool parse_brick(char *text, const gb_gfid *node, const char *path, struct gb_brick_file *f)
{
        bool mine = false, here = false;
        char *line;

        while ((line = gb_glusterd_line(&text))) {
                const char *v;

                if ((v = gb_glusterd_value(line, "uuid"))) {
                        mine = parse_uuid(v, &f->node) && gb_gfid_eq(&f->node, node);
                } else if ((v = gb_glusterd_value(line, "path"))) {
                        here = strcmp(v, path) == 0;
                } else if ((v = gb_glusterd_value(line, "hostname")) && !strchr(v, '/') &&
                           strlen(v) <= GB_HOST_MAX) {
                        free(f->host);
                        f->host = strdup(v);
                } else if ((v = gb_glusterd_value(line, "brick-id"))) {
                        if (split_brick_id(v, f) < 0)
                                return false;
                }
        }
        return mine && here && f->host && f->afr;
}

const char *gb_glusterd_brick_line(const char *line, uint64_t *number)
{
        static const char key[] = "brick-";
        const char *p = line + sizeof(key) - 1;

        if (strncmp(line, key, sizeof(key) - 1) != 0 || *p < '0' || *p > '9')
                return NULL;
        for (*number = 0; *p >= '0' && *p <= '9'; p++)
                *number = *number * 10 + (uint64_t)(*p - '0');
        if (*p++ != '=')
                return NULL;
        return *p && *p != '.' && !strchr(p, '/') ? p : NULL;
}

/* vols/<volume>/bricks/<name>.  0; 1 there is no such file; -1. */
static int load_brick(const struct gb_glusterd *gd, const char *volume, const char *name, struct gb_buf *b,
                      struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *file = NULL;

        if (asprintf(&file, "%s/vols/%s/bricks/%s", gd->workdir, volume, name) < 0) {
                file = NULL;
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", volume);
        }
        return load(file, b, err);
}

int gb_glusterd_brick_of(const struct gb_glusterd *gd, const char *volume, const char *file, gb_gfid *node,
                         char **host, char **path, struct gb_error *err)
{
        GB_CLEANUP_WIPE struct gb_buf b = GB_BUF_INIT(GB_CONFIG_MAX);
        bool known = false;
        char *text, *line;
        int rc;

        *host = *path = NULL;
        rc = load_brick(gd, volume, file, &b, err);
        for (text = rc == 0 ? (char *)b.data : NULL; rc == 0 && (line = gb_glusterd_line(&text));) {
                const char *v;

                if ((v = gb_glusterd_value(line, "uuid"))) {
                        known = parse_uuid(v, node);
                } else if ((v = gb_glusterd_value(line, "hostname")) && !*host && host_valid(v)) {
                        *host = strdup(v);
                } else if ((v = gb_glusterd_value(line, "path")) && !*path && *v == '/' &&
                           strlen(v) <= GB_BRICK_PATH_MAX) {
                        *path = strdup(v);
                }
        }
        if (rc == 0 && known && *host && *path)
                return 0;
        free(*host);
        free(*path);
        *host = *path = NULL;
        return rc < 0 ? -1
                      : gb_error_set(err, GB_ERR_GLUSTER, "glusterd's file of brick %s of volume %s %s", file,
                                     volume, rc ? "is not there" : "lacks what tells whose it is");
}

/* 1 the file is this node's brick at `path` and *out is filled, 0 it is not, -1. */
static int try_brick(const struct gb_glusterd *gd, const char *volume, const char *name, const gb_gfid *node,
                     const char *path, struct gb_brick_file *out, struct gb_error *err)
{
        GB_CLEANUP_WIPE struct gb_buf b = GB_BUF_INIT(GB_CONFIG_MAX);
        int rc;

        rc = load_brick(gd, volume, name, &b, err);
        if (rc < 0)
                return -1;
        if (rc > 0) /* removed since the info file was read */
                return 0;
        if (parse_brick((char *)b.data, node, path, out)) {
                out->path = strdup(path);
                if (out->path)
                        return 1;
                gb_brick_file_fini(out);
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", path);
        }
        gb_brick_file_fini(out);
        return 0;
}

int gb_glusterd_brick(const struct gb_glusterd *gd, const char *volume, const char *path,
                      struct gb_brick_file *out, struct gb_error *err)
{
        GB_CLEANUP_WIPE struct gb_buf b = GB_BUF_INIT(GB_CONFIG_MAX);
        char *text, *line;
        unsigned seen = 0;
        gb_gfid node;

        *out = (struct gb_brick_file){.id = 0};
        if (path[0] != '/')
                return 0;
        if (gb_glusterd_node(gd, &node, err) < 0 || gb_glusterd_load_info(gd, volume, &b, err) < 0)
                return -1;
        for (text = (char *)b.data; (line = gb_glusterd_line(&text));) {
                uint64_t number;
                const char *name = gb_glusterd_brick_line(line, &number);
                int rc;

                if (!name)
                        continue;
                if (++seen > GB_BRICKS_MAX)
                        return gb_error_set(err, GB_ERR_LIMIT, "volume %s has more than %d bricks", volume,
                                            GB_BRICKS_MAX);
                rc = try_brick(gd, volume, name, &node, path, out, err);
                if (rc)
                        return rc;
        }
        return 0;
}

/* ---- changelog options ---- */

void gb_changelog_options_fini(struct gb_changelog_options *o)
{
        free(o->dir);
        o->dir = NULL;
}

/* GlusterFS's own idea of true. */
static bool truth(const char *v)
{
        static const char *const words[] = {"on", "yes", "true", "enable", "1"};

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (strcasecmp(v, words[i]) == 0)
                        return true;
        return false;
}

/* One line of the section, leading blanks cut off. */
static int apply_option(const char *line, struct gb_changelog_options *o)
{
        uint64_t n;

        if (strncmp(line, "option ", 7) != 0)
                return 0;
        line += 7;
        if (strncmp(line, "changelog ", 10) == 0) {
                o->active = truth(line + 10);
        } else if (strncmp(line, "capture-del-path ", 17) == 0) {
                o->capture_del_path = truth(line + 17);
        } else if (strncmp(line, "rollover-time ", 14) == 0) {
                if (!gb_glusterd_number(line + 14, UINT_MAX, &n))
                        return -1;
                o->rollover = (unsigned)n;
        } else if (strncmp(line, "changelog-dir ", 14) == 0) {
                free(o->dir);
                o->dir = strdup(line + 14);
        }
        return 0;
}

/* 0 the section was there and makes sense. */
static int parse_volfile(char *text, struct gb_changelog_options *o)
{
        static const char type[] = "type features/changelog";
        bool inside = false;
        char *line;

        while ((line = gb_glusterd_line(&text))) {
                line += strspn(line, " \t");
                if (!inside) {
                        inside = strcmp(line, type) == 0;
                        continue;
                }
                if (strcmp(line, "end-volume") == 0)
                        return o->dir && o->dir[0] == '/' ? 0 : -1;
                if (apply_option(line, o) < 0)
                        return -1;
        }
        return -1;
}

/* <workdir>/vols/<volume>/<volume>.<host>.<path without its first slash, - for />.vol */
static char *volfile_name(const struct gb_glusterd *gd, const char *volume, const struct gb_brick_file *f)
{
        char *name;
        int n;

        n = asprintf(&name, "%s/vols/%s/%s.%s.%s.vol", gd->workdir, volume, volume, f->host, f->path + 1);
        if (n < 0)
                return NULL;
        for (char *p = name + n - strlen(f->path + 1) - strlen(".vol"); *p; p++)
                if (*p == '/')
                        *p = '-';
        return name;
}

/* The brick's volfile into *b; *path is its name, the caller's to free. */
static int load_volfile(const struct gb_glusterd *gd, const char *volume, const struct gb_brick_file *f,
                        char **path, struct gb_buf *b, struct gb_error *err)
{
        int rc;

        if (!gb_volume_name_valid(volume))
                return gb_error_set(err, GB_ERR_NO_VOLUME, "not a volume name: %.64s", volume);
        *path = volfile_name(gd, volume, f);
        if (!*path)
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", f->path);
        rc = load(*path, b, err);
        if (rc > 0)
                return gb_error_set(err, GB_ERR_GLUSTER, "%s: no such file", *path);
        return rc;
}

int gb_glusterd_changelog_options(const struct gb_glusterd *gd, const char *volume,
                                  const struct gb_brick_file *f, struct gb_changelog_options *out,
                                  struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *path = NULL;
        GB_CLEANUP_WIPE struct gb_buf b = GB_BUF_INIT(GB_CONFIG_MAX);

        *out = (struct gb_changelog_options){.rollover = DEFAULT_ROLLOVER};
        if (load_volfile(gd, volume, f, &path, &b, err) < 0)
                return -1;
        if (parse_volfile((char *)b.data, out) < 0) {
                gb_changelog_options_fini(out);
                return gb_error_set(err, GB_ERR_GLUSTER, "%s: no sound features/changelog section", path);
        }
        return 0;
}

/* ---- other options ---- */

/* The value in `line` if it is "option <option> <value>", leading blanks cut off. */
static const char *option_in(const char *line, const char *option)
{
        size_t n = strlen(option);

        if (strncmp(line, "option ", 7) != 0 || strncmp(line + 7, option, n) != 0 || line[7 + n] != ' ')
                return NULL;
        return line + 7 + n + 1;
}

static int find_option(char *text, const char *type, const char *option, char *value, size_t size)
{
        bool inside = false;
        char *line;

        while ((line = gb_glusterd_line(&text))) {
                const char *v;

                line += strspn(line, " \t");
                if (!inside) {
                        inside = strncmp(line, "type ", 5) == 0 && strcmp(line + 5, type) == 0;
                        continue;
                }
                if (strcmp(line, "end-volume") == 0)
                        return 0;
                v = option_in(line, option);
                if (!v)
                        continue;
                snprintf(value, size, "%s", v);
                return 1;
        }
        return 0;
}

int gb_glusterd_brick_option(const struct gb_glusterd *gd, const char *volume, const struct gb_brick_file *f,
                             const char *type, const char *option, char *value, size_t size,
                             struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *path = NULL;
        GB_CLEANUP_WIPE struct gb_buf b = GB_BUF_INIT(GB_CONFIG_MAX);

        if (load_volfile(gd, volume, f, &path, &b, err) < 0)
                return -1;
        return find_option((char *)b.data, type, option, value, size);
}

int gb_glusterd_slaves(const struct gb_glusterd *gd, const char *volume, unsigned *n, struct gb_error *err)
{
        GB_CLEANUP_WIPE struct gb_buf b = GB_BUF_INIT(GB_CONFIG_MAX);
        char *text, *line;

        *n = 0;
        if (gb_glusterd_load_info(gd, volume, &b, err) < 0)
                return -1;
        for (text = (char *)b.data; (line = gb_glusterd_line(&text));)
                if (strncmp(line, "slave", 5) == 0 && line[5] >= '0' && line[5] <= '9')
                        ++*n;
        return 0;
}
