/* links: base rpc tirpc */
/*
 * The serve loop under the real dispatcher.  Calls are written into one end of a socket pair before
 * the server runs, and its answers read afterwards: they are small enough for the socket's buffer,
 * so nothing here needs a second thread.
 */
#include <config.h>

#include <check.h>
#include <stdint.h>

#include "base/buf.h"
#include "record.h"

#include "../lib/fake_agent.h"

static int raw;
static struct gb_transport *near, *far; /* the server's end; ours, for reading records */
static struct fake_agent agent;
static struct gb_server server;
static struct gb_error err;
static struct gb_buf reply;
static XDR body;

static void connect_pair(void)
{
        int sv[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
        raw = sv[1];
        near = gb_transport_plain(sv[0], sv[0], -1, "client", &err);
        far = gb_transport_plain(sv[1], sv[1], -1, "server", &err);
        server = fake_server(near, &agent);
}

static void setup(void)
{
        memset(&agent, 0, sizeof(agent));
        gb_buf_init(&reply, SIZE_MAX);
        connect_pair();
}

static void teardown(void)
{
        gb_transport_close(near);
        gb_transport_close(far);
        gb_buf_fini(&reply);
}

struct test_call {
        rpcproc_t proc;
        xdrproc_t xdr; /* NULL: no arguments */
        void *arg;
        enum_t flavor;
        unsigned program_off, version_off; /* from the right ones */
};

static bool_t xdr_none(XDR *x, ...)
{
        (void)x;
        return TRUE;
}

#define CALL(...) ((struct test_call){__VA_ARGS__})

/* The record of a call at out, with its header; its size. */
static size_t encode(char *out, size_t room, uint32_t xid, struct test_call c)
{
        struct rpc_msg msg;
        uint32_t word;
        unsigned len;
        XDR x;

        memset(&msg, 0, sizeof(msg));
        msg.rm_xid = xid;
        msg.rm_direction = CALL;
        msg.rm_call.cb_rpcvers = RPC_MSG_VERSION;
        msg.rm_call.cb_prog = GBACKUP_PROGRAM + c.program_off;
        msg.rm_call.cb_vers = GBACKUP_V1 + c.version_off;
        msg.rm_call.cb_proc = c.proc;
        msg.rm_call.cb_cred.oa_flavor = c.flavor;
        xdrmem_create(&x, out + 4, (unsigned)room - 4, XDR_ENCODE);
        ck_assert(xdr_callmsg(&x, &msg) && (!c.xdr || c.xdr(&x, c.arg)));
        len = xdr_getpos(&x);
        word = htonl(0x80000000u | len);
        memcpy(out, &word, 4);
        return len + 4;
}

static void put(uint32_t xid, struct test_call c)
{
        char out[64 * 1024];
        size_t n = encode(out, sizeof(out), xid, c);

        ck_assert_int_eq(write(raw, out, n), (ssize_t)n);
}

/* Serve what was put, to its end. */
static int serve(void)
{
        int rc;

        shutdown(raw, SHUT_WR);
        rc = gb_server_run(&server, &err);
        shutdown(near->wfd, SHUT_WR);
        return rc;
}

/* The next answer: its accept status; `body` stands at the result. */
static enum accept_stat answer(uint32_t xid, struct rpc_msg *msg)
{
        ck_assert_int_eq(gb_record_recv(far, &reply, 8 * 1024 * 1024, gb_deadline_in(1000), &err), 1);
        memset(msg, 0, sizeof(*msg));
        msg->acpted_rply.ar_results.proc = xdr_none;
        xdrmem_create(&body, (char *)reply.data, (unsigned)reply.len, XDR_DECODE);
        ck_assert(xdr_replymsg(&body, msg));
        ck_assert_uint_eq(msg->rm_xid, xid);
        return msg->acpted_rply.ar_stat;
}

static void assert_success(uint32_t xid)
{
        struct rpc_msg msg;

        ck_assert_int_eq(answer(xid, &msg), SUCCESS);
        ck_assert_int_eq(msg.rm_reply.rp_stat, MSG_ACCEPTED);
}

static void assert_no_more(void)
{
        ck_assert_int_eq(gb_record_recv(far, &reply, 1024, gb_deadline_in(1000), &err), 0);
}

static gbx_topology_arg *volume(const char *name)
{
        static gbx_topology_arg arg;

        GB_WIRE_SET(arg.volume, gbx_volname, name);
        return &arg;
}

START_TEST(null_is_answered_with_its_xid)
{
        put(0xdeadbeef, CALL(.proc = GBX_NULL));
        ck_assert_int_eq(serve(), 0);
        assert_success(0xdeadbeef);
        ck_assert_uint_eq(xdr_getpos(&body), reply.len);
        assert_no_more();
}
END_TEST

START_TEST(a_typed_call_reaches_its_handler)
{
        gbx_topology_res res;

        put(1, CALL(.proc = GBX_TOPOLOGY, .xdr = (xdrproc_t)xdr_gbx_topology_arg, .arg = volume("v")));
        ck_assert_int_eq(serve(), 0);
        assert_success(1);
        memset(&res, 0, sizeof(res));
        ck_assert(xdr_gbx_topology_res(&body, &res));
        ck_assert(res.ok);
        ck_assert_uint_eq(res.gbx_topology_res_u.topology.bricks.bricks_len, 2);
        xdr_free((xdrproc_t)xdr_gbx_topology_res, &res);
}
END_TEST

START_TEST(pipelined_calls_are_answered_in_order)
{
        for (uint32_t i = 0; i < 20; i++)
                put(i,
                    CALL(.proc = GBX_TOPOLOGY, .xdr = (xdrproc_t)xdr_gbx_topology_arg, .arg = volume("v")));
        ck_assert_int_eq(serve(), 0);
        for (uint32_t i = 0; i < 20; i++)
                assert_success(i);
        assert_no_more();
}
END_TEST

START_TEST(what_is_not_offered_is_refused_and_the_connection_goes_on)
{
        struct rpc_msg msg;

        put(1, CALL(.proc = 9999));
        put(2, CALL(.program_off = 1));
        put(3, CALL(.version_off = 6));
        put(4, CALL(.proc = GBX_NULL));
        ck_assert_int_eq(serve(), 0);
        ck_assert_int_eq(answer(1, &msg), PROC_UNAVAIL);
        ck_assert_int_eq(answer(2, &msg), PROG_UNAVAIL);
        ck_assert_int_eq(answer(3, &msg), PROG_MISMATCH);
        ck_assert_uint_eq(msg.acpted_rply.ar_vers.low, 1);
        ck_assert_uint_eq(msg.acpted_rply.ar_vers.high, 1);
        assert_success(4);
}
END_TEST

START_TEST(credentials_that_promise_protection_are_refused)
{
        struct rpc_msg msg;

        put(1, CALL(.flavor = 7)); /* AUTH_TLS */
        put(2, CALL(.flavor = RPCSEC_GSS));
        put(3, CALL(.flavor = AUTH_SYS));
        ck_assert_int_eq(serve(), 0);
        for (uint32_t i = 1; i <= 2; i++) {
                answer(i, &msg);
                ck_assert_int_eq(msg.rm_reply.rp_stat, MSG_DENIED);
                ck_assert_int_eq(msg.rjcted_rply.rj_why, AUTH_REJECTEDCRED);
        }
        assert_success(3);
}
END_TEST

START_TEST(arguments_that_do_not_decode_are_garbage_and_leak_nothing)
{
        gbx_volname longer = {.gbx_volname_len = GB_VOLUME_MAX};
        gbx_commit_arg more = {{0, NULL}, {0, NULL}, {0, NULL}};
        struct rpc_msg msg;

        longer.gbx_volname_val = calloc(1, GB_VOLUME_MAX);
        put(1, CALL(.proc = GBX_TOPOLOGY));                                                 /* too little */
        put(2, CALL(.proc = GBX_NULL, .xdr = (xdrproc_t)xdr_gbx_commit_arg, .arg = &more)); /* too much */
        /* volume is there, brick is not: what was decoded has to be freed */
        put(3, CALL(.proc = GBX_BRICK_STATUS, .xdr = (xdrproc_t)xdr_gbx_volname, .arg = &longer));
        put(4, CALL(.proc = GBX_NULL));
        ck_assert_int_eq(serve(), 0);
        for (uint32_t i = 1; i <= 3; i++)
                ck_assert_int_eq(answer(i, &msg), GARBAGE_ARGS);
        assert_success(4);
        free(longer.gbx_volname_val);
}
END_TEST

START_TEST(an_array_longer_than_its_bound_is_garbage)
{
        unsigned huge = GB_LOOK_MAX + 1;
        struct rpc_msg msg;

        put(1, CALL(.proc = GBX_LOOK, .xdr = (xdrproc_t)xdr_u_int, .arg = &huge));
        ck_assert_int_eq(serve(), 0);
        ck_assert_int_eq(answer(1, &msg), GARBAGE_ARGS);
}
END_TEST

START_TEST(what_is_no_call_ends_the_connection)
{
        static const char *const records[] = {"\x80\0\0\0", "\x80\0\0\x08\0\0\0\0\0\0\0\0",
                                              "\x80\0\0\x04pair"};
        static const size_t sizes[] = {4, 12, 8};

        ck_assert_int_eq(write(raw, records[_i], sizes[_i]), (ssize_t)sizes[_i]);
        ck_assert_int_eq(serve(), -1);
        ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
        assert_no_more();
}
END_TEST

START_TEST(a_reply_that_does_not_fit_is_an_error_and_the_connection_goes_on)
{
        gbx_session_arg arg;
        struct rpc_msg msg;

        memset(&arg, 0, sizeof(arg));
        agent.bulk = 5000;
        server.reply_max = 4000;
        put(1, CALL(.proc = GBX_SESSION_LOCK, .xdr = (xdrproc_t)xdr_gbx_session_arg, .arg = &arg));
        put(2, CALL(.proc = GBX_NULL));
        ck_assert_int_eq(serve(), 0);
        ck_assert_int_eq(answer(1, &msg), SYSTEM_ERR);
        assert_success(2);
}
END_TEST

static unsigned sends;

static int send_breaks(struct gb_transport *t, const void *buf, size_t n, int stall_ms, struct gb_error *e)
{
        (void)buf;
        (void)n;
        (void)stall_ms;
        sends++;
        return gb_error_set(e, GB_ERR_TIMEOUT, "%s does not read", t->peer);
}

/* Half of the answer may be out: an error message behind it would be taken for its rest. */
START_TEST(after_a_reply_that_broke_off_nothing_more_is_sent)
{
        struct gb_transport_ops ops = *near->ops;

        ops.send = send_breaks;
        near->ops = &ops;
        put(1, CALL(.proc = GBX_TOPOLOGY, .xdr = (xdrproc_t)xdr_gbx_topology_arg, .arg = volume("v")));
        put(2, CALL(.proc = GBX_NULL));
        ck_assert_int_eq(serve(), -1);
        ck_assert_int_eq(err.code, GB_ERR_TIMEOUT);
        ck_assert_uint_eq(sends, 1);
        gb_transport_close(near);
        near = NULL;
}
END_TEST

START_TEST(a_handler_without_an_answer_ends_the_connection)
{
        gbx_next_arg arg = {.seq = 1, .max_bytes = 100};

        agent.streaming = true;
        agent.game = FAKE_GOES_AWAY;
        agent.at = 1;
        put(1, CALL(.proc = GBX_NEXT, .xdr = (xdrproc_t)xdr_gbx_next_arg, .arg = &arg));
        put(2, CALL(.proc = GBX_NULL));
        ck_assert_int_eq(serve(), -1);
        ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
        assert_no_more();
}
END_TEST

START_TEST(hello_lifts_the_limit_of_requests)
{
        gbx_hello_arg hello = {.features = 0};
        char name[GB_VOLUME_MAX + 1];

        memset(name, 'v', GB_VOLUME_MAX);
        name[GB_VOLUME_MAX] = '\0';
        server.request_max = GB_PREAUTH_MAX;
        if (_i == 1)
                put(1, CALL(.proc = GBX_HELLO, .xdr = (xdrproc_t)xdr_gbx_hello_arg, .arg = &hello));
        put(2, CALL(.proc = GBX_TOPOLOGY, .xdr = (xdrproc_t)xdr_gbx_topology_arg, .arg = volume(name)));
        ck_assert_int_eq(serve(), _i == 1 ? 0 : -1);
        if (_i == 1) {
                assert_success(1);
                assert_success(2);
        } else {
                ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
        }
        assert_no_more();
}
END_TEST

START_TEST(a_silent_client_is_left_after_the_idle_time)
{
        int64_t began = gb_now_ms();

        server.idle_ms = 100;
        put(1, CALL(.proc = GBX_NULL));
        ck_assert_int_eq(gb_server_run(&server, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_TIMEOUT);
        ck_assert_int_lt(gb_now_ms() - began, 1000);
        assert_success(1);
}
END_TEST

static void *ping_forever(void *arg)
{
        char out[256];
        size_t n = encode(out, sizeof(out), 1, CALL(.proc = GBX_NULL));

        (void)arg;
        while (send(raw, out, n, MSG_NOSIGNAL) > 0)
                usleep(5000);
        return NULL;
}

START_TEST(pings_do_not_put_off_the_end_of_the_login_time)
{
        int64_t began = gb_now_ms();
        pthread_t thread;

        server.login_until = gb_deadline_in(200);
        pthread_create(&thread, NULL, ping_forever, NULL);
        ck_assert_int_eq(gb_server_run(&server, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_TIMEOUT);
        ck_assert_int_lt(gb_now_ms() - began, 1000);
        shutdown(near->rfd, SHUT_RDWR);
        pthread_join(thread, NULL);
}
END_TEST

START_TEST(pings_that_are_there_already_do_not_either)
{
        for (uint32_t i = 1; i <= 3; i++)
                put(i, CALL(.proc = GBX_NULL));
        server.login_until = gb_deadline_in(1);
        usleep(5000);
        ck_assert_int_eq(serve(), -1);
        ck_assert_int_eq(err.code, GB_ERR_TIMEOUT);
        assert_no_more();
}
END_TEST

START_TEST(who_pings_and_does_not_read_is_left_at_the_end_of_the_login_time)
{
        const int small = 1;
        int64_t began = gb_now_ms();

        ck_assert_int_eq(setsockopt(near->wfd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
        for (uint32_t i = 1; i <= 200; i++)
                put(i, CALL(.proc = GBX_NULL));
        server.login_until = gb_deadline_in(300);
        ck_assert_int_eq(gb_server_run(&server, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_TIMEOUT);
        ck_assert_int_lt(gb_now_ms() - began, 10000);
}
END_TEST

/* A small generator of our own, so that a failure can be repeated on any machine. */
static uint32_t dice(uint32_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        return *state;
}

static size_t valid_call(char *out, size_t room, unsigned which)
{
        static char text[] = "a/b/c";
        gbx_path roots[3] = {{1, text}, {3, text}, {5, text}};
        gbx_brick_cursor cursors[2] = {{{5, text}, {4, text}}, {{5, text}, {3, text}}};
        gbx_open_arg open = {.query = {.kind = GBX_SCAN}};
        gbx_prepare_arg prepare;
        gbx_gfid gfids[4] = {{1}, {2}, {3}, {4}};
        gbx_look_arg look = {.gfids = {4, gfids}};
        gbx_exists_arg exists = {.paths = {3, roots}};

        open.query.gbx_query_u.scan.roots.roots_len = 3;
        open.query.gbx_query_u.scan.roots.roots_val = roots;
        memset(&prepare, 0, sizeof(prepare));
        GB_WIRE_SET(prepare.session, gbx_name, text);
        prepare.pending.cursors.cursors_len = 2;
        prepare.pending.cursors.cursors_val = cursors;
        prepare.pending.boundary.boundary_len = 5;
        prepare.pending.boundary.boundary_val = text;
        switch (which % 4) {
        case 0:
                return encode(out, room, 1,
                              CALL(.proc = GBX_OPEN, .xdr = (xdrproc_t)xdr_gbx_open_arg, .arg = &open));
        case 1:
                return encode(out, room, 1,
                              CALL(.proc = GBX_SESSION_PREPARE, .xdr = (xdrproc_t)xdr_gbx_prepare_arg,
                                   .arg = &prepare));
        case 2:
                return encode(out, room, 1,
                              CALL(.proc = GBX_LOOK, .xdr = (xdrproc_t)xdr_gbx_look_arg, .arg = &look));
        default:
                return encode(out, room, 1,
                              CALL(.proc = GBX_EXISTS, .xdr = (xdrproc_t)xdr_gbx_exists_arg, .arg = &exists));
        }
}

static size_t mutate(char *out, size_t n, uint32_t *state)
{
        static const uint32_t words[] = {0,          1,    0x7fffffff, 0x80000000,
                                         0xffffffff, 4096, 0xfffffffc, 0x80000004};
        unsigned changes = 1 + dice(state) % 4;

        while (changes-- > 0) {
                size_t at = dice(state) % n;
                uint32_t word = htonl(words[dice(state) % 8]);

                switch (dice(state) % 4) {
                case 0:
                        out[at] = (char)(out[at] ^ (1 << (dice(state) % 8)));
                        break;
                case 1:
                        out[at] = (char)dice(state);
                        break;
                case 2:
                        memcpy(out + (at & ~(size_t)3), &word, 4);
                        break;
                default:
                        if (n > 8)
                                n = at < 8 ? 8 : at & ~(size_t)3;
                }
        }
        return n;
}

START_TEST(mutated_calls_neither_crash_nor_hang)
{
        uint32_t state = 0x9e3779b9u + (uint32_t)_i;
        unsigned served = 0, refused = 0;

        for (unsigned i = 0; i < 500; i++) {
                char out[2048];
                size_t n = mutate(out, valid_call(out, sizeof(out), i), &state);
                int64_t began = gb_now_ms();

                memset(&agent, 0, sizeof(agent));
                ck_assert_int_eq(write(raw, out, n), (ssize_t)n);
                if (serve() == 0)
                        served++;
                else
                        refused++;
                ck_assert_int_lt(gb_now_ms() - began, 1000);
                gb_transport_close(near);
                gb_transport_close(far);
                connect_pair();
        }
        /* Both ways out were taken, or the mutations test nothing. */
        ck_assert_uint_gt(served, 50);
        ck_assert_uint_gt(refused, 50);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("server");
        TCase *tc = tcase_create("server");
        SRunner *sr = srunner_create(s);
        int failed;

        suite_add_tcase(s, tc);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_set_timeout(tc, 30);
        tcase_add_test(tc, null_is_answered_with_its_xid);
        tcase_add_test(tc, a_typed_call_reaches_its_handler);
        tcase_add_test(tc, pipelined_calls_are_answered_in_order);
        tcase_add_test(tc, what_is_not_offered_is_refused_and_the_connection_goes_on);
        tcase_add_test(tc, credentials_that_promise_protection_are_refused);
        tcase_add_test(tc, arguments_that_do_not_decode_are_garbage_and_leak_nothing);
        tcase_add_test(tc, an_array_longer_than_its_bound_is_garbage);
        tcase_add_loop_test(tc, what_is_no_call_ends_the_connection, 0, 3);
        tcase_add_test(tc, a_reply_that_does_not_fit_is_an_error_and_the_connection_goes_on);
        tcase_add_test(tc, after_a_reply_that_broke_off_nothing_more_is_sent);
        tcase_add_test(tc, a_handler_without_an_answer_ends_the_connection);
        tcase_add_loop_test(tc, hello_lifts_the_limit_of_requests, 0, 2);
        tcase_add_test(tc, a_silent_client_is_left_after_the_idle_time);
        tcase_add_test(tc, pings_do_not_put_off_the_end_of_the_login_time);
        tcase_add_test(tc, pings_that_are_there_already_do_not_either);
        tcase_add_test(tc, who_pings_and_does_not_read_is_left_at_the_end_of_the_login_time);
        tcase_add_loop_test(tc, mutated_calls_neither_crash_nor_hang, 0, 3);
        srunner_run_all(sr, CK_NORMAL);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
