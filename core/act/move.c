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

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* A move under way. @leave: untouched memory of this kind stays at the old place. */
struct move {
	const struct map_facts *leave;
	int flags;			/* of small pages, which leave by the kernel's own means */
};

/* All of it or nothing. @unit: the kernel rounds what it moves of huge pages to their size. */
static long shift(uintptr_t from, size_t bytes, uintptr_t to, size_t unit, int flags)
{
	long got = sys_mremap(from, bytes, bytes, flags, to);
	size_t half = align_down(bytes / 2, unit);

	if (!sys_failed(got))
		return 0;
	if (got != -EFAULT || half == 0)
		return got;
	got = shift(from, half, to, unit, flags);
	if (got)
		return got;
	got = shift(from + half, bytes - half, to + half, unit, flags);
	if (got)
		shift(to, half, from, unit, flags & ~MREMAP_DONTUNMAP);
	return got;
}

/*
 * The marks of small memory go with it: whole granules lose theirs, unless memory is left
 * there, and every granule it comes to lie in gets one. A mark too much costs a detour.
 */
static void mark_moved(uintptr_t lo, uintptr_t hi, uintptr_t to, bool left)
{
	const uintptr_t from = align_up(lo, GRANULE), end = align_down(hi, GRANULE);
	page_word word;

	if (from < end && !left)
		pagemap_set(from, end, 0);
	for (uintptr_t at = align_down(to, GRANULE), stop; at < to + (hi - lo); at = stop) {
		stop = at + GRANULE;
		word = pagemap_get(at);
		if (!(word & WORD_KIND_MASK))
			pagemap_set(at, stop, word_make(PAGE_SPLIT, 0, mem_page_bytes(), 0));
	}
}

/*
 * Where huge pages were: small ones, with what those had but for locks, as the kernel leaves
 * it. Who has been given the place meanwhile keeps it.
 */
static long leave_behind(uintptr_t lo, uintptr_t hi, page_word word, const struct map_facts *leave)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	long got = sys_mmap(lo, hi - lo, leave->prot, flags, -1, 0);

	if (sys_failed(got))
		return got == -EEXIST ? 0 : got;
	if (word_pkey(word))
		sys_pkey_mprotect(lo, hi - lo, leave->prot, word_pkey(word));
	if (word & WORD_NOFORK)
		sys_madvise(lo, hi - lo, MADV_DONTFORK);
	if (word & WORD_NODUMP)
		sys_madvise(lo, hi - lo, MADV_DONTDUMP);
	pagemap_set(lo, hi, word_make(PAGE_SPLIT, 0, mem_page_bytes(), 0));
	return 0;
}

static long shift_huge(uintptr_t lo, uintptr_t hi, uintptr_t to, page_word word,
		       const struct map_facts *leave)
{
	const size_t unit = word_page_bytes(word);
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	long err;

	pagemap_set(lo, hi, 0);
	if (word_kind(word) == PAGE_SEGMENT)
		attach_note_moved();
	err = shift(lo, hi - lo, to, unit, flags);
	if (!err && leave) {
		err = leave_behind(lo, hi, word, leave);
		if (err)
			shift(to, hi - lo, lo, unit, flags);
	}
	pagemap_set(err ? lo : to, (err ? lo : to) + (hi - lo), word);
	if (!err)
		cow_follow(to, to + (hi - lo), word);
	return err;
}

static long shift_run(uintptr_t lo, uintptr_t hi, uintptr_t to, page_word word,
		      const struct move *m)
{
	const bool ours = word & WORD_KIND_MASK;
	long err = ours ? pagemap_prepare(to, to + (hi - lo)) : 0;

	if (err)
		return err;
	if (word_is_huge_ours(word))
		return shift_huge(lo, hi, to, word, m->leave);
	err = shift(lo, hi - lo, to, mem_page_bytes(), m->flags);
	if (ours && !err)
		mark_moved(lo, hi, to, m->leave);
	return err;
}

static long shift_all(uintptr_t at, uintptr_t end, uintptr_t to, const struct move *m,
		      uintptr_t *ret_reached)
{
	uintptr_t lo = at, hi;
	page_word word;
	long err = 0;

	for (; lo < end && !err; lo = hi) {
		hi = pagemap_run(lo, end, &word);
		err = shift_run(lo, hi, to + (lo - at), word, m);
		if (err)
			break;
	}
	*ret_reached = lo;
	return err;
}

long move_range(uintptr_t at, size_t bytes, uintptr_t to, bool alike,
		const struct map_facts *leave)
{
	const struct move back = { .flags = MREMAP_MAYMOVE | MREMAP_FIXED };
	const struct move m = { leave, back.flags | (leave ? MREMAP_DONTUNMAP : 0) };
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
		err = shift_all(at, at + bytes, to, &m, &reached);
	if (err && reached > at)
		shift_all(to, to + (reached - at), at, &back, &ignored);
	/* Before Linux 5.7 nothing can be left. */
	return err == -EINVAL && leave ? -EINVAL : err ? -ENOMEM : 0;
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
