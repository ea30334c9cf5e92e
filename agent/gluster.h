/*
 * gluster - run gluster(8) and read its XML.
 *
 * Run by argv, never through a shell, in C locale, stdin closed, output bounded by GB_XML_MAX and time
 * by GB_GLUSTER_MS.  Its exit status is often 0 on errors (facts 8.1): opRet decides.  "Another
 * transaction is in progress" is retried with growing pauses for up to a minute.
 */
#ifndef GB_GLUSTER_H
#define GB_GLUSTER_H

#include "base/buf.h"
#include "base/error.h"
#include "base/vec.h"

struct gb_gluster {
        const char *program; /* "gluster"; borrowed */
        int cancel_fd;       /* -1: none */
        int timeout_ms;      /* of one run; 0: GB_GLUSTER_MS */
};

struct gb_vol_brick {
        char *host;
        char *path;
        gb_gfid node;
        bool arbiter;
        bool online;
};

struct gb_vol_option {
        char *name;
        char *value;
};

struct gb_vol_peer {
        gb_gfid node;
        char *host;
        bool connected;
};

struct gb_volinfo {
        char *name;
        gb_gfid id;
        bool started;
        unsigned set_size; /* disperseCount if > 0, else replicaCount */
        unsigned redundancy;
        bool disperse;
        bool rebalancing;
        GB_VEC(struct gb_vol_brick) bricks;
        GB_VEC(struct gb_vol_option) options;
        GB_VEC(struct gb_vol_peer) peers;
};

void gb_volinfo_fini(struct gb_volinfo *v);
/* Value of an option that is set explicitly, or NULL. */
const char *gb_volinfo_option(const struct gb_volinfo *v, const char *name);

/* Parse one document (no network; a DOCTYPE, and with it every entity, is refused; depth and size bounded).
 * Errors of all: GB_ERR_NO_VOLUME or GB_ERR_AGAIN when gluster says so, GB_ERR_LIMIT past a bound,
 * GB_ERR_GLUSTER for anything else.
 * info: fills *v, whose old content is not looked at; after a failure *v is empty.
 * status: sets online and rebalancing of the bricks *v already has; "not started" is no failure but
 * sets started to false.
 * pool list: fills v->peers. */
int gb_xml_volume_info(const void *xml, size_t len, const char *volume, struct gb_volinfo *v,
                       struct gb_error *err);
int gb_xml_volume_status(const void *xml, size_t len, struct gb_volinfo *v, struct gb_error *err);
int gb_xml_pool_list(const void *xml, size_t len, struct gb_volinfo *v, struct gb_error *err);
/* Any document: only opRet.  0 ok; -1 with opErrstr. */
int gb_xml_result(const void *xml, size_t len, struct gb_error *err);

/* volume info: no lock, no other node is asked.  Bricks are not online, peers unknown. */
int gb_gluster_info(const struct gb_gluster *g, const char *volume, struct gb_volinfo *v,
                    struct gb_error *err);
/* volume info + status + pool list.  A stopped volume is no error here (started = false, no brick
 * online).  *v is filled as by gb_xml_volume_info().  Beyond the parsers' errors: GB_ERR_TIMEOUT,
 * GB_ERR_CANCELLED when cancel_fd becomes readable or its other end goes away. */
int gb_gluster_topology(const struct gb_gluster *g, const char *volume, struct gb_volinfo *v,
                        struct gb_error *err);
/* volume set.  GB_ERR_USAGE for a key or value that cannot be an argument. */
int gb_gluster_set(const struct gb_gluster *g, const char *volume, const char *key, const char *value,
                   struct gb_error *err);

#endif
