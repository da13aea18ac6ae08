/* SPDX-License-Identifier: MIT */
/*
 * narrow.c - a hook (sys.h) that refuses what we alone would ask
 *
 * Each of these calls may fail anyway, and whoever makes it knows what that means: the
 * tests make each fail. The calls that are a program's as well as ours pass.
 *
 * Pitfall: a loop that waits for a time needs one that goes on.
 */
#include "core/base/narrow.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#include "core/base/lock.h"
#include "core/base/sys.h"

#define TICK_NS 1000000u
#define SECOND_NS 1000000000u

/* Written before the hook is there; @now by atomics. */
static struct {
	bool is;
	uint64_t now;
	long pid;
} narrow;

/* A thread that populates is none of these: there is none under any filter. */
static const unsigned short ours_alone[] = {
	SYS_openat, SYS_close, SYS_close_range, SYS_read, SYS_pread64, SYS_pwrite64,
	SYS_getdents64, SYS_faccessat, SYS_readlinkat, SYS_ftruncate, SYS_fallocate,
	SYS_unlinkat, SYS_renameat2, SYS_flock, SYS_ioctl, SYS_fcntl, SYS_fstat, SYS_fstatfs,
	SYS_statfs, SYS_memfd_create, SYS_pipe2, SYS_eventfd2, SYS_userfaultfd, SYS_ppoll,
	SYS_pidfd_open, SYS_process_vm_readv, SYS_process_vm_writev, SYS_nanosleep,
	SYS_sysinfo, SYS_mincore, SYS_get_mempolicy, SYS_set_mempolicy, SYS_getcpu,
	SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_sched_getscheduler, SYS_tgkill,
	SYS_gettid, SYS_getpid, SYS_clock_gettime, SYS_prlimit64,
};

#define CALLS (sizeof(ours_alone) / sizeof(ours_alone[0]))

bool narrow_all(bool (*is)(unsigned nr, void *arg), void *arg)
{
	for (size_t i = 0; i < CALLS; i++)
		if (!is(ours_alone[i], arg))
			return false;
	return true;
}

static bool is_ours_alone(long nr)
{
	for (size_t i = 0; i < CALLS; i++)
		if (ours_alone[i] == nr)
			return true;
	return false;
}

static long tell_time(struct timespec *ret_now)
{
	const uint64_t now = __atomic_add_fetch(&narrow.now, TICK_NS, __ATOMIC_RELAXED);

	*ret_now = (struct timespec){ (time_t)(now / SECOND_NS), (long)(now % SECOND_NS) };
	return 0;
}

static long refuse(long nr, const long args[6], bool *ret_handled)
{
	/* The copying thread's table is its own, and the filter another thread's. */
	*ret_handled = !gate_stays_out();
	if (!*ret_handled)
		return 0;
	if (nr == SYS_clock_gettime)
		return tell_time((struct timespec *)args[1]);
	if (nr == SYS_getpid)
		return narrow.pid;
	if (is_ours_alone(nr))
		return -EPERM;
	*ret_handled = false;
	return 0;
}

void narrow_remember(void)
{
	__atomic_store_n(&narrow.now, sys_now_ns(), __ATOMIC_RELAXED);
	narrow.pid = sys_getpid();
}

void narrow_door(void)
{
	if (door_is_narrow())
		return;
	sys_set_hook(refuse);
	__atomic_store_n(&narrow.is, true, __ATOMIC_RELEASE);
}

/* What a child sends to itself by its parent's number would reach that. */
void narrow_renew(void)
{
	narrow.pid = 0;
}

bool door_is_narrow(void)
{
	return __atomic_load_n(&narrow.is, __ATOMIC_ACQUIRE);
}
