/*
 * nb_hook - see nb_hook.h.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "nb_hook.h"
#include "progress.h"

int gb_nb_load(const struct gb_cli *c, struct gb_nb_hook *h, struct gb_error *err)
{
        struct gb_options *o = &h->cli.o;

        if (gb_nb_conf_load(h->call.policy, h->call.schedule, &h->conf, err) < 0)
                return -1;
        snprintf(h->manifest, sizeof(h->manifest), "%s.manifest", h->conf.list);
        h->cli = *c;
        o->format = GB_FORMAT_NETBACKUP;
        o->out_file = h->conf.list;
        o->prefix = h->conf.mount;
        o->last_line = h->manifest;
        o->raw_wildcards = h->conf.raw_wildcards;
        o->all_directories = h->conf.all_directories;
        o->sweep = h->conf.sweep;
        o->full_on_gap = h->conf.full_on_gap;
        o->progress = GB_PROGRESS_NONE;
        if (*h->conf.rsh)
                o->rsh = h->conf.rsh;
        h->until = gb_deadline_in((int64_t)h->conf.timeout * 1000);
        return 0;
}

void gb_nb_redirect(const struct gb_nb_hook *h)
{
        GB_CLEANUP_FREE
        char *dir = strdup(h->conf.log);
        char *slash = dir ? strrchr(dir, '/') : NULL;
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fd;

        if (null >= 0) {
                dup2(null, STDIN_FILENO);
                close(null);
        }
        if (!*h->conf.log || isatty(STDERR_FILENO))
                return;
        if (slash && slash != dir) {
                *slash = '\0';
                mkdir(dir, 0755);
        }
        fd = open(h->conf.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (fd < 0) {
                gb_say("%s: %s; messages go to stderr", h->conf.log, strerror(errno));
                return;
        }
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        close(fd);
}

void gb_nb_note(const struct gb_nb_hook *h, const char *text)
{
        const struct gb_nb_call *k = &h->call;
        time_t now = time(NULL);
        char when[32] = "";
        struct tm tm;

        if (localtime_r(&now, &tm))
                strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S%z", &tm);
        gb_say("%s %s %s %s stream %d: %s", when, k->policy, k->schedule, gb_nb_type_name(k->type), k->stream,
               text);
}

int gb_nb_fail(const struct gb_nb_hook *h, const struct gb_error *err)
{
        gb_nb_note(h, err->text);
        return gb_exit_of(err->code);
}

/* An empty directory where the volume should be would be saved as a perfectly good, empty backup. */
int gb_nb_check_mount(const struct gb_nb_hook *h, const char *volume, struct gb_error *err)
{
        const char *mount = h->conf.mount;
        char real[PATH_MAX] = "", want[1100], source[1100] = "";
        struct stat st;
        struct mntent *m;
        FILE *f;

        if (stat(mount, &st) < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s", mount);
        if (!realpath(mount, real) || strcmp(real, mount) != 0)
                return gb_error_set(err, GB_ERR_CONFIG,
                                    "mount %s: NetBackup follows no links in a list; it is %s really", mount,
                                    real);
        f = setmntent("/proc/self/mounts", "re");
        if (!f)
                return gb_error_sys(err, GB_ERR_SYSTEM, "/proc/self/mounts");
        snprintf(want, sizeof(want), ":/%s", volume);
        while ((m = getmntent(f))) {
                const char *volume_of =
                        strcmp(m->mnt_type, "fuse.glusterfs") == 0 ? strstr(m->mnt_fsname, ":/") : NULL;

                if (strcmp(m->mnt_dir, mount) ==
                    0) /* the last one lies on top; of NFS the volume is not known */
                        snprintf(source, sizeof(source), "%s", volume_of ? volume_of : want);
        }
        endmntent(f);
        if (!*source)
                return gb_error_set(err, GB_ERR_SYSTEM, "%s: nothing is mounted here", mount);
        if (strcmp(source, want) != 0)
                return gb_error_set(err, GB_ERR_CONFIG, "%s: %.200s is mounted here, not volume %.200s",
                                    mount, source + 2, volume);
        return 0;
}
