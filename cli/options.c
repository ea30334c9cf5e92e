/*
 * options - see options.h.
 */
#include <config.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "command.h"
#include "list.h"
#include "options.h"
#include "selection.h"

enum {
        OPT_VERSION = 256,
        OPT_FORMAT,
        OPT_LEVEL,
        OPT_WILDCARDS,
        OPT_DIRECTORIES,
        OPT_PREFIX,
        OPT_SPLIT,
        OPT_TYPE,
        OPT_PARTIAL,
        OPT_NO_MANIFEST,
        OPT_SWEEP,
        OPT_ON_GAP,
        OPT_JSON,
        OPT_PROGRESS,
        OPT_RSH,
        OPT_KEEP,
        OPT_YES,
        OPT_NO_CUMULATIVE,
        OPT_TEXTFILE,
        OPT_FIELD_SEPARATOR,
        OPT_TAG_FOR_FULL,
        OPT_NO_ENCODE,
        OPT_ENCODE_PLUS,
        OPT_ONLY_NAMESPACE,
        OPT_TLS_DIR,
        OPT_PORT,
        OPT_SHOW_COMMAND,
        OPT_RENEW,
        OPT_SCOPE,
        OPT_INCLUDE,
        OPT_EXCLUDE,
        OPT_MIN_SIZE,
        OPT_MAX_SIZE,
        OPT_NEWER
};

static const struct option long_options[] = {
        {"out-file", required_argument, NULL, 'o'},
        {"format", required_argument, NULL, OPT_FORMAT},
        {"level", required_argument, NULL, OPT_LEVEL},
        {"wildcards", required_argument, NULL, OPT_WILDCARDS},
        {"directories", required_argument, NULL, OPT_DIRECTORIES},
        {"null", no_argument, NULL, '0'},
        {"prefix", required_argument, NULL, OPT_PREFIX},
        {"split", required_argument, NULL, OPT_SPLIT},
        {"type", required_argument, NULL, OPT_TYPE},
        {"partial", no_argument, NULL, OPT_PARTIAL},
        {"on-gap", required_argument, NULL, OPT_ON_GAP},
        {"no-manifest", no_argument, NULL, OPT_NO_MANIFEST},
        {"sweep", no_argument, NULL, OPT_SWEEP},
        {"json", no_argument, NULL, OPT_JSON},
        {"quiet", no_argument, NULL, 'q'},
        {"progress", required_argument, NULL, OPT_PROGRESS},
        {"rsh", required_argument, NULL, OPT_RSH},
        {"keep", required_argument, NULL, OPT_KEEP},
        {"yes", no_argument, NULL, OPT_YES},
        {"no-cumulative", no_argument, NULL, OPT_NO_CUMULATIVE},
        {"field-separator", required_argument, NULL, OPT_FIELD_SEPARATOR},
        {"tag-for-full", required_argument, NULL, OPT_TAG_FOR_FULL},
        {"no-encode", no_argument, NULL, OPT_NO_ENCODE},
        {"encode-plus", no_argument, NULL, OPT_ENCODE_PLUS},
        {"only-namespace-changes", no_argument, NULL, OPT_ONLY_NAMESPACE},
        {"scope", required_argument, NULL, OPT_SCOPE},
        {"include", required_argument, NULL, OPT_INCLUDE},
        {"exclude", required_argument, NULL, OPT_EXCLUDE},
        {"min-size", required_argument, NULL, OPT_MIN_SIZE},
        {"max-size", required_argument, NULL, OPT_MAX_SIZE},
        {"newer", required_argument, NULL, OPT_NEWER},
        {"show-command", no_argument, NULL, OPT_SHOW_COMMAND},
        {"textfile", required_argument, NULL, OPT_TEXTFILE},
        {"tls-dir", required_argument, NULL, OPT_TLS_DIR},
        {"port", required_argument, NULL, OPT_PORT},
        {"renew", no_argument, NULL, OPT_RENEW},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, OPT_VERSION},
        {NULL, 0, NULL, 0}};

static int help(void)
{
        puts("usage: gbackup-cli [OPTION]... COMMAND ARGUMENT...\n"
             "       gbackup-cli [OPTION]... SESSION            same as: run SESSION\n"
             "\ncommands:");
        gb_commands_help();
        puts("\noptions:\n"
             "  -o, --out-file=FILE     write the list here (output.txt); - is stdout\n"
             "      --format=FORMAT     paths (default), changes, jsonl, glusterfind, rsync, tar, bsdtar,\n"
             "                          cpio, borg, restic, rclone, netbackup, csv, tsv\n"
             "      --split=N           in N files of equal weight, FILE.1 to FILE.N, for parallel backups\n"
             "      --show-command      print the command line that reads such a list, and end\n"
             "      --level=LEVEL       what a run tells of: auto, full, incremental, cumulative (since the "
             "last "
             "full),\n"
             "                          mark (nothing: only remember the position)\n"
             "      --wildcards=HOW     netbackup: escape (default) or raw\n"
             "      --directories=WHICH netbackup: empty (default: only new, empty ones) or all\n"
             "  -0, --null              end lines with NUL instead of newline\n"
             "      --field-separator=TEXT    glusterfind: between the words of a line, instead of a blank\n"
             "      --tag-for-full=WORD       glusterfind: begins the lines of a full list, instead of NEW; "
             "\"\": none\n"
             "      --no-encode               glusterfind: blank, newline and percent as they are\n"
             "      --encode-plus             glusterfind: + as %2B, for readers that take it for a blank\n"
             "      --only-namespace-changes  glusterfind: no MODIFY\n"
             "      --no-manifest       no FILE.manifest beside the list\n"
             "      --sweep             add files that changed without a record, by a look at all ctimes\n"
             "      --prefix=DIR        put DIR in front of every path\n"
             "      --scope=DIR         only what lies below this directory of the volume\n"
             "      --include=GLOB      only what this matches, or one of several\n"
             "      --exclude=GLOB      not what this matches\n"
             "      --type=LETTERS      only these types: f d l p s b c\n"
             "      --min-size=SIZE     of files: only those of this size and larger; K M G T P are allowed\n"
             "      --max-size=SIZE     of files: only those of this size and smaller\n"
             "      --newer=TIME        of files: only those changed at TIME or later\n"
             "                          (what a session selects is said when it is registered)\n"
             "      --partial           full: list although a replica set is missing (still exit status 2)\n"
             "      --on-gap=WHAT       fail (default, exit status 3), or full: list a replica set whose "
             "history\n"
             "                          has a gap in full\n"
             "      --rsh=PROGRAM       reach agents by PROGRAM HOST gbackupd --single\n"
             "      --tls-dir=DIR       this machine's key and certificates (" GB_SYSCONFDIR "/gbackup/tls)\n"
             "      --port=PORT         TCP port of agents (24017)\n"
             "      --renew             tls setup, tls key: make new keys\n"
             "      --json              JSON from sessions, show, status, doctor, changelog, verify\n"
             "      --keep=DAYS         changelog purge: keep the history of the last DAYS days (30)\n"
             "      --no-cumulative     changelog: do not count what runs since the last full need\n"
             "      --yes               changelog purge: remove, instead of telling what would be\n"
             "      --textfile=FILE     metrics: into this file, for node_exporter's textfile collector\n"
             "      --progress=MODE     auto, none, json\n"
             "  -q, --quiet             only errors on stderr\n"
             "  -h, --help              this text\n"
             "      --version           version\n"
             "\nHOST is any node of the volume, or `local`.  START and END: unix seconds or ISO-8601.\n"
             "Exit status: 0 complete, 1 error, 2 incomplete, 3 gap in history, 4 busy, 5 names skipped,\n"
             "64 usage, 69 no agent, 78 configuration.  See gbackup-cli(1).");
        return GB_EXIT_OK;
}

int gb_usage(const char *what)
{
        gb_say("%s; see gbackup-cli --help", what);
        return GB_EXIT_USAGE;
}

static int parse_format(const char *name, enum gb_format *out)
{
        char text[256] = "--format is one of";

        *out = gb_format_find(name);
        if (*out < GB_FORMATS)
                return -1;
        for (enum gb_format f = GB_FORMAT_PATHS; f < GB_FORMATS; f++) {
                size_t n = strlen(text);

                snprintf(text + n, sizeof(text) - n, "%s %s", f ? "," : "", gb_formats[f]->name);
        }
        return gb_usage(text);
}

static bool parse_level(const char *name, enum gb_list_level *out)
{
        static const char *const names[] = {[GB_LEVEL_AUTO] = "auto",
                                            [GB_LEVEL_FULL] = "full",
                                            [GB_LEVEL_INCREMENTAL] = "incremental",
                                            [GB_LEVEL_CUMULATIVE] = "cumulative",
                                            [GB_LEVEL_MARK] = "mark"};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(name, names[i]) == 0) {
                        *out = (enum gb_list_level)i;
                        return true;
                }
        return false;
}

static bool parse_progress(const char *name, enum gb_progress_mode *out)
{
        static const char *const names[] = {
                [GB_PROGRESS_AUTO] = "auto", [GB_PROGRESS_NONE] = "none", [GB_PROGRESS_JSON] = "json"};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(name, names[i]) == 0) {
                        *out = (enum gb_progress_mode)i;
                        return true;
                }
        return false;
}

static bool parse_number(const char *text, unsigned min, unsigned max, unsigned *out)
{
        char *end;
        unsigned long v = strtoul(text, &end, 10);

        *out = (unsigned)v;
        return *text >= '0' && *text <= '9' && !*end && v >= min && v <= max;
}

static int take_selection(struct gb_options *o, int opt)
{
        const struct option *l = long_options;
        struct gb_error err = {0};

        while (l->val != opt)
                l++;
        return gb_selection_set(o->select, l->name, optarg, &err) == 0 ? -1 : gb_usage(err.text);
}

/* -1: go on; otherwise the exit status. */
static int one_option(struct gb_options *o, int opt)
{
        switch (opt) {
        case 'o':
                o->out_file = optarg;
                return *optarg ? -1 : gb_usage("--out-file needs a name");
        case '0':
                o->null = true;
                return -1;
        case 'q':
                o->quiet = true;
                return -1;
        case 'h':
                return help();
        case OPT_VERSION:
                puts(PACKAGE_STRING);
                return GB_EXIT_OK;
        case OPT_FORMAT:
                return parse_format(optarg, &o->format);
        case OPT_SCOPE:
        case OPT_INCLUDE:
        case OPT_EXCLUDE:
        case OPT_MIN_SIZE:
        case OPT_MAX_SIZE:
        case OPT_NEWER:
                return take_selection(o, opt);
        case OPT_SHOW_COMMAND:
                o->show_command = true;
                return -1;
        case OPT_FIELD_SEPARATOR:
                o->field_separator = optarg;
                return strlen(optarg) < 256 ? -1 : gb_usage("--field-separator is too long");
        case OPT_TAG_FOR_FULL:
                o->full_tag = optarg;
                return strlen(optarg) < 256 ? -1 : gb_usage("--tag-for-full is too long");
        case OPT_NO_ENCODE:
                o->no_encode = true;
                return -1;
        case OPT_ENCODE_PLUS:
                o->encode_plus = true;
                return -1;
        case OPT_ONLY_NAMESPACE:
                o->only_namespace = true;
                return -1;
        case OPT_LEVEL:
                return parse_level(optarg, &o->level)
                               ? -1
                               : gb_usage("--level is one of auto, full, incremental, cumulative, mark");
        case OPT_WILDCARDS:
                o->raw_wildcards = strcmp(optarg, "raw") == 0;
                return o->raw_wildcards || strcmp(optarg, "escape") == 0
                               ? -1
                               : gb_usage("--wildcards is one of escape, raw");
        case OPT_DIRECTORIES:
                o->all_directories = strcmp(optarg, "all") == 0;
                return o->all_directories || strcmp(optarg, "empty") == 0
                               ? -1
                               : gb_usage("--directories is one of empty, all");
        case OPT_PREFIX:
                o->prefix = optarg;
                return strlen(optarg) < 4096 ? -1 : gb_usage("--prefix is too long");
        case OPT_SPLIT:
                return parse_number(optarg, 1, GB_PARTS_MAX, &o->split)
                               ? -1
                               : gb_usage("--split takes a number, 1 to 64");
        case OPT_TYPE:
                o->types = optarg;
                return *optarg && strspn(optarg, "fdlpsbc") == strlen(optarg)
                               ? -1
                               : gb_usage("--type takes letters of f d l p s b c");
        case OPT_PARTIAL:
                o->partial = true;
                return -1;
        case OPT_ON_GAP:
                o->full_on_gap = strcmp(optarg, "full") == 0;
                return o->full_on_gap || strcmp(optarg, "fail") == 0
                               ? -1
                               : gb_usage("--on-gap is one of fail, full");
        case OPT_SWEEP:
                o->sweep = true;
                return -1;
        case OPT_NO_MANIFEST:
                o->no_manifest = true;
                return -1;
        case OPT_JSON:
                o->json = true;
                return -1;
        case OPT_KEEP:
                return parse_number(optarg, 0, 36500, &o->keep_days)
                               ? -1
                               : gb_usage("--keep takes a number of days, 0 to 36500");
        case OPT_NO_CUMULATIVE:
                o->no_cumulative = true;
                return -1;
        case OPT_YES:
                o->yes = true;
                return -1;
        case OPT_TEXTFILE:
                o->textfile = optarg;
                return *optarg ? -1 : gb_usage("--textfile needs a name");
        case OPT_PROGRESS:
                return parse_progress(optarg, &o->progress)
                               ? -1
                               : gb_usage("--progress is one of auto, none, json");
        case OPT_RSH:
                o->rsh = optarg;
                return *optarg ? -1 : gb_usage("--rsh needs a program");
        case OPT_TLS_DIR:
                o->tls_dir = optarg;
                return *optarg ? -1 : gb_usage("--tls-dir needs a folder");
        case OPT_RENEW:
                o->renew = true;
                return -1;
        case OPT_PORT:
                o->port = optarg;
                return *optarg && strspn(optarg, "0123456789") == strlen(optarg) && strlen(optarg) < 6
                               ? -1
                               : gb_usage("--port needs a number");
        default:
                return gb_usage("unknown option, or an option without its value");
        }
}

/* For a shell: in single quotes, a quote itself as '\\''. */
static void print_quoted(const char *text)
{
        putchar('\'');
        for (; *text; text++)
                if (*text == '\'')
                        fputs("'\\''", stdout);
                else
                        putchar(*text);
        putchar('\'');
}

static int show_command(const struct gb_options *o)
{
        const struct gb_tool *tool = gb_formats[o->format]->tool;
        GB_CLEANUP_FREE
        char *whole =
                tool && strcmp(o->out_file, "-") != 0 && *o->out_file != '/' ? realpath(".", NULL) : NULL;
        const char *rest;

        if (!tool)
                return gb_usage("--show-command goes with --format=rsync, tar, bsdtar, cpio, borg, restic, "
                                "rclone or netbackup");
        if (strcmp(o->out_file, "-") == 0)
                return gb_usage("--show-command needs a file as --out-file");
        if (o->split)
                return gb_usage(
                        "--show-command is for one list: leave --split out, and put each part in its place");
        rest = strstr(tool->command, "%s");
        fwrite(tool->command, 1, (size_t)(rest - tool->command), stdout);
        if (whole) { /* the command may change its folder */
                print_quoted(whole);
                putchar('/');
        }
        print_quoted(o->out_file);
        puts(rest + 2);
        return GB_EXIT_OK;
}

/* What the program behind the format asks for; -1: go on. */
static int tool_options(struct gb_options *o)
{
        const struct gb_tool *tool = gb_formats[o->format]->tool;
        char text[160];

        if (tool && tool->no_prefix && o->prefix) {
                snprintf(text, sizeof(text),
                         "--prefix: paths for %s are below the folder its command line names",
                         gb_formats[o->format]->name);
                return gb_usage(text);
        }
        if (tool && !tool->null && o->null) {
                snprintf(text, sizeof(text), "--null: %s reads lines", gb_formats[o->format]->name);
                return gb_usage(text);
        }
        if (tool)
                o->null = tool->null;
        return o->show_command ? show_command(o) : -1;
}

/* What options ask of each other; -1: nothing amiss. */
static int check_options(const struct gb_options *o)
{
        if (o->format != GB_FORMAT_GLUSTERFIND &&
            (o->field_separator || o->full_tag || o->no_encode || o->encode_plus || o->only_namespace))
                return gb_usage("--field-separator, --tag-for-full, --no-encode, --encode-plus and "
                                "--only-namespace-changes belong to --format=glusterfind");
        if (o->split && strcmp(o->out_file, "-") == 0)
                return gb_usage("--split needs a file as --out-file");
        if (o->format == GB_FORMAT_NETBACKUP && (!o->prefix || o->prefix[0] != '/'))
                return gb_usage("--format=netbackup needs --prefix=MOUNT, an absolute path");
        return -1;
}

/* The arguments of `netbackup` are NetBackup's, and one of them may be -1: then options end at the command.
 */
static const char *short_options(int argc, char **argv)
{
        int i = 1;

        while (i < argc && argv[i][0] == '-' && argv[i][1])
                i++;
        return i < argc && strcmp(argv[i], "netbackup") == 0 ? "+o:0qh" : "o:0qh";
}

int gb_options_read(struct gb_options *o, int argc, char **argv)
{
        int opt, status;

        opterr = 0;
        while ((opt = getopt_long(argc, argv, short_options(argc, argv), long_options, NULL)) != -1) {
                status = one_option(o, opt);
                if (status >= 0)
                        return status;
        }
        status = tool_options(o);
        return status >= 0 ? status : check_options(o);
}
