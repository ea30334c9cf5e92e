/*
 * mdata - the times that GlusterFS keeps itself (features.ctime), which users see: of the clocks of clients,
 * and moved by what users do and by nothing else.
 */
#ifndef GB_MDATA_H
#define GB_MDATA_H

#include <time.h>

struct gb_mdata {
        struct timespec changed, modified; /* ctime, mtime */
};

/* 1; 0 there are none; 2 they are in a form that we do not know; -1 with errno. */
int gb_mdata_at(int dir_fd, const char *name, struct gb_mdata *out);

#endif
