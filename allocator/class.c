/* SPDX-License-Identifier: MIT */
/*
 * class.c - the tables of class.h
 *
 * Leaves are made when a block is first told there, and are never freed.
 */
#include "allocator/class.h"

#include <string.h>

#include "allocator/engine.h"
#include "core/base/mem.h"

struct classes classes;
uint8_t *class_leaves[CLASS_LEAVES];

/* A size of class @n or less, down to the class before, is of class @n. */
static void enter(unsigned n, size_t from, size_t to)
{
	for (size_t bytes = (from + 7) / 8; bytes <= to / 8 && bytes <= CLASS_FINE / 8; bytes++)
		classes.fine[bytes] = (uint8_t)n;
	for (size_t bytes = (from + 127) / 128; bytes <= to / 128; bytes++)
		classes.coarse[bytes] = (uint8_t)n;
}

static bool option_is(const char *name)
{
	bool on = false;
	size_t bytes = sizeof(on);

	return je_mallctl(name, &on, &bytes, NULL, 0) == 0 && on;
}

/* What the engine shall do to each block it can't do to those we keep. */
static bool engine_must_see_each(void)
{
	const char *junk = NULL;
	size_t bytes = sizeof(junk);
	bool caches = true;

	je_mallctl("opt.junk", &junk, &bytes, NULL, 0);
	bytes = sizeof(caches);
	je_mallctl("opt.tcache", &caches, &bytes, NULL, 0);
	return !caches || option_is("opt.zero") || option_is("opt.prof") ||
	       (junk && strcmp(junk, "false") != 0);
}

void classes_start(void)
{
	size_t from = 0, to;
	unsigned n = 0;

	if (engine_must_see_each())
		return;
	while ((to = je_nallocx(from + 1, 0)) && to <= CLASS_MOST && n + 1 < CLASSES_MOST) {
		classes.bytes[++n] = (uint32_t)to;
		enter(n, n == 1 ? 0 : from + 1, to);
		from = to;
	}
	classes.n = (uint8_t)n;
}

static uint8_t *make_leaf(uint8_t **slot)
{
	uint8_t *leaf = mem_pages(CLASS_LEAF_PAGES), *none = NULL;

	if (!leaf)
		return NULL;
	if (__atomic_compare_exchange_n(slot, &none, leaf, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return leaf;
	mem_pages_free(leaf, CLASS_LEAF_PAGES);
	return none;
}

bool class_tell(const void *at, unsigned class)
{
	uint8_t **slot = &class_leaves[(uintptr_t)at >> CLASS_LEAF_SHIFT & (CLASS_LEAVES - 1)];
	uint8_t *leaf = __atomic_load_n(slot, __ATOMIC_ACQUIRE), *byte;

	if (!leaf) {
		if (class == 0)
			return true;
		leaf = make_leaf(slot);
		if (!leaf)
			return false;
	}
	byte = &leaf[(uintptr_t)at >> CLASS_PAGE_SHIFT & (CLASS_LEAF_PAGES - 1)];
	/* Most are told already: others' lines stay theirs. */
	if (__atomic_load_n(byte, __ATOMIC_RELAXED) != class)
		__atomic_store_n(byte, (uint8_t)class, __ATOMIC_RELAXED);
	return true;
}

void *class_told(void *at, size_t bytes, size_t align)
{
	unsigned class = 0;

	if (!at)
		return NULL;
	if (bytes <= CLASS_MOST && align <= CLASS_MOST) {
		if (align >= 2 * sizeof(void *))
			bytes = je_sallocx(at, 0);
		class = bytes <= CLASS_MOST ? class_for(bytes) : 0;
	}
	class_tell(at, class);
	return at;
}
