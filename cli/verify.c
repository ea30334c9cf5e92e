/*
 * verify - see verify.h.
 *
 * The list and two sweeps (inside the window; since it began) are sorted together by path, so that all that
 * is known of a path meets.  What is inside and not listed waits, with its gfid, for a second reading of the
 * list: it may be listed under another name, because it has several, or because a directory was renamed
 * since.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/gfidmap.h"
#include "base/order.h"
#include "fit.h"
#include "listread.h"
#include "progress.h"
#include "spool.h"
#include "verify.h"
#include "window.h"
#include "wire_error.h"

/* Seconds at the ends of a window that are not judged. */
#define EDGE 2

/* A record: path, NUL, one of these, type, gfid.  As gb_op_cmp wants it. */
enum word { WORD_LISTED = 1, WORD_INSIDE = 2, WORD_SIGN = 3 };
#define RECORD_TAIL (1 + 1 + 1 + sizeof(gb_gfid))

struct dir {
        char path[GB_PATH_MAX];
        size_t len; /* 0: none */
};

struct quiet {
        char *path; /* owned */
        size_t len;
        char type;
        bool there;   /* a brick has something of that name */
        bool changed; /* and it changed in the window, as far as times can tell */
};

struct work {
        const struct gb_verify *v;
        struct gb_verify_result *out;
        struct gb_sorter *sorter;
        struct gb_buf record;
        enum word word;
        struct gb_spool *doubtful; /* inside, not listed */
        struct gb_gfidmap told;    /* their gfids: bool, some line of the list has it */
        struct dir covered;        /* listed, with a sign: what is below is listed because of it */
        struct dir moved;          /* changed after the window */
        /* Listed without a sign: are they there?  And then, changed without a line: did they, and do they
         * fit? */
        struct quiet quiet[GB_ROOTS_MAX];
        unsigned n_quiet;
        bool *healed; /* by replica set: a brick of it may have been healed in the window */
        bool any_healed;
        bool times; /* the agents know TIMES */
        bool dirs;  /* directories are judged */
};

/* All that is known of one path. */
struct known {
        char path[GB_PATH_MAX + 1];
        size_t len;
        bool listed, inside, sign, has_gfid;
        char type;
        gb_gfid gfid;
};

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
}

static bool expands(const struct work *k)
{
        return gb_formats[k->v->manifest->format]->wants_expanded;
}

static bool has_gfids(const struct work *k)
{
        return gb_formats[k->v->manifest->format]->wants_gfids;
}

/* ---- gathering ---- */

static int add(struct work *k, enum word word, const char *path, size_t len, char type, const gb_gfid *gfid,
               struct gb_error *err)
{
        gb_buf_reset(&k->record);
        if (gb_buf_put(&k->record, path, len) < 0 || gb_buf_put_u8(&k->record, 0) < 0 ||
            gb_buf_put_u8(&k->record, (uint8_t)word) < 0 || gb_buf_put_u8(&k->record, (uint8_t)type) < 0 ||
            gb_buf_put_gfid(&k->record, gfid ? gfid : &GB_GFID_NULL) < 0)
                return no_memory(err);
        return gb_sorter_add(k->sorter, k->record.data, k->record.len, err);
}

static int add_found(void *arg, const struct gb_entry *e, struct gb_error *err)
{
        struct work *k = arg;

        return add(k, k->word, e->path, e->len, e->type, e->has_gfid ? &e->gfid : NULL, err);
}

static int add_list(struct work *k, const char *file, const struct gb_manifest *m, bool *intact,
                    struct gb_error *err)
{
        struct gb_listread *r = gb_listread_open(file, m, err);
        struct gb_op op;
        int rc = -1;

        while (r && (rc = gb_listread_next(r, &op, err)) == 1) {
                if (op.kind != GB_OP_DELETE && add(k, WORD_LISTED, op.path, op.len, op.type, NULL, err) < 0) {
                        rc = -1;
                        break;
                }
        }
        if (rc == 0 && intact)
                *intact = gb_listread_intact(r);
        gb_listread_close(r);
        return rc;
}

/* Names that the format could not express. */
static int add_skipped(struct work *k, struct gb_error *err)
{
        struct gb_manifest m = {.null = true, .format = GB_FORMAT_PATHS, .n_files = 1, .files = {{"", 0}}};
        GB_CLEANUP_FREE
        char *name = NULL;

        if (asprintf(&name, "%s.skipped", k->v->list) < 0) {
                name = NULL;
                return no_memory(err);
        }
        return access(name, F_OK) == 0 ? add_list(k, name, &m, NULL, err) : 0;
}

/* ---- windows ---- */

/* The window of a brick; of one that did not tell, the time that all others have in common, or
 * (`wide`) the time that any has. */
static struct gb_manifest_window window_of(const struct gb_manifest *m, const char *brick, bool wide)
{
        struct gb_manifest_window all = m->windows[0];

        for (unsigned i = 0; i < m->n_windows; i++) {
                const struct gb_manifest_window *w = &m->windows[i];

                if (strcmp(w->brick, brick) == 0)
                        return *w;
                if (wide ? w->from < all.from : w->from > all.from)
                        all.from = w->from;
                if (wide ? w->to > all.to : w->to < all.to)
                        all.to = w->to;
        }
        return all;
}

/* Inside of a window, or (SIGN) since it began. */
static int time_of(const struct work *k, const struct gb_vbrick *b, enum word word, struct gb_scan_time *t,
                   struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *name = gb_manifest_text(b->name);
        struct gb_manifest_window w;

        if (!name)
                return no_memory(err);
        w = window_of(k->v->manifest, name, word == WORD_SIGN);
        if (word == WORD_SIGN)
                *t = (struct gb_scan_time){.since = w.from > EDGE ? w.from - EDGE : 0};
        else
                *t = (struct gb_scan_time){.since = w.from ? w.from + EDGE : 0, .until = w.to - EDGE};
        if (word != WORD_SIGN && t->until <= t->since)
                *t = (struct gb_scan_time){.since = INT64_MAX}; /* too short to be judged */
        return 0;
}

static int fill_times(const struct work *k, struct gb_scan_time *times, struct gb_error *err)
{
        for (unsigned i = 0; i < k->v->volume->n_bricks; i++)
                if (time_of(k, &k->v->volume->bricks[i], k->word, &times[i], err) < 0)
                        return -1;
        return 0;
}

/* Bricks that may have been healed in the window are not looked at, if others of their set are there. */
static int shun_healed(struct work *k, struct gb_error *err)
{
        const struct gb_manifest *m = k->v->manifest;

        for (unsigned i = 0; i < k->v->volume->n_bricks; i++) {
                struct gb_vbrick *b = &k->v->volume->bricks[i];
                GB_CLEANUP_FREE
                char *name = gb_manifest_text(b->name);

                if (!name)
                        return no_memory(err);
                for (unsigned n = 0; n < m->n_away; n++)
                        b->shunned = b->shunned || strcmp(m->away[n], name) == 0;
                k->healed[b->set] = k->healed[b->set] || b->shunned;
                k->any_healed = k->any_healed || b->shunned;
        }
        return 0;
}

static void know_times(struct work *k)
{
        const struct gb_tool *tool = gb_formats[k->v->manifest->format]->tool;

        k->times = true;
        for (unsigned i = 0; i < k->v->volume->n_nodes; i++) {
                const struct gb_client *c = k->v->volume->nodes[i].control;

                k->times = k->times && (!c || (gb_client_hello(c)->features & GBX_FEATURE_TIMES));
        }
        k->dirs = k->times && !(tool && tool->implies_dirs);
        k->out->old_agents = !k->times;
}

static int sweep(struct work *k, enum word word, struct gb_error *err)
{
        struct gb_scan_time *times = calloc(k->v->volume->n_bricks + 1, sizeof(*times));
        struct gb_sweep s = {.cli = k->v->cli,
                             .volume = k->v->volume,
                             .times = times,
                             .gfids = true,
                             .found = add_found,
                             .arg = k};
        int rc;

        if (!times)
                return no_memory(err);
        k->word = word;
        rc = fill_times(k, times, err);
        if (rc == 0)
                rc = gb_sweep(&s, err);
        free(times);
        return rc;
}

/* ---- judging ---- */

static bool below(const struct dir *d, const struct known *p)
{
        return d->len && gb_path_within(p->path, p->len, d->path, d->len);
}

static void set_dir(struct dir *d, const struct known *p)
{
        memcpy(d->path, p->path, p->len);
        d->len = p->len;
}

static int hold(struct work *k, const char *path, size_t len, char type, struct gb_error *err)
{
        struct quiet *q = &k->quiet[k->n_quiet];

        *q = (struct quiet){.path = strndup(path, len), .len = len, .type = type};
        k->n_quiet += q->path != NULL;
        return q->path ? 0 : no_memory(err);
}

/* Marks the paths at which this brick has something. */
static int ask_brick(void *of, struct gb_vbrick *b, struct gb_error *err)
{
        struct work *k = of;
        gbx_path paths[GB_ROOTS_MAX];
        gbx_exists_arg arg = {.paths = {k->n_quiet, paths}};
        gbx_exists_res res;
        int rc;

        GB_WIRE_SET(arg.volume, gbx_volname, k->v->volume->name);
        GB_WIRE_SET(arg.brick, gbx_brick, b->path);
        for (unsigned i = 0; i < k->n_quiet; i++)
                paths[i] = (gbx_path){(unsigned)k->quiet[i].len, k->quiet[i].path};
        rc = gb_call_exists(b->node->control, &arg, &res, err);
        for (unsigned i = 0; rc == 0 && i < k->n_quiet; i++)
                k->quiet[i].there |= res.gbx_exists_res_u.found.found_val[i].type != 0;
        if (rc == 0)
                gb_xdr_release((xdrproc_t)xdr_gbx_exists_res, &res);
        return rc;
}

/* Those that are there are in the list for nothing; those that are gone have changed. */
static int ask_quiet(struct work *k, struct gb_error *err)
{
        int rc = 0;

        for (unsigned set = 0; rc == 0 && k->n_quiet && set < k->v->volume->n_sets; set++)
                rc = gb_volume_ask(k->v->volume, set, ask_brick, k, err);
        for (unsigned i = 0; i < k->n_quiet; i++) {
                k->out->over_listed += rc == 0 && k->quiet[i].there;
                free(k->quiet[i].path);
        }
        k->n_quiet = 0;
        return rc;
}

static int judge_listed(struct work *k, const struct known *p, struct gb_error *err)
{
        k->out->listed++;
        if (p->sign || p->inside) {
                if (p->type == 'd' && !below(&k->covered, p))
                        set_dir(&k->covered, p);
                return 0;
        }
        if (k->v->manifest->full || (expands(k) && below(&k->covered, p)))
                return 0;
        if (k->n_quiet == GB_ROOTS_MAX && ask_quiet(k, err) < 0)
                return -1;
        return hold(k, p->path, p->len, p->type, err);
}

static int doubt(struct work *k, const struct known *p, struct gb_error *err)
{
        struct gb_entry e = {
                .path = p->path, .len = p->len, .type = p->type, .has_gfid = p->has_gfid, .gfid = p->gfid};

        if (!has_gfids(k) && below(&k->moved, p)) {
                k->out->moved += p->type != 'd'; /* most directories in which names were made */
                return 0;
        }
        if (p->has_gfid && !gb_gfidmap_put(&k->told, &p->gfid, NULL))
                return no_memory(err);
        return gb_spool_add(k->doubtful, &e, err);
}

static int judge(struct work *k, const struct known *p, struct gb_error *err)
{
        const char *types = k->v->manifest->types;

        if (p->type == 'd' && p->sign && !p->inside && !below(&k->moved, p))
                set_dir(&k->moved, p);
        if (p->listed && judge_listed(k, p, err) < 0)
                return -1;
        if (!p->inside || (p->type == 'd' && !k->dirs) || (types && !strchr(types, p->type)) ||
            !gb_select_has(&k->v->manifest->select, p->path, p->len))
                return 0;
        k->out->changed += p->type != 'd'; /* of a directory it is not known yet */
        return p->listed ? 0 : doubt(k, p, err);
}

static void take_word(struct known *p, const uint8_t *tail)
{
        enum word word = (enum word)tail[1];

        p->listed = p->listed || word == WORD_LISTED;
        p->inside = p->inside || word == WORD_INSIDE;
        p->sign = p->sign || word == WORD_SIGN;
        if (!p->type || word != WORD_LISTED)
                p->type = (char)tail[2];
        if (memcmp(tail + 3, GB_GFID_NULL.b, sizeof(GB_GFID_NULL.b)) != 0) {
                memcpy(p->gfid.b, tail + 3, sizeof(p->gfid.b));
                p->has_gfid = true;
        }
}

static int judge_all(struct work *k, struct gb_error *err)
{
        struct known p = {.len = 0};
        const uint8_t *rec;
        size_t len;
        int rc;

        if (gb_sorter_finish(k->sorter, err) < 0)
                return -1;
        while ((rc = gb_sorter_next(k->sorter, &rec, &len, err)) == 1) {
                size_t path = len - RECORD_TAIL;

                if (path != p.len || memcmp(rec, p.path, path) != 0) {
                        if (p.len && judge(k, &p, err) < 0)
                                return -1;
                        memset(&p, 0, sizeof(p));
                        memcpy(p.path, rec, path);
                        p.len = path;
                }
                take_word(&p, rec + path);
        }
        if (rc == 0 && p.len)
                rc = judge(k, &p, err);
        return rc < 0 ? -1 : ask_quiet(k, err);
}

/* ---- what no line has by its path ---- */

static int read_again(struct work *k, struct gb_error *err)
{
        struct gb_listread *r;
        struct gb_op op;
        int rc;

        if (!has_gfids(k) || !k->told.n)
                return 0;
        r = gb_listread_open(k->v->list, k->v->manifest, err);
        if (!r)
                return -1;
        while ((rc = gb_listread_next(r, &op, err)) == 1) {
                bool *told = op.has_gfid ? gb_gfidmap_get(&k->told, &op.gfid) : NULL;

                if (told)
                        *told = true;
        }
        gb_listread_close(r);
        return rc;
}

static int tell_one(struct work *k, const char *path, size_t len, struct gb_error *err)
{
        k->out->missed++;
        return k->v->missed(k->v->arg, path, len) < 0 ? no_memory(err) : 0;
}

static bool within(const struct gb_scan_time *t, const gbx_time *at)
{
        return at->seconds >= t->since && (!t->until || at->seconds <= t->until);
}

/*
 * A directory's ctime moves with each name that is made in it or lost, and so does its mtime: only a ctime of
 * its own tells something.  GlusterFS's own times are not moved by what it does itself; a brick's are, in any
 * operation that fails.
 */
static bool dir_changed(const struct gb_scan_time *t, const gbx_times_one *one)
{
        if (!within(t, &one->changed))
                return false;
        if (!one->kept)
                return one->changed.seconds > one->modified.seconds + EDGE;
        return within(t, &one->kept_changed) &&
               (one->kept_changed.seconds != one->kept_modified.seconds ||
                one->kept_changed.nanoseconds != one->kept_modified.nanoseconds);
}

/* A heal moves the ctime on the brick alone.  What has none in the window is here for one of its shards. */
static bool file_changed(const struct gb_scan_time *t, const gbx_times_one *one, bool healed)
{
        return !healed || !one->kept || !within(t, &one->changed) ||
               one->kept_changed.seconds >= t->since - 2 * EDGE;
}

/* Marks the paths at which this brick has something, and of these what changed in the window. */
static int ask_times(void *of, struct gb_vbrick *b, struct gb_error *err)
{
        struct work *k = of;
        gbx_path paths[GB_ROOTS_MAX];
        gbx_times_arg arg = {.paths = {k->n_quiet, paths}};
        struct gb_scan_time window;
        gbx_times_res res;

        if (time_of(k, b, WORD_INSIDE, &window, err) < 0)
                return -1;
        GB_WIRE_SET(arg.volume, gbx_volname, k->v->volume->name);
        GB_WIRE_SET(arg.brick, gbx_brick, b->path);
        for (unsigned i = 0; i < k->n_quiet; i++)
                paths[i] = (gbx_path){(unsigned)k->quiet[i].len, k->quiet[i].path};
        if (gb_call_times(b->node->control, &arg, &res, err) < 0)
                return -1;
        for (unsigned i = 0; i < k->n_quiet; i++) {
                const gbx_times_one *one = &res.gbx_times_res_u.times.times_val[i];
                struct quiet *q = &k->quiet[i];

                q->there |= one->type != 0;
                q->changed |= one->type && (q->type == 'd' ? dir_changed(&window, one)
                                                           : file_changed(&window, one, k->healed[b->set]));
        }
        gb_xdr_release((xdrproc_t)xdr_gbx_times_res, &res);
        return 0;
}

/* Which of the waiting objects did change, and not only in the eyes of a brick? */
static int look_at_times(struct work *k, struct gb_error *err)
{
        bool ask = false;
        int rc = 0;

        for (unsigned i = 0; i < k->n_quiet; i++) {
                struct quiet *q = &k->quiet[i];

                q->changed = !k->times || (q->type != 'd' && !k->any_healed);
                ask = ask || !q->changed;
        }
        for (unsigned set = 0; rc == 0 && ask && set < k->v->volume->n_sets; set++)
                rc = gb_volume_ask(k->v->volume, set, ask_times, k, err);
        for (unsigned i = 0; rc == 0 && i < k->n_quiet; i++) {
                const struct quiet *q = &k->quiet[i];

                k->out->changed += q->type == 'd' && q->changed;
                if (q->type != 'd' && !q->changed) {
                        k->out->changed--;
                        k->out->healed += q->there;
                }
        }
        return rc;
}

/* And which files of these was the list to have, by their size and age? */
static int look_at_fit(struct work *k, struct gb_error *err)
{
        struct gb_slice_of_path paths[GB_ROOTS_MAX];
        struct quiet *asked[GB_ROOTS_MAX];
        bool unfit[GB_ROOTS_MAX];
        unsigned n = 0;

        if (gb_measure_none(&k->v->manifest->select.measure))
                return 0;
        for (unsigned i = 0; i < k->n_quiet; i++)
                if (k->quiet[i].type == 'f' && k->quiet[i].changed) {
                        paths[n] = (struct gb_slice_of_path){k->quiet[i].path, k->quiet[i].len};
                        asked[n++] = &k->quiet[i];
                }
        if (n &&
            gb_fit_ask(k->v->cli, k->v->volume, &k->v->manifest->select.measure, paths, n, unfit, err) < 0)
                return -1;
        for (unsigned i = 0; i < n; i++)
                asked[i]->changed = !unfit[i];
        return 0;
}

/* Objects that nothing tells. */
static int tell_waiting(struct work *k, struct gb_error *err)
{
        int rc = k->n_quiet && (look_at_times(k, err) < 0 || look_at_fit(k, err) < 0) ? -1 : 0;

        for (unsigned i = 0; i < k->n_quiet; i++) {
                if (rc == 0 && k->quiet[i].changed)
                        rc = tell_one(k, k->quiet[i].path, k->quiet[i].len, err);
                free(k->quiet[i].path);
        }
        k->n_quiet = 0;
        return rc;
}

static int tell(struct work *k, const struct gb_entry *e, struct gb_error *err)
{
        if (k->n_quiet == GB_ROOTS_MAX && tell_waiting(k, err) < 0)
                return -1;
        return hold(k, e->path, e->len, e->type, err);
}

static int tell_missed(struct work *k, struct gb_error *err)
{
        struct gb_entry e;
        int rc;

        if (read_again(k, err) < 0 || gb_spool_rewind(k->doubtful, err) < 0)
                return -1;
        while ((rc = gb_spool_next(k->doubtful, &e, err)) == 1) {
                const bool *told = e.has_gfid ? gb_gfidmap_get(&k->told, &e.gfid) : NULL;

                if (told && *told)
                        continue;
                if (tell(k, &e, err) < 0)
                        return -1;
        }
        return rc < 0 ? -1 : tell_waiting(k, err);
}

static int run(struct work *k, struct gb_error *err)
{
        if (!k->v->manifest->verifiable)
                return gb_error_set(err, GB_ERR_USAGE,
                                    "%s: lines in a form of their own (csv, tsv, --field-separator, "
                                    "--no-encode, --tag-for-full, --only-namespace-changes) cannot be read "
                                    "back",
                                    k->v->list);
        if (!k->v->manifest->n_windows)
                return gb_error_set(err, GB_ERR_CORRUPT, "%s: its manifest names no brick that told anything",
                                    k->v->list);
        k->healed = calloc(k->v->volume->n_sets + 1, sizeof(*k->healed));
        if (!k->healed)
                return no_memory(err);
        if (shun_healed(k, err) < 0)
                return -1;
        know_times(k);
        k->sorter = gb_ops_sorter(err);
        k->doubtful = k->sorter ? gb_spool_new(err) : NULL;
        if (!k->doubtful || add_list(k, k->v->list, k->v->manifest, &k->out->intact, err) < 0 ||
            add_skipped(k, err) < 0)
                return -1;
        gb_progress_say(k->v->cli, "looking at the volume");
        if (sweep(k, WORD_INSIDE, err) < 0 || (!k->v->manifest->full && sweep(k, WORD_SIGN, err) < 0))
                return -1;
        return judge_all(k, err) < 0 ? -1 : tell_missed(k, err);
}

int gb_verify_list(const struct gb_verify *v, struct gb_verify_result *out, struct gb_error *err)
{
        struct work *k = calloc(1, sizeof(*k));
        int rc;

        memset(out, 0, sizeof(*out));
        if (!k)
                return no_memory(err);
        k->v = v;
        k->out = out;
        gb_buf_init(&k->record, GB_PATH_MAX + RECORD_TAIL);
        gb_gfidmap_init(&k->told, sizeof(bool));
        rc = run(k, err);
        for (unsigned i = 0; i < k->n_quiet; i++)
                free(k->quiet[i].path);
        gb_sorter_free(k->sorter);
        gb_spool_free(k->doubtful);
        gb_gfidmap_fini(&k->told);
        gb_buf_fini(&k->record);
        free(k->healed);
        free(k);
        return rc;
}
