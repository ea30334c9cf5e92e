/*
 * select - see select.h.
 *
 * A glob is a small automaton of which all states are tried at once, so that no glob takes more than its
 * length times that of the path.  One pass over a path tells of every directory above it too: at each slash.
 */
#include <config.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "order.h"
#include "select.h"

enum token_kind { BYTE, ONE, SET, STAR, ANYTHING, DIRS };

struct gb_glob_token {
        enum token_kind kind;
        uint8_t byte;
        uint32_t set[8];
};

void gb_select_init(struct gb_select *s)
{
        memset(s, 0, sizeof(*s));
}

void gb_select_fini(struct gb_select *s)
{
        for (size_t i = 0; i < s->rules.n; i++) {
                free(s->rules.v[i].glob);
                free(s->rules.v[i].tokens);
        }
        gb_vec_free(&s->rules);
        free(s->scope);
        gb_select_init(s);
}

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
}

int gb_select_scope(struct gb_select *s, const char *scope, size_t len, struct gb_error *err)
{
        while (len && *scope == '/') {
                scope++;
                len--;
        }
        while (len && scope[len - 1] == '/')
                len--;
        if (s->scope)
                return gb_error_set(err, GB_ERR_USAGE, "more than one scope");
        if (!gb_path_valid(scope, len))
                return gb_error_set(err, GB_ERR_USAGE,
                                    "scope \"%.*s\": not the path of a directory of the volume",
                                    (int)(len < 200 ? len : 200), scope);
        s->scope = strndup(scope, len);
        s->scope_len = len;
        return s->scope ? 0 : no_memory(err);
}

/* ---- globs ---- */

/* A set begins at glob[i]: where it ends, 0 if it does not. */
static size_t parse_set(const char *glob, size_t len, size_t i, struct gb_glob_token *t)
{
        bool negative = i + 1 < len && (glob[i + 1] == '!' || glob[i + 1] == '^');
        size_t first = i + 1 + negative;

        t->kind = SET;
        for (i = first; i < len && (glob[i] != ']' || i == first); i++) {
                unsigned from, to;

                if (glob[i] == '\\' && i + 1 < len)
                        i++;
                from = to = (uint8_t)glob[i];
                if (i + 2 < len && glob[i + 1] == '-' && glob[i + 2] != ']') {
                        to = (uint8_t)glob[i + 2];
                        i += 2;
                }
                for (unsigned b = from; b <= to; b++)
                        t->set[b / 32] |= 1u << b % 32;
        }
        for (unsigned w = 0; negative && w < 8; w++)
                t->set[w] = ~t->set[w];
        return i < len ? i + 1 : 0;
}

/* One token at glob[i]: where the next begins, 0 if there is none. */
static size_t parse_token(const char *glob, size_t len, size_t i, struct gb_glob_token *t)
{
        bool begins = i == 0 || glob[i - 1] == '/';

        memset(t, 0, sizeof(*t));
        t->byte = (uint8_t)glob[i];
        switch (glob[i]) {
        case '?':
                t->kind = ONE;
                return i + 1;
        case '[':
                return parse_set(glob, len, i, t);
        case '*':
                t->kind = STAR;
                if (i + 1 == len || glob[i + 1] != '*')
                        return i + 1;
                t->kind = ANYTHING;
                if (!begins || i + 2 >= len || glob[i + 2] != '/')
                        return i + 2;
                t->kind = DIRS;
                return i + 3;
        case '\\':
                t->byte = i + 1 < len ? (uint8_t)glob[i + 1] : 0;
                return i + 1 < len ? i + 2 : 0;
        default:
                return i + 1;
        }
}

static int compile(struct gb_select_rule *r, const char *glob, size_t len)
{
        r->tokens = calloc(len + 1, sizeof(*r->tokens));
        for (size_t i = 0; r->tokens && i < len;) {
                i = parse_token(glob, len, i, &r->tokens[r->n_tokens++]);
                if (!i)
                        return 1;
        }
        return r->tokens ? 0 : -1;
}

/* Empty components, . and .. would never match anything. */
static bool sound(const char *glob, size_t len)
{
        const char *end = glob + len;

        if (!len || len > GB_GLOB_MAX || memchr(glob, '\0', len))
                return false;
        while (glob <= end) {
                const char *slash = memchr(glob, '/', (size_t)(end - glob));
                size_t n = (size_t)((slash ? slash : end) - glob);

                if (!n || (n == 1 && *glob == '.') || (n == 2 && memcmp(glob, "..", 2) == 0))
                        return false;
                glob += n + 1;
        }
        return true;
}

int gb_select_glob(struct gb_select *s, bool exclude, const char *glob, size_t len, struct gb_error *err)
{
        struct gb_select_rule r = {.exclude = exclude, .whole = memchr(glob, '/', len) != NULL};
        bool slash = len > 1 && glob[0] == '/';
        int rc = -1;

        if (s->rules.n == GB_RULES_MAX)
                return gb_error_set(err, GB_ERR_USAGE, "more than %d globs", GB_RULES_MAX);
        r.glob = strndup(glob, len);
        if (r.glob)
                rc = sound(glob + slash, len - slash) ? compile(&r, glob + slash, len - slash) : 1;
        if (rc == 0 && gb_vec_push(&s->rules, r) == 0) {
                s->n_includes += !exclude;
                return 0;
        }
        free(r.glob);
        free(r.tokens);
        if (rc <= 0)
                return no_memory(err);
        return gb_error_set(
                err, GB_ERR_USAGE,
                "\"%.*s\" is no glob: at most %d bytes, no empty, . or .. component, no slash at the "
                "end, each [ with its ], nothing missing behind a backslash",
                (int)(len < 200 ? len : 200), glob, GB_GLOB_MAX);
}

int gb_select_copy(struct gb_select *to, const struct gb_select *from, struct gb_error *err)
{
        int rc = 0;

        gb_select_init(to);
        to->measure = from->measure;
        if (from->scope)
                rc = gb_select_scope(to, from->scope, from->scope_len, err);
        for (size_t i = 0; rc == 0 && i < from->rules.n; i++)
                rc = gb_select_glob(to, from->rules.v[i].exclude, from->rules.v[i].glob,
                                    strlen(from->rules.v[i].glob), err);
        if (rc < 0)
                gb_select_fini(to);
        return rc;
}

/* ---- matching ---- */

/* States that follow without a byte.  `begins`: at the beginning of a component. */
static void spread(const struct gb_select_rule *r, uint8_t *on, bool begins)
{
        for (unsigned i = 0; i < r->n_tokens; i++) {
                enum token_kind kind = r->tokens[i].kind;

                if (on[i] && (kind == STAR || kind == ANYTHING || (kind == DIRS && begins)))
                        on[i + 1] = 1;
        }
}

static bool step(const struct gb_select_rule *r, const uint8_t *on, uint8_t *next, uint8_t byte)
{
        bool any = false;

        memset(next, 0, r->n_tokens + 1);
        for (unsigned i = 0; i < r->n_tokens; i++) {
                const struct gb_glob_token *t = &r->tokens[i];
                bool stays = t->kind == ANYTHING || t->kind == DIRS || (t->kind == STAR && byte != '/');
                bool goes = (t->kind == BYTE && byte == t->byte) || (t->kind == ONE && byte != '/') ||
                            (t->kind == SET && byte != '/' && (t->set[byte / 32] >> byte % 32 & 1));

                if (!on[i])
                        continue;
                if (stays)
                        next[i] = 1;
                if (goes)
                        next[i + 1] = 1;
                any = any || stays || goes;
        }
        return any;
}

/* Does it match the path, or a directory above it? */
static bool matches(const struct gb_select_rule *r, const char *path, size_t len)
{
        uint8_t a[GB_GLOB_MAX + 2] = {1}, b[GB_GLOB_MAX + 2];
        uint8_t *on = a, *next = b, *other;

        spread(r, on, true);
        for (size_t i = 0; i < len; i++) {
                bool alive = true;

                if (path[i] == '/' && on[r->n_tokens])
                        return true;
                if (path[i] == '/' && !r->whole) {
                        memset(on, 0, r->n_tokens + 1);
                        on[0] = 1;
                } else {
                        alive = step(r, on, next, (uint8_t)path[i]);
                        other = on;
                        on = next;
                        next = other;
                }
                if (!alive && r->whole)
                        return false;
                spread(r, on, path[i] == '/');
        }
        return on[r->n_tokens];
}

static bool any_rule(const struct gb_select *s, bool exclude, const char *path, size_t len)
{
        for (size_t i = 0; i < s->rules.n; i++)
                if (s->rules.v[i].exclude == exclude && matches(&s->rules.v[i], path, len))
                        return true;
        return false;
}

bool gb_select_has(const struct gb_select *s, const char *path, size_t len)
{
        if (gb_select_every_path(s))
                return true;
        if (s->scope && (len <= s->scope_len || !gb_path_within(path, len, s->scope, s->scope_len)))
                return false;
        if (s->n_includes && !any_rule(s, false, path, len))
                return false;
        return !any_rule(s, true, path, len);
}

bool gb_select_below(const struct gb_select *s, const char *path, size_t len)
{
        if (gb_select_every_path(s))
                return true;
        if (s->scope && !gb_path_within(path, len, s->scope, s->scope_len) &&
            !gb_path_within(s->scope, s->scope_len, path, len))
                return false;
        return !any_rule(s, true, path, len);
}
