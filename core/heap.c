/* SPDX-License-Identifier: MIT */
/*
 * heap.c - reserve, back, give back
 *
 * Pitfalls.
 * 1. Space for huge pages is a mapping of them without a reservation and without
 *    access: mlockall() cannot fill it, a stray pointer faults with SIGSEGV, and
 *    it owns nothing that a fork could take away (KERNEL.md 2.2). Filling it
 *    page by page keeps it one mapping, where one mapping a chunk would come to
 *    the kernel's limit of 65530 in a heap of 128 GiB.
 * 2. Pages that came but were not proven to the end stay behind as small ones,
 *    so that no touch of them can ever miss.
 *    Where the kernel has no record left to do so, small pages are mapped afresh from
 *    then on: space that is only thought to be small must not be touched.
 * 3. A mapping over a mapping that fails may leave a hole: whoever can be told
 *    is told, and nothing is put there a second time without NOREPLACE.
 */
#include "core/heap.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/act/backing.h"
#include "core/act/cow.h"
#include "core/act/pagemap.h"
#include "core/act/place.h"
#include "core/act/stats.h"
#include "core/act/turn.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "core/plan.h"

#define SPACE_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* Space that is small was left mapped for huge pages, as the kernel had no record: atomic. */
static struct {
	bool tainted;
} heap;

size_t heap_unit_bytes(void)
{
	const struct conf *conf = conf_get();
	size_t own = !conf ? 0 : conf->morecore.page_bytes ? conf->morecore.page_bytes
							   : conf->page_bytes;

	return own > GRANULE ? own : GRANULE;
}

/* Cuts [at, at + mapped) down to @bytes on a line of @unit. */
static long trim(uintptr_t at, size_t mapped, size_t bytes, size_t unit)
{
	uintptr_t base = align_up(at, unit);

	if (base > at)
		sys_munmap(at, base - at);
	if (base + bytes < at + mapped)
		sys_munmap(base + bytes, at + mapped - base - bytes);
	return (long)base;
}

static long reserve_plain(uintptr_t hint, size_t bytes, size_t unit)
{
	long at = sys_mmap(hint, bytes, PROT_NONE, SPACE_FLAGS, -1, 0);

	if (sys_failed(at) || is_aligned((uintptr_t)at, unit))
		return at;
	sys_munmap((uintptr_t)at, bytes);
	at = sys_mmap(0, bytes + unit, PROT_NONE, SPACE_FLAGS, -1, 0);
	return sys_failed(at) ? at : trim((uintptr_t)at, bytes + unit, bytes, unit);
}

static struct backing heap_backing(size_t page_bytes)
{
	return (struct backing){
		.page_bytes = page_bytes,
		.prot = PROT_READ | PROT_WRITE,
		.turn_held = conf_get()->keep_free != 0,
		.path = plan_path(page_bytes),
	};
}

long heap_reserve(uintptr_t hint, size_t bytes, size_t *ret_page)
{
	const size_t unit = heap_unit_bytes();
	size_t page = *ret_page ? plan_page_bytes(USE_MALLOC) : 0;
	long at = -ENOMEM;

	*ret_page = 0;
	if (page >= GRANULE && page <= unit) {
		struct backing how = heap_backing(page);

		at = backing_map_private(&how, hint, bytes, PROT_NONE, 0);
		if (!sys_failed(at) && is_aligned((uintptr_t)at, unit)) {
			*ret_page = page;
			return at;
		}
		if (!sys_failed(at))
			sys_munmap((uintptr_t)at, bytes);
	}
	return reserve_plain(hint, bytes, unit);
}

/* Small pages over what lies there: a hole is -EFAULT, whatever the kernel called it. */
static int map_small_over(uintptr_t at, size_t bytes, int prot, int more_flags)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | more_flags;
	unsigned char vec;

	if (!sys_failed(sys_mmap(at, bytes, prot, flags | MAP_FIXED, -1, 0)))
		return 0;
	return sys_mincore(at, mem_page_bytes(), &vec) == 0 ? -ENOMEM : -EFAULT;
}

/* Space again, as it was: the pages that did not come must not be touchable. */
static void restore(uintptr_t at, size_t bytes, bool was_huge)
{
	if (!was_huge && map_small_over(at, bytes, PROT_NONE, MAP_NORESERVE) == 0)
		return;
	sys_mprotect(at, bytes, PROT_NONE);
	if (!was_huge)
		__atomic_store_n(&heap.tainted, true, __ATOMIC_RELAXED);
}

/* Pages of one size from @at on; returns the bytes that came. */
static size_t fill(const struct rung *r, uintptr_t at, size_t bytes, size_t mapped_page)
{
	const size_t page = r->how.page_bytes;
	size_t pages = bytes / page, got;

	if (pages > r->most_pages)
		pages = (size_t)r->most_pages;
	if (!is_aligned(at, page) || pages == 0)
		return 0;
	if (mapped_page != page &&
	    sys_failed(backing_map_private(&r->how, at, pages * page, PROT_NONE, MAP_FIXED)))
		return 0;
	if (sys_mprotect(at, pages * page, PROT_READ | PROT_WRITE) != 0) {
		restore(at, pages * page, mapped_page == page);
		return 0;
	}
	got = backing_fill(&r->how, at, pages);
	if (got < pages)
		restore(at + got * page, (pages - got) * page, mapped_page == page);
	pagemap_set(at, at + got * page,
		    word_make(PAGE_PRIVATE, r->how.prot, page, USE_MALLOC));
	stats_hold(got * page);
	return got * page;
}

static size_t eager(size_t bytes)
{
	const size_t most = conf_get()->eager_max;

	return bytes < most ? bytes : most;
}

size_t heap_back_huge(uintptr_t at, size_t bytes, size_t mapped_page, enum reason *ret_why)
{
	const struct conf *conf = conf_get();
	const struct backing like = { .prot = PROT_READ | PROT_WRITE,
				      .turn_held = conf->keep_free != 0 };
	struct turn t = { .fd = -1 };
	struct plan plan;
	size_t got = 0, most = eager(bytes);

	if (pagemap_prepare(at, at + bytes) != 0) {
		*ret_why = REASON_NO_MEMORY;
		return 0;
	}
	if (conf->keep_free)
		t = turn_take(TURN_ALONE, plan_page_bytes(USE_MALLOC));
	plan_make(USE_MALLOC, &like, bytes, most, &plan);
	*ret_why = plan.binds;
	for (size_t i = 0; i < plan.n && got < most; i++)
		got += fill(&plan.rungs[i], at + got, most - got, mapped_page);
	turn_drop(&t);
	if (got < most && plan.n)
		*ret_why = plan_blame(plan.rungs[plan.n - 1].how.page_bytes,
				      plan.rungs[plan.n - 1].how.path);
	stats_huge(USE_MALLOC, got);
	stats_decide(&(struct decision){ .call = "heap", .use = USE_MALLOC, .at = at,
					 .asked = bytes, .huge = got,
					 .page_bytes = plan_page_bytes(USE_MALLOC),
					 .why = got < bytes ? *ret_why : REASON_NONE });
	return got;
}

/* Built aside and moved over, so that a shortage leaves the small pages alone. */
static size_t replace(const struct rung *r, uintptr_t at, size_t bytes)
{
	const size_t page = r->how.page_bytes;
	size_t pages = bytes / page, got;
	uintptr_t aside;
	struct claim c;
	long moved;

	if (pages > r->most_pages)
		pages = (size_t)r->most_pages;
	if (!is_aligned(at, page) || pages == 0 || backing_make(&r->how, pages, 0, &aside, &got))
		return 0;
	c = pagemap_claim(at, at + got * page);
	moved = sys_mremap(aside, got * page, got * page, MREMAP_MAYMOVE | MREMAP_FIXED, at);
	if (!sys_failed(moved))
		pagemap_set(at, at + got * page,
			    word_make(PAGE_PRIVATE, r->how.prot, page, USE_MALLOC));
	pagemap_unclaim(&c);
	if (sys_failed(moved)) {
		place_mend(at, got * page, PROT_READ | PROT_WRITE);
		sys_munmap(aside, got * page);
		return 0;
	}
	stats_hold(got * page);
	stats_huge(USE_MALLOC, got * page);
	stats_heap_no_more(got * page);
	return got * page;
}

size_t heap_replace_small(uintptr_t at, size_t bytes)
{
	const struct conf *conf = conf_get();
	const struct backing like = { .prot = PROT_READ | PROT_WRITE,
				      .turn_held = conf->keep_free != 0 };
	struct turn t = { .fd = -1 };
	size_t got = 0, most = eager(bytes);
	struct plan plan;

	if (pagemap_prepare(at, at + bytes) != 0)
		return 0;
	if (conf->keep_free)
		t = turn_take(TURN_ALONE, plan_page_bytes(USE_MALLOC));
	plan_make(USE_MALLOC, &like, bytes, most, &plan);
	for (size_t i = 0; i < plan.n && got < most; i++)
		got += replace(&plan.rungs[i], at + got, most - got);
	turn_drop(&t);
	return got;
}

int heap_back_small(uintptr_t at, size_t bytes, size_t mapped_page, bool advise)
{
	int err;

	if (mapped_page || __atomic_load_n(&heap.tainted, __ATOMIC_RELAXED))
		err = map_small_over(at, bytes, PROT_READ | PROT_WRITE, 0);
	else
		err = (int)sys_mprotect(at, bytes, PROT_READ | PROT_WRITE);
	if (err == 0 && advise)
		place_advise(at, bytes);
	return err;
}

void heap_note_small(size_t bytes, enum reason why)
{
	stats_small(USE_MALLOC, bytes, why);
	if (reason_is_shortage(why))
		stats_heap_small(bytes);
}

/*
 * Takes the words back, whoever else may be at them; the bytes that were huge, and
 * whether they may stay mapped.
 */
static size_t forget(uintptr_t at, size_t bytes, bool *ret_clean)
{
	struct claim c = pagemap_claim(at, at + bytes);
	size_t huge = 0;
	page_word word;

	for (uintptr_t lo = at, hi; lo < at + bytes; lo = hi) {
		hi = pagemap_run(lo, at + bytes, &word);
		if (word_kind(word) == PAGE_PRIVATE)
			huge += hi - lo;
	}
	pagemap_set(at, at + bytes, 0);
	*ret_clean = cow_leave(at, at + bytes);
	pagemap_unclaim(&c);
	stats_release(huge);
	stats_heap_no_more(bytes - huge);
	return huge;
}

int heap_give_back(uintptr_t at, size_t bytes, size_t *ret_page)
{
	page_word word = pagemap_get(at);
	size_t page = word_kind(word) == PAGE_PRIVATE ? word_page_bytes(word) : 0;
	uintptr_t end = pagemap_run(at, at + bytes, &word);
	bool clean;

	if (forget(at, bytes, &clean) == bytes && end == at + bytes && clean) {
		/* Unmapping by the page keeps the mapping whole for the next use. */
		if (sys_madvise(at, bytes, MADV_DONTNEED) == 0) {
			sys_mprotect(at, bytes, PROT_NONE);
			*ret_page = page;
			return 0;
		}
	}
	*ret_page = 0;
	return map_small_over(at, bytes, PROT_NONE, MAP_NORESERVE);
}

bool heap_is_huge(uintptr_t at)
{
	return word_kind(pagemap_get(at)) == PAGE_PRIVATE;
}
