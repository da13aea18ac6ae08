/* SPDX-License-Identifier: MIT */
/* Protection that words can't say: bits of some processors, and those that mean nothing. */
#include "tests/faults/act.h"

#define BIT_OF_ARM 0x10		/* PROT_BTI */
#define MEANS_NOTHING 0x8	/* PROT_SEM */

static int calls_with_bit, calls_without;

/* A processor that knows the bit. */
static long know_the_bit(long nr, const long args[6], bool *ret_handled)
{
	if (nr != SYS_mprotect)
		return 0;
	calls_with_bit += (args[2] & BIT_OF_ARM) != 0;
	calls_without += !(args[2] & BIT_OF_ARM);
	*ret_handled = true;
	return syscall(SYS_mprotect, args[0], args[1], args[2] & ~BIT_OF_ARM) ? -errno : 0;
}

TEST(mprotect_with_a_bit_of_the_processor_is_the_kernels_to_keep)
{
	char *at;

	warm_up(3);
	at = map(MAP_PRIVATE);
	fill_pages(at, BYTES, 4);
	sys_set_hook(know_the_bit);
	EXPECT_EQ(route_protect((uintptr_t)at + PAGE + 4096, 4096, RW | BIT_OF_ARM, -1), 0);
	EXPECT_EQ(route_protect((uintptr_t)at, PAGE, RW | BIT_OF_ARM, -1), 0);
	EXPECT_GT(calls_with_bit, 1);
	calls_without = 0;
	EXPECT_EQ(route_protect((uintptr_t)at, PAGE, RW, -1), 0);
	EXPECT_EQ(calls_without, 1);
	sys_set_hook(NULL);
	EXPECT_EQ(huge_in(at, 3 * PAGE), PAGE);
	EXPECT_TRUE(holds_pages(at, BYTES, 4));
	EXPECT_EQ(route_unmap((uintptr_t)at, BYTES), 0);
	EXPECT_EQ(stats_held(), 0);
}

TEST(mprotect_with_an_unknown_bit_is_einval_and_changes_nothing)
{
	char *at;

	warm_up(3);
	at = map(MAP_PRIVATE);
	EXPECT_EQ(route_protect((uintptr_t)at, PAGE, RW | 0x4000, -1), -EINVAL);
	EXPECT_EQ(huge_in(at, 3 * PAGE), 3 * PAGE);
	EXPECT_EQ(route_unmap((uintptr_t)at, BYTES), 0);
}

TEST(mprotect_with_a_bit_without_meaning_is_as_without_it)
{
	char *at;

	warm_up(3);
	at = map(MAP_PRIVATE);
	fill_pages(at, BYTES, 4);
	EXPECT_EQ(route_protect((uintptr_t)at + 4096, 4096, PROT_READ | MEANS_NOTHING, -1), 0);
	EXPECT_EQ(route_protect((uintptr_t)at + PAGE, PAGE, PROT_READ | MEANS_NOTHING, -1), 0);
	EXPECT_EQ(word_prot(pagemap_get((uintptr_t)at + PAGE)), PROT_READ);
	EXPECT_EQ(huge_in(at, 3 * PAGE), 2 * PAGE);
	EXPECT_TRUE(holds_pages(at, BYTES, 4));
	EXPECT_EQ(route_protect((uintptr_t)at, BYTES, RW, -1), 0);
	EXPECT_EQ(route_unmap((uintptr_t)at, BYTES), 0);
	EXPECT_EQ(stats_held(), 0);
}
