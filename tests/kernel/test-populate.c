/* SPDX-License-Identifier: MIT */
/*
 * What proof rests on: populating tells, keeps what came, and what is there stays.
 * Linux 5.14 (4ca9b3859dac) brought MADV_POPULATE.
 */
#include "tests/harness/cgroup.h"
#include "tests/kernel/kernel.h"

/* backing.c (R1): it owns nothing, and is there. */
TEST(populated_noreserve_memory_takes_no_reservation)
{
	char *at;

	pool_set(PAGE, 2);
	at = map_populated(2 * PAGE);
	EXPECT_EQ(pool_free(PAGE), 0);
	EXPECT_EQ(pool_resv(PAGE), 0);
	fill_pages(at, 2 * PAGE, 1);
	EXPECT_TRUE(holds_pages(at, 2 * PAGE, 1));
	munmap(at, 2 * PAGE);
	EXPECT_EQ(pool_free(PAGE), 2);
}

/* backing.c, before Linux 5.14: read(2) says EFAULT where a store would be SIGBUS. */
TEST(read_into_a_page_that_cannot_be_had_is_EFAULT)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char *at;

	pool_set(PAGE, 1);
	at = map_or_fail(2 * PAGE, RW, MAP_PRIVATE | MAP_NORESERVE | HUGE);
	EXPECT_EQ(read(fd, at, 1), 1);
	EXPECT_TRUE(present(at));
	EXPECT_EQ(read(fd, at + PAGE, 1), -1);
	EXPECT_EQ(errno, EFAULT);
	munmap(at, 2 * PAGE);
	close(fd);
}

/* backing.c finds out by bisection how many came. */
TEST(mincore_tells_which_huge_pages_are_there)
{
	unsigned char vec[512];
	char *at;

	pool_set(PAGE, 1);
	at = map_or_fail(2 * PAGE, RW, MAP_PRIVATE | MAP_NORESERVE | HUGE);
	at[0] = 1;
	EXPECT_EQ(mincore(at, PAGE, vec), 0);
	EXPECT_EQ(vec[0] & 1, 1);
	EXPECT_EQ(vec[511] & 1, 1);
	EXPECT_EQ(mincore(at + PAGE, PAGE, vec), 0);
	EXPECT_EQ(vec[0] & 1, 0);
	EXPECT_EQ(vec[511] & 1, 0);
	munmap(at, 2 * PAGE);
}

/* plan.c asks for surplus pages by trying: what mmap() got is there. */
TEST(surplus_pages_are_taken_at_mmap)
{
	char *at;

	pool_set(PAGE, 0);
	pool_set_overcommit(PAGE, 2);
	at = map_or_fail(2 * PAGE, RW, MAP_PRIVATE | HUGE);
	EXPECT_EQ(pool_surplus(PAGE), 2);
	EXPECT_EQ(pool_free(PAGE), 2);
	pool_set_overcommit(PAGE, 0);
	at[0] = at[PAGE] = 1;
	munmap(at, 2 * PAGE);
	EXPECT_EQ(pool_surplus(PAGE), 0);
}

/* demote.c: content is copied out of pages nobody may touch. (Linux 6.1 and 6.12 don't write there.) */
TEST(proc_self_mem_reads_what_is_PROT_NONE)
{
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	char *at, byte = 0;

	pool_set(PAGE, 1);
	at = map_populated(PAGE);
	at[7] = 42;
	mprotect(at, PAGE, PROT_NONE);
	EXPECT_EQ(pread(fd, &byte, 1, (off_t)(uintptr_t)at + 7), 1);
	EXPECT_EQ(byte, 42);
	munmap(at, PAGE);
	close(fd);
}

/* rescue.c need not fear it: a limit is never lowered under what is used. */
TEST(fault_limit_below_what_is_used_is_EBUSY)
{
	char path[512], *at;
	int fd;

	if (cgroup_version() != 2)
		SKIP("a hugetlb controller in cgroup2");
	pool_set(PAGE, 2);
	snprintf(path, sizeof(path), "%s/hugetlb.2MB.max", cgroup_make("pod"));
	cgroup_limit_fault("pod", PAGE, 2 * PAGE);
	cgroup_join("pod", 0);
	at = map_populated(2 * PAGE);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	REQUIRE_GE(fd, 0);
	EXPECT_EQ(write(fd, "2097152", 7), -1);
	EXPECT_EQ(errno, EBUSY);
	close(fd);
	at[0] = at[PAGE] = 1;
	munmap(at, 2 * PAGE);
}
