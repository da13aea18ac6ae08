/* SPDX-License-Identifier: MIT */
/*
 * early.c - one array, one counter
 *
 * Why nothing is used twice: a block may be freed by another thread, after fork,
 * or inside a signal handler, and a free list would need a lock for each. The
 * array costs address space until it is touched.
 */
#include "allocator/early.h"

#include <stdint.h>

#include "core/base/align.h"

#define BLOCK_ALIGN 16

char early_heap[EARLY_BYTES] __attribute__((aligned(4096), visibility("hidden")));

static size_t used;

/* The size stands in front of the block. */
static size_t *size_of(const void *at)
{
	return (size_t *)(uintptr_t)((const char *)at - BLOCK_ALIGN);
}

void *early_alloc(size_t bytes, size_t align, size_t limit)
{
	size_t from = __atomic_load_n(&used, __ATOMIC_RELAXED), at, end;

	if (align < BLOCK_ALIGN)
		align = BLOCK_ALIGN;
	if (bytes > limit || align > limit)
		return NULL;
	do {
		/* The array begins on a page; wider lines are those of addresses. */
		at = align_up((uintptr_t)early_heap + from + BLOCK_ALIGN, align) -
		     (uintptr_t)early_heap;
		end = align_up(at + bytes, BLOCK_ALIGN);
		if (end > limit)
			return NULL;
	} while (!__atomic_compare_exchange_n(&used, &from, end, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	*size_of(early_heap + at) = end - at;
	return early_heap + at;
}

size_t early_size(const void *at)
{
	return *size_of(at);
}
