/* SPDX-License-Identifier: MIT */
/*
 * A page that cannot be split, as a child shares it: parts of it go one by one, and
 * what a refused call was to take is not gone.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define HALF (PAGE / 2)
#define RW (PROT_READ | PROT_WRITE)

static char *map_shared_with_a_child(void)
{
	char *at = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	REQUIRE_TRUE(at != MAP_FAILED);
	EXPECT_EQ(huge_in(at, PAGE), PAGE);
	fill_pages(at, PAGE, 1);
	pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return at;
}

PROGRAM(maps_over_a_half_in_vain)
{
	char *at = map_shared_with_a_child();

	EXPECT_EQ(mmap(at, HALF, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), MAP_FAILED);
	EXPECT_EQ(munmap(at + HALF, HALF), 0);
	EXPECT_EQ(mapped_in(at, HALF), HALF);
	EXPECT_TRUE(holds_pages(at, HALF, 1));
	EXPECT_EQ(munmap(at, HALF), 0);
	EXPECT_EQ(mapped_in(at, PAGE), 0);
}

TEST(half_a_page_lives_on_when_mapping_over_it_was_refused)
{
	pool_set(PAGE, 1);
	run_with_us("maps_over_a_half_in_vain");
}

/* The kernel refuses a length beyond the address space, and nothing may be gone by then. */
PROGRAM(unmaps_beyond_the_end)
{
	char *at = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	EXPECT_EQ(huge_in(at, 2 * PAGE), 2 * PAGE);
	fill_pages(at, 2 * PAGE, 1);
	EXPECT_EQ(munmap(at, (size_t)1 << 60), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(huge_in(at, 2 * PAGE), 2 * PAGE);
	EXPECT_TRUE(holds_pages(at, 2 * PAGE, 1));
}

TEST(munmap_beyond_the_end_changes_nothing)
{
	pool_set(PAGE, 2);
	run_with_us("unmaps_beyond_the_end");
}
