/*
 * notify - the sd_notify datagram and LISTEN_FDS.
 */
#include <config.h>

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/cleanup.h"
#include "notify.h"

#define SOCKETS_MAX 16

void gb_notify(const char *state)
{
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        GB_CLEANUP_CLOSE
        int fd = -1;
        size_t n = path ? strlen(path) : 0;

        if (n < 2 || n >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
                return;
        memcpy(to.sun_path, path, n);
        if (path[0] == '@')
                to.sun_path[0] = '\0'; /* abstract name space */
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return;
        (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}

void gb_notify_reloading(void)
{
        struct timespec now;
        char text[64];

        clock_gettime(CLOCK_MONOTONIC, &now);
        snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
                 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
        gb_notify(text);
}

int gb_notify_sockets(void)
{
        const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
        long n = 0;

        if (pid && fds && strtol(pid, NULL, 10) == (long)getpid())
                n = strtol(fds, NULL, 10);
        if (n < 0 || n > SOCKETS_MAX)
                n = 0;
        for (int fd = GB_ACTIVATION_FD; fd < GB_ACTIVATION_FD + (int)n; fd++)
                fcntl(fd, F_SETFD, FD_CLOEXEC);
        unsetenv("LISTEN_PID");
        unsetenv("LISTEN_FDS");
        unsetenv("LISTEN_FDNAMES");
        return (int)n;
}
