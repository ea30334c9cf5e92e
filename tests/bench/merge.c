/*
 * merge - the CLI's merge, from encoded blocks to a file.
 *
 *   merge make FOLDER LANES PATHS [KIND] FOLDER/N.blocks, as agents send them, and FOLDER/N.txt, for sort -m
 *   merge run OUT FOLDER LANES           what gbackup-cli does with them, without the network
 *
 * PATHS of each lane.  Kinds, by whose the paths are:
 *   turns   each lane's in turn, and one in eight is in all of them
 *   hashed  one lane's by chance, as files are distributed by GlusterFS; directories of a hundred are in all
 *   runs    the first lane's, then the second one's, and so on
 *   same    all are in all lanes, as of replicas
 *
 * Names have no byte below `/`, so path order is also the order of sort(1).
 */
#include <config.h>

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/block.h"
#include "base/limits.h"
#include "merge.h"
#include "output.h"

enum { LANES = 1024 };

static struct lane {
        FILE *file;
        struct gb_buf block;
} lanes[LANES];
static struct gb_error e;

static FILE *open_file(const char *folder, unsigned lane, const char *suffix, const char *mode)
{
        char path[4096];
        FILE *f;

        snprintf(path, sizeof(path), "%s/%u.%s", folder, lane, suffix);
        f = fopen(path, mode);
        if (!f)
                err(1, "%s", path);
        return f;
}

static void end_block(FILE *to, struct gb_buf *b)
{
        uint32_t len = (uint32_t)b->len;

        if (fwrite(&len, sizeof(len), 1, to) != 1 || fwrite(b->data, 1, b->len, to) != b->len)
                err(1, "blocks");
        gb_buf_reset(b);
}

struct target {
        FILE *blocks, *text;
        struct gb_block_writer w;
        struct gb_buf b;
};

static void put(struct target *t, const char *path, int len)
{
        struct gb_entry entry = {.path = path, .len = (size_t)len, .type = 'f'};

        fprintf(t->text, "%s\n", path);
        if (gb_block_add(&t->w, &entry) == 1) {
                end_block(t->blocks, &t->b);
                gb_block_begin(&t->w, &t->b);
                gb_block_add(&t->w, &entry);
        }
}

static void put_hashed(struct target *t, unsigned lane, unsigned n, long paths)
{
        for (long i = 0; i < paths * n; i++) {
                char path[128];
                int len = snprintf(path, sizeof(path), "department%04ld/project%06ld", i / 50000, i / 100);

                if (i % 100 == 0)
                        put(t, path, len);
                len += snprintf(path + len, sizeof(path) - (size_t)len, "/document%09ld", i);
                if (((uint64_t)i * 0x9e3779b97f4a7c15u >> 40) % n == lane)
                        put(t, path, len);
        }
}

static void make(const char *folder, unsigned lane, unsigned n, long paths, char kind)
{
        struct target t = {.blocks = open_file(folder, lane, "blocks", "w"),
                           .text = open_file(folder, lane, "txt", "w")};

        gb_buf_init(&t.b, GB_CHUNK_DEFAULT);
        gb_block_begin(&t.w, &t.b);
        if (kind == 'h')
                put_hashed(&t, lane, n, paths);
        for (long i = 0; kind != 'h' && i < paths; i++) {
                char path[128];
                unsigned whose = kind == 'r' ? lane : 0, of = kind == 't' && i % 8 ? lane : 0;

                put(&t, path,
                    snprintf(path, sizeof(path), "department%04ld/project%05ld/document%07ldof%02u",
                             whose * 20 + i / 50000, i / 100, i, of));
        }
        end_block(t.blocks, &t.b);
        gb_buf_fini(&t.b);
        if (fclose(t.blocks) != 0 || fclose(t.text) != 0)
                err(1, "%s", folder);
}

static int more(void *arg, unsigned lane, const void **data, size_t *size, struct gb_error *error)
{
        struct lane *l = &lanes[lane];
        uint32_t len;

        (void)arg;
        (void)error;
        if (fread(&len, sizeof(len), 1, l->file) != 1)
                return 0;
        gb_buf_reset(&l->block);
        if (gb_buf_reserve(&l->block, len) < 0 || fread(l->block.data, 1, len, l->file) != len)
                errx(1, "blocks end early");
        *data = l->block.data;
        *size = len;
        return 1;
}

static void blame(void *arg, unsigned lane, struct gb_error *error)
{
        (void)arg;
        gb_error_prefix(error, "lane %u", lane);
}

static void run(const char *out, const char *folder, unsigned n)
{
        static const struct gb_merge_source from = {more, blame};
        struct gb_output *o = gb_output_open(out, &e);
        struct gb_merge *m = gb_merge_new(n, &from, NULL, &e);
        struct gb_merge_lines l = {.end = '\n'};
        int rc;

        if (!o || !m || gb_output_ahead(o, &e) < 0)
                errx(1, "%s", e.text);
        for (unsigned i = 0; i < n; i++) {
                lanes[i].file = open_file(folder, i, "blocks", "r");
                gb_buf_init(&lanes[i].block, GB_CHUNK_DEFAULT);
        }
        rc = gb_merge_start(m, &e);
        for (rc = rc < 0 ? -1 : 1; rc == 1;) {
                l.to = gb_output_place(o, GB_MERGE_LINE_MAX(0), &l.room, &e);
                rc = l.to ? gb_merge_lines(m, &l, &e) : -1;
                gb_output_placed(o, l.used);
        }
        if (rc < 0 || gb_output_finish(o, &e) < 0 || gb_output_publish(o, &e) < 0)
                errx(1, "%s", e.text);
}

int main(int argc, char **argv)
{
        if (argc >= 5 && strcmp(argv[1], "make") == 0) {
                unsigned n = (unsigned)atoi(argv[3]);

                for (unsigned i = 0; i < n; i++)
                        make(argv[2], i, n, atol(argv[4]), argc > 5 ? argv[5][0] : 't');
                return 0;
        }
        if (argc != 5 || strcmp(argv[1], "run") != 0 || atoi(argv[4]) > LANES)
                errx(64, "usage: merge make FOLDER LANES PATHS [KIND] | merge run OUT FOLDER LANES");
        run(argv[2], argv[3], (unsigned)atoi(argv[4]));
        return 0;
}
