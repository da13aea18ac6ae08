/* SPDX-License-Identifier: MIT */
/*
 * What becomes of the program's own huge mappings after they were made: moved,
 * shrunk, protected anew, locked, and shared with a child.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)

static char *map_huge(size_t bytes, int prot)
{
	char *at = mmap(NULL, bytes, prot, PRIVATE | MAP_HUGETLB, -1, 0);

	REQUIRE_TRUE(at != MAP_FAILED);
	return at;
}

/* A mapping that was shrunk or moved counts as what it is, and as nothing when it is gone. */
PROGRAM(moves_and_shrinks)
{
	char *at, *place;

	for (int i = 0; i < 3; i++) {
		at = map_huge(2 * PAGE, RW);
		EXPECT_EQ(mremap(at, 2 * PAGE, PAGE, 0), at);
		EXPECT_EQ(munmap(at, PAGE), 0);
		at = map_huge(PAGE, RW);
		place = map_huge(PAGE, RW);
		EXPECT_EQ(mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place), place);
		EXPECT_EQ(munmap(place, PAGE), 0);
	}
	at = mmap(NULL, 2 * PAGE, RW, PRIVATE, -1, 0);
	EXPECT_EQ(huge_in(at, 2 * PAGE), 2 * PAGE);
	munmap(at, 2 * PAGE);
	for (int i = 0; i < 3; i++) {
		at = map_huge(2 * PAGE, RW);
		mremap(at, 2 * PAGE, PAGE, 0);
	}
	/* Three pages are held: with a limit of five another three are too many. */
	at = mmap(NULL, 3 * PAGE, RW, PRIVATE, -1, 0);
	EXPECT_EQ(huge_in(at, 3 * PAGE), 2 * PAGE);
}

TEST(mremap_of_own_huge_memory_keeps_the_limit_right)
{
	pool_set(PAGE, 8);
	run_with_us("moves_and_shrinks", "HUGETLB_LIMIT=10M");
}

/* The page that is written first after a fork is small from then on, and the rest is not. */
PROGRAM(moves_what_was_copied)
{
	for (size_t written = 0; written < 3; written++) {
		char *at = map_huge(3 * PAGE, RW), *room, *to;
		int status = -1, over[2];
		pid_t child;

		room = mmap(NULL, 4 * PAGE, PROT_NONE, PRIVATE, -1, 0);
		to = (char *)(((uintptr_t)room + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
		fill_pages(at, 3 * PAGE, 1);
		REQUIRE_EQ(pipe(over), 0);
		child = fork();
		if (child == 0) {
			close(over[1]);
			read(over[0], &status, 1);
			_exit(!holds_pages(at, 3 * PAGE, 1));
		}
		close(over[0]);
		fill_pages(at + written * PAGE, PAGE, 2);
		EXPECT_EQ(mremap(at, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
		for (size_t i = 0; i < 3; i++)
			fill_pages(to + i * PAGE, PAGE, 3 + (unsigned)i);
		for (size_t i = 0; i < 3; i++)
			EXPECT_TRUE(holds_pages(to + i * PAGE, PAGE, 3 + (unsigned)i));
		close(over[1]);
		waitpid(child, &status, 0);
		EXPECT_EQ(status, 0);
		EXPECT_EQ(munmap(to, 3 * PAGE), 0);
	}
}

TEST(mremap_of_own_huge_memory_that_a_child_shares_moves_all_of_it)
{
	pool_set(PAGE, 4);
	run_with_us("moves_what_was_copied");
	EXPECT_EQ(pool_free(PAGE), 4);
}

static void child_and_parent_write(char *at, size_t bytes)
{
	int status = -1;
	pid_t pid;

	fill_pages(at, bytes, 1);
	pid = fork();
	if (pid == 0) {
		bool held = holds_pages(at, bytes, 1);

		fill_pages(at, bytes, 3);
		_exit(held ? 0 : 1);
	}
	fill_pages(at, bytes, 2);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_TRUE(holds_pages(at, bytes, 2));
}

/* Memory that was reserved first and opened later, on a pool without a page to spare. */
PROGRAM(opens_then_forks)
{
	char *at = map_huge(2 * PAGE, PROT_NONE);

	EXPECT_EQ(mprotect(at, 2 * PAGE, RW), 0);
	child_and_parent_write(at, 2 * PAGE);
}

TEST(own_huge_memory_opened_by_mprotect_survives_a_fork)
{
	pool_set(PAGE, 2);
	run_with_us("opens_then_forks");
}

TEST(own_huge_memory_opened_by_mprotect_survives_a_fork_that_copies)
{
	pool_set(PAGE, 2);
	run_with_us("opens_then_forks", "HUGETLB_FORK=copy");
}

TEST(own_huge_memory_opened_by_mprotect_survives_a_fork_that_shares)
{
	pool_set(PAGE, 2);
	run_with_us("opens_then_forks", "HUGETLB_FORK=share");
}

/* Calls by which the kernel itself writes to pages that a child still shares. */
PROGRAM(locks_and_populates_after_fork)
{
	char *at = mmap(NULL, 4 * PAGE, RW, PRIVATE, -1, 0);
	int fds[2];
	pid_t pid;
	char byte;

	EXPECT_EQ(huge_in(at, 4 * PAGE), 4 * PAGE);
	fill_pages(at, 4 * PAGE, 1);
	REQUIRE_EQ(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		bool held;

		close(fds[1]);
		held = read(fds[0], &byte, 1) == 0 && holds_pages(at, 4 * PAGE, 1);
		_exit(held ? 0 : 1);
	}
	close(fds[0]);
	EXPECT_EQ(mlock(at, PAGE), 0);
	EXPECT_EQ(madvise(at + PAGE, PAGE, 23 /* MADV_POPULATE_WRITE */), 0);
	EXPECT_EQ(mlock2(at + 2 * PAGE, PAGE, 0), 0);
	EXPECT_TRUE(holds_pages(at, 4 * PAGE, 1));
	fill_pages(at, 4 * PAGE, 2);
	close(fds[1]);

	int status = -1;

	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST_TIMEOUT(kernels_own_writes_after_a_fork_do_not_hang, 20)
{
	pool_set(PAGE, 4);
	run_with_us("locks_and_populates_after_fork");
}

/* Which of the kernel's flags (smaps, VmFlags) the mapping at @at has. */
static bool has_flag(const void *at, const char *flag)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	unsigned long lo, hi, here = (unsigned long)at;
	bool inside = false, has = false;
	char line[512];

	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
			inside = lo <= here && here < hi;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			has = strstr(line, flag) != NULL;
	}
	if (smaps)
		fclose(smaps);
	return has;
}

/* In a child that has nothing at @at, what is put there is nobody's but the child's. */
static int use_the_gap(char *at)
{
	char *mine;

	if (mapped_in(at, PAGE))
		return 1;
	mine = mmap(at, 8192, RW, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0);
	if (mine != at)
		return 2;
	mine[0] = mine[4096] = 7;
	if (mprotect(mine + 4096, 4096, PROT_READ) || mine[0] != 7 || mine[4096] != 7)
		return 3;
	if (!has_flag(mine, "rd wr") || has_flag(mine + 4096, "rd wr"))
		return 4;
	if (madvise(mine, 4096, MADV_DONTNEED) || mine[0] != 0 || mine[4096] != 7)
		return 5;
	return munmap(mine, 8192) || mapped_in(at, PAGE) ? 6 : 0;
}

static void child_uses_the_gap(char *at)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(use_the_gap(at));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

/* The first page is for no child, the second for no core dump; children come and go. */
PROGRAM(keeps_pages_back)
{
	int type = getenv("OURS") ? 0 : MAP_HUGETLB, fds[2];
	char *at = mmap(NULL, 2 * PAGE, RW, PRIVATE | type, -1, 0);
	char byte;
	pid_t pid;

	REQUIRE_TRUE(at != MAP_FAILED);
	fill_pages(at, PAGE, 1);
	fill_pages(at + PAGE, PAGE, 1);
	EXPECT_EQ(madvise(at, PAGE, MADV_DONTFORK), 0);
	EXPECT_EQ(madvise(at + PAGE, PAGE, MADV_DONTDUMP), 0);
	child_uses_the_gap(at);
	REQUIRE_EQ(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[1]);
		_exit(read(fds[0], &byte, 1) == 0 && holds_pages(at + PAGE, PAGE, 1) ? 0 : 1);
	}
	close(fds[0]);
	at[0] = at[PAGE] = 1;
	at[PAGE + 1] = 2;
	EXPECT_TRUE(has_flag(at, "dc"));
	EXPECT_TRUE(has_flag(at + PAGE, "dd"));
	EXPECT_FALSE(has_flag(at + PAGE, "dc"));
	close(fds[1]);

	int status = -1;

	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	child_uses_the_gap(at);
	EXPECT_EQ(huge_in(at, PAGE), PAGE);
}

static void keep_back(const char *whose)
{
	static const char *const policies[] = { "share", "copy", "auto" };
	char policy[32];

	pool_set(PAGE, 2);
	for (size_t i = 0; i < 3; i++) {
		snprintf(policy, sizeof(policy), "HUGETLB_FORK=%s", policies[i]);
		run_with_us("keeps_pages_back", whose, policy);
	}
}

TEST(own_huge_memory_keeps_its_advice_when_it_becomes_small)
{
	keep_back("THEIRS=1");
}

TEST(memory_of_ours_keeps_its_advice_when_it_becomes_small)
{
	keep_back("OURS=1");
}
