/* SPDX-License-Identifier: MIT */
/*
 * unit.c - the records, and what is behind each unit
 *
 * Leaves of records are made when space is added and are never freed, so finding
 * one needs no lock.
 */
#include "allocator/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "allocator/unit_record.h"
#include "core/act/pagemap.h"
#include "core/act/stats.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/facts/conf.h"
#include "core/heap.h"

#define LEAF_BITS 13
#define LEAF_UNITS ((size_t)1 << LEAF_BITS)
/* More than this and half of what is in use need not lie idle in other arenas. */
#define IDLE_LEAST (64 * MIB)

#define AHEAD_UNITS_MOST 8

#define TOP_LEAVES ((size_t)1 << (PAGEMAP_ADDRESS_BITS - GRANULE_SHIFT - LEAF_BITS))

static struct {
	size_t bytes;		/* of a unit, set with the first space */
	unsigned shift;
	struct unit_span *spans;
	struct unit_totals totals;
	struct unit *top[TOP_LEAVES];
} units;

const struct unit_totals *unit_totals(void)
{
	return &units.totals;
}

size_t unit_bytes(void)
{
	return units.bytes;
}

const struct unit_span *unit_spans(void)
{
	return __atomic_load_n(&units.spans, __ATOMIC_ACQUIRE);
}

static void add(uint64_t *total, size_t bytes)
{
	__atomic_fetch_add(total, bytes, __ATOMIC_RELAXED);
}

static void sub(uint64_t *total, size_t bytes)
{
	__atomic_fetch_sub(total, bytes, __ATOMIC_RELAXED);
}

static uint64_t load(const uint64_t *total)
{
	return __atomic_load_n(total, __ATOMIC_RELAXED);
}

void unit_count_in_use(size_t bytes, bool more)
{
	if (more)
		add(&units.totals.in_use, bytes);
	else
		sub(&units.totals.in_use, bytes);
}

/* Records -------------------------------------------------------------------- */

struct unit *unit_at(uintptr_t at)
{
	size_t n = at >> units.shift;
	struct unit *leaf;

	if (at >> PAGEMAP_ADDRESS_BITS || !units.shift)
		return NULL;
	leaf = __atomic_load_n(&units.top[n >> LEAF_BITS], __ATOMIC_ACQUIRE);
	return leaf ? &leaf[n & (LEAF_UNITS - 1)] : NULL;
}

static int make_leaf(uintptr_t at)
{
	struct unit **slot = &units.top[at >> units.shift >> LEAF_BITS], *none = NULL, *leaf;

	leaf = mem_pages(LEAF_UNITS * sizeof(*leaf));
	if (!leaf)
		return -ENOMEM;
	if (!__atomic_compare_exchange_n(slot, &none, leaf, false, __ATOMIC_RELEASE,
					 __ATOMIC_RELAXED))
		mem_pages_free(leaf, LEAF_UNITS * sizeof(*leaf));
	return 0;
}

static void add_span(struct unit_span *span)
{
	span->next = __atomic_load_n(&units.spans, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&units.spans, &span->next, span, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

int unit_add_space(uintptr_t at, size_t bytes, size_t mapped_page)
{
	struct unit_span *span;

	/* Two threads that both come first write the same. */
	if (!units.shift) {
		units.bytes = heap_unit_bytes();
		units.shift = log2_of(units.bytes);
	}
	if ((at + bytes) >> PAGEMAP_ADDRESS_BITS)
		return -ENOMEM;
	for (uintptr_t u = at; u < at + bytes; u += units.bytes)
		if (!unit_at(u) && make_leaf(u) != 0)
			return -ENOMEM;
	span = mem_pages(sizeof(*span));
	if (!span)
		return -ENOMEM;
	for (uintptr_t u = at; u < at + bytes; u += units.bytes) {
		struct unit *unit = unit_at(u);

		unit->count = COUNT_CLOSED;
		unit->mapped_shift = mapped_page ? (uint8_t)log2_of(mapped_page) : 0;
		__atomic_store_n(&unit->state, UNIT_SPACE, __ATOMIC_RELEASE);
	}
	span->lo = at;
	span->hi = at + bytes;
	add_span(span);
	add(&units.totals.space, bytes);
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

/* [lo, hi) is backed alike from now on. */
static void set_state(uintptr_t lo, uintptr_t hi, enum unit_state state, size_t page)
{
	for (uintptr_t u = lo; u < hi; u += units.bytes) {
		struct unit *unit = unit_at(u);

		if (state == UNIT_SPACE)
			memset(unit->written, 0, sizeof(unit->written));
		unit->mapped_shift = page ? (uint8_t)log2_of(page) : 0;
		unit->state = (uint8_t)state;
		unit->hollow = false;
	}
}

static void set_hollow(uintptr_t lo, uintptr_t hi)
{
	for (uintptr_t u = lo; u < hi; u += units.bytes)
		unit_at(u)->hollow = true;
}

static void uncount(uintptr_t at, size_t bytes)
{
	const struct unit *unit = unit_at(at);

	if (unit->state == UNIT_HUGE)
		sub(&units.totals.huge, bytes);
	else if (unit->state == UNIT_SMALL && !unit->hollow)
		sub(&units.totals.small, bytes);
}

/* Backing ------------------------------------------------------------------------ */

static void note_peak(void)
{
	uint64_t now = load(&units.totals.huge) + load(&units.totals.small);
	uint64_t peak = load(&units.totals.peak);

	while (now > peak &&
	       !__atomic_compare_exchange_n(&units.totals.peak, &peak, now, true, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
}

/* Returns the end of what became huge, on a unit's line. */
static uintptr_t back_huge(uintptr_t lo, uintptr_t hi, size_t page, enum reason *why)
{
	uintptr_t got = lo + heap_back_huge(lo, hi - lo, page, why);
	uintptr_t end = align_up(got, units.bytes);

	/* A unit of 1 GiB may have come in part, as pages of 2 MiB. */
	if (end > got && heap_back_small(got, end - got, page, true) != 0) {
		size_t none;

		end = align_down(got, units.bytes);
		heap_give_back(end, got - end, &none);
	}
	set_state(lo, end, UNIT_HUGE, 0);
	add(&units.totals.huge, end - lo);
	return end;
}

static bool back_small(uintptr_t lo, uintptr_t hi, size_t page, bool advise)
{
	int err = heap_back_small(lo, hi - lo, page, advise);

	if (err == 0) {
		set_state(lo, hi, UNIT_SMALL, 0);
		add(&units.totals.small, hi - lo);
	} else if (err == -EFAULT) {
		set_state(lo, hi, UNIT_LOST, 0);
	}
	return err == 0;
}

/* Backed and out of use, in part or as a whole. */
static uint64_t idle_bytes(void)
{
	uint64_t behind = load(&units.totals.huge) + load(&units.totals.small);
	uint64_t in_use = load(&units.totals.in_use);

	return behind > in_use ? behind - in_use : 0;
}

static bool may_be_huge(const struct conf *conf, size_t more, enum reason *why)
{
	*why = REASON_TOO_SMALL;
	if (load(&units.totals.in_use) + more <= conf->malloc_start)
		return false;
	*why = REASON_FILTERED;
	return conf->morecore.on && !conf->morecore.thp;
}

/* [lo, hi) is space, mapped alike. */
static bool back_run(uintptr_t lo, uintptr_t hi, size_t page, size_t more)
{
	const struct conf *conf = conf_get();
	enum reason why;
	bool huge = may_be_huge(conf, more, &why), advise = false;

	stats_request(USE_MALLOC, hi - lo);
	if (idle_bytes() > IDLE_LEAST + load(&units.totals.in_use) / 2)
		unit_reclaim(0);
	if (huge) {
		lo = back_huge(lo, hi, page, &why);
		if (lo < hi && idle_bytes() > units.bytes) {
			/* Others of ours lie idle. */
			unit_reclaim(0);
			lo = back_huge(lo, hi, page, &why);
		}
		if (lo < hi && conf->fallback == FALLBACK_FAIL)
			return false;
		advise = conf->fallback == FALLBACK_THP;
	}
	if (lo == hi)
		return true;
	if (!back_small(lo, hi, page, advise || (conf->morecore.thp && why == REASON_FILTERED)))
		return false;
	heap_note_small(hi - lo, why);
	return true;
}

static uintptr_t alike(uintptr_t from, uintptr_t hi)
{
	const struct unit *first = unit_at(from);
	uintptr_t to = from + units.bytes;

	while (to < hi && unit_at(to)->state == first->state &&
	       unit_at(to)->mapped_shift == first->mapped_shift &&
	       unit_at(to)->hollow == first->hollow)
		to += units.bytes;
	return to;
}

static bool back_hollow(uintptr_t lo, uintptr_t hi, size_t page)
{
	if (!back_small(lo, hi, page, conf_get()->fallback == FALLBACK_THP))
		return false;
	uncount(lo, hi - lo);
	set_hollow(lo, hi);
	return true;
}

static bool back_all(uintptr_t lo, uintptr_t hi, size_t more, bool hollow)
{
	for (uintptr_t from = lo, to; from < hi; from = to) {
		const struct unit *unit = unit_at(from);
		size_t page = mapped_page(unit);

		to = alike(from, hi);
		if (unit->state == UNIT_LOST)
			return false;
		if (unit->state != UNIT_SPACE)
			continue;
		if (hollow ? !back_hollow(from, to, page) : !back_run(from, to, page, more)) {
			unit_give_back(lo, to);
			return false;
		}
	}
	note_peak();
	return true;
}

bool unit_back(uintptr_t lo, uintptr_t hi, size_t more)
{
	return back_all(lo, hi, more, false);
}

/* A 64th of what is in use, so that a page costs one call in eight, not ten calls. */
size_t unit_ahead_bytes(void)
{
	size_t bytes = align_down(load(&units.totals.in_use) / 64, units.bytes);

	return bytes < AHEAD_UNITS_MOST * units.bytes ? bytes : AHEAD_UNITS_MOST * units.bytes;
}

uintptr_t unit_back_ahead(uintptr_t lo, uintptr_t hi)
{
	enum reason why;

	hi = alike(lo, hi);
	if (unit_at(lo)->state != UNIT_SPACE || !may_be_huge(conf_get(), 0, &why))
		return lo;
	hi = back_huge(lo, hi, mapped_page(unit_at(lo)), &why);
	note_peak();
	return hi;
}

bool unit_back_hollow(uintptr_t lo, uintptr_t hi)
{
	return back_all(lo, hi, 0, true);
}

void unit_make_huge(uintptr_t lo, uintptr_t hi)
{
	const struct conf *conf = conf_get();
	enum reason why;
	size_t got;

	if (!may_be_huge(conf, 0, &why))
		return;
	got = heap_replace_small(lo, hi - lo);
	got = align_down(got, units.bytes);
	for (uintptr_t u = lo; u < lo + got; u += units.bytes) {
		if (unit_at(u)->hollow)
			unit_count_in_use(units.bytes, true);
		uncount(u, units.bytes);
	}
	set_state(lo, lo + got, UNIT_HUGE, 0);
	add(&units.totals.huge, got);
	note_peak();
}

void unit_give_back(uintptr_t lo, uintptr_t hi)
{
	for (uintptr_t from = lo, to; from < hi; from = to) {
		enum unit_state state = unit_at(from)->state;
		size_t page = 0;
		int err;

		to = alike(from, hi);
		if (state != UNIT_HUGE && state != UNIT_SMALL)
			continue;
		err = heap_give_back(from, to - from, &page);
		if (err == -ENOMEM && state == UNIT_SMALL)
			continue;
		uncount(from, to - from);
		if (err == -ENOMEM) {
			/* It is still there, and nobody's to take apart any more. */
			set_state(from, to, UNIT_SMALL, 0);
			add(&units.totals.small, to - from);
		} else {
			set_state(from, to, err ? UNIT_LOST : UNIT_SPACE, page);
		}
	}
}
