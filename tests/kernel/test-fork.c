/* SPDX-License-Identifier: MIT */
/* Private huge pages after a fork: what core/fork.c, cow.c and rescue.c are for. */
#include "tests/kernel/kernel.h"

static int waits_and_reads(char *at)
{
	usleep(1000);
	return at[3] == 3 ? 0 : 1;
}

/* A pair of pipes' worth of order: the child goes on when the parent has written. */
static int child_after_parent(char *at, int (*parent)(char *), int (*child)(char *), int *ret_parent)
{
	int go[2], status;
	pid_t reader;
	char byte = 0;

	REQUIRE_EQ(pipe(go), 0);
	reader = fork();
	if (reader == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) < 0)
			_exit(9);
		_exit(child(at));
	}
	close(go[0]);
	*ret_parent = parent(at);
	close(go[1]);
	waitpid(reader, &status, 0);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* Run in a child, so that it is this process' child that may die. */
static char *shared_page;

static int owner_writes(char *at)
{
	int parent;

	(void)at;
	shared_page = map_or_fail(PAGE, RW, MAP_PRIVATE | HUGE);
	shared_page[3] = 3;
	return child_after_parent(shared_page, touch, waits_and_reads, &parent) == -SIGBUS ? 0 : 1;
}

/* backing.c: why private memory never owns a reservation. */
TEST(owners_write_takes_the_page_from_its_child)
{
	pool_set(PAGE, 1);
	EXPECT_EQ(in_child(owner_writes, NULL), 0);
}

static int kernel_writes(char *at)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int got = read(fd, at, 1) == -1 ? errno : 0;

	close(fd);
	return got;
}

static int non_owner_writes(char *at)
{
	int parent, child;

	(void)at;
	shared_page = map_populated(PAGE);
	shared_page[3] = 3;
	child = child_after_parent(shared_page, kernel_writes, waits_and_reads, &parent);
	if (parent != EFAULT)
		return 1;
	return child == 0 ? 0 : 2;
}

/* R1: the child reads on; the parent is told, by EFAULT and not by a robbed child. */
TEST(page_of_a_non_owner_is_never_stolen)
{
	need_linux(5, 14);
	pool_set(PAGE, 1);
	EXPECT_EQ(in_child(non_owner_writes, NULL), 0);
}

static int dies_and_the_child_reads(char *at)
{
	int go[2];
	pid_t reader;
	char byte;

	(void)at;
	shared_page = map_populated(PAGE);
	shared_page[3] = 3;
	if (pipe(go) != 0)
		return 9;
	reader = fork();
	if (reader == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) < 0)
			_exit(8);
		_exit(shared_page[3] == 3 ? 0 : 1);
	}
	shared_page[3] = 4;
	return 0;
}

/* rescue.c: the parent's store is SIGBUS, always at a page that can still be read. */
TEST(store_to_a_shared_page_without_a_spare_is_SIGBUS)
{
	need_linux(5, 14);
	pool_set(PAGE, 1);
	EXPECT_EQ(in_child(dies_and_the_child_reads, NULL), -SIGBUS);
}

static int stores_after_the_child(char *at)
{
	pid_t child;

	(void)at;
	shared_page = map_populated(PAGE);
	child = fork();
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	shared_page[3] = 4;
	return 0;
}

/* cow.c ends when nothing is shared any more. */
TEST(store_after_the_other_has_gone_needs_no_page)
{
	need_linux(5, 14);
	pool_set(PAGE, 1);
	EXPECT_EQ(in_child(stores_after_the_child, NULL), 0);
}

/* demote_shared_no_more(): MAP_SHARED pages are one and the same in both. */
TEST(shared_mapping_after_a_fork_needs_no_page)
{
	char *at;

	pool_set(PAGE, 1);
	at = map_or_fail(PAGE, RW, MAP_SHARED | HUGE);
	at[0] = 0;
	EXPECT_EQ(in_child(touch, at), 0);
	EXPECT_EQ(at[0], 1);
	at[1] = 1;
	munmap(at, PAGE);
}

/* ledger.c, cow.c: the kernel says of a page whether it is mapped once. */
TEST(pagemap_tells_a_page_that_is_mapped_once)
{
	const uint64_t exclusive = UINT64_C(1) << 56;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry[2] = { 0 };
	int go[2];
	pid_t child;
	char *at, byte;

	pool_set(PAGE, 2);
	at = map_populated(PAGE);
	REQUIRE_EQ(pipe(go), 0);
	EXPECT_EQ(pread(fd, &entry[0], 8, (off_t)((uintptr_t)at / 4096 * 8)), 8);
	child = fork();
	if (child == 0) {
		close(go[1]);
		_exit(read(go[0], &byte, 1) < 0);
	}
	EXPECT_EQ(pread(fd, &entry[1], 8, (off_t)((uintptr_t)at / 4096 * 8)), 8);
	close(go[0]);
	close(go[1]);
	waitpid(child, NULL, 0);
	EXPECT_TRUE(entry[0] & exclusive);
	EXPECT_FALSE(entry[1] & exclusive);
	munmap(at, PAGE);
	close(fd);
}
