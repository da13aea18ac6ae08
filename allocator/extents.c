/* SPDX-License-Identifier: MIT */
/*
 * extents.c - the engine's extent hooks, over units of huge pages
 *
 * An arena gets address space in large pieces from an area of its own, one behind
 * the other, and commits and decommits parts of it; unit.c backs these. Space is
 * never given back, so an arena's extents stay near each other and merge.
 *
 * What the engine wants committed at once are its own records; these are plain
 * small memory, outside of the heap's space. So is everything while fork is
 * under way, when nothing may wait.
 *
 * Purging. There is none: what is decommitted reads zero afterwards or is zeroed
 * at its next use (unit.c), and MADV_DONTNEED of less than a huge page would
 * report success and clear nothing.
 */
#include "allocator/extents.h"

#include <errno.h>
#include <sys/mman.h>

#include "allocator/tidy.h"
#include "allocator/unit.h"
#include "core/act/pagemap.h"
#include "core/act/stats.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "core/heap.h"

#define ARENAS_MOST 4096

/*
 * Where arenas lie when nothing is in the way: far from where the kernel puts
 * mappings, so that the space behind an arena is free when it grows. A hint only.
 */
#define AREA_BASE ((uintptr_t)0x100000000000)
#define AREA_BYTES (64 * GIB)

#define SPACE_FIRST (64 * MIB)
#define SPACE_MOST (16 * GIB)

struct area {
	struct lock lock;	/* a guest of the gate holds it */
	uintptr_t next, end;	/* space reserved and not yet given out */
	size_t reserved;	/* so far, in all */
};

static struct area *areas[ARENAS_MOST];

static struct area *area_of(unsigned arena)
{
	struct area *area, *none = NULL;

	if (arena >= ARENAS_MOST)
		return NULL;
	area = __atomic_load_n(&areas[arena], __ATOMIC_ACQUIRE);
	if (area)
		return area;
	area = mem_pages(sizeof(*area));
	if (!area)
		return NULL;
	area->lock = (struct lock)LOCK_INIT(LOCK_HEAP);
	if (__atomic_compare_exchange_n(&areas[arena], &none, area, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return area;
	mem_pages_free(area, sizeof(*area));
	return none;
}

static uintptr_t area_hint(const struct area *area, unsigned arena)
{
	return area->end ? area->end : AREA_BASE + arena * AREA_BYTES;
}

/* Under HUGETLB_MALLOC_START, and where pages can't be: plain space. */
static size_t wished_page(size_t bytes)
{
	const struct conf *conf = conf_get();

	return !conf->morecore.thp && unit_totals()->space + bytes > SPACE_FIRST;
}

/* More space for the area, behind what it has if it can be; 0 or -ENOMEM. */
static int extend(struct area *area, unsigned arena, size_t bytes)
{
	size_t unit = heap_unit_bytes(), want = area->reserved, page;
	long at;

	want = want < SPACE_FIRST ? SPACE_FIRST : want < SPACE_MOST ? want : SPACE_MOST;
	if (want < bytes)
		want = bytes;
	for (want = align_up(want, unit);; want = align_up(bytes, unit)) {
		page = wished_page(want);
		at = heap_reserve(area_hint(area, arena), want, &page);
		if (!sys_failed(at) || want == align_up(bytes, unit))
			break;
	}
	if (sys_failed(at))
		return -ENOMEM;
	if (unit_add_space((uintptr_t)at, want, page) != 0) {
		sys_munmap((uintptr_t)at, want);
		return -ENOMEM;
	}
	if (area->end != (uintptr_t)at)
		area->next = (uintptr_t)at;
	area->end = (uintptr_t)at + want;
	area->reserved += want;
	return 0;
}

/* Called as a guest of the gate. */
static uintptr_t take_space(struct area *area, unsigned arena, size_t bytes, size_t align)
{
	uintptr_t at = 0;

	if (align_up_overflows(bytes, align))
		return 0;
	lock_take(&area->lock);
	if (align_up(area->next, align) + bytes > area->end || !area->end)
		if (extend(area, arena, bytes + align) != 0)
			goto out;
	at = align_up(area->next, align);
	area->next = at + bytes;
out:
	lock_drop(&area->lock);
	return at;
}

/* Small memory of no unit: for the engine's records, and when there is no way but this. */
static void *plain(size_t bytes, size_t align)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	size_t slack = align - mem_page_bytes();
	long at = sys_mmap(0, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (sys_failed(at) || is_aligned((uintptr_t)at, align))
		return sys_failed(at) ? NULL : (void *)at;
	sys_munmap((uintptr_t)at, bytes);
	if (bytes + slack < bytes)
		return NULL;
	at = sys_mmap(0, bytes + slack, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (sys_failed(at))
		return NULL;

	uintptr_t base = align_up((uintptr_t)at, align);

	if (base > (uintptr_t)at)
		sys_munmap((uintptr_t)at, base - (uintptr_t)at);
	if (base < (uintptr_t)at + slack)
		sys_munmap(base + bytes, (uintptr_t)at + slack - base);
	return (void *)base;
}

static void *extent_alloc(extent_hooks_t *hooks, void *new_addr, size_t bytes, size_t align,
			  bool *zero, bool *commit, unsigned arena)
{
	struct area *area = *commit ? NULL : area_of(arena);
	uintptr_t at = 0;
	struct quiet q;

	(void)hooks;
	if (new_addr)
		return NULL;
	if (align < mem_page_bytes())
		align = mem_page_bytes();
	if (area && gate_try_enter(&q)) {
		at = take_space(area, arena, bytes, align);
		gate_leave(&q);
	}
	*zero = true;
	*commit = !at;
	return at ? (void *)at : plain(bytes, align);
}

/* Refused: space is kept. */
static bool extent_dalloc(extent_hooks_t *hooks, void *at, size_t bytes, bool committed,
			  unsigned arena)
{
	(void)hooks;
	(void)committed;
	(void)arena;
	if (unit_owns((uintptr_t)at))
		return true;
	return sys_munmap((uintptr_t)at, bytes) != 0;
}

static void extent_destroy(extent_hooks_t *hooks, void *at, size_t bytes, bool committed,
			   unsigned arena)
{
	(void)hooks;
	(void)arena;
	if (!unit_owns((uintptr_t)at))
		sys_munmap((uintptr_t)at, bytes);
	else if (committed)
		unit_decommit((uintptr_t)at, (uintptr_t)at + bytes);
}

static bool extent_commit(extent_hooks_t *hooks, void *at, size_t bytes, size_t offset,
			  size_t length, unsigned arena)
{
	uintptr_t lo = (uintptr_t)at + offset;

	(void)hooks;
	(void)bytes;
	(void)arena;
	if (!unit_owns(lo) || !unit_commit(lo, lo + length))
		return true;
	tidy_note(length);
	return false;
}

static bool extent_decommit(extent_hooks_t *hooks, void *at, size_t bytes, size_t offset,
			    size_t length, unsigned arena)
{
	uintptr_t lo = (uintptr_t)at + offset;

	(void)hooks;
	(void)bytes;
	(void)arena;
	if (!unit_owns(lo))
		return true;
	unit_decommit(lo, lo + length);
	return false;
}

/* Only for plain memory, which is small: there the kernel's word holds. */
static bool extent_purge(extent_hooks_t *hooks, void *at, size_t bytes, size_t offset,
			 size_t length, unsigned arena)
{
	uintptr_t lo = (uintptr_t)at + offset;

	(void)hooks;
	(void)bytes;
	(void)arena;
	return unit_owns(lo) || sys_madvise(lo, length, MADV_DONTNEED) != 0;
}

static bool extent_split(extent_hooks_t *hooks, void *at, size_t bytes, size_t a, size_t b,
			 bool committed, unsigned arena)
{
	(void)hooks;
	(void)at;
	(void)bytes;
	(void)a;
	(void)b;
	(void)committed;
	(void)arena;
	return false;
}

static bool extent_merge(extent_hooks_t *hooks, void *a, size_t a_bytes, void *b, size_t b_bytes,
			 bool committed, unsigned arena)
{
	(void)hooks;
	(void)a_bytes;
	(void)b_bytes;
	(void)committed;
	(void)arena;
	return unit_owns((uintptr_t)a) != unit_owns((uintptr_t)b);
}

extent_hooks_t extents_hooks = {
	.alloc = extent_alloc,
	.dalloc = extent_dalloc,
	.destroy = extent_destroy,
	.commit = extent_commit,
	.decommit = extent_decommit,
	.purge_forced = extent_purge,
	.split = extent_split,
	.merge = extent_merge,
};

/* include/hresv_jemalloc.h, for the program's own jemalloc. */
extent_hooks_t *hresv_jemalloc_hooks(void);

__attribute__((visibility("default"))) extent_hooks_t *hresv_jemalloc_hooks(void)
{
	return &extents_hooks;
}
