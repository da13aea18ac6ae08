/* SPDX-License-Identifier: MIT */
// timeout: 300
/*
 * What a fork does beside the memory: refusal, promises of pages, descriptors.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/fork/family.h"
#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"
#include "tests/harness/spawn.h"

PROGRAM(is_refused)
{
	char *at = fresh();

	errno = 0;
	EXPECT_EQ(fork(), -1);
	EXPECT_EQ(errno, ENOMEM);
	errno = 0;
	EXPECT_EQ(by_raw_clone(), -1);
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_TRUE(holds_pages(at, BYTES, 1));
	EXPECT_EQ(system("true"), 0);
}

PROGRAM(is_not_refused)
{
	try_way("fork", fork);
}

TEST(fork_with_policy_refuse_is_enomem_without_pages_to_spare_alone)
{
	pool_set(PAGE, PAGES);
	run_with_us("is_refused", "HUGETLB_FORK=refuse");
}

TEST(fork_with_policy_refuse_is_made_with_pages_to_spare)
{
	pool_set(PAGE, 2 * PAGES);
	run_with_us("is_not_refused", "HUGETLB_FORK=refuse");
}

/* While a child runs, pages it may need are not handed to others; then they are. */
PROGRAM(promises_pages)
{
	char *at = fresh(), *other;
	int stop[2];
	pid_t pid;

	REQUIRE_EQ(pipe(stop), 0);
	pid = fork();
	if (pid == 0) {
		char c;

		close(stop[1]);
		_exit((int)read(stop[0], &c, 1));
	}
	close(stop[0]);
	other = map(BYTES, MAP_PRIVATE);
	EXPECT_EQ(huge_in(other, BYTES), PAGE);
	munmap(other, BYTES);
	close(stop[1]);
	EXPECT_EQ(status_of(pid), 0);
	other = map(BYTES, MAP_PRIVATE);
	EXPECT_EQ(huge_in(other, BYTES), BYTES);
	EXPECT_TRUE(holds_pages(at, BYTES, 1));
}

TEST(fork_keeps_the_pages_its_child_may_need_from_others)
{
	pool_set(PAGE, 2 * PAGES + 1);
	run_with_us("promises_pages");
}

/* The same where it is not the pool that is short but the group's limit. */
TEST(fork_keeps_the_room_its_child_may_need_below_a_limit)
{
	pool_set(PAGE, 4 * PAGES);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, (2 * PAGES + 1) * PAGE);
	cgroup_join("pod", 0);
	run_with_us("promises_pages");
}

/* A daemon whose parent is gone shares nothing: nobody's pages are held for it. */
PROGRAM(is_orphaned)
{
	char *at = fresh(), verdict = 0;
	int done[2], let_go[2];

	REQUIRE_EQ(pipe(done), 0);
	REQUIRE_EQ(pipe(let_go), 0);
	if (fork() == 0) {
		if (fork() == 0) {
			char *other;

			if (read(let_go[0], &verdict, 1) != 1)
				_exit(1);
			munmap(map(PAGE, MAP_PRIVATE), PAGE);
			other = map(BYTES, MAP_PRIVATE);
			verdict = huge_in(other, BYTES) == BYTES && holds_pages(at, BYTES, 1) ? 'y' : 'n';
			_exit(write(done[1], &verdict, 1) != 1);
		}
		_exit(0);
	}
	munmap(at, BYTES);
	wait(NULL);
	EXPECT_EQ(write(let_go[1], &verdict, 1), 1);
	EXPECT_EQ(read(done[0], &verdict, 1), 1);
	EXPECT_EQ(verdict, 'y');
}

TEST(fork_promise_ends_when_nobody_shares_any_more)
{
	pool_set(PAGE, 3 * PAGES);
	run_with_us("is_orphaned");
}

/* As a child killed by SIGKILL can't take anything back itself. */
PROGRAM(kills_its_child)
{
	char *at = fresh(), *other;
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	kill(pid, SIGKILL);
	EXPECT_EQ(status_of(pid), 128 + SIGKILL);
	other = map(BYTES, MAP_PRIVATE);
	EXPECT_EQ(huge_in(other, BYTES), BYTES);
	EXPECT_TRUE(holds_pages(at, BYTES, 1));
}

TEST(fork_promise_ends_when_the_child_is_killed)
{
	pool_set(PAGE, 2 * PAGES + 1);
	run_with_us("kills_its_child");
}

PROGRAM(opens_files)
{
	int lowest = open("/dev/null", O_RDONLY);
	char *at = fresh();
	pid_t pid;

	close(lowest);
	pid = fork();
	if (pid == 0)
		_exit(open("/dev/null", O_RDONLY));
	EXPECT_EQ(status_of(pid), lowest);
	EXPECT_TRUE(holds_pages(at, BYTES, 1));
	EXPECT_EQ(open("/dev/null", O_RDONLY), lowest);
}

/* Programs close 0, 1, 2 and count on what open() gives: ours are far away. */
TEST(fork_leaves_the_lowest_descriptors_to_the_program)
{
	EVERY_POOL("opens_files");
}

/* Daemons close every descriptor they find. */
PROGRAM(closes_everything)
{
	char *at = fresh();
	pid_t pid = fork();

	if (pid == 0) {
		close_range(3, ~0u, 0);
		for (int n = 0; n < 20; n++)
			open("/dev/null", O_RDONLY);
		be_child(at);
	}
	close_range(3, ~0u, 0);
	for (int n = 0; n < 20; n++)
		open("/dev/null", O_RDONLY);
	be_parent(at, pid);
	fill_pages(at, BYTES, 1);
	pid = fork();
	if (pid == 0)
		be_child(at);
	be_parent(at, pid);
}

/* And get the numbers ours had, for sockets and whatever they have many of. */
static void fill_numbers(void)
{
	int epoll, fd;

	EXPECT_EQ(close_range(3, ~0u, 0), 0);
	epoll = epoll_create1(0);
	REQUIRE_TRUE(epoll >= 0);
	do
		fd = dup(epoll);
	while (fd >= 0 && fd < 950);
	EXPECT_EQ(fd, 950);
}

static bool has_numbers(void)
{
	for (int fd = 3; fd <= 950; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return false;
	return true;
}

/* Nobody shares any more: promises and copying end, at the program's next calls. */
static void end_sharing(char *at, uint32_t with)
{
	fill_pages(at, BYTES, with);
	for (int n = 0; n < 4; n++) {
		pause_ms(60);
		munmap(map(BYTES, MAP_PRIVATE), BYTES);
	}
}

PROGRAM(closes_everything_and_has_many_files)
{
	char *at = fresh();
	pid_t pid = fork();

	if (pid == 0) {
		fill_numbers();
		end_sharing(at, 3);
		_exit(has_numbers() && holds_pages(at, BYTES, 3) ? 0 : 9);
	}
	fill_numbers();
	EXPECT_EQ(status_of(pid), 0);
	end_sharing(at, 2);
	pid = fork();
	if (pid == 0)
		_exit(has_numbers() && holds_pages(at, BYTES, 2) ? 0 : 9);
	EXPECT_EQ(status_of(pid), 0);
	EXPECT_TRUE(has_numbers());
}

TEST(fork_leaves_descriptors_alone_that_have_the_numbers_ours_had)
{
	EVERY_POOL("closes_everything_and_has_many_files");
}

TEST(fork_survives_a_program_that_closes_all_descriptors)
{
	EVERY_POOL("closes_everything");
}

/* Without userfaultfd and with threads, pages are made small before the fork: not all of them. */
static void *wait_on(void *arg)
{
	while (pause() < 0)
		;
	return arg;
}

PROGRAM(makes_half_small)
{
	char *at = fresh();
	int stop[2];
	pthread_t thread;
	char c;
	pid_t pid;

	REQUIRE_EQ(pthread_create(&thread, NULL, wait_on, NULL), 0);
	REQUIRE_EQ(pipe(stop), 0);
	pid = fork();
	if (pid == 0) {
		close(stop[1]);
		if (read(stop[0], &c, 1) != 0)
			_exit(1);
		be_child(at);
	}
	close(stop[0]);
	EXPECT_EQ(huge_in(at, BYTES), BYTES / 2);
	fill_pages(at, BYTES, 2);
	EXPECT_EQ(huge_in(at, BYTES), BYTES / 2);
	close(stop[1]);
	EXPECT_EQ(status_of(pid), 0);
	EXPECT_TRUE(holds_pages(at, BYTES, 2));
}

TEST(fork_without_userfaultfd_makes_small_half_of_what_has_no_page_to_spare)
{
	char self[4096], without[4096];
	ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[bytes < 0 ? 0 : bytes] = '\0';
	snprintf(without, sizeof(without), "%s", harness_build_path("tests/fork/prog-without-uffd"));
	pool_set(PAGE, PAGES);

	struct spawned r = spawn(&(struct spawn){
		.argv = SPAWN_ARGV(without, self),
		.env = SPAWN_ARGV("HRESV_TEST_PROGRAM=makes_half_small"),
		.preload = "libhresv.so",
	});

	if (r.exit_status != 0)
		FAIL("exit %d, signal %d: %.300s", r.exit_status, r.signal, r.err);
}
