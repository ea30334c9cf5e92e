/*
 * certs - certificates: what one says, lists of them in PEM files, and making our own.
 *
 * A node of a pool is known by glusterd's uuid, which stands in its certificate as the one URI
 * `urn:uuid:...` of the subject alternative names.  Host names mean nothing here.
 */
#ifndef GB_CERTS_H
#define GB_CERTS_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/gfid.h"
#include "base/vec.h"

#define GB_FINGERPRINT 65 /* SHA-256 of the certificate in hexadecimal digits, with NUL */
/* How long a certificate of ours is valid, and how long before its end people are told. */
#define GB_CERT_DAYS      1825
#define GB_CERT_WARN_DAYS 30

struct gb_cert {
        X509 *x509; /* owned */
        char fingerprint[GB_FINGERPRINT];
        char name[GB_HOST_MAX + 1]; /* common name, "" if there is none or it is not printable */
        bool has_uuid;
        gb_gfid uuid;
        int64_t not_before, not_after; /* unix seconds */
};

struct gb_certs {
        GB_VEC(struct gb_cert) list;
};

/* Describe a certificate; takes a reference of its own. */
int gb_cert_describe(X509 *x, struct gb_cert *out, struct gb_error *err);
void gb_cert_fini(struct gb_cert *c);

/* Append the certificates of a PEM text; what stands between them is ignored.  `what` is for messages. */
int gb_certs_parse(struct gb_certs *c, const void *pem, size_t len, const char *what, struct gb_error *err);
/* The same from a file.  Missing and not `must_exist`: nothing is appended. */
int gb_certs_load(struct gb_certs *c, const char *path, bool must_exist, struct gb_error *err);
/* Append one of DER. */
int gb_certs_add_der(struct gb_certs *c, const void *der, size_t len, const char *what, struct gb_error *err);
/* PEM text of all, each under a comment line with its name and fingerprint. */
int gb_certs_format(const struct gb_certs *c, struct gb_buf *out, struct gb_error *err);
const struct gb_cert *gb_certs_find(const struct gb_certs *c, const char *fingerprint);
void gb_certs_fini(struct gb_certs *c);

/* Make a P-256 key and a self-signed certificate of it in two files, the key with mode 0600.  With
 * `uuid`: of a node; without: of a client.  Files of these names are replaced. */
int gb_cert_make(const char *key_file, const char *cert_file, const char *name, const gb_gfid *uuid,
                 struct gb_error *err);
/* Do the two belong together?  1, 0, -1. */
int gb_cert_fits(const char *key_file, const char *cert_file, struct gb_error *err);

/* A private key from a file that nobody else may read. */
EVP_PKEY *gb_key_load(const char *path, struct gb_error *err);

/* SHA-256 in hexadecimal digits. */
int gb_sha256(const void *bytes, size_t n, char out[GB_FINGERPRINT], struct gb_error *err);

#endif
