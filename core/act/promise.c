/* SPDX-License-Identifier: MIT */
/*
 * promise.c - which accounts a promise is kept in, and what they leave
 *
 * Whoever promises does so on the pool's account first. So when that one is empty
 * there are no promises at all, and nothing else need be read.
 */
#include "core/act/promise.h"

#include <errno.h>
#include <fcntl.h>

#include "core/act/ledger.h"
#include "core/act/turn.h"
#include "core/base/sys.h"
#include "core/facts/cgroup.h"
#include "core/facts/pool.h"

struct request {
	struct promise *promise;
	size_t page_bytes;
	uint64_t pages;
};

static int keep(struct promise *p, int fd, uint64_t pages, uint64_t spare_pages)
{
	int err = p->n == PROMISE_ACCOUNTS ? -ENOSPC : ledger_promise(fd, pages, spare_pages);

	if (err)
		sys_close(fd);
	else
		p->fd[p->n++] = fd_keep(fd_move_up(fd));
	return err;
}

static int keep_below_limit(const char *usage_path, uint64_t room_bytes, void *arg)
{
	const struct request *r = arg;
	long fd = sys_openat(AT_FDCWD, usage_path, O_RDONLY, 0);

	if (fd < 0)
		return (int)fd;
	return keep(r->promise, (int)fd, r->pages, room_bytes / r->page_bytes);
}

bool promise_add(struct promise *p, size_t page_bytes, uint64_t pages, uint64_t spare_pages)
{
	struct request r = { .promise = p, .page_bytes = page_bytes, .pages = pages };
	int fd = turn_open(page_bytes);

	return fd >= 0 && keep(p, fd, pages, spare_pages) == 0 &&
	       cgroup_each_limit("", page_bytes, keep_below_limit, &r) == 0;
}

void promise_end(struct promise *p)
{
	while (p->n)
		fd_close_kept(&p->fd[--p->n]);
}

uint64_t promise_pages(size_t page_bytes)
{
	int fd = turn_open(page_bytes);
	uint64_t pages = ledger_promised(fd);

	if (fd >= 0)
		sys_close(fd);
	return pages;
}

static void take_off(uint64_t *left, uint64_t have, uint64_t promised)
{
	have = have > promised ? have - promised : 0;
	if (have < *left)
		*left = have;
}

struct left {
	size_t page_bytes;
	uint64_t pages;
};

static int leave_below_limit(const char *usage_path, uint64_t room_bytes, void *arg)
{
	struct left *left = arg;
	long fd = sys_openat(AT_FDCWD, usage_path, O_RDONLY, 0);
	uint64_t promised = ledger_promised((int)fd);

	if (fd >= 0)
		sys_close((int)fd);
	if (promised)
		take_off(&left->pages, room_bytes / left->page_bytes, promised);
	return 0;
}

size_t promise_leaves(int fd, size_t page_bytes, size_t want)
{
	struct left left = { .page_bytes = page_bytes, .pages = want };
	uint64_t promised = ledger_promised(fd);
	struct pool pool;

	if (promised == 0)
		return want;
	if (pool_read("", page_bytes, &pool) == 0)
		take_off(&left.pages, pool_available(&pool, page_bytes), promised);
	/* Groups that can't be read have promised nothing either: promise_add() refuses there. */
	cgroup_each_limit("", page_bytes, leave_below_limit, &left);
	return (size_t)left.pages;
}
