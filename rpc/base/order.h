/*
 * order - the one order of paths.
 *
 * Bytes compared unsigned, except that '/' ranks below every other byte.  A depth-first walk that
 * visits each directory's names in unsigned byte order yields exactly this order: a directory, then
 * everything below it, then its next sibling.  Walker, block codec, merge and output share it.
 */
#ifndef GB_ORDER_H
#define GB_ORDER_H

#include <stdbool.h>
#include <stddef.h>

/* <0, 0, >0.  A path that is a prefix of another comes first. */
int gb_path_cmp(const char *a, size_t alen, const char *b, size_t blen);
/* The same, and *same is how many bytes they share in front; both may be the ends of paths that are equal so
 * far. */
int gb_path_cmp_same(const char *a, size_t alen, const char *b, size_t blen, size_t *same);

/* Bytes both begin with. */
size_t gb_common_prefix(const char *a, size_t alen, const char *b, size_t blen);

/* One component of a path: 1..GB_NAME_MAX bytes, no NUL, no '/', not "." nor "..". */
bool gb_name_valid(const char *name, size_t len);

/* A path as it may travel: 1..GB_PATH_MAX bytes, no NUL, no leading, trailing or double '/', no
 * component ".", "..", none longer than GB_NAME_MAX. */
bool gb_path_valid(const char *p, size_t len);

/* `path` is `dir` itself or lies below it.  An empty `dir` is the volume root: always true. */
bool gb_path_within(const char *path, size_t plen, const char *dir, size_t dlen);

#endif
