/* SPDX-License-Identifier: MIT */
/* smaps.h - the mappings of a process, from /proc/PID/smaps (proc_pid_smaps(5)) */
#ifndef HRESV_TOOLS_SMAPS_H
#define HRESV_TOOLS_SMAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/text.h"

struct vma {
	uint64_t lo, hi;
	bool readable, writable, executable, shared;
	uint64_t offset;
	struct span name;		/* "" for plain memory */
	/* Bytes. What a kernel doesn't tell is 0. */
	uint64_t page_bytes;		/* the kernel's, 0 unknown */
	uint64_t rss;			/* without hugetlb, which has no rss */
	uint64_t thp;			/* of it, transparent huge pages */
	uint64_t private_huge, shared_huge;
	bool hugetlb;			/* VmFlags: ht */
	bool unreserved;		/* VmFlags: nr */
};

/*
 * Cuts the next mapping off @rest, its details with it; false when none is left.
 * Lines that make no sense are passed over. Works on /proc/PID/maps, too: then
 * there are no details.
 */
bool smaps_next(struct span *rest, struct vma *ret_vma);

static inline uint64_t vma_huge(const struct vma *v)
{
	return v->private_huge + v->shared_huge;
}

#endif
