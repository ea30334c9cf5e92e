/*
 * fake_agent - a tiny agent behind the real dispatcher, to be included by one .c file of a test.
 *
 * It keeps the state machine of gbackup.x as far as streams go, and plays one game when told to.
 */
#ifndef GB_FAKE_AGENT_H
#define GB_FAKE_AGENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "server.h"
#include "wire_error.h"

enum fake_game {
        FAKE_HONEST,
        FAKE_WRONG_SEQ,  /* chunk `at` claims the seq after its own */
        FAKE_GOES_AWAY,  /* no answer to NEXT `at`: the connection ends */
        FAKE_FAILS,      /* NEXT `at` and all later ones are answered with an error */
        FAKE_TOO_LONG,   /* chunk `at` has one byte more than asked */
        FAKE_BACKWARDS,  /* chunk `at` counts fewer entries than the one before */
        FAKE_NEVER_ENDS, /* goes on after eof */
};

struct fake_agent {
        enum fake_game game;
        unsigned at;
        unsigned chunks;     /* of a stream */
        unsigned heartbeats; /* empty answers before each chunk */
        unsigned bulk;       /* bytes of boundary in SESSION_LOCK */
        bool short_counts;   /* EXISTS and TIMES answer for one path less, LOOK for one gfid more */
        bool nul_in_cursor;
        bool refuse_hello;
        unsigned long features; /* that it has besides, */
        unsigned long lacks;    /* and has not */
        unsigned chunk_max;

        bool streaming;
        unsigned seq, beats, made;
        unsigned nexts; /* NEXT calls seen */
        gbx_gfid gfid;  /* the last one a session call carried */
        char last[256]; /* the last text a session call carried */
};

static inline bool_t fake_error(bool_t *ok, gbx_error *out, enum gb_code code, const char *text)
{
        struct gb_error err;

        *ok = FALSE;
        gb_error_set(&err, code, "%s", text);
        gb_error_to_wire(&err, out);
        return TRUE;
}

/* A malloc'd copy, as results own what they hold. */
static inline char *fake_copy(const void *bytes, size_t n)
{
        char *copy = malloc(n ? n : 1);

        if (n)
                memcpy(copy, bytes, n);
        return copy;
}

#define FAKE_SET(field, prefix, text)                                                                        \
        ((field).prefix##_val = fake_copy((text), strlen(text)),                                             \
         (field).prefix##_len = (unsigned)strlen(text))

/* Byte i of chunk seq. */
static inline char fake_byte(unsigned seq, size_t i)
{
        return (char)(seq * 31u + i / 4096u);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wcast-function-type"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "gbackup_svc.c"

int gbackup_program_1_freeresult(SVCXPRT *xprt, xdrproc_t proc, caddr_t result)
{
        xdr_free(proc, result);
        return 1;
}

bool_t gbx_null_1_svc(void *arg, void *res, struct svc_req *req)
{
        return TRUE;
}

bool_t gbx_hello_1_svc(gbx_hello_arg *arg, gbx_hello_res *res, struct svc_req *req)
{
        struct fake_agent *a = gb_server_context(req);

        memset(res, 0, sizeof(*res));
        if (a->refuse_hello)
                return fake_error(&res->ok, &res->gbx_hello_res_u.error, GB_ERR_DENIED, "not you");
        gb_server_of(req)->request_max = GB_REQUEST_MAX;
        gb_server_of(req)->login_until = 0;
        res->ok = TRUE;
        res->gbx_hello_res_u.hello.features =
                (GBX_FEATURE_SHARDS | GBX_FEATURE_FACTS | a->features) & ~a->lacks;
        res->gbx_hello_res_u.hello.chunk_max = a->chunk_max ? a->chunk_max : GB_CHUNK_MAX;
        res->gbx_hello_res_u.hello.now_us = 1700000000000000;
        FAKE_SET(res->gbx_hello_res_u.hello.software, gbx_name, "fake 1");
        return TRUE;
}

bool_t gbx_topology_1_svc(gbx_topology_arg *arg, gbx_topology_res *res, struct svc_req *req)
{
        gbx_topology *t = &res->gbx_topology_res_u.topology;

        memset(res, 0, sizeof(*res));
        if (arg->volume.gbx_volname_len != 1)
                return fake_error(&res->ok, &res->gbx_topology_res_u.error, GB_ERR_NO_VOLUME,
                                  "no such volume");
        res->ok = TRUE;
        t->started = TRUE;
        t->set_size = 2;
        t->bricks.bricks_len = 2;
        t->bricks.bricks_val = calloc(2, sizeof(gbx_brickinfo));
        for (int i = 0; i < 2; i++) {
                t->bricks.bricks_val[i].index = i;
                FAKE_SET(t->bricks.bricks_val[i].host, gbx_name, i ? "node-b" : "node-a");
                FAKE_SET(t->bricks.bricks_val[i].path, gbx_brick, "/bricks/v");
        }
        return TRUE;
}

bool_t gbx_brick_status_1_svc(gbx_brick_arg *arg, gbx_brick_status_res *res, struct svc_req *req)
{
        memset(res, 0, sizeof(*res));
        res->ok = TRUE;
        res->gbx_brick_status_res_u.status.rollover = 15;
        res->gbx_brick_status_res_u.status.pending = arg->brick.gbx_brick_len;
        return TRUE;
}

bool_t gbx_cursor_1_svc(gbx_cursor_arg *arg, gbx_cursor_res *res, struct svc_req *req)
{
        const struct fake_agent *a = gb_server_context(req);

        memset(res, 0, sizeof(*res));
        res->ok = TRUE;
        FAKE_SET(res->gbx_cursor_res_u.cursor, gbx_cursor, "cursor v1");
        if (a->nul_in_cursor)
                res->gbx_cursor_res_u.cursor.gbx_cursor_val[3] = '\0';
        return TRUE;
}

bool_t gbx_open_1_svc(gbx_open_arg *arg, gbx_void_res *res, struct svc_req *req)
{
        struct fake_agent *a = gb_server_context(req);

        memset(res, 0, sizeof(*res));
        if (a->streaming)
                return fake_error(&res->ok, &res->gbx_void_res_u.error, GB_ERR_USAGE, "open already");
        a->streaming = true;
        a->seq = a->beats = a->made = 0;
        res->ok = TRUE;
        return TRUE;
}

static void fake_chunk(struct fake_agent *a, const gbx_next_arg *arg, gbx_chunk *out)
{
        bool game = arg->seq == a->at;
        unsigned len = arg->max_bytes + (game && a->game == FAKE_TOO_LONG);

        out->seq = arg->seq + (game && a->game == FAKE_WRONG_SEQ);
        out->progress = arg->seq;
        out->entries = a->made;
        if (a->beats < a->heartbeats) {
                a->beats++;
                return;
        }
        a->beats = 0;
        a->made++;
        out->entries = game && a->game == FAKE_BACKWARDS ? 0 : a->made;
        out->data.data_val = malloc(len);
        out->data.data_len = len;
        for (size_t i = 0; i < len; i += 4096)
                memset(out->data.data_val + i, fake_byte(a->made, i), len - i < 4096 ? len - i : 4096);
        if (a->made == a->chunks) {
                out->eof = TRUE;
                a->streaming = a->game == FAKE_NEVER_ENDS;
                FAKE_SET(out->cursor, gbx_cursor, "cursor v2");
        }
}

bool_t gbx_next_1_svc(gbx_next_arg *arg, gbx_next_res *res, struct svc_req *req)
{
        struct fake_agent *a = gb_server_context(req);

        memset(res, 0, sizeof(*res));
        a->nexts++;
        if (!a->streaming)
                return fake_error(&res->ok, &res->gbx_next_res_u.error, GB_ERR_USAGE, "no stream");
        if (arg->seq != a->seq + 1)
                return fake_error(&res->ok, &res->gbx_next_res_u.error, GB_ERR_PROTOCOL, "wrong seq");
        if (a->game == FAKE_GOES_AWAY && arg->seq == a->at)
                return FALSE;
        if (a->game == FAKE_FAILS && arg->seq >= a->at)
                return fake_error(&res->ok, &res->gbx_next_res_u.error, GB_ERR_BRICK_DOWN, "brick gone");
        a->seq = arg->seq;
        res->ok = TRUE;
        fake_chunk(a, arg, &res->gbx_next_res_u.chunk);
        return TRUE;
}

bool_t gbx_close_1_svc(void *arg, gbx_void_res *res, struct svc_req *req)
{
        struct fake_agent *a = gb_server_context(req);

        memset(res, 0, sizeof(*res));
        if (!a->streaming)
                return fake_error(&res->ok, &res->gbx_void_res_u.error, GB_ERR_USAGE, "no stream");
        a->streaming = false;
        res->ok = TRUE;
        return TRUE;
}

bool_t gbx_look_1_svc(gbx_look_arg *arg, gbx_look_res *res, struct svc_req *req)
{
        const struct fake_agent *a = gb_server_context(req);
        gbx_look_ok *out = &res->gbx_look_res_u.look;

        memset(res, 0, sizeof(*res));
        res->ok = TRUE;
        out->done = arg->gfids.gfids_len + a->short_counts;
        out->data.data_len = arg->gfids.gfids_len * 16;
        out->data.data_val = fake_copy(arg->gfids.gfids_val, out->data.data_len);
        return TRUE;
}

bool_t gbx_exists_1_svc(gbx_exists_arg *arg, gbx_exists_res *res, struct svc_req *req)
{
        const struct fake_agent *a = gb_server_context(req);
        unsigned n = arg->paths.paths_len - a->short_counts;

        memset(res, 0, sizeof(*res));
        res->ok = TRUE;
        res->gbx_exists_res_u.found.found_len = n;
        res->gbx_exists_res_u.found.found_val = calloc(n + 1, sizeof(gbx_exists_one));
        for (unsigned i = 0; i < n; i++)
                res->gbx_exists_res_u.found.found_val[i].type = (int)arg->paths.paths_val[i].gbx_path_len;
        return TRUE;
}

bool_t gbx_times_1_svc(gbx_times_arg *arg, gbx_times_res *res, struct svc_req *req)
{
        const struct fake_agent *a = gb_server_context(req);
        unsigned n = arg->paths.paths_len - a->short_counts;

        memset(res, 0, sizeof(*res));
        res->ok = TRUE;
        res->gbx_times_res_u.times.times_len = n;
        res->gbx_times_res_u.times.times_val = calloc(n + 1, sizeof(gbx_times_one));
        for (unsigned i = 0; i < n; i++)
                res->gbx_times_res_u.times.times_val[i].type = (int)arg->paths.paths_val[i].gbx_path_len;
        return TRUE;
}

/* "session/volume/rest", as a test can compare it. */
static bool_t fake_session(struct svc_req *req, gbx_void_res *res, gbx_name *session, gbx_volname *volume,
                           gbx_name *rest)
{
        struct fake_agent *a = gb_server_context(req);

        memset(res, 0, sizeof(*res));
        res->ok = TRUE;
        snprintf(a->last, sizeof(a->last), "%.*s/%.*s/%.*s", (int)session->gbx_name_len,
                 session->gbx_name_val, (int)volume->gbx_volname_len, volume->gbx_volname_val,
                 rest ? (int)rest->gbx_name_len : 0, rest ? rest->gbx_name_val : "");
        return TRUE;
}

bool_t gbx_session_register_1_svc(gbx_session_arg *arg, gbx_void_res *res, struct svc_req *req)
{
        struct fake_agent *a = gb_server_context(req);

        memcpy(a->gfid, arg->volume_id, sizeof(a->gfid));
        return fake_session(req, res, &arg->session, &arg->volume, NULL);
}

bool_t gbx_session_lock_1_svc(gbx_session_arg *arg, gbx_session_res *res, struct svc_req *req)
{
        const struct fake_agent *a = gb_server_context(req);
        gbx_session *out = &res->gbx_session_res_u.session;

        memset(res, 0, sizeof(*res));
        res->ok = TRUE;
        FAKE_SET(out->session, gbx_name, "s");
        FAKE_SET(out->committed.generation, gbx_name, "g1");
        out->committed.boundary.boundary_val = calloc(1, a->bulk + 1);
        out->committed.boundary.boundary_len = a->bulk;
        return TRUE;
}

bool_t gbx_session_unlock_1_svc(gbx_session_arg *arg, gbx_void_res *res, struct svc_req *req)
{
        return fake_session(req, res, &arg->session, &arg->volume, NULL);
}

bool_t gbx_session_prepare_1_svc(gbx_prepare_arg *arg, gbx_void_res *res, struct svc_req *req)
{
        return fake_session(req, res, &arg->session, &arg->volume, &arg->pending.generation);
}

bool_t gbx_session_commit_1_svc(gbx_commit_arg *arg, gbx_void_res *res, struct svc_req *req)
{
        return fake_session(req, res, &arg->session, &arg->volume, &arg->generation);
}

bool_t gbx_session_abort_1_svc(gbx_commit_arg *arg, gbx_void_res *res, struct svc_req *req)
{
        return fake_session(req, res, &arg->session, &arg->volume, &arg->generation);
}

bool_t gbx_session_unregister_1_svc(gbx_session_arg *arg, gbx_void_res *res, struct svc_req *req)
{
        return fake_session(req, res, &arg->session, &arg->volume, NULL);
}

bool_t gbx_session_list_1_svc(void *arg, gbx_sessions_res *res, struct svc_req *req)
{
        memset(res, 0, sizeof(*res));
        res->ok = TRUE;
        res->gbx_sessions_res_u.sessions.sessions_len = 1;
        res->gbx_sessions_res_u.sessions.sessions_val = calloc(1, sizeof(gbx_session));
        FAKE_SET(res->gbx_sessions_res_u.sessions.sessions_val[0].session, gbx_name, "s");
        return TRUE;
}

bool_t gbx_session_last_full_1_svc(gbx_session_arg *arg, gbx_generation_res *res, struct svc_req *req)
{
        memset(res, 0, sizeof(*res));
        res->ok = TRUE;
        FAKE_SET(res->gbx_generation_res_u.generation.generation, gbx_name, "full");
        return TRUE;
}

bool_t gbx_changelog_enable_1_svc(gbx_volume_arg *arg, gbx_enable_res *res, struct svc_req *req)
{
        memset(res, 0, sizeof(*res));
        res->ok = TRUE;
        res->gbx_enable_res_u.enable.was_on = TRUE;
        return TRUE;
}

bool_t gbx_examine_1_svc(gbx_brick_arg *arg, gbx_examine_res *res, struct svc_req *req)
{
        memset(res, 0, sizeof(*res));
        res->ok = TRUE;
        return TRUE;
}

bool_t gbx_changelog_usage_1_svc(gbx_usage_arg *arg, gbx_usage_res *res, struct svc_req *req)
{
        memset(res, 0, sizeof(*res));
        res->ok = TRUE;
        return TRUE;
}

bool_t gbx_changelog_purge_1_svc(gbx_usage_arg *arg, gbx_usage_res *res, struct svc_req *req)
{
        memset(res, 0, sizeof(*res));
        res->ok = TRUE;
        return TRUE;
}
#pragma GCC diagnostic pop

/* The limits a worker starts a connection with. */
static inline struct gb_server fake_server(struct gb_transport *t, struct fake_agent *a)
{
        return (struct gb_server){
                .transport = t,
                .dispatch = gbackup_program_1,
                .program = GBACKUP_PROGRAM,
                .version = GBACKUP_V1,
                .request_max = GB_REQUEST_MAX,
                .reply_max = GB_CHUNK_MAX + GB_REPLY_SLACK,
                .idle_ms = 5000,
                .context = a,
        };
}

#endif
