/* links: none */
/*
 * replay - main() for a harness without libFuzzer: see fuzz.h.
 */
#include <config.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

/* Changed copies of each seed, and the largest seed that is changed. */
#define CHANGES  200
#define SEED_MAX 65536

static unsigned long seeds, inputs;

static uint32_t next_random(uint32_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        return *state;
}

/* A copy of exact size, so that a sanitizer sees the first byte too many. */
static void give(const uint8_t *data, size_t n)
{
        uint8_t *copy = malloc(n ? n : 1);

        if (!copy)
                abort();
        if (n)
                memcpy(copy, data, n);
        LLVMFuzzerTestOneInput(copy, n);
        free(copy);
        inputs++;
}

static void change(uint8_t *data, size_t n, uint32_t *state)
{
        unsigned times = 1 + next_random(state) % 4;

        while (times--) {
                static const uint8_t odd[] = {0, 1, 0x7f, 0x80, 0xff, '/', '.', ' '};
                uint32_t r = next_random(state);

                if (r & 1)
                        data[next_random(state) % n] ^= (uint8_t)(1u << (r >> 8 & 7));
                else
                        data[next_random(state) % n] = odd[(r >> 8) % sizeof(odd)];
        }
}

static void give_all(const uint8_t *data, size_t n)
{
        uint8_t *copy = malloc(n ? n : 1);
        uint32_t state = 2463534242u + (uint32_t)n;

        if (!copy)
                abort();
        give(data, n);
        for (unsigned i = 0; n && n <= SEED_MAX && i < CHANGES; i++) {
                memcpy(copy, data, n);
                change(copy, n, &state);
                give(copy, i % 4 ? n : 1 + next_random(&state) % n);
        }
        free(copy);
}

static void give_file(const char *path)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat st;
        uint8_t *data;
        ssize_t n = 0;

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
                if (fd >= 0)
                        close(fd);
                return;
        }
        data = malloc((size_t)st.st_size + 1);
        if (data)
                n = read(fd, data, (size_t)st.st_size);
        close(fd);
        if (n != st.st_size)
                abort();
        seeds++;
        give_all(data, (size_t)n);
        free(data);
}

static void give_folder(const char *root, const char *name)
{
        char path[PATH_MAX];
        struct dirent *e;
        DIR *dir;

        snprintf(path, sizeof(path), "%s/%s", root, name);
        dir = opendir(path);
        while (dir && (e = readdir(dir))) {
                snprintf(path, sizeof(path), "%s/%s/%s", root, name, e->d_name);
                give_file(path);
        }
        if (dir)
                closedir(dir);
}

int main(int argc, char **argv)
{
        const char *data = getenv("GB_TESTDATA");
        const char *name = strstr(argv[0], "fuzz_");
        char corpus[PATH_MAX];

        for (int i = 1; i < argc; i++)
                give_file(argv[i]);
        if (argc == 1 && data && name) {
                snprintf(corpus, sizeof(corpus), "%s/../fuzz/corpus", data);
                give_folder(corpus, name + 5);
                for (size_t i = 0; fuzz_data[i]; i++)
                        give_folder(data, fuzz_data[i]);
        }
        printf("%lu seeds, %lu inputs\n", seeds, inputs);
        return seeds ? 0 : 1;
}
