/*
 * trim - give memory back that an idle process does not need.
 */
#ifndef GB_TRIM_H
#define GB_TRIM_H

/* Drop the pages of the program and its libraries that cannot have changed: whoever needs one again gets it
 * from the page cache.  Give free heap back. */
void gb_trim(void);

#endif
