/*
 * sorter - see sorter.h.
 *
 * One region of `memory` bytes, of which only touched pages exist, holds records from the bottom up
 * and their index (prefix and offset) from the top down.  When they would meet, the index is merge
 * sorted (stable, few comparisons, almost nothing to do for input already in order; its scratch was
 * kept free in the middle) and the records leave as a run.
 *
 * At the end the region is given back and a heap merges the runs, each through a read buffer of its
 * share of `memory`.  Runs stand in order of insertion and the earlier one wins a tie, which keeps the
 * merge stable.  More than FAN_IN runs are first merged in groups of neighbours, into a new file, so
 * that read buffers never get small.
 */
#include <config.h>

#include "sorter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scratch.h"
#include "vec.h"

#define RECORD_MAX  ((size_t)1024 * 1024)
#define MEMORY_MIN  ((size_t)16 * 1024)
#define WRITE_BYTES ((size_t)128 * 1024)
#define READ_LEAST  ((size_t)4096)
#define FAN_IN      256
#define SMALL       12 /* sorted by insertion */

struct entry {
        uint64_t prefix;
        uint64_t offset; /* in region, of a 4-byte length and the record */
};

/* Per record: its entry, and half an entry of scratch for the merge sort. */
#define ENTRY_CHARGE (sizeof(struct entry) + sizeof(struct entry) / 2)

struct run {
        uint64_t at; /* bytes of the spill file */
        uint64_t end;
};
typedef GB_VEC(struct run) run_vec;

/* An unlinked file and what waits to be written to it. */
struct spill {
        int fd; /* -1: none yet */
        uint64_t size;
        size_t waiting;
        uint8_t *buf;
        run_vec runs;
};

/* One run being read. */
struct source {
        uint64_t at; /* what to read next */
        uint64_t end;
        uint8_t *buf;
        size_t cap;
        size_t pos; /* unread bytes: buf[pos..len) */
        size_t len;
        const uint8_t *rec;
        size_t rec_len;
        uint64_t prefix;
};

struct merge {
        int fd; /* borrowed */
        struct source *sources;
        unsigned n_sources;
        unsigned *heap; /* indices of unfinished sources, the least on top */
        unsigned n;
        bool top_used; /* the top's record was returned: advance it first */
};

/* After a failure nothing can be had from a sorter: its file may end in the middle of a record. */
enum state { ADDING, READING, FAILED };

struct gb_sorter {
        gb_sorter_cmp cmp;
        void *arg;
        uint64_t (*prefix)(const uint8_t *rec, size_t len, void *arg);
        const char *dir;
        size_t memory;
        uint8_t *region; /* NULL once merging */
        size_t used;     /* bytes of records */
        size_t n;        /* entries */
        size_t next;     /* entry to return, when all fitted */
        uint64_t count;
        uint64_t spilled;
        enum state state;
        struct spill spill;
        struct merge merge;
};

/* ---- in memory ---- */

struct gb_sorter *gb_sorter_new(size_t memory, const char *dir, gb_sorter_cmp cmp, void *arg,
                                uint64_t (*prefix)(const uint8_t *rec, size_t len, void *arg),
                                struct gb_error *err)
{
        struct gb_sorter *s = calloc(1, sizeof(*s));
        void *region;

        if (!s)
                goto fail;
        s->cmp = cmp;
        s->arg = arg;
        s->prefix = prefix;
        s->dir = dir;
        s->spill.fd = -1;
        s->memory = (memory < MEMORY_MIN ? MEMORY_MIN : memory) / sizeof(struct entry) * sizeof(struct entry);
        region = mmap(NULL, s->memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                      -1, 0);
        if (region == MAP_FAILED)
                goto fail;
        s->region = region;
        return s;
fail:
        free(s);
        gb_error_set(err, GB_ERR_MEMORY, "no memory for a sorter of %zu bytes", memory);
        return NULL;
}

/* Entry i, in order of insertion. */
static struct entry *entry_at(const struct gb_sorter *s, size_t i)
{
        return (struct entry *)(void *)(s->region + s->memory) - 1 - i;
}

static const uint8_t *record_at(const struct gb_sorter *s, const struct entry *e, size_t *len)
{
        uint32_t n;

        memcpy(&n, s->region + e->offset, sizeof(n));
        *len = n;
        return s->region + e->offset + sizeof(n);
}

static inline int compare(const struct gb_sorter *s, const struct entry *a, const struct entry *b)
{
        const uint8_t *arec, *brec;
        size_t alen, blen;

        if (a->prefix != b->prefix)
                return a->prefix < b->prefix ? -1 : 1;
        arec = record_at(s, a, &alen);
        brec = record_at(s, b, &blen);
        return s->cmp(arec, alen, brec, blen, s->arg);
}

static void sort_small(const struct gb_sorter *s, struct entry *e, size_t n)
{
        for (size_t i = 1; i < n; i++) {
                struct entry moving = e[i];
                size_t j = i;

                for (; j > 0 && compare(s, &moving, &e[j - 1]) < 0; j--)
                        e[j] = e[j - 1];
                e[j] = moving;
        }
}

/* `scratch` holds n / 2 entries. */
static void sort_entries(const struct gb_sorter *s, struct entry *e, size_t n, struct entry *scratch)
{
        size_t half = n / 2;
        size_t left = 0, right = half, to = 0;

        if (n <= SMALL) {
                sort_small(s, e, n);
                return;
        }
        sort_entries(s, e, half, scratch);
        sort_entries(s, e + half, n - half, scratch);
        if (compare(s, &e[half - 1], &e[half]) <= 0)
                return;
        memcpy(scratch, e, half * sizeof(*e));
        while (left < half && right < n)
                e[to++] = compare(s, &e[right], &scratch[left]) < 0 ? e[right++] : scratch[left++];
        memcpy(e + to, scratch + left, (half - left) * sizeof(*e));
}

static size_t round_up(size_t n)
{
        return (n + sizeof(struct entry) - 1) / sizeof(struct entry) * sizeof(struct entry);
}

/* Sort what is in the region; returns the first of s->n entries. */
static struct entry *sort_region(struct gb_sorter *s)
{
        struct entry *first = entry_at(s, 0) + 1 - s->n;

        for (size_t i = 0; i < s->n / 2; i++) {
                struct entry swap = first[i];

                first[i] = first[s->n - 1 - i];
                first[s->n - 1 - i] = swap;
        }
        sort_entries(s, first, s->n, (struct entry *)(void *)(s->region + round_up(s->used)));
        return first;
}

/* ---- writing runs ---- */

static void spill_close(struct spill *sp)
{
        if (sp->fd >= 0)
                close(sp->fd);
        free(sp->buf);
        gb_vec_free(&sp->runs);
        *sp = (struct spill){.fd = -1};
}

static int spill_open(struct spill *sp, const char *dir, struct gb_error *err)
{
        if (!sp->buf)
                sp->buf = malloc(WRITE_BYTES);
        if (!sp->buf)
                return gb_error_set(err, GB_ERR_MEMORY, "no memory for a write buffer");
        if (sp->fd < 0)
                sp->fd = gb_scratch_open(dir, err);
        return sp->fd < 0 ? -1 : 0;
}

static int write_all(struct gb_sorter *s, int fd, const uint8_t *p, size_t n, struct gb_error *err)
{
        while (n) {
                ssize_t done = write(fd, p, n);

                if (done < 0 && errno == EINTR)
                        continue;
                if (done < 0)
                        return gb_error_sys(err, GB_ERR_SYSTEM, "%s: write a temporary file", s->dir);
                p += done;
                n -= (size_t)done;
                s->spilled += (size_t)done;
        }
        return 0;
}

static int spill_flush(struct gb_sorter *s, struct spill *sp, struct gb_error *err)
{
        size_t n = sp->waiting;

        sp->waiting = 0;
        return write_all(s, sp->fd, sp->buf, n, err);
}

static int spill_bytes(struct gb_sorter *s, struct spill *sp, const void *bytes, size_t n,
                       struct gb_error *err)
{
        if (n > WRITE_BYTES - sp->waiting && spill_flush(s, sp, err) < 0)
                return -1;
        sp->size += n;
        if (n > WRITE_BYTES)
                return write_all(s, sp->fd, bytes, n, err);
        memcpy(sp->buf + sp->waiting, bytes, n);
        sp->waiting += n;
        return 0;
}

static int spill_record(struct gb_sorter *s, struct spill *sp, const uint8_t *rec, size_t len,
                        struct gb_error *err)
{
        uint32_t head = (uint32_t)len;

        if (spill_bytes(s, sp, &head, sizeof(head), err) < 0)
                return -1;
        return len ? spill_bytes(s, sp, rec, len, err) : 0;
}

/* What was written since `at` is a run. */
static int spill_end_run(struct spill *sp, uint64_t at, struct gb_error *err)
{
        struct run run = {.at = at, .end = sp->size};

        if (gb_vec_push(&sp->runs, run) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "no memory for the list of runs");
        return 0;
}

static int spill_region(struct gb_sorter *s, struct gb_error *err)
{
        uint64_t at = s->spill.size;
        struct entry *e;

        if (!s->n)
                return 0;
        if (spill_open(&s->spill, s->dir, err) < 0)
                return -1;
        e = sort_region(s);
        for (size_t i = 0; i < s->n; i++) {
                size_t len;
                const uint8_t *rec = record_at(s, &e[i], &len);

                if (spill_record(s, &s->spill, rec, len, err) < 0)
                        return -1;
        }
        s->n = s->used = 0;
        return spill_end_run(&s->spill, at, err);
}

/* A record larger than the whole region is a run of its own. */
static int spill_single(struct gb_sorter *s, const void *rec, size_t len, struct gb_error *err)
{
        uint64_t at = s->spill.size;

        if (spill_open(&s->spill, s->dir, err) < 0 || spill_record(s, &s->spill, rec, len, err) < 0)
                return -1;
        return spill_end_run(&s->spill, at, err);
}

static bool fits(const struct gb_sorter *s, size_t len)
{
        size_t records = round_up(s->used + sizeof(uint32_t) + len);

        return records <= s->memory && (s->n + 1) * ENTRY_CHARGE <= s->memory - records;
}

static int add(struct gb_sorter *s, const void *rec, size_t len, struct gb_error *err)
{
        uint32_t head = (uint32_t)len;
        struct entry *e;

        if (!fits(s, len) && spill_region(s, err) < 0)
                return -1;
        s->count++;
        if (!fits(s, len))
                return spill_single(s, rec, len, err);
        e = entry_at(s, s->n++);
        e->offset = s->used;
        e->prefix = s->prefix ? s->prefix(rec, len, s->arg) : 0;
        memcpy(s->region + s->used, &head, sizeof(head));
        if (len)
                memcpy(s->region + s->used + sizeof(head), rec, len);
        s->used += sizeof(head) + len;
        return 0;
}

int gb_sorter_add(struct gb_sorter *s, const void *rec, size_t len, struct gb_error *err)
{
        if (s->state != ADDING)
                return gb_error_set(err, GB_ERR_USAGE, "record added to a sorter that is finished");
        if (len > RECORD_MAX)
                return gb_error_set(err, GB_ERR_LIMIT, "record of %zu bytes is too large to sort", len);
        if (add(s, rec, len, err) == 0)
                return 0;
        s->state = FAILED;
        return -1;
}

/* ---- merging runs ---- */

static void merge_close(struct merge *m)
{
        for (unsigned i = 0; i < m->n_sources; i++)
                free(m->sources[i].buf);
        free(m->sources);
        free(m->heap);
        *m = (struct merge){.fd = -1};
}

/* At least `need` unread bytes in the buffer. */
static int source_fill(struct source *src, int fd, size_t need, struct gb_error *err)
{
        size_t unread = src->len - src->pos;

        if (unread >= need)
                return 0;
        if (need > src->cap) {
                uint8_t *bigger = realloc(src->buf, need);

                if (!bigger)
                        return gb_error_set(err, GB_ERR_MEMORY, "no memory to merge");
                src->buf = bigger;
                src->cap = need;
        }
        memmove(src->buf, src->buf + src->pos, unread);
        src->pos = 0;
        src->len = unread;
        while (src->len < need) {
                size_t want = src->cap - src->len;
                ssize_t got;

                if (want > src->end - src->at)
                        want = (size_t)(src->end - src->at);
                got = pread(fd, src->buf + src->len, want, (off_t)src->at);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return gb_error_sys(err, GB_ERR_SYSTEM, "read a temporary file");
                if (got == 0)
                        return gb_error_set(err, GB_ERR_CORRUPT, "temporary file is cut off");
                src->len += (size_t)got;
                src->at += (size_t)got;
        }
        return 0;
}

/* 1 with rec, rec_len and prefix set, 0 at the end of the run, -1. */
static int source_next(const struct gb_sorter *s, struct source *src, int fd, struct gb_error *err)
{
        uint32_t head;

        if (src->pos == src->len && src->at == src->end)
                return 0;
        if (source_fill(src, fd, sizeof(head), err) < 0)
                return -1;
        memcpy(&head, src->buf + src->pos, sizeof(head));
        if (head > RECORD_MAX)
                return gb_error_set(err, GB_ERR_CORRUPT, "temporary file is damaged");
        if (source_fill(src, fd, sizeof(head) + head, err) < 0)
                return -1;
        src->rec = src->buf + src->pos + sizeof(head);
        src->rec_len = head;
        src->prefix = s->prefix ? s->prefix(src->rec, src->rec_len, s->arg) : 0;
        src->pos += sizeof(head) + head;
        return 1;
}

static bool source_before(const struct gb_sorter *s, const struct merge *m, unsigned a, unsigned b)
{
        const struct source *x = &m->sources[a];
        const struct source *y = &m->sources[b];
        int c;

        if (x->prefix != y->prefix)
                return x->prefix < y->prefix;
        c = s->cmp(x->rec, x->rec_len, y->rec, y->rec_len, s->arg);
        return c ? c < 0 : a < b;
}

static void sift_down(const struct gb_sorter *s, struct merge *m, unsigned i)
{
        unsigned moving = m->heap[i];

        for (unsigned child; (child = 2 * i + 1) < m->n; i = child) {
                if (child + 1 < m->n && source_before(s, m, m->heap[child + 1], m->heap[child]))
                        child++;
                if (!source_before(s, m, m->heap[child], moving))
                        break;
                m->heap[i] = m->heap[child];
        }
        m->heap[i] = moving;
}

static int merge_open(const struct gb_sorter *s, struct merge *m, int fd, const struct run *runs, size_t n,
                      struct gb_error *err)
{
        size_t share = s->memory / n < READ_LEAST ? READ_LEAST : s->memory / n;

        *m = (struct merge){.fd = fd};
        m->sources = calloc(n, sizeof(*m->sources));
        m->heap = calloc(n, sizeof(*m->heap));
        if (!m->sources || !m->heap)
                return gb_error_set(err, GB_ERR_MEMORY, "no memory to merge");
        for (size_t i = 0; i < n; i++) {
                struct source *src = &m->sources[m->n_sources++];
                uint64_t size = runs[i].end - runs[i].at;

                src->at = runs[i].at;
                src->end = runs[i].end;
                src->cap = size < share ? (size_t)size : share;
                src->buf = malloc(src->cap);
                if (!src->buf)
                        return gb_error_set(err, GB_ERR_MEMORY, "no memory to merge");
                /* No run is empty. */
                if (source_next(s, src, fd, err) < 0)
                        return -1;
                m->heap[m->n++] = (unsigned)i;
        }
        for (unsigned i = m->n / 2; i-- > 0;)
                sift_down(s, m, i);
        return 0;
}

static int merge_next(const struct gb_sorter *s, struct merge *m, const uint8_t **rec, size_t *len,
                      struct gb_error *err)
{
        if (m->top_used) {
                int got = source_next(s, &m->sources[m->heap[0]], m->fd, err);

                if (got < 0)
                        return -1;
                if (got == 0)
                        m->heap[0] = m->heap[--m->n];
                if (m->n)
                        sift_down(s, m, 0);
                m->top_used = false;
        }
        if (!m->n)
                return 0;
        *rec = m->sources[m->heap[0]].rec;
        *len = m->sources[m->heap[0]].rec_len;
        m->top_used = true;
        return 1;
}

/* Merge n runs of the spill file into one run of `to`. */
static int merge_group(struct gb_sorter *s, const struct run *runs, size_t n, struct spill *to,
                       struct gb_error *err)
{
        struct merge m;
        uint64_t at = to->size;
        const uint8_t *rec;
        size_t len;
        int got = merge_open(s, &m, s->spill.fd, runs, n, err);

        while (got == 0 && (got = merge_next(s, &m, &rec, &len, err)) == 1)
                got = spill_record(s, to, rec, len, err);
        merge_close(&m);
        return got < 0 ? -1 : spill_end_run(to, at, err);
}

/* One pass over all runs, into a new file. */
static int merge_pass(struct gb_sorter *s, struct gb_error *err)
{
        struct spill to = {.fd = -1};
        int got = spill_open(&to, s->dir, err);

        for (size_t i = 0; got == 0 && i < s->spill.runs.n; i += FAN_IN) {
                size_t left = s->spill.runs.n - i;

                got = merge_group(s, s->spill.runs.v + i, left < FAN_IN ? left : FAN_IN, &to, err);
        }
        if (got == 0)
                got = spill_flush(s, &to, err);
        if (got < 0) {
                spill_close(&to);
                return -1;
        }
        spill_close(&s->spill);
        s->spill = to;
        return 0;
}

static int finish(struct gb_sorter *s, struct gb_error *err)
{
        if (s->spill.fd < 0) {
                sort_region(s);
                return 0;
        }
        if (spill_region(s, err) < 0 || spill_flush(s, &s->spill, err) < 0)
                return -1;
        munmap(s->region, s->memory);
        s->region = NULL;
        while (s->spill.runs.n > FAN_IN) {
                if (merge_pass(s, err) < 0)
                        return -1;
        }
        return merge_open(s, &s->merge, s->spill.fd, s->spill.runs.v, s->spill.runs.n, err);
}

int gb_sorter_finish(struct gb_sorter *s, struct gb_error *err)
{
        if (s->state != ADDING)
                return gb_error_set(err, GB_ERR_USAGE, "sorter finished twice, or after a failure");
        s->state = finish(s, err) < 0 ? FAILED : READING;
        return s->state == READING ? 0 : -1;
}

int gb_sorter_next(struct gb_sorter *s, const uint8_t **rec, size_t *len, struct gb_error *err)
{
        if (s->state != READING)
                return gb_error_set(err, GB_ERR_USAGE,
                                    "sorter read before it was finished, or after a failure");
        if (!s->region) {
                int got = merge_next(s, &s->merge, rec, len, err);

                if (got < 0)
                        s->state = FAILED;
                return got;
        }
        if (s->next == s->n)
                return 0;
        *rec = record_at(s, entry_at(s, s->n - 1 - s->next++), len);
        return 1;
}

void gb_sorter_free(struct gb_sorter *s)
{
        if (!s)
                return;
        merge_close(&s->merge);
        spill_close(&s->spill);
        if (s->region)
                munmap(s->region, s->memory);
        free(s);
}

uint64_t gb_sorter_count(const struct gb_sorter *s)
{
        return s->count;
}

uint64_t gb_sorter_spilled(const struct gb_sorter *s)
{
        return s->spilled;
}
