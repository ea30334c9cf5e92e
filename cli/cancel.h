/*
 * cancel - signals of gbackup-cli.
 */
#ifndef GB_CANCEL_H
#define GB_CANCEL_H

#include "cli.h"

/* From here on SIGINT, SIGTERM and SIGHUP make c->cancel_fd readable, and end the program a moment later. */
int gb_cancel_setup(struct gb_cli *c);

#endif
