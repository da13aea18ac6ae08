/* SPDX-License-Identifier: MIT */
// timeout: 300
/*
 * The net under memory that is taken away while threads come to it, and under files
 * that end earlier than their mapping: the first goes on, the second is told.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "tests/fork/net.h"
#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

/* Threads that touch what they have not touched yet, and map more, as everything is taken away. */
#define FRESH 6

static struct fresh_kind {
	const char *name;
	char *at;
} fresh_kinds[5];

static void *touch_all_kinds(void *arg)
{
	for (int round = 0; round < 4; round++) {
		char *more = map(2 * PAGE, MAP_PRIVATE);

		for (size_t k = 0; k < 5; k++)
			for (size_t i = 0; i < FRESH * PAGE; i += 4096)
				__atomic_fetch_add((int *)(void *)(fresh_kinds[k].at + i), 1,
						   __ATOMIC_RELAXED);
		memset(more, 7, 2 * PAGE);
		munmap(more, 2 * PAGE);
	}
	return arg;
}

static void write_to(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);

	REQUIRE_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* The kernel refuses to go below what is used, which changes while we ask. */
static void lower_as_far_as_it_goes(const char *file)
{
	int fd = open(file, O_WRONLY);
	char text[32];
	size_t pages = 1;

	do
		snprintf(text, sizeof(text), "%zu", pages++ * PAGE);
	while (pwrite(fd, text, strlen(text), 0) < 0 && pages < 100);
	EXPECT_LT(pages, 100);
	close(fd);
}

PROGRAM(touches_while_everything_is_taken)
{
	const int huge = MAP_HUGETLB | MAP_NORESERVE;
	int id = shmget(IPC_PRIVATE, FRESH * PAGE, IPC_CREAT | 0600);
	pthread_t thread[4];

	fresh_kinds[0] = (struct fresh_kind){ "private", map(FRESH * PAGE, MAP_PRIVATE) };
	fresh_kinds[1] = (struct fresh_kind){ "shared", map(FRESH * PAGE, MAP_SHARED) };
	fresh_kinds[2] = (struct fresh_kind){ "asked for", map(FRESH * PAGE, MAP_PRIVATE | huge) };
	fresh_kinds[3] = (struct fresh_kind){ "asked for, shared", map(FRESH * PAGE, MAP_SHARED | huge) };
	fresh_kinds[4] = (struct fresh_kind){ "segment", shmat(id, NULL, 0) };
	shmctl(id, IPC_RMID, NULL);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, touch_all_kinds, NULL);
	write_to("/proc/sys/vm/nr_hugepages", "0");
	lower_as_far_as_it_goes(getenv("LIMIT_FILE"));
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (size_t k = 0; k < 5; k++)
		for (size_t i = 0; i < FRESH * PAGE; i += 4096)
			if (*(int *)(void *)(fresh_kinds[k].at + i) != 16)
				FAIL("%s: %d at %zu", fresh_kinds[k].name,
				     *(int *)(void *)(fresh_kinds[k].at + i), i);
}

TEST(net_holds_while_the_pool_is_drained_and_the_limit_lowered_under_threads)
{
	char file[4200];

	pool_set(PAGE, 5 * FRESH + 4);
	snprintf(file, sizeof(file), "LIMIT_FILE=%s/hugetlb.2MB.%s", cgroup_make("pod"),
		 cgroup_version() == 2 ? "max" : "limit_in_bytes");
	run_with_us_in("pod", "touches_while_everything_is_taken", file);
}

/* A file of huge pages that is cut short: nothing of ours helps, and nothing of ours is spent. */
PROGRAM(maps_a_file_that_is_cut)
{
	int fd = memfd_create("cut", MFD_CLOEXEC | MFD_HUGETLB), stop[2];
	char *file, *at;
	pid_t pid;

	REQUIRE_EQ(ftruncate(fd, 2 * PAGE), 0);
	file = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	REQUIRE_NE(file, MAP_FAILED);
	install(SIGBUS, 0, NULL);
	at = shared_with_a_child(stop, &pid);
	end_keeper(stop, pid);
	file[PAGE + 77] = 1;
	REQUIRE_EQ(ftruncate(fd, PAGE), 0);
	expect_handler_told(file + PAGE + 77, SIGBUS);
	EXPECT_GE(huge_in(at, BYTES), BYTES - 3 * PAGE);
	REQUIRE_EQ(ftruncate(fd, 2 * PAGE), 0);
	signal(SIGBUS, SIG_DFL);
	REQUIRE_EQ(ftruncate(fd, PAGE), 0);
	pid = fork();
	if (pid == 0) {
		file[PAGE] = 1;
		_exit(0);
	}
	EXPECT_EQ(status_of(pid), 128 + SIGBUS);
}

TEST(net_lets_a_file_cut_short_be_the_programs_bus_error)
{
	pool_set(PAGE, PAGES + 2);
	run_with_us("maps_a_file_that_is_cut", "HUGETLB_FORK=share");
}
