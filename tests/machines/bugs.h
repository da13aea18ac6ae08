/* SPDX-License-Identifier: MIT */
/* bugs.h - what spoils the kernel's books, and what they say; the pool is set without the harness */
#ifndef HRESV_TESTS_MACHINES_BUGS_H
#define HRESV_TESTS_MACHINES_BUGS_H

#include <errno.h>
#include <fcntl.h>
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

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define HUGE (MAP_ANONYMOUS | MAP_HUGETLB | 21 << 26)
#define MINE 4			/* pages, of each kind, of the program that lives beside */
#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"

static inline unsigned long long counter(const char *name)
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

static inline void set(const char *name, unsigned long long pages)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), POOL "%s_hugepages", name);
	f = fopen(path, "we");
	REQUIRE_TRUE(f != NULL);
	fprintf(f, "%llu", pages);
	fclose(f);
}

static inline void say(const char *bug, bool provoked)
{
	struct utsname u;

	uname(&u);
	printf("# bug %s on Linux %s: %s (free %llu, reserved %lld, of %llu)\n", bug, u.release,
	       provoked ? "provoked" : "not there", counter("free"), (long long)counter("resv"),
	       counter("nr"));
}

static inline char *map(size_t pages, int flags)
{
	char *at = mmap(NULL, pages * PAGE, RW, flags | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	return at;
}

static inline char *owned(size_t pages)
{
	char *at = mmap(NULL, pages * PAGE, RW, MAP_PRIVATE | HUGE, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	return at;
}

/* A child that keeps what it inherited until it is killed. */
static inline pid_t keeper(void)
{
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	return child;
}

static inline void kill_keeper(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* Does a touch of each of these kill? */
static inline bool touch_kills(char *at, size_t pages)
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

/* Registered buffers of a ring: pages that stay though nobody maps them. -1: no rings here. */
static inline int pin(char *at, size_t bytes)
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

#endif
