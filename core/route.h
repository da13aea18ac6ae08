/* SPDX-License-Identifier: MIT */
/*
 * route.h - the story of a request, top to bottom
 *
 * The edges (preload/, allocator/, api/) turn a call into one of these and
 * hand the result back unchanged. Values are the kernel's: an address or 0, or
 * -errno exactly as the real call would have given on small pages.
 *
 * All are safe from any thread and from signal handlers, before main() too.
 */
#ifndef HRESV_CORE_ROUTE_H
#define HRESV_CORE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/decide/request.h"

/* mmap(2), any request: rerouted, guarded, or passed on. */
long route_map(const struct request *rq);

/* munmap(2) of anything. */
long route_unmap(uintptr_t at, size_t bytes);

/*
 * mprotect(2), or pkey_mprotect(2) with @pkey >= 0. Address space that the
 * program had reserved and now commits is built of huge pages where they can be
 * proven.
 */
long route_protect(uintptr_t at, size_t bytes, int prot, int pkey);

/* madvise(2). */
long route_advise(uintptr_t at, size_t bytes, int advice);

/* mremap(2); @to counts with MREMAP_FIXED or MREMAP_DONTUNMAP only. */
long route_remap(uintptr_t at, size_t bytes, size_t new_bytes, int flags, uintptr_t to);

/* mlock2(2) (flags 0: mlock) and munlock(2). */
long route_lock(uintptr_t at, size_t bytes, unsigned flags);
long route_unlock(uintptr_t at, size_t bytes);

/* mlockall(2) with @flags, or munlockall(2) (0), has succeeded. Locks what comes, too? */
void route_note_all_locked(int flags);
bool route_locks_new(void);
/* In a fork child: locks are not inherited. */
void route_forget_locks(void);

/* msync(2). */
long route_sync(uintptr_t at, size_t bytes, int flags);

/*
 * For calls the kernel wants on huge page lines (mbind) or not at all on huge
 * pages (@whole: remap_file_pages): makes [at, at + bytes) fit for it.
 * 0; -ENOMEM; -EBUSY: a page there can't be split.
 */
long route_make_small(uintptr_t at, size_t bytes, bool whole);

/*
 * The program's own userfaultfd will see the first fault of each small page here: what is
 * zero goes, what is not becomes small, and none of it is huge again. As above.
 */
int route_make_sparse(uintptr_t at, size_t bytes);

/*
 * Is any of [at, at + bytes) ours? The edges ask this first and make the plain
 * call when it is not. Costs two loads for a range that fits a granule.
 */
bool route_concerns(uintptr_t at, size_t bytes);

#endif
