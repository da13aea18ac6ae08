// SPDX-License-Identifier: MIT
// timeout: 2000
/*
 * Many processes reserve, shrink, map, fork and die at once. The sum of what they hold
 * never exceeds the pool, no page held is missing at a touch, and nothing is left behind.
 *
 * HRESV_CONTENTION_SECS=600 makes it minutes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "include/hresv.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"

#define PAGE (2 * MIB)
#define PAGES 24
#define WORKERS 8
#define HANDLES 3

/* Seen by all; every page is counted after it is had and before it is given back. */
static struct account {
	_Atomic long held, most, reserved, refused, died, wrong;
} *all;

static void count(long pages)
{
	long now = (all->held += pages), most = all->most;

	while (now > most && !__atomic_compare_exchange_n((long *)&all->most, &most, now, 0, 5, 5))
		;
	if (now > PAGES)
		all->wrong++;
}

struct mine {
	struct hresv_reservation *r;
	long pages;
	int is_private;
};

static unsigned random_of(unsigned *seed, unsigned below)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % below;
}

static void check(int good, const char *what)
{
	if (good)
		return;
	all->wrong++;
	fprintf(stderr, "# %d: %s\n", getpid(), what);
}

static void get(struct mine *m, unsigned *seed)
{
	const long pages = 1 + (long)random_of(seed, 7);
	struct hresv_want want = { .bytes = (size_t)pages * PAGE, .page_bytes = PAGE };
	int err;

	want.flags = random_of(seed, 2) ? HRESV_PRIVATE : 0;
	err = hresv_reserve(&want, &m->r);
	if (err) {
		check(err == HRESV_SHORT(HRESV_POOL), hresv_strerror(err));
		all->refused++;
		return;
	}
	all->reserved++;
	m->pages = pages;
	m->is_private = (want.flags & HRESV_PRIVATE) != 0;
	count(pages);
}

static void put(struct mine *m)
{
	all->held -= m->pages;
	hresv_release(m->r);
	*m = (struct mine){ NULL, 0, 0 };
}

/* A touch that finds no page kills us, and the test counts the dead. */
static void use(struct mine *m, unsigned *seed)
{
	const long first = (long)random_of(seed, (unsigned)m->pages);
	const size_t bytes = (size_t)(m->pages - first) * PAGE;
	void *at = NULL;
	int err = hresv_map(m->r, (size_t)first * PAGE, 0, 0, &at);

	check(!err, hresv_strerror(err));
	if (err)
		return;
	memset(at, 1 + first, bytes);
	check(((char *)at)[bytes - 1] == 1 + first, "content");
	/* A shared part may not be cut under a mapping; sometimes a child has it. */
	if (!m->is_private && random_of(seed, 4) == 0) {
		pid_t pid = fork();

		if (pid == 0) {
			memset(at, 99, bytes);
			if (random_of(seed, 2))
				raise(SIGKILL);
			_exit(0);
		}
		check(hresv_shrink(m->r, 0) == -EBUSY, "shrunk under a mapping");
		waitpid(pid, NULL, 0);
		check(((char *)at)[0] == 99 || ((char *)at)[0] == 1 + first, "content of the child");
	}
	check(hresv_unmap(m->r, at, bytes) == 0, "unmap");
}

static void shrink(struct mine *m, unsigned *seed)
{
	const long keep = (long)random_of(seed, (unsigned)m->pages);

	all->held -= m->pages - keep;
	check(hresv_shrink(m->r, (size_t)keep * PAGE) == 0, "shrink");
	m->pages = keep;
	if (!keep)
		put(m);
}

static void work(unsigned seed, time_t until)
{
	struct mine mine[HANDLES] = { { NULL, 0, 0 } };

	while (time(NULL) < until) {
		struct mine *m = &mine[random_of(&seed, HANDLES)];

		if (!m->r)
			get(m, &seed);
		else if (random_of(&seed, 3) == 0)
			put(m);
		else if (random_of(&seed, 3) == 0)
			shrink(m, &seed);
		else
			use(m, &seed);
		if (random_of(&seed, 200) == 0) {	/* with all it holds */
			for (int i = 0; i < HANDLES; i++)
				all->held -= mine[i].pages;
			raise(SIGKILL);
		}
	}
	for (int i = 0; i < HANDLES; i++)
		if (mine[i].r)
			put(&mine[i]);
}

static pid_t start(unsigned seed, time_t until)
{
	pid_t pid = fork();

	if (pid == 0) {
		work(seed, until);
		_exit(0);
	}
	return pid;
}

TEST_TIMEOUT(reservations_under_contention_never_exceed_the_pool_and_never_fail_at_touch, 1900)
{
	const char *secs = getenv("HRESV_CONTENTION_SECS");
	const time_t until = time(NULL) + (secs ? atoi(secs) : 6);
	int running = 0, status;
	unsigned seed = 1;

	pool_set(PAGE, PAGES);
	all = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	while (running < WORKERS) {
		start(seed++ * 7919, until);
		running++;
	}
	while (running) {
		pid_t pid = wait(&status);

		REQUIRE_TRUE(pid > 0);
		running--;
		/* SIGKILL is our own; SIGBUS would be a promise broken. */
		EXPECT_TRUE(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
		if (!WIFSIGNALED(status))
			continue;
		all->died++;
		start(seed++ * 7919, until);
		running++;
	}
	printf("# %ld reservations, %ld refused, %ld died, at most %ld of %d pages\n", (long)all->reserved,
	       (long)all->refused, (long)all->died, (long)all->most, PAGES);
	EXPECT_EQ(all->wrong, 0);
	EXPECT_EQ(all->held, 0);
	EXPECT_GT(all->reserved, 0);
	EXPECT_GT(all->refused, 0);
	EXPECT_GT(all->most, 7);	/* more than one at a time */
	EXPECT_EQ(pool_free(PAGE), PAGES);
	EXPECT_EQ(pool_resv(PAGE), 0);
	munmap(all, 4096);
}
