/*
 * register, run, prepare, commit, abort, unregister - the life of a session.
 */
#include <config.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "make.h"
#include "progress.h"
#include "registry.h"
#include "selection.h"
#include "session.h"
#include "tally.h"

/* A registered session with its volume open and its state locked on all agents. */
struct opened {
        struct gb_registered reg;
        struct gb_volume volume;
        struct gb_session session;
};

static int open_session(const struct gb_cli *c, const char *name, struct opened *o, struct gb_error *err)
{
        memset(o, 0, sizeof(*o));
        if (gb_session_name_check(name, err) < 0 || gb_registry_get(name, &o->reg, err) < 0)
                return -1;
        if (gb_session_volume(c, &o->reg, &o->volume, err) < 0)
                return -1;
        return gb_session_open(c, &o->session, &o->reg, &o->volume, err);
}

static void close_session(struct opened *o)
{
        gb_session_close(&o->session);
        gb_volume_close(&o->volume);
        gb_registered_fini(&o->reg);
}

int gb_cmd_register(const struct gb_cli *c, int argc, char **argv)
{
        struct gb_registered reg = {.session = argv[0], .host = argv[1], .volume = argv[2]};
        struct gb_error err = {0};
        struct gb_volume v;
        bool was_on = true;
        int rc;

        (void)argc;
        if (gb_session_name_check(argv[0], &err) < 0 || gb_registry_check_new(argv[0], &err) < 0 ||
            gb_volume_open(c, argv[1], argv[2], false, &v, &err) < 0)
                return gb_fail(&err);
        if (c->o.select)
                reg.select = *c->o.select; /* borrowed */
        reg.types = (char *)(uintptr_t)c->o.types;
        rc = gb_selection_check(&v, c->o.select, &err);
        if (rc == 0)
                rc = gb_call_enable(v.nodes[0].control, v.name, &was_on, &err);
        if (rc == 0 && !was_on)
                gb_note(c, "volume %s: changelog.changelog was off and is on now; it stays on", v.name);
        if (rc == 0)
                rc = gb_registry_put(&reg, &err);
        if (rc == 0) {
                rc = gb_session_register(argv[0], &v, &err);
                if (rc < 0) {
                        struct gb_error ignored;

                        gb_registry_remove(argv[0], &ignored);
                }
        }
        if (rc == 0)
                gb_note(c, "session %s: registered for volume %s; its first run makes a full list", argv[0],
                        v.name);
        gb_volume_close(&v);
        return rc < 0 ? gb_fail(&err) : GB_EXIT_OK;
}

int gb_cmd_unregister(const struct gb_cli *c, int argc, char **argv)
{
        struct gb_registered reg = {0};
        struct gb_error err = {0};
        struct gb_volume v = {0};
        int rc;

        (void)argc;
        rc = gb_session_name_check(argv[0], &err);
        if (rc == 0)
                rc = gb_registry_get(argv[0], &reg, &err);
        if (rc == 0) {
                rc = gb_session_volume(c, &reg, &v, &err);
                if (rc == 0)
                        rc = gb_session_unregister(argv[0], &v, &err);
                else if (err.code == GB_ERR_NO_VOLUME)
                        rc = 0; /* the volume is gone, and the agents' state means nothing without it */
        }
        if (rc == 0)
                rc = gb_registry_remove(argv[0], &err);
        if (rc == 0)
                gb_tally_remove(argv[0]);
        if (rc == 0)
                gb_note(c, "session %s: unregistered; changelog stays on for volume %s", argv[0], reg.volume);
        gb_volume_close(&v);
        gb_registered_fini(&reg);
        return rc < 0 ? gb_fail(&err) : GB_EXIT_OK;
}

/* What kind of list it becomes, and where it begins. */
static int decide_level(const struct gb_cli *c, struct gb_session *s, enum gb_list_level *level,
                        struct gb_error *err)
{
        *level = c->o.level;
        if (*level == GB_LEVEL_AUTO)
                *level = s->base ? GB_LEVEL_INCREMENTAL : GB_LEVEL_FULL;
        if (*level == GB_LEVEL_CUMULATIVE && gb_session_last_full(s, err) < 0)
                return -1;
        if ((*level == GB_LEVEL_CUMULATIVE && !s->full) || (*level == GB_LEVEL_INCREMENTAL && !s->base))
                return gb_error_set(err, GB_ERR_GAP,
                                    "session %s: no %s was committed yet; a full list is needed first",
                                    s->name, *level == GB_LEVEL_CUMULATIVE ? "full list" : "list");
        return 0;
}

static gbx_session_kind kind_of(enum gb_list_level level)
{
        return level == GB_LEVEL_INCREMENTAL  ? GBX_INCREMENTAL
               : level == GB_LEVEL_CUMULATIVE ? GBX_CUMULATIVE
                                              : GBX_FULL;
}

static int make_names(const struct gb_cli *c, struct opened *o, enum gb_list_level level, struct gb_list *l,
                      struct gb_window *w, struct gb_error *err)
{
        switch (level) {
        case GB_LEVEL_FULL:
                return gb_make_first(c, &o->volume, w, l, err);
        case GB_LEVEL_MARK:
                if (gb_make_mark(c, &o->volume, w, err) < 0)
                        return -1;
                return l ? gb_list_finish(l, true, err) : 0;
        default:
                return gb_make_changes(c, &o->volume, w, l, err);
        }
}

/*
 * Make the list, store the positions as pending, put the list in place, and for `run` commit.  A crash
 * between any two steps loses nothing: what is not committed is made again from the same positions.
 * `l` is NULL when there is no list to make.
 */
static int make_list(const struct gb_cli *c, struct opened *o, enum gb_list_level level, bool commit,
                     struct gb_list *l, struct gb_window *w, struct gb_error *err)
{
        bool nothing;
        int rc = make_names(c, o, level, l, w, err);

        if (rc == 0)
                rc = gb_session_prepare(&o->session, w, kind_of(level), err);
        if (rc < 0)
                return -1;
        if (l && gb_list_publish(l, err) < 0) {
                struct gb_error ignored;

                gb_session_abort(&o->session, &nothing, &ignored);
                return -1;
        }
        return commit ? gb_session_commit(&o->session, NULL, &nothing, err) : 0;
}

static const char *base_name(const gbx_generation *g, char out[GB_HOST_MAX + 1])
{
        if (!g)
                return NULL;
        snprintf(out, GB_HOST_MAX + 1, "%.*s", (int)g->generation.gbx_name_len, g->generation.gbx_name_val);
        return out;
}

int gb_registered_standing(const struct gb_cli *c, const char *name, struct gb_standing *out,
                           struct gb_error *err)
{
        struct gb_registered reg;
        struct gb_volume v = {0};
        int rc = gb_registry_get(name, &reg, err);

        if (rc == 0)
                rc = gb_session_volume(c, &reg, &v, err);
        if (rc == 0)
                rc = gb_session_standing(&reg, &v, out, err);
        gb_volume_close(&v);
        gb_registered_fini(&reg);
        return rc;
}

static int positions(struct opened *o, enum gb_list_level level, struct gb_window *w, struct gb_error *err)
{
        if (gb_window_init(w, &o->volume, err) < 0)
                return -1;
        if (kind_of(level) == GBX_FULL) /* it takes its own */
                return 0;
        return gb_session_positions(&o->session, level == GB_LEVEL_CUMULATIVE, w, err);
}

static bool same_types(const char *a, const char *b)
{
        if (!a || !b)
                return a == b;
        return strspn(a, b) == strlen(a) && strspn(b, a) == strlen(b);
}

/* What the consumer has must be what the next list builds on.  A full list that was asked for builds on
 * nothing, and may be of other types. */
static int check_part(const struct gb_cli *c, const struct gb_registered *reg, struct gb_error *err)
{
        bool other = c->o.types && c->o.level != GB_LEVEL_FULL && !same_types(c->o.types, reg->types);

        if (gb_select_all(c->o.select) && !other)
                return 0;
        return gb_error_set(err, GB_ERR_USAGE,
                            "session %s: --scope, --include, --exclude, --type, --min-size, --max-size and "
                            "--newer are said when it is registered; for others register another session",
                            reg->session);
}

static int run(const struct gb_cli *c, const char *name, bool commit)
{
        struct gb_error err = {0};
        struct opened o;
        struct gb_window w = {0};
        struct gb_list l = {0};
        struct gb_list_info info = {.volume = &o.volume, .session = name};
        enum gb_list_level level = GB_LEVEL_AUTO;
        char base[GB_HOST_MAX + 1];
        bool listed = true, made;
        int rc = open_session(c, name, &o, &err);

        info.select = &o.reg.select;
        info.types = c->o.types ? c->o.types : o.reg.types;
        if (rc == 0)
                rc = check_part(c, &o.reg, &err);
        if (rc == 0)
                rc = decide_level(c, &o.session, &level, &err);
        if (rc == 0)
                rc = positions(&o, level, &w, &err);
        if (rc == 0) {
                bool full = kind_of(level) == GBX_FULL;

                gb_session_new_generation(&o.session);
                info.kind = full ? "full" : "incremental";
                info.level = level;
                info.generation = o.session.generation;
                w.full_on_gap = c->o.full_on_gap;
                w.sweep = c->o.sweep && !full; /* a full list has every name */
                info.full_sets = w.full_sets;
                info.window = &w;
                if (full)
                        rc = gb_selection_check(&o.volume, info.select, &err);
                info.base = base_name(level == GB_LEVEL_CUMULATIVE ? o.session.full : o.session.base, base);
                listed = level != GB_LEVEL_MARK || gb_formats[c->o.format]->tells_mark;
                if (rc == 0 && listed)
                        rc = gb_list_open(&l, c, &info, &err);
        }
        if (rc == 0)
                rc = make_list(c, &o, level, commit, listed ? &l : NULL, &w, &err);
        made = rc == 0;
        rc = rc < 0 ? gb_fail(&err) : gb_list_status(c, &l);
        if (made && !commit)
                gb_note(c, "session %s: prepared; after the backup: gbackup-cli commit %s (or abort)", name,
                        name);
        if (o.reg.session && rc != GB_EXIT_USAGE)
                gb_tally_add(o.reg.session, rc, &l.counts);
        gb_list_discard(&l);
        gb_window_fini(&w, &o.volume);
        close_session(&o);
        return rc;
}

int gb_cmd_run(const struct gb_cli *c, int argc, char **argv)
{
        (void)argc;
        return run(c, argv[0], true);
}

int gb_cmd_prepare(const struct gb_cli *c, int argc, char **argv)
{
        (void)argc;
        return run(c, argv[0], false);
}

int gb_cmd_commit(const struct gb_cli *c, int argc, char **argv)
{
        struct gb_error err = {0};
        struct opened o;
        bool nothing = false;
        int rc = open_session(c, argv[0], &o, &err);

        if (rc == 0)
                rc = gb_session_commit(&o.session, argc > 1 ? argv[1] : NULL, &nothing, &err);
        if (rc == 0 && nothing) {
                if (o.session.base)
                        gb_note(c, "session %s: nothing is prepared; the last run is committed already",
                                argv[0]);
                else
                        rc = gb_error_set(&err, GB_ERR_USAGE, "session %s: nothing is prepared", argv[0]);
        }
        close_session(&o);
        return rc < 0 ? gb_fail(&err) : GB_EXIT_OK;
}

int gb_cmd_abort(const struct gb_cli *c, int argc, char **argv)
{
        struct gb_error err = {0};
        struct opened o;
        bool nothing = false;
        int rc = open_session(c, argv[0], &o, &err);

        (void)argc;
        if (rc == 0)
                rc = gb_session_abort(&o.session, &nothing, &err);
        if (rc == 0 && nothing)
                gb_note(c, "session %s: nothing is prepared", argv[0]);
        close_session(&o);
        return rc < 0 ? gb_fail(&err) : GB_EXIT_OK;
}
