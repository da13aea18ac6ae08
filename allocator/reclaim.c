/* SPDX-License-Identifier: MIT */
/*
 * reclaim.c - what has been left for a while is given back
 *
 * Looks at every unit there is, and skips those that others work on: whoever
 * reclaims may itself hold units (a commit that finds the pool short).
 */
#include <sys/mman.h>

#include "allocator/unit.h"
#include "allocator/unit_record.h"
#include "core/act/pagemap.h"
#include "core/base/sys.h"
#include "core/heap.h"

static bool has_left(const struct unit *unit, uint32_t now, unsigned seconds)
{
	enum unit_state state = (enum unit_state)__atomic_load_n(&unit->state, __ATOMIC_RELAXED);

	return (state == UNIT_HUGE || state == UNIT_SMALL) &&
	       now - __atomic_load_n(&unit->left_at, __ATOMIC_RELAXED) >= seconds;
}

/* Locks and closes a unit that nobody uses; false: not to be had. */
static bool close_idle(struct unit *unit, uint32_t now, unsigned seconds)
{
	uint32_t none = 0;

	if (!has_left(unit, now, seconds) ||
	    __atomic_load_n(&unit->count, __ATOMIC_RELAXED) != 0 || !lock_try(&unit->lock))
		return false;
	if (__atomic_compare_exchange_n(&unit->count, &none, COUNT_CLOSED, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED))
		return true;
	lock_drop(&unit->lock);
	return false;
}

static void reopen(uintptr_t lo, uintptr_t hi)
{
	for (uintptr_t u = lo; u < hi; u += unit_bytes()) {
		struct unit *unit = unit_at(u);

		/* What could not be given back is there for the next. */
		if (unit->state == UNIT_SMALL || unit->state == UNIT_HUGE)
			__atomic_store_n(&unit->count, 0, __ATOMIC_RELEASE);
		lock_drop(&unit->lock);
	}
}

/* Small pages of parts that nobody uses, in a unit that others do. */
static void drop_unused(uintptr_t u, struct unit *unit)
{
	const size_t part = unit_bytes() / UNIT_PARTS;
	struct claim c;
	bool any = false;

	if (unit->state != UNIT_SMALL || !unit_parts_are_exact())
		return;
	for (size_t w = 0; w < UNIT_PARTS / 64; w++)
		any = any || (unit->written[w] & ~unit->used[w]);
	if (!any || !lock_try(&unit->lock))
		return;
	/* It may have been given back since: then it is closed, and stays so. */
	if (__atomic_fetch_or(&unit->count, COUNT_CLOSED, __ATOMIC_ACQ_REL) & COUNT_CLOSED) {
		lock_drop(&unit->lock);
		return;
	}
	c = pagemap_claim(u, u + unit_bytes());
	for (size_t n = 0, to; n < UNIT_PARTS && !heap_is_huge(u); n = to) {
		for (to = n; to < UNIT_PARTS; to++) {
			uint64_t bit = (uint64_t)1 << to % 64;

			if (!(unit->written[to / 64] & bit) ||
			    (__atomic_load_n(&unit->used[to / 64], __ATOMIC_ACQUIRE) & bit))
				break;
		}
		if (to == n) {
			to++;
			continue;
		}
		if (sys_madvise(u + n * part, (to - n) * part, MADV_DONTNEED) != 0)
			continue;
		for (size_t i = n; i < to; i++)
			__atomic_fetch_and(&unit->written[i / 64], ~((uint64_t)1 << i % 64),
					   __ATOMIC_RELAXED);
	}
	pagemap_unclaim(&c);
	__atomic_fetch_and(&unit->count, ~COUNT_CLOSED, __ATOMIC_RELEASE);
	lock_drop(&unit->lock);
}

static void reclaim_span(const struct unit_span *span, uint32_t now, unsigned seconds)
{
	uintptr_t from = span->lo, to;

	while (from < span->hi) {
		for (to = from; to < span->hi && close_idle(unit_at(to), now, seconds);)
			to += unit_bytes();
		if (to == from) {
			if (has_left(unit_at(from), now, seconds))
				drop_unused(from, unit_at(from));
			from += unit_bytes();
			continue;
		}
		unit_give_back(from, to);
		reopen(from, to);
		from = to;
	}
}

/* As a guest, or called by one: units are only closed with their locks at hand. */
static void reclaim(unsigned seconds)
{
	uint32_t now = unit_now_seconds();

	for (const struct unit_span *span = unit_spans(); span; span = span->next)
		reclaim_span(span, now, seconds);
}

void unit_reclaim(unsigned seconds)
{
	struct quiet q;

	if (!gate_try_enter(&q))
		return;
	reclaim(seconds);
	gate_leave(&q);
}
