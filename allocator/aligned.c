/* SPDX-License-Identifier: MIT */
/*
 * aligned.c - memalign and its relatives, with glibc's manners
 *
 * glibc's memalign and aligned_alloc take any alignment and round it up to a
 * power of two; only one beyond half the address space is EINVAL. The engine
 * would call the rest an error, or worse, take it as it is.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#include "allocator/cache.h"
#include "allocator/class.h"
#include "allocator/engine.h"
#include "allocator/family.h"
#include "allocator/large.h"
#include "allocator/mode.h"
#include "allocator/next.h"
#include "core/base/align.h"
#include "core/base/mem.h"

static size_t power_of_two(size_t align)
{
	size_t power = 2 * sizeof(void *);

	while (power < align)
		power *= 2;
	return power;
}

static int lg_align(size_t align)
{
	return MALLOCX_LG_ALIGN(log2_of(align));
}

static void *from_engine(size_t align, size_t bytes)
{
	return class_told(bytes < LARGE_BYTES ? cache_pass(bytes, lg_align(align)) :
						large_memalign(align, bytes),
			  bytes, align);
}

/* @align is a power of two of at least 16; @by: whose it is where it isn't ours (next.h). */
static void *take(size_t align, size_t bytes, const struct next *(*by)(void))
{
	void *early;

	/* The engine's smallest class is on lines of 8. */
	if (mode_is_fast() && align == 2 * sizeof(void *))
		return family_malloc(bytes > align ? bytes : align);
	if (mode_is_fast())
		return from_engine(align, bytes);
	switch (mode_for(bytes, align, &early)) {
	case MODE_OURS:
		return from_engine(align, bytes);
	case MODE_NEXT:
		return by()->memalign(align, bytes);
	default:
		return early;
	}
}

static const struct next *by_memalign(void)
{
	return NEXT_BY(memalign);
}

static const struct next *by_posix_memalign(void)
{
	return NEXT_BY(posix_memalign);
}

static const struct next *by_valloc(void)
{
	return NEXT_BY(valloc);
}

static const struct next *by_pvalloc(void)
{
	return NEXT_BY(pvalloc);
}

static const struct next *by_aligned_alloc(void)
{
	return NEXT_BY(aligned_alloc);
}

HRESV_EXPORT void *memalign(size_t align, size_t bytes)
{
	if (align > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	return take(power_of_two(align), bytes, by_memalign);
}

HRESV_EXPORT void *aligned_alloc(size_t align, size_t bytes)
{
	if (align > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	return take(power_of_two(align), bytes, by_aligned_alloc);
}

/* errno stays as it was: the result says it all. */
HRESV_EXPORT int posix_memalign(void **ret_at, size_t align, size_t bytes)
{
	const int saved = errno;
	void *at;

	if (!is_power_of_two(align) || align % sizeof(void *) != 0)
		return EINVAL;
	at = take(power_of_two(align), bytes, by_posix_memalign);
	errno = saved;
	if (!at)
		return ENOMEM;
	*ret_at = at;
	return 0;
}

HRESV_EXPORT void *valloc(size_t bytes)
{
	return take(mem_page_bytes(), bytes, by_valloc);
}

HRESV_EXPORT void *pvalloc(size_t bytes)
{
	const size_t page = mem_page_bytes();

	if (align_up_overflows(bytes, page)) {
		errno = ENOMEM;
		return NULL;
	}
	return take(page, bytes ? align_up(bytes, page) : page, by_pvalloc);
}
