/*
 * tls - see tls.h.
 *
 * OpenSSL works on the non-blocking descriptor and never waits by itself: it says what it wants, and
 * gb_transport_wait() waits for that, as on a plain stream.  Three traps:
 *
 *   - data may be decrypted already while the descriptor has nothing: read first, then wait;
 *   - a peer can keep the descriptor busy with records that carry nothing (KeyUpdate): AUTO_RETRY is off
 *     and every round looks at the deadline and at the cancel descriptor;
 *   - the error queue is one for the thread: it is emptied before each call.
 */
#include <config.h>

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "tls.h"

#define CHAIN_MAX 4 /* certificates between ours and an authority */

/* "sunrpc" as ALPN has it. */
static const unsigned char alpn[] = {6, 's', 'u', 'n', 'r', 'p', 'c'};

struct gb_tls {
        SSL_CTX *ctx;
        struct gb_cert own;
        struct gb_certs peers, clients;
        struct gb_access access;
};

struct tls {
        struct gb_transport base; /* first: the two are cast into each other */
        struct gb_transport *plain;
        SSL *ssl;
        const char *own_name; /* for messages; lives as long as the gb_tls */
        bool broken;          /* no more of it, not even a farewell */
};

/* ---- errors ---- */

/* What an alert of the peer says of us. */
static const char *alert_text(int reason)
{
        switch (reason - SSL_AD_REASON_OFFSET) {
        case SSL_AD_UNKNOWN_CA:
        case SSL_AD_BAD_CERTIFICATE:
        case SSL_AD_CERTIFICATE_UNKNOWN:
        case SSL_AD_UNSUPPORTED_CERTIFICATE:
        case SSL_AD_CERTIFICATE_REVOKED:
        case SSL_AD_ACCESS_DENIED:
                return "it is not in the lists there (see gbackup-cli tls setup, tls add-client)";
        case SSL_AD_CERTIFICATE_EXPIRED:
                return "it has expired, or the clocks differ";
        case SSL_AD_CERTIFICATE_REQUIRED:
                return "we sent none";
        default:
                return NULL;
        }
}

static int ssl_failed(struct tls *s, struct gb_error *err)
{
        const char *peer = s->base.peer;
        unsigned long why = ERR_peek_error();
        int reason = ERR_GET_LIB(why) == ERR_LIB_SSL ? ERR_GET_REASON(why) : 0;
        const char *alert = alert_text(reason);
        const char *text = ERR_reason_error_string(why);

        ERR_clear_error();
        if (alert)
                return gb_error_set(err, GB_ERR_DENIED, "%s refuses our certificate (%s): %s", peer,
                                    s->own_name, alert);
        if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
                long v = SSL_get_verify_result(s->ssl);
                bool date = v == X509_V_ERR_CERT_HAS_EXPIRED || v == X509_V_ERR_CERT_NOT_YET_VALID;

                return gb_error_set(err, GB_ERR_DENIED, "the certificate of %s is not accepted: %s", peer,
                                    date ? X509_verify_cert_error_string(v) : "it is not in our lists");
        }
        if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
                return gb_error_set(err, GB_ERR_DENIED, "%s sends no certificate", peer);
        if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
                errno = ECONNRESET;
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s cut the connection", peer);
        }
        return gb_error_set(err, GB_ERR_PROTOCOL, "TLS with %s: %s", peer, text ? text : "it broke");
}

/* ---- waiting ---- */

/* After an OpenSSL call returned `rc` <= 0.  1: again; 0: the peer's orderly end; -1. */
static int settle(struct tls *s, int rc, gb_deadline until, struct gb_error *err)
{
        int sys = errno;

        switch (SSL_get_error(s->ssl, rc)) {
        case SSL_ERROR_WANT_READ:
                return gb_transport_wait(s->base.rfd, POLLIN, s->base.cancel_fd, until, s->base.peer, err) < 0
                               ? -1
                               : 1;
        case SSL_ERROR_WANT_WRITE:
                return gb_transport_wait(s->base.wfd, POLLOUT, s->base.cancel_fd, until, s->base.peer, err) <
                                       0
                               ? -1
                               : 1;
        case SSL_ERROR_ZERO_RETURN:
                return 0;
        case SSL_ERROR_SYSCALL:
                s->broken = true;
                ERR_clear_error();
                errno = sys ? sys : ECONNRESET;
                return gb_error_sys(err, GB_ERR_SYSTEM, "connection to %s", s->base.peer);
        default:
                s->broken = true;
                return ssl_failed(s, err);
        }
}

/* Before each round but the first: a peer that keeps us busy does not keep us beyond the deadline. */
static int next_round(struct tls *s, gb_deadline until, struct gb_error *err)
{
        if (gb_transport_cancelled(&s->base))
                return gb_error_set(err, GB_ERR_CANCELLED, "interrupted while talking to %s", s->base.peer);
        if (gb_deadline_left(until) == 0)
                return gb_error_set(err, GB_ERR_TIMEOUT, "timed out waiting for %s", s->base.peer);
        ERR_clear_error();
        return 0;
}

/* ---- the stream ---- */

static ssize_t tls_recv(struct gb_transport *t, void *buf, size_t n, gb_deadline until, struct gb_error *err)
{
        struct tls *s = (struct tls *)t;

        if (gb_transport_cancelled(t))
                return gb_error_set(err, GB_ERR_CANCELLED, "interrupted while talking to %s", t->peer);
        ERR_clear_error();
        for (;;) {
                int got = SSL_read(s->ssl, buf, n > INT_MAX ? INT_MAX : (int)n);
                int rc;

                if (got > 0)
                        return got;
                rc = settle(s, got, until, err);
                if (rc <= 0)
                        return rc;
                if (next_round(s, until, err) < 0)
                        return -1;
        }
}

static int tls_send(struct gb_transport *t, const void *buf, size_t n, int stall_ms, struct gb_error *err)
{
        struct tls *s = (struct tls *)t;
        gb_deadline until = gb_deadline_in(stall_ms);
        const uint8_t *at = buf;

        while (n > 0) {
                int put;

                if (next_round(s, until, err) < 0)
                        return -1;
                put = SSL_write(s->ssl, at, n > INT_MAX ? INT_MAX : (int)n);
                if (put > 0) {
                        at += put;
                        n -= (size_t)put;
                        until = gb_deadline_in(stall_ms);
                        continue;
                }
                put = settle(s, put, until, err);
                if (put == 0) {
                        errno = ECONNRESET;
                        return gb_error_sys(err, GB_ERR_SYSTEM, "%s closed the connection", t->peer);
                }
                if (put < 0)
                        return -1;
        }
        return 0;
}

/* close_notify; nobody waits for theirs. */
static void tls_farewell(struct gb_transport *t)
{
        struct tls *s = (struct tls *)t;

        ERR_clear_error();
        if (!s->broken)
                SSL_shutdown(s->ssl);
        s->broken = true;
        ERR_clear_error();
}

static void tls_close(struct gb_transport *t)
{
        struct tls *s = (struct tls *)t;

        tls_farewell(t);
        SSL_free(s->ssl);
        s->plain->ops->close(s->plain);
        free(s->plain);
}

static const struct gb_transport_ops tls_ops = {
        .recv = tls_recv,
        .send = tls_send,
        .farewell = tls_farewell,
        .close = tls_close,
};

/* ---- handshake ---- */

static int handshake(struct tls *s, gb_deadline until, struct gb_error *err)
{
        for (;;) {
                int rc;

                if (next_round(s, until, err) < 0)
                        return -1;
                rc = SSL_do_handshake(s->ssl);
                if (rc == 1)
                        return 0;
                rc = settle(s, rc, until, err);
                if (rc == 0)
                        return gb_error_set(err, GB_ERR_PROTOCOL, "%s ended the handshake", s->base.peer);
                if (rc < 0)
                        return -1;
        }
}

static int check_session(struct tls *s, struct gb_error *err)
{
        const unsigned char *proto = NULL;
        unsigned len = 0;

        SSL_get0_alpn_selected(s->ssl, &proto, &len);
        if (len != sizeof(alpn) - 1 || memcmp(proto, alpn + 1, len) != 0)
                return gb_error_set(err, GB_ERR_PROTOCOL, "%s does not speak RPC inside TLS (ALPN)",
                                    s->base.peer);
        if (SSL_version(s->ssl) < TLS1_3_VERSION || SSL_get_verify_result(s->ssl) != X509_V_OK)
                return gb_error_set(err, GB_ERR_PROTOCOL, "TLS with %s is not what we asked for",
                                    s->base.peer);
        return 0;
}

/* Who is it?  The chain was verified; a certificate that stands in a list needs no issuer. */
static int identify(const struct gb_tls *tls, struct tls *s, struct gb_tls_peer *peer, struct gb_error *err)
{
        X509 *x = SSL_get0_peer_certificate(s->ssl);

        if (!x)
                return gb_error_set(err, GB_ERR_DENIED, "%s sends no certificate", s->base.peer);
        if (gb_cert_describe(x, &peer->cert, err) < 0)
                return -1;
        peer->listed = gb_certs_find(&tls->peers, peer->cert.fingerprint) != NULL;
        peer->issued = !peer->listed && !gb_certs_find(&tls->clients, peer->cert.fingerprint);
        return 0;
}

static void drop(struct tls *s)
{
        ERR_clear_error();
        SSL_free(s->ssl);
        free(s);
}

static struct tls *wrap(const struct gb_tls *tls, struct gb_transport *plain, struct gb_error *err)
{
        struct tls *s = calloc(1, sizeof(*s));
        SSL *ssl = SSL_new(tls->ctx);

        if (!s || !ssl || SSL_set_fd(ssl, plain->rfd) != 1) {
                ERR_clear_error();
                SSL_free(ssl);
                free(s);
                gb_error_set(err, GB_ERR_MEMORY, "out of memory for the connection to %s", plain->peer);
                return NULL;
        }
        s->base = *plain;
        s->base.ops = &tls_ops;
        s->plain = plain;
        s->ssl = ssl;
        s->own_name = tls->own.name;
        return s;
}

static int upgrade(const struct gb_tls *tls, struct gb_transport **t, bool server, gb_deadline until,
                   struct gb_tls_peer *peer, struct gb_error *err)
{
        struct tls *s = wrap(tls, *t, err);

        memset(peer, 0, sizeof(*peer));
        if (!s)
                return -1;
        if (server)
                SSL_set_accept_state(s->ssl);
        else
                SSL_set_connect_state(s->ssl);
        if (handshake(s, until, err) < 0 || check_session(s, err) < 0 || identify(tls, s, peer, err) < 0) {
                gb_tls_peer_fini(peer);
                drop(s);
                return -1;
        }
        s->plain->child = 0; /* the outer one's to reap */
        *t = &s->base;
        return 0;
}

int gb_tls_accept(const struct gb_tls *tls, struct gb_transport **t, gb_deadline until,
                  struct gb_tls_peer *peer, struct gb_error *err)
{
        return upgrade(tls, t, true, until, peer, err);
}

int gb_tls_connect(const struct gb_tls *tls, struct gb_transport **t, gb_deadline until,
                   struct gb_tls_peer *peer, struct gb_error *err)
{
        memset(peer, 0, sizeof(*peer));
        if (gb_starttls(*t, until, err) < 0)
                return -1;
        return upgrade(tls, t, false, until, peer, err);
}

void gb_tls_peer_fini(struct gb_tls_peer *p)
{
        gb_cert_fini(&p->cert);
        p->listed = p->issued = false;
}

/* ---- loading ---- */

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in,
                       unsigned inlen, void *arg)
{
        unsigned char *chosen = NULL;

        (void)ssl;
        (void)arg;
        if (SSL_select_next_proto(&chosen, len, alpn, sizeof(alpn), in, inlen) != OPENSSL_NPN_NEGOTIATED)
                return SSL_TLSEXT_ERR_ALERT_FATAL;
        *out = chosen;
        return SSL_TLSEXT_ERR_OK;
}

static char *file_in(const char *dir, const char *name, struct gb_error *err)
{
        char *path;

        if (asprintf(&path, "%s/%s", dir, name) >= 0)
                return path;
        gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        return NULL;
}

static int trust(const struct gb_tls *tls, const struct gb_certs *list, struct gb_error *err)
{
        X509_STORE *store = SSL_CTX_get_cert_store(tls->ctx);

        for (size_t i = 0; i < list->list.n; i++)
                if (X509_STORE_add_cert(store, list->list.v[i].x509) != 1)
                        return gb_error_set(err, GB_ERR_MEMORY, "out of memory for certificates");
        return 0;
}

/* Verify each other, however the certificates are marked: GlusterFS uses one for both roles.  A list
 * may hold the very certificate, without its issuer (PARTIAL_CHAIN). */
static int set_rules(const struct gb_tls *tls, enum gb_tls_side side, struct gb_error *err)
{
        X509_VERIFY_PARAM *param = SSL_CTX_get0_param(tls->ctx);

        SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_clear_mode(tls->ctx, SSL_MODE_AUTO_RETRY);
        SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(tls->ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
        SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        SSL_CTX_set_verify_depth(tls->ctx, CHAIN_MAX);
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
        if (side == GB_TLS_SERVER)
                SSL_CTX_set_alpn_select_cb(tls->ctx, select_alpn, NULL);
        if (SSL_CTX_set_min_proto_version(tls->ctx, TLS1_3_VERSION) != 1 ||
            SSL_CTX_set_num_tickets(tls->ctx, 0) != 1 ||
            X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY) != 1 ||
            SSL_CTX_set_alpn_protos(tls->ctx, alpn, sizeof(alpn)) != 0)
                return gb_error_set(err, GB_ERR_SYSTEM, "OpenSSL does not do TLS 1.3 as we need it");
        return 0;
}

/* Our key and certificate, with the rest of its chain. */
static int load_own(struct gb_tls *tls, const char *dir, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *key_file = file_in(dir, "node.key", err);
        GB_CLEANUP_FREE
        char *cert_file = file_in(dir, "node.pem", err);
        struct gb_certs chain = {0};
        EVP_PKEY *key = NULL;
        int rc = -1;

        if (!key_file || !cert_file || gb_certs_load(&chain, cert_file, true, err) < 0)
                goto out;
        key = gb_key_load(key_file, err);
        if (!key)
                goto out;
        if (SSL_CTX_use_certificate(tls->ctx, chain.list.v[0].x509) != 1 ||
            SSL_CTX_use_PrivateKey(tls->ctx, key) != 1 || SSL_CTX_check_private_key(tls->ctx) != 1) {
                gb_error_set(err, GB_ERR_CONFIG, "%s does not belong to %s", key_file, cert_file);
                goto out;
        }
        for (size_t i = 1; i < chain.list.n; i++)
                if (SSL_CTX_add1_chain_cert(tls->ctx, chain.list.v[i].x509) != 1) {
                        gb_error_set(err, GB_ERR_CONFIG, "%s: certificate %zu cannot be used", cert_file,
                                     i + 1);
                        goto out;
                }
        rc = gb_cert_describe(chain.list.v[0].x509, &tls->own, err);
out:
        EVP_PKEY_free(key);
        gb_certs_fini(&chain);
        ERR_clear_error();
        return rc;
}

static int load_lists(struct gb_tls *tls, const char *dir, enum gb_tls_side side, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *peers = file_in(dir, "peers.pem", err);
        GB_CLEANUP_FREE
        char *clients = file_in(dir, "clients.pem", err);
        GB_CLEANUP_FREE
        char *access = file_in(dir, "clients.conf", err);

        if (!peers || !clients || !access || gb_certs_load(&tls->peers, peers, true, err) < 0)
                return -1;
        if (side == GB_TLS_SERVER && gb_certs_load(&tls->clients, clients, false, err) < 0)
                return -1;
        if (gb_access_load(&tls->access, access, err) < 0)
                return -1;
        return trust(tls, &tls->peers, err) < 0 || trust(tls, &tls->clients, err) < 0 ? -1 : 0;
}

struct gb_tls *gb_tls_load(const char *dir, enum gb_tls_side side, struct gb_error *err)
{
        struct gb_tls *tls = calloc(1, sizeof(*tls));

        if (tls)
                tls->ctx = SSL_CTX_new(TLS_method());
        if (!tls || !tls->ctx) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory for TLS");
                gb_tls_free(tls);
                return NULL;
        }
        if (set_rules(tls, side, err) < 0 || load_own(tls, dir, err) < 0 ||
            load_lists(tls, dir, side, err) < 0) {
                gb_tls_free(tls);
                return NULL;
        }
        return tls;
}

void gb_tls_free(struct gb_tls *tls)
{
        if (!tls)
                return;
        SSL_CTX_free(tls->ctx);
        gb_cert_fini(&tls->own);
        gb_certs_fini(&tls->peers);
        gb_certs_fini(&tls->clients);
        gb_access_fini(&tls->access);
        free(tls);
}

const struct gb_access *gb_tls_access(const struct gb_tls *tls)
{
        return &tls->access;
}

const struct gb_cert *gb_tls_own(const struct gb_tls *tls)
{
        return &tls->own;
}
