/*
 * window_boundary - what a list leaves for the next one: the boundary set.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "window_core.h"

static int too_much_moved(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_AGAIN,
                            "too many objects were being changed while the list was made; try again");
}

/* In a boundary fact: to be looked at again. */
#define FLAG_REVISIT GB_FACT_RECENT
/* Objects to be looked at again if there is room take no more than this, so that what must be noted fits. */
#define ROOM (GB_BOUNDARY_MAX / 2)

int gb_window_doubt(void *arg, const gb_gfid *gfid, const struct gb_slot *names, unsigned n, bool dir,
                    enum gb_revisit revisit, struct gb_error *err)
{
        struct collect *k = arg;
        struct gb_fact f = {.gfid = *gfid,
                            .look = n ? GB_LOOK_PRESENT : GB_LOOK_ABSENT,
                            .type = n ? 'f' : 0,
                            .flags = (dir ? GB_FACT_DIR : 0) | (revisit ? FLAG_REVISIT : 0)};

        if (revisit == GB_REVISIT_IF_ROOM && k->boundary.len >= ROOM)
                return 0;

        for (unsigned i = 0; i < n; i++)
                if (gb_vec_push(&f.names, names[i]) < 0) {
                        gb_fact_fini(&f);
                        return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                }
        if (gb_fact_encode(&k->boundary, &f) < 0) {
                gb_fact_fini(&f);
                return too_much_moved(err);
        }
        gb_fact_fini(&f);
        return 0;
}

int gb_window_carry(void *arg, const gb_gfid *gfid, bool dir_moved, struct gb_error *err)
{
        struct collect *k = arg;
        const struct gb_fact f = {.gfid = *gfid, .flags = GB_FACT_BEFORE | (dir_moved ? GB_FACT_DIR : 0)};

        (void)err;
        if (gb_fact_encode(&k->carried, &f) < 0)
                k->carry_all = true;
        return 0;
}

/* What is carried follows what is in doubt; too much of it is said by the root. */
int gb_window_finish_boundary(struct collect *k, struct gb_error *err)
{
        const struct gb_fact all = {.gfid = GB_GFID_ROOT, .flags = GB_FACT_BEFORE | GB_FACT_DIR};

        if (k->carry_all || gb_buf_put(&k->boundary, k->carried.data, k->carried.len) < 0) {
                if (gb_fact_encode(&k->boundary, &all) < 0)
                        return too_much_moved(err);
        }
        return 0;
}

/*
 * The boundary set holds the bricks of the run, as one fact with the null gfid: a name is a hash of the
 * brick's, followed by a `-` if it was behind its siblings; the parent's first bytes are the number of its
 * replica set.
 */
#define BRICK_HASH 16
#define BRICK_NAME (BRICK_HASH + 2)

static void brick_slot(const struct gb_vbrick *b, char name[BRICK_NAME], struct gb_slot *out)
{
        uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

        for (const char *p = b->name; *p; p++)
                hash = (hash ^ (uint8_t)*p) * 0x100000001b3u;
        snprintf(name, BRICK_NAME, "%016" PRIx64, hash);
        memset(&out->parent, 0, sizeof(out->parent));
        memcpy(out->parent.b, &b->set, sizeof(b->set));
        out->name = name;
        out->len = BRICK_HASH;
}

int gb_window_put_bricks(struct collect *k, struct gb_error *err)
{
        struct gb_fact f = {.look = GB_LOOK_PRESENT, .type = 'f'};
        char(*names)[BRICK_NAME] = calloc(k->volume->n_bricks, sizeof(*names));
        int rc = names ? 0 : -1;

        for (unsigned i = 0; rc == 0 && i < k->volume->n_bricks; i++) {
                struct gb_slot slot;

                brick_slot(&k->volume->bricks[i], names[i], &slot);
                if (gb_window_is_behind(k, &k->volume->bricks[i]))
                        names[i][slot.len++] = '-';
                rc = gb_vec_push(&f.names, slot);
        }
        if (rc < 0)
                gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        else if ((rc = gb_fact_encode(&k->boundary, &f)) < 0)
                too_much_moved(err);
        gb_fact_fini(&f);
        free(names);
        return rc;
}

/* The brick of the last run that is still here under this name, or NULL. */
static struct gb_vbrick *same_brick(const struct collect *k, const struct gb_slot *former)
{
        for (unsigned i = 0; i < k->volume->n_bricks; i++) {
                struct gb_slot slot;
                char name[BRICK_NAME];

                brick_slot(&k->volume->bricks[i], name, &slot);
                if (former->len >= BRICK_HASH && memcmp(name, former->name, BRICK_HASH) == 0)
                        return &k->volume->bricks[i];
        }
        return NULL;
}

/* Is a brick of the last run still here, with a position? */
static bool still_here(const struct collect *k, const struct gb_slot *former)
{
        const struct gb_vbrick *b = same_brick(k, former);

        return b && k->window->bricks[b->index].from;
}

static void check_bricks(struct collect *k, const struct gb_fact *f)
{
        for (size_t i = 0; i < f->names.n; i++) {
                const struct gb_vbrick *b = same_brick(k, &f->names.v[i]);

                if (b)
                        k->was_behind[b->index] = f->names.v[i].len > BRICK_HASH;
        }
        for (size_t i = 0; i < f->names.n; i++) {
                bool here = false;

                for (size_t j = 0; j < f->names.n && !here; j++)
                        here = gb_gfid_eq(&f->names.v[i].parent, &f->names.v[j].parent) &&
                               still_here(k, &f->names.v[j]);
                if (!here) {
                        gb_error_set(
                                &k->former, GB_ERR_GAP,
                                "volume %s: a replica set of the last run has no brick with a position any "
                                "more (removed, new, or its history could not be read); a full list "
                                "is needed",
                                k->volume->name);
                        return;
                }
        }
}

int gb_window_load_boundary(struct collect *k, struct gb_reduce *r, struct gb_error *err)
{
        struct gb_reader in = {.p = k->window->boundary.data,
                               .end = k->window->boundary.data + k->window->boundary.len};
        struct gb_fact f = {0};
        int rc = 0;

        while (rc == 0 && k->window->boundary.len && gb_reader_left(&in)) {
                gb_fact_reset(&f);
                if (!gb_fact_decode(&in, &f)) {
                        rc = gb_error_set(err, GB_ERR_CORRUPT,
                                          "the session's boundary set is damaged; register it again");
                } else if (gb_gfid_eq(&f.gfid, &GB_GFID_NULL)) {
                        check_bricks(k, &f);
                } else if (f.flags & GB_FACT_BEFORE) {
                        k->relist = k->relist || gb_gfid_eq(&f.gfid, &GB_GFID_ROOT);
                        rc = gb_reduce_carried(r, &f.gfid, f.flags & GB_FACT_DIR, err);
                } else {
                        rc = gb_reduce_boundary(r, &f.gfid, f.names.v, (unsigned)f.names.n,
                                                f.flags & GB_FACT_DIR, f.flags & FLAG_REVISIT, err);
                }
        }
        gb_fact_fini(&f);
        return rc;
}
