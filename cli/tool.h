/*
 * tool - what the programs that read a list of paths can and cannot, in one table.
 *
 * Each is a format of its own (format_tools.c): the paths of format `paths` in the form this program reads
 * without a doubt, and a command line that goes with it.  What it could not store is not in its list.
 */
#ifndef GB_TOOL_H
#define GB_TOOL_H

#include <stdbool.h>
#include <stddef.h>

struct gb_tool {
        const char *lead;    /* in front of each path */
        bool null;           /* lines end in NUL; otherwise in a newline, and --null is refused */
        bool gone;           /* it removes what it is told of and does not find: names that are gone, too */
        bool gone_beside;    /* such names are of no use to it, but to who restores: FILE.gone */
        bool implies_dirs;   /* directories come with what is in them: only empty ones are listed */
        bool skips_dir_meta; /* of those, one that only changed is not stored, and is skipped */
        bool no_prefix;      /* paths are below a folder that the command line names */
        const char *types;   /* what it can store; NULL: everything */
        bool (*takes)(const char *path, size_t len); /* NULL: any path */
        const char *command;                         /* for a shell; %s is the list, quoted */
};

#endif
