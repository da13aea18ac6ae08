/* SPDX-License-Identifier: MIT */
// link: -lutil
// timeout: 600
/*
 * Every way to a second process, on pools that have a page for every page and not
 * one more: both live, each with its own data, and the pool is whole again after.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fork/family.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

extern char **environ;

static int clone_main(void *at)
{
	be_child(at);
}

static pid_t by_clone(char *at)
{
	static char stack[64 << 10] __attribute__((aligned(16)));

	return clone(clone_main, stack + sizeof(stack), SIGCHLD, at);
}

static pid_t by_clone3(void)
{
	struct clone_args args = { .exit_signal = SIGCHLD };

	return syscall(SYS_clone3, &args, sizeof(args));
}

static pid_t by_pty(void)
{
	int fd;

	return forkpty(&fd, NULL, NULL, NULL);
}

PROGRAM(forks_in_every_way)
{
	char *at;

	try_way("fork", fork);
	try_way("_Fork", _Fork);
	try_way("syscall(clone)", by_raw_clone);
	try_way("syscall(clone3)", by_clone3);
	try_way("forkpty", by_pty);
	at = fresh();
	be_parent(at, by_clone(at));
	EXPECT_EQ(munmap(at, BYTES), 0);
}

TEST_TIMEOUT(fork_in_every_way_keeps_both_sides_right_on_any_pool, 120)
{
	EVERY_POOL("forks_in_every_way");
}

TEST_TIMEOUT(fork_with_policy_copy_keeps_both_sides_right_on_any_pool, 120)
{
	EVERY_POOL("forks_in_every_way", "HUGETLB_FORK=copy");
}

/* Children that leave the parent's memory alone take nothing and harm nothing. */
PROGRAM(starts_programs)
{
	char *const argv[] = { (char *)"true", NULL };
	char *at = fresh(), line[16] = "";
	FILE *pipe;
	pid_t pid;

	REQUIRE_EQ(posix_spawnp(&pid, "true", NULL, NULL, argv, environ), 0);
	EXPECT_EQ(status_of(pid), 0);
	EXPECT_EQ(system("exit 7"), 7 << 8);
	pipe = popen("echo yes", "r");
	REQUIRE_TRUE(fgets(line, sizeof(line), pipe) != NULL);
	EXPECT_EQ(pclose(pipe), 0);
	EXPECT_STR_EQ(line, "yes\n");
	pid = vfork();
	if (pid == 0) {
		execvp("true", argv);
		_exit(1);
	}
	EXPECT_EQ(status_of(pid), 0);
	EXPECT_EQ(huge_in(at, BYTES), BYTES);
	pid = fork();
	if (pid == 0) {
		execvp("true", argv);
		_exit(1);
	}
	EXPECT_EQ(status_of(pid), 0);
	EXPECT_TRUE(holds_pages(at, BYTES, 1));
	fill_pages(at, BYTES, 2);
	EXPECT_EQ(huge_in(at, BYTES), BYTES);	/* nobody shares it any more: no copy */
}

TEST(fork_then_exec_leaves_memory_huge_on_an_exact_pool)
{
	pool_set(PAGE, PAGES);
	run_with_us("starts_programs");
}

PROGRAM(becomes_a_daemon)
{
	int done[2];
	char *at = fresh(), verdict = 0;
	pid_t pid;

	REQUIRE_EQ(pipe(done), 0);
	/* The daemon becomes ours: what comes next begins when it has given back its pages. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid == 0) {
		const pid_t parent = getpid();
		bool right;

		if (daemon(0, 1) != 0)
			_exit(1);
		while (getppid() == parent)
			pause_ms(1);
		right = holds_pages(at, BYTES, 1);
		fill_pages(at, BYTES, 3);
		right = right && holds_pages(at, BYTES, 3) && malloc(100000) &&
			mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
		verdict = right ? 'y' : 'n';
		if (write(done[1], &verdict, 1) != 1)
			_exit(1);
		_exit(0);
	}
	close(done[1]);
	fill_pages(at, BYTES, 2);
	EXPECT_EQ(status_of(pid), 0);
	EXPECT_EQ(read(done[0], &verdict, 1), 1);
	EXPECT_EQ(verdict, 'y');
	EXPECT_EQ(status_of(-1), 0);
	EXPECT_TRUE(holds_pages(at, BYTES, 2));
}

TEST(fork_child_that_becomes_a_daemon_outlives_its_parent_with_its_data)
{
	EVERY_POOL("becomes_a_daemon");
}

static char *in_handler_memory;

static void fork_in_handler(int number)
{
	pid_t pid = fork();

	(void)number;
	if (pid == 0)
		be_child(in_handler_memory);
	be_parent(in_handler_memory, pid);
}

PROGRAM(forks_in_a_signal_handler)
{
	struct sigaction action = { .sa_handler = fork_in_handler };

	in_handler_memory = fresh();
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
}

TEST(fork_in_a_signal_handler_keeps_both_sides_right)
{
	EVERY_POOL("forks_in_a_signal_handler");
}

/* Before main(), with whatever has been initialised by then. */
__attribute__((constructor)) static void fork_early(void)
{
	char *at;
	pid_t pid;
	int status;

	if (!getenv("FORK_EARLY"))
		return;
	at = mmap(NULL, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(at, 1, BYTES);
	pid = fork();
	if (pid == 0) {
		memset(at, 2, BYTES);
		_exit(at[BYTES - 1] == 2 ? 0 : 1);
	}
	memset(at, 3, BYTES);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		_exit(99);
	munmap(at, BYTES);
}

PROGRAM(does_nothing) {}

TEST(fork_in_a_constructor_keeps_both_sides_right)
{
	EVERY_POOL("does_nothing", "FORK_EARLY=1");
}

/* Operations of other threads are finished or not begun in the child: it can work at once. */
static volatile bool hammering = true;

static void *hammer(void *arg)
{
	while (hammering) {
		char *at = mmap(NULL, PAGE + 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		at[0] = 1;
		mprotect(at, 4096, PROT_READ);
		munmap(at, PAGE + 4096);
		free(malloc(300000));
	}
	return arg;
}

PROGRAM(forks_while_threads_map)
{
	pthread_t thread[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, hammer, NULL);
	for (int n = 0; n < 150; n++) {
		pid_t pid = fork();

		if (pid == 0) {
			char *at = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			pid_t grandchild;

			memset(at, 1, 2 * PAGE);
			grandchild = fork();
			if (grandchild == 0) {
				memset(at, 2, 2 * PAGE);
				munmap(at, 2 * PAGE);
				_exit(0);
			}
			free(malloc(300000));
			_exit(status_of(grandchild));
		}
		REQUIRE_EQ(status_of(pid), 0);
	}
	hammering = false;
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
}

TEST_TIMEOUT(fork_while_threads_map_leaves_a_child_that_can_map_and_fork, 120)
{
	pool_set(PAGE, 6);
	run_with_us("forks_while_threads_map");
}

/* A pre-fork server: many children at once, each changes its copy of a part. */
PROGRAM(serves_with_many_children)
{
	char *at = fresh();
	pid_t pid[50];

	for (int n = 0; n < 50; n++) {
		pid[n] = fork();
		REQUIRE_TRUE(pid[n] >= 0);
		if (pid[n] == 0) {
			size_t part = (size_t)n % PAGES * PAGE;

			pause_ms(20);
			memset(at + part, n, 8192);
			_exit(at[part] == n && at[part + 8191] == n ? 0 : 1);
		}
	}
	fill_pages(at, BYTES, 2);
	for (int n = 0; n < 50; n++)
		EXPECT_EQ(status_of(pid[n]), 0);
	EXPECT_TRUE(holds_pages(at, BYTES, 2));
}

TEST_TIMEOUT(fork_of_fifty_children_keeps_all_of_them_right, 120)
{
	EVERY_POOL("serves_with_many_children");
}

/* Hundreds alive at once; each has the moment of its fork, and its parent what it wrote since. */
PROGRAM(has_hundreds_of_children)
{
	char *at = fresh();
	pid_t pid[300];
	int stop[2];

	REQUIRE_EQ(pipe(stop), 0);
	for (int n = 0; n < 300; n++) {
		*(int *)(void *)(at + (size_t)n % PAGES * PAGE + 64) = n;
		pid[n] = fork();
		REQUIRE_TRUE(pid[n] >= 0);
		if (pid[n] == 0) {
			int *mine = (int *)(void *)(at + (size_t)n % PAGES * PAGE + 64);
			char c;

			close(stop[1]);
			if (*mine != n || read(stop[0], &c, 1) != 0 || *mine != n)
				_exit(1);
			*mine = -n;
			_exit(*mine == -n && (n < PAGES || mine[1] != -n) ? 0 : 1);
		}
	}
	close(stop[1]);
	for (int n = 0; n < 300; n++)
		EXPECT_EQ(status_of(pid[n]), 0);
	for (int n = 300 - PAGES; n < 300; n++)
		EXPECT_EQ(*(int *)(void *)(at + (size_t)n % PAGES * PAGE + 64), n);
}

TEST_TIMEOUT(fork_of_hundreds_of_children_keeps_all_of_them_right, 120)
{
	pool_set(PAGE, PAGES);
	run_with_us("has_hundreds_of_children");
	pool_set(PAGE, 4 * PAGES);
	run_with_us("has_hundreds_of_children");
}

/* A process that shares the memory: what it writes is the parent's, nothing is copied. */
static int write_for_both(void *at)
{
	fill_pages(at, BYTES, 5);
	return 0;
}

PROGRAM(shares_by_clone)
{
	static char stack[64 << 10] __attribute__((aligned(16)));
	char *at = fresh();
	pid_t pid;

	pid = clone(write_for_both, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, at);
	EXPECT_EQ(status_of(pid), 0);
	EXPECT_TRUE(holds_pages(at, BYTES, 5));
	fill_pages(at, BYTES, 1);
	pid = clone(write_for_both, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD, at);
	EXPECT_EQ(status_of(pid), 0);
	EXPECT_TRUE(holds_pages(at, BYTES, 5));
	EXPECT_EQ(huge_in(at, BYTES), BYTES);
	fill_pages(at, BYTES, 1);
	pid = fork();
	if (pid == 0)
		be_child(at);
	be_parent(at, pid);
}

TEST(clone_with_clone_vm_shares_memory_that_stays_huge)
{
	EVERY_POOL("shares_by_clone");
}

PROGRAM(shares_on_purpose)
{
	char *at = map(BYTES, MAP_SHARED);
	pid_t pid;

	at[0] = 1;
	pid = fork();
	if (pid == 0) {
		at[0] = 2;
		at[BYTES - 1] = 3;
		_exit(0);
	}
	EXPECT_EQ(status_of(pid), 0);
	EXPECT_EQ(at[0], 2);
	EXPECT_EQ(at[BYTES - 1], 3);
	EXPECT_EQ(huge_in(at, BYTES), BYTES);
}

TEST(fork_leaves_shared_memory_shared_and_huge)
{
	pool_set(PAGE, PAGES);
	run_with_us("shares_on_purpose");
}
