/* SPDX-License-Identifier: MIT */
/*
 * place.c - two ways to put a range together
 *
 * The straight way, for the common request (private, no wish for an address,
 * one size): the huge mapping is made with room for the tail behind it, and
 * what has no huge page is replaced by small pages from the end.
 *
 * The assembled way, for everything else: the small mapping is made first,
 * exactly as the program asked, so that hints and errors are the kernel's own;
 * the huge parts are built aside, proven, and each moved over it whole.
 *
 * Pitfalls.
 * 1. mremap() of huge mappings came with Linux 5.16 and is EINVAL before; then
 *    the pages are built again in place, over the small mapping.
 * 2. mremap() to a fixed place unmaps that place first. When it then fails (no
 *    memory for a mapping record), there is a hole: mend_hole() fills it
 *    without harming whoever may have moved in.
 */
#include "core/act/place.h"

#include <errno.h>
#include <linux/mman.h>
#include <string.h>
#include <sys/mman.h>

#include "core/act/aside.h"
#include "core/act/line.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

void place_advise(uintptr_t at, size_t bytes)
{
	sys_madvise(at, bytes, MADV_HUGEPAGE);
}

static long move_over(uintptr_t from, size_t bytes, uintptr_t to)
{
	return sys_mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}

/* Without access and reservation the page takes nothing from the pool. */
static long try_to_move(size_t page)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	const int huge = MAP_HUGETLB | (int)(log2_of(page) << MAP_HUGE_SHIFT);
	long room = sys_mmap(0, 2 * page, PROT_NONE, flags, -1, 0), from, moved;

	if (sys_failed(room))
		return -ENOMEM;
	from = sys_mmap(0, page, PROT_NONE, flags | huge, -1, 0);
	if (sys_failed(from)) {
		sys_munmap((uintptr_t)room, 2 * page);
		return -ENOMEM;
	}
	moved = move_over((uintptr_t)from, page, align_up((uintptr_t)room, page));
	if (sys_failed(moved))
		sys_munmap((uintptr_t)from, page);
	sys_munmap((uintptr_t)room, 2 * page);
	return moved;
}

enum place_moves place_moves(size_t page_bytes)
{
	static enum place_moves known = PLACE_MAY_MOVE;		/* atomic */
	enum place_moves moves = __atomic_load_n(&known, __ATOMIC_RELAXED);
	long moved;

	if (moves != PLACE_MAY_MOVE)
		return moves;
	moved = try_to_move(page_bytes);
	if (sys_failed(moved) && moved != -EINVAL)
		return PLACE_MAY_MOVE;
	moves = sys_failed(moved) ? PLACE_MOVES_NOT : PLACE_MOVES;
	__atomic_store_n(&known, moves, __ATOMIC_RELAXED);
	return moves;
}

/*
 * mremap() refuses to move a mapping onto itself: first to a place that is clear
 * of the range. Of three times the room, one side of it is always long enough.
 */
static long step_clear(uintptr_t aside, size_t bytes, size_t page, uintptr_t to)
{
	const size_t room = 3 * bytes + 2 * page;
	long at = sys_mmap(0, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uintptr_t lo = (uintptr_t)at, hi = lo + room, clear;
	long moved = -ENOMEM;

	if (sys_failed(at))
		return at;
	clear = align_up(lo, page);
	if (clear < to + bytes && to < clear + bytes)
		clear = align_up(to + bytes, page);
	if (clear + bytes <= hi)
		moved = move_over(aside, bytes, clear);
	if (sys_failed(moved)) {
		sys_munmap(lo, room);
		return moved;
	}
	if (clear > lo)
		sys_munmap(lo, clear - lo);
	if (hi > clear + bytes)
		sys_munmap(clear + bytes, hi - clear - bytes);
	return moved;
}

long place_over(uintptr_t *aside, size_t bytes, size_t page_bytes, uintptr_t to)
{
	if (*aside < to + bytes && to < *aside + bytes) {
		long clear = step_clear(*aside, bytes, page_bytes, to);

		if (sys_failed(clear))
			return clear;
		*aside = (uintptr_t)clear;
	}
	return move_over(*aside, bytes, to);
}

static void mend_hole(const struct request *rq, uintptr_t at, size_t bytes)
{
	sys_mmap(at, bytes, rq->prot, rq->flags | MAP_FIXED_NOREPLACE, -1, 0);
}

void place_mend(uintptr_t at, size_t bytes, int prot)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

	sys_mmap(at, bytes, prot, flags, -1, 0);
}

static void add_part(struct placed *p, uintptr_t at, size_t pages, size_t page_bytes)
{
	struct part *last = p->parts ? &p->part[p->parts - 1] : NULL;

	p->huge_bytes += pages * page_bytes;
	if (last && last->page_bytes == page_bytes && last->at + last->bytes == at) {
		last->bytes += pages * page_bytes;
		return;
	}
	p->part[p->parts++] = (struct part){ at, pages * page_bytes, page_bytes };
}

/*
 * [at, at + mapped) is huge; from @keep on it shall be small pages up to @bytes
 * and nothing behind. Both ends of what is replaced lie on huge page lines.
 */
static int replace_tail(const struct request *rq, uintptr_t at, size_t mapped, size_t keep,
			size_t bytes)
{
	long tail = sys_mmap(0, mapped - keep, rq->prot, rq->flags, -1, 0);

	if (sys_failed(tail))
		return (int)tail;

	long moved = move_over((uintptr_t)tail, mapped - keep, at + keep);

	if (sys_failed(moved)) {
		sys_munmap((uintptr_t)tail, mapped - keep);
		return (int)moved;
	}
	return mapped > bytes ? (int)sys_munmap(at + bytes, mapped - bytes) : 0;
}

static size_t pages_of(const struct rung *r, size_t bytes)
{
	size_t pages = bytes / r->how.page_bytes;

	return pages < r->most_pages ? pages : (size_t)r->most_pages;
}

static int place_straight(const struct request *rq, const struct rung *r, size_t bytes,
			  struct placed *ret)
{
	const size_t page = r->how.page_bytes, want = pages_of(r, bytes);
	const size_t mapped = align_up(bytes, page);
	struct placed p = { .bytes = bytes };
	size_t got;
	int err;

	if (want == 0)
		return -ENOMEM;
	err = backing_make(&r->how, want, mapped / page, &p.at, &got);
	if (err)
		return err;
	if (got * page < bytes) {
		err = replace_tail(rq, p.at, mapped, got * page, bytes);
		if (err) {
			sys_munmap(p.at, mapped);
			return -ENOMEM;
		}
	}
	add_part(&p, p.at, got, page);
	p.cut_short = got < want;
	*ret = p;
	return 0;
}

/* The program's own small mapping, on a line of @unit unless it wished for a place. */
static long map_small(const struct request *rq, size_t bytes, size_t unit)
{
	size_t slack = unit - mem_page_bytes();
	long at;

	if (rq->at || (rq->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)))
		return sys_mmap(rq->at, bytes, rq->prot, rq->flags, -1, 0);
	at = sys_mmap(0, bytes + slack, rq->prot, rq->flags & ~MAP_POPULATE, -1, 0);
	if (sys_failed(at))
		return at;

	uintptr_t base = align_up((uintptr_t)at, unit);

	if (base > (uintptr_t)at)
		sys_munmap((uintptr_t)at, base - (uintptr_t)at);
	if (base + bytes < (uintptr_t)at + bytes + slack)
		sys_munmap(base + bytes, (uintptr_t)at + slack - base);
	return (long)base;
}

int place_small(const struct request *rq, size_t unit, struct placed *ret_placed)
{
	size_t bytes = align_up(rq->bytes, mem_page_bytes());
	long at;

	if (rq->flags & MAP_POPULATE)
		return -EINVAL;
	at = map_small(rq, bytes, unit);
	if (sys_failed(at))
		return (int)at;
	*ret_placed = (struct placed){ .at = (uintptr_t)at, .bytes = bytes };
	return 0;
}

/*
 * Linux before 5.16 does not move huge mappings: build in place. Nobody knows
 * this memory yet, so what a shortage destroys is only made again, small.
 */
static size_t build_over(const struct request *rq, const struct rung *r, uintptr_t at, size_t pages)
{
	struct backing how = r->how;
	size_t got = 0;

	how.over = at;
	if (backing_make(&how, pages, 0, &at, &got) != 0)
		got = 0;
	if (got < pages)
		mend_hole(rq, at + got * how.page_bytes, (pages - got) * how.page_bytes);
	return got;
}

/* How many pages of @r came, huge, from @at on; the small ones there are what they were. */
static size_t put_pages(const struct request *rq, const struct rung *r, uintptr_t at, size_t want)
{
	const size_t page = r->how.page_bytes;
	uintptr_t aside;
	size_t got;
	long moved;

	if (backing_make(&r->how, want, 0, &aside, &got) != 0)
		return 0;
	moved = move_over(aside, got * page, at);
	if (!sys_failed(moved))
		return got;
	sys_munmap(aside, got * page);
	if (moved == -EINVAL)
		return build_over(rq, r, at, got);
	mend_hole(rq, at, got * page);
	return 0;
}

/*
 * @left: bytes that the plan allows in all. What one size can't give, for want of a line
 * or of pages, the next one may, as far as its own room goes.
 */
struct ladder {
	const struct request *rq;
	struct rung rung[PLACE_RUNGS];
	size_t n;
	uint64_t left;
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* @noted: a fork child gives up what we build, if it is made while we breathe. */
static void climb(struct ladder *l, const struct rung *rungs, size_t n, size_t bytes, bool noted)
{
	l->n = n < PLACE_RUNGS ? n : PLACE_RUNGS;
	memcpy(l->rung, rungs, l->n * sizeof(l->rung[0]));
	for (size_t i = 0; i < l->n; i++) {
		struct rung *r = &l->rung[i];

		l->left += pages_of(r, bytes) * r->how.page_bytes;
		r->how.may_breathe = r->how.may_breathe && noted;
		if (r->room_pages < r->most_pages)
			r->room_pages = r->most_pages;
	}
}

/* [lo, hi) by rung @i and those below it, front to back: smaller pages before and behind. */
static void fill(struct ladder *l, size_t i, uintptr_t lo, uintptr_t hi, struct placed *p)
{
	struct rung *r = &l->rung[i];
	uintptr_t from;
	size_t page, want, got;

	if (i >= l->n || lo >= hi)
		return;
	page = r->how.page_bytes;
	from = align_up(lo, page);
	want = from < hi ? least((hi - from) / page, least(r->room_pages, l->left / page)) : 0;
	got = want ? put_pages(l->rq, r, from, want) : 0;
	p->cut_short = p->cut_short || got < want;
	r->room_pages -= got;
	l->left -= got * page;
	if (got == 0) {
		fill(l, i + 1, lo, hi, p);
		return;
	}
	fill(l, i + 1, lo, from, p);
	add_part(p, from, got, page);
	fill(l, i + 1, from + got * page, hi, p);
}

/* Shared memory where processes share its page tables, if it is free to lie there. */
static long map_on_line(const struct request *rq, size_t bytes, size_t unit)
{
	struct request there = *rq;
	long at;

	if ((rq->flags & MAP_TYPE) == MAP_SHARED && line_may_choose(rq->at, rq->flags))
		there.at = line_for(bytes, 0);
	if (!there.at)
		return map_small(rq, bytes, unit);
	there.flags &= ~MAP_POPULATE;
	at = map_small(&there, bytes, unit);
	if (sys_failed(at) || (uintptr_t)at == there.at)
		return at;
	sys_munmap((uintptr_t)at, bytes);
	return map_small(rq, bytes, unit);
}

static int place_assembled(const struct request *rq, const struct rung *rungs, size_t n,
			   size_t bytes, struct placed *ret)
{
	struct placed p = { .bytes = bytes };
	struct ladder l = { .rq = rq };
	long base = map_on_line(rq, bytes, rungs[0].how.page_bytes);

	if (sys_failed(base))
		return (int)base;
	p.at = (uintptr_t)base;
	climb(&l, rungs, n, bytes, aside_note(p.at, bytes));
	fill(&l, 0, p.at, p.at + bytes, &p);
	aside_forget(p.at);
	if (p.huge_bytes == 0) {
		sys_munmap(p.at, bytes);
		return -ENOMEM;
	}
	if (rq->flags & MAP_POPULATE)
		backing_prove(p.at, bytes, mem_page_bytes(), false);
	*ret = p;
	return 0;
}

int place_range(const struct request *rq, const struct rung *rungs, size_t n,
		struct placed *ret_placed)
{
	size_t bytes = align_up(rq->bytes, mem_page_bytes());

	if (n == 0)
		return -ENOMEM;
	if (n == 1 && !rungs[0].how.shared && rq->at == 0)
		return place_straight(rq, &rungs[0], bytes, ret_placed);
	return place_assembled(rq, rungs, n, bytes, ret_placed);
}
