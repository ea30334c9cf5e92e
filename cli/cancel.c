/*
 * cancel - SIGINT and SIGTERM.
 */
#include <config.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "cancel.h"
#include "exitcode.h"
#include "output.h"

static int cancel_pipe[2] = {-1, -1};

/* Milliseconds from the first signal to the end, however busy we are. */
#define CANCEL_MS 100

static volatile sig_atomic_t hold;

void gb_cancel_hold(void)
{
        hold = 1;
}

/* Whatever kept us: everything that could be left behind is a name of a temporary file. */
static void on_timer(int sig)
{
        static const char text[] = "gbackup-cli: interrupted\n";
        static const char held[] =
                "gbackup-cli: interrupted while committing; `show` tells where it stands\n";

        (void)sig;
        gb_output_abandon();
        (void)!write(STDERR_FILENO, hold ? held : text, (hold ? sizeof(held) : sizeof(text)) - 1);
        _exit(GB_EXIT_ERROR);
}

/* The first signal asks everything that waits to give up, and soon does not ask any more; the second does
 * not wait. */
static void on_signal(int sig)
{
        const struct itimerval soon = {.it_value.tv_usec = CANCEL_MS * 1000};
        static volatile sig_atomic_t before;

        if (before) {
                gb_output_abandon();
                _exit(128 + sig);
        }
        before = 1;
        setitimer(ITIMER_REAL, &soon, NULL);
        if (!hold && write(cancel_pipe[1], "", 1) < 0)
                _exit(128 + sig);
}

int gb_cancel_apart(void)
{
        close(cancel_pipe[0]);
        close(cancel_pipe[1]);
        return pipe2(cancel_pipe, O_CLOEXEC | O_NONBLOCK) < 0 ? -1 : cancel_pipe[0];
}

int gb_cancel_setup(struct gb_cli *c)
{
        struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

        if (pipe2(cancel_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
                return -1;
        c->cancel_fd = cancel_pipe[0];
        signal(SIGPIPE, SIG_IGN);
        signal(SIGALRM, on_timer);
        sigaction(SIGINT, &sa, NULL);
        sigaction(SIGTERM, &sa, NULL);
        sigaction(SIGHUP, &sa, NULL);
        return 0;
}
