/* SPDX-License-Identifier: MIT */
/*
 * ledger.c - promises as byte ranges, added up by asking for conflicts
 *
 * Ranges never overlap: each promise is made by whoever has the turn to itself,
 * behind the last one there is. So their lengths add up to the pages promised.
 */
#include "core/act/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

#include "core/act/turn.h"
#include "core/base/fd.h"
#include "core/base/sys.h"
#include "core/facts/pool.h"

#define GAPS_MOST 64
#define EVERYTHING (UINT64_MAX / 2)

struct sum {
	uint64_t pages;
	uint64_t end;		/* behind the last range */
};

/* The first lock in the kernel's list that reaches into [from, to); to = 0: no end. */
static bool conflict(int fd, uint64_t from, uint64_t to, struct flock *ret)
{
	*ret = (struct flock){
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)from,
		.l_len = to ? (off_t)(to - from) : 0,
	};
	return sys_fcntl(fd, F_OFD_GETLK, ret) == 0 && ret->l_type != F_UNLCK;
}

/*
 * The kernel names one conflicting lock at a time, in no order of offsets, so
 * what lies on either side of it is asked for again. More of them than we keep
 * gaps for: say that everything is promised.
 */
static struct sum add_up(int fd)
{
	struct { uint64_t from, to; } gap[GAPS_MOST] = { { 0, 0 } };
	struct sum sum = { 0 };
	size_t gaps = 1;

	while (gaps) {
		uint64_t from = gap[gaps - 1].from, to = gap[gaps - 1].to;
		struct flock lock;

		gaps--;
		if (!conflict(fd, from, to, &lock))
			continue;

		uint64_t start = (uint64_t)lock.l_start, end = start + (uint64_t)lock.l_len;

		if (lock.l_len == 0 || gaps + 2 > GAPS_MOST)
			return (struct sum){ EVERYTHING, EVERYTHING };
		sum.pages += end - start;
		if (end > sum.end)
			sum.end = end;
		if (!to || end < to) {
			gap[gaps].from = end;
			gap[gaps++].to = to;
		}
		if (start > from) {
			gap[gaps].from = from;
			gap[gaps++].to = start;
		}
	}
	return sum;
}

uint64_t ledger_promised_at(int fd)
{
	return fd < 0 ? 0 : add_up(fd).pages;
}

uint64_t ledger_promised(size_t page_bytes)
{
	int fd = turn_open(page_bytes);
	uint64_t pages = ledger_promised_at(fd);

	if (fd >= 0)
		sys_close(fd);
	return pages;
}

int ledger_promise(size_t page_bytes, uint64_t pages, uint64_t spare_pages, int *ret_fd)
{
	int fd = turn_open(page_bytes);
	struct flock mine;
	struct sum sum;
	long err;

	if (fd < 0)
		return -ENOENT;
	sum = add_up(fd);
	mine = (struct flock){
		.l_type = F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)sum.end,
		.l_len = (off_t)pages,
	};
	if (sum.pages > spare_pages || pages > spare_pages - sum.pages)
		err = -ENOSPC;
	else
		err = sys_fcntl(fd, F_OFD_SETLK, &mine);
	if (err) {
		sys_close(fd);
		return (int)err;
	}
	*ret_fd = fd_move_up(fd);
	return 0;
}

size_t ledger_leaves(int fd, size_t page_bytes, size_t want)
{
	uint64_t promised = ledger_promised_at(fd), available;
	struct pool pool;

	if (promised == 0 || pool_read("", page_bytes, &pool) != 0)
		return want;
	available = pool_available(&pool, page_bytes);
	if (available <= promised)
		return 0;
	return available - promised < want ? (size_t)(available - promised) : want;
}
