/* SPDX-License-Identifier: MIT */
/*
 * differ-calls.h - one random call: drawn, made, recorded, and believed
 *
 * Included once, by prog-differ.c. What a call draws depends on the seed and the
 * number of its step alone, never on what went before: so steps can be left out.
 */
#ifndef HRESV_TESTS_SEMANTICS_DIFFER_CALLS_H
#define HRESV_TESTS_SEMANTICS_DIFFER_CALLS_H

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#include "tests/semantics/differ-model.h"

#define note(s, ...) \
	((void)((s)->note && snprintf((s)->note, NOTE_BYTES, __VA_ARGS__)))

static inline void done(struct self *s, int64_t result)
{
	s->record->result = result;
	s->record->error = result == -1 ? errno : 0;
}

/* Left out, because the kernel does not promise what it would do. */
static inline void skipped(struct self *s)
{
	note(s, "(left out)");
	s->record->result = -3;
}

static inline int64_t placed(const void *at)
{
	if (at == MAP_FAILED)
		return -1;
	if ((uintptr_t)at - ARENA_AT < ARENA_PAGES * PAGE)
		return (int64_t)((uintptr_t)at - ARENA_AT);
	return ELSEWHERE;
}

/* Which pages ------------------------------------------------------------------- */

static size_t draw_pages(struct self *s)
{
	switch (below(s, 9)) {
	case 0:
	case 1:
		return 1;
	case 2:
	case 3:
		return 1 + below(s, 16);
	case 4:
		return 1 + below(s, 700);
	case 5:
		return GRANULE_PAGES;
	case 6:
		return GRANULE_PAGES * (1 + below(s, 4));
	case 7:
		return GRANULE_PAGES * (1 + below(s, 3)) + below(s, 5) - 2;
	default:
		return 1 + below(s, ARENA_PAGES);
	}
}

static size_t clipped(size_t n, size_t most)
{
	return n < most ? n : most;
}

static size_t draw_page(struct self *s)
{
	size_t line = below(s, ARENA_PAGES / GRANULE_PAGES) * GRANULE_PAGES, page;
	unsigned kind = (unsigned)below(s, 8);

	page = below(s, s->hi - s->lo) + s->lo;
	if (kind < 3 && line >= s->lo && line < s->hi)
		return line;
	if (kind == 3 && line >= s->lo + 3 && line + 3 < s->hi)
		return line - 3 + below(s, 6);
	return page;
}

static void draw_range(struct self *s, size_t *page, size_t *n)
{
	*page = draw_page(s);
	*n = clipped(draw_pages(s), s->hi - *page);
	if (!model_cuts(*page, *n))
		return;
	*n += *page % GRANULE_PAGES;
	*page -= *page % GRANULE_PAGES;
	*n = (*n + GRANULE_PAGES - 1) / GRANULE_PAGES * GRANULE_PAGES;
}

/* Mapping ------------------------------------------------------------------------ */

static const int prots[] = {
	PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
	PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_NONE,
	PROT_READ | PROT_WRITE | PROT_EXEC, PROT_WRITE, PROT_READ | PROT_EXEC,
};

static int draw_prot(struct self *s)
{
	return prots[below(s, sizeof(prots) / sizeof(prots[0]))];
}

static size_t draw_bytes(struct self *s, size_t n)
{
	size_t less = below(s, PAGE);

	return n * PAGE - (chance(s, 20) ? less : 0);
}

static int draw_sharing(struct self *s, size_t n)
{
	return chance(s, 30) && (!s->forks || n < GRANULE_PAGES) ? MAP_SHARED : MAP_PRIVATE;
}

static int draw_flags(struct self *s, size_t n)
{
	static const int extra[] = { 0, 0, 0, 0, 0, 0, MAP_NORESERVE, MAP_POPULATE, MAP_STACK,
				     MAP_LOCKED };
	int flags = extra[below(s, sizeof(extra) / sizeof(extra[0]))];

	return flags | MAP_ANONYMOUS | draw_sharing(s, n);
}

static enum page_type type_of(int flags)
{
	if (!(flags & MAP_ANONYMOUS))
		return TYPE_FILE;
	return (flags & MAP_TYPE) == MAP_SHARED ? TYPE_SHARED : TYPE_PRIVATE;
}

/* Moves what the kernel placed elsewhere to where the step wanted it. */
static void bring(struct self *s, void *at, size_t page, size_t n, int prot, int flags)
{
	void *to = mremap(at, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page_at(page));

	touch_add(s, (uint64_t)placed(to));
	if (to == page_at(page))
		model_map(s, page, n, type_of(flags), prot);
	else
		munmap(at, n * PAGE);
	if (flags & MAP_LOCKED)
		model_lock(page, n);
}

static void call_map(struct self *s, int how)
{
	size_t page, n, bytes;
	int prot = draw_prot(s), flags;
	void *at;

	draw_range(s, &page, &n);
	flags = draw_flags(s, n);
	bytes = draw_bytes(s, n);
	note(s, "mmap(%zu, %zu bytes, prot %d, flags %#x)", page, bytes, prot, flags | how);
	at = mmap(page_at(page), bytes, prot, flags | how, -1, 0);
	done(s, placed(at));
	if (at == page_at(page))
		model_map(s, page, n, type_of(flags), prot);
	else if (at != MAP_FAILED)
		bring(s, at, page, n, prot, flags);
	if (at == page_at(page) && (flags & MAP_LOCKED))
		model_lock(page, n);
	touch_ends(s, page, n);
}

static void call_map_hint(struct self *s)
{
	call_map(s, 0);
}

static void call_map_fixed(struct self *s)
{
	call_map(s, MAP_FIXED);
}

static void call_map_noreplace(struct self *s)
{
	call_map(s, MAP_FIXED_NOREPLACE);
}

/* As allocators align: map more, unmap both ends. */
static void call_map_trim(struct self *s)
{
	const size_t slack = GRANULE_PAGES;
	size_t page, n, head = below(s, slack);
	int flags;
	char *at;

	draw_range(s, &page, &n);
	flags = MAP_ANONYMOUS | draw_sharing(s, n + slack);
	note(s, "trim: mmap(0, %zu pages), keep %zu from %zu, to %zu", n + slack, n, head, page);
	at = mmap(NULL, (n + slack) * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
	done(s, at == MAP_FAILED ? -1 : ELSEWHERE);
	if (at == MAP_FAILED)
		return;
	*(volatile uint64_t *)(at + head * PAGE) = s->step;
	if (head)
		touch_add(s, (uint64_t)munmap(at, head * PAGE));
	if (head < slack)
		touch_add(s, (uint64_t)munmap(at + (head + n) * PAGE, (slack - head) * PAGE));
	bring(s, at + head * PAGE, page, n, PROT_READ | PROT_WRITE, flags);
	touch_ends(s, page, n);
}

static void call_map_file(struct self *s)
{
	int flags = MAP_FIXED | (chance(s, 50) ? MAP_SHARED : MAP_PRIVATE), prot = draw_prot(s);
	size_t page, n, offset = below(s, FILE_PAGES);
	void *at;

	draw_range(s, &page, &n);
	note(s, "mmap(%zu, %zu pages, prot %d, flags %#x, file at page %zu)", page, n, prot, flags,
	     offset);
	at = mmap(page_at(page), n * PAGE, prot, flags, s->file, (off_t)(offset * PAGE));
	done(s, placed(at));
	if (at == page_at(page))
		model_map(s, page, n, TYPE_FILE, prot);
	touch_ends(s, page, n);
}

static void call_unmap(struct self *s)
{
	size_t page, n, bytes;

	draw_range(s, &page, &n);
	bytes = draw_bytes(s, n);
	note(s, "munmap(%zu, %zu bytes)", page, bytes);
	done(s, munmap(page_at(page), bytes));
	if (s->record->result == 0)
		model_unmap(page, n);
	touch_ends(s, page, n);
}

static void call_protect(struct self *s)
{
	int prot = draw_prot(s), key = (int)below(s, 3) - 1;
	bool by_key = chance(s, 30);
	size_t page, n, bytes;

	draw_range(s, &page, &n);
	bytes = draw_bytes(s, n);
	note(s, "%smprotect(%zu, %zu bytes, prot %d, key %d)", by_key ? "pkey_" : "", page, bytes,
	     prot, key);
	done(s, by_key ? pkey_mprotect(page_at(page), bytes, prot, key < 1 ? key : -1)
		       : mprotect(page_at(page), bytes, prot));
	if (s->record->result == 0 || s->record->error == ENOMEM)
		model_protect(s, page, n, prot);
	touch_ends(s, page, n);
}

/* mremap --------------------------------------------------------------------------- */

static void remapped(struct self *s, size_t page, size_t old_n, size_t n, int flags, size_t to,
		     void *at)
{
	if (at == MAP_FAILED)
		return;
	if (placed(at) == ELSEWHERE) {
		void *back = mremap(at, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				    page_at(to));

		touch_add(s, (uint64_t)placed(back));
		if (back == MAP_FAILED) {
			munmap(at, n * PAGE);
			model_unmap(page, flags & MREMAP_DONTUNMAP ? 0 : old_n);
			return;
		}
		at = back;
	}
	model_move(s, page, old_n, (size_t)placed(at) / PAGE, n, flags & MREMAP_DONTUNMAP);
}

/*
 * Shared memory does not grow under us, by decision (core/remap.c). Of a locked
 * mapping, MREMAP_DONTUNMAP of a part unlocks all in the kernel. A second view
 * over the first unmaps what it is to show.
 */
static bool is_promised(size_t page, size_t old_n, size_t n, int flags, size_t to)
{
	if (model_cuts(page, old_n) || model_cuts(page, n) || model_cuts(to, n) ||
	    (pages[page].type == TYPE_SEGMENT &&
	     (!old_n || n > old_n || (flags & MREMAP_DONTUNMAP) || n % GRANULE_PAGES ||
	      to % GRANULE_PAGES)))
		return false;
	if (old_n && n > old_n && pages[page].type == TYPE_SHARED)
		return false;
	if ((flags & MREMAP_DONTUNMAP) && pages[page].locked)
		return false;
	return old_n || to + n <= page || to >= page + n;
}

/* What only shrinks may be any mappings. */
static size_t must_be_uniform(size_t old_n, size_t n, int flags)
{
	if (!old_n)
		return n;
	return n <= old_n && !(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) ? 1 : old_n;
}

static void call_remap(struct self *s)
{
	static const int kinds[] = { 0, 0, MREMAP_MAYMOVE, MREMAP_MAYMOVE | MREMAP_FIXED,
				     MREMAP_MAYMOVE | MREMAP_FIXED,
				     MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
				     MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED };
	int flags = kinds[below(s, sizeof(kinds) / sizeof(kinds[0]))];
	bool same = chance(s, 50), copy = chance(s, 10);
	size_t page, old_n, n, to = draw_page(s);
	void *at;

	draw_range(s, &page, &old_n);
	n = same || (flags & MREMAP_DONTUNMAP) ? old_n : clipped(draw_pages(s), s->hi - page);
	if (copy && (flags & MREMAP_FIXED))
		old_n = 0;
	to = n > s->hi - to ? s->hi - n : to;
	if (to < s->lo || !model_uniform(page, must_be_uniform(old_n, n, flags)) ||
	    !is_promised(page, old_n, n, flags, to)) {
		skipped(s);
		return;
	}
	note(s, "mremap(%zu, %zu, %zu pages, flags %d, %zu)", page, old_n, n, flags, to);
	at = mremap(page_at(page), old_n * PAGE, n * PAGE, flags, page_at(to));
	done(s, placed(at));
	remapped(s, page, old_n, n, flags, to, at);
	touch_ends(s, page, old_n ? old_n : 1);
	touch_ends(s, to, n);
}

#endif
