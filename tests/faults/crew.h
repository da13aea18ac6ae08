/* SPDX-License-Identifier: MIT */
/* crew.h - memory to populate, and a caller that lets its helpers begin */
#ifndef HRESV_TESTS_FAULTS_CREW_H
#define HRESV_TESTS_FAULTS_CREW_H

#include <time.h>

#include "core/act/backing.h"
#include "core/act/crew.h"
#include "core/base/mem.h"
#include "tests/faults/held.h"
#include "tests/harness/idle.h"
#include "tests/harness/tree.h"

#define POPULATE_WRITE 23
#define PAGES 24
#define BYTES (PAGES * PAGE)

static const struct crew __attribute__((unused)) three = { .helpers = 3 };

static inline uintptr_t map_huge(size_t bytes, int flags)
{
	void *at = mmap(NULL, bytes, RW, MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE | flags, -1, 0);

	if (at == MAP_FAILED)
		SKIP("huge pages");
	return (uintptr_t)at;
}

/* Helpers know nothing of libc: the bare call. */
static inline void nap(void)
{
	syscall(SYS_nanosleep, &(struct timespec){ 0, 1000000 }, NULL);
}

static inline size_t present_any(uintptr_t at, size_t bytes)
{
	size_t all = 0;

	for (size_t i = 0; i < bytes / PAGE; i++)
		all += mem_is_present(at + i * PAGE);
	return all;
}

/* Pages that are there, from the first on; behind the first that is not there must be none. */
static inline size_t present(uintptr_t at, size_t bytes)
{
	size_t front = 0;

	while (front < bytes / PAGE && mem_is_present(at + front * PAGE))
		front++;
	EXPECT_EQ(present_any(at, bytes), front);
	return front;
}

static inline unsigned threads(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[200];
	unsigned n = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Threads: %u", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

/* The caller waits at its first piece until a helper has done one, for as long as that takes. */
static struct {
	long caller;
	_Atomic unsigned helped;
	long fail_with;		/* what a helper's piece is answered with; 0: done */
	_Atomic unsigned places;	/* nodes where helpers ran */
} staged;

static inline long stage(long nr, const long args[6], bool *ret_handled)
{
	if (nr != SYS_madvise || args[2] != POPULATE_WRITE)
		return 0;
	if (syscall(SYS_gettid) == staged.caller) {
		for (int ms = 0; !staged.helped && ms < 30000; ms++)
			nap();
		return 0;
	}
	if (!staged.fail_with)
		syscall(SYS_madvise, args[0], args[1], args[2]);
	staged.helped++;
	*ret_handled = true;
	return staged.fail_with;
}

static inline size_t advise_staged(uintptr_t at, long fail_with)
{
	size_t done;

	staged.caller = syscall(SYS_gettid);
	staged.helped = 0;
	staged.fail_with = fail_with;
	sys_set_hook(stage);
	done = crew_advise(&three, at, BYTES, PAGE, POPULATE_WRITE);
	sys_set_hook(NULL);
	return done;
}

#endif
