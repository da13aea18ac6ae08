/* SPDX-License-Identifier: MIT */
/*
 * dead.h - parts of a huge page that the program has unmapped, but the kernel can't
 *
 * A page of a segment, or of shared memory that another process maps, is not
 * split (demote.h). What the program unmaps of it stays mapped until the last
 * part goes, then the whole page does; or until the page can be split after all.
 */
#ifndef HRESV_CORE_ACT_DEAD_H
#define HRESV_CORE_ACT_DEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * [lo, hi) of the page at @page is gone for the program. True when that was the
 * last of it: the page is forgotten here, and the caller unmaps it.
 */
bool dead_note(uintptr_t page, size_t page_bytes, uintptr_t lo, uintptr_t hi);

/* Pages that lie in [lo, hi) are unmapped as a whole, or somebody else's now. */
void dead_forget(uintptr_t lo, uintptr_t hi);

/*
 * The page at @page could be split after all (what the kernel held for I/O it let go
 * of) and is small now: what is gone of it is unmapped at last. Never waits.
 */
void dead_unmap(uintptr_t page);

/* In a fork child: the lock's holder is not here. */
void dead_renew(void);
/* fork: nobody is half way through a change. */
void dead_freeze(void);
void dead_thaw(void);

#endif
