/* SPDX-License-Identifier: MIT */
/*
 * image_heap.h - the heap (brk) that begins in a segment's last huge page
 *
 * Without randomized addresses, or by chance, the program break lies right behind bss.
 * A huge page there would be in the heap's way, so the break is first raised to the
 * page's end: what the heap has of the page, mostly nothing yet, is copied along, and
 * the heap goes on behind it.
 */
#ifndef HRESV_CORE_IMAGE_HEAP_H
#define HRESV_CORE_IMAGE_HEAP_H

#include "core/image.h"

struct image_heap {
	uintptr_t was;		/* where the break was before; 0: it wasn't raised */
	uintptr_t line;		/* where it is now */
};

/* Raises the break where it lies in the last page of @s, and that page could be huge. */
void image_heap_raise(const struct image_segment *s, struct image_heap *ret_heap);

/* All has been tried: the break goes back unless the page became huge. */
void image_heap_settle(const struct image_heap *heap);

/* Where the break is now; UINTPTR_MAX: the kernel doesn't say. */
uintptr_t image_heap_end(void);

#endif
