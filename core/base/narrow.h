/* SPDX-License-Identifier: MIT */
/*
 * narrow.h - the door to the kernel, closed to what a program filters away
 *
 * A program that sets a seccomp filter of its own lists the calls it makes itself, and
 * is often killed by any other: also by one of ours, on behalf of its malloc or mmap.
 */
#ifndef HRESV_CORE_BASE_NARROW_H
#define HRESV_CORE_BASE_NARROW_H

#include <stdbool.h>

/* Before a filter is set, as the time and our number can't be asked for afterwards. */
void narrow_remember(void);

/*
 * From now on, in this process and its fork children: what a program with mmap, malloc
 * and masks of its own would not make fails with EPERM before it reaches the kernel.
 * That is every call about files, descriptors, processors, nodes and other processes;
 * time goes on by a millisecond each time it is asked for, and the process keeps the
 * number it had, its fork children none. Memory, futexes, masks and what the program asked for itself pass.
 */
void narrow_door(void);
bool door_is_narrow(void);

/* In a fork child, whose number can't be asked for: none, and never its parent's. */
void narrow_renew(void);

/* Is it so of every call that would be refused? */
bool narrow_all(bool (*is)(unsigned nr, void *arg), void *arg);

#endif
