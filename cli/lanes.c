/*
 * lanes - see lanes.h.
 */
#include <config.h>

#include <pthread.h>
#include <stddef.h>

#include "lanes.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct gb_lane *first, **last = &first;
static unsigned n_gone;
static uint64_t n_gone_passed;

void gb_lane_add(struct gb_lane *l, const char *name)
{
        l->name = name;
        l->passed = 0;
        l->ended = l->awaited = false;
        l->shown = 0;
        l->next = NULL;
        pthread_mutex_lock(&lock);
        l->at = last;
        *last = l;
        last = &l->next;
        pthread_mutex_unlock(&lock);
}

void gb_lane_remove(struct gb_lane *l)
{
        pthread_mutex_lock(&lock);
        *l->at = l->next;
        if (l->next)
                l->next->at = l->at;
        else
                last = l->at;
        n_gone++;
        n_gone_passed += l->passed;
        pthread_mutex_unlock(&lock);
}

void gb_lanes_look(void (*each)(struct gb_lane *l, void *arg), void *arg, unsigned *gone,
                   uint64_t *gone_passed)
{
        pthread_mutex_lock(&lock);
        for (struct gb_lane *l = first; l; l = l->next)
                each(l, arg);
        *gone = n_gone;
        *gone_passed = n_gone_passed;
        pthread_mutex_unlock(&lock);
}
