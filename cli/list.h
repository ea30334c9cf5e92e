/*
 * list - an out-file in one of the formats, with its counts and what could not be expressed.
 *
 * Formats are a table of begin/line/end (format_*.c).  A line a format cannot express (a newline in
 * `paths` without --null) goes to FILE.skipped, NUL-terminated, and is counted.  Names that are gone may
 * stand beside it in FILE.gone (tool.h).  FILE.manifest tells what the list was made from (manifest.h).
 */
#ifndef GB_LIST_H
#define GB_LIST_H

#include "cli.h"
#include "base/block.h"
#include "base/select.h"
#include "merge.h"
#include "op.h"
#include "output.h"
#include "parts.h"
#include "tool.h"
#include "volume.h"

struct gb_window;
struct gb_gone;

struct gb_list_info {
        const char *kind; /* "full" or "incremental" */
        const struct gb_volume *volume;
        enum gb_list_level level;       /* of a session's list; MARK: there are no names */
        const char *session;            /* NULL: none */
        const char *generation;         /* NULL: none */
        const char *base;               /* generation it builds on; NULL or empty: none */
        const struct gb_window *window; /* NULL: none */
        const struct gb_select *select; /* NULL: everything */
        const char *types;              /* letters of what it is of; NULL: all */
        const bool *full_sets; /* replica sets that are listed in full because of a gap; NULL: none */
};

struct gb_list {
        const struct gb_cli *cli;
        const struct gb_list_info *info;
        const struct gb_format_ops *format;
        struct gb_parts parts;
        struct gb_output *skipped;  /* opened when first needed */
        struct gb_output *beside;   /* FILE.gone; NULL: not wanted */
        struct gb_output *manifest; /* NULL: not yet, or not wanted */
        int64_t started;            /* this host's clock */
        bool begun;                 /* the header is written, with the first line or the end */
        struct gb_list_counts counts;
        struct gb_buf line;     /* the line being made */
        struct gb_buf full;     /* prefix and path */
        char last[GB_PATH_MAX]; /* `paths`: one line a path */
        size_t last_len;
        struct gb_op held; /* a directory that may be empty: its path is held_path; len 0: none */
        char held_path[GB_PATH_MAX];
        struct gb_gone *gone; /* NULL: not asked for */
};

enum gb_line { GB_LINE_NONE = 0, GB_LINE_DONE = 1, GB_LINE_SKIPPED = 2 };

struct gb_format_ops {
        const char *name;
        bool wants_gfids;                /* a full list should carry gfids */
        bool wants_expanded;             /* descendants of renamed directories are lines of their own */
        bool tells_mark;                 /* has a list even for GB_LEVEL_MARK; else no file is written then */
        const struct gb_tool *tool;      /* NULL: for no program in particular */
        int (*begin)(struct gb_list *l); /* of each part; NULL: nothing */
        /* Append the line for an op to l->line.  NONE: this format has no line for it; SKIPPED: it cannot
         * be expressed; -1: out of memory. */
        int (*line)(struct gb_list *l, const struct gb_op *op);
        int (*end)(struct gb_list *l, bool complete); /* of each part; NULL: nothing */
};

extern const struct gb_format_ops gb_format_tools[];
extern const struct gb_format_ops gb_format_paths, gb_format_changes, gb_format_jsonl, gb_format_glusterfind,
        gb_format_netbackup;
extern const struct gb_format_ops gb_format_csv, gb_format_tsv;
/* All formats, by enum gb_format. */
extern const struct gb_format_ops *const gb_formats[GB_FORMATS];
/* GB_FORMATS: there is none of that name. */
enum gb_format gb_format_find(const char *name);

/* `c` and `info` are borrowed. */
int gb_list_open(struct gb_list *l, const struct gb_cli *c, const struct gb_list_info *info,
                 struct gb_error *err);
int gb_list_op(struct gb_list *l, const struct gb_op *op, struct gb_error *err);
int gb_list_entry(struct gb_list *l, const struct gb_entry *e, struct gb_error *err);
/* Is a full list nothing but its paths, one a line?  Then gb_merge_lines() may write many at a time, after
 * the first call, and the second one counts them.  1, 0: give entries; -1. */
int gb_list_lines(struct gb_list *l, struct gb_merge_lines *lines, struct gb_error *err);
void gb_list_lined(struct gb_list *l, const struct gb_merge_lines *lines);
/* Trailer, manifest, flush, sync. */
int gb_list_finish(struct gb_list *l, bool complete, struct gb_error *err);
/* Put the files in place. */
int gb_list_publish(struct gb_list *l, struct gb_error *err);
void gb_list_discard(struct gb_list *l);

/* Helpers of the formats: a path with --prefix in front. */
int gb_list_put_path(struct gb_list *l, const char *path, size_t len);
bool gb_is_utf8(const uint8_t *p, size_t len);

#endif
