/* SPDX-License-Identifier: MIT */
/*
 * unit_record.h - a unit's record, between unit.c (what is there) and piece.c (who uses it)
 *
 * Who may do what. A piece that comes into use marks its parts and counts itself
 * into a unit that is backed, without a lock; one that goes unmarks and counts
 * itself out. Only with the unit's lock does the backing change, and while
 * COUNT_CLOSED stands in the count nobody can join: they take the lock and wait.
 * Marks come before the count and the close before the look at the marks, so who
 * has closed a unit sees every piece in it.
 */
#ifndef HRESV_ALLOCATOR_UNIT_RECORD_H
#define HRESV_ALLOCATOR_UNIT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

#define UNIT_PARTS 512

enum unit_state {
	UNIT_FOREIGN,		/* not of the heap */
	UNIT_SPACE,		/* nothing is there */
	UNIT_SMALL,
	UNIT_HUGE,
	UNIT_LOST,		/* somebody else's now: never used again */
};

/* In unit.count, above the base pages that are in use. */
#define COUNT_CLOSED 0x80000000u	/* not backed, or about to change: join under the lock */

struct unit {
	uint64_t used[UNIT_PARTS / 64];		/* parts of which something is in use */
	uint64_t written[UNIT_PARTS / 64];	/* parts that need not be zero */
	uint32_t count;
	uint32_t left_at;	/* when something last went out of use, in seconds */
	struct lock lock;
	uint8_t state;
	bool hollow;		/* small, and nobody asked for it: not counted */
	uint8_t mapped_shift;	/* of UNIT_SPACE: log2 of the page size it is mapped for */
};

/* All space there is, newest first; spans are never taken out. */
struct unit_span {
	struct unit_span *next;
	uintptr_t lo, hi;
};

const struct unit_span *unit_spans(void);

/* The record of the unit that holds @at; NULL outside of the heap's leaves. */
struct unit *unit_at(uintptr_t at);
size_t unit_bytes(void);

/* Parts are base pages, so that each belongs to one piece: not in units of 1 GiB. */
static inline bool unit_parts_are_exact(void)
{
	return unit_bytes() / UNIT_PARTS <= mem_page_bytes();
}

static inline uint32_t unit_now_seconds(void)
{
	return (uint32_t)(sys_now_ns() / 1000000000u);
}

void unit_count_in_use(size_t bytes, bool more);

/*
 * [lo, hi) are units that the caller has closed and holds the locks of. Backs them,
 * all or none; @more bytes are about to come into use. The caller is a guest of
 * the gate here and below.
 */
bool unit_back(uintptr_t lo, uintptr_t hi, size_t more);

/*
 * How many bytes of a large heap to back ahead of its needs, and doing it: as much of
 * [lo, hi) as is huge from @lo on. Returns its end.
 */
size_t unit_ahead_bytes(void);
uintptr_t unit_back_ahead(uintptr_t lo, uintptr_t hi);

/* The same units become small pages that take no memory until touched. */
bool unit_back_hollow(uintptr_t lo, uintptr_t hi);

/* Small units, closed and locked, whose content nobody needs: huge as far as it goes. */
void unit_make_huge(uintptr_t lo, uintptr_t hi);

/* Closed, locked, out of use: what was there is given back, as far as it goes. */
void unit_give_back(uintptr_t lo, uintptr_t hi);

#endif
