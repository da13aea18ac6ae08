/* SPDX-License-Identifier: MIT */
/*
 * Locked memory: the calls that lock it, in part, in whole, and before it is there, and
 * those that are refused for it. Each program says the same without us.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define SMALL ((size_t)4096)

static char *map(size_t bytes)
{
	char *at = mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	if (getenv("HUGE"))
		EXPECT_EQ(huge_in(at, bytes), bytes);
	at[0] = at[bytes - 1] = 5;
	return at;
}

static int error_of(int result)
{
	return result == 0 ? 0 : errno;
}

static int drop(char *at)
{
	return error_of(madvise(at, SMALL, MADV_DONTNEED));
}

static int invalidate(char *at, size_t bytes)
{
	return error_of(msync(at, bytes, MS_INVALIDATE | MS_ASYNC));
}

PROGRAM(locks_parts)
{
	char *at = map(3 * PAGE);

	EXPECT_EQ(mprotect(at + PAGE, PAGE, PROT_NONE), 0);
	EXPECT_EQ(mlock2(at + PAGE + SMALL, PAGE, MLOCK_ONFAULT), 0);
	EXPECT_EQ(invalidate(at, PAGE + SMALL), 0);
	EXPECT_EQ(invalidate(at, 3 * PAGE), EBUSY);
	EXPECT_EQ(invalidate(at + PAGE + SMALL, SMALL), EBUSY);
	EXPECT_EQ(invalidate(at + 2 * PAGE + SMALL, SMALL), 0);
	EXPECT_EQ(error_of(msync(at, 3 * PAGE, MS_SYNC)), 0);
	EXPECT_EQ(error_of(msync(at, 3 * PAGE, MS_INVALIDATE | 64)), EINVAL);
	EXPECT_EQ(error_of(msync(at + 1, 3 * PAGE, MS_INVALIDATE)), EINVAL);
	EXPECT_EQ(drop(at + PAGE + SMALL), EINVAL);
	EXPECT_EQ(drop(at), 0);
	EXPECT_EQ(munlock(at, 3 * PAGE), 0);
	EXPECT_EQ(invalidate(at, 3 * PAGE), 0);
	EXPECT_EQ(drop(at + PAGE + SMALL), 0);
	/* The hole is said when what lies before it was done. */
	EXPECT_EQ(munmap(at + PAGE, PAGE), 0);
	EXPECT_EQ(invalidate(at, 3 * PAGE), ENOMEM);
	EXPECT_EQ(error_of(mlock2(at, 3 * PAGE, MLOCK_ONFAULT)), ENOMEM);
	EXPECT_EQ(drop(at), EINVAL);
	EXPECT_EQ(drop(at + 2 * PAGE), 0);
	EXPECT_EQ(error_of(mlock2(at, PAGE, 16)), EINVAL);
}

PROGRAM(locks_whole_pages)
{
	char *at = map(2 * PAGE);

	EXPECT_EQ(mprotect(at + PAGE, PAGE, PROT_NONE), 0);
	EXPECT_EQ(mlock2(at + PAGE, PAGE, MLOCK_ONFAULT), 0);
	EXPECT_EQ(invalidate(at, PAGE), 0);
	EXPECT_EQ(invalidate(at + PAGE, PAGE), EBUSY);
	EXPECT_EQ(invalidate(at, 2 * PAGE), EBUSY);
	EXPECT_EQ(munlock(at, 2 * PAGE), 0);
	EXPECT_EQ(invalidate(at, 2 * PAGE), 0);
}

PROGRAM(locks_all)
{
	char *before = map(2 * PAGE), *behind;
	int status = -1;
	pid_t pid;

	EXPECT_EQ(mlock(before, PAGE), 0);
	EXPECT_EQ(munlockall(), 0);
	EXPECT_EQ(drop(before), 0);
	EXPECT_EQ(mlockall(MCL_CURRENT), 0);
	EXPECT_EQ(drop(before + PAGE), EINVAL);
	pid = fork();
	if (pid == 0)
		_exit(drop(before) || invalidate(before, 2 * PAGE));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(drop(before), EINVAL);
	EXPECT_EQ(mlockall(MCL_FUTURE), 0);
	behind = map(2 * PAGE);
	EXPECT_EQ(drop(behind), EINVAL);
	EXPECT_EQ(drop(before), EINVAL);
	EXPECT_EQ(munlockall(), 0);
	EXPECT_EQ(drop(behind), 0);
	EXPECT_EQ(drop(before), 0);
	EXPECT_EQ(error_of(mlockall(64)), EINVAL);
	EXPECT_EQ(munmap(before, 2 * PAGE) | munmap(behind, 2 * PAGE), 0);
	before = map(2 * PAGE);
	EXPECT_EQ(drop(before), 0);
}

/* As much as one may, and no more. */
PROGRAM(locks_too_much)
{
	const struct rlimit limit = { 3 * MIB, 3 * MIB };
	char *at = map(2 * PAGE);

	REQUIRE_EQ(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	EXPECT_EQ(error_of(mlock2(at, 2 * PAGE, MLOCK_ONFAULT)), ENOMEM);
	EXPECT_EQ(drop(at), 0);
	EXPECT_EQ(error_of(mlock2(at, PAGE, MLOCK_ONFAULT)), 0);
	EXPECT_EQ(drop(at), EINVAL);
}

static void with_and_without(const char *program, const char *user)
{
	struct spawned r = program_run(program, (struct spawn){ .user = user });

	EXPECT_STR_EQ(r.err, "");
	EXPECT_EQ(r.exit_status, 0);
	pool_set(PAGE, 6);
	run_with_us_as(user, program, "HUGE=1");
	pool_set(PAGE, 0);
	run_with_us_as(user, program);
}

TEST(memory_locked_in_part_is_as_without_us)
{
	with_and_without("locks_parts", NULL);
}

TEST(memory_locked_by_the_page_is_as_without_us)
{
	with_and_without("locks_whole_pages", NULL);
}

TEST(memory_locked_by_mlockall_is_as_without_us)
{
	with_and_without("locks_all", NULL);
}

TEST(memory_locked_beyond_the_limit_is_enomem_as_without_us)
{
	with_and_without("locks_too_much", "nobody");
}
