/* SPDX-License-Identifier: MIT */
/* family.h - a parent, a child, and what each must find in its memory */
#ifndef HRESV_TESTS_FORK_FAMILY_H
#define HRESV_TESTS_FORK_FAMILY_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/fork/keeper.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define PAGES 4
#define BYTES (PAGES * PAGE)
#define RW (PROT_READ | PROT_WRITE)

static inline void *map(size_t bytes, int flags)
{
	void *at = mmap(NULL, bytes, RW, flags | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	return at;
}

static inline void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* What a child does: it sees the moment of the fork, also after the parent wrote. */
__attribute__((noreturn)) static inline void be_child(char *at)
{
	bool right = holds_pages(at, BYTES, 1);

	pause_ms(5);
	right = right && holds_pages(at, BYTES, 1);
	fill_pages(at, BYTES, 3);
	right = right && holds_pages(at, BYTES, 3);
	_exit(right ? 0 : 9);
}

static inline void be_parent(char *at, pid_t pid)
{
	REQUIRE_TRUE(pid > 0);
	fill_pages(at, BYTES, 2);
	EXPECT_TRUE(holds_pages(at, BYTES, 2));
	EXPECT_EQ(status_of(pid), 0);
	EXPECT_TRUE(holds_pages(at, BYTES, 2));
}

static inline char *fresh(void)
{
	char *at = map(BYTES, MAP_PRIVATE);

	fill_pages(at, BYTES, 1);
	EXPECT_EQ(huge_in(at, BYTES), BYTES);
	return at;
}

static inline pid_t by_raw_clone(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static inline void try_way(const char *name, pid_t (*way)(void))
{
	char *at = fresh();
	pid_t pid = way();

	fprintf(stderr, "%s\n", name);
	if (pid == 0)
		be_child(at);
	be_parent(at, pid);
	EXPECT_EQ(munmap(at, BYTES), 0);
}

#define EVERY_POOL(program, ...)                                                             \
	for (unsigned long spare = 0; spare <= PAGES + 1; spare++) {                         \
		pool_set(PAGE, PAGES + spare);                                               \
		run_with_us(program, ##__VA_ARGS__);                                         \
		if (spare == 1)                                                              \
			spare = PAGES - 2;                                                   \
	}

#endif
