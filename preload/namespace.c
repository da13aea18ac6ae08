/* SPDX-License-Identifier: MIT */
/*
 * namespace.c - unshare() and setns(), which want a process of one thread
 *
 * After a fork without pages to spare there may be a thread of ours. The call is made,
 * and made again without it when the kernel refused.
 */
#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>

#include "core/facts/conf.h"
#include "core/fork.h"
#include "preload/call.h"

/* EUSERS: a time namespace, with threads. */
static bool is_for_threads(long err)
{
	const struct conf *conf = conf_get();

	return (err == -EINVAL || err == -EUSERS) && conf && conf->active && fork_end_thread();
}

HRESV_EXPORT int unshare(int flags)
{
	long err = sys_call(SYS_unshare, flags, 0, 0, 0, 0, 0);

	if (is_for_threads(err))
		err = sys_call(SYS_unshare, flags, 0, 0, 0, 0, 0);
	return (int)call_value(err);
}

HRESV_EXPORT int setns(int fd, int type)
{
	long err = sys_call(SYS_setns, fd, type, 0, 0, 0, 0);

	if (is_for_threads(err))
		err = sys_call(SYS_setns, fd, type, 0, 0, 0, 0);
	return (int)call_value(err);
}
