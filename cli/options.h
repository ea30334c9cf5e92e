/*
 * options - the command line of gbackup-cli, up to the command.
 */
#ifndef GB_OPTIONS_H
#define GB_OPTIONS_H

#include "cli.h"

/* Fill `o`, which has the defaults.  -1: go on at argv[optind]; else the exit status, and all is said. */
int gb_options_read(struct gb_options *o, int argc, char **argv);
/* Say what is wrong, and where help is.  The exit status. */
int gb_usage(const char *what);

/* main.c: the commands, for --help. */
void gb_commands_help(void);

#endif
