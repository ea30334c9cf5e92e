/*
 * trim - see trim.h.
 *
 * Starting touches most of a dozen libraries that only workers use: 6 of 7 MiB that an idle listener would
 * keep resident.  Segments that are not writable are never different from their file, so dropping their pages
 * loses nothing; what lies in a writable segment stays.
 */
#include <config.h>

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trim.h"

static int drop(struct dl_phdr_info *info, size_t size, void *arg)
{
        uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

        (void)size, (void)arg;
        for (unsigned i = 0; i < info->dlpi_phnum; i++) {
                const ElfW(Phdr) *p = &info->dlpi_phdr[i];
                uintptr_t from = (info->dlpi_addr + p->p_vaddr) & ~(page - 1);
                uintptr_t to = (info->dlpi_addr + p->p_vaddr + p->p_filesz) & ~(page - 1);

                if (p->p_type == PT_LOAD && !(p->p_flags & PF_W) && to > from)
                        madvise((void *)from, to - from, MADV_DONTNEED);
        }
        return 0;
}

void gb_trim(void)
{
        malloc_trim(0);
        dl_iterate_phdr(drop, NULL);
}
