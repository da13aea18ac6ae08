/* SPDX-License-Identifier: MIT */
/*
 * Under the limits of a control group anonymous memory is huge as far as they allow and
 * small beyond, whatever comes first; and what is there stays when they are lowered.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
#define RW (PROT_READ | PROT_WRITE)

static size_t given(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : 0;
}

PROGRAM(maps_sixteen)
{
	int type = getenv("SHARED") ? MAP_SHARED : MAP_PRIVATE;
	char *at = mmap(NULL, 16 * MIB, RW, type | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	EXPECT_EQ(huge_in(at, 16 * MIB), given("HUGE"));
	fill_pages(at, 16 * MIB, 1);
	EXPECT_TRUE(holds_pages(at, 16 * MIB, 1));
	EXPECT_EQ(munmap(at, 16 * MIB), 0);
	EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
	EXPECT_EQ(pool_resv(PAGE), 0);
}

static void expect_in_pod(const char *huge, const char *reason)
{
	struct spawned r = run_with_us_in("pod/container", "maps_sixteen", huge, "HUGETLB_VERBOSE=3");

	if (reason)
		EXPECT_CONTAINS(r.err, reason);
	r = run_with_us_in("pod/container", "maps_sixteen", huge, "SHARED=1", "HUGETLB_VERBOSE=3");
	if (reason)
		EXPECT_CONTAINS(r.err, reason);
	EXPECT_EQ(cgroup_usage_fault("pod", PAGE), 0);
	EXPECT_EQ(cgroup_usage_rsvd("pod", PAGE), 0);
}

TEST(fault_limit_bounds_what_is_huge)
{
	pool_set(PAGE, 10);
	cgroup_make("pod/container");
	cgroup_limit_fault("pod/container", PAGE, 6 * MIB);
	expect_in_pod("HUGE=6291456", "rest cgroup-fault");
	cgroup_limit_fault("pod/container", PAGE, 0);
	expect_in_pod("HUGE=0", "rest cgroup-fault");
	cgroup_limit_fault("pod/container", PAGE, 64 * MIB);
	expect_in_pod("HUGE=16777216", NULL);
}

TEST(fault_limit_of_an_ancestor_bounds_what_is_huge)
{
	pool_set(PAGE, 10);
	cgroup_make("pod/container");
	cgroup_limit_fault("pod/container", PAGE, 64 * MIB);
	cgroup_limit_fault("pod", PAGE, 8 * MIB);
	expect_in_pod("HUGE=8388608", "rest cgroup-fault");
}

TEST(reservation_limit_bounds_what_is_huge)
{
	pool_set(PAGE, 10);
	cgroup_make("pod/container");
	cgroup_limit_rsvd("pod/container", PAGE, 6 * MIB);
	expect_in_pod("HUGE=6291456", "rest cgroup-rsvd");
	cgroup_limit_rsvd("pod/container", PAGE, 0);
	expect_in_pod("HUGE=0", "rest cgroup-rsvd");
	cgroup_limit_rsvd("pod/container", PAGE, 64 * MIB);
	expect_in_pod("HUGE=16777216", NULL);
}

TEST(pool_bounds_what_is_huge_when_it_is_less_than_the_limits)
{
	pool_set(PAGE, 3);
	cgroup_make("pod/container");
	cgroup_limit_rsvd("pod/container", PAGE, 12 * MIB);
	cgroup_limit_fault("pod/container", PAGE, 8 * MIB);
	expect_in_pod("HUGE=6291456", "rest pool-short");
}

/* With surplus pages the pool grows by itself, and shrinks again. */
TEST(overcommit_gives_pages_a_pool_does_not_have)
{
	pool_set(PAGE, 2);
	pool_set_overcommit(PAGE, 3);
	run_with_us("maps_sixteen", "HUGE=10485760");
	run_with_us("maps_sixteen", "HUGE=10485760", "SHARED=1");
	EXPECT_EQ(pool_surplus(PAGE), 0);
}

static void set_limit_of_pod(size_t bytes)
{
	cgroup_limit_fault("pod", PAGE, bytes);
}

/*
 * A process in the group, told by its parent when to go on: what it has is unharmed by
 * any later limit, and what it asks for afterwards is small.
 */
static void live_through(int type, void (*change)(void), const char *what)
{
	int down[2], up[2], status;
	char byte;
	pid_t pid;

	(void)what;
	REQUIRE_EQ(pipe(down), 0);
	REQUIRE_EQ(pipe(up), 0);
	pid = fork();
	if (pid == 0) {
		char type_text[32], down_text[32], up_text[32];

		snprintf(type_text, sizeof(type_text), "TYPE=%d", type);
		snprintf(down_text, sizeof(down_text), "DOWN=%d", down[0]);
		snprintf(up_text, sizeof(up_text), "UP=%d", up[1]);
		close(up[0]);
		close(down[1]);
		run_with_us_in("pod", "lives_on", type_text, down_text, up_text);
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	EXPECT_EQ(read(up[0], &byte, 1), 1);
	change();
	close(down[1]);
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0);
	close(up[0]);
}

PROGRAM(lives_on)
{
	int type = (int)given("TYPE");
	char *at = mmap(NULL, 8 * MIB, RW, type | MAP_ANONYMOUS, -1, 0), *more, byte = 0;

	REQUIRE_NE(at, MAP_FAILED);
	EXPECT_EQ(huge_in(at, 8 * MIB), 8 * MIB);
	fill_pages(at, 4 * MIB, 1);
	EXPECT_EQ(write((int)given("UP"), &byte, 1), 1);
	EXPECT_EQ(read((int)given("DOWN"), &byte, 1), 0);
	/* Half of it was never touched by us. */
	fill_pages(at + 4 * MIB, 4 * MIB, 2);
	EXPECT_TRUE(holds_pages(at, 4 * MIB, 1));
	more = mmap(NULL, 8 * MIB, RW, type | MAP_ANONYMOUS, -1, 0);
	REQUIRE_NE(more, MAP_FAILED);
	EXPECT_EQ(huge_in(more, 8 * MIB), 0);
	fill_pages(more, 8 * MIB, 3);
	EXPECT_EQ(mmap(NULL, PAGE, RW, type | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0), MAP_FAILED);
}

static void lower_the_limit(void)
{
	/* Below what is in use the kernel may refuse to go: exactly to it is enough. */
	set_limit_of_pod(8 * MIB);
}

/*
 * A segment, which nobody could replace: no limit when it is made, none allowed when it
 * is touched. The kernel refuses to go below what is there, and that is all of it.
 */
PROGRAM(has_a_segment_when_the_limit_comes)
{
	int id = shmget(IPC_PRIVATE, 8 * MIB, IPC_CREAT | 0600);
	char *at = shmat(id, NULL, 0);
	int fd = open(getenv("LIMIT"), O_WRONLY | O_CLOEXEC);

	REQUIRE_NE(at, (char *)-1);
	shmctl(id, IPC_RMID, NULL);
	REQUIRE_GE(fd, 0);
	EXPECT_EQ(write(fd, "0", 1), -1);
	close(fd);
	fill_pages(at, 8 * MIB, 1);
	EXPECT_TRUE(holds_pages(at, 8 * MIB, 1));
	EXPECT_EQ(huge_in(at, 8 * MIB), 8 * MIB);
}

TEST(first_limit_of_a_group_leaves_the_segments_of_its_programs_alone)
{
	char limit[500];

	pool_set(PAGE, 20);
	snprintf(limit, sizeof(limit), "LIMIT=%s/hugetlb.2MB.%s", cgroup_make("pod"),
		 cgroup_version() == 2 ? "max" : "limit_in_bytes");
	run_with_us_in("pod", "has_a_segment_when_the_limit_comes", limit);
}

TEST(limit_lowered_under_a_running_program_leaves_its_memory_alone)
{
	pool_set(PAGE, 20);
	cgroup_make("pod");
	set_limit_of_pod(32 * MIB);
	live_through(MAP_PRIVATE, lower_the_limit, "limit");
	set_limit_of_pod(32 * MIB);
	live_through(MAP_SHARED, lower_the_limit, "limit");
}

static void shrink_the_pool(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "we");

	fprintf(f, "0\n");
	fclose(f);
}

TEST(pool_shrunk_under_a_running_program_leaves_its_memory_alone)
{
	cgroup_make("pod");
	pool_set(PAGE, 20);
	live_through(MAP_PRIVATE, shrink_the_pool, "pool");
	pool_set(PAGE, 20);
	live_through(MAP_SHARED, shrink_the_pool, "pool");
}
