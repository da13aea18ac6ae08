/* SPDX-License-Identifier: MIT */
/*
 * Descriptors across a fork: a daemon closes all it inherits and opens its own, perhaps
 * with the numbers ours had; a child may share its parent's table. Nobody's are closed.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define MOST 1024

static char *map_used(size_t bytes)
{
	char *at = mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	fill_pages(at, bytes, 1);
	return at;
}

static struct stat seen[MOST];

/* Every number that can be had is ours now, and what it is is written down. */
static int open_all(void)
{
	int n = 3, fd;

	while ((fd = memfd_create("own", 0)) >= 0 && fd < MOST)
		if (fd + 1 > n)
			n = fd + 1;
	for (int i = 3; i < n; i++)
		if (fstat(i, &seen[i]) != 0)
			_exit(10);
	return n;
}

static int still_there(int n)
{
	struct stat st;

	for (int i = 3; i < n; i++)
		if (fstat(i, &st) != 0 || st.st_ino != seen[i].st_ino)
			return i;
	return 0;
}

/* Its parent goes; then nothing is shared, and what was held for it is given up. */
static void live_as_daemon(int tell, pid_t parent)
{
	const struct timespec moment = { .tv_nsec = 60000000 };
	int n, lost = 0;
	pid_t pid;

	dup2(tell, 2);
	for (int fd = 3; fd < 2 * MOST; fd++)
		close(fd);
	n = open_all();
	while (getppid() == parent)
		sched_yield();
	for (int i = 0; i < 3; i++) {
		char *at = map_used(4 * MIB);

		munmap(at, 4 * MIB);
		nanosleep(&moment, NULL);	/* it is looked at that seldom */
	}
	lost = still_there(n);
	pid = fork();
	if (pid == 0)
		_exit(still_there(n) ? 1 : 0);
	if (pid > 0) {
		int status = 1;

		waitpid(pid, &status, 0);
		lost = status ? status : lost;
	} else {
		lost = -1;
	}
	if (!lost)
		lost = still_there(n);
	if (write(2, &lost, sizeof(lost)) != sizeof(lost))
		_exit(11);
	_exit(0);
}

static void becomes_daemon_with(rlim_t files)
{
	const struct rlimit few = { files, files };
	int to[2], lost = -2;
	char *at;

	REQUIRE_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
	REQUIRE_EQ(pipe(to), 0);
	if (fork() == 0) {
		const pid_t parent = getpid();

		at = map_used(4 * MIB);
		if (fork() == 0)
			live_as_daemon(to[1], parent);
		_exit(at[0] == 127);	/* the page stays in use until here */
	}
	close(to[1]);
	EXPECT_EQ(read(to[0], &lost, sizeof(lost)), (ssize_t)sizeof(lost));
	EXPECT_EQ(lost, 0);
}

PROGRAM(becomes_a_daemon)
{
	becomes_daemon_with(MOST);
}

PROGRAM(becomes_a_daemon_with_few_descriptors)
{
	becomes_daemon_with(64);
}

TEST(daemon_keeps_the_descriptors_it_opened)
{
	pool_set(PAGE, 12);
	run_with_us("becomes_a_daemon");
	run_with_us("becomes_a_daemon_with_few_descriptors");
}

TEST(daemon_without_spare_pages_keeps_the_descriptors_it_opened)
{
	pool_set(PAGE, 2);
	run_with_us("becomes_a_daemon");
	run_with_us("becomes_a_daemon_with_few_descriptors");
}

static int count_open(void)
{
	int n = 0;

	for (int fd = 0; fd < MOST; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* One table for both: what either opens or closes, the other sees. */
PROGRAM(shares_its_descriptors_with_a_child)
{
	const struct rlimit some = { MOST, MOST };
	char *at = map_used(4 * MIB);
	const int before = count_open();
	int status, added;

	REQUIRE_EQ(setrlimit(RLIMIT_NOFILE, &some), 0);
	for (int i = 0; i < 20; i++) {
		pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

		if (pid == 0) {
			bool kept = holds_pages(at, 4 * MIB, 1);

			fill_pages(at, 4 * MIB, 2);
			dup(0);
			_exit(kept && holds_pages(at, 4 * MIB, 2) ? 0 : 1);
		}
		REQUIRE_GE(pid, 1);
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT_EQ(status, 0);
		EXPECT_TRUE(holds_pages(at, 4 * MIB, 1));
	}
	added = count_open() - before;
	EXPECT_EQ(added, 20);
}

TEST(child_that_shares_the_table_of_descriptors_leaves_none_and_takes_none)
{
	pool_set(PAGE, 12);
	run_with_us("shares_its_descriptors_with_a_child");
	run_with_us("shares_its_descriptors_with_a_child", "HUGETLB_FORK=copy");
	pool_set(PAGE, 2);
	run_with_us("shares_its_descriptors_with_a_child");
}
