/* SPDX-License-Identifier: MIT */
/* mprotect.c - mprotect and pkey_mprotect */
#include <sys/mman.h>

#include "core/route.h"
#include "preload/call.h"

HRESV_EXPORT int mprotect(void *at, size_t bytes, int prot)
{
	if (route_concerns((uintptr_t)at, bytes))
		return (int)call_value(route_protect((uintptr_t)at, bytes, prot, -1));
	return (int)call_value(sys_mprotect((uintptr_t)at, bytes, prot));
}

/* A key of -1 is mprotect's own business, as in libc. */
HRESV_EXPORT int pkey_mprotect(void *at, size_t bytes, int prot, int pkey)
{
	if (pkey == -1)
		return mprotect(at, bytes, prot);
	if (pkey >= 0 && pkey < 16 && route_concerns((uintptr_t)at, bytes))
		return (int)call_value(route_protect((uintptr_t)at, bytes, prot, pkey));
	return (int)call_value(sys_pkey_mprotect((uintptr_t)at, bytes, prot, pkey));
}
