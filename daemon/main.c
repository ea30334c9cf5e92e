/*
 * gbackupd - the agent of gbackup: one on each GlusterFS node.
 *
 * The program, from the outside in:
 *
 *     main.c           options, start
 *     settings.[ch]    gbackupd.conf: one table of keys, ranges, defaults
 *     listen.[ch]      listening sockets; who a peer is
 *     loop.[ch]        the listener process: accept, fork, reap, signals
 *     notify.[ch]      systemd: readiness, socket activation
 *     trim.[ch]        memory that an idle listener gives back
 *     caller.[ch]      who is at the other end, and what he may do
 *     worker.[ch]      a connection: its state and the table of what may be called when
 *     handlers.[ch]    how each call begins and ends; NULL, HELLO
 *     handle_volume.c  TOPOLOGY, CHANGELOG_ENABLE
 *     handle_brick.c   BRICK_STATUS, CURSOR, LOOK
 *     handle_paths.c   EXISTS, TIMES
 *     handle_stream.c  OPEN, NEXT, CLOSE
 *     handle_session.c SESSION_*
 *     handle_examine.c EXAMINE: examine.[ch] looks, findings.[ch] tells
 *     handle_usage.c   CHANGELOG_USAGE, CHANGELOG_PURGE; needs.[ch]: whose history it is
 *     stream.[ch]      what NEXT draws from: scan, history, resolve
 *     session.[ch]     the session store
 *     lock.[ch]        one run of a session at a time
 *
 * Calls and their meaning stand in rpc/gbackup.x; how a brick is read in agent/.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "loop.h"
#include "settings.h"
#include "worker.h"

#define DEFAULT_CONFIG GB_SYSCONFDIR "/gbackup/gbackupd.conf"

enum { EXIT_USAGE = 64, EXIT_CONFIG = 78 };

enum option_code { OPT_FOREGROUND = 256, OPT_SINGLE, OPT_CONFIG, OPT_VERSION, OPT_HELP, OPT_SETTING };

static const struct option options[] = {
        {"foreground", no_argument, NULL, OPT_FOREGROUND},
        {"single", no_argument, NULL, OPT_SINGLE},
        {"config", required_argument, NULL, OPT_CONFIG},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, OPT_HELP},
        {"socket", required_argument, NULL, OPT_SETTING},
        {"state-dir", required_argument, NULL, OPT_SETTING},
        {"glusterd-dir", required_argument, NULL, OPT_SETTING},
        {"run-dir", required_argument, NULL, OPT_SETTING},
        {"gluster", required_argument, NULL, OPT_SETTING},
        {"listen", required_argument, NULL, OPT_SETTING},
        {"tls-dir", required_argument, NULL, OPT_SETTING},
        {"log-level", required_argument, NULL, OPT_SETTING},
        {NULL, 0, NULL, 0},
};

/* An option that is a setting, and its key in the configuration. */
static const struct {
        const char *option;
        const char *key;
} setting_of[] = {
        {"socket", "socket"},           {"state-dir", "state_dir"},     {"glusterd-dir", "glusterd_dir"},
        {"run-dir", "gluster_run_dir"}, {"gluster", "gluster_program"}, {"listen", "listen"},
        {"tls-dir", "tls_dir"},         {"log-level", "log_level"},
};
#define N_SETTINGS (sizeof(setting_of) / sizeof(setting_of[0]))

static const char usage[] =
        "Usage: gbackupd [OPTION]...\n"
        "Agent of gbackup on a GlusterFS node: tells gbackup-cli which files changed.\n"
        "\n"
        "  --foreground        stay in the foreground (it always does)\n"
        "  --single            serve one connection on stdin and stdout, then leave\n"
        "  --config FILE       configuration, default " DEFAULT_CONFIG "\n"
        "  --socket PATH       local socket, default " GB_RUNDIR "/agent.sock\n"
        "  --state-dir DIR     session store and temporary files, default " GB_STATEDIR "\n"
        "  --glusterd-dir DIR  glusterd's working directory, default /var/lib/glusterd\n"
        "  --run-dir DIR       GlusterFS's runtime directory, default /var/run/gluster\n"
        "  --gluster PROGRAM   gluster(8)\n"
        "  --listen ADDR:PORT  TCP with TLS, default [::]:24017\n"
        "  --tls-dir DIR       keys and certificates, default " GB_SYSCONFDIR "/gbackup/tls\n"
        "  --log-level LEVEL   error, warning, notice, info or debug\n"
        "  --version           print the version\n"
        "  --help              print this\n"
        "\n"
        "Signals: SIGHUP reads the configuration again, SIGTERM ends.  See gbackupd(8), gbackupd.conf(5).\n";

static struct {
        const char *config; /* NULL: the default, which may be missing */
        const char *value[N_SETTINGS];
        bool single;
} command_line;

static size_t setting_index(const char *option)
{
        size_t i = 0;

        while (strcmp(setting_of[i].option, option))
                i++;
        return i;
}

/* 0 go on; otherwise leave with *status. */
static int take_option(int code, int index, int *status)
{
        switch (code) {
        case OPT_FOREGROUND:
                return 0;
        case OPT_SINGLE:
                command_line.single = true;
                return 0;
        case OPT_CONFIG:
                command_line.config = optarg;
                return 0;
        case OPT_SETTING:
                command_line.value[setting_index(options[index].name)] = optarg;
                return 0;
        case OPT_VERSION:
                puts("gbackupd " PACKAGE_VERSION);
                *status = 0;
                return 1;
        case OPT_HELP:
                fputs(usage, stdout);
                *status = 0;
                return 1;
        default: /* getopt has said why */
                *status = EXIT_USAGE;
                return 1;
        }
}

static int take_options(int argc, char **argv, int *status)
{
        int code, index = 0;

        while ((code = getopt_long(argc, argv, "", options, &index)) != -1)
                if (take_option(code, index, status))
                        return -1;
        if (optind < argc) {
                fprintf(stderr, "gbackupd: unexpected argument '%s'\n", argv[optind]);
                *status = EXIT_USAGE;
                return -1;
        }
        return 0;
}

static int apply_options(struct gb_settings *s, struct gb_error *err)
{
        for (size_t i = 0; i < N_SETTINGS; i++)
                if (command_line.value[i] &&
                    gb_settings_set(s, setting_of[i].key, command_line.value[i], err) < 0)
                        return -1;
        return 0;
}

/* Defaults, under the file, under the command line. */
static int load_settings(struct gb_settings *s, struct gb_error *err)
{
        const char *file = command_line.config ? command_line.config : DEFAULT_CONFIG;

        gb_settings_default(s);
        if (gb_settings_load(s, file, command_line.config != NULL, err) < 0)
                return -1;
        return apply_options(s, err);
}

static int complain(int status, const struct gb_error *err)
{
        fprintf(stderr, "gbackupd: %s\n", err->text);
        return status;
}

/* stdin and stdout are the connection.  It moves to descriptors of its own, so that nothing that
 * prints, in here or in gluster(8), can write into it. */
static int serve_single(const struct gb_settings *s)
{
        int rfd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        int wfd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (rfd < 0 || wfd < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
            dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
                fprintf(stderr, "gbackupd: stdin and stdout: %s\n", strerror(errno));
                return 1;
        }
        close(null);
        return gb_worker_run(s, rfd, wfd, NULL, "stdin");
}

int main(int argc, char **argv)
{
        static struct gb_settings settings;
        struct gb_error err;
        int status;

        if (take_options(argc, argv, &status) < 0)
                return status;
        gb_settings_default(&settings);
        if (apply_options(&settings, &err) < 0)
                return complain(EXIT_USAGE, &err);
        if (load_settings(&settings, &err) < 0)
                return complain(EXIT_CONFIG, &err);
        umask(0077);
        gb_log_setup("gbackupd", settings.log_level);
        if (command_line.single)
                return serve_single(&settings);
        if (gb_loop_run(&settings, load_settings, &err) < 0)
                return complain(err.code == GB_ERR_CONFIG ? EXIT_CONFIG : 1, &err);
        return 0;
}
