/*
 * settings - what an administrator may choose: gbackupd.conf and the options that override it.
 *
 * One table in settings.c names every key with its type, range and place; the file and the command
 * line go through it alike, so both are judged by the same rules and refused with the same words.
 */
#ifndef GB_SETTINGS_H
#define GB_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"

/* Bytes of a directory we append names of our own to; of a socket path (sun_path without its NUL). */
#define GB_SETTING_PATH_MAX   1023
#define GB_SETTING_SOCKET_MAX 107
/* Bytes of "[address]:port". */
#define GB_SETTING_LISTEN_MAX 63

struct gb_settings {
        char socket[GB_SETTING_SOCKET_MAX + 1];
        char listen[GB_SETTING_LISTEN_MAX + 1]; /* empty: no TCP */
        char tls_dir[GB_SETTING_PATH_MAX + 1];
        char state_dir[GB_SETTING_PATH_MAX + 1];
        char glusterd_dir[GB_SETTING_PATH_MAX + 1];
        char gluster_run_dir[GB_SETTING_PATH_MAX + 1];
        char gluster_program[GB_SETTING_PATH_MAX + 1];
        enum gb_level log_level;
        unsigned max_workers;
        unsigned max_workers_per_address;
        uint64_t memory_limit; /* bytes, of each worker's sorting */
        unsigned scan_threads; /* of each scan */
        unsigned scan_rate;    /* entries a second of each scan; 0: no bound */
        unsigned nice;         /* of workers */
        bool io_idle;          /* workers read only when nobody else does */
};

void gb_settings_default(struct gb_settings *s);

/* One key.  GB_ERR_CONFIG names the key, the value and what is allowed; *s is unchanged then. */
int gb_settings_set(struct gb_settings *s, const char *key, const char *value, struct gb_error *err);

/* Apply a file on top of *s; on failure *s is unchanged and the text begins with "FILE:LINE: ".  A
 * missing file is an error only if `must_exist`. */
int gb_settings_load(struct gb_settings *s, const char *file, bool must_exist, struct gb_error *err);

/* "10.0.0.1:24017" or "[::]:24017" to an address. */
int gb_settings_parse_listen(const char *text, struct sockaddr_storage *out, socklen_t *len,
                             struct gb_error *err);

#endif
