/*
 * parts - see parts.h.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "parts.h"

/* A run of neighbours: a share of what the part has, so that parts differ by no more than that. */
#define RUN_SHARE 32
#define RUN_MAX   1000

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
}

char *gb_parts_name(const char *file, unsigned i)
{
        char *name = NULL;

        return asprintf(&name, "%s.%u", file, i + 1) < 0 ? NULL : name;
}

int gb_parts_open(struct gb_parts *p, const char *file, unsigned split, bool hash, struct gb_error *err)
{
        p->split = split > 0;
        for (unsigned i = 0; i < (split ? split : 1); i++) {
                struct gb_part *part = &p->v[p->n++];

                part->name = split ? gb_parts_name(file, i) : strdup(file);
                if (!part->name)
                        return no_memory(err);
                part->out = gb_output_open(part->name, err);
                if (!part->out || (hash && gb_output_hash(part->out, err) < 0))
                        return -1;
                if (!split && gb_output_ahead(part->out, err) < 0)
                        return -1;
        }
        return 0;
}

static unsigned lightest(const struct gb_parts *p)
{
        unsigned least = 0;

        for (unsigned i = 1; i < p->n; i++)
                if (p->v[i].weight < p->v[least].weight)
                        least = i;
        return least;
}

static unsigned part_for(struct gb_parts *p, const struct gb_op *op)
{
        if (op->kind == GB_OP_DELETE || op->kind == GB_OP_RENAME || op->type == 'd')
                return 0;
        if (!p->left) {
                p->run = lightest(p);
                p->left = 1 + p->v[p->run].weight / RUN_SHARE;
                if (p->left > RUN_MAX)
                        p->left = RUN_MAX;
        }
        p->left--;
        return p->run;
}

void gb_parts_choose(struct gb_parts *p, const struct gb_op *op)
{
        if (!p->split)
                return;
        if (op->len != p->last_len || memcmp(op->path, p->last, op->len) != 0) {
                p->now = part_for(p, op);
                memcpy(p->last, op->path, op->len);
                p->last_len = op->len;
        }
        if (op->kind != GB_OP_DELETE)
                p->v[p->now].weight++;
}

int gb_parts_finish(struct gb_parts *p, struct gb_error *err)
{
        for (unsigned i = 0; i < p->n; i++)
                if (gb_output_finish(p->v[i].out, err) < 0)
                        return -1;
        return 0;
}

uint64_t gb_parts_bytes(const struct gb_parts *p)
{
        uint64_t all = 0;

        for (unsigned i = 0; i < p->n; i++)
                all += gb_output_bytes(p->v[i].out);
        return all;
}

static int remove_part(const char *file, unsigned i, struct gb_error *err)
{
        GB_CLEANUP_FREE
        char *name = gb_parts_name(file, i);

        if (!name)
                return no_memory(err);
        if (unlink(name) < 0 && errno != ENOENT)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: an older one cannot be removed", name);
        return 0;
}

int gb_parts_publish(struct gb_parts *p, unsigned older, const char *file, struct gb_error *err)
{
        for (unsigned i = p->split ? p->n : 0; i < older; i++)
                if (remove_part(file, i, err) < 0)
                        return -1;
        for (unsigned i = 0; i < p->n; i++) {
                struct gb_output *out = p->v[i].out;

                p->v[i].out = NULL;
                if (gb_output_publish(out, err) < 0)
                        return -1;
        }
        return 0;
}

void gb_parts_discard(struct gb_parts *p)
{
        for (unsigned i = 0; i < p->n; i++) {
                gb_output_discard(p->v[i].out);
                free(p->v[i].name);
        }
        p->n = 0;
}
