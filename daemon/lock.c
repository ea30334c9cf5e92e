/*
 * lock - flock on a file per session.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/cleanup.h"
#include "lock.h"

#define HOLDER_MAX 400

static int busy(int fd, const char *session, struct gb_error *err)
{
        char text[HOLDER_MAX + 1];
        ssize_t n = pread(fd, text, HOLDER_MAX, 0);

        text[n > 0 ? n : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return gb_error_set(err, GB_ERR_BUSY, "session %s is locked by %s", session,
                            *text ? text : "another run");
}

/* For people only: a failure to write it must not fail the run. */
static void sign(int fd, const char *holder)
{
        char text[HOLDER_MAX + 1], when[32];
        time_t now = time(NULL);
        struct tm tm;
        int n;

        localtime_r(&now, &tm);
        strftime(when, sizeof(when), "%F %T %z", &tm);
        n = snprintf(text, sizeof(text), "%.300s since %s\n", holder, when);
        if (ftruncate(fd, 0) == 0)
                (void)!pwrite(fd, text, (size_t)n, 0);
}

int gb_lock_take(struct gb_store *s, const char *session, const char *volume, const char *holder,
                 struct gb_lock *out, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *path = NULL;
        GB_CLEANUP_CLOSE
        int fd = -1;
        int64_t row, again;

        if (gb_store_row(s, session, volume, &row, err) < 0)
                return -1;
        path = gb_store_lock_file(s, row, err);
        if (!path)
                return -1;
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: open lock", path);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno == EWOULDBLOCK)
                        return busy(fd, session, err);
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: lock", path);
        }
        /* The session may have been unregistered, and its lock file removed, before we opened it anew. */
        if (gb_store_row(s, session, volume, &again, err) < 0 || again != row) {
                unlink(path);
                return gb_error_set(err, GB_ERR_NO_SESSION,
                                    "session %s of volume %s was unregistered just now", session, volume);
        }
        sign(fd, holder);
        out->fd = gb_steal_fd(&fd);
        out->row = row;
        return 0;
}

void gb_lock_drop(struct gb_lock *l)
{
        if (l->fd >= 0)
                close(l->fd);
        l->fd = -1;
        l->row = 0;
}

int gb_lock_held(const struct gb_lock *l, struct gb_store *s, const char *session, const char *volume,
                 struct gb_error *err)
{
        int64_t row;

        if (gb_store_row(s, session, volume, &row, err) < 0)
                return -1;
        return l->fd >= 0 && l->row == row;
}
