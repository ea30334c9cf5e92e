/*
 * tree - make a tree of small files through a mount, quickly, and change it in a way that is known.
 *
 *   tree fill ROOT N                                  N empty files, 100 a directory
 *   tree change ROOT LO HI CREATES MODIFIES RENAMES DELETES
 *
 * File i always has the same name, so nothing needs to be remembered between the two.  `change` spreads its
 * victims evenly over the files LO..HI, each file suffers once, and prints what it did, a line a change, in
 * the notation of `gbackup-cli --format=changes`.  Half of the renames stay in their directory.
 *
 * Every operation is a network round trip or several, so some threads wait for them at once.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { THREADS = 8, FILES_PER_DIR = 100, DIRS_PER_DIR = 20, NAME = 80, SHUFFLE = 99991 /* a prime */ };

static const char *root;
static long n_jobs;
static long next_job;
static void (*job)(long);

static long lo, hi;
static long creates, modifies, renames, deletes;
static pthread_mutex_t out = PTHREAD_MUTEX_INITIALIZER;

/* The directory of file i. */
static void dir_name(char name[NAME], long i)
{
        long d = i / FILES_PER_DIR;

        snprintf(name, NAME, "group-%03ld/project-%02ld", d / DIRS_PER_DIR, d % DIRS_PER_DIR);
}

static void file_name(char name[NAME], long i, const char *what)
{
        char dir[NAME];

        dir_name(dir, i);
        snprintf(name, NAME, "%.32s/%s-%06ld.dat", dir, what, i);
}

static void *worker(void *unused)
{
        long i;

        while ((i = __atomic_fetch_add(&next_job, 1, __ATOMIC_RELAXED)) < n_jobs)
                job(i);
        return unused;
}

static void run(void (*what)(long), long n)
{
        pthread_t threads[THREADS];

        job = what;
        n_jobs = n;
        next_job = 0;
        for (int i = 0; i < THREADS; i++)
                if (pthread_create(&threads[i], NULL, worker, NULL) != 0)
                        errx(1, "cannot start a thread");
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
}

/* -- fill */

static void make_group(long g)
{
        char name[NAME];

        snprintf(name, sizeof(name), "group-%03ld", g);
        if (mkdir(name, 0755) < 0)
                err(1, "%s/%s", root, name);
}

static void make_dir(long d)
{
        char name[NAME];
        long first = d * FILES_PER_DIR;

        dir_name(name, first);
        if (mkdir(name, 0755) < 0)
                err(1, "%s/%s", root, name);
        for (long i = first; i < first + FILES_PER_DIR && i < hi; i++) {
                file_name(name, i, "document");
                if (mknod(name, S_IFREG | 0644, 0) < 0)
                        err(1, "%s/%s", root, name);
        }
}

static void fill(long n)
{
        long dirs = (n + FILES_PER_DIR - 1) / FILES_PER_DIR;

        hi = n;
        run(make_group, (dirs + DIRS_PER_DIR - 1) / DIRS_PER_DIR);
        run(make_dir, dirs);
}

/* -- change */

static void say(const char *what, const char *a, const char *b)
{
        pthread_mutex_lock(&out);
        printf("%s %s%s%s\n", what, a, b ? " " : "", b ? b : "");
        pthread_mutex_unlock(&out);
}

static void write_to(const char *name, int flags)
{
        int fd = open(name, O_WRONLY | flags, 0644);

        if (fd < 0 || write(fd, "changed\n", 8) != 8 || close(fd) < 0)
                err(1, "%s/%s", root, name);
}

/* Job k changes the k-th victim; what is done to it is shuffled, so that every kind is everywhere. */
static void change_one(long k)
{
        long i = lo + (hi - lo) * k / n_jobs;
        long j = k * SHUFFLE % n_jobs;
        char a[NAME], b[NAME];

        file_name(a, i, "document");
        if (j < creates) {
                /* Any directory will do: take those of all the range. */
                i = lo + (hi - lo) * j / creates;
                file_name(a, i, "fresh");
                write_to(a, O_CREAT | O_EXCL);
                say("NEW", a, NULL);
        } else if ((j -= creates) < modifies) {
                write_to(a, O_APPEND);
                say("MODIFY", a, NULL);
        } else if ((j -= modifies) < renames) {
                file_name(b, j % 2 ? i : lo + (i - lo + (hi - lo) / 2) % (hi - lo), "moved");
                if (rename(a, b) < 0)
                        err(1, "%s/%s", root, a);
                say("RENAME", a, b);
        } else {
                if (unlink(a) < 0)
                        err(1, "%s/%s", root, a);
                say("DELETE", a, NULL);
        }
}

static long number(const char *s)
{
        char *end;
        long n = strtol(s, &end, 10);

        if (*end || end == s || n < 0)
                errx(64, "'%s' is no number", s);
        return n;
}

int main(int argc, char **argv)
{
        if (argc > 2 && chdir(root = argv[2]) < 0)
                err(1, "%s", root);
        if (argc == 4 && strcmp(argv[1], "fill") == 0) {
                fill(number(argv[3]));
                return 0;
        }
        if (argc != 9 || strcmp(argv[1], "change") != 0)
                errx(64, "usage: tree fill ROOT N | tree change ROOT LO HI CREATES MODIFIES RENAMES DELETES");
        lo = number(argv[3]);
        hi = number(argv[4]);
        creates = number(argv[5]);
        modifies = number(argv[6]);
        renames = number(argv[7]);
        deletes = number(argv[8]);
        if (creates + modifies + renames + deletes > hi - lo)
                errx(64, "%ld to %ld are too few files", lo, hi);
        if ((creates + modifies + renames + deletes) % SHUFFLE == 0)
                errx(64, "no multiple of %d changes, please", SHUFFLE);
        run(change_one, creates + modifies + renames + deletes);
        return 0;
}
