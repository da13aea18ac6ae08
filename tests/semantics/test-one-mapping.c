/* SPDX-License-Identifier: MIT */
/*
 * What the program mapped in one call stays one mapping to it, whatever became of its
 * parts: mremap, which the kernel refuses across two mappings, grows and moves it.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define SMALL ((size_t)4096)
#define RW (PROT_READ | PROT_WRITE)

/* Three huge pages given back one by one, each written anew before the next goes: to the
 * kernel these are two mappings at least, as their pages have different histories. */
static char *map_with_histories(void)
{
	char *at = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	REQUIRE_EQ(huge_in(at, 3 * PAGE), 3 * PAGE);
	EXPECT_EQ(madvise(at, PAGE, MADV_DONTNEED), 0);
	memset(at, 1, PAGE);
	EXPECT_EQ(madvise(at + 2 * PAGE, PAGE, MADV_DONTNEED), 0);
	memset(at + 2 * PAGE, 3, PAGE);
	EXPECT_EQ(madvise(at + PAGE, PAGE, MADV_DONTNEED), 0);
	memset(at + PAGE, 2, PAGE);
	EXPECT_EQ(huge_in(at, 3 * PAGE), 0);
	return at;
}

PROGRAM(trims_both_ends_of_small_memory_and_grows_it)
{
	for (int cut = 0; cut < 2; cut++) {
		char *whole = map_with_histories();
		/* What is left has a part of two of the three, the first ones or the last. */
		char *at = whole + (cut ? PAGE : 0) + 5 * SMALL, *moved;
		size_t bytes = 2 * PAGE - 10 * SMALL;

		EXPECT_EQ(munmap(whole, (size_t)(at - whole)), 0);
		EXPECT_EQ(munmap(at + bytes, 3 * PAGE - bytes - (size_t)(at - whole)), 0);
		moved = mremap(at, bytes, bytes + PAGE, MREMAP_MAYMOVE);
		REQUIRE_NE(moved, MAP_FAILED);
		EXPECT_EQ(moved[0], cut + 1);
		EXPECT_EQ(moved[bytes - 1], cut + 2);
		EXPECT_EQ(moved[bytes], 0);
		moved[bytes + PAGE - 1] = 9;
		EXPECT_EQ(munmap(moved, bytes + PAGE), 0);
	}
}

TEST(what_is_left_of_one_mapping_grows_as_one)
{
	pool_set(PAGE, 3);
	run_with_us("trims_both_ends_of_small_memory_and_grows_it", "HUGETLB_PROMOTE=no");
}

TEST(what_is_left_of_one_mapping_grows_as_one_without_thp)
{
	pool_set(PAGE, 3);
	run_with_us("trims_both_ends_of_small_memory_and_grows_it", "HUGETLB_PROMOTE=no",
		    "HUGETLB_FALLBACK=small");
}

/* A second view of shared memory, of which what has no huge page is a part as any other. */
PROGRAM(looks_at_shared_memory_twice)
{
	const size_t bytes = 7 * MIB, from = PAGE + 5 * SMALL;
	char *at = mmap(NULL, bytes, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *view;

	REQUIRE_NE(at, MAP_FAILED);
	fill_pages(at, bytes, 8);
	view = mremap(at + from, 0, bytes - from, MREMAP_MAYMOVE);
	REQUIRE_NE(view, MAP_FAILED);
	EXPECT_EQ(memcmp(view, at + from, bytes - from), 0);
	for (size_t i = 0; i < bytes - from; i += SMALL)
		view[i] ^= 1;
	EXPECT_EQ(memcmp(view, at + from, bytes - from), 0);
	EXPECT_TRUE(holds_pages(at, PAGE, 8));
	EXPECT_EQ(munmap(view, bytes - from), 0);
	EXPECT_EQ(munmap(at, bytes), 0);
}

TEST(second_view_of_shared_memory_shows_its_small_rest)
{
	REQUIRE_EQ(program_alone("looks_at_shared_memory_twice", NULL).exit_status, 0);
	for (unsigned pages = 1; pages <= 3; pages++) {
		pool_set(PAGE, pages);
		run_with_us("looks_at_shared_memory_twice", "HUGETLB_FALLBACK=small");
	}
}
