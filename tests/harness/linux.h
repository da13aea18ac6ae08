/* SPDX-License-Identifier: MIT */
/* linux.h - what only a newer kernel does */
#ifndef HRESV_TESTS_HARNESS_LINUX_H
#define HRESV_TESTS_HARNESS_LINUX_H

#include <stdio.h>
#include <sys/utsname.h>

#include "tests/harness/harness.h"

static inline bool linux_is(int major, int minor)
{
	int has_major = 0, has_minor = 0;
	struct utsname u;

	uname(&u);
	sscanf(u.release, "%d.%d", &has_major, &has_minor);
	return has_major > major || (has_major == major && has_minor >= minor);
}

/* Ends the test as skipped on older ones. */
static inline void need_linux(int major, int minor)
{
	if (!linux_is(major, minor))
		SKIP("Linux %d.%d", major, minor);
}

#endif
