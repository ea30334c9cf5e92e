/*
 * example - a backup program in one page: a session, its list, and only then the commit.
 *
 *     cc example.c $(pkg-config --cflags --libs gbackup) -o example
 *     ./example SESSION HOST VOLUME        the first time; and each time after
 *
 * Prints a line for each path: what a real program would read, or drop, is up to it.
 */
#include <libgbackup.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static gbackup *handle;

static void on_signal(int sig)
{
        (void)sig;
        gbackup_cancel(handle);
}

static void on_message(void *arg, const char *text)
{
        fprintf(stderr, "%s: %s\n", (const char *)arg, text);
}

/* Paths are any bytes; here they are printed for people. */
static int each(void *arg, const struct gbackup_entry *e)
{
        static const char *const ops[] = {"", "DELETE", "RENAME", "NEW", "MODIFY"};

        ++*(uint64_t *)arg;
        if (e->op == GBACKUP_RENAME)
                printf("%s %c %s -> %s\n", ops[e->op], e->type, e->old_path, e->path);
        else
                printf("%s %c %s\n", ops[e->op], e->type, e->path);
        return ferror(stdout); /* not 0: the list is given up, and the session stands where it stood */
}

static int one_run(gbackup *h, const char *session)
{
        uint64_t n = 0;
        int status = gbackup_prepare(h, session, each, &n);

        if (status != GBACKUP_OK)
                return status;
        printf("%s: %" PRIu64 " entries\n", gbackup_is_full(h) ? "full" : "incremental", n);
        if (fflush(stdout) != 0) { /* the backup failed: the next list tells the same again */
                gbackup_abort(h, session);
                return GBACKUP_ERROR;
        }
        return gbackup_commit(h, session, gbackup_generation(h));
}

int main(int argc, char **argv)
{
        int status;

        if (argc != 2 && argc != 4) {
                fprintf(stderr, "usage: %s SESSION [HOST VOLUME]\n", argv[0]);
                return GBACKUP_USAGE;
        }
        handle = gbackup_new();
        if (!handle)
                return GBACKUP_ERROR;
        signal(SIGPIPE, SIG_IGN);
        signal(SIGINT, on_signal);
        gbackup_on_message(handle, on_message, argv[0]);
        status = argc == 4 ? gbackup_register(handle, argv[1], argv[2], argv[3]) : GBACKUP_OK;
        if (status == GBACKUP_OK)
                status = one_run(handle, argv[1]);
        if (status != GBACKUP_OK)
                fprintf(stderr, "%s: status %d: %s\n", argv[0], status, gbackup_error(handle));
        gbackup_free(handle);
        return status;
}
