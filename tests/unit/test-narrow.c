/* SPDX-License-Identifier: MIT */
/* The door to the kernel, closed to all that a program with a filter doesn't call itself. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/act/carry.h"
#include "core/act/inflight.h"
#include "core/act/demote.h"
#include "core/base/mem.h"
#include "core/base/narrow.h"
#include "core/base/sys.h"
#include "tests/harness/harness.h"

static void make_narrow(void)
{
	narrow_remember();
	narrow_door();
	REQUIRE_TRUE(door_is_narrow());
}

TEST(narrow_door_refuses_files_and_lets_memory_pass)
{
	long at;

	EXPECT_FALSE(door_is_narrow());
	make_narrow();
	EXPECT_EQ(sys_openat(AT_FDCWD, "/proc/self/status", O_RDONLY, 0), -EPERM);
	EXPECT_EQ(sys_flock(0, 0), -EPERM);
	at = sys_mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_FALSE(sys_failed(at));
	EXPECT_TRUE(mem_is_mapped((uintptr_t)at));
	EXPECT_EQ(sys_munmap((uintptr_t)at, 4096), 0);
	EXPECT_FALSE(mem_is_mapped((uintptr_t)at));
}

TEST(narrow_door_has_a_time_that_goes_on)
{
	uint64_t before = sys_now_ns(), first, second;

	make_narrow();
	first = sys_now_ns();
	second = sys_now_ns();
	EXPECT_GT(first, before);
	EXPECT_GT(second, first);
}

TEST(narrow_door_is_the_same_process_in_a_child)
{
	long pid = sys_getpid();
	int status = -1;

	make_narrow();
	EXPECT_EQ(sys_getpid(), pid);
	if (fork() == 0)
		_exit(door_is_narrow() && sys_getpid() == pid ? 0 : 1);
	EXPECT_GT(wait(&status), 0);
	EXPECT_EQ(status, 0);
}

/* Or it would signal its parent in its own place. */
TEST(narrow_door_gives_a_renewed_child_no_number)
{
	make_narrow();
	narrow_renew();
	EXPECT_EQ(sys_getpid(), 0);
}

/* What can't be asked may be pinned now; a fork goes by what was so before. */
TEST(narrow_door_has_pins_but_for_a_fork)
{
	inflight_remember();
	carry_remember();
	make_narrow();
	EXPECT_TRUE(carry_has_pins());
	EXPECT_FALSE(carry_has_pins_at_fork());
}
