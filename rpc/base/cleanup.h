/*
 * cleanup - locals that release themselves at the end of their scope.
 *
 *     GB_CLEANUP_FREE char *name = strdup(...);
 *     GB_CLEANUP_CLOSE int fd = open(...);          -1 is left alone
 *     return gb_steal_fd(&fd);                      hand over instead of releasing
 */
#ifndef GB_CLEANUP_H
#define GB_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void gb_cleanup_free(void *p)
{
        free(*(void **)p);
}

static inline void gb_cleanup_close(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

static inline void gb_cleanup_fclose(FILE **f)
{
        if (*f)
                fclose(*f);
}

static inline void gb_cleanup_closedir(DIR **d)
{
        if (*d)
                closedir(*d);
}

#define GB_CLEANUP_FREE     __attribute__((cleanup(gb_cleanup_free)))
#define GB_CLEANUP_CLOSE    __attribute__((cleanup(gb_cleanup_close)))
#define GB_CLEANUP_FCLOSE   __attribute__((cleanup(gb_cleanup_fclose)))
#define GB_CLEANUP_CLOSEDIR __attribute__((cleanup(gb_cleanup_closedir)))

/* Take the value out of a self-releasing local, so that it survives the scope. */
static inline int gb_steal_fd(int *fd)
{
        int taken = *fd;

        *fd = -1;
        return taken;
}

static inline void *gb_steal_ptr(void *p)
{
        void **pp = p;
        void *taken = *pp;

        *pp = NULL;
        return taken;
}

#endif
