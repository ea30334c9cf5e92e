/*
 * brick - a brick root, opened and verified.
 *
 * A brick is served only if all of facts 8.2 hold: glusterd's own files list it for this node's uuid
 * with exactly this path, its root carries the volume's trusted.glusterfs.volume-id, and its root
 * gfid is ...0001.  Host names are never compared.
 */
#ifndef GB_BRICK_H
#define GB_BRICK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/gfid.h"
#include "glusterd.h"

struct gb_brick {
        char *path;   /* absolute, owned */
        char *volume; /* owned */
        gb_gfid volume_id;
        gb_gfid node;            /* uuid of the node that owns the brick: ours */
        int root_fd;             /* O_PATH-free directory fd of the root */
        int handles_fd;          /* .glusterfs */
        int index;               /* brick-id of glusterd: <volume>-client-<index> */
        char *afr;               /* owned; "trusted.afr.<volume>-client-": the xattrs that blame a sibling */
        uint64_t volume_version; /* glusterd's `version` of the volume when opened */
        bool alone;   /* the only set of its volume: nothing distributes, so no file is a linkto file */
        bool sharded; /* the root has a .shard directory with the shard gfid */
        char *notes;  /* owned; file for what is to be known of it next time (lost.h); NULL: none */
};

/* Open and verify.  GB_ERR_NO_VOLUME; GB_ERR_NO_BRICK: glusterd does not list it for this node;
 * GB_ERR_BRICK_DOWN: unreadable, or without volume-id and gfid (file system not mounted, brick never
 * started, or we lack CAP_SYS_ADMIN); GB_ERR_DENIED: it carries another volume's id or a foreign gfid. */
struct gb_brick *gb_brick_open(const struct gb_glusterd *gd, const char *volume, const char *path,
                               struct gb_error *err);
/* The same without glusterd: for unit tests and the bench's own bricks.  The root needs its gfid and
 * .glusterfs; volume_id is what the root says, or all zero; node is zero, index 0. */
struct gb_brick *gb_brick_open_bare(const char *path, const char *volume, struct gb_error *err);
/* Notes of this brick are kept in a file of `folder`. */
int gb_brick_keep_notes(struct gb_brick *b, const char *folder, struct gb_error *err);
void gb_brick_close(struct gb_brick *b);
static inline void gb_brick_cleanup(struct gb_brick **b)
{
        gb_brick_close(*b);
}
#define GB_CLEANUP_BRICK __attribute__((cleanup(gb_brick_cleanup)))

/* Relative path of a gfid's handle below .glusterfs: "aa/bb/<uuid>", into out[48]; returns out. */
#define GB_HANDLE_TEXT 48
char *gb_handle_path(const gb_gfid *g, char out[GB_HANDLE_TEXT]);

/* trusted.gfid of a path relative to `fd`, not following symlinks: 0, -1 (errno set; ENODATA if there
 * is none).  `name` may be longer than PATH_MAX only as components: callers pass short names. */
int gb_get_gfid_at(int dirfd, const char *name, gb_gfid *out);

/* Is it a file that only points to the subvolume that has the data?  Mode and xattr both say so (facts 6.1);
 * the source of a migration has mode 03000 and is none.  1, 0, -1 with errno.  On the only set of a volume
 * (`alone`) users see what remove-brick left of them as files like others. */
int gb_linkto_at(int dirfd, const char *name, uint32_t mode);

/* Pending heals this brick knows of (facts 6.5, 5.6): whom it blames, not who blames it. */
#define GB_BLAMED_MAX 64
struct gb_heal_status {
        uint64_t pending; /* objects with an entry in indices/xattrop or indices/dirty */
        bool blames_all;  /* every sibling is suspect: disperse, unreadable, or too many to look at */
        int blamed[GB_BLAMED_MAX]; /* indices of bricks, as in gb_brick.index, each once */
        int n_blamed;
};
int gb_brick_heal_status(const struct gb_brick *b, struct gb_heal_status *out, struct gb_error *err);

/* The brick process runs: pid file of glusterd and /proc agree. */
bool gb_brick_running(const struct gb_glusterd *gd, const struct gb_brick *b);

/* The log of the brick's process, as its command line says: with brick multiplexing, that of the first brick
 * in it.  To be freed; NULL: none runs, or it does not say. */
char *gb_brick_log(const struct gb_glusterd *gd, const struct gb_brick *b);

#endif
