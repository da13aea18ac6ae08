/* SPDX-License-Identifier: MIT */
/*
 * peek.c - asks the kernel whether a page can be read, then reads it
 *
 * rt_sigprocmask(2) with a wrong @how reads its set, says EFAULT or EINVAL, and does
 * nothing. Every filter lets it pass, as libc's own thread and fork make it, which is
 * not so for process_vm_readv(2). What another thread unmaps between the two steps is
 * a fault: memory taken from under a call that is being made.
 */
#include "core/base/peek.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

#define NO_HOW -1

/* A set at 0 is none: the second word of that page, then. */
static bool is_readable(uintptr_t at)
{
	const uintptr_t word = align_down(at, sizeof(uint64_t));

	return sys_sigmask(NO_HOW, (const uint64_t *)(word ? word : sizeof(uint64_t)), NULL) != -EFAULT;
}

int peek(void *to, const void *from, size_t bytes)
{
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	const uintptr_t at = (uintptr_t)from, end = at + bytes;
	const size_t page = mem_page_bytes();

	if (end < at)
		return -EFAULT;
	for (uintptr_t next = at; next < end; next = align_down(next, page) + page)
		if (align_down(next, page) != align_down(here, page) &&
		    !is_readable(next))
			return -EFAULT;
	memcpy(to, from, bytes);
	return 0;
}
