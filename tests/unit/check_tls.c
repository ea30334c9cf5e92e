/* links: rpc base tirpc ssl */
/*
 * TLS: both ends in two threads over a socket pair, then one of our ends against a bare OpenSSL one that
 * does what it should not.
 */
#include <config.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "fixture.h"
#include "client.h"
#include "record.h"
#include "tls.h"

#include "../lib/fake_agent.h"

static const gb_gfid uuid_a = {{0xaa, 1, 2, 3}}, uuid_b = {{0xbb, 1, 2, 3}};

static char *root; /* a/ and b/ are nodes that trust each other, c/ a client, s/ a stranger */
static struct gb_error err;

/* ---- folders ---- */

static char *in(const char *dir, const char *file)
{
        static char path[4][256];
        static unsigned at;

        snprintf(path[++at % 4], sizeof(path[0]), "%s/%s/%s", root, dir, file);
        return path[at % 4];
}

static void make(const char *dir, const gb_gfid *uuid)
{
        fixture_mkdir(root, dir);
        ck_assert_msg(gb_cert_make(in(dir, "node.key"), in(dir, "node.pem"), dir, uuid, &err) == 0, "%s",
                      err.text);
}

static void copy(const char *from, const char *to, const char *mode)
{
        FILE *r = fopen(from, "r"), *w = fopen(to, mode);
        int c;

        ck_assert(r && w);
        while ((c = getc(r)) != EOF)
                putc(c, w);
        fclose(r);
        fclose(w);
}

static void trust(const char *dir, const char *list, const char *whom)
{
        copy(in(whom, "node.pem"), in(dir, list), "a");
}

static void setup(void)
{
        signal(SIGPIPE, SIG_IGN);
        root = fixture_folder();
        make("a", &uuid_a);
        make("b", &uuid_b);
        make("c", NULL);
        make("s", &uuid_b);
        for (int i = 0; i < 4; i++) {
                const char *dir = (const char *[]){"a", "b", "c", "s"}[i];

                trust(dir, "peers.pem", "a");
                trust(dir, "peers.pem", "b");
        }
        trust("a", "clients.pem", "c");
}

static void teardown(void)
{
        fixture_remove(root);
}

/* ---- two ends ---- */

struct end {
        struct gb_tls *tls;
        struct gb_transport *t;
        struct gb_tls_peer peer;
        struct gb_error err;
        int rc;
        void (*then)(struct end *e);
        bool server;
};

static void *run_end(void *arg)
{
        struct end *e = arg;

        e->rc = e->server ? gb_tls_accept(e->tls, &e->t, gb_deadline_in(5000), &e->peer, &e->err)
                          : gb_tls_connect(e->tls, &e->t, gb_deadline_in(5000), &e->peer, &e->err);
        if (e->rc == 0 && e->then)
                e->then(e);
        if (e->rc < 0 && e->server)
                gb_transport_linger(e->t, 1000);
        gb_transport_close(e->t);
        return NULL;
}

/* The agent's end as the server module drives it. */
struct served {
        struct fake_agent agent; /* first: the handlers know only this */
        struct end *end;
};
static int start_end(struct gb_server *s, struct gb_error *e)
{
        struct end *end = ((struct served *)s->context)->end;

        end->rc = gb_tls_accept(end->tls, &s->transport, gb_deadline_in(5000), &end->peer, e);
        if (end->rc < 0)
                gb_transport_linger(s->transport, 1000);
        end->t = s->transport;
        return end->rc;
}

static bool offer(struct gb_server *s)
{
        (void)s;
        return true;
}

static void *run_server(void *arg)
{
        struct end *e = arg;
        struct served served = {.end = e};
        struct gb_server s = fake_server(e->t, &served.agent);

        s.request_max = GB_PREAUTH_MAX;
        s.need_tls = true;
        s.offer_tls = offer;
        s.start_tls = start_end;
        e->rc = gb_server_run(&s, &e->err);
        gb_transport_close(s.transport);
        return NULL;
}

static void end_init(struct end *e, const char *dir, bool server, int fd)
{
        memset(e, 0, sizeof(*e));
        e->server = server;
        e->tls = dir ? gb_tls_load(in("", dir), server ? GB_TLS_SERVER : GB_TLS_CLIENT, &e->err) : NULL;
        ck_assert_msg(!dir || e->tls, "%s", e->err.text);
        e->t = gb_transport_plain(fd, fd, -1, server ? "the client" : "the agent", &e->err);
}

static void end_fini(struct end *e)
{
        gb_tls_peer_fini(&e->peer);
        gb_tls_free(e->tls);
}

static struct end agent_end, client_end;

static int ask(struct gb_client *c)
{
        gbx_sessions_res list;
        int rc = gb_call_session_list(c, &list, &err);

        gb_xdr_release((xdrproc_t)xdr_gbx_sessions_res, &list);
        return rc;
}

/* An agent of folder `agent` under the real server, a client of folder `client` that says HELLO. */
static struct gb_client *talk(const char *agent, const char *client)
{
        struct gb_client *c = NULL;
        pthread_t thread;
        int sv[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
        end_init(&agent_end, agent, true, sv[0]);
        end_init(&client_end, client, false, sv[1]);
        pthread_create(&thread, NULL, run_server, &agent_end);
        if (gb_tls_connect(client_end.tls, &client_end.t, gb_deadline_in(5000), &client_end.peer, &err) == 0)
                c = gb_client_new(client_end.t, &err);
        else
                gb_transport_close(client_end.t);
        if (c)
                ck_assert_int_eq(ask(c), 0);
        gb_client_free(c);
        pthread_join(thread, NULL);
        end_fini(&agent_end);
        end_fini(&client_end);
        return c;
}

START_TEST(two_nodes_talk)
{
        ck_assert_msg(talk("a", "b") != NULL, "%s", err.text);
        ck_assert_int_eq(agent_end.rc, 0);
}
END_TEST

START_TEST(client_of_clients_pem_talks)
{
        ck_assert_msg(talk("a", "c") != NULL, "%s", err.text);
}
END_TEST

/* TLS 1.3 lets a client finish before it is judged: HELLO brings the judgement, in words. */
START_TEST(client_in_no_list_is_told_why)
{
        ck_assert_ptr_null(talk("b", "c"));
        ck_assert_int_eq(err.code, GB_ERR_DENIED);
        ck_assert_msg(strstr(err.text, "refuses our certificate (c): it is not in the lists there"), "%s",
                      err.text);
        ck_assert_int_eq(agent_end.rc, -1);
}
END_TEST

START_TEST(foreign_certificate_of_a_known_uuid_is_refused)
{
        ck_assert_ptr_null(talk("a", "s"));
        ck_assert_int_eq(err.code, GB_ERR_DENIED);
}
END_TEST

START_TEST(agent_in_no_list_is_refused)
{
        ck_assert_ptr_null(talk("s", "b"));
        ck_assert_int_eq(err.code, GB_ERR_DENIED);
        ck_assert_msg(strstr(err.text, "the certificate of the agent is not accepted"), "%s", err.text);
}
END_TEST

static struct gb_tls_peer seen;
static void keep_peer(struct end *e)
{
        seen = e->peer;
}

/* Without the RPC question: accept and connect as raw handshakes, both with `then`. */
static void *run_starttls(void *arg)
{
        struct end *e = arg;
        char reply[] = "\x80\x00\x00\x20"
                       "gbtp\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\x08STARTTLS\0\0\0\0";
        struct gb_buf rec;

        gb_buf_init(&rec, GB_PREAUTH_MAX);
        if (gb_record_recv(e->t, &rec, GB_PREAUTH_MAX, gb_deadline_in(5000), &e->err) == 1)
                e->t->ops->send(e->t, reply, 36, 5000, &e->err);
        gb_buf_fini(&rec);
        return run_end(e);
}

static void pair(const char *agent, void (*agent_then)(struct end *), const char *client,
                 void (*client_then)(struct end *))
{
        pthread_t thread;
        int sv[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
        end_init(&agent_end, agent, true, sv[0]);
        end_init(&client_end, client, false, sv[1]);
        agent_end.then = agent_then;
        client_end.then = client_then;
        pthread_create(&thread, NULL, run_starttls, &agent_end);
        run_end(&client_end);
        pthread_join(thread, NULL);
}

static void pair_fini(void)
{
        end_fini(&agent_end);
        end_fini(&client_end);
}

START_TEST(each_end_knows_whom_it_talks_to)
{
        pair("a", keep_peer, "b", NULL);
        ck_assert_msg(agent_end.rc == 0 && client_end.rc == 0, "%s %s", agent_end.err.text,
                      client_end.err.text);
        ck_assert(seen.listed && !seen.issued && seen.cert.has_uuid);
        ck_assert(gb_gfid_eq(&seen.cert.uuid, &uuid_b));
        ck_assert(gb_gfid_eq(&client_end.peer.cert.uuid, &uuid_a));
        pair_fini();
        pair("a", keep_peer, "c", NULL);
        ck_assert(!seen.listed && !seen.issued && !seen.cert.has_uuid);
        ck_assert_str_eq(seen.cert.name, "c");
        pair_fini();
}
END_TEST

#define BIG (3 * 1024 * 1024 + 17)
static unsigned char pattern(size_t i)
{
        return (unsigned char)(i * 7 + i / 251);
}
static void send_big(struct end *e)
{
        unsigned char *buf = malloc(BIG);

        for (size_t i = 0; i < BIG; i++)
                buf[i] = pattern(i);
        e->rc = e->t->ops->send(e->t, buf, BIG, 5000, &e->err);
        free(buf);
}
static void recv_big(struct end *e)
{
        unsigned char *buf = malloc(BIG);
        bool eof = false;

        e->rc = gb_transport_recv_all(e->t, buf, BIG, gb_deadline_in(10000), NULL, &e->err);
        for (size_t i = 0; e->rc == 0 && i < BIG; i++)
                if (buf[i] != pattern(i))
                        e->rc = -2;
        /* A farewell is an orderly end. */
        if (e->rc == 0 &&
            (gb_transport_recv_all(e->t, buf, 1, gb_deadline_in(5000), &eof, &e->err) == 0 || !eof))
                e->rc = -3;
        free(buf);
}

START_TEST(megabytes_pass_both_ways_and_the_end_is_orderly)
{
        pair("a", send_big, "b", recv_big);
        ck_assert_msg(client_end.rc == 0, "%d %s", client_end.rc, client_end.err.text);
        pair_fini();
        pair("a", recv_big, "b", send_big);
        ck_assert_msg(agent_end.rc == 0, "%d %s", agent_end.rc, agent_end.err.text);
        pair_fini();
}
END_TEST

static void cut(struct end *e)
{
        shutdown(e->t->rfd, SHUT_RDWR);
}
static void recv_one(struct end *e)
{
        char byte;
        ssize_t n = e->t->ops->recv(e->t, &byte, 1, gb_deadline_in(5000), &e->err);

        e->rc = (int)n;
}

/* A list that is cut must not look like a short one. */
START_TEST(end_without_farewell_is_an_error)
{
        pair("a", cut, "b", recv_one);
        ck_assert_int_eq(client_end.rc, -1);
        ck_assert_int_eq(client_end.err.code, GB_ERR_SYSTEM);
        ck_assert_int_eq(client_end.err.sys, ECONNRESET);
        pair_fini();
}
END_TEST

static void recv_cancelled(struct end *e)
{
        int fd = eventfd(1, EFD_CLOEXEC);
        int64_t before = gb_now_ms();
        char byte;

        e->t->cancel_fd = fd;
        e->rc = (int)e->t->ops->recv(e->t, &byte, 1, gb_deadline_in(5000), &e->err);
        ck_assert_int_lt(gb_now_ms() - before, 2000);
        close(fd);
}
static void recv_late(struct end *e)
{
        char byte;

        e->rc = (int)e->t->ops->recv(e->t, &byte, 1, gb_deadline_in(200), &e->err);
}
static void wait_for_end(struct end *e)
{
        char byte;

        e->t->ops->recv(e->t, &byte, 1, gb_deadline_in(5000), &e->err);
}

START_TEST(waiting_ends_by_cancel_and_by_deadline)
{
        pair("a", wait_for_end, "b", recv_cancelled);
        ck_assert_int_eq(client_end.err.code, GB_ERR_CANCELLED);
        pair_fini();
        pair("a", wait_for_end, "b", recv_late);
        ck_assert_int_eq(client_end.err.code, GB_ERR_TIMEOUT);
        pair_fini();
}
END_TEST

static void stuff(struct end *e)
{
        static unsigned char buf[1024 * 1024];

        for (int i = 0; i < 64 && e->rc == 0; i++)
                e->rc = e->t->ops->send(e->t, buf, sizeof(buf), 300, &e->err);
}
static void nap(struct end *e)
{
        (void)e;
        poll(NULL, 0, 2000);
}

START_TEST(peer_that_does_not_read_ends_the_write)
{
        pair("a", stuff, "b", nap);
        ck_assert_int_eq(agent_end.rc, -1);
        ck_assert_int_eq(agent_end.err.code, GB_ERR_TIMEOUT);
        pair_fini();
}
END_TEST

START_TEST(silent_peer_ends_the_handshake_at_its_deadline)
{
        int sv[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
        end_init(&agent_end, "a", true, sv[0]);
        ck_assert_int_eq(
                gb_tls_accept(agent_end.tls, &agent_end.t, gb_deadline_in(200), &agent_end.peer, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_TIMEOUT);
        gb_transport_close(agent_end.t);
        end_fini(&agent_end);
        close(sv[1]);
}
END_TEST

/* ---- a bare client that does what it should not ---- */

enum { NO_CERT = 1, TLS12 = 2, NO_ALPN = 4, OTHER_ALPN = 8 };

static void *run_bare(void *arg)
{
        run_end(arg);
        return NULL;
}

/* What the agent says of a client of folder `dir` with these faults; the client's error in `text`. */
static int bare(const char *dir, int faults, char *text, size_t size)
{
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        pthread_t thread;
        SSL *ssl;
        int sv[2], rc;
        char byte;

        if (!(faults & NO_CERT)) {
                ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(ctx, in(dir, "node.pem")), 1);
                ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(ctx, in(dir, "node.key"), SSL_FILETYPE_PEM), 1);
        }
        if (faults & TLS12)
                SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
        if (!(faults & NO_ALPN))
                SSL_CTX_set_alpn_protos(
                        ctx, (const unsigned char *)((faults & OTHER_ALPN) ? "\5other0" : "\6sunrpc"),
                        (faults & OTHER_ALPN) ? 6 : 7);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
        end_init(&agent_end, "a", true, sv[0]);
        agent_end.then = wait_for_end;
        pthread_create(&thread, NULL, run_bare, &agent_end);
        ssl = SSL_new(ctx);
        SSL_set_fd(ssl, sv[1]);
        ERR_clear_error();
        rc = SSL_connect(ssl);
        if (rc == 1)
                rc = SSL_write(ssl, "x", 1);
        if (rc == 1)
                rc = SSL_read(ssl, &byte, 1);
        snprintf(text, size, "%s", ERR_peek_error() ? ERR_reason_error_string(ERR_peek_error()) : "");
        SSL_free(ssl);
        close(sv[1]);
        pthread_join(thread, NULL);
        SSL_CTX_free(ctx);
        rc = agent_end.rc;
        end_fini(&agent_end);
        return rc;
}

START_TEST(good_bare_client_is_taken)
{
        char text[200];

        ck_assert_msg(bare("b", 0, text, sizeof(text)) == 0, "%s", agent_end.err.text);
}
END_TEST

static const struct {
        const char *dir;
        int faults;
        const char *says;
} faulty[] = {
        {"b", NO_CERT, "sends no certificate"},
        {"b", TLS12, "unsupported protocol"},
        {"b", OTHER_ALPN, "no application protocol"},
        {"b", NO_ALPN, "ALPN"},
        {"s", 0, "is not accepted"},
        {"issued", 0, "is not accepted"},
};

START_TEST(faulty_client_is_refused)
{
        char text[200];

        /* Signed with the key of node b, which is no authority. */
        if (!strcmp(faulty[_i].dir, "issued")) {
                EVP_PKEY *key = gb_key_load(in("b", "node.key"), &err);
                struct gb_certs issuer = {0}, mine = {0};
                FILE *f;

                make("issued", &uuid_a);
                ck_assert_int_eq(gb_certs_load(&issuer, in("b", "node.pem"), true, &err), 0);
                ck_assert_int_eq(gb_certs_load(&mine, in("issued", "node.pem"), true, &err), 0);
                X509_set_issuer_name(mine.list.v[0].x509, X509_get_subject_name(issuer.list.v[0].x509));
                ck_assert_int_gt(X509_sign(mine.list.v[0].x509, key, EVP_sha256()), 0);
                f = fopen(in("issued", "node.pem"), "w");
                PEM_write_X509(f, mine.list.v[0].x509);
                PEM_write_X509(f, issuer.list.v[0].x509);
                fclose(f);
                EVP_PKEY_free(key);
                gb_certs_fini(&issuer);
                gb_certs_fini(&mine);
        }
        ck_assert_int_eq(bare(faulty[_i].dir, faulty[_i].faults, text, sizeof(text)), -1);
        ck_assert_msg(strstr(agent_end.err.text, faulty[_i].says), "%s", agent_end.err.text);
        ck_assert_msg(*text, "the client was not told");
}
END_TEST

START_TEST(expired_certificate_is_refused)
{
        EVP_PKEY *key = gb_key_load(in("b", "node.key"), &err);
        struct gb_certs mine = {0};
        char text[200];
        FILE *f;

        ck_assert_int_eq(gb_certs_load(&mine, in("b", "node.pem"), true, &err), 0);
        X509_gmtime_adj(X509_getm_notAfter(mine.list.v[0].x509), -60);
        ck_assert_int_gt(X509_sign(mine.list.v[0].x509, key, EVP_sha256()), 0);
        f = fopen(in("b", "node.pem"), "w");
        PEM_write_X509(f, mine.list.v[0].x509);
        fclose(f);
        trust("a", "peers.pem", "b");
        ck_assert_int_eq(bare("b", 0, text, sizeof(text)), -1);
        ck_assert_msg(strstr(agent_end.err.text, "expired"), "%s", agent_end.err.text);
        EVP_PKEY_free(key);
        gb_certs_fini(&mine);
}
END_TEST

START_TEST(authority_in_the_list_issues_names_but_no_nodes)
{
        EVP_PKEY *key;
        struct gb_certs mine = {0};
        X509_EXTENSION *ca;
        FILE *f;

        /* s becomes an authority that a trusts, and issues `issued` with the uuid of b. */
        make("issued", &uuid_b);
        key = gb_key_load(in("s", "node.key"), &err);
        ck_assert_int_eq(gb_certs_load(&mine, in("s", "node.pem"), true, &err), 0);
        while (X509_get_ext_count(mine.list.v[0].x509))
                X509_EXTENSION_free(X509_delete_ext(mine.list.v[0].x509, 0));
        ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
        X509_add_ext(mine.list.v[0].x509, ca, -1);
        X509_EXTENSION_free(ca);
        ck_assert_int_gt(X509_sign(mine.list.v[0].x509, key, EVP_sha256()), 0);
        f = fopen(in("a", "peers.pem"), "a");
        PEM_write_X509(f, mine.list.v[0].x509);
        fclose(f);
        ck_assert_int_eq(gb_certs_load(&mine, in("issued", "node.pem"), true, &err), 0);
        X509_set_issuer_name(mine.list.v[1].x509, X509_get_subject_name(mine.list.v[0].x509));
        ck_assert_int_gt(X509_sign(mine.list.v[1].x509, key, EVP_sha256()), 0);
        f = fopen(in("issued", "node.pem"), "w");
        PEM_write_X509(f, mine.list.v[1].x509);
        fclose(f);
        trust("issued", "peers.pem", "a");
        EVP_PKEY_free(key);
        gb_certs_fini(&mine);
        pair("a", keep_peer, "issued", NULL);
        ck_assert_msg(agent_end.rc == 0, "%s", agent_end.err.text);
        ck_assert(seen.issued && !seen.listed);
        pair_fini();
}
END_TEST

/* ---- before TLS ---- */

static int raw_agent(pthread_t *thread)
{
        int sv[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
        end_init(&agent_end, "a", true, sv[0]);
        pthread_create(thread, NULL, run_server, &agent_end);
        return sv[1];
}

/* A call with these words, and the answer's. */
static size_t call(int fd, uint32_t proc, uint32_t flavor, uint32_t cred_len, uint32_t extra,
                   uint32_t out[64])
{
        uint32_t w[32] = {0}, n = 0, word;
        ssize_t got;

        n++;
        w[n++] = 77;
        w[n++] = 0;
        w[n++] = 2;
        w[n++] = GBACKUP_PROGRAM;
        w[n++] = GBACKUP_V1;
        w[n++] = proc;
        w[n++] = flavor;
        w[n++] = cred_len;
        n += cred_len / 4;
        n += 2; /* verifier */
        n += extra;
        w[0] = 0x80000000u | (n - 1) * 4;
        for (uint32_t i = 0; i < n; i++)
                w[i] = htonl(w[i]);
        ck_assert_int_eq(write(fd, w, n * 4), (ssize_t)(n * 4));
        ck_assert_int_eq(recv(fd, &word, 4, MSG_WAITALL), 4);
        word = ntohl(word) & 0x7fffffff;
        ck_assert_uint_le(word, 256);
        got = recv(fd, out, word, MSG_WAITALL);
        ck_assert_int_eq(got, word);
        for (size_t i = 0; i < word / 4; i++)
                out[i] = ntohl(out[i]);
        return word / 4;
}

static void raw_end(int fd, pthread_t thread)
{
        close(fd);
        pthread_join(thread, NULL);
        end_fini(&agent_end);
}

START_TEST(nothing_but_null_is_answered_before_tls)
{
        uint32_t out[64];
        pthread_t thread;
        int fd = raw_agent(&thread);

        ck_assert_uint_eq(call(fd, 0, AUTH_NONE, 0, 0, out), 6); /* rpcinfo's ping */
        ck_assert_uint_eq(out[2], MSG_ACCEPTED);
        ck_assert_uint_eq(out[5], SUCCESS);
        for (uint32_t proc = 1; proc < 25; proc++) {
                ck_assert_uint_eq(call(fd, proc, AUTH_NONE, 0, 0, out), 5);
                ck_assert_uint_eq(out[2], MSG_DENIED);
                ck_assert_uint_eq(out[3], AUTH_ERROR);
                ck_assert_uint_eq(out[4], AUTH_TOOWEAK);
        }
        raw_end(fd, thread);
}
END_TEST

START_TEST(odd_questions_for_tls_are_refused)
{
        uint32_t out[64];
        pthread_t thread;
        int fd = raw_agent(&thread);

        for (int i = 0; i < 3; i++) {
                call(fd, i == 0, GB_AUTH_TLS, i == 1 ? 8 : 0, i == 2, out);
                ck_assert_uint_eq(out[2], MSG_DENIED);
                ck_assert_uint_eq(out[4], AUTH_BADCRED);
        }
        /* and the proper one is answered as RFC 9289 has it */
        ck_assert_uint_eq(call(fd, 0, GB_AUTH_TLS, 0, 0, out), 8);
        ck_assert_uint_eq(out[3], AUTH_NONE);
        ck_assert_uint_eq(out[4], 8);
        ck_assert_uint_eq(out[5], 0x53544152);
        ck_assert_uint_eq(out[6], 0x54544c53);
        raw_end(fd, thread);
}
END_TEST

/* What was sent in clear behind the question is not taken for what came by TLS. */
START_TEST(clear_bytes_behind_starttls_break_the_handshake)
{
        uint32_t out[64];
        pthread_t thread;
        int fd = raw_agent(&thread);
        char byte[4096];

        call(fd, 0, GB_AUTH_TLS, 0, 0, out);
        memset(byte, 0, sizeof(byte));
        ck_assert_int_eq(write(fd, byte, 60), 60);
        while (read(fd, byte, sizeof(byte)) > 0)
                ;
        pthread_join(thread, NULL);
        ck_assert_int_eq(agent_end.rc, -1);
        close(fd);
        end_fini(&agent_end);
}
END_TEST

START_TEST(record_above_the_limit_is_refused_before_tls)
{
        static const unsigned char header[4] = {0x80, 0, 2, 1};
        pthread_t thread;
        int fd = raw_agent(&thread);
        char byte;

        ck_assert_int_eq(write(fd, header, 4), 4);
        ck_assert_int_eq(read(fd, &byte, 1), 0);
        pthread_join(thread, NULL);
        ck_assert_int_eq(agent_end.err.code, GB_ERR_PROTOCOL);
        close(fd);
        end_fini(&agent_end);
}
END_TEST

static void *answer_without_tls(void *arg)
{
        struct end *e = arg;
        struct fake_agent agent = {0};
        struct gb_server s = fake_server(e->t, &agent);

        s.need_tls = true;
        gb_server_run(&s, &e->err);
        gb_transport_close(e->t);
        return NULL;
}

START_TEST(client_does_without_nothing)
{
        pthread_t thread;
        int sv[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
        end_init(&agent_end, NULL, true, sv[0]);
        end_init(&client_end, "b", false, sv[1]);
        pthread_create(&thread, NULL, answer_without_tls, &agent_end);
        ck_assert_int_eq(
                gb_tls_connect(client_end.tls, &client_end.t, gb_deadline_in(5000), &client_end.peer, &err),
                -1);
        ck_assert_int_eq(err.code, GB_ERR_NO_AGENT);
        ck_assert_msg(strstr(err.text, "does not offer TLS"), "%s", err.text);
        gb_transport_close(client_end.t);
        pthread_join(thread, NULL);
        end_fini(&client_end);
}
END_TEST

/* ---- files ---- */

START_TEST(folder_that_lacks_something_is_named)
{
        static const char *const files[] = {"node.key", "node.pem", "peers.pem"};

        for (size_t i = 0; i < 3; i++) {
                make("n", &uuid_a);
                copy(in("a", "peers.pem"), in("n", "peers.pem"), "w");
                ck_assert_int_eq(unlink(in("n", files[i])), 0);
                ck_assert_ptr_null(gb_tls_load(in("", "n"), GB_TLS_CLIENT, &err));
                ck_assert_msg(strstr(err.text, files[i]), "%s", err.text);
        }
        copy(in("a", "node.key"), in("n", "node.key"), "w");
        copy(in("a", "peers.pem"), in("n", "peers.pem"), "w");
        ck_assert_int_eq(chmod(in("n", "node.key"), 0600), 0);
        ck_assert_ptr_null(gb_tls_load(in("", "n"), GB_TLS_CLIENT, &err));
        ck_assert_msg(strstr(err.text, "does not belong to"), "%s", err.text);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("tls");
        TCase *c = tcase_create("tls");
        SRunner *r;
        int failed;

        tcase_set_timeout(c, 60);
        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, two_nodes_talk);
        tcase_add_test(c, client_of_clients_pem_talks);
        tcase_add_test(c, client_in_no_list_is_told_why);
        tcase_add_test(c, foreign_certificate_of_a_known_uuid_is_refused);
        tcase_add_test(c, agent_in_no_list_is_refused);
        tcase_add_test(c, each_end_knows_whom_it_talks_to);
        tcase_add_test(c, megabytes_pass_both_ways_and_the_end_is_orderly);
        tcase_add_test(c, end_without_farewell_is_an_error);
        tcase_add_test(c, waiting_ends_by_cancel_and_by_deadline);
        tcase_add_test(c, peer_that_does_not_read_ends_the_write);
        tcase_add_test(c, silent_peer_ends_the_handshake_at_its_deadline);
        tcase_add_test(c, good_bare_client_is_taken);
        tcase_add_loop_test(c, faulty_client_is_refused, 0, (int)(sizeof(faulty) / sizeof(faulty[0])));
        tcase_add_test(c, expired_certificate_is_refused);
        tcase_add_test(c, authority_in_the_list_issues_names_but_no_nodes);
        tcase_add_test(c, nothing_but_null_is_answered_before_tls);
        tcase_add_test(c, odd_questions_for_tls_are_refused);
        tcase_add_test(c, clear_bytes_behind_starttls_break_the_handshake);
        tcase_add_test(c, record_above_the_limit_is_refused_before_tls);
        tcase_add_test(c, client_does_without_nothing);
        tcase_add_test(c, folder_that_lacks_something_is_named);
        suite_add_tcase(s, c);
        r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? 1 : 0;
}
