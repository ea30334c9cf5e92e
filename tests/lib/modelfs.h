/*
 * modelfs - a GlusterFS volume in memory: objects, names, hard links, replica sets, and the records
 * that each brick's changelog would hold.
 *
 * It knows what facts.md says of GlusterFS (what is recorded where, what is not) and nothing of how
 * gbackup thinks: a list is right if a mirror that obeys it becomes this volume (modelmirror.h).
 *
 * Every step draws from a generator of its own, made of the seed and the step's number: a step can be
 * left out and the others still try the same, so that a failing run can be shortened by machine.
 */
#ifndef GB_TEST_MODELFS_H
#define GB_TEST_MODELFS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/facts.h"

#define MODEL_SETS_MAX     4
#define MODEL_REPLICAS_MAX 3
#define MODEL_BRICKS_MAX   (MODEL_SETS_MAX * MODEL_REPLICAS_MAX)
#define MODEL_PATH_MAX     1024

struct model_options {
        unsigned sets, replicas;
        bool linkto;  /* UNLINK of linkto files that say nothing of the file; late MKDIR of old directories */
        bool migrate; /* files change their set without a word */
        bool heal;    /* a brick is down for a while, then healed */
        bool late;    /* not before the cut: it may be down then, or up and not healed yet */
        bool shards;  /* writes that only a shard's brick knows of */
        bool partial; /* some objects have names that no xattr tells */
        bool before;  /* agents say what had records in the window before too */
};

struct model_object {
        gb_gfid gfid;
        char type;           /* f d l p */
        unsigned set;        /* where a file's data is */
        unsigned data, meta; /* versions: the model's clock at the last change */
        bool partial;        /* not all of its names can be told by a look */
};

/* Object 0 is the root. */
struct model_name {
        unsigned dir, object;
        const char *name; /* static */
};

struct model_names {
        struct model_name *v;
        size_t n, cap;
};

enum model_fop {
        MODEL_CREATE,
        MODEL_MKNOD, /* of a regular file */
        MODEL_MKNOD_SPECIAL,
        MODEL_MKDIR,
        MODEL_SYMLINK,
        MODEL_LINK,
        MODEL_RENAME,
        MODEL_UNLINK,
        MODEL_RMDIR,
        MODEL_DATA,
        MODEL_SETATTR,
        MODEL_SETXATTR,
        MODEL_SHARD /* D of a shard; gfid is the base file's */
};

struct model_record {
        enum model_fop fop;
        gb_gfid gfid;
        struct gb_slot from, to; /* names are static */
};

struct model_brick {
        GB_VEC(struct model_record) records; /* of this window, and what came since its end */
        size_t cut;                          /* records of this window */
        GB_VEC(gb_gfid) told_before;         /* objects of the window before */
        bool down;                           /* nothing reaches it */
        bool lagging;                        /* though it runs: its heal is still to come */
        bool restarted;                      /* in this window */
        bool away, behind;                   /* when the window began: not running; down */
        bool away_at_cut, behind_at_cut, restarted_at_cut;
        unsigned down_clock;
        struct model_names stale; /* what it held when it went down */
};

struct model {
        struct model_options o;
        uint64_t seed;
        unsigned clock;
        GB_VEC(struct model_object) objects; /* never shrinks: an object without a name is gone */
        struct model_names names;
        struct model_names before; /* names at T0 of this window */
        unsigned before_clock;
        struct model_brick bricks[MODEL_BRICKS_MAX];
        unsigned dir_victims; /* directories overwritten by a rename in this window */
        unsigned tail_victims;
        bool tail;        /* the cut is behind us */
        bool overwritten; /* since the cut, anything: nobody can know that it was there at the cut */
        gb_gfid volume_id;
        FILE *log; /* each operation as a line, or NULL */
};

void model_init(struct model *m, const struct model_options *o, uint64_t seed);
void model_fini(struct model *m);

/* Do what step `number` of the seed does; it may do nothing. */
void model_step(struct model *m, unsigned number);
/* All bricks up and healed. */
void model_rest(struct model *m, unsigned number);
/* T1 is now: what follows belongs to the next window. */
void model_cut(struct model *m);
/* The names and versions of now, to be looked at when time went on; it has no records. */
void model_snapshot(struct model *to, const struct model *m);
/* T0 is what `cut` shows: forget the records before it. */
void model_open_window(struct model *m, const struct model *cut);

unsigned model_bricks(const struct model *m);
unsigned model_set_of(const struct model *m, unsigned brick);

/* The object at a path of `names`, or -1; "" is the root. */
int model_lookup(const struct model *m, const struct model_names *names, const char *path, size_t len);
/* Object by gfid, or -1. */
int model_find(const struct model *m, const gb_gfid *gfid);
/* The slot of names->v[i]. */
struct gb_slot model_slot(const struct model *m, const struct model_name *name);
unsigned model_links(const struct model_names *names, unsigned object);
/* Path of a name into out[MODEL_PATH_MAX]; its length. */
size_t model_path(const struct model_names *names, const struct model_name *name, char *out);

#endif
