/*
 * xattr - see xattr.h.
 *
 * The C library has no wrappers.  The numbers are the same on all machines but Alpha, and a kernel that has
 * others says ENOSYS.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "xattr.h"

#ifndef SYS_getxattrat
#define SYS_getxattrat 464
#endif
#ifndef SYS_listxattrat
#define SYS_listxattrat 465
#endif

/* struct xattr_args of linux/xattr.h */
struct args {
        uint64_t value __attribute__((aligned(8)));
        uint32_t size;
        uint32_t flags;
};

static atomic_bool unknown;

/* Was that an answer?  A filter says EPERM, which reading an xattr never does. */
static bool answered(ssize_t n)
{
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
                return true;
        atomic_store_explicit(&unknown, true, memory_order_relaxed);
        return false;
}

static int proc_path(int dirfd, const char *name, char out[PATH_MAX])
{
        int n = snprintf(out, PATH_MAX, "/proc/self/fd/%d/%s", dirfd, name);

        if (n > 0 && n < PATH_MAX)
                return 0;
        errno = ENAMETOOLONG;
        return -1;
}

ssize_t gb_xattr_at(int dirfd, const char *name, const char *xattr, void *value, size_t size)
{
        char path[PATH_MAX];

        if (!atomic_load_explicit(&unknown, memory_order_relaxed)) {
                struct args args = {.value = (uintptr_t)value, .size = (uint32_t)size};
                ssize_t n =
                        syscall(SYS_getxattrat, dirfd, name, AT_SYMLINK_NOFOLLOW, xattr, &args, sizeof(args));

                if (answered(n))
                        return n;
        }
        return proc_path(dirfd, name, path) < 0 ? -1 : lgetxattr(path, xattr, value, size);
}

ssize_t gb_xattrs_at(int dirfd, const char *name, char *list, size_t size)
{
        char path[PATH_MAX];

        if (!atomic_load_explicit(&unknown, memory_order_relaxed)) {
                ssize_t n = syscall(SYS_listxattrat, dirfd, name, AT_SYMLINK_NOFOLLOW, list, size);

                if (answered(n))
                        return n;
        }
        return proc_path(dirfd, name, path) < 0 ? -1 : llistxattr(path, list, size);
}
