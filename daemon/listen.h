/*
 * listen - the sockets gbackupd is reached by.
 */
#ifndef GB_LISTEN_H
#define GB_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "settings.h"

#define GB_LISTENERS_MAX 18

struct gb_listener {
        int fd;
        bool local; /* AF_UNIX: the peer's uid is known */
        char *path; /* socket file that we made and remove again; owned; NULL for others */
        dev_t dev;  /* of the socket file: only the one we made is removed */
        ino_t ino;
};

struct gb_listeners {
        struct gb_listener v[GB_LISTENERS_MAX];
        size_t n;
};

/* Take the sockets systemd passed; if there are none make our own: the socket of the settings, 0600 in a
 * directory that is made 0700 if missing, and the TCP address if there is one. */
int gb_listeners_open(struct gb_listeners *l, const struct gb_settings *s, struct gb_error *err);
/* Close; `remove` also removes the socket files (the listener does, a worker does not). */
void gb_listeners_close(struct gb_listeners *l, bool remove);

/* Who is at the other end of an accepted connection. */
struct gb_peer {
        unsigned char key[17]; /* 'u' + uid, or 'a' + address: what is counted per address */
        char text[128];        /* for messages */
};
/* -1 (GB_ERR_DENIED): not somebody we serve. */
int gb_peer_identify(const struct gb_listener *l, int fd, struct gb_peer *out, struct gb_error *err);

#endif
