/*
 * birth - see birth.h.
 */
#include <config.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "birth.h"

static int64_t nanoseconds(const struct statx_timestamp *t)
{
        return t->tv_sec * 1000000000 + t->tv_nsec;
}

int gb_birth_of(int fd, const char *name, struct gb_birth *out)
{
        struct statx st;

        if (statx(fd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                  STATX_TYPE | STATX_INO | STATX_SIZE | STATX_MTIME | STATX_CTIME | STATX_BTIME, &st) < 0)
                return -1;
        *out = (struct gb_birth){
                .ino = st.stx_ino,
                .born = S_ISREG(st.stx_mode) && st.stx_mask & STATX_BTIME ? nanoseconds(&st.stx_btime) : 0,
                .written = nanoseconds(&st.stx_mtime),
                .changed = nanoseconds(&st.stx_ctime),
                .size = st.stx_size,
        };
        return 0;
}

/* The kernel's, whatever time(2) is made to say. */
int64_t gb_birth_now(void)
{
        struct timespec ts;

        return syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts) == 0 ? ts.tv_sec * 1000000000 + ts.tv_nsec : 0;
}
