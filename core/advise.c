/* SPDX-License-Identifier: MIT */
/*
 * advise.c - madvise on memory of ours, as if it were small pages
 *
 * madvise(2) goes through the mappings front to back; a hole is remembered as
 * ENOMEM and passed over, any other error ends the call there. So do we, run by
 * run of the page map.
 *
 * What the kernel makes of an advice on huge pages is in KERNEL.md 4; the worst
 * is MADV_DONTNEED of less than a page, which returns 0 and zeroes nothing.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "core/act/cow.h"
#include "core/act/cut.h"
#include "core/act/pagemap.h"
#include "core/act/release.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/image.h"
#include "core/route.h"

/* Newer than the headers of Debian 12. */
#define ADVICE_POPULATE_READ 22
#define ADVICE_POPULATE_WRITE 23
#define ADVICE_DONTNEED_LOCKED 24
#define ADVICE_COLLAPSE 25
#define ADVICE_GUARD_INSTALL 102
#define ADVICE_GUARD_REMOVE 103
#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif

struct piece {
	uintptr_t lo, hi;
	page_word word;
	int advice;
};

static long call(const struct piece *p)
{
	return sys_madvise(p->lo, p->hi - p->lo, p->advice);
}

/* Splits at the ends, so that the kernel takes the advice for what is inside. */
static long cut_and_call(const struct piece *p)
{
	if (cut_at(p->lo, 0, 0, REASON_DEMOTED_MADVISE) != 0 ||
	    cut_at(p->hi, 0, 0, REASON_DEMOTED_MADVISE) != 0)
		return -ENOMEM;
	return call(p);
}

static long small_and_call(const struct piece *p)
{
	if (cut_all(p->lo, p->hi, REASON_DEMOTED_MADVISE) != 0)
		return -ENOMEM;
	return call(p);
}

static void set_flag(const struct piece *p, page_word flag, bool on)
{
	size_t page = word_page_bytes(p->word);
	uintptr_t from = align_up(p->lo, page), to = align_down(p->hi, page);

	if (from < to)
		pagemap_set(from, to, on ? p->word | flag : p->word & ~flag);
}

/* Advice that is kept with the mapping; huge pages take it page by page. */
static long keep_advice(const struct piece *p, page_word flag, bool on)
{
	long err;

	if (!!(p->word & flag) == on)
		return 0;
	err = cut_and_call(p);
	if (err == -EINVAL)
		return small_and_call(p);
	if (!err)
		set_flag(p, flag, on);
	return err;
}

/*
 * Zeroes, and gives whole pages back. Shared memory keeps its content under
 * MADV_DONTNEED: only the caller's page tables would go, and they may stay.
 */
static long discard(const struct piece *p)
{
	if ((p->word & WORD_LOCKED) && p->advice != ADVICE_DONTNEED_LOCKED)
		return -EINVAL;
	if (word_kind(p->word) != PAGE_PRIVATE)
		return p->advice == MADV_FREE ? -EINVAL : 0;
	return release_private(p->lo, p->hi, p->word) == 0 ? 0 : -ENOMEM;
}

/* Advice that huge pages in memory have no use for. */
static bool means_nothing(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
		return true;
	default:
		return false;
	}
}

static long advise_huge(const struct piece *p)
{
	if (means_nothing(p->advice))
		return 0;
	switch (p->advice) {
	case ADVICE_COLLAPSE:
	case ADVICE_GUARD_REMOVE:
		return sys_madvise(p->lo, 0, p->advice);	/* known here? nothing to do */
	case MADV_COLD:
	case MADV_PAGEOUT:
		return p->word & WORD_LOCKED ? -EINVAL : 0;
	case MADV_DONTNEED:
	case MADV_FREE:
	case ADVICE_DONTNEED_LOCKED:
		return discard(p);
	case MADV_REMOVE:
		if (word_kind(p->word) == PAGE_PRIVATE || (p->word & WORD_LOCKED))
			return -EINVAL;
		return release_shared(p->lo, p->hi, p->word);
	case MADV_DONTFORK:
	case MADV_DOFORK:
		return keep_advice(p, WORD_NOFORK, p->advice == MADV_DONTFORK);
	case MADV_DONTDUMP:
	case MADV_DODUMP:
		return keep_advice(p, WORD_NODUMP, p->advice == MADV_DONTDUMP);
	case MADV_WIPEONFORK:
		return word_kind(p->word) == PAGE_PRIVATE ? small_and_call(p) : -EINVAL;
	case ADVICE_GUARD_INSTALL:
		return small_and_call(p);
	default:
		return call(p);
	}
}

/*
 * The program's own: by the kernel's rules. The word follows, as small pages that come
 * in its place one day are dressed by it; so whole pages first, as the kernel goes
 * through them before it refuses a part of one.
 */
static long advise_guarded(const struct piece *p)
{
	const bool on = p->advice == MADV_DONTFORK || p->advice == MADV_DONTDUMP;
	struct piece part = *p;
	page_word flag = 0;
	long err;

	if (p->advice == MADV_DONTFORK || p->advice == MADV_DOFORK)
		flag = WORD_NOFORK;
	if (p->advice == MADV_DONTDUMP || p->advice == MADV_DODUMP)
		flag = WORD_NODUMP;
	part.hi = align_down(p->hi, word_page_bytes(p->word));
	if (!flag || part.lo >= part.hi)
		return call(p);
	err = call(&part);
	if (err)
		return err;
	set_flag(&part, flag, on);
	part.lo = part.hi;
	part.hi = p->hi;
	return part.lo < part.hi ? call(&part) : 0;
}

static bool keeps_small_ours(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_HUGEPAGE:
	case ADVICE_POPULATE_READ:
	case ADVICE_POPULATE_WRITE:
	case ADVICE_DONTNEED_LOCKED:
	case ADVICE_COLLAPSE:
		return true;
	default:
		return false;
	}
}

static bool discards(int advice)
{
	return advice == MADV_DONTNEED || advice == MADV_FREE || advice == ADVICE_DONTNEED_LOCKED;
}

static long advise_run(const struct piece *p)
{
	if (word_is_image(p->word) && word_kind(p->word) != PAGE_FOREIGN && discards(p->advice) &&
	    !(p->word & WORD_LOCKED))
		return image_discard(p->lo, p->hi, word_use(p->word), p->advice == MADV_FREE);
	if (word_is_huge_ours(p->word))
		return advise_huge(p);
	if (word_kind(p->word) == PAGE_GUARDED)
		return advise_guarded(p);
	if (!keeps_small_ours(p->advice))
		cut_forget_small(p->lo, p->hi);
	return call(p);
}

static bool populates(int advice)
{
	return advice == ADVICE_POPULATE_READ || advice == ADVICE_POPULATE_WRITE;
}

static long advise_all(uintptr_t lo, uintptr_t hi, int advice)
{
	bool hole = false;

	for (uintptr_t at = lo, end; at < hi; at = end) {
		struct piece p = { .lo = at, .advice = advice };

		end = pagemap_run(at, hi, &p.word);
		p.hi = end;

		long err = advise_run(&p);

		/* Populating goes page by page and ends at the first hole. */
		if (err == -ENOMEM && !populates(advice))
			hole = true;
		else if (err)
			return err;
	}
	return hole ? -ENOMEM : 0;
}

long route_advise(uintptr_t at, size_t bytes, int advice)
{
	const size_t page = mem_page_bytes();
	uintptr_t hi = at + align_up(bytes, page);
	struct claim claim;
	struct quiet q;
	page_word word;
	long err;

	if (!is_aligned(at, page) || align_up_overflows(bytes, page) || hi <= at)
		return sys_madvise(at, bytes, advice);
	if (means_nothing(advice) && pagemap_is_settled(at, hi, &word))
		return 0;
	gate_enter(&q);
	claim = pagemap_claim(at, hi);
	if (advice == ADVICE_POPULATE_WRITE)
		cow_own_all(at, hi);
	err = advise_all(at, hi, advice);
	pagemap_unclaim(&claim);
	gate_leave(&q);
	return err;
}
