/* SPDX-License-Identifier: MIT */
/*
 * unit.h - what is behind each unit (one huge page) of the heap's address space
 *
 * The engine cuts address space into extents by the base page and tells when a
 * piece comes into use (commit) and when it goes out of use (decommit). A unit is
 * backed as long as any piece of it is in use, and is given back when the last
 * one goes: so whole huge pages return to the pool, and never a part of one.
 *
 * A piece comes into use zeroed. What was written before and stayed backed is
 * zeroed then; which parts these are is kept for each unit in 512 bits.
 */
#ifndef HRESV_ALLOCATOR_UNIT_H
#define HRESV_ALLOCATOR_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the heap now. In use is what the engine has; behind it lies huge + small. */
struct unit_totals {
	uint64_t in_use;
	uint64_t huge;
	uint64_t small;
	uint64_t space;		/* address space reserved */
};

const struct unit_totals *unit_totals(void);

/*
 * Records for [at, at + bytes), whole units of fresh space from heap_reserve():
 * 0 or -ENOMEM.
 */
int unit_add_space(uintptr_t at, size_t bytes, size_t mapped_page);

/* Is @at in the heap's address space? */
bool unit_owns(uintptr_t at);

/*
 * [lo, hi), on base page lines and not in use, comes into use, and is the
 * caller's alone. False: it could not be backed, and is not in use.
 */
bool unit_commit(uintptr_t lo, uintptr_t hi);

/* [lo, hi), in use and the caller's alone, goes out of use. */
void unit_decommit(uintptr_t lo, uintptr_t hi);

#endif
