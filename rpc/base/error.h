/*
 * error - what went wrong, for whom, in one line.
 *
 * A function that can fail takes `struct gb_error *err` last, returns 0 or -1 (or a pointer or NULL)
 * and fills *err on failure only.  Libraries never print.  `code` decides the exit status and what a
 * caller can do; it travels over the wire by number, so numbers are never reused.
 */
#ifndef GB_ERROR_H
#define GB_ERROR_H

#include "limits.h"

enum gb_code {
        GB_OK = 0,
        GB_ERR_SYSTEM = 1,     /* a system call failed; `sys` is errno */
        GB_ERR_MEMORY = 2,     /* out of memory, or past the configured memory_limit */
        GB_ERR_USAGE = 3,      /* the request itself makes no sense */
        GB_ERR_CONFIG = 4,     /* a configuration file or option value */
        GB_ERR_PROTOCOL = 5,   /* the peer broke the protocol */
        GB_ERR_TIMEOUT = 6,    /* a deadline passed */
        GB_ERR_CANCELLED = 7,  /* interrupted by the user or the service manager */
        GB_ERR_NO_AGENT = 8,   /* no gbackupd answers there */
        GB_ERR_DENIED = 9,     /* the agent refuses this caller, volume or brick */
        GB_ERR_VERSION = 10,   /* the two sides speak different protocol versions */
        GB_ERR_NO_VOLUME = 11, /* glusterd does not know the volume */
        GB_ERR_VOLUME_STOPPED = 12,
        GB_ERR_NO_BRICK = 13,      /* not a brick of that volume on this node */
        GB_ERR_BRICK_DOWN = 14,    /* brick process not running, or its directory is unreadable */
        GB_ERR_INCOMPLETE = 15,    /* a replica set without any usable brick: exit status 2 */
        GB_ERR_GAP = 16,           /* history does not cover the window: exit status 3, a full is needed */
        GB_ERR_CHANGELOG_OFF = 17, /* changelog is not recording: exit status 3 */
        GB_ERR_NO_SESSION = 18,
        GB_ERR_SESSION_EXISTS = 19,
        GB_ERR_BUSY = 20,     /* session locked, or a prepared run awaits commit: exit status 4 */
        GB_ERR_GLUSTER = 21,  /* gluster(8) failed or gave something that is not its XML */
        GB_ERR_CORRUPT = 22,  /* state of our own that cannot be trusted (session store) */
        GB_ERR_NO_SPACE = 23, /* disk full at the state directory or the out-file */
        GB_ERR_LIMIT = 24,    /* a bound of limits.h was exceeded */
        GB_ERR_AGAIN = 25,    /* glusterd is busy: "Another transaction is in progress" */
        GB_ERR_SKIPPED = 26,  /* list written, some names could not be expressed: exit status 5 */
        GB_CODE_END
};

struct gb_error {
        enum gb_code code;
        int sys; /* errno, or 0 */
        char text[GB_TEXT_MAX];
};

/* Fill *err (NULL allowed) with a formatted line.  Always returns -1, so that it can be returned. */
int gb_error_set(struct gb_error *err, enum gb_code code, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/* The same, with errno recorded and ": <its text>" appended.  ENOSPC and EDQUOT turn `code` into
 * GB_ERR_NO_SPACE, ENOMEM into GB_ERR_MEMORY. */
int gb_error_sys(struct gb_error *err, enum gb_code code, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/* Put "<formatted>: " in front of the text that is already there; code stays.  Returns -1. */
int gb_error_prefix(struct gb_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Short stable name of a code ("gap", "busy"), for logs and JSON. */
const char *gb_code_name(enum gb_code code);

#endif
