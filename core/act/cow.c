/* SPDX-License-Identifier: MIT */
/*
 * cow.c - protect at a fork, and let go of what is not to be waited for
 *
 * Pitfalls.
 * 1. Who holds the claim of a page and writes to it would wait for the thread,
 *    and the thread for the claim: cow_own() first.
 * 2. What leaves the page map but stays mapped, and what is protected while the
 *    thread ends, must be taken out of the userfaultfd by who does that: the end
 *    goes by the page map.
 * 3. Programs close descriptors they do not know, and open others in their place:
 *    ours is far up, and looked at before it is used again.
 */
#include "core/act/cow.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "core/act/copier.h"
#include "core/act/demote.h"
#include "core/act/sharing.h"
#include "core/act/slack.h"
#include "core/act/writers.h"
#include "core/base/align.h"
#include "core/base/fd.h"
#include "core/base/self.h"
#include "core/base/sys.h"

/* Came with Linux 6.4, and with it the mending of what made a child hang. */
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#define STACK_BELOW 32768

static struct {
	int possible;			/* 0: not known, 1: yes, -1: no */
	struct fd_kept uffd;		/* kept when it is over; 0: never had one */
} state;

bool cow_is_possible(void)
{
	int possible = __atomic_load_n(&state.possible, __ATOMIC_RELAXED);
	int fd;

	if (possible)
		return possible > 0;
	fd = writers_open_full(UFFD_FEATURE_WP_UNPOPULATED);
	if (fd >= 0)
		sys_close(fd);
	else if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
		return false;		/* ask again */
	__atomic_store_n(&state.possible, fd >= 0 ? 1 : -1, __ATOMIC_RELAXED);
	return fd >= 0;
}

/*
 * A userfaultfd refuses a version there is none of, and clears what it was given. Others
 * say EINVAL too (an epoll instance since Linux 6.9), and leave it. To fstat(2) all of
 * this kind are one file before Linux 5.12.
 */
static bool is_still_ours(void)
{
	struct uffdio_api api = { .api = 0, .ioctls = 1 };

	return fd_is_kept(&state.uffd) &&
	       sys_ioctl(state.uffd.fd, UFFDIO_API, &api) == -EINVAL && api.ioctls == 0;
}

static int open_again(void)
{
	int fd;

	if (state.uffd.fd && is_still_ours())
		return state.uffd.fd;
	fd = writers_open_full(UFFD_FEATURE_WP_UNPOPULATED);
	if (fd >= 0)
		fd = fd_out_of_the_way(fd);
	state.uffd.fd = 0;
	if (fd >= 0)
		state.uffd = fd_mark(fd);
	return fd;
}

/* What could not be protected is made small, which the kernel copies by itself. */
static void make_small(uintptr_t lo, uintptr_t hi, page_word word)
{
	const size_t page = word_page_bytes(word);

	for (uintptr_t at = lo; at < hi; at += page)
		demote_shared_at(at, word, REASON_FORK, false);
}

/*
 * Claimed as a whole: the thread may be making pages of it small at this moment,
 * and what is small must not be protected.
 */
static void protect_run(uintptr_t lo, uintptr_t hi, page_word word, void *arg)
{
	int fd = *(const int *)arg;
	bool failed = false;

	if (!word_is_copied_on_write(word))
		return;
	for (uintptr_t at = lo, end; at < hi; at = end) {
		struct claim c = pagemap_claim(at, hi);
		page_word now;

		end = pagemap_run(at, hi, &now);
		if (now == word)
			failed = writers_register(fd, at, end - at) != 0 ||
				 writers_protect(fd, at, end - at, true) != 0;
		pagemap_unclaim(&c);
		if (now == word && failed)
			make_small(at, end, word);
	}
}

/* Writes to it without a change, unclaimed: the thread copies it, or lets it go. */
static void touch(uintptr_t at)
{
	page_word word = pagemap_get(at) & ~WORD_MARKS;

	if (word_is_private_huge(word) && (word_prot(word) & PROT_WRITE) && !word_pkey(word))
		__atomic_fetch_or((volatile char *)at, 0, __ATOMIC_RELAXED);
}

/* The caller would wait for itself below. */
static __attribute__((noinline)) void touch_own_stack(void)
{
	char here;
	uintptr_t at = (uintptr_t)&here;

	touch(at - STACK_BELOW);
	touch(at);
}

/* The thread's stack may take the last mapping there is, and more. */
static int start(void)
{
	int fd = open_again();
	int err = fd < 0 ? fd : copier_start(fd);

	if (err == -ENOMEM && fd >= 0 && slack_take()) {
		err = copier_start(fd);
		slack_drop();
	}
	return err;
}

int cow_begin(void)
{
	int err = copier_is_on() ? 0 : start();

	if (err)
		return err;
	copier_look_soon();
	pagemap_walk(protect_run, &state.uffd.fd);
	return 0;
}

void cow_forget(bool close)
{
	copier_forget();
	if (state.uffd.fd && close && is_still_ours())
		sys_close(state.uffd.fd);
	state.uffd.fd = 0;
}

/* A copy of the process has our descriptor, which is about the original's memory. */
static bool was_ever_on(void)
{
	return state.uffd.fd && !self_is_copy();
}

static bool is_shared(uintptr_t at)
{
	int pages_fd = sharing_open();
	bool shared = sharing_of(pages_fd, at) == SHARING_SHARED;

	if (pages_fd >= 0)
		sys_close(pages_fd);
	return shared;
}

/* False: the program has closed our descriptor. What was never protected is fine. */
static bool unprotect(uintptr_t at, size_t bytes)
{
	int err = writers_protect(state.uffd.fd, at, bytes, false);

	writers_wake(state.uffd.fd, at, bytes);
	return err == 0 || err == -ENOENT;
}

/* Also when the end has begun: the thread may wait for the caller's claim. */
bool cow_own(uintptr_t at, page_word word)
{
	bool shared;

	if (!was_ever_on() || !word_is_private_huge(word))
		return true;
	shared = copier_is_on() && is_shared(at);
	if (!shared && unprotect(at, word_page_bytes(word)))
		return true;
	if (demote_shared_page(at, word, REASON_FORK, false) == 0)
		return false;
	unprotect(at, word_page_bytes(word));
	return true;
}

void cow_own_all(uintptr_t lo, uintptr_t hi)
{
	for (uintptr_t at = align_down(lo, GRANULE); at < hi; at += GRANULE) {
		page_word word = pagemap_get(at) & ~WORD_MARKS;

		if (word_is_private_huge(word) && (word_prot(word) & PROT_WRITE))
			cow_own(align_down(at, word_page_bytes(word)), word);
	}
}

void cow_follow(uintptr_t lo, uintptr_t hi, page_word word)
{
	int fd = state.uffd.fd;

	if (!copier_is_on())
		return;
	protect_run(lo, hi, word, &fd);
	if (!copier_is_on())		/* it ended meanwhile, and may have seen nothing here */
		writers_leave(fd, lo, hi - lo);
}

bool cow_leave(uintptr_t lo, uintptr_t hi)
{
	return !was_ever_on() || writers_leave(state.uffd.fd, lo, hi - lo) == 0;
}

static void own_run(uintptr_t lo, uintptr_t hi, page_word word, void *arg)
{
	(void)arg;
	if (!word_is_private_huge(word) || !(word_prot(word) & PROT_WRITE))
		return;
	for (uintptr_t at = lo; at < hi; at += word_page_bytes(word)) {
		struct claim c = pagemap_claim(at, at + 1);

		cow_own_all(at, at + 1);
		pagemap_unclaim(&c);
	}
}

bool cow_copy_all(void)
{
	if (!copier_is_on())
		return !copier_is_gone();
	touch_own_stack();
	pagemap_walk(own_run, NULL);
	copier_look_soon();
	return true;
}
