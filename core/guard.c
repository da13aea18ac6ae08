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

#include "core/act/aside.h"
#include "core/act/backing.h"
#include "core/act/pagemap.h"
#include "core/act/place.h"
#include "core/act/stats.h"
#include "core/act/undo.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/decide/eligible.h"
#include "core/facts/conf.h"
#include "core/plan.h"

#ifndef MAP_32BIT	/* x86 alone has it */
#define MAP_32BIT 0
#endif

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
 * The place the program named. A free one is kept by a reservation of address
 * space, before anything is built: what the kernel maps aside would otherwise
 * come to lie in it. A taken hint is no error; for NOREPLACE it is one.
 */
struct spot {
	uintptr_t to;		/* 0: wherever the kernel built it */
	bool kept;		/* [to, to + bytes) is our reservation */
};

static int keep_spot(const struct request *rq, size_t bytes, size_t page, struct spot *ret_spot)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
	struct spot s = { .to = is_fixed(rq) ? rq->at : align_up(rq->at, page) };
	long at;

	*ret_spot = s;
	if (!s.to)
		return 0;
	at = sys_mmap(s.to, bytes, PROT_NONE, flags, -1, 0);
	if (!sys_failed(at) && (uintptr_t)at != s.to) {
		/* Linux before 4.17 takes the flag for a hint. */
		sys_munmap((uintptr_t)at, bytes);
		at = -EEXIST;
	}
	s.kept = !sys_failed(at);
	if (!s.kept && (rq->flags & MAP_FIXED_NOREPLACE))
		return (int)at;
	if (!s.kept && !is_fixed(rq))
		s.to = 0;
	*ret_spot = s;
	return 0;
}

static void leave_spot(const struct spot *s, size_t bytes)
{
	if (s->kept)
		sys_munmap(s->to, bytes);
}

static void publish(const struct request *rq, uintptr_t at, size_t bytes, size_t page)
{
	/* Pages smaller than a granule (arm64's 64 KiB) are proven, and then their own. */
	if (page < GRANULE || pagemap_prepare(at, at + bytes) != 0)
		return;
	pagemap_set(at, at + bytes,
		    word_make(PAGE_GUARDED, rq->prot, page, USE_MMAP) | WORD_HELD |
			    (is_shared(rq) ? WORD_SHARED : 0));
	stats_hold(bytes);
}

/*
 * Linux before 5.16 moves no huge mapping: what was proven aside is given up, and
 * proven again at its place. Only there can a refusal cost what was mapped, as it
 * would without us.
 */
static long build_in_place(const struct backing *how, size_t bytes, uintptr_t to)
{
	struct backing there = *how;
	size_t got;
	int err;

	there.over = to;
	there.may_breathe = false;
	err = backing_make(&there, bytes / how->page_bytes, 0, &to, &got);
	return err ? err : (long)to;
}

/* *@aside is 0 when that mapping is gone. */
static long put(const struct backing *how, const struct spot *s, uintptr_t *aside, size_t bytes,
		enum place_moves moves)
{
	if (!s->to)
		return (long)*aside;
	if (moves == PLACE_MOVES)
		return place_over(aside, bytes, how->page_bytes, s->to);
	sys_munmap(*aside, bytes);
	*aside = 0;
	return build_in_place(how, bytes, s->to);
}

static long settle(const struct request *rq, const struct backing *how, const struct spot *s,
		   uintptr_t aside, size_t bytes)
{
	const enum place_moves moves = s->to ? place_moves(how->page_bytes) : PLACE_MOVES;
	struct way w = { 0 };
	/* To give up what is proven where it could be moved would be to hope. */
	long at = moves == PLACE_MAY_MOVE ? -ENOMEM : 0;

	if (!at && s->to && !s->kept && pagemap_any(s->to, s->to + bytes))
		at = undo_clear_way(s->to, s->to + bytes, REASON_DEMOTED_MUNMAP, &w);
	if (!at)
		at = put(how, s, &aside, bytes, moves);
	if (sys_failed(at)) {
		if (aside) {
			sys_munmap(aside, bytes);
			leave_spot(s, bytes);
		}
		undo_refused(&w);
		return at;
	}
	undo_done(&w);
	publish(rq, (uintptr_t)at, bytes, how->page_bytes);
	return at;
}

static enum reason refused_by(size_t bytes, size_t page)
{
	const struct conf *conf = conf_get();

	if (plan_charged_to_memory())
		return REASON_MEMCG;
	if (budget_own_pages(conf->limit, plan_taken(bytes), page) < bytes / page)
		return REASON_BUDGET;
	if (conf->keep_free && plan_budget(page, NULL).pages < bytes / page)
		return REASON_BUDGET;
	return REASON_NONE;
}

/* Over memory of ours, whose words go with it. */
static long small_over(const struct request *rq, size_t bytes, int flags)
{
	struct way w;
	long at = undo_clear_way(rq->at, rq->at + bytes, REASON_DEMOTED_MUNMAP, &w);

	if (at)
		return at;
	if (w.lo != rq->at || w.hi != rq->at + bytes) {
		/* A page of ours that cannot be split: the kernel will refuse. */
		undo_restore(&w);
		return -ENOMEM;
	}
	at = sys_mmap(rq->at, bytes, rq->prot, flags, -1, 0);
	if (sys_failed(at))
		undo_refused(&w);
	else
		undo_done(&w);
	return at;
}

static long small_instead(const struct request *rq, size_t bytes, size_t page)
{
	int flags = rq->flags & ~(MAP_HUGETLB | MAP_HUGE_MASK << MAP_HUGE_SHIFT);
	uintptr_t base;
	long at;

	if ((rq->flags & MAP_FIXED) && pagemap_any(rq->at, rq->at + bytes))
		return small_over(rq, bytes, flags);
	if (rq->at || is_fixed(rq)) {
		at = sys_mmap(align_up(rq->at, page), bytes, rq->prot, flags, -1, 0);
		if (is_fixed(rq) || sys_failed(at) || is_aligned((uintptr_t)at, page))
			return at;
		sys_munmap((uintptr_t)at, bytes);
	}
	at = sys_mmap(0, bytes + page, rq->prot, flags & ~MAP_POPULATE, -1, 0);
	if (sys_failed(at))
		return at;
	base = align_up((uintptr_t)at, page);
	if (base > (uintptr_t)at)
		sys_munmap((uintptr_t)at, base - (uintptr_t)at);
	sys_munmap(base + bytes, (uintptr_t)at + page - base);
	if (flags & MAP_POPULATE)
		backing_prove(base, bytes, mem_page_bytes(), !(rq->prot & PROT_WRITE));
	return (long)base;
}

static long refuse(const struct request *rq, size_t bytes, size_t page, enum reason why)
{
	long at = -ENOMEM;

	if (conf_get()->explicit_requests == EXPLICIT_SMALL)
		at = small_instead(rq, bytes, page);
	stats_decide(&(struct decision){ .call = "own huge mmap", .own = true, .asked = bytes,
					 .at = sys_failed(at) ? 0 : (uintptr_t)at,
					 .page_bytes = page, .why = why });
	return at;
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
		.may_breathe = true,
	};
	enum reason why = refused_by(bytes, page);
	struct spot spot;
	uintptr_t aside;
	long at;
	int err;

	if (why != REASON_NONE)
		return refuse(rq, bytes, page, why);
	err = keep_spot(rq, bytes, page, &spot);
	if (err)
		return err;
	if (spot.kept)		/* a fork child must not keep it either */
		how.may_breathe = aside_note(spot.to, bytes);
	how.lazy = how.shared && !(rq->flags & MAP_POPULATE) && plan_reservation_proves(page);
	err = backing_make(&how, bytes / page, 0, &aside, &got);
	if (spot.kept)
		aside_forget(spot.to);
	if (err) {
		leave_spot(&spot, bytes);
		return err == -ENOMEM ? refuse(rq, bytes, page, plan_blame(page, NULL)) : err;
	}
	at = settle(rq, &how, &spot, aside, bytes);
	if (!sys_failed(at))
		stats_decide(&(struct decision){ .call = "own huge mmap", .own = true,
						 .at = (uintptr_t)at, .asked = bytes,
						 .huge = bytes, .page_bytes = page });
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

/*
 * The file system could not be asked. A file of hugetlbfs has blocks of its page size,
 * as other files may: a piece of it, mapped without access, knows what it is made of.
 */
static size_t page_bytes_by_mapping(int fd)
{
	const struct pagesizes *sizes = plan_sizes();
	size_t page = 0;
	struct stat st;
	bool is_huge;
	long at;

	if (sys_fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return 0;
	for (size_t i = 0; i < sizes->n; i++)
		if (sizes->bytes[i] == (size_t)st.st_blksize)
			page = sizes->bytes[i];
	at = page ? sys_mmap(0, page, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE, fd, 0) : -ENODEV;
	if (sys_failed(at))
		return 0;
	is_huge = mem_is_hugetlb((uintptr_t)at);
	sys_munmap((uintptr_t)at, page);
	return is_huge ? page : 0;
}

size_t guard_page_bytes(int fd)
{
	struct statfs fs;
	long err = fd < 0 ? -EBADF : sys_fstatfs(fd, &fs);

	if (err)
		return err == -EBADF ? 0 : page_bytes_by_mapping(fd);
	return fs.f_type == HUGETLBFS_MAGIC ? (size_t)fs.f_bsize : 0;
}

bool guard_is_hugetlbfs(int fd)
{
	return guard_page_bytes(fd) != 0;
}
