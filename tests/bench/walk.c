/*
 * walk - the agent's walk of a brick, alone.
 *
 *   walk [-l] [-g] [-c] [-t THREADS] [-m TMPDIR] BRICK       paths to stdout
 *
 * -l: files may be linkto files.  -g: gfids.  -c: nothing is written but the number of entries.
 */
#include <config.h>

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "brick.h"
#include "walk.h"

int main(int argc, char **argv)
{
        struct gb_walk_options o = {.after = NULL};
        bool count = false;
        struct gb_error e;
        struct gb_brick *b;
        struct gb_walk *w;
        struct gb_entry entry;
        unsigned long n = 0;
        int c, rc;

        while ((c = getopt(argc, argv, "lgct:m:")) != -1) {
                o.linkto |= c == 'l';
                o.gfids |= c == 'g';
                count |= c == 'c';
                if (c == 't')
                        o.threads = (unsigned)atoi(optarg);
                if (c == 'm')
                        o.tmpdir = optarg;
        }
        b = optind < argc ? gb_brick_open_bare(argv[optind], "bench", &e) : NULL;
        w = b ? gb_walk_open(b, &o, &e) : NULL;
        if (!w)
                errx(1, "%s", b || optind < argc ? e.text : "usage: walk [-l] [-g] [-c] [-t THREADS] BRICK");
        while ((rc = gb_walk_next(w, GB_NEVER, &entry, &e)) == 1) {
                n++;
                if (count)
                        continue;
                fwrite(entry.path, 1, entry.len, stdout);
                putchar_unlocked('\n');
        }
        if (rc < 0)
                errx(1, "%s", e.text);
        if (count)
                printf("%lu\n", n);
        gb_walk_close(w);
        gb_brick_close(b);
        return fflush(stdout) != 0;
}
