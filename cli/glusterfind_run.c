/*
 * glusterfind_run - see glusterfind.h.
 */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "glusterfind.h"

int gf_fail(const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fputc('\n', stderr);
        return GB_EXIT_ERROR;
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
        (void)sig;
        interrupted = 1;
}

void gf_catch_interrupts(void)
{
        signal(SIGINT, on_interrupt);
}

void gf_add(struct gf_words *c, const char *word)
{
        if (c->n + 1 < GF_WORDS_MAX)
                c->w[c->n++] = word;
}

static const char *env_or(const char *name, const char *otherwise)
{
        const char *v = getenv(name);

        return v && *v ? v : otherwise;
}

int gf_run(const struct gf_words *c, char **out)
{
        int fds[2] = {-1, -1}, status;
        size_t len = 0;
        pid_t pid;

        if (out && pipe(fds) < 0)
                return gf_fail("pipe: %s", strerror(errno));
        pid = fork();
        if (pid == 0) {
                if (out) {
                        dup2(fds[1], STDOUT_FILENO);
                        close(fds[0]);
                        close(fds[1]);
                }
                execvp(c->w[0], (char *const *)(uintptr_t)c->w);
                gf_fail("%s: %s", c->w[0], strerror(errno));
                _exit(GB_EXIT_ERROR);
        }
        if (out) {
                FILE *in;

                close(fds[1]);
                in = fdopen(fds[0], "r");
                *out = NULL;
                if (in && getdelim(out, &len, '\0', in) < 0 && ferror(in))
                        status = -1;
                if (in)
                        fclose(in);
        }
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : GB_EXIT_ERROR;
}

struct gf_words gf_cli(const char *command, const char *name)
{
        struct gf_words c = {.n = 0};

        gf_add(&c, env_or("GBACKUP_CLI", GB_BINDIR "/gbackup-cli"));
        gf_add(&c, "--quiet");
        gf_add(&c, command);
        gf_add(&c, name);
        return c;
}

int gf_status_of(int cli_status)
{
        if (interrupted)
                return GF_EXIT_USAGE;
        return cli_status == GB_EXIT_INCOMPLETE ? GB_EXIT_ERROR : cli_status;
}

const char *gf_host(void)
{
        const char *forced = getenv("GBACKUP_GLUSTERFIND_HOST");

        if (forced && *forced)
                return forced;
        return access(env_or("GBACKUP_SOCKET", GB_RUNDIR "/agent.sock"), F_OK) == 0 ? "localhost" : "local";
}
