/*
 * lost - see lost.h.
 *
 * The walk gives directories in path order, those above first; so the gfids of the directories above the
 * present one are a stack.
 *
 * The file is the encoded notes, one behind the other; one that cannot be read is as good as none.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/gfidmap.h"
#include "base/limits.h"
#include "base/order.h"
#include "base/vec.h"
#include "lost.h"
#include "walk.h"

#define NOTES_MAX ((size_t)64 * 1024)
#define FILE_MAX  ((size_t)32 * 1024 * 1024)

struct note {
        gb_gfid parent;
        const char *name; /* arena */
        size_t len;
};

/* A directory above the present one. */
struct above {
        size_t path_len;
        gb_gfid gfid;
};

struct gb_lost {
        const struct gb_brick *brick;
        struct gb_gfidmap notes; /* of struct note */
        struct gb_arena names;
        bool loaded, searched;
        struct gb_walk *walk; /* of a search under way */
        GB_VEC(struct above) above;
};

struct gb_lost *gb_lost_new(const struct gb_brick *b, struct gb_error *err)
{
        struct gb_lost *l = calloc(1, sizeof(*l));

        if (!l) {
                gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory for directories", b->path);
                return NULL;
        }
        l->brick = b;
        gb_gfidmap_init(&l->notes, sizeof(struct note));
        gb_arena_init(&l->names);
        return l;
}

void gb_lost_free(struct gb_lost *l)
{
        if (!l)
                return;
        if (l->walk)
                gb_walk_close(l->walk);
        gb_gfidmap_fini(&l->notes);
        gb_arena_fini(&l->names);
        gb_vec_free(&l->above);
        free(l);
}

int gb_lost_note(struct gb_lost *l, const gb_gfid *dir, const struct gb_slot *slot, struct gb_error *err)
{
        struct note *n = NULL;
        const char *name;

        if (l->notes.n >= NOTES_MAX)
                return gb_error_set(err, GB_ERR_LIMIT, "%s: more than %zu directories have no handle",
                                    l->brick->path, NOTES_MAX);
        name = gb_arena_dup(&l->names, slot->name, slot->len);
        if (name)
                n = gb_gfidmap_put(&l->notes, dir, NULL);
        if (!n)
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory for directories", l->brick->path);
        *n = (struct note){.parent = slot->parent, .name = name, .len = slot->len};
        return 0;
}

/* ---- the file ---- */

static void take_notes(struct gb_lost *l, const uint8_t *data, size_t size)
{
        struct gb_reader in = {.p = data, .end = data + size};
        gb_gfid dir;
        struct gb_slot slot;
        const uint8_t *name;
        struct gb_error ignored;

        while (gb_get_gfid(&in, &dir) && gb_get_gfid(&in, &slot.parent) &&
               gb_get_bytes(&in, GB_NAME_MAX, &name, &slot.len) &&
               gb_name_valid((const char *)name, slot.len)) {
                slot.name = (const char *)name;
                if (gb_lost_note(l, &dir, &slot, &ignored) < 0)
                        return;
        }
}

static void load(struct gb_lost *l)
{
        GB_CLEANUP_BUF
        struct gb_buf file = GB_BUF_INIT(FILE_MAX + 1);
        struct gb_error ignored;

        if (!l->loaded && l->brick->notes && gb_file_read(l->brick->notes, FILE_MAX, &file, &ignored) == 0)
                take_notes(l, file.data, file.len);
        l->loaded = true;
}

static int put_notes(const struct gb_lost *l, struct gb_buf *to)
{
        size_t at = 0;
        gb_gfid dir;
        void *value;

        while (gb_gfidmap_next(&l->notes, &at, &dir, &value)) {
                const struct note *n = value;

                if (gb_buf_put_gfid(to, &dir) < 0 || gb_buf_put_gfid(to, &n->parent) < 0 ||
                    gb_buf_put_bytes(to, n->name, n->len) < 0)
                        return -1;
        }
        return 0;
}

/* The others have to search themselves if it cannot be written. */
static void save(const struct gb_lost *l)
{
        GB_CLEANUP_BUF
        struct gb_buf file = GB_BUF_INIT(FILE_MAX);
        struct gb_error ignored;

        if (!l->brick->notes || (!l->notes.n && access(l->brick->notes, F_OK) < 0))
                return; /* none, as most often */
        if (put_notes(l, &file) == 0)
                gb_file_write(l->brick->notes, file.data ? file.data : (const uint8_t *)"", file.len, 0600,
                              &ignored);
}

/* ---- searching ---- */

int gb_lost_find(struct gb_lost *l, const gb_gfid *dir, struct gb_slot *out)
{
        const struct note *n;

        load(l);
        n = gb_gfidmap_get(&l->notes, dir);
        if (!n)
                return 0;
        *out = (struct gb_slot){.parent = n->parent, .name = n->name, .len = n->len};
        return 1;
}

static bool has_handle(const struct gb_lost *l, const gb_gfid *dir)
{
        char path[GB_HANDLE_TEXT];
        struct stat st;

        return fstatat(l->brick->handles_fd, gb_handle_path(dir, path), &st, AT_SYMLINK_NOFOLLOW) == 0 ||
               errno != ENOENT;
}

/* A directory the walk came by. */
static int pass(struct gb_lost *l, const struct gb_entry *e, struct gb_error *err)
{
        const char *slash = memrchr(e->path, '/', e->len);
        size_t parent_len = slash ? (size_t)(slash - e->path) : 0;
        struct gb_slot slot = {.parent = GB_GFID_ROOT};

        while (l->above.n && l->above.v[l->above.n - 1].path_len > parent_len)
                l->above.n--;
        if (l->above.n)
                slot.parent = l->above.v[l->above.n - 1].gfid;
        slot.name = slash ? slash + 1 : e->path;
        slot.len = e->len - (size_t)(slot.name - e->path);
        if (gb_vec_push(&l->above, ((struct above){.path_len = e->len, .gfid = e->gfid})) < 0)
                return gb_error_set(err, GB_ERR_MEMORY, "%s: out of memory for directories", l->brick->path);
        return has_handle(l, &e->gfid) ? 0 : gb_lost_note(l, &e->gfid, &slot, err);
}

int gb_lost_search(struct gb_lost *l, gb_deadline until, struct gb_error *err)
{
        const struct gb_walk_options o = {.gfids = true, .dirs = true};
        struct gb_entry e;
        int rc;

        if (l->searched)
                return 0;
        load(l);
        if (!l->walk)
                l->walk = gb_walk_open(l->brick, &o, err);
        if (!l->walk)
                return -1;
        while ((rc = gb_walk_next(l->walk, until, &e, err)) == 1)
                if (e.type == 'd' && pass(l, &e, err) < 0)
                        return -1;
        if (rc != 0)
                return rc < 0 ? -1 : 1;
        gb_walk_close(l->walk);
        l->walk = NULL;
        l->searched = true;
        save(l);
        return 0;
}

bool gb_lost_searched(const struct gb_lost *l)
{
        return l->searched;
}
