/*
 * tls - TLS 1.3 with certificates on both sides, in the place of a plain stream (RFC 9289).
 *
 * A folder holds what one machine needs (gb_tls_load):
 *
 *     node.key      private key, nobody else may read it
 *     node.pem      its certificate (and what else of a chain there is)
 *     peers.pem     certificates of the nodes, or of an authority that issued them
 *     clients.pem   agent only, may be missing: certificates of clients
 *     clients.conf  may be missing: rights (access.h)
 *
 * An ordinary TLS library would take any of these certificates for any of these machines.  So the
 * handshake says only "somebody in the lists", and gb_tls_peer tells who, for the caller to judge.
 */
#ifndef GB_TLS_H
#define GB_TLS_H

#include "access.h"
#include "certs.h"
#include "transport.h"

#define GB_TLS_ALPN "sunrpc"

enum gb_tls_side { GB_TLS_CLIENT, GB_TLS_SERVER };

struct gb_tls; /* may be used by several threads */

/* NULL: GB_ERR_CONFIG with the file and what is wrong with it. */
struct gb_tls *gb_tls_load(const char *dir, enum gb_tls_side side, struct gb_error *err);
void gb_tls_free(struct gb_tls *tls);
const struct gb_access *gb_tls_access(const struct gb_tls *tls);
/* Our own certificate. */
const struct gb_cert *gb_tls_own(const struct gb_tls *tls);

/* Whose certificate the other end has proved to hold. */
struct gb_tls_peer {
        struct gb_cert cert;
        bool listed; /* this very certificate stands in peers.pem: its uuid counts */
        bool issued; /* it stands in no list, but an authority there has issued it: its name counts */
};
void gb_tls_peer_fini(struct gb_tls_peer *p);

/* Both: on success *t is the encrypted stream and owns the plain one; *peer is to be released.  On
 * failure *t is the plain stream still, of no use but to be closed. */

/* Ask for TLS (a NULL call with AUTH_TLS), insist on it, do the handshake.  The agent's judgement of our
 * certificate comes with its first answer: TLS 1.3 lets a client finish without it. */
int gb_tls_connect(const struct gb_tls *tls, struct gb_transport **t, gb_deadline until,
                   struct gb_tls_peer *peer, struct gb_error *err);
/* The agent's part, after STARTTLS was answered. */
int gb_tls_accept(const struct gb_tls *tls, struct gb_transport **t, gb_deadline until,
                  struct gb_tls_peer *peer, struct gb_error *err);

/* The NULL call alone, over a plain stream: 0 when STARTTLS was answered (starttls.c). */
int gb_starttls(struct gb_transport *t, gb_deadline until, struct gb_error *err);

#endif
