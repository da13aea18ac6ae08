/* SPDX-License-Identifier: MIT */
/*
 * cow.c - protect, wait for writes, copy
 *
 * Pitfalls.
 * 1. The thread is no guest of the gate. The forking thread has the gate closed
 *    and may itself write to a protected page (its stack may lie there): it
 *    would wait for the thread, and the thread for the gate. So the thread goes
 *    by the claim of the page alone, and a fork may find it half way through
 *    one. What the child then sees is a word that says huge where the page is
 *    small already, which harms nothing, a claim nobody holds and a copy nobody
 *    knows: state.page says which page, and the child drops the claim.
 * 2. Who holds the claim of a page and writes to it would wait for the thread,
 *    and the thread for the claim: cow_own() first.
 * 3. Copies are small pages, never huge ones: they come about while a fork is
 *    under way, and a huge one would be shared by it without protection.
 * 4. The kernel tells which pages are still shared (sharing.h). A page that is
 *    not needs no copy, and when none is, all this ends.
 * 5. Programs close descriptors they do not know, and open others in their
 *    place. So the thread has a table of its own with nothing but ours in it,
 *    and the process' number, far up, is looked at before it is used again.
 */
#include "core/act/cow.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/act/demote.h"
#include "core/act/sharing.h"
#include "core/act/writers.h"
#include "core/base/align.h"
#include "core/base/fd.h"
#include "core/base/lock.h"
#include "core/base/self.h"
#include "core/base/sys.h"
#include "core/base/thread.h"

/* Came with Linux 6.4, and with it the mending of what made a child hang. */
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#define CLOSE_RANGE_UNSHARE_FLAG 2
#define LOOK_FIRST_MS 2
#define LOOK_LAST_MS 512
#define MESSAGES 16
#define STACK_BELOW 32768

/*
 * lock is held by fork from cow_hold() to cow_let_go(), and by the thread, which
 * never waits for it, while it ends or lets a page be written. It guards fd, on and thread. A fork child renews it.
 */
static struct {
	struct lock lock;
	int possible;			/* 0: not known, 1: yes, -1: no */
	int fd;				/* kept when it is over; 0: never had one */
	bool on;
	struct thread thread;
	struct claim page;		/* being copied by the thread; hi = 0: none */
	uintptr_t last_shared;		/* the sweep's last answer: looked at first */
	uint32_t look_ms;
} state = { .lock = LOCK_INIT(LOCK_COW) };

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
 * Nobody else has the page: it may be written. But not if a fork is about to share
 * it, which has protected it, maybe just now.
 */
static bool give_leave(int fd, int pages_fd, uintptr_t at, size_t bytes)
{
	bool given;

	if (!lock_try(&state.lock))
		return false;
	given = sharing_of(pages_fd, at) != SHARING_SHARED &&
		writers_protect(fd, at, bytes, false) == 0;
	lock_drop(&state.lock);
	return given;
}

/* Called with the claim of the page. Without memory for a copy the kernel shall try. */
static void resolve(int fd, int pages_fd, uintptr_t at, page_word word)
{
	const size_t bytes = word_page_bytes(word);

	if (!give_leave(fd, pages_fd, at, bytes) &&
	    demote_shared_page(at, word, REASON_FORK, false) != 0)
		writers_protect(fd, at, bytes, false);
	writers_wake(fd, at, bytes);
}

/* For a child that is forked meanwhile. */
static void note_page(const struct claim *c)
{
	__atomic_store_n(&state.page.hi, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&state.page.lo, c->lo, __ATOMIC_RELEASE);
	__atomic_store_n(&state.page.hi, c->hi, __ATOMIC_RELEASE);
}

/* Not what it was: try again there. */
static void leave_alone(int fd, uintptr_t at)
{
	writers_protect(fd, at, GRANULE, false);
	writers_wake(fd, at, GRANULE);
}

static void handle(int fd, int pages_fd, uintptr_t fault)
{
	uintptr_t at = align_down(fault, GRANULE);
	struct claim c = { at, at + GRANULE };
	page_word word = pagemap_get(at);

	if (word_is_private_huge(word))
		c = (struct claim){ align_down(at, word_page_bytes(word)),
				    align_down(at, word_page_bytes(word)) + word_page_bytes(word) };
	note_page(&c);
	c = pagemap_claim(at, at + 1);
	word = pagemap_get(at) & ~WORD_MARKS;
	if (word_is_private_huge(word))
		resolve(fd, pages_fd, align_down(fault, word_page_bytes(word)), word);
	else
		leave_alone(fd, at);
	pagemap_unclaim(&c);
	note_page(&(struct claim){ 0 });
}

static void read_faults(int fd, int pages_fd)
{
	struct uffd_msg messages[MESSAGES];
	long got = sys_read(fd, messages, sizeof(messages));

	for (long i = 0; i < got / (long)sizeof(messages[0]); i++)
		if (messages[i].event == UFFD_EVENT_PAGEFAULT)
			handle(fd, pages_fd, (uintptr_t)messages[i].arg.pagefault.address);
}

static void release_run(uintptr_t lo, uintptr_t hi, page_word word, void *arg)
{
	if (word_is_private_huge(word))
		writers_protect(*(const int *)arg, lo, hi - lo, false);
}

/* True when it is over. Never while a fork is under way. */
static bool end_if_idle(int fd, int pages_fd)
{
	if (!lock_try(&state.lock))
		return false;
	if (sharing_any(pages_fd, &state.last_shared)) {
		lock_drop(&state.lock);
		return false;
	}
	writers_stand(-1);
	pagemap_walk(release_run, &fd);
	__atomic_store_n(&state.on, false, __ATOMIC_RELEASE);
	lock_drop(&state.lock);
	return true;
}

/* Nothing in the thread's table but what it reads. */
static void keep_only(int fd)
{
	sys_call(SYS_close_range, 0, fd - 1, CLOSE_RANGE_UNSHARE_FLAG, 0, 0, 0);
	sys_call(SYS_close_range, fd + 1, ~0u, CLOSE_RANGE_UNSHARE_FLAG, 0, 0, 0);
}

/* Looks soon after a fork, when the child may exec, and seldom later. */
static int next_look(void)
{
	uint32_t ms = __atomic_load_n(&state.look_ms, __ATOMIC_RELAXED);

	if (ms < LOOK_LAST_MS)
		__atomic_store_n(&state.look_ms, ms * 2, __ATOMIC_RELAXED);
	return (int)ms;
}

static void serve(void *arg)
{
	int fd = (int)(intptr_t)arg, pages_fd;

	keep_only(fd);
	pages_fd = sharing_open();
	for (;;) {
		long ready = sys_wait_readable(fd, next_look());

		if (ready > 0)
			read_faults(fd, pages_fd);
		else if (end_if_idle(fd, pages_fd))
			return;
	}
}

static bool is_still_ours(int fd)
{
	long err = sys_ioctl(fd, UFFDIO_API, &(struct uffdio_api){ .api = 0 });

	return err != -EBADF && err != -ENOTTY;
}

static int open_again(void)
{
	int fd;

	if (state.fd && is_still_ours(state.fd))
		return state.fd;
	fd = writers_open_full(UFFD_FEATURE_WP_UNPOPULATED);
	if (fd >= 0)
		fd = fd_move_up(fd);
	state.fd = fd >= 0 ? fd : 0;
	return fd;
}

/* What could not be protected is made small, which the kernel copies by itself. */
static void make_small(uintptr_t lo, uintptr_t hi, page_word word)
{
	const size_t page = word_page_bytes(word);

	for (uintptr_t at = lo; at < hi; at += page) {
		struct claim c = pagemap_claim(at, at + 1);

		if ((pagemap_get(at) & ~WORD_MARKS) == word)
			demote_shared_page(at, word, REASON_FORK, false);
		pagemap_unclaim(&c);
	}
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

/* The caller would wait for itself if it wrote to its own stack with it claimed. */
static void free_own_stack(void)
{
	char here;
	uintptr_t at = (uintptr_t)&here;

	for (uintptr_t near = at - STACK_BELOW; near <= at + STACK_BELOW; near += STACK_BELOW) {
		page_word word = pagemap_get(near) & ~WORD_MARKS;

		if (word_is_private_huge(word))
			make_small(align_down(near, word_page_bytes(word)), near + 1, word);
	}
}

static int start(void)
{
	int fd = open_again(), err;

	if (fd < 0)
		return fd;
	/* The last one may have said that it ends and not be gone yet. */
	while (!thread_ended(&state.thread))
		sys_sleep_ns(20000);
	err = thread_start(&state.thread, serve, (void *)(intptr_t)fd);
	if (err)
		return err;
	__atomic_store_n(&state.on, true, __ATOMIC_RELEASE);
	writers_stand(fd);
	return 0;
}

int cow_begin(void)
{
	int err = state.on ? 0 : start();

	if (err)
		return err;
	__atomic_store_n(&state.look_ms, LOOK_FIRST_MS, __ATOMIC_RELAXED);
	free_own_stack();
	pagemap_walk(protect_run, &state.fd);
	return 0;
}

void cow_forget(void)
{
	struct claim page = state.page;

	lock_renew(&state.lock);
	writers_stand(-1);
	thread_forget(&state.thread);
	if (state.fd)
		sys_close(state.fd);
	state.fd = 0;
	state.on = false;
	state.page = (struct claim){ 0 };
	state.last_shared = 0;
	if (page.hi)
		pagemap_drop_stale(page.lo, page.hi);
}

void cow_hold(void)
{
	lock_take(&state.lock);
}

void cow_let_go(void)
{
	lock_drop(&state.lock);
}

/* A copy of the process has our descriptor, which is about the original's memory. */
static bool is_on(void)
{
	return __atomic_load_n(&state.on, __ATOMIC_ACQUIRE) && !self_is_copy();
}

bool cow_own(uintptr_t at, page_word word)
{
	int fd = state.fd, pages_fd;
	bool shared;

	if (!is_on() || !word_is_private_huge(word))
		return true;
	pages_fd = sharing_open();
	shared = sharing_of(pages_fd, at) == SHARING_SHARED;
	if (pages_fd >= 0)
		sys_close(pages_fd);
	if (shared && demote_shared_page(at, word, REASON_FORK, false) == 0)
		return false;
	writers_protect(fd, at, word_page_bytes(word), false);
	writers_wake(fd, at, word_page_bytes(word));
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
	int fd = state.fd;

	if (is_on())
		protect_run(lo, hi, word, &fd);
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

/* As free_own_stack(), where it is protected already: the thread copies it, unclaimed. */
static __attribute__((noinline)) void touch_own_stack(void)
{
	volatile char below[STACK_BELOW];

	for (size_t i = 0; i < sizeof(below); i += 4096)
		below[i] = 0;
}

bool cow_copy_all(void)
{
	if (!is_on())
		return !thread_ended(&state.thread);
	touch_own_stack();
	pagemap_walk(own_run, NULL);
	__atomic_store_n(&state.look_ms, LOOK_FIRST_MS, __ATOMIC_RELAXED);
	return true;
}

/* It says that it is gone a moment before the kernel has forgotten it. */
void cow_wait_end(void)
{
	for (int ms = 0; ms < 2 * LOOK_LAST_MS && !thread_ended(&state.thread); ms++)
		sys_sleep_ns(1000000);
	for (int tries = 0; tries < 200 && !writers_are_one(); tries++)
		sys_sleep_ns(100000);
}
