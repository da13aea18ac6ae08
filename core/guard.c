/* SPDX-License-Identifier: MIT */
/*
 * guard.c - build aside, prove, move to where the program wants it
 *
 * Pitfalls.
 * 1. Private memory is made with MAP_NORESERVE whatever the program said: a
 *    mapping that owns a reservation loses its child's pages after fork and
 *    meets the kernel's accounting bugs (KERNEL.md 2.2, 2.3). Populated, it
 *    keeps every promise a reservation made.
 * 2. MAP_FIXED that the kernel refuses has already destroyed what was mapped.
 *    Built aside and moved, a refusal leaves it alone.
 * 3. A huge mapping is rounded up to whole pages by the kernel, and programs
 *    that unmap it round too: small pages in its place are rounded likewise.
 */
#include "core/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "core/act/backing.h"
#include "core/act/pagemap.h"
#include "core/act/stats.h"
#include "core/act/undo.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/decide/eligible.h"
#include "core/facts/conf.h"
#include "core/plan.h"

static long as_asked(const struct request *rq)
{
	return sys_mmap(rq->at, rq->bytes, rq->prot, rq->flags, rq->fd, rq->offset);
}

static bool is_fixed(const struct request *rq)
{
	return rq->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
}

static bool is_shared(const struct request *rq)
{
	return (rq->flags & MAP_TYPE) == MAP_SHARED ||
	       (rq->flags & MAP_TYPE) == MAP_SHARED_VALIDATE;
}

static bool has_type(const struct request *rq)
{
	return is_shared(rq) || (rq->flags & MAP_TYPE) == MAP_PRIVATE;
}

/* What the kernel refuses by itself, or rounds in a way of its own, it gets to see. */
static bool is_odd(const struct request *rq, size_t page)
{
	const struct pagesizes *sizes = plan_sizes();
	bool known = false;

	for (size_t i = 0; i < sizes->n; i++)
		known = known || sizes->bytes[i] == page;
	return !known || rq->bytes == 0 || rq->bytes >= (size_t)1 << 56 || !has_type(rq) ||
	       (is_fixed(rq) && (!rq->at || !is_aligned(rq->at, page))) ||
	       (rq->flags & (MAP_GROWSDOWN | MAP_32BIT));
}

/*
 * The place the program named, as a reservation of address space that the
 * finished mapping is moved over. A taken hint is no error; NOREPLACE is one.
 */
static long reserve_place(const struct request *rq, size_t bytes)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;

	return sys_mmap(rq->at, bytes, PROT_NONE, flags, -1, 0);
}

static long move_to(const struct request *rq, uintptr_t aside, size_t bytes, size_t page)
{
	uintptr_t to = is_fixed(rq) ? rq->at : align_up(rq->at, page);
	struct request place = { .at = to };
	long err;

	if (!to)
		return (long)aside;
	if ((rq->flags & MAP_FIXED_NOREPLACE) || !is_fixed(rq)) {
		err = reserve_place(&place, bytes);
		if (sys_failed(err) && !is_fixed(rq))
			return (long)aside;
		if (!sys_failed(err) && (uintptr_t)err != to) {
			/* Linux before 4.17 takes the flag for a hint. */
			sys_munmap((uintptr_t)err, bytes);
			err = -EEXIST;
		}
		if (sys_failed(err))
			return err;
	}
	return sys_mremap(aside, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}

static long settle(const struct request *rq, uintptr_t aside, size_t bytes, size_t page)
{
	struct way w = { 0 };
	bool over = (rq->flags & MAP_FIXED) && !(rq->flags & MAP_FIXED_NOREPLACE) &&
		    pagemap_any(rq->at, rq->at + bytes);
	long at = 0;

	if (over)
		at = undo_clear_way(rq->at, rq->at + bytes, REASON_DEMOTED_MUNMAP, &w);
	if (!sys_failed(at))
		at = move_to(rq, aside, bytes, page);
	if (!sys_failed(at) && pagemap_prepare((uintptr_t)at, (uintptr_t)at + bytes) == 0)
		pagemap_set((uintptr_t)at, (uintptr_t)at + bytes,
			    word_make(PAGE_GUARDED, rq->prot, page, USE_MMAP));
	if (sys_failed(at)) {
		sys_munmap(aside, bytes);
		undo_restore(&w);
	} else {
		undo_done(&w);
	}
	return at;
}

static enum reason refused_by(const struct request *rq, size_t bytes, size_t page)
{
	const struct conf *conf = conf_get();

	(void)rq;
	if (plan_charged_to_memory())
		return REASON_MEMCG;
	if (budget_own_pages(conf->limit, stats_held(), page) < bytes / page)
		return REASON_BUDGET;
	if (conf->keep_free && plan_budget(page, NULL).pages < bytes / page)
		return REASON_BUDGET;
	return REASON_NONE;
}

static long small_instead(const struct request *rq, size_t bytes, size_t page)
{
	int flags = rq->flags & ~(MAP_HUGETLB | MAP_HUGE_MASK << MAP_HUGE_SHIFT);
	long at;

	if (rq->at || is_fixed(rq))
		return sys_mmap(rq->at, bytes, rq->prot, flags, -1, 0);
	at = sys_mmap(0, bytes + page, rq->prot, flags, -1, 0);
	if (sys_failed(at))
		return at;

	uintptr_t base = align_up((uintptr_t)at, page);

	if (base > (uintptr_t)at)
		sys_munmap((uintptr_t)at, base - (uintptr_t)at);
	sys_munmap(base + bytes, (uintptr_t)at + page - base);
	return (long)base;
}

static long refuse(const struct request *rq, size_t bytes, size_t page, enum reason why)
{
	stats_guarded(bytes, why);
	stats_tell("own huge mmap", bytes, 0, why, NULL);
	if (conf_get()->explicit_requests == EXPLICIT_SMALL)
		return small_instead(rq, bytes, page);
	return -ENOMEM;
}

/* Called as a guest of the gate. */
static long map_proven(const struct request *rq, size_t page)
{
	size_t bytes = align_up(rq->bytes, page), got;
	struct backing how = {
		.page_bytes = page,
		.prot = rq->prot,
		.flags = rq->flags & MAP_LOCKED,
		.shared = is_shared(rq),
		.whole = true,
	};
	enum reason why = refused_by(rq, bytes, page);
	uintptr_t aside;
	long at;

	if (why != REASON_NONE)
		return refuse(rq, bytes, page, why);
	how.lazy = how.shared && plan_reservation_proves(page);

	int err = backing_make(&how, bytes / page, 0, &aside, &got);

	if (err == -ENOMEM)
		return refuse(rq, bytes, page, plan_blame(page, NULL));
	if (err)
		return err;
	at = settle(rq, aside, bytes, page);
	if (!sys_failed(at)) {
		stats_guarded(bytes, REASON_NONE);
		stats_tell("own huge mmap", bytes, bytes, REASON_NONE, NULL);
	}
	return at;
}

long guard_map(const struct request *rq)
{
	size_t page = eligible_flag_size(rq->flags);
	struct quiet q;
	long at;

	if (!page)
		page = plan_sizes()->default_bytes;
	if (!page || is_odd(rq, page))
		return as_asked(rq);
	gate_enter(&q);
	at = map_proven(rq, page);
	gate_leave(&q);
	return at;
}

bool guard_is_hugetlbfs(int fd)
{
	struct statfs fs;

	return fd >= 0 && sys_fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;
}
