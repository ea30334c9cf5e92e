/*
 * feed - see feed.h.
 *
 *   reader thread                     consumer (main thread)
 *   gb_stream_recv ──copy──> slot[FEED_SLOTS] ──borrow──> gb_feed_next
 *
 * The reader goes on only when a slot is free, so it always has somewhere to put what it was given.
 *
 * One mutex and two conditions guard the ring.  `ended` is set once, by the reader, with its verdict.
 * Closing early shuts the socket down, which ends a blocked recv.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "feed.h"
#include "lanes.h"
#include "wire_error.h"

#define FEED_SLOTS 3
/* Seconds. */
#define FEED_PATIENCE 3
/* Bytes for all chunks of all feeds of one command. */
#define FEED_BUDGET (32u * 1024 * 1024)

struct gb_feed {
        struct gb_client *client;
        const char *name;
        struct gb_lane lane;
        pthread_t thread;
        bool thread_runs;
        pthread_mutex_t mutex;
        pthread_cond_t filled, freed;
        struct gb_buf slots[FEED_SLOTS];
        unsigned head, n; /* ring: first full slot, full slots */
        bool borrowed;    /* the consumer holds slots[head] */
        bool ended, stop;
        int verdict; /* 0 eof, -1 error */
        struct gb_error error;
        char cursor[GB_CURSOR_MAX + 1];
        int64_t from, to, before;
        uint64_t entries; /* that the agent says it sent, at eof */
};

unsigned gb_feed_chunk(unsigned n)
{
        unsigned chunk = FEED_BUDGET / ((FEED_SLOTS + GB_WINDOW) * (n ? n : 1));

        if (chunk > GB_CHUNK_DEFAULT)
                return GB_CHUNK_DEFAULT;
        return chunk < GB_CHUNK_MIN ? GB_CHUNK_MIN : chunk;
}

static int take_end(struct gb_feed *f, const gbx_chunk *chunk)
{
        unsigned len = chunk->cursor.gbx_cursor_len;

        if (len > GB_CURSOR_MAX || memchr(chunk->cursor.gbx_cursor_val, 0, len))
                return gb_error_set(&f->error, GB_ERR_PROTOCOL, "%s: unusable cursor", f->name);
        memcpy(f->cursor, chunk->cursor.gbx_cursor_val, len);
        f->from = chunk->window_from;
        f->to = chunk->window_to;
        f->before = chunk->before_from;
        f->entries = chunk->entries;
        return 0;
}

/* Wait for a free slot.  After FEED_PATIENCE seconds what the agent has under way is taken in as well, so
 * that it is not left writing to somebody who does not read.  -1: told to stop. */
static int wait_for_room(struct gb_feed *f)
{
        bool parked = false;
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += FEED_PATIENCE;
        while (f->n == FEED_SLOTS && !f->stop) {
                if (parked) {
                        pthread_cond_wait(&f->freed, &f->mutex);
                } else if (pthread_cond_timedwait(&f->freed, &f->mutex, &until) == ETIMEDOUT) {
                        parked = true;
                        pthread_mutex_unlock(&f->mutex);
                        if (gb_stream_park(f->client, &f->error) < 0) {
                                pthread_mutex_lock(&f->mutex);
                                return -1;
                        }
                        pthread_mutex_lock(&f->mutex);
                }
        }
        return f->stop ? -1 : 0;
}

/* Copy a chunk into the slot that is free, then see to it that another one is. */
static int hand_over(struct gb_feed *f, const gbx_chunk *chunk)
{
        struct gb_buf *slot;
        int rc;

        pthread_mutex_lock(&f->mutex);
        slot = &f->slots[(f->head + f->n) % FEED_SLOTS];
        gb_buf_reset(slot);
        rc = gb_buf_put(slot, chunk->data.data_val, chunk->data.data_len);
        if (rc < 0) {
                gb_error_set(&f->error, GB_ERR_MEMORY, "out of memory");
        } else {
                f->n++;
                pthread_cond_signal(&f->filled);
                if (!chunk->eof)
                        rc = wait_for_room(f);
        }
        pthread_mutex_unlock(&f->mutex);
        return rc;
}

static void count(void *arg, const gbx_chunk *chunk)
{
        struct gb_feed *f = arg;

        f->lane.passed = chunk->progress;
}

static int read_all(struct gb_feed *f, unsigned chunk_bytes)
{
        gbx_chunk chunk = {0};
        int rc = gb_stream_start(f->client, chunk_bytes, &f->error);

        while (rc == 0 && (rc = gb_stream_recv(f->client, &chunk, count, f, &f->error)) == 1) {
                rc = 0;
                count(f, &chunk);
                if (chunk.eof && take_end(f, &chunk) < 0)
                        return -1;
                if (chunk.data.data_len && hand_over(f, &chunk) < 0)
                        return -1;
                if (chunk.eof)
                        return 0;
        }
        return rc;
}

struct start {
        struct gb_feed *feed;
        unsigned chunk;
};

static void *reader(void *arg)
{
        struct start *s = arg;
        struct gb_feed *f = s->feed;
        int rc = read_all(f, s->chunk);

        f->lane.ended = true;
        free(s);
        pthread_mutex_lock(&f->mutex);
        f->verdict = rc;
        f->ended = true;
        pthread_cond_signal(&f->filled);
        pthread_mutex_unlock(&f->mutex);
        return NULL;
}

static int start_thread(struct gb_feed *f, unsigned chunk, struct gb_error *err)
{
        struct start *s = malloc(sizeof(*s));
        pthread_attr_t attr;
        int rc;

        if (!s)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        *s = (struct start){f, chunk};
        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, 256 * 1024);
        rc = pthread_create(&f->thread, &attr, reader, s);
        if (rc == EINVAL) /* the program that we are a library of has more thread-local data than that */
                rc = pthread_create(&f->thread, NULL, reader, s);
        pthread_attr_destroy(&attr);
        if (rc != 0) {
                free(s);
                return gb_error_set(err, GB_ERR_SYSTEM, "%s: cannot start a thread: %s", f->name,
                                    strerror(rc));
        }
        f->thread_runs = true;
        return 0;
}

struct gb_feed *gb_feed_open(struct gb_client *client, const char *volume, const char *brick,
                             const char *name, const gbx_query *query, unsigned chunk, struct gb_error *err)
{
        struct gb_feed *f = calloc(1, sizeof(*f));
        pthread_condattr_t monotonic;

        if (!f) {
                gb_client_free(client);
                gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                return NULL;
        }
        f->client = client;
        f->name = name;
        gb_lane_add(&f->lane, name);
        pthread_mutex_init(&f->mutex, NULL);
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&f->filled, &monotonic);
        pthread_cond_init(&f->freed, &monotonic);
        pthread_condattr_destroy(&monotonic);
        for (unsigned i = 0; i < FEED_SLOTS; i++)
                gb_buf_init(&f->slots[i], GB_CHUNK_MAX);
        if (gb_call_open(client, volume, brick, query, err) < 0 || start_thread(f, chunk, err) < 0) {
                gb_feed_close(f);
                return NULL;
        }
        return f;
}

void gb_feed_close(struct gb_feed *f)
{
        if (!f)
                return;
        if (f->thread_runs) {
                pthread_mutex_lock(&f->mutex);
                f->stop = true;
                pthread_cond_signal(&f->freed);
                if (!f->ended)
                        gb_client_abort(f->client);
                pthread_mutex_unlock(&f->mutex);
                pthread_join(f->thread, NULL);
        }
        gb_lane_remove(&f->lane);
        gb_client_free(f->client);
        for (unsigned i = 0; i < FEED_SLOTS; i++)
                gb_buf_fini(&f->slots[i]);
        pthread_mutex_destroy(&f->mutex);
        pthread_cond_destroy(&f->filled);
        pthread_cond_destroy(&f->freed);
        free(f);
}

int gb_feed_next(struct gb_feed *f, const void **data, size_t *len, struct gb_error *err)
{
        int rc = 1;

        pthread_mutex_lock(&f->mutex);
        if (f->borrowed) {
                f->borrowed = false;
                f->head = (f->head + 1) % FEED_SLOTS;
                f->n--;
                pthread_cond_signal(&f->freed);
        }
        f->lane.awaited = !f->n && !f->ended;
        while (!f->n && !f->ended)
                pthread_cond_wait(&f->filled, &f->mutex);
        f->lane.awaited = false;
        if (f->n) {
                *data = f->slots[f->head].data;
                *len = f->slots[f->head].len;
                f->borrowed = true;
        } else {
                rc = f->verdict;
                if (rc < 0 && err)
                        *err = f->error;
        }
        pthread_mutex_unlock(&f->mutex);
        return rc;
}

int gb_feed_check(const struct gb_feed *f, uint64_t arrived, struct gb_error *err)
{
        if (arrived == f->entries)
                return 0;
        return gb_error_set(err, GB_ERR_PROTOCOL, "%s: %llu entries arrived, the agent has counted %llu",
                            f->name, (unsigned long long)arrived, (unsigned long long)f->entries);
}

const char *gb_feed_cursor(const struct gb_feed *f)
{
        return f->cursor;
}

void gb_feed_window(const struct gb_feed *f, int64_t *from, int64_t *to)
{
        *from = f->from;
        *to = f->to;
}

int64_t gb_feed_before(const struct gb_feed *f)
{
        return f->before;
}
