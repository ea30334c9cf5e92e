/*
 * exitcode - each exit status of gbackup-cli, once (design section 2).
 */
#ifndef GB_EXITCODE_H
#define GB_EXITCODE_H

#include "base/error.h"

enum gb_exit {
        GB_EXIT_OK = 0,
        GB_EXIT_ERROR = 1,
        GB_EXIT_INCOMPLETE = 2,
        GB_EXIT_GAP = 3,
        GB_EXIT_BUSY = 4,
        GB_EXIT_SKIPPED = 5,
        GB_EXIT_USAGE = 64,
        GB_EXIT_NO_AGENT = 69,
        GB_EXIT_CONFIG = 78
};

static inline int gb_exit_of(enum gb_code code)
{
        switch (code) {
        case GB_OK:
                return GB_EXIT_OK;
        case GB_ERR_INCOMPLETE:
        case GB_ERR_BRICK_DOWN:
                return GB_EXIT_INCOMPLETE;
        case GB_ERR_GAP:
        case GB_ERR_CHANGELOG_OFF:
                return GB_EXIT_GAP;
        case GB_ERR_BUSY:
                return GB_EXIT_BUSY;
        case GB_ERR_SKIPPED:
                return GB_EXIT_SKIPPED;
        case GB_ERR_USAGE:
                return GB_EXIT_USAGE;
        case GB_ERR_NO_AGENT:
                return GB_EXIT_NO_AGENT;
        case GB_ERR_CONFIG:
                return GB_EXIT_CONFIG;
        default:
                return GB_EXIT_ERROR;
        }
}

#endif
