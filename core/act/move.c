/* SPDX-License-Identifier: MIT */
/*
 * move.c - mapping by mapping, each by one mremap
 *
 * Pitfalls.
 * 1. A range of several mappings is never given to the kernel in one call: what
 *    mprotect or demotion split, and huge ones, which never merge again. Before 6.17
 *    it says EFAULT, with what lay at the new place unmapped already. From then on it
 *    moves them one by one, and says EFAULT when it comes to one that userfaultfd has,
 *    as it does after a fork (cow.c): with those before it moved.
 * 2. What a moved mapping leaves is free for other threads at once. Where something
 *    is to go back there, the place is taken first, without replacing anything.
 */
#include "core/act/move.h"

#include <errno.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include "core/act/attach.h"
#include "core/act/cow.h"
#include "core/act/cut.h"
#include "core/act/pagemap.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

struct run {
	uintptr_t lo, hi;
	page_word word;
};

/* What is moved: known before the first call, so that nothing but the kernel can refuse then. */
struct moving {
	uintptr_t at, to;
	size_t bytes;
	struct blob runs;	/* struct run[]: words as they were */
	struct blob ends;	/* uintptr_t[]: of the kernel's mappings */
};

static size_t run_count(const struct moving *m)
{
	return m->runs.bytes / sizeof(struct run);
}

static const struct run *run_at(const struct moving *m, size_t i)
{
	return (const struct run *)m->runs.at + i;
}

static int note_runs(struct moving *m)
{
	struct run r;
	int err = 0;

	for (r.lo = m->at; r.lo < m->at + m->bytes && !err; r.lo = r.hi) {
		r.hi = pagemap_run(r.lo, m->at + m->bytes, &r.word);
		err = blob_add(&m->runs, &r, sizeof(r));
	}
	return err;
}

/* All that may fail for want of memory. */
static int look(struct moving *m)
{
	int err = note_runs(m);

	if (!err)
		err = maps_read_ends("", m->at, m->at + m->bytes, &m->ends);
	return err ? err : pagemap_prepare(m->to, m->to + m->bytes);
}

static void forget(struct moving *m)
{
	blob_free(&m->runs);
	blob_free(&m->ends);
}

/* The words of whole granules of which a part lies in [from, to): taken back, or as they were. */
static void set_old_words(const struct moving *m, uintptr_t from, uintptr_t to, bool there)
{
	from = align_down(from, GRANULE);
	to = align_up(to, GRANULE);
	for (size_t i = 0; i < run_count(m); i++) {
		const struct run *r = run_at(m, i);
		uintptr_t lo = align_up(r->lo, GRANULE), hi = align_down(r->hi, GRANULE);

		lo = lo < from ? from : lo;
		hi = hi > to ? to : hi;
		if (lo < hi && (r->word & WORD_KIND_MASK))
			pagemap_set(lo, hi, there ? r->word : 0);
	}
}

/* Every granule that small memory comes to lie in gets a mark. One too much costs a detour. */
static void mark_moved(uintptr_t lo, uintptr_t hi)
{
	for (uintptr_t at = align_down(lo, GRANULE); at < hi; at += GRANULE)
		if (!(pagemap_get(at) & WORD_KIND_MASK))
			pagemap_set(at, at + GRANULE, word_make(PAGE_SPLIT, 0, mem_page_bytes(), 0));
}

static void set_new_words(const struct moving *m)
{
	for (size_t i = 0; i < run_count(m); i++) {
		const struct run *r = run_at(m, i);
		const uintptr_t lo = m->to + (r->lo - m->at), hi = m->to + (r->hi - m->at);

		if (word_is_huge_ours(r->word) || word_kind(r->word) == PAGE_GUARDED) {
			pagemap_set(lo, hi, r->word);
			cow_follow(lo, hi, r->word);
		} else if (r->word & WORD_KIND_MASK) {
			mark_moved(lo, hi);
		}
	}
}

static long move_one(uintptr_t from, size_t bytes, uintptr_t to)
{
	long got = sys_mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);

	return sys_failed(got) ? got : 0;
}

/* Of a free place. Where another thread was quicker nothing can go back: what it has is its own. */
static bool take_place(uintptr_t at, size_t bytes)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;

	return sys_mmap(at, bytes, PROT_NONE, flags, -1, 0) == (long)at;
}

/* The first @moved of the mappings, and the words of all. */
static void move_back(const struct moving *m, size_t moved)
{
	const uintptr_t *end = (const uintptr_t *)m->ends.at;

	set_old_words(m, moved ? end[moved - 1] : m->at, m->at + m->bytes, true);
	for (size_t i = moved; i-- > 0;) {
		const uintptr_t lo = i ? end[i - 1] : m->at;

		if (take_place(lo, end[i] - lo) &&
		    move_one(m->to + (lo - m->at), end[i] - lo, lo) == 0)
			set_old_words(m, lo, end[i], true);
	}
}

static long move_all(const struct moving *m)
{
	const uintptr_t *end = (const uintptr_t *)m->ends.at;
	const size_t n = m->ends.bytes / sizeof(*end);
	uintptr_t lo = m->at;

	for (size_t i = 0; i < n; lo = end[i++]) {
		long err = move_one(lo, end[i] - lo, m->to + (lo - m->at));

		if (err) {
			move_back(m, i);
			return err;
		}
	}
	return 0;
}

static void tell_segments(const struct moving *m)
{
	for (size_t i = 0; i < run_count(m); i++)
		if (word_kind(run_at(m, i)->word) == PAGE_SEGMENT)
			attach_note_moved();
}

static long leave_behind(uintptr_t at, size_t bytes, const struct map_facts *leave)
{
	int flags = MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | (leave->shared ? MAP_SHARED : MAP_PRIVATE);
	long got = sys_mmap(at, bytes, leave->prot, flags, -1, 0);

	return sys_failed(got) ? got : 0;
}

static long cut_ends(uintptr_t at, uintptr_t end)
{
	long err = cut_at(at, 0, 0, REASON_DEMOTED_MREMAP);

	return err ? err : cut_at(end, 0, 0, REASON_DEMOTED_MREMAP);
}

long move_range(uintptr_t at, size_t bytes, uintptr_t to, bool alike,
		const struct map_facts *leave)
{
	struct moving m = { .at = at, .to = to, .bytes = bytes };
	struct claim c = pagemap_claim(at, at + bytes);
	long err = alike ? cut_ends(at, at + bytes) :
			   cut_all(at, at + bytes, REASON_DEMOTED_MREMAP);

	/* Small memory is nobody's to promote from here on, where it is or will be. */
	if (!err)
		cut_forget_small(at, at + bytes);
	if (!err)
		err = look(&m);
	if (!err)
		set_old_words(&m, at, at + bytes, false);
	pagemap_unclaim(&c);		/* before the old place can be another's */
	if (!err) {
		tell_segments(&m);
		err = move_all(&m);
	}
	if (!err)
		set_new_words(&m);
	forget(&m);
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
	if (err && take_place(at + rest, page))
		sys_mremap(to + rest, page + more, page, flags, at + rest);
	else if (!err && !(pagemap_get(granule) & WORD_KIND_MASK))
		pagemap_set(granule, granule + GRANULE, word_make(PAGE_SPLIT, 0, page, 0));
	return err;
}
