/*
 * tally - see tally.h.
 */
#include <config.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "output.h"
#include "registry.h"
#include "tally.h"

static const struct {
        const char *name;
        size_t offset;
} members[] = {{"lists", offsetof(struct gb_tally, lists)},
               {"gaps", offsetof(struct gb_tally, gaps)},
               {"incomplete", offsetof(struct gb_tally, incomplete)},
               {"errors", offsetof(struct gb_tally, errors)},
               {"entries", offsetof(struct gb_tally, entries)},
               {"skipped", offsetof(struct gb_tally, skipped)}};
#define N_MEMBERS (sizeof(members) / sizeof(members[0]))

static uint64_t *member(struct gb_tally *t, size_t i)
{
        return (uint64_t *)(void *)((char *)t + members[i].offset);
}

void gb_tally_get(const char *session, struct gb_tally *t)
{
        GB_CLEANUP_FREE
        char *file = gb_registry_file(session, "tally");
        json_t *j = file ? json_load_file(file, JSON_REJECT_DUPLICATES, NULL) : NULL;

        memset(t, 0, sizeof(*t));
        for (size_t i = 0; i < N_MEMBERS; i++)
                *member(t, i) = (uint64_t)json_integer_value(json_object_get(j, members[i].name));
        json_decref(j);
}

static void put(const char *session, struct gb_tally *t)
{
        GB_CLEANUP_FREE
        char *file = gb_registry_file(session, "tally");
        GB_CLEANUP_FREE
        char *text = NULL;
        json_t *j = json_object();
        struct gb_error ignored;

        for (size_t i = 0; i < N_MEMBERS; i++)
                json_object_set_new(j, members[i].name, json_integer((json_int_t)*member(t, i)));
        text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
        json_decref(j);
        if (file && text)
                gb_output_text(file, text, &ignored);
}

void gb_tally_add(const char *session, int status, const struct gb_list_counts *last)
{
        bool written = status == GB_EXIT_OK || status == GB_EXIT_SKIPPED;
        struct gb_tally t;

        gb_tally_get(session, &t);
        t.lists += written;
        t.gaps += status == GB_EXIT_GAP;
        t.incomplete += status == GB_EXIT_INCOMPLETE;
        t.errors += !written && status != GB_EXIT_GAP && status != GB_EXIT_INCOMPLETE;
        if (written) {
                t.entries = last->entries;
                t.skipped = last->skipped;
        }
        put(session, &t);
}

void gb_tally_remove(const char *session)
{
        GB_CLEANUP_FREE
        char *file = gb_registry_file(session, "tally");

        if (file)
                unlink(file);
}
