/* links: base rpc tirpc */
/*
 * Records: what is accepted, what is refused, and that nothing waits longer than it may.
 */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "record.h"

#define MAX 1000

static int raw; /* the peer's end */
static int cancel;
static struct gb_transport *t;
static struct gb_buf rec;
static struct gb_error err;

static void setup(void)
{
        int sv[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
        cancel = eventfd(0, EFD_CLOEXEC);
        raw = sv[1];
        t = gb_transport_plain(sv[0], sv[0], cancel, "peer", &err);
        ck_assert_ptr_nonnull(t);
        gb_buf_init(&rec, 16 * 1024 * 1024);
}

static void teardown(void)
{
        gb_transport_close(t);
        gb_buf_fini(&rec);
        if (raw >= 0)
                close(raw);
        close(cancel);
}

static void put(const void *bytes, size_t n)
{
        ck_assert_int_eq(write(raw, bytes, n), (ssize_t)n);
}

static void put_header(bool last, uint32_t len)
{
        uint32_t w = len | (last ? 0x80000000u : 0);
        uint8_t h[4] = {(uint8_t)(w >> 24), (uint8_t)(w >> 16), (uint8_t)(w >> 8), (uint8_t)w};

        put(h, sizeof(h));
}

static void put_fragment(bool last, const char *body)
{
        put_header(last, (uint32_t)strlen(body));
        put(body, strlen(body));
}

static int receive(void)
{
        return gb_record_recv(t, &rec, MAX, gb_deadline_in(3000), &err);
}

static void assert_record(const char *body)
{
        ck_assert_msg(receive() == 1, "%s", err.text);
        ck_assert_uint_eq(rec.len, strlen(body));
        ck_assert_mem_eq(rec.data, body, rec.len);
}

START_TEST(a_record_sent_is_the_record_received)
{
        char out[GB_RECORD_HEADER + 5], in[sizeof(out)];

        memcpy(out + GB_RECORD_HEADER, "hello", 5);
        ck_assert_int_eq(gb_record_send(t, out, 5, 1000, &err), 0);
        ck_assert_int_eq(read(raw, in, sizeof(in)), sizeof(in));
        ck_assert_mem_eq(in, "\x80\0\0\5hello", sizeof(in));
        put(in, sizeof(in));
        assert_record("hello");
}
END_TEST

START_TEST(fragments_are_joined)
{
        put_fragment(false, "one ");
        put_fragment(false, "two ");
        put_fragment(true, "three");
        assert_record("one two three");
}
END_TEST

START_TEST(records_stay_apart)
{
        put_fragment(true, "first");
        put_fragment(false, "sec");
        put_fragment(true, "ond");
        assert_record("first");
        assert_record("second");
}
END_TEST

START_TEST(end_between_records_is_orderly)
{
        put_fragment(true, "only");
        shutdown(raw, SHUT_WR);
        assert_record("only");
        ck_assert_int_eq(receive(), 0);
}
END_TEST

START_TEST(a_record_of_exactly_the_limit_is_accepted)
{
        char body[MAX + 1];

        memset(body, 'x', MAX);
        body[MAX] = '\0';
        put_fragment(true, body);
        assert_record(body);
}
END_TEST

START_TEST(a_record_above_the_limit_is_refused_before_its_body)
{
        put_header(true, MAX + 1);
        ck_assert_int_eq(receive(), -1);
        ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
        ck_assert_uint_eq(rec.cap, 0);
}
END_TEST

START_TEST(two_gib_are_refused_at_once)
{
        put_header(_i & 1, 0x7fffffff);
        ck_assert_int_eq(receive(), -1);
        ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
        ck_assert_uint_eq(rec.cap, 0);
}
END_TEST

START_TEST(fragments_count_together)
{
        char half[MAX / 2 + 2];

        memset(half, 'x', MAX / 2 + 1);
        half[MAX / 2 + 1] = '\0';
        put_fragment(false, half);
        put_header(true, MAX / 2 + 1);
        ck_assert_int_eq(receive(), -1);
        ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
}
END_TEST

START_TEST(an_empty_fragment_ends_a_record_or_is_refused)
{
        put_fragment(false, "body");
        put_fragment(true, "");
        assert_record("body");
        put_fragment(true, "");
        assert_record("");
        put_fragment(false, "body");
        put_fragment(false, "");
        ck_assert_int_eq(receive(), -1);
        ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
}
END_TEST

START_TEST(fragments_are_counted)
{
        char body[GB_FRAGMENTS_MAX + 1] = "";

        memset(body, 'x', GB_FRAGMENTS_MAX);
        for (int i = 1; i <= GB_FRAGMENTS_MAX; i++)
                put_fragment(i == GB_FRAGMENTS_MAX, "x");
        assert_record(body);
        for (int i = 0; i <= GB_FRAGMENTS_MAX; i++)
                put_fragment(i == GB_FRAGMENTS_MAX, "x");
        ck_assert_int_eq(receive(), -1);
        ck_assert_int_eq(err.code, GB_ERR_PROTOCOL);
}
END_TEST

/* Whatever byte the peer's end comes after. */
START_TEST(an_end_inside_a_record_is_an_error)
{
        static const char whole[] = "\0\0\0\4half\x80\0\0\4rest";

        put(whole, (size_t)_i);
        shutdown(raw, SHUT_WR);
        ck_assert_int_eq(receive(), -1);
        ck_assert_int_eq(err.code, GB_ERR_SYSTEM);
        ck_assert_int_eq(err.sys, ECONNRESET);
}
END_TEST

START_TEST(silence_ends_at_the_deadline)
{
        int64_t began = gb_now_ms();

        ck_assert_int_eq(gb_record_recv(t, &rec, MAX, gb_deadline_in(100), &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_TIMEOUT);
        ck_assert_int_ge(gb_now_ms() - began, 95);
        ck_assert_int_lt(gb_now_ms() - began, 1000);
}
END_TEST

static void *trickle(void *arg)
{
        (void)arg;
        while (send(raw, "\0", 1, MSG_NOSIGNAL) == 1)
                poll(NULL, 0, 5);
        return NULL;
}

START_TEST(a_slow_trickle_ends_at_the_deadline)
{
        int64_t began = gb_now_ms();
        pthread_t thread;

        put_header(true, MAX);
        pthread_create(&thread, NULL, trickle, NULL);
        ck_assert_int_eq(gb_record_recv_by(t, &rec, MAX, GB_NEVER, gb_deadline_in(200), &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_TIMEOUT);
        ck_assert_int_lt(gb_now_ms() - began, 1000);
        shutdown(t->rfd, SHUT_RDWR);
        pthread_join(thread, NULL);
}
END_TEST

static ssize_t always_one_byte(struct gb_transport *from, void *buf, size_t n, gb_deadline until,
                               struct gb_error *e)
{
        (void)from;
        (void)n;
        (void)until;
        (void)e;
        poll(NULL, 0, 1);
        *(char *)buf = '\0';
        return 1;
}

START_TEST(a_trickle_that_never_pauses_ends_at_the_deadline)
{
        static const struct gb_transport_ops ops = {.recv = always_one_byte};
        static char body[4000];
        struct gb_transport endless = {.ops = &ops, .rfd = -1, .wfd = -1, .cancel_fd = -1};

        ck_assert_int_eq(gb_transport_recv_all(&endless, body, sizeof(body), gb_deadline_in(100), NULL, &err),
                         -1);
        ck_assert_int_eq(err.code, GB_ERR_TIMEOUT);
}
END_TEST

static void *cancel_soon(void *arg)
{
        poll(NULL, 0, 50);
        *(int64_t *)arg = gb_now_ms();
        eventfd_write(cancel, 1);
        return NULL;
}

START_TEST(a_wait_can_be_cancelled)
{
        static char big[8 * 1024 * 1024];
        int64_t asked = 0;
        pthread_t thread;
        int rc;

        pthread_create(&thread, NULL, cancel_soon, &asked);
        rc = _i == 0 ? receive() : gb_record_send(t, big, sizeof(big) - GB_RECORD_HEADER, 5000, &err);
        ck_assert_int_eq(rc, -1);
        ck_assert_int_eq(err.code, GB_ERR_CANCELLED);
        pthread_join(thread, NULL);
        ck_assert_int_lt(gb_now_ms() - asked, 100);
}
END_TEST

START_TEST(cancelling_wins_over_data_that_is_ready)
{
        put_fragment(true, "ready");
        eventfd_write(cancel, 1);
        ck_assert_int_eq(receive(), -1);
        ck_assert_int_eq(err.code, GB_ERR_CANCELLED);
}
END_TEST

START_TEST(a_peer_that_does_not_read_stalls_nobody)
{
        static char big[8 * 1024 * 1024];
        int64_t began = gb_now_ms();

        ck_assert_int_eq(gb_record_send(t, big, sizeof(big) - GB_RECORD_HEADER, 100, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_TIMEOUT);
        ck_assert_int_lt(gb_now_ms() - began, 1000);
}
END_TEST

START_TEST(writing_to_a_peer_that_left_is_an_error_not_a_signal)
{
        char out[GB_RECORD_HEADER + 1] = "";

        close(raw);
        raw = -1;
        ck_assert_int_eq(gb_record_send(t, out, 1, 1000, &err), -1);
        ck_assert_int_eq(err.code, GB_ERR_SYSTEM);
        ck_assert_int_eq(err.sys, EPIPE);
}
END_TEST

static void *read_slowly(void *arg)
{
        char *at = arg;
        ssize_t got;

        while ((got = read(raw, at, 64 * 1024)) > 0)
                at += got;
        return at;
}

START_TEST(a_large_record_arrives_whole_through_small_buffers)
{
        const size_t n = 4 * 1024 * 1024;
        uint8_t *out = malloc(GB_RECORD_HEADER + n), *in = calloc(1, GB_RECORD_HEADER + n + 64 * 1024);
        pthread_t thread;
        void *end;

        for (size_t i = 0; i < n; i++)
                out[GB_RECORD_HEADER + i] = (uint8_t)(i * 7 + i / 251);
        pthread_create(&thread, NULL, read_slowly, in);
        ck_assert_int_eq(gb_record_send(t, out, n, 2000, &err), 0);
        shutdown(t->wfd, SHUT_WR);
        pthread_join(thread, &end);
        ck_assert_uint_eq((size_t)((uint8_t *)end - in), GB_RECORD_HEADER + n);
        ck_assert_mem_eq(in, out, GB_RECORD_HEADER + n);
        free(out);
        free(in);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("record");
        TCase *tc = tcase_create("record");
        SRunner *sr = srunner_create(s);
        int failed;

        suite_add_tcase(s, tc);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_set_timeout(tc, 20);
        tcase_add_test(tc, a_record_sent_is_the_record_received);
        tcase_add_test(tc, fragments_are_joined);
        tcase_add_test(tc, records_stay_apart);
        tcase_add_test(tc, end_between_records_is_orderly);
        tcase_add_test(tc, a_record_of_exactly_the_limit_is_accepted);
        tcase_add_test(tc, a_record_above_the_limit_is_refused_before_its_body);
        tcase_add_loop_test(tc, two_gib_are_refused_at_once, 0, 2);
        tcase_add_test(tc, fragments_count_together);
        tcase_add_test(tc, an_empty_fragment_ends_a_record_or_is_refused);
        tcase_add_test(tc, fragments_are_counted);
        tcase_add_loop_test(tc, an_end_inside_a_record_is_an_error, 1, 16);
        tcase_add_test(tc, silence_ends_at_the_deadline);
        tcase_add_test(tc, a_slow_trickle_ends_at_the_deadline);
        tcase_add_test(tc, a_trickle_that_never_pauses_ends_at_the_deadline);
        tcase_add_loop_test(tc, a_wait_can_be_cancelled, 0, 2);
        tcase_add_test(tc, cancelling_wins_over_data_that_is_ready);
        tcase_add_test(tc, a_peer_that_does_not_read_stalls_nobody);
        tcase_add_test(tc, writing_to_a_peer_that_left_is_an_error_not_a_signal);
        tcase_add_test(tc, a_large_record_arrives_whole_through_small_buffers);
        srunner_run_all(sr, CK_NORMAL);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
