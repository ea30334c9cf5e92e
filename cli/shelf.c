/*
 * shelf - see shelf.h.  A record is {u32 length, bytes}; none lies in two places: the buffer is written to
 * the file as a whole.
 */
#include <config.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/scratch.h"
#include "shelf.h"

#define SHELF_MEMORY ((size_t)512 * 1024)
#define READ_BYTES   ((size_t)128 * 1024)
#define RECORD_MAX   ((size_t)64 * 1024 * 1024)

void gb_shelf_init(struct gb_shelf *s, const char *dir)
{
        *s = (struct gb_shelf){.dir = dir, .fd = -1};
        gb_buf_init(&s->records, SHELF_MEMORY + RECORD_MAX + sizeof(uint32_t));
}

void gb_shelf_fini(struct gb_shelf *s)
{
        if (s->fd >= 0)
                close(s->fd);
        gb_buf_fini(&s->records);
}

static int write_out(struct gb_shelf *s, struct gb_error *err)
{
        if (s->fd < 0 && (s->fd = gb_scratch_open(s->dir, err)) < 0)
                return -1;
        for (size_t done = 0; done < s->records.len;) {
                ssize_t n = write(s->fd, s->records.data + done, s->records.len - done);

                if (n < 0 && errno != EINTR)
                        return gb_error_sys(err, GB_ERR_SYSTEM, "%s: write a temporary file", s->dir);
                done += n > 0 ? (size_t)n : 0;
        }
        s->in_file += s->records.len;
        gb_buf_reset(&s->records);
        return 0;
}

int gb_shelf_add(struct gb_shelf *s, const void *rec, size_t len, struct gb_error *err)
{
        uint32_t head = (uint32_t)len;

        if (len > RECORD_MAX)
                return gb_error_set(err, GB_ERR_LIMIT, "record of %zu bytes is too large to keep", len);
        if (s->records.len + sizeof(head) + len > SHELF_MEMORY && write_out(s, err) < 0)
                return -1;
        if (gb_buf_put(&s->records, &head, sizeof(head)) < 0 || gb_buf_put(&s->records, rec, len) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        s->n++;
        return 0;
}

void gb_shelf_read(struct gb_shelf_reader *r, const struct gb_shelf *s)
{
        *r = (struct gb_shelf_reader){.shelf = s};
        gb_buf_init(&r->window, READ_BYTES + RECORD_MAX + sizeof(uint32_t));
}

void gb_shelf_close(struct gb_shelf_reader *r)
{
        gb_buf_fini(&r->window);
}

/* `need` bytes that lie in the file at r->at. */
static const uint8_t *from_file(struct gb_shelf_reader *r, size_t need, struct gb_error *err)
{
        const struct gb_shelf *s = r->shelf;
        size_t want = need > READ_BYTES ? need : READ_BYTES;

        if (r->at >= r->begin && r->at + need <= r->begin + r->window.len)
                return r->window.data + (r->at - r->begin);
        gb_buf_reset(&r->window);
        r->begin = r->at;
        if (gb_buf_reserve(&r->window, want) < 0) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                return NULL;
        }
        while (r->window.len < need) {
                ssize_t n = pread(s->fd, r->window.data + r->window.len, want - r->window.len,
                                  (off_t)(r->begin + r->window.len));

                if (n == 0) {
                        gb_error_set(err, GB_ERR_CORRUPT, "%s: a temporary file is cut off", s->dir);
                        return NULL;
                }
                if (n < 0 && errno != EINTR) {
                        gb_error_sys(err, GB_ERR_SYSTEM, "%s: read a temporary file", s->dir);
                        return NULL;
                }
                r->window.len += n > 0 ? (size_t)n : 0;
        }
        return r->window.data;
}

static const uint8_t *bytes(struct gb_shelf_reader *r, size_t need, struct gb_error *err)
{
        const struct gb_shelf *s = r->shelf;

        return r->at < s->in_file ? from_file(r, need, err) : s->records.data + (r->at - s->in_file);
}

int gb_shelf_next(struct gb_shelf_reader *r, const uint8_t **rec, size_t *len, struct gb_error *err)
{
        const uint8_t *p;
        uint32_t head;

        if (r->at == r->shelf->in_file + r->shelf->records.len)
                return 0;
        p = bytes(r, sizeof(head), err);
        if (!p)
                return -1;
        memcpy(&head, p, sizeof(head));
        p = bytes(r, sizeof(head) + head, err);
        if (!p)
                return -1;
        *rec = p + sizeof(head);
        *len = head;
        r->at += sizeof(head) + head;
        return 1;
}
