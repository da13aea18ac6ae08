/* SPDX-License-Identifier: MIT */
/* faults.c - a hook in front of sys.h that counts calls and fails one */
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "core/base/sys.h"
#include "tests/harness/faults.h"

static struct {
	long nr;		/* the call counted, or -1 for every one */
	int nth, err;
	bool stays;		/* fails from nth on */
	_Atomic int seen;
	_Atomic bool fired;
	_Atomic long failed;
} fault;

static bool cannot_fail(long nr)
{
	return nr == SYS_close || nr == SYS_futex || nr == SYS_rt_sigprocmask ||
	       nr == SYS_clock_gettime || nr == SYS_nanosleep || nr == SYS_getpid ||
	       nr == SYS_gettid || nr == SYS_munmap;
}

static long hook(long nr, const long args[6], bool *ret_handled)
{
	(void)args;
	if (fault.nr >= 0 ? nr != fault.nr : cannot_fail(nr))
		return 0;

	int n = atomic_fetch_add(&fault.seen, 1) + 1;

	if (n != fault.nth && !(fault.stays && n > fault.nth))
		return 0;
	if (!atomic_exchange(&fault.fired, true))
		atomic_store(&fault.failed, nr);
	*ret_handled = true;
	return -fault.err;
}

static void arm(long nr, int nth, int err, bool stays)
{
	sys_set_hook(NULL);
	fault.nr = nr;
	fault.nth = nth;
	fault.err = err;
	fault.stays = stays;
	atomic_store(&fault.seen, 0);
	atomic_store(&fault.fired, false);
	atomic_store(&fault.failed, -1);
	sys_set_hook(hook);
}

void faults_arm(int nth, int err)
{
	arm(-1, nth, err, false);
}

void faults_arm_call(long nr, int nth, int err)
{
	arm(nr, nth, err, false);
}

void faults_arm_from(int nth, int err)
{
	arm(-1, nth, err, true);
}

bool faults_fired(void)
{
	faults_disarm();
	return atomic_load(&fault.fired);
}

void faults_disarm(void)
{
	sys_set_hook(NULL);
}

int faults_seen(void)
{
	return atomic_load(&fault.seen);
}

long faults_failed(void)
{
	return atomic_load(&fault.failed);
}
