/* SPDX-License-Identifier: MIT */
/* reason.c - the names people read for each reason, and for each use */
#include "core/decide/request.h"

const char *reason_name(enum reason why)
{
	static const char *const names[REASON_N] = {
		[REASON_NONE] = "huge",
		[REASON_TOO_SMALL] = "too-small",
		[REASON_NOT_WRITABLE] = "not-writable",
		[REASON_NORESERVE] = "noreserve",
		[REASON_STACK] = "stack",
		[REASON_FIXED] = "fixed",
		[REASON_FILTERED] = "filtered",
		[REASON_BUDGET] = "budget",
		[REASON_POOL_SHORT] = "pool-short",
		[REASON_OVERCOMMIT] = "overcommit",
		[REASON_NODE_SHORT] = "node-short",
		[REASON_CGROUP_FAULT] = "cgroup-fault",
		[REASON_CGROUP_RSVD] = "cgroup-rsvd",
		[REASON_MEMCG] = "memcg",
		[REASON_MOUNT_QUOTA] = "mount-quota",
		[REASON_EPERM] = "eperm",
		[REASON_MEMLOCK] = "memlock",
		[REASON_ALIGNMENT] = "alignment",
		[REASON_NOT_YET] = "not-yet",
		[REASON_NO_MEMORY] = "no-memory",
		[REASON_DEMOTED_MUNMAP] = "demoted-by-munmap",
		[REASON_DEMOTED_MPROTECT] = "demoted-by-mprotect",
		[REASON_DEMOTED_MADVISE] = "demoted-by-madvise",
		[REASON_DEMOTED_MREMAP] = "demoted-by-mremap",
		[REASON_DEMOTED_USERFAULTFD] = "demoted-by-userfaultfd",
		[REASON_FORK] = "fork",
		[REASON_RESCUE] = "rescue",
		[REASON_STATIC_OR_SETUID] = "static-or-setuid",
		[REASON_SECCOMP] = "seccomp",
	};

	return why < REASON_N ? names[why] : "unknown";
}

bool reason_is_shortage(enum reason why)
{
	return why >= REASON_BUDGET && why <= REASON_MEMLOCK;
}

const char *use_name(enum use use)
{
	static const char *const names[USE_N] = {
		[USE_MMAP] = "mmap", [USE_SHM] = "shm", [USE_MALLOC] = "malloc",
		[USE_TEXT] = "text", [USE_DATA] = "data",
	};

	return use < USE_N ? names[use] : "unknown";
}
