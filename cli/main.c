/*
 * gbackup-cli - which paths of a Gluster volume changed?
 *
 * The program in one screen:
 *
 *   main.c         the command table              options.c, cancel.c, say.c: options, signals, messages
 *   cmd_list.c     full, inc                      cmd_session.c  register, run, prepare, commit, abort
 *   cmd_show.c     sessions, show, resolve        cmd_status.c   status, metrics
 *   cmd_doctor.c   doctor                         cmd_changelog.c changelog usage, purge
 *   cmd_netbackup.c  netbackup                    nb_conf.c, nb_job.c
 *   cmd_verify.c   verify                         verify.c, listread.c
 *   make.c         fills a list from what follows
 *   cmd_tls.c      tls                            trust.c, trust_status.c, pool.c
 *   endpoint.c     HOST to a connected agent      volume.c       topology, health, which brick to ask
 *   feed.c         one agent stream, read ahead   scan.c         full: k-way merge, failover
 *   window.c       incremental: streams, second looks, renamed trees
 *   reduce.c       facts of all bricks to ops     group.c        facts of one object, united
 *   reduce_*.c     whom to believe, the cut, places, conclusions: see reduce_core.h
 *   skeleton.c     directories, now and at T0     op.c, fold.c   ops, sorted, become lines
 *   list.c         the out-file                   format_*.c     one format each, tool.h what programs read
 *   parts.c        its files, with --split
 *   gone.c         names that are gone            moved.c        T0 names below renamed directories
 *   selection.c    a part of a volume            fit.c          files by size and time
 *   manifest.c     FILE.manifest, of its making    sweep.c        what only ctimes tell
 *   output.c       temporary, fsync, rename       spool.c        entries kept in a file
 *   health.c       what status, doctor, changelog and metrics ask of all agents
 *   tally.c        how runs ended, for metrics   when.c         times as people give them
 *   session.c      positions on all agents        registry.c     name -> host, volume
 *   progress.c     what is seen on the terminal   lanes.c        how far each stream is
 *   exitcode.h     each exit status
 */
#include <config.h>

#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cancel.h"
#include "command.h"
#include "options.h"

static const struct gb_command commands[] = {
        {"register", 3, 3, "SESSION HOST VOLUME", "create a session", gb_cmd_register},
        {"run", 1, 1, "SESSION", "the list since the last run (the first is full)", gb_cmd_run},
        {"prepare", 1, 1, "SESSION", "like run, but the session waits for commit", gb_cmd_prepare},
        {"commit", 1, 2, "SESSION [GENERATION]", "the prepared list was backed up", gb_cmd_commit},
        {"abort", 1, 1, "SESSION", "forget the prepared list", gb_cmd_abort},
        {"unregister", 1, 1, "SESSION", "remove a session", gb_cmd_unregister},
        {"sessions", 0, 0, "", "the sessions registered here", gb_cmd_sessions},
        {"show", 1, 1, "SESSION", "where a session stands", gb_cmd_show},
        {"full", 2, 2, "HOST VOLUME", "all paths, without a session", gb_cmd_full},
        {"inc", 4, 4, "HOST VOLUME START END", "changes between two times, without a session", gb_cmd_inc},
        {"verify", 2, 2, "SESSION LIST", "does a list lack anything that changed?", gb_cmd_verify},
        {"netbackup", 3, -1, "HOOK ARGUMENT...",
         "what NetBackup's notify scripts call: start, end, exit, prepare", gb_cmd_netbackup},
        {"resolve", 3, -1, "HOST VOLUME GFID...", "paths of gfids", gb_cmd_resolve},
        {"tls", 1, 5, "WORD [ARGUMENT]...", "keys and trust: setup, status, add-client, ...", gb_cmd_tls},
        {"status", 2, 2, "HOST VOLUME", "agents, bricks and sessions of a volume", gb_cmd_status},
        {"doctor", 2, 2, "HOST VOLUME", "what would make the next list fail", gb_cmd_doctor},
        {"changelog", 3, 3, "usage|purge HOST VOLUME", "what history costs; remove what nobody needs",
         gb_cmd_changelog},
        {"metrics", 2, 2, "HOST VOLUME", "numbers for node_exporter", gb_cmd_metrics},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

void gb_commands_help(void)
{
        for (size_t i = 0; i < N_COMMANDS; i++) {
                char both[80];

                snprintf(both, sizeof(both), "%s %s", commands[i].name, commands[i].usage);
                printf("  %-36s %s\n", both, commands[i].help);
        }
}

static int dispatch(const struct gb_cli *c, int argc, char **argv)
{
        const struct gb_command *cmd = NULL;
        char text[160];

        for (size_t i = 0; i < N_COMMANDS; i++)
                if (strcmp(argv[0], commands[i].name) == 0)
                        cmd = &commands[i];
        if (!cmd && argc == 1)
                return gb_cmd_run(c, argc, argv);
        if (!cmd) {
                snprintf(text, sizeof(text), "\"%.80s\" is no command", argv[0]);
                return gb_usage(text);
        }
        argc--;
        argv++;
        if (argc < cmd->min_args || (cmd->max_args >= 0 && argc > cmd->max_args)) {
                snprintf(text, sizeof(text), "usage: gbackup-cli %s %s", cmd->name, cmd->usage);
                return gb_usage(text);
        }
        return cmd->run(c, argc, argv);
}

int main(int argc, char **argv)
{
        static struct gb_select select;
        struct gb_cli c = {.o = {.out_file = "output.txt", .select = &select, .keep_days = 30},
                           .cancel_fd = -1};
        int status;

        setlocale(LC_ALL, "C");
        status = gb_options_read(&c.o, argc, argv);
        if (status >= 0)
                return status;
        if (optind >= argc)
                return gb_usage("a command or a session is needed");
        if (gb_cancel_setup(&c) < 0) {
                gb_say("cannot set up signals");
                return GB_EXIT_ERROR;
        }
        return dispatch(&c, argc - optind, argv + optind);
}
