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

#include "core/act/apart_maps.h"
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
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

struct run {
	uintptr_t lo, hi;
	page_word word;
};

/* Of one run and of one mapping of the kernel's. */
struct piece {
	uintptr_t lo, hi;
	page_word word;
	bool left;		/* moved, and something of ours is at the old place */
};

/* What is moved: known before the first call, so that nothing but the kernel can refuse then. */
struct moving {
	uintptr_t at, to;
	size_t bytes;
	const struct map_facts *leave;	/* untouched memory of this kind stays */
	struct blob runs;		/* struct run[]: words as they were */
	struct blob pieces;		/* struct piece[] */
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

static int note_pieces(struct moving *m, const uintptr_t *end)
{
	struct piece p = { .hi = m->at };
	int err = 0;

	for (size_t i = 0; i < run_count(m) && !err; ) {
		const struct run *r = run_at(m, i);

		p.lo = p.hi;
		p.hi = *end < r->hi ? *end : r->hi;
		p.word = r->word;
		err = blob_add(&m->pieces, &p, sizeof(p));
		end += p.hi == *end;
		i += p.hi == r->hi;
	}
	return err;
}

/* All that may fail for want of memory. */
static int look(struct moving *m)
{
	struct blob ends = { 0 };
	int err = note_runs(m);

	if (!err)
		err = apart_read_ends(m->at, m->at + m->bytes, &ends);
	if (!err)
		err = note_pieces(m, (const uintptr_t *)ends.at);
	blob_free(&ends);
	return err ? err : pagemap_prepare(m->to, m->to + m->bytes);
}

static void forget(struct moving *m)
{
	blob_free(&m->runs);
	blob_free(&m->pieces);
}

/*
 * The words of whole granules of which a part lies in [from, to): taken back, or as they
 * were. Small memory that leaves something keeps its marks.
 */
static void set_old_words(const struct moving *m, uintptr_t from, uintptr_t to, bool there)
{
	from = align_down(from, GRANULE);
	to = align_up(to, GRANULE);
	for (size_t i = 0; i < run_count(m); i++) {
		const struct run *r = run_at(m, i);
		uintptr_t lo = align_up(r->lo, GRANULE), hi = align_down(r->hi, GRANULE);

		lo = lo < from ? from : lo;
		hi = hi > to ? to : hi;
		if (lo < hi && (r->word & WORD_KIND_MASK) &&
		    (!m->leave || word_is_huge_ours(r->word)))
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

static long move_one(uintptr_t from, size_t bytes, uintptr_t to, int more)
{
	long got = sys_mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED | more, to);

	return sys_failed(got) ? got : 0;
}

/*
 * Where huge pages were: small ones, with what those had but for locks, as the kernel leaves
 * it. Who has been given the place meanwhile keeps it.
 */
static long leave_behind(const struct moving *m, struct piece *p)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, prot = m->leave->prot;
	const size_t bytes = p->hi - p->lo;
	long got = sys_mmap(p->lo, bytes, prot, flags, -1, 0);

	if (sys_failed(got))
		return got == -EEXIST ? 0 : got;
	p->left = true;
	if (word_pkey(p->word))
		sys_pkey_mprotect(p->lo, bytes, prot, word_pkey(p->word));
	if (p->word & WORD_NOFORK)
		sys_madvise(p->lo, bytes, MADV_DONTFORK);
	if (p->word & WORD_NODUMP)
		sys_madvise(p->lo, bytes, MADV_DONTDUMP);
	pagemap_set(p->lo, p->hi, word_make(PAGE_SPLIT, 0, mem_page_bytes(), 0));
	return 0;
}

/* Of a free place. Where another thread was quicker nothing can go back: what it has is its own. */
static bool take_place(uintptr_t at, size_t bytes)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;

	return sys_mmap(at, bytes, PROT_NONE, flags, -1, 0) == (long)at;
}

/* The pieces before @end, and the words of all. */
static void move_back(const struct moving *m, const struct piece *end)
{
	const struct piece *p = (const struct piece *)m->pieces.at;

	set_old_words(m, end->lo, m->at + m->bytes, true);
	while (end-- > p)
		if ((end->left || take_place(end->lo, end->hi - end->lo)) &&
		    move_one(m->to + (end->lo - m->at), end->hi - end->lo, end->lo, 0) == 0) {
			set_old_words(m, end->lo, end->hi, true);
			cow_follow(end->lo, end->hi, end->word);
		}
}

static long move_all(const struct moving *m)
{
	struct piece *p = (struct piece *)m->pieces.at;
	struct piece *end = p + m->pieces.bytes / sizeof(*p);

	for (; p < end; p++) {
		const bool huge = word_is_huge_ours(p->word), stays = m->leave && !huge;
		long err = move_one(p->lo, p->hi - p->lo, m->to + (p->lo - m->at),
				    stays ? MREMAP_DONTUNMAP : 0);

		p->left = stays && !err;
		if (!err && m->leave && huge) {
			err = leave_behind(m, p);
			if (err && take_place(p->lo, p->hi - p->lo))
				move_one(m->to + (p->lo - m->at), p->hi - p->lo, p->lo, 0);
		}
		if (err) {
			move_back(m, p);
			cow_follow(p->lo, p->hi, p->word);
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

static long cut_ends(uintptr_t at, uintptr_t end)
{
	long err = cut_at(at, 0, 0, REASON_DEMOTED_MREMAP);

	return err ? err : cut_at(end, 0, 0, REASON_DEMOTED_MREMAP);
}

long move_range(uintptr_t at, size_t bytes, uintptr_t to, bool alike,
		const struct map_facts *leave)
{
	struct moving m = { .at = at, .to = to, .bytes = bytes, .leave = leave };
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
	if (err && take_place(at + rest, page))
		sys_mremap(to + rest, page + more, page, flags, at + rest);
	else if (!err && !(pagemap_get(granule) & WORD_KIND_MASK))
		pagemap_set(granule, granule + GRANULE, word_make(PAGE_SPLIT, 0, page, 0));
	return err;
}
