/* SPDX-License-Identifier: MIT */
/*
 * mmap() and munmap(), with each system call failing in turn: a program's request
 * never fails for what went wrong inside.
 */
#include "tests/faults/act.h"

static void map_failing(int flags, int err)
{
	int nth = 0;

	for (bool fired = true; fired && nth < HELD_CALLS_MOST; ) {
		const struct held before = held_now();
		const struct request rq = request(flags);
		long at;

		faults_arm(++nth, err);
		at = route_map(&rq);
		fired = faults_fired();
		if (sys_failed(at))
			held_tell("route_map", nth, err);
		REQUIRE_TRUE(!sys_failed(at));
		EXPECT_EQ(mapped_in((void *)at, BYTES), BYTES);
		EXPECT_EQ(huge_in((void *)at, BYTES), stats_held());
		fill_pages((void *)at, BYTES, 9);
		EXPECT_TRUE(holds_pages((void *)at, BYTES, 9));
		EXPECT_EQ(route_unmap((uintptr_t)at, BYTES), 0);
		held_expect(&before, "route_map", nth, err);
	}
	EXPECT_LT(nth, HELD_CALLS_MOST);
}

TEST(map_of_private_memory_never_fails_for_one_call)
{
	warm_up(3);
	HELD_EACH_ERRNO(err)
		map_failing(MAP_PRIVATE, err);
}

TEST(map_of_shared_memory_never_fails_for_one_call)
{
	warm_up(3);
	HELD_EACH_ERRNO(err)
		map_failing(MAP_SHARED, err);
}

TEST(map_from_a_short_pool_never_fails_for_one_call)
{
	warm_up(3);
	for (unsigned long pages = 2; pages-- > 0;) {
		pool_set(PAGE, pages);
		HELD_EACH_ERRNO(err) {
			map_failing(MAP_PRIVATE, err);
			map_failing(MAP_SHARED, err);
		}
	}
}

TEST(map_is_ENOMEM_when_the_kernel_has_nothing_at_all)
{
	warm_up(3);
	for (int nth = 1; nth < 30; nth++) {
		const struct held before = held_now();
		const struct request rq = request(MAP_PRIVATE);
		long at;

		faults_arm_from(nth, ENOMEM);
		at = route_map(&rq);
		faults_disarm();
		if (sys_failed(at))
			EXPECT_EQ(at, -ENOMEM);
		else
			route_unmap((uintptr_t)at, BYTES);
		held_expect(&before, "route_map", nth, ENOMEM);
	}
}

/* The record of a page, and its page map words, are made while the kernel has no page for them. */
TEST(map_without_a_page_map_is_small)
{
	const struct request rq = request(MAP_PRIVATE);
	const struct held before = held_now();
	long at;

	pool_set(PAGE, 3);
	for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
		faults_arm_call(SYS_mmap, nth, ENOMEM);
		at = route_map(&rq);
		fired = faults_fired();
		REQUIRE_TRUE(!sys_failed(at));
		EXPECT_EQ(huge_in((void *)at, BYTES), stats_held());
		memset((void *)at, 1, BYTES);
		route_unmap((uintptr_t)at, BYTES);
		EXPECT_EQ(stats_held(), before.counted);
	}
}

/* The program's own munmap() fails: all is there as before, ours as before. */
TEST(unmap_that_the_kernel_refuses_changes_nothing)
{
	warm_up(3);
	for (int shared = 0; shared < 2; shared++) {
		char *at = map(shared ? MAP_SHARED : MAP_PRIVATE);
		const struct held before = held_now();

		fill_pages(at, BYTES, 4);
		faults_arm_call(SYS_munmap, 1, ENOMEM);
		EXPECT_EQ(route_unmap((uintptr_t)at, BYTES), -ENOMEM);
		EXPECT_TRUE(faults_fired());
		EXPECT_EQ(held_now().counted, before.counted);
		EXPECT_EQ(held_now().words, before.words);
		EXPECT_EQ(held_now().claims, 0);
		EXPECT_EQ(huge_in(at, BYTES), 3 * PAGE);
		if (!shared)
			EXPECT_TRUE(holds_pages(at, BYTES, 4));
		EXPECT_EQ(route_unmap((uintptr_t)at, BYTES), 0);
	}
}

/* Fills the process' table of mappings but for @left; the pages are never touched. */
static char *use_up_mappings(size_t *ret_bytes)
{
	const size_t bytes = 66000 * 4096ul;
	char *at = mmap(NULL, bytes, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	for (size_t i = 0; i < bytes; i += 2 * 4096)
		if (mprotect(at + i, 4096, PROT_READ) != 0)
			break;
	*ret_bytes = bytes;
	return at;
}

/* The real thing: no record for the split, and the pages must not have been freed before. */
TEST(unmap_in_the_middle_without_a_mapping_left_keeps_the_content)
{
	warm_up(3);
	for (int shared = 0; shared < 2; shared++) {
		char *at = map(shared ? MAP_SHARED : MAP_PRIVATE), *many;
		size_t bytes;
		long got;

		fill_pages(at, BYTES, 4);
		many = use_up_mappings(&bytes);
		got = route_unmap((uintptr_t)at + PAGE, PAGE);
		munmap(many, bytes);
		EXPECT_EQ(got, -ENOMEM);
		EXPECT_TRUE(holds_pages(at, BYTES, 4));
		EXPECT_EQ(stats_held(), 3 * PAGE);
		EXPECT_EQ(route_unmap((uintptr_t)at, BYTES), 0);
		EXPECT_EQ(stats_held(), 0);
	}
}

/* A pool without pages: what is remembered for later must not grow with every call. */
TEST(map_and_unmap_for_ever_keeps_nothing)
{
	const struct request rq = request(MAP_PRIVATE);
	struct held before;

	pool_set(PAGE, 0);
	for (int i = 0; i < 6000; i++) {
		long at[2];

		if (i == 3000)
			before = held_now();
		for (int n = 0; n < 2; n++)
			at[n] = route_map(&rq);
		for (int n = 0; n < 2; n++)
			route_unmap((uintptr_t)at[n], BYTES);
	}
	held_expect(&before, "route_map", 0, 0);
}
