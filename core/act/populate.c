/* SPDX-License-Identifier: MIT */
/*
 * populate.c - make pages present, in turns, and count what came
 *
 * Pitfalls.
 * 1. MAP_POPULATE, MAP_LOCKED and MCL_FUTURE hide a shortage; only madvise and
 *    fallocate tell (KERNEL.md 3).
 * 2. MADV_POPULATE_WRITE keeps the pages it got before it failed, always a
 *    prefix, so a search over mincore() finds how many came. Not so where helpers
 *    were at it (crew.h): there may be pages behind the first that is missing.
 * 3. A segment with a key may be somebody else's already while it is populated: of such
 *    memory nothing is ever given back here.
 */
#include "core/act/populate.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/act/aside.h"
#include "core/act/crew.h"
#include "core/act/promise.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/*
 * While others may want pages too, the turn is passed on after so many, for each thread that
 * populates: 5 ms.
 */
#define BYTES_A_TURN ((size_t)128 << 20)

static size_t pages_a_turn(const struct crew *crew, size_t page_bytes)
{
	const size_t pages = BYTES_A_TURN / page_bytes;

	return (pages ? pages : 1) * (1 + crew->helpers);
}

static long populate_call(uintptr_t at, size_t bytes, int advice)
{
	long err;

	do
		err = sys_madvise(at, bytes, advice);
	while (err == -EINTR || err == -EAGAIN);
	return err;
}

static size_t count_present(uintptr_t at, size_t pages, size_t page_bytes)
{
	size_t have = 0;

	while (have < pages) {
		size_t probe = have + (pages - have - 1) / 2;

		if (mem_is_present(at + probe * page_bytes))
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

/* Of helpers' work no prefix: each page is looked at. */
static size_t count_front(uintptr_t at, size_t pages, size_t page_bytes)
{
	size_t have = 0;

	while (have < pages && mem_is_present(at + have * page_bytes))
		have++;
	return have;
}

static size_t populate_alone(uintptr_t at, size_t pages, size_t page_bytes, bool was_helped)
{
	long err = populate_call(at, pages * page_bytes, MADV_POPULATE_WRITE);

	if (err == 0)
		return pages;
	if (err == -EINVAL)
		return populate_by_reading(at, pages, page_bytes);
	return was_helped ? count_front(at, pages, page_bytes) : count_present(at, pages, page_bytes);
}

static size_t populate_with(const struct crew *crew, uintptr_t at, size_t pages, size_t page_bytes)
{
	const size_t bytes = pages * page_bytes;
	const size_t done = align_down(crew_advise(crew, at, bytes, page_bytes, MADV_POPULATE_WRITE),
				       page_bytes);

	if (done == bytes)
		return pages;
	return done / page_bytes + populate_alone(at + done, pages - done / page_bytes, page_bytes,
						  crew->helpers != 0);
}

/*
 * The same of memory nobody else can have. Helpers may have got pages behind the first that could
 * not be had: those are given back, and taken again from the front, as far as they go.
 */
static size_t populate_fresh(const struct crew *crew, uintptr_t at, size_t pages, size_t page_bytes)
{
	size_t have = populate_with(crew, at, pages, page_bytes);
	const uintptr_t from = at + have * page_bytes, end = at + pages * page_bytes;

	if (have == pages || !crew->helpers)
		return have;
	if (sys_madvise(from, end - from, MADV_REMOVE) != 0)
		sys_madvise(from, end - from, MADV_DONTNEED);
	return have + populate_alone(from, pages - have, page_bytes, true);
}

size_t backing_populate(uintptr_t at, size_t pages, size_t page_bytes)
{
	struct crew crew;

	crew_look(at, pages * page_bytes, page_bytes, &crew);
	return populate_with(&crew, at, pages, page_bytes);
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
	const int advice = read_only ? MADV_POPULATE_READ : MADV_POPULATE_WRITE;
	struct crew crew;
	size_t done;
	long err = 0;

	crew_look(at, bytes, page_bytes, &crew);
	done = crew_advise(&crew, at, bytes, page_bytes, advice);
	if (done < bytes)
		err = populate_call(at + done, bytes - done, advice);
	return err == -EINVAL ? prove_by_touching(at, bytes, page_bytes, read_only) : (int)err;
}

struct turn populate_turn(const struct backing *how, enum turn_kind kind)
{
	const struct turn none = { .fd = -1 };

	return how->turn_held ? none : turn_take(kind, how->page_bytes);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Chunk by chunk, in between out of the gate; the turn, if any, is kept. */
static size_t populate_breathing(const struct backing *how, uintptr_t at, size_t pages,
				 const struct turn *t)
{
	size_t have = 0;

	if (how->may_breathe && t->fd >= 0)
		aside_set_turn(at, t->fd);
	while (have < pages) {
		const uintptr_t from = at + have * how->page_bytes;
		size_t want = pages - have, got;
		struct crew crew;

		crew_look(from, want * how->page_bytes, how->page_bytes, &crew);
		if (how->may_breathe)
			want = least(want, pages_a_turn(&crew, how->page_bytes));
		got = populate_fresh(&crew, from, want, how->page_bytes);
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
	return promise_leaves(t->fd, how->page_bytes, pages);
}

/* All or nothing: the turn is held throughout. */
static size_t populate_whole(const struct backing *how, uintptr_t at, size_t pages)
{
	struct turn t = populate_turn(how, TURN_TOGETHER);
	size_t have = 0;

	if (leaves(how, &t, pages) == pages)
		have = populate_breathing(how, at, pages, &t);
	if (have < pages && !how->turn_held) {
		/*
		 * Give back what others may need to be whole, then see alone. Of shared
		 * memory DONTNEED gives nothing back: the file keeps its pages.
		 */
		sys_madvise(at, pages * how->page_bytes,
			    how->shared ? MADV_REMOVE : MADV_DONTNEED);
		turn_drop(&t);
		t = populate_turn(how, TURN_ALONE);
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
		const uintptr_t from = at + have * how->page_bytes;
		size_t want = pages - have, may, got = 0;
		struct turn t = populate_turn(how, kind);
		struct crew crew;

		crew_look(from, want * how->page_bytes, how->page_bytes, &crew);
		if (kind == TURN_TOGETHER || how->may_breathe)
			want = least(want, pages_a_turn(&crew, how->page_bytes));
		may = leaves(how, &t, want);
		if (may)
			got = populate_fresh(&crew, from, may, how->page_bytes);

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
size_t populate_noted(const struct backing *how, uintptr_t at, size_t bytes, size_t pages)
{
	struct backing mine = *how;
	size_t have;

	mine.may_breathe = how->may_breathe && pages * how->page_bytes > BYTES_A_TURN && aside_note(at, bytes);
	have = populate(&mine, at, pages);
	if (mine.may_breathe)
		aside_forget(at);
	return have;
}

size_t backing_fill(const struct backing *how, uintptr_t at, size_t pages)
{
	return populate_partly(how, at, pages);
}
