/*
 * libgbackup - the commands of gbackup-cli as calls (libgbackup.h).
 *
 * A command fills a list; here the list goes to a function (gb_sink, cli/list.h).  A command says what it has
 * to say by gb_say() and gb_note(); here these keep the text for gbackup_error() and hand it to the caller.
 */
#include <config.h>

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "libgbackup.h"
#include "list.h"
#include "selection.h"

struct gbackup {
        struct gb_cli cli;
        struct gb_sink sink;
        struct gb_select select;
        int cancel[2];
        char *rsh, *types; /* owned: options */
        gbackup_each *each;
        void *arg;
        char path[GB_PATH_MAX + 1], old[GB_PATH_MAX + 1];
        char error[2048]; /* the last thing that was said */
        void (*message)(void *arg, const char *text);
        void *message_arg;
};

/* Whose call this thread is in. */
static __thread struct gbackup *current;

__attribute__((format(printf, 2, 0))) static void say(bool remark, const char *fmt, va_list ap)
{
        char text[sizeof(current->error)];

        if (!current)
                return;
        vsnprintf(text, sizeof(text), fmt, ap);
        if (!remark)
                memcpy(current->error, text, sizeof(text));
        if (current->message)
                current->message(current->message_arg, text);
}

void gb_say(const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        say(false, fmt, ap);
        va_end(ap);
}

void gb_note(const struct gb_cli *c, const char *fmt, ...)
{
        va_list ap;

        (void)c;
        va_start(ap, fmt);
        say(true, fmt, ap);
        va_end(ap);
}

/* A caller that cancels a commit gets what it asked for: whatever has committed decides, the rest follows
 * when the session is opened next. */
void gb_cancel_hold(void)
{
}

static int hand_over(void *arg, const struct gb_op *op, struct gb_error *err)
{
        struct gbackup *h = arg;
        struct gbackup_entry e = {.op = (enum gbackup_op)op->kind,
                                  .type = op->type ? op->type : 'f',
                                  .path = h->path,
                                  .path_len = op->len,
                                  .gfid = op->has_gfid ? op->gfid.b : NULL,
                                  .changed = op->flags & (GB_FACT_DATA | GB_FACT_META | GB_FACT_XATTR)};

        memcpy(h->path, op->path, op->len);
        h->path[op->len] = '\0';
        if (op->kind == GB_OP_RENAME) {
                memcpy(h->old, op->old, op->old_len);
                h->old[op->old_len] = '\0';
                e.old_path = h->old;
                e.old_path_len = op->old_len;
        }
        return h->each(h->arg, &e) == 0 ? 0 : gb_error_set(err, GB_ERR_SYSTEM, "stopped by the caller");
}

gbackup *gbackup_new(void)
{
        struct gbackup *h = calloc(1, sizeof(*h));

        if (!h)
                return NULL;
        if (pipe2(h->cancel, O_CLOEXEC | O_NONBLOCK) < 0) {
                free(h);
                return NULL;
        }
        gb_select_init(&h->select);
        h->sink = (struct gb_sink){.each = hand_over, .arg = h};
        h->cli = (struct gb_cli){.o = {.out_file = "-",
                                       .format = GB_FORMAT_JSONL,
                                       .select = &h->select,
                                       .sink = &h->sink,
                                       .quiet = true,
                                       .progress = GB_PROGRESS_NONE},
                                 .cancel_fd = h->cancel[0]};
        return h;
}

void gbackup_free(gbackup *h)
{
        if (!h)
                return;
        close(h->cancel[0]);
        close(h->cancel[1]);
        gb_select_fini(&h->select);
        free(h->rsh);
        free(h->types);
        free(h);
}

const char *gbackup_error(const gbackup *h)
{
        return h->error;
}

void gbackup_on_message(gbackup *h, void (*fn)(void *arg, const char *text), void *arg)
{
        h->message = fn;
        h->message_arg = arg;
}

void gbackup_cancel(gbackup *h)
{
        if (write(h->cancel[1], "", 1) < 0)
                return; /* full: it was cancelled before */
}

int gbackup_is_full(const gbackup *h)
{
        return h->sink.full;
}

const char *gbackup_generation(const gbackup *h)
{
        return h->sink.generation;
}

const char *gbackup_version(void)
{
        return PACKAGE_VERSION;
}

/* ---- options ---- */

static int bad(gbackup *h, const char *what)
{
        snprintf(h->error, sizeof(h->error), "%s", what);
        return GBACKUP_USAGE;
}

static int keep(gbackup *h, char **to, const char *value)
{
        char *copy = strdup(value);

        if (!copy)
                return bad(h, "out of memory");
        free(*to);
        *to = copy;
        return GBACKUP_OK;
}

static int set_level(gbackup *h, const char *value)
{
        static const char *const names[] = {[GB_LEVEL_AUTO] = "auto",
                                            [GB_LEVEL_FULL] = "full",
                                            [GB_LEVEL_INCREMENTAL] = "incremental",
                                            [GB_LEVEL_CUMULATIVE] = "cumulative"};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(value, names[i]) == 0) {
                        h->cli.o.level = (enum gb_list_level)i;
                        return GBACKUP_OK;
                }
        return bad(h, "level is one of auto, full, incremental, cumulative");
}

static int set_type(gbackup *h, const char *value)
{
        if (!*value || strspn(value, "fdlpsbc") != strlen(value) || keep(h, &h->types, value) != GBACKUP_OK)
                return bad(h, "type takes letters of f d l p s b c");
        h->cli.o.types = h->types;
        return GBACKUP_OK;
}

static int set_rsh(gbackup *h, const char *value)
{
        if (!*value || keep(h, &h->rsh, value) != GBACKUP_OK)
                return bad(h, "rsh needs a program");
        h->cli.o.rsh = h->rsh;
        return GBACKUP_OK;
}

static int set_on_gap(gbackup *h, const char *value)
{
        h->cli.o.full_on_gap = strcmp(value, "full") == 0;
        return h->cli.o.full_on_gap || strcmp(value, "fail") == 0 ? GBACKUP_OK
                                                                  : bad(h, "on-gap is one of fail, full");
}

/* Options without a value. */
static bool *flag_of(gbackup *h, const char *option)
{
        return strcmp(option, "expand") == 0    ? &h->sink.expand
               : strcmp(option, "sweep") == 0   ? &h->cli.o.sweep
               : strcmp(option, "partial") == 0 ? &h->cli.o.partial
                                                : NULL;
}

int gbackup_set(gbackup *h, const char *option, const char *value)
{
        bool *flag = flag_of(h, option);
        struct gb_error err = {0};
        int rc;

        h->error[0] = '\0';
        if (flag) {
                *flag = true;
                return value ? bad(h, "this option takes no value") : GBACKUP_OK;
        }
        if (!value)
                return bad(h, "no such option, or one that needs a value");
        rc = gb_selection_set(&h->select, option, value, &err);
        if (rc <= 0)
                return rc == 0 ? GBACKUP_OK : bad(h, err.text);
        if (strcmp(option, "type") == 0)
                return set_type(h, value);
        if (strcmp(option, "rsh") == 0)
                return set_rsh(h, value);
        if (strcmp(option, "on-gap") == 0)
                return set_on_gap(h, value);
        if (strcmp(option, "level") == 0)
                return set_level(h, value);
        return bad(h, "no such option");
}

/* ---- calls ---- */

static int call(gbackup *h, int (*command)(const struct gb_cli *c, int argc, char **argv), gbackup_each *each,
                void *arg, const char *a, const char *b, const char *c, const char *d)
{
        /* Commands change no argument; their type is that of main()'s. */
        char *argv[] = {(char *)(uintptr_t)a, (char *)(uintptr_t)b, (char *)(uintptr_t)c,
                        (char *)(uintptr_t)d, NULL};
        struct gbackup *outer = current;
        int argc = 0, status;

        while (argv[argc])
                argc++;
        h->error[0] = '\0';
        h->each = each;
        h->arg = arg;
        current = h;
        status = command(&h->cli, argc, argv);
        current = outer;
        if (status == GBACKUP_OK)
                h->error[0] = '\0'; /* what was said was a warning, and has been handed over */
        return status;
}

int gbackup_full(gbackup *h, const char *host, const char *volume, gbackup_each *each, void *arg)
{
        return call(h, gb_cmd_full, each, arg, host, volume, NULL, NULL);
}

int gbackup_changes(gbackup *h, const char *host, const char *volume, int64_t start, int64_t end,
                    gbackup_each *each, void *arg)
{
        char from[32], to[32];

        snprintf(from, sizeof(from), "%" PRId64, start);
        snprintf(to, sizeof(to), "%" PRId64, end);
        return call(h, gb_cmd_inc, each, arg, host, volume, from, to);
}

int gbackup_register(gbackup *h, const char *session, const char *host, const char *volume)
{
        return call(h, gb_cmd_register, NULL, NULL, session, host, volume, NULL);
}

int gbackup_prepare(gbackup *h, const char *session, gbackup_each *each, void *arg)
{
        h->sink.full = false;
        h->sink.generation[0] = '\0';
        return call(h, gb_cmd_prepare, each, arg, session, NULL, NULL, NULL);
}

int gbackup_commit(gbackup *h, const char *session, const char *generation)
{
        return call(h, gb_cmd_commit, NULL, NULL, session, generation, NULL, NULL);
}

int gbackup_abort(gbackup *h, const char *session)
{
        return call(h, gb_cmd_abort, NULL, NULL, session, NULL, NULL, NULL);
}

int gbackup_unregister(gbackup *h, const char *session)
{
        return call(h, gb_cmd_unregister, NULL, NULL, session, NULL, NULL, NULL);
}
