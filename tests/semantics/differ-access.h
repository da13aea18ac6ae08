/* SPDX-License-Identifier: MIT */
/* differ-access.h - stores, loads, the kernel's own access, and wrong arguments; included once */
#ifndef HRESV_TESTS_SEMANTICS_DIFFER_ACCESS_H
#define HRESV_TESTS_SEMANTICS_DIFFER_ACCESS_H

#include <fcntl.h>

#include "tests/semantics/differ-advice.h"

#define MOVE_BYTES (3 * PAGE)

static void call_fill(struct self *s)
{
	size_t page, n, apart = 1 + below(s, 64);
	int64_t filled = 0;

	draw_range(s, &page, &n);
	note(s, "fill %zu, %zu pages, each %zuth", page, n, apart);
	for (size_t i = page; i < page + n && i < page + 32 * apart; i += apart) {
		if (touch_fill(s, i, s->step * 1000003u + i)) {
			pages[i].loose = false;
			filled++;
		} else {
			touch_add(s, s->fault_at - ARENA_AT);
			touch_add(s, (uint64_t)s->fault_code);
		}
	}
	done(s, filled);
}

static void call_patch(struct self *s)
{
	int64_t written = 0;

	for (int i = 0; i < 8; i++) {
		size_t page = draw_page(s), word = below(s, WORDS);

		if (i == 0)
			note(s, "write words from %zu on", page);
		touch_settle(s, page, 1);
		written += touch_word(s, page, word, draw(s));
	}
	done(s, written);
}

static void call_look(struct self *s)
{
	size_t page, n, apart = 1 + below(s, 200);

	draw_range(s, &page, &n);
	note(s, "look at %zu, %zu pages, each %zuth", page, n, apart);
	for (size_t i = page; i < page + n && i < page + 64 * apart; i += apart)
		touch_look(s, i);
	done(s, 0);
}

static void hash_bytes(struct self *s, const unsigned char *at, int64_t bytes)
{
	for (int64_t i = 0; i < bytes; i++)
		touch_add(s, at[i]);
}

static int64_t by_pipe(struct self *s, char *at, size_t bytes, unsigned char *mine)
{
	int64_t moved = write(s->pipe[1], at, bytes);

	if (moved > 0)
		hash_bytes(s, mine, read(s->pipe[0], mine, (size_t)moved));
	return moved;
}

/* The pipe holds these bytes of ours; what the kernel could not deliver is drained. */
static int64_t from_pipe(struct self *s, char *at, size_t bytes, unsigned char *mine)
{
	unsigned char rest[MOVE_BYTES];
	int64_t moved;
	int error;

	if (write(s->pipe[1], mine, bytes) != (ssize_t)bytes)
		return -4;
	moved = read(s->pipe[0], at, bytes);
	error = errno;
	if (moved < (int64_t)bytes && read(s->pipe[0], rest, sizeof(rest)) < 0)
		error = errno;
	errno = error;
	return moved;
}

/* May the kernel write there? Then what comes up short met a page that was being split. */
static bool is_writable(size_t page, size_t last)
{
	for (size_t i = page; i <= last; i++)
		if (pages[i].type == TYPE_NONE || !(pages[i].prot & PROT_WRITE))
			return false;
	return true;
}

/* Makes @call, and where nothing but the want of a full userfaultfd can fail it, more often. */
#define WRITTEN(s, call, bytes, page, last)                                                    \
	({                                                                                     \
		int64_t moved_ = (call);                                                       \
		for (int i_ = 0; (s)->again && moved_ != (int64_t)(bytes) && i_ < 200 &&       \
				 is_writable(page, last); i_++) {                              \
			usleep(20);                                                            \
			moved_ = (call);                                                       \
		}                                                                              \
		moved_;                                                                        \
	})

static int64_t by_memory_file(char *at, size_t bytes, const unsigned char *mine)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	int64_t moved = pwrite(fd, mine, bytes, (off_t)(uintptr_t)at);
	int error = errno;

	close(fd);
	errno = error;
	return moved;
}

static void call_kernel(struct self *s)
{
	static const char *const names[] = { "pread into", "write from", "read into",
					     "process_vm_writev", "process_vm_readv",
					     "/proc/self/mem write" };
	/*
	 * The last one, and ptrace(), can't wait where others are held: EIO while a
	 * page of the same 2 MiB is split by another thread.
	 */
	unsigned how = (unsigned)below(s, s->threads > 1 ? 5 : 6);
	size_t page = draw_page(s), off = below(s, PAGE), bytes = 1 + below(s, MOVE_BYTES - 1);
	unsigned char mine[MOVE_BYTES];
	char *at = (char *)page_at(page) + off;
	struct iovec ours = { mine, bytes }, theirs = { at, bytes };
	size_t last = clipped(page + (off + bytes - 1) / PAGE, s->hi - 1);

	bytes = clipped(bytes, (s->hi - page) * PAGE - off);
	ours.iov_len = theirs.iov_len = bytes;
	memset(mine, (int)s->step, sizeof(mine));
	touch_settle(s, page, last - page + 1);
	for (size_t i = page; i <= last; i++)
		if (pages[i].loose) {
			skipped(s);
			return;
		}
	note(s, "%s %zu + %zu, %zu bytes", names[how], page, off, bytes);
	switch (how) {
	case 0:
		done(s, WRITTEN(s, pread(s->file, at, bytes, (off_t)(s->step % 100 * PAGE)), bytes,
				page, last));
		break;
	case 1:
		done(s, by_pipe(s, at, bytes, mine));
		break;
	case 2:
		done(s, WRITTEN(s, from_pipe(s, at, bytes, mine), bytes, page, last));
		break;
	case 3:
		done(s, WRITTEN(s, process_vm_writev(getpid(), &ours, 1, &theirs, 1, 0), bytes, page,
				last));
		break;
	case 4:
		done(s, process_vm_readv(getpid(), &ours, 1, &theirs, 1, 0));
		hash_bytes(s, mine, s->record->result);
		break;
	default:
		done(s, by_memory_file(at, bytes, mine));
		break;
	}
	touch_ends(s, page, last - page + 1);
}

/* What the kernel refuses, it refuses with the same number. */
static void call_wrong(struct self *s)
{
	const unsigned kind = (unsigned)below(s, 16);
	unsigned char there[4];
	size_t page = draw_page(s), odd = 1 + below(s, PAGE - 1);
	char *at = page_at(page);

	note(s, "wrong arguments %u at %zu + %zu", kind, page, odd);
	switch (kind) {
	case 0: done(s, munmap(at + odd, PAGE)); break;
	case 1: done(s, munmap(at, 0)); break;
	case 2: done(s, munmap(at, (size_t)-1)); break;
	case 3: done(s, mprotect(at + odd, PAGE, PROT_READ)); break;
	case 4: done(s, mprotect(at, 0, PROT_READ)); break;
	case 5: done(s, mprotect(at, PAGE, PROT_READ | PROT_GROWSDOWN)); break;
	case 6: done(s, mprotect(at, PAGE, 0x4000)); break;
	case 7: done(s, madvise(at + odd, PAGE, MADV_DONTNEED)); break;
	case 8: done(s, madvise(at, 0, MADV_DONTNEED)); break;
	case 9: done(s, madvise(at, (size_t)-1, MADV_DONTNEED)); break;
	case 10: done(s, placed(mremap(at + odd, PAGE, PAGE, 0))); break;
	case 11: done(s, placed(mremap(at, PAGE, 0, MREMAP_MAYMOVE))); break;
	case 12: done(s, placed(mremap(at, PAGE, PAGE, 64))); break;
	case 13: done(s, mincore(at + odd, PAGE, there)); break;
	case 14: done(s, msync(at + odd, PAGE, MS_SYNC)); break;
	default:
		done(s, placed(mmap(at + odd, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				    -1, 0)));
		break;
	}
	touch_ends(s, page, 1);
}

#endif
