/* SPDX-License-Identifier: MIT */
/*
 * malloc.c - malloc, calloc, realloc, free and what is defined in their terms
 *
 * Each has a fast way, which is one flag and the engine's own function, and a slow
 * one for a thread's first call, for early blocks and for the next malloc.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "allocator/engine.h"
#include "allocator/family.h"
#include "allocator/large.h"
#include "allocator/mode.h"
#include "allocator/next.h"

#define SLOW __attribute__((noinline, cold))

SLOW static void *malloc_slow(size_t bytes)
{
	void *early;

	switch (mode_for(bytes, 1, &early)) {
	case MODE_OURS:
		return bytes < LARGE_BYTES ? je_malloc(bytes) : large_malloc(bytes);
	case MODE_NEXT:
		return next()->malloc(bytes);
	default:
		return early;
	}
}

HRESV_EXPORT void *malloc(size_t bytes)
{
	return mode_is_fast() && bytes < LARGE_BYTES ? je_malloc(bytes) : malloc_slow(bytes);
}

#if __has_attribute(copy)	/* clang 14 hasn't, and doesn't warn without */
#define AS(name) copy(name),
#else
#define AS(name)
#endif
extern __typeof(malloc) family_malloc
	__attribute__((AS(malloc) alias("malloc"), visibility("hidden")));

SLOW static void *calloc_slow(size_t n, size_t each)
{
	size_t bytes;
	void *early;

	if (__builtin_mul_overflow(n, each, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	switch (mode_for(bytes, 1, &early)) {
	case MODE_OURS:
		return bytes < LARGE_BYTES ? je_calloc(n, each) : large_calloc(n, each);
	case MODE_NEXT:
		return next()->calloc(n, each);
	default:
		return early;	/* zero, as nothing there is used twice */
	}
}

HRESV_EXPORT void *calloc(size_t n, size_t each)
{
	/* Both below a million: the product is found there, with its overflow. */
	if (mode_is_fast() && (n | each) < LARGE_BYTES && n * each < LARGE_BYTES)
		return je_calloc(n, each);
	return calloc_slow(n, each);
}

SLOW static void free_slow(void *at)
{
	if (!at || early_owns(at))
		return;
	if (mode_settled() == MODE_NEXT)
		next()->free(at);
	else
		je_free(at);
}

HRESV_EXPORT void free(void *at)
{
	if (mode_is_fast_for(at))
		je_free(at);
	else
		free_slow(at);
}

/* An early block never grows where it is. */
static void *realloc_early(void *at, size_t bytes)
{
	size_t had = early_size(at);
	void *to;

	if (bytes <= had)
		return at;
	to = malloc(bytes);
	if (to)
		memcpy(to, at, had);
	return to;
}

SLOW static void *realloc_slow(void *at, size_t bytes)
{
	if (!at)
		return malloc(bytes);
	if (early_owns(at))
		return bytes ? realloc_early(at, bytes) : NULL;
	if (mode_settled() == MODE_NEXT)
		return next()->realloc(at, bytes);
	return bytes < LARGE_BYTES ? je_realloc(at, bytes) : large_realloc(at, bytes);
}

HRESV_EXPORT void *realloc(void *at, size_t bytes)
{
	if (mode_is_fast_for(at) && bytes < LARGE_BYTES)
		return je_realloc(at, bytes);
	return realloc_slow(at, bytes);
}

HRESV_EXPORT void *reallocarray(void *at, size_t n, size_t each)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, each, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(at, bytes);
}

HRESV_EXPORT size_t malloc_usable_size(void *at)
{
	if (mode_is_fast_for(at))
		return je_malloc_usable_size(at);
	if (!at)
		return 0;
	if (early_owns(at))
		return early_size(at);
	if (mode_settled() == MODE_NEXT)
		return next()->malloc_usable_size(at);
	return je_malloc_usable_size(at);
}

/* C23: the size is the caller's word for what was asked. It saves a look-up. */
HRESV_EXPORT void free_sized(void *at, size_t bytes)
{
	if (mode_is_fast_for(at) && at && bytes)
		je_sdallocx(at, bytes, 0);
	else
		free(at);
}

HRESV_EXPORT void free_aligned_sized(void *at, size_t align, size_t bytes)
{
	if (mode_is_fast_for(at) && at && bytes && align && !(align & (align - 1)))
		je_sdallocx(at, bytes, MALLOCX_ALIGN(align));
	else
		free(at);
}
