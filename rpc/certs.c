/*
 * certs - see certs.h.
 *
 * Our own certificates are no authorities: basicConstraints CA:FALSE, or every node's key could issue
 * certificates in the name of any other node.  They are trusted one by one, by being in a list.
 */
#include <config.h>

#include <fcntl.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "certs.h"

#define DAY 86400L
#define URN "urn:uuid:"

static void free_bio(BIO **b)
{
        BIO_free(*b);
}
static void free_pkey(EVP_PKEY **k)
{
        EVP_PKEY_free(*k);
}
static void free_x509(X509 **x)
{
        X509_free(*x);
}
#define CLEANUP_BIO  __attribute__((cleanup(free_bio)))
#define CLEANUP_PKEY __attribute__((cleanup(free_pkey)))
#define CLEANUP_X509 __attribute__((cleanup(free_x509)))

/* The reason of OpenSSL's last error, behind our words. */
static int crypto_failed(struct gb_error *err, const char *what, const char *name)
{
        const char *why = ERR_reason_error_string(ERR_peek_last_error());

        ERR_clear_error();
        return gb_error_set(err, GB_ERR_CONFIG, "%s: %s%s%s", name, what, why ? ": " : "", why ? why : "");
}

static void hex(const unsigned char *bytes, size_t n, char *out)
{
        for (size_t i = 0; i < n; i++)
                sprintf(out + 2 * i, "%02x", bytes[i]);
}

int gb_sha256(const void *bytes, size_t n, char out[GB_FINGERPRINT], struct gb_error *err)
{
        unsigned char md[32];

        if (EVP_Digest(bytes, n, md, NULL, EVP_sha256(), NULL) != 1)
                return crypto_failed(err, "cannot make a digest", "SHA-256");
        hex(md, sizeof(md), out);
        return 0;
}

/* ---- describing ---- */

static void take_name(const X509 *x, struct gb_cert *out)
{
        const X509_NAME *subject = X509_get_subject_name(x);
        int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
        const ASN1_STRING *s = at < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
        int n = s ? ASN1_STRING_length(s) : 0;
        const unsigned char *text = s ? ASN1_STRING_get0_data(s) : NULL;

        out->name[0] = '\0';
        /* Two common names, or a NUL inside one, are how one name is made to look like another. */
        if (n < 1 || n > GB_HOST_MAX || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
                return;
        for (int i = 0; i < n; i++)
                if (text[i] <= 0x20 || text[i] >= 0x7f)
                        return;
        memcpy(out->name, text, (size_t)n);
        out->name[n] = '\0';
}

/* Exactly one, or none counts. */
static void take_uuid(const X509 *x, struct gb_cert *out)
{
        GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
        int found = 0;

        for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
                const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
                const ASN1_IA5STRING *uri = one->type == GEN_URI ? one->d.uniformResourceIdentifier : NULL;
                const char *text = uri ? (const char *)ASN1_STRING_get0_data(uri) : NULL;
                int n = uri ? ASN1_STRING_length(uri) : 0;

                if (n > (int)strlen(URN) && !memcmp(text, URN, strlen(URN)) &&
                    gb_gfid_parse(text + strlen(URN), (size_t)n - strlen(URN), &out->uuid))
                        found++;
        }
        GENERAL_NAMES_free(names);
        out->has_uuid = found == 1;
}

static int64_t seconds_of(const ASN1_TIME *t)
{
        struct tm tm;

        return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

int gb_cert_describe(X509 *x, struct gb_cert *out, struct gb_error *err)
{
        unsigned char md[32];

        memset(out, 0, sizeof(*out));
        if (X509_digest(x, EVP_sha256(), md, NULL) != 1)
                return crypto_failed(err, "cannot make a digest", "certificate");
        hex(md, sizeof(md), out->fingerprint);
        take_name(x, out);
        take_uuid(x, out);
        out->not_before = seconds_of(X509_get0_notBefore(x));
        out->not_after = seconds_of(X509_get0_notAfter(x));
        X509_up_ref(x);
        out->x509 = x;
        return 0;
}

void gb_cert_fini(struct gb_cert *c)
{
        X509_free(c->x509);
        memset(c, 0, sizeof(*c));
}

/* ---- lists ---- */

static int append(struct gb_certs *c, X509 *x, const char *what, struct gb_error *err)
{
        struct gb_cert one;

        if (c->list.n >= GB_CERTS_MAX)
                return gb_error_set(err, GB_ERR_LIMIT, "%s: more than %d certificates", what, GB_CERTS_MAX);
        if (gb_cert_describe(x, &one, err) < 0)
                return -1;
        if (gb_certs_find(c, one.fingerprint)) {
                gb_cert_fini(&one);
                return 0;
        }
        if (gb_vec_push(&c->list, one) < 0) {
                gb_cert_fini(&one);
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", what);
        }
        return 0;
}

int gb_certs_parse(struct gb_certs *c, const void *pem, size_t len, const char *what, struct gb_error *err)
{
        CLEANUP_BIO BIO *in = BIO_new_mem_buf(pem, len > INT_MAX ? INT_MAX : (int)len);

        if (!in)
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory", what);
        for (unsigned n = 1;; n++) {
                CLEANUP_X509 X509 *x = PEM_read_bio_X509(in, NULL, NULL, (void *)(uintptr_t) "");

                if (!x) {
                        unsigned long why = ERR_peek_last_error();
                        char text[40];

                        if (ERR_GET_LIB(why) == ERR_LIB_PEM && ERR_GET_REASON(why) == PEM_R_NO_START_LINE) {
                                ERR_clear_error();
                                return 0;
                        }
                        snprintf(text, sizeof(text), "certificate %u cannot be read", n);
                        return crypto_failed(err, text, what);
                }
                if (append(c, x, what, err) < 0)
                        return -1;
        }
}

int gb_certs_load(struct gb_certs *c, const char *path, bool must_exist, struct gb_error *err)
{
        GB_CLEANUP_BUF struct gb_buf text = GB_BUF_INIT(GB_TRUST_MAX + 1);
        int rc;

        rc = gb_file_read(path, GB_TRUST_MAX, &text, err);
        if (rc > 0)
                return must_exist ? -1 : 0;
        if (rc < 0 || gb_certs_parse(c, text.data, text.len, path, err) < 0)
                return -1;
        if (must_exist && !c->list.n)
                return gb_error_set(err, GB_ERR_CONFIG, "%s: there is no certificate in it", path);
        return 0;
}

int gb_certs_add_der(struct gb_certs *c, const void *der, size_t len, const char *what, struct gb_error *err)
{
        const unsigned char *at = der, *end = at + len;
        CLEANUP_X509 X509 *x = d2i_X509(NULL, &at, (long)len);

        if (!x || at != end)
                return crypto_failed(err, "is no certificate", what);
        return append(c, x, what, err);
}

int gb_certs_format(const struct gb_certs *c, struct gb_buf *out, struct gb_error *err)
{
        CLEANUP_BIO BIO *text = BIO_new(BIO_s_mem());
        char *bytes;
        long n;

        if (!text)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        for (size_t i = 0; i < c->list.n; i++)
                if (BIO_printf(text, "# %s SHA256:%s\n", c->list.v[i].name, c->list.v[i].fingerprint) < 0 ||
                    PEM_write_bio_X509(text, c->list.v[i].x509) != 1)
                        return crypto_failed(err, "cannot be written", "certificate");
        n = BIO_get_mem_data(text, &bytes);
        if (n > 0 && gb_buf_put(out, bytes, (size_t)n) < 0)
                return gb_error_set(err, GB_ERR_LIMIT, "certificates take more than %d bytes", GB_TRUST_MAX);
        return 0;
}

const struct gb_cert *gb_certs_find(const struct gb_certs *c, const char *fingerprint)
{
        for (size_t i = 0; i < c->list.n; i++)
                if (!strcmp(c->list.v[i].fingerprint, fingerprint))
                        return &c->list.v[i];
        return NULL;
}

void gb_certs_fini(struct gb_certs *c)
{
        for (size_t i = 0; i < c->list.n; i++)
                gb_cert_fini(&c->list.v[i]);
        gb_vec_free(&c->list);
}

/* ---- keys ---- */

EVP_PKEY *gb_key_load(const char *path, struct gb_error *err)
{
        GB_CLEANUP_BUF struct gb_buf text = GB_BUF_INIT(GB_TRUST_MAX + 1);
        CLEANUP_BIO BIO *in = NULL;
        EVP_PKEY *key;
        struct stat st;

        if (gb_file_read(path, GB_TRUST_MAX, &text, err) != 0)
                return NULL;
        if (stat(path, &st) < 0) {
                gb_error_sys(err, GB_ERR_CONFIG, "%s", path);
                return NULL;
        }
        if (st.st_mode & 077) {
                gb_error_set(err, GB_ERR_CONFIG, "%s: others may read this private key: chmod 600 it", path);
                explicit_bzero(text.data, text.cap);
                return NULL;
        }
        in = BIO_new_mem_buf(text.data, (int)text.len);
        key = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, (void *)(uintptr_t) "") : NULL;
        explicit_bzero(text.data, text.cap);
        if (!key)
                crypto_failed(err, "is no private key in PEM form without a passphrase", path);
        return key;
}

int gb_cert_fits(const char *key_file, const char *cert_file, struct gb_error *err)
{
        CLEANUP_PKEY EVP_PKEY *key = gb_key_load(key_file, err);
        struct gb_certs certs = {0};
        int rc = -1;

        if (key && gb_certs_load(&certs, cert_file, true, err) == 0)
                rc = X509_check_private_key(certs.list.v[0].x509, key) == 1;
        ERR_clear_error();
        gb_certs_fini(&certs);
        return rc;
}

static bool add_extension(X509 *x, int nid, const char *value)
{
        X509V3_CTX ctx;
        X509_EXTENSION *ext;
        bool ok;

        X509V3_set_ctx_nodb(&ctx);
        X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
        ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
        ok = ext && X509_add_ext(x, ext, -1) == 1;
        X509_EXTENSION_free(ext);
        return ok;
}

static bool set_serial(X509 *x)
{
        unsigned char random[16];
        BIGNUM *n = NULL;
        bool ok;

        if (RAND_bytes(random, sizeof(random)) != 1)
                return false;
        random[0] &= 0x7f; /* positive */
        n = BN_bin2bn(random, sizeof(random), NULL);
        ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
        BN_free(n);
        return ok;
}

static bool fill(X509 *x, EVP_PKEY *key, const char *name, const gb_gfid *uuid)
{
        X509_NAME *subject = X509_get_subject_name(x);
        char san[sizeof("URI:" URN) + GB_GFID_TEXT], text[GB_GFID_TEXT];

        if (X509_set_version(x, X509_VERSION_3) != 1 || !set_serial(x) ||
            !X509_gmtime_adj(X509_getm_notBefore(x), -DAY) || /* clocks differ */
            !X509_gmtime_adj(X509_getm_notAfter(x), GB_CERT_DAYS * DAY) || X509_set_pubkey(x, key) != 1 ||
            X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"gbackup", -1, -1,
                                       0) != 1 ||
            X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) !=
                    1 ||
            X509_set_issuer_name(x, subject) != 1)
                return false;
        if (!add_extension(x, NID_basic_constraints, "critical,CA:FALSE") ||
            !add_extension(x, NID_key_usage, "critical,digitalSignature") ||
            !add_extension(x, NID_ext_key_usage, uuid ? "serverAuth,clientAuth" : "clientAuth"))
                return false;
        if (uuid) {
                snprintf(san, sizeof(san), "URI:" URN "%s", gb_gfid_format(uuid, text));
                if (!add_extension(x, NID_subject_alt_name, san))
                        return false;
        }
        return X509_sign(x, key, EVP_sha256()) > 0;
}

static int write_pem(const char *path, BIO *pem, unsigned mode, struct gb_error *err)
{
        char *bytes;
        long n = BIO_get_mem_data(pem, &bytes);

        return gb_file_write(path, bytes, (size_t)n, mode, err);
}

int gb_cert_make(const char *key_file, const char *cert_file, const char *name, const gb_gfid *uuid,
                 struct gb_error *err)
{
        CLEANUP_PKEY EVP_PKEY *key = EVP_EC_gen("P-256");
        CLEANUP_X509 X509 *x = X509_new();
        CLEANUP_BIO BIO *key_pem = BIO_new(BIO_s_secmem());
        CLEANUP_BIO BIO *cert_pem = BIO_new(BIO_s_mem());

        if (!key || !x || !key_pem || !cert_pem || !fill(x, key, name, uuid) ||
            PEM_write_bio_PKCS8PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) != 1 ||
            PEM_write_bio_X509(cert_pem, x) != 1)
                return crypto_failed(err, "cannot make a key and its certificate", name);
        if (write_pem(key_file, key_pem, 0600, err) < 0 || write_pem(cert_file, cert_pem, 0644, err) < 0)
                return -1;
        return 0;
}
