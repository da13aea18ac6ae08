/* SPDX-License-Identifier: MIT */
/*
 * prctl.c - PR_SET_VMA, which the kernel refuses on huge pages
 *
 * A name is for people who read /proc/self/maps: the small parts get it, the
 * huge ones go without, and the program hears what it would have heard.
 */
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "core/act/pagemap.h"
#include "core/route.h"
#include "preload/call.h"

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
	return (int)call_value(sys_call(SYS_prctl, operation, (long)a[0], (long)a[1], (long)a[2],
					(long)a[3], 0));
}
