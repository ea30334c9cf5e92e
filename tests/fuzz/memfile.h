/*
 * memfile - bytes as a file with a name, for what reads files.
 */
#ifndef GB_MEMFILE_H
#define GB_MEMFILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* A descriptor to close; its name into `path`. */
static inline int memfile(const uint8_t *data, size_t size, char path[64])
{
        int fd = memfd_create("fuzz", MFD_CLOEXEC);

        if (fd < 0 || write(fd, data, size) != (ssize_t)size)
                abort();
        snprintf(path, 64, "/proc/self/fd/%d", fd);
        return fd;
}

#endif
