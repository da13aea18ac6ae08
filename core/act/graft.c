/* SPDX-License-Identifier: MIT */
/*
 * graft.c - copy, protect, move
 *
 * Pitfalls.
 * 1. mremap() to a fixed place unmaps that place first. Should it then fail (no memory
 *    for a mapping record), the program has a hole where it ran: we live in another
 *    library, and mend it from the copy before anybody comes back.
 * 2. Memory that is not present may be in swap, which mincore() does not tell apart
 *    from never touched: /proc/self/pagemap does.
 * 3. Before pages can run, caches of instructions must know of them (not on x86).
 */
#include "core/act/graft.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "core/act/carry.h"
#include "core/act/demote.h"
#include "core/act/inflight.h"
#include "core/act/sharing.h"
#include "core/act/writers.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define ENTRIES 512
#define BITS_THERE ((uint64_t)3 << 62)	/* present, or in swap */
#define TRIES 8

/* Never touched, all of [at, at + n pages): true only when the kernel says so. */
static bool is_untouched(int fd, uintptr_t at, size_t n)
{
	const size_t bytes = n * sizeof(uint64_t);
	uint64_t entry[ENTRIES];

	if (fd < 0 || sys_pread(fd, entry, bytes, (off_t)(at / mem_page_bytes() * 8)) != (long)bytes)
		return false;
	for (size_t i = 0; i < n; i++)
		if (entry[i] & BITS_THERE)
			return false;
	return true;
}

static void copy_part(const struct graft *g, uintptr_t lo, uintptr_t hi, bool anonymous, int fd)
{
	const size_t step = ENTRIES * mem_page_bytes();

	for (uintptr_t at = lo, end; at < hi; at = end) {
		end = hi - at > step ? at + step : hi;
		if (!anonymous || !is_untouched(fd, at, (end - at) / mem_page_bytes()))
			memcpy((void *)(g->aside + (at - g->at)), (const void *)at, end - at);
	}
}

static void copy(const struct graft *g)
{
	const uintptr_t end = g->at + g->bytes;
	int fd = sharing_open();

	for (size_t i = 0; i < g->n; i++) {
		const struct graft_part *p = &g->parts[i];
		uintptr_t lo = p->lo > g->at ? p->lo : g->at, hi = p->hi < end ? p->hi : end;

		if (lo < hi && (p->prot & PROT_READ))
			copy_part(g, lo, hi, p->anonymous, fd);
	}
	if (fd >= 0)
		sys_close(fd);
	if (g->prot & PROT_EXEC)
		__builtin___clear_cache((char *)g->aside, (char *)g->aside + g->bytes);
}

static long move(const struct graft *g)
{
	return sys_mremap(g->aside, g->bytes, g->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, g->at);
}

/* Pages of any kind with the content, where nothing is: the program can't go on without. */
static bool put_small(const struct graft *g, const struct graft_part *p)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	const uintptr_t end = g->at + g->bytes;
	uintptr_t lo = p->lo > g->at ? p->lo : g->at, hi = p->hi < end ? p->hi : end;

	if (lo >= hi || mem_is_mapped(lo))
		return true;
	if (sys_failed(sys_mmap(lo, hi - lo, PROT_READ | PROT_WRITE, flags, -1, 0)))
		return false;
	memcpy((void *)lo, (const void *)(g->aside + (lo - g->at)), hi - lo);
	return sys_mprotect(lo, hi - lo, p->prot) == 0;
}

static bool is_whole(const struct graft *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->parts[i].lo < g->at + g->bytes && g->parts[i].hi > g->at &&
		    !mem_is_mapped(g->parts[i].lo > g->at ? g->parts[i].lo : g->at))
			return false;
	return true;
}

/* A move that failed. 0: it worked after all; -errno: what was there is there. */
static int mend(const struct graft *g, long err)
{
	for (int i = 0; i < TRIES && !is_whole(g); i++) {
		if (!sys_failed(move(g)))
			return 0;
		sys_mprotect(g->aside, g->bytes, PROT_READ);
		for (size_t part = 0; part < g->n; part++)
			put_small(g, &g->parts[part]);
	}
	return (int)err;
}

static int swap(const struct graft *g)
{
	long err;

	copy(g);
	err = sys_mprotect(g->aside, g->bytes, g->prot);
	if (!err)
		err = move(g);
	return sys_failed(err) ? mend(g, err) : 0;
}

/* From its first part's beginning to its last one's end: what writers_hold() can hold. */
static void extent(const struct graft *g, uintptr_t *ret_lo, uintptr_t *ret_hi)
{
	const uintptr_t end = g->at + g->bytes;

	*ret_lo = end;
	*ret_hi = g->at;
	for (size_t i = 0; i < g->n; i++) {
		const struct graft_part *p = &g->parts[i];

		if (p->lo >= end || p->hi <= g->at)
			continue;
		if (p->lo < *ret_lo)
			*ret_lo = p->lo > g->at ? p->lo : g->at;
		if (p->hi > *ret_hi)
			*ret_hi = p->hi < end ? p->hi : end;
	}
}

int graft_over(const struct graft *g)
{
	uintptr_t lo, hi;
	struct writers w;
	int err;

	writers_none(&w);
	if (!(g->prot & PROT_WRITE))
		return swap(g);
	if (carry_has_pins())
		return -EBUSY;
	extent(g, &lo, &hi);
	err = writers_are_one() ? 0 : writers_hold(lo, hi - lo, g->prot, &w);
	if (!err)
		err = inflight_settle();
	if (!err)
		err = swap(g);
	if (err)
		writers_give_up(&w);
	else
		writers_release(&w);
	return err;
}
