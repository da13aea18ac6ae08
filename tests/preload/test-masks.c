/* SPDX-License-Identifier: MIT */
/*
 * What a thread believes to be blocked, where others have a word in it: a child of
 * vfork(), and calls that are refused.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/program.h"

static sigset_t only(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	return set;
}

static int is_blocked(int number)
{
	sigset_t now;

	sigprocmask(SIG_BLOCK, NULL, &now);
	return sigismember(&now, number);
}

/* Its table of actions is its own: nothing it does there arms its parent. */
PROGRAM(has_a_vfork_child_that_blocks_sigbus)
{
	sigset_t bus = only(SIGBUS), all, pending;
	int status = -1;
	pid_t pid;

	sigfillset(&all);
	pid = vfork();
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &all, NULL);
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(is_blocked(SIGBUS), 0);
	EXPECT_EQ(sigprocmask(SIG_BLOCK, &bus, NULL), 0);
	EXPECT_EQ(kill(getpid(), SIGBUS), 0);
	EXPECT_EQ(sigpending(&pending), 0);
	EXPECT_EQ(sigismember(&pending, SIGBUS), 1);
	EXPECT_EQ(sigwaitinfo(&bus, NULL), SIGBUS);
}

TEST(sigbus_blocked_by_a_vfork_child_is_blocked_by_its_parent_later)
{
	EXPECT_EQ(program_alone("has_a_vfork_child_that_blocks_sigbus", NULL).exit_status, 0);
	run_with_us("has_a_vfork_child_that_blocks_sigbus");
}

static volatile int was_blocked, is_still;

/* The kernel blocks it in its own handler; a call that is refused leaves that as it is. */
static void in_handler(int number)
{
	sigset_t none;

	sigemptyset(&none);
	was_blocked = is_blocked(number);
	EXPECT_EQ(sigprocmask(77, &none, NULL), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(syscall(SYS_rt_sigprocmask, SIG_SETMASK, (void *)16, NULL, 8), -1);
	EXPECT_EQ(errno, EFAULT);
	is_still = is_blocked(number);
}

PROGRAM(asks_for_a_wrong_mask_in_a_handler)
{
	const struct sigaction action = { .sa_handler = in_handler };
	sigset_t bus = only(SIGBUS);

	/* So that our handler is there. */
	EXPECT_EQ(sigprocmask(SIG_BLOCK, &bus, NULL), 0);
	EXPECT_EQ(sigprocmask(SIG_UNBLOCK, &bus, NULL), 0);
	EXPECT_EQ(sigaction(SIGBUS, &action, NULL), 0);
	EXPECT_EQ(raise(SIGBUS), 0);
	EXPECT_EQ(was_blocked, 1);
	EXPECT_EQ(is_still, 1);
	EXPECT_EQ(is_blocked(SIGBUS), 0);
}

TEST(a_mask_that_is_refused_leaves_what_a_handler_blocks)
{
	EXPECT_EQ(program_alone("asks_for_a_wrong_mask_in_a_handler", NULL).exit_status, 0);
	run_with_us("asks_for_a_wrong_mask_in_a_handler");
}
