/* SPDX-License-Identifier: MIT */
/*
 * cow.h - copy-on-write of our own, where the kernel has no huge page for its copies
 *
 * After a fork parent and child share private huge pages, and whoever writes
 * first needs another one. Where none is sure to be there, each process keeps its
 * shared pages write-protected by userfaultfd; a thread of ours gives the first
 * write to a page a copy in small pages (transparent huge ones where the kernel
 * has them) and lets it go on. Threads and system calls wait for the copy;
 * nothing fails, nothing is lost, and no process depends on another.
 *
 * Needs the full kind of userfaultfd (root, CAP_SYS_PTRACE, /dev/userfaultfd or
 * vm.unprivileged_userfaultfd) and Linux 6.4: before, a child forked meanwhile
 * hangs in the kernel (KERNEL.md 5).
 */
#ifndef HRESV_CORE_ACT_COW_H
#define HRESV_CORE_ACT_COW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/act/pagemap.h"

/* Is there a way at all? Finds out once, by opening what is needed. */
bool cow_is_possible(void);

/**
 * cow_begin - protects every private huge page, ours and guarded, of this process
 *
 * By the forking thread, gate closed, before the fork; and in the child. On a stack that
 * is none of those pages (stake.h): the caller would wait for itself. With
 * copier_hold(): a thread that ended meanwhile would leave all of it protected. The
 * thread is started before the first page is protected. What could not be
 * protected is made small. Return: 0; -errno: nothing could be started.
 */
int cow_begin(void);

/* In a fork child, before anything else: what the parent had is not here. */
void cow_forget(bool close);

/*
 * For who has claimed the huge page at @at and is about to write to it: true: it
 * is still huge, and may be written. False: it has been made small, and its word
 * is set.
 */
bool cow_own(uintptr_t at, page_word word);

/*
 * The same for calls by which the kernel writes to [lo, hi), claimed: mlock() and
 * MADV_POPULATE_WRITE break copy-on-write, and would wait for the claim.
 */
void cow_own_all(uintptr_t lo, uintptr_t hi);

/*
 * Nothing shall be shared with anybody any more: copies what is, with the gate closed,
 * so that the thread ends soon (copier_wait_end). False: there was no thread.
 */
bool cow_copy_all(void);

/*
 * For who takes [lo, hi), claimed, out of the page map but keeps it mapped huge: it is
 * not protected any more. False: that could not be done, it must not be kept.
 */
bool cow_leave(uintptr_t lo, uintptr_t hi);

/* A huge run has been moved to [lo, hi): protects it there. */
void cow_follow(uintptr_t lo, uintptr_t hi, page_word word);

#endif
