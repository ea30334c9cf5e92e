/*
 * fixture - files of tests/data, and folders made for one test.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <check.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIXTURE_PATH 4096

/* "<tests/data>/<name>" into a static buffer. */
static inline const char *fixture_path(const char *name)
{
        static char path[FIXTURE_PATH];
        const char *dir = getenv("GB_TESTDATA");

        snprintf(path, sizeof(path), "%s/%s", dir ? dir : "tests/data", name);
        return path;
}

/* A whole file of tests/data with a NUL behind it; the caller frees. */
static inline char *fixture_load(const char *name, size_t *len)
{
        FILE *f = fopen(fixture_path(name), "rb");
        struct stat st;
        char *text;

        ck_assert_msg(f != NULL, "%s", fixture_path(name));
        ck_assert_int_eq(fstat(fileno(f), &st), 0);
        text = malloc((size_t)st.st_size + 1);
        ck_assert_ptr_nonnull(text);
        *len = fread(text, 1, (size_t)st.st_size, f);
        ck_assert_uint_eq(*len, (size_t)st.st_size);
        text[*len] = '\0';
        fclose(f);
        return text;
}

/* A new folder; the caller ends it with fixture_remove(). */
static inline char *fixture_folder(void)
{
        char *dir = strdup("/tmp/gbtest.XXXXXX");

        ck_assert_ptr_nonnull(dir);
        ck_assert_ptr_nonnull(mkdtemp(dir));
        return dir;
}

static inline int fixture_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

static inline void fixture_remove(char *dir)
{
        ck_assert_int_eq(nftw(dir, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
        free(dir);
}

/* "<dir>/<name>", made by the caller's own folders; the caller frees. */
static inline char *fixture_join(const char *dir, const char *name)
{
        char *path;

        ck_assert_int_gt(asprintf(&path, "%s/%s", dir, name), 0);
        return path;
}

/* Folder <dir>/<name> with all its parents. */
static inline void fixture_mkdir(const char *dir, const char *name)
{
        char *path = fixture_join(dir, name);

        for (char *p = path + strlen(dir) + 1; *p; p++) {
                if (*p != '/')
                        continue;
                *p = '\0';
                mkdir(path, 0755);
                *p = '/';
        }
        mkdir(path, 0755);
        ck_assert_int_eq(access(path, F_OK), 0);
        free(path);
}

static inline void fixture_write(const char *dir, const char *name, const char *text)
{
        char *path = fixture_join(dir, name);
        FILE *f = fopen(path, "wb");

        ck_assert_msg(f != NULL, "%s", path);
        ck_assert_int_ge(fputs(text, f), 0);
        ck_assert_int_eq(fclose(f), 0);
        free(path);
}

/* Descriptors this process has open: the same before and after means that none was left behind. */
static inline int fixture_open_fds(void)
{
        DIR *fds = opendir("/proc/self/fd");
        int n = 0;

        ck_assert_ptr_nonnull(fds);
        while (readdir(fds))
                n++;
        closedir(fds);
        return n;
}

#endif
