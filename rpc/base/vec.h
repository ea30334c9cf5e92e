/*
 * vec - a typed growing array.
 *
 *     GB_VEC(struct brick) bricks = GB_VEC_INIT;
 *     if (gb_vec_push(&bricks, one) < 0) ...out of memory...
 *     for (size_t i = 0; i < bricks.n; i++) use(bricks.v[i]);
 *     gb_vec_free(&bricks);
 */
#ifndef GB_VEC_H
#define GB_VEC_H

#include <stdint.h>
#include <stdlib.h>

#define GB_VEC(type)                                                                                         \
        struct {                                                                                             \
                type *v;                                                                                     \
                size_t n;                                                                                    \
                size_t cap;                                                                                  \
        }

#define GB_VEC_INIT                                                                                          \
        {                                                                                                    \
                NULL, 0, 0                                                                                   \
        }

/* Grow *v (elements of `size` bytes) so that `need` fit; 0 or -1. */
static inline int gb_vec_grow(void **v, size_t *cap, size_t need, size_t size)
{
        size_t want = *cap ? *cap : 8;
        void *p;

        if (need <= *cap)
                return 0;
        while (want < need) {
                if (want > SIZE_MAX / 2)
                        return -1;
                want *= 2;
        }
        if (size && want > SIZE_MAX / size)
                return -1;
        p = realloc(*v, want * size);
        if (!p)
                return -1;
        *v = p;
        *cap = want;
        return 0;
}

#define gb_vec_reserve(vec, need) gb_vec_grow((void **)&(vec)->v, &(vec)->cap, (need), sizeof(*(vec)->v))

#define gb_vec_push(vec, item)                                                                               \
        (gb_vec_reserve((vec), (vec)->n + 1) < 0 ? -1 : ((vec)->v[(vec)->n++] = (item), 0))

#define gb_vec_free(vec)                                                                                     \
        do {                                                                                                 \
                free((vec)->v);                                                                              \
                (vec)->v = NULL;                                                                             \
                (vec)->n = (vec)->cap = 0;                                                                   \
        } while (0)

#endif
