/* SPDX-License-Identifier: MIT */
/* remap_grow.c - what a mapping grows by: behind it where it is, locked and advised like it */
#include "core/remap.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/commit.h"

/* New memory behind the old: private, of the same protection. */
long remap_map_more(const struct remap *r, uintptr_t at, size_t bytes, int extra)
{
	return sys_mmap(at, bytes, r->facts.prot, MAP_PRIVATE | MAP_ANONYMOUS | extra, -1, 0);
}

static void grown(const struct remap *r, uintptr_t lo, uintptr_t hi)
{
	const struct request rq = { .use = USE_MMAP, .at = lo, .bytes = hi - lo,
				    .prot = r->facts.prot };

	if (hi - lo >= GRANULE && (rq.prot & (PROT_READ | PROT_WRITE)) == (PROT_READ | PROT_WRITE))
		commit_fresh(&rq, lo, hi);
}

/* What the last huge page has besides its content, new memory behind it has too. */
static void dress(uintptr_t lo, uintptr_t hi, int prot, page_word word)
{
	if (word_pkey(word))
		sys_pkey_mprotect(lo, hi - lo, prot, word_pkey(word));
	if (word & WORD_NOFORK)
		sys_madvise(lo, hi - lo, MADV_DONTFORK);
	if (word & WORD_NODUMP)
		sys_madvise(lo, hi - lo, MADV_DONTDUMP);
	if (word & WORD_LOCKED)
		sys_mlock2(lo, hi - lo, 0);
}

/* Small pages that we don't follow. */
bool remap_grows_by_kernel(page_word last)
{
	return !word_is_huge_ours(last) && word_kind(last) != PAGE_SMALL;
}

void remap_grown_like(const struct remap *r, uintptr_t end, size_t more, page_word last)
{
	if (last & (WORD_NOFORK | WORD_NODUMP | WORD_LOCKED | WORD_PKEY_MASK))
		dress(end, end + more, r->facts.prot, last);
	else
		grown(r, end, end + more);
}

/*
 * [end, end + more) becomes part of the mapping before it. Where that is small
 * pages that we don't follow, only the kernel knows what they have been advised:
 * it lets the last page grow. 0 or -errno.
 */
long remap_grow_behind(const struct remap *r, uintptr_t end, size_t more)
{
	const page_word last = pagemap_get(end - 1);
	const size_t page = mem_page_bytes();
	long at;

	if (remap_grows_by_kernel(last)) {
		at = sys_mremap(end - page, page, page + more, 0, 0);
		return sys_failed(at) ? at : 0;
	}
	at = remap_map_more(r, end, more, MAP_FIXED_NOREPLACE);
	if (sys_failed(at))
		return at;
	if ((uintptr_t)at != end) {
		sys_munmap((uintptr_t)at, more);
		return -EEXIST;
	}
	remap_grown_like(r, end, more, last);
	return 0;
}

long remap_grow_in_place(const struct remap *r)
{
	const size_t more = r->new_bytes - r->bytes;
	uintptr_t end = r->at + r->bytes;

	if (r->facts.shared || end + more < end)
		return -ENOMEM;
	return remap_grow_behind(r, end, more) ? -ENOMEM : (long)r->at;
}
