/* SPDX-License-Identifier: MIT */
/* mlock.c - mlock, mlock2, munlock, mlockall, munlockall, msync; mbind, which libnuma exports */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/route.h"
#include "preload/call.h"
#include "preload/mlock.h"
#include "preload/real.h"

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

static int all_locked(long err, int flags)
{
	if (!err)
		route_note_all_locked(flags);
	return (int)call_value(err);
}

HRESV_EXPORT int mlockall(int flags)
{
	return all_locked(sys_call(SYS_mlockall, flags, 0, 0, 0, 0, 0), flags);
}

HRESV_EXPORT int munlockall(void)
{
	return all_locked(sys_call(SYS_munlockall, 0, 0, 0, 0, 0, 0), 0);
}

static int (*real_msync)(void *, size_t, int);

void preload_sync_find(void)
{
	real_msync = (int (*)(void *, size_t, int))(uintptr_t)real_behind("msync");
}

/* libc's is a cancellation point; ours has nothing to wait for. */
HRESV_EXPORT int msync(void *at, size_t bytes, int flags)
{
	if ((flags & MS_INVALIDATE) && route_concerns((uintptr_t)at, bytes))
		return (int)call_value(route_sync((uintptr_t)at, bytes, flags));
	if (real_msync)
		return real_msync(at, bytes, flags);
	return (int)call_value(sys_call(SYS_msync, (long)at, (long)bytes, flags, 0, 0, 0));
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
