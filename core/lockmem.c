/* SPDX-License-Identifier: MIT */
/*
 * lockmem.c - mlock on memory of ours, and calls that want small pages
 *
 * The kernel takes mlock at any granularity on huge pages and does nothing but
 * populate them; the word remembers the wish for the day a page is demoted.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/act/cow.h"
#include "core/act/cut.h"
#include "core/act/pagemap.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/route.h"

static bool is_mapped(uintptr_t lo, uintptr_t hi)
{
	return sys_call(SYS_msync, (long)lo, (long)(hi - lo), MS_ASYNC, 0, 0, 0) == 0;
}

static page_word marked(page_word word, bool locked)
{
	return locked ? word | WORD_LOCKED : word & ~WORD_LOCKED;
}

/*
 * A page locked in part would answer MADV_DONTNEED wrongly in one of its parts:
 * it becomes small. Called with the range claimed, before the kernel's call.
 */
static int cut_ends(uintptr_t lo, uintptr_t hi, bool locked)
{
	page_word first = pagemap_get(lo), last = pagemap_get(hi - 1);
	int err = 0;

	if (word_is_huge_ours(first) && marked(first, locked) != first)
		err = cut_at(lo, 0, 0, REASON_DEMOTED_MADVISE);
	if (!err && word_is_huge_ours(last) && marked(last, locked) != last)
		err = cut_at(hi, 0, 0, REASON_DEMOTED_MADVISE);
	return err == -EBUSY ? 0 : err;
}

/* The kernel went from @lo to the first hole: so do the words. */
static void note(uintptr_t lo, uintptr_t hi, bool locked)
{
	page_word word;

	for (uintptr_t at = lo, end; at < hi; at = end) {
		end = pagemap_run(at, hi, &word);
		if (word_kind(word) == PAGE_SMALL)
			cut_forget_small(at, end);
		if (word_is_huge_ours(word))
			pagemap_set(align_down(at, word_page_bytes(word)),
				    align_up(end, word_page_bytes(word)), marked(word, locked));
		else if (!is_mapped(at, end))
			break;
	}
}

static long lock_or_unlock(uintptr_t at, size_t bytes, bool locked, unsigned flags)
{
	const size_t page = mem_page_bytes();
	uintptr_t lo = align_down(at, page), hi = align_up(at + bytes, page);
	struct claim c;
	struct quiet q;
	long err;

	gate_enter(&q);
	c = pagemap_claim(lo, hi);
	err = cut_ends(lo, hi, locked);
	if (!err && locked)
		cow_own_all(lo, hi);
	if (!err)
		err = locked ? sys_mlock2(at, bytes, flags) : sys_munlock(at, bytes);
	if (err == 0 || err == -ENOMEM)
		note(lo, hi, locked);
	pagemap_unclaim(&c);
	gate_leave(&q);
	return err;
}

static bool is_usual(uintptr_t at, size_t bytes)
{
	const size_t page = mem_page_bytes();

	return bytes && !align_up_overflows(bytes, page) && at + bytes + page > at;
}

long route_lock(uintptr_t at, size_t bytes, unsigned flags)
{
	/* What the kernel refuses whatever the range is, it refuses. */
	if (!is_usual(at, bytes) || (flags & ~MLOCK_ONFAULT))
		return sys_mlock2(at, bytes, flags);
	return lock_or_unlock(at, bytes, true, flags);
}

long route_unlock(uintptr_t at, size_t bytes)
{
	if (!is_usual(at, bytes))
		return sys_munlock(at, bytes);
	return lock_or_unlock(at, bytes, false, 0);
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
