/* SPDX-License-Identifier: MIT */
/*
 * demote.c - populate aside, hold writers, copy, swap by mremap
 *
 * Nearly all of what is cut is one of two: memory that the program has just mapped
 * and trims, zero still, which needs neither pages nor a copy; and memory in use, of
 * which most stays: one huge page of the kernel's (THP) is populated in 85 us, 512
 * small ones in 280 to 600, and it splits at 4 KiB by itself. Pages populated in
 * stock would save those 85 us once, and cost 2 MiB of memory for ever after.
 *
 * Pitfalls.
 * 1. What the kernel holds for I/O stays (carry.h). Pinning writes to the page, and so
 *    waits while writers are held: that is when to look.
 * 2. The swap replaces the write-protected mapping, so its registration is gone
 *    with it; only the waiters must be woken.
 * 3. The caller may run on the page, a coroutine whose neighbour gets its guard: it would wait
 *    for itself, or what it pushes after the copy would be lost.
 * 4. Kernels before 6.7 place mappings on any line: there no THP comes, and page
 *    tables move entry by entry.
 */
#include "core/act/demote.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/act/backing.h"
#include "core/act/carry.h"
#include "core/act/dead.h"
#include "core/act/inflight.h"
#include "core/act/place.h"
#include "core/act/promote.h"
#include "core/act/slack.h"
#include "core/act/stats.h"
#include "core/act/writers.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/probe.h"
#include "core/base/stack.h"
#include "core/base/sys.h"

static bool shared_elsewhere;	/* atomic */

void demote_shared_no_more(void)
{
	__atomic_store_n(&shared_elsewhere, true, __ATOMIC_RELAXED);
}

bool demote_shared_is_ours(void)
{
	return !__atomic_load_n(&shared_elsewhere, __ATOMIC_RELAXED);
}

/* A huge page, or several of one kind, that are replaced by small ones. */
struct demotion {
	uintptr_t at;
	page_word word;
	size_t bytes;		/* of the page, or of several side by side */
	size_t from, keep;	/* the part of it whose content stays */
	bool zero;		/* it looked untouched: nothing is copied, and it must be */
	bool by_page;		/* all that is present stays */
	bool pins_matter;
	bool alone;		/* nobody else writes to it */
	bool sparse;		/* small pages that are zero are left out */
	bool met_shortage;	/* of memory, where it could not be done */
};

/* A mapping moves over a page fastest from a line like its own. */
static long map_aside(size_t bytes, size_t line, int type)
{
	const int prot = PROT_READ | PROT_WRITE, flags = type | MAP_ANONYMOUS;
	const size_t more = line - mem_page_bytes();
	long at = sys_mmap(0, bytes, prot, flags, -1, 0), wide;
	uintptr_t lo;

	if (sys_failed(at) || is_aligned((uintptr_t)at, line) || type != MAP_PRIVATE)
		return at;
	wide = sys_mmap(0, bytes + more, prot, flags, -1, 0);
	if (sys_failed(wide))
		return at;
	sys_munmap((uintptr_t)at, bytes);
	lo = align_up((uintptr_t)wide, line);
	if (lo > (uintptr_t)wide)
		sys_munmap((uintptr_t)wide, lo - (uintptr_t)wide);
	if (lo - (uintptr_t)wide < more)
		sys_munmap(lo + bytes, (uintptr_t)wide + more - lo);
	return (long)lo;
}

static int populate(const struct demotion *d, uintptr_t small)
{
	const size_t page = word_page_bytes(d->word);
	int err = 0;

	if (!d->by_page)
		return backing_prove(small + d->from, d->keep, mem_page_bytes(), false);
	for (size_t done = 0; done < d->bytes && err != -ENOMEM; done += page)
		if (mem_may_be_present(d->at + done))
			err = backing_prove(small + done, page, mem_page_bytes(), false);
	return err;
}

/*
 * Small pages for the whole range, present where content will be copied. A THP for
 * half of it or more: the kernel takes the rest back when it needs memory.
 */
static long make_small(struct demotion *d)
{
	const size_t copied = d->zero || d->sparse ? 0 : d->keep;
	long at = map_aside(d->bytes, word_page_bytes(d->word),
			    word_is_private_huge(d->word) ? MAP_PRIVATE : MAP_SHARED);

	if (sys_failed(at))
		return -ENOMEM;
	if (!d->sparse && (copied == 0 || copied >= d->bytes / 2))
		place_advise((uintptr_t)at, d->bytes);
	if (copied && populate(d, (uintptr_t)at) == -ENOMEM) {
		sys_munmap((uintptr_t)at, d->bytes);
		d->met_shortage = true;
		return -ENOMEM;
	}
	return at;
}

/* What the huge page had besides content and protection. */
static long advise_like(uintptr_t small, const struct demotion *d)
{
	long err = 0;

	if (d->word & WORD_NOFORK)
		err = sys_madvise(small, d->bytes, MADV_DONTFORK);
	if (!err && (d->word & WORD_NODUMP))
		err = sys_madvise(small, d->bytes, MADV_DONTDUMP);
	return err;
}

static long protect_like(uintptr_t small, const struct demotion *d)
{
	const int prot = word_prot(d->word);

	if (word_pkey(d->word))
		return sys_pkey_mprotect(small, d->bytes, prot, word_pkey(d->word));
	return prot == (PROT_READ | PROT_WRITE) ? 0 : sys_mprotect(small, d->bytes, prot);
}

/*
 * A look at two places of each small page, which a page in use doesn't survive for
 * long. It is proven later, while writers are held.
 */
static bool looks_zero(const struct demotion *d)
{
	const size_t page = mem_page_bytes(), words = page / sizeof(uint64_t);
	const uintptr_t end = d->at + d->from + d->keep;
	size_t other = 0;

	if (!d->keep || !(word_prot(d->word) & PROT_READ) || word_pkey(d->word))
		return false;
	for (uintptr_t at = d->at + d->from; at < end; at += page, other += 37) {
		const uint64_t *word = (const uint64_t *)at;

		if (word[0] | word[other % words])
			return false;
	}
	return true;
}

/* What was absent a moment ago another thread may have written to since. */
static int copy_present(const struct demotion *d, uintptr_t small)
{
	const size_t page = word_page_bytes(d->word);
	int err = 0;

	for (size_t done = 0; done < d->bytes && !err; done += page)
		if (mem_may_be_present(d->at + done))
			err = carry(small + done, d->at + done, page, d->word);
	return err;
}

/* While writers are held: the content into @small. 1: it isn't zero after all. */
static long carry_over(const struct demotion *d, uintptr_t small)
{
	const uintptr_t lo = d->at + d->from;

	if (d->pins_matter && carry_has_pins())
		return -EBUSY;
	if (d->zero)
		return mem_is_zero(lo, d->keep) ? 0 : 1;
	if (d->sparse)
		return carry_sparsely(small + d->from, lo, d->keep, d->word);
	if (d->by_page)
		return copy_present(d, small);
	return carry(small + d->from, lo, d->keep, d->word);
}

/* Nobody stores to the page meanwhile, this thread included: it may run on it. */
static int swap(const struct demotion *d, uintptr_t small)
{
	struct writers w;
	long err = advise_like(small, d);

	if (err)
		return (int)err;
	if (d->alone)
		writers_none(&w);
	else
		err = writers_hold(d->at, d->bytes, word_prot(d->word), &w);
	if (err)
		return (int)err;
	err = inflight_settle();
	if (!err)
		err = carry_over(d, small);
	if (!err)
		err = protect_like(small, d);
	if (!err)
		err = sys_mremap(small, d->bytes, d->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, d->at);
	if (err != (long)d->at) {
		writers_give_up(&w);
		return (int)err;
	}
	writers_release(&w);
	return 0;
}

struct swap {
	const struct demotion *d;
	uintptr_t small;
};

static long make_swap(void *arg)
{
	const struct swap *s = arg;

	return swap(s->d, s->small);
}

static int try_replace(struct demotion *d)
{
	long small = make_small(d);
	struct swap s = { d, (uintptr_t)small };
	int err;

	if (sys_failed(small))
		return (int)small;
	err = (int)stack_clear_of(d->at, d->at + d->bytes, make_swap, &s);
	if (err)
		sys_munmap((uintptr_t)small, d->bytes);
	return err;
}

/* Small pages in place of the page. */
static int replace(struct demotion *d)
{
	const page_word word = d->word;
	const size_t bytes = d->bytes, page = word_page_bytes(word);
	const uintptr_t at = d->at;
	int err;

	d->zero = bytes == page && looks_zero(d);
	err = try_replace(d);
	if (err == 1) {
		d->zero = false;
		err = try_replace(d);
	}
	if (err)
		return err;
	if (word & WORD_LOCKED)
		sys_mlock2(at, bytes, 0);	/* what can't be locked is still right */
	if (word_is_huge_ours(word) || (word & WORD_HELD))
		stats_release(bytes);
	stats_demoted(bytes / page);
	PROBE3(demote, at, bytes, d->zero ? 0 : d->keep);
	for (size_t done = 0; done < bytes; done += page)
		dead_unmap(at + done);
	return 0;
}

static int demote_by(struct demotion *d)
{
	enum page_kind kind = word_kind(d->word);

	if (kind != PAGE_PRIVATE && kind != PAGE_SHARED)
		return -EBUSY;
	if (kind == PAGE_SHARED && !demote_shared_is_ours())
		return -EBUSY;
	if (carry_met_pins() && carry_has_pins())
		return -EBUSY;
	return replace(d);
}

int demote_page_sparsely(uintptr_t at, page_word word)
{
	const size_t bytes = word_page_bytes(word);
	struct demotion d = { .at = at, .word = word, .bytes = bytes, .keep = bytes,
			      .pins_matter = true, .sparse = true };

	return demote_by(&d);
}

int demote_page(uintptr_t at, page_word word, uintptr_t keep_lo, uintptr_t keep_hi)
{
	const size_t small_page = mem_page_bytes();
	const size_t from = align_down(keep_lo - at, small_page);
	struct demotion d = {
		.at = at, .word = word, .bytes = word_page_bytes(word),
		.from = from, .keep = align_up(keep_hi - at, small_page) - from,
		.pins_matter = true,
	};

	return demote_by(&d);
}

/* -ENOSPC: the kernel has no mapping left for it. */
static int replace_shared(struct demotion *d, enum reason why)
{
	const uintptr_t at = d->at, end = at + d->bytes;
	const page_word word = d->word;
	int err;

	d->by_page = true;
	err = replace(d);
	if (err)
		return err == -ENOMEM && !d->met_shortage ? -ENOSPC : err;
	stats_small(word_use(word), d->bytes, why);
	if (why == REASON_FORK)
		stats_copied(d->bytes / word_page_bytes(word));
	if (word_kind(word) == PAGE_PRIVATE && !word_dressed(word)) {
		pagemap_set(at, end, word_make(PAGE_SMALL, word_prot(word), mem_page_bytes(),
					       word_use(word)));
		promote_hint(at, end);
	} else {
		pagemap_set(at, end, word_when_small(word, mem_page_bytes()));
	}
	return 0;
}

int demote_shared_page(uintptr_t at, page_word word, enum reason why, bool alone)
{
	const size_t bytes = word_page_bytes(word);
	struct demotion d = {
		.at = at, .word = word, .bytes = bytes, .alone = alone,
		.keep = mem_may_be_present(at) ? bytes : 0,
	};

	return replace_shared(&d, why);
}

int demote_run(uintptr_t lo, uintptr_t hi, enum reason why, bool alone)
{
	page_word word;
	struct demotion d = {
		.at = lo, .bytes = hi - lo, .keep = hi - lo, .alone = alone,
	};
	int err;

	if (pagemap_run(lo, hi, &word) != hi || !word_is_private_huge(word))
		return -ESTALE;
	if (!slack_take())
		return -ENOSPC;
	d.word = word;
	err = replace_shared(&d, why);
	slack_drop();
	return err;
}
