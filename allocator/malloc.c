/* SPDX-License-Identifier: MIT */
/*
 * malloc.c - malloc, calloc, realloc, free and what is defined in their terms
 *
 * Each has a fast way, which is the thread's own list of blocks (cache.h), and a slow
 * one: to the engine, and for a thread's first call, early blocks and the next malloc.
 *
 * What the engine hands out is told its class (class.h) on each way out of here.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "allocator/cache.h"
#include "allocator/class.h"
#include "allocator/engine.h"
#include "allocator/family.h"
#include "allocator/large.h"
#include "allocator/mode.h"
#include "allocator/next.h"

#define SLOW __attribute__((noinline, cold))

/* calloc of more is left to the engine, which knows what is zero already. */
#define SMALL_MOST ((size_t)14 << 10)

/* @bytes are below LARGE_BYTES; the thread has its arena. */
static void *engine_malloc(size_t bytes)
{
	return class_told(cache_pass(bytes, 0), bytes, 1);
}

/* The thread is ready, but the list of that class is empty, or there is none. */
static void *ready_malloc(size_t bytes)
{
	unsigned class = bytes <= CLASS_MOST ? class_for(bytes) : 0;
	struct cache *mine = cache_mine;

	if (class && mine)
		return mine->bin[class].head ? cache_pop(&mine->bin[class]) :
					       cache_refill(mine, class);
	if (bytes < LARGE_BYTES)
		return engine_malloc(bytes);
	return class_told(large_malloc(bytes), bytes, 1);
}

static void *malloc_slow(size_t bytes) __attribute__((noinline));

static void *malloc_slow(size_t bytes)
{
	void *early;

	if (mode_is_fast())
		return ready_malloc(bytes);
	switch (mode_for(bytes, 1, &early)) {
	case MODE_OURS:
		return ready_malloc(bytes);
	case MODE_NEXT:
		return next()->malloc(bytes);
	default:
		return early;
	}
}

static inline void *take(size_t bytes)
{
	struct cache *mine = cache_mine;

	if (__builtin_expect(mine && bytes <= CLASS_MOST, 1)) {
		struct cache_bin *bin = &mine->bin[class_for(bytes)];

		if (__builtin_expect(bin->head != NULL, 1))
			return cache_pop(bin);
	}
	return malloc_slow(bytes);
}

HRESV_EXPORT void *malloc(size_t bytes)
{
	return take(bytes);
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
		return class_told(bytes < LARGE_BYTES ? cache_pass(bytes, MALLOCX_ZERO) :
							large_calloc(n, each),
				  bytes, 1);
	case MODE_NEXT:
		return next()->calloc(n, each);
	default:
		return early;	/* zero, as nothing there is used twice */
	}
}

HRESV_EXPORT void *calloc(size_t n, size_t each)
{
	/* Both are small, so the product is what it seems. */
	if (cache_mine && (n | each) <= SMALL_MOST && n * each <= SMALL_MOST) {
		/* Not malloc(): of that and memset the compiler makes a call of calloc. */
		void *at = take(n * each);

		return at ? memset(at, 0, n * each) : NULL;
	}
	return calloc_slow(n, each);
}

static void free_slow(void *at) __attribute__((noinline));

static void free_slow(void *at)
{
	unsigned class = class_at(at);

	if (class && cache_mine)
		cache_overflow(cache_mine, class, at);
	else if (!at || early_owns(at))
		return;
	else if (mode_is_fast())
		cache_pass_free(at);
	else if (mode_settled() == MODE_NEXT)
		next()->free(at);
	else
		cache_pass_free(at);
}

HRESV_EXPORT void free(void *at)
{
	struct cache *mine = cache_mine;

	if (__builtin_expect(mine != NULL, 1)) {
		struct cache_bin *bin = &mine->bin[class_at(at)];

		if (__builtin_expect(bin->n < bin->most, 1)) {
			cache_push(bin, at);
			return;
		}
	}
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

static void *engine_realloc(void *at, size_t bytes)
{
	if (!bytes) {
		free(at);
		return NULL;
	}
	return class_told(bytes < LARGE_BYTES ? cache_pass_realloc(at, bytes) :
						large_realloc(at, bytes),
			  bytes, 1);
}

SLOW static void *realloc_slow(void *at, size_t bytes)
{
	if (!at)
		return malloc(bytes);
	if (early_owns(at))
		return bytes ? realloc_early(at, bytes) : NULL;
	if (mode_settled() == MODE_NEXT)
		return next()->realloc(at, bytes);
	return engine_realloc(at, bytes);
}

/* Between small classes, which never grow in place. */
static void *move_small(void *at, size_t had, size_t bytes)
{
	void *to = malloc(bytes);

	if (!to)
		return NULL;
	memcpy(to, at, had < bytes ? had : bytes);
	free(at);
	return to;
}

HRESV_EXPORT void *realloc(void *at, size_t bytes)
{
	unsigned class = cache_mine ? class_at(at) : 0;

	if (class && bytes && bytes <= SMALL_MOST) {
		if (class == class_for(bytes))
			return at;
		if (classes.bytes[class] <= SMALL_MOST)
			return move_small(at, classes.bytes[class], bytes);
	}
	return realloc_slow(at, bytes);
}

HRESV_EXPORT void *reallocarray(void *at, size_t n, size_t each)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, each, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	if (!mode_is_fast() && !early_owns(at) && mode_settled() == MODE_NEXT)
		return NEXT_BY(reallocarray)->realloc(at, bytes);
	return realloc(at, bytes);
}

HRESV_EXPORT size_t malloc_usable_size(void *at)
{
	unsigned class = class_at(at);

	if (class)
		return classes.bytes[class];
	if (!at)
		return 0;
	if (early_owns(at))
		return early_size(at);
	if (mode_settled() == MODE_NEXT)
		return next()->malloc_usable_size(at);
	return je_malloc_usable_size(at);
}

/* C23: the size is the caller's word for what was asked. Nothing here is saved by it. */
HRESV_EXPORT void free_sized(void *at, size_t bytes)
{
	(void)bytes;
	if (at && !mode_is_fast() && !early_owns(at) && mode_settled() == MODE_NEXT)
		NEXT_BY(free_sized)->free(at);
	else
		free(at);
}

HRESV_EXPORT void free_aligned_sized(void *at, size_t align, size_t bytes)
{
	(void)align;
	if (at && !mode_is_fast() && !early_owns(at) && mode_settled() == MODE_NEXT)
		NEXT_BY(free_aligned_sized)->free(at);
	else
		free_sized(at, bytes);
}
