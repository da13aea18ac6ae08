/* SPDX-License-Identifier: MIT */
/*
 * verdict.h - what a running test reports to its parent
 *
 * Lives in memory that the harness, the test and whatever the test forks share,
 * so a report survives the death of who made it. Only the harness reads it.
 */
#ifndef HRESV_TESTS_HARNESS_VERDICT_H
#define HRESV_TESTS_HARNESS_VERDICT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum { VERDICT_SHOWN_MAX = 10 };	/* failed expectations printed per test */

struct verdict {
	_Atomic unsigned failures;
	_Atomic bool skipped;
	_Atomic pid_t group;		/* the test's process group while it runs */
	bool quiet;			/* failing is expected: print nothing */
	char first[512];		/* the first failure; valid once failures > 0 */
	char need[256];			/* what a skipped test lacks */
};

/* The one verdict, of the test that runs now. */
struct verdict *verdict(void);

/* Forget the last test. */
void verdict_clear(bool quiet);

#endif
