/* SPDX-License-Identifier: MIT */
/*
 * Calls that want a process of one thread find one, whatever thread of ours copies
 * after a fork; and what the kernel refuses to threads of the program it still refuses.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fork/family.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

PROGRAM(leaves_its_namespace)
{
	char *at = fresh();
	int stop[2], own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	pid_t pid = keeper(stop);

	EXPECT_EQ(setns(own, CLONE_NEWNS), 0);
	EXPECT_EQ(unshare(CLONE_NEWUSER), 0);
	EXPECT_TRUE(holds_pages(at, BYTES, 1));
	close(own);
	end_keeper(stop, pid);
	pid = fork();
	if (pid == 0)
		be_child(at);
	be_parent(at, pid);
}

static bool is_allowed(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) != 0);
	return status_of(pid) == 0;
}

TEST(unshare_and_setns_work_while_pages_are_shared)
{
	if (!is_allowed())
		SKIP("the right to make a user namespace");
	EVERY_POOL("leaves_its_namespace");
}

PROGRAM(leaves_it_by_number)
{
	char *at = fresh();
	int stop[2];
	pid_t pid = keeper(stop);

	at[0] = 2;
	EXPECT_EQ(syscall(SYS_unshare, CLONE_NEWUSER), 0);
	end_keeper(stop, pid);
}

TEST(unshare_by_number_works_while_pages_are_shared)
{
	if (!is_allowed())
		SKIP("the right to make a user namespace");
	pool_set(PAGE, PAGES);
	run_with_us("leaves_it_by_number");
}

static void *wait_at(void *arg)
{
	pthread_barrier_wait(arg);
	pthread_barrier_wait(arg);
	return NULL;
}

PROGRAM(has_a_thread)
{
	char *at = fresh();
	int stop[2];
	pid_t pid = keeper(stop);
	pthread_barrier_t both;
	pthread_t thread;

	pthread_barrier_init(&both, NULL, 2);
	pthread_create(&thread, NULL, wait_at, &both);
	pthread_barrier_wait(&both);
	EXPECT_EQ(unshare(CLONE_NEWUSER), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_TRUE(holds_pages(at, BYTES, 1));
	pthread_barrier_wait(&both);
	pthread_join(thread, NULL);
	end_keeper(stop, pid);
}

TEST(unshare_is_refused_to_a_program_with_threads)
{
	pool_set(PAGE, PAGES);
	run_with_us("has_a_thread");
}
