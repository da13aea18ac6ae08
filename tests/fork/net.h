/* SPDX-License-Identifier: MIT */
/* net.h - memory that needs the net, and a handler of the program's that is watched */
#ifndef HRESV_TESTS_FORK_NET_H
#define HRESV_TESTS_FORK_NET_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
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

static inline char *shared_with_a_child(int stop[2], pid_t *ret_pid)
{
	char *at = map(BYTES, MAP_PRIVATE);

	fill_pages(at, BYTES, 1);
	REQUIRE_EQ(huge_in(at, BYTES), BYTES);
	*ret_pid = keeper(stop);
	return at;
}

/* A handler of the program's, and what it was told. */
static struct {
	volatile sig_atomic_t calls;
	siginfo_t info;
	uintptr_t frame;
	sigset_t mask;
	sigjmp_buf back;
} seen;

static inline void note(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	seen.calls++;
	seen.info = *info;
	seen.frame = (uintptr_t)__builtin_frame_address(0);
	sigprocmask(SIG_BLOCK, NULL, &seen.mask);
	siglongjmp(seen.back, 1);
}

/* A page behind the end of a file: SIGBUS that is nobody's fault but the program's. */
static inline char *truncated(void)
{
	int fd = memfd_create("short", MFD_CLOEXEC);
	char *at = mmap(NULL, 4096, RW, MAP_SHARED, fd, 0);

	close(fd);
	return at;
}

static inline void expect_handler_told(char *bad, int number)
{
	seen.calls = 0;
	if (sigsetjmp(seen.back, 1) == 0)
		*(volatile char *)bad = 1;
	EXPECT_EQ(seen.calls, 1);
	EXPECT_EQ(seen.info.si_signo, number);
	EXPECT_EQ(seen.info.si_addr, bad);
	EXPECT_EQ(seen.info.si_code, number == SIGBUS ? BUS_ADRERR : SEGV_ACCERR);
}

static inline void install(int number, int flags, const sigset_t *mask)
{
	struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO | flags };

	if (mask)
		action.sa_mask = *mask;
	EXPECT_EQ(sigaction(number, &action, NULL), 0);
}

#endif
