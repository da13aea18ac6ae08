/* SPDX-License-Identifier: MIT */
/* A mapping that takes long to prove holds up neither signals nor another thread's fork. */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define BYTES (144 * PAGE)

static volatile sig_atomic_t mapping, seen;
static volatile bool done;

static void note(int number)
{
	(void)number;
	if (mapping)
		seen = 1;
}

static void map_once(void)
{
	char *at;

	mapping = 1;
	at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mapping = 0;
	REQUIRE_NE(at, MAP_FAILED);
	at[BYTES - 1] = 1;
	EXPECT_EQ(munmap(at, BYTES), 0);
}

/* The timer is far shorter than the call: without a moment outside it, it never comes. */
PROGRAM(takes_signals_while_it_maps)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } };

	signal(SIGALRM, note);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int round = 0; round < 50 && !seen; round++)
		map_once();
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	EXPECT_TRUE(seen);
}

TEST(signals_arrive_while_a_long_mapping_is_proven)
{
	pool_set(PAGE, 150);
	run_with_us("takes_signals_while_it_maps", "HUGETLB_VERBOSE=1");
}

static void *map_on(void *unused)
{
	(void)unused;
	while (!done)
		map_once();
	return NULL;
}

/* The child may map itself at once: what the other thread was building is not in its way. */
PROGRAM(forks_while_another_thread_maps)
{
	pthread_t thread;

	REQUIRE_EQ(pthread_create(&thread, NULL, map_on, NULL), 0);
	for (int round = 0; round < 40; round++) {
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			at[1] = 1;
			munmap(at, PAGE);
			_exit(0);
		}
		REQUIRE_TRUE(child > 0);
		waitpid(child, &status, 0);
		EXPECT_EQ(status, 0);
	}
	done = true;
	pthread_join(thread, NULL);
}

TEST(forks_pass_while_another_thread_proves_a_long_mapping)
{
	pool_set(PAGE, 150);
	run_with_us("forks_while_another_thread_maps", "HUGETLB_VERBOSE=1");
}
