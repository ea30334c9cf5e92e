/*
 * slices - how fast the agent reads and parses change records.
 *
 *   slices [-n TIMES] SLICE...        prints records and megabytes a second of CPU time
 */
#include <config.h>

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "slicefile.h"

static double cpu(void)
{
        struct timespec t;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
        unsigned long records = 0, bytes = 0;
        int times = argc > 2 && argv[1][0] == '-' ? atoi(argv[2]) : 1,
            first = argc > 2 && argv[1][0] == '-' ? 3 : 1;
        struct gb_slicefile f;
        struct gb_record r;
        struct gb_error e;
        double begin;

        if (gb_slicefile_init(&f, &e) < 0)
                errx(1, "%s", e.text);
        begin = cpu();
        for (int t = 0; t < times; t++)
                for (int i = first; i < argc; i++) {
                        int fd = open(argv[i], O_RDONLY | O_CLOEXEC), rc;

                        if (fd < 0)
                                err(1, "%s", argv[i]);
                        if (gb_slicefile_open(&f, fd, argv[i], &e) < 0)
                                errx(1, "%s", e.text);
                        while ((rc = gb_slicefile_next(&f, &r, &e)) == 1)
                                records++;
                        if (rc != 0)
                                errx(1, "%s: not read to its end", argv[i]);
                        bytes += f.size;
                        gb_slicefile_close(&f);
                }
        printf("%lu records, %lu bytes, %.0f MB/s\n", records, bytes, (double)bytes / 1e6 / (cpu() - begin));
        gb_slicefile_fini(&f);
        return 0;
}
