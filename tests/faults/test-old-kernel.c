/* SPDX-License-Identifier: MIT */
/*
 * Linux before 5.16: mremap() of a huge mapping to a fixed place unmaps that place and
 * then says EINVAL. Nothing the program has may be lost by that. What else old kernels do
 * otherwise.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/act/promote.h"
#include "core/act/stats.h"
#include "core/base/lock.h"
#include "core/base/sys.h"
#include "core/guard.h"
#include "core/route.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/mount.h"
#include "tests/harness/pool.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define ADVICE_COLD 20

static bool is_huge(long at)
{
	return syscall(SYS_madvise, at, 4096, ADVICE_COLD) != 0;
}

static long refuse_to_move(long nr, const long args[6], bool *ret_handled)
{
	if (nr != SYS_mremap || !(args[3] & MREMAP_FIXED) || !is_huge(args[0]))
		return 0;
	*ret_handled = true;
	syscall(SYS_munmap, args[4], args[2]);
	return -22;
}

static long map(void *at, size_t bytes, int prot, int flags)
{
	const struct request rq = { .use = USE_MMAP, .at = (uintptr_t)at, .bytes = bytes,
				    .prot = prot, .flags = flags, .fd = -1 };

	return route_map(&rq);
}

/* Memory that went small for want of pages, touched, and pages there are now. */
TEST(promotion_leaves_memory_alone_that_cannot_be_moved)
{
	const struct backing how = { .page_bytes = PAGE };
	struct quiet q;
	long at;

	pool_set(PAGE, 0);
	at = map(NULL, 2 * PAGE, RW, PRIVATE);
	REQUIRE_TRUE(!sys_failed(at));
	fill_pages((void *)at, 2 * PAGE, 1);
	pool_set(PAGE, 2);
	sys_set_hook(refuse_to_move);
	gate_enter(&q);
	EXPECT_EQ(promote_some(&how, 2), 0);
	gate_leave(&q);
	sys_set_hook(NULL);
	EXPECT_EQ(mapped_in((void *)at, 2 * PAGE), 2 * PAGE);
	EXPECT_TRUE(holds_pages((void *)at, 2 * PAGE, 1));
	EXPECT_EQ(route_unmap((uintptr_t)at, 2 * PAGE), 0);
}

TEST(commit_leaves_address_space_alone_that_cannot_be_moved_over)
{
	long at;

	pool_set(PAGE, 3);
	sys_set_hook(refuse_to_move);
	at = map(NULL, 3 * PAGE, PROT_NONE, PRIVATE | MAP_NORESERVE);
	REQUIRE_TRUE(!sys_failed(at));
	EXPECT_EQ(route_protect((uintptr_t)at, 3 * PAGE, RW, -1), 0);
	sys_set_hook(NULL);
	EXPECT_EQ(mapped_in((void *)at, 3 * PAGE), 3 * PAGE);
	fill_pages((void *)at, 3 * PAGE, 1);
	EXPECT_EQ(route_unmap((uintptr_t)at, 3 * PAGE), 0);
}

/* No memory for a mapping, which the kernel says when what lay there is unmapped. */
static long refuse_late(long nr, const long args[6], bool *ret_handled)
{
	static int moves;

	if (nr != SYS_mremap || !(args[3] & MREMAP_FIXED) || moves++ == 0)
		return 0;	/* the first one is to find out if they can be moved */
	*ret_handled = true;
	syscall(SYS_munmap, args[4], args[2]);
	return -12;
}

TEST(commit_leaves_no_hole_when_the_move_fails_late)
{
	long at;

	pool_set(PAGE, 3);
	sys_set_hook(refuse_late);
	at = map(NULL, 3 * PAGE, PROT_NONE, PRIVATE | MAP_NORESERVE);
	REQUIRE_TRUE(!sys_failed(at));
	EXPECT_EQ(route_protect((uintptr_t)at, 3 * PAGE, RW, -1), 0);
	sys_set_hook(NULL);
	EXPECT_EQ(mapped_in((void *)at, 3 * PAGE), 3 * PAGE);
	fill_pages((void *)at, 3 * PAGE, 1);
	EXPECT_EQ(route_unmap((uintptr_t)at, 3 * PAGE), 0);
	EXPECT_EQ(stats_held(), 0);
}

TEST(mremap_makes_memory_small_that_cannot_be_moved)
{
	long at, to;

	pool_set(PAGE, 2);
	sys_set_hook(refuse_to_move);
	at = map(NULL, 2 * PAGE, RW, PRIVATE);
	REQUIRE_TRUE(!sys_failed(at));
	EXPECT_EQ(huge_in((void *)at, 2 * PAGE), 2 * PAGE);
	fill_pages((void *)at, 2 * PAGE, 1);
	to = map(NULL, 2 * PAGE, PROT_NONE, PRIVATE | MAP_NORESERVE);
	EXPECT_EQ(route_remap((uintptr_t)at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			      (uintptr_t)to), to);
	sys_set_hook(NULL);
	EXPECT_TRUE(holds_pages((void *)to, 2 * PAGE, 1));
	EXPECT_EQ(route_unmap((uintptr_t)to, 2 * PAGE), 0);
	EXPECT_EQ(stats_held(), 0);
}

static long refuse_to_write(long nr, const long args[6], bool *ret_handled)
{
	*ret_handled = nr == SYS_pwrite64 && is_huge(args[3] & -4096L);
	return *ret_handled ? -5 : 0;
}

/* 6.1 and 6.12 write nothing through /proc/self/mem into huge pages nobody may write. */
TEST(part_of_read_only_memory_is_given_up_where_the_kernel_does_not_write_to_it)
{
	static char was[2 * PAGE];
	char *at;

	pool_set(PAGE, 2);
	at = (char *)map(NULL, 2 * PAGE, RW, PRIVATE);
	REQUIRE_TRUE(!sys_failed((long)at));
	fill_pages(at, 2 * PAGE, 1);
	memcpy(was, at, sizeof(was));
	REQUIRE_EQ(route_protect((uintptr_t)at, 2 * PAGE, PROT_READ, -1), 0);
	EXPECT_EQ(huge_in(at, 2 * PAGE), 2 * PAGE);
	sys_set_hook(refuse_to_write);
	EXPECT_EQ(route_advise((uintptr_t)at + 8192, 4096, MADV_DONTNEED), 0);
	EXPECT_EQ(route_advise((uintptr_t)at, 4096, MADV_DONTNEED), 0);
	sys_set_hook(NULL);
	EXPECT_EQ(at[0], 0);
	EXPECT_EQ(at[8192], 0);
	EXPECT_EQ(huge_in(at, 2 * PAGE), PAGE);
	EXPECT_EQ(memcmp(at + 4096, was + 4096, 4096), 0);
	EXPECT_EQ(memcmp(at + 12288, was + 12288, sizeof(was) - 12288), 0);
	EXPECT_EQ(route_unmap((uintptr_t)at, 2 * PAGE), 0);
}

/* At a place of the program's choice, free or taken. */
TEST(own_huge_memory_at_a_place_is_proven_there)
{
	char *room;

	pool_set(PAGE, 2);
	room = mmap(NULL, 3 * PAGE, PROT_NONE, PRIVATE | MAP_NORESERVE, -1, 0);
	REQUIRE_TRUE(room != MAP_FAILED);
	room = (char *)(((uintptr_t)room + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
	sys_set_hook(refuse_to_move);
	EXPECT_EQ(map(room, 2 * PAGE, RW, PRIVATE | MAP_HUGETLB | MAP_FIXED), (long)room);
	EXPECT_EQ(huge_in(room, 2 * PAGE), 2 * PAGE);
	EXPECT_EQ(stats_held(), 2 * PAGE);
	fill_pages(room, 2 * PAGE, 1);
	EXPECT_EQ(route_unmap((uintptr_t)room, 2 * PAGE), 0);
	EXPECT_EQ(map(room, 2 * PAGE, RW, PRIVATE | MAP_HUGETLB), (long)room);
	EXPECT_EQ(huge_in(room, 2 * PAGE), 2 * PAGE);
	/* One page more than there are: refused, and what is there stays. */
	fill_pages(room, 2 * PAGE, 2);
	EXPECT_EQ(map(room, 2 * PAGE, RW, PRIVATE | MAP_HUGETLB | MAP_FIXED), -12);
	sys_set_hook(NULL);
	EXPECT_TRUE(holds_pages(room, 2 * PAGE, 2));
	EXPECT_EQ(route_unmap((uintptr_t)room, 2 * PAGE), 0);
	EXPECT_EQ(stats_held(), 0);
}

/* Linux 5.10: of a part of a page nothing is removed, and 0 is the answer. */
static long remove_no_part(long nr, const long args[6], bool *ret_handled)
{
	*ret_handled = true;
	if (nr == SYS_uname) {
		strcpy(((struct utsname *)args[0])->release, "5.10.0-32-amd64");
		return 0;
	}
	if (nr == SYS_madvise && args[2] == MADV_REMOVE && is_huge(args[0]) &&
	    ((args[0] | args[1]) & (long)(PAGE - 1)))
		return 0;
	*ret_handled = false;
	return 0;
}

/* The second page has its content from a child: it isn't in our page table. */
TEST(remove_on_shared_memory_zeroes_where_the_kernel_removes_no_part)
{
	int status = -1;
	pid_t child;
	char *at;

	pool_set(PAGE, 2);
	at = (char *)map(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS);
	REQUIRE_TRUE(!sys_failed((long)at));
	REQUIRE_EQ(huge_in(at, 2 * PAGE), 2 * PAGE);
	child = fork();
	if (child == 0) {
		memset(at, 7, 2 * PAGE);
		_exit(0);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(at[0], 7);
	sys_set_hook(remove_no_part);
	EXPECT_EQ(route_advise((uintptr_t)at + 4096, 8192, MADV_REMOVE), 0);
	EXPECT_EQ(route_advise((uintptr_t)at + PAGE - 4096, PAGE + 4096, MADV_REMOVE), 0);
	sys_set_hook(NULL);
	EXPECT_EQ(at[4095], 7);
	EXPECT_TRUE(is_zero(at + 4096, 8192));
	EXPECT_EQ(at[12288], 7);
	EXPECT_EQ(at[PAGE - 4097], 7);
	EXPECT_TRUE(is_zero(at + PAGE - 4096, PAGE + 4096));
	EXPECT_EQ(huge_in(at, 2 * PAGE), 2 * PAGE);
	EXPECT_EQ(pool_free(PAGE), 0);
	EXPECT_EQ(route_unmap((uintptr_t)at, 2 * PAGE), 0);
}

static long be_6_12(long nr, const long args[6], bool *ret_handled)
{
	*ret_handled = nr == SYS_uname;
	if (nr == SYS_uname)
		strcpy(((struct utsname *)args[0])->release, "6.12.117-amd64");
	return 0;
}

static bool maps_say(const char *text)
{
	FILE *f = fopen("/proc/self/maps", "re");
	bool said = false;
	char line[600];

	while (f && fgets(line, sizeof(line), f))
		said |= strstr(line, text) != NULL;
	if (f)
		fclose(f);
	return said;
}

/* Before 6.18 such a mount's books go wrong with what we do, and the pool's with them. */
static void draws_from(const char *options, bool from_mount)
{
	char dir[300];
	long at;

	pool_set(PAGE, 6);
	snprintf(dir, sizeof(dir), "%s", mount_hugetlbfs(PAGE, options));
	setenv("HUGETLB_PATH", dir, 1);
	sys_set_hook(be_6_12);
	for (int shared = 0; shared < 2; shared++) {
		at = map(NULL, 2 * PAGE, RW, MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE));
		EXPECT_EQ(huge_in((void *)at, 2 * PAGE), 2 * PAGE);
		EXPECT_EQ(maps_say(dir), from_mount);
		EXPECT_EQ(route_unmap((uintptr_t)at, 2 * PAGE), 0);
	}
	sys_set_hook(NULL);
}

TEST(nothing_is_drawn_from_a_minimum_before_6_18) { draws_from("min_size=4M", false); }
TEST(nothing_is_drawn_from_a_quota_with_a_minimum_before_6_18) { draws_from("size=8M,min_size=4M", false); }
TEST(a_mount_without_a_minimum_is_drawn_from_before_6_18) { draws_from("size=8M", true); }
