/* SPDX-License-Identifier: MIT */
/* cut.c - demotion where a call's range ends inside a huge page */
#include "core/act/cut.h"

#include <errno.h>

#include "core/act/demote.h"
#include "core/act/pagemap.h"
#include "core/act/stats.h"
#include "core/base/align.h"
#include "core/base/mem.h"

uintptr_t cut_page_across(uintptr_t line)
{
	page_word word = pagemap_get(line);

	if (!word_is_huge_ours(word) || is_aligned(line, word_page_bytes(word)))
		return 0;
	return align_down(line, word_page_bytes(word));
}

int cut_splits_guarded(uintptr_t lo, uintptr_t hi)
{
	page_word first = pagemap_get(lo), last = pagemap_get(hi);

	return (word_kind(first) == PAGE_GUARDED && !is_aligned(lo, word_page_bytes(first))) ||
	       (word_kind(last) == PAGE_GUARDED && !is_aligned(hi, word_page_bytes(last)));
}

static void note(uintptr_t at, page_word word, enum reason why)
{
	const size_t bytes = word_page_bytes(word);

	stats_small(word_use(word), bytes, why);
	pagemap_set(at, at + bytes, word_make(PAGE_SPLIT, 0, mem_page_bytes(), word_use(word)));
}

static int demote(uintptr_t at, uintptr_t keep_lo, uintptr_t keep_hi, enum reason why)
{
	page_word word = pagemap_get(at);
	int err = demote_page(at, word, keep_lo, keep_hi);

	if (!err)
		note(at, word, why);
	return err;
}

int cut_at(uintptr_t line, uintptr_t dead_lo, uintptr_t dead_hi, enum reason why)
{
	uintptr_t at = cut_page_across(line), end, keep_lo, keep_hi;

	if (!at)
		return 0;
	end = at + word_page_bytes(pagemap_get(at));
	keep_lo = at;
	keep_hi = end;
	if (dead_lo < dead_hi && dead_lo <= at && dead_hi < end)
		keep_lo = dead_hi;
	if (dead_lo < dead_hi && dead_lo > at && dead_hi >= end)
		keep_hi = dead_lo;
	return demote(at, keep_lo, keep_hi, why);
}

int cut_sparsely(uintptr_t lo, uintptr_t hi, enum reason why)
{
	for (uintptr_t at = align_down(lo, GRANULE); at < hi; at += GRANULE) {
		const page_word word = pagemap_get(at) & ~WORD_MARKS;
		const uintptr_t page = align_down(at, word_page_bytes(word));
		int err;

		if (!word_is_huge_ours(word))
			continue;
		err = demote_page_sparsely(page, word);
		if (err)
			return err;
		note(page, word, why);
	}
	return 0;
}

int cut_all(uintptr_t lo, uintptr_t hi, enum reason why)
{
	page_word word;
	int err;

	for (uintptr_t at = lo, end; at < hi; at = end) {
		end = pagemap_run(at, hi, &word);
		if (!word_is_huge_ours(word))
			continue;

		size_t page = word_page_bytes(word);

		for (uintptr_t p = align_down(at, page); p < end; p += page) {
			err = demote(p, p, p + page, why);
			if (err)
				return err;
		}
	}
	return 0;
}

void cut_forget_small(uintptr_t lo, uintptr_t hi)
{
	page_word word;

	for (uintptr_t at = lo, end; at < hi; at = end) {
		end = pagemap_run(at, hi, &word);
		if (word_kind(word) == PAGE_RESERVED)
			pagemap_set(align_down(at, GRANULE), end, 0);
		if (word_kind(word) == PAGE_SMALL)
			pagemap_set(align_down(at, GRANULE), end,
				    word_make(PAGE_SPLIT, 0, mem_page_bytes(), word_use(word)));
	}
}
