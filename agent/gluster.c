/*
 * gluster - run gluster(8), by argument vector and within limits.
 *
 * glusterd serves one transaction per volume at a time, in the whole cluster; a second one is told to
 * come back.  So that answer is no failure until a minute of growing pauses has passed.
 */
#include <config.h>

#include "gluster.h"

#include <stdlib.h>
#include <string.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/limits.h"
#include "glusterd.h"

/* Patience with "Another transaction is in progress", the first pause and the longest. */
#define RETRY_MS       60000
#define RETRY_FIRST_MS 250
#define RETRY_PAUSE_MS 5000
/* Bytes of a value handed to "volume set". */
#define VALUE_MAX 4096
/* Words behind "gluster --mode=script --xml", at most. */
#define WORDS_MAX 6

/* What to do with the XML of a run. */
typedef int (*take_fn)(const void *xml, size_t len, void *arg, struct gb_error *err);

static int run_once(const struct gb_gluster *g, const char *const argv[], const char *what, take_fn take,
                    void *arg, struct gb_error *err)
{
        struct gb_child c = {.argv = argv, .what = what, .cancel_fd = g->cancel_fd, .max = GB_XML_MAX};
        int rc;

        c.deadline = gb_deadline_in(g->timeout_ms ? g->timeout_ms : GB_GLUSTER_MS);
        rc = gb_child_run(&c, err);
        if (rc == 0 && (!c.out.len || c.out.data[0] != '<')) { /* no XML: it says why in plain words */
                rc = gb_child_words(&c, err);
        } else if (rc == 0) {
                rc = take(c.out.data, c.out.len, arg, err);
                if (rc < 0)
                        gb_error_prefix(err, "%s %s", g->program, what);
        }
        gb_child_fini(&c);
        return rc;
}

/* Run `gluster <words>` and hand its XML to `take`, again and again while glusterd is busy.  `words`
 * ends in NULL. */
static int run(const struct gb_gluster *g, const char *const words[], const char *what, take_fn take,
               void *arg, struct gb_error *err)
{
        const char *argv[WORDS_MAX + 4] = {g->program, "--mode=script", "--xml"};
        gb_deadline give_up = gb_deadline_in(RETRY_MS);
        struct gb_error e = {.code = GB_OK};
        int pause_ms = RETRY_FIRST_MS;
        int rc;

        for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
                argv[3 + i] = words[i];
        for (;;) {
                rc = run_once(g, argv, what, take, arg, &e);
                if (rc == 0 || e.code != GB_ERR_AGAIN || gb_deadline_left(give_up) < pause_ms)
                        break;
                rc = gb_child_pause(g->cancel_fd, pause_ms, what, &e);
                if (rc < 0)
                        break;
                pause_ms = pause_ms * 2 < RETRY_PAUSE_MS ? pause_ms * 2 : RETRY_PAUSE_MS;
        }
        if (rc < 0 && err)
                *err = e;
        return rc;
}

/* ---- the commands ---- */

struct info_arg {
        const char *volume;
        struct gb_volinfo *v;
};

static int take_info(const void *xml, size_t len, void *arg, struct gb_error *err)
{
        struct info_arg *a = arg;

        return gb_xml_volume_info(xml, len, a->volume, a->v, err);
}

static int take_status(const void *xml, size_t len, void *arg, struct gb_error *err)
{
        return gb_xml_volume_status(xml, len, arg, err);
}

static int take_pool(const void *xml, size_t len, void *arg, struct gb_error *err)
{
        return gb_xml_pool_list(xml, len, arg, err);
}

static int take_result(const void *xml, size_t len, void *arg, struct gb_error *err)
{
        (void)arg;
        return gb_xml_result(xml, len, err);
}

static int check_volume(const char *volume, struct gb_error *err)
{
        if (gb_volume_name_valid(volume))
                return 0;
        return gb_error_set(err, GB_ERR_NO_VOLUME, "not a volume name: %.64s", volume);
}

int gb_gluster_info(const struct gb_gluster *g, const char *volume, struct gb_volinfo *v,
                    struct gb_error *err)
{
        const char *const info[] = {"volume", "info", volume, NULL};
        struct info_arg arg = {volume, v};

        *v = (struct gb_volinfo){.name = NULL};
        if (check_volume(volume, err) < 0)
                return -1;
        if (run(g, info, "volume info", take_info, &arg, err) < 0)
                return gb_error_prefix(err, "volume %s", volume);
        return 0;
}

int gb_gluster_topology(const struct gb_gluster *g, const char *volume, struct gb_volinfo *v,
                        struct gb_error *err)
{
        const char *const status[] = {"volume", "status", volume, NULL};
        const char *const pool[] = {"pool", "list", NULL};

        if (gb_gluster_info(g, volume, v, err) < 0)
                return -1;
        if (v->started && run(g, status, "volume status", take_status, v, err) < 0)
                goto fail;
        if (run(g, pool, "pool list", take_pool, v, err) < 0)
                goto fail;
        return 0;
fail:
        gb_volinfo_fini(v);
        return -1;
}

/* gluster reads a word with a leading hyphen as an option of its own, wherever it stands. */
static bool argument_valid(const char *s)
{
        size_t n = 0;

        if (*s == '-')
                return false;
        for (; s[n]; n++)
                if ((unsigned char)s[n] < ' ' || s[n] == 0x7f || n == VALUE_MAX)
                        return false;
        return n > 0;
}

int gb_gluster_set(const struct gb_gluster *g, const char *volume, const char *key, const char *value,
                   struct gb_error *err)
{
        const char *const set[] = {"volume", "set", volume, key, value, NULL};

        if (check_volume(volume, err) < 0)
                return -1;
        if (!argument_valid(key) || !argument_valid(value))
                return gb_error_set(err, GB_ERR_USAGE, "volume set %s: not an option: %.64s=%.64s", volume,
                                    key, value);
        return run(g, set, "volume set", take_result, NULL, err);
}
