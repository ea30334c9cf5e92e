/*
 * slicefile - the records of one slice file, read in bounded pieces.
 *
 * The buffer holds the bytes from the record that stands next to `fetched`.  When the parser has used
 * them up, or they stop inside a record, what is left moves to the front and the next piece follows it.
 * Bytes enter the hash when their records have been parsed, so the hash always ends at a record.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "slicefile.h"

int gb_slicefile_init(struct gb_slicefile *f, struct gb_error *err)
{
        *f = (struct gb_slicefile){.fd = -1};
        f->buf = malloc(GB_SLICEFILE_PIECE);
        f->hash = XXH64_createState();
        if (f->buf && f->hash)
                return 0;
        gb_slicefile_fini(f);
        return gb_error_set(err, GB_ERR_MEMORY, "no memory to read changelogs");
}

void gb_slicefile_close(struct gb_slicefile *f)
{
        if (f->fd >= 0)
                close(f->fd);
        f->fd = -1;
}

void gb_slicefile_fini(struct gb_slicefile *f)
{
        gb_slicefile_close(f);
        free(f->buf);
        XXH64_freeState(f->hash);
        f->buf = NULL;
        f->hash = NULL;
}

int gb_slicefile_open(struct gb_slicefile *f, int fd, const char *what, struct gb_error *err)
{
        struct stat st;

        gb_slicefile_close(f);
        f->fd = fd;
        strncpy(f->what, what, sizeof(f->what) - 1);
        if (fstat(fd, &st) < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "cannot stat %s", f->what);
        if (!S_ISREG(st.st_mode))
                return gb_error_set(err, GB_ERR_GAP, "%s is not a regular file", f->what);
        if (st.st_size > GB_SLICE_MAX)
                return gb_error_set(err, GB_ERR_LIMIT, "%s has %lld bytes, more than %lld", f->what,
                                    (long long)st.st_size, (long long)GB_SLICE_MAX);
        f->size = (uint64_t)st.st_size;
        f->fetched = f->hashed = 0;
        f->begun = false;
        f->parser = (struct gb_changelog){0};
        XXH64_reset(f->hash, 0);
        return 0;
}

/* Exactly n bytes at `offset`; the file had them when it was opened. */
static int read_exactly(struct gb_slicefile *f, uint8_t *to, size_t n, uint64_t offset, struct gb_error *err)
{
        for (size_t got = 0; got < n;) {
                ssize_t rc = pread(f->fd, to + got, n - got, (off_t)(offset + got));

                if (rc < 0 && errno == EINTR)
                        continue;
                if (rc < 0)
                        return gb_error_sys(err, GB_ERR_SYSTEM, "cannot read %s", f->what);
                if (rc == 0)
                        return gb_error_set(err, GB_ERR_GAP, "%s was truncated while it was read", f->what);
                got += (size_t)rc;
        }
        return 0;
}

int gb_slicefile_prefix(struct gb_slicefile *f, uint64_t len, uint64_t *hash, struct gb_error *err)
{
        XXH64_reset(f->hash, 0);
        for (uint64_t at = 0; at < len;) {
                size_t n = len - at < GB_SLICEFILE_PIECE ? (size_t)(len - at) : GB_SLICEFILE_PIECE;

                if (read_exactly(f, f->buf, n, at, err) < 0)
                        return -1;
                XXH64_update(f->hash, f->buf, n);
                at += n;
        }
        *hash = XXH64_digest(f->hash);
        XXH64_reset(f->hash, 0);
        return 0;
}

static void hash_parsed(struct gb_slicefile *f)
{
        uint64_t offset = gb_slicefile_offset(f);
        size_t n = (size_t)(offset - f->hashed);

        if (n)
                XXH64_update(f->hash, f->parser.p - n, n);
        f->hashed = offset;
}

static int begin(struct gb_slicefile *f, struct gb_error *err)
{
        size_t n = f->size < GB_SLICEFILE_PIECE ? (size_t)f->size : GB_SLICEFILE_PIECE;

        if (read_exactly(f, f->buf, n, 0, err) < 0)
                return -1;
        f->fetched = n;
        f->begun = true;
        return gb_changelog_begin(&f->parser, f->buf, n, f->what, err);
}

/* Put more bytes behind those that the parser could not use. */
static int refill(struct gb_slicefile *f, struct gb_error *err)
{
        uint64_t offset = gb_slicefile_offset(f);
        size_t carry = (size_t)(f->fetched - offset);
        size_t room = GB_SLICEFILE_PIECE - carry;
        size_t n = f->size - f->fetched < room ? (size_t)(f->size - f->fetched) : room;

        hash_parsed(f);
        memmove(f->buf, f->parser.p, carry);
        if (read_exactly(f, f->buf + carry, n, f->fetched, err) < 0)
                return -1;
        f->fetched += n;
        gb_changelog_feed(&f->parser, f->buf, carry + n, (size_t)offset);
        return 0;
}

int gb_slicefile_next(struct gb_slicefile *f, struct gb_record *r, struct gb_error *err)
{
        if (!f->begun && begin(f, err) < 0)
                return -1;
        for (;;) {
                switch (gb_changelog_next(&f->parser, r)) {
                case GB_PARSE_RECORD:
                        return 1;
                case GB_PARSE_CORRUPT:
                        return gb_error_set(err, GB_ERR_GAP, "%s is corrupt at offset %llu", f->what,
                                            (unsigned long long)gb_slicefile_offset(f));
                case GB_PARSE_END:
                        if (f->fetched == f->size)
                                return 0;
                        break;
                case GB_PARSE_TORN:
                        if (f->fetched == f->size)
                                return 2;
                        break;
                }
                if (refill(f, err) < 0)
                        return -1;
        }
}

uint64_t gb_slicefile_offset(const struct gb_slicefile *f)
{
        return gb_changelog_offset(&f->parser);
}

uint64_t gb_slicefile_hash(struct gb_slicefile *f)
{
        hash_parsed(f);
        return XXH64_digest(f->hash);
}
