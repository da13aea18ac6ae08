/* SPDX-License-Identifier: MIT */
/*
 * lockmem.c - mlock on memory of ours, and calls that want small pages
 *
 * The kernel takes mlock at any granularity on huge pages and does nothing but
 * populate them; the word remembers the wish for the day a page is demoted.
 */
#include <errno.h>

#include "core/act/cut.h"
#include "core/act/pagemap.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/route.h"

static void note_locked(uintptr_t lo, uintptr_t hi, bool locked)
{
	struct claim c = pagemap_claim(lo, hi);
	page_word word;

	for (uintptr_t at = lo, end; at < hi; at = end) {
		end = pagemap_run(at, hi, &word);
		if (word_kind(word) == PAGE_SMALL)
			cut_forget_small(at, end);
		if (!word_is_huge_ours(word))
			continue;

		size_t page = word_page_bytes(word);

		/* A page locked in part counts as locked; unlocking wants all of it. */
		if (locked)
			pagemap_set(align_down(at, page), align_up(end, page), word | WORD_LOCKED);
		else if (align_up(at, page) < align_down(end, page))
			pagemap_set(align_up(at, page), align_down(end, page), word & ~WORD_LOCKED);
	}
	pagemap_unclaim(&c);
}

static bool is_usual(uintptr_t at, size_t bytes)
{
	const size_t page = mem_page_bytes();

	return bytes && !align_up_overflows(bytes, page) && at + bytes + page > at;
}

long route_lock(uintptr_t at, size_t bytes, unsigned flags)
{
	const size_t page = mem_page_bytes();
	long err = sys_mlock2(at, bytes, flags);
	struct quiet q;

	if (err || !is_usual(at, bytes))
		return err;
	gate_enter(&q);
	note_locked(align_down(at, page), align_up(at + bytes, page), true);
	gate_leave(&q);
	return 0;
}

long route_unlock(uintptr_t at, size_t bytes)
{
	const size_t page = mem_page_bytes();
	long err = sys_munlock(at, bytes);
	struct quiet q;

	if (err || !is_usual(at, bytes))
		return err;
	gate_enter(&q);
	note_locked(align_down(at, page), align_up(at + bytes, page), false);
	gate_leave(&q);
	return 0;
}

long route_make_small(uintptr_t at, size_t bytes, bool whole)
{
	const size_t page = mem_page_bytes();
	struct claim c;
	struct quiet q;
	uintptr_t lo = align_down(at, page), hi;
	int err;

	if (!is_usual(at, bytes))
		return 0;
	hi = align_up(at + bytes, page);
	gate_enter(&q);
	c = pagemap_claim(lo, hi);
	if (whole) {
		err = cut_all(lo, hi, REASON_DEMOTED_MREMAP);
	} else {
		err = cut_at(lo, 0, 0, REASON_DEMOTED_MPROTECT);
		if (!err)
			err = cut_at(hi, 0, 0, REASON_DEMOTED_MPROTECT);
	}
	cut_forget_small(lo, hi);
	pagemap_unclaim(&c);
	gate_leave(&q);
	return err;
}
