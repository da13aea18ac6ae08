/* SPDX-License-Identifier: MIT */
/*
 * guard_file.c - mappings of the program's own hugetlbfs files and memfds
 *
 * The file is the program's: its pages, its size, its sharers. So the mapping
 * is made exactly as asked and then proven in place. What a failed proof left
 * in a file that was empty before is punched out again; a file that had pages
 * keeps them, as it would after any touch.
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
#include "core/act/pagemap.h"
#include "core/act/rescue.h"
#include "core/act/stats.h"
#include "core/act/turn.h"
#include "core/act/undo.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "core/facts/mounts.h"
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

static int prove(const struct request *rq, uintptr_t at, size_t bytes, size_t page)
{
	bool read_only = !(rq->prot & PROT_WRITE);
	size_t backed = backed_bytes(rq, bytes, page);
	struct turn t;
	int err;

	if (!backed || rq->prot == PROT_NONE)
		return 0;
	if (!is_private(rq) && !(rq->flags & MAP_NORESERVE) && plan_reservation_proves(page)) {
		rescue_arm();
		return 0;
	}
	t = turn_take(TURN_ALONE, page);
	err = backing_prove(at, backed, page, read_only);
	turn_drop(&t);
	return err;
}

static long map_as_asked(const struct request *rq)
{
	/* A private mapping must not own a reservation (guard.c, pitfall 1). */
	int flags = rq->flags | (is_private(rq) && (rq->prot & PROT_WRITE) ? MAP_NORESERVE : 0);

	return sys_mmap(rq->at, rq->bytes, rq->prot, flags, rq->fd, rq->offset);
}

/* Called as a guest of the gate. */
static long map_and_prove(const struct request *rq, size_t page)
{
	size_t bytes = align_up(rq->bytes, page);
	struct file_state before = state_of(rq->fd);
	long at;
	int err;

	if (plan_charged_to_memory()) {
		stats_guarded(bytes, REASON_MEMCG);
		return -ENOMEM;
	}
	at = map_as_asked(rq);
	if (sys_failed(at)) {
		if (at == -ENOMEM)
			stats_guarded(bytes, plan_blame(page, NULL));
		return at;
	}
	err = prove(rq, (uintptr_t)at, bytes, page);
	if (err) {
		sys_munmap((uintptr_t)at, bytes);
		restore_file(rq, bytes, &before);
		stats_guarded(bytes, plan_blame(page, NULL));
		return -ENOMEM;
	}
	stats_guarded(bytes, REASON_NONE);
	if (pagemap_prepare((uintptr_t)at, (uintptr_t)at + bytes) == 0)
		pagemap_set((uintptr_t)at, (uintptr_t)at + bytes,
			    word_make(PAGE_GUARDED, rq->prot, page, USE_MMAP) |
				    (is_private(rq) ? 0 : WORD_SHARED | WORD_FILE));
	return at;
}

/* MAP_FIXED over memory of ours: that is taken out of the way first. */
static long map_fixed_over(const struct request *rq, size_t page)
{
	uintptr_t hi = rq->at + align_up(rq->bytes, page);
	struct way w;
	long at = undo_clear_way(rq->at, hi, REASON_DEMOTED_MUNMAP, &w);

	if (at)
		return at;
	at = map_and_prove(rq, page);
	undo_done(&w);
	return at;
}

long guard_map_file(const struct request *rq)
{
	struct mount_room room;
	struct quiet q;
	long at;

	if (mount_room_read_fd(rq->fd, &room) != 0 || rq->bytes == 0 ||
	    align_up_overflows(rq->bytes, room.page_bytes))
		return sys_mmap(rq->at, rq->bytes, rq->prot, rq->flags, rq->fd, rq->offset);
	gate_enter(&q);
	if ((rq->flags & MAP_FIXED) && is_aligned(rq->at, room.page_bytes) &&
	    pagemap_any(rq->at, rq->at + align_up(rq->bytes, room.page_bytes)))
		at = map_fixed_over(rq, room.page_bytes);
	else
		at = map_and_prove(rq, room.page_bytes);
	gate_leave(&q);
	return at;
}
