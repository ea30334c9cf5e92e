/*
 * trust - what `gbackup-cli tls` does.
 *
 * Each returns the exit status: 0; GB_EXIT_INCOMPLETE when a node was down; another after saying why.
 */
#ifndef GB_TRUST_H
#define GB_TRUST_H

#include "cli.h"

/* On a node: keys on all nodes, and every node trusts all others. */
int gb_trust_setup(const struct gb_cli *c);
/* On a node: let a client in, or change what it may do; its certificate comes from `file` ("-": stdin).
 * The nodes' certificates go to stdout, for gb_trust_nodes(). */
int gb_trust_add_client(const struct gb_cli *c, const char *name, const char *right, const char *volumes,
                        const char *file);
int gb_trust_remove_client(const struct gb_cli *c, const char *name);

/* On a client: its certificate to stdout, made with its key if there is none. */
int gb_trust_key(const struct gb_cli *c, const char *name);
/* On a client: trust the nodes whose certificates come from `file`. */
int gb_trust_nodes(const struct gb_cli *c, const char *file);

/* Who trusts whom, what expires.  1: something has expired, does not fit, or is missing. */
int gb_trust_status(const struct gb_cli *c);

#endif
