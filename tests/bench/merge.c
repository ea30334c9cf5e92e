/*
 * merge - the CLI's merge, from encoded blocks to a file.
 *
 *   merge make FOLDER LANES PATHS        FOLDER/N.blocks, as agents send them, and FOLDER/N.txt, for sort -m
 *   merge run OUT FOLDER LANES           what gbackup-cli does with them, without the network
 *
 * Lanes share one path in eight.  Names have no byte below `/`, so path order is also the order of sort(1).
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
        struct gb_block_reader reader;
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

static void make(const char *folder, unsigned lane, long paths)
{
        FILE *blocks = open_file(folder, lane, "blocks", "w"), *text = open_file(folder, lane, "txt", "w");
        struct gb_block_writer w;
        struct gb_buf b;

        gb_buf_init(&b, GB_CHUNK_DEFAULT);
        gb_block_begin(&w, &b);
        for (long i = 0; i < paths; i++) {
                char path[128];
                struct gb_entry entry = {.path = path, .type = 'f'};

                entry.len = (size_t)snprintf(path, sizeof(path),
                                             "department%02ld/project%04ld/document%07ldof%02u", i / 50000,
                                             i / 100, i, i % 8 ? lane : 0);
                fprintf(text, "%s\n", path);
                if (gb_block_add(&w, &entry) == 1) {
                        end_block(blocks, &b);
                        gb_block_begin(&w, &b);
                        gb_block_add(&w, &entry);
                }
        }
        end_block(blocks, &b);
        gb_buf_fini(&b);
        if (fclose(blocks) != 0 || fclose(text) != 0)
                err(1, "%s", folder);
}

static int next(void *arg, unsigned lane, struct gb_entry *entry, size_t *same, struct gb_error *error)
{
        struct lane *l = &lanes[lane];
        uint32_t len;
        int rc;

        (void)arg;
        while ((rc = gb_block_next(&l->reader, entry, error)) == 0) {
                if (fread(&len, sizeof(len), 1, l->file) != 1)
                        return 0;
                gb_buf_reset(&l->block);
                if (gb_buf_reserve(&l->block, len) < 0 || fread(l->block.data, 1, len, l->file) != len)
                        errx(1, "blocks end early");
                gb_block_feed(&l->reader, l->block.data, len);
        }
        *same = l->reader.same;
        return rc;
}

static void run(const char *out, const char *folder, unsigned n)
{
        struct gb_output *o = gb_output_open(out, &e);
        struct gb_merge *m = gb_merge_new(n, next, NULL, &e);
        struct gb_entry entry;
        int rc;

        if (!o || !m)
                errx(1, "%s", e.text);
        for (unsigned i = 0; i < n; i++) {
                lanes[i].file = open_file(folder, i, "blocks", "r");
                gb_block_reader_init(&lanes[i].reader);
                gb_buf_init(&lanes[i].block, GB_CHUNK_DEFAULT);
        }
        rc = gb_merge_start(m, &e);
        while (rc == 0 && (rc = gb_merge_take(m, &entry, &e)) == 1)
                rc = gb_output_write(o, entry.path, entry.len, &e) < 0 ? -1 : gb_output_write(o, "\n", 1, &e);
        if (rc < 0 || gb_output_finish(o, &e) < 0 || gb_output_publish(o, &e) < 0)
                errx(1, "%s", e.text);
}

int main(int argc, char **argv)
{
        if (argc == 5 && strcmp(argv[1], "make") == 0) {
                for (unsigned i = 0; i < (unsigned)atoi(argv[3]); i++)
                        make(argv[2], i, atol(argv[4]));
                return 0;
        }
        if (argc != 5 || strcmp(argv[1], "run") != 0 || atoi(argv[4]) > LANES)
                errx(64, "usage: merge make FOLDER LANES PATHS | merge run OUT FOLDER LANES");
        run(argv[2], argv[3], (unsigned)atoi(argv[4]));
        return 0;
}
