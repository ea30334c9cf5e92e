/*
 * topology - a volume as glusterd's files tell it, where `gluster volume info` would say the same.
 *
 * gluster(8) takes a sixth of a second to start, most of what an incremental without changes costs.  What it
 * prints is the memory of the glusterd of this node, and glusterd writes that to its files, renamed into
 * place, with every change of it (facts 8.2).  So the files are as good, under two conditions, and whenever
 * one is in doubt the caller asks gluster(8):
 *
 *     glusterd runs.   One that is down misses what other nodes decide, and its files with it: a list made
 * from them would silently lack a brick that was added meanwhile.  Something that accepts connections on its
 * socket is running. we understand.   Every number is there and fits the others, every brick has its file,
 * and info has the same version after the last brick was read as before the first.
 */
#include <config.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "glusterd.h"
#include "glusterd_files.h"

/* Of the options, those that a topology tells of: info also holds what is nobody's business. */
static const char *const option_names[] = {"changelog.changelog", "features.shard"};

#define N_OPTIONS (sizeof(option_names) / sizeof(option_names[0]))

/* What info says of the shape of a volume. */
struct shape {
        uint64_t type, count, replica, arbiter, disperse, redundancy, thin_arbiter;
        bool has_type, has_count, has_replica, has_disperse, has_redundancy;
};

static int unclear(struct gb_error *err, const char *volume, const char *what)
{
        return gb_error_set(err, GB_ERR_GLUSTER, "glusterd's files of volume %s: %s", volume, what);
}

bool gb_glusterd_running(const struct gb_glusterd *gd)
{
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        GB_CLEANUP_CLOSE
        int fd = -1;
        /* /var/run/gluster and /var/run/glusterd.socket */
        int n = snprintf(to.sun_path, sizeof(to.sun_path), "%sd.socket", gd->rundir);

        if (n < 0 || (size_t)n >= sizeof(to.sun_path))
                return false;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        return fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0;
}

/* True if the line has this key; *ok is whether its value is a number that may be. */
static bool take_number(const char *line, const char *key, uint64_t *out, bool *ok)
{
        const char *v = gb_glusterd_value(line, key);

        if (!v)
                return false;
        *ok = gb_glusterd_number(v, GB_BRICKS_MAX, out);
        return true;
}

static bool take_shape(const char *line, struct shape *s)
{
        bool arbiter = true, thin = true;

        if (take_number(line, "type", &s->type, &s->has_type) ||
            take_number(line, "count", &s->count, &s->has_count) ||
            take_number(line, "replica_count", &s->replica, &s->has_replica) ||
            take_number(line, "disperse_count", &s->disperse, &s->has_disperse) ||
            take_number(line, "redundancy_count", &s->redundancy, &s->has_redundancy))
                return true;
        /* These are written only where there are some. */
        if (take_number(line, "arbiter_count", &s->arbiter, &arbiter) ||
            take_number(line, "thin_arbiter_count", &s->thin_arbiter, &thin))
                return arbiter && thin;
        return true;
}

static int take_option(const char *line, struct gb_volinfo *v)
{
        for (size_t i = 0; i < N_OPTIONS; i++) {
                const char *value = gb_glusterd_value(line, option_names[i]);
                struct gb_vol_option o;

                if (!value)
                        continue;
                o.name = strdup(option_names[i]);
                o.value = strdup(value);
                if (o.name && o.value && gb_vec_push(&v->options, o) == 0)
                        return 0;
                free(o.name);
                free(o.value);
                return -1;
        }
        return 0;
}

/* The bricks come in order, and each has a file of its own. */
static int take_brick(const struct gb_glusterd *gd, struct gb_volinfo *v, const char *line,
                      struct gb_error *err)
{
        struct gb_vol_brick b = {.host = NULL};
        uint64_t number;
        const char *file = gb_glusterd_brick_line(line, &number);

        if (!file)
                return 0;
        if (number != v->bricks.n || number >= GB_BRICKS_MAX)
                return unclear(err, v->name, "bricks out of order");
        if (gb_glusterd_brick_of(gd, v->name, file, &b.node, &b.host, &b.path, err) < 0)
                return -1;
        if (gb_vec_push(&v->bricks, b) == 0)
                return 0;
        free(b.host);
        free(b.path);
        return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", v->name);
}

static int take_lines(const struct gb_glusterd *gd, char *text, struct gb_volinfo *v, struct shape *s,
                      struct gb_error *err)
{
        char *line;

        while ((line = gb_glusterd_line(&text))) {
                if (!take_shape(line, s))
                        return unclear(err, v->name, "a number that cannot be");
                if (take_option(line, v) < 0)
                        return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", v->name);
                if (take_brick(gd, v, line, err) < 0)
                        return -1;
        }
        return 0;
}

/* As gb_xml_volume_info() does it; the last brick of each set is the arbiter, if there is one. */
static int take_geometry(struct gb_volinfo *v, const struct shape *s, struct gb_error *err)
{
        if (!s->has_type || !s->has_count || !s->has_replica || !s->has_disperse || !s->has_redundancy)
                return unclear(err, v->name, "a number is missing");
        if (s->thin_arbiter || s->arbiter > 1)
                return unclear(err, v->name, "arbiters of another kind");
        v->disperse = s->disperse > 0;
        v->set_size = (unsigned)(v->disperse ? s->disperse : s->replica);
        v->redundancy = (unsigned)s->redundancy;
        if (!v->bricks.n || v->bricks.n != s->count || !v->set_size || v->bricks.n % v->set_size)
                return unclear(err, v->name, "bricks that make no sets");
        for (size_t i = v->set_size - 1; s->arbiter && i < v->bricks.n; i += v->set_size)
                v->bricks.v[i].arbiter = true;
        return 0;
}

static int read_volume(const struct gb_glusterd *gd, struct gb_volinfo *v, struct gb_error *err)
{
        GB_CLEANUP_WIPE struct gb_buf b = GB_BUF_INIT(GB_CONFIG_MAX);
        struct gb_volume_file before, after;
        struct shape s = {.type = 0};

        if (gb_glusterd_volume(gd, v->name, &before, err) < 0 ||
            gb_glusterd_load_info(gd, v->name, &b, err) < 0 ||
            take_lines(gd, (char *)b.data, v, &s, err) < 0 || take_geometry(v, &s, err) < 0 ||
            gb_glusterd_volume(gd, v->name, &after, err) < 0)
                return -1;
        if (before.version != after.version || before.started != after.started)
                return unclear(err, v->name, "they change");
        v->id = after.id;
        v->started = after.started;
        return 0;
}

int gb_glusterd_topology(const struct gb_glusterd *gd, const char *volume, struct gb_volinfo *v,
                         struct gb_error *err)
{
        *v = (struct gb_volinfo){.name = strdup(volume)};
        if (!v->name)
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", volume);
        if (!gb_glusterd_running(gd))
                unclear(err, volume, "glusterd does not run");
        else if (read_volume(gd, v, err) == 0)
                return 0;
        gb_volinfo_fini(v);
        return -1;
}
