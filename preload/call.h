/* SPDX-License-Identifier: MIT */
/*
 * call.h - what every interposed call shares
 *
 * An interposed call is indistinguishable from libc's: its type, its results,
 * errno set exactly when it fails. It asks whether the call concerns us, hands
 * it to core/route or makes the raw system call, and nothing else. What lies
 * behind most of these names in libc is the same system call; for the few where
 * it is more (fork, read: cancellation points), see real.c.
 */
#ifndef HRESV_PRELOAD_CALL_H
#define HRESV_PRELOAD_CALL_H

#include <errno.h>
#include <stdint.h>

#include "core/base/sys.h"

#define HRESV_EXPORT __attribute__((visibility("default")))

static inline void *call_pointer(long value)
{
	if (sys_failed(value)) {
		errno = (int)-value;
		return (void *)-1;
	}
	return (void *)value;
}

static inline long call_value(long value)
{
	if (sys_failed(value)) {
		errno = (int)-value;
		return -1;
	}
	return value;
}

#endif
