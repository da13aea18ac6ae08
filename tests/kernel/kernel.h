/* SPDX-License-Identifier: MIT */
/* kernel.h - what the tests of the kernel's facts have in common */
#ifndef HRESV_TESTS_KERNEL_KERNEL_H
#define HRESV_TESTS_KERNEL_KERNEL_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/linux.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define HUGE (MAP_ANONYMOUS | MAP_HUGETLB | 21 << 26)

static inline char *map_or_fail(size_t bytes, int prot, int flags)
{
	char *at = mmap(NULL, bytes, prot, flags, -1, 0);

	if (at == MAP_FAILED)
		FAIL("mmap: %s", strerror(errno));
	return at;
}

/* As libhresv makes private memory: no reservation, and every page there. */
static inline char *map_populated(size_t bytes)
{
	char *at;

	need_linux(5, 14);
	at = map_or_fail(bytes, RW, MAP_PRIVATE | MAP_NORESERVE | HUGE);
	if (madvise(at, bytes, MADV_POPULATE_WRITE) != 0)
		FAIL("populate: %s", strerror(errno));
	return at;
}

/* 0, or errno. */
static inline int failed(int result)
{
	return result == 0 ? 0 : errno;
}

static inline bool present(const char *at)
{
	unsigned char vec = 0;

	return mincore((void *)(uintptr_t)at, 4096, &vec) == 0 && (vec & 1);
}

/* How a child that runs @run(@at) ends: its exit status, or minus the signal. */
static inline int in_child(int (*run)(char *), char *at)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		signal(SIGBUS, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		_exit(run(at));
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static inline int touch(char *at)
{
	*(volatile char *)at = 1;
	return 0;
}

static inline int look(char *at)
{
	return *(volatile char *)at;
}

#endif
