/* SPDX-License-Identifier: MIT */
/*
 * A fork while memory is being built, in a moment in which who builds it steps out of
 * the gate: the child keeps nothing of what nobody will finish, and finishes what it is
 * at itself.
 */
#include <pthread.h>
#include <sys/wait.h>

#include "core/fork.h"
#include "core/guard.h"
#include "core/route.h"
#include "tests/faults/held.h"

#define BUILT ((size_t)130)	/* pages: more than two turns */
#define BYTES (BUILT * PAGE)

static struct {
	size_t mapped_before;
	int breathes[2], goes_on[2];
	struct request rq;
	long at;
	volatile sig_atomic_t signalled;
} test;

/* The first pages are made present: held back until the builder breathes. */
static long signal_ourselves(long nr, const long args[6], bool *ret_handled)
{
	(void)ret_handled;
	if (nr == SYS_madvise && args[2] == 23 && !test.signalled) {
		test.signalled = 1;
		raise(SIGUSR1);
	}
	return 0;
}

static struct request request_at(uintptr_t hint, int flags)
{
	return (struct request){ .at = hint, .bytes = BYTES, .prot = RW,
				 .flags = flags | MAP_PRIVATE | MAP_ANONYMOUS, .fd = -1 };
}

static void set_up(size_t pages, void (*handler)(int))
{
	fork_start();
	pool_set(PAGE, pages);
	held_grow_records();
	signal(SIGUSR1, handler);
}

static void expect_built(void)
{
	REQUIRE_TRUE(!sys_failed(test.at));
	if (test.rq.at)
		EXPECT_EQ(test.at, test.rq.at);
	EXPECT_EQ(mapped_in((void *)test.at, BYTES), BYTES);
	EXPECT_EQ(huge_in((void *)test.at, BYTES), stats_held());
	fill_pages((void *)test.at, BYTES, 1);
	EXPECT_TRUE(holds_pages((void *)test.at, BYTES, 1));
	EXPECT_EQ(route_unmap((uintptr_t)test.at, BYTES), 0);
	EXPECT_EQ(stats_held(), 0);
}

/* Another thread forks meanwhile ------------------------------------------------------ */

static void stand_still(int number)
{
	char byte = 0;

	(void)number;
	if (write(test.breathes[1], &byte, 1) != 1 || read(test.goes_on[0], &byte, 1) != 1)
		_exit(1);
}

static void *build(void *arg)
{
	(void)arg;
	test.at = route_map(&test.rq);
	return NULL;
}

static void fork_meanwhile(uintptr_t hint, int flags)
{
	pthread_t builder;
	int status = -1;
	pid_t child;
	char byte = 0;

	set_up(BUILT, stand_still);
	REQUIRE_EQ(pipe(test.breathes) | pipe(test.goes_on), 0);
	test.rq = request_at(hint, flags);
	REQUIRE_EQ(pthread_create(&builder, NULL, build, NULL), 0);
	pthread_join(builder, NULL);	/* its stack is kept for the next one */
	EXPECT_EQ(route_unmap((uintptr_t)test.at, BYTES), 0);
	test.mapped_before = held_mapped();
	sys_set_hook(signal_ourselves);
	REQUIRE_EQ(pthread_create(&builder, NULL, build, NULL), 0);
	REQUIRE_EQ(read(test.breathes[0], &byte, 1), 1);
	child = fork();
	if (child == 0)
		/* Records may have grown by a page or two meanwhile. */
		_exit(held_mapped() <= test.mapped_before + 16 * 4096 ? 0 : 1);
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	REQUIRE_EQ(write(test.goes_on[1], &byte, 1), 1);
	pthread_join(builder, NULL);
	sys_set_hook(NULL);
	expect_built();
	for (int i = 0; i < 2; i++)
		close(test.breathes[i]), close(test.goes_on[i]);
}

/* Far below what the kernel chooses for stacks and the like. */
static uintptr_t free_place(void)
{
	const size_t bytes = BYTES + GIB;
	char *at = mmap(NULL, bytes, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);

	munmap(at, bytes);
	return ((uintptr_t)at + PAGE - 1) & ~(PAGE - 1);
}

TEST(child_made_while_memory_is_built_keeps_nothing_of_it)
{
	fork_meanwhile(0, 0);
}

TEST(child_made_while_memory_is_built_at_a_hint_keeps_nothing_of_it)
{
	fork_meanwhile(free_place(), 0);
}

TEST(child_made_while_own_huge_memory_is_built_keeps_nothing_of_it)
{
	fork_meanwhile(0, MAP_HUGETLB);
}

TEST(child_made_while_own_huge_memory_is_built_at_a_hint_keeps_nothing_of_it)
{
	fork_meanwhile(free_place(), MAP_HUGETLB);
}

/* The thread itself forks, in a handler ----------------------------------------------------- */

static pid_t child_of_handler;

static void fork_now(int number)
{
	(void)number;
	child_of_handler = fork();
}

static void fork_within(uintptr_t hint)
{
	int status = -1;

	set_up(2 * BUILT, fork_now);
	test.rq = request_at(hint, 0);
	sys_set_hook(signal_ourselves);
	test.at = route_map(&test.rq);
	sys_set_hook(NULL);
	expect_built();
	if (child_of_handler == 0)
		_exit(0);
	EXPECT_EQ(waitpid(child_of_handler, &status, 0), child_of_handler);
	EXPECT_EQ(status, 0);
}

TEST(child_made_by_a_handler_finishes_what_it_interrupted)
{
	fork_within(0);
}

TEST(child_made_by_a_handler_finishes_what_it_interrupted_at_a_hint)
{
	fork_within(free_place());
}
