/* SPDX-License-Identifier: MIT */
/*
 * jemalloc.c - jemalloc's own calls: mallocx and its relatives, mallctl
 *
 * With another malloc in charge they are done by that one's functions of the same
 * name, or, where it has none, in terms of its malloc. mallctl() then knows no
 * name, which is how programs find out whether jemalloc is there.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "allocator/arena.h"
#include "allocator/cache.h"
#include "allocator/class.h"
#include "allocator/engine.h"
#include "allocator/family.h"
#include "allocator/mode.h"
#include "allocator/next.h"

#define LG_ALIGN_MASK 0x3f

static size_t align_of(int flags)
{
	return (size_t)1 << (flags & LG_ALIGN_MASK);
}

/*
 * A block of an arena or thread cache of the program's choice goes back to the engine,
 * however it is freed: the program may be about to throw that arena away.
 */
static void *untold(void *at)
{
	if (at)
		class_tell(at, 0);
	return at;
}

/* Nothing that was freed stays with us when the program turns to the engine itself. */
static void hand_over(const void *old, const void *new)
{
	if (cache_mine && (new || !old))
		cache_flush(cache_mine);
}

static void *by_malloc(size_t bytes, int flags)
{
	size_t align = align_of(flags);
	void *at = align <= 2 * sizeof(void *) ? malloc(bytes) : memalign(align, bytes);

	if (at && (flags & MALLOCX_ZERO))
		memset(at, 0, bytes);
	return at;
}

HRESV_EXPORT void *mallocx(size_t bytes, int flags)
{
	if (mode_is_fast() || mode_settled() == MODE_OURS)
		return untold(je_mallocx(bytes, flags));
	if (mode_now() == MODE_NEXT && next()->mallocx)
		return next()->mallocx(bytes, flags);
	return by_malloc(bytes, flags);
}

static void *move(void *at, size_t had, size_t bytes, int flags)
{
	void *to = mallocx(bytes, flags);

	if (!to)
		return NULL;
	memcpy(to, at, had < bytes ? had : bytes);
	free(at);
	return to;
}

HRESV_EXPORT void *rallocx(void *at, size_t bytes, int flags)
{
	if (early_owns(at) || (mode_settled() == MODE_NEXT && !next()->rallocx))
		return move(at, malloc_usable_size(at), bytes, flags);
	if (mode_now() == MODE_NEXT)
		return next()->rallocx(at, bytes, flags);
	return untold(je_rallocx(at, bytes, flags));
}

HRESV_EXPORT size_t xallocx(void *at, size_t bytes, size_t extra, int flags)
{
	if (early_owns(at) || (mode_settled() == MODE_NEXT && !next()->xallocx))
		return malloc_usable_size(at);
	if (mode_now() == MODE_NEXT)
		return next()->xallocx(at, bytes, extra, flags);
	untold(at);
	return je_xallocx(at, bytes, extra, flags);
}

HRESV_EXPORT size_t sallocx(const void *at, int flags)
{
	(void)flags;
	return malloc_usable_size((void *)(uintptr_t)at);
}

HRESV_EXPORT void dallocx(void *at, int flags)
{
	if (mode_is_fast_for(at))
		je_dallocx(at, flags);
	else if (mode_now() == MODE_NEXT && next()->dallocx && !early_owns(at))
		next()->dallocx(at, flags);
	else
		free(at);
}

HRESV_EXPORT void sdallocx(void *at, size_t bytes, int flags)
{
	if (mode_is_fast_for(at))
		je_sdallocx(at, bytes, flags);
	else if (mode_now() == MODE_NEXT && next()->sdallocx && !early_owns(at))
		next()->sdallocx(at, bytes, flags);
	else
		free(at);
}

HRESV_EXPORT size_t nallocx(size_t bytes, int flags)
{
	if (mode_settled() == MODE_OURS)
		return je_nallocx(bytes, flags);
	if (mode_now() == MODE_NEXT && next()->nallocx)
		return next()->nallocx(bytes, flags);
	return bytes;
}

HRESV_EXPORT int mallctl(const char *name, void *old, size_t *old_bytes, void *new,
			 size_t new_bytes)
{
	int err;

	if (mode_settled() == MODE_OURS) {
		hand_over(old, new);
		err = je_mallctl(name, old, old_bytes, new, new_bytes);
		if (new)
			arena_follow_program();
		return err;
	}
	if (mode_now() == MODE_NEXT && next()->mallctl)
		return next()->mallctl(name, old, old_bytes, new, new_bytes);
	return ENOENT;
}

HRESV_EXPORT int mallctlnametomib(const char *name, size_t *mib, size_t *mib_n)
{
	if (mode_settled() == MODE_OURS)
		return je_mallctlnametomib(name, mib, mib_n);
	if (mode_now() == MODE_NEXT && next()->mallctlnametomib)
		return next()->mallctlnametomib(name, mib, mib_n);
	return ENOENT;
}

HRESV_EXPORT int mallctlbymib(const size_t *mib, size_t mib_n, void *old, size_t *old_bytes,
			      void *new, size_t new_bytes)
{
	int err;

	if (mode_settled() == MODE_OURS) {
		hand_over(old, new);
		err = je_mallctlbymib(mib, mib_n, old, old_bytes, new, new_bytes);
		if (new)
			arena_follow_program();
		return err;
	}
	if (mode_now() == MODE_NEXT && next()->mallctlbymib)
		return next()->mallctlbymib(mib, mib_n, old, old_bytes, new, new_bytes);
	return ENOENT;
}

HRESV_EXPORT void malloc_stats_print(void (*write)(void *, const char *), void *arg,
				     const char *options)
{
	if (mode_settled() == MODE_OURS)
		je_malloc_stats_print(write, arg, options);
	else if (mode_now() == MODE_NEXT && next()->malloc_stats_print)
		next()->malloc_stats_print(write, arg, options);
}
