/* SPDX-License-Identifier: MIT */
/* differ-model.h - what the program believes of its pages; included once */
#ifndef HRESV_TESTS_SEMANTICS_DIFFER_MODEL_H
#define HRESV_TESTS_SEMANTICS_DIFFER_MODEL_H

#include <sys/mman.h>

#include "tests/semantics/differ-touch.h"

#define FILE_PAGES 700

struct page pages[ARENA_PAGES];

static inline uint32_t fresh_id(struct self *s)
{
	return ++s->next_id;
}

static inline void model_map(struct self *s, size_t page, size_t n, enum page_type type, int prot)
{
	uint32_t id = fresh_id(s);

	for (size_t i = page; i < page + n; i++)
		pages[i] = (struct page){ .id = id, .type = (uint8_t)type, .prot = (uint8_t)prot };
}

static inline void model_unmap(size_t page, size_t n)
{
	memset(&pages[page], 0, n * sizeof(pages[0]));
}

/*
 * A page of a huge segment is never split (docs/ARCHITECTURE.md 5): does [page, page + n)
 * cut one? Segments as large as huge pages lie on their lines.
 */
static inline bool model_cuts(size_t page, size_t n)
{
	const size_t end = page + n;

	return (page % GRANULE_PAGES && pages[page].type == TYPE_SEGMENT) ||
	       (end % GRANULE_PAGES && end < ARENA_PAGES && pages[end].type == TYPE_SEGMENT &&
		pages[end - 1].type == TYPE_SEGMENT);
}

/* One mapping of the kernel's, beyond doubt. */
static inline bool model_uniform(size_t page, size_t n)
{
	const struct page *first = &pages[page];

	if (first->type == TYPE_NONE)
		return false;
	for (size_t i = page; i < page + n; i++)
		if (pages[i].id != first->id || pages[i].shift != first->shift ||
		    pages[i].prot != first->prot || pages[i].type != first->type)
			return false;
	return true;
}

/* Something was said of this range that parts it from the rest of its mapping. */
static inline void model_part(struct self *s, size_t page, size_t n)
{
	uint32_t was = 0, is = 0;

	for (size_t i = page; i < page + n; i++) {
		if (pages[i].id != was) {
			was = pages[i].id;
			is = fresh_id(s);
		}
		if (pages[i].type != TYPE_NONE)
			pages[i].id = is;
	}
}

/*
 * mprotect() goes as far as the first hole. What becomes writable is accounted
 * for from then on, which parts it from what never was, whatever happens later.
 */
static inline void model_protect(struct self *s, size_t page, size_t n, int prot)
{
	bool parts = false;

	for (size_t i = page; i < page + n && pages[i].type != TYPE_NONE; i++) {
		parts = parts || (prot & ~pages[i].prot & PROT_WRITE);
		pages[i].prot = (uint8_t)prot;
	}
	if (parts)
		model_part(s, page, n);
}

static inline void model_lock(size_t page, size_t n)
{
	for (size_t i = page; i < page + n; i++)
		pages[i].locked = true;
}

static inline void model_loosen(struct self *s, size_t page, size_t n)
{
	for (size_t i = page; i < page + n; i++) {
		uint64_t hash;

		if (pages[i].type != TYPE_PRIVATE || pages[i].loose)
			continue;
		/* What can't be read may hold anything: taken for zeros or that. */
		pages[i].loose = true;
		pages[i].old_hash = touch_hash(s, i, &hash) ? hash : 0;
	}
}

static inline void model_tighten(size_t page, size_t n)
{
	for (size_t i = page; i < page + n; i++)
		pages[i].loose = false;
}

static inline void model_move(struct self *s, size_t page, size_t old_n, size_t to, size_t n,
			      bool leave)
{
	static _Thread_local struct page was[ARENA_PAGES];
	size_t taken = old_n < n ? old_n : n;
	struct page like = pages[page];

	memcpy(was, &pages[page], old_n * sizeof(was[0]));
	if (!leave)
		model_unmap(page, old_n);
	else if (like.type == TYPE_PRIVATE)
		model_tighten(page, old_n);
	like.loose = false;
	for (size_t i = 0; i < n; i++)
		pages[to + i] = i < taken ? was[i] : like;
	if (to != page || leave)
		model_part(s, to, n);
	if (leave)
		model_part(s, page, old_n);
}

#endif
