/*
 * nb_hook - what a NetBackup hook works with: its configuration, its log, the mount, and the list.
 *
 *   nb_hook.c        configuration, log, mount
 *   nb_list.c        is a list ready, making one, handing it over
 *   cmd_netbackup.c  the hooks
 */
#ifndef GB_CLI_NB_HOOK_H
#define GB_CLI_NB_HOOK_H

#include <limits.h>

#include "command.h"
#include "nb_call.h"
#include "nb_job.h"
#include "registry.h"
#include "session.h"

struct gb_nb_hook {
        struct gb_cli cli; /* with the options of the configuration */
        struct gb_nb_conf conf;
        struct gb_nb_call call;
        char manifest[PATH_MAX + 16]; /* of the list, and the list's last line */
        gb_deadline until;
};

/* The configuration of the call's policy and schedule, and gbackup-cli's options by it. */
int gb_nb_load(const struct gb_cli *c, struct gb_nb_hook *h, struct gb_error *err);
/* NetBackup wants hooks to leave its descriptors alone: to the log.  On a terminal somebody is trying it out.
 */
void gb_nb_redirect(const struct gb_nb_hook *h);
/* A line of the log: what happens with which call. */
void gb_nb_note(const struct gb_nb_hook *h, const char *text);
/* The same of an error; its exit status. */
int gb_nb_fail(const struct gb_nb_hook *h, const struct gb_error *err);
/* Is the volume mounted where the list says? */
int gb_nb_check_mount(const struct gb_nb_hook *h, const char *volume, struct gb_error *err);

/* What the schedule's type asks for, as far as the session can give it: without a full to begin from
 * everything is a full. */
int gb_nb_wanted_level(const struct gb_nb_hook *h, const struct gb_standing *s, enum gb_list_level *out,
                       struct gb_error *err);
/* Is the list that is there prepared, of the right kind, whole, young, and of another generation than `used`?
 */
bool gb_nb_is_ready(const struct gb_nb_hook *h, const struct gb_standing *s, enum gb_list_level level,
                    const char *used);
/* Make one: only what other hooks have not made meanwhile, or (`fresh`) in any case.  An exit status. */
int gb_nb_make_list(struct gb_nb_hook *h, const char *used, bool fresh);
/* In a process of its own, that outlives the hook when the time is up (GB_ERR_TIMEOUT).  An exit status, -1.
 */
int gb_nb_make_apart(struct gb_nb_hook *h, const char *used, struct gb_error *err);
/* NetBackup's include and exclude lists, if they are wanted; `tree`: everything is to be saved, so none. */
int gb_nb_deliver(const struct gb_nb_hook *h, bool tree, struct gb_error *err);

#endif
