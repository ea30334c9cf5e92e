/*
 * xattr - extended attributes of a name in a directory, not following symlinks.
 *
 * By getxattrat(2) and listxattrat(2), of Linux 6.13; where they are not known, or a filter of system calls
 * does not know them, through /proc/self/fd, which takes half as long again.
 */
#ifndef GB_XATTR_H
#define GB_XATTR_H

#include <stddef.h>
#include <sys/types.h>

/* As lgetxattr(2): length, or -1 with errno.  `name` is shorter than PATH_MAX. */
ssize_t gb_xattr_at(int dirfd, const char *name, const char *xattr, void *value, size_t size);
/* As llistxattr(2). */
ssize_t gb_xattrs_at(int dirfd, const char *name, char *list, size_t size);

#endif
