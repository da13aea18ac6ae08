/* SPDX-License-Identifier: MIT */
/*
 * Who runs on huge memory of ours and makes a call that splits, empties or promotes the
 * page it runs on: a coroutine, whose library guards and trims stacks.
 */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define BYTES (4 * PAGE)
#define RW (PROT_READ | PROT_WRITE)
#define BEYOND (2 * PAGE + PAGE / 2 + 8192)	/* what no action touches, from here on */
#define MARGIN 1024		/* what a call may need below its caller's frame, and no more */

static char *memory, *mapping;
static ucontext_t outside, coroutine;
static void (*action)(char *page);
static unsigned right;		/* frames that were found as they were left */

/* Frames full of numbers above the call. */
static __attribute__((noinline)) void run_below(unsigned depth)
{
	volatile unsigned mine[256];

	for (unsigned i = 0; i < 256; i++)
		mine[i] = depth * i + 7;
	if (depth)
		run_below(depth - 1);
	else
		action((char *)((uintptr_t)mine & ~(PAGE - 1)));
	for (unsigned i = 0; i < 256; i++)
		right += mine[i] == depth * i + 7;
}

static void run(void)
{
	run_below(16);
}

/* On a stack of which the upper quarter of a page is used, and the whole page below it. */
static void run_there(void (*what)(char *page))
{
	action = what;
	right = 0;
	REQUIRE_EQ(getcontext(&coroutine), 0);
	coroutine.uc_stack.ss_sp = memory + PAGE;
	coroutine.uc_stack.ss_size = PAGE + PAGE / 4;
	coroutine.uc_link = &outside;
	makecontext(&coroutine, run, 0);
	REQUIRE_EQ(swapcontext(&outside, &coroutine), 0);
	EXPECT_EQ(right, 17u * 256);
}

static void map(void)
{
	mapping = mmap(NULL, BYTES + PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE_NE(mapping, MAP_FAILED);
	memory = (char *)(((uintptr_t)mapping + PAGE - 1) & ~(PAGE - 1));
	fill_pages(memory, BYTES, 3);
	fill_pages(memory + BEYOND, BYTES - BEYOND, 5);
}

static void unmap_all(void)
{
	EXPECT_TRUE(holds_pages(memory + BEYOND, BYTES - BEYOND, 5));
	EXPECT_EQ(munmap(mapping, BYTES + PAGE), 0);
}

static void protect(char *page) { EXPECT_EQ(mprotect(page + PAGE / 2, 4096, PROT_NONE), 0); }
static void unmap(char *page) { EXPECT_EQ(munmap(page + PAGE / 2, 4096), 0); }
static void wipe(char *page) { EXPECT_EQ(madvise(page + PAGE / 2, 4096, MADV_WIPEONFORK), 0); }

static __attribute__((noinline)) void trim(char *page)
{
	uintptr_t end = ((uintptr_t)__builtin_frame_address(0) - MARGIN) & ~(uintptr_t)4095;

	EXPECT_EQ(madvise(page - PAGE, end - (uintptr_t)page + PAGE, MADV_DONTNEED), 0);
	EXPECT_EQ(page[-4096], 0);
	EXPECT_EQ(*(char *)(end - 4096 * 2), 0);
}

PROGRAM(splits_what_it_runs_on)
{
	void (*const what[])(char *) = { protect, unmap, wipe, trim };

	for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		map();
		run_there(what[i]);
		unmap_all();
	}
}

TEST(stack_in_a_page_that_its_owner_splits_or_trims_stays_what_it_was)
{
	EXPECT_EQ(program_alone("splits_what_it_runs_on", NULL).exit_status, 0);
	pool_set(PAGE, 6);
	run_with_us("splits_what_it_runs_on");
}

static void ask_for_more(char *page)
{
	for (int i = 0; i < 200 && huge_in(page, PAGE) == 0; i++) {
		void *large = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		EXPECT_EQ(munmap(large, PAGE), 0);
	}
	EXPECT_EQ(huge_in(page, PAGE), PAGE);
}

/* All but the first page begin small, and become huge on later calls. */
PROGRAM(runs_on_what_becomes_huge)
{
	map();
	run_there(ask_for_more);
	unmap_all();
}

TEST(stack_in_memory_that_its_owner_makes_huge_stays_what_it_was)
{
	pool_set(PAGE, 8);
	run_with_us("runs_on_what_becomes_huge", "HUGETLB_EAGER_MAX=2M");
}
