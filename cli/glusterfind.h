/*
 * glusterfind - the parts of gbackup-glusterfind.
 *
 *   glusterfind.c          arguments
 *   glusterfind_run.c      running gbackup-cli
 *   glusterfind_session.c  create, post, delete, list
 *   glusterfind_list.c     pre, query
 */
#ifndef GB_GLUSTERFIND_H
#define GB_GLUSTERFIND_H

#include <stdbool.h>

#include "exitcode.h"

struct gf_request {
        const char *session, *volume;
        char *outfile; /* absolute, owned */
        const char *prefix, *tag, *separator, *type, *since, *until, *only_session, *only_volume, *on_gap;
        bool force, reset_time, full, regenerate, no_encode, only_namespace;
};

/* The commands.  They return an exit status. */
int gf_create(const struct gf_request *r);
int gf_post(const struct gf_request *r);
int gf_delete(const struct gf_request *r);
int gf_list(const struct gf_request *r);
int gf_pre(const struct gf_request *r);
int gf_query(const struct gf_request *r);

/* One line on stderr; returns GB_EXIT_ERROR. */
int gf_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- running gbackup-cli ---- */

#define GF_WORDS_MAX 32
/* What argparse exits with, for usage and when it is interrupted. */
#define GF_EXIT_USAGE 2

struct gf_words {
        const char *w[GF_WORDS_MAX]; /* borrowed */
        unsigned n;
};

void gf_catch_interrupts(void);
void gf_add(struct gf_words *c, const char *word);
/* gbackup-cli --quiet COMMAND NAME */
struct gf_words gf_cli(const char *command, const char *name);
/* Run it; with `out`, read what it prints (malloc'd).  The exit status, or 1. */
int gf_run(const struct gf_words *c, char **out);
/* Ours for gbackup-cli's: 2 means usage here. */
int gf_status_of(int cli_status);
/* This node: by its gbackupd, or where none runs by one of our own. */
const char *gf_host(void);

/* ---- sessions ---- */

#define GF_NAME_MAX 1300

/* gbackup's name of the session of a command that needs one: an exit status, said if it is not GB_EXIT_OK. */
int gf_find_session(const struct gf_request *r, char name[GF_NAME_MAX]);
/* 1: some agent has a list prepared that is not committed, 0, -1 (said). */
int gf_is_prepared(const char *name);

#endif
