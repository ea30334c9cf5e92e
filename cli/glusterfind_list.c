/*
 * glusterfind_list - see glusterfind.h.
 */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "glusterfind.h"

/* Texts that must live until gbackup-cli runs. */
struct texts {
        char out[PATH_MAX + 32], prefix[PATH_MAX + 32], separator[300], tag[300], since[32], until[32];
};

static void make_parents(const char *path)
{
        GB_CLEANUP_FREE
        char *copy = strdup(path);

        for (char *p = copy ? copy + 1 : NULL; p && *p; p++)
                if (*p == '/') {
                        *p = '\0';
                        mkdir(copy, 0755); /* what fails here is said when the list is opened */
                        *p = '/';
                }
}

/* glusterfind strips blanks around the tag. */
static void put_tag(char *out, size_t size, const char *tag)
{
        size_t n;

        while (isspace((unsigned char)*tag))
                tag++;
        n = strlen(tag);
        while (n && isspace((unsigned char)tag[n - 1]))
                n--;
        snprintf(out, size, "--tag-for-full=%.*s", (int)n, tag);
}

static void output_options(const struct gf_request *r, struct gf_words *c, struct texts *t)
{
        snprintf(t->out, sizeof(t->out), "--out-file=%s", r->outfile);
        gf_add(c, t->out);
        gf_add(c, "--format=glusterfind");
        gf_add(c, "--no-manifest");
        if (r->prefix && *r->prefix && strcmp(r->prefix, ".") != 0) {
                snprintf(t->prefix, sizeof(t->prefix), "--prefix=%s", r->prefix);
                gf_add(c, t->prefix);
        }
        if (r->separator) {
                snprintf(t->separator, sizeof(t->separator), "--field-separator=%s", r->separator);
                gf_add(c, t->separator);
        }
        if (r->tag && r->full) {
                put_tag(t->tag, sizeof(t->tag), r->tag);
                gf_add(c, t->tag);
        }
        if (r->type && strcmp(r->type, "both") != 0)
                gf_add(c, *r->type == 'd' ? "--type=d" : "--type=flpsbc");
        if (r->no_encode)
                gf_add(c, "--no-encode");
        if (r->only_namespace)
                gf_add(c, "--only-namespace-changes");
}

/* Others than root may have read glusterfind's file. */
static int finish(const struct gf_request *r, int status)
{
        mode_t mask = umask(0);

        umask(mask);
        if (status == GB_EXIT_OK || status == GB_EXIT_SKIPPED) {
                if (chmod(r->outfile, 0666 & ~mask) < 0)
                        return gf_fail("%s: %s", r->outfile, strerror(errno));
                printf("Generated output file %s\n", r->outfile);
        }
        return gf_status_of(status);
}

static int check_output(const struct gf_request *r)
{
        if (r->type && strcmp(r->type, "both") != 0 && !r->full)
                return gf_fail("--type can only be used with --full");
        if (strlen(r->outfile) > PATH_MAX || (r->prefix && strlen(r->prefix) > PATH_MAX) ||
            (r->separator && strlen(r->separator) > 255) || (r->tag && strlen(r->tag) > 255))
                return gf_fail("an argument is too long");
        make_parents(r->outfile);
        return 0;
}

int gf_pre(const struct gf_request *r)
{
        struct texts t;
        struct gf_words c;
        char name[GF_NAME_MAX];
        int rc = gf_find_session(r, name), prepared;

        if (rc || (rc = check_output(r)))
                return rc;
        prepared = r->regenerate ? 0 : gf_is_prepared(name);
        if (prepared)
                return prepared < 0
                               ? GB_EXIT_ERROR
                               : gf_fail("Post command is not run after last pre, use --regenerate-outfile");
        c = gf_cli("prepare", name);
        gf_add(&c, r->full ? "--level=full" : "--level=incremental");
        if (r->on_gap)
                gf_add(&c, *r->on_gap == 'f' && r->on_gap[1] == 'u' ? "--on-gap=full" : "--on-gap=fail");
        output_options(r, &c, &t);
        rc = gf_run(&c, NULL);
        if (rc == GB_EXIT_GAP)
                gf_fail("The records of the session have a gap: run pre with --full, or with --on-gap=full");
        return finish(r, rc);
}

/* glusterfind's query switches changelog on, for the queries to come. */
static int switch_on(const char *volume)
{
        struct gf_words c = gf_cli("status", gf_host()), set = {.n = 0};
        GB_CLEANUP_FREE
        char *text = NULL;
        json_t *all;
        bool off;
        int rc;

        gf_add(&c, volume);
        gf_add(&c, "--json");
        rc = gf_run(&c, &text);
        all = json_loads(text ? text : "", 0, NULL);
        if (!json_is_object(all))
                return rc ? rc : GB_EXIT_ERROR;
        off = json_is_false(json_object_get(all, "changelog"));
        json_decref(all);
        if (!off)
                return GB_EXIT_OK;
        fprintf(stderr, "volume %s: changelog.changelog was off and is on now; it stays on\n", volume);
        gf_add(&set, "gluster");
        gf_add(&set, "--mode=script");
        gf_add(&set, "volume");
        gf_add(&set, "set");
        gf_add(&set, volume);
        gf_add(&set, "changelog.changelog");
        gf_add(&set, "on");
        free(text);
        text = NULL;
        return gf_run(&set, &text);
}

/* Its windows have both ends in them, those of `inc` do not: a second is not nothing. */
static void put_until(char *out, size_t size, const struct gf_request *r)
{
        long long until = r->until ? atoll(r->until) : (long long)time(NULL) + 1;

        snprintf(out, size, "%lld", r->until && until == atoll(r->since) ? until + 1 : until);
}

int gf_query(const struct gf_request *r)
{
        struct texts t;
        struct gf_words c;
        int rc = check_output(r);

        if (rc)
                return rc;
        if (!r->since && !r->until && !r->full)
                return gf_fail("Please specify either {--since-time and optionally --end-time} or --full");
        if (r->since && r->until && r->full)
                return gf_fail(
                        "Please specify either {--since-time and optionally --end-time} or --full, but "
                        "not both");
        if (r->until && !r->since)
                return gf_fail("Please specify --since-time as well");
        rc = switch_on(r->volume);
        if (rc)
                return gf_status_of(rc);
        c = gf_cli(r->full ? "full" : "inc", gf_host());
        gf_add(&c, r->volume);
        if (!r->full) {
                put_until(t.until, sizeof(t.until), r);
                gf_add(&c, r->since);
                gf_add(&c, t.until);
                /* What was not recorded is told by a list of everything, which is more than was asked for. */
                gf_add(&c, r->on_gap && strcmp(r->on_gap, "fail") == 0 ? "--on-gap=fail" : "--on-gap=full");
        }
        output_options(r, &c, &t);
        return finish(r, gf_run(&c, NULL));
}
