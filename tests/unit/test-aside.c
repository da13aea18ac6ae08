/* SPDX-License-Identifier: MIT */
/* What a fork child does with memory its parent's threads were building. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/act/aside.h"
#include "tests/harness/harness.h"

#define BYTES (64 * KIB)

static void *build(void *ret_at)
{
	void *at = mmap(NULL, BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at != MAP_FAILED && aside_note((uintptr_t)at, BYTES))
		*(uintptr_t *)ret_at = (uintptr_t)at;
	return NULL;
}

/* Another thread is at it. */
static uintptr_t site(void)
{
	pthread_t builder;
	uintptr_t at = 0;

	REQUIRE_EQ(pthread_create(&builder, NULL, build, &at), 0);
	pthread_join(builder, NULL);
	REQUIRE_TRUE(at != 0);
	return at;
}

static bool is_mapped(uintptr_t at)
{
	unsigned char vec;

	return mincore((void *)at, 1, &vec) == 0;
}

TEST(aside_abandoned_unmaps_and_closes_what_was_being_built)
{
	uintptr_t first = site(), second = site();
	int turn = open("/dev/null", O_RDONLY | O_CLOEXEC);

	REQUIRE_GE(turn, 0);
	aside_set_turn(second, turn);
	aside_abandon();
	EXPECT_FALSE(is_mapped(first));
	EXPECT_FALSE(is_mapped(second));
	EXPECT_EQ(fcntl(turn, F_GETFD), -1);
}

TEST(aside_forgotten_is_not_touched_by_a_child)
{
	uintptr_t kept = site(), finished = site(), other = site();

	aside_forget(finished);
	aside_forget(kept);
	aside_abandon();
	EXPECT_TRUE(is_mapped(kept));
	EXPECT_TRUE(is_mapped(finished));
	EXPECT_FALSE(is_mapped(other));
}

TEST(aside_abandoned_twice_does_nothing_the_second_time)
{
	uintptr_t at = site();
	void *again;

	aside_abandon();
	again = mmap((void *)at, BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	aside_abandon();
	EXPECT_TRUE(is_mapped((uintptr_t)again));
}

TEST(aside_with_a_turn_says_so_until_it_is_given_up)
{
	uintptr_t at = site();

	EXPECT_FALSE(aside_holds_turn());
	aside_set_turn(at, 0);
	EXPECT_TRUE(aside_holds_turn());
	aside_set_turn(at, -1);
	EXPECT_FALSE(aside_holds_turn());
	aside_forget(at);
}

/* A handler that interrupted it forks: the child returns from the handler, and goes on. */
TEST(aside_of_the_thread_that_forks_is_kept)
{
	uintptr_t mine = 0, other = site();

	build(&mine);
	REQUIRE_TRUE(mine != 0);
	aside_abandon();
	EXPECT_TRUE(is_mapped(mine));
	EXPECT_FALSE(is_mapped(other));
	aside_forget(mine);
	aside_abandon();
	EXPECT_TRUE(is_mapped(mine));
}
