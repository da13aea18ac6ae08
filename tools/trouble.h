/* SPDX-License-Identifier: MIT */
/*
 * trouble.h - why a program would not get its huge pages, each with a name, an exit
 * status and its mend
 *
 * The numbers are documented in hresv(1) and never change their meaning. All lie below
 * 125, where shells and env(1) begin, and are "skip", not "fail", to systemd's
 * ExecCondition (1 to 254).
 */
#ifndef HRESV_TOOLS_TROUBLE_H
#define HRESV_TOOLS_TROUBLE_H

enum trouble {
	TROUBLE_NONE = 0,
	/* supply */
	TROUBLE_NO_KERNEL = 10,		/* no huge pages in this kernel, or all hidden */
	TROUBLE_NO_POOL = 11,		/* the pool is empty, and may not grow */
	TROUBLE_POOL_SHORT = 12,
	TROUBLE_CGROUP_FAULT = 13,
	TROUBLE_CGROUP_RSVD = 14,
	TROUBLE_MEMCG = 15,
	TROUBLE_BUDGET = 16,		/* our own variables */
	TROUBLE_MOUNT_QUOTA = 17,
	TROUBLE_NODE = 18,
	TROUBLE_EPERM = 19,		/* System V segments */
	TROUBLE_RLIMIT = 20,
	/* the program */
	TROUBLE_STATIC = 30,
	TROUBLE_SECURE = 31,
	TROUBLE_ALLOCATOR = 32,
	TROUBLE_LIBC = 33,
	TROUBLE_ARCH = 34,
	TROUBLE_GO = 35,
	TROUBLE_NO_PROGRAM = 36,
	/* the library */
	TROUBLE_NO_LIBRARY = 40,
	TROUBLE_NOEXEC = 41,
	/* a trial run */
	TROUBLE_TRIAL = 50,
};

/* "pool-short" and so on, as in --json and --accept. */
const char *trouble_name(enum trouble t);
/* One of the names above; TROUBLE_NONE: none is called so. */
enum trouble trouble_named(const char *name);

#endif
