/*
 * history_volume - what glusterd, a brick's log and its indices say of a window.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "history_core.h"

/* rollover-time when glusterd cannot be asked. */
#define ROLLOVER_DEFAULT 15
/* Volume changes that stop, off, start, stop, on, start take at least; with only a restart to show for it,
 * and no hole, all six of them are wanted. */
#define CHANGES_WITH_HOLE    4
#define CHANGES_WITH_RESTART 6

int gb_changelogs_dir(const struct gb_brick *b, char *dir, size_t size, struct gb_error *err)
{
        int n = snprintf(dir, size, "%s/.glusterfs/changelogs", b->path);

        if (n < 0 || (size_t)n >= size)
                return gb_error_set(err, GB_ERR_LIMIT, "brick path is longer than %d bytes",
                                    GB_BRICK_PATH_MAX);
        return 0;
}

static int check_options(const struct gb_changelog_options *o, const char *dir, struct gb_error *err)
{
        if (!o->active)
                return gb_error_set(err, GB_ERR_CHANGELOG_OFF, "changelog is off");
        if (o->rollover < 2)
                return gb_error_set(err, GB_ERR_GAP,
                                    "changelog.rollover-time is %u: below 2 slices overwrite each other",
                                    o->rollover);
        if (!o->dir || strcmp(o->dir, dir) != 0)
                return gb_error_set(err, GB_ERR_GAP, "changelog.changelog-dir is %.256s, not the default",
                                    o->dir ? o->dir : "unknown");
        return 0;
}

char *gb_history_log(const struct gb_glusterd *gd, const struct gb_brick *b)
{
        char *log = gd ? gb_brick_log(gd, b) : NULL;

        return log ? log : gb_bricklog_named(b->path);
}

/* Clients that come are told of at level INFO (diagnostics.brick-log-level), to the log (brick-logger). */
static bool is_quiet(const struct gb_glusterd *gd, const char *volume, const struct gb_brick_file *f)
{
        static const char type[] = "debug/io-stats";
        char level[32], logger[32];

        if (gb_glusterd_brick_option(gd, volume, f, type, "log-level", level, sizeof(level), NULL) > 0 &&
            strcmp(level, "INFO") != 0 && strcmp(level, "DEBUG") != 0 && strcmp(level, "TRACE") != 0)
                return true;
        return gb_glusterd_brick_option(gd, volume, f, type, "logger", logger, sizeof(logger), NULL) > 0 &&
               strcmp(logger, "gluster-log") != 0;
}

/* The options and the version; without glusterd nothing is checked. */
int gb_volume_now(const struct gb_brick *b, const struct gb_glusterd *gd, const char *dir,
                  struct gb_volume_now *now, struct gb_error *err)
{
        struct gb_changelog_options o = {0};
        struct gb_brick_file file = {0};
        struct gb_volume_file volume;
        bool quiet;
        int rc;

        *now = (struct gb_volume_now){false, b->volume_version, ROLLOVER_DEFAULT, false};
        if (!gd)
                return 0;
        if (gb_glusterd_volume(gd, b->volume, &volume, err) < 0)
                return -1;
        rc = gb_glusterd_brick(gd, b->volume, b->path, &file, err);
        if (rc < 0)
                return -1;
        if (rc == 0)
                return gb_error_set(err, GB_ERR_NO_BRICK, "not a brick of volume %.256s here", b->volume);
        rc = gb_glusterd_changelog_options(gd, b->volume, &file, &o, err);
        quiet = rc == 0 && is_quiet(gd, b->volume, &file);
        gb_brick_file_fini(&file);
        if (rc < 0)
                return -1;
        rc = check_options(&o, dir, err);
        *now = (struct gb_volume_now){true, volume.version, o.rollover, quiet};
        gb_changelog_options_fini(&o);
        return rc;
}

/*
 * A hole in the heartbeat is a brick that was down, which loses nothing; unless changelog was switched off,
 * the brick started, stopped, changelog switched on.  The brick's log tells, or else the number of volume
 * changes.
 */
int gb_history_check_holes(const struct gb_history *h, const struct gb_volume_now *now, int64_t to,
                           struct gb_error *err)
{
        int64_t limit = 3 * (int64_t)now->rollover > HOLE_MIN ? 3 * (int64_t)now->rollover : HOLE_MIN;
        uint64_t changes = now->version - h->from.volume_version;
        int64_t since, hole;
        unsigned restarts, on, off;
        char at[32];
        bool log;

        if (!now->known)
                return 0;
        hole = gb_chain_longest_hole(&h->chain, h->from.last_ts, to, &since);
        restarts = gb_chain_restarts(&h->chain);
        gb_iso_time(since, at);
        if (h->by_time && hole > limit)
                return gb_error_set(err, GB_ERR_GAP,
                                    "no sign of the brick for %" PRId64 " s from %s, and no way to know that "
                                    "changelog stayed on",
                                    hole, at);
        if (h->by_time)
                return 0;
        if (now->version < h->from.volume_version)
                return gb_error_set(err, GB_ERR_GAP,
                                    "the volume's version went back from %" PRIu64 " to %" PRIu64,
                                    h->from.volume_version, now->version);
        log = gb_bricklog_starts(h->log, h->b->path, &h->from.log, &on, &off);
        if (log && off)
                return gb_error_set(err, GB_ERR_GAP,
                                    "the brick was started with changelog off, as its log says");
        if (log && on >= restarts)
                return 0;
        if (restarts && changes >= (hole > limit ? CHANGES_WITH_HOLE : CHANGES_WITH_RESTART))
                return gb_error_set(err, GB_ERR_GAP,
                                    "no sign of the brick for %" PRId64 " s from %s while the volume was "
                                    "changed %" PRIu64 " times: changelog may have been off",
                                    hole, at, changes);
        return 0;
}

/*
 * A brick that was cut off from clients, and not restarted, has no mark of it in its changelog.  But its log
 * says that clients came back, and the index of heals of its siblings changed when they noted what it missed.
 * The clock of the kernel is compared with that of the kernel: live_born is from before the cursor.  A log
 * that was rotated twice, or is kept too short, tells nothing.
 */
uint32_t gb_history_watch_brick(const struct gb_history *h, const struct gb_volume_now *now)
{
        uint32_t flags = gb_chain_restarts(&h->chain) > 0 ? GB_BRICK_RESTARTED : 0;
        struct stat st;

        if (!h->by_time && now->known) {
                int again = gb_bricklog_reconnected(h->log, h->b->path, &h->from.log);

                if (again > 0)
                        flags |= GB_BRICK_RECONNECTED;
                else if (again < 0 || now->quiet)
                        flags |= GB_BRICK_UNTOLD;
        }
        if (fstatat(h->b->handles_fd, "indices/xattrop", &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? flags : flags | GB_BRICK_ACCUSES;
        if (h->by_time || st.st_ctim.tv_sec * SECOND + st.st_ctim.tv_nsec >= h->from.live_born)
                flags |= GB_BRICK_ACCUSES;
        return flags;
}
