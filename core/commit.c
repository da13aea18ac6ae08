/* SPDX-License-Identifier: MIT */
/*
 * commit.c - huge pages moved over what has no content yet
 *
 * Nobody has seen a byte of this memory, so nothing is copied and nobody is
 * held up: the proven pages are moved over the small mapping, which is atomic
 * for a thread that guesses the address and reads early.
 *
 * Pitfall: a range that was accessible once may have content, and stops being
 * PAGE_RESERVED at its first mprotect() to anything.
 */
#include "core/commit.h"

#include <sys/mman.h>

#include "core/act/backing.h"
#include "core/act/cut.h"
#include "core/act/place.h"
#include "core/act/promote.h"
#include "core/act/stats.h"
#include "core/act/turn.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "core/plan.h"
#include "core/route.h"

/* Beyond this a reservation is a cage for pointers, and marking it costs more than it gains. */
#define RESERVED_MOST ((size_t)64 << 30)

static bool is_wanted(void)
{
	const struct conf *conf = conf_get();
	size_t page;

	if (!conf || !conf->active || !conf->mmap.on)
		return false;
	page = plan_page_bytes(USE_MMAP);
	return page && place_moves(page) == PLACE_MOVES && !plan_has_little_room();
}

void commit_note_reserved(uintptr_t lo, uintptr_t hi)
{
	uintptr_t from = align_up(lo, GRANULE), to = align_down(hi, GRANULE);

	if (from >= to || to - from > RESERVED_MOST || pagemap_prepare(from, to) != 0)
		return;
	pagemap_set(from, to, word_make(PAGE_RESERVED, PROT_NONE, mem_page_bytes(), USE_MMAP));
}

/* One rung's pages from @at on; returns the end of what became huge. */
static uintptr_t fill(const struct rung *r, uintptr_t at, uintptr_t end, int prot, enum use use)
{
	const size_t page = r->how.page_bytes;
	uintptr_t from = align_up(at, page), aside;
	size_t want = from < end ? (end - from) / page : 0, got;
	long moved;

	if (want > r->most_pages)
		want = (size_t)r->most_pages;
	if (!want || backing_make(&r->how, want, 0, &aside, &got) != 0)
		return at;
	moved = pagemap_prepare(from, from + got * page);
	if (!moved) {
		moved = sys_mremap(aside, got * page, got * page, MREMAP_MAYMOVE | MREMAP_FIXED, from);
		if (sys_failed(moved))
			place_mend(from, got * page, prot);
	}
	if (sys_failed(moved)) {
		sys_munmap(aside, got * page);
		return at;
	}
	stats_hold(got * page);
	stats_huge(use, got * page);
	pagemap_set(from, from + got * page, word_make(PAGE_PRIVATE, prot, page, use) |
							    (route_locks_new() ? WORD_LOCKED : 0));
	return from + got * page;
}

/* Returns how many bytes of [lo, hi) became huge, from its first page line on. */
static size_t make_huge(uintptr_t lo, uintptr_t hi, int prot, enum use use)
{
	const struct conf *conf = conf_get();
	struct backing like = {
		.prot = prot,
		.turn_held = conf->keep_free != 0,
	};
	size_t bytes = hi - lo, huge = 0;
	struct turn t = { .fd = -1 };
	struct plan plan;
	enum reason why = REASON_NONE;
	uintptr_t at = lo;

	if (like.turn_held)
		t = turn_take(TURN_ALONE, plan_page_bytes(use));
	plan_make(use, &like, bytes, bytes < conf->eager_max ? bytes : conf->eager_max, &plan);
	for (size_t i = 0; i < plan.n; i++) {
		uintptr_t to = fill(&plan.rungs[i], at, hi, prot, use);

		huge += to - at;
		at = to;
	}
	turn_drop(&t);
	stats_request(use, bytes);
	if (huge < bytes) {
		why = plan.n ? plan_blame(plan.rungs[plan.n - 1].how.page_bytes, NULL) : plan.binds;
		stats_small(use, bytes - huge, why);
	}
	stats_decide(&(struct decision){ .call = "commit", .use = use, .at = lo, .asked = bytes,
					 .huge = huge, .page_bytes = plan_page_bytes(use),
					 .why = why });
	return at - lo;
}

static void make_huge_or_note(uintptr_t lo, uintptr_t hi, int prot, enum use use)
{
	uintptr_t from = align_up(lo, GRANULE), to = align_down(hi, GRANULE);

	if (from >= to)
		return;
	from += make_huge(from, to, prot, use);
	if (from >= to)
		return;
	from = align_up(from, GRANULE);
	if (from >= to || pagemap_prepare(from, to) != 0)
		return;
	/* Advised, it is a mapping of its own to the kernel, and not to the program. */
	if (conf_get()->fallback == FALLBACK_THP)
		place_advise(from, to - from);
	if (route_locks_new()) {
		pagemap_set(from, to, word_make(PAGE_SPLIT, 0, mem_page_bytes(), use));
		return;
	}
	pagemap_set(from, to, word_make(PAGE_SMALL, prot, mem_page_bytes(), use));
	promote_note(from, to);
}

/* A debugger can write where the program can't. */
static bool is_untouched(uintptr_t lo, uintptr_t hi)
{
	unsigned char vec[GRANULE / 4096];

	for (uintptr_t at = lo, end; at < hi; at = end) {
		end = align_down(at, GRANULE) + GRANULE;
		if (end > hi)
			end = hi;

		size_t n = (end - at) / mem_page_bytes();

		if (sys_mincore(at, end - at, vec) != 0)
			return false;
		for (size_t i = 0; i < n; i++)
			if (vec[i] & 1)
				return false;
	}
	return true;
}

long commit_reserved(uintptr_t lo, uintptr_t hi, page_word word, int prot)
{
	long err = sys_mprotect(lo, hi - lo, prot);

	(void)word;
	if (err || prot == PROT_NONE)
		return err;
	cut_forget_small(lo, hi);
	if ((prot & (PROT_READ | PROT_WRITE)) == (PROT_READ | PROT_WRITE) && is_wanted() &&
	    is_untouched(lo, hi))
		make_huge_or_note(lo, hi, prot, USE_MMAP);
	return 0;
}

void commit_fresh(const struct request *rq, uintptr_t lo, uintptr_t hi)
{
	if (is_wanted())
		make_huge_or_note(lo, hi, rq->prot, rq->use);
}
