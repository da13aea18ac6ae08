/* SPDX-License-Identifier: MIT */
/*
 * What the kernel refuses, and what it never refuses on small pages: neighbours stay,
 * what is mapped stays what it is, and who unmaps can unmap.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)

static char *map_huge(size_t bytes)
{
	char *at = mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	REQUIRE_EQ(huge_in(at, bytes), bytes);
	fill_pages(at, bytes, 1);
	return at;
}

static void no_more_address_space(void)
{
	const struct rlimit none = { 1 * MIB, 1 * MIB };

	REQUIRE_EQ(setrlimit(RLIMIT_AS, &none), 0);
}

/* Sizes that were negative before: everything between two places is looked at. */
PROGRAM(grows_beyond_all_bounds)
{
	static const size_t absurd[] = { -(size_t)4096, -(size_t)MIB, -(size_t)PAGE, (size_t)1 << 62 };
	char *around = mmap(NULL, 64 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *at;

	REQUIRE_NE(around, MAP_FAILED);
	munmap(around + 8 * MIB, 16 * MIB);	/* room for a place that was found */
	at = map_huge(4 * MIB);
	for (size_t i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
		EXPECT_EQ(mremap(at, 4 * MIB, absurd[i], MREMAP_MAYMOVE), MAP_FAILED);
		EXPECT_TRUE(errno == ENOMEM || errno == EINVAL);
		EXPECT_EQ(mremap(at, 0, absurd[i], MREMAP_MAYMOVE), MAP_FAILED);
	}
	EXPECT_EQ(mapped_in(around, 8 * MIB), 8 * MIB);
	EXPECT_EQ(mapped_in(around + 24 * MIB, 40 * MIB), 40 * MIB);
	EXPECT_TRUE(holds_pages(at, 4 * MIB, 1));
	EXPECT_EQ(munmap(at, 4 * MIB), 0);
}

TEST(mremap_to_an_absurd_size_is_refused_and_unmaps_nobody)
{
	pool_set(PAGE, 4);
	run_with_us("grows_beyond_all_bounds");
}

PROGRAM(unmaps_without_address_space)
{
	char *at = map_huge(6 * MIB);

	no_more_address_space();
	EXPECT_EQ(munmap(at + 4096, 4096), 0);
	EXPECT_EQ(munmap(at + PAGE - 4096, PAGE + 8192), 0);
	EXPECT_EQ(at[0], *(volatile char *)at);
	EXPECT_TRUE(holds_pages(at, 4096, 1));
	EXPECT_EQ(munmap(at, 6 * MIB), 0);
	EXPECT_EQ(mapped_in(at, 6 * MIB), 0);
	EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
}

TEST(part_of_a_page_is_unmapped_where_there_is_no_address_space)
{
	pool_set(PAGE, 3);
	run_with_us("unmaps_without_address_space");
}

PROGRAM(unmaps_where_nothing_more_can_be_locked)
{
	const struct rlimit little = { 64 << 10, 64 << 10 };
	char *at = map_huge(4 * MIB);

	REQUIRE_EQ(setrlimit(RLIMIT_MEMLOCK, &little), 0);
	REQUIRE_EQ(mlockall(MCL_FUTURE), 0);
	/* root may lock what it likes */
	REQUIRE_EQ(setresuid(65534, 65534, 65534), 0);
	EXPECT_EQ(munmap(at + 4096, 4096), 0);
	EXPECT_TRUE(holds_pages(at, 4096, 1));
	EXPECT_EQ(munmap(at, 4 * MIB), 0);
	EXPECT_EQ(mapped_in(at, 4 * MIB), 0);
}

TEST(part_of_a_page_is_unmapped_where_nothing_more_can_be_locked)
{
	pool_set(PAGE, 2);
	run_with_us("unmaps_where_nothing_more_can_be_locked");
}

/* The kernel says no before it unmaps: what was there goes on being ours. */
PROGRAM(is_refused_a_mapping_over_ours)
{
	char *at = map_huge(4 * MIB);

	no_more_address_space();
	EXPECT_EQ(mmap(at, 64 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_HUGETLB, -1, 0),
		  MAP_FAILED);
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_TRUE(holds_pages(at, 4 * MIB, 1));
	EXPECT_EQ(madvise(at, 4096, MADV_DONTNEED), 0);
	EXPECT_TRUE(is_zero(at, 4096));
	EXPECT_EQ(munmap(at, 4 * MIB), 0);
	EXPECT_EQ(mapped_in(at, 4 * MIB), 0);
}

TEST(huge_mapping_that_is_refused_leaves_what_was_there_ours)
{
	pool_set(PAGE, 2);
	run_with_us("is_refused_a_mapping_over_ours", "HUGETLB_EXPLICIT=small");
}

/* Key 0 is everybody's, and the way to take another key off; not every machine has keys. */
PROGRAM(protects_with_key_zero)
{
	char *small = mmap(NULL, 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = map_huge(4 * MIB);
	int want, got;

	want = pkey_mprotect(small, 4096, PROT_READ, 0) ? errno : 0;
	got = pkey_mprotect(at + 4096, 4096, PROT_READ, 0) ? errno : 0;
	EXPECT_EQ(got, want);
	got = pkey_mprotect(at, 4 * MIB, RW, 0) ? errno : 0;
	EXPECT_EQ(got, want);
	want = pkey_mprotect(small, 4096, RW, 7) ? errno : 0;	/* never allocated */
	got = pkey_mprotect(at, 4 * MIB, RW, 7) ? errno : 0;
	EXPECT_EQ(got, want);
	EXPECT_EQ(mprotect(at, 4 * MIB, RW), 0);
	fill_pages(at, 4 * MIB, 2);
	EXPECT_TRUE(holds_pages(at, 4 * MIB, 2));
}

TEST(key_zero_and_a_key_of_nobodys_answer_as_on_small_memory)
{
	pool_set(PAGE, 2);
	run_with_us("protects_with_key_zero");
}
