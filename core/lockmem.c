/* SPDX-License-Identifier: MIT */
/*
 * lockmem.c - mlock and mlockall on memory of ours, what they mean to other calls, and
 *             calls that want small pages
 *
 * The kernel takes mlock at any granularity on huge pages and does nothing but
 * populate them; the word remembers the wish for the day a page is demoted, and for
 * the calls that are refused for locked memory.
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

/* Would the kernel let us lock so much? It does not count huge pages: so others are asked for. */
static long may_lock(size_t bytes)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	long at = sys_mmap(0, bytes, PROT_NONE, flags, -1, 0), err;

	if (sys_failed(at))
		return at;
	err = sys_mlock2((uintptr_t)at, bytes, MLOCK_ONFAULT);
	sys_munmap((uintptr_t)at, bytes);
	return err;
}

static size_t huge_bytes(uintptr_t lo, uintptr_t hi)
{
	size_t bytes = 0;
	page_word word;

	for (uintptr_t at = lo, end; at < hi; at = end) {
		end = pagemap_run(at, hi, &word);
		bytes += word_is_huge_ours(word) ? end - at : 0;
	}
	return bytes;
}

/*
 * MLOCK_ONFAULT touches nothing; of huge pages, which it does not lock, the kernel
 * populates all, and fails where they may not be accessed. So it doesn't see ours.
 */
static long lock_on_fault(uintptr_t lo, uintptr_t hi)
{
	long err = 0;
	page_word word;

	for (uintptr_t at = lo, end; at < hi && !err; at = end) {
		end = pagemap_run(at, hi, &word);
		if (!word_is_huge_ours(word))
			err = sys_mlock2(at, end - at, MLOCK_ONFAULT);
	}
	return err;
}

static long ask_kernel(uintptr_t at, size_t bytes, bool locked, unsigned flags)
{
	const size_t page = mem_page_bytes();

	if (!locked)
		return sys_munlock(at, bytes);
	if (flags & MLOCK_ONFAULT)
		return lock_on_fault(align_down(at, page), align_up(at + bytes, page));
	return sys_mlock2(at, bytes, flags);
}

static long lock_or_unlock(uintptr_t at, size_t bytes, bool locked, unsigned flags)
{
	const size_t page = mem_page_bytes();
	uintptr_t lo = align_down(at, page), hi = align_up(at + bytes, page);
	struct claim c;
	struct quiet q;
	size_t huge;
	long err;

	gate_enter(&q);
	c = pagemap_claim(lo, hi);
	huge = locked && (flags & MLOCK_ONFAULT) ? huge_bytes(lo, hi) : 0;
	err = huge ? may_lock(huge) : 0;
	if (!err) {
		err = cut_ends(lo, hi, locked);
		if (!err && locked)
			cow_own_all(lo, hi);
		if (!err)
			err = ask_kernel(at, bytes, locked, flags);
		if (err == 0 || err == -ENOMEM)
			note(lo, hi, locked);
	}
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

static bool future;	/* mlockall(MCL_FUTURE) is on; atomic */

bool route_locks_new(void)
{
	return __atomic_load_n(&future, __ATOMIC_RELAXED);
}

void route_forget_locks(void)
{
	__atomic_store_n(&future, false, __ATOMIC_RELAXED);
}

static void mark_run(uintptr_t lo, uintptr_t hi, page_word word, void *arg)
{
	struct claim c;

	if (!word_is_huge_ours(word) && word_kind(word) != PAGE_SMALL)
		return;
	c = pagemap_claim(lo, hi);
	note(lo, hi, *(const bool *)arg);
	pagemap_unclaim(&c);
}

void route_note_all_locked(int flags)
{
	const bool locked = flags & MCL_CURRENT;
	struct quiet q;

	__atomic_store_n(&future, flags & MCL_FUTURE, __ATOMIC_RELAXED);
	if (flags && !locked)
		return;
	gate_enter(&q);
	pagemap_walk(mark_run, (void *)(uintptr_t)&locked);
	gate_leave(&q);
}

long route_sync(uintptr_t at, size_t bytes, int flags)
{
	const size_t page = mem_page_bytes();
	uintptr_t hi = at + align_up(bytes, page);
	bool hole = false;
	page_word word;

	if (!is_usual(at, bytes) || !is_aligned(at, page) ||
	    (flags & ~(MS_ASYNC | MS_SYNC | MS_INVALIDATE)) ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return sys_call(SYS_msync, (long)at, (long)bytes, flags, 0, 0, 0);
	for (uintptr_t lo = at, end; lo < hi; lo = end) {
		long err;

		end = pagemap_run(lo, hi, &word);
		if (word_is_huge_ours(word) && (word & WORD_LOCKED) && (flags & MS_INVALIDATE))
			return -EBUSY;
		err = sys_call(SYS_msync, (long)lo, (long)(end - lo), flags, 0, 0, 0);
		if (err && err != -ENOMEM)
			return err;
		hole = hole || err;
	}
	return hole ? -ENOMEM : 0;
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

int route_make_sparse(uintptr_t at, size_t bytes)
{
	struct claim c;
	struct quiet q;
	int err;

	if (!is_usual(at, bytes))
		return 0;
	gate_enter(&q);
	c = pagemap_claim(at, at + bytes);
	err = cut_sparsely(at, at + bytes, REASON_DEMOTED_USERFAULTFD);
	cut_forget_small(at, at + bytes);
	pagemap_unclaim(&c);
	gate_leave(&q);
	return err;
}
