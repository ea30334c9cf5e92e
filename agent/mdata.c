/*
 * mdata - see mdata.h.
 */
#include <config.h>

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "brick.h"
#include "mdata.h"
#include "xattr.h"

#define MDATA "trusted.glusterfs.mdata"
/* Version, flags, then ctime, mtime and atime, each seconds and nanoseconds, packed. */
#define MDATA_SIZE  57
#define MDATA_CTIME 9
#define MDATA_MTIME 25

static struct timespec time_at(const unsigned char *p)
{
        uint64_t v[2];

        memcpy(v, p, sizeof(v));
        return (struct timespec){.tv_sec = (time_t)be64toh(v[0]),
                                 .tv_nsec = (long)(be64toh(v[1]) % 1000000000)};
}

int gb_mdata_at(int dir_fd, const char *name, struct gb_mdata *out)
{
        unsigned char value[MDATA_SIZE];
        ssize_t n = gb_xattr_at(dir_fd, name, MDATA, value, sizeof(value));

        if (n < 0 && errno != ERANGE)
                return errno == ENODATA ? 0 : -1;
        if (n != MDATA_SIZE)
                return 2;
        out->changed = time_at(value + MDATA_CTIME);
        out->modified = time_at(value + MDATA_MTIME);
        return 1;
}
