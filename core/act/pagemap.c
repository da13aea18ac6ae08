/* SPDX-License-Identifier: MIT */
/*
 * pagemap.c - the words, their leaves, and claims on them
 *
 * Owns the words and nothing else; it never maps or unmaps the program's
 * memory. Leaves (32 KiB for 16 GiB of addresses) are made when first needed
 * and never freed, so a reader needs no lock. The top lies in .bss: a process
 * that never has a page of ours pays one untouched zero page for a lookup.
 *
 * Why not one flat array: 64 MiB of address space in every process would break
 * programs that run under RLIMIT_AS, although they never get a huge page.
 */
#include "core/act/pagemap.h"

#include <errno.h>

#include "core/act/slack.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/self.h"
#include "core/base/sys.h"

#define LEAF_SPAN ((uintptr_t)GRANULE << PAGEMAP_LEAF_BITS)

page_word *pagemap_top[PAGEMAP_TOP_WORDS] __attribute__((visibility("hidden")));

/* Where leaves are; never shrinks. */
static struct {
	uintptr_t lo, hi;
} leaves = { .lo = UINTPTR_MAX };

static page_word **top_slot(uintptr_t at)
{
	return &pagemap_top[at >> GRANULE_SHIFT >> PAGEMAP_LEAF_BITS];
}

static page_word *word_at(uintptr_t at)
{
	page_word *leaf;

	if (at >> PAGEMAP_ADDRESS_BITS)
		return NULL;
	leaf = __atomic_load_n(top_slot(at), __ATOMIC_ACQUIRE);
	return leaf ? &leaf[(at >> GRANULE_SHIFT) & (PAGEMAP_LEAF_WORDS - 1)] : NULL;
}

static uintptr_t bounded(uintptr_t at)
{
	const uintptr_t end = (uintptr_t)1 << PAGEMAP_ADDRESS_BITS;

	return at < end ? at : end;
}

/* The next granule line behind @at that can have a word: skips absent leaves. */
static uintptr_t next_granule(uintptr_t at)
{
	return word_at(at) ? align_down(at, GRANULE) + GRANULE : align_down(at, LEAF_SPAN) + LEAF_SPAN;
}

bool pagemap_any(uintptr_t lo, uintptr_t hi)
{
	hi = bounded(hi);
	for (uintptr_t at = lo; at < hi; at = next_granule(at))
		if (pagemap_get(at) & WORD_KIND_MASK)
			return true;
	return false;
}

uintptr_t pagemap_run(uintptr_t lo, uintptr_t hi, page_word *ret_word)
{
	page_word word = pagemap_get(lo) & ~WORD_MARKS;
	uintptr_t at = lo;

	*ret_word = word;
	if (lo >= bounded(hi))
		return hi;
	do
		at = next_granule(at);
	while (at < bounded(hi) && (pagemap_get(at) & ~WORD_MARKS) == word);
	return at < hi ? at : hi;
}

bool pagemap_is_settled(uintptr_t lo, uintptr_t hi, page_word *ret_word)
{
	const page_word word = pagemap_get(lo);

	if (!word_is_huge_ours(word) || (word & WORD_MARKS) || self_is_copy())
		return false;
	for (uintptr_t at = lo; at < hi; at = next_granule(at))
		if (pagemap_get(at) != word)
			return false;
	*ret_word = word;
	return true;
}

/* So that a walk, of which fork makes one, costs nothing where nothing is. */
static void note_leaf(uintptr_t at)
{
	uintptr_t lo = __atomic_load_n(&leaves.lo, __ATOMIC_RELAXED);
	uintptr_t hi = __atomic_load_n(&leaves.hi, __ATOMIC_RELAXED);

	while (at < lo && !__atomic_compare_exchange_n(&leaves.lo, &lo, at, true, __ATOMIC_RELEASE,
						       __ATOMIC_RELAXED))
		;
	while (at + LEAF_SPAN > hi &&
	       !__atomic_compare_exchange_n(&leaves.hi, &hi, at + LEAF_SPAN, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

int pagemap_prepare(uintptr_t lo, uintptr_t hi)
{
	if (hi > bounded(hi))
		return -ENOMEM;
	for (uintptr_t at = align_down(lo, LEAF_SPAN); at < hi; at += LEAF_SPAN) {
		page_word **slot = top_slot(at), *none = NULL, *leaf;

		if (__atomic_load_n(slot, __ATOMIC_ACQUIRE))
			continue;
		if (!slack_hold())
			return -ENOMEM;
		note_leaf(at);
		/* From the first page of ours on, a copy of us is told: by who comes to the gate. */
		if (!self_is_copy())
			self_mark();
		leaf = mem_pages(PAGEMAP_LEAF_WORDS * sizeof(*leaf));
		if (!leaf)
			return -ENOMEM;
		if (!__atomic_compare_exchange_n(slot, &none, leaf, false, __ATOMIC_RELEASE,
						 __ATOMIC_RELAXED))
			mem_pages_free(leaf, PAGEMAP_LEAF_WORDS * sizeof(*leaf));
	}
	return 0;
}

/* Who has claimed it, and who waits for that, has nothing to do with what it is. */
static void word_store(page_word *w, page_word value)
{
	page_word old = __atomic_load_n(w, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(w, &old, value | (old & WORD_MARKS), true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

static uint64_t small;		/* granules that are PAGE_SMALL; atomic */

void pagemap_set(uintptr_t lo, uintptr_t hi, page_word word)
{
	int64_t more = 0;

	for (uintptr_t at = lo; at < bounded(hi); at = next_granule(at)) {
		page_word *w = word_at(at);
		page_word old = w ? __atomic_load_n(w, __ATOMIC_RELAXED) & ~WORD_MARKS : word;

		if (old == word)
			continue;
		more += (word_kind(word) == PAGE_SMALL) - (word_kind(old) == PAGE_SMALL);
		word_store(w, word);
	}
	if (more)
		__atomic_fetch_add(&small, (uint64_t)more, __ATOMIC_RELAXED);
}

uint64_t pagemap_small_bytes(void)
{
	return __atomic_load_n(&small, __ATOMIC_RELAXED) * GRANULE;
}

/* Sleeps until @old, which is claimed, may be another word; returns what it is now. */
static page_word word_sleep(page_word *w, page_word old)
{
	if ((old & WORD_WAITED) ||
	    __atomic_compare_exchange_n(w, &old, old | WORD_WAITED, false, __ATOMIC_ACQUIRE,
					__ATOMIC_ACQUIRE))
		sys_futex_wait(w, old | WORD_WAITED, NULL);
	return __atomic_load_n(w, __ATOMIC_ACQUIRE);
}

static void word_claim(page_word *w)
{
	page_word old = __atomic_load_n(w, __ATOMIC_ACQUIRE);

	for (;;) {
		if (old & WORD_CLAIMED)
			old = word_sleep(w, old);
		else if (__atomic_compare_exchange_n(w, &old, old | WORD_CLAIMED, true,
						     __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
			return;
	}
}

/* [lo, hi) in whole granules and whole huge pages, as the words are now. */
static struct claim widened(uintptr_t lo, uintptr_t hi)
{
	page_word first = pagemap_get(lo), last = pagemap_get(hi - 1);
	size_t lo_unit = GRANULE, hi_unit = GRANULE;

	if ((first & WORD_KIND_MASK) && word_page_bytes(first) > GRANULE)
		lo_unit = word_page_bytes(first);
	if ((last & WORD_KIND_MASK) && word_page_bytes(last) > GRANULE)
		hi_unit = word_page_bytes(last);
	return (struct claim){ align_down(lo, lo_unit), align_down(hi - 1, hi_unit) + hi_unit };
}

/* From the first granule of ours, or of whoever takes one back just now, to the last. */
static struct claim without_ends(const struct claim *all)
{
	struct claim c = { all->lo, all->lo };

	for (uintptr_t at = all->lo; at < bounded(all->hi); at = next_granule(at)) {
		if (!(pagemap_get(at) & (WORD_KIND_MASK | WORD_CLAIMED)))
			continue;
		if (c.lo == c.hi)
			c.lo = at;
		c.hi = next_granule(at);
	}
	return c;
}

/*
 * What is nobody's between pages of ours is claimed too: another thread may map there
 * meanwhile and claim that, and who drops a range couldn't tell its claims from his.
 */
struct claim pagemap_claim(uintptr_t lo, uintptr_t hi)
{
	for (;;) {
		const struct claim all = widened(lo, hi);
		struct claim c = without_ends(&all), now;

		if (c.lo < c.hi)
			pagemap_prepare(c.lo, c.hi);	/* words, where none is yet */
		for (uintptr_t at = c.lo; at < c.hi; at = next_granule(at))
			if (word_at(at))
				word_claim(word_at(at));
		now = widened(lo, hi);
		if (now.lo >= all.lo && now.hi <= all.hi)
			return c;
		pagemap_unclaim(&c);
	}
}

static bool word_try_claim(page_word *w)
{
	page_word old = __atomic_load_n(w, __ATOMIC_ACQUIRE);

	while ((old & WORD_KIND_MASK) && !(old & WORD_CLAIMED))
		if (__atomic_compare_exchange_n(w, &old, old | WORD_CLAIMED, true,
						__ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
			return true;
	return false;
}

bool pagemap_try_claim(uintptr_t lo, uintptr_t hi, struct claim *ret_claim)
{
	struct claim c = widened(lo, hi), got = { c.lo, c.lo }, now;

	for (; got.hi < bounded(c.hi); got.hi = next_granule(got.hi))
		if (word_at(got.hi) && !word_try_claim(word_at(got.hi)))
			break;
	now = widened(lo, hi);
	if (got.hi >= bounded(c.hi) && now.lo >= c.lo && now.hi <= c.hi) {
		*ret_claim = c;
		return true;
	}
	pagemap_unclaim(&got);
	return false;
}

void pagemap_unclaim(const struct claim *c)
{
	for (uintptr_t at = c->lo; at < bounded(c->hi); at = next_granule(at)) {
		page_word *w = word_at(at);
		page_word old = w ? __atomic_load_n(w, __ATOMIC_RELAXED) : 0;

		/* Only the claimer changes a claimed word, but for WORD_WAITED. */
		while (old & WORD_CLAIMED) {
			if (!__atomic_compare_exchange_n(w, &old, old & ~WORD_MARKS, true,
							 __ATOMIC_RELEASE, __ATOMIC_RELAXED))
				continue;
			if (old & WORD_WAITED)
				sys_futex_wake(w, INT32_MAX);
			break;
		}
	}
}

bool pagemap_wait(uintptr_t at)
{
	page_word *w = word_at(at);
	page_word old = w ? __atomic_load_n(w, __ATOMIC_ACQUIRE) : 0;
	bool waited = false;

	while (old & WORD_CLAIMED) {
		waited = true;
		old = word_sleep(w, old);
	}
	return waited;
}

void pagemap_drop_stale(uintptr_t lo, uintptr_t hi)
{
	for (uintptr_t at = align_down(lo, GRANULE); at < bounded(hi); at = next_granule(at)) {
		page_word *w = word_at(at);

		if (w)
			__atomic_and_fetch(w, ~WORD_MARKS, __ATOMIC_RELAXED);
	}
}

void pagemap_walk(void (*each)(uintptr_t lo, uintptr_t hi, page_word word, void *arg), void *arg)
{
	const uintptr_t end = __atomic_load_n(&leaves.hi, __ATOMIC_ACQUIRE);
	page_word word;

	for (uintptr_t lo = __atomic_load_n(&leaves.lo, __ATOMIC_ACQUIRE), hi; lo < end; lo = hi) {
		hi = pagemap_run(lo, end, &word);
		if (word & WORD_KIND_MASK)
			each(lo, hi, word, arg);
	}
}
