/* SPDX-License-Identifier: MIT */
/*
 * Shared memory of 1 GiB and more lies where processes share its page tables: what one has touched,
 * another has without a fault. Control: at another address it faults page by page.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define PAGES (GIB / PAGE)
#define RW (PROT_READ | PROT_WRITE)
/* Of libc, of the stack and so on. */
#define OTHER_FAULTS 60

static void touch(char *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		((volatile char *)at)[i]++;
}

static long faults_now(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return used.ru_minflt;
}

/* Faults of a child that touches what we have touched. */
static long faults_of_child(char *at)
{
	int pipes[2];
	long faults = -1;
	pid_t pid;

	touch(at, GIB);
	if (pipe(pipes) != 0)
		_exit(50);
	pid = fork();
	if (pid == 0) {
		const long before = faults_now();

		touch(at, GIB);
		faults = faults_now() - before;
		_exit(write(pipes[1], &faults, sizeof(faults)) != sizeof(faults));
	}
	if (read(pipes[0], &faults, sizeof(faults)) != sizeof(faults) || waitpid(pid, NULL, 0) != pid)
		_exit(51);
	close(pipes[0]);
	close(pipes[1]);
	return faults;
}

static void expect_shared(char *at)
{
	if (at == MAP_FAILED || huge_in(at, GIB) != GIB)
		_exit(52);
	printf("%d %ld\n", (uintptr_t)at % GIB == 0, faults_of_child(at));
}

PROGRAM(maps_shared)
{
	expect_shared(mmap(NULL, GIB + 4096, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

PROGRAM(maps_own_shared)
{
	expect_shared(mmap(NULL, GIB, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0));
}

PROGRAM(maps_own_file)
{
	int fd = memfd_create("big", MFD_HUGETLB);

	if (fd < 0 || ftruncate(fd, GIB) != 0)
		_exit(53);
	expect_shared(mmap(NULL, GIB, RW, MAP_SHARED, fd, 0));
}

PROGRAM(attaches_segment)
{
	int id = shmget(IPC_PRIVATE, GIB, 0600);
	char *at = id < 0 ? MAP_FAILED : shmat(id, NULL, 0);

	shmctl(id, IPC_RMID, NULL);
	expect_shared(at);
}

/* Where the program would have it, off the line. */
PROGRAM(maps_off_the_line)
{
	char *room = mmap(NULL, 3 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *at = (char *)(((uintptr_t)room + GIB - 1) & ~(GIB - 1)) + 4 * PAGE;

	munmap(room, 3 * GIB);
	expect_shared(mmap(at, GIB, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

static void run(const char *program, bool on_line)
{
	int line = -1;
	struct spawned r;
	long faults = -1;

	pool_set(PAGE, PAGES + 1);
	r = run_with_us(program);
	REQUIRE_EQ(r.exit_status, 0);
	REQUIRE_EQ(sscanf(r.out, "%d %ld", &line, &faults), 2);
	EXPECT_EQ(line, on_line);
	if (on_line)
		EXPECT_LT(faults, OTHER_FAULTS);
	else
		EXPECT_GE(faults, PAGES);
}

TEST(shared_memory_is_had_by_a_child_without_a_fault) { run("maps_shared", true); }
TEST(programs_own_shared_memory_is_had_without_a_fault) { run("maps_own_shared", true); }
TEST(programs_own_file_is_had_without_a_fault) { run("maps_own_file", true); }
TEST(segment_is_had_by_a_child_without_a_fault) { run("attaches_segment", true); }
TEST(memory_off_the_line_is_had_page_by_page) { run("maps_off_the_line", false); }
