/* links: base rpc tirpc */
/*
 * The client: against an agent that plays by the rules behind the real dispatcher, and against peers
 * that write what they like.
 */
#include <config.h>

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include "base/buf.h"
#include "client.h"
#include "record.h"

#include "../lib/fake_agent.h"

static struct gb_error err;
static struct fake_agent agent;
static struct gb_transport *server_end, *client_end;
static struct gb_client *client;
static pthread_t thread;
static int cancel;

static void setup(void)
{
        int sv[2];

        memset(&agent, 0, sizeof(agent));
        cancel = eventfd(0, EFD_CLOEXEC);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
        server_end = gb_transport_plain(sv[0], sv[0], -1, "client", &err);
        client_end = gb_transport_plain(sv[1], sv[1], cancel, "agent-x", &err);
}

/* Ends the connection first, so that the peer's thread ends too. */
static void teardown(void)
{
        gb_client_free(client);
        pthread_join(thread, NULL);
        close(cancel);
}

/* --- a peer behind the dispatcher --- */

static void *serve(void *arg)
{
        struct gb_server server = fake_server(server_end, &agent);
        struct gb_error unwanted;

        (void)arg;
        gb_server_run(&server, &unwanted);
        gb_transport_close(server_end);
        return NULL;
}

static void start_agent(void)
{
        pthread_create(&thread, NULL, serve, NULL);
        client = gb_client_new(client_end, &err);
}

static void start_good_agent(void)
{
        start_agent();
        ck_assert_msg(client != NULL, "%s", err.text);
}

/* --- a peer that writes bytes --- */

/* Plays on record n of the client (1: HELLO) whose xid is given; false ends the connection. */
typedef bool (*play)(unsigned n, uint32_t xid);
static play script;

static void *lie(void *arg)
{
        struct gb_buf rec;
        struct gb_error unwanted;
        uint32_t xid = 0;
        unsigned n = 0;

        (void)arg;
        gb_buf_init(&rec, GB_REQUEST_MAX);
        do {
                if (gb_record_recv(server_end, &rec, GB_REQUEST_MAX, gb_deadline_in(5000), &unwanted) != 1)
                        break;
                memcpy(&xid, rec.data, sizeof(xid));
        } while (script(++n, ntohl(xid)));
        gb_buf_fini(&rec);
        gb_transport_close(server_end);
        return NULL;
}

static void start_liar(play what)
{
        script = what;
        pthread_create(&thread, NULL, lie, NULL);
        client = gb_client_new(client_end, &err);
}

static void put(const void *bytes, size_t n)
{
        struct gb_error unwanted;

        server_end->ops->send(server_end, bytes, n, 1000, &unwanted);
}

/* A successful reply with its record header; its size. */
static size_t encode(char *out, size_t room, uint32_t xid, xdrproc_t proc, void *res)
{
        struct rpc_msg msg;
        uint32_t word;
        unsigned len;
        XDR x;

        memset(&msg, 0, sizeof(msg));
        msg.rm_xid = xid;
        msg.rm_direction = REPLY;
        msg.rm_reply.rp_stat = MSG_ACCEPTED;
        msg.acpted_rply.ar_stat = SUCCESS;
        msg.acpted_rply.ar_results.proc = proc;
        msg.acpted_rply.ar_results.where = res;
        xdrmem_create(&x, out + 4, (unsigned)room - 4, XDR_ENCODE);
        ck_assert(xdr_replymsg(&x, &msg));
        len = xdr_getpos(&x);
        word = htonl(0x80000000u | len);
        memcpy(out, &word, 4);
        return len + 4;
}

static bool answer(uint32_t xid, xdrproc_t proc, void *res)
{
        char out[4096];

        put(out, encode(out, sizeof(out), xid, proc, res));
        return true;
}

static bool answer_hello(uint32_t xid)
{
        gbx_hello_res res;

        memset(&res, 0, sizeof(res));
        res.ok = TRUE;
        res.gbx_hello_res_u.hello.chunk_max = GB_CHUNK_MAX;
        return answer(xid, (xdrproc_t)xdr_gbx_hello_res, &res);
}

static bool answer_void(uint32_t xid)
{
        gbx_void_res res = {.ok = TRUE};

        return answer(xid, (xdrproc_t)xdr_gbx_void_res, &res);
}

/* --- honest calls --- */

START_TEST(hello_is_said_and_its_answer_kept)
{
        start_good_agent();
        ck_assert_str_eq(gb_client_peer(client), "agent-x");
        ck_assert_int_eq(gb_client_hello(client)->now_us, 1700000000000000);
        ck_assert_mem_eq(gb_client_hello(client)->software.gbx_name_val, "fake 1", 6);
}
END_TEST

START_TEST(a_refused_hello_gives_no_client)
{
        agent.refuse_hello = true;
        start_agent();
        ck_assert_ptr_null(client);
        ck_assert_int_eq(err.code, GB_ERR_DENIED);
        ck_assert_str_eq(err.text, "agent-x: not you");
}
END_TEST

START_TEST(an_agent_with_uselessly_small_chunks_is_refused)
{
        agent.chunk_max = GB_CHUNK_MIN - 1;
        start_agent();
        ck_assert_ptr_null(client);
        ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
}
END_TEST

START_TEST(questions_are_answered)
{
        gbx_topology topology;
        gbx_brick_status status;
        char *cursor;
        bool was_on = false;

        start_good_agent();
        ck_assert_int_eq(gb_call_topology(client, "v", true, &topology, &err), 0);
        ck_assert_uint_eq(topology.bricks.bricks_len, 2);
        ck_assert_int_eq(topology.bricks.bricks_val[1].index, 1);
        ck_assert_mem_eq(topology.bricks.bricks_val[1].host.gbx_name_val, "node-b", 6);
        gb_xdr_release((xdrproc_t)xdr_gbx_topology, &topology);
        ck_assert_int_eq(gb_call_brick_status(client, "v", "/bricks/v", &status, &err), 0);
        ck_assert_uint_eq(status.pending, 9);
        ck_assert_int_eq(gb_call_cursor(client, "v", "/bricks/v", 1000, &cursor, &err), 0);
        ck_assert_str_eq(cursor, "cursor v1");
        free(cursor);
        ck_assert_int_eq(gb_call_enable(client, "v", &was_on, &err), 0);
        ck_assert(was_on);
}
END_TEST

START_TEST(gfids_and_paths_are_looked_up)
{
        gb_gfid gfids[3] = {{{1}}, {{2}}, {{3}}};
        gbx_path paths[2] = {{3, (char *)(uintptr_t) "a/b"}, {1, (char *)(uintptr_t) "c"}};
        gbx_exists_arg arg = {.paths = {2, paths}};
        gbx_times_arg when = {.paths = {2, paths}};
        gbx_look_ok look;
        gbx_exists_res exists;
        gbx_times_res times;

        start_good_agent();
        ck_assert_int_eq(gb_call_look(client, "v", "/b", gfids, 3, &look, &err), 0);
        ck_assert_uint_eq(look.done, 3);
        ck_assert_mem_eq(look.data.data_val, gfids, sizeof(gfids));
        gb_xdr_release((xdrproc_t)xdr_gbx_look_ok, &look);
        ck_assert_int_eq(gb_call_exists(client, &arg, &exists, &err), 0);
        ck_assert_int_eq(exists.gbx_exists_res_u.found.found_val[0].type, 3);
        ck_assert_int_eq(exists.gbx_exists_res_u.found.found_val[1].type, 1);
        gb_xdr_release((xdrproc_t)xdr_gbx_exists_res, &exists);
        ck_assert_int_eq(gb_call_times(client, &when, &times, &err), 0);
        ck_assert_int_eq(times.gbx_times_res_u.times.times_val[1].type, 1);
        gb_xdr_release((xdrproc_t)xdr_gbx_times_res, &times);
}
END_TEST

START_TEST(sessions_are_handled)
{
        gb_gfid id = {{7, 7, 7}};
        gbx_prepare_arg prepare;
        gbx_session session;
        gbx_sessions_res list;

        memset(&prepare, 0, sizeof(prepare));
        GB_WIRE_SET(prepare.session, gbx_name, "s");
        GB_WIRE_SET(prepare.pending.generation, gbx_name, "g2");
        start_good_agent();
        ck_assert_int_eq(gb_call_session_register(client, "s", "v", &id, &err), 0);
        ck_assert_mem_eq(agent.gfid, id.b, sizeof(id.b));
        ck_assert_int_eq(gb_call_session_lock(client, "s", "v", &id, &session, &err), 0);
        ck_assert_mem_eq(session.committed.generation.gbx_name_val, "g1", 2);
        gb_xdr_release((xdrproc_t)xdr_gbx_session, &session);
        ck_assert_int_eq(gb_call_session_prepare(client, &prepare, &err), 0);
        ck_assert_str_eq(agent.last, "s//g2");
        ck_assert_int_eq(gb_call_session_commit(client, "s", "v", "g2", &err), 0);
        ck_assert_str_eq(agent.last, "s/v/g2");
        ck_assert_int_eq(gb_call_session_abort(client, "s", "v", "g3", &err), 0);
        ck_assert_str_eq(agent.last, "s/v/g3");
        ck_assert_int_eq(gb_call_session_unlock(client, "t", "v", &err), 0);
        ck_assert_str_eq(agent.last, "t/v/");
        ck_assert_int_eq(gb_call_session_unregister(client, "u", "v", &err), 0);
        ck_assert_str_eq(agent.last, "u/v/");
        ck_assert_int_eq(gb_call_session_list(client, &list, &err), 0);
        ck_assert_uint_eq(list.gbx_sessions_res_u.sessions.sessions_len, 1);
        gb_xdr_release((xdrproc_t)xdr_gbx_sessions_res, &list);
}
END_TEST

START_TEST(last_full_is_asked_only_where_it_is_kept)
{
        gbx_generation g;

        agent.features = _i ? GBX_FEATURE_LAST_FULL : 0;
        start_good_agent();
        if (!_i) {
                ck_assert_int_eq(gb_call_session_last_full(client, "s", "v", &g, &err), -1);
                ck_assert_int_eq(err.code, GB_ERR_VERSION);
                ck_assert_ptr_nonnull(strstr(err.text, "upgrade"));
                return;
        }
        ck_assert_int_eq(gb_call_session_last_full(client, "s", "v", &g, &err), 0);
        ck_assert_mem_eq(g.generation.gbx_name_val, "full", 4);
        gb_xdr_release((xdrproc_t)xdr_gbx_generation, &g);
}
END_TEST

START_TEST(changes_in_another_form_are_not_read)
{
        gbx_query q = {.kind = GBX_HISTORY};

        agent.lacks = GBX_FEATURE_FACTS;
        start_good_agent();
        ck_assert_int_eq(gb_call_open(client, "v", "/b", &q, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_VERSION);
        ck_assert_ptr_nonnull(strstr(err.text, "install the same version of gbackup on both sides"));
}
END_TEST

START_TEST(an_agents_error_names_the_agent_and_leaves_the_connection)
{
        gbx_topology out;

        start_good_agent();
        ck_assert_int_eq(gb_call_topology(client, "other", false, &out, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_NO_VOLUME);
        ck_assert_str_eq(err.text, "agent-x: no such volume");
        ck_assert_uint_eq(out.bricks.bricks_len, 0);
        ck_assert_int_eq(gb_call_topology(client, "v", false, &out, &err), 0);
        gb_xdr_release((xdrproc_t)xdr_gbx_topology, &out);
}
END_TEST

START_TEST(an_argument_beyond_its_bound_is_not_sent)
{
        char longer[GB_VOLUME_MAX + 2];
        gbx_topology out;

        memset(longer, 'v', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        start_good_agent();
        ck_assert_int_eq(gb_call_topology(client, longer, false, &out, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_LIMIT);
        ck_assert_int_eq(gb_call_topology(client, "v", false, &out, &err), 0);
        gb_xdr_release((xdrproc_t)xdr_gbx_topology, &out);
}
END_TEST

START_TEST(answers_that_do_not_fit_the_question_are_refused)
{
        gb_gfid gfid = {{1}};
        gbx_path path = {1, (char *)(uintptr_t) "a"};
        gbx_exists_arg arg = {.paths = {1, &path}};
        gbx_times_arg when = {.paths = {1, &path}};
        gbx_exists_res exists;
        gbx_times_res times;
        gbx_look_ok look;
        char *cursor;

        agent.short_counts = agent.nul_in_cursor = true;
        start_good_agent();
        ck_assert_int_eq(gb_call_exists(client, &arg, &exists, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
        ck_assert_int_eq(gb_call_times(client, &when, &times, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
        ck_assert_int_eq(gb_call_look(client, "v", "/b", &gfid, 1, &look, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
        ck_assert_int_eq(gb_call_cursor(client, "v", "/b", 0, &cursor, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
        ck_assert_ptr_null(cursor);
}
END_TEST

/* --- peers that break the rules --- */

static void assert_call_fails(enum gb_code code)
{
        gbx_topology out;
        struct gb_error again;

        ck_assert_msg(client != NULL, "%s", err.text);
        ck_assert_int_eq(gb_call_topology(client, "v", false, &out, &err), -1);
        ck_assert_msg(err.code == code, "%s: %s", gb_code_name(err.code), err.text);
        /* ... and so does every later one, at once, with the same error. */
        ck_assert_int_eq(gb_call_topology(client, "v", false, &out, &again), -1);
        ck_assert_int_eq(again.code, code);
        ck_assert_str_eq(again.text, err.text);
}

static bool play_leave(unsigned n, uint32_t xid)
{
        return n == 1 && answer_hello(xid);
}

START_TEST(a_peer_that_leaves_in_a_call_went_away)
{
        start_liar(play_leave);
        assert_call_fails(GB_ERR_NO_AGENT);
        ck_assert_ptr_nonnull(strstr(err.text, "agent agent-x went away"));
}
END_TEST

static bool play_half(unsigned n, uint32_t xid)
{
        if (n > 1)
                put("\x80\0\0\x40half", 8);
        return n == 1 && answer_hello(xid);
}

START_TEST(a_peer_that_leaves_in_its_answer_went_away)
{
        start_liar(play_half);
        assert_call_fails(GB_ERR_NO_AGENT);
}
END_TEST

/* Nothing is wrong with this answer but that it belongs to the call before. */
static bool play_xid(unsigned n, uint32_t xid)
{
        gbx_topology_res res;

        memset(&res, 0, sizeof(res));
        res.ok = TRUE;
        return n == 1 ? answer_hello(xid) : answer(xid - 1, (xdrproc_t)xdr_gbx_topology_res, &res);
}

START_TEST(an_answer_to_another_call_is_refused)
{
        start_liar(play_xid);
        assert_call_fails(GB_ERR_PROTOCOL);
}
END_TEST

static bool play_zeros(unsigned n, uint32_t xid)
{
        static const char zeros[64];

        if (n > 1)
                put(zeros, 8);
        return n > 1 || answer_hello(xid);
}

static bool play_zero_record(unsigned n, uint32_t xid)
{
        if (n > 1)
                put("\x80\0\0\x08\0\0\0\0\0\0\0\0", 12);
        return n > 1 || answer_hello(xid);
}

START_TEST(zero_words_are_no_success)
{
        start_liar(_i ? play_zeros : play_zero_record);
        assert_call_fails(GB_ERR_PROTOCOL);
}
END_TEST

static bool play_huge(unsigned n, uint32_t xid)
{
        if (n > 1)
                put("\xff\xff\xff\xff", 4);
        return n > 1 || answer_hello(xid);
}

static bool play_too_large(unsigned n, uint32_t xid)
{
        uint32_t word = htonl(0x80000000u | (GB_CHUNK_MAX + GB_REPLY_SLACK + 1));

        if (n > 1)
                put(&word, 4);
        return n > 1 || answer_hello(xid);
}

START_TEST(an_answer_above_the_limit_is_refused_at_its_header)
{
        start_liar(_i ? play_huge : play_too_large);
        assert_call_fails(GB_ERR_PROTOCOL);
}
END_TEST

/* An honest void answer where a topology is due, and one with bytes behind its end. */
static bool play_short(unsigned n, uint32_t xid)
{
        return n == 1 ? answer_hello(xid) : answer_void(xid);
}

static bool play_trailing(unsigned n, uint32_t xid)
{
        char out[256] = {0};
        gbx_topology_res res;

        if (n == 1)
                return answer_hello(xid);
        memset(&res, 0, sizeof(res));
        res.ok = TRUE;
        encode(out, sizeof(out), xid, (xdrproc_t)xdr_gbx_topology_res, &res);
        out[3] = (char)(out[3] + 4);
        put(out, 4 + (size_t)(unsigned char)out[3]);
        return true;
}

START_TEST(an_answer_of_the_wrong_size_is_refused)
{
        start_liar(_i ? play_short : play_trailing);
        assert_call_fails(GB_ERR_PROTOCOL);
}
END_TEST

static bool play_banner(unsigned n, uint32_t xid)
{
        (void)n;
        (void)xid;
        put("Welcome to node2!\n", 18);
        return true;
}

START_TEST(a_peer_that_greets_people_is_no_agent_of_ours)
{
        start_liar(play_banner);
        ck_assert_ptr_null(client);
        ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
}
END_TEST

static bool play_rejection(unsigned n, uint32_t xid)
{
        /* xid, REPLY, accepted, verifier 0 0, PROG_MISMATCH, 2, 5 */
        uint32_t words[] = {
                htonl(0x80000000u | 32), htonl(xid), htonl(1), 0, 0, 0, htonl(2), htonl(2), htonl(5)};

        (void)n;
        put(words, sizeof(words));
        return true;
}

START_TEST(another_version_is_named)
{
        start_liar(play_rejection);
        ck_assert_ptr_null(client);
        ck_assert_int_eq(err.code, GB_ERR_VERSION);
        ck_assert_ptr_nonnull(strstr(err.text, "versions 2 to 5"));
}
END_TEST

static bool play_silence(unsigned n, uint32_t xid)
{
        return n > 1 || answer_hello(xid);
}

static void *cancel_soon(void *arg)
{
        poll(NULL, 0, 50);
        *(int64_t *)arg = gb_now_ms();
        eventfd_write(cancel, 1);
        return NULL;
}

START_TEST(a_call_can_be_cancelled)
{
        int64_t asked = 0;
        gbx_topology out;
        pthread_t other;

        start_liar(play_silence);
        ck_assert_ptr_nonnull(client);
        pthread_create(&other, NULL, cancel_soon, &asked);
        ck_assert_int_eq(gb_call_topology(client, "v", false, &out, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_CANCELLED);
        pthread_join(other, NULL);
        ck_assert_int_lt(gb_now_ms() - asked, 100);
}
END_TEST

static void *abort_soon(void *arg)
{
        (void)arg;
        poll(NULL, 0, 50);
        gb_client_abort(client);
        return NULL;
}

START_TEST(a_call_can_be_aborted_by_another_thread)
{
        int64_t began = gb_now_ms();
        gbx_topology out;
        pthread_t other;

        start_liar(play_silence);
        ck_assert_ptr_nonnull(client);
        pthread_create(&other, NULL, abort_soon, NULL);
        ck_assert_int_eq(gb_call_topology(client, "v", false, &out, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_NO_AGENT);
        ck_assert_int_lt(gb_now_ms() - began, 1000);
        pthread_join(other, NULL);
}
END_TEST

/* The peer's thread ends before the client is freed. */
START_TEST(a_failed_connection_ends_for_the_peer_at_once)
{
        int64_t began = gb_now_ms();

        start_liar(play_xid);
        assert_call_fails(GB_ERR_PROTOCOL);
        pthread_join(thread, NULL);
        ck_assert_int_lt(gb_now_ms() - began, 1000);
        gb_client_free(client);
        close(cancel);
        setup();
        start_liar(play_leave);
}
END_TEST

/* --- mutated answers --- */

static uint32_t seed;

static uint32_t dice(void)
{
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        return seed;
}

static size_t mutate(char *out, size_t n)
{
        static const uint32_t words[] = {0,          1,    0x7fffffff, 0x80000000,
                                         0xffffffff, 4096, 0xfffffffc, 0x80000004};
        unsigned changes = 1 + dice() % 3;

        while (changes-- > 0) {
                size_t at = dice() % n;
                uint32_t word = htonl(words[dice() % 8]);

                if (dice() % 3 == 0)
                        memcpy(out + (at & ~(size_t)3), &word, 4);
                else if (dice() % 2)
                        out[at] = (char)(out[at] ^ (1 << (dice() % 8)));
                else if (n > 8)
                        n = at < 8 ? 8 : at & ~(size_t)3;
        }
        return n;
}

static bool play_mutant(unsigned n, uint32_t xid)
{
        char out[1024];
        gbx_brickinfo bricks[2];
        gbx_topology_res res;

        if (n == 1)
                return answer_hello(xid);
        memset(&res, 0, sizeof(res));
        memset(bricks, 0, sizeof(bricks));
        res.ok = TRUE;
        res.gbx_topology_res_u.topology.bricks.bricks_len = 2;
        res.gbx_topology_res_u.topology.bricks.bricks_val = bricks;
        for (int i = 0; i < 2; i++) {
                GB_WIRE_SET(bricks[i].host, gbx_name, "node");
                GB_WIRE_SET(bricks[i].path, gbx_brick, "/bricks/v");
        }
        put(out, mutate(out, encode(out, sizeof(out), xid, (xdrproc_t)xdr_gbx_topology_res, &res)));
        return false;
}

START_TEST(mutated_answers_neither_crash_nor_hang)
{
        unsigned good = 0, bad = 0;

        seed = 0x2545f491u + (uint32_t)_i;
        for (unsigned i = 0; i < 500; i++) {
                gbx_topology out;
                int64_t began = gb_now_ms();

                start_liar(play_mutant);
                ck_assert_ptr_nonnull(client);
                if (gb_call_topology(client, "v", false, &out, &err) == 0)
                        good++;
                else
                        bad++;
                gb_xdr_release((xdrproc_t)xdr_gbx_topology, &out);
                ck_assert_int_lt(gb_now_ms() - began, 1000);
                teardown();
                setup();
        }
        ck_assert_uint_gt(good, 20);
        ck_assert_uint_gt(bad, 20);
        start_liar(play_leave);
}
END_TEST

/* --- streams --- */

static void start_stream(unsigned max_bytes)
{
        gbx_query query;

        memset(&query, 0, sizeof(query));
        query.kind = GBX_SCAN;
        if (!client)
                start_good_agent();
        ck_assert_msg(gb_call_open(client, "v", "/b", &query, &err) == 0, "%s", err.text);
        ck_assert_msg(gb_stream_start(client, max_bytes, &err) == 0, "%s", err.text);
}

static void assert_chunk(const gbx_chunk *chunk, unsigned seq, unsigned len)
{
        ck_assert_uint_eq(chunk->entries, seq);
        ck_assert_uint_eq(chunk->data.data_len, len);
        for (size_t i = 0; i < len; i += 4096)
                ck_assert_int_eq(chunk->data.data_val[i], fake_byte(seq, i));
}

static void assert_rest(unsigned from, unsigned to, unsigned len)
{
        gbx_chunk chunk;

        for (unsigned seq = from; seq <= to; seq++) {
                ck_assert_msg(gb_stream_recv(client, &chunk, NULL, NULL, &err) == 1, "%s", err.text);
                assert_chunk(&chunk, seq, len);
                ck_assert_int_eq(chunk.eof, seq == to);
        }
        ck_assert_mem_eq(chunk.cursor.gbx_cursor_val, "cursor v2", 9);
        ck_assert_int_eq(gb_stream_recv(client, &chunk, NULL, NULL, &err), 0);
}

static void assert_usable(void)
{
        gbx_brick_status status;

        ck_assert_msg(gb_call_brick_status(client, "v", "/b", &status, &err) == 0, "%s", err.text);
}

START_TEST(fifty_mebibytes_arrive_in_order)
{
        agent.chunks = 50;
        start_stream(1024 * 1024);
        assert_rest(1, 50, 1024 * 1024);
        assert_usable();
}
END_TEST

START_TEST(one_connection_carries_stream_after_stream)
{
        for (agent.chunks = 1; agent.chunks < 6; agent.chunks++) {
                start_stream(GB_CHUNK_MIN);
                assert_rest(1, agent.chunks, GB_CHUNK_MIN);
                assert_usable();
        }
}
END_TEST

START_TEST(chunks_are_asked_within_the_bounds_of_both_sides)
{
        agent.chunks = 1;
        agent.chunk_max = 100000;
        start_stream(_i ? 1 : 4 * 1024 * 1024);
        assert_rest(1, 1, _i ? GB_CHUNK_MIN : 100000);
}
END_TEST

static void count_beat(void *arg, const gbx_chunk *chunk)
{
        ck_assert_uint_eq(chunk->data.data_len, 0);
        ++*(unsigned *)arg;
}

START_TEST(heartbeats_are_progress_and_not_data)
{
        gbx_chunk chunk;
        unsigned beats = 0;

        agent.chunks = 2;
        agent.heartbeats = 3;
        start_stream(GB_CHUNK_MIN);
        ck_assert_int_eq(gb_stream_recv(client, &chunk, count_beat, &beats, &err), 1);
        ck_assert_uint_eq(beats, 3);
        assert_rest(2, 2, GB_CHUNK_MIN);
}
END_TEST

/* HELLO, OPEN, then two NEXT before the first is answered. */
static bool play_window(unsigned n, uint32_t xid)
{
        gbx_next_res res;

        if (n == 1)
                return answer_hello(xid);
        if (n == 2)
                return answer_void(xid);
        if (n == 3)
                return true;
        for (unsigned seq = 1; seq <= 2; seq++) {
                memset(&res, 0, sizeof(res));
                res.ok = seq == 1;
                if (res.ok) {
                        res.gbx_next_res_u.chunk.seq = seq;
                        res.gbx_next_res_u.chunk.eof = TRUE;
                }
                answer(xid - 2 + seq, (xdrproc_t)xdr_gbx_next_res, &res);
        }
        return true;
}

START_TEST(two_calls_are_in_flight_before_the_first_answer)
{
        gbx_chunk chunk;

        start_liar(play_window);
        start_stream(GB_CHUNK_MIN);
        ck_assert_msg(gb_stream_recv(client, &chunk, NULL, NULL, &err) == 1, "%s", err.text);
        ck_assert(chunk.eof);
}
END_TEST

START_TEST(a_parked_stream_leaves_the_agent_nothing_to_write)
{
        gbx_chunk chunk;
        unsigned seen;

        agent.chunks = 6;
        start_stream(1024 * 1024);
        ck_assert_int_eq(gb_stream_recv(client, &chunk, NULL, NULL, &err), 1);
        ck_assert_int_eq(gb_stream_park(client, &err), 0);
        assert_chunk(&chunk, 1, 1024 * 1024);
        /* All that was asked is here, and parking asked for no more. */
        seen = agent.nexts;
        ck_assert_uint_eq(seen, 1 + GB_WINDOW);
        ck_assert_int_eq(gb_stream_park(client, &err), 0);
        poll(NULL, 0, 50);
        ck_assert_uint_eq(agent.nexts, seen);
        assert_rest(2, 6, 1024 * 1024);
}
END_TEST

START_TEST(a_stream_can_be_stopped_early)
{
        gbx_chunk chunk;

        agent.chunks = 100;
        start_stream(GB_CHUNK_MIN);
        ck_assert_int_eq(gb_stream_recv(client, &chunk, NULL, NULL, &err), 1);
        ck_assert_msg(gb_stream_stop(client, &err) == 0, "%s", err.text);
        ck_assert(!agent.streaming);
        assert_usable();
        agent.chunks = 3;
        start_stream(GB_CHUNK_MIN);
        assert_rest(1, 3, GB_CHUNK_MIN);
}
END_TEST

/* eof may be among what is thrown away. */
START_TEST(stopping_just_before_the_end_is_no_error)
{
        gbx_chunk chunk;

        agent.chunks = 2;
        start_stream(GB_CHUNK_MIN);
        ck_assert_int_eq(gb_stream_recv(client, &chunk, NULL, NULL, &err), 1);
        ck_assert_msg(gb_stream_stop(client, &err) == 0, "%s", err.text);
        assert_usable();
}
END_TEST

START_TEST(other_calls_have_to_wait_for_the_stream)
{
        gbx_brick_status status;

        agent.chunks = 3;
        start_stream(GB_CHUNK_MIN);
        ck_assert_int_eq(gb_call_brick_status(client, "v", "/b", &status, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_USAGE);
        assert_rest(1, 3, GB_CHUNK_MIN);
}
END_TEST

START_TEST(an_agents_error_ends_the_stream_not_the_connection)
{
        gbx_chunk chunk;

        agent.chunks = 10;
        agent.game = FAKE_FAILS;
        agent.at = 2;
        start_stream(GB_CHUNK_MIN);
        ck_assert_int_eq(gb_stream_recv(client, &chunk, NULL, NULL, &err), 1);
        ck_assert_int_eq(gb_stream_recv(client, &chunk, NULL, NULL, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_BRICK_DOWN);
        ck_assert_str_eq(err.text, "agent-x: brick gone");
        ck_assert_int_eq(gb_stream_recv(client, &chunk, NULL, NULL, &err), -1);
        ck_assert_int_eq(gb_stream_stop(client, &err), 0);
        assert_usable();
}
END_TEST

START_TEST(a_lying_stream_is_refused)
{
        static const struct {
                enum fake_game game;
                enum gb_code code;
        } games[] = {
                {FAKE_WRONG_SEQ, GB_ERR_PROTOCOL},
                {FAKE_TOO_LONG, GB_ERR_PROTOCOL},
                {FAKE_BACKWARDS, GB_ERR_PROTOCOL},
                {FAKE_GOES_AWAY, GB_ERR_NO_AGENT},
        };
        gbx_chunk chunk;

        agent.chunks = 10;
        agent.game = games[_i].game;
        agent.at = 3;
        start_stream(GB_CHUNK_MIN);
        for (unsigned seq = 1; seq < 3; seq++) {
                ck_assert_int_eq(gb_stream_recv(client, &chunk, NULL, NULL, &err), 1);
                assert_chunk(&chunk, seq, GB_CHUNK_MIN);
        }
        ck_assert_int_eq(gb_stream_recv(client, &chunk, NULL, NULL, &err), -1);
        ck_assert_msg(err.code == games[_i].code, "%s", err.text);
        ck_assert_int_eq(gb_stream_recv(client, &chunk, NULL, NULL, &err), -1);
        ck_assert_int_eq(err.code, games[_i].code);
        ck_assert_int_eq(gb_stream_stop(client, &err), -1);
        ck_assert_int_eq(err.code, games[_i].code);
}
END_TEST

START_TEST(a_stream_that_goes_on_after_its_end_is_refused)
{
        gbx_chunk chunk;

        agent.chunks = 1;
        agent.game = FAKE_NEVER_ENDS;
        start_stream(GB_CHUNK_MIN);
        ck_assert_int_eq(gb_stream_recv(client, &chunk, NULL, NULL, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
}
END_TEST

START_TEST(a_stream_has_to_be_opened)
{
        gbx_chunk chunk;

        start_good_agent();
        ck_assert_int_eq(gb_stream_start(client, GB_CHUNK_MIN, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_USAGE);
        ck_assert_int_eq(gb_stream_recv(client, &chunk, NULL, NULL, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_USAGE);
        ck_assert_int_eq(gb_stream_stop(client, &err), 0);
        assert_usable();
}
END_TEST

START_TEST(an_opened_stream_can_be_closed_unread)
{
        gbx_query query;

        memset(&query, 0, sizeof(query));
        query.kind = GBX_SCAN;
        start_good_agent();
        ck_assert_int_eq(gb_call_open(client, "v", "/b", &query, &err), 0);
        ck_assert_int_eq(gb_call_close(client, &err), 0);
        ck_assert(!agent.streaming);
        ck_assert_int_eq(gb_call_close(client, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_USAGE);
}
END_TEST

static void add_calls(TCase *tc)
{
        tcase_add_test(tc, hello_is_said_and_its_answer_kept);
        tcase_add_test(tc, a_refused_hello_gives_no_client);
        tcase_add_test(tc, an_agent_with_uselessly_small_chunks_is_refused);
        tcase_add_test(tc, questions_are_answered);
        tcase_add_test(tc, gfids_and_paths_are_looked_up);
        tcase_add_test(tc, sessions_are_handled);
        tcase_add_loop_test(tc, last_full_is_asked_only_where_it_is_kept, 0, 2);
        tcase_add_test(tc, changes_in_another_form_are_not_read);
        tcase_add_test(tc, an_agents_error_names_the_agent_and_leaves_the_connection);
        tcase_add_test(tc, an_argument_beyond_its_bound_is_not_sent);
        tcase_add_test(tc, answers_that_do_not_fit_the_question_are_refused);
}

static void add_lies(TCase *tc)
{
        tcase_add_test(tc, a_peer_that_leaves_in_a_call_went_away);
        tcase_add_test(tc, a_peer_that_leaves_in_its_answer_went_away);
        tcase_add_test(tc, an_answer_to_another_call_is_refused);
        tcase_add_loop_test(tc, zero_words_are_no_success, 0, 2);
        tcase_add_loop_test(tc, an_answer_above_the_limit_is_refused_at_its_header, 0, 2);
        tcase_add_loop_test(tc, an_answer_of_the_wrong_size_is_refused, 0, 2);
        tcase_add_test(tc, a_peer_that_greets_people_is_no_agent_of_ours);
        tcase_add_test(tc, another_version_is_named);
        tcase_add_test(tc, a_call_can_be_cancelled);
        tcase_add_test(tc, a_call_can_be_aborted_by_another_thread);
        tcase_add_test(tc, a_failed_connection_ends_for_the_peer_at_once);
        tcase_add_loop_test(tc, mutated_answers_neither_crash_nor_hang, 0, 3);
}

static void add_streams(TCase *tc)
{
        tcase_add_test(tc, fifty_mebibytes_arrive_in_order);
        tcase_add_test(tc, one_connection_carries_stream_after_stream);
        tcase_add_loop_test(tc, chunks_are_asked_within_the_bounds_of_both_sides, 0, 2);
        tcase_add_test(tc, heartbeats_are_progress_and_not_data);
        tcase_add_test(tc, two_calls_are_in_flight_before_the_first_answer);
        tcase_add_test(tc, a_parked_stream_leaves_the_agent_nothing_to_write);
        tcase_add_test(tc, a_stream_can_be_stopped_early);
        tcase_add_test(tc, stopping_just_before_the_end_is_no_error);
        tcase_add_test(tc, other_calls_have_to_wait_for_the_stream);
        tcase_add_test(tc, an_agents_error_ends_the_stream_not_the_connection);
        tcase_add_loop_test(tc, a_lying_stream_is_refused, 0, 4);
        tcase_add_test(tc, a_stream_that_goes_on_after_its_end_is_refused);
        tcase_add_test(tc, a_stream_has_to_be_opened);
        tcase_add_test(tc, an_opened_stream_can_be_closed_unread);
}

int main(void)
{
        static void (*const adders[])(TCase *) = {add_calls, add_lies, add_streams};
        static const char *const names[] = {"calls", "lies", "streams"};
        Suite *s = suite_create("client");
        SRunner *sr = srunner_create(s);
        int failed;

        for (unsigned i = 0; i < 3; i++) {
                TCase *tc = tcase_create(names[i]);

                suite_add_tcase(s, tc);
                tcase_add_checked_fixture(tc, setup, teardown);
                tcase_set_timeout(tc, 30);
                adders[i](tc);
        }
        srunner_run_all(sr, CK_NORMAL);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
