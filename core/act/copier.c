/* SPDX-License-Identifier: MIT */
/*
 * copier.c - wait for writes, copy, end
 *
 * Pitfalls.
 * 1. The thread is no guest of the gate. The forking thread has the gate closed
 *    and may itself write to a protected page (its stack may lie there): it
 *    would wait for the thread, and the thread for the gate. So the thread goes
 *    by the claim of the page alone, and a fork may find it half way through
 *    one. What the child then sees is a word that says huge where the page is
 *    small already, which harms nothing, a claim nobody holds and a copy nobody
 *    knows: state.page says which page, and the child drops the claim.
 * 2. Copies are small pages, never huge ones: they come about while a fork is
 *    under way, and a huge one would be shared by it without protection.
 * 3. The kernel tells which pages are still shared (sharing.h). A page that is
 *    not needs no copy, and when none is, all this ends.
 * 4. Who has claimed one page may wait for the thread at another (its stack may lie
 *    there). So the thread waits for no claim: it lets the writer try again.
 * 5. What is still protected when the thread is gone hangs whoever writes to it.
 *    So the end takes everything out of the userfaultfd, under claims, and wakes
 *    who wrote meanwhile.
 * 6. Programs close descriptors they do not know. So the thread has a table of its
 *    own with nothing but ours in it, before the fork that started it returns.
 */
#include "core/act/copier.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <sys/syscall.h>

#include "core/act/demote.h"
#include "core/act/pagemap.h"
#include "core/act/sharing.h"
#include "core/act/writers.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/self.h"
#include "core/base/sys.h"
#include "core/base/thread.h"

#define CLOSE_RANGE_UNSHARE_FLAG 2
#define LOOK_FIRST_MS 2
#define LOOK_LAST_MS 512
#define MESSAGES 16
#define CLAIMED_AGAIN_NS 20000

/*
 * lock is held by fork from copier_hold() to copier_let_go(), and by the thread, which
 * never waits for it, while it ends or lets a page be written. It guards on and thread.
 */
static struct {
	struct lock lock;
	bool on;
	struct thread thread;
	uint32_t settled;		/* the thread has descriptors of its own */
	struct claim page;		/* claimed by the thread; hi = 0: none */
	uintptr_t last_shared;		/* the sweep's last answer: looked at first */
	uint32_t look_ms;
} state = { .lock = LOCK_INIT(LOCK_COW) };

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

/*
 * Called with the claim of the page. Without memory for a copy the kernel shall try. False:
 * it has no mapping left for one.
 */
static bool resolve(int fd, int pages_fd, uintptr_t at, page_word word)
{
	const size_t bytes = word_page_bytes(word);
	int err = 0;

	if (!give_leave(fd, pages_fd, at, bytes))
		err = demote_shared_page(at, word, REASON_FORK, false);
	if (err == -ENOSPC)
		return false;
	if (err)
		writers_protect(fd, at, bytes, false);
	writers_wake(fd, at, bytes);
	return true;
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

static bool is_nobodys(uintptr_t at)
{
	return !(pagemap_get(at) & (WORD_KIND_MASK | WORD_CLAIMED));
}

/* It may be somebody's now, but a fork has not protected it yet. */
static bool leave_unclaimed(int fd, uintptr_t at)
{
	if (!lock_try(&state.lock))
		return false;
	leave_alone(fd, at);
	lock_drop(&state.lock);
	return true;
}

static bool make_small(struct claim run)
{
	struct claim c;
	bool made;

	note_page(&run);
	if (!pagemap_try_claim(run.lo, run.hi, &c))
		return false;
	made = demote_run(run.lo, run.hi, REASON_FORK, false) == 0;
	pagemap_unclaim(&c);
	return made;
}

/*
 * The kernel has no mapping left for a copy of one page: all that lies round it goes, which
 * takes none (demote.h). Who waits here may have a claim of that: then the page alone, as
 * long as slack.h has something; and in the end the kernel shall try.
 */
static void make_run_small(int fd, uintptr_t fault)
{
	const struct claim run = demote_run_at(fault);
	const size_t bytes = word_page_bytes(pagemap_get(fault));
	const uintptr_t at = align_down(fault, bytes > GRANULE ? bytes : GRANULE);

	if (run.hi && !make_small(run) && !make_small((struct claim){ at, at + bytes }) &&
	    lock_try(&state.lock)) {
		writers_protect(fd, at, bytes, false);
		lock_drop(&state.lock);
	}
	if (run.hi)
		writers_wake(fd, run.lo, run.hi - run.lo);
	writers_wake(fd, at, GRANULE);
}

/* False: not without more mappings. */
static bool handle_claimed(int fd, int pages_fd, uintptr_t fault)
{
	const page_word word = pagemap_get(fault) & ~WORD_MARKS;

	if (word_is_private_huge(word))
		return resolve(fd, pages_fd, align_down(fault, word_page_bytes(word)), word);
	leave_alone(fd, align_down(fault, GRANULE));
	return true;
}

static void handle(int fd, int pages_fd, uintptr_t fault)
{
	uintptr_t at = align_down(fault, GRANULE);
	struct claim c = { at, at + GRANULE };
	page_word word = pagemap_get(at);
	bool done = true;

	if (word_is_private_huge(word))
		c = (struct claim){ align_down(at, word_page_bytes(word)),
				    align_down(at, word_page_bytes(word)) + word_page_bytes(word) };
	note_page(&c);
	if (pagemap_try_claim(at, at + 1, &c)) {
		done = handle_claimed(fd, pages_fd, fault);
		pagemap_unclaim(&c);
	} else if (!is_nobodys(at) || !leave_unclaimed(fd, at)) {
		sys_sleep_ns(CLAIMED_AGAIN_NS);
		writers_wake(fd, at, GRANULE);
	}
	if (!done)
		make_run_small(fd, fault);
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

struct ending {
	int fd;
	bool all;
};

static void leave_run(uintptr_t lo, uintptr_t hi, page_word word, void *arg)
{
	struct ending *e = arg;
	struct claim c;
	page_word now;

	if (!e->all || !word_is_private_huge(word))
		return;
	note_page(&(struct claim){ lo, hi });
	e->all = pagemap_try_claim(lo, hi, &c);
	if (e->all) {
		e->all = pagemap_run(lo, hi, &now) == hi && now == word &&
			 writers_leave(e->fd, lo, hi - lo) == 0;
		pagemap_unclaim(&c);
	}
	note_page(&(struct claim){ 0 });
}

static void turn(bool on, int fd)
{
	writers_stand(on ? fd : -1);
	__atomic_store_n(&state.on, on, __ATOMIC_SEQ_CST);
}

/*
 * True when it is over. Never while a fork is under way, nor while anybody is at our
 * memory: pages on their way from one place to another have no word to be found by.
 */
static bool end_if_idle(int fd, int pages_fd)
{
	struct ending e = { .fd = fd };

	if (sharing_any(pages_fd, &state.last_shared) || !lock_try(&state.lock))
		return false;
	if (!gate_try_close()) {
		lock_drop(&state.lock);
		return false;
	}
	if (!sharing_any(pages_fd, &state.last_shared)) {
		e.all = true;
		turn(false, fd);
		pagemap_walk(leave_run, &e);
		if (!e.all)
			turn(true, fd);
	}
	gate_open();
	lock_drop(&state.lock);
	return e.all;
}

/*
 * Nothing in the thread's table but what it reads. False: the table is still the
 * program's, which may close the number and open something of its own there.
 */
static bool keep_only(int fd)
{
	return sys_call(SYS_close_range, fd + 1, ~0u, CLOSE_RANGE_UNSHARE_FLAG, 0, 0, 0) == 0 &&
	       (fd == 0 ||
		sys_call(SYS_close_range, 0, fd - 1, CLOSE_RANGE_UNSHARE_FLAG, 0, 0, 0) == 0);
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

	gate_stay_out();
	if (!keep_only(fd))
		return;
	pages_fd = sharing_open();
	__atomic_store_n(&state.settled, 1, __ATOMIC_RELEASE);
	sys_futex_wake(&state.settled, 1);
	for (;;) {
		long ready = sys_wait_readable(fd, next_look());

		if (ready > 0)
			read_faults(fd, pages_fd);
		else if (end_if_idle(fd, pages_fd))
			return;
	}
}

int copier_start(int fd)
{
	/* A filter of the program's may forbid the thread to wake anybody. */
	const struct timespec look_again = { .tv_nsec = 1000000 };
	int err;

	/* The last one may have said that it ends and not be gone yet. */
	while (!thread_ended(&state.thread))
		sys_sleep_ns(CLAIMED_AGAIN_NS);
	__atomic_store_n(&state.settled, 0, __ATOMIC_RELAXED);
	err = thread_start(&state.thread, serve, (void *)(intptr_t)fd);
	if (err)
		return err;
	while (!__atomic_load_n(&state.settled, __ATOMIC_ACQUIRE)) {
		if (thread_ended(&state.thread))
			return -ESRCH;
		sys_futex_wait(&state.settled, 0, &look_again);
	}
	turn(true, fd);
	return 0;
}

/* A copy of the process has our descriptor, which is about the original's memory. */
bool copier_is_on(void)
{
	return __atomic_load_n(&state.on, __ATOMIC_SEQ_CST) && !self_is_copy();
}

bool copier_is_gone(void)
{
	return thread_ended(&state.thread);
}

void copier_look_soon(void)
{
	__atomic_store_n(&state.look_ms, LOOK_FIRST_MS, __ATOMIC_RELAXED);
}

/* It says that it is gone a moment before the kernel has forgotten it. */
void copier_wait_end(void)
{
	for (int ms = 0; ms < 2 * LOOK_LAST_MS && !copier_is_gone(); ms++)
		sys_sleep_ns(1000000);
	for (int tries = 0; tries < 200 && !writers_are_one(); tries++)
		sys_sleep_ns(100000);
}

void copier_forget(void)
{
	const struct claim page = state.page;

	lock_renew(&state.lock);
	turn(false, -1);
	thread_forget(&state.thread);
	state.page = (struct claim){ 0 };
	state.last_shared = 0;
	if (page.hi)
		pagemap_drop_stale(page.lo, page.hi);
}

void copier_hold(void)
{
	lock_take(&state.lock);
}

void copier_let_go(void)
{
	lock_drop(&state.lock);
}
