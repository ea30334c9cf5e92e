/*
 * record - ONC RPC record marking (RFC 5531 section 11) with every size checked before it is used.
 *
 * A record is read into one buffer and decoded from there; it is written with one send.  Refused
 * before any body is read: a record above `max`, an empty fragment that is not the last, more than
 * GB_FRAGMENTS_MAX fragments.
 */
#ifndef GB_RECORD_H
#define GB_RECORD_H

#include <stdbool.h>

#include "base/buf.h"
#include "transport.h"

/* Read one record into *rec (reset first).  `first` bounds the wait for its first byte, GB_RECORD_MS
 * the rest.  1: a record; 0: orderly end before a record; -1: error. */
int gb_record_recv(struct gb_transport *t, struct gb_buf *rec, size_t max, gb_deadline first,
                   struct gb_error *err);

/* The same, and the record as a whole has to be there by `whole`. */
int gb_record_recv_by(struct gb_transport *t, struct gb_buf *rec, size_t max, gb_deadline first,
                      gb_deadline whole, struct gb_error *err);

/* Bytes kept free at the front of a buffer that is passed to gb_record_send(): the fragment header. */
#define GB_RECORD_HEADER 4

/* Send `len` body bytes that stand at buf + GB_RECORD_HEADER as a single-fragment record. */
int gb_record_send(struct gb_transport *t, void *buf, size_t len, int stall_ms, struct gb_error *err);

#endif
