/*
 * lock - one run of a session at a time.
 *
 * flock(2) on STATE_DIR/locks/<row>.lock: the kernel drops it with the worker that holds it, so a dead
 * holder never leaves a session locked.  The file's text says who holds it, for the message others get.
 */
#ifndef GB_LOCK_H
#define GB_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "session.h"

struct gb_lock {
        int fd; /* -1: nothing held */
        int64_t row;
};
#define GB_LOCK_NONE                                                                                         \
        {                                                                                                    \
                -1, 0                                                                                        \
        }

/* Does not wait: GB_ERR_BUSY names the holder.  `holder` describes us, one line. */
int gb_lock_take(struct gb_store *s, const char *session, const char *volume, const char *holder,
                 struct gb_lock *out, struct gb_error *err);
void gb_lock_drop(struct gb_lock *l); /* nothing held is fine */
/* 1 if `l` is that session's lock, 0 if not, -1 (no such session). */
int gb_lock_held(const struct gb_lock *l, struct gb_store *s, const char *session, const char *volume,
                 struct gb_error *err);

#endif
