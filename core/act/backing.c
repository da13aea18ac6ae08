/* SPDX-License-Identifier: MIT */
/*
 * backing.c - map, reserve, populate, count what came
 *
 * Pitfalls.
 * 1. MAP_POPULATE, MAP_LOCKED and MCL_FUTURE hide a shortage; only madvise and
 *    fallocate tell (KERNEL.md 3).
 * 2. MADV_POPULATE_WRITE keeps the pages it got before it failed, always a
 *    prefix, so a search over mincore() finds how many came.
 * 3. It wants PROT_WRITE: memory that ends up read-only is protected last.
 * 4. A private mapping of a hugetlbfs file draws its copies from the mount, so
 *    the mount's quota and minimum hold for it as for a shared one.
 */
#include "core/act/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/act/aside.h"
#include "core/act/ledger.h"
#include "core/act/turn.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* While others may want pages too, the turn is passed on after so many. */
#define PAGES_A_TURN 64
#define PRESENCE_TRIES 100

static long populate_call(uintptr_t at, size_t bytes, int advice)
{
	long err;

	do
		err = sys_madvise(at, bytes, advice);
	while (err == -EINTR || err == -EAGAIN);
	return err;
}

int backing_presence(uintptr_t at)
{
	unsigned char vec = 0;
	long err = -EAGAIN;

	for (int i = 0; i < PRESENCE_TRIES && err == -EAGAIN; i++)
		err = sys_mincore(at, mem_page_bytes(), &vec);
	return err ? (int)err : vec & 1;
}

static size_t count_present(uintptr_t at, size_t pages, size_t page_bytes)
{
	size_t have = 0;

	while (have < pages) {
		size_t probe = have + (pages - have - 1) / 2;

		if (backing_presence(at + probe * page_bytes) == 1)
			have = probe + 1;
		else
			pages = probe;
	}
	return have;
}

/* Linux before 5.14: the kernel writes for us, and says EFAULT where we would die. */
static size_t populate_by_reading(uintptr_t at, size_t pages, size_t page_bytes)
{
	long fd = sys_openat(AT_FDCWD, "/dev/zero", O_RDONLY, 0);
	size_t have = 0;

	if (fd < 0)
		return 0;
	while (have < pages && sys_read((int)fd, (void *)(at + have * page_bytes), 1) == 1)
		have++;
	sys_close((int)fd);
	return have;
}

size_t backing_populate(uintptr_t at, size_t pages, size_t page_bytes)
{
	long err = populate_call(at, pages * page_bytes, MADV_POPULATE_WRITE);

	if (err == 0)
		return pages;
	if (err == -EINVAL)
		return populate_by_reading(at, pages, page_bytes);
	return count_present(at, pages, page_bytes);
}

/*
 * Linux before 5.14, memory that has content: the kernel reads a byte of each
 * page and writes it back, and fails where a touch of ours would be SIGBUS.
 */
static int prove_by_touching(uintptr_t at, size_t bytes, size_t page_bytes, bool read_only)
{
	long fd = sys_openat(AT_FDCWD, "/proc/self/mem", O_RDWR, 0);
	char byte;

	if (fd < 0)
		return (int)fd;
	for (size_t done = 0; done < bytes; done += page_bytes) {
		long err = sys_call(SYS_pread64, fd, (long)&byte, 1, (long)(at + done), 0, 0);

		if (err == 1 && !read_only)
			err = sys_call(SYS_pwrite64, fd, (long)&byte, 1, (long)(at + done), 0, 0);
		if (err != 1) {
			sys_close((int)fd);
			return -EFAULT;
		}
	}
	sys_close((int)fd);
	return 0;
}

int backing_prove(uintptr_t at, size_t bytes, size_t page_bytes, bool read_only)
{
	long err = populate_call(at, bytes, read_only ? MADV_POPULATE_READ : MADV_POPULATE_WRITE);

	return err == -EINVAL ? prove_by_touching(at, bytes, page_bytes, read_only) : (int)err;
}

static struct turn take(const struct backing *how, enum turn_kind kind)
{
	const struct turn none = { .fd = -1 };

	return how->turn_held ? none : turn_take(kind, how->page_bytes);
}

/* Chunk by chunk, in between out of the gate; the turn, if any, is kept. */
static size_t populate_breathing(const struct backing *how, uintptr_t at, size_t pages,
				 const struct turn *t)
{
	size_t have = 0;

	if (how->may_breathe && t->fd >= 0)
		aside_set_turn(at, t->fd);
	while (have < pages) {
		size_t want = pages - have, got;

		if (how->may_breathe && want > PAGES_A_TURN)
			want = PAGES_A_TURN;
		got = backing_populate(at + have * how->page_bytes, want, how->page_bytes);
		have += got;
		if (got < want)
			break;
		if (how->may_breathe && have < pages)
			gate_breathe();
	}
	if (how->may_breathe)
		aside_set_turn(at, -1);
	return have;
}

/* Free pages a running child is counted on to need are nobody's to take. */
static size_t leaves(const struct backing *how, const struct turn *t, size_t pages)
{
	return ledger_leaves(t->fd, how->page_bytes, pages);
}

/* All or nothing: the turn is held throughout. */
static size_t populate_whole(const struct backing *how, uintptr_t at, size_t pages)
{
	struct turn t = take(how, TURN_TOGETHER);
	size_t have = 0;

	if (leaves(how, &t, pages) == pages)
		have = populate_breathing(how, at, pages, &t);
	if (have < pages && !how->turn_held) {
		/* Give back what others may need to be whole, then see alone. */
		sys_madvise(at, pages * how->page_bytes, MADV_DONTNEED);
		turn_drop(&t);
		t = take(how, TURN_ALONE);
		have = 0;
		if (leaves(how, &t, pages) == pages)
			have = populate_breathing(how, at, pages, &t);
	}
	turn_drop(&t);
	return have;
}

/* What comes is kept, so turns may be short; the last try is made alone. */
static size_t populate_partly(const struct backing *how, uintptr_t at, size_t pages)
{
	enum turn_kind kind = how->turn_held ? TURN_ALONE : TURN_TOGETHER;
	size_t have = 0;

	while (have < pages) {
		size_t want = pages - have;
		struct turn t = take(how, kind);

		if (want > PAGES_A_TURN && (kind == TURN_TOGETHER || how->may_breathe))
			want = PAGES_A_TURN;

		size_t may = leaves(how, &t, want), got = 0;

		if (may)
			got = backing_populate(at + have * how->page_bytes, may, how->page_bytes);

		turn_drop(&t);
		have += got;
		if (got < want && kind == TURN_ALONE)
			break;
		kind = got < want ? TURN_ALONE : kind;
		if (how->may_breathe && have < pages)
			gate_breathe();
	}
	return have;
}

static size_t populate(const struct backing *how, uintptr_t at, size_t pages)
{
	return how->whole ? populate_whole(how, at, pages) : populate_partly(how, at, pages);
}

/* The same for memory at a fresh address, which a fork child gives up meanwhile. */
static size_t populate_noted(const struct backing *how, uintptr_t at, size_t bytes, size_t pages)
{
	struct backing mine = *how;
	size_t have;

	mine.may_breathe = how->may_breathe && pages > PAGES_A_TURN && aside_note(at, bytes);
	have = populate(&mine, at, pages);
	if (mine.may_breathe)
		aside_forget(at);
	return have;
}

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
	int flags = how->flags | (how->shared ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE) |
		    (how->over ? MAP_FIXED : 0);

	return map_huge(how, how->over, bytes, prot, flags);
}

long backing_map_private(const struct backing *how, uintptr_t at, size_t bytes, int prot,
			 int flags)
{
	return map_huge(how, at, bytes, prot, how->flags | MAP_PRIVATE | MAP_NORESERVE | flags);
}

size_t backing_fill(const struct backing *how, uintptr_t at, size_t pages)
{
	return populate_partly(how, at, pages);
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
	if (!how->lazy)
		have = populate_noted(how, (uintptr_t)at, bytes, pages);
	*ret_pages = have;
	if (have == 0 || (have < pages && (how->whole || how->shared)))
		err = -ENOMEM;
	else if (build_prot != how->prot)
		err = sys_mprotect((uintptr_t)at, bytes, how->prot);
	if (!err && have < pages && !room_pages)
		err = sys_munmap((uintptr_t)at + have * page, bytes - have * page);
	if (err) {
		sys_munmap((uintptr_t)at, bytes);
		*ret_pages = have < pages ? have : 0;
		return (int)err;
	}
	*ret_at = (uintptr_t)at;
	return 0;
}

/*
 * The most that can be reserved now, of @pages that could not: by trying, as no
 * counter knows every limit. Alone, or two who try would each meet the other.
 */
static size_t reservable(const struct backing *how, size_t pages)
{
	struct turn t = take(how, TURN_ALONE);
	size_t can = 0;

	while (pages - can > 1) {
		size_t middle = can + (pages - can) / 2, bytes = middle * how->page_bytes;
		long at = map_aside(how, bytes, how->prot);

		if (sys_failed(at)) {
			pages = middle;
		} else {
			sys_munmap((uintptr_t)at, bytes);
			can = middle;
		}
	}
	turn_drop(&t);
	return can;
}

int backing_make(const struct backing *how, size_t pages, size_t room_pages, uintptr_t *ret_at,
		 size_t *ret_pages)
{
	uintptr_t at = 0;
	int err;

	for (;;) {
		size_t have = pages;

		err = make_once(how, pages, room_pages, &at, &have);
		if (err == 0) {
			*ret_at = at;
			*ret_pages = have;
			return 0;
		}
		if (!how->shared || how->whole || err != -ENOMEM)
			return err;
		pages = have < pages ? have : reservable(how, pages);
		if (pages == 0)
			return err;
	}
}
