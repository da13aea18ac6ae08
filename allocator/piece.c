/* SPDX-License-Identifier: MIT */
/*
 * piece.c - pieces of units come into use and go
 *
 * Going costs nothing: the memory stays for the next piece, and is given back
 * when it has been left for a while. The engine lets go of all that an arena has
 * kept when its last thread ends, and wants it again with the next thread.
 *
 * The gate. The engine calls with locks held that its fork handlers wait for, so
 * nothing here may wait for fork: while the gate is closed no unit is backed (the
 * engine then takes plain memory, extents.c) and none is given back.
 */
#include <string.h>

#include "allocator/unit.h"
#include "allocator/unit_record.h"
#include "core/base/align.h"
#include "core/base/mem.h"

/* Looked for once a second; what has been left for so long goes. */
#define RECLAIM_AFTER_SECONDS 5

static uint32_t reclaimed_at;

static __thread size_t hollow_behind __attribute__((tls_model("initial-exec")));

/* The part of [lo, hi) that lies in the unit at @u. */
struct piece {
	struct unit *unit;
	uintptr_t lo, hi;
	uint32_t pages;
};

static struct piece piece_in(uintptr_t u, uintptr_t lo, uintptr_t hi)
{
	struct piece p = { .unit = unit_at(u), .lo = lo > u ? lo : u, .hi = hi };

	if (p.hi > u + unit_bytes())
		p.hi = u + unit_bytes();
	p.pages = (uint32_t)((p.hi - p.lo) / mem_page_bytes());
	return p;
}

/* Bits of the piece's parts, word by word of the 512. */
struct bits {
	size_t from, to;	/* parts */
};

static struct bits bits_of(const struct piece *p)
{
	const size_t part = unit_bytes() / UNIT_PARTS;
	const uintptr_t base = align_down(p->lo, unit_bytes());

	return (struct bits){ (p->lo - base) / part, (p->hi - base + part - 1) / part };
}

static uint64_t word_mask(struct bits b, size_t word)
{
	size_t from = b.from > word * 64 ? b.from - word * 64 : 0;
	size_t to = b.to < word * 64 + 64 ? b.to - word * 64 : 64;
	uint64_t low = from ? ~UINT64_C(0) << from : ~UINT64_C(0);
	uint64_t high = to < 64 ? ((uint64_t)1 << to) - 1 : ~UINT64_C(0);

	return low & high;
}

static void mark_used(const struct piece *p, bool used)
{
	struct bits b = bits_of(p);

	if (!unit_parts_are_exact())
		return;
	for (size_t w = b.from / 64; w <= (b.to - 1) / 64; w++) {
		if (used)
			__atomic_fetch_or(&p->unit->used[w], word_mask(b, w), __ATOMIC_RELAXED);
		else
			__atomic_fetch_and(&p->unit->used[w], ~word_mask(b, w), __ATOMIC_RELAXED);
	}
}

/* Zeroes the piece where it was written to before; from now on all of it counts so. */
static void zero_piece(const struct piece *p)
{
	const size_t part_bytes = unit_bytes() / UNIT_PARTS;
	const uintptr_t base = align_down(p->lo, unit_bytes());
	struct bits b = bits_of(p);

	for (size_t w = b.from / 64; w <= (b.to - 1) / 64; w++) {
		uint64_t mask = word_mask(b, w);
		uint64_t was = __atomic_fetch_or(&p->unit->written[w], mask, __ATOMIC_RELAXED) &
			       mask;

		while (was) {
			size_t first = (size_t)__builtin_ctzll(was), n;
			uint64_t rest = ~(was >> first);

			n = rest ? (size_t)__builtin_ctzll(rest) : 64 - first;
			uintptr_t lo = base + (w * 64 + first) * part_bytes;
			uintptr_t hi = lo + n * part_bytes;

			lo = lo > p->lo ? lo : p->lo;
			hi = hi < p->hi ? hi : p->hi;
			memset((void *)lo, 0, hi - lo);
			was = first + n < 64 ? was & (~UINT64_C(0) << (first + n)) : 0;
		}
	}
}

static void count_piece(const struct piece *p, bool more)
{
	if (!p->unit->hollow)
		unit_count_in_use(p->hi - p->lo, more);
}

/* Coming into use ------------------------------------------------------------------ */

/* Counts a piece into a unit that is backed and open. */
static bool join(const struct piece *p)
{
	uint32_t now = __atomic_load_n(&p->unit->count, __ATOMIC_RELAXED);

	while (!(now & COUNT_CLOSED))
		if (__atomic_compare_exchange_n(&p->unit->count, &now, now + p->pages, true,
						__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return true;
	return false;
}

static void leave(const struct piece *p)
{
	mark_used(p, false);
	__atomic_fetch_sub(&p->unit->count, p->pages, __ATOMIC_ACQ_REL);
}

static void leave_all(uintptr_t lo, uintptr_t hi)
{
	for (uintptr_t u = align_down(lo, unit_bytes()); u < hi; u += unit_bytes()) {
		struct piece p = piece_in(u, lo, hi);

		leave(&p);
	}
}

void unit_hollow_behind(size_t bytes)
{
	hollow_behind = bytes;
}

/* The first unit of a piece from @lo on that is hollow as a whole. */
static uintptr_t hollow_from(uintptr_t lo)
{
	return hollow_behind ? align_up(lo + hollow_behind, unit_bytes()) : UINTPTR_MAX;
}

/*
 * From @u on: locks the units that are closed, up to one that could be joined or
 * that another thread holds open meanwhile. Returns the end of the run.
 */
static uintptr_t lock_closed(uintptr_t u, uintptr_t lo, uintptr_t hi, bool hollow)
{
	const uintptr_t from = hollow_from(lo);

	for (; u < hi; u += unit_bytes()) {
		struct piece p = piece_in(u, lo, hi);

		if (hollow != (u >= from))
			break;
		lock_take(&p.unit->lock);
		if (!(__atomic_load_n(&p.unit->count, __ATOMIC_ACQUIRE) & COUNT_CLOSED)) {
			lock_drop(&p.unit->lock);
			break;
		}
	}
	return u;
}

static void open_run(uintptr_t from, uintptr_t to, uintptr_t lo, uintptr_t hi, bool backed)
{
	for (uintptr_t u = from; u < to; u += unit_bytes()) {
		struct piece p = piece_in(u, lo, hi);

		if (backed)
			__atomic_store_n(&p.unit->count, p.pages, __ATOMIC_RELEASE);
		else
			mark_used(&p, false);
		lock_drop(&p.unit->lock);
	}
}

/*
 * The heap grows at @u: units from there on that nobody has, as far as a large heap
 * wants them, wait for their first piece with their pages.
 */
static void back_ahead(uintptr_t u)
{
	const size_t ahead = unit_ahead_bytes();
	uintptr_t to = u, got;

	while (to - u < ahead) {
		struct unit *unit = unit_at(to);

		if (!unit || unit->state != UNIT_SPACE || !lock_try(&unit->lock))
			break;
		to += unit_bytes();
	}
	got = to > u ? unit_back_ahead(u, to) : u;
	for (uintptr_t v = u; v < to; v += unit_bytes()) {
		struct unit *unit = unit_at(v);

		if (v < got) {
			unit->left_at = unit_now_seconds();
			__atomic_store_n(&unit->count, 0, __ATOMIC_RELEASE);
		}
		lock_drop(&unit->lock);
	}
}

/* Called as a guest of the gate. Returns how far it came: @hi if all. */
static uintptr_t back_closed(uintptr_t u, uintptr_t lo, uintptr_t hi)
{
	while (u < hi) {
		struct piece p = piece_in(u, lo, hi);
		bool hollow = u >= hollow_from(lo), ok;
		uintptr_t to;

		mark_used(&p, true);
		if (join(&p)) {
			u += unit_bytes();
			continue;
		}
		to = lock_closed(u, lo, hi, hollow);
		if (to == u)
			continue;	/* opened by another: join */
		for (uintptr_t v = u; v < to; v += unit_bytes()) {
			p = piece_in(v, lo, hi);
			mark_used(&p, true);
		}
		ok = hollow ? unit_back_hollow(u, to) : unit_back(u, to, hi - lo);
		open_run(u, to, lo, hi, ok);
		if (!ok)
			return u;
		u = to;
		if (to >= hi && !hollow)
			back_ahead(to);
	}
	return hi;
}

bool unit_commit(uintptr_t lo, uintptr_t hi)
{
	uintptr_t u = align_down(lo, unit_bytes());
	struct quiet q;

	for (; u < hi; u += unit_bytes()) {
		struct piece p = piece_in(u, lo, hi);

		mark_used(&p, true);
		if (!join(&p)) {
			mark_used(&p, false);
			break;
		}
	}
	if (u < hi) {
		bool guest = gate_try_enter(&q);
		uintptr_t end = guest ? back_closed(u, lo, hi) : u;

		if (guest)
			gate_leave(&q);
		if (end < hi) {
			if (end > lo)
				leave_all(lo, end);
			return false;
		}
	}
	for (u = align_down(lo, unit_bytes()); u < hi; u += unit_bytes()) {
		struct piece p = piece_in(u, lo, hi);

		count_piece(&p, true);
		zero_piece(&p);
	}
	return true;
}

/* The caller's alone: closing it keeps out nobody but unit_reclaim(). */
static bool lock_small(struct unit *unit)
{
	if (!unit || __atomic_load_n(&unit->state, __ATOMIC_RELAXED) != UNIT_SMALL)
		return false;
	lock_take(&unit->lock);
	if (unit->state == UNIT_SMALL) {
		__atomic_fetch_or(&unit->count, COUNT_CLOSED, __ATOMIC_ACQ_REL);
		return true;
	}
	lock_drop(&unit->lock);
	return false;
}

static void unlock_improved(uintptr_t lo, uintptr_t hi)
{
	for (uintptr_t u = lo; u < hi; u += unit_bytes()) {
		struct unit *unit = unit_at(u);

		__atomic_fetch_and(&unit->count, ~COUNT_CLOSED, __ATOMIC_RELEASE);
		lock_drop(&unit->lock);
	}
}

void unit_improve(uintptr_t lo, uintptr_t hi)
{
	uintptr_t from = align_up(lo, unit_bytes()), to;
	struct quiet q;

	hi = align_down(hi, unit_bytes());
	if (from >= hi || !gate_try_enter(&q))
		return;
	for (; from < hi; from = to) {
		for (to = from; to < hi && lock_small(unit_at(to));)
			to += unit_bytes();
		if (to == from) {
			to += unit_bytes();
			continue;
		}
		unit_make_huge(from, to);
		unlock_improved(from, to);
	}
	gate_leave(&q);
}

/* Going out of use ------------------------------------------------------------------- */

void unit_decommit(uintptr_t lo, uintptr_t hi)
{
	uint32_t now = unit_now_seconds(), last = __atomic_load_n(&reclaimed_at, __ATOMIC_RELAXED);

	for (uintptr_t u = align_down(lo, unit_bytes()); u < hi; u += unit_bytes()) {
		struct piece p = piece_in(u, lo, hi);

		__atomic_store_n(&p.unit->left_at, now, __ATOMIC_RELAXED);
		count_piece(&p, false);
		leave(&p);
	}
	if (now - last >= 1 && __atomic_compare_exchange_n(&reclaimed_at, &last, now, false,
							   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		unit_reclaim(RECLAIM_AFTER_SECONDS);
}
