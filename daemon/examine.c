/*
 * examine - see examine.h.
 *
 * The history of each stored position is really read, to the end or for HISTORY_MS: a torn slice is found
 * today and not by tonight's run.  Nothing is changed by looking.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "certs.h"
#include "examine.h"
#include "findings.h"
#include "history.h"
#include "htime.h"
#include "needs.h"
#include "usage.h"

/* For the histories of all positions of a brick. */
#define HISTORY_MS 30000
/* Silence of a brick that is longer than this many rollovers, and than a minute, is remarkable. */
#define SILENCE 4
#define MIB     ((uint64_t)1024 * 1024)
#define GIB     (1024 * MIB)
/* Closed slices beyond this are worth a look. */
#define CHANGELOGS_MANY (4 * GIB)
/* A brick with less free tears records (facts 3.5 f). */
#define BRICK_FREE_MIN (256 * MIB)
#define STATE_FREE_MIN (64 * MIB)

struct look {
        struct gb_worker *w;
        const struct gb_brick *b;
        struct gb_findings f;
        bool running;
        bool recording; /* changelog is on */
        unsigned rollover;
        bool sessions; /* some session has a position here */
        gb_deadline until;
};

/* ---- the node ---- */

static void look_at_state(struct look *l)
{
        const char *dir = l->w->settings->state_dir;
        struct statvfs fs;
        uint64_t room;

        if (statvfs(dir, &fs) < 0) {
                gb_finding(&l->f, GBX_FAULT, "state-dir", "", "make the directory, mode 0700, owned by root",
                           "state directory %.400s: %s", dir, strerror(errno));
                return;
        }
        room = (uint64_t)fs.f_bavail * fs.f_frsize;
        if (room < STATE_FREE_MIN || (fs.f_files && !fs.f_favail))
                gb_finding(&l->f, GBX_FAULT, "state-space", "", "free space there, or move state_dir",
                           "state directory %.400s: %" PRIu64 " MiB free; positions cannot be stored", dir,
                           room / MIB);
        else if (room < l->w->settings->memory_limit)
                gb_finding(&l->f, GBX_WARNING, "state-space", "", "free space there, or move state_dir",
                           "state directory %.400s: %" PRIu64 " MiB free; a large incremental sorts there",
                           dir, room / MIB);
}

static bool same_id(const gbx_session *s, const struct gb_volume_file *v)
{
        return memcmp(s->volume_id, v->id.b, sizeof(v->id.b)) == 0;
}

static void look_at_session(struct look *l, const gbx_session *s, const struct gb_volume_file *v)
{
        const char *name = s->session.gbx_name_val;
        char when[32];

        if (!same_id(s, v))
                gb_finding(&l->f, GBX_FAULT, "session-stale", name,
                           "unregister the session and register it again",
                           "registered for an earlier volume of this name");
        if (s->pending.generation.gbx_name_len) {
                gb_iso_time(s->pending.when, when);
                gb_finding(&l->f, GBX_NOTE, "session-prepared", name,
                           "gbackup-cli commit SESSION if the list was backed up, else abort",
                           "prepared at %s and neither committed nor aborted", when);
        }
        if (!s->committed.generation.gbx_name_len)
                gb_finding(&l->f, GBX_NOTE, "session-new", name, "nothing: the next run makes a full list",
                           "no run was committed yet");
}

static void look_at_store(struct look *l, const char *volume, const struct gb_volume_file *v)
{
        struct gb_error err;
        struct gb_store *store = gb_worker_store(l->w, &err);
        gbx_sessions_res all;

        if (!store || gb_store_list(store, &all, &err) < 0) {
                gb_finding(&l->f, GBX_FAULT, "session-store", "", "see gbackup-errors(7), session store",
                           "%s", err.text);
                return;
        }
        for (u_int i = 0; i < all.gbx_sessions_res_u.sessions.sessions_len; i++) {
                const gbx_session *s = &all.gbx_sessions_res_u.sessions.sessions_val[i];

                if (strcmp(s->volume.gbx_volname_val, volume) == 0)
                        look_at_session(l, s, v);
        }
        xdr_free((xdrproc_t)xdr_gbx_sessions_res, (char *)&all);
}

/* ---- certificates ---- */

static void look_at_cert(struct look *l, const char *file, const struct gb_cert *c)
{
        int64_t now = (int64_t)time(NULL), days = (c->not_after - now) / 86400;
        const char *name = c->name[0] ? c->name : "one without a name";

        if (c->not_after <= now)
                gb_finding(&l->f, GBX_WARNING, "certificate", "", "gbackup-cli tls setup --renew, on a node",
                           "%s: the certificate of %s has expired", file, name);
        else if (c->not_before > now)
                gb_finding(&l->f, GBX_WARNING, "certificate", "", "look at the clocks",
                           "%s: the certificate of %s is not valid yet", file, name);
        else if (days < GB_CERT_WARN_DAYS)
                gb_finding(&l->f, GBX_WARNING, "certificate", "", "gbackup-cli tls setup --renew, on a node",
                           "%s: the certificate of %s expires in %" PRId64 " days", file, name, days);
}

/* Is the node's own certificate for this node? */
static void look_at_own(struct look *l, const char *file, const struct gb_certs *certs)
{
        struct gb_error ignored;
        gb_gfid node;

        if (!certs->list.n || gb_glusterd_node(&l->w->gd, &node, &ignored) < 0)
                return;
        if (!certs->list.v[0].has_uuid || !gb_gfid_eq(&certs->list.v[0].uuid, &node))
                gb_finding(&l->f, GBX_WARNING, "certificate", "", "gbackup-cli tls setup, on a node",
                           "%s: the certificate is not of this node's uuid", file);
}

static void look_at_certs(struct look *l, const char *name, bool own)
{
        struct gb_certs certs = {{NULL, 0, 0}};
        struct gb_error err = {0};
        char file[GB_SETTING_PATH_MAX + 32];

        snprintf(file, sizeof(file), "%s/%s", l->w->settings->tls_dir, name);
        if (gb_certs_load(&certs, file, false, &err) < 0)
                gb_finding(&l->f, GBX_WARNING, "certificate", "", "gbackup-cli tls setup, on a node", "%s",
                           err.text);
        for (size_t i = 0; i < certs.list.n; i++)
                look_at_cert(l, file, &certs.list.v[i]);
        if (own)
                look_at_own(l, file, &certs);
        gb_certs_fini(&certs);
}

/* ---- what glusterd's hook has noted ---- */

/* How far back a change is worth a note. */
#define EVENTS_DAYS 7
#define EVENTS_MAX  20

/* One line: "1795395253 set changelog.changelog=off". */
static void tell_event(struct look *l, char *line, int64_t since)
{
        char *end, when[32];
        long long at = strtoll(line, &end, 10);

        if (end == line || *end != ' ' || at < since)
                return;
        for (char *p = end; *p; p++)
                if ((unsigned char)*p < 0x20)
                        *p = ' ';
        gb_iso_time(at, when);
        gb_finding(&l->f, GBX_NOTE, "event", "", "nothing, if it was meant", "%s: gluster volume%.300s", when,
                   end);
}

/* The last lines of STATE/events/VOLUME, which extras/glusterd-hook writes; there need not be any. */
static void look_at_events(struct look *l, const char *volume)
{
        int64_t since = (int64_t)time(NULL) - EVENTS_DAYS * 86400;
        char tail[EVENTS_MAX * 100];
        GB_CLEANUP_FREE
        char *path = NULL;
        GB_CLEANUP_CLOSE
        int fd = -1;
        char *line, *rest;
        struct stat st;
        ssize_t n;

        if (asprintf(&path, "%s/events/%s", l->w->settings->state_dir, volume) < 0) {
                path = NULL;
                return;
        }
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return;
        n = pread(fd, tail, sizeof(tail) - 1,
                  st.st_size > (off_t)sizeof(tail) ? st.st_size - (off_t)sizeof(tail) + 1 : 0);
        if (n <= 0)
                return;
        tail[n] = '\0';
        rest = tail;
        if (st.st_size > (off_t)sizeof(tail)) /* it begins somewhere inside a line */
                rest = strchr(tail, '\n');
        while (rest && (line = strsep(&rest, "\n")))
                tell_event(l, line, since);
}

int gb_examine_node(struct gb_worker *w, const char *volume, gbx_examine_res *res, struct gb_error *err)
{
        struct look l = {.w = w};
        struct gb_volume_file v;

        gb_findings_init(&l.f, res);
        if (gb_glusterd_volume(&w->gd, volume, &v, err) < 0)
                return -1;
        if (v.restored_from_snap)
                gb_finding(&l.f, GBX_NOTE, "restored", "", "make a full list if none was made since",
                           "the volume was restored from a snapshot: records do not tell what that changed");
        look_at_state(&l);
        look_at_certs(&l, "node.pem", true);
        look_at_certs(&l, "peers.pem", false);
        look_at_store(&l, volume, &v);
        look_at_events(&l, volume);
        return 0;
}

/* ---- a brick: options ---- */

static bool is_off(const char *v)
{
        static const char *const words[] = {"off", "no", "false", "disable", "0"};

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (strcasecmp(v, words[i]) == 0)
                        return true;
        return false;
}

static void look_at_changelog(struct look *l, const struct gb_changelog_options *o)
{
        char dir[GB_BRICK_PATH_MAX + 32];

        l->recording = o->active;
        l->rollover = o->rollover;
        if (!o->active) {
                gb_finding(&l->f, l->sessions ? GBX_FAULT : GBX_WARNING, "changelog-off", "",
                           "gluster volume set VOLUME changelog.changelog on (register does it too), then a "
                           "full list",
                           "changelog is off: nothing is recorded");
                return;
        }
        if (o->rollover < 2)
                gb_finding(&l->f, GBX_FAULT, "rollover-time", "",
                           "gluster volume set VOLUME changelog.rollover-time 15, then a full list",
                           "changelog.rollover-time is %u: slices overwrite each other", o->rollover);
        else if (o->rollover > 3600)
                gb_finding(&l->f, GBX_WARNING, "rollover-time", "",
                           "gluster volume set VOLUME changelog.rollover-time 15",
                           "changelog.rollover-time is %u s: content written in that time is listed twice",
                           o->rollover);
        snprintf(dir, sizeof(dir), "%s/.glusterfs/changelogs", l->b->path);
        if (!o->dir || strcmp(o->dir, dir) != 0)
                gb_finding(&l->f, GBX_FAULT, "changelog-dir", "",
                           "gluster volume reset VOLUME changelog.changelog-dir, then a full list",
                           "changelog.changelog-dir is %.400s, not the default", o->dir ? o->dir : "unknown");
        if (o->capture_del_path)
                gb_finding(&l->f, GBX_NOTE, "capture-del-path", "",
                           "leave it on if glusterfind is in use, else: gluster volume set VOLUME "
                           "changelog.capture-del-path off",
                           "changelog.capture-del-path is on: gbackup does not need it, and each deletion "
                           "pays for it");
}

static int look_at_options(struct look *l, struct gb_error *err)
{
        struct gb_changelog_options o = {0};
        struct gb_brick_file file = {0};
        char value[64];
        int rc = gb_glusterd_brick(&l->w->gd, l->b->volume, l->b->path, &file, err);

        if (rc == 0)
                rc = gb_error_set(err, GB_ERR_NO_BRICK, "brick %s was removed just now", l->b->path);
        if (rc > 0)
                rc = gb_glusterd_changelog_options(&l->w->gd, l->b->volume, &file, &o, err);
        if (rc == 0)
                look_at_changelog(l, &o);
        if (rc == 0) {
                rc = gb_glusterd_brick_option(&l->w->gd, l->b->volume, &file, "storage/posix", "gfid2path",
                                              value, sizeof(value), err);
                if (rc > 0 && is_off(value))
                        gb_finding(&l->f, GBX_WARNING, "gfid2path-off", "",
                                   "gluster volume set VOLUME storage.gfid2path on: it helps files that are "
                                   "made from then on",
                                   "storage.gfid2path is off: names of changed files are looked for by a "
                                   "walk, which takes long");
        }
        gb_changelog_options_fini(&o);
        gb_brick_file_fini(&file);
        return rc < 0 ? -1 : 0;
}

/* ---- a brick: is it recording, is it whole? ---- */

static void look_at_pulse(struct look *l)
{
        int64_t now = (int64_t)time(NULL), silence, limit = (int64_t)l->rollover * SILENCE;
        GB_CLEANUP_FREE
        char *dir = NULL;
        struct gb_slices s;
        struct gb_error err;

        if (!l->running || !l->recording)
                return;
        if (faccessat(l->b->root_fd, ".glusterfs/changelogs/CHANGELOG", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                usleep(200000); /* in mid-rollover there is none for an instant */
        if (faccessat(l->b->root_fd, ".glusterfs/changelogs/CHANGELOG", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                gb_finding(
                        &l->f, GBX_FAULT, "not-recording", "",
                        "gluster volume set VOLUME changelog.changelog off, a few seconds later on, then a "
                        "full list",
                        "changelog is on but the brick has no live CHANGELOG: nothing is recorded");
        if (asprintf(&dir, "%s/.glusterfs/changelogs", l->b->path) < 0) {
                dir = NULL;
                return;
        }
        if (gb_slices_open_at(dir, now, 0, NULL, GB_HTIME_TAIL, &s, &err) < 0) {
                gb_finding(&l->f, GBX_FAULT, "htime", "", "run a full list; see gbackup-errors(7), gap", "%s",
                           err.text);
                return;
        }
        silence = now - s.last_ts;
        if (s.last_ts && silence > (limit > 60 ? limit : 60))
                gb_finding(&l->f, GBX_WARNING, "no-rollover", "",
                           "look at the brick's log: a hung disk or request holds it up",
                           "the brick runs but has not closed a slice for %" PRId64 " s", silence);
        if (s.last_ts > now + 60)
                gb_finding(&l->f, GBX_WARNING, "clock-back", "", "keep clocks in step: chrony or ntpd",
                           "the newest slice lies %" PRId64 " s in the future: the clock was set back",
                           s.last_ts - now);
        if (s.htime.size > (uint64_t)GB_HTIME_MAX / 4 * 3)
                gb_finding(&l->f, GBX_WARNING, "htime-large", "",
                           "switch changelog off and on once, then a full list: that begins a new file",
                           "%s has %" PRIu64 " MiB; more than %lld are not read", s.htime.name,
                           s.htime.size / MIB, GB_HTIME_MAX / 1024 / 1024);
        gb_slices_close(&s);
}

static void look_at_heals(struct look *l)
{
        struct gb_heal_status heal = {0};
        struct gb_error err;

        if (gb_brick_heal_status(l->b, &heal, &err) < 0)
                gb_finding(&l->f, GBX_WARNING, "heals-unknown", "", "gluster volume heal VOLUME info", "%s",
                           err.text);
        else if (heal.pending)
                gb_finding(&l->f, GBX_WARNING, "heals-pending", "",
                           "wait, or gluster volume heal VOLUME; all replicas of the set must be up for it",
                           "%" PRIu64
                           " objects wait to be healed; lists are right as long as this brick is up",
                           heal.pending);
}

static void look_at_disk(struct look *l)
{
        struct statvfs fs;
        uint64_t room, all;

        if (fstatvfs(l->b->root_fd, &fs) < 0)
                return;
        room = (uint64_t)fs.f_bavail * fs.f_frsize;
        all = (uint64_t)fs.f_blocks * fs.f_frsize;
        if (room < BRICK_FREE_MIN && room < all / 50)
                gb_finding(&l->f, GBX_WARNING, "brick-full", "",
                           "free space on the brick; changelog purge gives back some",
                           "%" PRIu64 " MiB free of %" PRIu64
                           ": a full disk tears records, and that is a gap",
                           room / MIB, all / MIB);
        if (fs.f_files && fs.f_favail < fs.f_files / 1000)
                gb_finding(&l->f, GBX_WARNING, "brick-full", "", "remove files; changelog purge removes some",
                           "%" PRIu64 " inodes free of %" PRIu64, (uint64_t)fs.f_favail,
                           (uint64_t)fs.f_files);
}

static void look_at_usage(struct look *l)
{
        struct gb_need need;
        struct gb_usage u;
        struct gb_error err;

        if (gb_needs_of(l->w, l->b, true, &need, &err) < 0 || gb_usage_count(l->b, need.from, &u, &err) < 0) {
                gb_finding(&l->f, GBX_WARNING, "usage-unknown", "", "see the text", "%s", err.text);
                return;
        }
        if (u.bytes > CHANGELOGS_MANY)
                gb_finding(&l->f, GBX_NOTE, "changelogs-large", "", "gbackup-cli changelog purge HOST VOLUME",
                           "history takes %" PRIu64 " MiB, of which nobody needs %" PRIu64, u.bytes / MIB,
                           u.removable_bytes / MIB);
}

/* ---- a brick: each position's history ---- */

/* What went wrong, without what the finding says anyway. */
static void tell_gap(struct look *l, const char *session, const char *state, const struct gb_error *err)
{
        bool gap = err->code == GB_ERR_GAP || err->code == GB_ERR_CHANGELOG_OFF;

        if (strcmp(state, "last_full") == 0) {
                gb_finding(&l->f, GBX_WARNING, "gap-since-full", session,
                           "make a full list before the next --level=cumulative", "%s", err->text);
                return;
        }
        gb_finding(&l->f, GBX_FAULT, gap ? "gap" : "history", session,
                   gap ? "gbackup-cli run SESSION --on-gap=full, or a new session"
                       : "see the text, and gbackup-errors(7)",
                   "%s position: %s", state, err->text);
}

static int read_history(struct look *l, const struct gb_cursor *from, bool *whole, struct gb_error *err)
{
        struct gb_history_options o = {.from = from, .reread = true};
        struct gb_history *h = gb_history_open(l->b, &l->w->gd, &o, err);
        struct gb_history_record r;
        unsigned n = 0;
        int rc = 1;

        *whole = true;
        if (!h)
                return -1;
        while (rc == 1 && *whole) {
                rc = gb_history_next(h, &r, err);
                if (++n % 4096 == 0 && gb_deadline_left(l->until) == 0)
                        *whole = false;
        }
        gb_history_close(h);
        return rc < 0 ? -1 : 0;
}

static int look_at_cursor(void *arg, const char *session, const char *volume, const char *state,
                          const char *cursor, size_t len, struct gb_error *err)
{
        struct look *l = arg;
        struct gb_error why = {0};
        struct gb_cursor c;
        bool whole = true;

        (void)err;
        if (strcmp(volume, l->b->volume) != 0)
                return 0;
        l->sessions = true;
        if (gb_cursor_parse(cursor, len, &c, &why) < 0 || read_history(l, &c, &whole, &why) < 0)
                tell_gap(l, session, state, &why);
        else if (!whole)
                gb_finding(&l->f, GBX_NOTE, "history-long", session, "nothing",
                           "%s position: the history behind it is so long that only its beginning was read",
                           state);
        return 0;
}

static int look_at_positions(struct look *l, struct gb_error *err)
{
        struct gb_store *store = gb_worker_store(l->w, err);

        return store ? gb_store_cursors(store, l->b->path, look_at_cursor, l, err) : -1;
}

int gb_examine_brick(struct gb_worker *w, const struct gb_brick *b, gbx_examine_res *res,
                     struct gb_error *err)
{
        struct look l = {.w = w, .b = b, .until = gb_deadline_in(HISTORY_MS)};
        struct gb_error why;

        gb_findings_init(&l.f, res);
        l.running = gb_brick_running(&w->gd, b);
        if (!l.running)
                gb_finding(&l.f, GBX_WARNING, "brick-down", "",
                           "gluster volume start VOLUME force; then look at the brick's log",
                           "the brick's process is not running");
        /* A store that cannot be read is the node's finding. */
        (void)look_at_positions(&l, &why);
        if (look_at_options(&l, err) < 0)
                return -1;
        look_at_pulse(&l);
        look_at_heals(&l);
        look_at_disk(&l);
        look_at_usage(&l);
        return 0;
}
