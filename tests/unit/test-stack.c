/* SPDX-License-Identifier: MIT */
/* A call beside the caller's stack: only where that lies in the range, and it comes back. */
#include "core/base/stack.h"

#include <errno.h>
#include <sys/syscall.h>

#include "core/base/sys.h"
#include "tests/harness/harness.h"

static uintptr_t callee;

static long note(void *arg)
{
	callee = (uintptr_t)__builtin_frame_address(0);
	return *(const int *)arg + 1;
}

TEST(call_is_made_on_the_callers_stack_where_nothing_touches_it)
{
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	int value = 6;

	EXPECT_EQ(stack_clear_of(here - MIB, here - MIB + 4096, note, &value), 7);
	EXPECT_TRUE(here - callee < 4096);
}

TEST(call_is_made_on_another_stack_where_the_callers_lies_in_the_range)
{
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	const uintptr_t lo = here & ~(uintptr_t)4095;
	int value = 6;

	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(stack_clear_of(lo, lo + 4096, note, &value), 7);
		EXPECT_FALSE(callee >= here - MIB && callee < here + MIB);
		/* What it calls would reach into it from above. */
		EXPECT_EQ(stack_clear_of(here - 16384, here - 8192, note, &value), 7);
		EXPECT_FALSE(callee >= here - MIB && callee < here + MIB);
	}
}

static long no_memory(long nr, const long args[6], bool *ret_handled)
{
	(void)args;
	*ret_handled = nr == SYS_mmap;
	return -ENOMEM;
}

/* Runs on the one stack that is always there; who asks for another gets none. */
static long ask_again(void *arg)
{
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	callee = here;
	return stack_clear_of(here - 4096, here + 4096, note, arg);
}

TEST(call_is_made_on_a_spare_stack_where_no_memory_is_left_and_not_on_the_same_twice)
{
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	int value = 6;
	long first, second, again;
	uintptr_t where;

	sys_set_hook(no_memory);
	first = stack_clear_of(here - 4096, here + 4096, note, &value);
	where = callee;
	second = stack_clear_of(here - 4096, here + 4096, ask_again, &value);
	again = stack_clear_of(here - 4096, here + 4096, note, &value);
	sys_set_hook(NULL);
	EXPECT_EQ(first, 7);
	EXPECT_FALSE(where >= here - MIB && where < here + MIB);
	EXPECT_EQ(second, -ENOMEM);
	EXPECT_EQ(again, 7);
}
