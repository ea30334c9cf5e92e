/*
 * command - one function per command of gbackup-cli; each returns the exit status.
 */
#ifndef GB_COMMAND_H
#define GB_COMMAND_H

#include <stdint.h>

#include "cli.h"
#include "exitcode.h"
#include "session.h"

struct gb_command {
        const char *name;
        int min_args, max_args; /* -1: any number */
        const char *usage;      /* after the name */
        const char *help;
        int (*run)(const struct gb_cli *c, int argc, char **argv);
};

int gb_cmd_full(const struct gb_cli *c, int argc, char **argv);
int gb_cmd_inc(const struct gb_cli *c, int argc, char **argv);
int gb_cmd_register(const struct gb_cli *c, int argc, char **argv);
int gb_cmd_unregister(const struct gb_cli *c, int argc, char **argv);
int gb_cmd_run(const struct gb_cli *c, int argc, char **argv);
int gb_cmd_prepare(const struct gb_cli *c, int argc, char **argv);
int gb_cmd_commit(const struct gb_cli *c, int argc, char **argv);
int gb_cmd_abort(const struct gb_cli *c, int argc, char **argv);
/* gb_session_standing() of a session by its name alone. */
int gb_registered_standing(const struct gb_cli *c, const char *name, struct gb_standing *out,
                           struct gb_error *err);
int gb_cmd_netbackup(const struct gb_cli *c, int argc, char **argv);

int gb_cmd_sessions(const struct gb_cli *c, int argc, char **argv);
int gb_cmd_show(const struct gb_cli *c, int argc, char **argv);
int gb_cmd_verify(const struct gb_cli *c, int argc, char **argv);
int gb_cmd_changelog(const struct gb_cli *c, int argc, char **argv);
int gb_cmd_doctor(const struct gb_cli *c, int argc, char **argv);
int gb_cmd_metrics(const struct gb_cli *c, int argc, char **argv);
int gb_cmd_tls(const struct gb_cli *c, int argc, char **argv);
int gb_cmd_status(const struct gb_cli *c, int argc, char **argv);
int gb_cmd_resolve(const struct gb_cli *c, int argc, char **argv);

/* Say the error and give its exit status. */
int gb_fail(const struct gb_error *err);
struct gb_list;
/* Exit status of a list that is written: 0, or 5 after saying what was skipped.  On a terminal, the sum of
 * it. */
int gb_list_status(const struct gb_cli *c, const struct gb_list *l);

#endif
