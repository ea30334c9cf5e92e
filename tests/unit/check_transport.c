/* links: base rpc tirpc */
/*
 * Ways to an agent: what connects, what the user is told when nobody is there, what becomes of a
 * child at the other end.
 */
#include <config.h>

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "transport.h"

static struct gb_error err;
static char dir[64];
static char path[96];

static void setup(void)
{
        snprintf(dir, sizeof(dir), "/tmp/check_transport.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/socket", dir);
}

static void teardown(void)
{
        unlink(path);
        rmdir(dir);
}

static int listen_unix(int backlog)
{
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        strcpy(addr.sun_path, path);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
        ck_assert_int_eq(listen(fd, backlog), 0);
        return fd;
}

/* A loopback listener; its port as text. */
static int listen_tcp(char port[8])
{
        struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t len = sizeof(addr);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
        ck_assert_int_eq(listen(fd, 5), 0);
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
        snprintf(port, 8, "%u", ntohs(addr.sin_port));
        return fd;
}

static int tcp_option(int fd, int option)
{
        int value = -1;
        socklen_t len = sizeof(value);

        ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, option, &value, &len), 0);
        return value;
}

static struct gb_transport *run(const char *shell)
{
        char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)shell, NULL};
        struct gb_transport *t = gb_transport_command(argv, -1, "sh", &err);

        ck_assert_msg(t != NULL, "%s", err.text);
        return t;
}

START_TEST(a_missing_local_socket_names_the_place_and_the_remedy)
{
        ck_assert_ptr_null(gb_transport_unix(path, -1, &err));
        ck_assert_int_eq(err.code, GB_ERR_NO_AGENT);
        ck_assert_int_eq(err.sys, ENOENT);
        ck_assert_ptr_nonnull(strstr(err.text, path));
        ck_assert_ptr_nonnull(strstr(err.text, "No such file"));
        ck_assert_ptr_nonnull(strstr(err.text, "is gbackupd running?"));
}
END_TEST

START_TEST(a_socket_path_that_cannot_be_is_refused)
{
        char longer[200];

        memset(longer, 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        ck_assert_ptr_null(gb_transport_unix(longer, -1, &err));
        ck_assert_int_eq(err.code, GB_ERR_USAGE);
}
END_TEST

START_TEST(a_local_socket_connects)
{
        int listener = listen_unix(5);
        struct gb_transport *t = gb_transport_unix(path, -1, &err);
        int far = accept(listener, NULL, NULL);
        char got[4];

        ck_assert_ptr_nonnull(t);
        ck_assert_int_eq(strncmp(t->peer, "unix:/", 6), 0);
        ck_assert_int_eq(fcntl(t->rfd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        ck_assert_int_eq(t->ops->send(t, "ping", 4, 100, &err), 0);
        ck_assert_int_eq(read(far, got, sizeof(got)), 4);
        ck_assert_int_eq(write(far, "pong", 4), 4);
        ck_assert_int_eq(gb_transport_recv_all(t, got, 4, gb_deadline_in(1000), NULL, &err), 0);
        ck_assert_mem_eq(got, "pong", 4);
        gb_transport_close(t);
        close(far);
        close(listener);
}
END_TEST

START_TEST(waiting_for_a_full_backlog_can_be_cancelled)
{
        struct gb_transport *queued[8];
        int listener = listen_unix(0), cancel = eventfd(1, EFD_CLOEXEC), n = 0;

        /* The kernel queues one connection more than the backlog says. */
        queued[n++] = gb_transport_unix(path, -1, &err);
        ck_assert_ptr_nonnull(queued[0]);
        ck_assert_ptr_null(gb_transport_unix(path, cancel, &err));
        ck_assert_int_eq(err.code, GB_ERR_CANCELLED);
        while (n > 0)
                gb_transport_close(queued[--n]);
        close(cancel);
        close(listener);
}
END_TEST

START_TEST(tcp_connects_and_will_notice_a_vanished_peer)
{
        char port[8], peer[32];
        int listener = listen_tcp(port);
        struct gb_transport *t = gb_transport_tcp("127.0.0.1", port, -1, &err);

        ck_assert_msg(t != NULL, "%s", err.text);
        snprintf(peer, sizeof(peer), "127.0.0.1:%s", port);
        ck_assert_str_eq(t->peer, peer);
        ck_assert_int_eq(tcp_option(t->rfd, TCP_NODELAY), 1);
        ck_assert_int_eq(tcp_option(t->rfd, TCP_KEEPIDLE), 15);
        ck_assert_int_eq(tcp_option(t->rfd, TCP_KEEPINTVL), 5);
        ck_assert_int_eq(tcp_option(t->rfd, TCP_KEEPCNT), 4);
        ck_assert_int_eq(tcp_option(t->rfd, TCP_USER_TIMEOUT), GB_REPLY_MS);
        gb_transport_close(t);
        close(listener);
}
END_TEST

START_TEST(a_refused_port_names_the_place_and_the_remedy)
{
        char port[8];

        close(listen_tcp(port));
        ck_assert_ptr_null(gb_transport_tcp("127.0.0.1", port, -1, &err));
        ck_assert_int_eq(err.code, GB_ERR_NO_AGENT);
        ck_assert_int_eq(err.sys, ECONNREFUSED);
        ck_assert_ptr_nonnull(strstr(err.text, port));
        ck_assert_ptr_nonnull(strstr(err.text, "is gbackupd running?"));
}
END_TEST

START_TEST(a_host_that_does_not_exist_is_no_agent)
{
        ck_assert_ptr_null(gb_transport_tcp("no such host", "24017", -1, &err));
        ck_assert_int_eq(err.code, GB_ERR_NO_AGENT);
        ck_assert_ptr_nonnull(strstr(err.text, "no such host:24017"));
}
END_TEST

START_TEST(a_command_talks_over_stdin_and_stdout)
{
        struct gb_transport *t = run("read word; echo got $word");
        char got[9];
        pid_t child = t->child;

        ck_assert_int_eq(t->ops->send(t, "this\n", 5, 1000, &err), 0);
        ck_assert_int_eq(gb_transport_recv_all(t, got, 9, gb_deadline_in(5000), NULL, &err), 0);
        ck_assert_mem_eq(got, "got this\n", 9);
        gb_transport_close(t);
        ck_assert_int_eq(waitpid(child, NULL, WNOHANG), -1);
        ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(a_command_that_ends_is_an_orderly_end)
{
        struct gb_transport *t = run("exit 0");
        char got;

        ck_assert_int_eq(t->ops->recv(t, &got, 1, gb_deadline_in(5000), &err), 0);
        gb_transport_close(t);
}
END_TEST

START_TEST(a_command_that_does_not_exist_is_no_agent)
{
        char *argv[] = {(char *)(uintptr_t) "no-such-program-here", NULL};

        ck_assert_ptr_null(gb_transport_command(argv, -1, "node2", &err));
        ck_assert_int_eq(err.code, GB_ERR_NO_AGENT);
        ck_assert_ptr_nonnull(strstr(err.text, "node2"));
        ck_assert_ptr_nonnull(strstr(err.text, "no-such-program-here"));
}
END_TEST

START_TEST(a_child_that_does_not_leave_is_killed)
{
        struct gb_transport *t = run("trap '' TERM HUP INT; echo; exec sleep 60 <&- >&-");
        int64_t began;
        pid_t child = t->child;
        char got;

        ck_assert_int_eq(gb_transport_recv_all(t, &got, 1, gb_deadline_in(5000), NULL, &err), 0);
        began = gb_now_ms();
        gb_transport_close(t);
        ck_assert_int_lt(gb_now_ms() - began, 1100);
        ck_assert_int_eq(waitpid(child, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(a_child_that_does_not_leave_keeps_nobody_who_is_told_to_end)
{
        struct gb_transport *t = run("trap '' TERM HUP INT; echo; exec sleep 60 <&- >&-");
        int cancel = eventfd(0, EFD_CLOEXEC);
        const uint64_t one = 1;
        int64_t began;
        pid_t child = t->child;
        char got;

        t->cancel_fd = cancel;
        ck_assert_int_eq(gb_transport_recv_all(t, &got, 1, gb_deadline_in(5000), NULL, &err), 0);
        ck_assert_int_eq(write(cancel, &one, sizeof(one)), sizeof(one));
        began = gb_now_ms();
        gb_transport_close(t);
        ck_assert_int_lt(gb_now_ms() - began, 500);
        while (waitpid(child, NULL, 0) == child)
                continue;
        close(cancel);
}
END_TEST

START_TEST(a_child_does_not_inherit_ignored_sigpipe)
{
        struct gb_transport *t;
        char got;

        signal(SIGPIPE, SIG_IGN);
        t = run("kill -PIPE $$; echo survived");
        ck_assert_int_eq(t->ops->recv(t, &got, 1, gb_deadline_in(5000), &err), 0);
        gb_transport_close(t);
}
END_TEST

START_TEST(pipes_serve_as_well_as_sockets)
{
        int in[2], out[2];
        struct gb_transport *t;
        char got[4];

        ck_assert_int_eq(pipe(in), 0);
        ck_assert_int_eq(pipe(out), 0);
        t = gb_transport_plain(in[0], out[1], -1, "pipes", &err);
        ck_assert_ptr_nonnull(t);
        ck_assert_int_eq(t->ops->send(t, "ping", 4, 100, &err), 0);
        ck_assert_int_eq(read(out[0], got, 4), 4);
        ck_assert_int_eq(write(in[1], "pong", 4), 4);
        close(in[1]);
        ck_assert_int_eq(gb_transport_recv_all(t, got, 4, gb_deadline_in(100), NULL, &err), 0);
        ck_assert_int_eq(t->ops->recv(t, got, 4, gb_deadline_in(100), &err), 0);
        gb_transport_close(t);
        close(out[0]);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("transport");
        TCase *tc = tcase_create("transport");
        SRunner *sr = srunner_create(s);
        int failed;

        suite_add_tcase(s, tc);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_set_timeout(tc, 20);
        tcase_add_test(tc, a_missing_local_socket_names_the_place_and_the_remedy);
        tcase_add_test(tc, a_socket_path_that_cannot_be_is_refused);
        tcase_add_test(tc, a_local_socket_connects);
        tcase_add_test(tc, waiting_for_a_full_backlog_can_be_cancelled);
        tcase_add_test(tc, tcp_connects_and_will_notice_a_vanished_peer);
        tcase_add_test(tc, a_refused_port_names_the_place_and_the_remedy);
        tcase_add_test(tc, a_host_that_does_not_exist_is_no_agent);
        tcase_add_test(tc, a_command_talks_over_stdin_and_stdout);
        tcase_add_test(tc, a_command_that_ends_is_an_orderly_end);
        if (!getenv("GB_VALGRIND"))
                tcase_add_test(tc, a_command_that_does_not_exist_is_no_agent);
        tcase_add_test(tc, a_child_that_does_not_leave_is_killed);
        tcase_add_test(tc, a_child_that_does_not_leave_keeps_nobody_who_is_told_to_end);
        tcase_add_test(tc, a_child_does_not_inherit_ignored_sigpipe);
        tcase_add_test(tc, pipes_serve_as_well_as_sockets);
        srunner_run_all(sr, CK_NORMAL);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
