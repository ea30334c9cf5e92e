/*
 * nb_call - see nb_call.h.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nb_call.h"

static const char *const type_names[GB_NB_TYPES] = {"FULL", "INCR", "CINC", "UBAK", "UARC"};

const char *gb_nb_type_name(enum gb_nb_type type)
{
        return type_names[type];
}

/* Names become names of files, so they are what NetBackup itself allows. */
static int check_name(const char *what, const char *name, struct gb_error *err)
{
        static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-";
        size_t n = strlen(name);

        if (n < 1 || n > 255 || strspn(name, ok) != n || name[0] == '.')
                return gb_error_set(err, GB_ERR_USAGE,
                                    "%s \"%.80s\": letters, digits and . _ + - are allowed", what, name);
        return 0;
}

static int parse_type(const char *text, enum gb_nb_type *out, struct gb_error *err)
{
        for (unsigned i = 0; i < GB_NB_TYPES; i++)
                if (strcmp(text, type_names[i]) == 0) {
                        *out = (enum gb_nb_type)i;
                        return 0;
                }
        return gb_error_set(err, GB_ERR_USAGE, "\"%.40s\" is no schedule type: FULL, INCR, CINC, UBAK, UARC",
                            text);
}

static int parse_int(const char *what, const char *text, long min, long max, int *out, struct gb_error *err)
{
        char *end;
        long v;

        errno = 0;
        v = strtol(text, &end, 10);
        if (errno || end == text || *end || v < min || v > max)
                return gb_error_set(err, GB_ERR_USAGE, "%s \"%.40s\" is no number from %ld to %ld", what,
                                    text, min, max);
        *out = (int)v;
        return 0;
}

/* NetBackup sets them for streams; anything else there is not ours. */
static int from_environment(const char *name)
{
        const char *text = getenv(name);
        struct gb_error ignored;
        int v = 0;

        return text && parse_int(name, text, 0, 9999, &v, &ignored) == 0 ? v : 0;
}

static int parse_call(int argc, char **argv, int wanted, struct gb_nb_call *call, struct gb_error *err)
{
        if (argc < wanted)
                return gb_error_set(err, GB_ERR_USAGE,
                                    "usage: gbackup-cli netbackup start|end|exit CLIENT POLICY SCHEDULE TYPE "
                                    "[STATUS [STREAM DONE_TRYING]]");
        call->client = argv[0];
        call->policy = argv[1];
        call->schedule = argv[2];
        call->stream = from_environment("STREAM_NUMBER");
        call->stream_count = from_environment("STREAM_COUNT");
        return check_name("client", argv[0], err) < 0 || check_name("policy", argv[1], err) < 0 ||
                               check_name("schedule", argv[2], err) < 0 ||
                               parse_type(argv[3], &call->type, err) < 0
                       ? -1
                       : 0;
}

/* `prepare` has other arguments: it knows no client, and the schedule may be left out. */
static int parse_prepare(int argc, char **argv, struct gb_nb_call *call, struct gb_error *err)
{
        if (argc < 2 || argc > 3)
                return gb_error_set(err, GB_ERR_USAGE,
                                    "usage: gbackup-cli netbackup prepare POLICY TYPE [SCHEDULE]");
        call->client = "-";
        call->policy = argv[0];
        call->schedule = argc > 2 ? argv[2] : "any";
        return check_name("policy", call->policy, err) < 0 ||
                               check_name("schedule", call->schedule, err) < 0 ||
                               parse_type(argv[1], &call->type, err) < 0
                       ? -1
                       : 0;
}

int gb_nb_call_parse(const char *hook, int argc, char **argv, struct gb_nb_call *call, struct gb_error *err)
{
        bool start = strcmp(hook, "start") == 0, end = strcmp(hook, "end") == 0;
        int done = 0;

        if (strcmp(hook, "prepare") == 0)
                return parse_prepare(argc, argv, call, err);
        if (!start && !end && strcmp(hook, "exit") != 0)
                return gb_error_set(err, GB_ERR_USAGE, "\"%.40s\" is no hook: start, end, exit, prepare",
                                    hook);
        if (parse_call(argc, argv, start ? 4 : end ? 5 : 7, call, err) < 0)
                return -1;
        if (!start && parse_int("status", argv[4], 0, 1000000, &call->status, err) < 0)
                return -1;
        if (!start && !end &&
            (parse_int("stream", argv[5], -1, 9999, &call->stream, err) < 0 ||
             parse_int("done_trying", argv[6], 0, 1, &done, err) < 0))
                return -1;
        call->done_trying = done;
        return 0;
}
