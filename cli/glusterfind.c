/*
 * gbackup-glusterfind - glusterfind's commands, options, lines and words, answered by gbackup-cli.
 *
 * A program of its own that runs gbackup-cli: session S of volume V is gbackup's session S.V (glusterfind's
 * names hold no dot), create is `register` and a mark, pre is `prepare`, post is `commit`, query is `inc` or
 * `full`, delete is `unregister`.  Different from glusterfind on purpose: the exit status is 0 only if the
 * list is complete, and then everything up to now is in it.  See gbackup-glusterfind(1).
 */
#include <config.h>

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "glusterfind.h"

enum { CREATE = 1, PRE = 2, POST = 4, QUERY = 8, LIST = 16, DELETE = 32 };

static const struct command {
        const char *name;
        unsigned bit;
        int words;
        int (*act)(const struct gf_request *r);
        const char *usage;
} commands[] = {
        {"create", CREATE, 2, gf_create, "create SESSION VOLUME [--force] [--reset-session-time] [--debug]"},
        {"pre", PRE, 3, gf_pre,
         "pre SESSION VOLUME OUTFILE [--full] [--regenerate-outfile] [--on-gap=full] [OUTPUT OPTION]..."},
        {"post", POST, 2, gf_post, "post SESSION VOLUME [--debug]"},
        {"query", QUERY, 2, gf_query,
         "query VOLUME OUTFILE {--since-time TIME [--end-time TIME] | --full} [OUTPUT OPTION]..."},
        {"list", LIST, 0, gf_list, "list [--session SESSION] [--volume VOLUME] [--debug]"},
        {"delete", DELETE, 2, gf_delete, "delete SESSION VOLUME [--debug]"},
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

enum {
        OPT_DEBUG = 256,
        OPT_FORCE,
        OPT_RESET,
        OPT_SESSION,
        OPT_VOLUME,
        OPT_NO_ENCODE,
        OPT_FULL,
        OPT_PARTIAL,
        OPT_PREFIX,
        OPT_REGENERATE,
        OPT_TAG,
        OPT_TYPE,
        OPT_SEPARATOR,
        OPT_SINCE,
        OPT_END,
        OPT_ON_GAP
};

static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                        {"debug", no_argument, NULL, OPT_DEBUG},
                                        {"force", no_argument, NULL, OPT_FORCE},
                                        {"reset-session-time", no_argument, NULL, OPT_RESET},
                                        {"session", required_argument, NULL, OPT_SESSION},
                                        {"volume", required_argument, NULL, OPT_VOLUME},
                                        {"no-encode", no_argument, NULL, OPT_NO_ENCODE},
                                        {"full", no_argument, NULL, OPT_FULL},
                                        {"disable-partial", no_argument, NULL, OPT_PARTIAL},
                                        {"output-prefix", required_argument, NULL, OPT_PREFIX},
                                        {"regenerate-outfile", no_argument, NULL, OPT_REGENERATE},
                                        {"only-namespace-changes", no_argument, NULL, 'N'},
                                        {"tag-for-full-find", required_argument, NULL, OPT_TAG},
                                        {"type", required_argument, NULL, OPT_TYPE},
                                        {"field-separator", required_argument, NULL, OPT_SEPARATOR},
                                        {"since-time", required_argument, NULL, OPT_SINCE},
                                        {"end-time", required_argument, NULL, OPT_END},
                                        {"on-gap", required_argument, NULL, OPT_ON_GAP},
                                        {NULL, 0, NULL, 0}};

/* ---- telling ---- */

static void help(FILE *to)
{
        fputs("usage:\n", to);
        for (size_t i = 0; i < N_COMMANDS; i++)
                fprintf(to, "  gbackup-glusterfind %s\n", commands[i].usage);
        fputs("\noutput options:\n"
              "  --output-prefix DIR        in front of each path\n"
              "  --no-encode                blank, newline and percent as they are\n"
              "  --field-separator TEXT     between the words of a line\n"
              "  --only-namespace-changes   no MODIFY; -N\n"
              "  --tag-for-full-find WORD   with --full: instead of NEW; \"\": none\n"
              "  --type f|d|both            with --full\n"
              "  --disable-partial          nothing else is done\n"
              "  --on-gap fail|full         what to do when the records have a gap\n"
              "  --debug                    nothing\n"
              "  -h, --help                 this text\n"
              "\nSee gbackup-glusterfind(1).\n",
              to);
}

static int usage(const char *what)
{
        fprintf(stderr, "gbackup-glusterfind: %s\n", what);
        help(stderr);
        return GF_EXIT_USAGE;
}

static bool is_number(const char *text)
{
        return *text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 19;
}

/* The commands an option belongs to. */
static unsigned commands_of(int opt)
{
        switch (opt) {
        case OPT_DEBUG:
        case 'h':
                return ~0u;
        case OPT_FORCE:
        case OPT_RESET:
                return CREATE;
        case OPT_SESSION:
        case OPT_VOLUME:
                return LIST;
        case OPT_REGENERATE:
                return PRE;
        case OPT_SINCE:
        case OPT_END:
                return QUERY;
        default:
                return PRE | QUERY;
        }
}

/* -1: go on; otherwise the exit status. */
static int one_option(struct gf_request *r, const struct command *cmd, int opt)
{
        if (opt == '?' || opt == ':')
                return usage("unknown option, or an option without its value");
        if (!(commands_of(opt) & cmd->bit))
                return usage("this option belongs to another command");
        switch (opt) {
        case 'h':
                help(stdout);
                return GB_EXIT_OK;
        case OPT_FORCE:
                r->force = true;
                return -1;
        case OPT_RESET:
                r->reset_time = true;
                return -1;
        case OPT_SESSION:
                r->only_session = optarg;
                return -1;
        case OPT_VOLUME:
                r->only_volume = optarg;
                return -1;
        case OPT_NO_ENCODE:
                r->no_encode = true;
                return -1;
        case OPT_FULL:
                r->full = true;
                return -1;
        case OPT_PREFIX:
                r->prefix = optarg;
                return -1;
        case OPT_REGENERATE:
                r->regenerate = true;
                return -1;
        case 'N':
                r->only_namespace = true;
                return -1;
        case OPT_TAG:
                r->tag = optarg;
                return -1;
        case OPT_TYPE:
                r->type = optarg;
                return strcmp(optarg, "f") == 0 || strcmp(optarg, "d") == 0 || strcmp(optarg, "both") == 0
                               ? -1
                               : usage("--type is one of f, d, both");
        case OPT_SEPARATOR:
                r->separator = optarg;
                return -1;
        case OPT_SINCE:
                r->since = optarg;
                return is_number(optarg) ? -1 : usage("--since-time: unix seconds");
        case OPT_END:
                r->until = optarg;
                return is_number(optarg) ? -1 : usage("--end-time: unix seconds");
        case OPT_ON_GAP:
                r->on_gap = optarg;
                return strcmp(optarg, "fail") == 0 || strcmp(optarg, "full") == 0
                               ? -1
                               : usage("--on-gap is one of fail, full");
        default: /* --debug, --disable-partial: as it is anyway */
                return -1;
        }
}

static int take_words(struct gf_request *r, const struct command *cmd, int argc, char **argv)
{
        const char *out = NULL;

        if (argc != cmd->words)
                return usage("too few or too many arguments");
        if (cmd->bit & (CREATE | PRE | POST | DELETE)) {
                r->session = argv[0];
                r->volume = argv[1];
                out = cmd->bit == PRE ? argv[2] : NULL;
        } else if (cmd->bit == QUERY) {
                r->volume = argv[0];
                out = argv[1];
        }
        if (out && *out != '/') {
                GB_CLEANUP_FREE
                char *here = realpath(".", NULL);

                if (!here || asprintf(&r->outfile, "%s/%s", here, out) < 0)
                        r->outfile = NULL;
        } else if (out) {
                r->outfile = strdup(out);
        }
        if (out && (!*out || !r->outfile))
                return usage("OUTFILE cannot be used");
        return r->volume && (!*r->volume || *r->volume == '-') ? usage("this is no volume") : -1;
}

int main(int argc, char **argv)
{
        const struct command *cmd = NULL;
        struct gf_request r = {0};
        int opt, status;

        if (argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
                help(stdout);
                return GB_EXIT_OK;
        }
        for (size_t i = 0; argc > 1 && i < N_COMMANDS; i++)
                if (strcmp(argv[1], commands[i].name) == 0)
                        cmd = &commands[i];
        if (!cmd)
                return usage("a command is needed: create, pre, post, query, list, delete");
        opterr = 0;
        while ((opt = getopt_long(argc - 1, argv + 1, "hN", options, NULL)) != -1)
                if ((status = one_option(&r, cmd, opt)) >= 0)
                        return status;
        status = take_words(&r, cmd, argc - 1 - optind, argv + 1 + optind);
        if (status < 0) {
                gf_catch_interrupts();
                status = cmd->act(&r);
        }
        free(r.outfile);
        return fflush(stdout) == 0 ? status : GB_EXIT_ERROR;
}
