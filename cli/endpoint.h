/*
 * endpoint - from HOST to a connected agent.
 *
 *   local           a `gbackupd --single` of our own, no daemon needed
 *   unix:PATH       the AF_UNIX socket PATH
 *   tcp:HOST:PORT   TCP with TLS, as for NAME
 *   NAME            with --rsh: `RSH NAME gbackupd --single`; an address of this machine: its AF_UNIX
 *                   socket (GBACKUP_SOCKET, else /run/gbackup/agent.sock); anything else: TCP with TLS
 */
#ifndef GB_ENDPOINT_H
#define GB_ENDPOINT_H

#include "cli.h"
#include "client.h"

/* Connect and say HELLO.  `want` (NULL: any node of ours) is whom we dial: over TLS the certificate has to
 * name him.  NULL: GB_ERR_NO_AGENT with what to do, GB_ERR_DENIED one side refuses the other,
 * GB_ERR_CONFIG no usable certificates here, or GB_ERR_USAGE. */
struct gb_client *gb_endpoint_connect(const struct gb_cli *c, const char *host, const gb_gfid *want,
                                      struct gb_error *err);

/* Where our key and certificates are; the port agents listen on. */
const char *gb_endpoint_tls_dir(const struct gb_cli *c);
const char *gb_endpoint_port(const struct gb_cli *c);

#endif
