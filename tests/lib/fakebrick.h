/*
 * fakebrick - a brick in a temporary folder, for unit tests.
 *
 * Files, handles and xattrs stand on disk exactly as GlusterFS stores them (facts 5.1, 5.3, 6.1), and a
 * changelog can be written beside them (facts 1, 3), so the modules under test see what they would see
 * on a real brick.  Needs root and a file system with trusted.* xattrs: gb_fake_available().
 *
 * Paths are relative to the brick root, C strings, of any length.  Nothing here returns an error: what
 * cannot be done prints a line and aborts the test.  Operations on the tree write no changelog records;
 * a test says itself what its brick recorded.
 *
 * A unit test includes "../lib/fakebrick.h" and links tests/lib/fakebrick.c, rpc/base, xxhash.
 */
#ifndef GB_FAKEBRICK_H
#define GB_FAKEBRICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/gfid.h"

struct gb_fake {
        char *path; /* absolute path of the brick root */
        char *dir;  /* absolute path of .glusterfs/changelogs */
        gb_gfid volume_id;
        int root_fd;
        uint64_t made;  /* gfids given out */
        int slice_fd;   /* live slice, -1: none */
        char htime[64]; /* name of the HTIME file in use, "": none */
        uint64_t htime_entries;
};

/* False: no permission or no trusted.* xattrs here; a suite then exits 77.  Call it in main(): when that
 * process ends, it removes the bricks that failed tests have left behind. */
bool gb_fake_available(void);

/* An empty brick below $TMPDIR or /tmp: root xattrs, .glusterfs with its usual folders.  No changelog yet. */
struct gb_fake *gb_fake_new(void);
/* Removes everything on disk too. */
void gb_fake_free(struct gb_fake *f);

/* A version 4 gfid that was not given out before (the same sequence in every run). */
gb_gfid gb_fake_gfid(struct gb_fake *f);

/* -- the tree; `gfid` NULL: a new one.  All return the object's gfid. */
gb_gfid gb_fake_mkdir(struct gb_fake *f, const char *path, const gb_gfid *gfid);
gb_gfid gb_fake_create(struct gb_fake *f, const char *path, const gb_gfid *gfid);
gb_gfid gb_fake_mkfifo(struct gb_fake *f, const char *path, const gb_gfid *gfid);
gb_gfid gb_fake_symlink(struct gb_fake *f, const char *target, const char *path, const gb_gfid *gfid);
/* A DHT linkto file: mode 01000, linkto xattr naming `subvol`. */
gb_gfid gb_fake_linkto(struct gb_fake *f, const char *subvol, const char *path, const gb_gfid *gfid);

void gb_fake_link(struct gb_fake *f, const char *old, const char *path);
/* A target that exists is replaced: its handle goes if that was its last name. */
void gb_fake_rename(struct gb_fake *f, const char *old, const char *path);
/* With the last name the handle goes. */
void gb_fake_unlink(struct gb_fake *f, const char *path);
void gb_fake_rmdir(struct gb_fake *f, const char *path);

/* -- an existing object */
gb_gfid gb_fake_get(struct gb_fake *f, const char *path);
void gb_fake_chmod(struct gb_fake *f, const char *path, mode_t mode);
/* `value` NULL removes the xattr. */
void gb_fake_xattr(struct gb_fake *f, const char *path, const char *name, const void *value, size_t len);
/* fd of the directory that holds the last component of `path`, which *name points to; the caller closes. */
int gb_fake_parent(struct gb_fake *f, const char *path, const char **name);

/* -- changelog, ascii, version 1.2 */

/* HTIME.<ts> without entries becomes the HTIME in use, as when changelog is switched on. */
void gb_fake_htime(struct gb_fake *f, int64_t ts);
/* An entry for slice `ts`; `empty`: lower-case, no file. */
void gb_fake_htime_entry(struct gb_fake *f, int64_t ts, bool empty);

/* A new live slice, CHANGELOG with its header.  Each record below is one write(2) to it. */
void gb_fake_slice_begin(struct gb_fake *f);
void gb_fake_D(struct gb_fake *f, const gb_gfid *gfid);
void gb_fake_M(struct gb_fake *f, const gb_gfid *gfid, unsigned fop);
/* CREATE, MKNOD, MKDIR carry a mode: a regular file's, or a directory's for MKDIR.  SYMLINK, LINK,
 * UNLINK, RMDIR carry none.  `fop` as in enum gb_fop. */
void gb_fake_E(struct gb_fake *f, unsigned fop, const gb_gfid *gfid, const gb_gfid *parent, const char *name);
/* CREATE, MKNOD, MKDIR with a mode of the test's choice. */
void gb_fake_E_mode(struct gb_fake *f, unsigned fop, mode_t mode, const gb_gfid *gfid, const gb_gfid *parent,
                    const char *name);
/* UNLINK, RMDIR with the path that capture-del-path adds. */
void gb_fake_E_del(struct gb_fake *f, unsigned fop, const gb_gfid *gfid, const gb_gfid *parent,
                   const char *name, const char *path);
void gb_fake_E_rename(struct gb_fake *f, const gb_gfid *gfid, const gb_gfid *old_parent, const char *old,
                      const gb_gfid *parent, const char *name);
/* Any bytes at the end of the live slice. */
void gb_fake_slice_raw(struct gb_fake *f, const void *bytes, size_t len);

/* Rollover: the live slice becomes YYYY/MM/DD/CHANGELOG.<ts> with an entry in the HTIME in use.  A slice
 * without records is removed and its entry lower-case. */
void gb_fake_slice_end(struct gb_fake *f, int64_t ts);
/* The same for what a brick restart leaves behind: a file (with or without records), no entry. */
void gb_fake_slice_orphan(struct gb_fake *f, int64_t ts);
/* The same for releases before 8: CHANGELOG.<ts> directly in the changelog directory, with an entry. */
void gb_fake_slice_flat(struct gb_fake *f, int64_t ts);

#endif
