/* SPDX-License-Identifier: MIT */
/*
 * guard_file.c - mappings of the program's own hugetlbfs files and memfds
 *
 * The file is the program's: its pages, its size, its sharers. So the mapping
 * is made exactly as asked and then proven; with MAP_FIXED at a place of its own
 * first, as a refusal must not cost what was there. What a failed proof left in a
 * file that was empty before is punched out again, and the turn is held from the
 * look at the file until then, or it could be another process' fresh data; a file
 * that had pages keeps them, as it would after any touch. The reservation of a
 * shared file stays with it until it is closed or cut, as after any mmap().
 *
 * A private writable mapping that the proof would copy in full (pages of the
 * file that exist already) is proven all the same: the copies are what a write
 * would need, and a write without them is SIGBUS.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "core/act/backing.h"
#include "core/act/line.h"
#include "core/act/pagemap.h"
#include "core/act/place.h"
#include "core/act/rescue.h"
#include "core/act/stats.h"
#include "core/act/turn.h"
#include "core/act/undo.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "core/guard.h"
#include "core/plan.h"

#ifndef FALLOC_FL_PUNCH_HOLE
#define FALLOC_FL_KEEP_SIZE 1
#define FALLOC_FL_PUNCH_HOLE 2
#endif

struct file_state {
	bool known;
	off_t bytes;
	blkcnt_t blocks;
};

static struct file_state state_of(int fd)
{
	struct stat st;

	if (sys_fstat(fd, &st) != 0)
		return (struct file_state){ 0 };
	return (struct file_state){ true, st.st_size, st.st_blocks };
}

static bool is_private(const struct request *rq)
{
	return (rq->flags & MAP_TYPE) == MAP_PRIVATE;
}

/* Pages that our failed proof put into a file that had none go back to the pool. */
static void restore_file(const struct request *rq, size_t bytes, const struct file_state *before)
{
	if (is_private(rq) || !before->known || before->blocks != 0)
		return;
	sys_call(SYS_fallocate, rq->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, rq->offset,
		 (long)bytes, 0, 0);
	if (state_of(rq->fd).bytes != before->bytes)
		sys_ftruncate(rq->fd, before->bytes);
}

/* The part of the mapping that the file can back at all: beyond it SIGBUS is the program's own. */
static size_t backed_bytes(const struct request *rq, size_t bytes, size_t page)
{
	struct file_state now = state_of(rq->fd);
	uint64_t size = align_up((uintptr_t)now.bytes, page);

	if (!now.known)
		return bytes;
	if (size <= (uint64_t)rq->offset)
		return 0;
	return size - (uint64_t)rq->offset < bytes ? (size_t)(size - (uint64_t)rq->offset) : bytes;
}

static bool is_proven_by_reserving(const struct request *rq, size_t page)
{
	return rq->prot == PROT_NONE ||
	       (!is_private(rq) && !(rq->flags & MAP_NORESERVE) && plan_reservation_proves(page));
}

static int prove(const struct request *rq, uintptr_t at, size_t bytes, size_t page)
{
	size_t backed = backed_bytes(rq, bytes, page);
	/* A shared page is there once it was read, and before Linux 5.14 proving by
	 * writing would race with the file's other users. */
	bool read_only = !is_private(rq) || !(rq->prot & PROT_WRITE);

	return backed ? backing_prove(at, backed, page, read_only) : 0;
}

static long map_as_asked(const struct request *rq)
{
	/* A private mapping must not own a reservation (guard.c, pitfall 1). */
	int flags = rq->flags | (is_private(rq) && (rq->prot & PROT_WRITE) ? MAP_NORESERVE : 0);

	const bool anywhere = !is_private(rq) && line_may_choose(rq->at, rq->flags);
	const uintptr_t at = anywhere ? line_for(rq->bytes, (uint64_t)rq->offset) : rq->at;

	return sys_mmap(at, rq->bytes, rq->prot, flags, rq->fd, rq->offset);
}

static void note(uintptr_t at, size_t bytes, size_t page, enum reason why)
{
	stats_decide(&(struct decision){ .call = "own huge file", .own = true, .at = at,
					 .asked = bytes, .huge = why == REASON_NONE ? bytes : 0,
					 .page_bytes = page, .why = why });
}

/* The mapping, proven, or nothing and the file as it was. */
static long map_proven(const struct request *rq, size_t bytes, size_t page)
{
	bool reserved = is_proven_by_reserving(rq, page);
	struct turn t = { .fd = -1 };
	struct file_state before;
	long at;

	if (reserved)
		rescue_arm();	/* untouched: a limit may be lowered before it is */
	else
		t = turn_take(TURN_ALONE, page);
	before = state_of(rq->fd);
	at = map_as_asked(rq);
	if (!sys_failed(at) && !reserved && prove(rq, (uintptr_t)at, bytes, page) != 0) {
		sys_munmap((uintptr_t)at, bytes);
		restore_file(rq, bytes, &before);
		at = -ENOMEM;
	}
	turn_drop(&t);
	if (at == -ENOMEM)
		note(0, bytes, page, plan_blame(page, NULL));
	return at;
}

static void publish(const struct request *rq, uintptr_t at, size_t bytes, size_t page)
{
	note(at, bytes, page, REASON_NONE);
	if (page >= GRANULE && pagemap_prepare(at, at + bytes) == 0)
		pagemap_set(at, at + bytes, word_make(PAGE_GUARDED, rq->prot, page, USE_MMAP) |
						    (is_private(rq) ? 0 : WORD_SHARED | WORD_FILE));
}

/*
 * MAP_FIXED: aside first, then over what is there, which may be memory of ours. Linux
 * before 5.16 moves nothing huge: the same again in place, after it could be proven.
 */
static long map_over(const struct request *rq, size_t bytes, size_t page)
{
	struct request anywhere = *rq;
	const enum place_moves moves = place_moves(page);
	struct way w = { 0 };
	uintptr_t aside;
	long at;

	if (moves == PLACE_MAY_MOVE)
		return -ENOMEM;
	anywhere.at = 0;
	anywhere.flags &= ~MAP_FIXED;
	at = map_proven(&anywhere, bytes, page);
	if (sys_failed(at))
		return at;
	aside = (uintptr_t)at;
	at = 0;
	if (pagemap_any(rq->at, rq->at + bytes))
		at = undo_clear_way(rq->at, rq->at + bytes, REASON_DEMOTED_MUNMAP, &w);
	if (sys_failed(at)) {
		sys_munmap(aside, bytes);
		return at;
	}
	if (moves == PLACE_MOVES_NOT) {
		sys_munmap(aside, bytes);
		at = map_proven(rq, bytes, page);
	} else {
		at = place_over(&aside, bytes, page, rq->at);
		if (sys_failed(at))
			sys_munmap(aside, bytes);
	}
	if (sys_failed(at))
		undo_refused(&w);
	else
		undo_done(&w);
	return at;
}

/* Called as a guest of the gate. */
static long map_file(const struct request *rq, size_t page)
{
	size_t bytes = align_up(rq->bytes, page);
	bool over = (rq->flags & MAP_FIXED) && !(rq->flags & MAP_FIXED_NOREPLACE) && rq->at &&
		    is_aligned(rq->at, page);
	long at;

	if (plan_charged_to_memory()) {
		note(0, bytes, page, REASON_MEMCG);
		return -ENOMEM;
	}
	at = over ? map_over(rq, bytes, page) : map_proven(rq, bytes, page);
	if (!sys_failed(at))
		publish(rq, (uintptr_t)at, bytes, page);
	return at;
}

long guard_map_file(const struct request *rq)
{
	const size_t page = guard_page_bytes(rq->fd);
	struct quiet q;
	long at;

	if (!page || rq->bytes == 0 || rq->bytes >= (size_t)1 << 56)
		return sys_mmap(rq->at, rq->bytes, rq->prot, rq->flags, rq->fd, rq->offset);
	gate_enter(&q);
	at = map_file(rq, page);
	gate_leave(&q);
	return at;
}
