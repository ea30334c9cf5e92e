/*
 * gbackup-glusterfind - glusterfind's commands, options, lines and words, answered by gbackup-cli.
 *
 * A program of its own that runs gbackup-cli: session S of volume V is gbackup's session S.V (glusterfind's
 * names hold no dot), create is `register` and a mark, pre is `prepare`, post is `commit`, query is `inc` or
 * `full`, delete is `unregister`.  Different from glusterfind on purpose: the exit status is 0 only if the
 * list is complete, and then everything up to now is in it.  See gbackup-glusterfind(1).
 */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "exitcode.h"
#include "registry.h"

#define EXIT_USAGE_OF_ARGPARSE 2
#define WORDS_MAX              32

enum { CREATE = 1, PRE = 2, POST = 4, QUERY = 8, LIST = 16, DELETE = 32 };

struct request {
        const char *command;
        unsigned bit; /* of the command */
        const char *session, *volume;
        char *outfile; /* absolute, owned */
        const char *prefix, *tag, *separator, *type, *since, *until, *only_session, *only_volume, *on_gap;
        bool force, reset_time, full, regenerate, no_encode, only_namespace;
};

static const struct command {
        const char *name;
        unsigned bit;
        int words;
        const char *usage;
} commands[] = {
        {"create", CREATE, 2, "create SESSION VOLUME [--force] [--reset-session-time] [--debug]"},
        {"pre", PRE, 3,
         "pre SESSION VOLUME OUTFILE [--full] [--regenerate-outfile] [--on-gap=full] [OUTPUT OPTION]..."},
        {"post", POST, 2, "post SESSION VOLUME [--debug]"},
        {"query", QUERY, 2,
         "query VOLUME OUTFILE {--since-time TIME [--end-time TIME] | --full} [OUTPUT OPTION]..."},
        {"list", LIST, 0, "list [--session SESSION] [--volume VOLUME] [--debug]"},
        {"delete", DELETE, 2, "delete SESSION VOLUME [--debug]"},
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

static int __attribute__((format(printf, 1, 2))) fail(const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fputc('\n', stderr);
        return GB_EXIT_ERROR;
}

static int usage(const char *what)
{
        fprintf(stderr, "gbackup-glusterfind: %s\n", what);
        help(stderr);
        return EXIT_USAGE_OF_ARGPARSE;
}

/* ---- running gbackup-cli ---- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
        (void)sig;
        interrupted = 1;
}

struct words {
        const char *w[WORDS_MAX];
        unsigned n;
};

static void add(struct words *c, const char *word)
{
        if (c->n + 1 < WORDS_MAX)
                c->w[c->n++] = word;
}

static const char *env_or(const char *name, const char *otherwise)
{
        const char *v = getenv(name);

        return v && *v ? v : otherwise;
}

/* Run it; with `out`, read what it prints (malloc'd).  The exit status, or 1. */
static int run(const struct words *c, char **out)
{
        int fds[2] = {-1, -1}, status;
        size_t len = 0;
        pid_t pid;

        if (out && pipe(fds) < 0)
                return fail("pipe: %s", strerror(errno));
        pid = fork();
        if (pid == 0) {
                if (out) {
                        dup2(fds[1], STDOUT_FILENO);
                        close(fds[0]);
                        close(fds[1]);
                }
                execvp(c->w[0], (char *const *)(uintptr_t)c->w);
                fail("%s: %s", c->w[0], strerror(errno));
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

static struct words cli(const char *command, const char *name)
{
        struct words c = {.n = 0};

        add(&c, env_or("GBACKUP_CLI", GB_BINDIR "/gbackup-cli"));
        add(&c, "--quiet");
        add(&c, command);
        add(&c, name);
        return c;
}

/* 2 means usage here, as argparse has it. */
static int status_of(int cli_status)
{
        if (interrupted)
                return EXIT_USAGE_OF_ARGPARSE;
        return cli_status == GB_EXIT_INCOMPLETE ? GB_EXIT_ERROR : cli_status;
}

/* This node: by its gbackupd, or where none runs by one of our own. */
static const char *host(void)
{
        const char *forced = getenv("GBACKUP_GLUSTERFIND_HOST");

        if (forced && *forced)
                return forced;
        return access(env_or("GBACKUP_SOCKET", GB_RUNDIR "/agent.sock"), F_OK) == 0 ? "localhost" : "local";
}

/* ---- sessions ---- */

static int check_name(const char *name)
{
        size_t n = strlen(name);

        if (n < 2)
                return fail("session_name must be at least 2 characters long.");
        for (const char *p = name; *p; p++)
                if (!isalnum((unsigned char)*p) && *p != '_' && *p != '-')
                        return fail("Session name can only contain these characters: 0-9a-zA-Z_-");
        return strcmp(name, "default") == 0 ? fail("Invalid session %s", name) : 0;
}

/* gbackup's name of it. */
static int full_name(const struct request *r, char out[1300])
{
        struct gb_error err;

        snprintf(out, 1300, "%s.%s", r->session, r->volume);
        return gb_session_name_check(out, &err) < 0
                       ? fail("session and volume name have more than 255 characters together, or an odd one")
                       : 0;
}

/* 1: it is there, 0: it is not, -1 (said). */
static int is_there(const char *name)
{
        struct gb_registered reg;
        struct gb_error err;
        int rc = gb_registry_get(name, &reg, &err);

        gb_registered_fini(&reg);
        if (rc < 0 && err.code != GB_ERR_NO_SESSION)
                return fail("%s", err.text), -1;
        return rc == 0;
}

/* 1: some agent has a list prepared that is not committed, 0, -1 (said). */
static int is_prepared(const char *name)
{
        struct words c = cli("show", name);
        GB_CLEANUP_FREE
        char *text = NULL;
        json_t *all, *node;
        size_t i;
        int found = 0;

        add(&c, "--json");
        if (run(&c, &text) != GB_EXIT_OK)
                return -1;
        all = json_loads(text ? text : "", 0, NULL);
        json_array_foreach(json_object_get(all, "nodes"), i, node)
        {
                if (json_is_object(json_object_get(node, "pending")))
                        found = 1;
        }
        json_decref(all);
        return found;
}

/* The session of a command that needs one. */
static int find_session(const struct request *r, char name[1300])
{
        int there;

        if (check_name(r->session) || full_name(r, name))
                return GB_EXIT_ERROR;
        there = is_there(name);
        if (there > 0)
                return GB_EXIT_OK;
        return there < 0 ? GB_EXIT_ERROR
                         : fail("Session %s not created with volume %s", r->session, r->volume);
}

static int mark(const char *name)
{
        struct words c = cli("run", name);

        add(&c, "--level=mark");
        return run(&c, NULL);
}

static int create(const struct request *r)
{
        char name[1300];
        int there, rc = GB_EXIT_OK;

        if (check_name(r->session) || full_name(r, name) || (there = is_there(name)) < 0)
                return GB_EXIT_ERROR;
        if (there && !r->force)
                return fail("Session %s already created", r->session);
        if (!there) {
                struct words c = cli("register", name);

                add(&c, host());
                add(&c, r->volume);
                rc = run(&c, NULL);
        }
        if (rc == GB_EXIT_OK && (!there || r->reset_time))
                rc = mark(name);
        if (rc != GB_EXIT_OK && !there) {
                struct words c = cli("unregister", name);

                if (is_there(name) > 0)
                        run(&c, NULL);
        }
        if (rc == GB_EXIT_OK)
                printf("Session %s created with volume %s\n", r->session, r->volume);
        return status_of(rc);
}

static int post(const struct request *r)
{
        char name[1300];
        int rc = find_session(r, name), prepared;
        struct words c;

        if (rc)
                return rc;
        prepared = is_prepared(name);
        if (prepared <= 0)
                return prepared < 0 ? GB_EXIT_ERROR : fail("Pre script is not run");
        c = cli("commit", name);
        rc = run(&c, NULL);
        if (rc == GB_EXIT_OK)
                printf("Session %s with volume %s updated\n", r->session, r->volume);
        return status_of(rc);
}

static int delete (const struct request *r)
{
        char name[1300];
        int rc = find_session(r, name);
        struct words c;

        if (rc)
                return rc;
        c = cli("unregister", name);
        rc = run(&c, NULL);
        if (rc == GB_EXIT_OK)
                printf("Session %s with volume %s deleted\n", r->session, r->volume);
        return status_of(rc);
}

/* One line of `list`, if it is a session of ours that was asked for. */
static bool list_one(const struct request *r, const char *name, bool first)
{
        struct gb_registered reg = {0};
        struct gb_error err;
        const char *dot = strchr(name, '.');
        char session[256], when[32] = "Session Corrupted";
        bool shown;
        time_t t;
        struct tm tm;

        if (!dot || gb_registry_get(name, &reg, &err) < 0)
                return false;
        snprintf(session, sizeof(session), "%.*s", (int)(dot - name), name);
        t = reg.last_when;
        if (t && localtime_r(&t, &tm))
                strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
        shown = strcmp(dot + 1, reg.volume) == 0 &&
                (!r->only_session || !*r->only_session || strcmp(r->only_session, session) == 0) &&
                (!r->only_volume || !*r->only_volume || strcmp(r->only_volume, reg.volume) == 0);
        if (shown && first)
                printf("%-25s %-25s %-25s\n%.75s\n", "SESSION", "VOLUME", "SESSION TIME",
                       "---------------------------------------------------------------------------");
        if (shown)
                printf("%-25s %-25s %-25s\n", session, reg.volume, when);
        gb_registered_fini(&reg);
        return shown;
}

static int list(const struct request *r)
{
        struct gb_error err;
        char **names;
        unsigned n, shown = 0;

        if (gb_registry_list(&names, &n, &err) < 0)
                return fail("%s", err.text);
        for (unsigned i = 0; i < n; i++) {
                shown += list_one(r, names[i], !shown);
                free(names[i]);
        }
        free(names);
        if (shown)
                return GB_EXIT_OK;
        if ((r->only_session && *r->only_session) || (r->only_volume && *r->only_volume))
                return fail("Invalid Session");
        puts("No sessions found.");
        return GB_EXIT_OK;
}

/* ---- lists ---- */

/* Texts that must live until gbackup-cli runs. */
struct texts {
        char out[PATH_MAX + 32], prefix[PATH_MAX + 32], separator[300], tag[300], since[32], until[32];
};

static void make_parents(const char *path)
{
        GB_CLEANUP_FREE
        char *copy = strdup(path);

        for (char *p = copy ? copy + 1 : NULL; p && *p; p++)
                if (*p == '/') {
                        *p = '\0';
                        mkdir(copy, 0755); /* what fails here is said when the list is opened */
                        *p = '/';
                }
}

/* glusterfind strips blanks around the tag. */
static void put_tag(char *out, size_t size, const char *tag)
{
        size_t n;

        while (isspace((unsigned char)*tag))
                tag++;
        n = strlen(tag);
        while (n && isspace((unsigned char)tag[n - 1]))
                n--;
        snprintf(out, size, "--tag-for-full=%.*s", (int)n, tag);
}

static void output_options(const struct request *r, struct words *c, struct texts *t)
{
        snprintf(t->out, sizeof(t->out), "--out-file=%s", r->outfile);
        add(c, t->out);
        add(c, "--format=glusterfind");
        add(c, "--no-manifest");
        if (r->prefix && *r->prefix && strcmp(r->prefix, ".") != 0) {
                snprintf(t->prefix, sizeof(t->prefix), "--prefix=%s", r->prefix);
                add(c, t->prefix);
        }
        if (r->separator) {
                snprintf(t->separator, sizeof(t->separator), "--field-separator=%s", r->separator);
                add(c, t->separator);
        }
        if (r->tag && r->full) {
                put_tag(t->tag, sizeof(t->tag), r->tag);
                add(c, t->tag);
        }
        if (r->type && strcmp(r->type, "both") != 0)
                add(c, *r->type == 'd' ? "--type=d" : "--type=flpsbc");
        if (r->no_encode)
                add(c, "--no-encode");
        if (r->only_namespace)
                add(c, "--only-namespace-changes");
}

/* Others than root may have read glusterfind's file. */
static int finish(const struct request *r, int status)
{
        mode_t mask = umask(0);

        umask(mask);
        if (status == GB_EXIT_OK || status == GB_EXIT_SKIPPED) {
                if (chmod(r->outfile, 0666 & ~mask) < 0)
                        return fail("%s: %s", r->outfile, strerror(errno));
                printf("Generated output file %s\n", r->outfile);
        }
        return status_of(status);
}

static int check_output(const struct request *r)
{
        if (r->type && strcmp(r->type, "both") != 0 && !r->full)
                return fail("--type can only be used with --full");
        if (strlen(r->outfile) > PATH_MAX || (r->prefix && strlen(r->prefix) > PATH_MAX) ||
            (r->separator && strlen(r->separator) > 255) || (r->tag && strlen(r->tag) > 255))
                return fail("an argument is too long");
        make_parents(r->outfile);
        return 0;
}

static int pre(const struct request *r)
{
        struct texts t;
        struct words c;
        char name[1300];
        int rc = find_session(r, name), prepared;

        if (rc || (rc = check_output(r)))
                return rc;
        prepared = r->regenerate ? 0 : is_prepared(name);
        if (prepared)
                return prepared < 0
                               ? GB_EXIT_ERROR
                               : fail("Post command is not run after last pre, use --regenerate-outfile");
        c = cli("prepare", name);
        add(&c, r->full ? "--level=full" : "--level=incremental");
        if (r->on_gap)
                add(&c, *r->on_gap == 'f' && r->on_gap[1] == 'u' ? "--on-gap=full" : "--on-gap=fail");
        output_options(r, &c, &t);
        rc = run(&c, NULL);
        if (rc == GB_EXIT_GAP)
                fail("The records of the session have a gap: run pre with --full, or with --on-gap=full");
        return finish(r, rc);
}

/* glusterfind's query switches changelog on, for the queries to come. */
static int switch_on(const char *volume)
{
        struct words c = cli("status", host()), set = {.n = 0};
        GB_CLEANUP_FREE
        char *text = NULL;
        json_t *all;
        bool off;
        int rc;

        add(&c, volume);
        add(&c, "--json");
        rc = run(&c, &text);
        all = json_loads(text ? text : "", 0, NULL);
        if (!json_is_object(all))
                return rc ? rc : GB_EXIT_ERROR;
        off = json_is_false(json_object_get(all, "changelog"));
        json_decref(all);
        if (!off)
                return GB_EXIT_OK;
        fprintf(stderr, "volume %s: changelog.changelog was off and is on now; it stays on\n", volume);
        add(&set, "gluster");
        add(&set, "--mode=script");
        add(&set, "volume");
        add(&set, "set");
        add(&set, volume);
        add(&set, "changelog.changelog");
        add(&set, "on");
        free(text);
        text = NULL;
        return run(&set, &text);
}

static int query(const struct request *r)
{
        struct texts t;
        struct words c;
        int rc = check_output(r);

        if (rc)
                return rc;
        if (!r->since && !r->until && !r->full)
                return fail("Please specify either {--since-time and optionally --end-time} or --full");
        if (r->since && r->until && r->full)
                return fail("Please specify either {--since-time and optionally --end-time} or --full, but "
                            "not both");
        if (r->until && !r->since)
                return fail("Please specify --since-time as well");
        rc = switch_on(r->volume);
        if (rc)
                return status_of(rc);
        c = cli(r->full ? "full" : "inc", host());
        add(&c, r->volume);
        if (!r->full) {
                snprintf(t.until, sizeof(t.until), "%lld", (long long)time(NULL) + 1);
                add(&c, r->since);
                add(&c, r->until ? r->until : t.until);
                /* What was not recorded is told by a list of everything, which is more than was asked for. */
                add(&c, r->on_gap && strcmp(r->on_gap, "fail") == 0 ? "--on-gap=fail" : "--on-gap=full");
        }
        output_options(r, &c, &t);
        return finish(r, run(&c, NULL));
}

/* ---- arguments ---- */

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
static int one_option(struct request *r, int opt)
{
        if (opt == '?' || opt == ':')
                return usage("unknown option, or an option without its value");
        if (!(commands_of(opt) & r->bit))
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

static int take_words(struct request *r, int want, int argc, char **argv)
{
        const char *out = NULL;

        if (argc != want)
                return usage("too few or too many arguments");
        if (r->bit & (CREATE | PRE | POST | DELETE)) {
                r->session = argv[0];
                r->volume = argv[1];
                out = r->bit == PRE ? argv[2] : NULL;
        } else if (r->bit == QUERY) {
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

static int act(const struct request *r)
{
        switch (r->bit) {
        case CREATE:
                return create(r);
        case PRE:
                return pre(r);
        case POST:
                return post(r);
        case QUERY:
                return query(r);
        case LIST:
                return list(r);
        default:
                return delete (r);
        }
}

int main(int argc, char **argv)
{
        struct request r = {0};
        int opt, want = 0, status;

        if (argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
                help(stdout);
                return GB_EXIT_OK;
        }
        for (size_t i = 0; argc > 1 && i < N_COMMANDS; i++)
                if (strcmp(argv[1], commands[i].name) == 0) {
                        r.command = commands[i].name;
                        r.bit = commands[i].bit;
                        want = commands[i].words;
                }
        if (!r.bit)
                return usage("a command is needed: create, pre, post, query, list, delete");
        opterr = 0;
        while ((opt = getopt_long(argc - 1, argv + 1, "hN", options, NULL)) != -1)
                if ((status = one_option(&r, opt)) >= 0)
                        return status;
        status = take_words(&r, want, argc - 1 - optind, argv + 1 + optind);
        if (status < 0) {
                signal(SIGINT, on_interrupt);
                status = act(&r);
        }
        free(r.outfile);
        return fflush(stdout) == 0 ? status : GB_EXIT_ERROR;
}
