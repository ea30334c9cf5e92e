/*
 * fuzz - what a harness is: one function that takes any bytes and must come back.
 *
 * Configured with --enable-fuzzing (clang), each fuzz_NAME is a libFuzzer program.  Otherwise replay.c gives
 * it a main() that runs the seeds of corpus/NAME and of the folders of tests/data named in fuzz_data, and
 * what becomes of each when it is cut short or some of its bytes change.
 *
 * A harness states what must hold by abort().
 */
#ifndef GB_FUZZ_H
#define GB_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Folders below tests/data with more seeds, NULL at the end. */
extern const char *const fuzz_data[];

#endif
