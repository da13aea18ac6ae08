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

#include "core/base/sys.h"

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

uint64_t ledger_promised(int fd)
{
	return fd < 0 ? 0 : add_up(fd).pages;
}

int ledger_promise(int fd, uint64_t pages, uint64_t spare_pages)
{
	struct sum sum = add_up(fd);
	struct flock mine = {
		.l_type = F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)sum.end,
		.l_len = (off_t)pages,
	};

	if (sum.pages > spare_pages || pages > spare_pages - sum.pages)
		return -ENOSPC;
	return (int)sys_fcntl(fd, F_OFD_SETLK, &mine);
}
