/* SPDX-License-Identifier: MIT */
/*
 * guard.h - the program's own huge requests: proven before they return
 *
 * MAP_HUGETLB, files on hugetlbfs and memfds with MFD_HUGETLB. The program
 * knows that its memory is huge and wrote code for ENOMEM; what it has no code
 * for is SIGBUS at the first touch. So: proven, or ENOMEM (or small pages with
 * HUGETLB_EXPLICIT=small), and never rerouted.
 */
#ifndef HRESV_CORE_GUARD_H
#define HRESV_CORE_GUARD_H

#include <stdbool.h>

#include "core/decide/request.h"

/* mmap(2) with MAP_ANONYMOUS and MAP_HUGETLB. */
long guard_map(const struct request *rq);

/* mmap(2) of a file for which guard_is_hugetlbfs() holds. */
long guard_map_file(const struct request *rq);
bool guard_is_hugetlbfs(int fd);

/* mremap(2) of memory whose word is PAGE_GUARDED; sizes on base page lines. A guest of the gate. */
long guard_remap(uintptr_t at, size_t bytes, size_t new_bytes, int flags, uintptr_t to);

#endif
