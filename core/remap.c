/* SPDX-License-Identifier: MIT */
/*
 * remap.c - mremap of memory of ours: what the program believes to be one
 *           mapping of small pages may be several, of both kinds
 *
 * Moving goes run by run, each whole and atomic; growing adds small pages
 * behind, or huge ones where they can be proven. Page tables move, nothing is
 * copied, as long as old and new place lie alike on huge page lines; a place
 * the program chose that doesn't is reached by demoting first.
 *
 * What is answered differently from small pages, and why:
 * - shared memory of ours does not grow (ENOMEM): the kernel's own answer, a
 *   tail that raises SIGBUS, is of no use to anybody;
 * - old size 0 (a second view of shared memory) needs the pages small: ENOMEM
 *   where another process may have them.
 */
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "core/act/apart_maps.h"
#include "core/act/cut.h"
#include "core/act/move.h"
#include "core/act/pagemap.h"
#include "core/act/place.h"
#include "core/act/undo.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/narrow.h"
#include "core/base/sys.h"
#include "core/commit.h"
#include "core/facts/maps.h"
#include "core/guard.h"
#include "core/remap.h"
#include "core/route.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#define FLAGS_KNOWN (MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)

static long as_asked(const struct remap *r)
{
	return sys_mremap(r->at, r->bytes, r->new_bytes, r->flags, r->to);
}

/* The kernel's own checks come first; what it would refuse anyway, it refuses. */
static bool is_refused(const struct remap *r)
{
	const size_t page = mem_page_bytes(), most = (size_t)1 << PAGEMAP_ADDRESS_BITS;

	if (r->bytes > most || r->new_bytes > most)
		return true;
	if (!is_aligned(r->at, page) || (r->flags & ~FLAGS_KNOWN) || r->new_bytes == 0)
		return true;
	if ((r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(r->flags & MREMAP_MAYMOVE))
		return true;
	if ((r->flags & MREMAP_DONTUNMAP) && r->bytes != r->new_bytes)
		return true;
	/* The new address is looked at for DONTUNMAP too, where it is but a wish. */
	if (!(r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
		return false;
	return !is_aligned(r->to, page) || r->to + r->new_bytes < r->to ||
	       (r->to < r->at + r->bytes && r->at < r->to + r->new_bytes);
}

/* Address space for the new place: the program's, or one that lies alike. */
static long find_place(const struct remap *r, bool *ret_alike)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	size_t line = GRANULE, shift;
	page_word word = pagemap_get(r->at);
	uintptr_t to;
	long at;

	if (word_is_huge_ours(word) && word_page_bytes(word) > line)
		line = word_page_bytes(word);
	*ret_alike = true;
	if (r->flags & MREMAP_FIXED) {
		*ret_alike = is_aligned(r->to - r->at, line);
		return (long)r->to;
	}
	if ((r->flags & MREMAP_DONTUNMAP) && r->to) {
		/* A wish; what the kernel makes of it depends on what is there. */
		at = sys_mmap(r->to, r->new_bytes, PROT_NONE, flags, -1, 0);
		if (at == (long)r->to) {
			*ret_alike = is_aligned(r->to - r->at, line);
			return at;
		}
		if (!sys_failed(at))
			sys_munmap((uintptr_t)at, r->new_bytes);
	}
	at = sys_mmap(0, r->new_bytes + line, PROT_NONE, flags, -1, 0);
	if (sys_failed(at))
		return -ENOMEM;
	shift = (r->at - (uintptr_t)at) & (line - 1);
	to = (uintptr_t)at + shift;
	if (shift)
		sys_munmap((uintptr_t)at, shift);
	if (shift < line)
		sys_munmap(to + r->new_bytes, line - shift);
	return (long)to;
}

/*
 * What lay at a place the program chose goes, as the kernel would do it. The old
 * range may be several mappings, which the kernel moves one by one, and each would
 * cut a huge page that is still there: so address space takes their place first.
 */
static long clear_place(const struct remap *r)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
	uintptr_t hi = r->to + r->new_bytes;
	struct way w;
	long err;

	if (!(r->flags & MREMAP_FIXED) || !pagemap_any(r->to, hi))
		return 0;
	err = undo_clear_way(r->to, hi, REASON_DEMOTED_MREMAP, &w);
	if (err)
		return err;
	if (w.lo != r->to || w.hi != hi) {
		undo_restore(&w);
		return -ENOMEM;
	}
	err = sys_mmap(r->to, r->new_bytes, PROT_NONE, flags, -1, 0);
	if (sys_failed(err)) {
		undo_refused(&w);
		return err;
	}
	undo_done(&w);
	return 0;
}

/* Lets the kernel see small pages only, and make the call. */
static long after_demotion(const struct remap *r)
{
	size_t bytes = r->bytes ? r->bytes : mem_page_bytes();
	struct claim c = pagemap_claim(r->at, r->at + bytes);
	int err = cut_all(r->at, r->at + bytes, REASON_DEMOTED_MREMAP);
	long got;

	cut_forget_small(r->at, r->at + bytes);
	pagemap_unclaim(&c);
	if (err)
		return -ENOMEM;
	got = clear_place(r);
	return got ? got : as_asked(r);
}

/*
 * Is the mapping that begins at @at of the program's one, as what lies before it? Behind what
 * was a huge page nobody tells its small rest from another shared mapping of the program's.
 */
static bool goes_on(uintptr_t at)
{
	struct map_facts f;

	if (pagemap_get(at) & WORD_KIND_MASK)
		return true;
	return (pagemap_get(at - 1) & WORD_KIND_MASK) &&
	       apart_read_range(at, at + mem_page_bytes(), &f) == 0 && f.shared && f.anonymous;
}

/*
 * One mapping of the kernel's after the other; each may be an object of its own that was
 * a huge page once, or lie behind one. The last one goes on as long as was asked for.
 */
static long view_piece(const struct remap *r, uintptr_t lo, uintptr_t to, uintptr_t *ret_hi)
{
	const uintptr_t end = r->at + r->new_bytes;
	uintptr_t hi;

	if (apart_read_end(lo, &hi) != 0)
		return -EFAULT;
	if (hi >= end || !goes_on(hi))
		hi = end;
	*ret_hi = hi;
	return sys_mremap(lo, r->bytes ? hi - lo : 0, hi - lo, r->flags | MREMAP_FIXED, to);
}

/*
 * A second view of shared memory, or the same with the first one to be filled
 * again by faults (MREMAP_DONTUNMAP): of small pages, as the kernel makes none
 * of huge ones.
 */
static long view_again(const struct remap *r)
{
	const uintptr_t end = r->at + r->new_bytes;
	struct claim c = pagemap_claim(r->at, end);
	int err = cut_all(r->at, end, REASON_DEMOTED_MREMAP);
	bool ignored;
	long to, got;

	pagemap_unclaim(&c);
	if (err)
		return -ENOMEM;
	got = clear_place(r);
	to = got ? got : find_place(r, &ignored);
	if (sys_failed(to))
		return to;
	for (uintptr_t lo = r->at, hi; lo < end; lo = hi) {
		got = view_piece(r, lo, (uintptr_t)to + (lo - r->at), &hi);
		if (sys_failed(got)) {
			sys_munmap((uintptr_t)to, r->new_bytes);
			return got;
		}
	}
	return to;
}

/* What it grows by is there before it moves: behind that nothing may be refused any more. */
static long map_beforehand(const struct remap *r, uintptr_t to)
{
	if (r->new_bytes <= r->bytes)
		return 0;
	return sys_failed(remap_map_more(r, to + r->bytes, r->new_bytes - r->bytes, MAP_FIXED)) ?
	       -ENOMEM : 0;
}

static long move_to_new_place(const struct remap *r)
{
	const bool keep = r->flags & MREMAP_DONTUNMAP;
	const size_t more = r->new_bytes > r->bytes ? r->new_bytes - r->bytes : 0;
	const page_word last = pagemap_get(r->at + r->bytes - 1);
	const bool by_kernel = more && remap_grows_by_kernel(last);
	bool alike;
	long to, err;

	if (more && r->facts.shared)
		return -ENOMEM;
	err = clear_place(r);
	if (err)
		return err;
	to = find_place(r, &alike);
	if (sys_failed(to))
		return to;
	alike = alike && place_moves(GRANULE) == PLACE_MOVES;
	err = by_kernel ? move_growing(r->at, r->bytes, more, (uintptr_t)to, alike) :
			  map_beforehand(r, (uintptr_t)to);
	if (!err && !by_kernel)
		err = move_range(r->at, r->new_bytes - more, (uintptr_t)to, alike,
				 keep ? &r->facts : NULL);
	if (err) {
		if (!(r->flags & MREMAP_FIXED))
			sys_munmap((uintptr_t)to, r->new_bytes);
		return err;
	}
	if (more && !by_kernel)
		remap_grown_like(r, (uintptr_t)to + r->bytes, more, last);
	return to;
}

/*
 * Memory that isn't ours over memory that is. What the kernel would refuse, it
 * must refuse before the place is cleared. (From 6.17 on it moves any mappings
 * and holes, as long as the size stays and the first page is there.)
 */
static long move_foreign(struct remap *r)
{
	const size_t page = mem_page_bytes();
	size_t bytes = r->bytes && r->bytes != r->new_bytes ? r->bytes : page;
	long err = apart_read_range(r->at, r->at + bytes, &r->facts);

	if (!err && (r->bytes || r->facts.shared))
		err = clear_place(r);
	else if (!err)
		err = -EINVAL;
	return err ? err : as_asked(r);
}

static long shrink(struct remap *r)
{
	long err = undo_unmap(r->at + r->new_bytes, r->at + r->bytes, r->bytes - r->new_bytes);

	if (!err)
		r->bytes = r->new_bytes;
	return err;
}

/*
 * How much of the old range must be one mapping, on small pages, or else EFAULT:
 * what moves or grows. Where the range only shrinks, its first page must be there.
 */
static size_t must_be_one(const struct remap *r)
{
	if (r->new_bytes <= r->bytes && !(r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
		return mem_page_bytes();
	return r->bytes < r->new_bytes ? r->bytes : r->new_bytes;
}

/* Same place, same size. */
static bool stays(const struct remap *r)
{
	return r->new_bytes == r->bytes && !(r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP));
}

/* And all of it huge pages of one kind: one mapping, and known to be. */
static bool changes_nothing(const struct remap *r)
{
	page_word word;

	return stays(r) && pagemap_run(r->at, r->at + r->bytes, &word) == r->at + r->bytes &&
	       word_is_huge_ours(word);
}

/*
 * What the range is. Another thread that splits a page of it may hold writers by its
 * protection (WRITERS_FAULT), which is not the program's: so while nobody does.
 */
static int read_facts(struct remap *r, size_t bytes)
{
	struct claim c = pagemap_claim(r->at, r->at + bytes);
	int err = apart_read_range(r->at, r->at + bytes, &r->facts);

	pagemap_unclaim(&c);
	return err;
}

/* Called as a guest of the gate. */
static long remap(struct remap *r)
{
	long err;

	if (r->bytes == 0) {
		err = read_facts(r, mem_page_bytes());
		return !err && r->facts.shared ? view_again(r) : as_asked(r);
	}
	if (changes_nothing(r))
		return (long)r->at;
	err = read_facts(r, must_be_one(r));
	if (err)
		return err;
	/* Of what stays where it is nothing is asked, whatever it is. */
	if (r->new_bytes <= r->bytes && !(r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) {
		err = r->new_bytes < r->bytes ? shrink(r) : 0;
		return err ? err : (long)r->at;
	}
	if (!r->facts.anonymous && !word_is_huge_ours(pagemap_get(r->at)))
		return after_demotion(r);
	if (r->new_bytes < r->bytes) {
		err = shrink(r);
		if (err)
			return err;
	}
	/* Shared memory keeps its content at the old place too. */
	if ((r->flags & MREMAP_DONTUNMAP) && r->facts.shared)
		return view_again(r);
	if (r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return move_to_new_place(r);
	err = remap_grow_in_place(r);
	if (err == -ENOMEM && (r->flags & MREMAP_MAYMOVE))
		err = move_to_new_place(r);
	return err;
}

long route_remap(uintptr_t at, size_t bytes, size_t new_bytes, int flags, uintptr_t to)
{
	const size_t page = mem_page_bytes();
	struct remap r = { .at = at, .to = to, .bytes = align_up(bytes, page),
			   .new_bytes = align_up(new_bytes, page), .flags = flags };
	bool source = route_concerns(at, r.bytes ? r.bytes : page);
	bool target = (flags & MREMAP_FIXED) && route_concerns(to, r.new_bytes);
	struct quiet q;
	page_word word;
	long got;

	if (is_refused(&r) || align_up_overflows(bytes, page) || at + r.bytes < at)
		return sys_mremap(at, bytes, new_bytes, flags, to);
	if (source && r.bytes && stays(&r) && pagemap_is_settled(at, at + r.bytes, &word))
		return (long)at;
	gate_enter(&q);
	if (word_kind(pagemap_get(at)) == PAGE_GUARDED) {
		got = guard_remap(at, r.bytes, r.new_bytes, flags, to);
	} else if (door_is_narrow()) {
		got = remap_narrow(&r);
	} else if (source) {
		got = remap(&r);
	} else if (target) {
		got = move_foreign(&r);
	} else {
		got = as_asked(&r);
	}
	gate_leave(&q);
	return got;
}
