/* SPDX-License-Identifier: MIT */
/*
 * large.c - large blocks
 *
 * Growing. A block that has to move because it grows will grow again: it moves
 * into an arena for such blocks, with room behind it that takes addresses and no
 * memory. Later steps find that room and copy nothing; each move makes it eight
 * times as wide, so all copies together are a seventh of the last block. Nobody
 * else takes that room but another block that grows.
 */
#include "allocator/large.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "allocator/arena.h"
#include "allocator/cache.h"
#include "allocator/engine.h"
#include "allocator/unit.h"

#define ROOM 8

static void *improved(void *at, size_t bytes)
{
	const int saved = errno;

	unit_hollow_behind(0);
	if (at)
		unit_improve((uintptr_t)at, (uintptr_t)at + bytes);
	errno = at ? saved : ENOMEM;
	return at;
}

void *large_malloc(size_t bytes)
{
	unit_hollow_behind(bytes);
	return improved(cache_pass(bytes, 0), bytes);
}

/* What the engine reuses it zeroes itself; a page made huge is zero as well. */
void *large_calloc(size_t n, size_t each)
{
	void *at;

	unit_hollow_behind(n * each);
	at = cache_pass(n * each, MALLOCX_ZERO);
	unit_hollow_behind(0);
	return at;
}

void *large_memalign(size_t align, size_t bytes)
{
	unit_hollow_behind(bytes);
	return improved(cache_pass(bytes, MALLOCX_LG_ALIGN(__builtin_ctzl(align))), bytes);
}

/* A place to grow in; NULL: none, as under a limit of address space. */
static void *make_room(size_t bytes)
{
	const unsigned arena = arena_for_growth();
	const int flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE | MALLOCX_LG_ALIGN(21);
	void *at;

	if (!arena || bytes > SIZE_MAX / 4 / ROOM)
		return NULL;
	unit_hollow_behind(bytes);
	at = je_mallocx(bytes * ROOM, flags);
	unit_hollow_behind(0);
	if (!at)
		return NULL;
	je_xallocx(at, bytes, 0, flags);
	unit_improve((uintptr_t)at, (uintptr_t)at + bytes);
	return at;
}

void *large_realloc(void *at, size_t bytes)
{
	const size_t had = je_sallocx(at, 0);
	const int saved = errno;
	size_t now;
	void *to;

	if (bytes <= had)
		return cache_pass_realloc(at, bytes);
	unit_hollow_behind(bytes);
	now = je_xallocx(at, bytes, 0, 0);
	unit_hollow_behind(0);
	if (now >= bytes) {
		/* All the engine gives: it will be used without our being asked. */
		unit_improve((uintptr_t)at + had, (uintptr_t)at + now);
		return at;
	}
	/* The first step to a large size is no sign yet of growing. */
	to = had < LARGE_BYTES / 2 ? large_malloc(bytes) : make_room(bytes);
	if (!to) {
		errno = saved;
		to = large_malloc(bytes);
	}
	if (!to)
		return NULL;
	memcpy(to, at, had);
	cache_pass_free(at);
	errno = saved;
	return to;
}
