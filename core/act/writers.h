/* SPDX-License-Identifier: MIT */
/*
 * writers.h - keep everybody from writing to a range while it is copied
 *
 * Three ways, the best that the system allows (KERNEL.md 5):
 *   WRITERS_WAIT   userfaultfd write-protection: threads and the kernel's own
 *                  writes into the range wait, nothing fails, nothing is lost;
 *   WRITERS_USER   the same, but only threads wait: a system call that writes
 *                  into the range meanwhile gets EFAULT or comes up short;
 *   WRITERS_ALONE  no userfaultfd: mprotect(); right only while no other thread
 *                  exists, so it is refused with -EBUSY when one does.
 */
#ifndef HRESV_CORE_ACT_WRITERS_H
#define HRESV_CORE_ACT_WRITERS_H

#include <stddef.h>
#include <stdint.h>

enum writers_way { WRITERS_WAIT, WRITERS_USER, WRITERS_ALONE };

struct writers {
	enum writers_way way;
	int fd;			/* the userfaultfd, -1 for WRITERS_ALONE */
	uintptr_t at;
	size_t bytes;
	int prot;
};

/**
 * writers_hold - from now on [at, at + bytes), one mapping, is not written
 * @prot: its protection now
 * Return: 0; -EBUSY: no way to hold them here; -errno of the kernel.
 */
int writers_hold(uintptr_t at, size_t bytes, int prot, struct writers *ret_w);

/* The range has been replaced: lets the waiting threads try again there. */
void writers_release(struct writers *w);

/* The range stays: undoes the protection, then lets them go on. */
void writers_give_up(struct writers *w);

#endif
