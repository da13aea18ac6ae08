/* SPDX-License-Identifier: MIT */
/*
 * remap_narrow.c - mremap when nobody says what mappings there are (narrow.h)
 *
 * Small pages are the kernel's own business then: their words are forgotten, and it gets
 * the call. Huge ones of one kind are what their word says. Where they must move their
 * content is copied, as for their pieces the kernel would have to be asked.
 */
#include "core/remap.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "core/act/cut.h"
#include "core/act/pagemap.h"
#include "core/act/undo.h"
#include "core/base/sys.h"

#define RW (PROT_READ | PROT_WRITE)

static bool any_huge(uintptr_t lo, uintptr_t hi)
{
	page_word word;

	for (uintptr_t at = lo; at < hi;) {
		at = pagemap_run(at, hi, &word);
		if (word_is_huge_ours(word))
			return true;
	}
	return false;
}

/* To a new place, by copying; nobody may write to what another thread moves. */
static long copy_over(const struct remap *r, size_t kept)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	long to = sys_mmap(0, r->new_bytes, RW, flags, -1, 0), err;

	if (sys_failed(to))
		return -ENOMEM;
	memcpy((void *)to, (const void *)r->at, kept);
	err = sys_mprotect((uintptr_t)to, r->new_bytes, r->facts.prot);
	if (!err)
		err = undo_unmap(r->at, r->at + r->bytes, r->bytes);
	if (err)
		sys_munmap((uintptr_t)to, r->new_bytes);
	return err ? -ENOMEM : to;
}

static long remap_huge(struct remap *r)
{
	page_word word;
	long err;

	if (r->flags & ~MREMAP_MAYMOVE)
		return -ENOMEM;
	if (r->new_bytes <= r->bytes) {
		err = r->new_bytes < r->bytes ? undo_unmap(r->at + r->new_bytes, r->at + r->bytes,
							   r->bytes - r->new_bytes) : 0;
		return err ? err : (long)r->at;
	}
	if (pagemap_run(r->at, r->at + r->bytes, &word) != r->at + r->bytes ||
	    word_kind(word) != PAGE_PRIVATE || word_dressed(word))
		return -ENOMEM;
	r->facts.prot = word_prot(word);
	err = remap_grow_in_place(r);
	if (err != -ENOMEM || !(r->flags & MREMAP_MAYMOVE) || !(r->facts.prot & PROT_READ))
		return err;
	return copy_over(r, r->bytes);
}

long remap_narrow(struct remap *r)
{
	const uintptr_t end = r->at + r->bytes;

	if (any_huge(r->at, end))
		return remap_huge(r);
	if ((r->flags & MREMAP_FIXED) && any_huge(r->to, r->to + r->new_bytes))
		return -ENOMEM;
	if (r->flags & MREMAP_FIXED)
		cut_forget_small(r->to, r->to + r->new_bytes);
	cut_forget_small(r->at, end);
	return sys_mremap(r->at, r->bytes, r->new_bytes, r->flags, r->to);
}
