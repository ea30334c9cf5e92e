/*
 * output - see output.h.
 *
 * With a thread there are two buffers: one is filled while the other is hashed and written.  The thread is
 * started when the first one is full, so a short list needs none.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "output.h"

#define OUTPUT_BUFFER (256 * 1024)
/* Of each of two.  From here on the page cache takes what it is given in large pieces. */
#define AHEAD_BUFFER (1024 * 1024)
#define DIGEST_BYTES 32

/* Who writes a buffer that is full.  `busy` until that is done. */
struct ahead {
        pthread_t thread;
        bool runs, busy, stop;
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        uint8_t *buffer; /* the one that is not filled just now */
        size_t len;      /* of what it holds */
        int rc;
        struct gb_error error;
};

struct gb_output {
        char *path, *dir;
        char *temporary; /* NULL: the file has no name, or it is stdout */
        int fd;
        bool to_stdout;
        size_t used;
        uint64_t bytes;
        EVP_MD_CTX *hash; /* NULL: not wanted, or done */
        char digest[2 * DIGEST_BYTES + 1];
        uint8_t *buffer;
        size_t size;
        struct ahead *ahead; /* NULL: whoever fills the buffer writes it */
};

/* Temporary files that have a name just now: what gb_output_abandon() removes, in a signal handler.  Handles
 * of the library have theirs in several threads. */
static const char *_Atomic named[GB_OUTPUTS_MAX];

static bool replace(unsigned i, const char *old, const char *name)
{
        return atomic_compare_exchange_strong(&named[i], &old, name);
}

static void remember(const char *name)
{
        for (unsigned i = 0; i < sizeof(named) / sizeof(named[0]); i++)
                if (replace(i, NULL, name))
                        return;
}

static void forget(const char *name)
{
        for (unsigned i = 0; i < sizeof(named) / sizeof(named[0]); i++)
                if (replace(i, name, NULL))
                        return;
}

void gb_output_abandon(void)
{
        for (unsigned i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
                const char *name = named[i];

                if (name)
                        unlink(name);
        }
}

static int open_named(struct gb_output *o, struct gb_error *err)
{
        if (asprintf(&o->temporary, "%s/.gbackup.XXXXXX", o->dir) < 0) {
                o->temporary = NULL;
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        }
        o->fd = mkostemp(o->temporary, O_CLOEXEC);
        if (o->fd < 0) {
                gb_error_sys(err, GB_ERR_SYSTEM, "%s: cannot write here", o->path);
                free(o->temporary);
                o->temporary = NULL;
                return -1;
        }
        remember(o->temporary);
        return 0;
}

static int open_file(struct gb_output *o, struct gb_error *err)
{
        struct stat st;
        GB_CLEANUP_FREE
        char *copy = strdup(o->path);

        o->dir = copy ? strdup(dirname(copy)) : NULL;
        if (!o->dir)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        if (stat(o->path, &st) == 0 && !S_ISREG(st.st_mode))
                return gb_error_set(err, GB_ERR_SYSTEM,
                                    "%s: not a regular file; name a file to write the list to", o->path);
        o->fd = open(o->dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
        if (o->fd >= 0)
                return 0;
        if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)
                return open_named(o, err);
        return gb_error_sys(err, GB_ERR_SYSTEM, "%s: cannot write here", o->path);
}

struct gb_output *gb_output_open(const char *path, struct gb_error *err)
{
        struct gb_output *o = calloc(1, sizeof(*o));

        if (o) {
                o->fd = -1;
                o->size = OUTPUT_BUFFER;
        }
        if (!o || !(o->path = strdup(path)) || !(o->buffer = malloc(OUTPUT_BUFFER))) {
                gb_output_discard(o);
                gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                return NULL;
        }
        if (strcmp(path, "-") == 0) {
                o->fd = STDOUT_FILENO;
                o->to_stdout = true;
                return o;
        }
        if (open_file(o, err) < 0) {
                gb_output_discard(o);
                return NULL;
        }
        return o;
}

int gb_output_hash(struct gb_output *o, struct gb_error *err)
{
        o->hash = EVP_MD_CTX_new();
        if (!o->hash || !EVP_DigestInit_ex(o->hash, EVP_sha256(), NULL))
                return gb_error_set(err, GB_ERR_SYSTEM, "%s: no SHA-256 from libcrypto", o->path);
        return 0;
}

int gb_output_mode(struct gb_output *o, unsigned mode, struct gb_error *err)
{
        if (!o->to_stdout && fchmod(o->fd, mode) < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: chmod", o->path);
        return 0;
}

static bool hash_text(EVP_MD_CTX *hash, char out[2 * DIGEST_BYTES + 1])
{
        unsigned char bytes[EVP_MAX_MD_SIZE];
        unsigned len = 0;

        if (!EVP_DigestFinal_ex(hash, bytes, &len) || len != DIGEST_BYTES)
                return false;
        for (unsigned i = 0; i < len; i++)
                snprintf(out + 2 * i, 3, "%02x", bytes[i]);
        return true;
}

static int end_hash(struct gb_output *o, struct gb_error *err)
{
        if (!o->hash)
                return 0;
        if (!hash_text(o->hash, o->digest))
                return gb_error_set(err, GB_ERR_SYSTEM, "%s: SHA-256 failed", o->path);
        EVP_MD_CTX_free(o->hash);
        o->hash = NULL;
        return 0;
}

const char *gb_output_digest(const struct gb_output *o)
{
        return o->digest[0] ? o->digest : NULL;
}

int gb_file_digest(const char *path, char out[65], struct gb_error *err)
{
        GB_CLEANUP_CLOSE
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        EVP_MD_CTX *hash = EVP_MD_CTX_new();
        uint8_t buf[65536];
        ssize_t n = -1;
        bool good = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL);

        while (good && fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
                good = EVP_DigestUpdate(hash, buf, (size_t)n);
        good = good && n == 0 && hash_text(hash, out);
        EVP_MD_CTX_free(hash);
        return good ? 0 : gb_error_sys(err, GB_ERR_SYSTEM, "%s: SHA-256", path);
}

static int write_all(struct gb_output *o, const uint8_t *p, size_t n, struct gb_error *err)
{
        if (o->hash && !EVP_DigestUpdate(o->hash, p, n))
                return gb_error_set(err, GB_ERR_SYSTEM, "%s: SHA-256 failed", o->path);
        while (n) {
                ssize_t w = write(o->fd, p, n);

                if (w < 0 && errno == EINTR)
                        continue;
                if (w < 0)
                        return gb_error_sys(err, GB_ERR_SYSTEM, "%s: write",
                                            o->to_stdout ? "stdout" : o->path);
                p += w;
                n -= (size_t)w;
        }
        return 0;
}

static void *write_ahead(void *arg)
{
        struct gb_output *o = arg;
        struct ahead *a = o->ahead;

        pthread_mutex_lock(&a->mutex);
        for (;;) {
                int rc;

                while (!a->busy && !a->stop)
                        pthread_cond_wait(&a->changed, &a->mutex);
                if (!a->busy)
                        break;
                pthread_mutex_unlock(&a->mutex);
                rc = write_all(o, a->buffer, a->len, &a->error);
                pthread_mutex_lock(&a->mutex);
                a->rc = rc;
                a->busy = false;
                pthread_cond_signal(&a->changed);
        }
        pthread_mutex_unlock(&a->mutex);
        return NULL;
}

int gb_output_ahead(struct gb_output *o, struct gb_error *err)
{
        struct ahead *a;
        uint8_t *first;

        if (o->to_stdout)
                return 0;
        a = calloc(1, sizeof(*a));
        first = realloc(o->buffer, AHEAD_BUFFER);
        if (first) {
                o->buffer = first;
                o->size = AHEAD_BUFFER;
        }
        if (!a || !first || !(a->buffer = malloc(AHEAD_BUFFER))) {
                free(a);
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        }
        pthread_mutex_init(&a->mutex, NULL);
        pthread_cond_init(&a->changed, NULL);
        o->ahead = a;
        return 0;
}

/* Until the other buffer is written.  0, -1 and why it could not be. */
static int wait_for_ahead(struct ahead *a, struct gb_error *err)
{
        pthread_mutex_lock(&a->mutex);
        while (a->busy)
                pthread_cond_wait(&a->changed, &a->mutex);
        pthread_mutex_unlock(&a->mutex);
        if (a->rc < 0 && err)
                *err = a->error;
        return a->rc;
}

static int hand_over(struct gb_output *o, struct gb_error *err)
{
        struct ahead *a = o->ahead;
        uint8_t *full = o->buffer;
        int rc;

        if (!a->runs) {
                rc = pthread_create(&a->thread, NULL, write_ahead, o);
                if (rc != 0)
                        return gb_error_set(err, GB_ERR_SYSTEM, "%s: cannot start a thread: %s", o->path,
                                            strerror(rc));
                a->runs = true;
        }
        if (wait_for_ahead(a, err) < 0)
                return -1;
        pthread_mutex_lock(&a->mutex);
        o->buffer = a->buffer;
        a->buffer = full;
        a->len = o->used;
        o->used = 0;
        a->busy = true;
        pthread_cond_signal(&a->changed);
        pthread_mutex_unlock(&a->mutex);
        return 0;
}

static void end_ahead(struct ahead *a)
{
        if (a->runs) {
                pthread_mutex_lock(&a->mutex);
                a->stop = true;
                pthread_cond_signal(&a->changed);
                pthread_mutex_unlock(&a->mutex);
                pthread_join(a->thread, NULL);
        }
        pthread_mutex_destroy(&a->mutex);
        pthread_cond_destroy(&a->changed);
        free(a->buffer);
        free(a);
}

static int flush(struct gb_output *o, struct gb_error *err)
{
        size_t n = o->used;

        if (o->ahead && n)
                return hand_over(o, err);
        o->used = 0;
        return write_all(o, o->buffer, n, err);
}

int gb_output_write(struct gb_output *o, const void *bytes, size_t n, struct gb_error *err)
{
        const uint8_t *p = bytes;

        o->bytes += n;
        while (n > o->size - o->used) {
                size_t fits = o->size - o->used;

                memcpy(o->buffer + o->used, p, fits);
                o->used = o->size;
                p += fits;
                n -= fits;
                if (flush(o, err) < 0)
                        return -1;
        }
        if (n) /* bytes may be NULL */
                memcpy(o->buffer + o->used, p, n);
        o->used += n;
        return 0;
}

uint8_t *gb_output_place(struct gb_output *o, size_t least, size_t *room, struct gb_error *err)
{
        if (o->size - o->used < least && flush(o, err) < 0)
                return NULL;
        *room = o->size - o->used;
        return o->buffer + o->used;
}

void gb_output_placed(struct gb_output *o, size_t n)
{
        o->used += n;
        o->bytes += n;
}

/* The last bytes are few: no thread for them. */
static int flush_last(struct gb_output *o, struct gb_error *err)
{
        size_t n = o->used;

        if (o->ahead && wait_for_ahead(o->ahead, err) < 0)
                return -1;
        o->used = 0;
        return write_all(o, o->buffer, n, err);
}

int gb_output_finish(struct gb_output *o, struct gb_error *err)
{
        if (flush_last(o, err) < 0 || end_hash(o, err) < 0)
                return -1;
        if (!o->to_stdout && fsync(o->fd) < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: sync", o->path);
        return 0;
}

/* Give an unnamed file a temporary name, so that rename can replace an older list with it. */
static int give_name(struct gb_output *o, struct gb_error *err)
{
        char self[64];

        snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
        for (unsigned i = 0; i < 100; i++) {
                if (asprintf(&o->temporary, "%s/.gbackup.%d.%u", o->dir, (int)getpid(), i) < 0) {
                        o->temporary = NULL;
                        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                }
                remember(o->temporary);
                if (linkat(AT_FDCWD, self, AT_FDCWD, o->temporary, AT_SYMLINK_FOLLOW) == 0)
                        return 0;
                forget(o->temporary);
                free(o->temporary);
                o->temporary = NULL;
                if (errno != EEXIST)
                        break;
        }
        return gb_error_sys(err, GB_ERR_SYSTEM, "%s: cannot put the list in place", o->path);
}

int gb_output_publish(struct gb_output *o, struct gb_error *err)
{
        int rc = 0;

        if (!o->to_stdout) {
                GB_CLEANUP_CLOSE
                int dir = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                if (!o->temporary && give_name(o, err) < 0) {
                        rc = -1;
                } else if (rename(o->temporary, o->path) < 0) {
                        rc = gb_error_sys(err, GB_ERR_SYSTEM, "%s: cannot put the list in place", o->path);
                } else {
                        forget(o->temporary);
                        free(o->temporary);
                        o->temporary = NULL;
                        if (dir < 0 || fsync(dir) < 0)
                                rc = gb_error_sys(err, GB_ERR_SYSTEM, "%s: sync of the directory", o->dir);
                }
        }
        gb_output_discard(o);
        return rc;
}

void gb_output_discard(struct gb_output *o)
{
        if (!o)
                return;
        if (o->ahead)
                end_ahead(o->ahead);
        if (o->temporary) {
                unlink(o->temporary);
                forget(o->temporary);
        }
        if (o->fd >= 0 && !o->to_stdout)
                close(o->fd);
        EVP_MD_CTX_free(o->hash);
        free(o->buffer);
        free(o->temporary);
        free(o->dir);
        free(o->path);
        free(o);
}

int gb_output_text(const char *path, const char *text, struct gb_error *err)
{
        struct gb_output *out = gb_output_open(path, err);

        if (!out)
                return -1;
        if (gb_output_write(out, text, strlen(text), err) < 0 || gb_output_write(out, "\n", 1, err) < 0 ||
            gb_output_finish(out, err) < 0) {
                gb_output_discard(out);
                return -1;
        }
        return gb_output_publish(out, err);
}

uint64_t gb_output_bytes(const struct gb_output *o)
{
        return o->bytes;
}
