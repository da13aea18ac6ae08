/* SPDX-License-Identifier: MIT */
/* shm.c - shmget, shmat, shmdt, shmctl */
#include <sys/ipc.h>
#include <sys/shm.h>

#include "core/segment.h"
#include "preload/call.h"

HRESV_EXPORT int shmget(key_t key, size_t bytes, int flags)
{
	return (int)call_value(segment_get(key, bytes, flags));
}

HRESV_EXPORT void *shmat(int id, const void *at, int flags)
{
	return call_pointer(segment_attach(id, (uintptr_t)at, flags));
}

HRESV_EXPORT int shmdt(const void *at)
{
	return (int)call_value(segment_detach((uintptr_t)at));
}

HRESV_EXPORT int shmctl(int id, int command, struct shmid_ds *buf)
{
	return (int)call_value(segment_control(id, command, buf));
}
