/*
 * fit - see fit.h.
 */
#include <config.h>

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "brick.h"
#include "fit.h"
#include "mdata.h"
#include "xattr.h"

#define SHARD_SIZE  "trusted.glusterfs.shard.file-size" /* 32 bytes, the size first */
#define SHARD_BLOCK "trusted.glusterfs.shard.block-size"
#define EC_SIZE     "trusted.ec.size"

static uint64_t number_at(const unsigned char *p)
{
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        return be64toh(v);
}

/* The number at the beginning of an xattr: 1, 0 there is none, -1. */
static int size_in(int dir_fd, const char *name, const char *xattr, uint64_t *size)
{
        unsigned char value[64];
        ssize_t n = gb_xattr_at(dir_fd, name, xattr, value, sizeof(value));

        if (n < 0)
                return errno == ENODATA ? 0 : -1;
        if (n < (ssize_t)sizeof(*size))
                return 0;
        *size = number_at(value);
        return 1;
}

static int size_fits(const struct gb_measure *m, int dir_fd, const char *name, const struct stat *st)
{
        uint64_t size = (uint64_t)st->st_size;
        int rc = size_in(dir_fd, name, SHARD_SIZE, &size);

        if (rc == 0)
                rc = size_in(dir_fd, name, EC_SIZE, &size);
        if (rc < 0)
                return -1;
        return size >= m->size_from && (!m->size_below || size < m->size_below);
}

/* Is it the first block of several?  Writes to the others leave no trace here. */
static int has_blocks(int dir_fd, const char *name)
{
        uint64_t size, block;
        int rc = size_in(dir_fd, name, SHARD_SIZE, &size);

        if (rc == 1)
                rc = size_in(dir_fd, name, SHARD_BLOCK, &block);
        return rc <= 0 ? rc : size > block;
}

/* The later one of the times counts: each of them may be behind, none is ahead. */
static int newer_fits(const struct gb_measure *m, int dir_fd, const char *name, const struct stat *st)
{
        struct gb_mdata kept;
        int rc;

        if (st->st_mtim.tv_sec >= m->newer)
                return 1;
        rc = gb_mdata_at(dir_fd, name, &kept);
        if (rc < 0)
                return -1;
        if (rc == 2 || (rc == 1 && kept.modified.tv_sec >= m->newer))
                return 1;
        return has_blocks(dir_fd, name);
}

int gb_fits(const struct gb_measure *m, int dir_fd, const char *name, const struct stat *st)
{
        int rc = 1;

        if (m->size_from || m->size_below)
                rc = size_fits(m, dir_fd, name, st);
        if (rc == 1 && m->newer)
                rc = newer_fits(m, dir_fd, name, st);
        return rc;
}
