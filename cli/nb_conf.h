/*
 * nb_conf - netbackup.conf: what the NetBackup hooks do for each policy.
 *
 * An INI file.  A section is a policy, or POLICY/SCHEDULE for one of its schedules; [*] holds what all
 * others begin with.  The file stands in GBACKUP_NETBACKUP_CONF, else SYSCONFDIR/gbackup/netbackup.conf.
 */
#ifndef GB_NB_CONF_H
#define GB_NB_CONF_H

#include <limits.h>

#include "cli.h"

/* What a schedule of a type gets. */
enum gb_nb_type { GB_NB_FULL, GB_NB_INCR, GB_NB_CINC, GB_NB_UBAK, GB_NB_UARC, GB_NB_TYPES };
enum gb_nb_commit { GB_NB_COMMIT_EXIT, GB_NB_COMMIT_BPEND, GB_NB_COMMIT_NEVER };

/* Texts are owned by the struct. */
struct gb_nb_conf {
        char session[256];
        char mount[1001];    /* where this client has the volume mounted */
        char list[PATH_MAX]; /* the list file; empty: STATE_DIR/SESSION.list */
        char state_dir[PATH_MAX / 2];
        char log[PATH_MAX];               /* empty: stderr */
        char rsh[256];                    /* empty: none */
        char netbackup_dir[PATH_MAX / 2]; /* of the client, where its include lists are */
        bool include;                     /* deliver as include_list.POLICY.SCHEDULE; else the file alone */
        bool full_names;                  /* a full names every file; else the mount point alone */
        bool raw_wildcards, raw_given;
        bool all_directories, sweep, full_on_gap, allow_skipped, commit_partial;
        enum gb_list_level user[2]; /* UBAK, UARC; AUTO: refused */
        enum gb_nb_commit commit_on;
        unsigned timeout; /* seconds `start` may take */
        unsigned max_age; /* seconds a prepared list is good for */
};

/* Of one policy.  GB_ERR_CONFIG: no such section, or the file is wrong. */
int gb_nb_conf_load(const char *policy, const char *schedule, struct gb_nb_conf *out, struct gb_error *err);

#endif
