/* SPDX-License-Identifier: MIT */
/*
 * unit.c - one record a unit: how much is in use, what was written, what is there
 *
 * Who may do what. A unit with pieces in use stays backed, so one more piece
 * joins by counting itself in, without a lock. Only under the unit's lock does
 * the count leave 0 or does the backing change. Units that lie in a piece as a
 * whole belong to it and need no lock; at most its first and last unit are
 * shared with others.
 *
 * The gate. The engine calls with locks held that its fork handlers wait for, so
 * nothing here may wait for fork: while the gate is closed no unit is backed
 * (the engine then takes plain memory, extents.c) and none is given back (it
 * keeps its pages until it is used and left again).
 */
#include "allocator/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "core/act/pagemap.h"
#include "core/act/stats.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "core/heap.h"

#define PARTS 512
#define LEAF_BITS 13
#define LEAF_UNITS ((size_t)1 << LEAF_BITS)
#define TOP_LEAVES ((size_t)1 << (PAGEMAP_ADDRESS_BITS - GRANULE_SHIFT - LEAF_BITS))

enum state {
	UNIT_FOREIGN,		/* not of the heap */
	UNIT_SPACE,		/* nothing is there */
	UNIT_SMALL,
	UNIT_HUGE,
	UNIT_LOST,		/* somebody else's now: never used again */
};

struct unit {
	uint64_t written[PARTS / 64];	/* parts that need not be zero */
	uint32_t in_use;		/* base pages */
	struct lock lock;
	uint8_t state;
	uint8_t mapped_shift;	/* of UNIT_SPACE: log2 of the page size it is mapped for */
};

static struct unit *top[TOP_LEAVES];
static struct unit_totals totals;
static size_t unit_bytes;	/* set with the first space */

const struct unit_totals *unit_totals(void)
{
	return &totals;
}

static void count(uint64_t *total, size_t bytes)
{
	__atomic_fetch_add(total, bytes, __ATOMIC_RELAXED);
}

static void uncount(uint64_t *total, size_t bytes)
{
	__atomic_fetch_sub(total, bytes, __ATOMIC_RELAXED);
}

/* Records -------------------------------------------------------------------- */

static struct unit *unit_at(uintptr_t at)
{
	size_t n = at / GRANULE;
	struct unit *leaf;

	if (unit_bytes > GRANULE)
		n = at / unit_bytes;
	if (at >> PAGEMAP_ADDRESS_BITS)
		return NULL;
	leaf = __atomic_load_n(&top[n >> LEAF_BITS], __ATOMIC_ACQUIRE);
	return leaf ? &leaf[n & (LEAF_UNITS - 1)] : NULL;
}

static int make_leaf(uintptr_t at)
{
	struct unit **slot = &top[at / unit_bytes >> LEAF_BITS], *none = NULL, *leaf;

	if (__atomic_load_n(slot, __ATOMIC_ACQUIRE))
		return 0;
	leaf = mem_pages(LEAF_UNITS * sizeof(*leaf));
	if (!leaf)
		return -ENOMEM;
	if (!__atomic_compare_exchange_n(slot, &none, leaf, false, __ATOMIC_RELEASE,
					 __ATOMIC_RELAXED))
		mem_pages_free(leaf, LEAF_UNITS * sizeof(*leaf));
	return 0;
}

int unit_add_space(uintptr_t at, size_t bytes, size_t mapped_page)
{
	if (!unit_bytes)
		unit_bytes = heap_unit_bytes();
	if ((at + bytes) >> PAGEMAP_ADDRESS_BITS)
		return -ENOMEM;
	for (uintptr_t u = at; u < at + bytes; u += unit_bytes)
		if (!unit_at(u) && make_leaf(u) != 0)
			return -ENOMEM;
	for (uintptr_t u = at; u < at + bytes; u += unit_bytes) {
		struct unit *unit = unit_at(u);

		unit->mapped_shift = mapped_page ? (uint8_t)log2_of(mapped_page) : 0;
		__atomic_store_n(&unit->state, UNIT_SPACE, __ATOMIC_RELEASE);
	}
	count(&totals.space, bytes);
	return 0;
}

bool unit_owns(uintptr_t at)
{
	const struct unit *unit = unit_at(at);

	return unit && __atomic_load_n(&unit->state, __ATOMIC_ACQUIRE) != UNIT_FOREIGN;
}

static size_t mapped_page(const struct unit *unit)
{
	return unit->mapped_shift ? (size_t)1 << unit->mapped_shift : 0;
}

/* Zeroing ---------------------------------------------------------------------- */

static bool test_and_mark(struct unit *unit, size_t part)
{
	uint64_t bit = (uint64_t)1 << part % 64;

	if (__atomic_load_n(&unit->written[part / 64], __ATOMIC_RELAXED) & bit)
		return true;
	__atomic_fetch_or(&unit->written[part / 64], bit, __ATOMIC_RELAXED);
	return false;
}

static void unmark(struct unit *unit, size_t part)
{
	__atomic_fetch_and(&unit->written[part / 64], ~((uint64_t)1 << part % 64),
			   __ATOMIC_RELAXED);
}

/* A piece of one unit, the caller's alone: zero, and from now on written to. */
static void zero_piece(struct unit *unit, uintptr_t lo, uintptr_t hi)
{
	const size_t part_bytes = unit_bytes / PARTS;
	const uintptr_t base = align_down(lo, unit_bytes);

	for (uintptr_t at = lo, next; at < hi; at = next) {
		size_t part = (at - base) / part_bytes;

		next = base + (part + 1) * part_bytes;
		if (next > hi)
			next = hi;
		if (test_and_mark(unit, part))
			memset((void *)at, 0, next - at);
	}
}

/* Whole parts in [lo, hi) of one unit have been given back to the kernel. */
static void unmark_piece(struct unit *unit, uintptr_t lo, uintptr_t hi)
{
	const size_t part_bytes = unit_bytes / PARTS;
	const uintptr_t base = align_down(lo, unit_bytes);
	size_t from = (align_up(lo, part_bytes) - base) / part_bytes;

	for (size_t part = from; base + (part + 1) * part_bytes <= hi; part++)
		unmark(unit, part);
}

/* Backing ------------------------------------------------------------------------ */

/* [lo, hi) is backed alike from now on. */
static void set_state(uintptr_t lo, uintptr_t hi, enum state state, size_t page)
{
	for (uintptr_t u = lo; u < hi; u += unit_bytes) {
		struct unit *unit = unit_at(u);

		if (state == UNIT_SPACE)
			memset(unit->written, 0, sizeof(unit->written));
		unit->mapped_shift = page ? (uint8_t)log2_of(page) : 0;
		__atomic_store_n(&unit->state, (uint8_t)state, __ATOMIC_RELEASE);
	}
}

static bool small_by_size(size_t more)
{
	const struct conf *conf = conf_get();

	return __atomic_load_n(&totals.in_use, __ATOMIC_RELAXED) + more <= conf->malloc_start;
}

/* Space [lo, hi), mapped alike, that the caller holds: backs as much as it can. */
static uintptr_t back_huge(uintptr_t lo, uintptr_t hi, size_t page, enum reason *why)
{
	uintptr_t got = lo + heap_back_huge(lo, hi - lo, page, why);
	uintptr_t end = align_up(got, unit_bytes);

	/* A unit of 1 GiB may have come in part, as pages of 2 MiB. */
	if (end > got && heap_back_small(got, end - got, page, true) != 0) {
		size_t none;

		end = align_down(got, unit_bytes);
		heap_give_back(end, got - end, &none);
	}
	set_state(lo, end, UNIT_HUGE, 0);
	count(&totals.huge, end - lo);
	return end;
}

static int back_small(uintptr_t lo, uintptr_t hi, size_t page, bool advise)
{
	int err = heap_back_small(lo, hi - lo, page, advise);

	if (err == 0) {
		set_state(lo, hi, UNIT_SMALL, 0);
		count(&totals.small, hi - lo);
	} else if (err == -EFAULT) {
		set_state(lo, hi, UNIT_LOST, 0);
	}
	return err;
}

static bool back_run(uintptr_t lo, uintptr_t hi, size_t page, size_t more)
{
	const struct conf *conf = conf_get();
	bool advise = conf->fallback == FALLBACK_THP || conf->morecore.thp;
	enum reason why = REASON_TOO_SMALL;

	stats_request(USE_MALLOC, hi - lo);
	if (small_by_size(more))
		advise = false;
	else if (!conf->morecore.thp)
		lo = back_huge(lo, hi, page, &why);
	else
		why = REASON_FILTERED;
	if (lo == hi)
		return true;
	if (why != REASON_TOO_SMALL && why != REASON_FILTERED && conf->fallback == FALLBACK_FAIL)
		return false;
	if (back_small(lo, hi, page, advise) != 0)
		return false;
	heap_note_small(hi - lo, why);
	return true;
}

/* Units [lo, hi) that have nobody in them, and are the caller's to change. */
static void give_back(uintptr_t lo, uintptr_t hi)
{
	for (uintptr_t from = lo, to; from < hi; from = to) {
		enum state state = unit_at(from)->state;
		size_t page = 0;
		int err;

		for (to = from; to < hi && unit_at(to)->state == state;)
			to += unit_bytes;
		if (state != UNIT_HUGE && state != UNIT_SMALL)
			continue;
		err = heap_give_back(from, to - from, &page);
		uncount(state == UNIT_HUGE ? &totals.huge : &totals.small, to - from);
		if (err == -ENOMEM) {
			set_state(from, to, UNIT_SMALL, 0);
			count(&totals.small, to - from);
		} else {
			set_state(from, to, err ? UNIT_LOST : UNIT_SPACE, page);
		}
	}
}

/* Backs every unit of [lo, hi) that isn't; all of them or, undone, none. */
static bool back_all(uintptr_t lo, uintptr_t hi, size_t more)
{
	for (uintptr_t from = lo, to; from < hi; from = to) {
		struct unit *first = unit_at(from);
		bool ok = true;

		for (to = from; to < hi && unit_at(to)->state == first->state &&
				unit_at(to)->mapped_shift == first->mapped_shift;)
			to += unit_bytes;
		if (first->state == UNIT_SPACE)
			ok = back_run(from, to, mapped_page(first), more);
		else if (first->state == UNIT_LOST)
			ok = false;
		if (ok)
			continue;
		for (uintptr_t u = lo; u < hi; u += unit_bytes)
			if (__atomic_load_n(&unit_at(u)->in_use, __ATOMIC_RELAXED) == 0)
				give_back(u, u + unit_bytes);
		return false;
	}
	return true;
}

/* Coming into use ------------------------------------------------------------------ */

static uint32_t pages_of(uintptr_t lo, uintptr_t hi)
{
	return (uint32_t)((hi - lo) / mem_page_bytes());
}

/* Counts a piece into a unit that is backed for somebody else already. */
static bool join(struct unit *unit, uint32_t pages)
{
	uint32_t now = __atomic_load_n(&unit->in_use, __ATOMIC_RELAXED);

	while (now)
		if (__atomic_compare_exchange_n(&unit->in_use, &now, now + pages, true,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	return false;
}

/* The pieces of [lo, hi) in its first unit, in its last, and what lies between. */
struct cut {
	uintptr_t lo, hi;
	uintptr_t body_lo, body_hi;	/* whole units, body_lo <= body_hi */
	struct unit *head, *tail;	/* shared with others; NULL: none */
	uintptr_t head_hi, tail_lo;
};

static struct cut cut_up(uintptr_t lo, uintptr_t hi)
{
	struct cut c = { .lo = lo, .hi = hi, .head_hi = lo, .tail_lo = hi };

	c.body_lo = align_up(lo, unit_bytes);
	c.body_hi = align_down(hi, unit_bytes);
	if (c.body_lo != lo) {
		c.head = unit_at(lo);
		c.head_hi = c.body_lo < hi ? c.body_lo : hi;
	}
	if (c.body_hi != hi && c.body_hi >= c.body_lo) {
		c.tail = unit_at(hi);
		c.tail_lo = c.body_hi;
	}
	if (c.body_hi < c.body_lo)
		c.body_hi = c.body_lo;
	return c;
}

static void zero_all(const struct cut *c)
{
	if (c->head)
		zero_piece(c->head, c->lo, c->head_hi);
	for (uintptr_t u = c->body_lo; u < c->body_hi; u += unit_bytes)
		zero_piece(unit_at(u), u, u + unit_bytes);
	if (c->tail)
		zero_piece(c->tail, c->tail_lo, c->hi);
}

/*
 * The units at the ends are locked, unless somebody is in them already and we
 * could join. Returns what there is to back.
 */
static void lock_ends(const struct cut *c, bool *head_in, bool *tail_in)
{
	*head_in = c->head && join(c->head, pages_of(c->lo, c->head_hi));
	if (c->head && !*head_in)
		lock_take(&c->head->lock);
	*tail_in = c->tail && join(c->tail, pages_of(c->tail_lo, c->hi));
	if (c->tail && !*tail_in)
		lock_take(&c->tail->lock);
}

static void unlock_ends(const struct cut *c, bool head_in, bool tail_in)
{
	if (c->tail && !tail_in)
		lock_drop(&c->tail->lock);
	if (c->head && !head_in)
		lock_drop(&c->head->lock);
}

static void enter(struct unit *unit, uint32_t pages)
{
	__atomic_fetch_add(&unit->in_use, pages, __ATOMIC_RELEASE);
}

static void leave_unit(struct unit *unit, uintptr_t at, uint32_t pages);

/* Called as a guest of the gate. */
static bool commit_backing(const struct cut *c)
{
	bool head_in, tail_in, ok;

	lock_ends(c, &head_in, &tail_in);
	uintptr_t lo = c->head && !head_in ? align_down(c->lo, unit_bytes) : c->body_lo;
	uintptr_t hi = c->tail && !tail_in ? c->body_hi + unit_bytes : c->body_hi;

	ok = lo >= hi || back_all(lo, hi, c->hi - c->lo);
	if (ok) {
		if (c->head && !head_in)
			enter(c->head, pages_of(c->lo, c->head_hi));
		for (uintptr_t u = c->body_lo; u < c->body_hi; u += unit_bytes)
			enter(unit_at(u), pages_of(u, u + unit_bytes));
		if (c->tail && !tail_in)
			enter(c->tail, pages_of(c->tail_lo, c->hi));
	}
	unlock_ends(c, head_in, tail_in);
	if (!ok && head_in)
		leave_unit(c->head, c->lo, pages_of(c->lo, c->head_hi));
	if (!ok && tail_in)
		leave_unit(c->tail, c->tail_lo, pages_of(c->tail_lo, c->hi));
	return ok;
}

bool unit_commit(uintptr_t lo, uintptr_t hi)
{
	struct cut c = cut_up(lo, hi);
	struct quiet q;
	bool ok;

	if (c.head && c.body_lo >= hi && join(c.head, pages_of(lo, hi))) {
		ok = true;		/* the common case: one piece of one unit */
	} else {
		if (!gate_try_enter(&q))
			return false;
		ok = commit_backing(&c);
		gate_leave(&q);
	}
	if (!ok)
		return false;
	zero_all(&c);
	count(&totals.in_use, hi - lo);
	return true;
}

/* Going out of use ------------------------------------------------------------------- */

/* Called as a guest of the gate. Counts a piece out; the last one gives the unit back. */
static void leave_unit(struct unit *unit, uintptr_t at, uint32_t pages)
{
	uintptr_t base = align_down(at, unit_bytes);

	if (__atomic_sub_fetch(&unit->in_use, pages, __ATOMIC_ACQ_REL) != 0)
		return;
	lock_take(&unit->lock);
	if (__atomic_load_n(&unit->in_use, __ATOMIC_ACQUIRE) == 0)
		give_back(base, base + unit_bytes);
	lock_drop(&unit->lock);
}

/*
 * A piece of a unit that stays: small pages go back to the kernel at once. What
 * became huge meanwhile (promotion) keeps them, and is zeroed at the next use.
 */
static void drop_small(struct unit *unit, uintptr_t lo, uintptr_t hi)
{
	struct claim c;

	if (unit->state != UNIT_SMALL)
		return;
	c = pagemap_claim(lo, hi);
	if (!heap_is_huge(lo) && sys_madvise(lo, hi - lo, MADV_DONTNEED) == 0)
		unmark_piece(unit, lo, hi);
	pagemap_unclaim(&c);
}

static void leave_body(uintptr_t lo, uintptr_t hi)
{
	if (lo >= hi)
		return;
	for (uintptr_t u = lo; u < hi; u += unit_bytes)
		__atomic_store_n(&unit_at(u)->in_use, 0, __ATOMIC_RELEASE);
	give_back(lo, hi);
}

/* Without the gate: counted out, and backed until used again and left. */
static void leave_behind(const struct cut *c)
{
	if (c->head)
		__atomic_sub_fetch(&c->head->in_use, pages_of(c->lo, c->head_hi),
				   __ATOMIC_ACQ_REL);
	for (uintptr_t u = c->body_lo; u < c->body_hi; u += unit_bytes)
		__atomic_store_n(&unit_at(u)->in_use, 0, __ATOMIC_RELEASE);
	if (c->tail)
		__atomic_sub_fetch(&c->tail->in_use, pages_of(c->tail_lo, c->hi),
				   __ATOMIC_ACQ_REL);
}

void unit_decommit(uintptr_t lo, uintptr_t hi)
{
	struct cut c = cut_up(lo, hi);
	struct quiet q;

	uncount(&totals.in_use, hi - lo);
	if (!gate_try_enter(&q)) {
		leave_behind(&c);
		return;
	}
	if (c.head) {
		drop_small(c.head, lo, c.head_hi);
		leave_unit(c.head, lo, pages_of(lo, c.head_hi));
	}
	leave_body(c.body_lo, c.body_hi);
	if (c.tail) {
		drop_small(c.tail, c.tail_lo, hi);
		leave_unit(c.tail, c.tail_lo, pages_of(c.tail_lo, hi));
	}
	gate_leave(&q);
}
