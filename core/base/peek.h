/* SPDX-License-Identifier: MIT */
/*
 * peek.h - the program's memory, read as the kernel reads it
 *
 * What a program hands to a system call may lie anywhere: the kernel says EFAULT,
 * and some ask for nothing else ("can this be read?"). So what we look at before
 * the kernel does must be no fault of ours.
 */
#ifndef HRESV_CORE_BASE_PEEK_H
#define HRESV_CORE_BASE_PEEK_H

#include <stddef.h>

/*
 * Copies @bytes from @from, which is the program's: 0, or -EFAULT and nothing said
 * about @to. One system call for each base page; none for what lies in the page of
 * the caller's own frame.
 */
int peek(void *to, const void *from, size_t bytes);

#endif
