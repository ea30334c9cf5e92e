/*
 * scratch - see scratch.h.
 */
#include <config.h>

#include "scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"

const char *gb_scratch_dir(void)
{
        const char *dir = getenv("TMPDIR");

        return dir && *dir ? dir : "/var/tmp";
}

/* Not every file system knows O_TMPFILE. */
int gb_scratch_open(const char *dir, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *path = NULL;
        int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        if (fd >= 0)
                return fd;
        if (asprintf(&path, "%s/.gbackup-XXXXXX", dir) < 0) {
                path = NULL;
                return gb_error_set(err, GB_ERR_MEMORY, "no memory for a file name");
        }
        fd = mkostemp(path, O_CLOEXEC);
        if (fd < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: make a temporary file", dir);
        unlink(path);
        return fd;
}
