/* SPDX-License-Identifier: MIT */
/*
 * A program that has as many descriptors as it may goes on as with small pages, which need
 * none: parts of huge pages change, threads write meanwhile, children are made.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define BYTES (6 * MIB)
#define RW (PROT_READ | PROT_WRITE)

/* Huge memory that holds a pattern, and not one descriptor more. */
static char *map_then_run_out(void)
{
	const struct rlimit most = { 8, 8 };
	char *at = mmap(NULL, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	fill_pages(at, BYTES, 4);
	if (getenv("HUGE"))
		EXPECT_EQ(huge_in(at, BYTES), BYTES);
	REQUIRE_EQ(setrlimit(RLIMIT_NOFILE, &most), 0);
	while (open("/dev/null", O_RDONLY) >= 0)
		;
	EXPECT_EQ(errno, EMFILE);
	return at;
}

/* They are the program's still, and where they were. */
static void expect_descriptors(void)
{
	for (int fd = 0; fd < 8; fd++)
		EXPECT_NE(fcntl(fd, F_GETFD), -1);
	EXPECT_EQ(fcntl(8, F_GETFD), -1);
}

static void change_parts(char *at)
{
	char *fixed = at + 5 * MIB;

	EXPECT_EQ(mprotect(at + 4096, 4096, PROT_READ), 0);
	EXPECT_EQ(mprotect(at + 4096, 4096, RW), 0);
	EXPECT_EQ(munmap(at + 3 * MIB, 4096), 0);
	EXPECT_EQ(mmap(fixed, 8192, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), fixed);
	EXPECT_TRUE(holds_pages(at, 3 * MIB, 4));
	EXPECT_EQ(fixed[0], 0);
	fill_pages(at, 3 * MIB, 5);
	EXPECT_TRUE(holds_pages(at, 3 * MIB, 5));
	expect_descriptors();
}

PROGRAM(moves_and_grows)
{
	char *at = map_then_run_out();
	char *place = mmap(NULL, 4 * BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *to;

	EXPECT_EQ(mremap(at, BYTES, 5 * MIB + 4096, 0), at);
	to = mremap(at, 5 * MIB + 4096, 12 * MIB, MREMAP_MAYMOVE);
	REQUIRE_NE(to, MAP_FAILED);
	EXPECT_EQ(mremap(to, 3 * MIB, 3 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, place + 4096), place + 4096);
	EXPECT_TRUE(holds_pages(place + 4096, 3 * MIB, 4));
	expect_descriptors();
}

PROGRAM(changes_parts)
{
	change_parts(map_then_run_out());
}

/* Nothing of a page that may not be read is read by loads. */
PROGRAM(changes_parts_of_what_it_may_not_read)
{
	char *at = map_then_run_out();

	REQUIRE_EQ(mprotect(at, BYTES, PROT_NONE), 0);
	EXPECT_EQ(munmap(at + 3 * MIB, 4096), 0);
	EXPECT_EQ(madvise(at + 4096, 4096, MADV_DONTNEED), 0);
	REQUIRE_EQ(mprotect(at, 3 * MIB, RW), 0);
	EXPECT_EQ(at[4096], 0);
	EXPECT_TRUE(holds_pages(at, 4096, 4));
	expect_descriptors();
}

struct writing {
	char *at;
	bool over;
	uint64_t rounds;
};

/* Its own word of each page: it always finds there what it wrote last. */
static void *write_all_along(void *arg)
{
	struct writing *w = arg;

	while (!__atomic_load_n(&w->over, __ATOMIC_ACQUIRE)) {
		for (size_t i = 512; i < 3 * MIB; i += 4096) {
			uint64_t *word = (uint64_t *)(void *)(w->at + i);

			if (w->rounds)
				EXPECT_EQ(*word, w->rounds - 1);
			__atomic_store_n(word, w->rounds, __ATOMIC_RELAXED);
		}
		__atomic_add_fetch(&w->rounds, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

PROGRAM(changes_parts_while_a_thread_writes)
{
	struct writing w = { .at = map_then_run_out() };
	pthread_t thread;

	REQUIRE_EQ(pthread_create(&thread, NULL, write_all_along, &w), 0);
	while (__atomic_load_n(&w.rounds, __ATOMIC_ACQUIRE) < 3)
		;
	EXPECT_EQ(munmap(w.at + 3 * MIB, 4096), 0);
	for (size_t i = 0; i < 3; i++)
		EXPECT_EQ(mprotect(w.at + i * MIB, 512, PROT_READ | PROT_WRITE), 0);
	EXPECT_EQ(munmap(w.at + 5 * MIB, 4096), 0);
	__atomic_store_n(&w.over, true, __ATOMIC_RELEASE);
	EXPECT_EQ(pthread_join(thread, NULL), 0);
	expect_descriptors();
}

PROGRAM(forks_and_writes)
{
	char *at = map_then_run_out();
	int status = -1;
	pid_t pid = fork();

	REQUIRE_GE(pid, 0);
	if (pid == 0) {
		bool same = holds_pages(at, BYTES, 4);

		fill_pages(at, BYTES, 6);
		_exit(same && holds_pages(at, BYTES, 6) ? 0 : 1);
	}
	fill_pages(at, BYTES, 7);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_TRUE(holds_pages(at, BYTES, 7));
	expect_descriptors();
}

/* Of a child's few numbers none is taken by what a fork leaves in it. */
PROGRAM(forks_and_opens_what_it_may)
{
	const struct rlimit most = { 6, 6 };
	char *at = mmap(NULL, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status = -1, ends[2];
	pid_t pid;

	REQUIRE_NE(at, MAP_FAILED);
	fill_pages(at, BYTES, 4);
	REQUIRE_EQ(setrlimit(RLIMIT_NOFILE, &most), 0);
	close_range(3, ~0u, 0);
	pid = fork();
	REQUIRE_GE(pid, 0);
	if (pid == 0)
		_exit(open("/dev/null", O_RDONLY) == 3 && pipe(ends) == 0 && holds_pages(at, BYTES, 4) ?
			      0 : 1);
	EXPECT_EQ(open("/dev/null", O_RDONLY), 3);
	EXPECT_EQ(pipe(ends), 0);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_TRUE(holds_pages(at, BYTES, 4));
}

/* The control, and us: the pool has not one page more. */
static void expect_right(const char *name)
{
	EXPECT_EQ(program_alone(name, NULL).exit_status, 0);
	pool_set(PAGE, BYTES / PAGE);
	run_with_us(name, "HUGE=1");
	run_with_us(name, "HUGE=1", "HUGETLB_FORK=share");
}

TEST(parts_of_huge_pages_change_without_a_descriptor)
{
	expect_right("changes_parts");
}

TEST(memory_moves_and_grows_without_a_descriptor)
{
	expect_right("moves_and_grows");
}

TEST(parts_that_may_not_be_read_change_without_a_descriptor)
{
	expect_right("changes_parts_of_what_it_may_not_read");
}

TEST(threads_lose_no_write_without_a_descriptor)
{
	expect_right("changes_parts_while_a_thread_writes");
}

TEST(child_and_parent_write_without_a_descriptor)
{
	expect_right("forks_and_writes");
}

TEST(child_and_parent_open_as_many_as_they_may)
{
	REQUIRE_EQ(program_alone("forks_and_opens_what_it_may", NULL).exit_status, 0);
	for (unsigned spare = 0; spare <= BYTES / PAGE; spare += BYTES / PAGE) {
		pool_set(PAGE, BYTES / PAGE + spare);
		run_with_us("forks_and_opens_what_it_may");
		run_with_us("forks_and_opens_what_it_may", "HUGETLB_FORK=share");
	}
}
