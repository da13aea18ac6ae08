/* SPDX-License-Identifier: MIT */
/*
 * demote.c - populate aside, hold writers, copy, swap by mremap
 *
 * Pitfalls.
 * 1. Pinned pages (io_uring's registered buffers, RDMA) keep pointing to the
 *    old page: I/O would go where nobody reads. VmPin in /proc/self/status is
 *    per process, so one pinned page stops all demotion (R8).
 * 2. A page without PROT_READ cannot be copied by loads; /proc/self/mem reads
 *    it whatever its protection, without opening it to other threads.
 * 3. The swap replaces the write-protected mapping, so its registration is gone
 *    with it; only the waiters must be woken.
 */
#include "core/act/demote.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/act/backing.h"
#include "core/act/dead.h"
#include "core/act/inflight.h"
#include "core/act/place.h"
#include "core/act/promote.h"
#include "core/act/stats.h"
#include "core/act/writers.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/probe.h"
#include "core/base/sys.h"
#include "core/base/text.h"

static struct {
	bool shared_elsewhere;
} demote;

void demote_shared_no_more(void)
{
	__atomic_store_n(&demote.shared_elsewhere, true, __ATOMIC_RELAXED);
}

bool demote_shared_is_ours(void)
{
	return !__atomic_load_n(&demote.shared_elsewhere, __ATOMIC_RELAXED);
}

/* True also when nobody can say. */
bool demote_has_pins(void)
{
	struct blob status = { 0 };
	struct span rest, line, word;
	uint64_t kib = 1;

	if (blob_read_file("/proc/self/status", &status) != 0)
		return true;
	rest = (struct span){ status.at, status.bytes };
	while (span_next_line(&rest, &line)) {
		if (!span_starts(line, "VmPin:"))
			continue;
		span_next_word(&line, &word);
		if (span_next_word(&line, &word))
			text_u64(word, &kib);
		break;
	}
	blob_free(&status);
	return kib != 0;
}

static int copy_by_kernel(uintptr_t to, uintptr_t from, size_t bytes)
{
	long fd = sys_openat(AT_FDCWD, "/proc/self/mem", O_RDONLY, 0);
	size_t done = 0;

	if (fd < 0)
		return (int)fd;
	while (done < bytes) {
		long got = sys_call(SYS_pread64, fd, (long)(to + done), (long)(bytes - done),
				    (long)(from + done), 0, 0);

		if (got == -EINTR)
			continue;
		if (got <= 0) {
			sys_close((int)fd);
			return got ? (int)got : -EIO;
		}
		done += (size_t)got;
	}
	sys_close((int)fd);
	return 0;
}

static int copy(uintptr_t to, uintptr_t from, size_t bytes, int prot)
{
	if (!bytes)
		return 0;
	if (!(prot & PROT_READ))
		return copy_by_kernel(to, from, bytes);
	memcpy((void *)to, (const void *)from, bytes);
	return 0;
}

/*
 * Small pages for the whole range, present where content will be copied. Where
 * nearly all of it stays, one huge page of the kernel's is ten times cheaper to
 * clear than 512 small ones, and splits at 4 KiB by itself.
 */
static long make_small(page_word word, size_t bytes, size_t from, size_t keep)
{
	const int type = word_is_private_huge(word) ? MAP_PRIVATE : MAP_SHARED;
	long at = sys_mmap(0, bytes, PROT_READ | PROT_WRITE, type | MAP_ANONYMOUS, -1, 0);

	if (sys_failed(at))
		return at;
	if (keep == bytes || keep == 0)
		place_advise((uintptr_t)at, bytes);
	if (keep && backing_prove((uintptr_t)at + from, keep, mem_page_bytes(), false) == -ENOMEM) {
		sys_munmap((uintptr_t)at, bytes);
		return -ENOMEM;
	}
	return at;
}

/* What the huge page had besides its content. */
static long dress(uintptr_t small, size_t bytes, page_word word)
{
	const int prot = word_prot(word);
	long err = 0;

	if (word_pkey(word))
		err = sys_pkey_mprotect(small, bytes, prot, word_pkey(word));
	else if (prot != (PROT_READ | PROT_WRITE))
		err = sys_mprotect(small, bytes, prot);
	if (!err && (word & WORD_NOFORK))
		err = sys_madvise(small, bytes, MADV_DONTFORK);
	if (!err && (word & WORD_NODUMP))
		err = sys_madvise(small, bytes, MADV_DONTDUMP);
	if (!err && (word & WORD_LOCKED))
		sys_mlock2(small, bytes, 0);	/* what can't be locked is still right */
	return err;
}

static int swap(uintptr_t at, page_word word, uintptr_t small, size_t from, size_t keep, bool alone)
{
	const size_t bytes = word_page_bytes(word);
	const int prot = word_prot(word);
	struct writers w;
	long err = 0;

	if (alone)
		writers_none(&w);
	else
		err = writers_hold(at, bytes, prot, &w);
	if (err)
		return (int)err;
	err = inflight_settle();
	if (!err)
		err = copy(small + from, at + from, keep, prot);
	if (!err)
		err = dress(small, bytes, word);
	if (!err)
		err = sys_mremap(small, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, at);
	if (sys_failed(err)) {
		writers_give_up(&w);
		return (int)err;
	}
	writers_release(&w);
	return 0;
}

/* Small pages that hold [from, from + keep) of the page, in its place. */
static int replace(uintptr_t at, page_word word, size_t from, size_t keep, bool alone)
{
	const size_t bytes = word_page_bytes(word);
	long small = make_small(word, bytes, from, keep);
	int err;

	if (sys_failed(small))
		return (int)small;
	err = swap(at, word, (uintptr_t)small, from, keep, alone);
	if (err) {
		sys_munmap((uintptr_t)small, bytes);
		return err;
	}
	if (word_is_huge_ours(word) || (word & WORD_HELD))
		stats_release(bytes);
	stats_demoted(1);
	PROBE3(demote, at, bytes, keep);
	dead_unmap(at);
	return 0;
}

int demote_page(uintptr_t at, page_word word, uintptr_t keep_lo, uintptr_t keep_hi)
{
	const size_t small_page = mem_page_bytes();
	size_t from = align_down(keep_lo - at, small_page);
	size_t keep = align_up(keep_hi - at, small_page) - from;
	enum page_kind kind = word_kind(word);

	if (kind != PAGE_PRIVATE && kind != PAGE_SHARED)
		return -EBUSY;
	if (kind == PAGE_SHARED && !demote_shared_is_ours())
		return -EBUSY;
	if (demote_has_pins())
		return -EBUSY;
	return replace(at, word, from, keep, false);
}

int demote_shared_page(uintptr_t at, page_word word, enum reason why, bool alone)
{
	const size_t bytes = word_page_bytes(word);
	int err = replace(at, word, 0, mem_may_be_present(at) ? bytes : 0, alone);

	if (err)
		return err;
	stats_small(word_use(word), bytes, why);
	if (why == REASON_FORK)
		stats_copied(1);
	if (word_kind(word) == PAGE_PRIVATE && !word_dressed(word)) {
		pagemap_set(at, at + bytes, word_make(PAGE_SMALL, word_prot(word),
						      mem_page_bytes(), word_use(word)));
		promote_hint(at, at + bytes);
	} else {
		pagemap_set(at, at + bytes, word_when_small(word, mem_page_bytes()));
	}
	return 0;
}
