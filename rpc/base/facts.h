/*
 * facts - what a brick knows about changed objects: the content of a history stream.
 *
 * A slot is a place for a name: (parent gfid, basename).  It is the identity of a name: it does not
 * change when a directory above it is renamed.  An agent reads the window's records and groups them
 * by gfid; of each (gfid, slot) pair only the FIRST event matters, because it tells whether the
 * object had that name when the window opened (T0).  What is there now (T1) is looked up, never
 * replayed.  The agent adds its look to each fact if it was asked to.
 *
 * A history stream is a sequence of blocks, each a sequence of items:
 *
 *   GB_ITEM_DIR    a directory of the present tree: gfid and its slot.  Sent before the first fact
 *                  that needs it to spell a path; parents need not come before children.
 *   GB_ITEM_FACT   one per gfid.  Section 1: gfids that are known to be directories, ascending by
 *                  gfid; section 2: all others, ascending; section 3: base files of changed shards,
 *                  ascending (only the DATA flag, never claims).
 *   GB_ITEM_SECTION  the section named begins.  Sections come in order, each exactly once.
 *   GB_ITEM_BRICK  what is to be known of the brick before its facts are weighed.  At most once, first.
 *
 * Layout of an item: u8 kind, then
 *   DIR      gfid, gfid parent, bytes name
 *   SECTION  u8 number
 *   BRICK    varint flags
 *   FACT     gfid, varint flags, u8 look, u8 type, varint nclaims, claims, varint nnames, names
 *            claim = u8 kind, gfid parent, bytes name;  name = gfid parent, bytes name
 */
#ifndef GB_FACTS_H
#define GB_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "error.h"
#include "gfid.h"
#include "vec.h"

struct gb_slot {
        gb_gfid parent;
        const char *name; /* not NUL-terminated, borrowed or arena-owned as the holder says */
        size_t len;       /* 1..GB_NAME_MAX */
};

bool gb_slot_eq(const struct gb_slot *a, const struct gb_slot *b);
int gb_slot_cmp(const struct gb_slot *a, const struct gb_slot *b);

/* The first event of a (gfid, slot) pair inside the window, on one brick. */
enum gb_claim_kind {
        GB_CLAIM_LOSS = 1,   /* UNLINK, RMDIR, RENAME from: the object had this name at T0 */
        GB_CLAIM_BORN = 2,   /* CREATE, MKDIR, SYMLINK, MKNOD of a special file: slot was empty at T0 */
        GB_CLAIM_ARRIVE = 3, /* RENAME to: the object did not have this name, another may have */
        GB_CLAIM_HEAL = 4,   /* MKNOD of a regular file: proves nothing (self-heal writes it too) */
        GB_CLAIM_LINK = 5    /* LINK: slot was empty at T0, the object existed under another name */
};

struct gb_claim {
        enum gb_claim_kind kind;
        struct gb_slot slot;
};

enum gb_fact_flags {
        GB_FACT_DATA = 1u << 0,  /* content changed (D, or M of the shard size key) */
        GB_FACT_META = 1u << 1,  /* mode, owner, times */
        GB_FACT_XATTR = 1u << 2, /* xattrs, ACLs */
        GB_FACT_DIR = 1u << 3,   /* is or was a directory (MKDIR, RMDIR, parent of a slot, or looked at) */
        GB_FACT_GONE = 1u << 4,  /* an UNLINK or RMDIR of this gfid is in the window */
        /* An E record of it lies in the newest closed slice or in the live one: other bricks may not have
         * delivered their copy of the event yet. */
        GB_FACT_RECENT = 1u << 5,
        /* It had records in the window before this one too: what was listed of it then may not have been
         * read yet.  Alone (or with DIR), without a claim: only if a directory was renamed in the window. */
        GB_FACT_BEFORE = 1u << 6,
        /* A RENAME of it does not say the parent of the new name (sharded volumes write a null gfid there):
         * a name was gained that only a look can tell. */
        GB_FACT_STRAY = 1u << 7
};

/* Result of looking for the object on this brick. */
enum gb_look {
        GB_LOOK_NONE = 0,    /* not asked */
        GB_LOOK_ABSENT = 1,  /* no handle, a linkto file, or no name left: not on this subvolume */
        GB_LOOK_PRESENT = 2, /* names[] is complete */
        GB_LOOK_PARTIAL = 3  /* present, but fewer names could be verified than st_nlink says */
};

struct gb_fact {
        gb_gfid gfid;
        uint32_t flags;
        enum gb_look look;
        char type; /* as in gb_entry; 0 when look is NONE or ABSENT */
        GB_VEC(struct gb_claim) claims;
        GB_VEC(struct gb_slot) names; /* T1 names; empty unless PRESENT or PARTIAL */
};

void gb_fact_fini(struct gb_fact *f);
/* Empty it, keep the allocations. */
void gb_fact_reset(struct gb_fact *f);

enum gb_item_kind { GB_ITEM_DIR = 1, GB_ITEM_FACT = 2, GB_ITEM_SECTION = 3, GB_ITEM_BRICK = 4 };
enum gb_brick_flags {
        /* Its process was restarted in the window: it may have been away while its siblings worked on, and
         * what it missed came later, in the words of a heal. */
        GB_BRICK_RESTARTED = 1u << 0,
        /* A client that had lost it came back in the window: it may have been away for that one.  It was if
         * one of its siblings ACCUSES. */
        GB_BRICK_RECONNECTED = 1u << 1,
        /* It noted, or struck out, that a sibling of it missed something, in the window or just before. */
        GB_BRICK_ACCUSES = 1u << 2,
        /* Its log does not tell whether a client lost it: it may have been if one of its siblings ACCUSES. */
        GB_BRICK_UNTOLD = 1u << 3,
        GB_BRICK_FLAGS = GB_BRICK_RESTARTED | GB_BRICK_RECONNECTED | GB_BRICK_ACCUSES | GB_BRICK_UNTOLD
};
enum gb_section { GB_SECTION_DIRS = 1, GB_SECTION_OBJECTS = 2, GB_SECTION_SHARDS = 3 };

/* 0 appended; 1 no room (nothing written); -1 impossible (a single item larger than the buffer). */
int gb_facts_put_dir(struct gb_buf *out, const gb_gfid *gfid, const struct gb_slot *slot);
int gb_facts_put_section(struct gb_buf *out, enum gb_section section);
int gb_facts_put_brick(struct gb_buf *out, uint32_t flags);
int gb_facts_put_fact(struct gb_buf *out, const struct gb_fact *f);

struct gb_item {
        enum gb_item_kind kind;
        gb_gfid gfid;        /* DIR */
        struct gb_slot slot; /* DIR */
        enum gb_section section;
        uint32_t brick_flags; /* BRICK: enum gb_brick_flags */
        struct gb_fact fact;  /* FACT; slots borrow from the fed bytes */
};

struct gb_facts_reader {
        struct gb_reader in;
        enum gb_section section; /* 0 before the first */
        uint64_t count;          /* facts returned */
        bool began;              /* an item was read: no BRICK may follow */
        bool has_last;
        gb_gfid last; /* order check within a section */
};

void gb_facts_reader_init(struct gb_facts_reader *r);
void gb_facts_feed(struct gb_facts_reader *r, const void *data, size_t len);
/* 1 and *item (initialised to zero once by the caller, reused; finish item->fact with gb_fact_fini),
 * 0 at the end of the block, -1 malformed: unknown kind, bad name, wrong order, count above limits. */
int gb_facts_next(struct gb_facts_reader *r, struct gb_item *item, struct gb_error *err);

/* One fact alone, the same layout without the kind byte (LOOK replies, spilled runs).  A failed encode
 * (no room, or a fact no reader would accept) writes nothing; a failed decode does not move. */
int gb_fact_encode(struct gb_buf *out, const struct gb_fact *f);
bool gb_fact_decode(struct gb_reader *in, struct gb_fact *f);

#endif
