/* SPDX-License-Identifier: MIT */
/*
 * commit.h - address space reserved first and committed later, piece by piece
 *
 * JVMs, JavaScript engines and allocators map large PROT_NONE ranges and turn
 * them into memory by mprotect() or by MAP_FIXED. The page map remembers such
 * ranges (PAGE_RESERVED: never yet accessible, so without content); whole
 * granules that are committed readable and writable become huge pages as far
 * as they can be proven.
 */
#ifndef HRESV_CORE_COMMIT_H
#define HRESV_CORE_COMMIT_H

#include <stdint.h>

#include "core/act/pagemap.h"
#include "core/decide/request.h"

/* Remembers a private anonymous PROT_NONE mapping the program just made. */
void commit_note_reserved(uintptr_t lo, uintptr_t hi);

/*
 * mprotect(2) of [lo, hi), all PAGE_RESERVED and claimed, to @prot. Sets the
 * words. 0 or the kernel's -errno.
 */
long commit_reserved(uintptr_t lo, uintptr_t hi, page_word word, int prot);

/*
 * [lo, hi) was just mapped by the program, private, anonymous, small, readable
 * and writable, and the call that did it has not returned: whole granules become
 * huge as far as they can be proven. Words are set; nothing can fail.
 */
void commit_fresh(const struct request *rq, uintptr_t lo, uintptr_t hi);

#endif
