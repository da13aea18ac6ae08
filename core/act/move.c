/* SPDX-License-Identifier: MIT */
/*
 * move.c - run by run, each by one mremap
 *
 * Pitfall: before 6.17 the kernel moves one mapping a call. A foreign run may
 * be several (what mprotect or demotion split), and so may a huge one, as huge
 * mappings never merge again: they are moved one by one. A call that spans two is
 * EFAULT, and is tried in halves.
 */
#include "core/act/move.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/act/attach.h"
#include "core/act/cow.h"
#include "core/act/cut.h"
#include "core/act/pagemap.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

/* All of it or nothing. @unit: the kernel rounds what it moves of huge pages to their size. */
static long shift(uintptr_t from, size_t bytes, uintptr_t to, size_t unit)
{
	long got = sys_mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	size_t half = align_down(bytes / 2, unit);

	if (!sys_failed(got))
		return 0;
	if (got != -EFAULT || half == 0)
		return got;
	got = shift(from, half, to, unit);
	if (got)
		return got;
	got = shift(from + half, bytes - half, to + half, unit);
	if (got)
		shift(to, half, from, unit);
	return got;
}

/*
 * The marks of small memory go with it: whole granules lose theirs, and every
 * granule it comes to lie in gets one. A mark too much costs a detour.
 */
static void mark_moved(uintptr_t lo, uintptr_t hi, uintptr_t to)
{
	const uintptr_t from = align_up(lo, GRANULE), end = align_down(hi, GRANULE);
	page_word word;

	if (from < end)
		pagemap_set(from, end, 0);
	for (uintptr_t at = align_down(to, GRANULE), stop; at < to + (hi - lo); at = stop) {
		stop = at + GRANULE;
		word = pagemap_get(at);
		if (!(word & WORD_KIND_MASK))
			pagemap_set(at, stop, word_make(PAGE_SPLIT, 0, mem_page_bytes(), 0));
	}
}

static long shift_run(uintptr_t lo, uintptr_t hi, uintptr_t to, page_word word)
{
	const bool huge = word_is_huge_ours(word), ours = word & WORD_KIND_MASK;
	long err = ours ? pagemap_prepare(to, to + (hi - lo)) : 0;

	if (err)
		return err;
	if (huge)
		pagemap_set(lo, hi, 0);
	if (word_kind(word) == PAGE_SEGMENT)
		attach_note_moved();
	err = shift(lo, hi - lo, to, huge ? word_page_bytes(word) : mem_page_bytes());
	if (huge) {
		pagemap_set(err ? lo : to, (err ? lo : to) + (hi - lo), word);
		if (!err)
			cow_follow(to, to + (hi - lo), word);
	} else if (ours && !err) {
		mark_moved(lo, hi, to);
	}
	return err;
}

static long shift_all(uintptr_t at, uintptr_t end, uintptr_t to, uintptr_t *ret_reached)
{
	uintptr_t lo = at, hi;
	page_word word;
	long err = 0;

	for (; lo < end && !err; lo = hi) {
		hi = pagemap_run(lo, end, &word);
		err = shift_run(lo, hi, to + (lo - at), word);
		if (err)
			break;
	}
	*ret_reached = lo;
	return err;
}

static long leave_behind(uintptr_t at, size_t bytes, const struct map_facts *leave)
{
	int flags = MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | (leave->shared ? MAP_SHARED : MAP_PRIVATE);
	long got = sys_mmap(at, bytes, leave->prot, flags, -1, 0);

	return sys_failed(got) ? got : 0;
}

long move_range(uintptr_t at, size_t bytes, uintptr_t to, bool alike,
		const struct map_facts *leave)
{
	struct claim c = pagemap_claim(at, at + bytes);
	uintptr_t reached = at, ignored;
	long err;

	if (alike) {
		err = cut_at(at, 0, 0, REASON_DEMOTED_MREMAP);
		if (!err)
			err = cut_at(at + bytes, 0, 0, REASON_DEMOTED_MREMAP);
	} else {
		err = cut_all(at, at + bytes, REASON_DEMOTED_MREMAP);
	}
	/* Small memory is nobody's to promote from here on, where it is or will be. */
	if (!err)
		cut_forget_small(at, at + bytes);
	pagemap_unclaim(&c);		/* before the old place can be another's */
	if (!err)
		err = shift_all(at, at + bytes, to, &reached);
	if (err && reached > at)
		shift_all(to, to + (reached - at), at, &ignored);
	if (!err && leave)
		err = leave_behind(at, bytes, leave);
	return err ? -ENOMEM : 0;
}

/* The last page first: what can't be moved then has not begun to. */
long move_growing(uintptr_t at, size_t bytes, size_t more, uintptr_t to, bool alike)
{
	const size_t page = mem_page_bytes(), rest = bytes - page;
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	uintptr_t granule = align_down(to + rest, GRANULE);
	long err = pagemap_prepare(granule, granule + GRANULE);

	if (err || sys_failed(sys_mremap(at + rest, page, page + more, flags, to + rest)))
		return -ENOMEM;
	err = rest ? move_range(at, rest, to, alike, NULL) : 0;
	if (err)
		sys_mremap(to + rest, page + more, page, flags, at + rest);
	else if (!(pagemap_get(granule) & WORD_KIND_MASK))
		pagemap_set(granule, granule + GRANULE, word_make(PAGE_SPLIT, 0, page, 0));
	return err;
}
