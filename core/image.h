/* SPDX-License-Identifier: MIT */
/*
 * image.h - a program's own text and data on huge pages
 *
 * Segments lie where the loader put them, mapped from a file, so nothing can be
 * planned when they are made. Page by page, what can be had is built aside, proven,
 * filled and moved over what is there (graft.h); what can't stays as it is.
 */
#ifndef HRESV_CORE_IMAGE_H
#define HRESV_CORE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/act/pagemap.h"
#include "core/decide/request.h"

struct image_segment {
	uintptr_t lo, hi;		/* on lines of base pages */
	uintptr_t room_lo, room_hi;	/* between the segments beside it */
	enum use use;			/* USE_TEXT: not writable, of whatever kind */
	bool aligned;			/* pages that it fills in part, too */
	bool force;			/* not aligned: the whole pages inside */
};

/**
 * image_remap - makes @s huge as far as pages can be proven
 *
 * A huge page has one protection, so one that holds both constants (RELRO) and data
 * stays small. A heap (brk) that begins in an aligned segment's last page goes on
 * behind it, if the segment is data and nobody else runs; else that page stays small. Text without huge pages gets transparent ones, if they are
 * there at once. Once per segment, by one thread; others may run.
 * Returns how many bytes of it are on huge pages of either kind.
 */
size_t image_remap(const struct image_segment *s);

/*
 * madvise(2) with MADV_DONTNEED or MADV_FREE (@free) of [lo, hi), of one word of @use,
 * claimed. What was a file's reads as the file again, what was bss reads zero: text is
 * left as it is, for data the file is read again. -EINVAL where it can't be, and for
 * MADV_FREE of what was a file's.
 */
long image_discard(uintptr_t lo, uintptr_t hi, enum use use, bool free);

#endif
