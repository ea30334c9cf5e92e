/*
 * libgbackup - which paths of a GlusterFS volume changed?  The lists of gbackup-cli for programs.
 *
 * Entries are handed to a function as the list is made.  libgbackup(3) has the whole story, gbackup-cli(1)
 * the meaning of a list, example.c a program.
 *
 * A handle serves one call at a time; different handles serve different threads.
 */
#ifndef LIBGBACKUP_H
#define LIBGBACKUP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What calls return: the exit statuses of gbackup-cli. */
enum gbackup_status {
        GBACKUP_OK = 0,         /* complete */
        GBACKUP_ERROR = 1,      /* gbackup_error() says what */
        GBACKUP_INCOMPLETE = 2, /* a replica set has no brick that can be read */
        GBACKUP_GAP = 3,        /* the records have a gap: a full list is needed */
        GBACKUP_BUSY = 4,       /* somebody else is at the session */
        GBACKUP_SKIPPED = 5,    /* all is well, but names longer than a path may be are missing */
        GBACKUP_USAGE = 64,
        GBACKUP_NO_AGENT = 69,
        GBACKUP_CONFIG = 78
};

enum gbackup_op { GBACKUP_DELETE = 1, GBACKUP_RENAME = 2, GBACKUP_NEW = 3, GBACKUP_MODIFY = 4 };

/* Of gbackup_entry.changed */
#define GBACKUP_DATA  1u /* content */
#define GBACKUP_META  2u /* mode, owner, times */
#define GBACKUP_XATTR 4u

/* All of it is the library's, until the function it is handed to returns.  Fields may be added at the end. */
struct gbackup_entry {
        enum gbackup_op op;
        char type;            /* f d l p s b c; of a DELETE d or f: a directory, or not */
        const char *path;     /* any bytes but NUL; from the root of the volume, no slash at the beginning */
        size_t path_len;      /* without the NUL behind it */
        const char *old_path; /* RENAME: its name before; else NULL */
        size_t old_path_len;
        const uint8_t *gfid; /* 16 bytes; NULL: not known */
        unsigned changed;    /* GBACKUP_DATA... */
};

/* Not 0: stop, and the call returns GBACKUP_ERROR. */
typedef int gbackup_each(void *arg, const struct gbackup_entry *entry);

typedef struct gbackup gbackup;

/* NULL: no memory, no descriptors. */
gbackup *gbackup_new(void);
void gbackup_free(gbackup *h); /* NULL allowed */

/* Before a call: rsh, scope, include, exclude, min-size, max-size, newer, type, on-gap, sweep, partial, level
 * as gbackup-cli has them; expand: what lies below renamed directories is handed over as well (as NEW).  NULL
 * as value of those without one. */
int gbackup_set(gbackup *h, const char *option, const char *value);

/* What went wrong in the last call, one line; "" if nothing did. */
const char *gbackup_error(const gbackup *h);
/* Remarks that are no errors, as gbackup-cli writes them to stderr. */
void gbackup_on_message(gbackup *h, void (*fn)(void *arg, const char *text), void *arg);
/* Make the call that is going on, and all later ones, give up.  From any thread, or a signal handler. */
void gbackup_cancel(gbackup *h);

/* Without a session. */
int gbackup_full(gbackup *h, const char *host, const char *volume, gbackup_each *each, void *arg);
/* Unix seconds.  What is said of the present is of now, not of `end`. */
int gbackup_changes(gbackup *h, const char *host, const char *volume, int64_t start, int64_t end,
                    gbackup_each *each, void *arg);

/* With a session: prepare hands over the list; commit, when it was backed up, makes the next one begin where
 * this one ended.  Without commit the next one begins where this one began. */
int gbackup_register(gbackup *h, const char *session, const char *host, const char *volume);
int gbackup_prepare(gbackup *h, const char *session, gbackup_each *each, void *arg);
/* Of the list prepared last by this handle: is it full?  Its generation, to commit just that one. */
int gbackup_is_full(const gbackup *h);
const char *gbackup_generation(const gbackup *h);
int gbackup_commit(gbackup *h, const char *session, const char *generation); /* NULL: whichever is prepared */
int gbackup_abort(gbackup *h, const char *session);
int gbackup_unregister(gbackup *h, const char *session);

/* "0.1.0" */
const char *gbackup_version(void);

#ifdef __cplusplus
}
#endif

#endif
