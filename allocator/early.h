/* SPDX-License-Identifier: MIT */
/*
 * early.h - the heap before there is a heap
 *
 * Serves what is asked for while the engine isn't up yet: by the loader, by
 * other libraries' constructors, by the engine's own start, and by programs that
 * are through before they need more. Blocks are cut from one array and never
 * used again. Any thread and any signal handler may ask.
 */
#ifndef HRESV_ALLOCATOR_EARLY_H
#define HRESV_ALLOCATOR_EARLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All there is, and as much of it as a program may use before the engine starts. */
#define EARLY_BYTES ((size_t)1 << 20)
#define EARLY_BUDGET ((size_t)64 << 10)

extern char early_heap[EARLY_BYTES];

/* Zeroed, on a line of @align (a power of two); NULL when @limit would be passed. */
void *early_alloc(size_t bytes, size_t align, size_t limit);

/* How many bytes the block has. */
size_t early_size(const void *at);

static inline bool early_owns(const void *at)
{
	return (uintptr_t)at - (uintptr_t)early_heap < EARLY_BYTES;
}

#endif
