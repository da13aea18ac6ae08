/* SPDX-License-Identifier: MIT */
/*
 * space.h - the address space of a process, each mapping with its backing and reason
 *
 * What the kernel says (smaps) put beside what libhresv in the process remembers: its
 * page map and its last decisions.
 */
#ifndef HRESV_TOOLS_SPACE_H
#define HRESV_TOOLS_SPACE_H

#include "core/base/mem.h"
#include "tools/report.h"
#include "tools/smaps.h"

/* Who made it, or what it is. */
enum backing_kind {
	BACKING_HUGE_OURS,	/* huge pages libhresv put there */
	BACKING_HUGE_OWN,	/* the program asked for them itself */
	BACKING_THP,		/* half of what is there or more on transparent huge pages */
	BACKING_SMALL,		/* small pages that would have been huge */
	BACKING_SPLIT,		/* it was huge */
	BACKING_RESERVED,	/* address space without access */
	BACKING_FILE,
	BACKING_OTHER,		/* plain small pages */
	BACKING_N
};

struct space_part {
	struct vma vma;
	enum backing_kind kind;
	const char *why;	/* not huge because; "" for what is */
};

struct space {
	struct blob smaps;	/* what names point into */
	struct space_part *parts;
	size_t n;
};

/* 0; -EACCES, -EPERM: not ours to read; -ENOENT, -ESRCH: gone; -ENOMEM. */
int space_read(const struct report *of, struct space *ret_space);
void space_free(struct space *s);

/* "huge", "own huge", ... */
const char *space_kind_name(enum backing_kind kind);

#endif
