/* SPDX-License-Identifier: MIT */
/*
 * CLONE_VFORK of a child with memory of its own: the parent waits until it execs or ends,
 * and nobody else does.
 */
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)

static int started[2], worked[2];
static char stack[64 << 10] __attribute__((aligned(16)));
static volatile int *shared;

/* Memory is mapped by another thread while the child lives, and the child waits for it. */
static void *work(void *arg)
{
	char byte, *at;

	(void)arg;
	if (read(started[0], &byte, 1) != 1)
		return NULL;
	at = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	at[0] = 1;
	EXPECT_EQ(munmap(at, PAGE), 0);
	EXPECT_EQ(write(worked[1], "", 1), 1);
	return NULL;
}

static int be_child(void *arg)
{
	char byte = 0;

	(void)arg;
	if (write(started[1], &byte, 1) != 1 || read(worked[0], &byte, 1) != 1)
		_exit(1);
	*shared = 1;
	_exit(0);
}

static pid_t by_clone(void)
{
	return clone(be_child, stack + sizeof(stack), CLONE_VFORK | SIGCHLD, NULL);
}

static pid_t by_number(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		be_child(NULL);
	return pid;
}

static pid_t by_clone3(void)
{
	struct clone_args args = { .flags = CLONE_VFORK, .exit_signal = SIGCHLD };
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		be_child(NULL);
	return pid;
}

PROGRAM(makes_children_that_wait_for_a_thread)
{
	pid_t (*const ways[])(void) = { by_clone, by_number, by_clone3 };

	alarm(20);
	shared = mmap(NULL, 4096, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE_EQ(pipe(started) | pipe(worked), 0);
	for (size_t i = 0; i < 3; i++) {
		pthread_t thread;
		int status = -1;
		pid_t pid;

		*shared = 0;
		REQUIRE_EQ(pthread_create(&thread, NULL, work, NULL), 0);
		pid = ways[i]();
		EXPECT_EQ(*shared, 1);		/* it was waited for */
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT_EQ(status, 0);
		pthread_join(thread, NULL);
	}
}

TEST(thread_is_not_held_up_by_a_child_of_clone_vfork)
{
	pool_set(PAGE, 4);
	EXPECT_EQ(program_alone("makes_children_that_wait_for_a_thread", NULL).exit_status, 0);
	run_with_us("makes_children_that_wait_for_a_thread");
}

/* The exec lets the parent go on, whatever the child's own child keeps open. */
static int exec_after_fork(void *arg)
{
	(void)arg;
	if (fork() == 0) {
		pause();
		_exit(0);
	}
	*shared = 2;
	execlp("sh", "sh", "-c", "read line", (char *)NULL);
	_exit(1);
}

PROGRAM(makes_a_child_that_execs)
{
	int in[2], status = -1;
	pid_t pid;

	alarm(20);
	setpgid(0, 0);
	signal(SIGTERM, SIG_IGN);
	shared = mmap(NULL, 4096, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE_EQ(pipe(in), 0);
	dup2(in[0], 0);
	signal(SIGTERM, SIG_DFL);
	pid = clone(exec_after_fork, stack + sizeof(stack), CLONE_VFORK | SIGCHLD, NULL);
	EXPECT_EQ(*shared, 2);
	EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);	/* it runs, and reads */
	EXPECT_EQ(write(in[1], "\n", 1), 1);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
}

TEST(clone_vfork_comes_back_when_the_child_execs)
{
	pool_set(PAGE, 4);
	EXPECT_EQ(program_alone("makes_a_child_that_execs", NULL).exit_status, 0);
	run_with_us("makes_a_child_that_execs");
}
