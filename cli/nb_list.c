/*
 * nb_list - the list of a NetBackup job: whether one is ready, making one, handing it over.  See nb_hook.h.
 */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "manifest.h"
#include "nb_hook.h"

#define OURS "# written by gbackup-cli"

/* ---- is one ready? ---- */

static enum gb_list_level full_level(const struct gb_nb_conf *conf)
{
        return conf->full_names ? GB_LEVEL_FULL : GB_LEVEL_MARK;
}

int gb_nb_wanted_level(const struct gb_nb_hook *h, const struct gb_standing *s, enum gb_list_level *out,
                       struct gb_error *err)
{
        enum gb_list_level level;

        switch (h->call.type) {
        case GB_NB_FULL:
                level = GB_LEVEL_FULL;
                break;
        case GB_NB_INCR:
                level = GB_LEVEL_INCREMENTAL;
                break;
        case GB_NB_CINC:
                level = GB_LEVEL_CUMULATIVE;
                break;
        default:
                level = h->conf.user[h->call.type == GB_NB_UARC];
                break;
        }
        if (level == GB_LEVEL_AUTO)
                return gb_error_set(
                        err, GB_ERR_CONFIG, "no list for a schedule of type %s; see %s in netbackup.conf",
                        gb_nb_type_name(h->call.type), h->call.type == GB_NB_UARC ? "uarc" : "ubak");
        if (level == GB_LEVEL_FULL || (level == GB_LEVEL_INCREMENTAL && !*s->committed) ||
            (level == GB_LEVEL_CUMULATIVE && !*s->last_full))
                level = full_level(&h->conf);
        *out = level;
        return 0;
}

static const char *text_in(const json_t *j, const char *member)
{
        const char *text = json_string_value(json_object_get(j, member));

        return text ? text : "";
}

static bool right_level(const json_t *m, enum gb_list_level level, const struct gb_standing *s)
{
        static const char *const names[] = {[GB_LEVEL_AUTO] = "",
                                            [GB_LEVEL_FULL] = "full",
                                            [GB_LEVEL_INCREMENTAL] = "incremental",
                                            [GB_LEVEL_CUMULATIVE] = "cumulative",
                                            [GB_LEVEL_MARK] = "mark"};
        const char *base = level == GB_LEVEL_CUMULATIVE ? s->last_full : s->committed;

        if (strcmp(text_in(m, "level"), names[level]) != 0)
                return false;
        return level == GB_LEVEL_FULL || level == GB_LEVEL_MARK || strcmp(text_in(m, "base"), base) == 0;
}

/* Size and SHA-256 tell that list and manifest belong together, and that nobody wrote into the list. */
static bool list_is_whole(const struct gb_nb_hook *h, const json_t *list)
{
        struct gb_error ignored;
        char digest[65];
        struct stat st;

        return stat(h->conf.list, &st) == 0 &&
               st.st_size == (off_t)json_integer_value(json_object_get(list, "bytes")) &&
               gb_file_digest(h->conf.list, digest, &ignored) == 0 &&
               strcmp(digest, text_in(list, "sha256")) == 0;
}

bool gb_nb_is_ready(const struct gb_nb_hook *h, const struct gb_standing *s, enum gb_list_level level,
                    const char *used)
{
        json_t *m = json_load_file(h->manifest, JSON_REJECT_DUPLICATES, NULL);
        const json_t *list = json_object_get(m, "list");
        const char *generation = text_in(m, "generation");
        json_int_t age = (json_int_t)time(NULL) - json_integer_value(json_object_get(m, "finished"));
        json_int_t status = json_integer_value(json_object_get(m, "exit_status"));
        bool ready = *generation && strcmp(generation, s->pending) == 0 && strcmp(generation, used) != 0 &&
                     strcmp(text_in(m, "session"), h->conf.session) == 0 && right_level(m, level, s) &&
                     age >= 0 && age <= (json_int_t)h->conf.max_age &&
                     (status == GB_EXIT_OK || (status == GB_EXIT_SKIPPED && h->conf.allow_skipped)) &&
                     strcmp(text_in(list, "format"), "netbackup") == 0 &&
                     strcmp(text_in(list, "prefix"), h->conf.mount) == 0 && list_is_whole(h, list);

        json_decref(m);
        return ready;
}

/* ---- making one ---- */

static char *making_lock(const struct gb_nb_hook *h)
{
        char *path = NULL;

        return asprintf(&path, "%s/%s.making", h->conf.state_dir, h->conf.session) < 0 ? NULL : path;
}

int gb_nb_make_list(struct gb_nb_hook *h, const char *used, bool fresh)
{
        GB_CLEANUP_FREE
        char *file = making_lock(h);
        GB_CLEANUP_CLOSE
        int lock = -1;
        char *argv[] = {h->conf.session, NULL};
        struct gb_error err = {0};
        struct gb_standing s;
        int rc;

        if (!file)
                return GB_EXIT_ERROR;
        lock = gb_nb_lock(file, h->until, h->cli.cancel_fd, &err);
        if (lock < 0 || gb_registered_standing(&h->cli, h->conf.session, &s, &err) < 0 ||
            gb_nb_check_mount(h, s.volume, &err) < 0 || gb_nb_wanted_level(h, &s, &h->cli.o.level, &err) < 0)
                return gb_nb_fail(h, &err);
        if (!fresh && gb_nb_is_ready(h, &s, h->cli.o.level, used))
                return GB_EXIT_OK;
        h->cli.o.quiet = true;
        rc = gb_cmd_prepare(&h->cli, 1, argv);
        return rc == GB_EXIT_SKIPPED && h->conf.allow_skipped ? GB_EXIT_OK : rc;
}

int gb_nb_make_apart(struct gb_nb_hook *h, const char *used, struct gb_error *err)
{
        struct pollfd p[2] = {{.events = POLLIN}, {.fd = h->cli.cancel_fd, .events = POLLIN}};
        GB_CLEANUP_CLOSE
        int fd = -1;
        pid_t pid = fork();
        int status;

        if (pid < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "fork");
        if (pid == 0) {
                setsid();
                h->cli.cancel_fd = gb_cancel_apart();
                _exit(gb_nb_make_list(h, used, false));
        }
        fd = pidfd_open(pid, 0);
        if (fd < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "pidfd_open");
        p[0].fd = fd;
        while (poll(p, 2, gb_deadline_left(h->until)) < 0 && errno == EINTR)
                ;
        if (!p[0].revents)
                return gb_error_set(
                        err, GB_ERR_TIMEOUT,
                        "the list is not ready after %u s and is still being made: when NetBackup "
                        "tries again it is adopted; see timeout in netbackup.conf, or prepare it "
                        "before the job",
                        h->conf.timeout);
        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                return gb_error_set(err, GB_ERR_SYSTEM, "making the list ended abruptly");
        return WEXITSTATUS(status);
}

/* ---- handing it over ---- */

static int put_file(const char *path, const char *first, const char *copy_of, struct gb_error *err)
{
        GB_CLEANUP_FCLOSE FILE *in = copy_of ? fopen(copy_of, "re") : NULL;
        struct gb_output *out = gb_output_open(path, err);
        char buf[65536];
        size_t n;

        if (!out)
                return -1;
        if (copy_of && !in) {
                gb_error_sys(err, GB_ERR_SYSTEM, "%s", copy_of);
                goto fail;
        }
        if (gb_output_write(out, first, strlen(first), err) < 0)
                goto fail;
        while (in && (n = fread(buf, 1, sizeof(buf), in)) > 0)
                if (gb_output_write(out, buf, n, err) < 0)
                        goto fail;
        if (in && ferror(in)) {
                gb_error_sys(err, GB_ERR_SYSTEM, "%s: read", copy_of);
                goto fail;
        }
        if (gb_output_finish(out, err) < 0)
                goto fail;
        return gb_output_publish(out, err);
fail:
        gb_output_discard(out);
        return -1;
}

/* A list that somebody wrote by hand is not ours to replace. */
static int check_ours(const char *path, struct gb_error *err)
{
        GB_CLEANUP_FCLOSE FILE *f = fopen(path, "re");
        char line[sizeof(OURS)] = "";

        if (!f)
                return errno == ENOENT ? 0 : gb_error_sys(err, GB_ERR_SYSTEM, "%s", path);
        if (fread(line, 1, sizeof(OURS) - 1, f) == sizeof(OURS) - 1 && strcmp(line, OURS) == 0)
                return 0;
        return gb_error_set(err, GB_ERR_CONFIG, "%s: not written by gbackup-cli; move it away", path);
}

/* Exclude everything, include the list: NetBackup's documented way to save exactly what is listed. */
int gb_nb_deliver(const struct gb_nb_hook *h, bool tree, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *include = NULL;
        GB_CLEANUP_FREE
        char *exclude = NULL;

        if (!h->conf.include)
                return 0;
        if (asprintf(&include, "%s/include_list.%s.%s", h->conf.netbackup_dir, h->call.policy,
                     h->call.schedule) < 0 ||
            asprintf(&exclude, "%s/exclude_list.%s.%s", h->conf.netbackup_dir, h->call.policy,
                     h->call.schedule) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        if (check_ours(include, err) < 0 || check_ours(exclude, err) < 0)
                return -1;
        if (!tree)
                return put_file(include, OURS "\n", h->conf.list, err) < 0 ||
                                       put_file(exclude, OURS "\n*\n", NULL, err) < 0
                               ? -1
                               : 0;
        if ((unlink(include) < 0 && errno != ENOENT) || (unlink(exclude) < 0 && errno != ENOENT))
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: remove", include);
        return 0;
}
