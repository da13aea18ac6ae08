/* SPDX-License-Identifier: MIT */
/*
 * vmwrite.c - process_vm_writev(2) into our own memory
 *
 * The kernel pins the pages it writes to, up to 4 MiB of them, lets go of the address
 * space, and copies then: into a huge page that was split or promoted meanwhile, if it
 * comes so, where nobody looks any more. Nothing waits for such a pin, and nothing counts it.
 * Read by process_vm_readv(2) from the same process the bytes take the way of read(2):
 * stored at their address, as a thread would, which waits where threads wait.
 *
 * A protection key of the calling thread would count for that and does not for this call,
 * so what has one is written as the program said.
 */
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "core/act/pagemap.h"
#include "core/base/narrow.h"
#include "preload/call.h"
#include "preload/parts.h"
#include "preload/read.h"

/* This process by its number, or by that of one of its threads. */
static bool is_ourselves(pid_t pid)
{
	const pid_t own = (pid_t)sys_getpid();

	return pid == own || (pid > 0 && sys_call(SYS_tgkill, own, pid, 0, 0, 0, 0) == 0);
}

static bool has_key(const struct iovec *parts, size_t n)
{
	struct iovec some[PARTS_AT_A_TIME];

	for (size_t i = 0; i < n; i++) {
		if (i % PARTS_AT_A_TIME == 0 && parts_read(parts + i, parts_at_a_time(n - i), some) != 0)
			return true;
		if (word_pkey(pagemap_get((uintptr_t)some[i % PARTS_AT_A_TIME].iov_base)))
			return true;
	}
	return false;
}

HRESV_EXPORT ssize_t process_vm_writev(pid_t pid, const struct iovec *from, unsigned long n_from,
				       const struct iovec *to, unsigned long n_to,
				       unsigned long flags)
{
	/* Under a filter nothing is split, and our number is not asked for (narrow.h). */
	if (!door_is_narrow() && flags == 0 && n_to <= UIO_MAXIOV && is_ourselves(pid) && parts_concern(to, n_to) &&
	    !has_key(to, n_to))
		return AGAIN(call_value(sys_call(SYS_process_vm_readv, pid, (long)to, (long)n_to,
						 (long)from, (long)n_from, 0)), to, n_to);
	return call_value(sys_call_own(SYS_process_vm_writev, pid, (long)from, (long)n_from,
				       (long)to, (long)n_to, (long)flags));
}
