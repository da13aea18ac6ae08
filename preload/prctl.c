/* SPDX-License-Identifier: MIT */
/*
 * prctl.c - PR_SET_VMA, which the kernel refuses on huge pages, and seccomp filters
 *
 * A name is for people who read /proc/self/maps: the small parts get it, the
 * huge ones go without, and the program hears what it would have heard.
 *
 * A filter lists what the program itself calls: from then on we call no more than that.
 */
#include <linux/seccomp.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "core/act/pagemap.h"
#include "core/route.h"
#include "core/seccomp.h"
#include "preload/call.h"
#include "preload/prctl.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

static long name_small_parts(const unsigned long *a)
{
	uintptr_t end = a[1] + a[2];
	page_word word;
	/* Of no bytes the kernel checks all but the range, and whether it knows names at all. */
	long err = sys_call(SYS_prctl, PR_SET_VMA, (long)a[0], (long)a[1], 0, (long)a[3], 0);

	if (err)
		return err;
	for (uintptr_t lo = a[1], hi; lo < end; lo = hi) {
		hi = pagemap_run(lo, end, &word);
		if (word_is_huge_ours(word))
			continue;
		err = sys_call(SYS_prctl, PR_SET_VMA, (long)a[0], (long)lo, (long)(hi - lo),
				    (long)a[3], 0);
		if (err)
			return err;
	}
	return 0;
}

/*
 * Once it is in force nothing of ours may come between. The heap starts at its first
 * question, by reading files: now.
 */
static long set_filter(bool is_strict, long program, long nr, const long a[5])
{
	long value;

	if (!seccomp_may_kill(is_strict ? NULL : (const void *)program))
		return sys_call(nr, a[0], a[1], a[2], a[3], a[4], 0);
	(void)mallinfo2();
	seccomp_prepare();
	value = sys_call(nr, a[0], a[1], a[2], a[3], a[4], 0);
	if (!sys_failed(value))
		seccomp_obey();
	return value;
}

static bool is_filter(long operation)
{
	return operation == SECCOMP_SET_MODE_STRICT || operation == SECCOMP_SET_MODE_FILTER;
}

/* seccomp(2) by number (syscall.c): libc has no function for it. */
long preload_seccomp(long operation, long flags, long arg)
{
	if (!is_filter(operation))
		return sys_call(SYS_seccomp, operation, flags, arg, 0, 0, 0);
	return set_filter(operation == SECCOMP_SET_MODE_STRICT, arg, SYS_seccomp,
			  (const long[5]){ operation, flags, arg });
}

HRESV_EXPORT int prctl(int operation, ...)
{
	unsigned long a[4];
	va_list args;

	va_start(args, operation);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(args, unsigned long);
	va_end(args);
	if (operation == PR_SET_VMA && route_concerns(a[1], a[2]))
		return (int)call_value(name_small_parts(a));
	if (operation == PR_SET_SECCOMP)
		return (int)call_value(set_filter(a[0] == SECCOMP_MODE_STRICT, (long)a[1], SYS_prctl,
						  (const long[5]){ operation, (long)a[0], (long)a[1],
								   (long)a[2], (long)a[3] }));
	return (int)call_value(sys_call(SYS_prctl, operation, (long)a[0], (long)a[1], (long)a[2],
					(long)a[3], 0));
}
