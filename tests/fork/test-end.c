/* SPDX-License-Identifier: MIT */
/* Copying of our own ends by itself, and nothing waits for it when it has ended. */
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>

#include "tests/fork/family.h"

static int threads(void)
{
	char line[256];
	FILE *status = fopen("/proc/self/status", "r");
	int n = 0;

	while (fgets(line, sizeof(line), status))
		sscanf(line, "Threads: %d", &n);
	fclose(status);
	return n;
}

static void wait_for_the_end(void)
{
	for (int ms = 0; ms < 5000 && threads() != 1; ms++)
		pause_ms(1);
	EXPECT_EQ(threads(), 1);
}

/* The thread and its protection go by themselves, soon after the last sharer. */
PROGRAM(waits_for_the_end)
{
	char *at = fresh();
	int stop[2];
	pid_t pid = keeper(stop);

	EXPECT_EQ(threads(), 2);
	end_keeper(stop, pid);
	wait_for_the_end();
	fill_pages(at, BYTES, 2);
	EXPECT_EQ(huge_in(at, BYTES), BYTES);
}

TEST(fork_copying_ends_by_itself_when_nobody_shares)
{
	pool_set(PAGE, PAGES);
	run_with_us("waits_for_the_end");
}

/* Pages of the heap that were protected, went back to the pool, and come again. */
PROGRAM(takes_its_heap_again)
{
	char *volatile at = malloc(BYTES);
	int stop[2];
	pid_t pid;

	fill_pages(at, BYTES, 1);
	REQUIRE_GE(huge_in(at, BYTES), BYTES - PAGE);
	pid = keeper(stop);
	REQUIRE_EQ(threads(), 2);
	free(at);
	malloc_trim(0);
	end_keeper(stop, pid);
	wait_for_the_end();
	at = malloc(BYTES);
	fill_pages(at, BYTES, 2);
	EXPECT_TRUE(holds_pages(at, BYTES, 2));
	EXPECT_GE(huge_in(at, BYTES), BYTES - PAGE);
	free(at);
}

TEST(heap_pages_given_back_while_they_are_copied_can_be_had_again)
{
	pool_set(PAGE, PAGES + 1);
	run_with_us("takes_its_heap_again", "HUGETLB_MALLOC_START=0");
}

/* Without the descriptor nothing can be let go of: what is to be locked is copied. */
PROGRAM(locks_what_it_shares)
{
	char *at = fresh();
	int stop[2];
	pid_t pid = keeper(stop);

	close_range((unsigned)stop[1] + 1, ~0u, 0);
	EXPECT_EQ(mlock(at, BYTES), 0);
	fill_pages(at, BYTES, 2);
	EXPECT_TRUE(holds_pages(at, BYTES, 2));
	EXPECT_EQ(munlock(at, BYTES), 0);
	end_keeper(stop, pid);
	wait_for_the_end();
	fill_pages(at, BYTES, 3);
	EXPECT_TRUE(holds_pages(at, BYTES, 3));
}

TEST(program_that_closed_every_descriptor_can_lock_memory_that_is_copied)
{
	pool_set(PAGE, PAGES);
	run_with_us("locks_what_it_shares");
}

/* mlock() let go of some, the child is gone: none of it may wait for us any more. */
PROGRAM(locks_after_the_end)
{
	char *at = fresh();
	int stop[2];
	pid_t pid = keeper(stop);

	close_range((unsigned)stop[1] + 1, ~0u, 0);
	end_keeper(stop, pid);
	EXPECT_EQ(mlock(at, BYTES), 0);
	fill_pages(at, BYTES, 2);
	wait_for_the_end();
	EXPECT_EQ(mprotect(at + PAGE, 4096, PROT_READ), 0);
	fill_pages(at + 2 * PAGE, BYTES - 2 * PAGE, 3);
	EXPECT_TRUE(holds_pages(at + 2 * PAGE, BYTES - 2 * PAGE, 3));
}

TEST(program_that_closed_every_descriptor_can_lock_memory_that_was_copied)
{
	pool_set(PAGE, PAGES);
	run_with_us("locks_after_the_end");
}
