/* SPDX-License-Identifier: MIT */
/*
 * fork(), each system call around it failing in turn, in parent and child: both live,
 * both have the data, both can go on mapping memory.
 */
#include <sys/wait.h>

#include "core/fork.h"
#include "core/route.h"
#include "tests/faults/held.h"
#include "tests/faults/old.h"

#define BYTES (2 * PAGE)

/* What core/fork.c and cow.c keep on purpose, far above what programs use. */
static void close_kept(void)
{
	close_range(900, ~0u, 0);
}

static char *map(void)
{
	const struct request rq = { .bytes = BYTES, .prot = RW, .flags = ANON, .fd = -1 };
	long at = route_map(&rq);

	REQUIRE_TRUE(!sys_failed(at));
	return (char *)at;
}

/* 0: all well with what the process has; it is its own from now on. */
static int look(char *at)
{
	char *more;

	if (!holds_pages(at, BYTES, 5))
		return 2;
	fill_pages(at, BYTES, 6);
	if (!holds_pages(at, BYTES, 6))
		return 3;
	more = map();
	memset(more, 1, BYTES);
	if (route_unmap((uintptr_t)more, BYTES) != 0 || route_unmap((uintptr_t)at, BYTES) != 0)
		return 4;
	return stats_held() == 0 ? 0 : 5;
}

/* With @in_child the faults begin behind the fork. Returns whether a call failed. */
static bool fork_once(int nth, int err, bool in_child)
{
	int *shared = mmap(NULL, 4096, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), status;
	char *at = map();
	bool fired;
	pid_t child;

	fill_pages(at, BYTES, 5);
	if (nth && !in_child)
		faults_arm(nth, err);
	fork_prepare();
	child = _Fork();
	if (child == 0) {
		if (nth && in_child)
			faults_arm(nth, err);
		fork_child();
		*shared = faults_fired();
		_exit(look(at));
	}
	REQUIRE_GE(child, 1);
	fork_parent();
	fired = faults_fired();
	/* The child first, or it would copy from what has changed. */
	EXPECT_EQ(waitpid(child, &status, 0), child);
	if (status)
		held_tell(in_child ? "fork_child" : "fork_prepare", nth, err);
	EXPECT_EQ(status, 0);
	fired = in_child ? *shared : fired;
	munmap(shared, 4096);
	EXPECT_EQ(look(at), 0);
	return nth && fired;
}

static void fork_each(unsigned long pages)
{
	static const int errs[] = { ENOMEM, ENOMEM, EPERM, EMFILE };

	pool_set(PAGE, pages);
	held_grow_records();
	for (int in_child = 0; in_child < 2; in_child++)
		for (size_t i = 0; i < sizeof(errs) / sizeof(errs[0]); i++) {
			int nth = 0;

			fork_once(0, 0, in_child);
			for (bool fired = true; fired && nth < HELD_CALLS_MOST; )
				fired = fork_once(++nth, errs[i], in_child);
			EXPECT_LT(nth, HELD_CALLS_MOST);
		}
	close_kept();
}

TEST(fork_with_pages_to_spare_serves_both)
{
	fork_each(8);
}

TEST(fork_without_a_page_to_spare_serves_both)
{
	fork_each(2);
}

TEST(fork_that_copies_for_the_child_serves_both)
{
	setenv("HUGETLB_FORK", "copy", 1);
	fork_each(2);
}

TEST(fork_without_userfaultfd_serves_both)
{
	pool_set(PAGE, 2);
	old_kernel(OLD_NO_UFFD);
	fork_once(0, 0, false);
	fork_once(0, 0, true);
	old_kernel(0);
}

/* There is no child: the parent goes on as if nothing had been. */
TEST(fork_that_fails_leaves_the_parent_as_it_was)
{
	for (unsigned long pages = 2; pages <= 8; pages += 6) {
		pool_set(PAGE, pages);
		for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
			char *at = map();

			fill_pages(at, BYTES, 5);
			faults_arm(nth, ENOMEM);
			fork_prepare();
			fork_parent();
			fired = faults_fired();
			EXPECT_EQ(gate_role(), GATE_OUTSIDE);
			EXPECT_EQ(held_masked(), 0);
			EXPECT_EQ(look(at), 0);
		}
	}
	close_kept();
}

/* Descriptors of a fork: promises, the pipe; none is left when both have gone on. */
TEST(fork_leaves_no_descriptor_in_the_parent)
{
	struct held before;

	pool_set(PAGE, 8);
	fork_once(0, 0, false);
	before = held_now();
	for (int i = 0; i < 3; i++)
		fork_once(0, 0, false);
	EXPECT_EQ(held_now().descriptors, before.descriptors);
	EXPECT_EQ(held_now().claims, 0);
	EXPECT_EQ(held_now().masked, before.masked);
}
