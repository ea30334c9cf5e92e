/*
 * wire_error - gb_error in and out of gbx_error, and text fields in and out of C strings.
 */
#ifndef GB_WIRE_ERROR_H
#define GB_WIRE_ERROR_H

#include "base/error.h"
#include "base/gfid.h"
#include "gbackup.h"

/* *out's text is malloc'd (freed by xdr_free); an unknown code becomes GB_ERR_PROTOCOL on the way in. */
void gb_error_to_wire(const struct gb_error *err, gbx_error *out);
int gb_error_from_wire(const gbx_error *in, struct gb_error *err); /* returns -1 */

/* A wire string (opaque<>) as malloc'd C string; refused (NULL) if it holds a NUL or is longer than max. */
char *gb_wire_string(const char *val, unsigned len, unsigned max, const char *what, struct gb_error *err);

/* Point a wire string at a C string, without copying. */
#define GB_WIRE_SET(field, prefix, str)                                                                      \
        ((field).prefix##_val = (char *)(uintptr_t)(str), (field).prefix##_len = (unsigned)strlen(str))

#endif
