/*
 * parts - the file of a list, or with --split the files of it: FILE.1 to FILE.N.
 *
 * Each path is in one part, with all its lines.  The first has what wants an order: directories, DELETEs and
 * RENAMEs.  Whoever has done with it may take the others in any order, or at once: they are NEW and MODIFY of
 * what is no directory.
 *
 * Nobody knows how long a list becomes, so a path goes to the part that has least; and a run of its
 * neighbours after it, the longer the more there is, because who reads a part reads its directories too.
 */
#ifndef GB_PARTS_H
#define GB_PARTS_H

#include "base/limits.h"
#include "op.h"
#include "output.h"

#define GB_PARTS_MAX 64

struct gb_list_counts {
        uint64_t entries, new_, modify, delete_, rename_, skipped;
        uint64_t directories; /* that changed and are no line: format netbackup */
        uint64_t gone;        /* names in FILE.gone: the same */
};

struct gb_part {
        char *name; /* owned */
        struct gb_output *out;
        struct gb_list_counts counts; /* what was skipped is counted for the list alone */
        uint64_t weight;              /* lines of what has to be read */
};

struct gb_parts {
        bool split;
        unsigned n, now; /* the part that is written to */
        struct gb_part v[GB_PARTS_MAX];
        unsigned run;           /* where neighbours go just now, */
        uint64_t left;          /* and how many more of them */
        char last[GB_PATH_MAX]; /* the path before: its other lines go where it went */
        size_t last_len;
};

/* `split` parts of `file`; 0: the file itself.  `hash`: with their SHA-256. */
int gb_parts_open(struct gb_parts *p, const char *file, unsigned split, bool hash, struct gb_error *err);
/* "FILE.N" for part `i`, malloc'd; NULL: out of memory. */
char *gb_parts_name(const char *file, unsigned i);
/* Before the line of an op: where it goes. */
void gb_parts_choose(struct gb_parts *p, const struct gb_op *op);
static inline struct gb_part *gb_parts_now(struct gb_parts *p)
{
        return &p->v[p->now];
}
int gb_parts_finish(struct gb_parts *p, struct gb_error *err);
uint64_t gb_parts_bytes(const struct gb_parts *p);
/* All in place, one after the other, and parts of an older, longer list that its manifest named removed. */
int gb_parts_publish(struct gb_parts *p, unsigned older, const char *file, struct gb_error *err);
void gb_parts_discard(struct gb_parts *p);

#endif
