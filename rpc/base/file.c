/* file - see file.h. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"

int gb_file_read(const char *path, size_t max, struct gb_buf *out, struct gb_error *err)
{
        GB_CLEANUP_CLOSE
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat st;

        gb_buf_reset(out);
        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
                gb_error_set(err, GB_ERR_CONFIG, "%s: there is no such file", path);
                return 1;
        }
        if (fd < 0 || fstat(fd, &st) < 0)
                return gb_error_sys(err, GB_ERR_CONFIG, "%s", path);
        if (!S_ISREG(st.st_mode))
                return gb_error_set(err, GB_ERR_CONFIG, "%s: not a regular file", path);
        if ((size_t)st.st_size > max)
                return gb_error_set(err, GB_ERR_LIMIT, "%s: larger than %zu bytes", path, max);
        if (gb_buf_reserve(out, (size_t)st.st_size + 1) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", path);
        while (out->len < (size_t)st.st_size) {
                ssize_t n = read(fd, out->data + out->len, (size_t)st.st_size - out->len);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return gb_error_sys(err, GB_ERR_CONFIG, "%s: read", path);
                if (n == 0)
                        break;
                out->len += (size_t)n;
        }
        out->data[out->len] = '\0';
        return 0;
}

static int write_all(int fd, const char *at, size_t n)
{
        while (n > 0) {
                ssize_t put = write(fd, at, n);

                if (put < 0 && errno != EINTR)
                        return -1;
                if (put > 0) {
                        at += put;
                        n -= (size_t)put;
                }
        }
        return 0;
}

static int sync_dir_of(const char *path)
{
        char dir[PATH_MAX];
        char *slash;

        snprintf(dir, sizeof(dir), "%s", path);
        slash = strrchr(dir, '/');
        if (!slash)
                strcpy(dir, ".");
        else
                slash[slash == dir] = '\0';

        GB_CLEANUP_CLOSE
        int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -1 : fsync(fd);
}

int gb_file_write(const char *path, const void *bytes, size_t n, unsigned mode, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *temporary = NULL;
        int fd, failed;

        if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
                temporary = NULL;
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", path);
        }
        fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
        if (fd < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: create", temporary);
        failed = write_all(fd, bytes, n) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0;
        if (failed)
                gb_error_sys(err, GB_ERR_SYSTEM, "%s: write", temporary);
        close(fd);
        if (!failed && (rename(temporary, path) < 0 || sync_dir_of(path) < 0)) {
                failed = 1;
                gb_error_sys(err, GB_ERR_SYSTEM, "%s: put in place", path);
        }
        if (failed)
                unlink(temporary);
        return failed ? -1 : 0;
}
