/* SPDX-License-Identifier: MIT */
/* munmap.c - munmap: memory that isn't ours goes straight to the kernel */
#include <sys/mman.h>

#include "core/route.h"
#include "preload/call.h"

HRESV_EXPORT int munmap(void *at, size_t bytes)
{
	if (route_concerns((uintptr_t)at, bytes))
		return (int)call_value(route_unmap((uintptr_t)at, bytes));
	return (int)call_value(sys_munmap((uintptr_t)at, bytes));
}
