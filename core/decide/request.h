/* SPDX-License-Identifier: MIT */
/*
 * request.h - what a program asked for, and the reasons for what it got
 */
#ifndef HRESV_CORE_DECIDE_REQUEST_H
#define HRESV_CORE_DECIDE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Who asks; each has its own switch and page size (HUGETLB_MMAP=1G ...). The last two
 * are parts of the program itself: what it can't write, and what it can.
 */
enum use { USE_MMAP, USE_SHM, USE_MALLOC, USE_TEXT, USE_DATA, USE_N };

/*
 * Why memory is not huge, or not any more. The order is that of the table at
 * exit; names are in reason_name(). REASON_NONE: it is huge.
 */
enum reason {
	REASON_NONE,
	/* the request is of a kind that is left alone */
	REASON_TOO_SMALL,
	REASON_NOT_WRITABLE,
	REASON_NORESERVE,
	REASON_STACK,
	REASON_FIXED,
	REASON_FILTERED,
	/* something has no more to give */
	REASON_BUDGET,
	REASON_POOL_SHORT,
	REASON_OVERCOMMIT,
	REASON_NODE_SHORT,
	REASON_CGROUP_FAULT,
	REASON_CGROUP_RSVD,
	REASON_MEMCG,
	REASON_MOUNT_QUOTA,
	REASON_EPERM,
	REASON_MEMLOCK,
	REASON_ALIGNMENT,
	REASON_NOT_YET,		/* beyond HUGETLB_EAGER_MAX: small until touched */
	REASON_NO_MEMORY,	/* no address space, mappings or records left */
	/* it was huge once */
	REASON_DEMOTED_MUNMAP,
	REASON_DEMOTED_MPROTECT,
	REASON_DEMOTED_MADVISE,
	REASON_DEMOTED_MREMAP,
	REASON_DEMOTED_USERFAULTFD,	/* the program wants each small page's first fault */
	REASON_FORK,
	REASON_RESCUE,
	REASON_STATIC_OR_SETUID,
	REASON_SECCOMP,		/* the program filters its system calls */
	REASON_N
};

/* "pool-short" and so on; "huge" for REASON_NONE. */
const char *reason_name(enum reason why);

/* Would more pages, or a higher limit, have made it huge? */
bool reason_is_shortage(enum reason why);

/* "mmap" and so on, as the table at exit has it. */
const char *use_name(enum use use);

/* An mmap as the program made it. */
struct request {
	enum use use;
	uintptr_t at;		/* hint, or the place with MAP_FIXED */
	size_t bytes;		/* as asked: rounded to nothing */
	int prot;
	int flags;
	int fd;
	off_t offset;
};

#endif
