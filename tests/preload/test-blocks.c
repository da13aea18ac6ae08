/* SPDX-License-Identifier: MIT */
/*
 * The start that began it all: a program takes its buffers block by block and touches
 * nothing until it has all of them, together more than there is; then it touches all.
 * Explicit huge requests must fail at the right block, when there is still something
 * to be done about it; rerouted ones go on small. So for two processes at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define BLOCK (4 * MIB)
#define RW (PROT_READ | PROT_WRITE)

enum { BLOCKS = 8 };

static size_t given(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : 0;
}

static void *map_block(bool huge)
{
	int type = getenv("SHARED") ? MAP_SHARED : MAP_PRIVATE;
	/* "Do not reserve" is how such programs came to overcommit. */
	int flags = type | (huge ? MAP_HUGETLB | (int)given("NORESERVE") * MAP_NORESERVE : 0);
	void *at = mmap(NULL, BLOCK, RW, flags | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static void *attach_block(bool huge)
{
	int flags = huge ? SHM_HUGETLB | (int)given("NORESERVE") * SHM_NORESERVE : 0;
	int id = shmget(IPC_PRIVATE, BLOCK, IPC_CREAT | 0600 | flags);
	void *at;

	if (id < 0)
		return NULL;
	at = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	return at == (void *)-1 ? NULL : at;
}

/* Takes eight blocks, the explicit way first where EXPLICIT, small where that fails. */
PROGRAM(takes_blocks_then_touches_them)
{
	void *(*take)(bool) = getenv("SHM") ? attach_block : map_block;
	void *block[BLOCKS];
	bool explicit = getenv("EXPLICIT") != NULL;
	unsigned refused_at = BLOCKS;
	size_t huge = 0;

	for (unsigned i = 0; i < BLOCKS; i++) {
		errno = 0;
		block[i] = take(explicit);
		if (!block[i] && explicit) {
			EXPECT_EQ(errno, ENOMEM);
			refused_at = i;
			explicit = false;
			block[i] = take(false);
		}
		REQUIRE_TRUE(block[i] != NULL);
	}
	for (unsigned i = 0; i < BLOCKS; i++) {
		fill_pages(block[i], BLOCK, i);
		huge += huge_in(block[i], BLOCK);
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		EXPECT_TRUE(holds_pages(block[i], BLOCK, i));
	printf("%u %zu\n", refused_at, huge / PAGE);
}

#define BLOCKS_OF(...) run_with_us_in(cgroup, "takes_blocks_then_touches_them", __VA_ARGS__).out

/* Three blocks can be had, and a half. */
static void expect_adaption(const char *cgroup)
{
	EXPECT_STR_EQ(BLOCKS_OF("EXPLICIT=1"), "3 7\n");
	EXPECT_STR_EQ(BLOCKS_OF("EXPLICIT=1", "SHARED=1"), "3 7\n");
	EXPECT_STR_EQ(BLOCKS_OF("EXPLICIT=1", "NORESERVE=1"), "3 7\n");
	EXPECT_STR_EQ(BLOCKS_OF("EXPLICIT=1", "HUGETLB_MMAP=no"), "3 6\n");
	EXPECT_STR_EQ(BLOCKS_OF("REROUTED=1"), "8 7\n");
	EXPECT_STR_EQ(BLOCKS_OF("REROUTED=1", "SHARED=1"), "8 7\n");
	/* A segment is huge as a whole or not at all. */
	EXPECT_STR_EQ(BLOCKS_OF("EXPLICIT=1", "SHM=1"), "3 6\n");
	EXPECT_STR_EQ(BLOCKS_OF("EXPLICIT=1", "SHM=1", "NORESERVE=1"), "3 6\n");
	EXPECT_STR_EQ(BLOCKS_OF("REROUTED=1", "SHM=1"), "8 6\n");
}

TEST(blocks_beyond_the_pool_fail_at_the_right_block_or_go_on_small)
{
	pool_set(PAGE, 7);
	expect_adaption(NULL);
}

TEST(blocks_beyond_a_fault_limit_fail_at_the_right_block_or_go_on_small)
{
	pool_set(PAGE, 16);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 14 * MIB);
	expect_adaption("pod");
}

TEST(blocks_beyond_a_reservation_limit_fail_at_the_right_block_or_go_on_small)
{
	pool_set(PAGE, 16);
	cgroup_make("pod");
	cgroup_limit_rsvd("pod", PAGE, 14 * MIB);
	expect_adaption("pod");
}

static void expect_death(const char *cgroup, const char *one, const char *two)
{
	struct spawned r = program_run("takes_blocks_then_touches_them", (struct spawn){
		.cgroup = cgroup, .env = SPAWN_ARGV("EXPLICIT=1", one, two) });

	EXPECT_EQ(r.signal, SIGBUS);
}

/* The controls: the kernel grants all eight, and kills at the touch. */
TEST(blocks_without_us_die_of_their_first_touch_too_many)
{
	pool_set(PAGE, 7);
	expect_death(NULL, "NORESERVE=1", "A=1");
	expect_death(NULL, "NORESERVE=1", "SHM=1");
	pool_set(PAGE, 16);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 14 * MIB);
	expect_death("pod", "PRIVATE=1", "A=1");
	expect_death("pod", "SHARED=1", "A=1");
	expect_death("pod", "SHM=1", "A=1");
}

/* Both at once: neither dies, and together they have what there is. */
static void two_at_once(const char *cgroup, const char *how, const char *what, bool by_blocks)
{
	unsigned long *pages = mmap(NULL, 4096, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (int round = 0; round < 5; round++) {
		pid_t pid[2];

		for (int i = 0; i < 2; i++) {
			pid[i] = fork();
			if (pid[i] == 0) {
				unsigned refused;

				sscanf(BLOCKS_OF(how, what, "HUGETLB_MMAP=no", "HUGETLB_SHM=no"),
				       "%u %lu", &refused, &pages[i]);
				_exit(0);
			}
		}
		for (int i = 0; i < 2; i++) {
			int status;

			waitpid(pid[i], &status, 0);
			EXPECT_EQ(status, 0);
		}
		/* One may have ended before the other began. */
		EXPECT_GE(pages[0] + pages[1], 6);
		EXPECT_LE(pages[0] % 2 + pages[1] % 2, by_blocks ? 0 : 2);
	}
	munmap(pages, 4096);
}

TEST(blocks_of_two_processes_at_once_never_die)
{
	const char *cgroup = NULL;

	pool_set(PAGE, 7);
	two_at_once(cgroup, "EXPLICIT=1", "PRIVATE=1", true);
	two_at_once(cgroup, "EXPLICIT=1", "SHARED=1", true);
	two_at_once(cgroup, "EXPLICIT=1", "SHM=1", true);
	pool_set(PAGE, 16);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 14 * MIB);
	two_at_once("pod", "EXPLICIT=1", "PRIVATE=1", true);
	two_at_once("pod", "EXPLICIT=1", "SHARED=1", true);
	two_at_once("pod", "EXPLICIT=1", "SHM=1", true);
}
