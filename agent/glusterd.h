/*
 * glusterd - what glusterd's own files say (facts 8.2): node uuid, volumes, their bricks and options.
 *
 * Files are read at every call; nothing is cached.  The working directory is /var/lib/glusterd unless
 * configured.  vols/<vol>/info holds client credentials: only the named keys are ever kept.
 */
#ifndef GB_GLUSTERD_H
#define GB_GLUSTERD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/gfid.h"
#include "gluster.h"

struct gb_glusterd {
        char *workdir; /* /var/lib/glusterd */
        char *rundir;  /* /var/run/gluster: brick pid files */
};

int gb_glusterd_init(struct gb_glusterd *gd, const char *workdir, const char *rundir, struct gb_error *err);
void gb_glusterd_fini(struct gb_glusterd *gd);

/* A name that may stand in a path and in an argument list: 1..GB_VOLUME_MAX of [A-Za-z0-9._-], no '-'
 * or '.' first, and not "all", which gluster(8) takes for every volume. */
bool gb_volume_name_valid(const char *name);

/* UUID= of glusterd.info.  GB_ERR_GLUSTER when there is none. */
int gb_glusterd_node(const struct gb_glusterd *gd, gb_gfid *out, struct gb_error *err);

/* Is that node this one, or a peer that glusterd knows?  1, 0, -1. */
int gb_glusterd_in_pool(const struct gb_glusterd *gd, const gb_gfid *node, struct gb_error *err);

struct gb_volume_file {
        gb_gfid id;
        bool started;
        uint64_t version;
        unsigned n_sets; /* replica or disperse sets, or bricks of a plain volume; 0: it does not say */
        bool restored_from_snap;
};
/* vols/<volume>/info.  GB_ERR_NO_VOLUME, also for a name that gb_volume_name_valid() refuses. */
int gb_glusterd_volume(const struct gb_glusterd *gd, const char *volume, struct gb_volume_file *out,
                       struct gb_error *err);

/* What gb_gluster_info() tells, but of the options only those that a topology needs, read from the files: no
 * process, no lock, microseconds.  Fails, with *v empty, when the files may be out of date because glusterd
 * does not run, or are not understood: then ask gluster(8). */
int gb_glusterd_topology(const struct gb_glusterd *gd, const char *volume, struct gb_volinfo *v,
                         struct gb_error *err);
/* glusterd accepts connections on its local socket, "d.socket" behind the runtime directory. */
bool gb_glusterd_running(const struct gb_glusterd *gd);

struct gb_brick_file {
        gb_gfid node;
        char *path; /* owned */
        char *host; /* owned */
        char *afr;  /* owned; brick-id without its number ("<volume>-client-"): in AFR's xattrs */
        int id;     /* brick-id, from "<volume>-client-<id>" */
};
/* The bricks/ entry whose uuid is this node's and whose path equals `path`, among those that the info
 * file lists.  1 found, 0 not, -1. */
int gb_glusterd_brick(const struct gb_glusterd *gd, const char *volume, const char *path,
                      struct gb_brick_file *out, struct gb_error *err);
void gb_brick_file_fini(struct gb_brick_file *f);

/* Effective options of a brick's features/changelog section, from its volfile.  glusterd writes only
 * what is set; the rest is the translator's defaults. */
struct gb_changelog_options {
        bool active;       /* changelog on */
        char *dir;         /* owned; changelog-dir */
        unsigned rollover; /* seconds */
        bool capture_del_path;
};
int gb_glusterd_changelog_options(const struct gb_glusterd *gd, const char *volume,
                                  const struct gb_brick_file *f, struct gb_changelog_options *out,
                                  struct gb_error *err);
/* The value of an option in the first section of `type` of a brick's volfile.  1 found, 0 it is not set (the
 * translator's default holds), -1.  A value longer than `size` is cut. */
int gb_glusterd_brick_option(const struct gb_glusterd *gd, const char *volume, const struct gb_brick_file *f,
                             const char *type, const char *option, char *value, size_t size,
                             struct gb_error *err);
/* Geo-replication sessions whose master the volume is. */
int gb_glusterd_slaves(const struct gb_glusterd *gd, const char *volume, unsigned *n, struct gb_error *err);
void gb_changelog_options_fini(struct gb_changelog_options *o);

#endif
