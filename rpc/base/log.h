/*
 * log - levelled lines to stderr, with journald's <N> priority prefix when stderr is the journal
 * (JOURNAL_STREAM is set); there with fields of their own as well.  Programs log; libraries return errors and
 * do not.
 */
#ifndef GB_LOG_H
#define GB_LOG_H

enum gb_level { GB_LOG_ERROR = 3, GB_LOG_WARNING = 4, GB_LOG_NOTICE = 5, GB_LOG_INFO = 6, GB_LOG_DEBUG = 7 };

/* Name in front of every line (borrowed, must stay alive) and the highest level that is printed. */
void gb_log_setup(const char *program, enum gb_level level);
enum gb_level gb_log_level(void);

/* From now on every line of this process bears it in the journal, as GBACKUP_<NAME>=value: who is served,
 * which session, volume, brick (journalctl GBACKUP_SESSION=nightly).  Names are capital letters; `value` is
 * copied; NULL or empty: no more.  On another stderr nothing is to be seen of it. */
void gb_log_field(const char *name, const char *value);

/* "error" "warning" "notice" "info" "debug" to a level; -1 for anything else. */
int gb_log_parse_level(const char *name);

/* One line, at most 2048 bytes; control characters are shown as \xNN.  Each level is limited to 200
 * lines in any second; what was suppressed is counted and said afterwards. */
void gb_log(enum gb_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
