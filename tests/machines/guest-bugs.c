/* SPDX-License-Identifier: MIT */
// timeout: 300
/*
 * The kernel's accounting bugs (KERNEL.md 2.3), in an emulated machine alone: they damage the counters
 * of the whole machine. A neighbour without libhresv provokes each; a program with it lives beside,
 * keeps its content and goes on; the same program does all that provokes them, and the
 * counters stay right. Which of them this kernel has is said in a line "# bug".
 *
 * The pool is set without the harness: what some of them leave behind is for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/facts/pool.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define HUGE (MAP_ANONYMOUS | MAP_HUGETLB | 21 << 26)
#define MINE 4			/* pages, of each kind, of the program that lives beside */
#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"

/* --- The pool, as it is ----------------------------------------------------------- */

static unsigned long long counter(const char *name)
{
	unsigned long long value = 0;
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), POOL "%s_hugepages", name);
	f = fopen(path, "re");
	REQUIRE_TRUE(f && fscanf(f, "%llu", &value) == 1);
	fclose(f);
	return value;
}

static void set(const char *name, unsigned long long pages)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), POOL "%s_hugepages", name);
	f = fopen(path, "we");
	REQUIRE_TRUE(f != NULL);
	fprintf(f, "%llu", pages);
	fclose(f);
}

static void say(const char *bug, bool provoked)
{
	struct utsname u;

	uname(&u);
	printf("# bug %s on Linux %s: %s (free %llu, reserved %lld, of %llu)\n", bug, u.release,
	       provoked ? "provoked" : "not there", counter("free"), (long long)counter("resv"),
	       counter("nr"));
}

/* --- The program that lives beside ------------------------------------------------ */

static int beside_said[2], beside_go[2];

static void step(void)
{
	char byte = 0;

	REQUIRE_EQ(write(atoi(getenv("BESIDE_SAYS")), "", 1), 1);
	REQUIRE_EQ(read(atoi(getenv("BESIDE_WAITS")), &byte, 1), 1);
}

static char *map(size_t pages, int flags)
{
	char *at = mmap(NULL, pages * PAGE, RW, flags | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	return at;
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

static char *owned(size_t pages)
{
	char *at = mmap(NULL, pages * PAGE, RW, MAP_PRIVATE | HUGE, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	return at;
}

/* A child that keeps what it inherited until it is killed. */
static pid_t keeper(void)
{
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	return child;
}

static void kill_keeper(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* Does a touch of each of these kill? */
static bool touch_kills(char *at, size_t pages)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		for (size_t i = 0; i < pages; i++)
			at[i * PAGE] = 1;
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
}

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

/* Registered buffers of a ring: pages that stay though nobody maps them. -1: no rings here. */
static int pin(char *at, size_t bytes)
{
	struct { void *at; size_t bytes; } buffer = { at, bytes };
	unsigned char params[120] = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 4, params);

	if (ring >= 0 && syscall(SYS_io_uring_register, ring, 0, &buffer, 1) != 0) {
		close(ring);
		return -1;
	}
	return ring;
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

/* --- We provoke none of them ------------------------------------------------------- */

/* With a child, or pinned: pages given up in every way. */
static void give_up_every_way(char *at)
{
	EXPECT_EQ(munmap(at, PAGE), 0);
	EXPECT_EQ(mmap(at + PAGE, PAGE, RW, PRIVATE | MAP_FIXED, -1, 0), at + PAGE);
	EXPECT_EQ(madvise(at + 2 * PAGE, PAGE, MADV_DONTNEED), 0);
	EXPECT_TRUE(is_zero(at + 2 * PAGE, PAGE));
	at[2 * PAGE] = 1;
	EXPECT_EQ(munmap(at + 3 * PAGE, PAGE), 0);
}

/* A mount's minimum is less while some of it is in use: looked at in the end alone. */
static void still_reserved(unsigned long long before)
{
	if (!*getenv("HUGETLB_PATH"))
		EXPECT_EQ(counter("resv"), before);
}

PROGRAM(does_all_that_provokes_them)
{
	unsigned long long resv = counter("resv");
	char *at = map(MINE, MAP_PRIVATE), *own, *to;
	pid_t child;
	int ring;

	fill_pages(at, MINE * PAGE, 1);
	child = keeper();
	give_up_every_way(at);
	still_reserved(resv);
	kill_keeper(child);
	at = map(MINE, MAP_PRIVATE);
	fill_pages(at, MINE * PAGE, 1);
	ring = pin(at, MINE * PAGE);
	munmap(at, MINE * PAGE);
	still_reserved(resv);
	if (ring >= 0)
		close(ring);
	/* The program's own, which would own a reservation without us. */
	own = owned(4);
	to = map(2, MAP_PRIVATE);
	own[PAGE] = 7;
	EXPECT_NE(mremap(own + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), MAP_FAILED);
	EXPECT_EQ(to[0], 7);
	own[0] = own[2 * PAGE] = own[3 * PAGE] = 1;
	child = keeper();
	EXPECT_EQ(munmap(own + 2 * PAGE, 2 * PAGE), 0);
	kill_keeper(child);
	still_reserved(resv);
	/* More than the pool has, from a mount with a minimum when there is one. */
	at = map(200, MAP_SHARED);
	at[0] = at[199 * PAGE] = 1;
	munmap(at, 200 * PAGE);
}

static void provokes_none(const char *path)
{
	unsigned long long resv, free_before;
	char *victim;

	set("nr", 24);
	resv = counter("resv");
	free_before = counter("free");
	victim = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | HUGE, -1, 0);
	REQUIRE_NE(victim, MAP_FAILED);
	run_with_us("does_all_that_provokes_them", path);
	EXPECT_EQ(counter("resv"), resv + 4);
	EXPECT_EQ(counter("free"), free_before);
	EXPECT_FALSE(touch_kills(victim, 4));
	munmap(victim, 4 * PAGE);
	EXPECT_EQ(counter("resv"), resv);
}

TEST(we_provoke_none_of_them)
{
	provokes_none("HUGETLB_PATH=");
}

TEST(we_provoke_none_of_them_on_a_mount_with_a_minimum)
{
	set("nr", 24);		/* or there is no minimum */
	mkdir("/tmp/least", 0700);
	REQUIRE_EQ(mount("none", "/tmp/least", "hugetlbfs", 0, "pagesize=2M,min_size=4M"), 0);
	provokes_none("HUGETLB_PATH=/tmp/least");
	EXPECT_EQ(umount("/tmp/least"), 0);
}
