/* SPDX-License-Identifier: MIT */
/*
 * unit.h - the heap's address space, unit by unit (one huge page each)
 *
 * The engine cuts address space into extents by the base page and tells when a
 * piece comes into use (commit) and when it goes out of use (decommit). A unit is
 * backed when its first piece comes into use, and can be given back when its last
 * one has gone: so whole huge pages return to the pool, and never a part of one.
 *
 * A piece comes into use zeroed. What was written before and stayed backed is
 * zeroed then; which parts these are is kept for each unit in 512 bits.
 */
#ifndef HRESV_ALLOCATOR_UNIT_H
#define HRESV_ALLOCATOR_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bytes of the heap now. In use is what the engine has, hollow parts apart; behind
 * it lies huge + small.
 */
struct unit_totals {
	uint64_t in_use;
	uint64_t huge;
	uint64_t small;
	uint64_t peak;		/* most of huge + small */
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

/*
 * Gives back whole units, and small pages, that have been out of use for @seconds.
 * May skip some that others work on, and does nothing while fork is under way.
 */
void unit_reclaim(unsigned seconds);

/*
 * Until the next call, what this thread commits behind the first @bytes of a piece
 * is hollow: small pages that take no memory before they are touched. 0: no more.
 */
void unit_hollow_behind(size_t bytes);

/*
 * Whole units in [lo, hi), which is in use, the caller's alone and holds nothing
 * yet, become huge if they are small and pages can be had now.
 */
void unit_improve(uintptr_t lo, uintptr_t hi);

#endif
