/* SPDX-License-Identifier: MIT */
/*
 * class.h - the engine's size classes, and which of them a block is of
 *
 * Classes of up to CLASS_MOST bytes have numbers from 1 on; 0 is every other size.
 * The engine cuts a slab into blocks of one class, and larger blocks begin on a page
 * of their own: so one byte for each 4 KiB says what a block is. The byte is written
 * by who has a block there and hands it out, is the same for all blocks that live in
 * that page, and is 0 where blocks are not told: then the engine is asked.
 *
 * Every block that is handed out must be told, or the byte may be of an earlier slab.
 */
#ifndef HRESV_ALLOCATOR_CLASS_H
#define HRESV_ALLOCATOR_CLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/act/pagemap.h"

#define CLASS_MOST ((size_t)64 << 10)
#define CLASSES_MOST 64

#define CLASS_FINE 1024			/* up to here a table by 8 bytes, beyond by 128 */
#define CLASS_PAGE_SHIFT 12
#define CLASS_LEAF_SHIFT 32		/* 1 MiB of bytes for 4 GiB of addresses */
#define CLASS_LEAF_PAGES ((size_t)1 << (CLASS_LEAF_SHIFT - CLASS_PAGE_SHIFT))
#define CLASS_LEAVES ((size_t)1 << (PAGEMAP_ADDRESS_BITS - CLASS_LEAF_SHIFT))

struct classes {
	uint8_t fine[CLASS_FINE / 8 + 1];
	uint8_t coarse[CLASS_MOST / 128 + 1];
	uint8_t n;			/* the last class */
	uint32_t bytes[CLASSES_MOST];
};

extern struct classes classes __attribute__((visibility("hidden")));
extern uint8_t *class_leaves[CLASS_LEAVES] __attribute__((visibility("hidden")));

/* Asks the engine for its classes. Without them every block is of class 0. */
void classes_start(void);

/* Of a block that is asked for; @bytes are at most CLASS_MOST. */
static inline unsigned class_for(size_t bytes)
{
	return bytes <= CLASS_FINE ? classes.fine[(bytes + 7) / 8] :
				     classes.coarse[(bytes + 127) / 128];
}

/* Of a block that was handed out, or of whatever else is said to be one. */
static inline unsigned class_at(const void *at)
{
	const uint8_t *leaf = __atomic_load_n(
		&class_leaves[(uintptr_t)at >> CLASS_LEAF_SHIFT & (CLASS_LEAVES - 1)],
		__ATOMIC_RELAXED);

	if (__builtin_expect(!leaf, 0))
		return 0;
	return __atomic_load_n(
		&leaf[(uintptr_t)at >> CLASS_PAGE_SHIFT & (CLASS_LEAF_PAGES - 1)],
		__ATOMIC_RELAXED);
}

/* False: there is no memory to tell it in, and the block is of class 0. */
bool class_tell(const void *at, unsigned class);

/* A block as the engine gave it for that size and alignment; NULL is let through. */
void *class_told(void *at, size_t bytes, size_t align);

#endif
