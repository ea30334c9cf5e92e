/*
 * selection - see selection.h.
 *
 * An op has one or two names: of T1, and of T0, which for what was not renamed itself but lies below a
 * renamed directory follows from that one.  Each name is of the part or is not; the four cases decide.
 */
#include <config.h>

#include <string.h>

#include "base/order.h"
#include "moved.h"
#include "selection.h"
#include "when.h"
#include "wire_error.h"

/* ---- as JSON ---- */

static json_t *globs_json(const struct gb_select *s, bool exclude)
{
        json_t *all = json_array();

        for (size_t i = 0; all && i < s->rules.n; i++)
                if (s->rules.v[i].exclude == exclude &&
                    json_array_append_new(all, json_string(s->rules.v[i].glob)) < 0) {
                        json_decref(all);
                        return NULL;
                }
        return all;
}

static int put_measure(json_t *j, const struct gb_measure *m)
{
        int rc = 0;

        if (m->size_from)
                rc |= json_object_set_new(j, "min_size", json_integer((json_int_t)m->size_from));
        if (m->size_below)
                rc |= json_object_set_new(j, "max_size", json_integer((json_int_t)(m->size_below - 1)));
        if (m->newer)
                rc |= json_object_set_new(j, "newer", json_integer(m->newer));
        return rc;
}

json_t *gb_selection_json(const struct gb_select *s)
{
        json_t *scope, *include, *exclude, *j;

        if (gb_select_all(s))
                return json_null();
        scope = s->scope ? json_stringn(s->scope, s->scope_len) : json_null();
        include = globs_json(s, false);
        exclude = globs_json(s, true);
        j = json_pack("{s:o,s:o,s:o}", "scope", scope, "include", include, "exclude", exclude);
        if (!j || put_measure(j, &s->measure) == 0)
                return j;
        json_decref(j);
        return NULL;
}

static bool take_globs(struct gb_select *s, bool exclude, const json_t *list)
{
        struct gb_error ignored;

        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *glob = json_array_get(list, i);

                if (!json_is_string(glob) || gb_select_glob(s, exclude, json_string_value(glob),
                                                            json_string_length(glob), &ignored) < 0)
                        return false;
        }
        return true;
}

static bool take_scope(struct gb_select *s, const json_t *scope)
{
        struct gb_error ignored;

        if (!scope || json_is_null(scope))
                return true;
        return json_is_string(scope) &&
               gb_select_scope(s, json_string_value(scope), json_string_length(scope), &ignored) == 0;
}

/* `key` may be missing; -1 then. */
static bool take_number(const json_t *j, const char *key, json_int_t *out)
{
        const json_t *v = json_object_get(j, key);

        *out = v ? json_integer_value(v) : -1;
        return !v || (json_is_integer(v) && *out >= 0);
}

static bool take_measure(struct gb_measure *m, const json_t *j)
{
        json_int_t from, to, newer;

        if (!take_number(j, "min_size", &from) || !take_number(j, "max_size", &to) ||
            !take_number(j, "newer", &newer))
                return false;
        m->size_from = from > 0 ? (uint64_t)from : 0;
        m->size_below = (uint64_t)(to + 1);
        m->newer = newer > 0 ? newer : 0;
        return true;
}

bool gb_selection_take(struct gb_select *s, const json_t *j)
{
        gb_select_init(s);
        if (!j || json_is_null(j))
                return true;
        return json_is_object(j) && take_scope(s, json_object_get(j, "scope")) &&
               take_globs(s, false, json_object_get(j, "include")) &&
               take_globs(s, true, json_object_get(j, "exclude")) && take_measure(&s->measure, j);
}

int gb_selection_set(struct gb_select *s, const char *option, const char *value, struct gb_error *err)
{
        if (strcmp(option, "scope") == 0)
                return gb_select_scope(s, value, strlen(value), err);
        if (strcmp(option, "newer") == 0)
                return gb_when(value, &s->measure.newer, err);
        if (strcmp(option, "min-size") == 0 || strcmp(option, "max-size") == 0)
                return gb_measure_size(&s->measure, option[1] == 'a', value, err);
        if (strcmp(option, "include") == 0 || strcmp(option, "exclude") == 0)
                return gb_select_glob(s, *option == 'e', value, strlen(value), err);
        return 1;
}

/* ---- is the scope there? ---- */

/* Its type on this brick, 0: absent; -1. */
static int type_on(const struct gb_volume *v, const struct gb_vbrick *b, const struct gb_select *s,
                   struct gb_error *err)
{
        gbx_path path = {(unsigned)s->scope_len, s->scope};
        gbx_exists_arg arg = {.paths = {1, &path}};
        gbx_exists_res res;
        int type;

        GB_WIRE_SET(arg.volume, gbx_volname, v->name);
        GB_WIRE_SET(arg.brick, gbx_brick, b->path);
        if (gb_call_exists(b->node->control, &arg, &res, err) < 0)
                return -1;
        type = res.gbx_exists_res_u.found.found_val[0].type;
        gb_xdr_release((xdrproc_t)xdr_gbx_exists_res, &res);
        return type;
}

int gb_selection_check(struct gb_volume *v, const struct gb_select *s, struct gb_error *err)
{
        struct gb_vbrick *pick[GB_BRICKS_MAX];

        if (!s || !s->scope)
                return 0;
        for (unsigned set = 0; set < v->n_sets; set++) {
                unsigned n = gb_volume_pick(v, set, pick, err);

                for (unsigned i = 0; i < n; i++) {
                        int type = type_on(v, pick[i], s, err);

                        if (type < 0)
                                return -1;
                        if (type == 'd')
                                return 0;
                }
                if (!n)
                        return -1;
        }
        return gb_error_set(err, GB_ERR_USAGE, "volume %s: the scope \"%.200s\" is no directory in it",
                            v->name, s->scope);
}

/* ---- ops ---- */

bool gb_selection_wants(const struct gb_select *s, const char *types, const char *path, size_t len,
                        enum gb_op_kind kind, char type)
{
        if (types && kind == GB_OP_DELETE && type != 'd') {
                if (strspn(types, "d") == strlen(types))
                        return false;
        } else if (types && !strchr(types, type ? type : 'f')) {
                return false;
        }
        return gb_select_has(s, path, len);
}

enum fate { FATE_NONE, FATE_KEPT, FATE_NEW, FATE_DROPPED };

struct apply {
        const struct gb_select *select;
        const char *types;
        struct gb_sorter *out;
        struct gb_moved moved;
        struct gb_buf record;
        /* The op before, for MODIFY of the same path. */
        char last[GB_PATH_MAX];
        size_t last_len;
        enum fate fate;
};

static bool wants(const struct apply *a, const char *path, size_t len, const struct gb_op *op)
{
        return gb_selection_wants(a->select, a->types, path, len, op->kind, op->type);
}

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
}

static int put(struct apply *a, const struct gb_op *op, struct gb_error *err)
{
        gb_buf_reset(&a->record);
        if (gb_op_encode(&a->record, op) < 0)
                return no_memory(err);
        return gb_sorter_add(a->out, a->record.data, a->record.len, err);
}

static int put_delete(struct apply *a, const char *path, size_t len, bool dir, struct gb_error *err)
{
        struct gb_op op = {.kind = GB_OP_DELETE, .path = path, .len = len, .type = dir ? 'd' : 'f'};

        return put(a, &op, err);
}

/* What had this name at T0 is known: should something else be suspected to have been here, it was not. */
static int put_left(struct apply *a, const char *path, size_t len, struct gb_error *err)
{
        struct gb_op op = {.kind = GB_OP_LEFT, .path = path, .len = len};

        return put(a, &op, err);
}

static int put_as(struct apply *a, const struct gb_op *op, enum gb_op_kind kind, struct gb_error *err)
{
        struct gb_op other = *op;

        other.kind = kind;
        other.expanded = false;
        if (kind != GB_OP_RENAME)
                other.old_len = 0;
        return put(a, &other, err);
}

static void remember(struct apply *a, const struct gb_op *op, enum fate fate)
{
        memcpy(a->last, op->path, op->len);
        a->last_len = op->len;
        a->fate = fate;
}

/* The T0 name of what lies below `over`: true if it is of the part. */
static bool had_old(struct apply *a, const struct gb_moved_dir *over, const struct gb_op *op)
{
        return a->moved.path.len < GB_PATH_MAX && over &&
               wants(a, (const char *)a->moved.path.data, a->moved.path.len, op);
}

/* NEW or RENAME below a renamed directory: something else may have stood there at T0, and overwriting leaves
 * no record.  If it is known what stood there, put_left() says so. */
static int drop_former(struct apply *a, const struct gb_moved_dir *over, const struct gb_op *op, bool now,
                       struct gb_error *err)
{
        const char *was = (const char *)a->moved.path.data;
        size_t len = a->moved.path.len;

        if (!over || (over->kept && now) || !had_old(a, over, op) ||
            (op->old_len == len && op->old && memcmp(op->old, was, len) == 0))
                return 0;
        return put_delete(a, was, len, op->type == 'd', err);
}

/* A directory of which not both names are of the part: at the old one nothing is left, whether the names
 * below it could be told or not. */
static int drop_tree(struct apply *a, const struct gb_op *op, struct gb_error *err)
{
        const struct gb_select *s = a->select;

        if (s->scope && gb_path_within(s->scope, s->scope_len, op->old, op->old_len))
                return put_delete(a, s->scope, s->scope_len, true, err);
        return gb_select_below(s, op->old, op->old_len) ? put_delete(a, op->old, op->old_len, true, err) : 0;
}

static int take_rename(struct apply *a, const struct gb_moved_dir *over, const struct gb_op *op,
                       struct gb_error *err)
{
        bool before = wants(a, op->old, op->old_len, op), now = wants(a, op->path, op->len, op);
        int rc = drop_former(a, over, op, now, err);

        remember(a, op, before && now ? FATE_KEPT : now ? FATE_NEW : FATE_DROPPED);
        if (rc == 0 && before && now)
                rc = put_left(a, op->old, op->old_len, err);
        if (rc == 0 && now)
                rc = put_as(a, op, before ? GB_OP_RENAME : GB_OP_NEW, err);
        else if (rc == 0 && before)
                rc = put_delete(a, op->old, op->old_len, op->type == 'd', err);
        if (rc < 0 || op->type != 'd')
                return rc;
        if (gb_moved_add(&a->moved, op, before && now) < 0)
                return no_memory(err);
        return before && now ? 0 : drop_tree(a, op, err);
}

/* What was there at T0 and lies below a renamed directory. */
static int take_below(struct apply *a, const struct gb_moved_dir *over, const struct gb_op *op,
                      struct gb_error *err)
{
        bool before = had_old(a, over, op), now = wants(a, op->path, op->len, op);
        struct gb_op rename = *op;

        if (!before)
                return now ? put_as(a, op, GB_OP_NEW, err) : 0;
        if (!now)
                return put_delete(a, (const char *)a->moved.path.data, a->moved.path.len, op->type == 'd',
                                  err);
        if (put_left(a, (const char *)a->moved.path.data, a->moved.path.len, err) < 0)
                return -1;
        if (over->kept)
                return put(a, op, err);
        rename.kind = GB_OP_RENAME;
        rename.expanded = false;
        rename.old = (const char *)a->moved.path.data;
        rename.old_len = a->moved.path.len;
        if (op->kind == GB_OP_NEW)
                rename.flags = 0;
        if (put(a, &rename, err) < 0)
                return -1;
        return op->type == 'd' && gb_moved_add(&a->moved, &rename, true) < 0 ? no_memory(err) : 0;
}

static int take(struct apply *a, const struct gb_op *op, struct gb_error *err)
{
        const struct gb_moved_dir *over;

        if (op->kind == GB_OP_DELETE)
                return wants(a, op->path, op->len, op) ? put(a, op, err) : 0;
        if (op->kind == GB_OP_MODIFY && a->last_len == op->len && memcmp(a->last, op->path, op->len) == 0)
                return a->fate == FATE_DROPPED
                               ? 0
                               : put_as(a, op, a->fate == FATE_NEW ? GB_OP_MODIFY_TOO : GB_OP_MODIFY, err);
        over = gb_moved_over(&a->moved, op->path, op->len);
        if (over && gb_moved_old(&a->moved, over, op->path, op->len) < 0)
                return no_memory(err);
        if (op->kind == GB_OP_RENAME)
                return take_rename(a, over, op, err);
        if (op->kind == GB_OP_NEW && !op->expanded) {
                bool now = wants(a, op->path, op->len, op);

                remember(a, op, now ? FATE_NEW : FATE_DROPPED);
                return drop_former(a, over, op, now, err) < 0 ? -1 : now ? put(a, op, err) : 0;
        }
        if (over)
                return take_below(a, over, op, err);
        return wants(a, op->path, op->len, op) ? put(a, op, err) : 0;
}

int gb_selection_apply(const struct gb_select *s, const char *types, struct gb_fold *in,
                       struct gb_sorter *out, struct gb_error *err)
{
        static const struct gb_select everything;
        struct apply a = {.select = s ? s : &everything, .types = types, .out = out};
        struct gb_op op;
        int rc;

        gb_moved_init(&a.moved);
        gb_buf_init(&a.record, 1024 * 1024);
        while ((rc = gb_fold_next(in, &op, err)) == 1)
                if (take(&a, &op, err) < 0) {
                        rc = -1;
                        break;
                }
        gb_moved_fini(&a.moved);
        gb_buf_fini(&a.record);
        return rc;
}
