/*
 * endpoint - from HOST to a connected agent.
 *
 *   local           a `gbackupd --single` of our own, no daemon needed
 *   unix:PATH       the AF_UNIX socket PATH
 *   tcp:HOST:PORT   TCP; refused outside loopback until TLS stands
 *   NAME            with --rsh: `RSH NAME gbackupd --single`; an address of this machine: its AF_UNIX
 *                   socket (GBACKUP_SOCKET, else /run/gbackup/agent.sock); anything else would need TLS
 */
#ifndef GB_ENDPOINT_H
#define GB_ENDPOINT_H

#include "cli.h"
#include "client.h"

/* Connect and say HELLO.  NULL: GB_ERR_NO_AGENT with what to do, or GB_ERR_USAGE. */
struct gb_client *gb_endpoint_connect(const struct gb_cli *c, const char *host, struct gb_error *err);

#endif
