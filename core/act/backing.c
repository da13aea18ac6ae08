/* SPDX-License-Identifier: MIT */
/*
 * backing.c - map, reserve, populate, count what came
 *
 * Pitfalls.
 * 1. MADV_POPULATE_WRITE wants PROT_WRITE: memory that ends up read-only is protected last.
 * 2. Nothing is reserved on a mount: one refused reservation on a mount with a
 *    minimum breaks those of others (KERNEL.md 2.3, E). Shared pages of a file are
 *    safe once they are there, reserved or not.
 * 3. A private mapping of a hugetlbfs file draws its copies from the mount, so
 *    the mount's quota and minimum hold for it as for a shared one.
 */
#include "core/act/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include "core/act/line.h"
#include "core/act/populate.h"
#include "core/act/rescue.h"
#include "core/act/turn.h"
#include "core/base/align.h"
#include "core/base/sys.h"

/* An unlinked file on the mount; O_TMPFILE never has a name to leave behind. */
static int open_unlinked(const char *directory, size_t bytes)
{
	long fd = sys_openat(AT_FDCWD, directory, O_TMPFILE | O_RDWR, 0600);

	if (fd < 0)
		return (int)fd;

	long err = sys_ftruncate((int)fd, (off_t)bytes);

	if (err) {
		sys_close((int)fd);
		return (int)err;
	}
	return (int)fd;
}

static long map_huge(const struct backing *how, uintptr_t where, size_t bytes, int prot, int flags)
{
	long at, fd;

	if (!how->path) {
		flags |= MAP_ANONYMOUS | MAP_HUGETLB |
			 (int)(log2_of(how->page_bytes) << MAP_HUGE_SHIFT);
		return sys_mmap(where, bytes, prot, flags, -1, 0);
	}
	fd = open_unlinked(how->path, bytes);
	if (fd < 0)
		return fd;
	at = sys_mmap(where, bytes, prot, flags, (int)fd, 0);
	sys_close((int)fd);
	return at;
}

static long map_aside(const struct backing *how, size_t bytes, int prot)
{
	int flags = how->flags | (how->shared ? MAP_SHARED : MAP_PRIVATE) |
		    (how->shared && !how->path ? 0 : MAP_NORESERVE) | (how->over ? MAP_FIXED : 0);

	const uintptr_t where = how->over || !how->shared ? how->over : line_for(bytes, 0);

	return map_huge(how, where, bytes, prot, flags);
}

long backing_map_private(const struct backing *how, uintptr_t at, size_t bytes, int prot,
			 int flags)
{
	return map_huge(how, at, bytes, prot, how->flags | MAP_PRIVATE | MAP_NORESERVE | flags);
}

/* One attempt at @pages. Private memory keeps the prefix that came. */
static int make_once(const struct backing *how, size_t pages, size_t room_pages, uintptr_t *ret_at,
		     size_t *ret_pages)
{
	const int build_prot = how->lazy ? how->prot : how->prot | PROT_READ | PROT_WRITE;
	const size_t page = how->page_bytes, bytes = (room_pages ? room_pages : pages) * page;
	size_t have = pages;
	long at = map_aside(how, bytes, build_prot);
	long err = 0;

	if (sys_failed(at))
		return (int)at;
	if (how->lazy)
		rescue_arm();
	else
		have = populate_noted(how, (uintptr_t)at, bytes, pages);
	*ret_pages = have;	/* also of a failure: our caller's, who tries again with it */
	if (have == 0 || (have < pages && (how->whole || how->shared)))
		err = -ENOMEM;
	else if (build_prot != how->prot)
		err = sys_mprotect((uintptr_t)at, bytes, how->prot);
	if (!err && have < pages && !room_pages)
		err = sys_munmap((uintptr_t)at + have * page, bytes - have * page);
	if (err) {
		sys_munmap((uintptr_t)at, bytes);
		return (int)err;
	}
	*ret_at = (uintptr_t)at;
	return 0;
}

/* Shared memory that comes up short is made again at the length that came. */
static int make_shrinking(const struct backing *how, size_t pages, size_t room_pages,
			  uintptr_t *ret_at, size_t *ret_pages)
{
	for (;;) {
		size_t have = 0;
		int err = make_once(how, pages, room_pages, ret_at, &have);

		if (err == 0)
			*ret_pages = have;
		if (err == 0 || !how->shared || how->whole || have == 0 || have >= pages)
			return err;
		pages = have;
	}
}

/* The most pages, fewer than @pages, that the kernel reserves now. */
static size_t most_reservable(const struct backing *how, size_t pages)
{
	size_t can = 0, cannot = pages;

	while (cannot - can > 1) {
		size_t try = can + (cannot - can) / 2;
		long at = map_aside(how, try * how->page_bytes, how->prot);

		if (sys_failed(at)) {
			cannot = try;
		} else {
			sys_munmap((uintptr_t)at, try * how->page_bytes);
			can = try;
		}
	}
	return can;
}

/*
 * A reservation is made as a whole or refused, so somebody who was quicker than our
 * plan would cost us all. With the turn to ourselves we look for what is left. Not on
 * a mount: one refused mapping of a mount with a minimum breaks the reservations of
 * others (KERNEL.md 2.3, E).
 */
static int make_what_is_left(const struct backing *how, size_t pages, uintptr_t *ret_at,
			     size_t *ret_pages)
{
	struct turn t = populate_turn(how, TURN_ALONE);
	struct backing alone = *how;
	int err = -ENOMEM;

	alone.turn_held = true;
	pages = most_reservable(&alone, pages);
	if (pages)
		err = make_shrinking(&alone, pages, 0, ret_at, ret_pages);
	turn_drop(&t);
	return err;
}

int backing_make(const struct backing *how, size_t pages, size_t room_pages, uintptr_t *ret_at,
		 size_t *ret_pages)
{
	int err = make_shrinking(how, pages, room_pages, ret_at, ret_pages);

	if (err == -ENOMEM && how->shared && !how->whole && !how->path)
		err = make_what_is_left(how, pages, ret_at, ret_pages);
	return err;
}
