/* SPDX-License-Identifier: MIT */
/* image_thp.c - collapse in place, or a copy that came as one huge page */
#include "core/image_thp.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/act/place.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

#define ADVICE_COLLAPSE 25
/* PR_SET_VMA and PR_SET_VMA_ANON_NAME, newer than some headers. */
#define PR_SET_VMA_CALL 0x53564d41
#define PR_SET_VMA_NAME_CALL 0

/*
 * One touch, and all of it is there: then it is one huge page, whatever the kernel's
 * settings and version. (They say only what may be.)
 */
static bool came_huge(uintptr_t at)
{
	unsigned char vec[GRANULE / 4096];
	const size_t n = GRANULE / mem_page_bytes();

	*(volatile char *)at = 0;
	if (n > sizeof(vec) || sys_mincore(at, GRANULE, vec) != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!(vec[i] & 1))
			return false;
	return true;
}

/* Room for a granule on its line; 0: none. */
static uintptr_t map_aside(void)
{
	long at = sys_mmap(0, 2 * GRANULE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			   0);
	uintptr_t lo = (uintptr_t)at, from;

	if (sys_failed(at))
		return 0;
	from = align_up(lo, GRANULE);
	if (from > lo)
		sys_munmap(lo, from - lo);
	if (lo + GRANULE > from)
		sys_munmap(from + GRANULE, lo + GRANULE - from);
	place_advise(from, GRANULE);
	return from;
}

static bool copy_over(const struct image_map *m, uintptr_t at, int prot)
{
	struct graft g = {
		.aside = map_aside(),
		.at = at,
		.bytes = GRANULE,
		.prot = prot,
		.parts = (const struct graft_part *)m->parts.at,
		.n = m->parts.bytes / sizeof(struct graft_part),
	};

	if (!g.aside)
		return false;
	if (came_huge(g.aside) && graft_over(&g) == 0) {
		/* A name for who reads /proc/PID/maps, where the kernel keeps such (5.17). */
		sys_call(SYS_prctl, PR_SET_VMA_CALL, PR_SET_VMA_NAME_CALL, (long)at, GRANULE,
			 (long)"hresv text", 0);
		return true;
	}
	sys_munmap(g.aside, GRANULE);
	return false;
}

size_t image_thp(const struct image_map *m, const struct image_run *r, enum use use)
{
	uintptr_t at = r->lo;
	size_t huge = 0;

	for (; at < r->hi && sys_madvise(at, GRANULE, ADVICE_COLLAPSE) == 0; at += GRANULE)
		huge += GRANULE;
	pagemap_set(r->lo, at, 0);
	while (at < r->hi && copy_over(m, at, r->prot)) {
		pagemap_set(at, at + GRANULE,
			    word_make(PAGE_SMALL, r->prot, mem_page_bytes(), use));
		at += GRANULE;
		huge += GRANULE;
	}
	pagemap_set(at, r->hi, 0);
	return huge;
}
