/*
 * nb_call - what NetBackup gives a notify script as its arguments.
 */
#ifndef GB_CLI_NB_CALL_H
#define GB_CLI_NB_CALL_H

#include "nb_job.h"

/* FULL, INCR, CINC, UBAK, UARC. */
const char *gb_nb_type_name(enum gb_nb_type type);

/* `hook` is start, end, exit or prepare; texts are borrowed from argv.  Streams come from the environment,
 * too. GB_ERR_USAGE. */
int gb_nb_call_parse(const char *hook, int argc, char **argv, struct gb_nb_call *call, struct gb_error *err);

#endif
