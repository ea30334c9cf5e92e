/*
 * cli - what every command needs: the options, the cancel descriptor, and messages.
 */
#ifndef GB_CLI_H
#define GB_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/select.h"

/* Of gb_formats[] (list.h), in its order. */
enum gb_format {
        GB_FORMAT_PATHS,
        GB_FORMAT_CHANGES,
        GB_FORMAT_JSONL,
        GB_FORMAT_GLUSTERFIND,
        GB_FORMAT_RSYNC,
        GB_FORMAT_TAR,
        GB_FORMAT_BSDTAR,
        GB_FORMAT_CPIO,
        GB_FORMAT_BORG,
        GB_FORMAT_RESTIC,
        GB_FORMAT_RCLONE,
        GB_FORMAT_NETBACKUP,
        GB_FORMAT_CSV,
        GB_FORMAT_TSV,
        GB_FORMATS
};
/* What a run of a session tells of. */
enum gb_list_level {
        GB_LEVEL_AUTO,        /* full the first time, then incremental */
        GB_LEVEL_FULL,        /* everything */
        GB_LEVEL_INCREMENTAL, /* since the last run */
        GB_LEVEL_CUMULATIVE,  /* since the last full */
        GB_LEVEL_MARK         /* no names: the consumer copies the whole tree; counts as a full */
};
enum gb_progress_mode { GB_PROGRESS_AUTO, GB_PROGRESS_NONE, GB_PROGRESS_JSON };

struct gb_op;

/* A list that goes to a function instead of a file. */
struct gb_sink {
        int (*each)(void *arg, const struct gb_op *op, struct gb_error *err);
        void *arg;
        bool expand;         /* with what lies below renamed directories */
        bool full;           /* out, when the list is opened */
        char generation[64]; /* out; empty: none */
};

struct gb_options {
        struct gb_sink *sink; /* NULL: out_file */
        const char *out_file; /* "-": stdout */
        enum gb_format format;
        enum gb_list_level level;
        unsigned split;           /* the list in so many files; 0: in one */
        bool null;                /* lines end in NUL */
        const char *prefix;       /* put before every path, with a slash; NULL: none */
        struct gb_select *select; /* --scope, --include, --exclude */
        const char *types;        /* letters of gb_entry types to list; NULL: all */
        /* Format glusterfind only. */
        const char *field_separator; /* NULL: a blank */
        const char *full_tag;        /* the word of a full list's lines, "": none; NULL: NEW */
        bool no_encode;              /* raw bytes */
        bool encode_plus;            /* '+' too, for readers that take it for a blank */
        bool only_namespace;         /* no MODIFY */
        /* Format netbackup only. */
        bool raw_wildcards;    /* no backslash before wildcards */
        bool all_directories;  /* changed directories, with all they hold, are lines too */
        const char *last_line; /* a path the list ends with, so that it is never empty; NULL: none */
        bool partial;          /* list although a replica set is missing (exit status stays 2) */
        bool full_on_gap;      /* a replica set with a gap in its history is listed in full */
        bool sweep;            /* add what changed without a record, by ctime */
        bool no_manifest;      /* no FILE.manifest beside the list */
        bool show_command;     /* print what reads the list, nothing else */
        bool json;             /* status-like commands */
        bool no_cumulative;    /* changelog: what only runs since the last full need may go */
        bool yes;              /* changelog purge: do it */
        unsigned keep_days;    /* changelog purge: history of that many days stays */
        const char *textfile;  /* metrics: write them here; NULL: stdout */
        bool quiet;
        enum gb_progress_mode progress;
        bool renew;          /* tls: make new keys */
        const char *tls_dir; /* key and certificates; NULL: default */
        const char *port;    /* of agents; NULL: default */
        const char *rsh;     /* reach agents by this program: `RSH HOST gbackupd --single` */
};

struct gb_cli {
        struct gb_options o;
        int cancel_fd; /* readable after SIGINT or SIGTERM */
};

/* From here on a first signal no longer cancels what waits for an agent: what is under way takes milliseconds
 * and should not be torn.  If it does take longer the program ends all the same. */
void gb_cancel_hold(void);
/* In a child that is to go on when its parent is cancelled: a cancel descriptor of its own.  -1: error. */
int gb_cancel_apart(void);

/* One line to stderr, "gbackup-cli: " in front, control characters made visible. */
void gb_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same, unless --quiet. */
void gb_note(const struct gb_cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
