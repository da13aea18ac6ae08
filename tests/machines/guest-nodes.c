/* SPDX-License-Identifier: MIT */
// timeout: 200
/*
 * Two nodes of memory, in an emulated machine: what is huge is where the policy wants it,
 * and a node that runs dry makes memory small, and nobody die.
 */
#include <numaif.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/memory.h"
#include "tests/harness/program.h"
#include "tests/machines/nodes.h"

#define PAGES 4
#define BYTES (PAGES * PAGE)
#define RW (PROT_READ | PROT_WRITE)

static long policy(int mode, unsigned long nodes)
{
	return syscall(SYS_set_mempolicy, mode, &nodes, sizeof(nodes) * 8);
}

static char *map(size_t bytes, int type)
{
	char *at = mmap(NULL, bytes, RW, type | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	return at;
}

static void use(char *at, size_t bytes)
{
	fill_pages(at, bytes, 3);
	EXPECT_TRUE(holds_pages(at, bytes, 3));
}

PROGRAM(is_bound_to_a_short_node)
{
	char *at, *shared;

	REQUIRE_EQ(policy(MPOL_BIND, 1), 0);
	at = map(BYTES, MAP_PRIVATE);
	EXPECT_EQ(huge_in(at, BYTES), 2 * PAGE);
	EXPECT_EQ(node_of(at), 0);
	shared = map(BYTES, MAP_SHARED);
	EXPECT_EQ(huge_in(shared, BYTES), 0);
	use(at, BYTES);
	use(shared, BYTES);
}

TEST(memory_bound_to_a_short_node_is_huge_as_far_as_the_node_goes)
{
	two_pools(2, 10);
	run_with_us("is_bound_to_a_short_node");
}

PROGRAM(shares_when_bound)
{
	char *at;

	REQUIRE_EQ(policy(MPOL_BIND, 1), 0);
	at = map(BYTES, MAP_SHARED);
	EXPECT_EQ(huge_in(at, BYTES), 2 * PAGE);
	use(at, BYTES);
}

TEST(shared_memory_bound_to_a_short_node_is_proven_not_reserved)
{
	two_pools(2, 10);
	run_with_us("shares_when_bound");
}

PROGRAM(makes_a_segment_when_bound)
{
	char *at;
	int id;

	REQUIRE_EQ(policy(MPOL_BIND, 1), 0);
	id = shmget(IPC_PRIVATE, BYTES, IPC_CREAT | 0600);
	REQUIRE_GE(id, 0);
	at = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	REQUIRE_NE(at, (void *)-1);
	use(at, BYTES);
}

TEST(segment_bound_to_a_short_node_does_not_kill)
{
	two_pools(2, 10);
	run_with_us("makes_a_segment_when_bound");
}

PROGRAM(wants_huge_pages_itself)
{
	char *at;

	REQUIRE_EQ(policy(MPOL_BIND, 1), 0);
	errno = 0;
	at = mmap(NULL, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	EXPECT_EQ(at, MAP_FAILED);
	EXPECT_EQ(errno, ENOMEM);
	at = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	REQUIRE_NE(at, MAP_FAILED);
	use(at, 2 * PAGE);
}

TEST(own_huge_mapping_beyond_its_node_is_ENOMEM)
{
	two_pools(2, 10);
	run_with_us("wants_huge_pages_itself");
}

PROGRAM(interleaves)
{
	int on[2] = { 0, 0 };
	char *at;

	REQUIRE_EQ(policy(MPOL_INTERLEAVE, 3), 0);
	at = map(BYTES, MAP_PRIVATE);
	EXPECT_EQ(huge_in(at, BYTES), BYTES);
	for (int i = 0; i < PAGES; i++)
		on[node_of(at + i * PAGE) == 1]++;
	EXPECT_EQ(on[0], PAGES / 2);
	EXPECT_EQ(on[1], PAGES / 2);
	use(at, BYTES);
}

TEST(interleaved_memory_is_huge_on_both_nodes)
{
	two_pools(4, 4);
	run_with_us("interleaves");
}

PROGRAM(runs_on_the_second_node)
{
	cpu_set_t second;
	char *at, *block;

	CPU_ZERO(&second);
	CPU_SET(1, &second);
	REQUIRE_EQ(sched_setaffinity(0, sizeof(second), &second), 0);
	at = map(BYTES, MAP_PRIVATE);
	EXPECT_EQ(huge_in(at, BYTES), BYTES);
	EXPECT_EQ(node_of(at), 1);
	EXPECT_EQ(node_of(at + BYTES - PAGE), 1);
	block = malloc(8 * PAGE);
	memset(block, 1, 8 * PAGE);
	EXPECT_EQ(node_of(block + 2 * PAGE), 1);
	free(block);
}

TEST(memory_is_on_the_node_of_the_thread_that_asked)
{
	two_pools(16, 16);
	run_with_us("runs_on_the_second_node");
}

/* The policy comes after the memory: what is there stays, and what grows heeds it. */
PROGRAM(is_bound_afterwards)
{
	unsigned long second = 2;
	char *at = map(BYTES, MAP_PRIVATE);

	EXPECT_EQ(huge_in(at, BYTES), BYTES);
	EXPECT_EQ(syscall(SYS_mbind, at + 4096, PAGE, MPOL_BIND, &second, 64, 0), 0);
	use(at, BYTES);
	EXPECT_EQ(madvise(at, PAGE, MADV_DONTNEED), 0);
	at[0] = at[4096] = 1;
	EXPECT_EQ(at[8192], 0);
	EXPECT_EQ(munmap(at, BYTES), 0);
}

TEST(policy_for_a_part_of_huge_memory_is_heeded_and_kills_nobody)
{
	two_pools(4, 0);
	run_with_us("is_bound_afterwards");
}

PROGRAM(forks_when_bound)
{
	int status = -1;
	char *at;
	pid_t pid;

	REQUIRE_EQ(policy(MPOL_BIND, 1), 0);
	at = map(BYTES, MAP_PRIVATE);
	EXPECT_EQ(huge_in(at, BYTES), BYTES);
	fill_pages(at, BYTES, 1);
	pid = fork();
	if (pid == 0) {
		bool right = holds_pages(at, BYTES, 1);

		fill_pages(at, BYTES, 2);
		_exit(!(right && holds_pages(at, BYTES, 2)));
	}
	fill_pages(at, BYTES, 5);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_TRUE(holds_pages(at, BYTES, 5));
}

/* The other node has pages to spare, which are of no use here. */
TEST(fork_on_a_node_without_pages_to_spare_keeps_both_sides)
{
	two_pools(PAGES, 20);
	run_with_us("forks_when_bound");
}
