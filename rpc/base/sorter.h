/*
 * sorter - sort any number of byte records in fixed memory.
 *
 * Records collect in one arena; past `memory` bytes they are sorted and written as a run to an
 * unlinked temporary file in `dir`, and read back by a k-way merge.  Equal records keep the order of
 * insertion (stable).  Nothing is left behind whatever happens.
 */
#ifndef GB_SORTER_H
#define GB_SORTER_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct gb_sorter;

/* Total order of two records; `arg` is the sorter's. */
typedef int (*gb_sorter_cmp)(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen, void *arg);

/* `prefix` (NULL allowed) maps a record to 8 bytes whose unsigned order never contradicts cmp: it
 * speeds the sort up.  `memory` counts as at least 16 KiB and is only taken as it fills.  `dir` is borrowed
 * for the sorter's life.  NULL: out of memory. */
struct gb_sorter *gb_sorter_new(size_t memory, const char *dir, gb_sorter_cmp cmp, void *arg,
                                uint64_t (*prefix)(const uint8_t *rec, size_t len, void *arg),
                                struct gb_error *err);
void gb_sorter_free(struct gb_sorter *s);

/* Copy a record in (len up to 1 MiB). */
int gb_sorter_add(struct gb_sorter *s, const void *rec, size_t len, struct gb_error *err);

/* No more adds; then fetch in order: 1 and *rec (borrowed until the next call), 0 at the end, -1.
 * After a failure of any call but a refused one (out of turn, record too large) all later ones fail. */
int gb_sorter_finish(struct gb_sorter *s, struct gb_error *err);
int gb_sorter_next(struct gb_sorter *s, const uint8_t **rec, size_t *len, struct gb_error *err);

uint64_t gb_sorter_count(const struct gb_sorter *s);
/* Bytes written to disk so far, merge passes included; once finished, 0 means it all fitted. */
uint64_t gb_sorter_spilled(const struct gb_sorter *s);

#endif
