/* SPDX-License-Identifier: MIT */
/*
 * Forks by who runs on a stack in private huge memory: a coroutine, and a thread. What is
 * protected or made small then is what the fork itself writes to.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/fork/family.h"

static char *stack;		/* the first half of it is a stack, the rest is looked at */
static ucontext_t here, there;

static bool rest_holds(uint32_t with)
{
	return holds_pages(stack + BYTES / 2, BYTES / 2, with);
}

/* A little of the stack's own page too, so that it is written on both sides. */
static bool lives_on(uint32_t with)
{
	volatile unsigned char room[16384];
	bool right = true;

	for (size_t i = 0; i < sizeof(room); i++)
		room[i] = (unsigned char)(with + i);
	fill_pages(stack + BYTES / 2, BYTES / 2, with);
	for (size_t i = 0; i < sizeof(room); i++)
		right = right && room[i] == (unsigned char)(with + i);
	return right && rest_holds(with);
}

static void fork_twice(void)
{
	for (uint32_t round = 1; round < 3; round++) {
		pid_t pid;

		fill_pages(stack + BYTES / 2, BYTES / 2, round);
		pid = fork();
		if (pid == 0) {
			bool right = rest_holds(round);
			pid_t next = fork();

			if (next == 0)
				_exit(rest_holds(round) && lives_on(7) ? 0 : 9);
			right = right && lives_on(5);
			_exit(right && status_of(next) == 0 && rest_holds(5) ? 0 : 9);
		}
		REQUIRE_TRUE(pid > 0);
		EXPECT_TRUE(lives_on(3));
		EXPECT_EQ(status_of(pid), 0);
		EXPECT_TRUE(rest_holds(3));
	}
}

PROGRAM(forks_in_a_coroutine)
{
	stack = fresh();
	REQUIRE_EQ(getcontext(&there), 0);
	there.uc_stack = (stack_t){ .ss_sp = stack, .ss_size = BYTES / 2 };
	there.uc_link = &here;
	makecontext(&there, fork_twice, 0);
	REQUIRE_EQ(swapcontext(&here, &there), 0);
}

static void *fork_in_thread(void *arg)
{
	fork_twice();
	return arg;
}

PROGRAM(forks_in_a_thread)
{
	pthread_attr_t attr;
	pthread_t thread;

	stack = fresh();
	pthread_attr_init(&attr);
	REQUIRE_EQ(pthread_attr_setstack(&attr, stack, BYTES / 2), 0);
	REQUIRE_EQ(pthread_create(&thread, &attr, fork_in_thread, NULL), 0);
	EXPECT_EQ(pthread_join(thread, NULL), 0);
}

TEST(fork_by_a_coroutine_on_huge_memory_keeps_both_sides_right)
{
	EVERY_POOL("forks_in_a_coroutine");
}

TEST(fork_by_a_coroutine_that_copies_keeps_both_sides_right)
{
	EVERY_POOL("forks_in_a_coroutine", "HUGETLB_FORK=copy");
}

TEST(fork_by_a_thread_on_huge_memory_keeps_both_sides_right)
{
	EVERY_POOL("forks_in_a_thread");
}
