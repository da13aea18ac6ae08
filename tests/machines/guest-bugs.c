/* SPDX-License-Identifier: MIT */
// timeout: 300
/*
 * The kernel's accounting bugs (KERNEL.md 2.3), in an emulated machine alone: they damage the counters
 * of the whole machine. A neighbour without libhresv provokes each; a program with it lives beside,
 * keeps its content and goes on. Which of them this kernel has is said in a line "# bug".
 *
 * The pool is set without the harness: what some of them leave behind is for ever.
 */
#include <setjmp.h>

#include "core/facts/pool.h"
#include "tests/machines/bugs.h"

/* --- The program that lives beside ------------------------------------------------ */

static int beside_said[2], beside_go[2];

static void step(void)
{
	char byte = 0;

	REQUIRE_EQ(write(atoi(getenv("BESIDE_SAYS")), "", 1), 1);
	REQUIRE_EQ(read(atoi(getenv("BESIDE_WAITS")), &byte, 1), 1);
}

static void fork_and_write(char *at, size_t pages)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		bool right = holds_pages(at, pages * PAGE, 1);

		fill_pages(at, pages * PAGE, 2);
		_exit(!(right && holds_pages(at, pages * PAGE, 2)));
	}
	fill_pages(at, pages * PAGE, 3);
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	EXPECT_TRUE(holds_pages(at, pages * PAGE, 3));
}

/* What a program does with memory, all of it, whatever the counters say. */
static void go_on(char *private)
{
	char *more = map(MINE, MAP_PRIVATE), *shared = map(MINE, MAP_SHARED);

	fill_pages(more, MINE * PAGE, 1);
	fill_pages(shared, MINE * PAGE, 4);
	fill_pages(private, MINE * PAGE, 1);
	fork_and_write(private, MINE);
	EXPECT_EQ(madvise(more, PAGE, MADV_DONTNEED), 0);
	EXPECT_TRUE(is_zero(more, PAGE));
	EXPECT_EQ(munmap(more + 4096, PAGE), 0);
	more[0] = 1;
	EXPECT_TRUE(holds_pages(shared, MINE * PAGE, 4));
	EXPECT_EQ(munmap(more, MINE * PAGE), 0);
	EXPECT_EQ(munmap(shared, MINE * PAGE), 0);
	free(memset(malloc(3 * PAGE), 1, 3 * PAGE));
}

/* The last of them is reserved and not touched until the books are wrong. */
PROGRAM(lives_beside)
{
	char *private = map(MINE, MAP_PRIVATE), *shared = map(MINE, MAP_SHARED);
	char *untouched = map(MINE, MAP_SHARED);

	EXPECT_EQ(huge_in(private, MINE * PAGE), MINE * PAGE);
	EXPECT_EQ(huge_in(shared, MINE * PAGE), MINE * PAGE);
	fill_pages(private, MINE * PAGE, 1);
	fill_pages(shared, MINE * PAGE, 2);
	step();
	EXPECT_TRUE(holds_pages(private, MINE * PAGE, 1));
	EXPECT_TRUE(holds_pages(shared, MINE * PAGE, 2));
	fill_pages(untouched, MINE * PAGE, 3);
	EXPECT_TRUE(holds_pages(untouched, MINE * PAGE, 3));
	go_on(private);
	step();
	EXPECT_TRUE(holds_pages(private, MINE * PAGE, 3));
	EXPECT_TRUE(holds_pages(shared, MINE * PAGE, 2));
	EXPECT_TRUE(holds_pages(untouched, MINE * PAGE, 3));
	go_on(private);
}

static pid_t start_beside(void)
{
	char says[40], waits[40], byte;
	pid_t pid;

	REQUIRE_EQ(pipe(beside_said), 0);
	REQUIRE_EQ(pipe(beside_go), 0);
	snprintf(says, sizeof(says), "BESIDE_SAYS=%d", beside_said[1]);
	snprintf(waits, sizeof(waits), "BESIDE_WAITS=%d", beside_go[0]);
	pid = fork();
	if (pid == 0) {
		run_with_us("lives_beside", says, waits, "HUGETLB_VERBOSE=0");
		_exit(0);
	}
	close(beside_said[1]);
	close(beside_go[0]);
	REQUIRE_EQ(read(beside_said[0], &byte, 1), 1);
	return pid;
}

static void let_beside_go_on(bool last)
{
	char byte;

	EXPECT_EQ(write(beside_go[1], "", 1), 1);
	if (!last)
		EXPECT_EQ(read(beside_said[0], &byte, 1), 1);
}

static void end_beside(pid_t pid)
{
	int status = -1;

	let_beside_go_on(true);
	close(beside_said[0]);
	close(beside_go[1]);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

/* --- Neighbours --------------------------------------------------------------------- */

static sigjmp_buf back;

static void jump_back(int signal)
{
	siglongjmp(back, signal);
}

/* The same here: by whoever owns the mapping. */
static bool touches(char *at, size_t pages)
{
	const struct sigaction jump = { .sa_handler = jump_back, .sa_flags = SA_RESETHAND };

	sigaction(SIGBUS, &jump, NULL);
	if (sigsetjmp(back, 1) != 0)
		return false;
	for (size_t i = 0; i < pages; i++)
		at[i * PAGE] = 1;
	signal(SIGBUS, SIG_DFL);
	return true;
}

/* A: who owned the pages unmaps them while a child has them still. */
TEST(neighbour_that_unmaps_what_its_child_has_harms_us_not)
{
	unsigned long long before;
	pid_t us, child;
	char *victim, *owner;

	set("nr", 3 * MINE + 8);
	us = start_beside();
	victim = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | HUGE, -1, 0);
	REQUIRE_NE(victim, MAP_FAILED);
	owner = owned(4);
	memset(owner, 1, 4 * PAGE);
	before = counter("resv");
	child = keeper();
	munmap(owner, 4 * PAGE);
	say("A (unmapped with a child)", counter("resv") != before);
	let_beside_go_on(false);
	kill_keeper(child);
	end_beside(us);
	munmap(victim, 4 * PAGE);
}

/* B: the same by MADV_DONTNEED and a touch. */
TEST(neighbour_that_gives_up_what_its_child_has_harms_us_not)
{
	pid_t us, child;
	char *victim, *owner;
	bool wrong;

	set("nr", 3 * MINE + 8);
	us = start_beside();
	victim = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | HUGE, -1, 0);
	REQUIRE_NE(victim, MAP_FAILED);
	owner = owned(4);
	memset(owner, 1, 4 * PAGE);
	child = keeper();
	wrong = madvise(owner, 4 * PAGE, MADV_DONTNEED) == 0 && touches(owner, 4) &&
		touch_kills(victim, 4);
	say("B (given up with a child)", wrong);
	let_beside_go_on(false);
	kill_keeper(child);
	end_beside(us);
	munmap(owner, 4 * PAGE);
	munmap(victim, 4 * PAGE);
}

/* C: by pinned pages, and with nothing reserved: the counter falls below 0. */
TEST(neighbour_that_unmaps_what_is_pinned_harms_us_not_and_is_recognised)
{
	struct pool pool;
	char *owner;
	pid_t us;
	int ring;

	set("nr", 3 * MINE + 12);
	us = start_beside();
	let_beside_go_on(false);	/* nothing of its is only reserved any more */
	owner = owned(4);
	memset(owner, 1, 4 * PAGE);
	ring = pin(owner, 4 * PAGE);
	munmap(owner, 4 * PAGE);
	say("C (reservations below 0)", counter("resv") > counter("nr"));
	EXPECT_EQ(pool_read("", PAGE, &pool), 0);
	EXPECT_EQ(pool.impossible, counter("resv") > counter("nr"));
	EXPECT_LE(pool_available(&pool, PAGE), pool.free);
	end_beside(us);
	if (ring >= 0)
		close(ring);
}

/* D: a part of a reservation is moved, and what is left of it loses its pages. */
TEST(neighbour_that_moves_a_part_of_a_reservation_harms_us_not)
{
	pid_t us;
	char *owner, *to;

	set("nr", 3 * MINE + 8);
	us = start_beside();
	owner = owned(4);
	to = owned(1);
	munmap(to, PAGE);
	EXPECT_NE(mremap(owner + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), MAP_FAILED);
	let_beside_go_on(false);
	munmap(owner, 4 * PAGE);
	munmap(to, PAGE);
	end_beside(us);
	/* For ever: nobody has anything any more. */
	say("D (moved in part)", counter("resv") != 0);
}

/* E: a mount's minimum is given back twice. */
TEST(neighbour_that_fails_on_a_mount_with_a_minimum_harms_us_not)
{
	const char *dir = "/tmp/minimum";
	unsigned long long before;
	pid_t us;
	void *at;
	int fd;

	set("nr", 3 * MINE + 12);
	us = start_beside();
	let_beside_go_on(false);	/* it moves the counters no more */
	before = counter("resv");
	mkdir(dir, 0700);
	REQUIRE_EQ(mount("none", dir, "hugetlbfs", 0, "pagesize=2M,min_size=4M"), 0);
	fd = open("/tmp/minimum/file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	at = mmap(NULL, 100 * PAGE, RW, MAP_SHARED, fd, 0);
	EXPECT_EQ(at, MAP_FAILED);
	close(fd);
	EXPECT_EQ(umount(dir), 0);
	say("E (the minimum of a mount)", counter("resv") != before);
	end_beside(us);
}
