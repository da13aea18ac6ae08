/* SPDX-License-Identifier: MIT */
/*
 * What fork's policy rests on: the kernel tells which huge pages two processes share
 * (bit 56 of /proc/self/pagemap), and keeps locks on the pool's own file that end
 * with the last descriptor, however its process ends.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/pool.h"

#define PAGE (2 * MIB)
#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

static bool is_exclusive(void *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	REQUIRE_EQ(pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)at / 4096 * 8)), 8);
	close(fd);
	EXPECT_TRUE(entry >> 63);
	return entry >> 56 & 1;
}

static pid_t child_until(int stop[2])
{
	pid_t pid;
	char c;

	REQUIRE_EQ(pipe2(stop, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		close(stop[1]);
		_exit((int)read(stop[0], &c, 1));
	}
	close(stop[0]);
	return pid;
}

TEST(kernel_tells_a_huge_page_that_a_child_shares_until_it_ends)
{
	int stop[2];
	char *at;
	pid_t pid;

	pool_set(PAGE, 1);
	at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
	REQUIRE_NE(at, MAP_FAILED);
	at[0] = 1;
	EXPECT_TRUE(is_exclusive(at));
	pid = child_until(stop);
	EXPECT_FALSE(is_exclusive(at));
	close(stop[1]);
	waitpid(pid, NULL, 0);
	EXPECT_TRUE(is_exclusive(at));
	at[0] = 2;		/* and needs no second page */
}

/* Of [2^40, +@pages): nobody else's test is there. */
static struct flock lock_on(short type, off_t pages)
{
	return (struct flock){ .l_type = type, .l_start = (off_t)1 << 40, .l_len = pages };
}

static bool is_locked(void)
{
	struct flock ask = lock_on(F_WRLCK, 100);
	int fd = open(POOL, O_RDONLY | O_CLOEXEC);

	REQUIRE_GE(fd, 0);
	REQUIRE_EQ(fcntl(fd, F_OFD_GETLK, &ask), 0);
	close(fd);
	return ask.l_type != F_UNLCK;
}

TEST(kernel_keeps_a_lock_on_the_pools_file_for_a_child_and_drops_it_when_killed)
{
	struct flock lock = lock_on(F_RDLCK, 7);
	int fd = open(POOL, O_RDONLY | O_CLOEXEC), stop[2];
	pid_t pid;

	if (fd < 0)
		SKIP("%s", POOL);
	REQUIRE_EQ(fcntl(fd, F_OFD_SETLK, &lock), 0);
	pid = child_until(stop);
	close(fd);
	EXPECT_TRUE(is_locked());
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_FALSE(is_locked());
	close(stop[1]);
}
