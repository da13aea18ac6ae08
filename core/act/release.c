/* SPDX-License-Identifier: MIT */
/*
 * release.c - zero a part, swap out a whole
 *
 * Pitfalls.
 * 1. A page that looks empty may be written between the look and the swap:
 *    writers are held, and the page looked at again.
 * 2. Mapping small pages over huge ones would do in one call, but a kernel before
 *    6.12 that refuses it (vm.overcommit_memory=2) has unmapped what was there. They
 *    are made aside, and moved over.
 * 3. MADV_REMOVE of a whole shared page frees it and its reservation, and the
 *    next touch may find none left. Of a part of a page it zeroes the bytes and
 *    keeps the page (KERNEL.md 2.4): so a whole page is removed in two halves.
 * 4. Before Linux 6.0 (68d32527d340) it says so of a part, and does nothing.
 */
#include "core/act/release.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/act/carry.h"
#include "core/act/cow.h"
#include "core/act/cut.h"
#include "core/act/demote.h"
#include "core/act/inflight.h"
#include "core/act/promote.h"
#include "core/act/stats.h"
#include "core/act/writers.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/stack.h"
#include "core/base/sys.h"
#include "core/facts/linux.h"

/* Small pages somewhere, untouched, with what the huge ones had besides their content. */
static long make_untouched(size_t bytes, page_word word)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	long at = sys_mmap(0, bytes, word_prot(word), flags, -1, 0), err = 0;

	if (sys_failed(at))
		return at;
	if (word_pkey(word))
		err = sys_pkey_mprotect((uintptr_t)at, bytes, word_prot(word), word_pkey(word));
	if (!err && (word & WORD_NOFORK))
		err = sys_madvise((uintptr_t)at, bytes, MADV_DONTFORK);
	if (!err && (word & WORD_NODUMP))
		err = sys_madvise((uintptr_t)at, bytes, MADV_DONTDUMP);
	if (err)
		sys_munmap((uintptr_t)at, bytes);
	return err ? err : at;
}

/* Untouched small pages in place of whole huge ones: one call, atomic. */
static int swap_out(uintptr_t lo, uintptr_t hi, page_word word)
{
	const bool plain = !(word & (WORD_NOFORK | WORD_NODUMP | WORD_LOCKED | WORD_PKEY_MASK));
	long at = make_untouched(hi - lo, word);

	if (sys_failed(at))
		return -ENOMEM;
	if (sys_failed(sys_mremap((uintptr_t)at, hi - lo, hi - lo, MREMAP_MAYMOVE | MREMAP_FIXED,
				  lo))) {
		sys_munmap((uintptr_t)at, hi - lo);
		return -ENOMEM;
	}
	if (word & WORD_LOCKED)
		sys_mlock2(lo, hi - lo, MLOCK_ONFAULT);
	stats_release(hi - lo);
	pagemap_set(lo, hi, word_make(plain ? PAGE_SMALL : PAGE_SPLIT, plain ? word_prot(word) : 0,
				      mem_page_bytes(), word_use(word)));
	if (plain)
		promote_note(lo, hi);
	return 0;
}

/*
 * Where stores would fault, the kernel writes for us, whatever the protection; not
 * into huge pages before Linux 6.13 or so (6.12 refuses, 6.18 does it).
 */
static int zero_by_kernel(uintptr_t lo, uintptr_t hi)
{
	static const char zeros[4096] __attribute__((aligned(64)));
	long fd = sys_openat(AT_FDCWD, "/proc/self/mem", O_WRONLY, 0);

	if (fd < 0)
		return -ENOMEM;
	while (lo < hi) {
		size_t bytes = hi - lo < sizeof(zeros) ? hi - lo : sizeof(zeros);
		long put = sys_call(SYS_pwrite64, fd, (long)zeros, (long)bytes, (long)lo, 0, 0);

		if (put == -EINTR)
			continue;
		if (put <= 0)
			break;
		lo += (size_t)put;
	}
	sys_close((int)fd);
	return lo < hi ? -ENOMEM : 0;
}

static int zero(uintptr_t lo, uintptr_t hi, page_word word)
{
	if (word_pkey(word) || (word_prot(word) & (PROT_READ | PROT_WRITE)) !=
				       (PROT_READ | PROT_WRITE))
		return zero_by_kernel(lo, hi);
	memset((void *)lo, 0, hi - lo);
	return 0;
}

struct page {
	uintptr_t at;
	page_word word;
};

static long swap_out_held(void *arg)
{
	const struct page *p = arg;
	const uintptr_t at = p->at;
	const page_word word = p->word;
	const size_t bytes = word_page_bytes(word);
	struct writers w;
	int err = writers_hold(at, bytes, word_prot(word), &w);

	if (err)
		return err;
	if (inflight_settle() == 0 && !carry_has_pins() && mem_is_zero(at, bytes) &&
	    swap_out(at, at + bytes, word) == 0)
		writers_release(&w);
	else
		writers_give_up(&w);
	return 0;
}

static void swap_out_if_empty(uintptr_t at, page_word word)
{
	const size_t bytes = word_page_bytes(word);
	struct page p = { at, word };

	if ((word_prot(word) & PROT_READ) && !word_pkey(word) && mem_is_zero(at, bytes))
		stack_clear_of(at, at + bytes, swap_out_held, &p);
}

/* Small pages know how to be given up. */
static int split_and_release(uintptr_t lo, uintptr_t hi)
{
	int err = cut_all(lo, hi, REASON_DEMOTED_MADVISE);

	return err ? -ENOMEM : (int)sys_madvise(lo, hi - lo, MADV_DONTNEED);
}

static int release_part(uintptr_t lo, uintptr_t hi, page_word word)
{
	bool huge = cow_own(align_down(lo, word_page_bytes(word)), word);
	int err = zero(lo, hi, word);

	if (err && huge)
		return split_and_release(lo, hi);
	if (!err && huge)
		swap_out_if_empty(align_down(lo, word_page_bytes(word)), word);
	return err;
}

/*
 * Whole pages. Where there is no room for so many small ones aside (RLIMIT_AS), one
 * after the other; what can't be given back is zero at least.
 */
static int release_whole(uintptr_t lo, uintptr_t hi, page_word word)
{
	const size_t page = word_page_bytes(word);
	int err = swap_out(lo, hi, word);

	for (uintptr_t at = lo; err && at < hi; at += page) {
		if (swap_out(at, at + page, word) == 0)
			continue;
		if (release_part(at, at + page, word) != 0)
			return -ENOMEM;
	}
	return 0;
}

int release_private(uintptr_t lo, uintptr_t hi, page_word word)
{
	const size_t page = word_page_bytes(word);
	uintptr_t from = align_up(lo, page), to = align_down(hi, page);
	int err = 0;

	if (from > to)
		return release_part(lo, hi, word);
	if (lo < from)
		err = release_part(lo, from, word);
	if (!err && from < to)
		err = release_whole(from, to, word);
	if (!err && to < hi)
		err = release_part(to, hi, word);
	return err;
}

/*
 * What nobody has touched through this mapping may still be another's, so the kernel
 * writes there: where it can't have a page, there is none, and nothing to zero.
 */
static void zero_shared(uintptr_t lo, uintptr_t hi, page_word word)
{
	if (mem_is_present(align_down(lo, mem_page_bytes())))
		zero(lo, hi, word);
	else
		zero_by_kernel(lo, hi);
}

long release_shared(uintptr_t lo, uintptr_t hi, page_word word)
{
	const size_t half = word_page_bytes(word) / 2;
	long err = 0;

	for (uintptr_t at = lo, end; at < hi && !err; at = end) {
		end = align_down(at, half) + half;
		if (end > hi)
			end = hi;
		err = sys_madvise(at, end - at, MADV_REMOVE);
		if (!err && !linux_is(6, 0))
			zero_shared(at, end, word);
	}
	return err;
}
