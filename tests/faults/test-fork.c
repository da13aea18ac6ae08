/* SPDX-License-Identifier: MIT */
// timeout: 300
/*
 * A fork on a pool without a page to spare, with the n-th system call of ours
 * failing, before and after: both sides live and have their data. What one way can't
 * do another does, and what none did the net mends.
 */
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/sys.h"
#include "core/fork.h"
#include "core/route.h"
#include "tests/harness/faults.h"
#undef KIB
#undef MIB
#undef GIB
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"

#define PAGE (2 * MIB)
#define PAGES 3
#define BYTES (PAGES * PAGE)
#define CALLS_MOST 300

enum { RIGHT = 0, WRONG = 1, RIGHT_AND_FIRED = 20 };

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ 0, ms * 1000000 }, NULL);
}

static int status_of(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

__attribute__((noreturn)) static void be_child(void *at)
{
	bool right, fired;

	fork_child();
	fired = faults_fired();
	right = holds_pages(at, BYTES, 1);
	pause_ms(2);
	right = right && holds_pages(at, BYTES, 1);
	fill_pages(at, BYTES, 3);
	right = right && holds_pages(at, BYTES, 3);
	_exit(!right ? WRONG : fired ? RIGHT_AND_FIRED : RIGHT);
}

/* In a process of its own, which reads the policy afresh. */
__attribute__((noreturn)) static void one_fork(const char *policy, int nth, int err)
{
	const struct request rq = { .use = USE_MMAP, .bytes = BYTES, .prot = PROT_READ | PROT_WRITE,
				    .flags = MAP_PRIVATE | MAP_ANONYMOUS, .fd = -1 };
	void *at;
	pid_t pid;
	bool fired, right;
	int end;

	setenv("HUGETLB_FORK", policy, 1);
	at = (void *)route_map(&rq);
	fill_pages(at, BYTES, 1);
	if (huge_in(at, BYTES) != BYTES)
		_exit(WRONG);
	faults_arm(nth, err);
	fork_prepare();
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		be_child(at);
	fork_parent();
	fired = faults_fired();
	fill_pages(at, BYTES, 2);
	right = holds_pages(at, BYTES, 2);
	end = status_of(pid);
	right = right && holds_pages(at, BYTES, 2) && (end == RIGHT || end == RIGHT_AND_FIRED);
	if (!right)
		fprintf(stderr, "%s, call %d fails with %d: child ended with %d\n", policy, nth, err, end);
	_exit(!right ? WRONG : fired || end == RIGHT_AND_FIRED ? RIGHT_AND_FIRED : RIGHT);
}

static void every_call_failing(const char *policy, int err)
{
	int end = RIGHT_AND_FIRED, nth = 0;

	pool_set(PAGE, PAGES);
	while (end == RIGHT_AND_FIRED && nth < CALLS_MOST) {
		pid_t pid = fork();

		nth++;
		if (pid == 0)
			one_fork(policy, nth, err);
		end = status_of(pid);
	}
	EXPECT_EQ(end, RIGHT);
	EXPECT_GT(nth, 5);
}

TEST_TIMEOUT(fork_survives_any_call_that_fails_for_want_of_memory, 120)
{
	every_call_failing("auto", ENOMEM);
}

TEST_TIMEOUT(fork_survives_any_call_that_is_forbidden, 120)
{
	every_call_failing("auto", EPERM);
}

TEST_TIMEOUT(fork_with_policy_copy_survives_any_call_that_fails, 120)
{
	every_call_failing("copy", ENOMEM);
}

/*
 * The parent has copied all that it shared before the child protects it: there the thread
 * that copies sees that nobody shares anything, and it may not end before all is protected.
 */
static pid_t child_of;

/* Instead of the child's wait for its thread. */
static long until_the_thread_ends(long nr, const long args[6], bool *ret_handled)
{
	struct stat st;

	if (nr != SYS_futex || (args[1] & 127) != FUTEX_WAIT || getpid() == child_of)
		return 0;
	*ret_handled = true;
	for (int tries = 0; tries < 200; tries++) {
		if (stat("/proc/self/task", &st) == 0 && st.st_nlink == 3)
			break;
		pause_ms(1);
	}
	return 0;
}

static int forked_and_copied_meanwhile(void)
{
	const struct request rq = { .use = USE_MMAP, .bytes = BYTES, .prot = PROT_READ | PROT_WRITE,
				    .flags = MAP_PRIVATE | MAP_ANONYMOUS, .fd = -1 };
	void *at = (void *)route_map(&rq);
	int copied[2], status = -1;
	char byte = 0;
	pid_t pid;

	fill_pages(at, BYTES, 1);
	if (pipe(copied) != 0)
		return WRONG;
	child_of = getpid();
	sys_set_hook(until_the_thread_ends);
	fork_prepare();
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		alarm(20);
		if (read(copied[0], &byte, 1) != 1)
			_exit(WRONG);
		be_child(at);
	}
	fork_parent();
	fill_pages(at, BYTES, 2);
	if (write(copied[1], &byte, 1) != 1)
		return WRONG;
	status = status_of(pid);
	return holds_pages(at, BYTES, 2) ? status : WRONG;
}

TEST(fork_whose_parent_has_copied_all_before_the_child_protects_it_hangs_nobody)
{
	int status = -1;
	pid_t pid;

	pool_set(PAGE, PAGES);
	pid = fork();
	if (pid == 0)
		_exit(forked_and_copied_meanwhile());
	status = status_of(pid);
	EXPECT_EQ(status, RIGHT);
}
