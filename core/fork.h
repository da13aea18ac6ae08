/* SPDX-License-Identifier: MIT */
/*
 * fork.h - a second process: both live, with the right data
 *
 * Private huge pages are shared by parent and child until either writes; then
 * the kernel needs another huge page, and kills or robs where there is none.
 * Which way out is taken is said in docs/FORK.md.
 *
 * fork_prepare() comes right before the child is made, after every other lock of
 * the process has been taken, and fork_parent() or fork_child() right after: in
 * between the gate is closed, and whoever maps memory waits. Signals are held back
 * in the calling thread. Safe in a signal handler that interrupted no operation
 * of ours, which none can.
 */
#ifndef HRESV_CORE_FORK_H
#define HRESV_CORE_FORK_H

#include <stdbool.h>

/*
 * Registers the three below with libc, once: then every fork of libc's runs them,
 * daemon() and forkpty() too. By the first constructor that runs at all, before
 * anybody registers handlers that take locks.
 */
void fork_start(void);

void fork_prepare(void);
/* The same for clone(2) with these flags: with CLONE_FILES no descriptor is one side's alone. */
void fork_prepare_flags(unsigned long clone_flags);
/* Also when there is no child: fork(2) failed. */
void fork_parent(void);
void fork_child(void);

/*
 * A child whose parent is gone shares nothing any more, and needs no pages held for
 * it: takes the promise back. By guests of the gate who want pages; costs a load.
 */
void fork_review(void);

/*
 * The kernel refuses some calls to a process with more than one thread, and one of
 * ours may be there (cow.h): finishes its work, and it ends. False: there was none.
 */
bool fork_end_thread(void);

/* HUGETLB_FORK=refuse: this fork may not be made; the caller says ENOMEM. */
bool fork_is_refused(void);

#endif
