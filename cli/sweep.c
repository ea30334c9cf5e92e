/*
 * sweep - see sweep.h.
 */
#include <config.h>

#include <string.h>

#include "feed.h"
#include "sweep.h"

static int sweep_names(const struct gb_sweep *s, struct gb_error *err)
{
        struct gb_scan_options o = {.gfids = s->gfids, .times = s->times, .only_set = -1};
        struct gb_scan *scan = gb_scan_open(s->cli, s->volume, &o, NULL, err);
        struct gb_entry e;
        int rc = -1;

        while (scan && (rc = gb_scan_next(scan, &e, err)) == 1)
                if (s->found(s->arg, &e, err) < 0) {
                        rc = -1;
                        break;
                }
        gb_scan_close(scan);
        return rc;
}

/* ---- shards ---- */

struct bases {
        const struct gb_sweep *sweep;
        unsigned n;
        gb_gfid gfids[GB_LOOK_MAX];
};

/* ".shard/<gfid of the base file>.<number>" */
static bool base_of(const struct gb_entry *e, gb_gfid *base)
{
        static const char dir[] = ".shard/";
        size_t at = sizeof(dir) - 1, end = at + GB_GFID_TEXT - 1;

        return e->type == 'f' && e->len > end + 1 && memcmp(e->path, dir, at) == 0 && e->path[end] == '.' &&
               !memchr(e->path + end, '/', e->len - end) && gb_gfid_parse(e->path + at, end - at, base);
}

/* Names that a brick told before it failed are told again by its sibling; twice is once. */
static int resolve_on(void *arg, struct gb_vbrick *b, struct gb_error *err)
{
        struct bases *bases = arg;
        const struct gb_sweep *s = bases->sweep;
        gbx_query q = {.kind = GBX_RESOLVE};
        struct gb_client *client = gb_volume_connect(s->cli, s->volume, b, err);
        struct gb_block_reader reader;
        struct gb_feed *feed;
        struct gb_entry e;
        const void *data;
        size_t len;
        int rc = -1;

        if (!client)
                return -1;
        q.gbx_query_u.resolve.gfids.gfids_len = bases->n;
        q.gbx_query_u.resolve.gfids.gfids_val = (gbx_gfid *)(void *)bases->gfids;
        gb_block_reader_init(&reader);
        feed = gb_feed_open(client, s->volume->name, b->path, b->name, &q, GB_CHUNK_DEFAULT, err);
        while (feed && (rc = gb_feed_next(feed, &data, &len, err)) == 1) {
                gb_block_feed(&reader, data, len);
                while ((rc = gb_block_next(&reader, &e, err)) == 1)
                        if (s->found(s->arg, &e, err) < 0) {
                                rc = -1;
                                break;
                        }
                if (rc < 0)
                        break;
        }
        if (rc == 0)
                rc = gb_feed_check(feed, reader.count, err);
        gb_feed_close(feed);
        return rc;
}

static int resolve(const struct gb_sweep *s, struct bases *bases, struct gb_error *err)
{
        for (unsigned set = 0; bases->n && set < s->volume->n_sets; set++)
                if (gb_volume_ask(s->volume, set, resolve_on, bases, err) < 0)
                        return -1;
        bases->n = 0;
        return 0;
}

/* Shards come sorted by name, so those of one file come together. */
static int sweep_shards(const struct gb_sweep *s, struct gb_error *err)
{
        struct gb_scan_options o = {.times = s->times, .shards = true, .only_set = -1};
        struct gb_scan *scan = gb_scan_open(s->cli, s->volume, &o, NULL, err);
        struct bases bases = {.sweep = s};
        struct gb_entry e;
        gb_gfid base;
        int rc = -1;

        while (scan && (rc = gb_scan_next(scan, &e, err)) == 1) {
                if (!base_of(&e, &base) || (bases.n && gb_gfid_eq(&bases.gfids[bases.n - 1], &base)))
                        continue;
                if (bases.n == GB_LOOK_MAX && resolve(s, &bases, err) < 0) {
                        rc = -1;
                        break;
                }
                bases.gfids[bases.n++] = base;
        }
        gb_scan_close(scan);
        return rc < 0 ? -1 : resolve(s, &bases, err);
}

int gb_sweep(const struct gb_sweep *s, struct gb_error *err)
{
        return sweep_names(s, err) < 0 ? -1 : sweep_shards(s, err);
}
