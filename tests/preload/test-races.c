/* SPDX-License-Identifier: MIT */
/*
 * Processes and threads want the last pages at the same time: nobody dies, nobody is
 * refused what was there, and afterwards the counters are what they were.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)

enum { RACERS = 3, ROUNDS = 2000, SECONDS = 2 };

/* Shared by the racing processes: they meet before each round and count what they got. */
static struct course {
	pthread_barrier_t line;
	_Atomic unsigned got[2], rounds;
	_Atomic bool over;
} *course;

static void make_course(unsigned racers)
{
	pthread_barrierattr_t shared;

	course = mmap(NULL, sizeof(*course), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&course->line, &shared, racers);
}

static bool time_is_up(time_t start)
{
	return time(NULL) - start >= SECONDS;
}

static int map_flags(void)
{
	int type = getenv("SHARED") ? MAP_SHARED : MAP_PRIVATE;

	return type | MAP_ANONYMOUS | (getenv("EXPLICIT") ? MAP_HUGETLB : 0);
}

/*
 * Each wants 4 of 6 pages. Explicit: exactly one of them gets its 4. Rerouted: all
 * 6 are used, by whomever.
 */
static void race(bool first, time_t start)
{
	bool explicit = getenv("EXPLICIT") != NULL;

	for (unsigned i = 0; !course->over; i++) {
		char *at;

		pthread_barrier_wait(&course->line);
		at = mmap(NULL, 4 * PAGE, RW, map_flags(), -1, 0);
		if (at == MAP_FAILED) {
			EXPECT_TRUE(explicit);
			EXPECT_EQ(errno, ENOMEM);
		} else {
			for (size_t page = 0; page < 4; page++)
				at[page * PAGE] = (char)i;
			if (explicit)
				atomic_fetch_add(&course->got[i % 2], 4);
			else if (i % 16 == 0)	/* smaps is slow */
				atomic_fetch_add(&course->got[i % 2],
						 (unsigned)(huge_in(at, 4 * PAGE) / PAGE));
		}
		pthread_barrier_wait(&course->line);
		if (first) {
			if (explicit)
				EXPECT_EQ(course->got[i % 2], 4);
			else if (i % 16 == 0)
				EXPECT_EQ(course->got[i % 2], 6);
			course->got[i % 2] = 0;
			atomic_fetch_add(&course->rounds, 1);
			course->over = i + 1 >= ROUNDS || time_is_up(start);
		}
		if (at != MAP_FAILED)
			EXPECT_EQ(munmap(at, 4 * PAGE), 0);
		pthread_barrier_wait(&course->line);
	}
}

PROGRAM(processes_race)
{
	time_t start = time(NULL);

	make_course(RACERS);
	for (int i = 1; i < RACERS; i++) {
		if (fork() == 0) {
			race(false, start);
			_exit(0);
		}
	}
	race(true, start);
	for (int i = 1; i < RACERS; i++) {
		int status;

		wait(&status);
		EXPECT_EQ(status, 0);
	}
	printf("%u rounds\n", course->rounds);
	EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
	EXPECT_EQ(pool_resv(PAGE), 0);
}

static void *race_as_thread(void *start)
{
	race(false, *(time_t *)start);
	return NULL;
}

PROGRAM(threads_race)
{
	time_t start = time(NULL);
	pthread_t thread[RACERS];

	make_course(RACERS);
	for (int i = 1; i < RACERS; i++)
		pthread_create(&thread[i], NULL, race_as_thread, &start);
	race(true, start);
	for (int i = 1; i < RACERS; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
	EXPECT_EQ(pool_resv(PAGE), 0);
}

#define RACE_TESTS(who)                                                                      \
	TEST(who##_that_race_for_the_last_pages_use_them_all)                                \
	{                                                                                    \
		pool_set(PAGE, 6);                                                           \
		run_with_us(#who "_race");                                                   \
	}                                                                                    \
	TEST(who##_that_race_for_the_last_shared_pages_use_them_all)                         \
	{                                                                                    \
		pool_set(PAGE, 6);                                                           \
		run_with_us(#who "_race", "SHARED=1");                                       \
	}                                                                                    \
	TEST(who##_that_race_with_their_own_requests_have_one_winner)                        \
	{                                                                                    \
		pool_set(PAGE, 6);                                                           \
		run_with_us(#who "_race", "EXPLICIT=1");                                     \
	}                                                                                    \
	TEST(who##_that_race_with_their_own_shared_requests_have_one_winner)                 \
	{                                                                                    \
		pool_set(PAGE, 6);                                                           \
		run_with_us(#who "_race", "EXPLICIT=1", "SHARED=1");                         \
	}                                                                                    \
	TEST(who##_that_race_under_a_fault_limit_have_one_winner)                            \
	{                                                                                    \
		pool_set(PAGE, 16);                                                          \
		cgroup_make("pod");                                                          \
		cgroup_limit_fault("pod", PAGE, 6 * PAGE);                                   \
		run_with_us_in("pod", #who "_race", "EXPLICIT=1");                           \
		run_with_us_in("pod", #who "_race", "EXPLICIT=1", "SHARED=1");               \
	}

RACE_TESTS(processes)
RACE_TESTS(threads)

/* All touch the last pages of one shared mapping at once: it was granted, so it holds. */
PROGRAM(children_touch_one_mapping)
{
	time_t start = time(NULL);
	size_t bytes = 6 * PAGE;

	make_course(RACERS);
	for (unsigned i = 0; i < ROUNDS && !time_is_up(start); i++) {
		char *at = mmap(NULL, bytes, RW, map_flags(), -1, 0);
		int status;

		REQUIRE_NE(at, MAP_FAILED);
		for (int child = 0; child < RACERS; child++) {
			if (fork() == 0) {
				pthread_barrier_wait(&course->line);
				for (size_t page = 6; page-- > 0;)
					at[page * PAGE + (size_t)child * 64] = (char)(child + 1);
				_exit(0);
			}
		}
		for (int child = 0; child < RACERS; child++) {
			wait(&status);
			EXPECT_EQ(status, 0);
		}
		for (size_t page = 0; page < 6; page++)
			for (int child = 0; child < RACERS; child++)
				EXPECT_EQ(at[page * PAGE + (size_t)child * 64], child + 1);
		EXPECT_EQ(munmap(at, bytes), 0);
	}
	EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
	EXPECT_EQ(pool_resv(PAGE), 0);
}

TEST(shared_mapping_of_the_last_pages_holds_whoever_touches_first)
{
	pool_set(PAGE, 6);
	run_with_us("children_touch_one_mapping", "SHARED=1");
	run_with_us("children_touch_one_mapping", "SHARED=1", "EXPLICIT=1");
}

/* Two threads take mappings, cut them at random and give them back, until time is up. */
static void *cut_and_drop(void *seed_of)
{
	unsigned seed = *(unsigned *)seed_of;
	time_t start = time(NULL);

	while (!time_is_up(start)) {
		size_t bytes = PAGE + (size_t)(rand_r(&seed) % 8) * MIB;
		char *at = mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		size_t cut = (size_t)rand_r(&seed) % (bytes / 4096) * 4096;
		size_t length = 4096 + (size_t)rand_r(&seed) % 300 * 4096;

		REQUIRE_NE(at, MAP_FAILED);
		fill_pages(at, bytes, seed);
		if (cut + length > bytes)
			length = bytes - cut;
		EXPECT_EQ(munmap(at + cut, length), 0);
		for (size_t i = 0; i < bytes; i += 4096)
			if (i < cut || i >= cut + length)
				EXPECT_NE(*(volatile uint64_t *)(at + i), 0);
		EXPECT_EQ(munmap(at, bytes), 0);
	}
	return NULL;
}

PROGRAM(threads_cut_their_memory)
{
	pthread_t thread[3];
	unsigned seed[3] = { 1, 2, 3 };

	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, cut_and_drop, &seed[i]);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
}

TEST(threads_that_cut_their_memory_lose_nothing_and_leak_nothing)
{
	pool_set(PAGE, 6);
	run_with_us("threads_cut_their_memory");
}
