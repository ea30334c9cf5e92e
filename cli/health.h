/*
 * health - what status, doctor, changelog and metrics want to know of a volume, asked once.
 */
#ifndef GB_HEALTH_H
#define GB_HEALTH_H

#include "base/clock.h"
#include "volume.h"

/* A node as its agent presents itself. */
struct gb_health_node {
        const struct gb_node *node;
        bool owns_bricks;
        bool examines; /* it knows EXAMINE and CHANGELOG_USAGE */
        bool clock_known;
        int64_t ahead_us; /* its clock minus ours, */
        int64_t doubt_us; /* give or take this */
        gbx_sessions_res sessions;
        struct gb_error error; /* code 0: `sessions` is filled */
};

struct gb_health_brick {
        const struct gb_vbrick *brick;
        gbx_usage usage;
        struct gb_error error; /* code 0: `usage` is filled */
};

/* A session of the volume, as far as the agents agree on it. */
struct gb_health_session {
        char *name;
        unsigned known; /* nodes with bricks that know it */
        bool apart;     /* they have different committed generations */
        bool here;      /* it is in this host's registry */
        gbx_session_kind kind;
        int64_t committed, last_full, pending; /* unix seconds, 0: never, none */
        char generation[GB_HOST_MAX + 1];      /* newest committed; empty: none */
};

struct gb_health {
        struct gb_volume volume;
        struct gb_health_node *nodes;
        unsigned n_nodes;
        unsigned n_owners; /* nodes with bricks */
        struct gb_health_brick *bricks;
        struct gb_health_session *sessions;
        unsigned n_sessions;
};

/* Opens the volume and asks every agent.  Slices younger than keep_from count as kept, and those that
 * cumulative runs need unless --no-cumulative.  -1 as
 * gb_volume_open(); what a single node cannot tell is recorded with it. */
int gb_health_open(const struct gb_cli *c, const char *host, const char *volume, int64_t keep_from,
                   struct gb_health *h, struct gb_error *err);
void gb_health_close(struct gb_health *h);

/* "2026-01-31T12:00:00Z", or `never` for 0. */
const char *gb_time_text(int64_t when, const char *never, char out[GB_ISO_TIME]);
const char *gb_kind_text(gbx_session_kind kind);
/* "5 s", "3 min", "2.5 h", "4 d". */
const char *gb_age_text(int64_t seconds, char out[32]);
/* "12.3 MiB". */
const char *gb_size_text(uint64_t bytes, char out[32]);

#endif
