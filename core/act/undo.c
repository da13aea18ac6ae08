/* SPDX-License-Identifier: MIT */
/*
 * undo.c - splitting at the ends, words taken back, and restored on refusal
 *
 * A guarded mapping (the program's own huge pages) keeps the kernel's own
 * semantics: a range that cuts one of its pages is refused by the kernel with
 * EINVAL, as without us, and nothing here touches it.
 */
#include "core/act/undo.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/act/cut.h"
#include "core/act/dead.h"
#include "core/act/demote.h"
#include "core/act/pagemap.h"
#include "core/act/stats.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

struct run {
	uintptr_t lo, hi;
	page_word word;
};

/*
 * A page that can't be split stays as it is, and so does what we were to take of
 * it; when the program has by now unmapped all of it (@unmaps: it does so for good,
 * nothing can refuse any more), it goes as a whole. Who unmaps is not told that there
 * is no memory for a copy, no descriptor, or nothing more to be locked: on small pages
 * that takes none.
 */
static bool stays_whole(int err, bool unmaps)
{
	return err == -EBUSY || (err && unmaps);
}

static int split_low(struct way *w, enum reason why, bool unmaps)
{
	/* What comes after may fail, and then nothing must be lost: no content is dropped. */
	const bool last = !cut_page_across(w->hi) || cut_page_across(w->hi) == cut_page_across(w->lo);
	int err = cut_at(w->lo, last ? w->lo : 0, last ? w->hi : 0, why);
	uintptr_t at = cut_page_across(w->lo), end;

	if (!stays_whole(err, unmaps))
		return err;
	end = at + word_page_bytes(pagemap_get(at));
	if (unmaps && dead_note(at, end - at, w->lo, w->hi < end ? w->hi : end)) {
		w->lo = at;
		w->hi = w->hi > end ? w->hi : end;
	} else {
		w->lo = end;
	}
	return 0;
}

static int split_high(struct way *w, enum reason why, bool unmaps)
{
	int err = cut_at(w->hi, w->lo, w->hi, why);
	uintptr_t at = cut_page_across(w->hi), end;

	if (!stays_whole(err, unmaps))
		return err;
	end = at + word_page_bytes(pagemap_get(at));
	w->hi = unmaps && dead_note(at, end - at, at, w->hi) ? end : at;
	return 0;
}

static int split_ends(struct way *w, enum reason why, bool unmaps)
{
	int err = split_low(w, why, unmaps);

	return err || w->lo >= w->hi ? err : split_high(w, why, unmaps);
}

/* Segments are held from shmget() to IPC_RMID, however often they are attached. */
static void count_back(const struct run *r, int sign)
{
	enum page_kind kind = word_kind(r->word);

	if (kind != PAGE_PRIVATE && kind != PAGE_SHARED && !(r->word & WORD_HELD))
		return;
	if (sign < 0)
		stats_release(r->hi - r->lo);
	else
		stats_hold(r->hi - r->lo);
}

static bool is_freed(const struct run *r)
{
	return word_kind(r->word) == PAGE_SHARED && demote_shared_is_ours();
}

/*
 * Pages of shared memory live in an object that outlives a part of its mapping.
 * Where nobody else can have it mapped, they return to the pool at once.
 *
 * That comes before munmap(), which the kernel may refuse where a mapping has to be
 * split and it has no record left (ENOMEM): so each run is split off first, by advice
 * that means nothing here. -ENOMEM: it could not be, and nothing is lost.
 */
static long free_shared(const struct way *w)
{
	const struct run *run = (const struct run *)w->was.at;
	const size_t n = w->was.bytes / sizeof(*run);
	long err = 0;

	for (size_t i = 0; i < n && !err; i++)
		if (is_freed(&run[i]))
			err = sys_madvise(run[i].lo, run[i].hi - run[i].lo, MADV_SEQUENTIAL);
	for (size_t i = 0; i < n; i++)
		if (is_freed(&run[i]))
			sys_madvise(run[i].lo, run[i].hi - run[i].lo,
				    err ? MADV_NORMAL : MADV_REMOVE);
	return err ? -ENOMEM : 0;
}

/* [*lo, *hi) without the granules that @w only cuts: false, and *hi as it was, when nothing is left. */
static bool narrow(const struct way *w, uintptr_t *lo, uintptr_t *hi)
{
	uintptr_t from = *lo < w->lo ? *lo + GRANULE : *lo;
	uintptr_t to = *hi > w->hi ? *hi - GRANULE : *hi;

	if (from >= to)
		return false;
	*lo = from;
	*hi = to;
	return true;
}

/* Room for what take_back() will note, so that nothing can fail behind the splits. */
static int make_room(struct way *w)
{
	const uintptr_t from = align_down(w->lo, GRANULE), to = align_up(w->hi, GRANULE);
	size_t runs = 2 + 2;		/* a split makes up to two more at either end */
	page_word word;

	for (uintptr_t at = from; at < to; at = pagemap_run(at, to, &word))
		runs++;
	return blob_reserve(&w->was, runs * sizeof(struct run));
}

/*
 * What is left of small memory of ours goes on being several mappings to the kernel,
 * perhaps, and one to the program: the granules that are cut say so.
 */
static void set_taken(const struct way *w, const struct run *r)
{
	const page_word left = word_make(PAGE_SPLIT, 0, mem_page_bytes(), word_use(r->word));
	uintptr_t lo = r->lo, hi = r->hi;

	if (word_kind(r->word) == PAGE_SMALL && lo < w->lo) {
		pagemap_set(lo, lo + GRANULE, left);
		lo += GRANULE;
	}
	if (word_kind(r->word) == PAGE_SMALL && lo < hi && hi > w->hi) {
		hi -= GRANULE;
		pagemap_set(hi, hi + GRANULE, left);
	}
	if (lo < hi)
		pagemap_set(lo, hi, 0);
}

/*
 * Words of whole granules inside are taken back, and those of granules that are
 * cut, but for PAGE_SPLIT: what is left of such a granule is still several mappings.
 */
static int take_back(struct way *w)
{
	uintptr_t from = align_down(w->lo, GRANULE), to = align_up(w->hi, GRANULE);
	page_word word;

	for (uintptr_t lo = from, hi; lo < to; lo = hi) {
		hi = pagemap_run(lo, to, &word);
		hi = hi < to ? align_down(hi, GRANULE) : to;
		if (word_kind(word) == PAGE_SPLIT && !narrow(w, &lo, &hi))
			continue;

		struct run r = { lo, hi, word };
		int err = word ? blob_add(&w->was, &r, sizeof(r)) : 0;

		if (err)
			return err;
	}
	for (size_t i = 0; i < w->was.bytes / sizeof(struct run); i++) {
		const struct run *r = (const struct run *)w->was.at + i;

		count_back(r, -1);
		set_taken(w, r);
	}
	return 0;
}

static int clear_way(uintptr_t lo, uintptr_t hi, enum reason why, bool unmaps,
		     struct way *ret_way)
{
	struct claim c = pagemap_claim(lo, hi);
	struct way w = { .lo = lo, .hi = hi };
	int err = make_room(&w);

	if (!err)
		err = split_ends(&w, why, unmaps);
	if (!err && w.lo < w.hi)
		err = take_back(&w);
	pagemap_unclaim(&c);
	if (err) {
		blob_free(&w.was);
		return err;
	}
	*ret_way = w;
	return 0;
}

int undo_clear_way(uintptr_t lo, uintptr_t hi, enum reason why, struct way *ret_way)
{
	return clear_way(lo, hi, why, false, ret_way);
}

void undo_done(struct way *w)
{
	dead_forget(w->lo, w->hi);
	blob_free(&w->was);
}

void undo_restore(struct way *w)
{
	for (size_t i = 0; i < w->was.bytes / sizeof(struct run); i++) {
		const struct run *r = (const struct run *)w->was.at + i;

		count_back(r, 1);
		pagemap_set(r->lo, r->hi, r->word);
	}
	blob_free(&w->was);
}

/* Run by run: each was mapped, which the place where the range begins need not have been. */
void undo_refused(struct way *w)
{
	for (size_t i = 0; i < w->was.bytes / sizeof(struct run); i++) {
		const struct run *r = (const struct run *)w->was.at + i;

		if (!mem_is_mapped(r->lo < w->lo ? w->lo : r->lo)) {
			dead_forget(r->lo, r->hi);
			continue;
		}
		count_back(r, 1);
		pagemap_set(r->lo, r->hi, r->word);
	}
	blob_free(&w->was);
}

long undo_unmap(uintptr_t lo, uintptr_t hi, size_t bytes)
{
	struct way w;
	long err;

	/* What the kernel will refuse it must see before anything is given up. */
	if (cut_splits_guarded(lo, hi) || hi > (uintptr_t)1 << PAGEMAP_ADDRESS_BITS)
		return sys_munmap(lo, bytes);
	err = clear_way(lo, hi, REASON_DEMOTED_MUNMAP, true, &w);
	if (err)
		return err;
	if (w.lo >= w.hi) {
		blob_free(&w.was);
		return 0;
	}
	err = free_shared(&w);
	if (!err) {
		dead_forget(w.lo, w.hi);	/* afterwards it may be another thread's */
		err = sys_munmap(w.lo, w.hi - w.lo);
	}
	if (err)
		undo_restore(&w);
	blob_free(&w.was);
	return err;
}
