/*
 * limits - every maximum gbackup imposes on what it reads, in one place.
 *
 * Each constant stands under a line that says what it bounds.  Code compares a foreign number with
 * its limit first and allocates afterwards.  rpc/gbackup.x repeats the values that are part of the
 * wire contract; check_limits compares the two.
 */
#ifndef GB_LIMITS_H
#define GB_LIMITS_H

/* Bytes of a path relative to the volume root (GlusterFS itself stops below 4096). */
#define GB_PATH_MAX 4095
/* Bytes of one name. */
#define GB_NAME_MAX 255
/* Directory levels followed upwards when a gfid is resolved; more is a loop. */
#define GB_DEPTH_MAX 4096
/* Bytes of a brick path, an absolute local path. */
#define GB_BRICK_PATH_MAX 4095
/* Bytes of a volume name (glusterd: 1000), a session name, a host name. */
#define GB_VOLUME_MAX  1000
#define GB_SESSION_MAX 255
#define GB_HOST_MAX    255
/* Bricks of one volume that we are prepared to handle. */
#define GB_BRICKS_MAX 4096
/* Peers of a trusted pool. */
#define GB_PEERS_MAX 4096
/* Bytes of text in an error that travels. */
#define GB_TEXT_MAX 1024
/* Bytes of a cursor in its text form. */
#define GB_CURSOR_MAX 8192
/* Bytes of a session's boundary set (see cli/window.h). */
#define GB_BOUNDARY_MAX (1024 * 1024)
/* Bytes of one stream chunk: what NEXT may ask for, what it asks for by default, the least. */
#define GB_CHUNK_MAX     (4 * 1024 * 1024)
#define GB_CHUNK_DEFAULT (1024 * 1024)
#define GB_CHUNK_MIN     (16 * 1024)
/* NEXT calls a client keeps in flight on one stream. */
#define GB_WINDOW 2
/* Bytes of a request record; bytes of a record before the peer is authenticated. */
#define GB_REQUEST_MAX (2 * 1024 * 1024)
#define GB_PREAUTH_MAX 512
/* Bytes of a reply beyond the chunk it carries. */
#define GB_REPLY_SLACK (2 * 1024 * 1024)
/* Fragments of one record. */
#define GB_FRAGMENTS_MAX 64
/* gfids in one LOOK call, subtree roots in one SCAN. */
#define GB_LOOK_MAX  4096
#define GB_ROOTS_MAX 1024
/* Globs of a selection, and bytes of one. */
#define GB_RULES_MAX 256
#define GB_GLOB_MAX  1024
/* Names (hard links) of one object; GlusterFS keeps gfid2path for at most 500. */
#define GB_LINKS_MAX 65536
/* Bytes of the value of one trusted.gfid2path xattr: uuid, slash, name. */
#define GB_GFID2PATH_MAX (36 + 1 + GB_NAME_MAX)
/* Bytes of an xattr name list; the kernel's own XATTR_LIST_MAX is 65536. */
#define GB_XATTR_LIST_MAX 65536
/* Unix seconds, of a window or in the name of a slice: the end of the year 9999. */
#define GB_SECONDS_MAX 253402300799LL
/* Bytes of one changelog slice, of one HTIME file, of one gluster XML answer, of the configuration. */
#define GB_SLICE_MAX  (4LL * 1024 * 1024 * 1024)
#define GB_HTIME_MAX  (1024LL * 1024 * 1024)
#define GB_XML_MAX    (64 * 1024 * 1024)
#define GB_CONFIG_MAX (1024 * 1024)
/* Bytes of a file of certificates or of clients.conf, certificates in one, clients, bytes of a line. */
#define GB_TRUST_MAX  (4 * 1024 * 1024)
#define GB_CERTS_MAX  4096
#define GB_GRANTS_MAX 1024
#define GB_LINE_MAX   4095
/* Pending-heal entries of a brick that are looked at one by one before all siblings count as blamed. */
#define GB_HEAL_LOOK_MAX 4096

/* Findings of one EXAMINE. */
#define GB_FINDINGS_MAX 4096

/* Deadlines, milliseconds. */
#define GB_CONNECT_MS   5000    /* one address */
#define GB_HANDSHAKE_MS 10000   /* accept to HELLO */
#define GB_RECORD_MS    30000   /* rest of a record once its first byte came */
#define GB_WRITE_MS     60000   /* a write without progress */
#define GB_REPLY_MS     30000   /* a stream's NEXT: heartbeat is GB_WAIT_MS_MAX, so this is a dead peer */
#define GB_CALL_MS      180000  /* a call that may run gluster(8), which has its own time-out of 120 s */
#define GB_GLUSTER_MS   150000  /* one run of gluster(8) */
#define GB_WAIT_MS_MAX  5000    /* how long NEXT may hold back an empty answer */
#define GB_IDLE_MS      3600000 /* a worker whose client says nothing */

/* Worker processes of one gbackupd, in all. */
#define GB_WORKERS_MAX 256

#endif
