/*
 * spool - see spool.h.  The file is a sequence of {u32 length, block}.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/scratch.h"
#include "spool.h"

#define SPOOL_BLOCK (256 * 1024)

struct gb_spool {
        FILE *file;
        struct gb_buf block;
        struct gb_block_writer writer;
        struct gb_block_reader reader;
        bool begun;
};

static int broken(struct gb_error *err, const char *what)
{
        return gb_error_sys(err, GB_ERR_SYSTEM, "temporary file: %s", what);
}

struct gb_spool *gb_spool_new(struct gb_error *err)
{
        struct gb_spool *s = calloc(1, sizeof(*s));
        int fd;

        if (!s) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                return NULL;
        }
        gb_buf_init(&s->block, SPOOL_BLOCK);
        fd = gb_scratch_open(gb_scratch_dir(), err);
        s->file = fd >= 0 ? fdopen(fd, "w+") : NULL;
        if (!s->file) {
                if (fd >= 0) {
                        broken(err, "open");
                        close(fd);
                }
                gb_spool_free(s);
                return NULL;
        }
        return s;
}

static int write_block(struct gb_spool *s, struct gb_error *err)
{
        uint32_t len = (uint32_t)s->block.len;

        s->begun = false;
        if (fwrite(&len, sizeof(len), 1, s->file) != 1 || fwrite(s->block.data, 1, len, s->file) != len)
                return broken(err, "write");
        return 0;
}

int gb_spool_add(struct gb_spool *s, const struct gb_entry *e, struct gb_error *err)
{
        for (;;) {
                int rc;

                if (!s->begun) {
                        gb_buf_reset(&s->block);
                        gb_block_begin(&s->writer, &s->block);
                        s->begun = true;
                }
                rc = gb_block_add(&s->writer, e);
                if (rc == 0)
                        return 0;
                if (rc < 0)
                        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                if (write_block(s, err) < 0)
                        return -1;
        }
}

int gb_spool_rewind(struct gb_spool *s, struct gb_error *err)
{
        if (s->begun && write_block(s, err) < 0)
                return -1;
        if (fflush(s->file) != 0 || fseek(s->file, 0, SEEK_SET) != 0)
                return broken(err, "write");
        gb_block_reader_init(&s->reader);
        return 0;
}

static int read_block(struct gb_spool *s, struct gb_error *err)
{
        uint32_t len;

        if (fread(&len, sizeof(len), 1, s->file) != 1)
                return ferror(s->file) ? broken(err, "read") : 0;
        gb_buf_reset(&s->block);
        if (len > SPOOL_BLOCK || gb_buf_reserve(&s->block, len) < 0 ||
            fread(s->block.data, 1, len, s->file) != len)
                return broken(err, "read");
        s->block.len = len;
        gb_block_feed(&s->reader, s->block.data, len);
        return 1;
}

int gb_spool_next(struct gb_spool *s, struct gb_entry *e, struct gb_error *err)
{
        for (;;) {
                int rc = gb_block_next(&s->reader, e, err);

                if (rc)
                        return rc;
                rc = read_block(s, err);
                if (rc <= 0)
                        return rc;
        }
}

void gb_spool_free(struct gb_spool *s)
{
        if (!s)
                return;
        if (s->file)
                fclose(s->file);
        gb_buf_fini(&s->block);
        free(s);
}
