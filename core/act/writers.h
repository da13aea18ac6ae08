/* SPDX-License-Identifier: MIT */
/*
 * writers.h - keep everybody from writing to a range while it is copied
 *
 * Three ways, the best that the system allows (KERNEL.md 5):
 *   WRITERS_WAIT   userfaultfd write-protection: threads and the kernel's own
 *                  writes into the range wait, nothing fails, nothing is lost;
 *   WRITERS_USER   the same, but only threads wait: a system call that writes
 *                  into the range meanwhile gets EFAULT or comes up short;
 *   WRITERS_FAULT  no userfaultfd (a container's seccomp filter): mprotect(), and
 *                  threads that write take SIGSEGV and wait in our handler;
 *                  system calls meanwhile as with WRITERS_USER;
 *   WRITERS_ALONE  nothing: right only while no other thread exists.
 */
#ifndef HRESV_CORE_ACT_WRITERS_H
#define HRESV_CORE_ACT_WRITERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum writers_way { WRITERS_WAIT, WRITERS_USER, WRITERS_FAULT, WRITERS_ALONE };

struct writers {
	enum writers_way way;
	int fd;			/* the userfaultfd, or -1 */
	bool standing;		/* it is that of writers_stand() */
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

/* Is the caller the only thread there is? The kernel says; libc can't know of all. */
bool writers_are_one(void);

/* Holds nobody: there is nobody else. */
void writers_none(struct writers *ret_w);

/* The range has been replaced: lets the waiting threads try again there. */
void writers_release(struct writers *w);

/* The range stays: undoes the protection, then lets them go on. */
void writers_give_up(struct writers *w);

/*
 * A userfaultfd that stays: who reads its faults leaves a page alone that is claimed
 * (cow.h). Ranges registered with it are held by it. -1: none any more.
 */
void writers_stand(int fd);

/* Opens one of the full kind that knows huge pages and @features. -errno. */
int writers_open_full(uint64_t features);
int writers_protect(int fd, uintptr_t at, size_t bytes, bool on);
int writers_register(int fd, uintptr_t at, size_t bytes);
void writers_wake(int fd, uintptr_t at, size_t bytes);

/* Not protected nor registered any more, and nobody waits there. Nothing to undo: 0. */
int writers_leave(int fd, uintptr_t at, size_t bytes);

/* Has there been a moment in which system calls were refused what threads wait for? */
bool writers_were_held(void);

/*
 * WRITERS_FAULT's: called for a SIGSEGV of access to mapped memory, in the thread
 * that took it. True: it was held back, or may have been; try again.
 */
bool writers_wait(uintptr_t at);

#endif
