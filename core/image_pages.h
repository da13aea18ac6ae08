/* SPDX-License-Identifier: MIT */
/*
 * image_pages.h - which huge pages a segment could have, as the kernel has it mapped
 */
#ifndef HRESV_CORE_IMAGE_PAGES_H
#define HRESV_CORE_IMAGE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/act/graft.h"
#include "core/base/mem.h"
#include "core/image.h"

struct image_map {
	struct blob parts;	/* struct graft_part[]: what is mapped near the segment */
	uintptr_t brk;		/* where the heap ends now; UINTPTR_MAX: not known */
	uintptr_t heap_lo;	/* where the first of its mappings here begins, or 0 */
	bool alone;		/* no other thread can map anything meanwhile */
	bool failed;
};

/* Reads /proc/self/maps for [lo, hi). 0; -errno: nothing is known. */
int image_map_read(struct image_map *m, uintptr_t lo, uintptr_t hi);
void image_map_free(struct image_map *m);

/* The address range in which huge pages of @page_bytes could lie; empty: lo >= hi. */
void image_span(const struct image_segment *s, size_t page_bytes, uintptr_t *ret_lo,
		uintptr_t *ret_hi);

/*
 * The next run of pages from @at on, below @hi, that can be replaced by huge ones and
 * have one protection. False: there is none.
 */
struct image_run {
	uintptr_t lo, hi;
	int prot;
};
bool image_next_run(const struct image_map *m, const struct image_segment *s, size_t page_bytes,
		    uintptr_t at, uintptr_t hi, struct image_run *ret);

#endif
