/*
 * record - see record.h.  RFC 5531 section 11: a fragment is a 32-bit word, its top bit set on the
 * last fragment of a record, the rest its length; then that many bytes.
 */
#include <config.h>

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "record.h"

#define GB_LAST_FRAGMENT 0x80000000u

static gb_deadline earlier(gb_deadline a, gb_deadline b)
{
        return a < b ? a : b;
}

/* The header of the first fragment: its first byte may take until `first`; *rest is when all must be
 * there.  1, 0 at an orderly end, -1. */
static int recv_first_header(struct gb_transport *t, uint8_t header[4], gb_deadline first, gb_deadline whole,
                             gb_deadline *rest, struct gb_error *err)
{
        ssize_t got = t->ops->recv(t, header, 4, earlier(first, whole), err);

        if (got <= 0)
                return (int)got;
        *rest = earlier(gb_deadline_in(GB_RECORD_MS), whole);
        if (got < 4 && gb_transport_recv_all(t, header + got, 4 - (size_t)got, *rest, NULL, err) < 0)
                return -1;
        return 1;
}

/* Take in the body that `word` announces. */
static int recv_fragment(struct gb_transport *t, struct gb_buf *rec, size_t max, uint32_t word,
                         gb_deadline until, struct gb_error *err)
{
        size_t len = word & ~GB_LAST_FRAGMENT;

        if (len > max || rec->len > max - len)
                return gb_error_set(err, GB_ERR_PROTOCOL,
                                    "%s announces a message of at least %zu bytes, the limit is %zu", t->peer,
                                    rec->len + len, max);
        if (len == 0 && !(word & GB_LAST_FRAGMENT))
                return gb_error_set(err, GB_ERR_PROTOCOL, "%s sends empty fragments", t->peer);
        if (gb_buf_reserve(rec, len) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory for a message of %zu bytes from %s",
                                    rec->len + len, t->peer);
        if (len && gb_transport_recv_all(t, rec->data + rec->len, len, until, NULL, err) < 0)
                return -1;
        rec->len += len;
        return 0;
}

int gb_record_recv_by(struct gb_transport *t, struct gb_buf *rec, size_t max, gb_deadline first,
                      gb_deadline whole, struct gb_error *err)
{
        uint8_t header[4];
        gb_deadline until = GB_NEVER;
        uint32_t word;
        int rc;

        gb_buf_reset(rec);
        /* A peer that always has another one under way would never be waited for. */
        if (gb_deadline_left(whole) == 0)
                return gb_error_set(err, GB_ERR_TIMEOUT, "timed out waiting for %s", t->peer);
        rc = recv_first_header(t, header, first, whole, &until, err);
        if (rc <= 0)
                return rc;
        for (unsigned n = 1;; n++) {
                memcpy(&word, header, sizeof(word));
                word = ntohl(word);
                if (recv_fragment(t, rec, max, word, until, err) < 0)
                        return -1;
                if (word & GB_LAST_FRAGMENT)
                        return 1;
                if (n == GB_FRAGMENTS_MAX)
                        return gb_error_set(err, GB_ERR_PROTOCOL,
                                            "%s sends a message in more than %d fragments", t->peer,
                                            GB_FRAGMENTS_MAX);
                if (gb_transport_recv_all(t, header, sizeof(header), until, NULL, err) < 0)
                        return -1;
        }
}

int gb_record_recv(struct gb_transport *t, struct gb_buf *rec, size_t max, gb_deadline first,
                   struct gb_error *err)
{
        return gb_record_recv_by(t, rec, max, first, GB_NEVER, err);
}

int gb_record_send(struct gb_transport *t, void *buf, size_t len, int stall_ms, struct gb_error *err)
{
        uint32_t word;

        if (len >= GB_LAST_FRAGMENT)
                return gb_error_set(err, GB_ERR_LIMIT, "a message of %zu bytes does not fit a record", len);
        word = htonl(GB_LAST_FRAGMENT | (uint32_t)len);
        memcpy(buf, &word, sizeof(word));
        return t->ops->send(t, buf, GB_RECORD_HEADER + len, stall_ms, err);
}
