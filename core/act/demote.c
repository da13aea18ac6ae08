/* SPDX-License-Identifier: MIT */
/*
 * demote.c - populate aside, hold writers, copy, swap by mremap
 *
 * Nearly all of what is cut is one of two: memory that the program has just mapped
 * and trims, zero still, which needs neither pages nor a copy; and memory in use, of
 * which most stays: one huge page of the kernel's (THP) is populated in 85 us, 512
 * small ones in 280 to 600, and it splits at 4 KiB by itself. Pages populated in
 * stock would save those 85 us once, and cost 2 MiB of memory for ever after.
 *
 * Pitfalls.
 * 1. Pinned pages (io_uring's registered buffers, RDMA) keep pointing to the
 *    old page: I/O would go where nobody reads. VmPin in /proc/self/status is
 *    per process, so one pinned page stops all demotion (R8). Pinning writes to
 *    the page, and so waits while writers are held: that is when to look.
 * 2. A page without PROT_READ cannot be copied by loads; /proc/self/mem reads
 *    it whatever its protection, without opening it to other threads.
 * 3. The swap replaces the write-protected mapping, so its registration is gone
 *    with it; only the waiters must be woken.
 * 4. The caller may run on the page, a coroutine whose neighbour gets its guard: it would wait
 *    for itself, or what it pushes after the copy would be lost.
 * 5. Kernels before 6.7 place mappings on any line: there no THP comes, and page
 *    tables move entry by entry.
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
#include "core/base/stack.h"
#include "core/base/sys.h"
#include "core/base/text.h"
#include "core/facts/meminfo.h"

/* Changed and read by atomics alone. */
static struct {
	bool shared_elsewhere;
	bool met_pins;		/* the last time anybody looked */
} demote;

void demote_shared_no_more(void)
{
	__atomic_store_n(&demote.shared_elsewhere, true, __ATOMIC_RELAXED);
}

bool demote_shared_is_ours(void)
{
	return !__atomic_load_n(&demote.shared_elsewhere, __ATOMIC_RELAXED);
}

/* Where the groups of a user leave no room for it in a page, the whole file. */
static int read_pinned(uint64_t *ret_bytes)
{
	struct blob whole = { 0 };
	int err = blob_read_file("/proc/self/status", &whole);

	if (!err)
		err = meminfo_u64((struct span){ whole.at, whole.bytes }, "VmPin:", ret_bytes);
	blob_free(&whole);
	return err;
}

/* True also when nobody can say. Writers are held: nothing is mapped for it. */
bool demote_has_pins(void)
{
	char text[4096];
	long fd = sys_openat(AT_FDCWD, "/proc/self/status", O_RDONLY, 0);
	long got = fd < 0 ? fd : sys_read((int)fd, text, sizeof(text));
	uint64_t bytes = 1;
	bool pins;

	if (fd >= 0)
		sys_close((int)fd);
	if (got < 0 || meminfo_u64((struct span){ text, (size_t)got }, "VmPin:", &bytes) != 0)
		pins = read_pinned(&bytes) != 0 || bytes;
	else
		pins = bytes;
	__atomic_store_n(&demote.met_pins, pins, __ATOMIC_RELAXED);
	return pins;
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

/* A huge page that is replaced by small ones. */
struct demotion {
	uintptr_t at;
	page_word word;
	size_t bytes;
	size_t from, keep;	/* the part of it whose content stays */
	bool zero;		/* it looked untouched: nothing is copied, and it must be */
	bool pins_matter;
	bool alone;		/* nobody else writes to it */
};

/* A mapping moves over a page fastest from a line like its own. */
static long map_aside(size_t bytes, int type)
{
	const int prot = PROT_READ | PROT_WRITE, flags = type | MAP_ANONYMOUS;
	long at = sys_mmap(0, bytes, prot, flags, -1, 0), wide;
	uintptr_t lo;

	if (sys_failed(at) || is_aligned((uintptr_t)at, bytes) || type != MAP_PRIVATE)
		return at;
	wide = sys_mmap(0, 2 * bytes - mem_page_bytes(), prot, flags, -1, 0);
	if (sys_failed(wide))
		return at;
	sys_munmap((uintptr_t)at, bytes);
	lo = align_up((uintptr_t)wide, bytes);
	if (lo > (uintptr_t)wide)
		sys_munmap((uintptr_t)wide, lo - (uintptr_t)wide);
	if (lo - (uintptr_t)wide < bytes - mem_page_bytes())
		sys_munmap(lo + bytes, (uintptr_t)wide + bytes - mem_page_bytes() - lo);
	return (long)lo;
}

/*
 * Small pages for the whole range, present where content will be copied. A THP for
 * half of it or more: the kernel takes the rest back when it needs memory.
 */
static long make_small(const struct demotion *d)
{
	const size_t copied = d->zero ? 0 : d->keep;
	long at = map_aside(d->bytes, word_is_private_huge(d->word) ? MAP_PRIVATE : MAP_SHARED);

	if (sys_failed(at))
		return at;
	if (copied == 0 || copied >= d->bytes / 2)
		place_advise((uintptr_t)at, d->bytes);
	if (copied && backing_prove((uintptr_t)at + d->from, copied, mem_page_bytes(), false) ==
			      -ENOMEM) {
		sys_munmap((uintptr_t)at, d->bytes);
		return -ENOMEM;
	}
	return at;
}

/* What the huge page had besides content and protection. */
static long advise_like(uintptr_t small, const struct demotion *d)
{
	long err = 0;

	if (d->word & WORD_NOFORK)
		err = sys_madvise(small, d->bytes, MADV_DONTFORK);
	if (!err && (d->word & WORD_NODUMP))
		err = sys_madvise(small, d->bytes, MADV_DONTDUMP);
	return err;
}

static long protect_like(uintptr_t small, const struct demotion *d)
{
	const int prot = word_prot(d->word);

	if (word_pkey(d->word))
		return sys_pkey_mprotect(small, d->bytes, prot, word_pkey(d->word));
	return prot == (PROT_READ | PROT_WRITE) ? 0 : sys_mprotect(small, d->bytes, prot);
}

/*
 * A look at two places of each small page, which a page in use doesn't survive for
 * long. It is proven later, while writers are held.
 */
static bool looks_zero(const struct demotion *d)
{
	const size_t page = mem_page_bytes(), words = page / sizeof(uint64_t);
	const uintptr_t end = d->at + d->from + d->keep;
	size_t other = 0;

	if (!d->keep || !(word_prot(d->word) & PROT_READ) || word_pkey(d->word))
		return false;
	for (uintptr_t at = d->at + d->from; at < end; at += page, other += 37) {
		const uint64_t *word = (const uint64_t *)at;

		if (word[0] | word[other % words])
			return false;
	}
	return true;
}

/* While writers are held: the content into @small. 1: it isn't zero after all. */
static long carry_over(const struct demotion *d, uintptr_t small)
{
	const uintptr_t lo = d->at + d->from;

	if (d->pins_matter && demote_has_pins())
		return -EBUSY;
	if (d->zero)
		return mem_is_zero(lo, d->keep) ? 0 : 1;
	return copy(small + d->from, lo, d->keep, word_prot(d->word));
}

/* Nobody stores to the page meanwhile, this thread included: it may run on it. */
static int swap(const struct demotion *d, uintptr_t small)
{
	struct writers w;
	long err = advise_like(small, d);

	if (err)
		return (int)err;
	if (d->alone)
		writers_none(&w);
	else
		err = writers_hold(d->at, d->bytes, word_prot(d->word), &w);
	if (err)
		return (int)err;
	err = inflight_settle();
	if (!err)
		err = carry_over(d, small);
	if (!err)
		err = protect_like(small, d);
	if (!err)
		err = sys_mremap(small, d->bytes, d->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, d->at);
	if (err != (long)d->at) {
		writers_give_up(&w);
		return (int)err;
	}
	writers_release(&w);
	return 0;
}

struct swap {
	const struct demotion *d;
	uintptr_t small;
};

static long make_swap(void *arg)
{
	const struct swap *s = arg;

	return swap(s->d, s->small);
}

static int try_replace(const struct demotion *d)
{
	long small = make_small(d);
	struct swap s = { d, (uintptr_t)small };
	int err;

	if (sys_failed(small))
		return (int)small;
	err = (int)stack_clear_of(d->at, d->at + d->bytes, make_swap, &s);
	if (err)
		sys_munmap((uintptr_t)small, d->bytes);
	return err;
}

/* Small pages in place of the page. */
static int replace(struct demotion *d)
{
	const page_word word = d->word;
	const size_t bytes = d->bytes;
	const uintptr_t at = d->at;
	int err;

	d->zero = looks_zero(d);
	err = try_replace(d);
	if (err == 1) {
		d->zero = false;
		err = try_replace(d);
	}
	if (err)
		return err;
	if (word & WORD_LOCKED)
		sys_mlock2(at, bytes, 0);	/* what can't be locked is still right */
	if (word_is_huge_ours(word) || (word & WORD_HELD))
		stats_release(bytes);
	stats_demoted(1);
	PROBE3(demote, at, bytes, d->zero ? 0 : d->keep);
	dead_unmap(at);
	return 0;
}

int demote_page(uintptr_t at, page_word word, uintptr_t keep_lo, uintptr_t keep_hi)
{
	const size_t small_page = mem_page_bytes();
	const size_t from = align_down(keep_lo - at, small_page);
	struct demotion d = {
		.at = at, .word = word, .bytes = word_page_bytes(word),
		.from = from, .keep = align_up(keep_hi - at, small_page) - from,
		.pins_matter = true,
	};
	enum page_kind kind = word_kind(word);

	if (kind != PAGE_PRIVATE && kind != PAGE_SHARED)
		return -EBUSY;
	if (kind == PAGE_SHARED && !demote_shared_is_ours())
		return -EBUSY;
	if (__atomic_load_n(&demote.met_pins, __ATOMIC_RELAXED) && demote_has_pins())
		return -EBUSY;
	return replace(&d);
}

int demote_shared_page(uintptr_t at, page_word word, enum reason why, bool alone)
{
	const size_t bytes = word_page_bytes(word);
	struct demotion d = {
		.at = at, .word = word, .bytes = bytes, .alone = alone,
		.keep = mem_may_be_present(at) ? bytes : 0,
	};
	int err = replace(&d);

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
