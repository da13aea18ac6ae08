/* SPDX-License-Identifier: MIT */
/*
 * release.c - zero a part, swap out a whole
 *
 * Pitfalls.
 * 1. A page that looks empty may be written between the look and the swap:
 *    writers are held, and the page looked at again.
 * 2. MADV_REMOVE of a whole shared page frees it and its reservation, and the
 *    next touch may find none left. Of a part of a page it zeroes the bytes and
 *    keeps the page (KERNEL.md 2.4): so a whole page is removed in two halves.
 */
#include "core/act/release.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/act/cow.h"
#include "core/act/cut.h"
#include "core/act/inflight.h"
#include "core/act/promote.h"
#include "core/act/stats.h"
#include "core/act/writers.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

static bool is_all_zero(uintptr_t at, size_t bytes)
{
	const uint64_t *word = (const uint64_t *)at, *end = (const uint64_t *)(at + bytes);

	for (; word < end; word += 8)
		if (word[0] | word[1] | word[2] | word[3] | word[4] | word[5] | word[6] | word[7])
			return false;
	return true;
}

/* Untouched small pages in place of whole huge ones: one call, atomic. */
static int swap_out(uintptr_t lo, uintptr_t hi, page_word word)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	long at = sys_mmap(lo, hi - lo, word_prot(word), flags, -1, 0);
	const bool plain = !(word & (WORD_NOFORK | WORD_NODUMP | WORD_LOCKED | WORD_PKEY_MASK));

	if (sys_failed(at))
		return -ENOMEM;
	if (word_pkey(word))
		sys_pkey_mprotect(lo, hi - lo, word_prot(word), word_pkey(word));
	if (word & WORD_NOFORK)
		sys_madvise(lo, hi - lo, MADV_DONTFORK);
	if (word & WORD_NODUMP)
		sys_madvise(lo, hi - lo, MADV_DONTDUMP);
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

static void swap_out_if_empty(uintptr_t at, page_word word)
{
	const size_t bytes = word_page_bytes(word);
	struct writers w;

	if (!(word_prot(word) & PROT_READ) || word_pkey(word) || !is_all_zero(at, bytes) ||
	    writers_hold(at, bytes, word_prot(word), &w) != 0)
		return;
	if (inflight_settle() == 0 && is_all_zero(at, bytes) && swap_out(at, at + bytes, word) == 0)
		writers_release(&w);
	else
		writers_give_up(&w);
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
		err = swap_out(from, to, word);
	if (!err && to < hi)
		err = release_part(to, hi, word);
	return err;
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
	}
	return err;
}
