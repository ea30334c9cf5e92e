/*
 * notify - what systemd wants to hear, and the sockets it may have opened for us.
 *
 * The protocol is one datagram and two environment variables: no library is needed for it.
 */
#ifndef GB_NOTIFY_H
#define GB_NOTIFY_H

/* "READY=1" and the like to $NOTIFY_SOCKET.  Nothing happens without one, and nothing is reported:
 * there is nobody else to tell. */
void gb_notify(const char *state);
/* RELOADING=1 with the time stamp it needs; gb_notify("READY=1") ends it. */
void gb_notify_reloading(void);

/* First descriptor of socket activation. */
#define GB_ACTIVATION_FD 3
/* How many descriptors from GB_ACTIVATION_FD on were passed to this very process (0..16); they are
 * made CLOEXEC and the variables are removed, so that no child takes them for its own. */
int gb_notify_sockets(void);

#endif
