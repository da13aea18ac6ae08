/* SPDX-License-Identifier: MIT */
/* mlock.c - mlock, mlock2, munlock; mbind, which libnuma exports */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/route.h"
#include "preload/call.h"

HRESV_EXPORT int mlock(const void *at, size_t bytes)
{
	if (route_concerns((uintptr_t)at, bytes))
		return (int)call_value(route_lock((uintptr_t)at, bytes, 0));
	return (int)call_value(sys_mlock2((uintptr_t)at, bytes, 0));
}

HRESV_EXPORT int mlock2(const void *at, size_t bytes, unsigned flags)
{
	if (route_concerns((uintptr_t)at, bytes))
		return (int)call_value(route_lock((uintptr_t)at, bytes, flags));
	return (int)call_value(sys_mlock2((uintptr_t)at, bytes, flags));
}

HRESV_EXPORT int munlock(const void *at, size_t bytes)
{
	if (route_concerns((uintptr_t)at, bytes))
		return (int)call_value(route_unlock((uintptr_t)at, bytes));
	return (int)call_value(sys_munlock((uintptr_t)at, bytes));
}

HRESV_EXPORT long mbind(void *at, unsigned long bytes, int mode, const unsigned long *nodes,
			unsigned long nodes_max, unsigned flags);

HRESV_EXPORT long mbind(void *at, unsigned long bytes, int mode, const unsigned long *nodes,
			unsigned long nodes_max, unsigned flags)
{
	if (route_concerns((uintptr_t)at, bytes) &&
	    route_make_small((uintptr_t)at, bytes, false) != 0)
		return call_value(-ENOMEM);
	return call_value(sys_call(SYS_mbind, (long)at, (long)bytes, mode, (long)nodes,
				   (long)nodes_max, (long)flags));
}
