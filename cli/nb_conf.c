/*
 * nb_conf - see nb_conf.h.
 *
 * Three sections may speak of one schedule: [*], [POLICY] and [POLICY/SCHEDULE], the later over the earlier
 * whatever their order in the file.  So the file is read three times, each time for one of them; the whole of
 * it is judged each time, since a mistake in another policy's section is better found today.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/inifile.h"
#include "base/limits.h"
#include "nb_conf.h"
#include "registry.h"

enum kind { KIND_SESSION, KIND_WORD, KIND_PATH, KIND_NUMBER, KIND_CHOICE };

/* A choice's words, and the numbers they stand for, by position. */
struct key {
        const char *name;
        enum kind kind;
        size_t offset, size;
        unsigned min, max;
        const char *words[5];
};

#define FIELD(f)    offsetof(struct gb_nb_conf, f), sizeof(((struct gb_nb_conf *)0)->f)
#define LEVEL_WORDS "refuse", "full", "incremental", "cumulative"

static const struct key keys[] = {
        {"session", KIND_SESSION, FIELD(session), 0, 0, {NULL}},
        {"mount", KIND_PATH, FIELD(mount), 0, 0, {NULL}},
        {"list", KIND_PATH, FIELD(list), 0, 0, {NULL}},
        {"state_dir", KIND_PATH, FIELD(state_dir), 0, 0, {NULL}},
        {"log", KIND_PATH, FIELD(log), 0, 0, {NULL}},
        {"rsh", KIND_WORD, FIELD(rsh), 0, 0, {NULL}},
        {"netbackup_dir", KIND_PATH, FIELD(netbackup_dir), 0, 0, {NULL}},
        {"deliver", KIND_CHOICE, FIELD(include), 0, 0, {"file", "include"}},
        {"full", KIND_CHOICE, FIELD(full_names), 0, 0, {"tree", "names"}},
        {"wildcards", KIND_CHOICE, FIELD(raw_wildcards), 0, 0, {"escape", "raw"}},
        {"directories", KIND_CHOICE, FIELD(all_directories), 0, 0, {"empty", "all"}},
        {"sweep", KIND_CHOICE, FIELD(sweep), 0, 0, {"no", "yes"}},
        {"on_gap", KIND_CHOICE, FIELD(full_on_gap), 0, 0, {"fail", "full"}},
        {"skipped", KIND_CHOICE, FIELD(allow_skipped), 0, 0, {"fail", "allow"}},
        {"partial", KIND_CHOICE, FIELD(commit_partial), 0, 0, {"keep", "commit"}},
        {"ubak", KIND_CHOICE, FIELD(user[0]), 0, 0, {LEVEL_WORDS}},
        {"uarc", KIND_CHOICE, FIELD(user[1]), 0, 0, {LEVEL_WORDS}},
        {"commit_on", KIND_CHOICE, FIELD(commit_on), 0, 0, {"exit", "bpend", "never"}},
        {"timeout", KIND_NUMBER, FIELD(timeout), 1, 86400, {NULL}},
        {"max_age", KIND_NUMBER, FIELD(max_age), 60, 30 * 86400, {NULL}},
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

_Static_assert(GB_LEVEL_AUTO == 0 && GB_LEVEL_FULL == 1 && GB_LEVEL_INCREMENTAL == 2 &&
                       GB_LEVEL_CUMULATIVE == 3,
               "the words of ubak and uarc are in the order of the levels");
_Static_assert(sizeof(enum gb_list_level) == sizeof(unsigned) &&
                       sizeof(enum gb_nb_commit) == sizeof(unsigned),
               "choices are stored as unsigned or bool");

static const char *conf_file(void)
{
        const char *file = getenv("GBACKUP_NETBACKUP_CONF");

        return file && *file ? file : GB_SYSCONFDIR "/gbackup/netbackup.conf";
}

static void defaults(struct gb_nb_conf *c)
{
        *c = (struct gb_nb_conf){.state_dir = GB_STATEDIR "/netbackup",
                                 .log = "/var/log/gbackup/netbackup.log",
                                 .netbackup_dir = "/usr/openv/netbackup",
                                 .timeout = 270,
                                 .max_age = 12 * 3600};
}

/* ---- values ---- */

static int set_choice(const struct key *k, const char *value, void *at, struct gb_error *err)
{
        char all[128] = "";

        for (unsigned i = 0; k->words[i]; i++) {
                if (strcmp(value, k->words[i]) == 0) {
                        if (k->size == sizeof(bool))
                                *(bool *)at = i;
                        else
                                *(unsigned *)at = i;
                        return 0;
                }
                snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "", k->words[i]);
        }
        return gb_error_set(err, GB_ERR_CONFIG, "%s: '%.80s' is not one of %s", k->name, value, all);
}

static int set_number(const struct key *k, const char *value, void *at, struct gb_error *err)
{
        char *end;
        unsigned long v;

        errno = 0;
        v = strtoul(value, &end, 10);
        if (errno || end == value || *end || *value < '0' || *value > '9' || v < k->min || v > k->max)
                return gb_error_set(err, GB_ERR_CONFIG, "%s: '%.80s' is not a number from %u to %u", k->name,
                                    value, k->min, k->max);
        *(unsigned *)at = (unsigned)v;
        return 0;
}

static int set_text(const struct key *k, const char *value, char *at, struct gb_error *err)
{
        size_t n = strlen(value);

        if (n >= k->size)
                return gb_error_set(err, GB_ERR_CONFIG, "%s: longer than %zu bytes", k->name, k->size - 1);
        for (const unsigned char *p = (const unsigned char *)value; *p; p++)
                if (*p < 0x20 || *p == 0x7f)
                        return gb_error_set(err, GB_ERR_CONFIG, "%s: control characters are not allowed",
                                            k->name);
        if (k->kind == KIND_SESSION && gb_session_name_check(value, err) < 0) {
                err->code = GB_ERR_CONFIG;
                return -1;
        }
        if (k->kind == KIND_PATH && value[0] != '/' && (*value || strcmp(k->name, "log") != 0))
                return gb_error_set(err, GB_ERR_CONFIG, "%s: '%.200s' is not an absolute path", k->name,
                                    value);
        if (k->kind == KIND_PATH)
                while (n > 1 && value[n - 1] == '/')
                        n--;
        memcpy(at, value, n);
        at[n] = '\0';
        return 0;
}

static int set(struct gb_nb_conf *c, const char *name, const char *value, struct gb_error *err)
{
        for (size_t i = 0; i < N_KEYS; i++) {
                const struct key *k = &keys[i];
                char *at = (char *)c + k->offset;

                if (strcmp(k->name, name) != 0)
                        continue;
                if (k->kind == KIND_CHOICE && strcmp(name, "wildcards") == 0)
                        c->raw_given = true;
                return k->kind == KIND_CHOICE   ? set_choice(k, value, at, err)
                       : k->kind == KIND_NUMBER ? set_number(k, value, at, err)
                                                : set_text(k, value, at, err);
        }
        return gb_error_set(err, GB_ERR_CONFIG, "unknown key '%.80s'", name);
}

/* ---- the file ---- */

struct reading {
        const char *wanted;               /* section */
        struct gb_nb_conf *conf, scratch; /* scratch: of other sections */
        char section[64];                 /* in which the keys seen stand */
        bool seen[N_KEYS];
        bool found;
};

/* inih cuts a longer one off in silence. */
#define SECTION_MAX 48

static bool seen_before(struct reading *r, const char *name)
{
        for (size_t i = 0; i < N_KEYS; i++)
                if (strcmp(keys[i].name, name) == 0) {
                        bool before = r->seen[i];

                        r->seen[i] = true;
                        return before;
                }
        return false;
}

static int take(void *arg, const char *section, const char *name, const char *value, struct gb_error *err)
{
        struct reading *r = arg;
        bool mine = strcmp(section, r->wanted) == 0;

        if (strcmp(section, r->section) != 0)
                memset(r->seen, 0, sizeof(r->seen));
        snprintf(r->section, sizeof(r->section), "%s", section);
        r->found |= mine;
        if (!*section)
                return gb_error_set(err, GB_ERR_CONFIG, "key outside a section; write [POLICY] first");
        if (strlen(section) > SECTION_MAX)
                return gb_error_set(err, GB_ERR_CONFIG, "[%s...: a section's name has at most %d bytes",
                                    section, SECTION_MAX);
        if (seen_before(r, name))
                return gb_error_set(err, GB_ERR_CONFIG, "%s is given twice, or a line below it is indented",
                                    name);
        return set(mine ? r->conf : &r->scratch, name, value, err);
}

/* 1: the section is there, 0: it is not, -1. */
static int read_section(const char *section, struct gb_nb_conf *c, struct gb_error *err)
{
        struct reading *r = calloc(1, sizeof(*r));
        int rc;

        if (!r)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        r->wanted = section;
        r->conf = c;
        rc = gb_ini_read(conf_file(), "POLICY", take, r, err);
        if (rc == 1)
                rc = gb_error_set(err, GB_ERR_CONFIG, "%s: no such configuration file", conf_file());
        else if (rc == 0)
                rc = r->found;
        free(r);
        return rc;
}

static int check(struct gb_nb_conf *c, const char *policy, struct gb_error *err)
{
        const char *missing = !*c->session ? "session" : !*c->mount ? "mount" : NULL;

        if (missing)
                return gb_error_set(err, GB_ERR_CONFIG, "%s: [%.200s]: %s is missing", conf_file(), policy,
                                    missing);
        if (!c->raw_given)
                c->raw_wildcards = !c->include;
        if (!*c->list && snprintf(c->list, sizeof(c->list), "%s/%s.list", c->state_dir, c->session) >=
                                 (int)sizeof(c->list))
                return gb_error_set(err, GB_ERR_CONFIG, "state_dir: too long");
        return 0;
}

int gb_nb_conf_load(const char *policy, const char *schedule, struct gb_nb_conf *out, struct gb_error *err)
{
        char both[2 * GB_HOST_MAX + 4];
        int all, of_policy, of_schedule;

        defaults(out);
        if (snprintf(both, sizeof(both), "%s/%s", policy, schedule) >= (int)sizeof(both))
                return gb_error_set(err, GB_ERR_USAGE, "the names of policy and schedule are too long");
        if ((all = read_section("*", out, err)) < 0 || (of_policy = read_section(policy, out, err)) < 0 ||
            (of_schedule = read_section(both, out, err)) < 0)
                return -1;
        if (!of_policy && !of_schedule)
                return gb_error_set(err, GB_ERR_CONFIG, "%s: there is no section [%.200s]", conf_file(),
                                    policy);
        return check(out, policy, err);
}
