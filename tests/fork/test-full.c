/* SPDX-License-Identifier: MIT */
/*
 * A program that has as many mappings as the kernel allows, and forks: no page of what the
 * two share can be made small by itself then, and neither may die or read anything else.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fork/family.h"

#define GUARDED_PAGES 2
#define GUARDED (GUARDED_PAGES * PAGE)

struct memory {
	char *ours;		/* two mappings to the kernel */
	char *guarded;		/* the program's own huge pages */
};

/* A page each of another protection than its neighbours, until there is no room for more. */
static void use_up_mappings(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = 2 * page * 80000;
	char *area = mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t i = 0;

	REQUIRE_NE(area, MAP_FAILED);
	while (i < bytes && mprotect(area + i, page, PROT_READ) == 0)
		i += 2 * page;
	REQUIRE_TRUE(i < bytes);
	EXPECT_EQ(errno, ENOMEM);
	/* mmap() goes one further than the rest. */
	mmap(NULL, page, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static bool all_hold(const struct memory *m, uint32_t with)
{
	return holds_pages(m->ours, BYTES, with) && holds_pages(m->guarded, GUARDED, with + 1);
}

static void fill_all(const struct memory *m, uint32_t with)
{
	fill_pages(m->ours, BYTES, with);
	fill_pages(m->guarded, GUARDED, with + 1);
}

static void be_in_a_family(const struct memory *m, int generations)
{
	pid_t pid = fork();

	if (pid == 0) {
		bool right = all_hold(m, 1);

		if (right && generations > 1)
			be_in_a_family(m, generations - 1);
		/* The parent may have written by now. */
		right = right && all_hold(m, generations > 1 ? 5 : 1);
		fill_all(m, 3);
		_exit(right && all_hold(m, 3) ? 0 : 9);
	}
	REQUIRE_TRUE(pid > 0);
	fill_all(m, 5);
	EXPECT_EQ(status_of(pid), 0);
	EXPECT_TRUE(all_hold(m, 5));
}

static struct memory all_full(void)
{
	struct memory m = { .ours = fresh(), .guarded = map(GUARDED, MAP_PRIVATE | MAP_HUGETLB) };

	EXPECT_EQ(mprotect(m.ours, PAGE, PROT_READ), 0);
	EXPECT_EQ(mprotect(m.ours, PAGE, RW), 0);
	fill_all(&m, 1);
	use_up_mappings();
	return m;
}

PROGRAM(is_full_and_forks)
{
	const struct memory m = all_full();

	be_in_a_family(&m, 2);
}

static void *wait_on(void *arg)
{
	while (pause() < 0)
		;
	return arg;
}

PROGRAM(is_full_and_forks_with_threads)
{
	pthread_t thread;

	REQUIRE_EQ(pthread_create(&thread, NULL, wait_on, NULL), 0);
	is_full_and_forks();
}

/* Nobody of the two has more than the kernel's own copy-on-write and the net. */
PROGRAM(is_full_and_writes_to_what_a_child_keeps)
{
	struct memory m = all_full();
	int stop[2];
	pid_t pid = keeper(stop);

	REQUIRE_TRUE(pid > 0);
	fill_all(&m, 5);
	EXPECT_TRUE(all_hold(&m, 5));
	end_keeper(stop, pid);
}

static void require_a_small_limit(void)
{
	FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
	long most = 0;

	if (f && fscanf(f, "%ld", &most) != 1)
		most = 0;
	if (f)
		fclose(f);
	if (most <= 0 || most > 80000)
		SKIP("a vm.max_map_count of 80000 at most");
}

/*
 * Whoever looks at a process' mappings as it ends takes them down in its stead, and so many
 * take a while.
 */
static void wait_for_pool(void)
{
	for (int ms = 0; ms < 10000 && pool_free(PAGE) < PAGES + GUARDED_PAGES; ms++)
		pause_ms(1);
}

static void run_full(const char *policy)
{
	static const char *const programs[] = {
		"is_full_and_forks", "is_full_and_forks_with_threads",
		"is_full_and_writes_to_what_a_child_keeps",
	};

	require_a_small_limit();
	pool_set(PAGE, PAGES + GUARDED_PAGES);
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		run_with_us(programs[i], policy);
		wait_for_pool();
	}
}

TEST(fork_of_a_program_with_as_many_mappings_as_it_may_keeps_both_sides_right)
{
	run_full("HUGETLB_FORK=auto");
}

TEST(fork_that_copies_with_as_many_mappings_as_it_may_keeps_both_sides_right)
{
	run_full("HUGETLB_FORK=copy");
}

TEST(net_mends_what_is_shared_by_a_program_with_as_many_mappings_as_it_may)
{
	run_full("HUGETLB_FORK=share");
}

TEST(fork_without_userfaultfd_with_as_many_mappings_as_it_may_keeps_both_sides_right)
{
	static const char *const programs[] = {
		"HRESV_TEST_PROGRAM=is_full_and_forks",
		"HRESV_TEST_PROGRAM=is_full_and_forks_with_threads",
	};
	char self[4096], without[4096];
	ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);

	require_a_small_limit();
	self[bytes < 0 ? 0 : bytes] = '\0';
	snprintf(without, sizeof(without), "%s", harness_build_path("tests/fork/prog-without-uffd"));
	pool_set(PAGE, PAGES + GUARDED_PAGES);
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct spawned r = spawn(&(struct spawn){
			.argv = SPAWN_ARGV(without, self),
			.env = SPAWN_ARGV(programs[i]),
			.preload = "libhresv.so",
		});

		if (r.exit_status != 0)
			FAIL("%s: exit %d, signal %d: %.300s", programs[i], r.exit_status,
			     r.signal, r.err);
		wait_for_pool();
	}
}
