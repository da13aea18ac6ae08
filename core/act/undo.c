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

#include "core/act/demote.h"
#include "core/act/pagemap.h"
#include "core/act/stats.h"
#include "core/base/align.h"
#include "core/base/sys.h"

struct run {
	uintptr_t lo, hi;
	page_word word;
};

/* Does a page of ours lie across @line? Then [*ret_at, + its size) is it. */
static bool cut_page(uintptr_t line, uintptr_t *ret_at, page_word *ret_word)
{
	page_word word = pagemap_get(line);

	if (!word_is_huge_ours(word) || is_aligned(line, word_page_bytes(word)))
		return false;
	*ret_at = align_down(line, word_page_bytes(word));
	*ret_word = word;
	return true;
}

static bool cuts_guarded(uintptr_t lo, uintptr_t hi)
{
	page_word first = pagemap_get(lo), last = pagemap_get(hi);

	return (word_kind(first) == PAGE_GUARDED && !is_aligned(lo, word_page_bytes(first))) ||
	       (word_kind(last) == PAGE_GUARDED && !is_aligned(hi, word_page_bytes(last)));
}

/* The part of the page at @at that survives when [lo, hi) goes. */
static void surviving(uintptr_t at, size_t bytes, uintptr_t lo, uintptr_t hi, uintptr_t *ret_lo,
		      uintptr_t *ret_hi)
{
	*ret_lo = lo <= at ? hi : at;
	*ret_hi = hi >= at + bytes ? lo : at + bytes;
}

static int split_at(uintptr_t line, struct way *w, enum reason why)
{
	uintptr_t at, keep_lo, keep_hi;
	page_word word;
	int err;

	if (!cut_page(line, &at, &word))
		return 0;
	surviving(at, word_page_bytes(word), w->lo, w->hi, &keep_lo, &keep_hi);
	err = demote_page(at, word, keep_lo, keep_hi);
	if (err == -EBUSY) {
		/* It stays as it is, and so does what we were to take of it. */
		if (line == w->lo)
			w->lo = at + word_page_bytes(word);
		if (line == w->hi)
			w->hi = at;
		return 0;
	}
	if (err)
		return err;
	stats_small(word_use(word), word_page_bytes(word), why);
	pagemap_set(at, at + word_page_bytes(word), 0);
	return 0;
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

/* Words of whole granules inside are taken back; cut granules are nobody's now. */
static int take_back(struct way *w)
{
	uintptr_t from = align_down(w->lo, GRANULE), to = align_up(w->hi, GRANULE);
	page_word word;

	for (uintptr_t lo = from, hi; lo < to; lo = hi) {
		hi = pagemap_run(lo, to, &word);
		hi = hi < to ? align_down(hi, GRANULE) : to;

		struct run r = { lo, hi, word };
		int err = word ? blob_add(&w->was, &r, sizeof(r)) : 0;

		if (err)
			return err;
	}
	for (size_t i = 0; i < w->was.bytes / sizeof(struct run); i++) {
		const struct run *r = (const struct run *)w->was.at + i;

		count_back(r, -1);
		pagemap_set(r->lo, r->hi, 0);
	}
	return 0;
}

int undo_clear_way(uintptr_t lo, uintptr_t hi, enum reason why, struct way *ret_way)
{
	struct claim c = pagemap_claim(lo, hi);
	struct way w = { .lo = lo, .hi = hi };
	int err = split_at(lo, &w, why);

	if (!err)
		err = split_at(hi, &w, why);
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

void undo_done(struct way *w)
{
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

long undo_unmap(uintptr_t lo, uintptr_t hi, size_t bytes)
{
	struct way w;
	long err;

	if (cuts_guarded(lo, hi))
		return sys_munmap(lo, bytes);
	err = undo_clear_way(lo, hi, REASON_DEMOTED_MUNMAP, &w);
	if (err)
		return err;
	if (w.lo >= w.hi)
		return 0;
	err = sys_munmap(w.lo, w.hi - w.lo);
	if (err)
		undo_restore(&w);
	else
		undo_done(&w);
	return err;
}
