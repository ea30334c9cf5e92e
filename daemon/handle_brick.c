/*
 * handle_brick - BRICK_STATUS, CURSOR and LOOK: questions about one brick.
 */
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/gfidmap.h"
#include "base/log.h"
#include "handlers.h"
#include "htime.h"
#include "resolve.h"

/* A client waits GB_CALL_MS for an answer; it should be a time-out of ours, not of the connection. */
#define CURSOR_WAIT_MAX_MS (GB_CALL_MS - 30000)

/* ---- BRICK_STATUS ---- */

/* Newest HTIME entry; 0 if there is none.  A status is asked for when things are broken: damage is
 * logged here and told in full by the call that needs the history. */
static int64_t last_slice(const struct gb_brick *b)
{
        GB_CLEANUP_FREE
        char *dir = NULL;
        struct gb_slices slices;
        struct gb_error err;
        int64_t last;

        if (asprintf(&dir, "%s/.glusterfs/changelogs", b->path) < 0) {
                dir = NULL;
                return 0;
        }
        if (access(dir, F_OK) < 0)
                return 0;
        if (gb_slices_open(dir, time(NULL), &slices, &err) < 0) {
                gb_log(GB_LOG_WARNING, "%s", err.text);
                return 0;
        }
        last = slices.last_ts;
        gb_slices_close(&slices);
        return last;
}

static int put_changelog(struct gb_worker *w, const struct gb_brick *b, gbx_brick_status *out,
                         struct gb_error *err)
{
        struct gb_changelog_options options = {0};
        struct gb_brick_file file = {0};
        int rc = gb_glusterd_brick(&w->gd, b->volume, b->path, &file, err);

        if (rc < 0)
                return -1;
        if (rc == 0)
                return gb_error_set(err, GB_ERR_NO_BRICK, "brick %s was removed from volume %s just now",
                                    b->path, b->volume);
        rc = gb_glusterd_changelog_options(&w->gd, b->volume, &file, &options, err);
        out->changelog = rc == 0 && options.active;
        out->rollover = options.rollover;
        gb_changelog_options_fini(&options);
        gb_brick_file_fini(&file);
        return rc;
}

static int put_heals(const struct gb_brick *b, gbx_brick_status *out, struct gb_error *err)
{
        struct gb_heal_status heal = {0};

        if (gb_brick_heal_status(b, &heal, err) < 0)
                return -1;
        out->pending = heal.pending;
        out->blames_all = heal.blames_all;
        if (heal.n_blamed == 0)
                return 0;
        out->blamed.blamed_val = calloc((size_t)heal.n_blamed, sizeof(int));
        if (!out->blamed.blamed_val)
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory for its status", b->path);
        memcpy(out->blamed.blamed_val, heal.blamed, (size_t)heal.n_blamed * sizeof(int));
        out->blamed.blamed_len = (u_int)heal.n_blamed;
        return 0;
}

static int brick_status(struct gb_worker *w, const gbx_brick_arg *arg, gbx_brick_status *out,
                        struct gb_error *err)
{
        GB_CLEANUP_BRICK struct gb_brick *b = gb_handler_brick(w, &arg->volume, &arg->brick, false, err);
        struct timespec now;

        if (!b || put_changelog(w, b, out, err) < 0)
                return -1;
        out->running = gb_brick_running(&w->gd, b);
        out->last_slice = last_slice(b);
        clock_gettime(CLOCK_REALTIME, &now);
        out->now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
        return put_heals(b, out, err);
}

bool_t gbx_brick_status_1_svc(gbx_brick_arg *arg, gbx_brick_status_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_brick_status_res,
                  w && brick_status(w, arg, &res->gbx_brick_status_res_u.status, &err) == 0, &err);
}

/* ---- CURSOR ---- */

static int cursor(struct gb_worker *w, const gbx_cursor_arg *arg, gbx_cursor *out, struct gb_error *err)
{
        GB_CLEANUP_BRICK struct gb_brick *b = gb_handler_brick(w, &arg->volume, &arg->brick, false, err);
        unsigned wait = arg->wait_ms < CURSOR_WAIT_MAX_MS ? arg->wait_ms : CURSOR_WAIT_MAX_MS;
        struct gb_cursor c;
        char text[GB_CURSOR_MAX];

        if (!b || gb_cursor_now(b, &w->gd, gb_deadline_in(wait), &c, err) < 0 ||
            gb_cursor_format(&c, text, sizeof(text), err) < 0)
                return -1;
        out->gbx_cursor_val = strdup(text);
        if (!out->gbx_cursor_val)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory for a cursor");
        out->gbx_cursor_len = (u_int)strlen(text);
        return 0;
}

bool_t gbx_cursor_1_svc(gbx_cursor_arg *arg, gbx_cursor_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_cursor_res, w && cursor(w, arg, &res->gbx_cursor_res_u.cursor, &err) == 0,
                  &err);
}

/* ---- LOOK ---- */

/* Two counts in front of facts and directories. */
#define LOOK_MAX (GBX_LOOKDATA_MAX - 2 * 10)
/* How long the handle of a directory may be missing while it is renamed (facts 5.1); with room. */
#define RENAME_US 20000

/* The resolver lives for one call.  Its cache of parents would make the next call cheaper, but it would
 * also spell a path with the name a directory had before it was moved in between. */
struct looker {
        const struct gb_brick *brick;
        struct gb_resolver *resolver;
        struct gb_buf facts;
        struct gb_buf dirs;
        uint64_t n_dirs;
        struct gb_gfidmap sent; /* directories that stand in `dirs` */
        GB_VEC(gb_gfid) absent;
        struct gb_fact fact;
};

static void looker_fini(struct looker *l)
{
        if (l->resolver)
                gb_resolver_free(l->resolver);
        gb_fact_fini(&l->fact);
        gb_vec_free(&l->absent);
        gb_gfidmap_fini(&l->sent);
        gb_buf_fini(&l->facts);
        gb_buf_fini(&l->dirs);
}

static int looker_init(struct looker *l, const struct gb_brick *b, struct gb_error *err)
{
        *l = (struct looker){.brick = b};
        gb_buf_init(&l->facts, LOOK_MAX);
        gb_buf_init(&l->dirs, LOOK_MAX);
        gb_gfidmap_init(&l->sent, 0);
        l->resolver = gb_resolver_new(b, err);
        return l->resolver ? 0 : -1;
}

static int too_much(const struct looker *l, struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_LIMIT, "%s: an object with %zu names does not fit an answer",
                            l->brick->path, l->fact.names.n);
}

static bool within(const struct looker *l)
{
        return l->facts.len + l->dirs.len <= LOOK_MAX;
}

/* A directory and those above it, as far as they were not sent yet.  1 added, 0 the answer is full, -1.
 * A chain that breaks off is a directory that was removed while we looked. */
static int add_dirs(struct looker *l, gb_gfid dir, struct gb_error *err)
{
        struct gb_slot slot;
        bool fresh;
        int rc;

        for (int depth = 0; !gb_gfid_eq(&dir, &GB_GFID_ROOT); depth++) {
                if (depth == GB_DEPTH_MAX)
                        return gb_error_set(err, GB_ERR_LIMIT, "%s: directories nest without end",
                                            l->brick->path);
                if (!gb_gfidmap_put(&l->sent, &dir, &fresh))
                        return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory to look", l->brick->path);
                if (!fresh)
                        return 1;
                rc = gb_resolver_dir(l->resolver, &dir, &slot, err);
                if (rc != 1)
                        return rc < 0 ? -1 : 1;
                if (gb_buf_put_gfid(&l->dirs, &dir) < 0 || gb_buf_put_gfid(&l->dirs, &slot.parent) < 0 ||
                    gb_buf_put_bytes(&l->dirs, slot.name, slot.len) < 0)
                        return 0;
                l->n_dirs++;
                dir = slot.parent;
        }
        return 1;
}

/* 1 added, 0 it does not fit any more (nothing added), -1. */
static int look_one(struct looker *l, const gb_gfid *gfid, struct gb_error *err)
{
        size_t facts_len = l->facts.len, dirs_len = l->dirs.len;
        uint64_t n_dirs = l->n_dirs;
        gb_gfid shard_base;
        int rc;

        gb_fact_reset(&l->fact);
        l->fact.gfid = *gfid;
        if (gb_resolver_look(l->resolver, &l->fact, &shard_base, err) < 0)
                return -1;
        rc = gb_fact_encode(&l->facts, &l->fact) < 0 ? 0 : 1;
        for (size_t i = 0; rc == 1 && i < l->fact.names.n; i++)
                rc = add_dirs(l, l->fact.names.v[i].parent, err);
        if (rc == 1 && l->fact.look == GB_LOOK_ABSENT && gb_vec_push(&l->absent, *gfid) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory to look", l->brick->path);
        if (rc == 1 && within(l))
                return 1;
        /* `sent` now names directories that are cut off again: nothing may be added after this. */
        l->facts.len = facts_len;
        l->dirs.len = dirs_len;
        l->n_dirs = n_dirs;
        return rc < 0 ? -1 : 0;
}

static int look_all(struct looker *l, const gbx_look_arg *arg, unsigned *done, struct gb_error *err)
{
        gb_gfid gfid;
        int rc;

        for (*done = 0; *done < arg->gfids.gfids_len; (*done)++) {
                memcpy(gfid.b, arg->gfids.gfids_val[*done], sizeof(gfid.b));
                rc = look_one(l, &gfid, err);
                if (rc < 0)
                        return -1;
                if (rc == 0)
                        return *done ? 0 : too_much(l, err);
        }
        return 0;
}

static int look_assemble(const struct looker *l, unsigned done, gbx_look_ok *out, struct gb_error *err)
{
        struct gb_buf all;

        gb_buf_init(&all, GBX_LOOKDATA_MAX);
        if (gb_buf_put_varint(&all, done) < 0 || gb_buf_put(&all, l->facts.data, l->facts.len) < 0 ||
            gb_buf_put_varint(&all, l->n_dirs) < 0 || gb_buf_put(&all, l->dirs.data, l->dirs.len) < 0) {
                gb_buf_fini(&all);
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory to look", l->brick->path);
        }
        out->done = done;
        out->data.data_val = (char *)all.data;
        out->data.data_len = (u_int)all.len;
        return 0;
}

/* GlusterFS takes a directory's handle away while it renames the directory.  So what was absent is
 * looked for once more after a moment: 1 something has turned up, 0, -1. */
static int look_again(struct looker *l, struct gb_error *err)
{
        gb_gfid shard_base;

        if (l->absent.n)
                usleep(RENAME_US);
        for (size_t i = 0; i < l->absent.n; i++) {
                gb_fact_reset(&l->fact);
                l->fact.gfid = l->absent.v[i];
                if (gb_resolver_look(l->resolver, &l->fact, &shard_base, err) < 0)
                        return -1;
                if (l->fact.look != GB_LOOK_ABSENT)
                        return 1;
        }
        return 0;
}

static int look_once(const struct gb_brick *b, const gbx_look_arg *arg, bool last, gbx_look_ok *out,
                     struct gb_error *err)
{
        struct looker l;
        unsigned done = 0;
        int rc = looker_init(&l, b, err);

        if (rc == 0)
                rc = look_all(&l, arg, &done, err);
        if (rc == 0 && !last)
                rc = look_again(&l, err);
        if (rc == 0)
                rc = look_assemble(&l, done, out, err);
        looker_fini(&l);
        return rc;
}

static int look(struct gb_worker *w, const gbx_look_arg *arg, gbx_look_ok *out, struct gb_error *err)
{
        GB_CLEANUP_BRICK struct gb_brick *b = gb_handler_brick(w, &arg->volume, &arg->brick, true, err);
        int rc;

        if (!b)
                return -1;
        rc = look_once(b, arg, false, out, err);
        return rc == 1 ? look_once(b, arg, true, out, err) : rc;
}

bool_t gbx_look_1_svc(gbx_look_arg *arg, gbx_look_res *res, struct svc_req *req)
{
        struct gb_error err;
        struct gb_worker *w = GB_ENTER(req, res, &err);

        GB_ANSWER(req, res, gbx_look_res, w && look(w, arg, &res->gbx_look_res_u.look, &err) == 0, &err);
}
