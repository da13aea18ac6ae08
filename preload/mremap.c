/* SPDX-License-Identifier: MIT */
/* mremap.c - mremap and remap_file_pages */
#include <stdarg.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/route.h"
#include "preload/call.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static bool concerns(uintptr_t at, size_t bytes, size_t new_bytes, int flags, uintptr_t to)
{
	return route_concerns(at, bytes ? bytes : 1) ||
	       ((flags & MREMAP_FIXED) && route_concerns(to, new_bytes));
}

HRESV_EXPORT void *mremap(void *at, size_t bytes, size_t new_bytes, int flags, ...)
{
	uintptr_t to = 0;

	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		va_list args;

		va_start(args, flags);
		to = (uintptr_t)va_arg(args, void *);
		va_end(args);
	}
	if (concerns((uintptr_t)at, bytes, new_bytes, flags, to))
		return call_pointer(route_remap((uintptr_t)at, bytes, new_bytes, flags, to));
	return call_pointer(sys_mremap((uintptr_t)at, bytes, new_bytes, flags, to));
}

HRESV_EXPORT int remap_file_pages(void *at, size_t bytes, int prot, size_t page, int flags)
{
	/*
	 * The kernel refuses huge pages, and so do we: once split, shared memory is
	 * several objects, and a page of another one would be the wrong page.
	 */
	return (int)call_value(sys_call(SYS_remap_file_pages, (long)at, (long)bytes, prot,
					(long)page, flags, 0));
}
