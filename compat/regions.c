/* SPDX-License-Identifier: MIT */
/*
 * regions.c - get_huge_pages and get_hugepage_region
 *
 * Proven before they return, as everything of ours. What is freed is as long as it was made,
 * however it was split meanwhile: it is remembered, not looked for in /proc/self/maps.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "compat/compat.h"
#include "core/act/backing.h"
#include "core/ask.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "core/route.h"

#define CACHE_LINE 64

struct region {
	uintptr_t at;
	size_t bytes;
};

/*
 * lock guards regions, which are in no order. Held by guests of the gate only, so that no fork
 * finds it taken; memory is mapped under it.
 */
static struct {
	struct lock lock;
	struct blob regions;	/* struct region[] */
	size_t colour;		/* atomic */
} made = { .lock = LOCK_INIT(LOCK_ATTACH) };

static int remember(uintptr_t at, size_t bytes)
{
	const struct region r = { at, bytes };
	struct quiet q;
	int err;

	gate_enter(&q);
	lock_take(&made.lock);
	err = blob_add(&made.regions, &r, sizeof(r));
	lock_drop(&made.lock);
	gate_leave(&q);
	return err;
}

/* Its length, and it is forgotten; 0: it is none. */
static size_t forget(uintptr_t at)
{
	struct region *r, *end;
	size_t bytes = 0;
	struct quiet q;

	gate_enter(&q);
	lock_take(&made.lock);
	r = (struct region *)(void *)made.regions.at;
	end = r + made.regions.bytes / sizeof(*r);
	while (r < end && r->at != at)
		r++;
	if (r < end) {
		bytes = r->bytes;
		*r = end[-1];
		made.regions.bytes -= sizeof(*r);
	}
	lock_drop(&made.lock);
	gate_leave(&q);
	return bytes;
}

/* Where libhresv is off, huge pages asked for by name are proven all the same. */
static long ask_without_us(size_t bytes, size_t page_bytes)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_HUGETLB |
			  (int)(log2_of(page_bytes) << 26);
	long at = sys_mmap(0, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (!sys_failed(at) &&
	    backing_populate((uintptr_t)at, bytes / page_bytes, page_bytes) < bytes / page_bytes) {
		sys_munmap((uintptr_t)at, bytes);
		at = -ENOMEM;
	}
	return at;
}

/* Whole huge pages; with @strict all of them or -errno. */
static long ask_for(size_t bytes, size_t page_bytes, bool strict)
{
	const struct ask a = { .bytes = bytes, .page_bytes = page_bytes, .strict = strict };
	const struct conf *conf = conf_get();
	size_t huge;
	long at;

	if (strict && (!conf || !conf->active))
		at = ask_without_us(bytes, page_bytes);
	else
		at = ask_memory(&a, &huge);
	if (at < 0)
		return at <= -4096 ? -ENOMEM : at;
	if (remember((uintptr_t)at, bytes) != 0) {
		route_unmap((uintptr_t)at, bytes);
		return -ENOMEM;
	}
	return at;
}

static void *answer(long at)
{
	if (at < 0) {
		errno = (int)-at;
		return NULL;
	}
	return (void *)at;
}

/* 0, or -errno: rounded up to huge pages. */
static int size_of_region(size_t len, size_t *ret_bytes, size_t *ret_page)
{
	long page = gethugepagesize();

	if (page <= 0)
		return -ENOSYS;
	if (len == 0)
		return -EINVAL;
	if (len > PTRDIFF_MAX - (size_t)page)
		return -ENOMEM;
	*ret_page = (size_t)page;
	*ret_bytes = align_up(len, (size_t)page);
	return 0;
}

/* Private huge pages for @len bytes, all of them, or NULL: EINVAL, ENOMEM, ENOSYS. */
COMPAT_API void *get_huge_pages(size_t len, unsigned long flags)
{
	size_t bytes = 0, page = 0;
	int err = flags == GHP_DEFAULT ? size_of_region(len, &bytes, &page) : -EINVAL;

	return answer(err ? err : ask_for(bytes, page, true));
}

/* Of what get_huge_pages() returned; NULL and other addresses are left alone. */
COMPAT_API void free_huge_pages(void *ptr)
{
	size_t bytes = forget((uintptr_t)ptr);

	if (bytes)
		route_unmap((uintptr_t)ptr, bytes);
}

/* Within what rounding wasted, so that many regions do not share cache sets. */
static size_t next_colour(size_t waste)
{
	const size_t lines = waste / CACHE_LINE;

	if (lines < 2)
		return 0;
	return __atomic_fetch_add(&made.colour, 1, __ATOMIC_RELAXED) % lines * CACHE_LINE;
}

/*
 * Memory for @len bytes on huge pages: all of it with GHR_STRICT, else what can be had, and small
 * pages for the rest. GHR_COLOR: not at the start of a page. NULL as above.
 */
COMPAT_API void *get_hugepage_region(size_t len, unsigned long flags)
{
	const unsigned long known = GHR_STRICT | GHR_FALLBACK | GHR_COLOR;
	size_t bytes = 0, page = 0;
	long at = size_of_region(len, &bytes, &page);

	if ((flags & ~known) || ((flags & GHR_STRICT) && (flags & GHR_FALLBACK)))
		at = -EINVAL;
	if (at == -ENOSYS && !(flags & GHR_STRICT)) {	/* small pages will do */
		page = mem_page_bytes();
		bytes = align_up(len, page);
		at = len && len < PTRDIFF_MAX ? 0 : -EINVAL;
	}
	if (!at)
		at = ask_for(bytes, page, flags & GHR_STRICT);
	if (at > 0 && (flags & GHR_COLOR))
		at += (long)next_colour(bytes - len);
	return answer(at);
}

/* Coloured or not: colours end within the last huge page, and regions start on a page. */
COMPAT_API void free_hugepage_region(void *ptr)
{
	uintptr_t at = (uintptr_t)ptr;
	struct region *r;
	struct quiet q;
	uintptr_t start = 0;

	gate_enter(&q);
	lock_take(&made.lock);
	r = (struct region *)(void *)made.regions.at;
	for (size_t i = 0; i < made.regions.bytes / sizeof(*r) && !start; i++)
		if (at >= r[i].at && at - r[i].at < r[i].bytes)
			start = r[i].at;
	lock_drop(&made.lock);
	gate_leave(&q);
	if (start)
		free_huge_pages((void *)start);
}
