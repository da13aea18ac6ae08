/* SPDX-License-Identifier: MIT */
/* trouble.c - names; see trouble.h */
#include "tools/trouble.h"

#include <stddef.h>
#include <string.h>

static const struct {
	enum trouble trouble;
	const char *name;
} names[] = {
	{ TROUBLE_NO_KERNEL, "no-huge-pages" },	 { TROUBLE_NO_POOL, "no-pool" },
	{ TROUBLE_POOL_SHORT, "pool-short" },	 { TROUBLE_CGROUP_FAULT, "cgroup-fault" },
	{ TROUBLE_CGROUP_RSVD, "cgroup-rsvd" },	 { TROUBLE_MEMCG, "memcg" },
	{ TROUBLE_BUDGET, "budget" },		 { TROUBLE_MOUNT_QUOTA, "mount-quota" },
	{ TROUBLE_NODE, "node-short" },		 { TROUBLE_EPERM, "eperm" },
	{ TROUBLE_RLIMIT, "rlimit" },		 { TROUBLE_STATIC, "static" },
	{ TROUBLE_SECURE, "setuid" },		 { TROUBLE_ALLOCATOR, "own-allocator" },
	{ TROUBLE_LIBC, "other-libc" },		 { TROUBLE_ARCH, "other-architecture" },
	{ TROUBLE_GO, "go" },			 { TROUBLE_NO_PROGRAM, "no-program" },
	{ TROUBLE_NO_LIBRARY, "no-library" },	 { TROUBLE_NOEXEC, "noexec" },
	{ TROUBLE_TRIAL, "trial-failed" },
};

#define NAMES (sizeof(names) / sizeof(names[0]))

const char *trouble_name(enum trouble t)
{
	for (size_t i = 0; i < NAMES; i++)
		if (names[i].trouble == t)
			return names[i].name;
	return "none";
}

enum trouble trouble_named(const char *name)
{
	for (size_t i = 0; i < NAMES; i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].trouble;
	return TROUBLE_NONE;
}
