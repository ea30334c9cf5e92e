/*
 * modelfacts - what each brick of a model volume tells: its records as a stream of facts (the rules of
 * agent/changes.h, by the plainest possible way), and the answers to look and walk.
 */
#ifndef GB_TEST_MODELFACTS_H
#define GB_TEST_MODELFACTS_H

#include "modelfs.h"
#include "reduce.h"

/* The history stream of one brick. */
struct model_stream {
        struct gb_buf bytes;
        struct gb_facts_reader reader;
};

/* Write the stream of a brick's window; `s` is initialised to zero once and reused. */
void model_stream_fill(struct model_stream *s, const struct model *m, unsigned brick);
void model_stream_fini(struct model_stream *s);
/* gb_fact_source.next; arg is the stream */
int model_stream_next(void *arg, struct gb_item *item, struct gb_error *err);

/* gb_reduce_ops.look, .settle and .walk for the model. */
int model_look(const struct model *m, struct gb_reduce *r, unsigned set, const gb_gfid *gfids, unsigned n,
               struct gb_error *err);
/* `bricks`: that of each source. */
int model_settle(const struct model *m, const unsigned *bricks, unsigned n, struct gb_reduce *r,
                 struct gb_error *err);
int model_walk(const struct model *m, struct gb_reduce *r, unsigned set, struct gb_error *err);

/* Does any record of this window name the object? */
bool model_touched(const struct model *m, const gb_gfid *gfid);
/* Was something renamed onto this slot in this window? */
bool model_renamed_onto(const struct model *m, const struct gb_slot *slot);

#endif
