/* SPDX-License-Identifier: MIT */
/* linux.c - the two numbers in front of the kernel's name */
#include "core/facts/linux.h"

#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "core/base/sys.h"
#include "core/base/text.h"

#define UNREADABLE UINT32_MAX

/* "5.10.0-32-amd64": 5 << 16 | 10. */
static uint32_t version_of(struct span name)
{
	struct span part;
	uint64_t n[2];

	for (int i = 0; i < 2; i++) {
		if (!span_next_field(&name, '.', &part))
			return UNREADABLE;
		/* "6.1-rc3" has the minor number in front of a dash. */
		span_next_field(&(struct span){ part.at, part.bytes }, '-', &part);
		if (text_u64(part, &n[i]) != 0 || n[i] > UINT16_MAX)
			return UNREADABLE;
	}
	return (uint32_t)(n[0] << 16 | n[1]);
}

bool linux_is(unsigned major, unsigned minor)
{
	static uint32_t version;	/* atomic; 0: not read yet */
	uint32_t is = __atomic_load_n(&version, __ATOMIC_RELAXED);

	if (!is) {
		struct utsname u = { 0 };

		is = sys_call(SYS_uname, (long)&u, 0, 0, 0, 0, 0) == 0 ?
			     version_of((struct span){ u.release, strnlen(u.release, sizeof(u.release)) }) :
			     UNREADABLE;
		__atomic_store_n(&version, is ? is : UNREADABLE, __ATOMIC_RELAXED);
	}
	return is >= (major << 16 | minor);
}
