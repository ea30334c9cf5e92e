/*
 * full, inc - lists without a session.
 */
#include <config.h>

#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "make.h"
#include "progress.h"
#include "selection.h"
#include "when.h"

int gb_fail(const struct gb_error *err)
{
        gb_progress_end();
        /* The code is where gbackup-errors(7) has the message. */
        gb_say("%s [%s]", err->text, gb_code_name(err->code));
        return gb_exit_of(err->code);
}

int gb_list_status(const struct gb_cli *c, const struct gb_list *l)
{
        const char *cure = c->o.format == GB_FORMAT_NETBACKUP ? "" : ", or use --null";
        uint64_t skipped = l->counts.skipped;

        gb_progress_end();
        if (l->info)
                gb_progress_sum(c, l->info->kind, l->counts.entries,
                                strcmp(c->o.out_file, "-") == 0 || c->o.split ? "" : c->o.out_file);
        if (!skipped)
                return GB_EXIT_OK;
        if (strcmp(c->o.out_file, "-") == 0)
                gb_say("%" PRIu64 " names cannot be expressed in this format and are not in the list%s",
                       skipped, cure);
        else
                gb_say("%" PRIu64 " names cannot be expressed in this format: see %s.skipped%s", skipped,
                       c->o.out_file, cure);
        return GB_EXIT_SKIPPED;
}

int gb_cmd_full(const struct gb_cli *c, int argc, char **argv)
{
        struct gb_error err = {0};
        struct gb_volume v;
        struct gb_list_info info = {.kind = "full", .volume = &v, .select = c->o.select, .types = c->o.types};
        struct gb_list l = {0};
        bool complete = true;
        int rc;

        (void)argc;
        if (gb_volume_open(c, argv[0], argv[1], false, &v, &err) < 0)
                return gb_fail(&err);
        rc = gb_selection_check(&v, c->o.select, &err);
        if (rc == 0)
                rc = gb_list_open(&l, c, &info, &err);
        if (rc == 0)
                rc = gb_make_full(c, &v, &l, &complete, &err);
        if (rc == 0)
                rc = gb_list_publish(&l, &err);
        rc = rc < 0 ? gb_fail(&err) : gb_list_status(c, &l);
        gb_list_discard(&l);
        gb_volume_close(&v);
        return complete ? rc : GB_EXIT_INCOMPLETE;
}

int gb_cmd_inc(const struct gb_cli *c, int argc, char **argv)
{
        struct gb_error err = {0};
        struct gb_volume v;
        struct gb_window w = {0};
        struct gb_list_info info = {
                .kind = "incremental", .volume = &v, .select = c->o.select, .types = c->o.types};
        struct gb_list l = {0};
        int64_t start, end;
        int rc;

        (void)argc;
        if (gb_when(argv[2], &start, &err) < 0 || gb_when(argv[3], &end, &err) < 0)
                return gb_fail(&err);
        if (start >= end) {
                gb_error_set(&err, GB_ERR_USAGE, "START (%s) must be before END (%s)", argv[2], argv[3]);
                return gb_fail(&err);
        }
        if (gb_volume_open(c, argv[0], argv[1], false, &v, &err) < 0)
                return gb_fail(&err);
        rc = gb_window_init(&w, &v, &err);
        for (unsigned i = 0; rc == 0 && i < v.n_bricks; i++) {
                w.bricks[i].by_time = true;
                w.bricks[i].start = start;
                w.bricks[i].end = end;
        }
        w.full_on_gap = c->o.full_on_gap;
        w.sweep = c->o.sweep;
        info.full_sets = w.full_sets;
        info.window = &w;
        if (rc == 0)
                rc = gb_list_open(&l, c, &info, &err);
        if (rc == 0)
                rc = gb_make_changes(c, &v, &w, &l, &err);
        if (rc == 0)
                rc = gb_list_publish(&l, &err);
        rc = rc < 0 ? gb_fail(&err) : gb_list_status(c, &l);
        gb_list_discard(&l);
        gb_window_fini(&w, &v);
        gb_volume_close(&v);
        return rc;
}
